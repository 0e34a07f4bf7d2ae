-- Claims: to whom there is room for, the best first.

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
  for kind, what in pairs(hall(P .. 'kinds')) do
    local class, plan = parts_of_kind(kind)
    if class == 'a' then in_line[#in_line + 1] = plan else lines[#lines + 1] = line_of(kind, what) end
  end
  claim_internal()
  local windows, is_cut_short = claim_admits()
  local has_room, given = claim_calls()
  if is_cut_short and #claimed == 0 then return { again = true, writes = true } end
  spend(given)
  local more, alone_waits = is_cut_short, false
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
