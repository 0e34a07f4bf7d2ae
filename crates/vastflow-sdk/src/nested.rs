//! Graphs inside graphs, in the untyped layer.

use crate::code::{Code, FlowCode, NodeCode};
use crate::data::{Bytes, Data, DataError, Parts, to_json};
use crate::error::BoxError;
use crate::flow::Flow;
use crate::graph::{Drawn, Graph, Whole, decode_one};
use crate::handler::{Handler, Takes, Typed};
use crate::inside::{Chooser, Keys, Nothing, Through, decode_undo, encoded};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::plan::{
    BasinSpec, BranchSpec, CaseSpec, EdgeSpec, ForEachSpec, Gives, Join, NodeKind, NodeSpec, Partial, PlanError,
    PlanSpec, Source,
};
use vastflow_core::{Codec, Name, Payload};

/// How a foreach of a [`Graph`] goes about its items.
///
/// ```
/// use vastflow_sdk::ForEach;
///
/// let options = ForEach::new().window(10).tolerate(2);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct ForEach {
    window: u32,
    join: Join,
    partial: Partial,
}

impl Default for ForEach {
    fn default() -> Self {
        ForEach { window: 100, join: Join::All, partial: Partial::Stop }
    }
}

impl ForEach {
    /// At most 100 items under way at once; the first that fails cancels the others.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most items under way at once.
    #[must_use]
    pub const fn window(mut self, items: u32) -> Self {
        self.window = items;
        self
    }

    /// How many of the items it needs.
    #[must_use]
    pub const fn join(mut self, join: Join) -> Self {
        self.join = join;
        self
    }

    /// So many items may fail, and are left out of the result.
    #[must_use]
    pub const fn tolerate(mut self, failures: u32) -> Self {
        self.partial = Partial::Tolerate(failures);
        self
    }

    /// All items are carried to their end, also when some fail; then it fails if any did.
    #[must_use]
    pub const fn finish_all(mut self) -> Self {
        self.partial = Partial::Finish;
        self
    }
}

impl Graph {
    /// Draws a conditional branch: `choose` names the arms that are taken, each of which gets the same input. None: the
    /// branch gives its input. One: what that arm gives. Several: a map by key.
    ///
    /// ```
    /// use vastflow_sdk::{Bytes, Graph, Result};
    ///
    /// async fn pass(image: Bytes) -> Result<Bytes> { Ok(image) }
    /// async fn fail(image: Bytes) -> Result<Bytes> { Ok(image) }
    ///
    /// let (mut good, mut bad) = (Graph::new("good"), Graph::new("bad"));
    /// good.node("face-match", pass);
    /// bad.node("create-user", fail);
    /// let mut graph = Graph::new("kyc");
    /// graph.condition("handle", |image: &Bytes| vec![if image.is_empty() { "fail" } else { "pass" }], [
    ///     ("pass", good),
    ///     ("fail", bad),
    /// ]);
    /// assert_eq!(graph.build()?.plan().len(), 1);
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    pub fn condition<'a, T, K, F>(
        &mut self,
        name: &str,
        choose: F,
        cases: impl IntoIterator<Item = (&'a str, Graph)>,
    ) -> &mut Self
    where
        T: Data,
        K: Keys + 'static,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        let spec = BranchSpec { cases: Vec::new(), join: Join::All, collect: false };
        let code = Arc::new(Chooser::new(Takes::new(decode_one::<T>, T::schema), choose));
        let at = self.draw_kind(name, NodeKind::Branch(Box::new(spec)), code);
        for (key, body) in cases {
            self.draw_body(at, Some(key), body);
        }
        self
    }

    /// The same with an aggregator, which makes one value of what the arms gave, by their keys. It is a node of its own
    /// behind the branch, `name.aggregate`; edges out of `name` leave from there.
    pub fn condition_with<'a, T, K, F, A, R>(
        &mut self,
        name: &str,
        choose: F,
        cases: impl IntoIterator<Item = (&'a str, Graph)>,
        aggregate: A,
    ) -> &mut Self
    where
        T: Data,
        K: Keys + 'static,
        F: Fn(&T) -> K + Send + Sync + 'static,
        A: Fn(Parts) -> Result<R, BoxError> + Send + Sync + 'static,
        R: Data,
    {
        self.condition(name, choose, cases);
        self.collect(name);
        self.aggregate_behind(name, aggregate)
    }

    /// Draws a foreach: `items` makes a map of items of what flows in; `body` is what is done with each. It gives a map of
    /// what the items gave, by their keys.
    pub fn for_each<T, I, F>(&mut self, name: &str, items: F, body: Graph, options: ForEach) -> &mut Self
    where
        T: Data,
        I: Data,
        F: Fn(T) -> Result<BTreeMap<String, I>, BoxError> + Send + Sync + 'static,
    {
        let ForEach { window, join, partial } = options;
        let spec =
            ForEachSpec { body: PlanSpec::new(crate::graph::unnamed()), window, join, partial, gives: Gives::Map };
        let code = Through::new(Takes::new(decode_one::<T>, T::schema), move |input: T| {
            encoded(items(input)?.into_iter().collect())
        });
        let at = self.draw_kind(name, NodeKind::ForEach(Box::new(spec)), Arc::new(code));
        self.draw_body(at, None, body);
        self
    }

    /// The same with an aggregator; see [`Graph::condition_with`].
    pub fn for_each_with<T, I, F, A, R>(&mut self, name: &str, items: F, body: Graph, aggregate: A) -> &mut Self
    where
        T: Data,
        I: Data,
        F: Fn(T) -> Result<BTreeMap<String, I>, BoxError> + Send + Sync + 'static,
        A: Fn(Parts) -> Result<R, BoxError> + Send + Sync + 'static,
        R: Data,
    {
        self.for_each(name, items, body, ForEach::new());
        self.aggregate_behind(name, aggregate)
    }

    /// Draws a basin: a graph with a copy of the shared data, merged back key by key at its end: all that it wrote, or
    /// only the keys in `export`.
    pub fn basin(&mut self, name: &str, body: Graph, export: Option<&[&str]>) -> &mut Self {
        let export = export.map(|keys| keys.iter().map(|key| (*key).into()).collect());
        let spec = BasinSpec { body: PlanSpec::new(crate::graph::unnamed()), export };
        let at = self.draw_kind(name, NodeKind::Basin(Box::new(spec)), Arc::new(Nothing));
        self.draw_body(at, None, body);
        self
    }

    /// Draws all nodes of a flow, each named `name.node`; edges into and out of `name` lead to its first and from its last
    /// nodes. A flow can be drawn several times, under different names.
    pub fn sub_flow<In, Out>(&mut self, name: &str, flow: &Flow<In, Out>) -> &mut Self {
        let Some(group) = self.checked(name) else { return self };
        // The edges into it are known when all is drawn.
        let marker = [EdgeSpec::data(Source::Node(group.clone()))];
        if let Some(end) = self.flatten(name, flow, &marker) {
            let end = self.nodes[end].spec.name.clone();
            self.groups.insert(group, end);
        }
        self
    }

    /// Draws a node that waits for a signal of this name and gives what it carries.
    pub fn wait_signal(&mut self, name: &str) -> &mut Self {
        if let Some(signal) = self.checked(name) {
            self.draw_kind(name, NodeKind::Signal { name: signal }, Arc::new(Nothing));
        }
        self
    }

    /// Draws a node that waits, and hands on what flows in.
    pub fn sleep(&mut self, name: &str, duration: Duration) -> &mut Self {
        self.draw_kind(name, NodeKind::Sleep { duration }, Arc::new(Nothing));
        self
    }

    /// What takes back what `node` did; it gets what the node gave, or `None` when nobody knows whether it did it.
    pub fn undo<H, T, M>(&mut self, node: &str, handler: H) -> &mut Self
    where
        H: Handler<Option<T>, M, Out = ()>,
        T: Data,
        M: 'static,
    {
        self.with_node(node, "an undo action", |spec, code| {
            spec.undo.get_or_insert_default();
            code.undo = Some(Arc::new(Typed::new(handler, Takes::aside(decode_undo::<T>))));
        })
    }

    fn draw_kind(&mut self, name: &str, kind: NodeKind, code: Arc<dyn Code>) -> Option<usize> {
        let at = self.draw(name, code, None)?;
        self.nodes[at].spec.kind = kind;
        Some(at)
    }

    fn collect(&mut self, name: &str) {
        let branch = self.nodes.iter_mut().find(|drawn| *drawn.spec.name == *name);
        if let Some(Drawn { spec: NodeSpec { kind: NodeKind::Branch(branch), .. }, .. }) = branch {
            branch.collect = true;
        }
    }

    /// A node behind `name` that makes one value of the map that it gives.
    fn aggregate_behind<A, R>(&mut self, name: &str, aggregate: A) -> &mut Self
    where
        A: Fn(Parts) -> Result<R, BoxError> + Send + Sync + 'static,
        R: Data,
    {
        let aggregate = Arc::new(aggregate);
        let behind = format!("{name}.aggregate");
        let handler = move |map: Bytes| {
            let made = Parts::from_map(&map).map_err(BoxError::from).and_then(|parts| aggregate(parts));
            async move { made }
        };
        self.node(&behind, handler);
        self.edge(name, &behind);
        if let (Some(name), Some(behind)) = (self.checked(name), self.checked(&behind)) {
            if let Some(drawn) = self.nodes.last_mut() {
                drawn.spec.group = vec![name.clone()];
            }
            self.groups.insert(name, behind);
        }
        self
    }

    fn draw_body(&mut self, at: Option<usize>, case: Option<&str>, mut body: Graph) {
        body.input_to_starts();
        body.check_types();
        let whole = body.into_whole();
        if let Some(at) = at {
            self.put_inside(at, case, whole);
        }
    }

    /// Puts a finished drawing into a node: as an arm of a branch, or as the only one.
    pub(crate) fn put_inside(&mut self, at: usize, case: Option<&str>, whole: Whole) {
        let Whole { spec: body, code, rivers, river_types, says, errors } = whole;
        let name = self.nodes[at].spec.name.clone();
        match &mut self.nodes[at].spec.kind {
            NodeKind::Branch(branch) => branch.cases.push(CaseSpec { key: case.unwrap_or_default().into(), body }),
            NodeKind::ForEach(foreach) => foreach.body = body,
            NodeKind::Basin(basin) => basin.body = body,
            _ => {}
        }
        self.nodes[at].says.bodies.push(says);
        self.take_rivers(rivers, &river_types);
        self.put_code(&name, case.unwrap_or_default(), code);
        let inside =
            |error| PlanError::Inside { name: name.clone(), case: case.map(Into::into), error: Box::new(error) };
        self.errors.extend(errors.into_iter().map(inside));
    }

    fn put_code(&mut self, name: &Name, key: &str, code: FlowCode) {
        let own = self.code.nodes.entry(name.clone()).or_insert_with(|| NodeCode::new(Arc::new(Nothing)));
        own.bodies.insert(key.into(), Arc::new(code));
    }

    /// Draws the nodes of a flow with `group.` in front of their names, those that take the run's input behind `inputs`;
    /// gives the place of the node whose output is its result.
    pub(crate) fn flatten<In, Out>(&mut self, group: &str, flow: &Flow<In, Out>, inputs: &[EdgeSpec]) -> Option<usize> {
        let group = self.flatten_nodes(group, flow, inputs)?;
        self.result_of(&group, flow)
    }

    /// The same without a node for the result; gives the group's name.
    pub(crate) fn flatten_nodes<In, Out>(
        &mut self,
        group: &str,
        flow: &Flow<In, Out>,
        inputs: &[EdgeSpec],
    ) -> Option<Name> {
        let spec = flow.plan().spec();
        let group = self.checked(group)?;
        if spec.on_failure.is_some() || spec.finally.is_some() || spec.timeout.is_some() {
            let why =
                "a sub-flow has no hooks and no time limit of its own; draw it without them, or as a basin".into();
            self.errors.push(PlanError::Unfit { name: group.clone(), why });
        }
        let inner = |name: &Name| Name::new(format!("{group}.{name}"));
        for (at, node) in spec.nodes.iter().enumerate() {
            let name = match inner(&node.name) {
                Ok(name) => name,
                Err(invalid) => {
                    self.errors.push(PlanError::InvalidName { why: invalid.to_string() });
                    return None;
                }
            };
            let mut copy = node.clone();
            copy.group.insert(0, group.clone());
            for edge in std::mem::take(&mut copy.inputs) {
                match &edge.from {
                    Source::Input => inputs.iter().for_each(|input| self.wire(name.clone(), input.clone())),
                    Source::Node(from) => {
                        let from = Source::Node(inner(from).ok()?);
                        self.wire(name.clone(), EdgeSpec { from, ..edge });
                    }
                }
            }
            copy.name = name.clone();
            if let Some(code) = flow.code().nodes.get(&node.name) {
                self.code.nodes.insert(name, code.clone());
            }
            self.draw_copy(copy, flow.memory().says.get(at).cloned().unwrap_or_default());
        }
        self.take_rivers((**flow.rivers()).clone(), &flow.memory().river_types);
        Some(group)
    }

    /// The node that gives what a flow gives that was drawn here: its last, or one that puts several together.
    fn result_of<In, Out>(&mut self, group: &Name, flow: &Flow<In, Out>) -> Option<usize> {
        let plan = flow.plan();
        let ends: Vec<&Name> = plan.outputs().iter().filter_map(|end| Some(&plan.node(*end)?.name)).collect();
        let place = |graph: &Self, name: &str| graph.nodes.iter().position(|drawn| *drawn.spec.name == *name);
        if let [only] = ends.as_slice() {
            return place(self, &format!("{group}.{only}"));
        }
        let result = format!("{group}.result");
        self.node(&result, |all: Bytes| async move { Ok::<_, BoxError>(all) });
        for end in ends {
            self.edge(&format!("{group}.{end}"), &result);
        }
        let at = place(self, &result)?;
        self.nodes[at].spec.group = vec![group.clone()];
        Some(at)
    }

    /// Edges into and out of a sub-flow, or out of a node with an aggregator behind it, lead where they are meant to.
    pub(crate) fn wire_groups(&mut self) {
        for (group, end) in std::mem::take(&mut self.groups) {
            let is_sub_flow = self.nodes.iter().all(|drawn| drawn.spec.name != group);
            let incoming = if is_sub_flow { self.edges.remove(&group) } else { None };
            let incoming = incoming.unwrap_or_else(|| vec![EdgeSpec::data(Source::Input)]);
            let wired = |to: &Name, edge: EdgeSpec| {
                let inside = to.strip_prefix(group.as_str()).is_some_and(|rest| rest.starts_with('.'));
                match (edge.from == Source::Node(group.clone()), inside) {
                    (true, true) if is_sub_flow => incoming.clone(),
                    (true, false) => vec![EdgeSpec { from: Source::Node(end.clone()), ..edge }],
                    _ => vec![edge],
                }
            };
            for (to, edges) in &mut self.edges {
                *edges = std::mem::take(edges).into_iter().flat_map(|edge| wired(to, edge)).collect();
            }
        }
    }
}

impl Parts {
    /// The members of a JSON map. A text comes out as its bytes, as it went in.
    pub(crate) fn from_map(map: &Bytes) -> Result<Self, DataError> {
        let members: BTreeMap<String, serde_json::Value> = Data::decode(&Payload::new(Codec::Json, map.to_vec()))?;
        let part = |(key, value): (String, serde_json::Value)| {
            let payload = match value {
                serde_json::Value::String(text) => Payload::new(Codec::Bytes, text),
                other => to_json(&other)?,
            };
            Ok((key.into(), payload))
        };
        Ok(Parts::new(members.into_iter().map(part).collect::<Result<_, DataError>>()?))
    }
}
