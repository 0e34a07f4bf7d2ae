-- Claims: to whom there is room for, the best first.

-- The most timers and deliveries that one claim hands out, the most runs that it lets in, and the most tasks of a kind that
-- become visible in one claim.
local INTERNAL, ADMITTED, RIPE = 1024, 256, 4096
-- The most messages of one delivery, the most bytes of several together, how many are looked at at once, and the bytes
-- after which a claim hands out no further delivery.
local MESSAGES, MAIL, MAIL_PAGE, MAIL_IN_ALL = 512, 1048576, 32, 8388608
local now = time_told()
local except = {}
local asked = now
local lines, due_next = {}, nil
local claimed, plans = {}, {}
local mail_in_all = 0

-- The number of the worker's last claim, and the name of the worker.
local function last_turn()
  local before = hget(P .. 'workers', ask.worker)
  if not before then return 0, '' end
  return select(3, worker_of(before))
end

local function lives()
  local turn, name = last_turn()
  hset(P .. 'workers', ask.worker, text_of_worker(now + ask.lease, ask.lease, ask.turn and ask.turn[1] or turn, name))
end

-- Gives back what was handed out by claims whose answers the worker did not hear; whether there was any.
local function give_back_unheard()
  local unheard, entries, heard = {}, {}, ask.turn[2]
  for run, tasks in pairs(in_the_hands_of(ask.worker)) do
    for field, e in pairs(tasks) do
      if select(2, holder_of(e)) > heard then
        local member = run .. ' ' .. field
        unheard[#unheard + 1], entries[member] = member, e
      end
    end
  end
  table.sort(unheard)
  for _, member in ipairs(unheard) do
    local run, field = run_of(member)
    give_back(run, field, entries[member])
  end
  return #unheard > 0
end

local function by_rank(a, b)
  return a[1] < b[1]
end

-- What has become visible of a kind, by rank; notes when the next does.
local function ripen(kind)
  local key, ripe = P .. 'l:' .. kind, {}
  local due = redis.call('ZRANGEBYSCORE', key, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, RIPE)
  for i = 1, #due, 2 do
    local rank, member = due[i]:match('^(%d+) (.*)$')
    zset(key, due[i], false)
    take_up(kind, rank, member, tonumber(due[i + 1]))
    ripe[#ripe + 1] = { tonumber(rank), member }
  end
  table.sort(ripe, by_rank)
  local after = redis.call('ZRANGE', key, #ripe, #ripe, 'WITHSCORES')
  if after[2] and (not due_next or tonumber(after[2]) < tonumber(due_next)) then due_next = after[2] end
  return ripe, after[2] ~= nil
end

-- How much of a line is read at once. Of runs with a key few are let in, and each key is a line of its own.
local PAGE, SHORT_PAGE = 256, 8

-- The tasks of one kind that can be claimed: those that could be before, a page at a time, and those that are ripe.
local function line_of(kind, what)
  local class, plan, lane = parts_of_kind(kind)
  local ripe, has_later = {}, false
  if what == WITH_LATER then ripe, has_later = ripen(kind) end
  return {
    kind = kind, class = class, plan = plan, lane = lane, ripe = ripe, first = 1, has_later = has_later,
    page = {}, at = 1, read = 0, is_read = false, size = class == 'a' and lane ~= '' and SHORT_PAGE or PAGE,
  }
end

local function peek(line)
  if line.at > #line.page and not line.is_read then
    local from = line.read
    local found = redis.call('ZRANGE', P .. 'q:' .. line.kind, from, from + line.size - 1, 'WITHSCORES')
    line.page, line.at, line.read, line.is_read = {}, 1, from + #found / 2, #found < 2 * line.size
    for i = 1, #found, 2 do line.page[#line.page + 1] = { tonumber(found[i + 1]), found[i] } end
    line.size = PAGE
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
  peek(line)
  local unread = line.is_read and 0 or redis.call('ZCARD', P .. 'q:' .. line.kind) - line.read
  return unread + #line.page - line.at + 1 + #line.ripe - line.first + 1
end

-- The mail of a delivery, as it is kept: the oldest messages, and after the first only while their bodies together are not
-- too long for one answer.
local function hand_over(run, path)
  local key, mail, bytes = P .. 'm:' .. run, {}, 0
  local first, last = inbox(key, path)
  local at, upto = first, math.min(last, first + MESSAGES)
  while at < upto do
    local fields = {}
    for next_at = at, math.min(upto, at + MAIL_PAGE) - 1 do fields[#fields + 1] = 'm' .. next_at .. ' ' .. path end
    local is = hload(key, fields)
    for _, field in ipairs(fields) do
      -- Before the body stands the letter of its codec.
      bytes = bytes + #cmsgpack.unpack(is[field])[3] - 1
      if #mail > 0 and bytes > MAIL then upto = at end
      if at >= upto then break end
      mail[#mail + 1], at = is[field], at + 1
      mail_in_all = mail_in_all + #is[field]
    end
  end
  if #mail > 0 then hset(key, 'h' .. path, first .. ' ' .. last .. ' ' .. #mail) end
  return mail
end

-- Keeps a task back because its run is held.
local function hold(r, run, field, e)
  e.state, e.x = 'h', ''
  task_set(run, field, text_of(e))
  if field == 'l' then
    local of = hload(P .. 'r:' .. run, { 'f', 'x' })
    hset(P .. 'heldline', run, of.x and of.f .. ' ' .. of.x or of.f)
  end
end

-- Hands a task to the worker; false when it cannot be handed out.
local function hand_out(line, member)
  local run, field = run_of(member)
  local task, path = parts_of(field)
  local r = hload(P .. 'r:' .. run, { 'k', 'c', 'p', 'y', 'l', 'T' .. field })
  local e = entry_of(r['T' .. field])
  if not r.k or not e or e.state ~= 'q' then return false end
  if not hands_out(r.c) then
    hold(r, run, field, e)
    return false
  end
  e.token, e.state, e.x = e.token + 1, 'c', ask.worker .. ' ' .. whole(ask.turn and ask.turn[1] or 0)
  task_set(run, field, text_of(e))
  put_in_hand(r, ask.worker, run, field, e.lane)
  local mail = task == 'm' and hand_over(run, path) or {}
  plans[line.plan] = hget(P .. 'plans', '#' .. line.plan):match('^%S+')
  claimed[#claimed + 1] = {
    run, path, task, e.token, line.class ~= 'a' and line.lane or '', e.crashes, plans[line.plan],
    length_of(hget(length_at(run, path))), mail, control_of(r.c),
  }
  return true
end

local function by_head(a, b)
  return a.head < b.head
end

-- The lines that are wanted, as a heap: the one with the best task is the first.
local function heap_of(wanted)
  local heap = {}
  for _, line in ipairs(lines) do
    local best = not except[line.plan] and wanted(line) and peek(line)
    if best then
      line.head = best[1]
      heap[#heap + 1] = line
    end
  end
  table.sort(heap, by_head)
  return heap
end

-- The first line of a heap has another head: it goes where it belongs, and away when it has none.
local function settle_first(heap, head)
  local line, size, at = heap[1], #heap, 1
  if not head then
    line, heap[size], size = heap[size], nil, size - 1
    if size == 0 then return end
  else
    line.head = head
  end
  while 2 * at <= size do
    local child = 2 * at
    if child < size and heap[child + 1].head < heap[child].head then child = child + 1 end
    if line.head <= heap[child].head then break end
    heap[at], at = heap[child], child
  end
  heap[at] = line
end

-- Hands out the best task of the lines of a heap that are still wanted; gives its line.
local function claim_one(heap, wanted)
  while heap[1] do
    local line = heap[1]
    local best = wanted(line) and peek(line)
    local is_given = false
    if best then
      pop(line, best)
      is_given = hand_out(line, best[2])
      best = peek(line)
    end
    settle_first(heap, best and best[1])
    if is_given then return line end
  end
end

local function claim_internal()
  local wanted = function(line) return line.class == 'i' end
  local heap = heap_of(wanted)
  while #claimed < INTERNAL and mail_in_all < MAIL_IN_ALL and claim_one(heap, wanted) do end
end

local function flow_of(plan)
  return hget(P .. 'plans', '#' .. plan):match('^%S+ (.*)$')
end

-- A line of runs that wait, as what its runs are counted with: their flow, and with a key, those that have it.
local function crowds_of(line)
  local flow = flow_of(line.plan)
  return flow, line.lane ~= '' and flow .. ' ' .. line.lane or nil
end

-- How many runs wait in line, those that are held there among them: all, of each flow, and of each key.
local function waiting()
  local counts = {}
  local function add(flow, keyed, number)
    counts[''] = (counts[''] or 0) + number
    counts[flow] = (counts[flow] or 0) + number
    if keyed then counts[keyed] = (counts[keyed] or 0) + number end
  end
  for _, of in pairs(hall(P .. 'heldline')) do
    if of then add(of:match('^%S+'), of:find(' ', 1, true) and of, 1) end
  end
  for _, line in ipairs(lines) do
    if line.class == 'a' then
      local flow, keyed = crowds_of(line)
      add(flow, keyed, length(line))
    end
  end
  return counts, add
end

-- How many runs have begun their work, or are about to, and have not ended: all but those in line.
local function in_flight(waits, crowd)
  return math.max(0, tonumber(hget(P .. 'open', crowd) or 0) - (waits[crowd] or 0))
end

-- What a window counts of the runs that wait in a line; none when it does not concern them.
local function crowd_of(w, line)
  local flow, keyed = crowds_of(line)
  if w.of == 'all' then return '' end
  if w.flow ~= flow then return nil end
  if w.of == 'flow' then return flow end
  return keyed
end

local function has_place(waits, line)
  for _, w in ipairs(ask.windows or {}) do
    local crowd = crowd_of(w, line)
    if crowd and in_flight(waits, crowd) >= w.most then return false end
  end
  return true
end

-- Runs that wait in line, as far as the windows let them in.
local function claim_admits()
  local waits, add = {}, function() end
  if ask.windows then waits, add = waiting() end
  local heap = heap_of(function(line) return line.class == 'a' end)
  for _ = 1, ADMITTED do
    local line = claim_one(heap, function(line) return has_place(waits, line) end)
    if not line then break end
    local flow, keyed = crowds_of(line)
    add(flow, keyed, -1)
  end
  local states = {}
  for _, w in ipairs(ask.windows or {}) do
    if w.of ~= 'key' then
      local is_waited_for = false
      for _, line in ipairs(lines) do
        is_waited_for = is_waited_for or line.class == 'a' and not except[line.plan] and crowd_of(w, line) ~= nil
          and peek(line) ~= nil
      end
      states[#states + 1] = { in_flight(waits, w.of == 'all' and '' or w.flow), is_waited_for }
    end
  end
  return states
end

-- When the bucket of a lane is full again, in microseconds: the one number that a leaky bucket needs.
local function full_at(limit)
  return tonumber(hget(P .. 'buckets', limit.lane) or 0)
end

-- How many calls of a lane its rate lets begin now.
local function tokens(limit)
  local micros = asked * 1000
  return math.max(0, math.floor((micros + limit.every * limit.burst - math.max(full_at(limit), micros)) / limit.every))
end

-- The room that there is in each lane: the least of what the worker and the limits leave.
local function rooms_of()
  local rooms = {}
  for _, l in ipairs(ask.lanes or {}) do rooms[l[1]] = l[2] end
  for _, limit in ipairs(ask.limits or {}) do
    local room = rooms[limit.lane]
    if room and limit.at_once then
      room = math.min(room, math.max(0, limit.at_once - tonumber(hget(P .. 'lanes', limit.lane) or 0)))
    end
    if room and limit.every then room = math.min(room, tokens(limit)) end
    rooms[limit.lane] = room
  end
  return rooms
end

-- Calls, as many as there are slots, and of each lane as many as it has room for.
local function claim_calls()
  local rooms, given = rooms_of(), {}
  local function has_room(line)
    return line.lane == '' or (rooms[line.lane] or 0) > 0
  end
  local class = ask.alone and 's' or 'c'
  local function wanted(line)
    return line.class == class and has_room(line)
  end
  local most = ask.alone and math.min(ask.max, 1) or ask.max
  local heap = most > 0 and heap_of(wanted) or {}
  for _ = 1, most do
    local line = claim_one(heap, wanted)
    if not line then break end
    if line.lane ~= '' then
      rooms[line.lane] = rooms[line.lane] - 1
      given[line.lane] = (given[line.lane] or 0) + 1
    end
  end
  return has_room, given
end

local function is_call(line)
  return line.class == 'c' or line.class == 's'
end

-- Takes what was handed out from the buckets of its lanes. What waits for the next token is due when it comes.
local function spend(given)
  for _, limit in ipairs(ask.limits or {}) do
    local calls = limit.every and given[limit.lane]
    if calls then
      local full = math.max(full_at(limit), asked * 1000) + limit.every * calls
      hset(P .. 'buckets', limit.lane, whole(full))
    end
    if limit.every and tokens(limit) == 0 then
      local next_token = math.ceil(math.max(0, full_at(limit) - limit.every * (math.max(limit.burst, 1) - 1)) / 1000)
      for _, line in ipairs(lines) do
        local waits = is_call(line) and line.lane == limit.lane and not except[line.plan] and peek(line) ~= nil
        if waits and (not due_next or next_token < tonumber(due_next)) then due_next = whole(next_token) end
      end
    end
  end
end

local function main()
  if ask.turn then
    if ask.turn[1] <= last_turn() then return { is_over = true } end
    -- Lines are read as they were before this step: what goes back into them is there for the next.
    if ask.turn[2] < ask.turn[1] - 1 and give_back_unheard() then return { again = true, writes = true } end
  end
  hear(whole(now))
  if frame.is_virtual and now > tonumber(meta.now or 0) then hset(META, 'now', whole(now)) end
  now = math.max(now, visible_by())
  for _, plan in ipairs(ask.except or {}) do
    local number = hget(P .. 'plans', plan)
    if number then except[number] = true end
  end
  for kind, what in pairs(hall(P .. 'kinds')) do lines[#lines + 1] = line_of(kind, what) end
  claim_internal()
  local windows = claim_admits()
  local has_room, given = claim_calls()
  spend(given)
  local more, alone_waits = false, false
  for _, line in ipairs(lines) do
    local is_left = peek(line) ~= nil
    if not line.has_later then hset(P .. 'kinds', line.kind, is_left and AT_ONCE) end
    local is_known = is_left and not except[line.plan]
    local has_call = is_known and is_call(line) and has_room(line)
    more = more or is_known and line.class == 'i' or has_call and (line.class == 's') == (ask.alone or false)
    alone_waits = alone_waits or has_call and line.class == 's'
  end
  now = time_told()
  lives()
  return {
    tasks = claimed, more = more, alone_waits = alone_waits, next_due = due_next or '', windows = windows,
    now = whole(now), writes = true,
  }
end

return step_by(main)
