//! What can be asked of a run.

use crate::auth::Principal;
use crate::handlers::call::{request_id, row_of};
use crate::handlers::{Asks, Raw, find, json, may_feed};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use vastflow_api::control::{Choice, ForkRun, Reason, Resolve};
use vastflow_api::run::RunRow;
use vastflow_core::event::Choice as Chosen;
use vastflow_core::{Codec, Payload};
use vastflow_worker::{Fork, Run};

type Asker = (State<Arc<App>>, Extension<Principal>);

/// Something that is asked of a run, with a reason.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    Pause,
    Resume,
    Stop,
    Kill,
}

/// Asks it, in the name of somebody.
pub(crate) async fn ask(run: &Run, verb: Verb, who: &Principal, why: &str) -> Answer<()> {
    let (by, why) = (who.name(), because(why));
    Ok(match verb {
        Verb::Pause => run.pause(by, why).await,
        Verb::Resume => run.resume(by, why).await,
        Verb::Stop => run.cancel(by, why).await,
        Verb::Kill => run.kill(by, why).await,
    }?)
}

/// What is recorded where nobody said why.
pub(crate) fn because(why: &str) -> &str {
    if why.is_empty() { "no reason given" } else { why }
}

async fn asked((State(app), Extension(who)): Asker, id: &str, verb: Verb, body: &Bytes) -> Answer<Json<RunRow>> {
    let Reason { why } = json(body)?;
    let (run, _) = find(&app, &who, id).await?;
    ask(&run, verb, &who, &why).await?;
    Ok(Json(row_of(&run).await?))
}

/// Asks that nothing new start in a run: what is under way is waited for and recorded. Asking again changes nothing.
#[utoipa::path(post, path = "/api/v1/runs/{id}/pause", operation_id = "pause_run", tag = "control", request_body = Reason,
    params(("id" = String, Path, description = "The run.")), responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn pause_run(
    app: State<Arc<App>>,
    who: Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<RunRow>> {
    asked((app, who), &id, Verb::Pause, &body).await
}

/// Asks that a paused run go on with exactly what was held back.
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume", operation_id = "resume_run", tag = "control", request_body = Reason,
    params(("id" = String, Path, description = "The run.")), responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn resume_run(
    app: State<Arc<App>>,
    who: Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<RunRow>> {
    asked((app, who), &id, Verb::Resume, &body).await
}

/// Asks that a run stop: what is under way is told and waited for, what was done is undone where there are undo actions,
/// then the hooks run. The first reason counts.
#[utoipa::path(post, path = "/api/v1/runs/{id}/stop", operation_id = "stop_run", tag = "control", request_body = Reason,
    params(("id" = String, Path, description = "The run.")), responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn stop_run(
    app: State<Arc<App>>,
    who: Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<RunRow>> {
    asked((app, who), &id, Verb::Stop, &body).await
}

/// Asks that a run end without waiting for what is under way: nothing of that counts any more.
#[utoipa::path(post, path = "/api/v1/runs/{id}/kill", operation_id = "kill_run", tag = "control", request_body = Reason,
    params(("id" = String, Path, description = "The run.")), responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn kill_run(
    app: State<Arc<App>>,
    who: Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<RunRow>> {
    asked((app, who), &id, Verb::Kill, &body).await
}

/// Sends a signal with the bytes of the body. The node that has waited for one of its name longest takes it, or the first
/// that will. The same `X-Request-Id` again is the same signal.
#[utoipa::path(post, path = "/api/v1/runs/{id}/signals/{name}", operation_id = "signal_run", tag = "control",
    params(("id" = String, Path, description = "The run."), ("name" = String, Path, description = "The signal."),
        ("scope" = Option<String>, Query, description = "For a node inside of others: where."),
        ("X-Request-Id" = Option<String>, Header, description = "The signal's id.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "What it carries, as it is."),
    responses((status = 204, description = "It is recorded.")))]
pub(crate) async fn signal_run(
    (State(app), Extension(who)): Asker,
    Path((id, name)): Path<(String, String)>,
    (uri, headers): (Uri, HeaderMap),
    body: Bytes,
) -> Answer<StatusCode> {
    let asks = Asks::of(&uri, &["scope"])?;
    let (run, _) = find(&app, &who, &id).await?;
    let payload = if body.is_empty() { Payload::null() } else { Payload::new(codec_of(&body), body) };
    let mut signal = run.signal(&name, Raw(payload)).within(asks.text("scope").unwrap_or(""));
    if let Some(id) = request_id(&headers)? {
        signal = signal.id(id);
    }
    signal.send().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn codec_of(body: &Bytes) -> Codec {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if is_json { Codec::Json } else { Codec::Bytes }
}

/// Starts a new run that goes on where this one failed or was stopped. Asking again gives the same new run.
#[utoipa::path(post, path = "/api/v1/runs/{id}/retry", operation_id = "retry_run", tag = "control", request_body = Reason,
    params(("id" = String, Path, description = "The run.")), responses((status = 201, description = "The new run.", body = RunRow)))]
pub(crate) async fn retry_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<RunRow>)> {
    let Reason { why } = json(&body)?;
    let (run, _) = find(&app, &who, &id).await?;
    began(&run.retry(who.name(), because(&why)).await?).await
}

/// Starts a new run from the start, with the same input. Asking again gives the same new run.
#[utoipa::path(post, path = "/api/v1/runs/{id}/rerun", operation_id = "rerun_run", tag = "control", request_body = Reason,
    params(("id" = String, Path, description = "The run.")), responses((status = 201, description = "The new run.", body = RunRow)))]
pub(crate) async fn rerun_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<RunRow>)> {
    let Reason { why } = json(&body)?;
    let (run, _) = find(&app, &who, &id).await?;
    began(&run.rerun(who.name(), because(&why)).await?).await
}

/// Starts a new run that keeps what this one's nodes gave, but for one node and all that follows from it.
#[utoipa::path(post, path = "/api/v1/runs/{id}/fork", operation_id = "fork_run", tag = "control", request_body = ForkRun,
    params(("id" = String, Path, description = "The run.")), responses((status = 201, description = "The new run.", body = RunRow)))]
pub(crate) async fn fork_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<RunRow>)> {
    let asked: ForkRun = json(&body)?;
    let (run, row) = find(&app, &who, &id).await?;
    may_feed(&who, &row.summary.started.flow)?;
    let fork = Fork::at(&asked.node);
    let fork = match (&asked.input, &asked.output) {
        (Some(_), Some(_)) => return Err(Refusal::new("bad-request", "a fork has an input or an output, not both")),
        (Some(input), None) => fork.input(&Raw(payload(input)?)),
        (None, Some(output)) => fork.output(&Raw(payload(output)?)),
        (None, None) => fork,
    };
    let fork = asked.id.iter().fold(fork, |fork, id| fork.id(id));
    began(&run.fork(fork, who.name(), because(&asked.why)).await?).await
}

/// Says how it goes on with a node that waits for an operator: try again, skip it, or it was done by hand.
#[utoipa::path(post, path = "/api/v1/runs/{id}/resolve", operation_id = "resolve_run", tag = "control", request_body = Resolve,
    params(("id" = String, Path, description = "The run.")), responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn resolve_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<RunRow>> {
    let asked: Resolve = json(&body)?;
    let (run, _) = find(&app, &who, &id).await?;
    let choice = match asked.choice {
        Choice::Retry => Chosen::Retry,
        Choice::Skip => Chosen::Skip,
        Choice::Done => Chosen::MarkDone(payload(&asked.output.unwrap_or(Value::Null))?),
        _ => return Err(Refusal::new("bad-request", "this service knows no such choice")),
    };
    run.resolve(&asked.at, choice, who.name(), because(&asked.why)).await?;
    Ok(Json(row_of(&run).await?))
}

fn payload(value: &Value) -> Answer<Payload> {
    let bytes =
        serde_json::to_vec(value).map_err(|_| Refusal::new("bad-request", "the value cannot be written as JSON"))?;
    Ok(Payload::new(Codec::Json, bytes))
}

async fn began(run: &Run) -> Answer<(StatusCode, Json<RunRow>)> {
    Ok((StatusCode::CREATED, Json(row_of(run).await?)))
}
