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

-- A member's score, as this step sees it; nothing when it has none.
local function zscore(key, member)
  local score = Z[key] and Z[key][member]
  if score == nil then score = redis.call('ZSCORE', key, member) end
  return score and tonumber(score)
end

local function call(command, key, args)
  if #args == 0 then redis.call(command, key) end
  for from = 1, #args, MOST do
    redis.call(command, key, unpack(args, from, math.min(from + MOST - 1, #args)))
  end
end

-- Keys that this step takes away whole.
local gone = {}
-- What this step writes past its tables, because nothing else of it touches that: into hashes of runs, each with the
-- arguments of HSET, and into hashes and sorted sets of all runs, where nobody else writes what it writes.
local straight, shared = {}, { HSET = {}, ZADD = {}, HDEL = {}, ZREM = {} }

-- The arguments of a command for such a key, to put others behind them.
local function args_of(command, key)
  local args = shared[command][key]
  if not args then
    args = {}
    shared[command][key] = args
  end
  return args
end

local function write_straight()
  for i = 1, #straight do redis.call('HSET', unpack(straight[i])) end
  for _, command in ipairs({ 'HSET', 'ZADD', 'HDEL', 'ZREM' }) do
    for key, args in pairs(shared[command]) do
      if #args > 0 then call(command, key, args) end
    end
  end
end

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
  write_straight()
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

-- A number, as this step sees it.
local function counted(key, field)
  return tonumber(hget(key, field) or 0) + (D[key] and D[key][field] or 0)
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
