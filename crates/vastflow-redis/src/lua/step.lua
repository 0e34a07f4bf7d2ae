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

-- Reads fields of a hash. A field that is not there is `false`.
local function hload(key, fields)
  local h = hash(key)
  if not h.all then
    local is, values = h.is, redis.call('HMGET', key, unpack(fields))
    for i = 1, #fields do
      if is[fields[i]] == nil then is[fields[i]] = values[i] end
    end
  end
  return h.is
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

-- Sets a field; `false` takes it out.
local function hset(key, field, value)
  local h = hash(key)
  h.is[field], h.new[field] = value, true
end

local function zset(key, member, score)
  local z = Z[key]
  if not z then
    z = {}
    Z[key] = z
  end
  z[member] = score
end

-- The most arguments of one command: Lua's stack is finite.
local MOST = 4000

local function call(command, key, args)
  if #args == 0 then redis.call(command, key) end
  for from = 1, #args, MOST do
    redis.call(command, key, unpack(args, from, math.min(from + MOST - 1, #args)))
  end
end

-- Keys that this step takes away whole.
local gone = {}

-- Everything that is set first, then everything that is taken out: a server without memory refuses the first. A step that
-- makes room does it the other way round: such a server takes it, and what is set after it, too.
local function write_all(makes_room)
  local sets, outs = {}, {}
  for key, h in pairs(H) do
    local set, out = {}, {}
    for field in pairs(h.new) do
      local value = h.is[field]
      if value then
        set[#set + 1] = field
        set[#set + 1] = value
      else
        out[#out + 1] = field
      end
    end
    if #set > 0 then sets[#sets + 1] = { 'HSET', key, set } end
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
  for _, list in ipairs(makes_room and { outs, sets } or { sets, outs }) do
    for _, w in ipairs(list) do call(w[1], w[2], w[3]) end
  end
end

-- Counts something that happened.
local function incident(what, times)
  local key = P .. 'incidents'
  hset(key, what, string.format('%d', (tonumber(hget(key, what)) or 0) + times))
end

---------------------------------------------------------------- the store itself

local META = P .. 'meta'
local meta = hload(META, { 'id', 'step', 'ticket', 'key', 'plans', 'now', 'clock', 'last' })

-- A whole number as text: Lua would shorten large ones.
local function whole(number)
  return string.format('%.0f', number)
end

-- The next number of a counter of the store.
local function next_of(counter)
  local number = tonumber(meta[counter] or 0)
  hset(META, counter, whole(number + 1))
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

-- A task as it stands in its hash: q(ueued, with its rank), c(laimed, with its worker) or h(eld).
local function entry_of(text)
  if not text then return nil end
  local state, token, due, deaths, crashes, lane, x = text:match(ENTRY)
  return {
    state = state, token = tonumber(token), due = due, deaths = tonumber(deaths), crashes = tonumber(crashes),
    lane = lane, x = x,
  }
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
local function next_rank(priority)
  return whole((127 - priority) * SLOTS + next_of('ticket'))
end

local function take_up(kind, rank, member, since)
  zset(P .. 'q:' .. kind, member, rank)
  zset(P .. 's:' .. kind, member, whole(since))
end

local function take_out(kind, member)
  zset(P .. 'q:' .. kind, member, false)
  zset(P .. 's:' .. kind, member, false)
end

-- Puts a task at the end of its line, or among those that are visible later.
local function push(r, run, field, e)
  local kind, member = kind_of(field, r.p, e.lane, e.deaths), run .. ' ' .. field
  local rank, due = next_rank(r.y), tonumber(e.due)
  if due > 0 and due > visible_by() then
    zset(P .. 'l:' .. kind, rank .. ' ' .. member, e.due)
  else
    take_up(kind, rank, member, math.max(latest(), due))
  end
  hset(P .. 'kinds', kind, '1')
  e.state, e.x = 'q', rank
  hset(P .. 't:' .. run, field, text_of(e))
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
  if hget(P .. 't:' .. run, field) then return end
  push(r, run, field, { token = 0, due = due, deaths = 0, crashes = 0, lane = lane })
end

local function count(key, field, by)
  hset(key, field, whole(tonumber(hget(key, field) or 0) + by))
end

-- A call of a lane is in somebody's hands now.
local function enter_lane(field, lane)
  if lane ~= '' and class_of(field) == 'c' then count(P .. 'lanes', lane, 1) end
end

-- A call of a lane is in nobody's hands any more: who waits there may be handed out.
local function leave_lane(field, lane)
  if lane == '' or class_of(field) ~= 'c' then return end
  count(P .. 'lanes', lane, -1)
  for kind in pairs(hall(P .. 'kinds')) do
    local class, _, of = parts_of_kind(kind)
    news = news or of == lane and (class == 'c' or class == 's')
  end
end

-- A worker has a task in hand: by which of its claims it has it, 0 by none, and which kind of work it is.
local function put_in_hand(r, worker, turn, run, field, lane)
  hset(P .. 'w:' .. worker, run .. ' ' .. field, turn .. ' ' .. kind_of(field, r.p, lane, 0))
  enter_lane(field, lane)
end

local function take_from_hand(e, run, field)
  if e.state ~= 'c' then return end
  hset(P .. 'w:' .. e.x, run .. ' ' .. field, false)
  leave_lane(field, e.lane)
end

-- What is known of a run besides its scopes: its key, control word, plan and priority.
local RUN = { 'k', 'c', 'v', 'p', 'y' }

-- A task goes back into the queue. Its token stays, so that the next claim's is higher.
local function give_back(run, field, e)
  take_from_hand(e, run, field)
  push(hload(P .. 'r:' .. run, RUN), run, field, e)
end

-- A run that is held in line takes no place in a window.
local function leave_line(e, run, field)
  if e.state == 'h' and field == 'l' then hset(P .. 'heldline', run, false) end
end

-- A task exists no more.
local function forget(run, field, e)
  take_from_hand(e, run, field)
  leave_line(e, run, field)
  hset(P .. 't:' .. run, field, false)
end

local function hands_out(control)
  return control == '0' or control == '2'
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
  if next(Z) or next(H[META].new) or body.writes then
    step = step + 1
    hset(META, 'step', whole(step))
    write_all(body.makes_room)
  end
  return cmsgpack.pack({ step = step, forgot = forgot, news = news, body = body })
end
