-- What every script begins with. One script is one atomic step.
--
-- KEYS[1] is the prefix of all keys, with the partition's hash tag; ARGV[1] holds the named arguments, in MessagePack.
--
-- A step reads and decides first and writes last. `H` and `Z` hold what it has read and what it is going to write;
-- rules see their own changes through them, and only `write_all` calls commands that write. So whatever goes wrong
-- while a step decides leaves nothing half written.

local P, frame = KEYS[1], cmsgpack.unpack(ARGV[1])
local ask = frame.ask
local H, Z = {}, {}
local news = false

---------------------------------------------------------------- hashes and sorted sets, as this step sees them

local function hash(key)
  local h = H[key]
  if not h then
    h = { is = {}, new = {} }
    H[key] = h
  end
  return h
end

-- The hash of a run, with room for what mostly is in it: a table that grows is made again each time.
local function hash_of_run(key)
  local h = H[key]
  if not h then
    h = {
      is = { k = nil, c = nil, l = nil, p = nil, t = nil, f = nil, x = nil, n = nil, z = nil },
      new = { k = nil, c = nil, l = nil, p = nil, t = nil },
    }
    H[key] = h
  end
  return h
end

-- The most arguments of one command: Lua's stack is finite.
local MOST = 4000

-- Reads fields of a hash, as far as they are not known. A field that is not there is `false`.
local function hload(key, fields)
  local h = hash(key)
  local is, unknown, size = h.is, fields, #fields
  if h.all then return is end
  if next(is) ~= nil then
    unknown, size = {}, 0
    for i = 1, #fields do
      if is[fields[i]] == nil then
        size = size + 1
        unknown[size] = fields[i]
      end
    end
  end
  for from = 1, size, MOST do
    local upto = math.min(from + MOST - 1, size)
    local values = redis.call('HMGET', key, unpack(unknown, from, upto))
    for i = from, upto do is[unknown[i]] = values[i - from + 1] end
  end
  return is
end

-- Reads all of a hash. Fields that this step takes out of it are `false`.
local function hall(key)
  local h = hash(key)
  if not h.all then
    local pairs_ = redis.call('HGETALL', key)
    for i = 1, #pairs_, 2 do
      if h.is[pairs_[i]] == nil then h.is[pairs_[i]] = pairs_[i + 1] end
    end
    h.all = true
  end
  return h.is
end

local function hget(key, field)
  local h = hash(key)
  local value = h.is[field]
  if value == nil then
    value = not h.all and redis.call('HGET', key, field)
    h.is[field] = value
  end
  return value
end

-- Sets a field; `false` takes it out. `new` holds what it was before, and `true` where that is not known.
local function hset(key, field, value)
  local h = H[key] or hash(key)
  local is, new = h.is, h.new
  if new[field] == nil then
    local was = is[field]
    if was == nil then was = not h.all end
    new[field] = was
  end
  is[field] = value
end

local function zset(key, member, score)
  local z = Z[key]
  if not z then
    z = {}
    Z[key] = z
  end
  z[member] = score
end

local function call(command, key, args)
  if #args == 0 then redis.call(command, key) end
  for from = 1, #args, MOST do
    redis.call(command, key, unpack(args, from, math.min(from + MOST - 1, #args)))
  end
end

-- Keys that this step takes away whole.
local gone = {}
-- What this step sets in hashes that nothing else of it touches: for each the arguments of HSET.
local straight = {}

-- Everything that is set first, then everything that is taken out: a server without memory refuses the first. A step that
-- makes room does it the other way round: such a server takes it, and what is set after it, too.
local function write_all(makes_room)
  local sets, outs = {}, {}
  for key, h in pairs(H) do
    local set, out = { nil, nil, nil, nil, nil, nil, nil, nil }, {}
    local is, size = h.is, 0
    for field, was in pairs(h.new) do
      local value = is[field]
      if value == was then
        -- It stays as it is.
      elseif value then
        set[size + 1], set[size + 2] = field, value
        size = size + 2
      else
        out[#out + 1] = field
      end
    end
    if size > 0 then sets[#sets + 1] = { 'HSET', key, set } end
    if #out > 0 then outs[#outs + 1] = { 'HDEL', key, out } end
  end
  for key, z in pairs(Z) do
    local set, out = {}, {}
    for member, score in pairs(z) do
      if score then
        set[#set + 1] = score
        set[#set + 1] = member
      else
        out[#out + 1] = member
      end
    end
    if #set > 0 then sets[#sets + 1] = { 'ZADD', key, set } end
    if #out > 0 then outs[#outs + 1] = { 'ZREM', key, out } end
  end
  for _, key in ipairs(gone) do outs[#outs + 1] = { 'UNLINK', key, {} } end
  for i = 1, #straight do redis.call('HSET', unpack(straight[i])) end
  for _, list in ipairs(makes_room and { outs, sets } or { sets, outs }) do
    for _, w in ipairs(list) do call(w[1], w[2], w[3]) end
  end
end

---------------------------------------------------------------- the store itself

local META = P .. 'meta'
local meta = hload(META, { 'id', 'step', 'ticket', 'key', 'plans', 'now', 'clock', 'last' })

-- A whole number as text: Lua would shorten large ones.
local function whole(number)
  return string.format('%.0f', number)
end

-- Numbers that change in this step, by how much: most that go up go down again in the same step, and are not touched.
local D = {}

-- Changes a number. One that is 0 is not kept. It has changed when the step has been decided.
local function count(key, field, by)
  local d = D[key]
  if not d then
    d = {}
    D[key] = d
  end
  d[field] = (d[field] or 0) + by
end

local function settle_counts()
  for key, d in pairs(D) do
    local fields = {}
    for field, by in pairs(d) do
      if by ~= 0 then fields[#fields + 1] = field end
    end
    hload(key, fields)
    for _, field in ipairs(fields) do
      local number = tonumber(hget(key, field) or 0) + d[field]
      hset(key, field, number ~= 0 and whole(number))
    end
  end
end

-- Counts something that happened.
local function incident(what, times)
  count(P .. 'incidents', what, times)
end

-- How far counters of the store have come in this step.
local reached = {}

-- The next number of a counter of the store.
local function next_of(counter)
  local number = reached[counter] or tonumber(meta[counter] or 0)
  reached[counter] = number + 1
  return number
end

local server_ms

-- What time it is: the server's clock; in tests, where time is virtual, the latest time that was told.
local function time_told()
  if frame.is_virtual then return tonumber(ask.now or meta.clock or 0) end
  if not server_ms then
    local t = redis.call('TIME')
    server_ms = t[1] * 1000 + math.floor(t[2] / 1000)
  end
  return server_ms
end

-- It is at least this late. Says nothing to a store with a clock of its own.
local function hear(time)
  if frame.is_virtual and tonumber(time) > tonumber(meta.clock or 0) then hset(META, 'clock', time) end
end

-- Since when what is queued now can be claimed.
local function latest()
  return frame.is_virtual and tonumber(meta.clock or 0) or time_told()
end

-- Tasks that are due by then stand among those that can be claimed.
local function visible_by()
  return frame.is_virtual and tonumber(meta.now or 0) or time_told()
end

---------------------------------------------------------------- runs, and where what grows stands

-- So many events of a root stand in the run's own hash, so that a step of a short run touches only that. All others and
-- the lengths of inner scopes stand in a hash beside it: a run's own hash is gone through by who looks at its tasks.
local NEAR = 64

-- The key and the field of the record that begins at a position.
local function record_at(run, path, position)
  if path == '' and position < NEAR then return P .. 'r:' .. run, 'j' .. position end
  return P .. 'j:' .. run, 'j' .. position .. ' ' .. path
end

-- The key and the field of a journal's length. Behind that of a root may stand a call: see `unfold`.
local function length_at(run, path)
  if path == '' then return P .. 'r:' .. run, 'l' end
  return P .. 'j:' .. run, 'l' .. path
end

local function length_of(text)
  return text and tonumber(text:match('^%d+')) or 0
end

-- A run's control word as it is kept: its digit, and behind that how often it was changed, if ever.
local function control_of(text)
  return tonumber(text:sub(1, 1)), tonumber(text:sub(3)) or 0
end

local function hands_out(control)
  local digit = control:sub(1, 1)
  return digit == '0' or digit == '2'
end

---------------------------------------------------------------- tasks and their queue

-- What a task takes of a worker, by the first letter of its text: c a slot, a a place in a window, i nothing.
local CLASS = {
  a = 'c', p = 'c', r = 'c', h = 'c', f = 'c', u = 'c', l = 'a',
  d = 'i', D = 'i', m = 'i', w = 'i', g = 'i',
}
-- How many workers must have died with a call in hand for it to be handed out alone.
local SUSPECT = 2
local SLOTS = 2 ^ 45

local function class_of(task)
  return CLASS[task:sub(1, 1)]
end

-- A task's field in its run's hash of tasks, and back. The text of a task has no space.
local function field_of(task, path)
  return path == '' and task or task .. ' ' .. path
end

local function parts_of(field)
  local task, path = field:match('^(%S+) (.*)$')
  if task then return task, path end
  return field, ''
end

-- A task among those of all runs, and back.
local function run_of(member)
  return member:match('^(%S+) (.*)$')
end

local ENTRY = '^(%a)|(%d+)|(%d+)|(%d+)|(%d+)|([^|]*)|(.*)$'

-- A task as it is kept: q(ueued, with its rank), c(laimed, with its worker and the number of the worker's claim, 0 when it
-- has it by none) or h(eld).
local function entry_of(text)
  if not text then return nil end
  local state, token, due, deaths, crashes, lane, x = text:match(ENTRY)
  return {
    state = state, token = tonumber(token), due = due, deaths = tonumber(deaths), crashes = tonumber(crashes),
    lane = lane, x = x,
  }
end

-- Who has a claimed task in hand, and by which of its claims.
local function holder_of(e)
  local worker, turn = e.x:match('^(%S+) (%d+)$')
  return worker, tonumber(turn)
end

-- The text of a call in the hands of a worker that kept it.
local function kept_text(worker)
  return 'c|1|0|0|0||' .. worker .. ' 0'
end

-- The length of a root's journal, the call that stands behind it, and the worker that kept the call.
local HEAD = '^(%d+) (%S+) (%S+)$'

-- A root that goes from one call to the next in the same hands has the call behind the length of its journal, so that a
-- step of it compares and sets one field. This makes it a task like others.
local function unfold(run)
  local key = P .. 'r:' .. run
  local length, task, worker = (hget(key, 'l') or ''):match(HEAD)
  if not task then return end
  hset(key, 'l', length)
  hset(key, 'T' .. task, kept_text(worker))
  count(key, 'n', 1)
end

-- A run's tasks are fields of its hash, with a letter before them that no other field begins with.
local function task_get(run, field)
  if class_of(field) == 'c' then unfold(run) end
  return hget(P .. 'r:' .. run, 'T' .. field)
end

local function task_set(run, field, text)
  hset(P .. 'r:' .. run, 'T' .. field, text)
end

-- All tasks of a run, by their fields, as this step sees them.
local function tasks_of(run)
  local key, found, cursor = P .. 'r:' .. run, {}, '0'
  unfold(run)
  repeat
    local page = redis.call('HSCAN', key, cursor, 'MATCH', 'T*', 'COUNT', MOST)
    cursor = page[1]
    for i = 1, #page[2], 2 do found[page[2][i]:sub(2)] = page[2][i + 1] end
  until cursor == '0'
  local h = hash(key)
  for field in pairs(h.new) do
    if field:sub(1, 1) == 'T' then found[field:sub(2)] = h.is[field] or nil end
  end
  return found
end

local function text_of(e)
  return e.state .. '|' .. e.token .. '|' .. e.due .. '|' .. e.deaths .. '|' .. e.crashes .. '|' .. e.lane .. '|' .. e.x
end

-- Tasks that are claimed or left together: their class (s: a call that must run alone), plan and lane.
local function kind_of(task, plan, lane, deaths)
  local class = class_of(task)
  if class == 'c' and deaths >= SUSPECT then class = 's' end
  return class .. plan .. (lane ~= '' and ':' .. lane or '')
end

local function parts_of_kind(kind)
  return kind:match('^(%a)(%d+):?(.*)$')
end

-- Higher priority first, then first come, first served.
local function next_rank(run)
  return whole((127 - hget(P .. 'r:' .. run, 'y')) * SLOTS + next_of('ticket'))
end

local function take_up(kind, rank, member, since)
  zset(P .. 'q:' .. kind, member, rank)
  zset(P .. 's:' .. kind, member, whole(since))
end

local function take_out(kind, member)
  zset(P .. 'q:' .. kind, member, false)
  zset(P .. 's:' .. kind, member, false)
end

-- What is known of a kind: all of it can be claimed, or there may be tasks that are visible later.
local AT_ONCE, WITH_LATER = '1', '2'

-- Puts a task at the end of its line, or among those that are visible later.
local function push(r, run, field, e)
  local kind, member = kind_of(field, r.p, e.lane, e.deaths), run .. ' ' .. field
  local rank, due = next_rank(run), tonumber(e.due)
  if due > 0 and due > visible_by() then
    zset(P .. 'l:' .. kind, rank .. ' ' .. member, e.due)
    hset(P .. 'kinds', kind, WITH_LATER)
  else
    take_up(kind, rank, member, math.max(latest(), due))
    if not hget(P .. 'kinds', kind) then hset(P .. 'kinds', kind, AT_ONCE) end
  end
  e.state, e.x = 'q', rank
  task_set(run, field, text_of(e))
  news = true
end

-- Takes a task out of the queue, wherever it stands.
local function pull(r, run, field, e)
  local kind, member = kind_of(field, r.p, e.lane, e.deaths), run .. ' ' .. field
  if e.due ~= '0' then zset(P .. 'l:' .. kind, e.x .. ' ' .. member, false) end
  take_out(kind, member)
end

-- A task exists from now on, waiting in the queue. One that exists already stays as it is.
local function insert(r, run, field, due, lane)
  if task_get(run, field) then return end
  count(P .. 'r:' .. run, 'n', 1)
  push(r, run, field, { token = 0, due = due, deaths = 0, crashes = 0, lane = lane })
end

-- The classes of tasks, and the lanes of calls, that somebody may be waiting in.
local waiting_in

local function waits_in(what)
  if not waiting_in then
    waiting_in = {}
    for kind in pairs(hall(P .. 'kinds')) do
      local class, _, lane = parts_of_kind(kind)
      waiting_in[class] = true
      if class == 'c' or class == 's' then waiting_in[':' .. lane] = true end
    end
  end
  return waiting_in[what] or false
end

-- A call of a lane is in somebody's hands now.
local function enter_lane(field, lane)
  if lane ~= '' and class_of(field) == 'c' then count(P .. 'lanes', lane, 1) end
end

-- A call of a lane is in nobody's hands any more: who waits there may be handed out.
local function leave_lane(field, lane)
  if lane == '' or class_of(field) ~= 'c' then return end
  count(P .. 'lanes', lane, -1)
  news = news or waits_in(':' .. lane)
end

-- How many tasks of each run a worker has in hand, and how many calls of each kind.
local function count_in_hand(worker, run, field, plan, lane, by)
  local key = P .. 'w:' .. worker
  count(key, 'r' .. run, by)
  if class_of(field) == 'c' then count(key, kind_of(field, plan, lane, 0), by) end
end

-- A worker has a task in hand.
local function put_in_hand(r, worker, run, field, lane)
  count_in_hand(worker, run, field, r.p, lane, 1)
  enter_lane(field, lane)
end

local function take_from_hand(r, e, run, field)
  if e.state ~= 'c' then return end
  count_in_hand(holder_of(e), run, field, r.p, e.lane, -1)
  leave_lane(field, e.lane)
end

-- The tasks that a worker has in hand, by run and field.
local function in_the_hands_of(worker)
  local found = {}
  for field in pairs(hall(P .. 'w:' .. worker)) do
    local run = field:match('^r(.*)$')
    local tasks = run and tasks_of(run) or {}
    for of, text in pairs(tasks) do
      local e = entry_of(text)
      if e.state == 'c' and holder_of(e) == worker then
        found[run] = found[run] or {}
        found[run][of] = e
      end
    end
  end
  return found
end

-- What is known of a run besides its scopes: its key, control word, plan and priority.
local RUN = { 'k', 'c', 'p', 'y' }

-- A task goes back into the queue. Its token stays, so that the next claim's is higher.
local function give_back(run, field, e)
  local r = hload(P .. 'r:' .. run, RUN)
  take_from_hand(r, e, run, field)
  push(r, run, field, e)
end

-- A run that is held in line takes no place in a window.
local function leave_line(e, run, field)
  if e.state == 'h' and field == 'l' then hset(P .. 'heldline', run, false) end
end

-- A task exists no more.
local function forget(r, run, field, e)
  take_from_hand(r, e, run, field)
  leave_line(e, run, field)
  count(P .. 'r:' .. run, 'n', -1)
  task_set(run, field, false)
end

-- A worker as it is kept: until when it counts as alive, the length of its lease, the number of its last claim, whether
-- its lease was counted anew without a word of its own (x) or not (-), its name.
local function worker_of(text)
  local upto, lease, turn, anew, name = text:match('^(%d+) (%d+) (%d+) ([-x]) (.*)$')
  return tonumber(upto), tonumber(lease), tonumber(turn), name, anew == 'x'
end

local function text_of_worker(upto, lease, turn, name, is_anew)
  return whole(upto) .. ' ' .. whole(lease) .. ' ' .. whole(turn) .. (is_anew and ' x ' or ' - ') .. name
end

---------------------------------------------------------------- inboxes

-- The oldest message that waits, the one after the last, and how many the current claim was given.
local function inbox(key, path)
  local head = hget(key, 'h' .. path)
  if not head then return 0, 0, 0 end
  local first, last, given = head:match('^(%d+) (%d+) (%d+)$')
  return tonumber(first), tonumber(last), tonumber(given)
end

local function known_by(kind, to, from)
  return 'k' .. kind .. ' ' .. #to .. ' ' .. to .. from
end

---------------------------------------------------------------- the frame of a step

-- Runs a step on the store that the caller knows: not on one that took its place, and not without saying that it has
-- forgotten what it acknowledged.
local function step_by(main)
  if meta.id ~= frame.id then return cmsgpack.pack({ gone = true }) end
  local step = tonumber(meta.step or 0)
  local body = main()
  local forgot = math.max(0, frame.seen - step)
  for counter, number in pairs(reached) do hset(META, counter, whole(number)) end
  if next(Z) or next(H[META].new) or body.writes then
    step = step + 1
    hset(META, 'step', whole(step))
    settle_counts()
    write_all(body.makes_room)
  end
  return cmsgpack.pack({ step = step, forgot = forgot, news = news, body = body })
end
