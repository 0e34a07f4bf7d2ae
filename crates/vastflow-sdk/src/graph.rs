//! The untyped layer: nodes and edges by name. What goflow's users know, what tools generate, and what the typed
//! [`Dag`](crate::Dag) is drawn on.

use crate::code::{Aggregator, Code, FlowCode, Forwarder, NodeCode};
use crate::ctx::Ctx;
use crate::data::{Bytes, Data, DataError, Parts, plain_name};
use crate::error::BoxError;
use crate::flow::Flow;
use crate::handler::{Handler, Takes, Typed};
use crate::options::Retry;
use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::plan::{EdgeSpec, HookSpec, Join, NodeKind, NodeSpec, OnExhausted, PlanError, PlanSpec, Source};
use vastflow_core::{Codec, Failure, FailureKind, Name, Payload, Plan, PlanErrors, RunOutcome};

/// A graph drawn by name. Whatever is wrong with it is told by [`Graph::build`], all at once.
///
/// A node with one parent gets its value; with several, a JSON map by node name, unless it has an aggregator; with
/// none, the run's input. Several last nodes make the run's result a map by node name.
///
/// ```
/// use vastflow_sdk::{Bytes, Graph, Parts, Result};
///
/// async fn shout(text: Bytes) -> Result<Bytes> { Ok(text.to_text().to_uppercase().into()) }
///
/// let mut graph = Graph::new("parallel");
/// graph.node("one", shout).node("two", shout).node("three", shout).node("join", shout);
/// graph.edge("one", "two").edge("one", "three").edge("two", "join").edge("three", "join");
/// graph.aggregator("join", |parts: Parts| Ok(Bytes::from(parts.get::<Bytes>("two")?.to_text())));
/// assert_eq!(graph.build()?.plan().len(), 4);
/// # Ok::<(), vastflow_core::PlanErrors>(())
/// ```
#[derive(Default)]
pub struct Graph {
    pub(crate) name: Option<Name>,
    pub(crate) nodes: Vec<Drawn>,
    /// The edges into each node, in the order they were drawn.
    pub(crate) edges: BTreeMap<Name, Vec<EdgeSpec>>,
    /// The edges drawn by name, to notice a second one.
    drawn: BTreeSet<(Name, Name)>,
    pub(crate) code: FlowCode,
    pub(crate) rivers: BTreeMap<Name, Arc<dyn Code>>,
    /// The types behind `rivers`, to notice that two of them share a name.
    pub(crate) river_types: BTreeMap<Name, TypeId>,
    /// Sub-flows, and nodes with an aggregator behind them, with the node that edges out of them leave from.
    pub(crate) groups: BTreeMap<Name, Name>,
    pub(crate) outputs: Vec<Name>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_failure: Option<HookSpec>,
    pub(crate) finally: Option<HookSpec>,
    hook_timeout: Option<Duration>,
    default_retry: Option<Retry>,
    pub(crate) errors: Vec<PlanError>,
}

pub(crate) struct Drawn {
    pub(crate) spec: NodeSpec,
    pub(crate) says: Says,
    takes: Option<Kind>,
    gives: Option<Kind>,
}

/// What the author of a node said that its spec does not tell from what was left unsaid.
#[derive(Clone, Default)]
pub(crate) struct Says {
    /// How it is retried, be it "never".
    retry: bool,
    /// What was said in the graphs inside it, in the order of the spec's own bodies.
    pub(crate) bodies: Vec<Vec<Says>>,
}

impl Says {
    /// Gives a node, and all inside it, a policy where nothing was said.
    fn retry_unless_said(&mut self, node: &mut NodeSpec, policy: &Retry) {
        let calls = matches!(node.kind, NodeKind::Task | NodeKind::Branch(_) | NodeKind::ForEach(_));
        if calls && !self.retry {
            node.retry = policy.clone();
            self.retry = true;
        }
        for (body, said) in node.bodies_mut().into_iter().zip(&mut self.bodies) {
            for (node, said) in body.nodes.iter_mut().zip(said) {
                said.retry_unless_said(node, policy);
            }
        }
    }
}

/// A type, as far as wiring by name can look at it.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    id: TypeId,
    name: &'static str,
}

impl Kind {
    fn of<T: 'static>() -> Self {
        Kind { id: TypeId::of::<T>(), name: std::any::type_name::<T>() }
    }

    /// Bytes and free JSON fit everything.
    fn is_free(self) -> bool {
        self.id == TypeId::of::<Bytes>() || self.id == TypeId::of::<serde_json::Value>()
    }
}

/// What an edge of a [`Graph`] carries.
#[derive(Clone, Default)]
pub struct Edge {
    order_only: bool,
    forwarder: Option<Forwarder>,
}

impl Edge {
    /// An edge that carries nothing: the node behind waits, and gets no value from here.
    #[must_use]
    pub fn order_only() -> Self {
        Edge { order_only: true, forwarder: None }
    }

    /// An edge whose value is transformed on its way.
    pub fn forward<A: Data, B: Data>(forward: impl Fn(A) -> Result<B, BoxError> + Send + Sync + 'static) -> Self {
        let forwarder = move |payload: Payload| Ok(forward(A::decode(&payload)?)?.encode()?);
        Edge { order_only: false, forwarder: Some(Arc::new(forwarder)) }
    }
}

/// Options of a node.
///
/// ```
/// use vastflow_sdk::{DurationExt, NodeOptions, TimesExt};
///
/// let options = NodeOptions::new().retry(3.times().every(1.secs())).timeout(30.secs()).label("colour", "red");
/// # let _ = options;
/// ```
#[derive(Clone, Default)]
pub struct NodeOptions {
    retry: Option<Retry>,
    timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    durable: Option<bool>,
    join: Option<Join>,
    on_exhausted: Option<OnExhausted>,
    isolated: bool,
    lane: Option<String>,
    labels: Vec<(String, String)>,
}

impl NodeOptions {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How failed attempts are retried.
    #[must_use]
    pub fn retry(mut self, policy: Retry) -> Self {
        self.retry = Some(policy);
        self
    }

    /// How long one attempt may take.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long all attempts and waits may take together.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Whether its result is recorded before anything follows from it; true unless said.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = Some(durable);
        self
    }

    /// How many of the nodes before it the node needs; all unless said. Of `any` and `n_of` it gets those that came
    /// first, of `all_settled` a `Result` of each.
    #[must_use]
    pub fn join(mut self, join: Join) -> Self {
        self.join = Some(join);
        self
    }

    /// What happens when it has failed for good; the run fails unless said.
    #[must_use]
    pub fn on_exhausted(mut self, choice: OnExhausted) -> Self {
        self.on_exhausted = Some(choice);
        self
    }

    /// Its failure fails the run only when everything that does not depend on it has ended.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// The lane that its calls queue in.
    #[must_use]
    pub fn lane(mut self, lane: &str) -> Self {
        self.lane = Some(lane.to_owned());
        self
    }

    /// Something to show with the node.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    fn apply(self, spec: &mut NodeSpec, errors: &mut Vec<PlanError>) {
        spec.join = self.join.unwrap_or(spec.join);
        spec.on_exhausted = self.on_exhausted.unwrap_or(spec.on_exhausted);
        spec.isolated |= self.isolated;
        match self.lane.map(Name::new) {
            Some(Ok(lane)) => spec.lane = Some(lane),
            Some(Err(invalid)) => errors.push(PlanError::InvalidName { why: invalid.to_string() }),
            None => {}
        }
        spec.retry = self.retry.unwrap_or_else(|| spec.retry.clone());
        spec.attempt_timeout = self.timeout.or(spec.attempt_timeout);
        spec.timeout = self.total_timeout.or(spec.timeout);
        spec.durable = self.durable.unwrap_or(spec.durable);
        spec.labels.extend(self.labels.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut graph = Graph::default();
        graph.name = graph.checked(name);
        graph
    }

    /// Draws a node. Its handler takes and gives bytes, or any other [`Data`].
    pub fn node<H, In, M>(&mut self, name: &str, handler: H) -> &mut Self
    where
        H: Handler<In, M>,
        H::Out: Data,
        In: Data,
        M: 'static,
    {
        self.node_with(name, handler, NodeOptions::new())
    }

    /// Draws a node with options.
    pub fn node_with<H, In, M>(&mut self, name: &str, handler: H, options: NodeOptions) -> &mut Self
    where
        H: Handler<In, M>,
        H::Out: Data,
        In: Data,
        M: 'static,
    {
        let code = Arc::new(Typed::new(handler, Takes::new(decode_one::<In>, In::schema)));
        if let Some(at) = self.draw(name, code, Some(Kind::of::<H::Out>())) {
            self.nodes[at].takes = Some(Kind::of::<In>());
            self.nodes[at].says.retry = options.retry.is_some();
            options.apply(&mut self.nodes[at].spec, &mut self.errors);
        }
        self
    }

    /// Draws a node from its code; gives its place, or none when its name is not valid.
    pub(crate) fn draw(&mut self, name: &str, code: Arc<dyn Code>, gives: Option<Kind>) -> Option<usize> {
        let name = self.checked(name)?;
        let (takes, code_gives) = (code.takes(), code.gives());
        let spec = NodeSpec { takes, gives: code_gives, ..NodeSpec::new(name.clone(), NodeKind::Task) };
        self.code.nodes.insert(name, NodeCode::new(code));
        self.nodes.push(Drawn { spec, says: Says::default(), takes: None, gives });
        Some(self.nodes.len() - 1)
    }

    pub(crate) fn draw_typed<H, In, M>(&mut self, name: &str, code: Typed<H, In, M>) -> Option<usize>
    where
        Typed<H, In, M>: Code + 'static,
    {
        self.draw(name, Arc::new(code), None)
    }

    /// Draws a node whose code is looked up elsewhere, or that needs none.
    pub(crate) fn draw_spec(&mut self, spec: NodeSpec) -> usize {
        self.draw_copy(spec, Says::default())
    }

    /// The same for a node of a finished drawing, whose author has said what there is to say.
    pub(crate) fn draw_copy(&mut self, spec: NodeSpec, says: Says) -> usize {
        self.nodes.push(Drawn { spec, says, takes: None, gives: None });
        self.nodes.len() - 1
    }

    /// Draws an edge: the value of `from` flows into `to`.
    pub fn edge(&mut self, from: &str, to: &str) -> &mut Self {
        self.edge_with(from, to, Edge::default())
    }

    /// Draws an edge that carries no value, or a transformed one.
    pub fn edge_with(&mut self, from: &str, to: &str, edge: Edge) -> &mut Self {
        let (Some(from), Some(to)) = (self.checked(from), self.checked(to)) else { return self };
        if !self.drawn.insert((from.clone(), to.clone())) {
            self.errors.push(PlanError::DuplicateEdge { from, to });
            return self;
        }
        if let (Some(forward), Some(code)) = (&edge.forwarder, self.code.nodes.get_mut(&to)) {
            code.forwarders.insert(from.clone(), Arc::clone(forward));
        } else if edge.forwarder.is_some() {
            self.errors.push(PlanError::UndefinedNode { from: "an edge with a forwarder".into(), to: to.clone() });
        }
        let (order_only, forwarder) = (edge.order_only, edge.forwarder.is_some());
        self.wire(to, EdgeSpec { from: Source::Node(from), order_only, forwarder });
        self
    }

    pub(crate) fn wire(&mut self, to: Name, spec: EdgeSpec) {
        self.edges.entry(to).or_default().push(spec);
    }

    /// The run's input flows into `node`. Nodes without an edge get it anyway; say it where there are several. Saying it
    /// twice is saying it once.
    pub fn input_to(&mut self, node: &str) -> &mut Self {
        let Some(to) = self.checked(node) else { return self };
        let edge = EdgeSpec::data(Source::Input);
        if !self.edges.get(&to).is_some_and(|edges| edges.contains(&edge)) {
            self.wire(to, edge);
        }
        self
    }

    /// Turns the values that flow into `node` into one.
    pub fn aggregator<T: Data>(
        &mut self,
        node: &str,
        aggregate: impl Fn(Parts) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> &mut Self {
        let aggregator: Aggregator = Arc::new(move |parts| Ok(aggregate(parts)?.encode()?));
        self.with_node(node, "an aggregator", |spec, code| {
            spec.aggregator = true;
            code.aggregator = Some(aggregator);
        })
    }

    /// What happens when `node` has failed for good: the handler gives a substitute value, or an error.
    pub fn node_on_failure<H, M>(&mut self, node: &str, handler: H) -> &mut Self
    where
        H: Handler<Failure, M>,
        H::Out: Data,
        M: 'static,
    {
        self.with_node(node, "an on_failure", |spec, code| {
            spec.rescue = true;
            code.rescue = Some(Arc::new(Typed::new(handler, Takes::aside(decode_failure))));
        })
    }

    pub(crate) fn with_node(
        &mut self,
        node: &str,
        what: &str,
        change: impl FnOnce(&mut NodeSpec, &mut NodeCode),
    ) -> &mut Self {
        let Some(name) = self.checked(node) else { return self };
        let drawn = self.nodes.iter_mut().find(|drawn| drawn.spec.name == name);
        match (drawn, self.code.nodes.get_mut(&name)) {
            (Some(drawn), Some(code)) => change(&mut drawn.spec, code),
            _ => self.errors.push(PlanError::UndefinedNode { from: what.into(), to: name }),
        }
        self
    }

    /// How failed attempts are retried, in nodes that do not say it themselves, nor does a graph that they stand in.
    pub fn retry(&mut self, policy: Retry) -> &mut Self {
        self.default_retry = Some(policy);
        self
    }

    /// How long a run may take.
    pub fn timeout(&mut self, limit: Duration) -> &mut Self {
        self.timeout = Some(limit);
        self
    }

    /// How long one call of the flow's `on_failure` or `finally` may take; 10 minutes unless said
    /// ([`HOOK_TIMEOUT`](vastflow_core::limits::HOOK_TIMEOUT)). A call that takes longer has failed.
    pub fn hook_timeout(&mut self, limit: Duration) -> &mut Self {
        self.hook_timeout = Some(limit);
        self
    }

    /// Runs once when the run failed, was stopped or ran out of time, before `finally`.
    pub fn on_failure<H, M>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<RunOutcome, M, Out = ()>,
        M: 'static,
    {
        self.on_failure = Some(HookSpec::default());
        self.code.on_failure = Some(Arc::new(Typed::new(handler, Takes::aside(decode_outcome))));
        self
    }

    /// Runs once at every end of a run.
    pub fn finally<H, M>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<RunOutcome, M, Out = ()>,
        M: 'static,
    {
        self.finally = Some(HookSpec::default());
        self.code.finally = Some(Arc::new(Typed::new(handler, Takes::aside(decode_outcome))));
        self
    }

    /// Takes over all nodes and edges of another graph. Its name, hooks, default retry and time limit stay behind.
    pub fn append(&mut self, other: Graph) -> &mut Self {
        self.nodes.extend(other.nodes);
        for (to, specs) in other.edges {
            self.edges.entry(to).or_default().extend(specs);
        }
        for (from, to) in other.drawn {
            if !self.drawn.insert((from.clone(), to.clone())) {
                self.errors.push(PlanError::DuplicateEdge { from, to });
            }
        }
        self.code.nodes.extend(other.code.nodes);
        self.groups.extend(other.groups);
        self.take_rivers(other.rivers, &other.river_types);
        self.errors.extend(other.errors);
        self
    }

    /// Takes over the rivers of another drawing.
    pub(crate) fn take_rivers(&mut self, rivers: BTreeMap<Name, Arc<dyn Code>>, types: &BTreeMap<Name, TypeId>) {
        for (name, code) in rivers {
            if let Some(of) = types.get(&name) {
                self.add_river(name, *of, code);
            }
        }
    }

    /// Notes the code of a river or an Atlantic.
    pub(crate) fn add_river(&mut self, name: Name, of: TypeId, code: Arc<dyn Code>) {
        if *self.river_types.entry(name.clone()).or_insert(of) != of {
            let why = "two types have this `NAME`; give each river and each Atlantic a name of its own".into();
            self.errors.push(PlanError::Unfit { name: name.clone(), why });
        }
        self.rivers.insert(name, code);
    }

    /// Checks the graph and makes it a flow.
    ///
    /// # Errors
    /// [`PlanErrors`] with everything that is wrong.
    pub fn build(mut self) -> Result<Flow<Bytes, Bytes>, PlanErrors> {
        self.input_to_starts();
        self.check_types();
        self.finish()
    }

    /// Nodes without an edge take the run's input; there must be one such node, or each must say so.
    pub(crate) fn input_to_starts(&mut self) {
        let names = self.nodes.iter().map(|node| node.spec.name.clone());
        let starts: Vec<Name> = names.filter(|name| !self.edges.contains_key(name)).collect();
        if starts.len() > 1 {
            self.errors.push(PlanError::SeveralStarts { nodes: starts });
            return;
        }
        starts.into_iter().for_each(|name| self.wire(name, EdgeSpec::data(Source::Input)));
    }

    /// Where one plain value flows into a node, it must be what the node takes.
    pub(crate) fn check_types(&mut self) {
        let gives: BTreeMap<&Name, Kind> =
            self.nodes.iter().filter_map(|node| Some((&node.spec.name, node.gives?))).collect();
        let mismatch = |to: &Drawn| {
            let from = self.only_value(to)?;
            let (gives, takes) = (*gives.get(from)?, to.takes?);
            let fits = gives.id == takes.id || gives.is_free() || takes.is_free();
            let (from, to) = (from.clone(), to.spec.name.clone());
            let (gives, takes) = (plain_name(gives.name), plain_name(takes.name));
            (!fits).then_some(PlanError::TypeMismatch { from, to, gives, takes })
        };
        let found: Vec<PlanError> = self.nodes.iter().filter_map(mismatch).collect();
        self.errors.extend(found);
    }

    /// The node whose value flows into `to` as it is, if there is just one.
    fn only_value(&self, to: &Drawn) -> Option<&Name> {
        let mut into = self.edges.get(&to.spec.name)?.iter().filter(|edge| !edge.order_only);
        match (into.next()?, into.next()) {
            (EdgeSpec { from: Source::Node(from), forwarder: false, .. }, None) if !to.spec.aggregator => Some(from),
            _ => None,
        }
    }

    pub(crate) fn finish<In, Out>(self) -> Result<Flow<In, Out>, PlanErrors> {
        let Whole { spec, code, rivers, river_types, says, mut errors } = self.into_whole();
        let flow = spec.flow.clone();
        match Plan::new(spec) {
            Ok(plan) if errors.is_empty() => Ok(Flow::new(plan, code, rivers, Memory { river_types, says })),
            Ok(_) => Err(PlanErrors::new(flow, errors)),
            Err(found) => {
                errors.extend(found.list().iter().cloned());
                Err(PlanErrors::new(flow, errors))
            }
        }
    }

    /// The drawing, taken apart, with what is wrong with it so far.
    pub(crate) fn into_whole(mut self) -> Whole {
        self.wire_groups();
        let mut spec = PlanSpec::new(self.name.clone().unwrap_or_else(unnamed));
        let mut says = Vec::with_capacity(self.nodes.len());
        for mut drawn in self.nodes {
            let mut node = drawn.spec;
            if let Some(policy) = &self.default_retry {
                drawn.says.retry_unless_said(&mut node, policy);
            }
            node.inputs.extend(self.edges.remove(&node.name).unwrap_or_default());
            spec.nodes.push(node);
            says.push(drawn.says);
        }
        for (to, edges) in self.edges {
            let undefined = |edge| PlanError::UndefinedNode { from: edge_text(edge), to: to.clone() };
            self.errors.extend(edges.iter().map(undefined));
        }
        spec.outputs = self.outputs;
        spec.timeout = self.timeout;
        spec.on_failure = self.on_failure;
        spec.finally = self.finally;
        for hook in spec.on_failure.iter_mut().chain(&mut spec.finally) {
            hook.timeout = hook.timeout.or(self.hook_timeout);
        }
        let Graph { code, rivers, river_types, errors, .. } = self;
        Whole { spec, code, rivers, river_types, says, errors }
    }

    /// A name, or an error to tell later.
    pub(crate) fn checked(&mut self, name: &str) -> Option<Name> {
        Name::new(name).map_err(|invalid| self.errors.push(PlanError::InvalidName { why: invalid.to_string() })).ok()
    }

    pub(crate) fn spec_mut(&mut self, at: usize) -> &mut NodeSpec {
        &mut self.nodes[at].spec
    }

    /// Sets how a node is retried.
    pub(crate) fn retry_at(&mut self, at: usize, policy: Retry) {
        self.nodes[at].spec.retry = policy;
        self.nodes[at].says.retry = true;
    }

    /// Gives a river drawn at `at` room for code besides the river's own: what it does when it failed.
    pub(crate) fn room_for_code(&mut self, at: usize, river: Arc<dyn Code>) {
        self.code.nodes.insert(self.nodes[at].spec.name.clone(), NodeCode::new(river));
    }

    /// Gives a foreach what folds its results.
    pub(crate) fn set_reducer(&mut self, at: usize, reducer: Arc<dyn Code>) {
        self.nodes[at].spec.gives = reducer.gives();
        if let Some(code) = self.code_mut(at) {
            code.reduce = Some(reducer);
        }
    }

    pub(crate) fn code_mut(&mut self, at: usize) -> Option<&mut NodeCode> {
        self.code.nodes.get_mut(&self.nodes[at].spec.name)
    }
}

/// What a flow knows of its drawing besides plan and code, for when it is drawn into another.
#[derive(Default)]
pub(crate) struct Memory {
    /// The types behind its rivers and Atlantics.
    pub(crate) river_types: BTreeMap<Name, TypeId>,
    /// What the authors of its nodes said, in the order of the nodes.
    pub(crate) says: Vec<Says>,
}

/// A drawing, taken apart.
pub(crate) struct Whole {
    pub(crate) spec: PlanSpec,
    pub(crate) code: FlowCode,
    pub(crate) rivers: BTreeMap<Name, Arc<dyn Code>>,
    pub(crate) river_types: BTreeMap<Name, TypeId>,
    /// What the authors of its nodes said, in the order of the nodes.
    pub(crate) says: Vec<Says>,
    /// What is wrong with it, besides what a check of the spec finds.
    pub(crate) errors: Vec<PlanError>,
}

pub(crate) fn unnamed() -> Name {
    // A literal that is a valid name; the error about the real one is already noted.
    Name::new("unnamed").unwrap_or_else(|_| unreachable!())
}

fn edge_text(spec: &EdgeSpec) -> String {
    match &spec.from {
        Source::Input => "an edge from the run's input".into(),
        Source::Node(from) => format!("an edge from {from:?}"),
    }
}

pub(crate) fn decode_one<In: Data>(ctx: &Ctx, args: &[Payload]) -> Result<In, DataError> {
    match args {
        // Nothing flows in: no bytes, or, for a type that cannot be read from none, JSON's word for it.
        [] => In::decode(&Payload::new(Codec::Bytes, "")).or_else(|_| In::decode(&Payload::null())),
        [one] => In::decode(one),
        several => {
            let names = ctx.inputs();
            let named = names.as_slice().iter().zip(several).map(|((name, _), arg)| (name.clone(), arg.clone()));
            In::decode(&Parts::new(named.collect()).into_one())
        }
    }
}

pub(crate) fn decode_failure(ctx: &Ctx, _: &[Payload]) -> Result<Failure, DataError> {
    Ok(ctx.failure().cloned().unwrap_or_else(|| Failure::new(FailureKind::Engine, "unknown")))
}

pub(crate) fn decode_outcome(ctx: &Ctx, _: &[Payload]) -> Result<RunOutcome, DataError> {
    Ok(ctx.outcome().cloned().unwrap_or(RunOutcome::Succeeded))
}
