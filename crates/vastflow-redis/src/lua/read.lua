-- Reading: nothing in here writes.

-- The most bytes of events that one answer holds, unless one record alone is larger.
local BYTES = 1048576

local function count_of(record)
  return struct.unpack('<I4', record, 25)
end

-- The position of the record that holds a position: records are found by where they begin. So many are looked for at
-- once as stand in one hash.
local function begin_of(run, path, position)
  local from = position
  while from >= 0 do
    local first, key, fields = from - from % NEAR, nil, {}
    for at = from, first, -1 do key, fields[#fields + 1] = record_at(run, path, at) end
    for i, record in ipairs(redis.call('HMGET', key, unpack(fields))) do
      if record then return from - i + 1 end
    end
    from = first - 1
  end
end

-- Records of a scope from the one that holds position `after` on, with where they begin.
local function history()
  local run, path, records, bytes, events = ask.run, ask.path, {}, 0, 0
  local len = length_of(redis.call('HGET', length_at(run, path)))
  local at = ask.after < len and begin_of(run, path, ask.after)
  while at and at < len and bytes < BYTES and events < ask.limit do
    local record = redis.call('HGET', record_at(run, path, at))
    if not record then return { torn = at } end
    records[#records + 1] = { at, record }
    at, bytes = at + count_of(record), bytes + #record
    events = at - ask.after
  end
  return { records = records, more = at and at < len or false }
end

local function tasks()
  local found = {}
  for field, text in pairs(tasks_of(ask.run)) do
    local task, path = parts_of(field)
    if path == ask.path then
      local e = entry_of(text)
      local x = e.state == 'c' and holder_of(e) or e.x
      found[#found + 1] = { task, e.due, e.token, e.state, x, e.deaths, e.crashes }
    end
  end
  return { tasks = found }
end

local ROW = { 'k', 'l', 'c', 't', 'f', 'z', 's', 'j0' }

local function row_of(run)
  local v = redis.call('HMGET', P .. 'r:' .. run, unpack(ROW))
  if not v[1] then return nil end
  local digit, revision = control_of(v[3])
  return { v[1], run, length_of(v[2]), digit, revision, v[6], v[7] or '', v[8] or '' }, v[4], v[5]
end

local function run()
  local row = row_of(ask.run)
  return { rows = { row } }
end

-- Runs, newest first, as far as one look reaches; labels are the caller's to compare. There is no list by status for those
-- that succeeded (5).
local function runs()
  local key = P .. 'runs'
  local of, is = P .. 'runs:of:' .. ask.flow, P .. 'runs:is:' .. ask.status
  if ask.flow ~= '' then key = of end
  if ask.status ~= '' and ask.status ~= '5' and (ask.flow == '' or redis.call('ZCARD', is) < redis.call('ZCARD', of)) then key = is end
  local found = redis.call('ZREVRANGEBYSCORE', key, ask.before, '-inf', 'WITHSCORES', 'LIMIT', 0, ask.look)
  local rows, bytes = {}, 0
  for i = 1, #found, 2 do
    if bytes >= BYTES then return { rows = rows, before = '(' .. found[i - 1] } end
    local row, status, flow = row_of(found[i])
    if row and (ask.flow == '' or ask.flow == flow) and (ask.status == '' or ask.status == status) then
      rows[#rows + 1] = row
      bytes = bytes + #row[6] + #row[7] + #row[8]
    end
  end
  return { rows = rows, before = #found == 2 * ask.look and '(' .. found[#found] or '' }
end

local function workers()
  local rows, about = {}, hall(P .. 'about')
  for id, text in pairs(hall(P .. 'workers')) do
    local calls = 0
    for kind, number in pairs(hall(P .. 'w:' .. id)) do
      calls = calls + (kind:sub(1, 1) == 'c' and tonumber(number) or 0)
    end
    rows[#rows + 1] = { id, text:match('^%d+'), calls, about[id] or '' }
  end
  local incidents = hall(P .. 'incidents')
  return { now = whole(latest()), workers = rows, taken_over = tonumber(incidents.taken_over) or 0, fenced = tonumber(incidents.fenced) or 0 }
end

-- The earliest time from which on a task could be claimed, of those that stand in a sorted set by that time and are not
-- held back; `pattern` finds the run in a member.
local function since_of(key, pattern, held, now)
  local from = 0
  while true do
    local page = redis.call('ZRANGE', key, from, from + 63, 'WITHSCORES')
    for i = 1, #page, 2 do
      if tonumber(page[i + 1]) > now then return nil end
      if not held[page[i]:match(pattern)] then return page[i + 1] end
    end
    if #page < 128 then return nil end
    from = from + 64
  end
end

local function queues()
  local rows, held, now = {}, hall(P .. 'held'), latest()
  local function row_for(plan, lane)
    local name = plan .. ':' .. lane
    rows[name] = rows[name] or { plan = plan, lane = lane, ready = 0, later = 0, in_hand = 0, held = 0, alone = 0 }
    return rows[name]
  end
  for kind in pairs(hall(P .. 'kinds')) do
    local class, plan, lane = parts_of_kind(kind)
    if class == 'c' or class == 's' then
      local row, later = row_for(plan, lane), P .. 'l:' .. kind
      local due = redis.call('ZCOUNT', later, '-inf', whole(now))
      local ready = redis.call('ZCARD', P .. 'q:' .. kind) + due
      row.ready, row.later = row.ready + ready, row.later + redis.call('ZCARD', later) - due
      row.alone = row.alone + (class == 's' and ready or 0)
      for key, pattern in pairs({ [P .. 's:' .. kind] = '^%S+', [later] = '^%S+ (%S+)' }) do
        local since = since_of(key, pattern, held, now)
        if since and (not row.since or tonumber(since) < tonumber(row.since)) then row.since = since end
      end
    end
  end
  for _, list in ipairs({ 'workers', 'strangers' }) do
    for id in pairs(hall(P .. list)) do
      local in_hand = list == 'strangers' and hall(P .. 'workers')[id] and {} or hall(P .. 'w:' .. id)
      for kind, number in pairs(in_hand) do
        if kind:sub(1, 1) == 'c' then
          local _, plan, lane = parts_of_kind(kind)
          local row = row_for(plan, lane)
          row.in_hand = row.in_hand + tonumber(number)
        end
      end
    end
  end
  for run in pairs(held) do
    local plan = redis.call('HGET', P .. 'r:' .. run, 'p')
    for field, text in pairs(tasks_of(run)) do
      local e = entry_of(text)
      if class_of(field) == 'c' and e.state ~= 'c' then
        local row, kind = row_for(plan, e.lane), kind_of(field, plan, e.lane, e.deaths)
        row.held = row.held + 1
        local member = run .. ' ' .. field
        local is_later = e.state == 'q' and redis.call('ZSCORE', P .. 'l:' .. kind, e.x .. ' ' .. member)
        if e.state == 'q' and not (is_later and tonumber(is_later) > now) then
          row.ready = row.ready - 1
          row.alone = row.alone - (kind:sub(1, 1) == 's' and 1 or 0)
        elseif e.state == 'q' then
          row.later = row.later - 1
        end
      end
    end
  end
  local list = {}
  for _, row in pairs(rows) do
    if row.ready + row.later + row.in_hand + row.held > 0 then
      local plan = redis.call('HGET', P .. 'plans', '#' .. row.plan):match('^%S+')
      list[#list + 1] = { plan, row.lane, row.ready, row.since or '', row.later, row.in_hand, row.held, row.alone }
    end
  end
  return { queues = list }
end

local function plans()
  local found = {}
  for field, json in pairs(hall(P .. 'texts')) do
    if ask.plan == '' or ask.plan == field then found[#found + 1] = json end
  end
  return { plans = found }
end

local function plan()
  local json = redis.call('HGET', P .. 'texts', ask.plan)
  return { plans = { json or nil } }
end

local function counts()
  local list = {}
  for status = 0, 7 do list[status + 1] = tonumber(hall(P .. 'counts')[whole(status)] or 0) end
  return { counts = list }
end

local VERBS = {
  history = history, tasks = tasks, run = run, runs = runs, workers = workers, queues = queues, plans = plans,
  plan = plan, counts = counts,
}

return step_by(VERBS[frame.verb])
