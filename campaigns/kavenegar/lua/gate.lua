-- The third part: who may call, and when.
--
--   reserve  lane, rank, share, cap, longest wait           → granted, wait, slot, mark, ahead, generation, probe
--   depart   slot, mark, ahead, generation, probe, longest wait  → the same
--   passed   generation                                     → nothing
--   blocked  generation, code, pause, cuts                  → how long the pause still lasts
--   remind   rate, refused, when                            → whether it was taken
--   view     lanes                                          → JSON
--
-- A call reserves the next free slot, one step of 1/rate after the last, sleeps until then, and asks to depart. A lane
-- takes its share ahead of the queue: all who wait in it move back by a step, which each learns as it departs (`mark`
-- is where everybody stood as it reserved). A refusal makes all slots void (`generation`). The first call after the
-- pause is a probe: nobody else leaves before its answer.

local LONGEST_PAUSE = 900 * SECOND
local FIRST_PAUSE   = SECOND / 2
local LONGEST_QUEUE = 60 * SECOND  -- no slot lies farther ahead than this: a clock set back must not stop us
local WAITING       = 3 * SECOND   -- a lane that had to wait within this time counts as waiting
local BURST         = 2 * SECOND   -- what a lane has not used of its share it may use at once, so much of it at most
local PROBE_LASTS   = 3 * SECOND   -- a probe without an answer by then is followed by another
local LOOK_AGAIN    = SECOND / 20
local EARLY         = SECOND / 1000
local TRUST         = 8            -- blocks for which it is believed that a pause is too short

local step         = SECOND / rate
local paused_until = math.min(get('paused_until'), now + LONGEST_PAUSE)
local open_at      = math.max(now, paused_until)
local next_slot    = math.min(math.max(get('next_slot'), open_at), open_at + LONGEST_QUEUE)
local generation   = state.generation or now -- never one of before a flush: its slots are void

local function someone_before(rank)
  for above = 0, rank - 1 do
    if now - get('waiting:' .. above) < WAITING then return true end
  end
  return false
end

-- Whether this call is the one that goes ahead after a block.
local function probes(slot)
  local last = math.min(get('probe_at'), open_at + LONGEST_QUEUE)
  if get('probing') == 0 or slot <= last + PROBE_LASTS then return 0 end
  set('probe_at', slot)
  return 1
end

local function awaits_probe(probe) return probe == 0 and get('probing') == 1 end

-- Where everybody stands: moved back by whoever went ahead (who goes ahead is not), and by the last probe.
local function mark(ahead) return get('delay') + (ahead and 0 or get('shift')) end

local function leave(slot) set('departed', math.max(get('departed'), slot)) end

local verbs = {}

local function reply(granted, wait, slot, mark, ahead, probe)
  save()
  return { granted, math.max(0, math.ceil(wait)), slot, mark, ahead, generation, probe }
end

function verbs.reserve()
  local lane, rank = ARGV[6], tonumber(ARGV[7])
  local share, cap, longest_wait = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

  local front = math.max(open_at, get('departed') + step, get('express'))
  local ahead = share > 0 and front < next_slot and get('share:' .. lane) <= front + BURST
  local slot = ahead and front or next_slot
  local held_to = 0
  if not ahead and cap < 1 and someone_before(rank) then
    held_to = math.min(get('cap:' .. lane), now + LONGEST_QUEUE)
  end

  local wait = math.max(slot, held_to) - now
  if wait > 0 then set('waiting:' .. rank, now) end
  if wait > longest_wait or held_to > slot then return reply(0, wait, 0, 0, 0, 0) end

  if ahead then
    set('express', slot + step)
    set('shift', get('shift') + step)
  end
  set('generation', generation)
  set('next_slot', next_slot + step)
  if share > 0 then set('share:' .. lane, math.max(slot, get('share:' .. lane)) + step / share) end
  if cap < 1 then set('cap:' .. lane, math.max(slot, get('cap:' .. lane)) + step / cap) end
  tally(lane, MINUTE)
  if wait > 0 and not fixed then grow(step / SECOND) end

  local probe = probes(slot)
  if awaits_probe(probe) then wait = math.max(wait, LOOK_AGAIN) end
  if wait <= 0 then leave(slot) end
  return reply(1, wait, slot, mark(ahead), ahead and 1 or 0, probe)
end

function verbs.depart()
  local slot, ahead, probe = tonumber(ARGV[6]), ARGV[8] == '1', tonumber(ARGV[10])
  if tonumber(ARGV[9]) ~= generation or paused_until > now + EARLY then
    return reply(0, open_at - now, 0, 0, 0, 0)
  end
  slot = slot + mark(ahead) - tonumber(ARGV[7])
  local wait = slot - now
  if probe == 0 then probe = probes(now) end
  if awaits_probe(probe) then wait = math.max(wait, LOOK_AGAIN) end
  if wait > tonumber(ARGV[11]) then
    if slot + step + 1 >= next_slot then set('next_slot', next_slot - step) end -- the last in the queue leaves no gap
    return reply(0, wait, 0, 0, 0, 0)
  end
  if wait <= EARLY then
    leave(slot)
    wait = 0
  end
  return reply(1, wait, slot, mark(ahead), ahead and 1 or 0, probe)
end

-- The probe came back with an answer: the rest may go, a step apart from now.
function verbs.passed()
  if get('probing') == 1 and tonumber(ARGV[6]) == generation then
    local waited = math.max(0, now - get('probe_at'))
    set('probing', 0)
    set('delay', get('delay') + waited)
    set('next_slot', next_slot + waited)
    set('express', get('express') + waited)
    set('enough', get('pause'))
    if get('pause') <= get('too_short') then set('too_short', 0) end
    set('trust', get('trust') - 1)
    resume((now - get('blocked_at')) / SECOND)
    save()
  end
  return {}
end

-- How long to wait before the next probe: twice as long after each that was refused; after a new block what was enough
-- the last time, but now and then half of it, for penalties change too.
local function next_pause(refused_probe)
  local enough, too_short = get('enough'), get('too_short')
  if refused_probe then
    set('too_short', get('pause'))
    set('trust', TRUST)
    return get('pause') < enough and enough or 2 * get('pause')
  end
  if too_short == 0 or get('trust') <= 0 then return math.max(FIRST_PAUSE, enough / 2) end
  return enough > 1.15 * too_short and too_short + 0.6 * (enough - too_short) or enough
end

local function close_until(moment, code)
  if moment <= paused_until then return end
  paused_until = moment
  set('paused_until', moment)
  set('code', code)
  set('next_slot', math.max(get('next_slot'), moment))
end

-- Many calls are under way when the gateway begins to refuse. The first refusal of a generation cuts the rate and
-- makes all slots void; the others are its echo.
function verbs.blocked()
  local of, code, pause, cuts = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
  if not cuts then
    close_until(now + math.min(pause, LONGEST_PAUSE), code)
  else
    tally('refusals', HOUR)
    if of == generation then
      tally('pauses', HOUR)
      pause = math.min(next_pause(get('probing') == 1), LONGEST_PAUSE)
      if get('probing') == 0 then
        set('blocked_at', now)
        if not fixed then cut() end
      end
      generation = generation + 1
      set('generation', generation)
      set('pause', pause)
      set('probing', 1)
      set('next_slot', now + pause)
      set('express', 0)
      close_until(now + pause, code)
      set('probe_at', now + pause - PROBE_LASTS - 1)
    elseif paused_until > now then
      close_until(now + get('pause'), code)
      set('probe_at', paused_until - PROBE_LASTS - 1)
    end
  end
  save()
  return { math.ceil(math.max(0, paused_until - now)) }
end

function verbs.remind()
  if state.learnt_at or fixed then return { 0 } end
  rate = tonumber(ARGV[6])
  set('rate', rate)
  set('steady', rate)
  set('refused', tonumber(ARGV[7]))
  set('patience', patience())
  set('learnt_at', tonumber(ARGV[8]))
  save()
  return { 1 }
end

function verbs.view()
  local lanes = {}
  for i = 6, #ARGV do
    local lane, rank = ARGV[i], i - 6
    lanes[lane] = { calls = recent(lane, MINUTE), waiting = now - get('waiting:' .. rank) < WAITING }
  end
  local paused = paused_until > now
  return cjson.encode({
    at = string.format('%.0f', now),
    rate = string.format('%.17g', rate),
    learnt_at = string.format('%.0f', get('learnt_at')),
    held = string.format('%.17g', held()),
    refused = string.format('%.17g', get('refused')),
    queue = string.format('%.0f', next_slot - open_at),
    paused_until = paused and string.format('%.0f', paused_until) or '0',
    code = paused and get('code') or 0,
    refusals = recent('refusals', HOUR),
    pauses = recent('pauses', HOUR),
    lanes = lanes,
  })
end

return verbs[verb]()
