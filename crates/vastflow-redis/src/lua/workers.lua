-- Who is alive, and what they give back: heartbeats, releases, sweeps.

-- How often it is noted, in milliseconds, that the server is at work.
local PULSE = 200

-- Leases are judged by time in which somebody was heard. After a gap of half a lease or more (the server stood still, or
-- its clock was set forward) those that had not ended before it are counted anew, once.
local function at_work(now)
  local last, workers = tonumber(meta.last or 0), P .. 'workers'
  local gap = now - last
  if frame.is_virtual or gap >= 0 and gap < PULSE then return end
  for id, text in pairs(hall(workers)) do
    local upto, lease, turn, name, is_anew = worker_of(text)
    if not is_anew and upto > last and upto < now + lease and lease <= 2 * gap then
      hset(workers, id, text_of_worker(now + lease, lease, turn, name, true))
    end
  end
  hset(META, 'last', whole(now))
end

local function beat()
  local now = time_told()
  hear(whole(now))
  at_work(now)
  local workers = P .. 'workers'
  for other, text in pairs(ask.name ~= '' and hall(workers) or {}) do
    local upto, _, _, name = worker_of(text)
    if other ~= ask.worker and name == ask.name and upto > now then
      return { refused = hget(P .. 'about', other), now = whole(now) }
    end
  end
  local before = hget(workers, ask.worker)
  local others = redis.call('HLEN', workers) - (before and 1 or 0)
  local turn = before and select(3, worker_of(before)) or 0
  hset(workers, ask.worker, text_of_worker(now + ask.lease, ask.lease, turn, ask.name))
  hset(P .. 'about', ask.worker, ask.about)
  return { was_lost = not before, has_others = others > 0, now = whole(now), writes = true }
end

local function release()
  for _, lease in ipairs(ask.leases or {}) do
    local run, field = lease.run, field_of(lease.task, lease.path)
    local e = entry_of(task_get(run, field))
    if e and e.state == 'c' and e.token == lease.token then give_back(run, field, e) end
  end
  return { writes = news }
end

-- Workers whose lease has ended, and those that kept tasks without counting as alive; at most `ask.limit`.
local function dead(now)
  local found, workers = {}, hall(P .. 'workers')
  for id, text in pairs(workers) do
    local upto, lease = worker_of(text)
    -- Where the store did not answer for a while, nobody could extend a lease.
    if upto <= now and (frame.is_virtual or ask.served >= lease) then found[#found + 1] = id end
  end
  for id in pairs(hall(P .. 'strangers')) do
    if workers[id] then hset(P .. 'strangers', id, false) else found[#found + 1] = id end
  end
  table.sort(found)
  for i = #found, ask.limit + 1, -1 do found[i] = nil end
  return found
end

-- The tasks in the hands of these workers, in the order in which their runs began.
local function lost_by(ids)
  local lost = {}
  for _, id in ipairs(ids) do
    local calls, from = 0, #lost + 1
    for run, tasks in pairs(in_the_hands_of(id)) do
      local key = tonumber(hload(P .. 'r:' .. run, RUN).k)
      for field, e in pairs(tasks) do
        calls = calls + (class_of(field) == 'c' and 1 or 0)
        lost[#lost + 1] = { run = run, field = field, e = e, key = key }
      end
    end
    local text = hget(P .. 'workers', id)
    local said_goodbye = text and select(2, worker_of(text)) == 0
    for i = from, #lost do lost[i].was_alone, lost[i].said_goodbye = calls == 1, said_goodbye end
  end
  table.sort(lost, function(a, b)
    if a.key ~= b.key then return a.key < b.key end
    return a.field < b.field
  end)
  return lost
end

local function give_up(id)
  for _, list in ipairs({ 'workers', 'about', 'strangers' }) do
    if hget(P .. list, id) then hset(P .. list, id, false) end
  end
end

local function sweep()
  local now = time_told()
  hear(whole(now))
  at_work(now)
  -- Asked before the store went away for a while: what its lists say of others is as old as that.
  if not frame.is_virtual and now - ask.asked > ask.patience then return { workers = 0, tasks = 0, now = whole(now) } end
  local ids = dead(now)
  local lost = lost_by(ids)
  for _, l in ipairs(lost) do
    if class_of(l.field) == 'c' and not l.said_goodbye then
      l.e.deaths = math.min(255, l.e.deaths + 1)
      l.e.crashes = math.min(255, l.e.crashes + (l.was_alone and 1 or 0))
    end
    give_back(l.run, l.field, l.e)
  end
  for _, id in ipairs(ids) do give_up(id) end
  if #lost > 0 then incident('taken_over', #lost) end
  return { workers = #ids, tasks = #lost, now = whole(now), writes = #ids > 0 }
end

local VERBS = { beat = beat, release = release, sweep = sweep }

return step_by(VERBS[frame.verb])
