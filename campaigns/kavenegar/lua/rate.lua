-- The second part: it finds the rate that the gateway tolerates and does not publish.
--
--   rate      calls a second at present
--   steady    a rate that was not refused; 0: none is known
--   refused   the rate that the gateway refused while the rate climbed; 0: there was none, or it is outdated
--   ceiling   a rate below `refused` that was refused too; 0: none is known
--   clean     seconds of full use, by calls that were answered, since the rate was last cut, or the last block ended
--   patience  the `clean` seconds that pass before the rate climbs
--   cost      seconds that the last block lasted
--
-- Before the first refusal the rate grows steadily. After it the rate is held, and climbs now and then: fast while far
-- below the refused rate, slowly near it, fast again beyond it. A refusal during a climb takes back half of the climb,
-- or all of it where the climb was short; a refusal of a rate that had held cuts it. The longer a block lasts, the
-- longer the rate is held.

local EVEN    = 0.99   -- of a fixed rate: clocks and networks are not exact
local LOWEST  = 0.2    -- calls a second
local GROWTH  = 0.05   -- of the rate that held, in a second, while no limit is known
local LAG     = 10     -- seconds after which a rate that is too high would have been refused
local PASSED  = 1.05   -- of the refused rate: a rate this high without a refusal means that the limit has moved
local CREEP   = 0.001  -- of the refused rate, in a second: the slowest climb
local NEAR    = 8      -- seconds in which the distance to the refused rate would shrink to a third, …
local STEEP   = 0.02   -- … but no more than this of the rate in a second
local CLOSE   = 0.045  -- of the refused rate: this close to it the rate is held for longer
local NARROW  = 0.03   -- as CLOSE, where a step up has failed before
local EASE    = 0.96   -- of a rate that was refused though it had held
local SAFE    = 0.97   -- of a measured limit
local PROVE   = 20     -- seconds for which a rate far from the refused rate is held, …
local HOLD    = 45     -- … and a rate close to it, …
local DEAR    = 40     -- … or so many times as long as a block lasts, …
local DOUBLED = 95     -- … but no longer than this, if half as many times is less: a doubled limit must be found

local known = math.max(LOWEST, state.rate or start_rate)
local rate = fixed and EVEN * start_rate or math.min(max_rate, known)
local held_down = not fixed and known > max_rate -- the highest rate was lowered: the learnt rate above it stays

local function raise(slope, step) set('rate', math.min(max_rate, rate + slope * step)) end

-- A call of a rate that is fully used was answered: `step` seconds have passed without a refusal.
local function grow(step)
  if held_down ~= (get('held_down') == 1) then -- the rate has changed
    set('held_down', held_down and 1 or 0)
    set('clean', 0)
  end
  local clean, refused, steady = get('clean') + step, get('refused'), get('steady')
  set('clean', clean)
  if held_down then return end -- a lower rate proves nothing about the learnt rate
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

-- The lowest rate that is known to be too high.
local function top()
  local refused, ceiling = get('refused'), get('ceiling')
  return ceiling > 0 and math.min(ceiling, refused) or refused
end

local function patience()
  local to_win, dear = 1 - rate / top(), get('enough') / SECOND
  if to_win > CLOSE then return math.max(PROVE, dear / to_win) end
  return math.max(HOLD, math.min(DOUBLED, DEAR * dear), DEAR / 2 * dear)
end

-- The gateway's throughput since the last block, in calls a second. If it saved up no calls during that block, the
-- whole time would count; if it saved up calls for all of it, only the time since; so this takes the mean of both.
local function measured(clean)
  local cost = get('cost')
  return rate * clean / math.sqrt((clean + math.min(1, cost)) * (clean + cost))
end

local function lower_than_refused()
  local clean, steady, refused = get('clean'), get('steady'), get('refused')
  if steady == 0 or rate <= steady then -- the rate that held does not hold any more
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

-- A block of `cost` seconds is over.
local function resume(cost)
  set('cost', cost)
  set('clean', 0)
  set('patience', patience())
end

-- The rate that is worth keeping.
local function held() return get('steady') > 0 and get('steady') or SAFE * known end
