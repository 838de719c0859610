-- The first of three parts of one script (state, rate, gate), which Redis runs as one step.
--
-- KEYS[1]  the hash of one account and the address it calls from
-- ARGV     verb, now (µs; empty: this server's clock), start rate, highest rate, fixed (1 or 0), then the verb's own
--
-- All times are µs since 1970; each is below 2^53, so a Lua number holds it exactly. Rates are calls a second.

local SECOND  = 1000000
local MINUTE  = 60 * SECOND
local HOUR    = 60 * MINUTE
local KEEP_MS = 3600 * 1000 -- an idle account's pace is forgotten after an hour
local LONG_AGO = 1e12        -- in 1970: any time of ours is later, any other number smaller

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

-- When the clock is set back, all times move back with it: otherwise all calls would wait until it has caught up.
local seen = state.seen or 0
local set_back = now < seen - SECOND
if set_back then
  for field, value in pairs(state) do
    local is_time = value > LONG_AGO and field ~= 'generation' and field ~= 'learnt_at'
    if is_time then state[field] = value - seen + now end
  end
end

local function get(field) return state[field] or 0 end

local changed = {}
local function set(field, value)
  state[field] = value
  changed[field] = true
end

local function save()
  if set_back then for field in pairs(state) do changed[field] = true end end
  set('seen', now)
  local changes = {}
  for field in pairs(changed) do
    changes[#changes + 1] = field
    changes[#changes + 1] = string.format('%.17g', state[field])
  end
  redis.call('HSET', key, unpack(changes))
  redis.call('PEXPIRE', key, KEEP_MS)
end

-- Events are counted in this span of time and in the span before, and are taken as evenly spread.
local function tally(event, span)
  local this = math.floor(now / span)
  if get('span:' .. event) ~= this then
    set('before:' .. event, get('span:' .. event) == this - 1 and get('count:' .. event) or 0)
    set('count:' .. event, 0)
    set('span:' .. event, this)
  end
  set('count:' .. event, get('count:' .. event) + 1)
end

local function recent(event, span)
  local this, left = math.floor(now / span), 1 - (now % span) / span
  local age = this - get('span:' .. event)
  if age == 0 then return math.floor(get('count:' .. event) + get('before:' .. event) * left + 0.5) end
  if age == 1 then return math.floor(get('count:' .. event) * left + 0.5) end
  return 0
end
