-- Runs, tasks and workers as they are kept, and what every script may do with them.

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

---------------------------------------------------------------- runs that wait in line

-- Runs wait in a line for each plan and key. Their plan's `heads` has the keys that somebody waits with, each by a rank that
-- is not behind that of its first run: so a claim looks at as many keys as it lets runs in. A key whose window is full is
-- set aside among the heads of that window, until one of its runs ends or goes back into line: who tells a smaller window
-- does not look at it, who tells a larger one does. `full` has, by key, its windows and ranks by plan. `line` counts who
-- waits, those that are held among them; `lines`, by plan, those that can be let in.
local LINE, LINES, FULL = P .. 'line', P .. 'lines', P .. 'full'

local function heads_of(plan, window)
  return P .. 'heads:' .. plan .. (window and ':' .. window or '')
end

-- What runs are counted as: all, those of a flow, and those of a flow that have the same key.
local function count_crowds(key, of, by)
  count(key, '', by)
  count(key, of.f, by)
  if of.x then count(key, of.f .. ' ' .. of.x, by) end
end

local function crowds_of(run)
  return hload(P .. 'r:' .. run, { 'f', 'x' })
end

local function crowd_of(of)
  return of.f .. ' ' .. (of.x or '')
end

-- A key has room again: who waits with it is looked at.
local function make_room(of)
  local aside = of.x and hget(FULL, crowd_of(of))
  if not aside then return end
  for plan, window, rank in aside:gmatch('(%d+):(%d+):(%d+)') do
    zset(heads_of(plan, window), of.x, false)
    zset(heads_of(plan), of.x, rank)
  end
  hset(FULL, crowd_of(of), false)
end

-- The window for which a key of a plan is set aside, and its rank; nothing when it is not.
local function aside_of(of, plan)
  return (hget(FULL, crowd_of(of)) or ''):match('%f[%d]' .. plan .. ':(%d+):(%d+)')
end

-- A key of a plan is set aside for a window, with a rank; without one it is there no more.
local function put_aside(of, plan, window, rank)
  local others = (hget(FULL, crowd_of(of)) or ''):gsub('%f[%d]' .. plan .. ':%d+:%d+ ', '')
  local text = others .. (rank and plan .. ':' .. window .. ':' .. rank .. ' ' or '')
  hset(FULL, crowd_of(of), text ~= '' and text)
  zset(heads_of(plan, window), of.x, rank)
end

-- A run waits in line, at its end.
local function join_line(run, plan, rank)
  local of = crowds_of(run)
  count(LINES, '', 1)
  count(LINES, plan, 1)
  count_crowds(LINE, of, 1)
  local window, before = aside_of(of, plan)
  if not window then
    before = zscore(heads_of(plan), of.x or '')
    if not before or tonumber(rank) < before then zset(heads_of(plan), of.x or '', rank) end
  elseif tonumber(rank) < tonumber(before) then
    put_aside(of, plan, window, rank)
  end
end

-- A run waits no more. That its key has no other is found out by the next claim.
local function leave_line(run, plan)
  count(LINES, '', -1)
  count(LINES, plan, -1)
  count_crowds(LINE, crowds_of(run), -1)
end

---------------------------------------------------------------- what can be claimed

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
  if field == 'l' then
    zset(P .. 'q:' .. kind, member, rank)
    join_line(run, r.p, rank)
    if not hget(P .. 'kinds', 'a' .. r.p) then hset(P .. 'kinds', 'a' .. r.p, AT_ONCE) end
  elseif due > 0 and due > visible_by() then
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
  if field == 'l' then
    zset(P .. 'q:' .. kind, member, false)
    leave_line(run, r.p)
    return
  end
  if e.due ~= '0' then zset(P .. 'l:' .. kind, e.x .. ' ' .. member, false) end
  take_out(kind, member)
end

-- A task exists from now on, waiting in the queue. One that exists already stays as it is.
local function insert(r, run, field, due, lane)
  if task_get(run, field) then return end
  count(P .. 'r:' .. run, 'n', 1)
  push(r, run, field, { token = 0, due = due, deaths = 0, crashes = 0, lane = lane })
end

-- The lanes of calls that somebody may be waiting in.
local waiting_in

local function waits_in(lane)
  if not waiting_in then
    waiting_in = {}
    for kind in pairs(hall(P .. 'kinds')) do
      local class, _, of = parts_of_kind(kind)
      if class == 'c' or class == 's' then waiting_in[of] = true end
    end
  end
  return waiting_in[lane] or false
end

-- A call of a lane is in somebody's hands now.
local function enter_lane(field, lane)
  if lane ~= '' and class_of(field) == 'c' then count(P .. 'lanes', lane, 1) end
end

-- A call of a lane is in nobody's hands any more: who waits there may be handed out.
local function leave_lane(field, lane)
  if lane == '' or class_of(field) ~= 'c' then return end
  count(P .. 'lanes', lane, -1)
  news = news or waits_in(lane)
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
  if field == 'l' then make_room(crowds_of(run)) end
end

-- A task exists no more.
local function forget(r, run, field, e)
  take_from_hand(r, e, run, field)
  if e.state == 'h' and field == 'l' then count_crowds(LINE, crowds_of(run), -1) end
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
