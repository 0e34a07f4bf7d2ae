-- Keeping plans, and deleting runs that are over.

local function put_plan()
  if hget(P .. 'plans', ask.plan) then return {} end
  local number = whole(next_of('plans'))
  hset(P .. 'plans', ask.plan, number)
  hset(P .. 'plans', '#' .. number, ask.plan .. ' ' .. ask.flow)
  hset(P .. 'texts', ask.plan, ask.json)
  return { writes = true }
end

local ROW = { 'k', 't', 'f', 'n', 'l' }

-- Read past what the step keeps in mind: many are looked at, and few go.
local function is_over(run)
  local v = redis.call('HMGET', P .. 'r:' .. run, unpack(ROW))
  return v[1] and v[2] >= '5' and not v[4] and not v[5]:find(' ', 1, true)
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

-- The most runs that one step looks at for those that have too many newer ones.
local LOOK, PAGE = 4096, 128

-- The runs of a flow from a place on, oldest first, a page at a time.
local function line_from(key, first)
  local line = { page = {}, at = 1, read = 0 }
  function line.peek()
    if line.at > #line.page and line.read then
      line.page = redis.call('ZRANGEBYSCORE', key, first, '+inf', 'WITHSCORES', 'LIMIT', line.read, PAGE)
      line.at, line.read = 1, #line.page == 2 * PAGE and line.read + PAGE or nil
    end
    local key_of = line.page[line.at + 1]
    return key_of and tonumber(key_of), line.page[line.at]
  end
  return line
end

-- Adds runs that have too many newer ones, oldest first, up to one more than are wanted. Gives where the next look begins,
-- when there may be more of them behind those that had to stay.
local function add_many(doomed, flows)
  local left, count, lines = -ask.newest, 0, {}
  for flow in pairs(flows) do
    local key = P .. 'runs:of:' .. flow
    left = left + redis.call('ZCOUNT', key, ask.first, '+inf')
    lines[#lines + 1] = line_from(key, ask.first)
  end
  for looked = 0, left - 1 do
    local oldest, run, from
    for _, line in ipairs(lines) do
      local key, id = line.peek()
      if key and (not oldest or key < oldest) then oldest, run, from = key, id, line end
    end
    if looked == LOOK then return whole(oldest) end
    from.at = from.at + 2
    if is_over(run) then
      doomed[run], count = true, count + 1
      if count > ask.limit then return nil end
    end
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
  gone[#gone + 1] = P .. 'j:' .. run
  gone[#gone + 1] = P .. 'm:' .. run
end

local function prune()
  local doomed, next_look = {}, nil
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
    if ask.newest then next_look = add_many(set, flows) end
    doomed = in_order(set)
  end
  local count = math.min(#doomed, ask.limit)
  for i = 1, count do delete(doomed[i]) end
  local more = #doomed > ask.limit
  return { runs = count, more = more, first = not more and next_look or nil, writes = count > 0, makes_room = true }
end

local VERBS = { put_plan = put_plan, prune = prune }

return step_by(VERBS[frame.verb])
