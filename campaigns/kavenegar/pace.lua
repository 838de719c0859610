-- The pace of one account, shared by every worker: who may call the gateway, and when.
--
-- KEYS[1]  the account's hash
-- ARGV     verb, now (µs; empty: this server's clock), start rate, highest rate, fixed (1 or 0), then the verb's own:
--   take     lane, rank, floor, ceiling, longest wait (µs)   → {granted, wait (µs), when (µs), code of the pause}
--   blocked  code, pause (µs), cut (1 or 0)                  → {paused until (µs)}
--   view                                                     → JSON
--
-- Every call made reserves the next free slot, one step of 1/rate after the last. A wait that is too long reserves
-- nothing. All times are µs since 1970; each is below 2^53, so a Lua number holds it exactly.

local KEEP_MS          = 3600 * 1000   -- an idle account's pace is forgotten after an hour
local SECOND           = 1000000
local LONGEST_PAUSE    = 900 * SECOND
local LONGEST_QUEUE    = 60 * SECOND   -- no reservation lies farther ahead than this: a clock set back must not stop us
local SAME_TROUBLE     = 600 * SECOND  -- blocked again so soon after a pause: the next pause is twice as long
local WAITING          = 3 * SECOND    -- a lane that had to wait within this time counts as waiting
local CUT              = 0.7
local LOWEST_RATE      = 0.2
local CLIMB            = 1 / 60        -- of the highest rate, in a second of full use
local SAFE             = 0.9           -- of the ceiling, the rate at which the gateway last said no: stay here …
local STAY             = 600 * SECOND  -- … for so long after a pause (not shorter than SAME_TROUBLE), …
local CREEP            = 1 / 3000      -- … then feel for the ceiling: this share of it, in a second of full use
local WRONG            = 1.1           -- of the ceiling: here without a block, it is no longer where it was

local key, verb = KEYS[1], ARGV[1]
local start_rate, max_rate, fixed = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'

local now = tonumber(ARGV[2])
if not now then
  local clock = redis.call('TIME')
  now = clock[1] * SECOND + clock[2]
end

local state = {}
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do state[fields[i]] = tonumber(fields[i + 1]) end

local function get(field) return state[field] or 0 end

local changes = {}
local function set(field, value)
  state[field] = value
  changes[#changes + 1] = field
  changes[#changes + 1] = string.format('%.17g', value)
end

local function save()
  if #changes == 0 then return end
  redis.call('HSET', key, unpack(changes))
  redis.call('PEXPIRE', key, KEEP_MS)
end

local rate = start_rate
if not fixed then
  rate = math.min(max_rate, math.max(LOWEST_RATE, state.rate or start_rate))
end
local paused_until = math.min(get('paused_until'), now + LONGEST_PAUSE)
local open_at      = math.max(now, paused_until)
local next_slot    = math.min(math.max(get('next_slot'), open_at), open_at + LONGEST_QUEUE)

-- Calls taken, by lane, in this minute and the one before.
local function count(lane)
  local minute = math.floor(now / (60 * SECOND))
  if get('minute:' .. lane) ~= minute then
    set('before:' .. lane, get('minute:' .. lane) == minute - 1 and get('taken:' .. lane) or 0)
    set('taken:' .. lane, 0)
    set('minute:' .. lane, minute)
  end
  set('taken:' .. lane, get('taken:' .. lane) + 1)
end

-- Only a rate that was fully used, without a block, has shown that it is not too high.
local function climb()
  local ceiling, slope, highest = get('ceiling'), max_rate * CLIMB, max_rate
  if rate > ceiling * WRONG then
    set('ceiling', 0)
  elseif rate < ceiling * SAFE then
    highest = math.min(max_rate, ceiling * SAFE)
  elseif now - get('blocked_until') < STAY then
    return
  else
    slope = ceiling * CREEP
  end
  set('rate', math.min(highest, rate + slope / rate))
end

local function someone_before(rank)
  for above = 0, rank - 1 do
    if now - get('waiting:' .. above) < WAITING then return true end
  end
  return false
end

local verbs = {}

-- A lane may go ahead of the queue within its floor (a share of the rate), which moves everybody behind it back. While
-- a lane before it waits, it is held to its ceiling. The floors sum to less than 1, so the queue cannot run away.
function verbs.take()
  local lane, rank = ARGV[6], tonumber(ARGV[7])
  local floor, ceiling, longest_wait = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
  local step = SECOND / rate

  local slot = next_slot
  if floor > 0 then slot = math.min(slot, math.max(open_at, get('floor:' .. lane))) end
  if someone_before(rank) then slot = math.max(slot, get('ceiling:' .. lane)) end

  local wait = math.ceil(slot - now)
  if wait > 0 then set('waiting:' .. rank, now) end
  if wait > longest_wait then
    save()
    return { 0, wait, slot, paused_until > now and get('code') or 0 }
  end

  set('next_slot', next_slot + step)
  if floor > 0 then set('floor:' .. lane, math.max(open_at, get('floor:' .. lane)) + step / floor) end
  set('ceiling:' .. lane, math.max(open_at, get('ceiling:' .. lane)) + step / ceiling)
  count(lane)
  if wait > 0 and not fixed then climb() end
  save()
  return { 1, math.max(0, wait), slot, 0 }
end

-- Many calls are under way when the gateway begins to refuse. The first refusal cuts the rate and opens the pause; the
-- others are its echo and only keep the pause open.
function verbs.blocked()
  local code, pause, cuts = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
  if cuts then
    local blocked_until, last_pause = get('blocked_until'), get('last_pause')
    local echo = now < blocked_until or now - get('cut_at') < SECOND
    if echo then
      pause = math.max(pause, last_pause)
    else
      if blocked_until > 0 and now - blocked_until < SAME_TROUBLE then pause = math.max(pause, 2 * last_pause) end
      if not fixed then
        set('ceiling', rate)
        set('rate', math.max(LOWEST_RATE, rate * CUT))
      end
      set('cut_at', now)
    end
    pause = math.min(pause, LONGEST_PAUSE)
    set('last_pause', pause)
    set('blocked_until', math.max(blocked_until, now + pause))
  end
  pause = math.min(pause, LONGEST_PAUSE)
  if now + pause > paused_until then
    paused_until = now + pause
    set('paused_until', paused_until)
    set('code', code)
  end
  save()
  return { paused_until }
end

function verbs.view()
  local minute, into = math.floor(now / (60 * SECOND)), (now % (60 * SECOND)) / (60 * SECOND)
  local taken = {}
  for i = 6, #ARGV do
    local lane = ARGV[i]
    local age = minute - get('minute:' .. lane)
    local this = age == 0 and get('taken:' .. lane) or 0
    local before = age == 0 and get('before:' .. lane) or age == 1 and get('taken:' .. lane) or 0
    taken[lane] = math.floor(this + before * (1 - into) + 0.5)
  end
  local paused = paused_until > now
  return cjson.encode({
    rate = string.format('%.17g', rate),
    paused_for = paused and string.format('%.0f', paused_until - now) or '0',
    paused_until = paused and string.format('%.0f', paused_until) or '0',
    code = paused and get('code') or 0,
    taken = taken,
  })
end

return verbs[verb]()
