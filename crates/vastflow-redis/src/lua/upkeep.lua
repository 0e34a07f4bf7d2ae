-- Keeping plans, and deleting runs that are over.

local function put_plan()
  if hget(P .. 'plans', ask.plan) then return {} end
  local number = whole(next_of('plans'))
  hset(P .. 'plans', ask.plan, number)
  hset(P .. 'plans', '#' .. number, ask.plan .. ' ' .. ask.flow)
  hset(P .. 'texts', ask.plan, ask.json)
  return { writes = true }
end

local ROW = { 'k', 't', 'f', 'n' }

local function is_over(run)
  local r = hload(P .. 'r:' .. run, ROW)
  return r.k and r.t >= '5' and not r.n
end

-- The flows whose runs are looked at.
local function covered()
  local flows, except = {}, {}
  for _, flow in ipairs(ask.except or {}) do except[flow] = true end
  for flow in pairs(hall(P .. 'flows')) do
    if (ask.flow == '' or ask.flow == flow) and not except[flow] then flows[flow] = true end
  end
  return flows
end

-- Adds runs that ended too long ago, up to one more than are wanted of each flow.
local function add_old(doomed, flows)
  for flow in pairs(flows) do
    local from, count = 0, 0
    repeat
      local page = redis.call(
        'ZRANGEBYSCORE', P .. 'runs:ended:' .. flow, '-inf', '(' .. ask.since, 'LIMIT', from, 256)
      for _, run in ipairs(page) do
        if count <= ask.limit and is_over(run) then doomed[run], count = true, count + 1 end
      end
      from = from + 256
    until #page < 256 or count > ask.limit
  end
end

-- Adds runs that have too many newer ones, oldest first, up to one more than are wanted.
local function add_many(doomed, flows)
  local total = 0
  for flow in pairs(flows) do total = total + redis.call('ZCARD', P .. 'runs:of:' .. flow) end
  local key = ask.flow ~= '' and P .. 'runs:of:' .. ask.flow or P .. 'runs'
  local place, count, from = 0, 0, 0
  while place < total - ask.newest and count <= ask.limit do
    local page = redis.call('ZRANGE', key, from, from + 255)
    if #page == 0 then return end
    for _, run in ipairs(page) do
      if flows[hload(P .. 'r:' .. run, ROW).f] then
        place = place + 1
        if place <= total - ask.newest and count <= ask.limit and is_over(run) then
          doomed[run], count = true, count + 1
        end
      end
    end
    from = from + 256
  end
end

local function in_order(set)
  local list = {}
  for run in pairs(set) do list[#list + 1] = run end
  table.sort(list, function(a, b)
    return tonumber(hget(P .. 'r:' .. a, 'k')) < tonumber(hget(P .. 'r:' .. b, 'k'))
  end)
  return list
end

local function delete(run)
  local r = hload(P .. 'r:' .. run, ROW)
  zset(P .. 'runs', run, false)
  zset(P .. 'runs:of:' .. r.f, run, false)
  zset(P .. 'runs:is:' .. r.t, run, false)
  zset(P .. 'runs:ended:' .. r.f, run, false)
  count(P .. 'counts', r.t, -1)
  hset(P .. 'held', run, false)
  gone[#gone + 1] = P .. 'r:' .. run
  gone[#gone + 1] = P .. 'm:' .. run
end

local function prune()
  local doomed = {}
  if ask.by_name then
    local seen = {}
    for _, run in ipairs(ask.runs or {}) do
      if not seen[run] and is_over(run) then doomed[#doomed + 1] = run end
      seen[run] = true
    end
  else
    local flows = covered()
    local set = {}
    if ask.since ~= '' then add_old(set, flows) end
    if ask.newest then add_many(set, flows) end
    doomed = in_order(set)
  end
  local count = math.min(#doomed, ask.limit)
  for i = 1, count do delete(doomed[i]) end
  return { runs = count, more = #doomed > ask.limit, writes = count > 0, makes_room = true }
end

local VERBS = { put_plan = put_plan, prune = prune }

return step_by(VERBS[frame.verb])
