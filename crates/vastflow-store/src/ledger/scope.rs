//! One scope: its journal, its tasks, its inbox.

use super::journal::{Append, Journal};
use super::queue::{Class, Place, Queue};
use super::tasks::Tasks;
use crate::commit::{ClaimToken, Commit, Message, NewTask};
use crate::work::WorkerId;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use vastflow_core::{Name, ScopeId, Task, Timestamp};

/// The most messages that one claim hands over.
const MESSAGES_A_CLAIM: usize = 512;
/// How many bytes their bodies may have together when there is more than one.
const BYTES_A_CLAIM: usize = 1 << 20;
/// How many workers must have died with a call in hand for it to be handed out alone. One death is mostly somebody
/// else's fault, and what the dead had in hand should go on at once.
const SUSPECT: u8 = 2;

/// A task that exists in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedTask {
    /// Which.
    pub task: Task,
    /// From when on it is visible.
    pub due: Timestamp,
    /// The token of its last claim, 0 before the first.
    pub token: ClaimToken,
    /// Where it stands.
    pub state: TaskState,
    /// How many workers died that had this call in hand.
    pub deaths: u8,
    /// How many of them had no other call in hand.
    pub crashes: u8,
}

/// What is known against a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// How many workers died that had it in hand.
    pub deaths: u8,
    /// How many of them had no other call in hand.
    pub crashes: u8,
}

impl Blame {
    /// Whether it is handed out alone.
    #[must_use]
    pub const fn is_suspect(self) -> bool {
        self.deaths >= SUSPECT
    }

    /// One more worker died that had it in hand, and perhaps no other call.
    #[must_use]
    pub const fn again(self, alone: bool) -> Self {
        let crashes = if alone { self.crashes.saturating_add(1) } else { self.crashes };
        Blame { deaths: self.deaths.saturating_add(1), crashes }
    }
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// In the queue, visible now or later.
    Queued {
        /// Finds it in the queue.
        ticket: u64,
    },
    /// Kept back because its run is held.
    Held,
    /// In the hands of a worker.
    Claimed {
        /// Which.
        by: WorkerId,
    },
}

#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) journal: Journal,
    tasks: Tasks,
    inbox: Option<Box<Inbox>>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    due: Timestamp,
    token: u32,
    /// How many workers died that had this call in hand.
    deaths: u8,
    /// How many of them had no other.
    crashes: u8,
    state: TaskState,
    lane: Option<Name>,
}

impl Entry {
    const fn new(due: Timestamp, token: u32, state: TaskState, lane: Option<Name>) -> Self {
        Entry { due, token, deaths: 0, crashes: 0, state, lane }
    }

    /// The lane in which it takes room, if it is in somebody's hands.
    fn room(&self, task: Task) -> &Option<Name> {
        match self.state {
            TaskState::Claimed { .. } if Class::of(task) == Class::Call => &self.lane,
            _ => &None,
        }
    }

    /// Where in the queue it stands.
    fn place(&self, run: &Place) -> Place {
        Place { lane: self.lane.clone(), alone: self.deaths >= SUSPECT, ..run.clone() }
    }
}

/// A task that a worker is given.
pub(super) struct Handed {
    pub(super) token: ClaimToken,
    /// How many workers died that had it in hand and no other call.
    pub(super) crashes: u8,
    /// For [`Task::Deliver`]: what other scopes say.
    pub(super) messages: Vec<(ScopeId, Message)>,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<(ScopeId, Message)>,
    /// How many of `waiting` the current claim was given.
    handed_over: usize,
    /// What waits, so that nothing waits twice.
    known: FxHashSet<(ScopeId, u32)>,
}

impl Scope {
    pub(super) fn holds(&self, task: Task, token: ClaimToken) -> bool {
        let entry = self.tasks.get(task);
        entry.is_some_and(|e| e.token == token.0 && matches!(e.state, TaskState::Claimed { .. }))
    }

    /// Where in the queue a task stands.
    pub(super) fn place_of(&self, task: Task, run: &Place) -> Option<Place> {
        self.tasks.get(task).map(|entry| entry.place(run))
    }

    /// Moves the commit's events to the end of the journal.
    pub(super) fn append(&mut self, commit: &mut Commit) {
        let events = std::mem::take(&mut commit.events);
        self.journal.push(Append { first: self.journal.len(), at: commit.at, op: commit.op, events });
    }

    /// Whether no task exists.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether nothing goes on in it and nothing is about to.
    pub(super) fn is_over(&self) -> bool {
        self.journal.has_ended() && self.is_idle() && !self.has_mail()
    }

    /// A task exists from now on, waiting in the queue. One that exists already stays as it is.
    pub(super) fn insert(&mut self, id: &ScopeId, task: Task, due: Timestamp, place: &Place, queue: &mut Queue) {
        self.tasks.insert_with(task, || {
            let ticket = queue.push(id, task, due, place);
            Entry::new(due, 0, TaskState::Queued { ticket }, place.lane.clone())
        });
    }

    /// A task exists from now on, in the hands of `by`.
    pub(super) fn keep(&mut self, new: &NewTask, by: WorkerId, queue: &mut Queue) {
        let NewTask { task, due, lane, .. } = new;
        let state = TaskState::Claimed { by };
        self.tasks.insert_with(*task, || {
            let entry = Entry::new(*due, ClaimToken::FIRST.0, state, lane.clone());
            queue.enter_lane(entry.room(*task));
            entry
        });
    }

    /// A task is answered. The inbox lets go of what it handed over with it, and is delivered again if more came.
    pub(super) fn settle(&mut self, id: &ScopeId, task: Task, place: &Place, queue: &mut Queue) {
        if let Some(entry) = self.tasks.remove(task) {
            queue.leave_lane(entry.room(task));
        }
        let Some(inbox) = self.inbox.as_mut().filter(|_| task == Task::Deliver) else { return };
        inbox.forget(inbox.handed_over);
        inbox.handed_over = 0;
        if inbox.waiting.is_empty() {
            self.inbox = None;
        } else {
            self.insert(id, Task::Deliver, Timestamp::ZERO, place, queue);
        }
    }

    /// A task exists no more, whoever holds it.
    pub(super) fn remove(&mut self, task: Task, place: &Place, queue: &mut Queue) {
        let Some(entry) = self.tasks.remove(task) else { return };
        if let TaskState::Queued { ticket } = entry.state {
            queue.remove(task, entry.due, ticket, &entry.place(place));
        }
        queue.leave_lane(entry.room(task));
    }

    /// The worker that has a call in hand died; whether it had no other call.
    pub(super) fn suspect(&mut self, task: Task, was_alone: bool) {
        if let Some(entry) = self.tasks.get_mut(task).filter(|_| task.takes_slot()) {
            entry.deaths = entry.deaths.saturating_add(1);
            entry.crashes = entry.crashes.saturating_add(u8::from(was_alone));
        }
    }

    /// The calls that wait.
    pub(super) fn queued_calls(&self) -> impl Iterator<Item = Task> {
        self.tasks_in(|state| !matches!(state, TaskState::Claimed { .. })).into_iter().filter(|task| task.takes_slot())
    }

    /// Sets what is known against a call, and moves it to where it stands then; false when there is no such call.
    pub(super) fn blame(&mut self, id: &ScopeId, task: Task, blame: Blame, run: &Place, queue: &mut Queue) -> bool {
        let Some(entry) = self.tasks.get_mut(task).filter(|_| task.takes_slot()) else { return false };
        let before = entry.place(run);
        (entry.deaths, entry.crashes) = (blame.deaths, blame.crashes);
        if let TaskState::Queued { ticket } = entry.state {
            queue.remove(task, entry.due, ticket, &before);
            entry.state = TaskState::Queued { ticket: queue.push(id, task, entry.due, &entry.place(run)) };
        }
        true
    }

    /// Hands a queued task to a worker; none when it is not queued.
    pub(super) fn claim(&mut self, task: Task, by: WorkerId, queue: &mut Queue) -> Option<Handed> {
        let entry = self.tasks.get_mut(task).filter(|e| matches!(e.state, TaskState::Queued { .. }))?;
        entry.token += 1;
        entry.state = TaskState::Claimed { by };
        queue.enter_lane(entry.room(task));
        let (token, crashes) = (ClaimToken(entry.token), entry.crashes);
        let messages = match self.inbox.as_mut().filter(|_| task == Task::Deliver) {
            Some(inbox) => inbox.hand_over(),
            None => Vec::new(),
        };
        Some(Handed { token, crashes, messages })
    }

    /// Calls that queue in a lane queue in the common one from now on.
    pub(super) fn leave_lanes(&mut self, id: &ScopeId, place: &Place, queue: &mut Queue) {
        let is_in_lane = |(task, entry): &(Task, &Entry)| entry.lane.is_some() && Class::of(*task) == Class::Call;
        let in_lanes: Vec<Task> = self.tasks.iter().filter(is_in_lane).map(|(task, _)| task).collect();
        for task in in_lanes {
            let Some(entry) = self.tasks.get_mut(task) else { continue };
            queue.leave_lane(entry.room(task));
            let before = entry.place(place);
            entry.lane = None;
            if let TaskState::Queued { ticket } = entry.state {
                queue.remove(task, entry.due, ticket, &before);
                entry.state = TaskState::Queued { ticket: queue.push(id, task, entry.due, &entry.place(place)) };
            }
        }
    }

    /// Where a task stands, if it exists.
    pub(super) fn state_of(&self, task: Task) -> Option<TaskState> {
        self.tasks.get(task).map(|entry| entry.state)
    }

    /// Keeps a task back.
    pub(super) fn hold(&mut self, task: Task) {
        if let Some(entry) = self.tasks.get_mut(task) {
            entry.state = TaskState::Held;
        }
    }

    /// Queues again what was kept back.
    pub(super) fn unhold(&mut self, id: &ScopeId, place: &Place, queue: &mut Queue) {
        let held: Vec<Task> = self.tasks_in(|state| state == TaskState::Held);
        held.into_iter().for_each(|task| self.give_back(id, task, place, queue));
    }

    /// A task goes back into the queue. Its token stays, so that the next claim's is higher.
    pub(super) fn give_back(&mut self, id: &ScopeId, task: Task, place: &Place, queue: &mut Queue) {
        if let Some(entry) = self.tasks.get_mut(task) {
            queue.leave_lane(entry.room(task));
            let ticket = queue.push(id, task, entry.due, &entry.place(place));
            entry.state = TaskState::Queued { ticket };
        }
    }

    pub(super) fn tasks_in(&self, wanted: impl Fn(TaskState) -> bool) -> Vec<Task> {
        self.tasks.iter().filter(|(_, entry)| wanted(entry.state)).map(|(task, _)| task).collect()
    }

    /// The calls that exist, with their lanes and where they stand.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&Option<Name>, TaskState)> {
        let calls = self.tasks.iter().filter(|(task, _)| Class::of(*task) == Class::Call);
        calls.map(|(_, entry)| (&entry.lane, entry.state))
    }

    /// The tasks that are in the hands of workers.
    pub(super) fn claimed(&self) -> impl Iterator<Item = (Task, WorkerId)> {
        self.tasks.iter().filter_map(|(task, entry)| match entry.state {
            TaskState::Claimed { by } => Some((task, by)),
            _ => None,
        })
    }

    pub(super) fn tasks(&self) -> Vec<QueuedTask> {
        let show = |(task, entry): (Task, &Entry)| QueuedTask {
            task,
            due: entry.due,
            token: ClaimToken(entry.token),
            state: entry.state,
            deaths: entry.deaths,
            crashes: entry.crashes,
        };
        self.tasks.iter().map(show).collect()
    }

    /// How many messages the current claim of [`Task::Deliver`] was given.
    pub(super) fn handed_over(&self) -> usize {
        self.inbox.as_ref().map_or(0, |inbox| inbox.handed_over)
    }

    /// The oldest `count` messages were delivered.
    pub(super) fn forget_delivered(&mut self, count: usize) {
        if let Some(inbox) = &mut self.inbox {
            inbox.forget(count);
        }
    }

    /// Whether messages wait in the inbox.
    pub(super) fn has_mail(&self) -> bool {
        self.inbox.as_ref().is_some_and(|inbox| !inbox.waiting.is_empty())
    }

    /// Takes in a message; false when one of its kind and sender waits already.
    pub(super) fn receive(&mut self, from: &ScopeId, message: Message) -> bool {
        let inbox = self.inbox.get_or_insert_default();
        let is_new = inbox.known.insert((from.clone(), message.kind));
        if is_new {
            inbox.waiting.push_back((from.clone(), message));
        }
        is_new
    }
}

impl Inbox {
    /// The oldest `count` messages wait no more.
    fn forget(&mut self, count: usize) {
        for (from, message) in self.waiting.drain(..count.min(self.waiting.len())) {
            self.known.remove(&(from, message.kind));
        }
    }

    /// The oldest messages, as many as one claim may give; at least one.
    fn hand_over(&mut self) -> Vec<(ScopeId, Message)> {
        let mut bytes = 0;
        let oldest = self.waiting.iter().take(MESSAGES_A_CLAIM).enumerate();
        let fitting = oldest.take_while(|(at, (_, message))| {
            bytes += message.body.bytes().len();
            *at == 0 || bytes <= BYTES_A_CLAIM
        });
        let given: Vec<_> = fitting.map(|(_, one)| one.clone()).collect();
        self.handed_over = given.len();
        given
    }
}
