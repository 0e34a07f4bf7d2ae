-- Commits: each element takes effect whole or not at all, in order; later ones see what earlier ones did.

-- The oldest `count` messages of an inbox wait no more.
local function forget_mail(key, path, count)
  local first, last = inbox(key, path)
  for at = first, first + count - 1 do
    local field = 'm' .. at .. ' ' .. path
    local message = cmsgpack.unpack(hget(key, field))
    hset(key, known_by(message[2], path, message[1]), false)
    hset(key, field, false)
  end
  first = first + count
  hset(key, 'h' .. path, first < last and first .. ' ' .. last .. ' 0' or false)
  return first < last
end

-- Takes in a message; false when one of its kind and sender waits already.
local function receive(key, from, to, kind, body)
  local known = known_by(kind, to, from)
  if hget(key, known) then return false end
  local first, last, given = inbox(key, to)
  hset(key, known, '1')
  hset(key, 'm' .. last .. ' ' .. to, cmsgpack.pack({ from, kind, body }))
  hset(key, 'h' .. to, first .. ' ' .. (last + 1) .. ' ' .. given)
  return true
end

-- A list of one value a commit is a column; a list of what only some commits have holds rows, each with the number of its
-- commit first. Gives where the rows of a commit begin and end; commits are asked for in order.
local NONE = {}
local reached = {}

local function rows_of(i, list, width)
  local from = reached[list] or 1
  local upto = from
  while list[upto] == i do upto = upto + width end
  reached[list] = upto
  return from, upto - 1
end

local SETTLE, OBSOLETE, QUEUE = ask.settle or NONE, ask.obsolete or NONE, ask.queue or NONE
local LETTERS, CONTROL, SUMMARY = ask.messages or NONE, ask.control or NONE, ask.summary or NONE

local function commit_at(i)
  local c = {
    run = ask.run[i], path = ask.path[i], expected = ask.expected[i], after = ask.after[i], field = ask.field[i],
    record = ask.record[i], worker = ask.worker[i], at = ask.at and ask.at[i], control = nil, summary = nil,
  }
  local control, summary = rows_of(i, CONTROL, 2), rows_of(i, SUMMARY, 2)
  if CONTROL[control] == i then c.control = CONTROL[control + 1] end
  if SUMMARY[summary] == i then c.summary = SUMMARY[summary + 1] end
  return c
end

-- Reads at once what a commit needs of its run.
local function load(rkey, length, c, s1, s2, o1, o2, q1, q2)
  local fields, size = { 'k', 'c', 'v', 'p', length, nil, nil, nil, nil, nil, nil, nil }, 5
  if c.summary then
    fields[6], fields[7], fields[8], fields[9], size = 't', 'f', 'x', 'n', 9
  end
  for at = s1, s2, 3 do
    size = size + 1
    fields[size] = 'T' .. SETTLE[at + 1]
  end
  for at = o1, o2, 2 do
    size = size + 1
    fields[size] = 'T' .. OBSOLETE[at + 1]
  end
  for at = q1, q2, 5 do
    size = size + 1
    fields[size] = 'T' .. QUEUE[at + 1]
  end
  hash_of_run(rkey)
  return hload(rkey, fields)
end

-- Whether a commit at this position was made before.
local function is_known(rkey, c, len)
  if tonumber(c.expected) >= len then return false end
  local record = hget(rkey, c.field)
  return record and record:sub(1, 16) == c.record:sub(1, 16)
end

-- The text of a task in the hands of a worker that kept it; mostly it is the same for all of a worker.
local kept_by = {}

local function kept_text(worker, due, lane)
  if due ~= '0' or lane ~= '' then return 'c|1|' .. due .. '|0|0|' .. lane .. '|' .. worker .. ' 0' end
  local text = kept_by[worker]
  if not text then
    text = 'c|1|0|0|0||' .. worker .. ' 0'
    kept_by[worker] = text
  end
  return text
end

-- Whether the tasks that a commit settles are all the caller's.
local function holds_all(c, rkey, from, upto)
  local kept = kept_text(c.worker, '0', '')
  for at = from, upto, 3 do
    local text, token = hget(rkey, 'T' .. SETTLE[at + 1]), SETTLE[at + 2]
    if not (text == kept and token == 1) then
      local mine = 'c|' .. token .. '|'
      if not text or text:sub(1, #mine) ~= mine then return false end
    end
  end
  return true
end

-- Counts a run that is not over: among all, among those of its flow, and among those that have its key.
local function count_open(flow, key, by)
  count(P .. 'open', '', by)
  count(P .. 'open', flow, by)
  if key then count(P .. 'open', flow .. ' ' .. key, by) end
end

local FINAL = '567'
-- No list by status for the runs that succeeded: mostly they are nearly all, and stand in the list of all.
local UNLISTED = '5'

-- Moves a run in the lists from how it stood to how it stands.
local function move(run, r, is, ended)
  local was, counts = r.t, P .. 'counts'
  if was == is then return end
  local was_open, is_open = was and not FINAL:find(was, 1, true), not FINAL:find(is, 1, true)
  if was then
    if was ~= UNLISTED then zset(P .. 'runs:is:' .. was, run, false) end
    count(counts, was, -1)
  end
  if is ~= UNLISTED then zset(P .. 'runs:is:' .. is, run, r.k) end
  count(counts, is, 1)
  if is_open and not was_open then count_open(r.f, r.x, 1) end
  if was_open and not is_open then count_open(r.f, r.x, -1) end
  if was and not was_open then zset(P .. 'runs:ended:' .. r.f, run, false) end
  if not is_open then zset(P .. 'runs:ended:' .. r.f, run, ended) end
end

-- Makes a place for the run that a first commit begins; gives why not.
local function admit(rkey, c)
  local s = c.summary
  if not s or c.path ~= '' then return 'no run' end
  local plan = hget(P .. 'plans', s.plan)
  if not plan then return 'no plan' end
  local key = whole(next_of('key'))
  hset(rkey, 'k', key)
  hset(rkey, 'c', '0')
  hset(rkey, 'v', '0')
  hset(rkey, 'p', plan)
  hset(rkey, 'y', whole(s.priority))
  hset(rkey, 'f', s.flow)
  if s.key then hset(rkey, 'x', s.key) end
  if s.started then hset(rkey, 's', s.started) end
  zset(P .. 'runs', c.run, key)
  zset(P .. 'runs:of:' .. s.flow, c.run, key)
  hset(P .. 'flows', s.flow, '1')
end

local function summarise(r, rkey, c)
  local s = c.summary
  move(c.run, r, s.status, s.ended)
  hset(rkey, 't', s.status)
  hset(rkey, 'z', s.tail)
  if s.ended ~= '' then news = news or waits_in('a') end
end

-- Changes a run's word. What was held back becomes claimable again when the word allows it.
local function set_control(r, rkey, c)
  if r.c == c.control then return end
  hset(rkey, 'c', c.control)
  hset(rkey, 'v', whole(tonumber(r.v) + 1))
  hset(P .. 'held', c.run, not hands_out(c.control) and '1' or false)
  local tasks, fields = tasks_of(c.run), {}
  for field in pairs(tasks) do fields[#fields + 1] = field end
  table.sort(fields)
  for _, field in ipairs(fields) do
    local e = entry_of(tasks[field])
    -- What is left to do of a run that stops is mostly not to begin, and that needs no room.
    local leaves = c.control == '2' and e.lane ~= '' and class_of(field) == 'c'
    if leaves and e.state == 'q' then pull(r, c.run, field, e) end
    if leaves and e.state == 'c' then
      take_from_hand(r, e, c.run, field)
      put_in_hand(r, holder_of(e), c.run, field, '')
    end
    if leaves then e.lane = '' end
    if leaves and e.state == 'q' or hands_out(c.control) and e.state == 'h' then
      leave_line(e, c.run, field)
      push(r, c.run, field, e)
    elseif leaves then
      task_set(c.run, field, text_of(e))
    end
  end
end

-- A new task: its field, from when on, what its worker does with it (k: keep, u: it is under way), its lane.
local function queue(r, rkey, c, field, due, how, lane)
  if not (how == 'u' or how == 'k' and hands_out(r.c)) then return insert(r, c.run, field, due, lane) end
  if not hget(P .. 'workers', c.worker) then hset(P .. 'strangers', c.worker, '1') end
  if not hget(rkey, 'T' .. field) then
    count(rkey, 'n', 1)
    hset(rkey, 'T' .. field, kept_text(c.worker, due, lane))
    put_in_hand(r, c.worker, c.run, field, lane)
  end
end

local function settle(r, rkey, c, field)
  local text = hget(rkey, 'T' .. field)
  if text == kept_text(c.worker, '0', '') then
    count(rkey, 'n', -1)
    hset(rkey, 'T' .. field, false)
    count_in_hand(c.worker, c.run, field, r.p, '', -1)
  elseif text then
    forget(r, c.run, field, entry_of(text))
  end
  if field:byte() == 109 then -- m: a delivery
    local mail = P .. 'm:' .. c.run
    local first, last, given = inbox(mail, c.path)
    if forget_mail(mail, c.path, math.min(given, last - first)) then
      insert(r, c.run, field_of('m', c.path), '0', '')
    end
  end
end

local function drop(r, rkey, c, field)
  local e = entry_of(hget(rkey, 'T' .. field))
  if e and e.state == 'q' then pull(r, c.run, field, e) end
  if e then forget(r, c.run, field, e) end
end

-- A worker that goes on from one call to the next, as in a chain: then nothing is counted. Whether that is all there is
-- to do with the tasks.
local function goes_on(r, rkey, c, s1, s2, q1, q2)
  local done, field = SETTLE[s1 + 1], QUEUE[q1 + 1]
  local kept = kept_text(c.worker, '0', '')
  local is_one = s2 == s1 + 2 and q2 == q1 + 4 and QUEUE[q1 + 3] == 'k' and hands_out(r.c)
  local is_plain = is_one and QUEUE[q1 + 2] == '0' and QUEUE[q1 + 4] == '' and class_of(done) == 'c' and class_of(field) == 'c'
  if not is_plain or hget(rkey, 'T' .. done) ~= kept or hget(rkey, 'T' .. field) then return false end
  hset(rkey, 'T' .. done, false)
  hset(rkey, 'T' .. field, kept)
  return true
end

-- What most commits are answered.
local DONE = { 'done', 0, 0 }

local function apply(i)
  local c = commit_at(i)
  local rkey, length = P .. 'r:' .. c.run, 'l' .. c.path
  -- Where its rows begin and end in the lists of tasks that it settles, drops and queues, and of messages.
  local s1, s2 = rows_of(i, SETTLE, 3)
  local o1, o2 = rows_of(i, OBSOLETE, 2)
  local q1, q2 = rows_of(i, QUEUE, 5)
  local m1, m2 = rows_of(i, LETTERS, 4)
  local r = load(rkey, length, c, s1, s2, o1, o2, q1, q2)
  local is = r[length] or '0'
  local len = is ~= c.expected and tonumber(is)
  if len and is_known(rkey, c, len) then return { 'duplicate', tonumber(r.c), tonumber(r.v) } end
  if not holds_all(c, rkey, s1, s2) then
    incident('fenced', 1)
    return { 'fenced', 0, 0 }
  end
  if len then return { 'conflict', len, 0 } end
  if c.at then hear(c.at) end
  local why = not r.k and admit(rkey, c)
  if why then return { why, 0, 0 } end
  if c.summary then summarise(r, rkey, c) end
  if c.control then set_control(r, rkey, c) end
  for at = m1, m2, 4 do
    local to = LETTERS[at + 1]
    if receive(P .. 'm:' .. c.run, c.path, to, LETTERS[at + 2], LETTERS[at + 3]) then
      insert(r, c.run, field_of('m', to), '0', '')
    end
  end
  hset(rkey, c.field, c.record)
  hset(rkey, length, c.after)
  if o2 < o1 and goes_on(r, rkey, c, s1, s2, q1, q2) then s1, q1 = s2 + 1, q2 + 1 end
  for at = s1, s2, 3 do settle(r, rkey, c, SETTLE[at + 1]) end
  for at = o1, o2, 2 do drop(r, rkey, c, OBSOLETE[at + 1]) end
  for at = q1, q2, 5 do
    queue(r, rkey, c, QUEUE[at + 1], QUEUE[at + 2], QUEUE[at + 3], QUEUE[at + 4])
  end
  if r.c == '0' and r.v == '0' then return DONE end
  return { 'done', tonumber(r.c), tonumber(r.v) }
end

local function main()
  local answers, writes = {}, false
  for i = 1, #ask.run do
    answers[i] = apply(i)
    writes = writes or answers[i][1] == 'done' or answers[i][1] == 'fenced'
  end
  return { answers = answers, writes = writes }
end

return step_by(main)
