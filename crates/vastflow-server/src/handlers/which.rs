//! Which runs somebody asks for: what the store finds, and what is looked for in what it found.

use crate::auth::Principal;
use crate::handlers::{Asks, see};
use crate::problem::{Answer, Refusal};
use crate::show;
use vastflow_api::bulk::Filter;
use vastflow_api::run::Status;
use vastflow_core::{Name, RunStatus};
use vastflow_store::{RunQuery, RunRow};

/// Runs that somebody asks for.
#[derive(Debug, Default)]
pub(crate) struct Which {
    /// What the store looks for.
    pub(crate) query: RunQuery,
    /// Several of them: the store looks for one.
    statuses: Vec<RunStatus>,
    pub(crate) since_ms: u64,
    until_ms: Option<u64>,
    id: String,
    text: String,
}

impl From<RunQuery> for Which {
    fn from(query: RunQuery) -> Self {
        Which { query, ..Which::default() }
    }
}

impl Which {
    /// The words of a query that [`Which::of`] reads.
    pub(crate) const WORDS: [&str; 7] = ["flow", "status", "label", "since_ms", "until_ms", "id", "q"];

    pub(crate) fn of(asks: &Asks, who: &Principal) -> Answer<Self> {
        let mut which = Which { since_ms: asks.parse("since_ms")?.unwrap_or(0), ..Which::default() };
        which.until_ms = asks.parse("until_ms")?;
        which.id = asks.text("id").unwrap_or("").to_owned();
        which.text = asks.text("q").unwrap_or("").to_lowercase();
        which.flow(asks.text("flow"), who)?;
        for word in asks.all("status") {
            which.statuses.push(RunStatus::parse(word).ok_or_else(|| {
                Refusal::new(
                    "bad-request",
                    format!("{word:?} is no status; a status is {}", Status::ALL.map(Status::as_str).join(", ")),
                )
            })?);
        }
        for label in asks.all("label") {
            let (key, value) =
                label.split_once(':').ok_or_else(|| Refusal::new("bad-request", "a label is `key:value`"))?;
            which.query.labels.push((key.to_owned(), value.to_owned()));
        }
        which.one_status();
        Ok(which)
    }

    pub(crate) fn of_filter(filter: &Filter, who: &Principal) -> Answer<Self> {
        let mut which = Which { since_ms: filter.since_ms.unwrap_or(0), until_ms: filter.until_ms, ..Which::default() };
        which.text = filter.q.as_deref().unwrap_or("").to_lowercase();
        which.flow(filter.flow.as_deref(), who)?;
        which.statuses = filter.status.map(show::status_asked).into_iter().collect();
        which.query.labels = filter.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        which.one_status();
        Ok(which)
    }

    fn flow(&mut self, flow: Option<&str>, who: &Principal) -> Answer<()> {
        if let Some(flow) = flow {
            see(who, flow)?;
            self.query.flow = Some(Name::new(flow)?);
        }
        Ok(())
    }

    /// One status is the store's to look for.
    fn one_status(&mut self) {
        if let [only] = self.statuses[..] {
            self.query.status = Some(only);
            self.statuses.clear();
        }
    }

    /// Whether something is asked for that the store does not look for.
    pub(crate) fn leaves_out(&self) -> bool {
        !(self.statuses.is_empty() && self.id.is_empty() && self.text.is_empty() && self.until_ms.is_none())
    }

    /// Whether a run is too old, and with it all that the store lists behind it.
    pub(crate) fn is_too_old(&self, row: &RunRow) -> bool {
        row.summary.started_at.millis() < self.since_ms
    }

    /// Whether a run that the store found is asked for.
    pub(crate) fn takes(&self, row: &RunRow) -> bool {
        let summary = &row.summary;
        !self.is_too_old(row)
            && self.until_ms.is_none_or(|until| summary.started_at.millis() < until)
            && (self.statuses.is_empty() || self.statuses.contains(&summary.status))
            && row.id.as_str().starts_with(&self.id)
            && (self.text.is_empty() || self.is_in(row))
    }

    /// Whether the text is in a run's id, in a label's value or in what it failed with.
    fn is_in(&self, row: &RunRow) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        let (summary, info) = (&row.summary, &row.summary.started.info);
        has(row.id.as_str())
            || info.labels.iter().any(|(_, value)| has(value))
            || summary.outcome.as_ref().is_some_and(|outcome| has(&outcome.to_string()))
    }
}
