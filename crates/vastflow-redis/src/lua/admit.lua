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
      plans[#plans + 1] = { number = number, flow = flow, most = most_of(flow) }
    end
  end
  return plans
end

-- Where the keys of a plan stand that may have room: its heads, and what was set aside for smaller windows than this claim's.
local function places_of(plan)
  local places = { { plan = plan, read = 0 } }
  for window in (hget(FULL_BY, plan.number) or ''):gmatch('%d+') do
    if not plan.most or tonumber(window) < plan.most then
      places[#places + 1] = { plan = plan, window = window, read = 0 }
    end
  end
  return places
end

-- Notes whether keys of a plan are set aside for a window.
local function note_window(plan, window, is_any)
  local by = hget(FULL_BY, plan.number) or ''
  local others = by:gsub('%f[%d]' .. window .. ' ', '')
  if is_any == (others ~= by) then return end
  local text = others .. (is_any and window .. ' ' or '')
  hset(FULL_BY, plan.number, text ~= '' and text)
end

-- Sets a key aside until it has room.
local function set_aside(key)
  local plan, window = key.from.plan, whole(key.from.plan.most)
  zset(heads_of(plan.number, key.from.window), key.name, false)
  put_aside({ f = plan.flow, x = key.name }, plan.number, window, whole(key.head))
  if not plan.is_noted then note_window(plan, window, true) end
  plan.is_noted = true
end

-- Adds the next keys of a place to a heap, and after them what stands for those behind them.
local function read_keys(heap, from)
  local plan = from.plan
  local found = redis.call('ZRANGE', heads_of(plan.number, from.window), from.read, from.read + KEYS - 1, 'WITHSCORES')
  if from.window and from.read == 0 and #found == 0 then note_window(plan, from.window, false) end
  local crowds = {}
  for i = 1, #found, 2 do
    add_to(heap, { head = tonumber(found[i + 1]), from = from, name = found[i] })
    crowds[#crowds + 1] = plan.flow .. ' ' .. found[i]
  end
  from.read = from.read + #found / 2
  if plan.most or from.window then hload(FULL, crowds) end
  if plan.most then
    hload(OPEN, crowds)
    hload(LINE, crowds)
  end
  if #found == 2 * KEYS then add_to(heap, { head = tonumber(found[#found]), from = from }) end
end

local function is_full(key)
  local most = key.name ~= '' and key.from.plan.most
  return most and in_flight(key.from.plan.flow .. ' ' .. key.name) >= most
end

-- Lets in the first run that waits with a key; gives whether it did, and the rank of the one after it.
local function let_in(key)
  local plan, window, name = key.from.plan, key.from.window, key.name
  local number = plan.number
  key.line = key.line or line_of('a' .. number .. (name ~= '' and ':' .. name or ''), AT_ONCE)
  local best, is_given = peek(key.line), false
  if best and best[1] <= key.head then
    key.line.at = key.line.at + 1
    zset(P .. 'q:' .. key.line.kind, best[2], false)
    leave_line(run_of(best[2]), number)
    is_given = hand_out(key.line, best[2])
    best = peek(key.line)
  end
  local rank = best ~= nil and whole(best[1])
  if window then
    put_aside({ f = plan.flow, x = name }, number, window, rank)
  else
    zset(heads_of(number), name, rank)
  end
  return is_given, best and best[1]
end

-- Lets runs in; gives what became of the windows that are not by key, and whether there was too much to look at.
local function claim_admits()
  local heap, plans, looked, admitted = {}, plans_in_line(), 0, 0
  for _, plan in ipairs(plans) do
    for _, from in ipairs(has_place(plan.flow) and places_of(plan) or {}) do read_keys(heap, from) end
  end
  while heap[1] and admitted < ADMITTED and looked < LOOKS do
    local key, after, is_given = heap[1], nil, false
    looked = looked + 1
    if not has_place(key.from.plan.flow) then
      -- Nobody of its flow is let in.
    elseif not key.name then
      settle_first(heap, nil)
      read_keys(heap, key.from)
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
