//! `runs show`: why it failed, its graph, its timeline.

use super::{Context, desk, looking};
use crate::args::Show;
use crate::complaint::Complaint;
use crate::desk::{Desk, Scope};
use crate::draw::{Tree, Unfolded};
use crate::out::{Out, Paint};
use crate::{convert, text};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use vastflow_api::run;
use vastflow_core::plan::NodeKind;
use vastflow_core::view::{NodeView, Span};
use vastflow_core::{Event, NodeIx, Payload, Plan, RunStatus, ScopeId, Timestamp};
use vastflow_store::RunRow;

/// How deep scopes are unfolded.
pub(super) const DEPTH: usize = 8;
/// The widest line.
const WIDTH: usize = 100;

pub(super) async fn show(args: &Show, context: &Context) -> Result<(), Complaint> {
    let desk = desk(context, args.watch).await?;
    let id = desk.pick(&args.id).await?.id;
    looking(context.out, args.watch, async || {
        let row = desk.pick(&id).await?;
        let plan = desk.plan(row.summary.started.plan).await?;
        let place = ScopeId::named(row.id.clone(), &args.within);
        let scope = desk.scope(&row, &plan, place).await?;
        let scope = scope.ok_or_else(|| unknown_scope(&row, &args.within))?;
        if context.out.is_json() {
            let view = convert::view(&scope.view, &scope.id);
            context.out.json(json!({ "run": convert::run(&row), "view": view }));
            return Ok(());
        }
        let looked = Look { desk: &desk, row: &row, plan: &plan, most: args.unfold };
        let tree = looked.tree(scope, DEPTH).await?;
        let served = if row.summary.status.is_final() { None } else { desk.served().await? };
        let summary = &row.summary;
        let parts = Parts {
            row: &convert::run(&row),
            tree: &tree,
            within: &args.within,
            carried: args.within.is_empty().then(|| (Some(summary.started.input.clone()), summary.output.clone())),
            is_waiting: served.is_some_and(|served| !served.contains(&plan.hash())),
        };
        context.out.say(page(context.out, &parts).trim_end());
        Ok(())
    })
    .await?;
    desk.close().await
}

fn unknown_scope(row: &RunRow, within: &str) -> Complaint {
    let text = format!("run {} has no scope {within:?}, or it has not begun", row.id);
    Complaint::not_found(text).next("write a scope as outer[key], a basin as outer, with / between")
}

/// What is being read of a run.
struct Look<'a> {
    desk: &'a Desk,
    row: &'a RunRow,
    plan: &'a Arc<Plan>,
    /// The most scopes of a node that are unfolded.
    most: usize,
}

type Reading<'t> = Pin<Box<dyn Future<Output = Result<Tree, Complaint>> + 't>>;

impl Look<'_> {
    /// A scope with what is worth unfolding of it.
    fn tree(&self, scope: Scope, depth: usize) -> Reading<'_> {
        Box::pin(async move {
            let mut inside = Vec::new();
            if depth > 0 {
                for (node, keys) in worth_unfolding(&scope, self.most) {
                    let spec = scope.plan.node(node);
                    let Some(name) = spec.map(|spec| spec.name.clone()) else { continue };
                    let mut scopes = Vec::new();
                    for key in keys {
                        let id = scope.id.child(&name, &key);
                        if let Some(inner) = self.desk.scope(self.row, self.plan, id).await? {
                            let key =
                                if key.is_empty() { String::new() } else { format!("[{}]", text::line(&key, 40)) };
                            scopes.push(Unfolded { key, tree: self.tree(inner, depth - 1).await? });
                        }
                    }
                    inside.push((node, scopes));
                }
            }
            Ok(Tree { view: scope.view, plan: scope.plan, inside })
        })
    }
}

/// The inner scopes that are shown, by node: of a foreach those that failed, then those that wait for somebody, then those
/// that are open; arms and basins all.
fn worth_unfolding(scope: &Scope, most: usize) -> Vec<(NodeIx, Vec<String>)> {
    let mut known: BTreeMap<NodeIx, Keys> = BTreeMap::new();
    for recorded in &scope.history {
        match &recorded.event {
            Event::BranchChosen { node, keys, .. } => {
                known.entry(*node).or_default().all.extend(keys.iter().map(|key| key.to_string()));
            }
            Event::ChildEnded { node, key, end } => {
                let keys = known.entry(*node).or_default();
                let of = if end.result.is_err() { &mut keys.failed } else { &mut keys.well };
                of.push(key.to_string());
            }
            _ => {}
        }
    }
    let open = crate::desk::fold(&scope.plan, &scope.history);
    for (node, key) in open.iter().flat_map(vastflow_core::State::open_scopes) {
        known.entry(node).or_default().open.push(key.to_owned());
    }
    let mut shown = Vec::new();
    for (node, view) in scope.view.nodes.iter().enumerate() {
        let Some((node, spec)) = scope.plan.find(&view.name).map(|ix| (ix, &scope.plan.spec().nodes[node])) else {
            continue;
        };
        let keys = known.remove(&node).unwrap_or_default();
        let keys = match spec.kind {
            NodeKind::Branch(_) => keys.all,
            NodeKind::Basin(_) if view.inner.is_some() => vec![String::new()],
            NodeKind::ForEach(_) => keys.of_foreach(view, most),
            _ => continue,
        };
        if !keys.is_empty() {
            shown.push((node, keys));
        }
    }
    shown
}

/// The scopes of a node.
#[derive(Default)]
struct Keys {
    all: Vec<String>,
    failed: Vec<String>,
    well: Vec<String>,
    open: Vec<String>,
}

impl Keys {
    fn of_foreach(self, view: &NodeView, most: usize) -> Vec<String> {
        let parked = view.inner.iter().flat_map(|inner| inner.parked.iter().cloned());
        let mut keys: Vec<String> = Vec::new();
        for key in self.failed.into_iter().chain(parked).chain(self.open) {
            if keys.len() < most && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

/// What there is to print.
pub(super) struct Parts<'a> {
    pub(super) row: &'a run::RunRow,
    pub(super) tree: &'a Tree,
    pub(super) within: &'a str,
    /// Of a run as a whole: what it got and gave, as far as it may be seen.
    pub(super) carried: Option<(Option<Payload>, Option<Payload>)>,
    /// Whether nobody who is alive has the code.
    pub(super) is_waiting: bool,
}

/// A run as a page of text.
pub(super) fn page(out: Out, parts: &Parts<'_>) -> String {
    let mut page = Page { out, text: String::new() };
    page.head(&parts.row.id, parts.tree, parts.within);
    if let Some((input, output)) = &parts.carried {
        page.about(parts.row, input.as_ref(), output.as_ref());
        if parts.is_waiting {
            let text = "nobody who is alive has the code of this run: it waits (see `vastflow workers`)";
            page.line(Paint::Yellow, text);
        }
    }
    page.pictures(parts.tree);
    page.text
}

/// What is printed.
struct Page {
    out: Out,
    text: String,
}

impl Page {
    fn line(&mut self, paint: Paint, text: &str) {
        let _ = writeln!(self.text, "{}", self.out.painted(paint, text));
    }

    /// How it stands, and if it failed why, and what to do.
    fn head(&mut self, id: &str, tree: &Tree, within: &str) {
        let view = &tree.view;
        let (sign, paint) = sign_of(view.status);
        let what = if within.is_empty() { format!("run {id}") } else { format!("{within} of run {id}") };
        let head = format!("{sign} {what} of {}: {} after {}", view.flow, view.status, Span(view.took));
        self.line(paint, &text::line(&head, 200));
        let attention = tree.attention();
        match (view.status, tree.culprit()) {
            (RunStatus::Failed | RunStatus::Stopping, Some((path, node))) => {
                let calls = if node.calls > 1 {
                    format!(" after {}", text::count(node.calls.into(), "call"))
                } else {
                    String::new()
                };
                let said = node.said.as_deref().unwrap_or("nothing was said");
                let _ = writeln!(self.text, "\n  {} failed{calls}", self.out.painted(Paint::Bold, &path));
                wrapped(said, WIDTH - 4).iter().for_each(|line| self.line(Paint::Red, &format!("    {line}")));
            }
            (status, _) if status.is_final() && status != RunStatus::Succeeded => {
                let outcome = view.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
                self.text.push('\n');
                wrapped(&outcome, WIDTH - 4).iter().for_each(|line| self.line(Paint::Red, &format!("    {line}")));
            }
            _ => {}
        }
        for (path, why) in &attention {
            let _ = writeln!(self.text, "\n  {} waits for an operator", self.out.painted(Paint::Bold, path));
            wrapped(why, WIDTH - 4).iter().for_each(|line| self.line(Paint::Yellow, &format!("    {line}")));
            let _ = writeln!(self.text, "  next: vastflow runs resolve {id} '{path}' retry|skip|done");
        }
        if within.is_empty() && matches!(view.status, RunStatus::Failed | RunStatus::Stopped) {
            let _ = writeln!(self.text, "\n  next: vastflow runs retry {id}");
        }
        self.text.push('\n');
    }

    /// What is known of a run besides.
    fn about(&mut self, row: &run::RunRow, input: Option<&Payload>, output: Option<&Payload>) {
        let utc = |at| format!("{} UTC", text::utc(Timestamp::from_millis(at)));
        let mut rows = vec![("started", utc(row.started_at_ms))];
        rows.extend(row.ended_at_ms.map(|ended| ("ended", utc(ended))));
        rows.push(("plan", row.plan.clone()));
        if let Some(origin) = &row.origin {
            let why = if origin.why.is_empty() { String::new() } else { format!(": {}", origin.why) };
            rows.push(("from", format!("a {} of {} by {}{why}", origin.verb, origin.run, origin.by)));
        }
        let labels: Vec<String> = row.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        rows.push(("labels", labels.join("  ")));
        rows.push(("key", row.key.clone().unwrap_or_default()));
        rows.push(("lane", row.lane.clone().unwrap_or_default()));
        let short = |payload: Option<&Payload>| payload.map(|it| text::payload(it, WIDTH - 10)).unwrap_or_default();
        rows.extend([("input", short(input)), ("output", short(output))]);
        for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
            let name = self.out.painted(Paint::Dim, &format!("{name:<8}"));
            let _ = writeln!(self.text, "{name}  {}", text::line(&value, 200));
        }
    }

    fn pictures(&mut self, tree: &Tree) {
        self.text.push('\n');
        self.line(Paint::Dim, "graph");
        self.text.push_str(&tree.graph(self.out));
        self.text.push('\n');
        self.line(Paint::Dim, "timeline");
        let bars = tree.view.timeline().bars().to_string();
        for line in bars.lines() {
            let sign = line.chars().nth(2).unwrap_or(' ');
            match paint_of(sign).filter(|_| line.contains('│')) {
                Some(paint) => {
                    let sign = self.out.painted(paint, &sign.to_string());
                    let rest: String = line.chars().skip(3).collect();
                    let _ = writeln!(self.text, "  {sign}{rest}");
                }
                None => self.line(Paint::Dim, line),
            }
        }
    }
}

fn sign_of(status: RunStatus) -> (char, Paint) {
    match status {
        RunStatus::Succeeded => ('✓', Paint::Green),
        RunStatus::Failed => ('✗', Paint::Red),
        RunStatus::Stopped | RunStatus::Stopping => ('■', Paint::Yellow),
        RunStatus::NeedsAttention => ('!', Paint::Yellow),
        RunStatus::Paused => ('‖', Paint::Yellow),
        RunStatus::Queued => ('·', Paint::Blue),
        _ => ('▸', Paint::Blue),
    }
}

/// The colour of a node's sign.
fn paint_of(sign: char) -> Option<Paint> {
    match sign {
        '✓' => Some(Paint::Green),
        '✗' => Some(Paint::Red),
        '!' | '↩' => Some(Paint::Yellow),
        '▸' | '‖' => Some(Paint::Blue),
        '–' | '·' => Some(Paint::Dim),
        _ => None,
    }
}

/// A text in lines of at most `width`, broken at blanks where it has some, without what a terminal would take for a command.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in text::line(paragraph, usize::MAX).split(' ') {
            let room = width.saturating_sub(line.chars().count() + 1);
            if !line.is_empty() && word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_at_blanks() {
        assert_eq!(wrapped("card declined by the bank", 14), ["card declined", "by the bank"]);
        assert_eq!(wrapped("one\ntwo \u{1b}[31m", 20), ["one", "two  [31m"]);
        assert_eq!(wrapped("averylongwordwithoutblanks", 10), ["averylongwordwithoutblanks"]);
    }
}
