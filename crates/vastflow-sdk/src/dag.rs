//! The typed layer: nodes are `let`-bound values, edges are types.

use crate::code::Code;
use crate::ctx::Ctx;
use crate::data::{Data, DataError};
use crate::flow::Flow;
use crate::graph::{Graph, Whole, decode_failure, unnamed};
use crate::handler::{Handler, Takes, Typed};
use crate::inside::{Nothing, decode_undo};
use crate::options::Retry;
use crate::river::{River, river_code};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vastflow_core::plan::{EdgeSpec, Join, NodeKind, OnExhausted, PlanError, PlanSpec, Schema, Source};
use vastflow_core::{Failure, Name, Payload, PlanErrors, RunOutcome};

/// A drawing in progress; see [`Flow::dag`].
pub struct Dag {
    /// Tells drawings apart, because a node of one can be handed to another.
    id: u64,
    graph: RefCell<Graph>,
}

/// A node of a [`Dag`] that gives a `T`, or the run's input. A handle: copy it, wire it, set its options.
pub struct Node<'d, T> {
    dag: &'d Dag,
    /// Which node; none for the run's input, and for a node whose name was refused.
    at: Option<usize>,
    gives: PhantomData<fn() -> T>,
}

impl<T> Clone for Node<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Node<'_, T> {}

/// One end of an edge.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    dag: u64,
    at: Option<usize>,
}

/// What can be wired into a node: another node, a tuple of nodes (up to eight), a `Vec` of nodes of one type, or `()`
/// for a node that starts at once with nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be wired into a node",
    label = "not a node, a tuple of nodes, a `Vec` of nodes or `()`",
    note = "wire what `dag.node(…)` gave you: `dag.node(\"name\", handler, other)` or `dag.node(\"name\", handler, (a, b))`"
)]
pub trait Inputs<'d> {
    /// What the handler gets.
    type Value: Send + 'static;

    /// Where the edges come from.
    fn wires(&self) -> Vec<Wire>;

    /// How many of them the node needs.
    fn join(&self) -> Join {
        Join::All
    }

    /// The handler's input from what flows in.
    ///
    /// # Errors
    /// [`DataError`] when a value is not what it should be.
    fn decode(ctx: &Ctx, args: &[Payload]) -> Result<Self::Value, DataError>;

    /// What the handler's input looks like.
    fn schema() -> Schema;
}

impl<'d> Inputs<'d> for () {
    type Value = ();

    fn wires(&self) -> Vec<Wire> {
        Vec::new()
    }

    fn decode(_: &Ctx, _: &[Payload]) -> Result<(), DataError> {
        Ok(())
    }

    fn schema() -> Schema {
        Schema::Any
    }
}

impl<'d, T: Data> Inputs<'d> for Node<'d, T> {
    type Value = T;

    fn wires(&self) -> Vec<Wire> {
        vec![self.wire()]
    }

    fn decode(_: &Ctx, args: &[Payload]) -> Result<T, DataError> {
        arg(args, 0)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

impl<'d, T: Data> Inputs<'d> for Vec<Node<'d, T>> {
    type Value = Vec<T>;

    fn wires(&self) -> Vec<Wire> {
        self.iter().map(Node::wire).collect()
    }

    fn decode(_: &Ctx, args: &[Payload]) -> Result<Vec<T>, DataError> {
        args.iter().map(T::decode).collect()
    }

    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
    }
}

/// What one node gives.
pub(crate) fn decode_node<T: Data>(_: &Ctx, args: &[Payload]) -> Result<T, DataError> {
    arg(args, 0)
}

fn arg<T: Data>(args: &[Payload], at: usize) -> Result<T, DataError> {
    T::decode(args.get(at).ok_or_else(|| DataError::Missing { key: format!("input {at}") })?)
}

macro_rules! tuple_inputs {
    ($($node:ident $at:tt),+) => {
        impl<'d, $($node: Data),+> Inputs<'d> for ($(Node<'d, $node>,)+) {
            type Value = ($($node,)+);

            fn wires(&self) -> Vec<Wire> {
                vec![$(self.$at.wire()),+]
            }

            fn decode(_: &Ctx, args: &[Payload]) -> Result<Self::Value, DataError> {
                Ok(($(arg::<$node>(args, $at)?,)+))
            }

            fn schema() -> Schema {
                Schema::Tuple(vec![$($node::schema()),+])
            }
        }
    };
}

tuple_inputs!(A 0);
tuple_inputs!(A 0, B 1);
tuple_inputs!(A 0, B 1, C 2);
tuple_inputs!(A 0, B 1, C 2, D 3);
tuple_inputs!(A 0, B 1, C 2, D 3, E 4);
tuple_inputs!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_inputs!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_inputs!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl Dag {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Dag { id: NEXT.fetch_add(1, Ordering::Relaxed), graph: RefCell::new(Graph::new(name)) }
    }

    pub(crate) fn input<T>(&self) -> Node<'_, T> {
        Node { dag: self, at: None, gives: PhantomData }
    }

    /// Draws a node: `handler` is called with what `inputs` give.
    ///
    /// Wiring a wrong type does not compile. A name that is taken or not valid is told by [`Flow::dag`].
    pub fn node<'d, H, I, In, Out, M>(&'d self, name: &str, handler: H, inputs: I) -> Node<'d, Out>
    where
        // What flows in is worked out before the handler is looked at: so a mistake is told as one of the handler.
        I: Inputs<'d, Value = In>,
        In: Send + 'static,
        H: Handler<In, M, Out = Out>,
        Out: Data,
        M: 'static,
    {
        let code = Typed::new(handler, Takes::new(I::decode, I::schema));
        let at = self.graph.borrow_mut().draw_typed(name, code);
        self.wire_in(at, &inputs);
        self.node_at(at)
    }

    /// Draws a river as a node: it submits its work, then is polled until it is done.
    pub fn river<'d, R: River, I: Inputs<'d>>(&'d self, name: &str, river: R, inputs: I) -> Node<'d, ()> {
        let at = self.graph.borrow_mut().draw_river(name, &river);
        if let Some(at) = at {
            self.graph.borrow_mut().room_for_code(at, river_code::<R>());
        }
        self.wire_in(at, &inputs);
        self.node_at(at)
    }

    /// How failed attempts are retried, in nodes that do not say it themselves, nor does a graph inside that they stand
    /// in.
    pub fn retry(&self, policy: Retry) {
        self.graph.borrow_mut().retry(policy);
    }

    /// How long a run may take.
    pub fn timeout(&self, limit: Duration) {
        self.graph.borrow_mut().timeout(limit);
    }

    /// How long one call of the flow's `on_failure` or `finally` may take; 10 minutes unless said. A call that takes
    /// longer has failed.
    pub fn hook_timeout(&self, limit: Duration) {
        self.graph.borrow_mut().hook_timeout(limit);
    }

    /// Runs once when the run failed, was stopped or ran out of time, before `finally`.
    pub fn on_failure<H, M>(&self, handler: H)
    where
        H: Handler<RunOutcome, M, Out = ()>,
        M: 'static,
    {
        self.graph.borrow_mut().on_failure(handler);
    }

    /// Runs once at every end of a run.
    pub fn finally<H, M>(&self, handler: H)
    where
        H: Handler<RunOutcome, M, Out = ()>,
        M: 'static,
    {
        self.graph.borrow_mut().finally(handler);
    }

    /// A handle to what was drawn at a place.
    pub(crate) fn node_at<T>(&self, at: Option<usize>) -> Node<'_, T> {
        Node { dag: self, at, gives: PhantomData }
    }

    /// An empty graph of this flow.
    pub(crate) fn empty(&self) -> PlanSpec {
        PlanSpec::new(self.graph.borrow().name.clone().unwrap_or_else(unnamed))
    }

    /// Draws a node of a kind of its own.
    pub(crate) fn draw_kind(&self, name: &str, kind: NodeKind, code: Arc<dyn Code>, wires: &[Wire]) -> Option<usize> {
        let at = self.graph.borrow_mut().draw(name, code, None);
        if let Some(at) = at {
            self.graph.borrow_mut().spec_mut(at).kind = kind;
        }
        self.wire_all(at, wires);
        at
    }

    pub(crate) fn name_child(&self, at: Option<usize>, flow: &Name) {
        if let Some(at) = at {
            self.graph.borrow_mut().spec_mut(at).child = Some(flow.clone());
        }
    }

    pub(crate) fn make_atomic(&self, at: Option<usize>) {
        if let Some(at) = at {
            self.graph.borrow_mut().spec_mut(at).atomic = true;
        }
    }

    pub(crate) fn draw_signal<'d>(&self, name: &str, carries: Schema, after: &impl Inputs<'d>) -> Option<usize> {
        let signal = self.graph.borrow_mut().checked(name)?;
        let at = self.draw_kind(name, NodeKind::Signal { name: signal }, Arc::new(Nothing), &[]);
        if let Some(at) = at {
            self.graph.borrow_mut().spec_mut(at).gives = carries;
        }
        // The run's input is always there. In a join that has a choice the check of the plan refuses it, as everywhere.
        let is_waited_for = |wire: &Wire| wire.at.is_some() || after.join() != Join::All;
        for wire in after.wires().into_iter().filter(is_waited_for) {
            self.connect(at, wire, true);
        }
        self.join_by(at, after.join());
        at
    }

    /// Draws a graph inside a node: the arm of a branch with this key, or the only one.
    pub(crate) fn draw_inside<T: Data, U>(
        &self,
        at: Option<usize>,
        case: Option<&str>,
        draw: impl for<'x> FnOnce(&'x Dag, Node<'x, T>) -> Node<'x, U>,
    ) {
        let Some(at) = at else { return };
        let name = self.empty().flow;
        let inner = Dag::new(&name);
        let output = draw(&inner, inner.input()).origin();
        let whole = inner.into_whole(output);
        self.graph.borrow_mut().put_inside(at, case, whole);
    }

    /// Draws all nodes of a flow; gives the place of the one whose output is its result.
    pub(crate) fn draw_flow<In, Out>(&self, name: &str, flow: &Flow<In, Out>, input: Wire) -> Option<usize> {
        if input.dag != self.id {
            let graph = &mut *self.graph.borrow_mut();
            let name = graph.checked(name)?;
            let why = "it is wired to a node of another drawing; draw that node here too".into();
            graph.errors.push(PlanError::Unfit { name, why });
            return None;
        }
        let graph = &mut *self.graph.borrow_mut();
        let from = input.at.map_or(Source::Input, |from| Source::Node(graph.spec_mut(from).name.clone()));
        graph.flatten(name, flow, &[EdgeSpec::data(from)])
    }

    /// Wires all that flows in, and says how much of it the node needs.
    pub(crate) fn wire_in<'d>(&self, to: Option<usize>, inputs: &impl Inputs<'d>) {
        self.wire_all(to, &inputs.wires());
        self.join_by(to, inputs.join());
    }

    pub(crate) fn join_by(&self, at: Option<usize>, join: Join) {
        if let Some(at) = at {
            self.graph.borrow_mut().spec_mut(at).join = join;
        }
    }

    fn wire_all(&self, to: Option<usize>, wires: &[Wire]) {
        for wire in wires {
            self.connect(to, *wire, false);
        }
    }

    fn connect(&self, to: Option<usize>, wire: Wire, order_only: bool) {
        let Some(to) = to else { return };
        let graph = &mut *self.graph.borrow_mut();
        let name = graph.spec_mut(to).name.clone();
        if wire.dag != self.id {
            let why = "it is wired to a node of another drawing; draw that node here too".into();
            graph.errors.push(PlanError::Unfit { name, why });
            return;
        }
        let from = wire.at.map_or(Source::Input, |from| Source::Node(graph.spec_mut(from).name.clone()));
        graph.wire(name, EdgeSpec { from, order_only, forwarder: false });
    }

    pub(crate) fn finish<In, Out>(self, output: Wire) -> Result<Flow<In, Out>, PlanErrors> {
        self.into_graph(output).finish()
    }

    fn into_whole(self, output: Wire) -> Whole {
        self.into_graph(output).into_whole()
    }

    fn into_graph(self, output: Wire) -> Graph {
        let mut graph = self.graph.into_inner();
        match output.at {
            Some(at) if output.dag == self.id => {
                let name = graph.spec_mut(at).name.clone();
                graph.outputs.push(name);
            }
            _ => graph.errors.push(PlanError::NoResult),
        }
        graph
    }
}

impl<'d, T> Node<'d, T> {
    pub(crate) const fn wire(&self) -> Wire {
        Wire { dag: self.dag.id, at: self.at }
    }

    pub(crate) const fn origin(self) -> Wire {
        self.wire()
    }

    /// How failed attempts are retried. Without it they are not.
    pub fn retry(self, policy: Retry) -> Self {
        self.change(|graph, at| graph.retry_at(at, policy))
    }

    /// Which failures may be retried; the others fail the node at once.
    pub fn retry_if(self, may_retry: impl Fn(&Failure) -> bool + Send + Sync + 'static) -> Self {
        self.change(|graph, at| {
            if let Some(code) = graph.code_mut(at) {
                code.retry_if = Some(Arc::new(may_retry));
            }
        })
    }

    /// How long one attempt may take.
    pub fn timeout(self, limit: Duration) -> Self {
        self.change(|graph, at| graph.spec_mut(at).attempt_timeout = Some(limit))
    }

    /// How long all attempts and waits may take together, from the moment the node is ready.
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.change(|graph, at| graph.spec_mut(at).timeout = Some(limit))
    }

    /// Whether its result is recorded before anything follows from it; true unless said. `false` is quicker, and after a
    /// crash the node runs again.
    pub fn durable(self, durable: bool) -> Self {
        self.change(|graph, at| graph.spec_mut(at).durable = durable)
    }

    /// Waits for `other` too, without taking its value: if `other` fails, the node cannot begin, also where it takes
    /// failures of those that it is wired to ([`settled()`](crate::settled())). Not for a node that needs only some of
    /// those before it ([`any()`](crate::any()), [`n_of()`](crate::n_of())), nor for a signal that joins: `other` would be
    /// one of them.
    pub fn after<U>(self, other: Node<'d, U>) -> Self {
        self.dag.connect(self.at, other.wire(), true);
        self.change(|graph, at| {
            let spec = graph.spec_mut(at);
            if spec.join != Join::All && matches!(spec.kind, NodeKind::Signal { .. }) {
                // All edges of a signal only order, so nothing tells this one from the others.
                let name = spec.name.clone();
                let why = "it does not wait for all before it to succeed, so `after` would be one of those; give the \
                           `after` to a node behind it";
                graph.errors.push(PlanError::Unfit { name, why: why.into() });
            }
        })
    }

    /// What happens when the node has failed for good: `handler` gives a substitute value, or an error.
    pub fn on_failure<H, M>(self, handler: H) -> Self
    where
        H: Handler<Failure, M, Out = T>,
        T: Data,
        M: 'static,
    {
        self.change(|graph, at| {
            graph.spec_mut(at).rescue = true;
            if let Some(code) = graph.code_mut(at) {
                code.rescue = Some(Arc::new(Typed::new(handler, Takes::aside(decode_failure))));
            }
        })
    }

    /// What takes back what the node did, if the run fails or is stopped later on. It gets what the node gave, or `None`
    /// when nobody knows whether it did it (a time-out, a panic): then ask whoever does, by
    /// [`Ctx::undone_key`]. Actions run in reverse order of what they take back; one that fails for good waits for
    /// an operator. One call may take as long as an attempt of the node ([`Node::timeout`]); 10 minutes unless said.
    pub fn undo<H, M>(self, handler: H) -> Self
    where
        H: Handler<Option<T>, M, Out = ()>,
        T: Data,
        M: 'static,
    {
        self.change(|graph, at| {
            graph.spec_mut(at).undo.get_or_insert_default();
            if let Some(code) = graph.code_mut(at) {
                code.undo = Some(Arc::new(Typed::new(handler, Takes::aside(decode_undo::<T>))));
            }
        })
    }

    /// How its undo action is retried.
    pub fn undo_retry(self, policy: Retry) -> Self {
        self.change(|graph, at| graph.spec_mut(at).undo.get_or_insert_default().retry = policy)
    }

    /// What happens when the node has failed for good; its run fails unless said.
    pub fn on_exhausted(self, choice: OnExhausted) -> Self {
        self.change(|graph, at| graph.spec_mut(at).on_exhausted = choice)
    }

    /// Its failure fails the run only when everything that does not depend on it has ended.
    pub fn isolated(self) -> Self {
        self.change(|graph, at| graph.spec_mut(at).isolated = true)
    }

    /// The lane that its calls queue in.
    pub fn lane(self, lane: &str) -> Self {
        self.change(|graph, at| {
            let lane = graph.checked(lane);
            graph.spec_mut(at).lane = lane;
        })
    }

    /// Something to show with the node.
    pub fn label(self, key: &str, value: &str) -> Self {
        self.change(|graph, at| drop(graph.spec_mut(at).labels.insert(key.into(), value.into())))
    }

    /// The same node, taken for one that gives something else.
    pub(crate) const fn as_giving<U>(self) -> Node<'d, U> {
        Node { dag: self.dag, at: self.at, gives: PhantomData }
    }

    pub(crate) fn with_reducer<A>(self, reducer: Arc<dyn Code>) -> Node<'d, A> {
        let node = self.change(|graph, at| graph.set_reducer(at, reducer));
        node.as_giving()
    }

    /// Changes what only nodes of one kind have.
    pub(crate) fn change_kind(self, change: impl FnOnce(&mut NodeKind) -> Result<(), &'static str>) -> Self {
        self.change(|graph, at| {
            let spec = graph.spec_mut(at);
            if let Err(why) = change(&mut spec.kind) {
                let name = spec.name.clone();
                graph.errors.push(PlanError::Unfit { name, why: why.into() });
            }
        })
    }

    fn change(self, change: impl FnOnce(&mut Graph, usize)) -> Self {
        if let Some(at) = self.at {
            change(&mut self.dag.graph.borrow_mut(), at);
        }
        self
    }
}
