//! The Andes: where a river system is drawn, stream after stream, down to the Atlantic.

use crate::flow::Flow;
use crate::graph::Graph;
use crate::river::{Atlantic, River};
use std::collections::BTreeMap;
use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, PlanError, Source};
use vastflow_core::{Name, PlanErrors};

/// A drawing of streams that follow each other: rivers, parallel rivers, chains. In plain words: a sequence of steps,
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

/// Something that can be drawn into the [`Andes`]: a river, a [`Chain`] or a [`ParallelRiver`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream",
    label = "not a river, a chain or a `ParallelRiver`; an Atlantic goes to `.atlantic(…)`",
    note = "a stream is a river (implement `River`), a chain `a.then(b)` or a `ParallelRiver`"
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

    /// Adds a branch: a river or a chain.
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
        let name = drawing.unique("parallel");
        let gate =
            drawing.graph.checked(&name).map(|name| drawing.graph.draw_spec(NodeSpec::new(name, NodeKind::Gate)));
        let ends = gate.map_or(ends.clone(), |at| vec![drawing.behind(at, &ends)]);
        drawing.colour = outer;
        ends
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
