//! Whether the options of a node fit its kind and each other.

use super::check::PlanError;
use super::spec::{BranchSpec, ForEachSpec, Gives, Join, NodeKind, NodeSpec, OnExhausted, Partial, Source};
use crate::limits::{MAX_KEY_BYTES, MAX_WINDOW};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub(super) fn check(node: &NodeSpec, found: &mut Vec<PlanError>) {
    let mut unfit = |why: String| found.push(PlanError::Unfit { name: node.name.clone(), why });
    let parents = node.inputs.iter().filter(|edge| matches!(edge.from, Source::Node(_))).count();
    if node.join != Join::All {
        if parents < node.inputs.len() {
            unfit("a join waits for nodes, and the run's input is always there; take that edge out".into());
        }
        check_join(node.join, parents, "nodes before it", &mut unfit);
    }
    // What only orders would count as one that came, and its end would take the place of a value. With no value at all
    // it is the ends that are counted.
    let orders = node.inputs.iter().filter(|edge| edge.order_only).count();
    if matches!(node.join, Join::Any | Join::NOf(_)) && orders > 0 && orders < node.inputs.len() {
        unfit(
            "an order-only edge into a join that does not wait for all would count as one of those it needs; let a node \
             behind the join wait for it"
                .into(),
        );
    }
    if node.undo.is_some() && !matches!(node.kind, NodeKind::Task | NodeKind::River { .. }) {
        unfit("only tasks and rivers have an undo action; give it to the nodes inside".into());
    }
    if node.undo.is_some() && !node.durable {
        unfit("a node with an undo action is always durable; remove durable(false)".into());
    }
    if node.on_exhausted == OnExhausted::Compensate && node.undo.is_none() {
        unfit("there is nothing to compensate with; give it an undo action, or leave on_exhausted as it is".into());
    }
    if node.rescue && node.on_exhausted == OnExhausted::Pause {
        unfit("its on_failure answers a failure already; remove it, or do not pause".into());
    }
    if [node.attempt_timeout, node.timeout].contains(&Some(Duration::ZERO)) {
        unfit("its time limit is 0, which nothing meets; give it some time, or no limit".into());
    }
    let is_signal = matches!(node.kind, NodeKind::Signal { .. });
    let waits = is_signal || matches!(node.kind, NodeKind::Sleep { .. } | NodeKind::Basin(_));
    let forwards = node.inputs.iter().any(|edge| edge.forwarder);
    if waits && (node.aggregator || forwards || node.attempt_timeout.is_some() || node.retry.retries > 0) {
        unfit("it runs no code; remove the options that need some".into());
    }
    if (waits || node.kind == NodeKind::Gate) && node.on_exhausted == OnExhausted::Pause {
        unfit("it has no call that an operator could have tried again; let the nodes inside or before it pause".into());
    }
    if node.atomic && node.has_signal() {
        let what = if is_signal { "it" } else { "what waits for one inside of it" };
        unfit(format!("no signal reaches a run that is being stopped, so {what} cannot be atomic; remove that"));
    }
    match &node.kind {
        NodeKind::Branch(branch) => check_branch(node, branch, found),
        NodeKind::ForEach(foreach) => check_foreach(foreach, &mut unfit),
        _ => {}
    }
}

fn check_join(join: Join, of: usize, what: &str, unfit: &mut impl FnMut(String)) {
    match join {
        Join::NOf(0) => unfit("it needs 0 of them, so it need not wait; use n_of(1) or more".into()),
        Join::NOf(count) if count as usize > of => unfit(format!("it needs {count} of {of} {what}; ask for fewer")),
        Join::Any | Join::AllSettled if of == 0 => unfit(format!("it joins and has no {what}; draw an edge")),
        _ => {}
    }
}

fn check_branch(node: &NodeSpec, branch: &BranchSpec, found: &mut Vec<PlanError>) {
    let mut wrong = |why: String| found.push(PlanError::Cases { name: node.name.clone(), why });
    if branch.cases.is_empty() {
        wrong("has no case; add at least one".into());
    }
    let mut seen = BTreeSet::new();
    for case in &branch.cases {
        if !seen.insert(&case.key) {
            wrong(format!("has case {:?} twice; give each a key of its own", case.key));
        }
        if case.key.is_empty() || case.key.len() > MAX_KEY_BYTES {
            wrong(format!("has a case whose key is empty or longer than {MAX_KEY_BYTES} bytes (MAX_KEY_BYTES)"));
        }
    }
    let mut unfit = |why| found.push(PlanError::Unfit { name: node.name.clone(), why });
    check_join(branch.join, branch.cases.len(), "cases", &mut unfit);
}

fn check_foreach(foreach: &ForEachSpec, unfit: &mut impl FnMut(String)) {
    if foreach.window == 0 || foreach.window > MAX_WINDOW {
        unfit(format!("its window is {}, and may be 1 to {MAX_WINDOW} (MAX_WINDOW)", foreach.window));
    }
    if foreach.join == Join::NOf(0) {
        unfit("it needs 0 of its items; use n_of(1) or more".into());
    }
    if foreach.join != Join::All && foreach.partial != Partial::Stop {
        unfit("a join that does not need all items already says what failed ones mean; remove one of the two".into());
    }
    if foreach.join != Join::All && matches!(foreach.gives, Gives::Reduced { .. }) {
        unfit("a reduction takes all items; remove the join or the reduction".into());
    }
}
