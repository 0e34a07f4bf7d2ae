//! What an engine can serve of what its store holds.

use crate::error::Error;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use vastflow_core::{Name, PlanHash, RunStatus};
use vastflow_sdk::MissingCode;
use vastflow_store::{RunQuery, StoreError};

/// Runs read at once.
const PAGE: usize = 1_000;
/// How many runs are read to count those that wait: where more do, there are at least so many.
const MOST: usize = 10_000;
/// What a run is that is not over.
const UNFINISHED: [RunStatus; 5] =
    [RunStatus::Queued, RunStatus::Running, RunStatus::Paused, RunStatus::NeedsAttention, RunStatus::Stopping];

/// What an engine can serve of what its store holds: see [`Engine::report`](crate::Engine::report).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The flows that new runs can be started of here.
    pub flows: Vec<Name>,
    /// How many of the store's plans have all their code here.
    pub plans: usize,
    /// The plans of unfinished runs that lack some of it here. Their runs wait for a program that has it.
    pub waiting: Vec<Waiting>,
    /// Whether only so many runs were counted, the newest of each flow: then there are at least as many as it says.
    pub is_partial: bool,
}

/// Runs that wait for code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// What they wait for, with their flow and plan.
    pub missing: MissingCode,
    /// How many there are.
    pub runs: usize,
}

impl Report {
    /// How many runs wait for code that is not here.
    #[must_use]
    pub fn runs_waiting(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.runs).sum()
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waiting { missing, runs } = self;
        let (noun, verb) = if *runs == 1 { ("run", "needs") } else { ("runs", "need") };
        write!(
            f,
            "{runs} {noun} of flow {:?} {verb} {} that this program lacks",
            missing.flow,
            missing.needs.join(", ")
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{} flow{}", self.flows.len(), plural(self.flows.len()))?;
        write!(f, " and {} stored plan{} can be served", self.plans, plural(self.plans))?;
        self.waiting.iter().try_for_each(|waiting| write!(f, "; {waiting}"))?;
        if self.is_partial { f.write_str("; or more") } else { Ok(()) }
    }
}

/// Finds out which stored plans can be served here, and how many runs wait because theirs cannot.
pub(crate) async fn report(shared: &Shared) -> Result<Report, Error> {
    let (mut plans, mut missing) = (0, Vec::new());
    for plan in shared.store.plans().await? {
        match shared.bound(plan.hash()).await {
            Ok(_) => plans += 1,
            Err(Error::MissingCode(lack)) => missing.push(lack),
            Err(error) => return Err(error),
        }
    }
    let mut runs: BTreeMap<PlanHash, usize> = BTreeMap::new();
    let mut flows: Vec<&Name> = missing.iter().map(|missing| &missing.flow).collect();
    flows.sort_unstable();
    flows.dedup();
    let mut cut = Vec::new();
    for flow in flows {
        if !count(shared, flow, &mut runs).await? {
            cut.push(flow.clone());
        }
    }
    let waiting =
        missing.into_iter().map(|missing| Waiting { runs: runs.get(&missing.plan).copied().unwrap_or(0), missing });
    // Of a flow that was not read to its end nobody knows that no run follows a plan.
    let waiting = waiting.filter(|waiting| waiting.runs > 0 || cut.contains(&waiting.missing.flow)).collect();
    let flows = shared.flows.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
    Ok(Report { flows, plans, waiting, is_partial: !cut.is_empty() })
}

/// Counts the newest unfinished runs of a flow by their plans; whether those were all.
async fn count(shared: &Shared, flow: &Name, runs: &mut BTreeMap<PlanHash, usize>) -> Result<bool, StoreError> {
    let mut room = MOST;
    for status in UNFINISHED {
        let mut query = RunQuery { flow: Some(flow.clone()), status: Some(status), limit: PAGE, ..RunQuery::default() };
        while room > 0 {
            query.limit = PAGE.min(room);
            let page = shared.store.runs(&query).await?;
            page.rows.iter().for_each(|row| *runs.entry(row.summary.started.plan).or_default() += 1);
            room -= page.rows.len().min(room);
            query.before = page.next;
            if query.before.is_none() {
                break;
            }
        }
    }
    Ok(room > 0)
}
