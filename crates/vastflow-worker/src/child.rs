//! Runs that a run starts: what its calls ask about them.

use crate::claim::started_of;
use crate::control::cell_at;
use crate::error::Error;
use crate::shared::Shared;
use crate::start::tell;
use std::sync::{Arc, PoisonError};
use vastflow_core::run::{Input, Start};
use vastflow_core::{Name, Payload, RunId, RunInfo};
use vastflow_sdk::{ChildAsk, ChildState};

/// Does what is asked, and tells where the run stands then.
pub(crate) async fn child(shared: &Arc<Shared>, id: RunId, ask: ChildAsk) -> Result<ChildState, Error> {
    match ask {
        ChildAsk::Start { flow, input, parent } => start(shared, &id, &flow, input, &parent).await?,
        ChildAsk::Look => {}
        ChildAsk::Cancel { by, why } => cancel(shared, &id, &by, &why).await?,
    }
    let row = shared.store.run(&id).await?;
    let summary = row.ok_or_else(|| Error::UnknownRun { id })?.summary;
    Ok(ChildState { status: summary.status, outcome: summary.outcome, output: summary.output })
}

async fn start(shared: &Arc<Shared>, id: &RunId, flow: &Name, input: Payload, parent: &RunId) -> Result<(), Error> {
    let plan = {
        let plans = shared.flow_plans.read().unwrap_or_else(PoisonError::into_inner);
        plans.get(&**flow).copied().ok_or_else(|| {
            let known = plans.keys().cloned().collect();
            Error::UnknownFlow { name: flow.to_string(), known }
        })?
    };
    let bound = shared.bound(plan).await?;
    let lane = shared.begun(parent).await?.and_then(|begun| begun.info.lane.clone());
    let info = RunInfo { labels: vec![("parent".into(), parent.as_str().into())], lane, ..RunInfo::default() };
    let start = Start { input, info, ..Start::new(id.clone()) };
    match tell(shared, bound, start.clone(), None).await {
        Err(Error::AlreadyExists { id, flow: other }) => match started_of(shared, &id).await? {
            // A call before this one, whose end was not recorded, has started it.
            Some(started) if started.flow == *flow && start.is_same_as(&started) => Ok(()),
            _ => Err(Error::AlreadyExists { id, flow: other }),
        },
        told => told,
    }
}

async fn cancel(shared: &Arc<Shared>, id: &RunId, by: &str, why: &str) -> Result<(), Error> {
    let cell = cell_at(shared, id, "").await?;
    match cell.ask(shared, Input::Cancel { by: by.into(), why: why.into() }).await {
        Err(Error::RunEnded { .. } | Error::Finishing { .. }) => Ok(()),
        told => told,
    }
}
