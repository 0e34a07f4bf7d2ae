-- Claims: to whom there is room for, the best first.

-- The most timers and deliveries that one claim hands out, the most runs that it lets in, the most messages of one
-- delivery, and the most tasks of a kind that become visible in one claim.
local INTERNAL, ADMITTED, MESSAGES, RIPE = 1024, 256, 512, 4096
local now = time_told()
local except = {}
local lines, due_next = {}, nil
local claimed, plans = {}, {}

local function lives()
  local before = hget(P .. 'workers', ask.worker)
  local name = before and before:match('^%d+ %d+ (.*)$') or ''
  hset(P .. 'workers', ask.worker, whole(now + ask.lease) .. ' ' .. whole(ask.lease) .. ' ' .. name)
end

local function by_rank(a, b)
  return tonumber(a[1]) < tonumber(b[1])
end

-- What has become visible of a kind, by rank; notes when the next does.
local function ripen(kind)
  local key, ripe = P .. 'l:' .. kind, {}
  local due = redis.call('ZRANGEBYSCORE', key, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, RIPE)
  for i = 1, #due, 2 do
    local rank, member = due[i]:match('^(%d+) (.*)$')
    zset(key, due[i], false)
    take_up(kind, rank, member, tonumber(due[i + 1]))
    ripe[#ripe + 1] = { rank, member }
  end
  table.sort(ripe, by_rank)
  local after = redis.call('ZRANGE', key, #ripe, #ripe, 'WITHSCORES')
  if after[2] and (not due_next or tonumber(after[2]) < tonumber(due_next)) then due_next = after[2] end
  return ripe, after[2] ~= nil
end

-- The tasks of one kind that can be claimed: those that could be before, a page at a time, and those that are ripe.
local function line_of(kind)
  local class, plan, lane = parts_of_kind(kind)
  local ripe, has_later = ripen(kind)
  return {
    kind = kind, class = class, plan = plan, lane = lane, ripe = ripe, first = 1, has_later = has_later,
    page = {}, at = 1, read = 0, size = redis.call('ZCARD', P .. 'q:' .. kind),
  }
end

local function peek(line)
  if line.at > #line.page and line.read < line.size then
    local found = redis.call('ZRANGE', P .. 'q:' .. line.kind, line.read, line.read + 255, 'WITHSCORES')
    line.page, line.at, line.read = {}, 1, line.read + #found / 2
    for i = 1, #found, 2 do line.page[#line.page + 1] = { found[i + 1], found[i] } end
  end
  local old, ripe = line.page[line.at], line.ripe[line.first]
  if old and ripe then return by_rank(old, ripe) and old or ripe end
  return old or ripe
end

local function pop(line, best)
  if best == line.ripe[line.first] then line.first = line.first + 1 else line.at = line.at + 1 end
  take_out(line.kind, best[2])
end

local function length(line)
  return line.size - line.read + #line.page - line.at + 1 + #line.ripe - line.first + 1
end

-- The mail of a delivery, as it is kept.
local function hand_over(run, path)
  local key, mail, fields = P .. 'm:' .. run, {}, {}
  local first, last = inbox(key, path)
  local given = math.min(last - first, MESSAGES)
  for at = first, first + given - 1 do fields[#fields + 1] = 'm' .. at .. ' ' .. path end
  if given == 0 then return mail end
  local is = hload(key, fields)
  for i, field in ipairs(fields) do mail[i] = is[field] end
  hset(key, 'h' .. path, first .. ' ' .. last .. ' ' .. given)
  return mail
end

-- Keeps a task back because its run is held.
local function hold(r, run, field, e)
  e.state, e.x = 'h', ''
  hset(P .. 't:' .. run, field, text_of(e))
  if field == 'l' then hset(P .. 'heldline', run, hget(P .. 'r:' .. run, 'f')) end
end

-- Hands a task to the worker; false when it cannot be handed out.
local function hand_out(line, member)
  local run, field = run_of(member)
  local task, path = parts_of(field)
  local r = hload(P .. 'r:' .. run, { 'k', 'c', 'v', 'p', 'y', 'l' .. path })
  local e = entry_of(hget(P .. 't:' .. run, field))
  if not r.k or not e or e.state ~= 'q' then return false end
  if not hands_out(r.c) then
    hold(r, run, field, e)
    return false
  end
  e.token, e.state, e.x = e.token + 1, 'c', ask.worker
  hset(P .. 't:' .. run, field, text_of(e))
  put_in_hand(r, ask.worker, run, field, e.lane)
  local mail = task == 'm' and hand_over(run, path) or {}
  plans[line.plan] = hget(P .. 'plans', '#' .. line.plan):match('^%S+')
  claimed[#claimed + 1] = {
    run, path, task, e.token, line.lane, e.crashes, plans[line.plan], tonumber(r['l' .. path] or 0), tonumber(r.c),
    tonumber(r.v), mail,
  }
  return true
end

-- Hands out the best task of any line that is wanted; gives its line.
local function claim_one(wanted)
  while true do
    local best, from
    for _, line in ipairs(lines) do
      local first = not except[line.plan] and wanted(line) and peek(line)
      if first and (not best or by_rank(first, best)) then best, from = first, line end
    end
    if not best then return nil end
    pop(from, best)
    if hand_out(from, best[2]) then return from end
  end
end

local function claim_internal()
  local is_internal = function(line) return line.class == 'i' end
  while #claimed < INTERNAL and claim_one(is_internal) do end
end

local function flow_of(plan)
  return hget(P .. 'plans', '#' .. plan):match('^%S+ (.*)$')
end

-- How many runs of each flow have begun their work, or are about to, and have not ended: all but those in line.
local function in_flight()
  local flights = {}
  for flow, count in pairs(hall(P .. 'open')) do
    if count and count ~= '0' then flights[flow] = tonumber(count) end
  end
  local function less(flow, count)
    if flights[flow] then flights[flow] = math.max(0, flights[flow] - count) end
  end
  for _, flow in pairs(hall(P .. 'heldline')) do
    if flow then less(flow, 1) end
  end
  for _, line in ipairs(lines) do
    if line.class == 'a' then less(flow_of(line.plan), length(line)) end
  end
  return flights
end

local function claim_admits()
  local windows = {}
  local flights = ask.windows and in_flight() or {}
  for i, w in ipairs(ask.windows or {}) do
    local count = 0
    for flow, flight in pairs(flights) do
      if w.flow == '' or w.flow == flow then count = count + flight end
    end
    windows[i] = { flow = w.flow, most = w.most, count = count }
  end
  local function concerns(w, line)
    return w.flow == '' or w.flow == flow_of(line.plan)
  end
  local function has_place(line)
    if line.class ~= 'a' then return false end
    for _, w in ipairs(windows) do
      if w.count >= w.most and concerns(w, line) then return false end
    end
    return true
  end
  for _ = 1, ADMITTED do
    local line = claim_one(has_place)
    if not line then break end
    for _, w in ipairs(windows) do
      if concerns(w, line) then w.count = w.count + 1 end
    end
  end
  local states = {}
  for i, w in ipairs(windows) do
    local waits = false
    for _, line in ipairs(lines) do
      waits = waits or line.class == 'a' and not except[line.plan] and concerns(w, line) and peek(line) ~= nil
    end
    states[i] = { w.count, waits }
  end
  return states
end

-- Calls, as many as there are slots, and of each lane as many as it has room for.
local function claim_calls()
  local rooms = {}
  for _, l in ipairs(ask.lanes or {}) do rooms[l[1]] = l[2] end
  local function has_room(line)
    return line.lane == '' or (rooms[line.lane] or 0) > 0
  end
  local class = ask.alone and 's' or 'c'
  for _ = 1, ask.alone and math.min(ask.max, 1) or ask.max do
    local line = claim_one(function(line) return line.class == class and has_room(line) end)
    if not line then break end
    if line.lane ~= '' then rooms[line.lane] = rooms[line.lane] - 1 end
  end
  return has_room
end

local function main()
  hear(whole(now))
  if frame.is_virtual and now > tonumber(meta.now or 0) then hset(META, 'now', whole(now)) end
  now = math.max(now, visible_by())
  for _, plan in ipairs(ask.except or {}) do
    local number = hget(P .. 'plans', plan)
    if number then except[number] = true end
  end
  for kind in pairs(hall(P .. 'kinds')) do lines[#lines + 1] = line_of(kind) end
  claim_internal()
  local windows = claim_admits()
  local has_room = claim_calls()
  local more, alone_waits = false, false
  for _, line in ipairs(lines) do
    local is_left = peek(line) ~= nil
    if not is_left and not line.has_later then hset(P .. 'kinds', line.kind, false) end
    if is_left and line.class ~= 'a' and not except[line.plan] and has_room(line) then
      more = more or (line.class == 's') == (ask.alone or false)
      alone_waits = alone_waits or line.class == 's'
    end
  end
  now = time_told()
  lives()
  return {
    tasks = claimed, more = more, alone_waits = alone_waits, next_due = due_next or '', windows = windows,
    now = whole(now), writes = true,
  }
end

return step_by(main)
