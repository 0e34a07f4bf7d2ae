//! The code behind a plan: looked up by name, never stored.

use crate::ctx::{Ctx, name_within};
use crate::error::BoxError;
use crate::flow::Flow;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use vastflow_core::plan::{Gives, HookSpec, NodeKind, NodeSpec, Schema, Source};
use vastflow_core::{Failure, FailureKind, Hook, Name, NodeIx, Payload, Plan, PlanHash, Reply, ScopeId, Task};

use crate::data::Parts;

/// A future that a handler returned.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Code that answers tasks: a handler, a river, a hook.
pub trait Code: Send + Sync {
    /// Calls it. `args` are the values that flow in, in edge order, after forwarders and aggregator.
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply>;

    /// What it takes.
    fn takes(&self) -> Schema {
        Schema::Any
    }

    /// What it gives.
    fn gives(&self) -> Schema {
        Schema::Any
    }

    /// Whether it can be made from what a plan says of it: a river's own fields, as JSON.
    ///
    /// # Errors
    /// Why not.
    fn fits(&self, config: Option<&str>) -> Result<(), String> {
        let _ = config;
        Ok(())
    }
}

/// Turns the values of several edges into one.
pub type Aggregator = Arc<dyn Fn(Parts) -> Result<Payload, BoxError> + Send + Sync>;

/// Transforms the value of one edge.
pub type Forwarder = Arc<dyn Fn(Payload) -> Result<Payload, BoxError> + Send + Sync>;

/// Says whether a failure may be retried.
pub(crate) type RetryIf = Arc<dyn Fn(&Failure) -> bool + Send + Sync>;

/// All code of one node.
#[derive(Clone)]
pub struct NodeCode {
    pub(crate) handler: Arc<dyn Code>,
    pub(crate) aggregator: Option<Aggregator>,
    pub(crate) forwarders: BTreeMap<Name, Forwarder>,
    pub(crate) rescue: Option<Arc<dyn Code>>,
    /// Takes back what the node did.
    pub(crate) undo: Option<Arc<dyn Code>>,
    /// Folds the results of a foreach's items.
    pub(crate) reduce: Option<Arc<dyn Code>>,
    pub(crate) retry_if: Option<RetryIf>,
    /// The code of the graphs inside the node: of a branch by the keys of its cases, else under the empty key.
    pub(crate) bodies: BTreeMap<Box<str>, Arc<FlowCode>>,
}

impl NodeCode {
    /// A node with a handler and nothing else.
    #[must_use]
    pub const fn new(handler: Arc<dyn Code>) -> Self {
        NodeCode {
            handler,
            aggregator: None,
            forwarders: BTreeMap::new(),
            rescue: None,
            undo: None,
            reduce: None,
            retry_if: None,
            bodies: BTreeMap::new(),
        }
    }

    fn call(&self, ctx: Ctx) -> BoxFuture<Reply> {
        let besides = match ctx.task() {
            Task::Rescue { .. } => &self.rescue,
            Task::Undo { .. } => &self.undo,
            Task::Reduce { .. } => &self.reduce,
            _ => &None,
        };
        if let Some(code) = besides {
            return code.call(ctx, Vec::new());
        }
        let args = match self.args(&ctx) {
            Ok(args) => args,
            Err(error) => return Box::pin(std::future::ready(crate::handler::failed(&error))),
        };
        let reply = self.handler.call(ctx, args);
        match self.retry_if.clone() {
            Some(may_retry) => Box::pin(async move { ask(&may_retry, reply.await) }),
            None => reply,
        }
    }

    /// The values that flow in, as the handler gets them.
    fn args(&self, ctx: &Ctx) -> Result<Vec<Payload>, BoxError> {
        if self.forwarders.is_empty() && self.aggregator.is_none() {
            return Ok(ctx.raw_inputs().iter().map(|(_, payload)| payload.clone()).collect());
        }
        let mut parts = Vec::new();
        for (name, payload) in ctx.inputs().as_slice() {
            let value = match self.forwarders.get(&**name) {
                Some(forward) => forward(payload.clone())?,
                None => payload.clone(),
            };
            parts.push((name.clone(), value));
        }
        match &self.aggregator {
            Some(aggregate) => Ok(vec![aggregate(Parts::new(parts))?]),
            None => Ok(parts.into_iter().map(|(_, payload)| payload).collect()),
        }
    }

    /// What it gives, as far as its code says.
    fn gives(&self) -> Schema {
        self.reduce.as_ref().unwrap_or(&self.handler).gives()
    }

    /// What `spec` needs and this code lacks.
    fn lacks(&self, plan: &Plan, spec: &NodeSpec) -> Vec<String> {
        let mut lacks = self.differs(spec);
        if spec.aggregator && self.aggregator.is_none() {
            lacks.push(format!("the aggregator of node {:?}", spec.name));
        }
        if spec.rescue && self.rescue.is_none() {
            lacks.push(format!("the on_failure of node {:?}", spec.name));
        }
        if spec.undo.is_some() && self.undo.is_none() {
            lacks.push(format!("the undo action of node {:?}", spec.name));
        }
        if matches!(&spec.kind, NodeKind::ForEach(foreach) if matches!(foreach.gives, Gives::Reduced { .. }))
            && self.reduce.is_none()
        {
            lacks.push(format!("the reduction of foreach {:?}", spec.name));
        }
        self.lacks_forwarders(plan, spec, &mut lacks);
        lacks
    }

    /// In what it has another form than the code that the node was drawn with.
    fn differs(&self, spec: &NodeSpec) -> Vec<String> {
        let mut differs = Vec::new();
        let (name, takes, gives) = (&spec.name, self.handler.takes(), self.gives());
        if !takes.reads(&spec.takes) {
            differs.push(format!("node {name:?} that takes {} (the one here takes {takes})", spec.takes));
        }
        if !spec.gives.reads(&gives) {
            differs.push(format!("node {name:?} that gives {} (the one here gives {gives})", spec.gives));
        }
        if let (Some(river), Err(why)) = (&spec.code, self.handler.fits(spec.config.as_deref())) {
            differs.push(format!("river {river:?} with the fields that {name:?} was drawn with ({why})"));
        }
        differs
    }

    fn lacks_forwarders(&self, plan: &Plan, spec: &NodeSpec, lacks: &mut Vec<String>) {
        for edge in spec.inputs.iter().filter(|edge| edge.forwarder) {
            let Source::Node(from) = &edge.from else { continue };
            let from_spec = plan.find(from).and_then(|from| plan.node(from));
            if !from_spec.is_some_and(|node| self.forwarders.contains_key(name_within(&spec.group, node))) {
                lacks.push(format!("the forwarder from {from:?} to {:?}", spec.name));
            }
        }
    }
}

fn ask(may_retry: &RetryIf, reply: Reply) -> Reply {
    match reply {
        Reply::Failed { failure, retryable } => {
            let retryable = retryable && may_retry(&failure);
            Reply::Failed { failure, retryable }
        }
        reply => reply,
    }
}

/// The code of one flow, by node name.
#[derive(Clone, Default)]
pub struct FlowCode {
    pub(crate) nodes: BTreeMap<Name, NodeCode>,
    pub(crate) on_failure: Option<Arc<dyn Code>>,
    pub(crate) finally: Option<Arc<dyn Code>>,
}

/// All code that a program has: its flows, and the rivers and Atlantics that flows drawn at run time refer to.
#[derive(Clone, Default)]
pub struct Library {
    flows: BTreeMap<Name, Arc<FlowCode>>,
    rivers: BTreeMap<Name, Arc<dyn Code>>,
}

/// A name is taken by other code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is {what} named {name:?} already; give this one another name")]
pub struct NameTaken {
    /// What kind of code.
    pub what: &'static str,
    /// The name.
    pub name: Name,
}

/// A plan needs code that this program lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("runs of flow {flow:?} with plan {plan} need {} that this program lacks", needs.join(", "))]
pub struct MissingCode {
    /// The flow.
    pub flow: Name,
    /// The plan.
    pub plan: vastflow_core::PlanHash,
    /// What is missing.
    pub needs: Vec<String>,
}

impl Library {
    /// The code of one flow and nothing else.
    pub(crate) fn of<In, Out>(flow: &Flow<In, Out>) -> Self {
        let flows = BTreeMap::from([(flow.name().clone(), Arc::clone(flow.code()))]);
        Library { flows, rivers: (**flow.rivers()).clone() }
    }

    /// Adds the code of a flow.
    ///
    /// # Errors
    /// [`NameTaken`] when there is a flow of that name.
    pub fn add_flow(&mut self, name: Name, code: Arc<FlowCode>) -> Result<(), NameTaken> {
        if self.flows.contains_key(&name) {
            return Err(NameTaken { what: "a flow", name });
        }
        self.flows.insert(name, code);
        Ok(())
    }

    /// Puts the code of a flow in the place of what was there under its name, if anything was.
    pub fn replace_flow(&mut self, name: Name, code: Arc<FlowCode>) {
        self.flows.insert(name, code);
    }

    /// Adds a river or an Atlantic.
    ///
    /// # Errors
    /// [`NameTaken`] when there is one of that name.
    pub fn add_river(&mut self, name: Name, code: Arc<dyn Code>) -> Result<(), NameTaken> {
        if self.rivers.contains_key(&name) {
            return Err(NameTaken { what: "a river or an Atlantic", name });
        }
        self.rivers.insert(name, code);
        Ok(())
    }

    /// Adds rivers that a drawing brings along; those that are there already stay.
    pub fn learn_rivers(&mut self, rivers: &BTreeMap<Name, Arc<dyn Code>>) {
        for (name, code) in rivers {
            self.rivers.entry(name.clone()).or_insert_with(|| Arc::clone(code));
        }
    }

    /// Finds the code of every node and hook of `plan`, and of all that is inside its nodes.
    ///
    /// # Errors
    /// [`MissingCode`] that names everything that is not here.
    pub fn bind(&self, plan: &Arc<Plan>) -> Result<Bound, MissingCode> {
        let none = FlowCode::default();
        let flow = self.flows.get(plan.flow()).map_or(&none, |flow| &**flow);
        let mut needs = Vec::new();
        let bound = self.bind_graph(plan, flow, plan.hash(), &mut needs);
        if needs.is_empty() {
            return Ok(bound);
        }
        Err(MissingCode { flow: plan.flow().clone(), plan: plan.hash(), needs })
    }

    fn bind_graph(&self, plan: &Arc<Plan>, code: &FlowCode, root: PlanHash, needs: &mut Vec<String>) -> Bound {
        let specs = &plan.spec().nodes;
        let nodes: Vec<Option<NodeCode>> = specs.iter().map(|spec| self.node(plan, code, spec, needs)).collect();
        let on_failure = self.hook(plan, Hook::OnFailure, code.on_failure.as_ref(), needs);
        let finally = self.hook(plan, Hook::Finally, code.finally.as_ref(), needs);
        let mut bodies = BTreeMap::new();
        for (spec, own) in specs.iter().zip(&nodes) {
            let Some(ix) = plan.find(&spec.name) else { continue };
            let inside = plan.bodies(ix).iter().enumerate().map(|(at, body)| {
                let key = case_key(spec, at);
                let none = FlowCode::default();
                let code = own.as_ref().and_then(|own| own.bodies.get(key)).map_or(&none, |code| &**code);
                let mut lacks = Vec::new();
                let bound = self.bind_graph(body, code, root, &mut lacks);
                needs.extend(lacks.into_iter().map(|what| format!("{what} inside {:?}", spec.name)));
                Arc::new(bound)
            });
            let inside: Vec<Arc<Bound>> = inside.collect();
            if !inside.is_empty() {
                bodies.insert(ix, inside);
            }
        }
        Bound { plan: Arc::clone(plan), root, nodes, bodies, on_failure, finally, has_code: true }
    }

    fn node(&self, plan: &Plan, flow: &FlowCode, spec: &NodeSpec, needs: &mut Vec<String>) -> Option<NodeCode> {
        if matches!(spec.kind, NodeKind::Gate | NodeKind::Signal { .. } | NodeKind::Sleep { .. } | NodeKind::Basin(_))
            && !spec.rescue
        {
            return flow.nodes.get(&spec.name).cloned();
        }
        let code = match &spec.code {
            // What a node does besides (its on_failure) is the flow's, the river itself is known by its own name.
            Some(river) => match self.rivers.get(river) {
                Some(code) => {
                    let besides = flow.nodes.get(&spec.name).cloned();
                    let besides = besides.unwrap_or_else(|| NodeCode::new(Arc::clone(code)));
                    Some(NodeCode { handler: Arc::clone(code), ..besides })
                }
                // A node of a flow that was drawn into an Andes.
                None => flow.nodes.get(&spec.name).or_else(|| self.node_of_flow(river)).cloned(),
            },
            None => flow.nodes.get(&spec.name).cloned(),
        };
        match &code {
            Some(code) => needs.extend(code.lacks(plan, spec)),
            None => needs.push(match &spec.code {
                Some(of_flow) if !spec.is_river() => format!("node {of_flow:?} of a flow"),
                Some(river) => format!("river {river:?}"),
                None => format!("node {:?}", spec.name),
            }),
        }
        code
    }

    /// The code that is named `flow:node`.
    fn node_of_flow(&self, code: &str) -> Option<&NodeCode> {
        self.flows.iter().find_map(|(flow, nodes)| nodes.nodes.get(code.strip_prefix(&**flow)?.strip_prefix(':')?))
    }

    fn hook(
        &self,
        plan: &Plan,
        hook: Hook,
        own: Option<&Arc<dyn Code>>,
        needs: &mut Vec<String>,
    ) -> Option<Arc<dyn Code>> {
        let HookSpec { code, config, .. } = plan.spec().hook(hook)?;
        let found = match code {
            Some(name) => self.rivers.get(name),
            None => own,
        };
        match (found, code) {
            (None, Some(name)) => needs.push(format!("Atlantic {name:?}")),
            (None, None) => needs.push(format!("the hook {hook:?}")),
            (Some(found), Some(name)) => {
                let unfit = found.fits(config.as_deref()).err();
                needs.extend(unfit.map(|why| format!("Atlantic {name:?} with the fields it was drawn with ({why})")));
            }
            (Some(_), None) => {}
        }
        found.cloned()
    }
}

/// The key that the code of a node's body is kept under.
fn case_key(spec: &NodeSpec, at: usize) -> &str {
    match &spec.kind {
        NodeKind::Branch(branch) => branch.cases.get(at).map_or("", |case| &case.key),
        _ => "",
    }
}

/// A plan with the code of all its nodes.
pub struct Bound {
    plan: Arc<Plan>,
    /// The plan of the whole run.
    root: PlanHash,
    nodes: Vec<Option<NodeCode>>,
    /// What stands inside nodes, in the order of the plan's own bodies.
    bodies: BTreeMap<NodeIx, Vec<Arc<Bound>>>,
    on_failure: Option<Arc<dyn Code>>,
    finally: Option<Arc<dyn Code>>,
    has_code: bool,
}

impl Bound {
    /// A plan with no code at all: enough to say what becomes of a run of which nothing is called.
    #[must_use]
    pub fn without_code(plan: Arc<Plan>) -> Self {
        let root = plan.hash();
        Bound::none_of(plan, root)
    }

    fn none_of(plan: Arc<Plan>, root: PlanHash) -> Self {
        let inside =
            |node: NodeIx| plan.bodies(node).iter().map(|body| Arc::new(Bound::none_of(Arc::clone(body), root)));
        let named = plan.spec().nodes.iter().filter_map(|spec| plan.find(&spec.name));
        let bodies = named.map(|node| (node, inside(node).collect())).collect();
        Bound { plan, root, nodes: Vec::new(), bodies, on_failure: None, finally: None, has_code: false }
    }

    /// Whether the code of all nodes and hooks is here.
    #[must_use]
    pub const fn has_code(&self) -> bool {
        self.has_code
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The plan of the whole run, which this one may stand inside of.
    #[must_use]
    pub const fn root(&self) -> PlanHash {
        self.root
    }

    /// The code of the scope `scope`, where this is the code of its run's root; none when its plan has no such scope.
    #[must_use]
    pub fn of_scope(self: &Arc<Self>, scope: &ScopeId) -> Option<Arc<Bound>> {
        let mut bound = self;
        for (node, key) in scope.steps() {
            let ix = bound.plan.find(node)?;
            let body = bound.plan.body(ix, &key)?;
            let at = bound.plan.bodies(ix).iter().position(|known| Arc::ptr_eq(known, body))?;
            bound = bound.bodies.get(&ix)?.get(at)?;
        }
        Some(Arc::clone(bound))
    }

    /// Whether the node of a task lets this failure be retried, as far as its own predicate is concerned.
    #[must_use]
    pub fn may_retry(&self, task: Task, failure: &Failure) -> bool {
        let node = task.node().and_then(|node| self.nodes.get(node.index())?.as_ref());
        node.and_then(|node| node.retry_if.as_ref()).is_none_or(|may_retry| may_retry(failure))
    }

    /// Calls the code of the task that `ctx` is for.
    #[must_use]
    pub fn call(&self, ctx: Ctx) -> BoxFuture<Reply> {
        let node = ctx.task().node().and_then(|node| self.nodes.get(node.index())?.as_ref());
        let hook = match ctx.task() {
            Task::Hook { hook: Hook::OnFailure, .. } => self.on_failure.as_ref(),
            Task::Hook { hook: Hook::Finally, .. } => self.finally.as_ref(),
            _ => None,
        };
        match (node, hook) {
            (Some(node), _) => node.call(ctx),
            (None, Some(hook)) => hook.call(ctx, Vec::new()),
            (None, None) => {
                let failure = Failure::new(FailureKind::Engine, format!("there is no code for {:?}", ctx.task()));
                Box::pin(std::future::ready(Reply::Failed { failure, retryable: false }))
            }
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({:?})", self.plan)
    }
}
