-- The second part: how the rate is found that the gateway tolerates and does not publish.
--
--   rate      calls a second at present
--   steady    a rate that held; 0: none is known
--   refused   the rate at which the gateway complained as we climbed; 0: it never did, or that is no longer true
--   ceiling   a rate below that which did not hold either; 0: none is known
--   clean     seconds of full use, by calls that were answered, since the rate was last cut, or the last block ended
--   patience  so many of these pass before the rate climbs
--   cost      seconds that the last block cost
--
-- While nothing was refused, the rate grows steadily. From the first refusal on it is held, and feels its way up now and
-- then: fast while far below what was refused, slowly near it, fast again beyond it. A refusal on the way up leads half
-- the way back down, or all of it where that is near; a refusal of what held cuts it. The dearer a block is, the
-- longer the rate is held.

local EVEN    = 0.99   -- of a rate that is given: clocks and networks are not exact
local LOWEST  = 0.2    -- calls a second
local GROWTH  = 0.05   -- of what held, in a second, while no limit is known
local LAG     = 10     -- seconds after which a refusal would have come, had the rate of then been too high
local PASSED  = 1.05   -- of what was refused: here without a refusal, the limit is no longer where it was
local CREEP   = 0.001  -- of what was refused, in a second: the slowest climb
local NEAR    = 8      -- seconds in which the distance to what was refused would shrink to a third, …
local STEEP   = 0.02   -- … but no more than this of the rate in a second
local CLOSE   = 0.045  -- of what was refused: where no more can be won, the rate is held for longer
local NARROW  = 0.03   -- the same, where a step up has failed before
local EASE    = 0.96   -- of a rate that was refused though it had held
local SAFE    = 0.97   -- of a limit that was measured
local PROVE   = 20     -- seconds: how long a rate is held that is far from what was refused, …
local HOLD    = 45     -- … and one that is close, …
local DEAR    = 40     -- … or so many times as long as a block lasts, …
local DOUBLED = 95     -- … but no longer than this, if half as many times is less: a limit that was doubled must be found

local known = math.max(LOWEST, state.rate or start_rate)
local rate = fixed and EVEN * start_rate or math.min(max_rate, known)
local held_down = not fixed and known > max_rate -- the highest rate was lowered: what was learnt above it stays

local function raise(slope, step) set('rate', math.min(max_rate, rate + slope * step)) end

-- A call of a rate that is fully used was answered: `step` seconds have passed without a refusal.
local function grow(step)
  if held_down ~= (get('held_down') == 1) then -- at another rate than so far
    set('held_down', held_down and 1 or 0)
    set('clean', 0)
  end
  local clean, refused, steady = get('clean') + step, get('refused'), get('steady')
  set('clean', clean)
  if held_down then return end -- a lower rate proves nothing of what was learnt
  if clean < LAG then
    if refused == 0 then raise(GROWTH * (steady > 0 and steady or rate), step) end
    return
  end
  set('learnt_at', now)
  if refused == 0 then
    raise(GROWTH * (steady > 0 and steady or rate), step)
    set('steady', math.max(steady, rate / (1 + GROWTH * LAG)))
  elseif rate > PASSED * refused then
    set('refused', 0)
    set('ceiling', 0)
  elseif clean >= get('patience') then
    if clean < get('patience') + step then set('steady', rate) end
    raise(CREEP * refused + math.min(math.abs(refused - rate) / NEAR, STEEP * rate), step)
  end
end

-- The least that is known to be too much.
local function top()
  local refused, ceiling = get('refused'), get('ceiling')
  return ceiling > 0 and math.min(ceiling, refused) or refused
end

local function patience()
  local to_win, dear = 1 - rate / top(), get('enough') / SECOND
  if to_win > CLOSE then return math.max(PROVE, dear / to_win) end
  return math.max(HOLD, math.min(DOUBLED, DEAR * dear), DEAR / 2 * dear)
end

-- What the gateway let through since the last block, in calls a second. Had nothing been saved up during that block, the
-- whole time would count; had as much been saved up as there was time for, the time since it; so the mean of both.
local function measured(clean)
  local cost = get('cost')
  return rate * clean / math.sqrt((clean + math.min(1, cost)) * (clean + cost))
end

local function lower_than_refused()
  local clean, steady, refused = get('clean'), get('steady'), get('refused')
  if steady == 0 or rate <= steady then -- what held does not hold any more
    set('steady', 0)
    set('ceiling', rate)
    if refused == 0 then set('refused', rate) end
    return math.max(0.5 * rate, math.min(SAFE * measured(clean), EASE * rate))
  end
  if refused > 0 and clean < get('patience') then -- the last step was too large
    set('ceiling', rate)
    return steady
  end
  set('refused', rate)
  local wide = get('ceiling') > 0 and NARROW or CLOSE
  return 1 - steady / top() > wide and (steady + top()) / 2 or steady
end

local function cut()
  rate = math.max(LOWEST, lower_than_refused())
  set('rate', rate)
  set('clean', 0)
  set('patience', patience())
  set('learnt_at', now)
end

-- A block is over that lasted for `cost` seconds.
local function resume(cost)
  set('cost', cost)
  set('clean', 0)
  set('patience', patience())
end

-- The rate that is worth keeping.
local function held() return get('steady') > 0 and get('steady') or SAFE * known end
