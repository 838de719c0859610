-- The third part: it decides which call may leave, and when.
--
--   reserve           lane, rank, share, cap, longest wait, held                 → a slot: see `reply`
--   confirm           as reserve, then its slot, tier, epoch, generation, probe  → a slot
--   leave             as confirm                                                 → a slot
--   report_ok         generation, waited (1 or 0)                                → nothing
--   report_throttled  generation, code, pause, cuts                              → the rest of the pause
--   restore           rate, refused, when                                        → whether it was restored
--   view              lanes                                                      → JSON
--
-- A call reserves the next free slot, one step of 1/rate after the last, sleeps until then, and confirms it. A lane
-- that takes its share goes ahead of the queue: it takes the first slot whose call has not left yet, and the call that
-- had reserved this slot gets another when it confirms. A refusal (`report_throttled`) makes all slots void
-- (`generation`). The first call after the pause is a probe: no other call has a slot before its answer (`epoch`).
--
-- A missed slot (its process was frozen, or Redis was) is lost: its call gets another. `flow` is the time at which the
-- next call would be due if all calls had left a step apart; no call leaves more than SLACK before it. So in any span
-- of time, also with a frozen process, no more calls leave than steps fit into the span and the slack.
--
-- A slot that is acquired ahead of its call is held: the claim in the database comes between. Its call asks again when
-- it leaves (`leave`): `gone` is the earliest time of the next call after the calls that left. Calls that the database
-- delayed leave a step apart.

local LONGEST_PAUSE = 900 * SECOND
local FIRST_PAUSE   = SECOND / 2
local LONGEST_QUEUE = 60 * SECOND -- no slot is reserved farther ahead
local WAITING       = 3 * SECOND  -- a lane that had to wait within this time counts as waiting
local BURST         = 2 * SECOND  -- the largest unused part of its share that a lane may use at once
local PROBE_LASTS   = 3 * SECOND  -- a probe without an answer by then is followed by another
local LOOK_AGAIN    = SECOND / 20
local EARLY         = SECOND / 1000
local SLACK         = SECOND / 50 -- the part of a late call's delay that the next call may make up for
local LATE          = SECOND / 20 -- a slot that is overdue by more is lost, …
local TRUST         = 8           -- number of blocks for which a pause counts as too short

-- The order of slots. A slot of the queue may be taken by both other tiers, a slot of a lane's share by an otp.
local OTP, SHARE, QUEUE = 0, 1, 2
local NOWHERE = -1 -- the epoch of a call without a slot, which waits for its turn to reserve one

local step         = SECOND / rate
local late         = math.max(LATE, step / 2) -- … or by more than half a step, if that is longer
local paused_until = math.min(get('paused_until'), now + LONGEST_PAUSE)
local open_at      = math.max(now, paused_until)
local next_slot    = math.min(math.max(get('next_slot'), open_at), open_at + LONGEST_QUEUE)
local generation   = state.generation or now -- never a generation from before a flush, whose slots are void

local lane, rank = ARGV[6], tonumber(ARGV[7])
local share, cap, longest_wait = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local held_slot = ARGV[11] == '1' -- the call comes later, and calls `leave` first

local verbs = {}

local function reply(granted, wait, slot, tier, epoch, probe)
  save()
  return { granted, math.max(0, math.ceil(wait)), slot, tier, epoch, generation, probe and 1 or 0 }
end

local function reject(wait) return reply(0, wait, 0, QUEUE, NOWHERE, false) end

local function grant(slot, tier, probe)
  local early = get('flow') - SLACK - now
  if early > EARLY and not probe then
    if early > math.max(longest_wait, LATE) then return reject(early) end
    return reply(1, early, slot, tier, get('epoch'), false)
  end
  set('departed', math.max(get('departed'), slot))
  set('flow', (probe and now or math.max(get('flow'), now)) + step)
  if not held_slot then set('gone', math.max(get('gone'), now) + step) end
  return reply(1, 0, slot, tier, get('epoch'), probe)
end

local function someone_before()
  for above = 0, rank - 1 do
    if now - get('waiting:' .. above) < WAITING then return true end
  end
  return false
end

-- The time until which calls that go ahead of a tier have taken the slots.
local function taken_until(tier)
  return math.max(tier > OTP and get('ahead:' .. OTP) or 0, tier > SHARE and get('ahead:' .. SHARE) or 0)
end

-- Whether this call is the probe: the first after a block.
local function is_probe()
  if get('probing') == 0 or open_at <= get('probe_at') + PROBE_LASTS then return false end
  set('probe_at', open_at)
  return true
end

local function await_probe()
  local wait = open_at - now + LOOK_AGAIN
  if wait > longest_wait then return reject(wait) end
  return reply(1, wait, 0, QUEUE, get('epoch'), false)
end

-- Reserve a slot: of the lane's share ahead of the queue, or the next one of the queue.
local function place(counted)
  local tier = rank == 0 and OTP or SHARE
  local front = math.max(get('departed') + step, taken_until(tier), get('ahead:' .. tier), open_at - step)
  local ahead = share > 0 and math.max(front, open_at) < next_slot and get('share:' .. lane) <= front + BURST
  local capped = cap < 1 and someone_before()
  local turn = capped and not ahead and get('cap:' .. lane) or 0
  local slot = ahead and front or next_slot

  local wait = math.max(slot, turn) - now
  if wait > 0 then set('waiting:' .. rank, now) end
  if wait > longest_wait then return reject(wait) end
  if turn > slot then return reply(1, wait, 0, QUEUE, NOWHERE, false) end

  if ahead then
    set('share:' .. lane, math.max(slot, get('share:' .. lane)) + step / share)
    set('ahead:' .. tier, slot + step)
    set('next_slot', math.max(next_slot, slot + step))
  else
    tier = QUEUE
    set('next_slot', next_slot + step)
  end
  if capped then set('cap:' .. lane, math.max(slot, get('cap:' .. lane)) + step / cap) end
  set('generation', generation)
  if not counted then tally(lane, MINUTE) end -- once for each call, also when its slot moves
  if wait <= 0 then return grant(slot, tier, false) end
  return reply(1, wait, slot, tier, get('epoch'), false)
end

function verbs.reserve()
  if get('probing') == 0 then return place(false) end
  if open_at - now > longest_wait then return reject(open_at - now) end
  if not is_probe() then return await_probe() end
  tally(lane, MINUTE)
  if open_at <= now then return grant(open_at, OTP, true) end
  return reply(1, open_at - now, open_at, OTP, get('epoch'), true)
end

function verbs.confirm()
  local slot, tier, epoch = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
  local probe = ARGV[16] == '1'
  if tonumber(ARGV[15]) ~= generation or paused_until > now + EARLY then return reject(open_at - now) end
  if get('probing') == 1 and not probe then
    if is_probe() then return grant(now, OTP, true) end
    return await_probe()
  end
  if epoch ~= get('epoch') then return place(false) end
  if slot + step / 2 < taken_until(tier) then return place(true) end
  local wait = slot - now
  if -wait > late and not probe then return place(true) end -- it missed its slot
  if wait <= EARLY then return grant(slot, tier, probe) end
  if wait <= longest_wait then return reply(1, wait, slot, tier, epoch, probe) end
  if tier == QUEUE and slot + 1.5 * step > next_slot then set('next_slot', slot) end -- the last one leaves no gap
  return reject(wait)
end

-- The call of a held slot leaves now, or after the calls that were delayed with it. An otp waits for no call.
function verbs.leave()
  local slot, tier, probe = tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[16] == '1'
  if tonumber(ARGV[15]) ~= generation or paused_until > now + EARLY then return reject(open_at - now) end
  local wait = get('gone') - SLACK - now
  if wait <= EARLY or probe or rank == 0 then wait = 0 end
  if wait > longest_wait then return reject(wait) end
  set('gone', math.max(get('gone'), now) + step)
  return reply(1, wait, slot, tier, get('epoch'), probe)
end

-- The probe was answered: the other calls may leave, a step apart from now.
local function reopen()
  set('probing', 0)
  set('epoch', get('epoch') + 1)
  set('next_slot', math.max(now, get('departed') + step))
  set('enough', get('pause'))
  if get('pause') <= get('too_short') then set('too_short', 0) end
  set('trust', get('trust') - 1)
  resume((now - get('blocked_at')) / SECOND)
end

-- A call was answered without a refusal. Only such an answer proves the rate at which the call left: a gateway that is
-- down refuses no call.
function verbs.report_ok()
  local waited = ARGV[7] == '1'
  if tonumber(ARGV[6]) ~= generation then return {} end
  if get('probing') == 1 then
    reopen()
    save()
  elseif waited and not fixed then
    grow(step / SECOND)
    save()
  end
  return {}
end

-- The time before the next probe: doubled after each refused probe; after a new block the pause that was enough the
-- last time, and sometimes half of it, because penalties change too.
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
-- makes all slots void; the others change nothing.
function verbs.report_throttled()
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
      set('ahead:' .. OTP, 0)
      set('ahead:' .. SHARE, 0)
      set('epoch', get('epoch') + 1)
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

function verbs.restore()
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
