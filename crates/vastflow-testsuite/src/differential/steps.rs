//! The steps: each does one thing to the store and to the model, and compares the answers.

use super::draw::{Drawn, Then};
use super::world::World;
use crate::fixture::{self, LEASE, lease};
use crate::probe::ALL;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::{PlanHash, ScopeId, Timestamp};
use vastflow_store::{
    Claim, ClaimToken, Claimed, Claims, Commit, Committed, Doomed, Heartbeat, Keep, LaneLimit, Lease, Prune, Rate,
    TaskState, WindowOf, WorkerInfo,
};

/// What a commit was answered, with errors as their codes.
type Outcome = Result<Committed, String>;

/// How often a store may fail to answer before the test gives up.
const PATIENCE: usize = 1_000;

impl World {
    pub(super) async fn step(&mut self, number: usize) -> Result<(), String> {
        match self.rng.below(100) {
            0..=59 => self.commit().await?,
            60..=75 => self.claim().await?,
            76..=81 => self.release().await?,
            82..=86 => self.beat().await?,
            87..=91 => self.sweep().await?,
            92..=94 => self.wait(),
            95..=96 => self.prune().await?,
            _ if self.survives_closing => self.reopen().await?,
            _ => self.wait(),
        }
        if number % 16 == 15 { self.compare().await } else { Ok(()) }
    }

    fn wait(&mut self) {
        let moment = self.rng.pick(&self.moments).copied().unwrap_or(self.now);
        self.now = if self.rng.chance(50) && moment > self.now {
            // Exactly then, or just before: there the mistakes are.
            Timestamp::from_millis(moment.millis() - u64::from(self.rng.chance(50)))
        } else {
            let longest = if self.rng.chance(20) { 30_000 } else { 2_000 };
            self.now.plus(Duration::from_millis(self.rng.below(longest) as u64))
        };
        self.moments.retain(|moment| *moment > self.now);
        self.note(format!("now it is {}", self.now));
    }

    /// A batch of one commit, or of several of different scopes.
    async fn commit(&mut self) -> Result<(), String> {
        let size = if self.rng.chance(70) { 1 } else { 2 + self.rng.below(5) };
        let mut batch: Vec<Drawn> = Vec::new();
        for _ in 0..size {
            let drawn = self.draw();
            if batch.iter().all(|other| other.commit.scope != drawn.commit.scope) {
                batch.push(drawn);
            }
        }
        let commits: Vec<Commit> = batch.iter().map(|drawn| drawn.commit.clone()).collect();
        let wanted: Vec<Outcome> = commits.iter().map(|commit| self.tell_model(commit.clone())).collect();
        let found = self.submit(commits).await?;
        for ((drawn, wanted), found) in batch.into_iter().zip(wanted).zip(found) {
            self.note(in_short(&drawn.commit, &wanted));
            agree(&wanted, found).map_err(|why| format!("{why}, for {:#?}", drawn.commit))?;
            self.count(&wanted);
            if let Ok(Committed::Done { .. }) = wanted {
                self.took_effect(drawn);
            }
        }
        Ok(())
    }

    fn tell_model(&mut self, mut commit: Commit) -> Outcome {
        let wanted = self.model.apply(&mut commit).map_err(|error| error.code().to_owned());
        // What was held and goes on again stands in no certain order.
        self.order_is_known &= commit.control.is_none();
        wanted
    }

    /// Submits until every commit was answered. Says of each whether it had to be repeated.
    async fn submit(&mut self, commits: Vec<Commit>) -> Result<Vec<(Outcome, bool)>, String> {
        for attempt in 0..PATIENCE {
            let answer = self.probe.batch(commits.clone()).await;
            let ops: Vec<_> = answer.iter().map(|(commit, _)| commit.op).collect();
            let asked: Vec<_> = commits.iter().map(|commit| commit.op).collect();
            if ops != asked {
                return Err(format!("answers to {ops:?}, asked were {asked:?}"));
            }
            if !answer.iter().any(|(_, answer)| answer.as_ref().is_err_and(|error| error.is_transient())) {
                let outcome = |answer: Result<Committed, vastflow_store::StoreError>| {
                    (answer.map_err(|error| error.code().to_owned()), attempt > 0)
                };
                return Ok(answer.into_iter().map(|(_, answer)| outcome(answer)).collect());
            }
            self.tally.retried += 1;
        }
        Err(format!("no answer after {PATIENCE} attempts"))
    }

    fn took_effect(&mut self, drawn: Drawn) {
        let Drawn { commit, then } = drawn;
        let settled =
            |lease: &Claimed| lease.scope == commit.scope && commit.settle.contains(&(lease.task, lease.token));
        // Some answered leases are remembered, to be answered again.
        let forget = self.rng.chance(80);
        self.leases.retain(|lease| !(forget && settled(lease)));
        self.remember_kept(&commit);
        match then {
            Then::Begins(run) => self.runs.push(*run),
            Then::Goes(at, story) => self.runs[at].story = *story,
            Then::Inner(at, which) => self.runs[at].inner[which].1 += 1,
            Then::Nothing => {}
        }
        for message in &commit.messages {
            self.remember_scope(&message.to);
        }
        self.past.push(commit);
    }

    fn remember_scope(&mut self, scope: &ScopeId) {
        let run = self.runs.iter_mut().find(|run| run.story.scope.run() == scope.run());
        if let Some(run) = run.filter(|run| !scope.is_root() && run.inner.iter().all(|(known, _)| known != scope)) {
            run.inner.push((scope.clone(), 0));
        }
    }

    fn remember_kept(&mut self, commit: &Commit) {
        let is_kept = |task| commit.queue.iter().any(|new| new.keep && new.task == task);
        let (Some(row), tasks) = (self.model.ledger.run(commit.scope.run()), self.model.ledger.tasks(&commit.scope))
        else {
            return;
        };
        let mine = tasks.iter().filter(|queued| queued.state == TaskState::Claimed { by: commit.worker });
        self.leases.extend(mine.filter(|queued| is_kept(queued.task)).map(|queued| Claimed {
            scope: commit.scope.clone(),
            task: queued.task,
            token: ClaimToken::FIRST,
            lane: None,
            crashes: 0,
            plan: row.summary.started.plan,
            len: row.len,
            control: row.control,
            messages: Vec::new(),
        }));
    }

    /// Claims: some while the order is known; else all, of which some are given back in an order of our own.
    async fn claim(&mut self) -> Result<(), String> {
        let max = if self.order_is_known { self.rng.below(6) } else { ALL };
        let except: Vec<PlanHash> = match self.rng.pick(&self.plans).map(|plan| plan.hash()) {
            Some(plan) if self.rng.chance(20) => vec![plan],
            _ => Vec::new(),
        };
        let alone = self.rng.chance(25);
        let ask = Claim { except: except.into(), alone, ..Claim::new(self.worker(), max, LEASE, self.now) };
        let mut ask = self.with_room(ask);
        self.take_turn(&mut ask);
        let (mut wanted, mut found) = match (self.claim_from_model(&ask), self.claim_from_store(&ask).await) {
            (Ok(wanted), Ok(found)) => (wanted, found),
            (wanted, found) => {
                self.note(format!("{:?} claims late: {:?}", ask.worker, ask.turn));
                self.tally.late += 1;
                return same("claim", &wanted.map(|claims| claims.tasks), &found.map(|claims| claims.tasks));
            }
        };
        // Which of them comes first is not certain then, so all of them are asked for.
        while alone && !self.order_is_known && wanted.alone_waits && found.alone_waits {
            ask.turn = ask.turn.map(|turn| turn.answered().next());
            take_in(&mut wanted, self.claim_from_model(&ask)?);
            take_in(&mut found, self.claim_from_store(&ask).await?);
        }
        let is_lost = self.answer_is_lost(&ask);
        let words = if is_lost { "and does not hear" } else { "and is given" };
        let tasks = in_words(&wanted.tasks);
        self.note(format!("{:?} claims {max} at {}, {:?}, {words} {tasks}", ask.worker, ask.now, ask.turn));
        if !self.order_is_known {
            sort(&mut wanted);
            sort(&mut found);
        }
        same("claim: tasks", &wanted.tasks, &found.tasks)?;
        same("claim: alone waits", &wanted.alone_waits, &found.alone_waits)?;
        if !self.anything_is_held() {
            same("claim: more", &wanted.more, &found.more)?;
            same("claim: next due", &wanted.next_due, &found.next_due)?;
            same("claim: windows", &wanted.windows, &found.windows)?;
        }
        self.moments.extend(wanted.next_due.into_iter().chain([self.now.plus(LEASE)]));
        if is_lost {
            self.tally.unheard += wanted.tasks.len() as u64;
            return Ok(());
        }
        self.tally.claimed += wanted.tasks.len() as u64;
        self.tally.messages += wanted.tasks.iter().map(|claimed| claimed.messages.len() as u64).sum::<u64>();
        let keep = if self.order_is_known { wanted.tasks.len() } else { self.rng.below(wanted.tasks.len() + 1) };
        let back: Vec<Lease> = wanted.tasks.drain(keep..).map(|claimed| lease(&claimed)).collect();
        self.leases.extend(wanted.tasks);
        self.give_back(&back).await
    }

    /// The next turn of who claims, or, as if it had been held up on its way, one that was there already.
    fn take_turn(&mut self, ask: &mut Claim) {
        if !self.loses_answers {
            return;
        }
        let last = self.turns.get(&ask.worker).copied().unwrap_or_default();
        let is_late = last.number > 0 && self.rng.chance(5);
        let turn = if is_late { last } else { last.next() };
        self.turns.insert(ask.worker, turn);
        // Where what was lost goes back to is not certain.
        self.order_is_known &= turn.heard + 1 == turn.number;
        ask.turn = Some(turn);
    }

    /// Whether the answer to a claim does not arrive.
    fn answer_is_lost(&mut self, ask: &Claim) -> bool {
        let Some(turn) = ask.turn else { return false };
        let is_lost = self.rng.chance(20);
        self.turns.insert(ask.worker, if is_lost { turn } else { turn.answered() });
        is_lost
    }

    /// Lanes, limits and windows; where it is not certain which tasks come first, with room for all.
    fn with_room(&mut self, ask: Claim) -> Claim {
        let gpu = fixture::name("gpu");
        if !self.order_is_known {
            let lanes = if self.rng.chance(80) { [(gpu, ALL)].into() } else { [].into() };
            return Claim { lanes, ..ask };
        }
        let at_once = self.rng.chance(50).then(|| self.rng.below(5));
        let every = Duration::from_millis(1 + self.rng.below(3_000) as u64);
        let rate = self.rng.chance(50).then(|| Rate { burst: 1 + self.rng.below(4) as u32, every });
        let flow = self.rng.pick(&self.plans).map(|plan| plan.flow().clone()).unwrap_or_else(|| gpu.clone());
        let all = [WindowOf::All, WindowOf::Flow(flow.clone()), WindowOf::KeyOf(flow)];
        let windows: Vec<_> =
            all.into_iter().filter_map(|of| self.rng.chance(40).then(|| (of, self.rng.below(6)))).collect();
        Claim {
            lanes: [(gpu.clone(), self.rng.below(6))].into(),
            limits: [LaneLimit { lane: gpu, at_once, rate }].into(),
            windows: windows.into(),
            ..ask
        }
    }

    fn claim_from_model(&mut self, ask: &Claim) -> Result<Claims, String> {
        self.model.ledger.claim(ask).map_err(|error| error.code().to_owned())
    }

    async fn claim_from_store(&self, ask: &Claim) -> Result<Claims, String> {
        self.probe.store().claim(ask.clone()).await.map_err(|error| error.code().to_owned())
    }

    fn anything_is_held(&self) -> bool {
        let row = |run: &super::world::Run| self.model.ledger.run(run.story.scope.run());
        self.runs.iter().filter_map(row).any(|row| !row.control.control.hands_out())
    }

    /// Gives back some claims, current or not.
    async fn release(&mut self) -> Result<(), String> {
        let some: Vec<Lease> = (0..self.rng.below(4)).filter_map(|_| self.rng.pick(&self.leases).map(lease)).collect();
        self.note(format!("release of {some:?}"));
        self.order_is_known &= some.is_empty();
        self.give_back(&some).await
    }

    async fn give_back(&mut self, leases: &[Lease]) -> Result<(), String> {
        self.model.ledger.release(leases);
        self.probe.store().release(leases).await.map_err(|error| format!("release: {error}"))
    }

    async fn beat(&mut self) -> Result<(), String> {
        let name = self.rng.pick(&[None, None, Some("red"), Some("blue")]).copied().flatten().map(fixture::name);
        let about = Arc::new(WorkerInfo { name, slots: self.rng.below(9), ..WorkerInfo::here() });
        let lease = if self.rng.chance(10) { Duration::ZERO } else { LEASE };
        let beat = Heartbeat { worker: self.worker(), about, lease, now: self.now };
        self.note(format!("{beat:?}"));
        let wanted = self.model.ledger.heartbeat(&beat).map_err(|error| error.code().to_owned());
        for _ in 0..PATIENCE {
            match self.probe.store().heartbeat(beat.clone()).await {
                Err(error) if error.is_transient() => self.tally.retried += 1,
                found => return same("heartbeat", &wanted, &found.map_err(|error| error.code().to_owned())),
            }
        }
        Err(format!("no heartbeat after {PATIENCE} attempts"))
    }

    async fn sweep(&mut self) -> Result<(), String> {
        let wanted = self.model.ledger.sweep(self.now, ALL);
        let found = self.probe.store().sweep(self.now, ALL).await.map_err(|error| format!("sweep: {error}"))?;
        self.note(format!("sweep at {}: {wanted:?}", self.now));
        self.order_is_known &= wanted.tasks == 0;
        self.tally.swept += wanted.tasks as u64;
        same("sweep", &wanted, &found)
    }

    /// Deletes what is over: some runs by name, or what a rule does not keep.
    async fn prune(&mut self) -> Result<(), String> {
        let named: Vec<_> =
            (0..3).filter_map(|_| self.rng.pick(&self.runs).map(|run| run.story.scope.run().clone())).collect();
        let since = Timestamp::from_millis(self.now.millis() - self.rng.below(5_000) as u64);
        let flow = self.rng.pick(&self.plans).map(|plan| plan.flow().clone());
        let (flow, except) = match self.rng.below(3) {
            0 => (flow, Vec::new()),
            1 => (None, flow.into_iter().collect()),
            _ => (None, Vec::new()),
        };
        let (ended_since, newest) =
            (self.rng.chance(50).then_some(since), self.rng.chance(50).then_some(self.rng.below(30)));
        let which = match self.rng.below(2) {
            0 => Doomed::Runs(named),
            _ => Doomed::Old(Keep { flow, except, ended_since, newest }),
        };
        let ask = Prune { which, limit: ALL };
        let wanted = self.model.prune(&ask);
        let mut runs = 0;
        loop {
            let pruned = self.probe.store().prune(&ask).await.map_err(|error| format!("prune: {error}"))?;
            runs += pruned.runs;
            if !pruned.more {
                break;
            }
        }
        self.note(format!("prune of {ask:?}: {wanted:?}"));
        self.tally.pruned += runs as u64;
        let ledger = &self.model.ledger;
        let is_there = |scope: &ScopeId| ledger.run(scope.run()).is_some();
        self.runs.retain(|run| is_there(&run.story.scope));
        self.past.retain(|commit| is_there(&commit.scope));
        self.leases.retain(|lease| is_there(&lease.scope));
        same("prune", &wanted.runs, &runs)
    }

    async fn reopen(&mut self) -> Result<(), String> {
        self.note("reopen");
        self.probe = self.probe.clone().reopen().await;
        self.order_is_known = false;
        self.tally.reopened += 1;
        if !self.probe.store().capabilities().fleet {
            self.model.reopen().map_err(|error| format!("reopen: {error}"))?;
        }
        self.compare().await
    }
}

/// What one claim more gave.
fn take_in(claims: &mut Claims, more: Claims) {
    claims.tasks.extend(more.tasks);
    claims.alone_waits = more.alone_waits;
}

fn sort(claims: &mut Claims) {
    claims.tasks.sort_unstable_by(|a, b| (&a.scope, a.task).cmp(&(&b.scope, b.task)));
}

fn agree(wanted: &Outcome, (found, is_repeated): (Outcome, bool)) -> Result<(), String> {
    match (wanted, &found) {
        // The answer before was lost, and the word may have changed since.
        (Ok(Committed::Done { .. } | Committed::Duplicate { .. }), Ok(Committed::Duplicate { .. })) if is_repeated => {
            Ok(())
        }
        _ => same("commit", wanted, &found),
    }
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, found: &T) -> Result<(), String> {
    if wanted == found {
        Ok(())
    } else {
        Err(format!("{what}: {wanted:#?} was expected, but the store says {found:#?}"))
    }
}

fn in_short(commit: &Commit, answer: &Outcome) -> String {
    let events: Vec<_> = commit.events.iter().map(vastflow_core::Event::name).collect();
    let Commit { op, scope, expected, settle, queue, obsolete, control, messages, worker, .. } = commit;
    let messages: Vec<_> = messages.iter().map(|message| (message.to.to_string(), message.kind)).collect();
    format!(
        "{scope} at {expected}: {events:?} {op:?} by {worker:?}, settles {settle:?}, queues {queue:?}, obsolete {obsolete:?}, \
         sends {messages:?}, says {control:?}: {answer:?}"
    )
}

fn in_words(tasks: &[Claimed]) -> String {
    let each = tasks.iter().map(|claimed| format!("{} {:?} #{}", claimed.scope, claimed.task, claimed.token.0));
    each.collect::<Vec<_>>().join(", ")
}
