//! A plan as figures, frames and arrows: what [`dot`](super::dot) and [`mermaid`](super::mermaid) write down, each in
//! its own way. Nothing here is laid out, and nothing is escaped yet.

use super::{Gives, Join, NodeKind, NodeSpec, OnExhausted, Partial, Plan, Source};
use crate::id::{Name, NodeIx};
use crate::view::Span;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// A whole plan to draw.
#[derive(Default)]
pub(super) struct Picture {
    pub(super) parts: Vec<Part>,
    pub(super) arrows: Vec<Arrow>,
    /// How many ids were given away.
    ids: usize,
}

/// A figure, or a frame around others.
pub(super) enum Part {
    Figure(Figure),
    Frame(Frame),
}

/// One node, or a place where values come in or together.
pub(super) struct Figure {
    pub(super) id: usize,
    pub(super) shape: Shape,
    pub(super) lines: Vec<String>,
    /// Its failure waits for what does not depend on it.
    pub(super) isolated: bool,
    /// It gives the run's result, or a part of it.
    pub(super) is_result: bool,
}

/// What a figure stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Input,
    Task,
    River,
    Gate,
    Branch,
    ForEach,
    Basin,
    Signal,
    Sleep,
    /// Where the scopes of a node come together again.
    End,
    Hook,
}

/// A frame: around the scopes of a node, an arm of a branch, or the nodes of a sub-flow.
pub(super) struct Frame {
    pub(super) id: usize,
    pub(super) title: String,
    pub(super) isolated: bool,
    /// The sub-flow whose nodes it holds, if it holds those of one.
    group: Option<Name>,
    pub(super) parts: Vec<Part>,
}

/// A line from one figure to another.
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: Option<String>,
    /// It carries no value.
    pub(super) order_only: bool,
}

/// Where the input of a graph comes from: a figure, with what the arrow from there is labelled.
#[derive(Clone)]
struct Feed {
    from: usize,
    label: Option<String>,
    /// Nodes that take nothing are tied to it too, so that they do not float.
    ties: bool,
}

/// The figures where a node begins and ends; the same for a node with nothing inside.
#[derive(Clone, Copy)]
struct Drawn {
    entry: usize,
    exit: usize,
}

impl Picture {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut picture = Picture::default();
        let input = picture.id();
        let takes_input = plan.spec().nodes.iter().flat_map(|node| &node.inputs).any(|edge| edge.from == Source::Input);
        let mut parts = Vec::new();
        if takes_input {
            parts.push(Part::Figure(Figure::new(input, Shape::Input, vec!["input".into()])));
        }
        let drawn = picture.graph(plan, &Feed { from: input, label: None, ties: false }, &mut parts);
        picture.parts = parts;
        picture.hooks(plan, &drawn);
        picture
    }

    fn id(&mut self) -> usize {
        self.ids += 1;
        self.ids - 1
    }

    /// Draws all nodes of a graph into `parts`.
    fn graph(&mut self, plan: &Plan, feed: &Feed, parts: &mut Vec<Part>) -> Vec<Drawn> {
        let mut drawn = Vec::new();
        for (at, spec) in plan.spec().nodes.iter().enumerate() {
            let node = super::index(at);
            let (part, place) = self.node(plan, node, spec);
            drawn.push(place);
            self.put(parts, &spec.group, part);
        }
        for (spec, place) in plan.spec().nodes.iter().zip(&drawn) {
            self.edges(plan, spec, place.entry, feed, &drawn);
        }
        drawn
    }

    /// Puts a part into the frames of the sub-flows that it was drawn in.
    fn put(&mut self, parts: &mut Vec<Part>, groups: &[Name], part: Part) {
        let Some((group, deeper)) = groups.split_first() else {
            parts.push(part);
            return;
        };
        let is_it = |part: &Part| matches!(part, Part::Frame(frame) if frame.group.as_ref() == Some(group));
        let at = parts.iter().position(is_it).unwrap_or_else(|| {
            let title = format!("sub-flow {group}");
            let frame = Frame { id: self.id(), title, isolated: false, group: Some(group.clone()), parts: Vec::new() };
            parts.push(Part::Frame(frame));
            parts.len() - 1
        });
        if let Part::Frame(frame) = &mut parts[at] {
            self.put(&mut frame.parts, deeper, part);
        }
    }

    fn node(&mut self, plan: &Plan, node: NodeIx, spec: &NodeSpec) -> (Part, Drawn) {
        let mut figure = Figure::new(self.id(), shape(&spec.kind), lines(spec));
        figure.isolated = spec.isolated;
        let entry = figure.id;
        let is_result = !plan.is_body() && plan.outputs().contains(&node);
        let end = match &spec.kind {
            NodeKind::Branch(branch) => join_text(branch.join, if branch.collect { "map by key" } else { "end" }),
            NodeKind::ForEach(foreach) => gives_text(foreach.gives, foreach.join, foreach.partial),
            NodeKind::Basin(basin) => match &basin.export {
                Some(keys) => format!("exports {}", keys.join(", ")),
                None => "end".into(),
            },
            _ => {
                figure.is_result = is_result;
                return (Part::Figure(figure), Drawn { entry, exit: entry });
            }
        };
        let mut end = Figure::new(self.id(), Shape::End, vec![end]);
        end.is_result = is_result;
        let place = Drawn { entry, exit: end.id };
        let mut parts = vec![Part::Figure(figure)];
        for (at, body) in plan.bodies(node).iter().enumerate() {
            self.body(spec, at, body, place, &mut parts);
        }
        parts.push(Part::Figure(end));
        let (id, title) = (self.id(), format!("{} {}", kind_word(&spec.kind), short_name(spec)));
        (Part::Frame(Frame { id, title, isolated: spec.isolated, group: None, parts }), place)
    }

    /// Draws a graph inside a node, between the figures where that begins and ends.
    fn body(&mut self, spec: &NodeSpec, at: usize, body: &Plan, outer: Drawn, parts: &mut Vec<Part>) {
        let key = match &spec.kind {
            NodeKind::Branch(branch) => branch.cases.get(at).map(|case| case.key.to_string()),
            _ => None,
        };
        let feed = Feed { from: outer.entry, label: key.clone(), ties: true };
        let drawn = match key {
            Some(key) => {
                let (id, mut inside) = (self.id(), Vec::new());
                let drawn = self.graph(body, &feed, &mut inside);
                let title = format!("case {key}");
                parts.push(Part::Frame(Frame { id, title, isolated: false, group: None, parts: inside }));
                drawn
            }
            None => self.graph(body, &feed, parts),
        };
        for output in body.outputs() {
            self.arrow(drawn[output.index()].exit, outer.exit, None, false);
        }
    }

    fn edges(&mut self, plan: &Plan, spec: &NodeSpec, to: usize, feed: &Feed, drawn: &[Drawn]) {
        for edge in &spec.inputs {
            let label = edge.forwarder.then(|| "forwarder".to_owned());
            match &edge.from {
                Source::Input => self.arrow(feed.from, to, label.or_else(|| feed.label.clone()), edge.order_only),
                Source::Node(from) => {
                    if let Some(from) = plan.find(from) {
                        self.arrow(drawn[from.index()].exit, to, label, edge.order_only);
                    }
                }
            }
        }
        if spec.inputs.is_empty() && feed.ties {
            self.arrow(feed.from, to, feed.label.clone(), true);
        }
    }

    fn arrow(&mut self, from: usize, to: usize, label: Option<String>, order_only: bool) {
        self.arrows.push(Arrow { from, to, label, order_only });
    }

    fn hooks(&mut self, plan: &Plan, drawn: &[Drawn]) {
        let spec = plan.spec();
        let hook = |picture: &mut Self, hook: &Option<super::HookSpec>, word: &str| {
            let hook = hook.as_ref()?;
            let mut lines = vec![word.to_owned()];
            lines.extend(hook.code.as_ref().map(|code| code.to_string()));
            let id = picture.id();
            picture.parts.push(Part::Figure(Figure::new(id, Shape::Hook, lines)));
            Some(id)
        };
        let on_failure = hook(self, &spec.on_failure, "on_failure");
        let finally = hook(self, &spec.finally, "finally");
        let Some(finally) = finally else { return };
        for output in plan.outputs() {
            self.arrow(drawn[output.index()].exit, finally, None, true);
        }
        if let Some(on_failure) = on_failure {
            self.arrow(on_failure, finally, None, true);
        }
    }
}

impl Figure {
    const fn new(id: usize, shape: Shape, lines: Vec<String>) -> Self {
        Figure { id, shape, lines, isolated: false, is_result: false }
    }
}

const fn shape(kind: &NodeKind) -> Shape {
    match kind {
        NodeKind::Task => Shape::Task,
        NodeKind::River { .. } => Shape::River,
        NodeKind::Gate => Shape::Gate,
        NodeKind::Branch(_) => Shape::Branch,
        NodeKind::ForEach(_) => Shape::ForEach,
        NodeKind::Basin(_) => Shape::Basin,
        NodeKind::Signal { .. } => Shape::Signal,
        NodeKind::Sleep { .. } => Shape::Sleep,
    }
}

const fn kind_word(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Branch(_) => "branch",
        NodeKind::ForEach(_) => "foreach",
        _ => "basin",
    }
}

/// A node's name without those of the sub-flows that it was drawn in, which stand on the frames around it.
pub(super) fn short_name(spec: &NodeSpec) -> &str {
    let before: usize = spec.group.iter().map(|group| group.len() + 1).sum();
    spec.name.get(before..).unwrap_or(&spec.name)
}

/// A node's name, and below it what its author said about it.
fn lines(spec: &NodeSpec) -> Vec<String> {
    let mut lines = vec![short_name(spec).to_owned()];
    let mut note = |text: String| lines.push(text);
    match &spec.kind {
        NodeKind::River { poll } if poll.times == u32::MAX => note(format!("looks every {}", Span(poll.interval))),
        NodeKind::River { poll } if poll.times > 0 => note(format!("poll {} × {}", poll.times, Span(poll.interval))),
        NodeKind::ForEach(foreach) => note(format!("window {}", foreach.window)),
        NodeKind::Signal { name } => note(format!("waits for signal {name}")),
        NodeKind::Sleep { duration } => note(format!("sleeps {}", Span(*duration))),
        _ => {}
    }
    if spec.join != Join::All {
        note(join_text(spec.join, ""));
    }
    if spec.retry.retries > 0 {
        note(format!("retry {} × {}", spec.retry.retries, Span(spec.retry.interval)));
    }
    if let Some(limit) = spec.attempt_timeout {
        note(format!("at most {} a call", Span(limit)));
    }
    if let Some(limit) = spec.timeout {
        note(format!("at most {} in all", Span(limit)));
    }
    let pauses = spec.on_exhausted == OnExhausted::Pause;
    let marks = [
        (spec.aggregator, "aggregator"),
        (spec.rescue, "on_failure"),
        (pauses, "waits for an operator when exhausted"),
        (spec.undo.is_some(), "undo"),
        (spec.atomic, "atomic"),
        (spec.isolated, "isolated"),
    ];
    marks.iter().filter(|(is_so, _)| *is_so).for_each(|(_, mark)| note((*mark).to_owned()));
    if let Some(lane) = &spec.lane {
        note(format!("lane {lane}"));
    }
    spec.labels.iter().for_each(|(key, value)| note(format!("{key}={value}")));
    lines
}

fn join_text(join: Join, all: &str) -> String {
    match join {
        Join::All => all.to_owned(),
        Join::Any => "first that succeeds".to_owned(),
        Join::NOf(count) => format!("first {count} that succeed"),
        Join::AllSettled => "all settled".to_owned(),
    }
}

fn gives_text(gives: Gives, join: Join, partial: Partial) -> String {
    let what = match gives {
        Gives::List => "list",
        Gives::Map => "map by key",
        Gives::Reduced { ordered: true } => "reduced in order",
        Gives::Reduced { ordered: false } => "reduced",
    };
    match (join, partial) {
        (Join::All, Partial::Stop) => what.to_owned(),
        (Join::All, Partial::Finish) => format!("{what}, all finish"),
        (Join::All, Partial::Tolerate(failures)) => format!("{what}, {failures} may fail"),
        (join, _) => format!("{what}, {}", join_text(join, "")),
    }
}
