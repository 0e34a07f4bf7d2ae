-- Letting runs in that wait in line: as far as the windows of the claim let them, the best first.

-- The most keys that one step looks at, and how many are read at once.
local LOOKS, KEYS = 2048, 256

local OPEN, FULL_BY = P .. 'open', P .. 'fullby'

local function flow_of(plan)
  return hget(P .. 'plans', '#' .. plan):match('^%S+ (.*)$')
end

-- How many runs of a crowd have begun their work, or are about to, and have not ended: all but those in line.
local function in_flight(crowd)
  return math.max(0, counted(OPEN, crowd) - counted(LINE, crowd))
end

-- Whether the windows of all runs and of a flow have a place.
local function has_place(flow)
  for _, w in ipairs(ask.windows or {}) do
    if w.of == 'all' and in_flight('') >= w.most then return false end
    if w.of == 'flow' and w.flow == flow and in_flight(flow) >= w.most then return false end
  end
  return true
end

-- How many runs of a flow may have the same key; nothing when that is no matter.
local function most_of(flow)
  local most
  for _, w in ipairs(ask.windows or {}) do
    if w.of == 'key' and w.flow == flow then most = math.min(most or w.most, w.most) end
  end
  return most
end

-- The plans whose runs wait in line and that the worker knows.
local function plans_in_line()
  local plans = {}
  for _, number in ipairs(in_line) do
    if not except[number] then
      local flow = flow_of(number)
      plans[#plans + 1] = { number = number, flow = flow, most = most_of(flow), read = 0 }
    end
  end
  return plans
end

-- Puts those back who were set aside for a smaller window than this claim's; whether there were any.
local function look_again()
  local is_any = false
  for _, plan in ipairs(plans_in_line()) do
    local by = tonumber(hget(FULL_BY, plan.flow) or nil)
    if by and not (plan.most and plan.most <= by) then
      for name, aside in pairs(hall(FULL)) do
        local flow, key = name:match('^(%S+) (.*)$')
        if aside and flow == plan.flow then make_room({ f = flow, x = key }) end
      end
      hset(FULL_BY, plan.flow, false)
      is_any = true
    end
  end
  return is_any
end

-- Sets a key aside until it has room.
local function set_aside(key)
  local plan, name = key.plan, key.plan.flow .. ' ' .. key.name
  zset(heads_of(plan.number), key.name, false)
  hset(FULL, name, (hget(FULL, name) or '') .. plan.number .. ':' .. whole(key.head) .. ' ')
  local by = tonumber(hget(FULL_BY, plan.flow) or nil)
  if not by or plan.most < by then hset(FULL_BY, plan.flow, whole(plan.most)) end
end

-- Adds the next keys of a plan to a heap, and after them what stands for those behind them.
local function read_keys(heap, plan)
  local found = redis.call('ZRANGE', heads_of(plan.number), plan.read, plan.read + KEYS - 1, 'WITHSCORES')
  local crowds = {}
  for i = 1, #found, 2 do
    add_to(heap, { head = tonumber(found[i + 1]), plan = plan, name = found[i] })
    crowds[#crowds + 1] = plan.flow .. ' ' .. found[i]
  end
  plan.read = plan.read + #found / 2
  if plan.most then
    hload(OPEN, crowds)
    hload(LINE, crowds)
    hload(FULL, crowds)
  end
  if #found == 2 * KEYS then add_to(heap, { head = tonumber(found[#found]), plan = plan }) end
end

local function is_full(key)
  local most = key.name ~= '' and key.plan.most
  return most and in_flight(key.plan.flow .. ' ' .. key.name) >= most
end

-- Lets in the first run that waits with a key; gives whether it did, and the rank of the one after it.
local function let_in(key)
  local number, name = key.plan.number, key.name
  key.line = key.line or line_of('a' .. number .. (name ~= '' and ':' .. name or ''), AT_ONCE)
  local best, is_given = peek(key.line), false
  if best and best[1] <= key.head then
    key.line.at = key.line.at + 1
    zset(P .. 'q:' .. key.line.kind, best[2], false)
    leave_line(run_of(best[2]), number)
    is_given = hand_out(key.line, best[2])
    best = peek(key.line)
  end
  zset(heads_of(number), name, best and whole(best[1]))
  return is_given, best and best[1]
end

-- Lets runs in; gives what became of the windows that are not by key, and whether there was too much to look at.
local function claim_admits()
  local heap, plans, looked, admitted = {}, plans_in_line(), 0, 0
  for _, plan in ipairs(plans) do
    if has_place(plan.flow) then read_keys(heap, plan) end
  end
  while heap[1] and admitted < ADMITTED and looked < LOOKS do
    local key, after, is_given = heap[1], nil, false
    looked = looked + 1
    if not has_place(key.plan.flow) then
      -- Nobody of its flow is let in.
    elseif not key.name then
      settle_first(heap, nil)
      read_keys(heap, key.plan)
      key = nil
    elseif is_full(key) then
      set_aside(key)
    else
      is_given, after = let_in(key)
    end
    if key then settle_first(heap, after) end
    if is_given then admitted = admitted + 1 end
  end
  local states = {}
  for _, w in ipairs(ask.windows or {}) do
    if w.of ~= 'key' then
      local waits = false
      for _, plan in ipairs(plans) do
        waits = waits or (w.of == 'all' or w.flow == plan.flow) and counted(LINES, plan.number) > 0
      end
      states[#states + 1] = { in_flight(w.of == 'all' and '' or w.flow), waits }
    end
  end
  for _, number in ipairs(in_line) do
    if counted(LINES, number) == 0 then hset(P .. 'kinds', 'a' .. number, false) end
  end
  return states, looked == LOOKS
end
