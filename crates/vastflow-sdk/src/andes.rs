//! The Andes: where a river system is drawn, stream after stream, down to the Atlantic.

use crate::data::Data;
use crate::flow::Flow;
use crate::graph::Graph;
use crate::river::{Atlantic, River};
use std::collections::BTreeMap;
use vastflow_core::plan::{BasinSpec, EdgeSpec, NodeKind, NodeSpec, PlanError, PlanSpec, Source};
use vastflow_core::{Name, PlanErrors};

/// A drawing of streams that follow each other: rivers, parallel rivers, chains, basins, flows. In plain words: a sequence of steps,
/// some of which run side by side, with a final hook.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use vastflow_sdk::{Andes, Headwaters, ParallelRiver, River, RiverError, RiverExt};
/// # #[derive(Serialize, Deserialize)] struct CreateVm;
/// # impl River for CreateVm {
/// #     const NAME: &'static str = "create-vm";
/// #     async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> { Ok(()) }
/// # }
/// # #[derive(Serialize, Deserialize)] struct Attach;
/// # impl River for Attach {
/// #     const NAME: &'static str = "attach";
/// #     async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> { Ok(()) }
/// # }
/// let andes = Andes::new("attach-volume")
///     .stream(ParallelRiver::new().append(CreateVm).append(CreateVm.then(Attach)))
///     .stream(Attach);
/// let flow = andes.into_flow()?;
/// let names: Vec<_> = flow.plan().spec().nodes.iter().map(|node| node.name.as_str()).collect();
/// assert_eq!(names, ["create-vm", "create-vm-2", "attach", "parallel", "attach-2"]);
/// # Ok::<(), vastflow_core::PlanErrors>(())
/// ```
#[must_use]
pub struct Andes {
    drawing: Drawing,
    /// The nodes that the next stream waits for.
    ends: Vec<Name>,
}

/// Something that can be drawn into the [`Andes`]: a river, a [`Chain`], a [`ParallelRiver`], a [`Basin`] or a [`Flow`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream",
    label = "not a river, a chain, a `ParallelRiver`, a `Basin` or a `Flow`; an Atlantic goes to `.atlantic(…)`",
    note = "a stream is a river (implement `River`), a chain `a.then(b)`, a `ParallelRiver`, a `Basin` or a `Flow`"
)]
pub trait Stream<Kind> {
    /// Draws itself behind `after`; gives the nodes that whatever follows waits for.
    #[doc(hidden)]
    fn draw(self, drawing: &mut Drawing, after: &[Name]) -> Vec<Name>;
}

/// Marks streams that are rivers.
#[derive(Debug)]
pub enum OfRiver {}
/// Marks streams that are made of others.
#[derive(Debug)]
pub enum OfStreams {}

/// What is drawn so far.
#[doc(hidden)]
#[derive(Default)]
pub struct Drawing {
    graph: Graph,
    /// How often each name was used.
    used: BTreeMap<String, u32>,
    colour: Option<String>,
    /// How many parallel rivers are around what is drawn now.
    parallel: u32,
}

impl Drawing {
    fn unique(&mut self, name: &str) -> String {
        let mut count = self.used.get(name).copied().unwrap_or_default();
        let free = loop {
            count += 1;
            let free = if count == 1 { name.to_owned() } else { format!("{name}-{count}") };
            // Some river may be named `a-2` by itself.
            if count == 1 || !self.used.contains_key(&free) {
                break free;
            }
        };
        self.used.insert(name.to_owned(), count);
        self.used.entry(free.clone()).or_insert(1);
        free
    }

    /// Draws a node without code that ends when `ends` have.
    fn gate(&mut self, name: &str, ends: &[Name]) -> Vec<Name> {
        let name = self.unique(name);
        let Some(name) = self.graph.checked(&name) else { return ends.to_vec() };
        let at = self.graph.draw_spec(NodeSpec::new(name, NodeKind::Gate));
        vec![self.behind(at, ends)]
    }

    /// Makes the node at `at` wait for `after`; gives its name.
    fn behind(&mut self, at: usize, after: &[Name]) -> Name {
        let colour = self.colour.clone();
        let spec = self.graph.spec_mut(at);
        if let Some(colour) = colour {
            spec.labels.insert("colour".into(), colour.into());
        }
        spec.durable |= self.parallel > 0;
        let name = spec.name.clone();
        for from in after {
            self.graph.wire(name.clone(), EdgeSpec::order(Source::Node(from.clone())));
        }
        name
    }
}

impl<R: River> Stream<OfRiver> for R {
    fn draw(self, drawing: &mut Drawing, after: &[Name]) -> Vec<Name> {
        let name = drawing.unique(R::NAME);
        match drawing.graph.draw_river(&name, &self) {
            Some(at) => vec![drawing.behind(at, after)],
            None => after.to_vec(),
        }
    }
}

type Draw = Box<dyn FnOnce(&mut Drawing, &[Name]) -> Vec<Name> + Send>;

fn boxed<K, S: Stream<K> + Send + 'static>(stream: S) -> Draw {
    Box::new(move |drawing, after| stream.draw(drawing, after))
}

/// Rivers that follow each other.
#[must_use]
pub struct Chain {
    streams: Vec<Draw>,
    colour: Option<String>,
}

/// Chaining of rivers.
pub trait RiverExt: River + Sized {
    /// This river, then another.
    fn then<R: River>(self, next: R) -> Chain {
        Chain { streams: vec![boxed(self), boxed(next)], colour: None }
    }
}

impl<R: River> RiverExt for R {}

impl Chain {
    /// The chain, then another stream.
    pub fn then<K, S: Stream<K> + Send + 'static>(mut self, next: S) -> Self {
        self.streams.push(boxed(next));
        self
    }

    /// A free mark for all of its rivers.
    pub fn colour(mut self, colour: &str) -> Self {
        self.colour = Some(colour.to_owned());
        self
    }
}

impl Stream<OfStreams> for Chain {
    fn draw(self, drawing: &mut Drawing, after: &[Name]) -> Vec<Name> {
        let outer = drawing.colour.clone();
        drawing.colour = self.colour.or_else(|| outer.clone());
        let ends = self.streams.into_iter().fold(after.to_vec(), |after, draw| draw(drawing, &after));
        drawing.colour = outer;
        ends
    }
}

/// Streams that run side by side. All start together; whatever follows waits for all; the first error cancels the
/// others, which finish the call that they are in.
#[derive(Default)]
#[must_use]
pub struct ParallelRiver {
    branches: Vec<Draw>,
    colour: Option<String>,
}

impl ParallelRiver {
    /// No branches yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a branch: a river, a chain, a basin or any other stream.
    pub fn append<K, S: Stream<K> + Send + 'static>(mut self, branch: S) -> Self {
        self.branches.push(boxed(branch));
        self
    }

    /// A free mark for all of its rivers.
    pub fn colour(mut self, colour: &str) -> Self {
        self.colour = Some(colour.to_owned());
        self
    }
}

impl Stream<OfStreams> for ParallelRiver {
    fn draw(self, drawing: &mut Drawing, after: &[Name]) -> Vec<Name> {
        let outer = drawing.colour.clone();
        drawing.colour = self.colour.or_else(|| outer.clone());
        let mut ends: Vec<Name> = Vec::new();
        drawing.parallel += 1;
        for branch in self.branches {
            ends.extend(branch(drawing, after));
        }
        drawing.parallel -= 1;
        if ends.is_empty() {
            ends = after.to_vec();
        }
        let ends = drawing.gate("parallel", &ends);
        drawing.colour = outer;
        ends
    }
}

/// Streams that follow each other with a copy of the headwaters: what they write is seen outside when the basin has
/// ended, key by key, and parallel basins all keep what they wrote. A failure in it stops its siblings, as that of a
/// river does, unless it is [isolated](Basin::isolated).
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use vastflow_sdk::{Andes, Basin, Headwaters, ParallelRiver, River, RiverError};
/// # #[derive(Serialize, Deserialize)] struct Fetch;
/// # impl River for Fetch {
/// #     const NAME: &'static str = "fetch";
/// #     async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> { Ok(()) }
/// # }
/// let basin = || Basin::new("eu").stream(Fetch).stream(ParallelRiver::new().append(Fetch)).export(["report"]);
/// let flow = Andes::new("reports")
///     .stream(ParallelRiver::new().append(basin().colour("blue")).append(basin().isolated()))
///     .into_flow()?;
/// let names: Vec<_> = flow.plan().spec().nodes.iter().map(|node| node.name.as_str()).collect();
/// assert_eq!(names, ["eu", "eu-2", "parallel"]); // the rivers stand inside
/// # Ok::<(), vastflow_core::PlanErrors>(())
/// ```
#[must_use]
pub struct Basin {
    name: String,
    streams: Vec<Draw>,
    colour: Option<String>,
    export: Option<Vec<Box<str>>>,
    isolated: bool,
}

impl Basin {
    /// A basin with nothing in it.
    pub fn new(name: &str) -> Self {
        Basin { name: name.to_owned(), streams: Vec::new(), colour: None, export: None, isolated: false }
    }

    /// Adds a stream behind those that are in it.
    pub fn stream<K, S: Stream<K> + Send + 'static>(mut self, stream: S) -> Self {
        self.streams.push(boxed(stream));
        self
    }

    /// Only these keys are merged into the headwaters outside; without it, all that was written.
    pub fn export<const N: usize>(mut self, keys: [&str; N]) -> Self {
        self.export = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Its failure fails the run only when everything that does not depend on it has ended.
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// A free mark for the basin and all that is in it.
    pub fn colour(mut self, colour: &str) -> Self {
        self.colour = Some(colour.to_owned());
        self
    }
}

impl Stream<OfStreams> for Basin {
    fn draw(self, drawing: &mut Drawing, after: &[Name]) -> Vec<Name> {
        let colour = self.colour.or_else(|| drawing.colour.clone());
        let flow = drawing.graph.name.clone();
        let mut inside = Drawing { colour: colour.clone(), parallel: drawing.parallel, ..Drawing::default() };
        inside.graph.name.clone_from(&flow);
        let ends = self.streams.into_iter().fold(Vec::new(), |after, draw| draw(&mut inside, &after));
        inside.graph.outputs = ends.into_iter().take(1).collect();

        let name = drawing.unique(&self.name);
        let Some(name) = drawing.graph.checked(&name) else { return after.to_vec() };
        let body = PlanSpec::new(flow.unwrap_or_else(crate::graph::unnamed));
        let kind = NodeKind::Basin(Box::new(BasinSpec { body, export: self.export }));
        let mut spec = NodeSpec::new(name.clone(), kind);
        spec.isolated = self.isolated;
        let at = drawing.graph.draw_spec(spec);
        drawing.graph.put_inside(at, None, inside.graph.into_whole());
        // What the request was about is known inside too.
        drawing.graph.wire(name, EdgeSpec::data(Source::Input));
        let outer = std::mem::replace(&mut drawing.colour, colour);
        let end = drawing.behind(at, after);
        drawing.colour = outer;
        vec![end]
    }
}

/// A flow as a stream: its nodes are drawn here, each named `flow.node`. Those that take the flow's input get what
/// [`Headwaters::request`](crate::Headwaters::request) says; the shared data is in [`Ctx`](crate::Ctx), and what the flow
/// gives is dropped. The program that runs it registers the flow, too.
impl<In: Data, Out> Stream<OfStreams> for Flow<In, Out> {
    fn draw(self, drawing: &mut Drawing, after: &[Name]) -> Vec<Name> {
        let group = drawing.unique(self.name());
        let from = drawing.graph.nodes.len();
        if drawing.graph.flatten_nodes(&group, &self, &[EdgeSpec::data(Source::Input)]).is_none() {
            return after.to_vec();
        }
        let plan = self.plan().spec();
        for (at, node) in plan.nodes.iter().enumerate() {
            let starts = !node.inputs.iter().any(|edge| matches!(edge.from, Source::Node(_)));
            drawing.behind(from + at, if starts { after } else { &[] });
            drawing.code_of_flow(from + at, self.name(), node);
        }
        let ends = self.plan().outputs().iter().filter_map(|end| self.plan().node(*end));
        let ends: Vec<Name> = ends.filter_map(|end| Name::new(format!("{group}.{}", end.name)).ok()).collect();
        // Streams give nothing, whatever the flow gives.
        drawing.gate(&format!("{group}-end"), &ends)
    }
}

impl Drawing {
    /// A drawing is no registered flow, so its nodes of a flow say whose code they are.
    fn code_of_flow(&mut self, at: usize, flow: &Name, node: &NodeSpec) {
        let has_besides = node.rescue || node.undo.is_some() || node.inputs.iter().any(|edge| edge.forwarder);
        if node.code.is_some() && has_besides {
            let why = "a river with an on_failure, an undo action or a forwarder cannot be drawn into an Andes by way of \
                       a flow; draw the river itself";
            self.graph.errors.push(PlanError::Unfit { name: node.name.clone(), why: why.into() });
        }
        let needs_code = !matches!(node.kind, NodeKind::Gate | NodeKind::Signal { .. } | NodeKind::Sleep { .. });
        if node.code.is_none() && needs_code {
            let code = self.graph.checked(&format!("{flow}:{}", node.name));
            self.graph.spec_mut(at).code = code;
        }
    }
}

impl Andes {
    /// An empty drawing.
    pub fn new(name: &str) -> Self {
        let drawing = Drawing { graph: Graph::new(name), ..Drawing::default() };
        Andes { drawing, ends: Vec::new() }
    }

    /// Adds a stream behind all that was drawn.
    pub fn stream<K, S: Stream<K>>(mut self, stream: S) -> Self {
        self.ends = stream.draw(&mut self.drawing, &self.ends);
        self
    }

    /// Where it all ends: called once, at success or failure.
    pub fn atlantic<A: Atlantic>(mut self, atlantic: A) -> Self {
        if self.drawing.graph.finally.is_some() {
            let why = "a river system ends in one Atlantic; keep one of them".into();
            let name = self.drawing.graph.checked(A::NAME);
            self.drawing.graph.errors.extend(name.map(|name| PlanError::Unfit { name, why }));
        }
        self.drawing.graph.draw_atlantic(&atlantic);
        self
    }

    /// How long a run may take.
    pub fn timeout(mut self, limit: std::time::Duration) -> Self {
        self.drawing.graph.timeout(limit);
        self
    }

    /// The drawing as a flow.
    ///
    /// # Errors
    /// [`PlanErrors`] with everything that is wrong.
    pub fn into_flow(mut self) -> Result<Flow<serde_json::Value, ()>, PlanErrors> {
        self.drawing.graph.outputs = self.ends.into_iter().take(1).collect();
        self.drawing.graph.finish()
    }
}
