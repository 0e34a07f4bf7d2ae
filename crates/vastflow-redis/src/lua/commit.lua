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
local function receive(key, from, message)
  local to = message.to
  local known = known_by(message.kind, to, from)
  if hget(key, known) then return false end
  local first, last, given = inbox(key, to)
  hset(key, known, '1')
  hset(key, 'm' .. last .. ' ' .. to, cmsgpack.pack({ from, message.kind, message.body }))
  hset(key, 'h' .. to, first .. ' ' .. (last + 1) .. ' ' .. given)
  return true
end

-- Whether a commit at this position was made before.
local function is_known(rkey, c, len)
  if c.expected >= len then return false end
  local record = hget(rkey, 'j' .. c.expected .. ' ' .. c.path)
  return record and record:sub(1, 16) == c.record:sub(1, 16)
end

-- The entries that a commit settles; none when one of them is not the caller's.
local function settled(tkey, c)
  local entries = {}
  for i, s in ipairs(c.settle or {}) do
    local e = entry_of(hget(tkey, field_of(s[1], c.path)))
    if not e or e.state ~= 'c' or e.token ~= s[2] then return nil end
    entries[i] = e
  end
  return entries
end

-- Counts a run that is not over: among all, among those of its flow, and among those that have its key.
local function count_open(flow, key, by)
  count(P .. 'open', '', by)
  count(P .. 'open', flow, by)
  if key then count(P .. 'open', flow .. ' ' .. key, by) end
end

local FINAL = '567'

-- Moves a run in the lists from how it stood to how it stands.
local function move(run, r, is, ended)
  local was, counts = r.t, P .. 'counts'
  if was == is then return end
  local was_open, is_open = was and not FINAL:find(was, 1, true), not FINAL:find(is, 1, true)
  if was then
    zset(P .. 'runs:is:' .. was, run, false)
    count(counts, was, -1)
  end
  zset(P .. 'runs:is:' .. is, run, r.k)
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
  local new = { k = key, c = '0', v = '0', p = plan, y = whole(s.priority), f = s.flow, x = s.key }
  for field, value in pairs(new) do hset(rkey, field, value) end
  if s.started then hset(rkey, 's', s.started) end
  zset(P .. 'runs', c.run, key)
  zset(P .. 'runs:of:' .. s.flow, c.run, key)
  hset(P .. 'flows', s.flow, '1')
end

local function summarise(rkey, c)
  local r, s = hload(rkey, { 't', 'f', 'x' }), c.summary
  move(c.run, r, s.status, s.ended)
  hset(rkey, 't', s.status)
  hset(rkey, 'z', s.tail)
  if s.ended ~= '' then
    for kind in pairs(hall(P .. 'kinds')) do news = news or kind:sub(1, 1) == 'a' end
  end
end

-- Changes a run's word. What was held back becomes claimable again when the word allows it.
local function set_control(r, rkey, c)
  if r.c == c.control then return end
  hset(rkey, 'c', c.control)
  hset(rkey, 'v', whole(tonumber(r.v) + 1))
  hset(P .. 'held', c.run, not hands_out(c.control) and '1' or false)
  local fields = {}
  for field, text in pairs(hall(P .. 't:' .. c.run)) do
    if text then fields[#fields + 1] = field end
  end
  table.sort(fields)
  for _, field in ipairs(fields) do
    local e = entry_of(hget(P .. 't:' .. c.run, field))
    -- What is left to do of a run that stops is mostly not to begin, and that needs no room.
    local leaves = c.control == '2' and e.lane ~= '' and class_of(field) == 'c'
    if leaves and e.state == 'q' then pull(r, c.run, field, e) end
    if leaves and e.state == 'c' then
      leave_lane(field, e.lane)
      put_in_hand(r, e.x, hget(P .. 'w:' .. e.x, c.run .. ' ' .. field):match('^%d+'), c.run, field, '')
    end
    if leaves then e.lane = '' end
    if leaves and e.state == 'q' or hands_out(c.control) and e.state == 'h' then
      leave_line(e, c.run, field)
      push(r, c.run, field, e)
    elseif leaves then
      hset(P .. 't:' .. c.run, field, text_of(e))
    end
  end
end

local function queue(r, c, new)
  local field, lane = field_of(new.task, c.path), new.lane or ''
  if not (new.under_way or new.keep and hands_out(r.c)) then
    return insert(r, c.run, field, new.due, lane)
  end
  if not hget(P .. 'workers', c.worker) then hset(P .. 'strangers', c.worker, '1') end
  if not hget(P .. 't:' .. c.run, field) then
    hset(P .. 't:' .. c.run, field, 'c|1|' .. new.due .. '|0|0|' .. lane .. '|' .. c.worker)
    put_in_hand(r, c.worker, 0, c.run, field, lane)
  end
end

local function settle(r, tkey, c, entries)
  for i, s in ipairs(c.settle or {}) do
    forget(c.run, field_of(s[1], c.path), entries[i])
    if s[1] == 'm' then
      local mail = P .. 'm:' .. c.run
      local first, last, given = inbox(mail, c.path)
      if forget_mail(mail, c.path, math.min(given, last - first)) then
        insert(r, c.run, field_of('m', c.path), '0', '')
      end
    end
  end
  for _, task in ipairs(c.obsolete or {}) do
    local field = field_of(task, c.path)
    local e = entry_of(hget(tkey, field))
    if e and e.state == 'q' then pull(r, c.run, field, e) end
    if e then forget(c.run, field, e) end
  end
end

local function apply(c)
  local rkey, tkey, length = P .. 'r:' .. c.run, P .. 't:' .. c.run, 'l' .. c.path
  local r = hash(rkey).is
  if r.k == nil then hload(rkey, { 'k', 'c', 'v', 'p', 'y', length }) end
  local len = tonumber(hget(rkey, length) or 0)
  if is_known(rkey, c, len) then return { 'duplicate', tonumber(r.c), tonumber(r.v) } end
  local entries = settled(tkey, c)
  if not entries then
    incident('fenced', 1)
    return { 'fenced', 0, 0 }
  end
  if len ~= c.expected then return { 'conflict', len, 0 } end
  if c.at then hear(c.at) end
  local why = not r.k and admit(rkey, c)
  if why then return { why, 0, 0 } end
  if c.summary then summarise(rkey, c) end
  if c.control then set_control(r, rkey, c) end
  for _, message in ipairs(c.messages or {}) do
    if receive(P .. 'm:' .. c.run, c.path, message) then insert(r, c.run, field_of('m', message.to), '0', '') end
  end
  hset(rkey, 'j' .. c.expected .. ' ' .. c.path, c.record)
  hset(rkey, length, whole(len + c.count))
  settle(r, tkey, c, entries)
  for _, new in ipairs(c.queue or {}) do queue(r, c, new) end
  return { 'done', tonumber(r.c), tonumber(r.v) }
end

local function main()
  local answers, writes = {}, false
  for i, c in ipairs(ask.commits) do
    answers[i] = apply(c)
    writes = writes or answers[i][1] == 'done' or answers[i][1] == 'fenced'
  end
  return { answers = answers, writes = writes }
end

return step_by(main)
