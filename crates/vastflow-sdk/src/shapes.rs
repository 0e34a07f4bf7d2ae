//! Graphs inside nodes, in the typed layer: branches, foreaches, basins, sub-flows; and nodes that only wait.

use crate::dag::{Dag, Inputs, Node, Wire, decode_node};
use crate::data::Data;
use crate::flow::Flow;
use crate::handler::{Handler, Takes};
use crate::inside::{Chooser, Items, Json, Keys, OneKey, Page, Pages, Reducer, Through, encoded};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::plan::{BasinSpec, BranchSpec, ForEachSpec, Gives, Join, NodeKind, Partial, PlanSpec, Schema};

/// Items of a foreach that are under way at once, unless it says otherwise.
const WINDOW: u32 = 100;

impl Dag {
    /// Draws a conditional branch: `choose` looks at what flows in and names the arms that are taken; each gets the same
    /// input. Draw the arms with [`Branch::case`], then end it with [`Cases::join`], [`Cases::collect`] or
    /// [`Cases::first`].
    ///
    /// ```
    /// use vastflow_sdk::{Flow, Node, Result};
    ///
    /// async fn half(n: u32) -> Result<u32> { Ok(n / 2) }
    /// async fn more(n: u32) -> Result<u32> { Ok(3 * n + 1) }
    ///
    /// let step: Flow<u32, u32> = Flow::dag("collatz", |dag, n: Node<u32>| {
    ///     dag.branch("even-or-odd", n, |n: &u32| if n % 2 == 0 { "even" } else { "odd" })
    ///         .case("even", |dag, n| dag.node("half", half, n))
    ///         .case("odd", |dag, n| dag.node("more", more, n))
    ///         .join()
    /// })?;
    /// assert_eq!(step.plan().len(), 1); // the arms stand inside
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    pub fn branch<'d, T, K, F>(&'d self, name: &str, input: Node<'d, T>, choose: F) -> Branch<'d, T, K>
    where
        T: Data,
        K: Keys + 'static,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        let spec = BranchSpec { cases: Vec::new(), join: Join::All, collect: false };
        let code = Arc::new(Chooser::new(Takes::new(decode_node::<T>, T::schema), choose));
        let at = self.draw_kind(name, NodeKind::Branch(Box::new(spec)), code, &[input.wire()]);
        Branch { dag: self, at, types: PhantomData }
    }

    /// Draws a foreach: `draw` draws what is done with one item. It gives the results in the order of the items, or by
    /// their keys if they have some. At most 100 items are under way at once; see [`Node::window`].
    ///
    /// ```
    /// use vastflow_sdk::{Flow, Node, Result};
    ///
    /// async fn square(n: u64) -> Result<u64> { Ok(n * n) }
    ///
    /// let flow: Flow<Vec<u64>, u64> = Flow::dag("squares", |dag, numbers: Node<Vec<u64>>| {
    ///     dag.for_each("each", numbers, |dag, n| dag.node("square", square, n))
    ///         .window(10)
    ///         .reduce(0, |sum: u64, square: u64| sum + square)
    /// })?;
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    pub fn for_each<'d, C, U, D>(&'d self, name: &str, items: Node<'d, C>, draw: D) -> Node<'d, C::Of<U>>
    where
        C: Items,
        U: Json,
        D: for<'x> FnOnce(&'x Dag, Node<'x, C::Item>) -> Node<'x, U>,
    {
        let code = Through::new(Takes::new(decode_node::<C>, C::schema), |items: C| encoded(items.into_items()));
        let at = self.draw_kind(name, foreach(C::GIVES), Arc::new(code), &[items.wire()]);
        self.draw_inside(at, None, draw);
        self.node_at(at)
    }

    /// Draws a foreach over items that come in pages: `pages` gets what flows in and where the page begins (`None` for
    /// the first), and gives the items and where the next one begins. So a million items need no memory; give the
    /// foreach a [`Node::reduce`], which keeps nothing of an item that was folded in.
    ///
    /// ```
    /// use vastflow_sdk::{Flow, Node, Page, Result};
    ///
    /// async fn numbers((up_to, from): (u64, Option<u64>)) -> Result<Page<u64, u64>> {
    ///     let from = from.unwrap_or(0);
    ///     let end = up_to.min(from + 1_000);
    ///     Ok(Page::new((from..end).collect()).next((end < up_to).then_some(end)))
    /// }
    /// async fn square(n: u64) -> Result<u64> { Ok(n * n) }
    ///
    /// let flow: Flow<u64, u64> = Flow::dag("many-squares", |dag, up_to: Node<u64>| {
    ///     dag.for_each_page("each", numbers, up_to, |dag, n| dag.node("square", square, n))
    ///         .reduce(0, |sum: u64, square: u64| sum + square)
    /// })?;
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    pub fn for_each_page<'d, H, I, In, T, C, U, M, D>(
        &'d self,
        name: &str,
        pages: H,
        inputs: I,
        draw: D,
    ) -> Node<'d, Vec<U>>
    where
        I: Inputs<'d, Value = In>,
        In: Send + 'static,
        H: Handler<(In, Option<C>), M, Out = Page<T, C>>,
        T: Json,
        C: Data,
        U: Json,
        M: 'static,
        D: for<'x> FnOnce(&'x Dag, Node<'x, T>) -> Node<'x, U>,
    {
        let code = Arc::new(Pages::new(pages, Takes::new(I::decode, I::schema)));
        let at = self.draw_kind(name, foreach(Gives::List), code, &[]);
        self.wire_in(at, &inputs);
        self.draw_inside(at, None, draw);
        self.node_at(at)
    }

    /// Draws a basin: a graph with a copy of the shared data. What it writes is seen outside when it has ended, key by
    /// key; see [`Node::export`].
    pub fn basin<'d, T, U, D>(&'d self, name: &str, input: Node<'d, T>, draw: D) -> Node<'d, U>
    where
        T: Data,
        U: Data,
        D: for<'x> FnOnce(&'x Dag, Node<'x, T>) -> Node<'x, U>,
    {
        let kind = NodeKind::Basin(Box::new(BasinSpec { body: self.empty(), export: None }));
        let at = self.draw_kind(name, kind, Arc::new(crate::inside::Nothing), &[input.wire()]);
        self.draw_inside(at, None, draw);
        self.node_at(at)
    }

    /// Draws all nodes of another flow here, each named `name.node`. A flow can be drawn several times, under different
    /// names.
    pub fn subflow<'d, In: Data, Out: Data>(
        &'d self,
        name: &str,
        flow: &Flow<In, Out>,
        input: Node<'d, In>,
    ) -> Node<'d, Out> {
        let at = self.draw_flow(name, flow, input.wire());
        self.node_at(at)
    }

    /// Draws a node that waits for a signal of this name, without a task or a slot, and gives what it carries. Signals
    /// that come before it begins wait for it. Give it a [`Node::total_timeout`] if it should not wait for ever. What it
    /// carries is a `T`: whoever sends something else is told so.
    pub fn wait_signal<'d, T: Data, I: Inputs<'d>>(&'d self, name: &str, after: I) -> Node<'d, T> {
        let at = self.draw_signal(name, T::schema(), &after);
        self.node_at(at)
    }

    /// Draws a node that waits, without a task or a slot, and hands on what flows in. It outlives restarts.
    pub fn sleep<'d, T: Data>(&'d self, name: &str, duration: Duration, input: Node<'d, T>) -> Node<'d, T> {
        let kind = NodeKind::Sleep { duration };
        let at = self.draw_kind(name, kind, Arc::new(crate::inside::Nothing), &[input.wire()]);
        self.node_at(at)
    }
}

fn foreach(gives: Gives) -> NodeKind {
    // The body is put in when it is drawn.
    let body = PlanSpec::new(crate::graph::unnamed());
    NodeKind::ForEach(Box::new(ForEachSpec { body, window: WINDOW, join: Join::All, partial: Partial::Stop, gives }))
}

/// A branch without arms so far; see [`Dag::branch`].
#[must_use = "a branch needs arms and an end"]
pub struct Branch<'d, T, K> {
    dag: &'d Dag,
    at: Option<usize>,
    types: PhantomData<fn(T) -> K>,
}

/// A branch with arms that give a `U`; see [`Dag::branch`].
#[must_use = "a branch needs an end: `.join()`, `.collect()` or `.first()`"]
pub struct Cases<'d, T, K, U> {
    branch: Branch<'d, T, K>,
    gives: PhantomData<fn() -> U>,
}

impl<'d, T: Data, K> Branch<'d, T, K> {
    /// Draws the arm that is taken when the chooser names `key`.
    pub fn case<U, D>(self, key: &str, draw: D) -> Cases<'d, T, K, U>
    where
        U: Data,
        D: for<'x> FnOnce(&'x Dag, Node<'x, T>) -> Node<'x, U>,
    {
        self.dag.draw_inside(self.at, Some(key), draw);
        Cases { branch: self, gives: PhantomData }
    }
}

impl<'d, T: Data, K, U: Data> Cases<'d, T, K, U> {
    /// Draws another arm.
    pub fn case<D>(self, key: &str, draw: D) -> Self
    where
        D: for<'x> FnOnce(&'x Dag, Node<'x, T>) -> Node<'x, U>,
    {
        self.branch.case(key, draw)
    }

    /// The branch gives what the arm gave that was taken. For choosers that always name one.
    #[must_use]
    pub fn join(self) -> Node<'d, U>
    where
        K: OneKey,
    {
        self.branch.dag.node_at(self.branch.at)
    }

    /// The branch gives a map of what each arm gave, by its key; an empty one when none was taken.
    #[must_use]
    pub fn collect(self) -> Node<'d, BTreeMap<String, U>>
    where
        U: Json,
    {
        self.end(|branch| branch.collect = true)
    }

    /// The branch gives what the first arm gave that succeeded; the others are cancelled. It fails when none was taken.
    #[must_use]
    pub fn first(self) -> Node<'d, U> {
        self.end(|branch| branch.join = Join::Any)
    }

    fn end<V>(self, change: impl FnOnce(&mut BranchSpec)) -> Node<'d, V> {
        let node = self.branch.dag.node_at(self.branch.at);
        node.change_kind(|kind| match kind {
            NodeKind::Branch(branch) => {
                change(branch);
                Ok(())
            }
            _ => Err("it is no branch"),
        })
    }
}

impl<'d, T> Node<'d, T> {
    fn foreach(self, change: impl FnOnce(&mut ForEachSpec)) -> Self {
        self.try_foreach(|foreach| {
            change(foreach);
            Ok(())
        })
    }

    /// Says how many of its items a foreach needs. What it gives follows from that, so it is said once.
    fn join_items(self, join: Join) -> Self {
        self.try_foreach(|foreach| match foreach.join {
            Join::All => {
                foreach.join = join;
                Ok(())
            }
            _ => Err("it says twice how many of its items it needs; keep one of `settled`, `any` and `n_of`"),
        })
    }

    fn try_foreach(self, change: impl FnOnce(&mut ForEachSpec) -> Result<(), &'static str>) -> Self {
        self.change_kind(|kind| match kind {
            NodeKind::ForEach(foreach) => change(foreach),
            _ => Err("it is no foreach, so it has no items; remove the option"),
        })
    }

    /// Of a foreach: the most items under way at once, 100 unless said.
    pub fn window(self, items: u32) -> Self {
        self.foreach(|foreach| foreach.window = items)
    }

    /// Of a foreach: so many items may fail, and are left out of the result.
    pub fn tolerate(self, failures: u32) -> Self {
        self.foreach(|foreach| foreach.partial = Partial::Tolerate(failures))
    }

    /// Of a foreach: all items are carried to their end, also when some fail; then it fails if any did.
    pub fn finish_all(self) -> Self {
        self.foreach(|foreach| foreach.partial = Partial::Finish)
    }

    /// Of a basin: only these keys are merged into the shared data outside.
    pub fn export<const N: usize>(self, keys: [&str; N]) -> Self {
        self.change_kind(|kind| match kind {
            NodeKind::Basin(basin) => {
                basin.export = Some(keys.into_iter().map(Into::into).collect());
                Ok(())
            }
            _ => Err("it is no basin, so it exports nothing; remove the option"),
        })
    }
}

impl<'d, U: Json> Node<'d, Vec<U>> {
    /// Of a foreach: folds the results into one value, a batch after the other, in no particular order. Nothing is kept
    /// of an item that was folded in.
    pub fn reduce<A, F>(self, first: A, fold: F) -> Node<'d, A>
    where
        A: Data + Clone + Sync,
        F: Fn(A, U) -> A + Send + Sync + 'static,
    {
        self.fold(first, fold, false)
    }

    /// The same in the order of the items.
    pub fn reduce_in_order<A, F>(self, first: A, fold: F) -> Node<'d, A>
    where
        A: Data + Clone + Sync,
        F: Fn(A, U) -> A + Send + Sync + 'static,
    {
        self.fold(first, fold, true)
    }

    fn fold<A, F>(self, first: A, fold: F, ordered: bool) -> Node<'d, A>
    where
        A: Data + Clone + Sync,
        F: Fn(A, U) -> A + Send + Sync + 'static,
    {
        let reduced = self.try_foreach(|foreach| match foreach.gives {
            // The first reduction would be lost, and with it what this one takes.
            Gives::Reduced { .. } => {
                Err("it is reduced twice; keep one reduction, and do the rest in a node behind it")
            }
            _ => {
                foreach.gives = Gives::Reduced { ordered };
                Ok(())
            }
        });
        reduced.with_reducer(Arc::new(Reducer::new(first, fold)))
    }

    /// Of a foreach: it gives each item's result, or the text of its failure, and does not fail because of them.
    pub fn settled(self) -> Node<'d, Vec<Result<U, String>>> {
        self.join_items(Join::AllSettled).as_giving()
    }

    /// Of a foreach: it gives what the first item gave that succeeded; the others are cancelled.
    pub fn any(self) -> Node<'d, U> {
        self.join_items(Join::Any).as_giving()
    }

    /// Of a foreach: it gives the first `count` results; the other items are cancelled.
    pub fn n_of(self, count: u32) -> Self {
        self.join_items(Join::NOf(count))
    }
}

/// The first of several nodes that succeeds; the others are cancelled if nobody else needs them. Wire it into a node:
/// `dag.node("use", handler, any([a, b]))`.
pub fn any<'d, T: Data>(nodes: impl IntoIterator<Item = Node<'d, T>>) -> AnyOf<'d, T> {
    AnyOf(nodes.into_iter().collect())
}

/// The first `count` of several nodes that succeed, in the order in which they did.
pub fn n_of<'d, T: Data>(count: u32, nodes: impl IntoIterator<Item = Node<'d, T>>) -> NOf<'d, T> {
    NOf(count, nodes.into_iter().collect())
}

/// All of several nodes, each as its result or the text of its failure. A failure of theirs does not fail the run.
pub fn settled<'d, T: Json>(nodes: impl IntoIterator<Item = Node<'d, T>>) -> Settled<'d, T> {
    Settled(nodes.into_iter().collect())
}

/// See [`any()`].
pub struct AnyOf<'d, T>(Vec<Node<'d, T>>);
/// See [`n_of()`].
pub struct NOf<'d, T>(u32, Vec<Node<'d, T>>);
/// See [`settled()`].
pub struct Settled<'d, T>(Vec<Node<'d, T>>);

fn wires<T>(nodes: &[Node<'_, T>]) -> Vec<Wire> {
    nodes.iter().map(Node::wire).collect()
}

impl<'d, T: Data> Inputs<'d> for AnyOf<'d, T> {
    type Value = T;

    fn wires(&self) -> Vec<Wire> {
        wires(&self.0)
    }

    fn join(&self) -> Join {
        Join::Any
    }

    fn decode(ctx: &crate::Ctx, args: &[vastflow_core::Payload]) -> Result<T, crate::DataError> {
        decode_node(ctx, args)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

impl<'d, T: Data> Inputs<'d> for NOf<'d, T> {
    type Value = Vec<T>;

    fn wires(&self) -> Vec<Wire> {
        wires(&self.1)
    }

    fn join(&self) -> Join {
        Join::NOf(self.0)
    }

    fn decode(_: &crate::Ctx, args: &[vastflow_core::Payload]) -> Result<Vec<T>, crate::DataError> {
        args.iter().map(T::decode).collect()
    }

    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
    }
}

impl<'d, T: Json> Inputs<'d> for Settled<'d, T> {
    type Value = Vec<Result<T, String>>;

    fn wires(&self) -> Vec<Wire> {
        wires(&self.0)
    }

    fn join(&self) -> Join {
        Join::AllSettled
    }

    fn decode(_: &crate::Ctx, args: &[vastflow_core::Payload]) -> Result<Self::Value, crate::DataError> {
        args.iter().map(<Result<T, String> as Data>::decode).collect()
    }

    fn schema() -> Schema {
        Schema::List(Box::new(<Result<T, String> as Data>::schema()))
    }
}
