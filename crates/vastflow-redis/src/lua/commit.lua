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

-- What the commits of a step have stands in columns, by the number of the commit: what one has not is `false`, and a
-- column of what none has is not there. Tasks are lists of several values each.
local NONE = {}
local function column(name) return ask[name] or NONE end

local RUNS, RECORDS, WORKERS, AT = ask.run, ask.record, column('worker'), column('at')
-- Of those that begin: which of `kinds` they are, each with its flow, plan, priority, key, and how its runs began where the
-- record does not say it. Of those of which lists show something new: status, when it ended, the rest.
local BEGUN, KINDS = column('begun'), column('kinds')
local STATUS, ENDED, TAILS = column('status'), column('ended'), column('tail')
-- Of those that `chain` is for: how the root's head must stand and will stand, and where the record goes.
local WAS, WILL, FIELDS = column('was'), column('will'), column('field')
-- Of all others.
local PATHS, EXPECTED, AFTER, CONTROL = column('path'), column('expected'), column('after'), column('control')
local SETTLE, OBSOLETE, QUEUE, LETTERS = column('settle'), column('obsolete'), column('queue'), column('messages')

local function commit_at(i)
  local c = {
    run = RUNS[i], record = RECORDS[i], worker = WORKERS[i], at = AT[i], begun = KINDS[BEGUN[i]],
    status = STATUS[i], ended = ENDED[i], tail = TAILS[i],
    path = PATHS[i] or '', expected = EXPECTED[i], after = AFTER[i], control = CONTROL[i],
    settle = SETTLE[i] or NONE, obsolete = OBSOLETE[i] or NONE, queue = QUEUE[i] or NONE, letters = LETTERS[i] or NONE,
  }
  if WAS[i] then
    local head = '^(%d*) ?(%S*) ?(%S*)$'
    local length, done, before = WAS[i]:match(head)
    local after, next_call, worker = WILL[i]:match(head)
    c.expected, c.after, c.worker = length ~= '' and length or '0', after, done ~= '' and before or worker
    if done ~= '' then c.settle = { done, 1 } end
    if next_call ~= '' then c.queue = { next_call, '0', 'k', '' } end
  end
  return c
end

-- Reads at once what a commit needs of its run; gives that and the length of its journal.
local function load(rkey, c)
  local fields, size = { 'k', 'c', 'p', 'l', nil, nil, nil, nil, nil, nil, nil, nil }, 4
  if c.status then
    fields[5], fields[6], fields[7], fields[8], size = 't', 'f', 'x', 'n', 8
  end
  for at = 1, #c.settle, 2 do
    size = size + 1
    fields[size] = 'T' .. c.settle[at]
  end
  for at = 1, #c.obsolete do
    size = size + 1
    fields[size] = 'T' .. c.obsolete[at]
  end
  for at = 1, #c.queue, 4 do
    size = size + 1
    fields[size] = 'T' .. c.queue[at]
  end
  hash_of_run(rkey)
  local r = hload(rkey, fields)
  if c.path ~= '' then return r, hget(length_at(c.run, c.path)) or '0' end
  unfold(c.run)
  return r, r.l or '0'
end

-- Whether a commit at this position was made before.
local function is_known(c, len)
  local expected = tonumber(c.expected)
  if expected >= len then return false end
  local record = hget(record_at(c.run, c.path, expected))
  return record and record:sub(1, 16) == c.record:sub(1, 16)
end

-- The same for a call with a lane, or one that is due later.
local function kept(worker, due, lane)
  if due == '0' and lane == '' then return kept_text(worker) end
  return 'c|1|' .. due .. '|0|0|' .. lane .. '|' .. worker .. ' 0'
end

-- Whether the tasks that a commit settles are all the caller's.
local function holds_all(c, rkey)
  local settle, own = c.settle, kept_text(c.worker)
  for at = 1, #settle, 2 do
    local text, token = hget(rkey, 'T' .. settle[at]), settle[at + 1]
    if not (text == own and token == 1) then
      local mine = 'c|' .. token .. '|'
      if not text or text:sub(1, #mine) ~= mine then return false end
    end
  end
  return true
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
  if is_open and not was_open then count_crowds(P .. 'open', r, 1) end
  if was_open and not is_open then
    count_crowds(P .. 'open', r, -1)
    make_room(r)
  end
  if was and not was_open then zset(P .. 'runs:ended:' .. r.f, run, false) end
  if not is_open then zset(P .. 'runs:ended:' .. r.f, run, ended) end
end

-- Makes a place for a run that begins; gives the fields of its hash, or why there is none.
local function admit(run, begun)
  if not begun then return nil, 'no run' end
  local flow, hash_of_plan, priority, keyed, started = unpack(begun, 1, 5)
  local plan = hget(P .. 'plans', hash_of_plan)
  if not plan then return nil, 'no plan' end
  local key = whole(next_of('key'))
  zset(P .. 'runs', run, key)
  zset(P .. 'runs:of:' .. flow, run, key)
  if not hget(P .. 'flows', flow) then hset(P .. 'flows', flow, '1') end
  return { k = key, c = '0', p = plan, y = priority, f = flow, x = keyed or nil, s = started or nil }
end

-- Changes a run's word. What was held back becomes claimable again when the word allows it.
local function set_control(r, rkey, c)
  local digit, revision = control_of(r.c)
  if digit == tonumber(c.control) then return end
  hset(rkey, 'c', c.control .. ' ' .. revision + 1)
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
      if e.state == 'h' and field == 'l' then count_crowds(LINE, crowds_of(c.run), -1) end
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
  if hget(rkey, 'T' .. field) then return end
  put_in_hand(r, c.worker, c.run, field, lane)
  local is_plain = how == 'k' and due == '0' and lane == '' and class_of(field) == 'c'
  if is_plain and c.path == '' and #c.queue == 4 then
    hset(rkey, 'l', c.after .. ' ' .. field .. ' ' .. c.worker)
  else
    count(rkey, 'n', 1)
    hset(rkey, 'T' .. field, kept(c.worker, due, lane))
  end
end

local function settle(r, rkey, c, field)
  local text = hget(rkey, 'T' .. field)
  if text == kept_text(c.worker) then
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

local function tasks_and_letters(r, rkey, c)
  for at = 1, #c.letters, 3 do
    local to = c.letters[at]
    if receive(P .. 'm:' .. c.run, c.path, to, c.letters[at + 1], c.letters[at + 2]) then
      insert(r, c.run, field_of('m', to), '0', '')
    end
  end
  for at = 1, #c.settle, 2 do settle(r, rkey, c, c.settle[at]) end
  for at = 1, #c.obsolete do drop(r, rkey, c, c.obsolete[at]) end
  for at = 1, #c.queue, 4 do queue(r, rkey, c, unpack(c.queue, at, at + 3)) end
end

-- What most commits are answered.
local DONE = { 'done', 0, 0 }

local function apply(i)
  local c = commit_at(i)
  local rkey = P .. 'r:' .. c.run
  local r, is = load(rkey, c)
  local len = is ~= c.expected and tonumber(is)
  if len and is_known(c, len) then return { 'duplicate', control_of(r.c) } end
  if not holds_all(c, rkey) then
    incident('fenced', 1)
    return { 'fenced', 0, 0 }
  end
  if len then return { 'conflict', len, 0 } end
  if c.at then hear(c.at) end
  if not r.k then
    local fields, why = admit(c.run, c.begun)
    if not fields then return { why, 0, 0 } end
    for field, value in pairs(fields) do hset(rkey, field, value) end
  end
  if c.status then
    move(c.run, r, c.status, c.ended)
    if c.ended then news = news or counted(LINES, '') > 0 end
    hset(rkey, 't', c.status)
    hset(rkey, 'z', c.tail)
  end
  if c.control then set_control(r, rkey, c) end
  local key, field = record_at(c.run, c.path, tonumber(c.expected))
  hset(key, field, c.record)
  key, field = length_at(c.run, c.path)
  hset(key, field, c.after)
  tasks_and_letters(r, rkey, c)
  if r.c == '0' then return DONE end
  return { 'done', control_of(r.c) }
end

---------------------------------------------------------------- what most commits are

-- A root begins with a call in the hands of who commits, goes from one call to the next in the same hands, or ends after
-- one. Nothing else of such a run is in question and no other commit of the step speaks of it, so it is decided by what
-- stands in its hash and written past the tables of the step. Each of these gives false, and has done nothing, when
-- anything is otherwise: then it is a commit like others.

-- A table that makes what is not in it: what is the same for many runs of a step is made once.
local function once(make)
  return setmetatable({}, {
    __index = function(made, of)
      local one = make(of)
      made[of] = one
      return one
    end,
  })
end

-- Moves of runs in the lists, by flow, by key or nothing, by how they stood (`-` when they begin) and by how they stand: how
-- many there were, and the arguments of what puts the runs in and takes them out.
local NEW = '-'
local MOVES = once(function(flow)
  return once(function(keyed)
    return once(function(was)
      return once(function(is)
        return {
          times = 0, of = { f = flow, x = keyed or nil },
          begun = was == NEW and args_of('ZADD', P .. 'runs:of:' .. flow),
          out = was ~= NEW and args_of('ZREM', P .. 'runs:is:' .. was),
          into = is ~= UNLISTED and args_of('ZADD', P .. 'runs:is:' .. is),
          ended = FINAL:find(is, 1, true) and args_of('ZADD', P .. 'runs:ended:' .. flow),
        }
      end)
    end)
  end)
end)
-- What workers take into their hands and let go of, and how many calls of each plan they have more than before.
local HANDS = once(function(worker)
  local key = P .. 'w:' .. worker
  return { takes = args_of('HSET', key), lets_go = args_of('HDEL', key), calls = once(function() return 0 end) }
end)

local function put(args, first, second)
  local size = #args
  args[size + 1], args[size + 2] = first, second
end

-- What `move` does, for a run that is open and stood as `was` says.
local function move_straight(run, key, move, ended_at)
  local begun, out, into, ended = move.begun, move.out, move.into, move.ended
  move.times = move.times + 1
  if begun then put(begun, key, run) end
  if out then out[#out + 1] = run end
  if into then put(into, key, run) end
  if ended then put(ended, ended_at, run) end
end

-- Counts what was moved and what was taken and let go.
local function count_straight()
  local function count_moves(was, is, move)
    local opens = (was == NEW and 1 or 0) - (move.ended and 1 or 0)
    if was == NEW and not hget(P .. 'flows', move.of.f) then hset(P .. 'flows', move.of.f, '1') end
    if was ~= NEW then count(P .. 'counts', was, -move.times) end
    count(P .. 'counts', is, move.times)
    if opens ~= 0 then count_crowds(P .. 'open', move.of, opens * move.times) end
    if move.ended then
      make_room(move.of)
      news = news or counted(LINES, '') > 0
    end
  end
  for _, by_key in pairs(MOVES) do
    for _, by_was in pairs(by_key) do
      for was, by_is in pairs(by_was) do
        for is, move in pairs(by_is) do count_moves(was, is, move) end
      end
    end
  end
  for worker, hand in pairs(HANDS) do
    if hand.takes[1] and not hget(P .. 'workers', worker) then hset(P .. 'strangers', worker, '1') end
    for plan, by in pairs(hand.calls) do count(P .. 'w:' .. worker, 'c' .. plan, by) end
  end
end

-- The runs of all links that begin, as far as they are there already.
local function begun_before()
  local runs, known = {}, {}
  for i = 1, #RUNS do
    if BEGUN[i] and WAS[i] then runs[#runs + 1] = RUNS[i] end
  end
  local keys = #runs > 0 and redis.call('ZMSCORE', P .. 'runs', unpack(runs)) or NONE
  for i = 1, #keys do known[runs[i]] = keys[i] end
  return known
end

local KNOWN, ALL = begun_before(), args_of('ZADD', P .. 'runs')
-- What runs that begin need to know of their kind.
local KIND = once(function(number)
  local flow, hash_of_plan, priority, keyed, started = unpack(KINDS[number], 1, 5)
  local kind = { flow = flow, plan = hget(P .. 'plans', hash_of_plan), priority = priority, keyed = keyed, started = started }
  kind.moves = MOVES[flow][keyed][NEW]
  return kind
end)

local function begin(i, run, rkey)
  local kind, status, hand = KIND[BEGUN[i]], STATUS[i], HANDS[WORKERS[i]]
  local plan = kind.plan
  if KNOWN[run] or not plan then return false end
  local key = whole(next_of('key'))
  local set = {
    rkey, FIELDS[i], RECORDS[i], 'l', WILL[i], 't', status, 'z', TAILS[i],
    'k', key, 'c', '0', 'p', plan, 'y', kind.priority, 'f', kind.flow,
  }
  if kind.keyed then set[#set + 1], set[#set + 2] = 'x', kind.keyed end
  if kind.started then set[#set + 1], set[#set + 2] = 's', kind.started end
  straight[#straight + 1] = set
  put(ALL, key, run)
  move_straight(run, key, kind.moves[status], ENDED[i])
  put(hand.takes, 'r' .. run, '1')
  hand.calls[plan] = hand.calls[plan] + 1
  return true
end

local function go_on(i, rkey)
  local v = redis.call('HMGET', rkey, 'l', 'c')
  if v[1] ~= WAS[i] or v[2] ~= '0' then return false end
  straight[#straight + 1] = { rkey, FIELDS[i], RECORDS[i], 'l', WILL[i] }
  return true
end

-- It ends, or waits for what is not a call.
local function let_go(i, run, rkey)
  local status, hand = STATUS[i], HANDS[WORKERS[i]]
  local v = redis.call('HMGET', rkey, 'l', 'c', 'n', 'k', 'p', 'f', 'x', 't')
  if v[1] ~= WAS[i] or v[2] ~= '0' or v[3] then return false end
  local key, plan, flow, keyed, was = unpack(v, 4, 8)
  if was ~= status then move_straight(run, key, MOVES[flow][keyed][was][status], ENDED[i]) end
  straight[#straight + 1] = { rkey, FIELDS[i], RECORDS[i], 'l', WILL[i], 't', status, 'z', TAILS[i] }
  hand.lets_go[#hand.lets_go + 1] = 'r' .. run
  hand.calls[plan] = hand.calls[plan] - 1
  return true
end

local function chain(i)
  local run, is_done = RUNS[i], false
  local rkey = P .. 'r:' .. run
  if BEGUN[i] then
    is_done = begin(i, run, rkey)
  elseif STATUS[i] then
    is_done = let_go(i, run, rkey)
  else
    is_done = go_on(i, rkey)
  end
  if is_done and AT[i] then hear(AT[i]) end
  return is_done
end

local function main()
  -- Answers besides `DONE`, each with the number of its commit.
  local others, done, writes = {}, 0, false
  for i = 1, #RUNS do
    local answer = WAS[i] and chain(i) and DONE or apply(i)
    if answer == DONE then
      done = done + 1
    else
      others[#others + 1] = { i, unpack(answer) }
    end
    writes = writes or answer[1] == 'done' or answer[1] == 'fenced'
  end
  count_straight()
  return { done = done, others = others, writes = writes }
end

return step_by(main)
