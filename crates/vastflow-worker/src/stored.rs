//! Flows that the store knows: started by whoever has the code or not.

use crate::engine::Engine;
use crate::error::Error;
use crate::form::Reads;
use crate::shared::{Shared, lock};
use crate::start::StartRun;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vastflow_core::{Name, Plan, PlanHash};
use vastflow_sdk::Data;
use vastflow_store::{RunQuery, StoreError};

/// For how long it is not looked up again which plan new runs of a flow follow.
const FRESH: Duration = Duration::from_secs(1);

/// The plans that new runs follow of flows without code here, as they were found last.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    plans: Mutex<FxHashMap<Box<str>, (Instant, PlanHash)>>,
    /// What runs that follow a plan read, once somebody asked.
    reads: Mutex<FxHashMap<PlanHash, Arc<Reads>>>,
}

impl Catalogue {
    fn get(&self, flow: &str) -> Option<PlanHash> {
        lock(&self.plans).get(flow).filter(|(since, _)| since.elapsed() < FRESH).map(|(_, plan)| *plan)
    }

    fn put(&self, flow: &str, plan: PlanHash) {
        let mut known = lock(&self.plans);
        known.retain(|_, (since, _)| since.elapsed() < FRESH);
        known.insert(flow.into(), (Instant::now(), plan));
    }

    /// What a run's input is read as that follows `plan`.
    pub(crate) fn reads(&self, plan: &Plan) -> Arc<Reads> {
        Arc::clone(lock(&self.reads).entry(plan.hash()).or_insert_with(|| Arc::new(Reads::of(plan))))
    }
}

impl Engine {
    /// Starts a run of a flow that the store knows, whether this program has its code or not: some engine on the store that
    /// has it does the work. Await it, as that of [`Engine::run`].
    ///
    /// New runs follow the plan that [`Engine::plan_of`] finds. An input without a type of its own is held against what
    /// their nodes read ([`Error::InputMismatch`]).
    pub fn run_stored<In: Data>(&self, flow: &str, input: In) -> StartRun {
        StartRun::of_stored(self.clone(), flow.to_owned(), input)
    }

    /// The plan that new runs of a flow follow: that of the flow as it is registered here, else as a worker that is alive
    /// has it, else the only one that is stored, else that of its newest run.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use vastflow_sdk::{Flow, Node, Result};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
    /// # let store: Arc<dyn vastflow_store::Store> = Arc::new(vastflow_store::MemoryStore::new());
    /// let plan = flow.plan().hash();
    /// let works = vastflow_worker::Engine::on(Arc::clone(&store)).flow(flow).start().await?;
    /// let desk = vastflow_worker::Engine::on(store).concurrency(0).start().await?; // without any code
    /// assert_eq!(desk.plan_of("double").await?, plan);
    /// let run = desk.run_stored("double", 21).await?;
    /// assert_eq!(run.output::<u32>().await?, 42);
    /// # drop(works);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownFlow`]; [`Error::NotServed`] when several plans are stored and nothing says which it is; store
    /// errors.
    pub async fn plan_of(&self, flow: &str) -> Result<PlanHash, Error> {
        plan_of(&self.shared, flow).await
    }
}

pub(crate) async fn plan_of(shared: &Shared, flow: &str) -> Result<PlanHash, Error> {
    let own = shared.flows.read().unwrap_or_else(PoisonError::into_inner).get(flow).map(|served| served.plan);
    if let Some(plan) = own.or_else(|| shared.catalogue.get(flow)) {
        return Ok(plan);
    }
    let plan = match plan_of_workers(shared, flow).await? {
        Some(plan) => plan,
        None => plan_of_store(shared, flow).await?,
    };
    shared.catalogue.put(flow, plan);
    Ok(plan)
}

/// What the workers say that have it; where they differ, the one that was heard of last.
async fn plan_of_workers(shared: &Shared, flow: &str) -> Result<Option<PlanHash>, StoreError> {
    let fleet = shared.store.fleet().await?;
    let alive = fleet.workers.iter().filter(|worker| worker.until > fleet.now);
    let told = alive.filter_map(|worker| {
        let (_, plan) = worker.about.flows.iter().find(|(name, _)| **name == *flow)?;
        Some((worker.until, *plan))
    });
    Ok(told.max_by_key(|(until, _)| *until).map(|(_, plan)| plan))
}

async fn plan_of_store(shared: &Shared, flow: &str) -> Result<PlanHash, Error> {
    let all = shared.store.plans().await?;
    let own: Vec<PlanHash> = all.iter().filter(|plan| **plan.flow() == *flow).map(|plan| plan.hash()).collect();
    match own[..] {
        [plan] => Ok(plan),
        [] => {
            let mut known: Vec<Name> = all.iter().map(|plan| plan.flow().clone()).collect();
            known.sort_unstable();
            known.dedup();
            Err(Error::UnknownFlow { name: flow.to_owned(), known })
        }
        _ => {
            let query = RunQuery { flow: Some(Name::new(flow)?), limit: 1, ..RunQuery::default() };
            let newest = shared.store.runs(&query).await?.rows.into_iter().next();
            newest
                .map(|row| row.summary.started.plan)
                .ok_or_else(|| Error::NotServed { flow: flow.to_owned(), plans: own.len() })
        }
    }
}
