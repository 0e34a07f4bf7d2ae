//! A run, or a flow, as lines for a terminal: levels of nodes, with what is inside of them below.

use crate::out::{Out, Paint};
use crate::text::{count, grouped, line};
use std::fmt::Write as _;
use vastflow_core::plan::{NodeKind, NodeSpec, Source};
use vastflow_core::run::NodeStatus;
use vastflow_core::view::{Inner, NodeView, RunView, Span};
use vastflow_core::{NodeIx, Plan};

/// The widest text behind a node.
const SAID: usize = 100;

/// A scope to draw, with those of its inner ones that are unfolded.
pub(crate) struct Tree {
    pub(crate) view: RunView,
    pub(crate) plan: std::sync::Arc<Plan>,
    /// By node.
    pub(crate) inside: Vec<(NodeIx, Vec<Unfolded>)>,
}

/// An inner scope that is shown whole.
pub(crate) struct Unfolded {
    /// As it stands in a path: `[key]`, empty for a basin.
    pub(crate) key: String,
    pub(crate) tree: Tree,
}

impl Tree {
    /// The graph, a line a node, in levels: what stands on one waits for nothing on it or below.
    pub(crate) fn graph(&self, out: Out) -> String {
        let mut text = String::new();
        self.lines(out, 0, &mut text);
        text
    }

    fn lines(&self, out: Out, indent: usize, text: &mut String) {
        let levels = levels(&self.plan);
        let specs = &self.plan.spec().nodes;
        let titles: Vec<String> = self.view.nodes.iter().map(title).collect();
        let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
        let mut last = 0;
        for at in in_order(&levels) {
            let (node, level) = (&self.view.nodes[at], levels[at]);
            let number = if level == last { String::new() } else { level.to_string() };
            last = level;
            let sign = out.painted(paint(node.status), &node.status.sign().to_string());
            let behind = [waits_for(&specs[at]), behind(node)].join("  ");
            let behind = line(behind.trim_end(), SAID);
            let row = format!("{:indent$}{number:>3}  {sign} {:width$}  {behind}", "", titles[at]);
            let _ = writeln!(text, "{}", row.trim_end());
            self.unfolded(at, out, indent + 7, text);
        }
        for hook in &self.view.hooks {
            let sign = out.painted(paint(hook.status), &hook.status.sign().to_string());
            let row = format!("{:indent$}     {sign} {:width$}  hook  {}", "", title(hook), behind(hook));
            let _ = writeln!(text, "{}", row.trim_end());
        }
    }

    fn unfolded(&self, at: usize, out: Out, indent: usize, text: &mut String) {
        let Some((_, scopes)) = self.inside.iter().find(|(node, _)| node.index() == at) else { return };
        for scope in scopes {
            let status = scope.tree.view.status;
            if !scope.key.is_empty() {
                let _ = writeln!(text, "{:indent$}{} {status}", "", scope.key);
            }
            scope.tree.lines(out, indent, text);
        }
        let known = self.view.nodes[at].inner.as_ref().map_or(0, |inner| inner.scopes);
        let folded = known.saturating_sub(scopes.len() as u64);
        if folded > 0 {
            let more = format!("… and {} more", grouped(folded));
            let _ = writeln!(text, "{:indent$}{}", "", out.painted(Paint::Dim, &more));
        }
    }

    /// Where the failure began that ended this scope: the innermost node, as `outer[key]/node`, with what was said there.
    pub(crate) fn culprit(&self) -> Option<(String, &NodeView)> {
        let failed = self.view.nodes.iter().enumerate().filter(|(_, node)| node.status == NodeStatus::Failed);
        let (at, node) = failed.min_by_key(|(_, node)| node.ended_at)?;
        let unfolded = self.inside.iter().find(|(ix, _)| ix.index() == at);
        let inner =
            unfolded.and_then(|(_, scopes)| scopes.iter().find_map(|scope| Some((&scope.key, scope.tree.culprit()?))));
        match inner {
            Some((key, (path, leaf))) => Some((format!("{}{key}/{path}", node.name), leaf)),
            None => Some((node.name.to_string(), node)),
        }
    }

    /// What waits for an operator, as `resolve` takes it, with why.
    pub(crate) fn attention(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (at, node) in self.view.nodes.iter().enumerate() {
            if let Some(who) = node.waits_for.as_deref().and_then(|who| who.strip_prefix("an operator: ")) {
                found.push((node.name.to_string(), who.to_owned()));
            }
            let scopes = self.inside.iter().find(|(ix, _)| ix.index() == at).map(|(_, scopes)| scopes);
            for scope in scopes.into_iter().flatten() {
                let inner = scope.tree.attention().into_iter();
                found.extend(inner.map(|(path, why)| (format!("{}{}/{path}", node.name, scope.key), why)));
            }
        }
        found
    }
}

/// A flow without a run: its nodes in levels, with what is inside of them below.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    plan_lines(plan, 0, &mut text);
    text
}

fn plan_lines(plan: &Plan, indent: usize, text: &mut String) {
    let levels = levels(plan);
    let specs = &plan.spec().nodes;
    let width = specs.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
    let mut last = 0;
    for at in in_order(&levels) {
        let (node, level) = (&specs[at], levels[at]);
        let number = if level == last { String::new() } else { level.to_string() };
        last = level;
        let behind = [waits_for(node), kind(&node.kind)].join("  ");
        let row = format!("{:indent$}{number:>3}  {:width$}  {behind}", "", node.name);
        let _ = writeln!(text, "{}", row.trim_end());
        let keys: Vec<String> = match &node.kind {
            NodeKind::Branch(branch) => branch.cases.iter().map(|case| format!("[{}]", case.key)).collect(),
            _ => Vec::new(),
        };
        for (at_body, body) in plan.bodies(ix(at)).iter().enumerate() {
            if let Some(key) = keys.get(at_body) {
                let _ = writeln!(text, "{:indent$}       {key}", "");
            }
            plan_lines(body, indent + 7, text);
        }
    }
}

/// What kind of node it is, where it is not just a call.
pub(crate) fn kind(kind: &NodeKind) -> String {
    match kind {
        NodeKind::Task => String::new(),
        NodeKind::River { poll } => format!("river, polled every {}", Span(poll.interval)),
        NodeKind::Gate => "gate".into(),
        NodeKind::Branch(branch) => format!("branch of {}", count(branch.cases.len() as u64, "arm")),
        NodeKind::ForEach(foreach) => format!("for each, {} at a time", foreach.window),
        NodeKind::Basin(_) => "basin".into(),
        NodeKind::Signal { name } => format!("waits for signal {name}"),
        NodeKind::Sleep { duration } => format!("sleeps {}", Span(*duration)),
        // A kind that this version does not know has no words here.
        _ => String::new(),
    }
}

/// The level of each node, from 1: one more than the highest of those it waits for.
fn levels(plan: &Plan) -> Vec<usize> {
    let specs = &plan.spec().nodes;
    let parents = |at: usize| {
        let from = |source: &Source| match source {
            Source::Node(name) => plan.find(name).map(NodeIx::index),
            Source::Input => None,
        };
        specs[at].inputs.iter().filter_map(move |edge| from(&edge.from)).collect::<Vec<usize>>()
    };
    let mut levels = vec![0; specs.len()];
    // Nodes may stand before those they wait for, so each is finished when its parents are.
    for start in 0..specs.len() {
        let mut open = vec![start];
        while let Some(&at) = open.last() {
            let missing = parents(at).into_iter().find(|parent| levels[*parent] == 0);
            match missing {
                Some(parent) => open.push(parent),
                None => {
                    levels[at] = 1 + parents(at).into_iter().map(|parent| levels[parent]).max().unwrap_or(0);
                    open.pop();
                }
            }
        }
    }
    levels
}

fn in_order(levels: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|at| levels[*at]);
    order
}

fn waits_for(node: &NodeSpec) -> String {
    let names = node.inputs.iter().filter_map(|edge| match &edge.from {
        Source::Node(name) => Some(name.as_str()),
        Source::Input => None,
    });
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    match names.len() {
        0 => String::new(),
        1..=4 => format!("← {}", names.join(", ")),
        more => format!("← {}, {} and {} more", names[0], names[1], more - 2),
    }
}

/// A node's name, with the scopes that it opened: `each × 10,000 (3 failed)`.
fn title(node: &NodeView) -> String {
    let name = line(&node.name, 60);
    match &node.inner {
        Some(inner) if inner.scopes != 1 || !inner.keys.is_empty() || inner.failed > 0 => {
            format!("{name} {}", scopes(inner))
        }
        _ => name,
    }
}

fn scopes(inner: &Inner) -> String {
    let failed = if inner.failed > 0 { format!(" ({} failed)", grouped(inner.failed)) } else { String::new() };
    match inner.keys.as_slice() {
        [] => format!("× {}{failed}", grouped(inner.scopes)),
        keys => format!("→ {}{failed}", line(&keys.join(", "), 40)),
    }
}

fn behind(node: &NodeView) -> String {
    let mut parts = Vec::new();
    if !node.status.is_final() || node.calls == 0 {
        parts.push(node.status.to_string());
    }
    if node.calls > 0 {
        parts.push(Span(node.busy).to_string());
    }
    if node.calls > 1 {
        parts.push(format!("{} calls", grouped(u64::from(node.calls))));
    }
    match (&node.waits_for, &node.said) {
        (Some(who), _) => parts.push(format!("waits for {who}")),
        (None, Some(said)) => parts.push(said.clone()),
        (None, None) => {}
    }
    parts.join("  ")
}

pub(crate) const fn paint(status: NodeStatus) -> Paint {
    match status {
        NodeStatus::Succeeded => Paint::Green,
        NodeStatus::Failed => Paint::Red,
        NodeStatus::Parked | NodeStatus::Retrying | NodeStatus::Undone => Paint::Yellow,
        NodeStatus::Dropped | NodeStatus::Skipped | NodeStatus::Waiting => Paint::Dim,
        _ => Paint::Blue,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a plan holds at most MAX_NODES nodes")]
const fn ix(at: usize) -> NodeIx {
    NodeIx(at as u32)
}
