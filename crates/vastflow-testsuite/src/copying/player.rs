//! A worker without code: what its calls answer follows from their names, so that two of them answer alike.

use super::plans;
use crate::fixture::{ALICE, LEASE, T0, name, op, payload, run_id};
use crate::rng::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::event::Item;
use vastflow_core::plan::NodeKind;
use vastflow_core::run::{Changes, Input, Peer, Reply, Start, StepError, TaskOutcome, Word};
use vastflow_core::{
    Codec, Failure, FailureKind, Payload, Plan, RunInfo, RunStarted, RunStatus, ScopeId, Seq, State, Task, Timestamp,
    codec,
};
use vastflow_store::{Claim, ClaimToken, Claimed, Commit, Committed, Control, Message, NewTask, RunQuery, Store};

/// More rounds than any of its runs takes.
const ENOUGH: usize = 5_000;

/// It plays runs of random plans on a store, as an engine would.
pub(super) struct Player {
    pub(super) store: Arc<dyn Store>,
    pub(super) now: Timestamp,
    /// All scopes that it has seen.
    pub(super) scopes: BTreeSet<ScopeId>,
    in_hand: Vec<Claimed>,
}

impl Player {
    pub(super) const fn new(store: Arc<dyn Store>, now: Timestamp) -> Self {
        Player { store, now, scopes: BTreeSet::new(), in_hand: Vec::new() }
    }

    /// Some runs of random plans.
    pub(super) async fn begin(store: Arc<dyn Store>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut player = Player::new(store, T0);
        for at in 0..4 {
            let plan = plans::plan(&mut rng, &format!("flow{at}"));
            player.store.put_plan(Arc::clone(&plan)).await.expect("put a plan");
            let mut start = Start::new(run_id(&format!("s{seed}-r{at}")));
            start.input = payload("7");
            start.queued = rng.chance(15);
            let labels = vec![("team".into(), format!("t{at}").into())];
            start.info = RunInfo { labels, lane: rng.chance(15).then(|| name("own")), ..RunInfo::default() };
            let id = ScopeId::root(start.run.clone());
            player.tell(&id, Input::Start(start), None, Some(plan)).await;
        }
        player
    }

    /// Plays for a while, with an operator who now and then stops, kills or pauses a run.
    pub(super) async fn play(&mut self, seed: u64) {
        let mut rng = Rng::new(!seed);
        for _ in 0..rng.below(60) {
            if rng.chance(4) {
                self.meddle(&mut rng).await;
            }
            self.claim(1 + rng.below(3)).await;
            for _ in 0..rng.below(4) {
                let at = rng.below(self.in_hand.len());
                if at < self.in_hand.len() {
                    let claimed = self.in_hand.remove(at);
                    self.answer(claimed).await;
                }
            }
        }
    }

    async fn meddle(&mut self, rng: &mut Rng) {
        let roots: Vec<ScopeId> = self.scopes.iter().filter(|scope| scope.is_root()).cloned().collect();
        let Some(root) = rng.pick(&roots) else { return };
        let (by, why) = ("tester".into(), "it is a test".into());
        let input = match rng.below(4) {
            0 => Input::Cancel { by, why },
            1 => Input::Kill { by, why },
            2 => Input::Pause { by, why },
            _ => self.go(),
        };
        self.tell(root, input, None, None).await;
    }

    /// Carries all runs to their ends; what waits for a person is answered.
    pub(super) async fn play_on(&mut self) {
        for _ in 0..ENOUGH {
            let due = self.claim(1_000).await;
            let mut tasks = std::mem::take(&mut self.in_hand);
            tasks.sort_by(|a, b| (&a.scope, a.task).cmp(&(&b.scope, b.task)));
            let was_idle = tasks.is_empty();
            for claimed in tasks {
                self.answer(claimed).await;
            }
            match due {
                _ if !was_idle => {}
                Some(due) if due > self.now => self.now = due,
                _ => {
                    if !self.unstick().await {
                        return;
                    }
                }
            }
        }
        panic!("it does not come to an end");
    }

    /// Answers what waits for a person; whether there was any run that had not ended.
    async fn unstick(&mut self) -> bool {
        let page = self.store.runs(&RunQuery::default()).await.expect("a list");
        let open: Vec<_> = page.rows.into_iter().filter(|row| !row.summary.status.is_final()).collect();
        for row in &open {
            let root = ScopeId::root(row.id.clone());
            let (by, why) = ("tester".into(), "it is to end".into());
            self.tell(&root, Input::Resume { by, why }, None, None).await;
            self.tell(&root, self.go(), None, None).await;
        }
        !open.is_empty()
    }

    /// A signal: nodes that wait for one take one each.
    fn go(&self) -> Input {
        Input::Signal { id: format!("go-{}", self.now.millis()).into(), name: name("go"), payload: payload("1") }
    }

    /// Takes what there is to do; gives when there will be more.
    async fn claim(&mut self, max: usize) -> Option<Timestamp> {
        self.now = self.now.plus(Duration::from_millis(1));
        let lanes = [(name("narrow"), 100), (name("own"), 100)];
        let ask = Claim { lanes: lanes.into(), ..Claim::new(ALICE, max, 1_000_000 * LEASE, self.now) };
        let claims = self.store.claim(ask).await.expect("a claim");
        self.in_hand.extend(claims.tasks);
        claims.next_due
    }

    async fn answer(&mut self, claimed: Claimed) {
        let Claimed { scope, task, token, messages, .. } = claimed;
        let (plan, state) = self.load(&scope).await;
        let input = match task {
            Task::Deliver => Input::Mail(messages.iter().filter_map(|said| heard(&plan, &scope, said)).collect()),
            Task::Admit => Input::Admit,
            task if task.is_timer() => Input::Timer(task),
            task if !state.may_start(&plan, task) => Input::NotStarted(task),
            task => Input::Outcome(outcome(&plan, &scope, task)),
        };
        self.tell(&scope, input, Some((task, token)), None).await;
    }

    async fn load(&self, scope: &ScopeId) -> (Arc<Plan>, State) {
        let row = self.store.run(scope.run()).await.expect("a run").expect("one that is there");
        let plan = self.store.plan(row.summary.started.plan).await.expect("a plan").expect("one that is there");
        let plan = plan.of_scope(scope).expect("a scope of it");
        let mut state = State::default();
        for recorded in self.store.history(scope, Seq::ZERO, usize::MAX).await.expect("a journal") {
            state.evolve(&plan, &recorded.event, recorded.at, &mut ()).expect("a journal that makes sense");
        }
        (plan, state)
    }

    /// Tells a scope something; what it does not wait for is passed over.
    async fn tell(
        &mut self,
        scope: &ScopeId,
        input: Input,
        settle: Option<(Task, ClaimToken)>,
        begins: Option<Arc<Plan>>,
    ) {
        let (plan, mut state) = match begins {
            Some(plan) => (plan, State::default()),
            None => self.load(scope).await,
        };
        let before = state.clone();
        let mut changes = Changes::default();
        let events = match state.step(&plan, input, self.now, &mut changes) {
            Ok(events) => events,
            Err(StepError::Rejected(_)) => return,
            Err(illegal) => panic!("{scope}: {illegal}"),
        };
        let begun = match scope.is_root() {
            true => Arc::clone(state.started().expect("it has begun")),
            false => self.store.run(scope.run()).await.expect("a run").expect("it is there").summary.started,
        };
        self.scopes.insert(scope.clone());
        let messages: Vec<Message> = changes.words.iter().map(|(to, word)| message(&plan, scope, to, word)).collect();
        self.scopes.extend(messages.iter().map(|message| message.to.clone()));
        let is_news = scope.is_root() && (before.is_empty() || before.status() != state.status());
        let matters = !state.status().is_final() || word(&before) == Control::Held;
        let commit = Commit {
            op: op(),
            scope: scope.clone(),
            expected: before.len(),
            at: self.now,
            worker: ALICE,
            settle: settle.into_iter().collect(),
            events,
            queue: changes.queue.iter().map(|(task, due)| queued(&begun, &plan, *task, *due)).collect(),
            obsolete: changes.obsolete,
            messages,
            control: Some(word(&state)).filter(|new| is_news && matters && word(&before) != *new),
            summary: is_news.then(|| state.summary(&plan)).flatten().map(Arc::new),
        };
        match self.store.commit(commit).await.expect("a commit") {
            // A task that became obsolete while it was in hand.
            Committed::Done { .. } | Committed::Fenced => {}
            other => panic!("{scope}: {other:?}"),
        }
    }
}

fn queued(begun: &RunStarted, plan: &Plan, task: Task, due: Timestamp) -> NewTask {
    NewTask { lane: begun.info.lane_of(plan, task).cloned(), ..NewTask::new(task, due) }
}

fn word(state: &State) -> Control {
    match state.status() {
        RunStatus::Paused => Control::Held,
        _ if state.outcome().is_some() => Control::Stopping,
        _ => Control::Running,
    }
}

fn message(plan: &Plan, scope: &ScopeId, to: &Peer, word: &Word) -> Message {
    let to = match to {
        Peer::Parent => scope.parent().expect("a scope around it").0,
        Peer::Child { node, key } => scope.child(&plan.node(*node).expect("a node of it").name, key),
    };
    let body = codec::encode_word(word).expect("a word in bytes");
    Message { to, kind: word.kind(), body: Payload::new(Codec::Bytes, body) }
}

fn heard(plan: &Plan, scope: &ScopeId, (from, message): &(ScopeId, Message)) -> Option<(Peer, Word)> {
    let word = codec::decode_word(message.body.bytes()).expect("a word");
    if scope.parent().is_some_and(|(parent, ..)| parent == *from) {
        return Some((Peer::Parent, word));
    }
    let (_, node, key) = from.parent()?;
    Some((Peer::Child { node: plan.find(node)?, key: key.into() }, word))
}

/// What a call answers: the same whenever and wherever it is made.
fn outcome(plan: &Plan, scope: &ScopeId, task: Task) -> TaskOutcome {
    let seed = format!("{scope} {task:?}").bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte));
    let mut rng = Rng::new(seed);
    let failed = |retryable| Reply::Failed { failure: Failure::new(FailureKind::Error, "on purpose"), retryable };
    let kind = task.node().and_then(|node| plan.node(node)).map(|spec| &spec.kind);
    let fails = rng.below(100);
    let reply = match (task, kind) {
        (Task::Undo { .. } | Task::Hook { .. }, _) => Reply::Done(Payload::null()),
        (Task::Poll { tick, .. }, _) if tick < 3 => Reply::Continue { cause: "not yet".into() },
        (Task::Attempt { .. }, _) if fails < 4 => failed(false),
        (Task::Attempt { attempt: 1, .. }, Some(NodeKind::River { .. })) if fails < 25 => {
            Reply::Retry { cause: "not yet".into() }
        }
        (Task::Attempt { .. }, Some(NodeKind::River { .. })) => Reply::Submitted,
        (Task::Attempt { attempt: 1, .. }, _) if fails < 25 => failed(true),
        (Task::Attempt { .. }, Some(NodeKind::Branch(_))) => {
            let keys = [vec!["a"], vec!["b"], vec!["a", "b"]];
            let keys = rng.pick(&keys).map_or(&[][..], |keys| keys).iter().map(|key| (*key).into());
            Reply::Chosen { keys: keys.collect(), input: None }
        }
        (Task::Attempt { .. }, Some(NodeKind::ForEach(_))) => {
            let item = |at: usize| Item { key: "".into(), input: payload(&at.to_string()) };
            Reply::Items { items: (0..1 + rng.below(4)).map(item).collect(), cursor: None }
        }
        _ => Reply::Done(payload(&rng.below(1_000).to_string())),
    };
    let writes = vec![(format!("k{}", rng.below(5)).into(), Some(payload("1")))];
    TaskOutcome { task, reply, writes, took: Duration::from_millis(3) }
}
