//! Whole runs, all scopes of them: random plans, random answers and words in random order, crashes and words that come
//! twice, judged by an evaluator that knows nothing of how the core works ([`oracle`]).
//!
//! A case is drawn as in [`property`](crate::property), and shrinks the same way. To look further than a test run does:
//! `PROPTEST_CASES=1000000 cargo test --release -p vastflow-core --test core whole`.

mod oracle;
mod plans;
mod world;

use crate::dsl::{Bug, Run, event_text, payload_text};
use crate::property::{Choices, for_many};
use core::cell::Cell;
use oracle::{Values, fits, in_scope, is_handled, may_be_given_up, needed_before, of_scope};
use plans::Case;
pub(crate) use plans::random_case;
use std::collections::{BTreeMap, BTreeSet};
use vastflow_core::plan::{Join, NodeKind};
use vastflow_core::run::NodeStatus;
use vastflow_core::{Event, FailureKind, Hook, NodeIx, RunOutcome, RunStatus};
pub(crate) use world::Tally;
use world::{Scope, World, children, inner, nodes};

const CASES: u32 = 600;
const WILD_CASES: u32 = 300;

#[test]
fn a_run_gives_what_a_plain_evaluation_gives_whatever_the_order() {
    let ends = Cell::new([0; 2]);
    for_many(CASES, |choices| {
        let went_well = one(choices, false, None).went_well;
        let mut counts = ends.get();
        counts[usize::from(went_well)] += 1;
        ends.set(counts);
    });
    let [failed, succeeded] = ends.get();
    assert!(failed > 50 && succeeded > 50, "the cases are lopsided: {:?}", ends.get());
}

#[test]
fn whatever_anybody_does_at_any_time_the_run_and_all_in_it_end() {
    for_many(WILD_CASES, |choices| {
        one(choices, true, None);
    });
}

/// What came of one case.
pub(crate) struct Played {
    pub(crate) went_well: bool,
    pub(crate) scopes: u64,
    pub(crate) tally: Tally,
}

/// Plays a wild case and shows all scopes of it.
pub(crate) fn each_run(choices: &mut Choices<'_>, see: impl FnMut(&Run)) {
    let case = random_case(choices, true);
    let mut world = World::with(&case, choices, true, None);
    world.play(choices);
    world.scopes.values().map(|scope| &scope.run).for_each(see);
}

/// Draws a case, plays it to its end and judges it. Wild: with all that somebody may do at any time, so that only what
/// must always hold can be foretold.
pub(crate) fn one(choices: &mut Choices<'_>, wild: bool, bug: Option<Bug>) -> Played {
    let case = random_case(choices, wild);
    let _shown = Shown(&case);
    let mut world = World::with(&case, choices, wild, bug);
    world.play(choices);
    let judge = Judge { world: &world };
    if wild {
        world.scopes.keys().for_each(|path| judge.has_ended(path));
    } else {
        judge.all();
    }
    let went_well = world.scopes[""].run.state.status() == RunStatus::Succeeded;
    Played { went_well, scopes: world.scopes.len() as u64, tally: world.tally }
}

/// Shows the plan of a case that fails.
struct Shown<'a>(&'a Case);

impl Drop for Shown<'_> {
    #[expect(clippy::print_stdout, reason = "shown only when the case fails")]
    fn drop(&mut self) {
        if std::thread::panicking() && !crate::sim::is_quiet() {
            println!("plan {}\nfates {:?}", self.0.plan.to_json(), self.0.fates);
        }
    }
}

struct Judge<'a> {
    world: &'a World<'a>,
}

impl Judge<'_> {
    fn scope(&self, path: &str) -> &Scope {
        &self.world.scopes[path]
    }

    fn values<'b>(&'b self, path: &'b str) -> Values<'b> {
        Values { case: self.world.case, world: self.world, path }
    }

    fn all(&self) {
        for path in self.world.scopes.keys() {
            self.has_ended(path);
            self.is_as_foretold(path);
            self.has_the_right_values(path);
            self.context_is_right(path);
        }
        self.is_undone("", !self.scope("").went_well());
    }

    /// What must be true of every scope in the end, whatever happened.
    fn has_ended(&self, path: &str) {
        let scope = self.scope(path);
        let (state, plan) = (&scope.run.state, &scope.run.plan);
        assert!(state.status().is_final(), "{path:?} never ends: {state:?}");
        assert!(scope.run.queue.is_empty(), "{path:?} leaves tasks");
        assert!(!state.needs_attention(), "{path:?} waits for an operator for ever");
        let events: Vec<&Event> = scope.run.journal.iter().map(|recorded| &recorded.event).collect();
        let count = |wanted: &dyn Fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        let reopened = count(&|event| matches!(event, Event::UndoRequested));
        assert_eq!(count(&|event| matches!(event, Event::RunEnded { .. })), 1 + reopened, "{path:?}");
        for node in nodes(plan) {
            let of = |name: &str| count(&|event| event.node() == Some(node) && event.name() == name);
            assert!(of("NodeSucceeded") <= 1 && of("NodeFailed") <= 1 && of("BranchChosen") <= 1, "{path:?} {node:?}");
            assert!(of("Undone") <= 1, "{path:?} {node:?} is undone twice");
            let ends = events.iter().filter_map(|event| match event {
                Event::ChildEnded { node: of, key, .. } if *of == node => Some(key),
                _ => None,
            });
            let mut seen = BTreeSet::new();
            assert!(ends.into_iter().all(|key| seen.insert(key)), "a scope of {node:?} ends twice");
            let status = scope.status(node);
            assert!(
                matches!(
                    status,
                    NodeStatus::Succeeded
                        | NodeStatus::Failed
                        | NodeStatus::Skipped
                        | NodeStatus::Dropped
                        | NodeStatus::Undone
                ),
                "{path:?} {node:?} is {status} at the end"
            );
        }
        let killed = count(&|event| matches!(event, Event::Killed { .. })) > 0;
        let by_hook = matches!(state.outcome(), Some(RunOutcome::Failed(why)) if why.failure.kind == FailureKind::Hook);
        for (hook, due) in [(Hook::OnFailure, !scope.went_well() && !by_hook), (Hook::Finally, true)] {
            let done = count(&|event| last_word_of(hook, event));
            let wanted = usize::from(due && plan.spec().hook(hook).is_some());
            assert!(done == wanted || killed && done <= wanted, "{hook:?}: {:?}", self.story(path));
        }
    }

    fn story(&self, path: &str) -> Vec<String> {
        let run = &self.scope(path).run;
        run.journal.iter().map(|recorded| event_text(&run.plan, &recorded.event)).collect()
    }

    /// The end of a scope, and of its nodes, is one of those that the plan and the fates allow.
    fn is_as_foretold(&self, path: &str) {
        let scope = self.scope(path);
        let (plan, case) = (&scope.run.plan, self.world.case);
        if !scope.told.contains("cancel") && !scope.told.contains("kill") {
            let may = of_scope(case, plan, path);
            let allowed = if scope.went_well() { may.succeed } else { may.fail };
            assert!(allowed, "{path:?} must not end so, {may:?}: {:?}", self.story(path));
        }
        let fates = in_scope(case, plan, path);
        for node in nodes(plan) {
            let status = scope.status(node);
            let may = fates[&node];
            match status {
                NodeStatus::Succeeded => assert!(may.succeed, "{path:?} {node:?}: {:?}", self.story(path)),
                // In a scope that stops no attempt is made again, nor of a node that nobody needs.
                NodeStatus::Failed if scope.went_well() && !may_be_given_up(plan, node) => {
                    assert!(may.fail, "{path:?} {node:?}: {:?}", self.story(path))
                }
                NodeStatus::Dropped => assert!(!scope.went_well()),
                _ => {}
            }
            if scope.went_well() {
                self.follows_from_its_parents(path, node);
            }
        }
        self.isolated_failures_let_the_others_end(path);
    }

    /// In a scope that went well, a node's end follows from the ends of those that it waited for.
    fn follows_from_its_parents(&self, path: &str, node: NodeIx) {
        let scope = self.scope(path);
        let plan = &scope.run.plan;
        let done = |node: NodeIx| scope.done.iter().any(|(of, _)| *of == node);
        let came = needed_before(plan, node).filter(|parent| done(*parent)).count();
        let all = needed_before(plan, node).count();
        let join = plan.node(node).unwrap().join;
        let needs = match join {
            Join::All | Join::AllSettled => all,
            Join::Any => 1,
            Join::NOf(count) => count as usize,
        };
        let what = || format!("{path:?} {node:?} is {}: {:?}", scope.status(node), self.story(path));
        match scope.status(node) {
            NodeStatus::Skipped => {
                let cannot_be = came < all && matches!(join, Join::All | Join::AllSettled);
                assert!(cannot_be || may_be_given_up(plan, node), "{}", what());
            }
            NodeStatus::Failed => {
                assert!(is_handled(plan, node) || may_be_given_up(plan, node), "a failure is lost: {}", what());
            }
            _ => assert!(came >= needs || plan.node(node).unwrap().rescue, "{}", what()),
        }
    }

    /// Where only isolated nodes failed, all else was carried to its end.
    fn isolated_failures_let_the_others_end(&self, path: &str) {
        let scope = self.scope(path);
        let plan = &scope.run.plan;
        let is_open = |node: &NodeIx| {
            scope.status(*node) == NodeStatus::Failed && !is_handled(plan, *node) && !plan.node(*node).unwrap().isolated
        };
        if scope.went_well() || !scope.told.is_empty() || nodes(plan).any(|node| is_open(&node)) {
            return;
        }
        let failed = nodes(plan).any(|node| scope.status(node) == NodeStatus::Failed);
        if failed && !self.undid(path, NodeStatus::Undone) {
            let is_dropped = |node: &NodeIx| {
                let mut after = children(plan, *node).peekable();
                let is_last = plan.outputs().contains(node) || after.peek().is_none();
                // What is dropped because nothing behind it waited any more was not cut short.
                let was_needed = is_last || after.any(|child| scope.status(child) == NodeStatus::Dropped);
                scope.status(*node) == NodeStatus::Dropped && was_needed && !may_be_given_up(plan, *node)
            };
            let dropped = nodes(plan).filter(is_dropped).count();
            assert_eq!(dropped, 0, "{path:?}: {:?}", self.story(path));
        }
    }

    fn undid(&self, path: &str, status: NodeStatus) -> bool {
        nodes(&self.scope(path).run.plan).any(|node| self.scope(path).status(node) == status)
    }

    fn has_the_right_values(&self, path: &str) {
        let (scope, values) = (self.scope(path), self.values(path));
        let plan = &scope.run.plan;
        for (node, output) in &scope.outputs {
            let by_hand = ["by-hand", "null"].contains(&payload_text(output).as_str());
            if plan.node(*node).unwrap().kind == NodeKind::Task
                && !by_hand
                && values.status(*node) == NodeStatus::Succeeded
            {
                // A rescue of a join that cannot be has no complete inputs.
                let whole = !plan.node(*node).unwrap().rescue;
                assert!(
                    !whole || values.is_made_of_inputs(*node, output),
                    "{path:?} {node:?} gave {:?} and was to get {:?}",
                    payload_text(output),
                    values.inputs(*node)
                );
            }
        }
        for (node, key, end, _) in &scope.ends {
            let inside = inner(path, plan, *node, key);
            let begun_with = &self.scope(&inside).input;
            if matches!(plan.node(*node).unwrap().kind, NodeKind::Basin(_)) {
                let ways = values.may_have_flowed_in(*node);
                let one = ways.iter().any(|way| fits(&payload_text(way), &payload_text(begun_with)));
                assert!(one, "{inside} begins with {:?}, not {ways:?}", payload_text(begun_with));
            }
            if let Ok(output) = &end.result {
                let wanted = self.values(&inside).result();
                assert!(fits(&payload_text(&wanted), &payload_text(output)), "{inside}: {:?}", payload_text(output));
            }
        }
        if path.is_empty() && scope.went_well() {
            let (wanted, output) = (values.result(), scope.run.state.output(plan).unwrap());
            assert!(
                fits(&payload_text(&wanted), &payload_text(&output)),
                "{:?} is not {:?}: {:?}",
                payload_text(&output),
                payload_text(&wanted),
                self.story(path)
            );
        }
    }

    /// The context of a scope that went well is what needed calls and awaited scopes wrote.
    fn context_is_right(&self, path: &str) {
        let scope = self.scope(path);
        if !scope.went_well() || scope.told.contains("undo") {
            return;
        }
        let mut wanted: BTreeMap<&str, Option<bool>> = BTreeMap::new();
        let mut note = |key, is_there: Option<bool>| {
            let known = wanted.entry(key).or_insert(is_there);
            if *known == Some(false) || is_there == Some(true) {
                *known = is_there;
            }
        };
        scope.written.iter().for_each(|(key, needed)| note(key, *needed));
        for (node, _, end, awaited) in &scope.ends {
            let export = match &scope.run.plan.node(*node).unwrap().kind {
                NodeKind::Basin(basin) => basin.export.as_ref(),
                _ => None,
            };
            let goes_out = |key: &str| export.is_none_or(|keys| keys.iter().any(|one| **one == *key));
            end.writes.iter().filter(|(key, _)| goes_out(key)).for_each(|(key, _)| note(key, Some(*awaited)));
        }
        let context = scope.run.state.context();
        for (key, is_there) in wanted {
            // What a scope began with is in its copy too.
            if let Some(is_there) = is_there.filter(|_| key != "shared") {
                assert_eq!(context.get(key).is_some(), is_there, "{path:?}: {key:?}: {:?}", self.story(path));
            }
        }
    }

    /// What was done is taken back where its effect is not wanted, the last first, and nothing else is.
    fn is_undone(&self, path: &str, unwanted: bool) {
        let scope = self.scope(path);
        let plan = &scope.run.plan;
        let unwanted = unwanted || !scope.went_well();
        let mut due: Vec<NodeIx> = Vec::new();
        for (node, needed) in &scope.acted {
            let done = scope.done.iter().any(|(of, _)| of == node);
            let given_up_later = !done && (may_be_given_up(plan, *node) || scope.let_go.contains(node));
            let is_due = match needed {
                _ if unwanted => Some(true),
                Some(true) if given_up_later => None,
                needed => needed.map(|needed| !needed),
            };
            let undone = scope.undone.contains(node);
            assert!(is_due.is_none_or(|due| due == undone), "{path:?} {node:?}: {:?}", self.story(path));
            due.extend(undone.then_some(*node));
        }
        // Of nodes that did not end well, good scopes are undone first; they are not among those that acted.
        let acted = scope.undone.iter().rev().filter(|node| scope.acted.iter().any(|(of, _)| of == *node));
        let acted: Vec<NodeIx> = acted.copied().collect();
        // What nobody needed, or of which one cannot tell, has no place in the order.
        let has_losers = nodes(plan).any(|node| may_be_given_up(plan, node))
            || scope.acted.iter().any(|(node, needed)| *needed != Some(true) || scope.let_go.contains(node));
        assert!(acted == due || has_losers, "{path:?} undoes in another order: {:?}", self.story(path));
        for (node, key, end, awaited) in &scope.ends {
            let inside = inner(path, plan, *node, key);
            let child = self.scope(&inside);
            let given_up = scope.given_up.contains(node);
            assert!(*awaited || scope.stopped.contains(&inside), "{inside} was left to itself");
            let told = child.told.contains("undo");
            let mut lost = unwanted || !awaited || given_up;
            // Whether a node was needed while its own `on_failure` was asked, one cannot always tell.
            lost |= scope.rescued_late.contains(node) && told;
            if end.result.is_ok() && child.run.plan.has_undo() {
                assert_eq!(told, lost, "{inside}: {:?}", self.story(path));
            }
            self.is_undone(&inside, end.result.is_err() || lost);
        }
    }
}

fn last_word_of(hook: Hook, event: &Event) -> bool {
    match event {
        Event::HookDone { hook: of, .. } | Event::HookFailed { hook: of, retry_at: None, .. } => *of == hook,
        _ => false,
    }
}

#[test]
fn patterns_have_gaps() {
    assert!(fits("a", "a") && !fits("a", "ab") && fits("a¿c", "abc") && fits("¿", "") && !fits("a¿c", "abd"));
}
