//! A flow: a plan and the code of its nodes.

use crate::code::{Bound, Code, FlowCode, Library, MissingCode};
use crate::dag::{Dag, Node};
use crate::data::Data;
use crate::graph::Memory;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use vastflow_core::plan::Schema;
use vastflow_core::{Name, Plan, PlanErrors};

/// A named definition that takes an `In` and gives an `Out`.
///
/// ```
/// use vastflow_sdk::{Flow, Node, Result};
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
/// async fn add((a, b): (u32, u32)) -> Result<u32> { Ok(a + b) }
///
/// let flow: Flow<u32, u32> = Flow::dag("sum", |dag, n: Node<u32>| {
///     let twice = dag.node("double", double, n);
///     dag.node("add", add, (n, twice))
/// })?;
/// assert_eq!(flow.plan().len(), 2);
/// # Ok::<(), vastflow_core::PlanErrors>(())
/// ```
pub struct Flow<In, Out> {
    plan: Arc<Plan>,
    code: Arc<FlowCode>,
    rivers: Arc<BTreeMap<Name, Arc<dyn Code>>>,
    memory: Arc<Memory>,
    /// What its runs take, as far as the type tells.
    takes: Schema,
    /// The plan with its code, once somebody asked.
    bound: Arc<OnceLock<Arc<Bound>>>,
    types: PhantomData<fn(In) -> Out>,
}

impl<In: Data, Out> Flow<In, Out> {
    /// Draws a flow as a typed DAG: `draw` gets the drawing and the run's input, and gives back the node whose output
    /// is the run's result.
    ///
    /// # Errors
    /// [`PlanErrors`] with everything that is wrong with the drawing.
    pub fn dag<F>(name: &str, draw: F) -> Result<Self, PlanErrors>
    where
        F: for<'d> FnOnce(&'d Dag, Node<'d, In>) -> Node<'d, Out>,
    {
        let dag = Dag::new(name);
        let output = draw(&dag, dag.input()).origin();
        Ok(Flow { takes: In::schema(), ..dag.finish(output)? })
    }
}

impl<In, Out> Flow<In, Out> {
    pub(crate) fn new(plan: Plan, code: FlowCode, rivers: BTreeMap<Name, Arc<dyn Code>>, memory: Memory) -> Self {
        let (plan, code, rivers, memory) = (Arc::new(plan), Arc::new(code), Arc::new(rivers), Arc::new(memory));
        Flow { plan, code, rivers, memory, takes: Schema::Any, bound: Arc::default(), types: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.plan.flow()
    }

    /// Its structure.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What its runs take, as far as the type of its input tells.
    ///
    /// ```
    /// # use vastflow_sdk::{Flow, Node, Result};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
    /// assert_eq!(flow.takes().to_string(), "int");
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    #[must_use]
    pub const fn takes(&self) -> &Schema {
        &self.takes
    }

    /// The code of its nodes.
    #[must_use]
    pub const fn code(&self) -> &Arc<FlowCode> {
        &self.code
    }

    /// The rivers and Atlantics it refers to, by name.
    #[must_use]
    pub const fn rivers(&self) -> &Arc<BTreeMap<Name, Arc<dyn Code>>> {
        &self.rivers
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The plan with the code of all its nodes, as the flow itself brings it.
    ///
    /// # Errors
    /// [`MissingCode`] when it refers to code that it does not bring.
    pub fn bound(&self) -> Result<Arc<Bound>, MissingCode> {
        if let Some(bound) = self.bound.get() {
            return Ok(Arc::clone(bound));
        }
        let bound = Arc::new(Library::of(self).bind(&self.plan)?);
        Ok(Arc::clone(self.bound.get_or_init(|| bound)))
    }
}

impl<In, Out> Clone for Flow<In, Out> {
    fn clone(&self) -> Self {
        Flow {
            plan: Arc::clone(&self.plan),
            code: Arc::clone(&self.code),
            rivers: Arc::clone(&self.rivers),
            memory: Arc::clone(&self.memory),
            takes: self.takes.clone(),
            bound: Arc::clone(&self.bound),
            types: PhantomData,
        }
    }
}

impl<In, Out> fmt::Debug for Flow<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flow({:?})", self.plan)
    }
}
