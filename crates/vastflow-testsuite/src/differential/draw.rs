//! Drawing commits: mostly good ones, and every kind of bad one.

use super::world::{Run, World};
use crate::fixture::{self, Story, attempt};
use crate::probe::ALL;
use std::time::Duration;
use vastflow_core::run::{Reply, TaskOutcome};
use vastflow_core::{Event, Failure, FailureKind, Input, RunInfo, RunOutcome, ScopeId, Seq, Task, Timestamp};
use vastflow_store::{ClaimToken, Claimed, Commit, Control, NewTask};

/// A commit, and what becomes of its run when it takes effect.
pub(super) struct Drawn {
    pub(super) commit: Commit,
    pub(super) then: Then,
}

pub(super) enum Then {
    /// A new run.
    Begins(Box<Run>),
    /// The run's root has gone on.
    Goes(usize, Box<Story>),
    /// One of its inner scopes has.
    Inner(usize, usize),
    /// Nothing that anybody counts on.
    Nothing,
}

impl World {
    pub(super) fn draw(&mut self) -> Drawn {
        let drawn = match self.rng.below(100) {
            0..=17 => self.draw_start(),
            18..=75 => self.draw_root(),
            76..=87 => self.draw_inner(),
            88..=94 => self.draw_repetition(),
            _ => self.draw_second_start(),
        };
        if self.rng.chance(12) { self.spoil(drawn) } else { drawn }
    }

    fn draw_start(&mut self) -> Drawn {
        let at = self.rng.below(self.plans.len());
        let mut story = Story::new(self.plans[at].clone(), &format!("r{}", self.next_run()));
        let labels = if self.rng.chance(50) { vec![("team".into(), "red".into())] } else { Vec::new() };
        let deadline = if self.rng.chance(20) { Some(self.soon()) } else { None };
        let priority = i8::try_from(self.rng.below(5)).unwrap_or(0) - 2;
        let key = self.rng.pick(&[None, None, Some("x"), Some("y")]).copied().flatten().map(fixture::name);
        let lane = self.rng.pick(&[None, None, None, Some("gpu")]).copied().flatten().map(fixture::name);
        story.queued = self.rng.chance(20);
        story.info = RunInfo { labels, priority, deadline, key, lane, ..RunInfo::default() };
        (story.now, story.worker) = (self.now, self.worker());
        let mut commit = story.start();
        self.embellish(&mut commit);
        Drawn { commit, then: Then::Begins(Box::new(Run { story, inner: Vec::new() })) }
    }

    /// Another start of a run that is there.
    fn draw_second_start(&mut self) -> Drawn {
        let mut drawn = self.draw_start();
        if let Some(run) = self.rng.pick(&self.runs) {
            drawn.commit.scope = run.story.scope.clone();
            drawn.then = Then::Nothing;
        }
        drawn
    }

    fn draw_root(&mut self) -> Drawn {
        let at = self.rng.below(self.runs.len());
        let Some(run) = self.runs.get(at) else { return self.draw_start() };
        let mut story = run.story.clone();
        (story.now, story.worker) = (self.now, self.worker());
        let drawn = match self.lease_of(&story.scope) {
            Some(lease) => self.answer(&mut story, &lease),
            None => self.speak(&mut story),
        };
        match drawn {
            Some(mut commit) => {
                self.embellish(&mut commit);
                Drawn { commit, then: Then::Goes(at, Box::new(story)) }
            }
            None => self.draw_inner(),
        }
    }

    fn lease_of(&mut self, scope: &ScopeId) -> Option<Claimed> {
        let of_scope: Vec<_> = self.leases.iter().filter(|lease| lease.scope == *scope).cloned().collect();
        if self.rng.chance(80) { self.rng.pick(&of_scope).cloned() } else { None }
    }

    /// Reports on a claimed task; a task that the run does not wait for any more must be fenced.
    fn answer(&mut self, story: &mut Story, lease: &Claimed) -> Option<Commit> {
        let told = match lease.task {
            Task::Deliver => self.speak(story),
            task => {
                let input = self.outcome(task);
                story.try_tell(input).ok()
            }
        };
        let stale = || fixture::commit(&story.scope, story.state.len().0);
        let mut commit = match (told, lease.task) {
            (Some(commit), _) => commit,
            (None, Task::Deliver) => return None,
            (None, _) => stale(),
        };
        commit.settle.push((lease.task, lease.token));
        Some(commit)
    }

    fn outcome(&mut self, task: Task) -> Input {
        match task {
            Task::Admit => return Input::Admit,
            task if task.is_timer() => return Input::Timer(task),
            _ => {}
        }
        let failed = |retryable| Reply::Failed { failure: Failure::new(FailureKind::Error, "by chance"), retryable };
        let reply = match self.rng.below(10) {
            0..=6 => Reply::Done(fixture::payload("1")),
            7..=8 => failed(true),
            _ => failed(false),
        };
        Input::Outcome(TaskOutcome { task, reply, writes: Vec::new(), took: Duration::ZERO })
    }

    /// Something that somebody without a claim may say.
    fn speak(&mut self, story: &mut Story) -> Option<Commit> {
        if self.rng.chance(8) {
            return story.try_tell(Input::Cancel { by: "me".into(), why: "by chance".into() }).ok();
        }
        let (task, _) = self.rng.pick(&story.outstanding()).copied()?;
        let input = self.outcome(task);
        let mut commit = story.try_tell(input).ok()?;
        commit.obsolete.push(task);
        Some(commit)
    }

    fn draw_inner(&mut self) -> Drawn {
        // A run ends after its inner scopes; what a store does with a later commit of one is its own business.
        let may_go_on = |run: &&Run| !run.inner.is_empty() && !run.story.state.status().is_final();
        let at = self.rng.below(self.runs.len());
        let Some(run) = self.runs.get(at).filter(may_go_on) else { return self.draw_start() };
        let which = self.rng.below(run.inner.len());
        let (scope, len) = run.inner[which].clone();
        let mut commit = fixture::commit(&scope, len);
        (commit.at, commit.worker) = (self.now, self.worker());
        commit.settle.extend(self.lease_of(&scope).map(|lease| (lease.task, lease.token)));
        commit.events = match self.rng.below(4) {
            0 => vec![Event::UndoRequested],
            1 | 2 => vec![Event::RunEnded { outcome: RunOutcome::Succeeded }],
            _ => commit.events,
        };
        if !self.survives_closing {
            let task = attempt(u32::try_from(self.rng.below(3)).unwrap_or(0), 1);
            let due = if self.rng.chance(30) { self.soon() } else { Timestamp::ZERO };
            commit.queue.push(NewTask::new(task, due));
        }
        self.embellish(&mut commit);
        commit.control = None;
        Drawn { commit, then: Then::Inner(at, which) }
    }

    fn draw_repetition(&mut self) -> Drawn {
        match self.rng.pick(&self.past) {
            Some(commit) => Drawn { commit: commit.clone(), then: Then::Nothing },
            None => self.draw_start(),
        }
    }

    /// What any commit may carry besides: kept tasks, messages, a control word.
    fn embellish(&mut self, commit: &mut Commit) {
        for new in &mut commit.queue {
            new.keep = new.task != Task::Admit && new.due <= self.now && self.rng.chance(30);
        }
        if self.rng.chance(25) {
            let kind = u32::try_from(self.rng.below(6)).unwrap_or(0);
            let to = self.receiver(&commit.scope);
            commit.messages.push(fixture::message(&to, kind));
        }
        if self.rng.chance(10) {
            let words = [Control::Held, Control::Running, Control::Running, Control::Running, Control::Stopping];
            commit.control = self.rng.pick(&words).copied();
        }
        if self.rng.chance(1) {
            commit.control = Some(Control::Killed);
        }
    }

    fn receiver(&mut self, from: &ScopeId) -> ScopeId {
        let root = ScopeId::root(from.run().clone());
        match self.rng.below(4) {
            0 => root,
            key => root.child(&fixture::name("each"), &key.to_string()),
        }
    }

    fn soon(&mut self) -> Timestamp {
        self.now.plus(Duration::from_millis(1 + self.rng.below(12_000) as u64))
    }

    /// Makes a commit one that, mostly, must not take effect.
    fn spoil(&mut self, mut drawn: Drawn) -> Drawn {
        let commit = &mut drawn.commit;
        commit.op = fixture::op();
        let len = self.model.ledger.history(&commit.scope, Seq::ZERO, ALL).len() as u64;
        match self.rng.below(7) {
            0 => commit.expected = Seq(len + 1),
            1 => commit.expected = Seq(len.checked_sub(1).unwrap_or(9)),
            2 => commit.settle.push((attempt(77, 1), ClaimToken::FIRST)),
            3 => commit.settle.iter_mut().for_each(|(_, token)| *token = ClaimToken(token.0 + 1)),
            4 => commit.settle.iter_mut().for_each(|(_, token)| *token = ClaimToken(token.0.saturating_sub(1))),
            5 => commit.events.clear(),
            _ => commit.messages.push(fixture::message(&fixture::root("elsewhere"), 1)),
        }
        drawn
    }
}
