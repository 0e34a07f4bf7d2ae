//! Random plans, random answers in random order, at random times: whatever happens, the laws hold.
//!
//! A case is a list of numbers from which all choices are drawn; where the list ends every choice is the simplest one
//! (one node, no options, success), so that a failing case shrinks to a small one. The numbers are the same in every
//! run; `PROPTEST_CASES=100000 cargo test --release -p vastflow-core` looks further.

use crate::dsl::{Run, event_text, name, payload_text, payloads_kept, result};
use core::cell::Cell;
use core::time::Duration;
use proptest::collection::vec;
use proptest::num::u16::ANY;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use vastflow_core::plan::{EdgeSpec, HookSpec, NodeKind, NodeSpec, PlanSpec, PollPolicy, Source};
use vastflow_core::retry::RetryPolicy;
use vastflow_core::run::{Changes, NodeStatus, Rejection, Start, TaskOutcome};
use vastflow_core::{
    Codec, Event, Failure, FailureKind, Hook, Input, NodeIx, Payload, Plan, Reply, RunId, RunOutcome, RunStatus, Task,
    Timestamp,
};

const CASES: u32 = 2_000;
/// More than any case needs: 12 nodes, each with a handful of attempts and polls.
const MAX_STEPS: usize = 1_000;

/// Runs `case` on many lists of numbers, the same ones every time.
pub(crate) fn for_many(cases: u32, case: impl Fn(&mut Choices<'_>)) {
    let asked = Config::default();
    let cases = if asked.cases == 256 { cases } else { asked.cases };
    let config = Config { cases, failure_persistence: None, ..asked };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&vec(ANY, 0..320), |numbers| {
        case(&mut Choices::of(&numbers));
        Ok::<(), TestCaseError>(())
    });
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}

/// A source of choices: a list, and 0, the simplest, when it has run dry; or a seed, which never does.
pub(crate) struct Choices<'a> {
    numbers: &'a [u16],
    at: usize,
    seed: Option<u64>,
}

impl<'a> Choices<'a> {
    pub(crate) const fn of(numbers: &'a [u16]) -> Self {
        Choices { numbers, at: 0, seed: None }
    }

    pub(crate) const fn endless(seed: u64) -> Self {
        Choices { numbers: &[], at: 0, seed: Some(seed) }
    }

    /// How many were made.
    pub(crate) const fn made(&self) -> usize {
        self.at
    }

    pub(crate) fn number(&mut self) -> u16 {
        let at = self.at;
        self.at += 1;
        match self.seed {
            Some(seed) => mixed(seed, at as u64),
            None => self.numbers.get(at).copied().unwrap_or(0),
        }
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.number()) * end / (usize::from(u16::MAX) + 1)
    }

    /// Rarely: one time in `many`.
    pub(crate) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    pub(crate) fn seconds(&mut self, end: usize) -> Duration {
        Duration::from_secs(self.below(end) as u64)
    }

    /// A time limit of a node: some time, because none at all is refused.
    pub(crate) fn limit(&mut self, end: usize) -> Duration {
        self.seconds(end).max(Duration::from_millis(1))
    }
}

/// The number at a place of a seed's list (Steele and others' SplitMix64, 2014).
fn mixed(seed: u64, at: u64) -> u16 {
    let mut z = seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add((at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z >> 48) as u16
}

fn random_plan(choices: &mut Choices<'_>, options: bool) -> Plan {
    let mut spec = PlanSpec::new(name("flow"));
    let count = 1 + choices.below(12);
    for at in 0..count {
        let mut node = random_node(choices, at);
        if options && node.kind != NodeKind::Gate {
            random_options(choices, &mut node);
        }
        spec.nodes.push(node);
    }
    if choices.once_in(4) {
        spec.outputs.push(name("n0"));
    }
    if options {
        spec.timeout = choices.once_in(4).then(|| choices.seconds(8));
        spec.on_failure = choices.once_in(2).then(|| random_hook(choices));
        spec.finally = choices.once_in(2).then(|| random_hook(choices));
    }
    if choices.once_in(3) {
        spec.nodes.reverse();
    }
    Plan::new(spec).unwrap()
}

fn random_node(choices: &mut Choices<'_>, at: usize) -> NodeSpec {
    let kind = match choices.below(8) {
        0..5 => NodeKind::Task,
        5 | 6 => NodeKind::River {
            poll: PollPolicy { times: u32::from(choices.number() % 4), interval: choices.seconds(3) },
        },
        _ => NodeKind::Gate,
    };
    let is_gate = kind == NodeKind::Gate;
    let mut node = NodeSpec::new(name(&format!("n{at}")), kind);
    let parents = choices.number() & choices.number();
    let order = choices.number() & choices.number();
    for parent in (0..at).filter(|parent| parents >> parent & 1 == 1) {
        let mut edge = EdgeSpec::data(Source::Node(name(&format!("n{parent}"))));
        edge.order_only = is_gate || order >> parent & 1 == 1;
        node.inputs.push(edge);
    }
    if !is_gate && order & 1 << 15 == 0 {
        node.inputs.push(EdgeSpec::data(Source::Input));
    }
    if choices.once_in(8) {
        node.inputs.extend(node.inputs.first().cloned());
    }
    node
}

fn random_options(choices: &mut Choices<'_>, node: &mut NodeSpec) {
    node.retry = random_retry(choices);
    node.timeout = choices.once_in(4).then(|| choices.limit(5));
    node.rescue = choices.once_in(4);
    node.atomic = choices.once_in(4);
}

fn random_retry(choices: &mut Choices<'_>) -> RetryPolicy {
    let policy = RetryPolicy::times(u32::from(choices.number() % 3)).every(choices.seconds(3));
    if choices.once_in(4) { policy.exponential(Duration::from_millis(700)).jitter(40) } else { policy }
}

fn random_hook(choices: &mut Choices<'_>) -> HookSpec {
    HookSpec { retry: random_retry(choices), ..HookSpec::default() }
}

fn start(choices: &mut Choices<'_>) -> Input {
    let mut start = Start::new(RunId::new(format!("run-{}", choices.number())).unwrap());
    start.input = Payload::new(Codec::Bytes, "x");
    start.info.deadline = choices.once_in(6).then(|| Timestamp::ZERO.plus(choices.seconds(9)));
    Input::Start(start)
}

#[test]
fn whatever_happens_the_laws_hold_and_the_run_ends() {
    let ends = Cell::new([0; 3]);
    for_many(CASES, |choices| {
        let mut world = World::new(random_plan(choices, true));
        world.tell(start(choices));
        for _ in 0..MAX_STEPS {
            if world.run.state.status().is_final() {
                break;
            }
            world.something_happens(choices);
        }
        let mut counts = ends.get();
        counts[world.check_the_end() as usize - RunStatus::Succeeded as usize] += 1;
        ends.set(counts);
    });
    let [succeeded, failed, stopped] = ends.get();
    assert!(succeeded > 100 && failed > 100 && stopped > 100, "the cases are lopsided: {:?}", ends.get());
}

/// A run, with what was seen of it from outside.
struct World {
    run: Run,
    /// The last task that was answered.
    answered: Option<Task>,
    cancels: usize,
}

impl World {
    fn new(plan: Plan) -> Self {
        World { run: Run::new(plan), answered: None, cancels: 0 }
    }

    /// An input that must be accepted. `Run::step` checks the two laws and the codec.
    fn tell(&mut self, input: Input) {
        let (before, at) = (self.run.queue.clone(), self.run.recorded_at());
        let was = self.run.state.status();
        let (events, changes) = self.run.step(input).unwrap_or_else(|why| panic!("{why}"));
        self.check_what_was_queued(&changes);
        if was == RunStatus::Running && self.run.state.outcome().is_some_and(|end| end != RunOutcome::Succeeded) {
            self.check_who_was_told(&before, at, &events[0], &changes);
        }
    }

    fn something_happens(&mut self, choices: &mut Choices<'_>) {
        if choices.once_in(16) {
            return self.cancel();
        }
        if choices.once_in(8) {
            self.something_impossible(choices);
        }
        self.run.lag = Duration::from_millis(500 * choices.below(3) as u64);
        let now = self.run.now;
        let due: Vec<Task> = self.run.queue.iter().filter(|(_, due)| **due <= now).map(|(task, _)| *task).collect();
        if due.is_empty() || choices.once_in(8) {
            let next = self.run.queue.values().filter(|due| **due > now).min();
            self.run.now = next.copied().unwrap_or(now);
            return;
        }
        let task = due[choices.below(due.len())];
        let left_over = !self.run.state.may_start(&self.run.plan, task);
        if task.is_timer() {
            self.tell(Input::Timer(task));
        } else if left_over && !choices.once_in(2) {
            self.tell(Input::NotStarted(task));
        } else {
            let reply = self.reply(choices, task);
            self.tell(outcome(task, reply, self.writes(choices)));
        }
        self.answered = Some(task);
    }

    fn cancel(&mut self) {
        let going = self.run.state.status() == RunStatus::Running && !self.run.queue.keys().any(is_hook);
        self.cancels += 1;
        let input = Input::Cancel { by: "ops".into(), why: format!("reason {}", self.cancels).into() };
        match going {
            true => self.tell(input),
            false if self.run.state.status() == RunStatus::Running => {
                assert_eq!(self.run.step(input), Err(Rejection::Finishing));
            }
            false => assert_eq!(self.run.step(input), Err(Rejection::AlreadyStopping)),
        }
    }

    /// Inputs that must be rejected; that nothing changes is checked by `Run::step`.
    fn something_impossible(&mut self, choices: &mut Choices<'_>) {
        if let Some(task) = self.answered {
            let again = if task.is_timer() { Input::Timer(task) } else { outcome(task, Reply::Submitted, Vec::new()) };
            assert_eq!(self.run.step(again), Err(Rejection::Stale(task)), "answered twice");
        }
        let tasks: Vec<Task> = self.run.queue.keys().copied().collect();
        let task = tasks[choices.below(tasks.len())];
        let unfit = match task {
            Task::Attempt { node, .. } if self.run.plan.node(node).unwrap().is_river() => Reply::Done(Payload::null()),
            Task::Attempt { .. } | Task::Poll { .. } | Task::Rescue { .. } | Task::Hook { .. } => {
                Reply::Retry { cause: "".into() }
            }
            _ => Reply::Submitted,
        };
        let unfit = if matches!(task, Task::Attempt { .. }) && matches!(unfit, Reply::Retry { .. }) {
            Reply::Continue { cause: "".into() }
        } else {
            unfit
        };
        assert!(matches!(self.run.step(outcome(task, unfit, Vec::new())), Err(Rejection::Misfit { .. })), "{task:?}");
        if self.run.state.may_start(&self.run.plan, task) {
            assert_eq!(self.run.step(Input::NotStarted(task)), Err(Rejection::Stale(task)));
        }
    }

    fn reply(&self, choices: &mut Choices<'_>, task: Task) -> Reply {
        let is_flow = matches!(task, Task::Attempt { node, .. } if self.run.plan.node(node).unwrap().is_river());
        let cause = "not yet".into();
        match (choices.below(16), task) {
            (11 | 12, _) if is_flow => Reply::Retry { cause },
            (11 | 12, Task::Poll { .. }) => Reply::Continue { cause },
            (13.., _) => {
                let failure = Failure::new(FailureKind::Error, "boom");
                Reply::Failed { failure, retryable: !choices.once_in(4) }
            }
            _ if is_flow => Reply::Submitted,
            _ => Reply::Done(result(&self.run.plan, &self.run.state, task)),
        }
    }

    fn writes(&self, choices: &mut Choices<'_>) -> vastflow_core::Writes {
        let value = |n: usize| (n > 0).then(|| Payload::new(Codec::Bytes, format!("{n}")));
        if choices.once_in(3) {
            vec![(format!("k{}", choices.below(2)).into(), value(choices.below(3)))]
        } else {
            vec![]
        }
    }

    /// Nothing starts before its parents, and in a stopping run nothing but atomic nodes and hooks.
    fn check_what_was_queued(&self, changes: &Changes) {
        let (plan, state) = (&self.run.plan, &self.run.state);
        for (task, _) in &changes.queue {
            if let Task::Attempt { node, attempt: 1 } = *task {
                let waits = plan.node(node).unwrap().inputs.iter().filter_map(|edge| parent(plan, edge));
                for from in waits {
                    assert_eq!(state.node_status(from), Some(NodeStatus::Succeeded), "{task:?} before {from:?}");
                }
                let values = state.inputs(plan, node);
                assert!(values.iter().all(|(from, value)| is_complete(plan, *from, value)), "{task:?} lacks an input");
            }
            let atomic = task.node().is_some_and(|node| plan.node(node).unwrap().atomic);
            let new_is_fine = state.status() == RunStatus::Running || atomic || is_hook(task);
            assert!(new_is_fine, "{task:?} is new in a stopping run");
        }
    }

    /// When a run begins to stop, what waits is dropped and what may be running is told, except atomic nodes.
    fn check_who_was_told(&self, before: &BTreeMap<Task, Timestamp>, at: Timestamp, event: &Event, changes: &Changes) {
        let concerned = |task: &Task| {
            let node = task.node().filter(|node| !task.is_timer() && Some(*node) != event.node());
            node.is_some_and(|node| !self.run.plan.node(node).unwrap().atomic)
        };
        let of_others = |tasks: &[Task]| tasks.iter().copied().filter(concerned).collect::<BTreeSet<_>>();
        let split = |waits: bool| {
            let concerned = before.iter().filter(|(task, due)| concerned(task) && (**due > at) == waits);
            concerned.map(|(task, _)| *task).collect::<BTreeSet<_>>()
        };
        assert_eq!(of_others(&changes.cancel), split(false), "told to cancel");
        assert_eq!(of_others(&changes.obsolete), split(true), "dropped");
    }

    /// What must be true of every run that is over, told from its journal alone.
    fn check_the_end(&self) -> RunStatus {
        let (plan, state) = (&self.run.plan, &self.run.state);
        let events: Vec<&Event> = self.run.journal.iter().map(|recorded| &recorded.event).collect();
        assert!(state.status().is_final(), "the run did not end within {MAX_STEPS} steps");
        assert!(self.run.queue.is_empty(), "tasks are left");
        assert_eq!(state.outcome(), Some(told_by(plan, &events)), "{:?}", texts(plan, &events));
        assert_eq!(count(&events, |event| matches!(event, Event::RunEnded { .. })), 1);
        for node in (0..plan.len()).map(|at| NodeIx(u32::try_from(at).unwrap())) {
            self.check_node_at_the_end(node, &events);
        }
        let stopped = state.status() != RunStatus::Succeeded && !ended_in_finally(&events);
        for (hook, due) in [(Hook::OnFailure, stopped), (Hook::Finally, true)] {
            let wanted = usize::from(due && plan.spec().hook(hook).is_some());
            assert_eq!(
                count(&events, |event| is_last_word_of(hook, event)),
                wanted,
                "{hook:?}: {:?}",
                texts(plan, &events)
            );
        }
        let kept = if state.status() == RunStatus::Succeeded { outputs_with_code(plan) } else { 0 };
        assert_eq!(payloads_kept(state), kept, "payloads that nobody needs");
        state.status()
    }

    fn check_node_at_the_end(&self, node: NodeIx, events: &[&Event]) {
        let of = |events: &[&Event], name: &str| count(events, |e| e.node() == Some(node) && e.name() == name);
        let one = |name| of(events, name);
        let results = one("NodeSucceeded") + one("NodeFailed") + one("NodeDropped");
        let rescued = one("RescueFailed") + usize::from(one("NodeFailed") == 1 && one("NodeSucceeded") == 1);
        let rescue_dropped = usize::from(one("NodeFailed") == 1 && one("NodeDropped") == 1);
        let gate = self.run.plan.node(node).unwrap().kind == NodeKind::Gate;
        match self.run.state.node_status(node).unwrap() {
            NodeStatus::Succeeded if gate => assert_eq!(results, 0),
            NodeStatus::Succeeded => assert_eq!((one("NodeSucceeded"), results), (1, 1 + rescued)),
            NodeStatus::Failed => assert_eq!((one("NodeFailed"), results), (1, 1)),
            NodeStatus::Dropped => assert!(results <= 1 + rescue_dropped && one("NodeSucceeded") == 0),
            other => panic!("{node:?} is {other} at the end"),
        }
    }
}

/// Whether a value that flows into a node is what its parent gave: the stubs give text, rivers and gates null.
fn is_complete(plan: &Plan, from: Option<NodeIx>, value: &Payload) -> bool {
    let task = from.is_none_or(|node| plan.node(node).unwrap().kind == NodeKind::Task);
    task == (*value != Payload::null())
}

fn parent(plan: &Plan, edge: &EdgeSpec) -> Option<NodeIx> {
    match &edge.from {
        Source::Node(name) => plan.find(name),
        Source::Input => None,
    }
}

fn is_hook(task: &Task) -> bool {
    matches!(task, Task::Hook { .. })
}

fn outcome(task: Task, reply: Reply, writes: vastflow_core::Writes) -> Input {
    Input::Outcome(TaskOutcome { task, reply, writes, took: Duration::from_micros(7) })
}

fn count(events: &[&Event], wanted: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| wanted(event)).count()
}

fn texts(plan: &Plan, events: &[&Event]) -> Vec<String> {
    events.iter().map(|event| event_text(plan, event)).collect()
}

fn is_last_word_of(hook: Hook, event: &Event) -> bool {
    match event {
        Event::HookDone { hook: of, .. } | Event::HookFailed { hook: of, retry_at: None, .. } => *of == hook,
        _ => false,
    }
}

fn ended_in_finally(events: &[&Event]) -> bool {
    events.iter().any(|event| {
        matches!(event, Event::RunEnded { outcome: RunOutcome::Failed(f) } if f.failure.kind == FailureKind::Hook)
    })
}

/// Results that the run keeps: gates give nothing to keep.
fn outputs_with_code(plan: &Plan) -> usize {
    plan.outputs().iter().filter(|node| plan.node(**node).unwrap().kind != NodeKind::Gate).count()
}

/// How a run with these events must have ended: the first reason counts, a hook's failure only if there is no other.
fn told_by(plan: &Plan, events: &[&Event]) -> RunOutcome {
    let failed = |node: Option<NodeIx>, failure: &Failure| {
        let node = node.map(|node| plan.node(node).unwrap().name.clone());
        RunOutcome::Failed(vastflow_core::RunFailure { node, failure: failure.clone() })
    };
    let reason = events.iter().find_map(|event| match event {
        Event::CancelRequested { by, why } => Some(RunOutcome::Stopped { by: by.clone(), why: why.clone() }),
        Event::NodeFailed { node, failure, .. } if !plan.node(*node).unwrap().rescue => {
            Some(failed(Some(*node), failure))
        }
        Event::RescueFailed { node, failure, .. } => Some(failed(Some(*node), failure)),
        Event::RunTimedOut => events.iter().find_map(|event| match event {
            Event::RunEnded { outcome } => Some(outcome.clone()),
            _ => None,
        }),
        Event::HookFailed { hook: Hook::Finally, failure, retry_at: None, .. } => {
            Some(failed(None, &Failure { kind: FailureKind::Hook, ..failure.clone() }))
        }
        _ => None,
    });
    reason.unwrap_or(RunOutcome::Succeeded)
}

#[test]
fn when_all_goes_well_the_output_is_what_a_plain_evaluation_gives_in_whatever_order() {
    for_many(500, |choices| {
        let mut run = Run::new(random_plan(choices, false));
        run.step(start(choices)).unwrap();
        while !run.state.status().is_final() {
            let tasks = run.queue.iter().map(|(task, due)| (*task, *due)).filter(|(task, _)| !task.is_timer());
            let tasks: Vec<(Task, Timestamp)> = tasks.collect();
            let (task, due) = tasks[choices.below(tasks.len())];
            let is_flow = matches!(task, Task::Attempt { node, .. } if run.plan.node(node).unwrap().is_river());
            let reply = if is_flow { Reply::Submitted } else { Reply::Done(result(&run.plan, &run.state, task)) };
            run.now = run.now.max(due);
            run.step(outcome(task, reply, Vec::new())).unwrap();
        }
        let output = run.state.output(&run.plan).unwrap();
        assert_eq!(payload_text(&output), evaluate(&run.plan));
    });
}

/// The run's output by plain recursion: no state, no order, no events.
fn evaluate(plan: &Plan) -> String {
    match plan.outputs() {
        [only] => value(plan, *only),
        several => {
            let part = |node: &NodeIx| {
                let spec = plan.node(*node).unwrap();
                let value = value(plan, *node);
                if spec.kind == NodeKind::Task {
                    format!("{:?}:{value:?}", spec.name)
                } else {
                    format!("{:?}:null", spec.name)
                }
            };
            format!("{{{}}}", several.iter().map(part).collect::<Vec<_>>().join(","))
        }
    }
}

fn value(plan: &Plan, node: NodeIx) -> String {
    let spec = plan.node(node).unwrap();
    if spec.kind != NodeKind::Task {
        return "null".into();
    }
    let inputs = spec.inputs.iter().filter(|edge| !edge.order_only);
    let values: Vec<_> = inputs.map(|edge| parent(plan, edge).map_or("x".into(), |from| value(plan, from))).collect();
    format!("{}({})", spec.name, values.join(","))
}
