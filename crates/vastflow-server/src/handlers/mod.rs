//! What is answered, one file a subject.

pub(crate) mod access;
pub(crate) mod attention;
pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod figures;
pub(crate) mod fleet;
pub(crate) mod flows;
pub(crate) mod goflow;
pub(crate) mod inside;
pub(crate) mod logs;
pub(crate) mod meta;
pub(crate) mod metrics;
pub(crate) mod runs;
pub(crate) mod session;
pub(crate) mod streams;
pub(crate) mod which;

use crate::auth::Principal;
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::Query;
use axum::http::Uri;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use vastflow_core::plan::Schema;
use vastflow_core::{Payload, RunId};
use vastflow_sdk::{Data, DataError};
use vastflow_store::RunRow;
use vastflow_worker::Run;

/// A payload as it came, with its codec.
pub(crate) struct Raw(pub(crate) Payload);

impl Data for Raw {
    fn encode(&self) -> Result<Payload, DataError> {
        match self.0.len() {
            bytes if bytes > vastflow_core::limits::MAX_PAYLOAD_BYTES => Err(DataError::TooLarge { bytes }),
            _ => Ok(self.0.clone()),
        }
    }

    fn decode(payload: &Payload) -> Result<Self, DataError> {
        Ok(Raw(payload.clone()))
    }

    fn schema() -> Schema {
        Schema::Any
    }
}

/// The run of an id, if whoever asks may see its flow. What they may not see is not there.
pub(crate) async fn find(app: &App, who: &Principal, id: &str) -> Answer<(Run, RunRow)> {
    let row = look(app, who, id).await?;
    Ok((app.engine.handle(id).await?, row))
}

/// The same without a handle.
pub(crate) async fn look(app: &App, who: &Principal, id: &str) -> Answer<RunRow> {
    let row = app.engine.store().run(&RunId::new(id)?).await?;
    row.filter(|row| who.sees(&row.summary.started.flow)).ok_or_else(|| Refusal::no_run(id))
}

/// Whether whoever asks may see a flow. What they may not see is not there.
pub(crate) fn see(who: &Principal, flow: &str) -> Answer<()> {
    if who.sees(flow) { Ok(()) } else { Err(Refusal::no_flow(flow)) }
}

/// Whether somebody may see a flow, and start runs of it with what they say: those of the service itself are started by the
/// service. A callback's input names a run and an address: who writes it reads any run's output.
pub(crate) fn may_feed(who: &Principal, flow: &str) -> Answer<()> {
    see(who, flow)?;
    if flow.starts_with("vastflow.") {
        let why =
            format!("runs of {flow:?} are started by the service itself; they can be retried and rerun as they are");
        return Err(Refusal::new("forbidden", why));
    }
    Ok(())
}

/// What is about all flows is for those who see all.
pub(crate) fn see_all(who: &Principal, what: &str) -> Answer<()> {
    if who.sees_all() {
        return Ok(());
    }
    Err(Refusal::new("forbidden", format!("{what} are of all flows, of which you may see only some")))
}

/// A body of JSON; none at all is an empty object.
pub(crate) fn json<T: DeserializeOwned>(body: &Bytes) -> Answer<T> {
    let body = if body.is_empty() { b"{}" } else { &body[..] };
    // What serde says of a value may hold some of it; its place and kind are enough.
    serde_json::from_slice(body).map_err(|why| {
        let (line, column) = (why.line(), why.column());
        let what = if why.is_data() { field_of(&why) } else { "it is not JSON".to_owned() };
        Refusal::new(
            "bad-request",
            format!("the body cannot be read at line {line}, column {column}: {what}; /api/v1/docs says what it takes"),
        )
    })
}

/// What serde says of fields names them; what it says of values would show them.
fn field_of(why: &serde_json::Error) -> String {
    let text = why.to_string();
    let is_of_field =
        ["unknown field", "missing field", "unknown variant", "duplicate field"].iter().any(|of| text.starts_with(of));
    if is_of_field { text } else { "a value has another type than it should".to_owned() }
}

/// The query of a request.
pub(crate) struct Asks(Vec<(String, String)>);

impl Asks {
    /// A query with these names and no others, so that a slip is told.
    pub(crate) fn of(uri: &Uri, known: &[&str]) -> Answer<Self> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(all) = query.map_err(|_| Refusal::new("bad-request", "the query cannot be read"))?;
        match all.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(Asks(all)),
            Some((name, _)) => {
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                Err(Refusal::new("bad-request", format!("the query has {name:?}; it may have {known}")))
            }
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn parse<T: FromStr>(&self, name: &str) -> Answer<Option<T>> {
        let parsed = self.text(name).map(str::parse).transpose();
        parsed.map_err(|_| {
            Refusal::new("bad-request", format!("`{name}` is not what it should be; /api/v1/docs says what it takes"))
        })
    }

    /// How many rows of a list are asked for.
    pub(crate) fn limit(&self, unless_said: usize, most: usize) -> Answer<usize> {
        Ok(self.parse("limit")?.unwrap_or(unless_said).clamp(1, most))
    }
}
