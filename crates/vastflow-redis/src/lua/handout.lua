-- Handing out tasks: lines of those that can be claimed, which of them has the best, and what a worker is given.

-- The most timers and deliveries that one claim hands out, the most runs that it lets in, and the most tasks of a kind that
-- become visible in one claim.
local INTERNAL, ADMITTED, RIPE = 1024, 256, 4096
-- The most messages of one delivery, the most bytes of several together, how many are looked at at once, and the bytes
-- after which a claim hands out no further delivery.
local MESSAGES, MAIL, MAIL_PAGE, MAIL_IN_ALL = 512, 1048576, 32, 8388608
local now = time_told()
local except = {}
local asked = now
local lines, in_line, due_next = {}, {}, nil
local claimed, plans = {}, {}
local mail_in_all = 0

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
  if field == 'l' then count_crowds(LINE, crowds_of(run), 1) end
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

-- Adds to a heap.
local function add_to(heap, line)
  local at = #heap + 1
  while at > 1 do
    local above = math.floor(at / 2)
    if heap[above].head <= line.head then break end
    heap[at], at = heap[above], above
  end
  heap[at] = line
end
