//! Starting runs: `POST /flow/{name}` with any bytes, and `POST /api/v1/runs` with JSON.

use crate::auth::{Principal, random};
use crate::guard::{Base, Gone, REQID, REQUEST_ID, link, query_of};
use crate::handlers::{Raw, json, may_feed};
use crate::problem::{Answer, Refusal};
use crate::rooms::Held;
use crate::show;
use crate::state::App;
use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use vastflow_api::access::Scope;
use vastflow_api::run::{Accepted, Links, RunRow, StartRun as Start};
use vastflow_callback::Callbacks;
use vastflow_core::run::RunSummary;
use vastflow_core::{Codec, Payload, RunOutcome};
use vastflow_worker::{Error, Run, StartRun};

/// Headers that are not kept with a run: secrets, and what belongs to the connection.
const NOT_KEPT: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "x-hub-signature",
    "x-vastflow-id",
    "x-vastflow-signature",
    "x-vastflow-timestamp",
];

/// Who asks for what.
type Asker = (State<Arc<App>>, Extension<Principal>, Extension<Base>);

/// Runs a flow on the bytes of the body, whatever they are, and answers with those of its output.
///
/// It waits for the run's end, 120 s unless `Prefer: wait=N` says otherwise (in seconds), and answers 200 with the output
/// as it is; else 202 with the run's id and where to ask. `X-Async: true` or `Prefer: respond-async` answers 202 at once.
/// `X-Request-Id` chooses the run's id: the same id with the same flow and body is the same run. Query and headers are kept
/// with the run, but for secrets. `X-Callback-Url` (or `X-Faas-Flow-Callback-Url`) has the result or the failure posted there
/// when the run has ended, signed as Standard Webhooks have it: it is a run of `vastflow.callback`. Takes the right `payload:read`, too, unless it does not wait.
#[utoipa::path(post, path = "/flow/{name}", operation_id = "call_flow", tag = "flows",
    params(("name" = String, Path, description = "The flow."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: for how many seconds; or `respond-async`."),
        ("X-Async" = Option<bool>, Header, description = "Answer at once."),
        ("X-Request-Id" = Option<String>, Header, description = "The run's id."),
        ("X-Callback-Url" = Option<String>, Header, description = "Who is told the result or the failure, if allowed."),
        ("traceparent" = Option<String>, Header, description = "W3C trace context that the run belongs to.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The flow's input, as it is."),
    responses((status = 200, description = "The output, as it is.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 202, description = "The run goes on.", body = Accepted)))]
pub(crate) async fn call_flow(
    (State(app), Extension(who), Extension(base)): Asker,
    Path(name): Path<String>,
    (Extension(held), Extension(Gone(gone))): (Extension<Held>, Extension<Gone>),
    (uri, headers): (Uri, HeaderMap),
    body: Bytes,
) -> Answer<Response> {
    may_feed(&who, &name)?;
    let callback = callback(&app, &who, &headers)?;
    let wait = how_long(&headers, &app);
    if wait.is_some() && !who.may(Scope::PayloadRead) {
        return Err(Refusal::new(
            "payload-not-allowed",
            format!(
                "the answer is the run's output, which takes the right `payload:read` that {:?} has not; send `X-Async: true`",
                who.name()
            ),
        ));
    }
    let codec = if is_json(&headers, &body) { Codec::Json } else { Codec::Bytes };
    let mut start =
        app.engine.run_stored(&name, Raw(Payload::new(codec, body))).query(query_of(&uri)).trace(&trace(&headers)?);
    if let Some(id) = request_id(&headers)? {
        start = start.id(id);
    }
    for (name, value) in headers.iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str())) {
        if let Ok(value) = value.to_str() {
            start = start.header(name.as_str(), value);
        }
    }
    let run = begin(start, &who).await?;
    if let Some((callbacks, url)) = callback {
        // What was asked for must be recorded before anybody is told that it will be done.
        callbacks.ask(&app.engine, &run, url).await?;
    }
    let ended = match wait {
        // Who waits is in nobody's way. Where there is no room for that, asking later is the answer, as after too long a wait.
        Some(wait) if held.moves_to(&app.waits) => waited(&app, &run, wait, &gone).await?,
        _ => None,
    };
    let mut response = match ended {
        Some(summary) => of_end(&run, &summary),
        None => accepted(&run, &base).await?.into_response(),
    };
    name_run(&run, &mut response);
    Ok(response)
}

/// Starts a run, and answers at once. The same id with the same flow and input again is the same run.
#[utoipa::path(post, path = "/api/v1/runs", operation_id = "start_run", tag = "runs", request_body = Start,
    responses((status = 201, description = "The run.", body = Accepted)))]
pub(crate) async fn start_run(
    (State(app), Extension(who), Extension(base)): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    let asked: Start = json(&body)?;
    may_feed(&who, &asked.flow)?;
    let input = serde_json::to_vec(&asked.input)
        .map_err(|_| Refusal::new("bad-request", "the input cannot be written as JSON"))?;
    let mut start = app.engine.run_stored(&asked.flow, Raw(Payload::new(Codec::Json, input))).priority(asked.priority);
    start = asked.labels.iter().fold(start, |start, (key, value)| start.label(key, value));
    start = asked.id.iter().fold(start, |start, id| start.id(id));
    start = asked.key.iter().fold(start, |start, key| start.key(key));
    start = asked.lane.iter().fold(start, |start, lane| start.lane(lane));
    if let Some(limit) = asked.deadline_in_ms {
        start = start.deadline_in(Duration::from_millis(limit));
    }
    let run = begin(start.trace(&trace(&headers)?), &who).await?;
    let Json(accepted) = accepted(&run, &base).await?.1;
    let mut response = (StatusCode::CREATED, Json(&accepted)).into_response();
    if let Ok(location) = HeaderValue::from_str(&accepted.links.run) {
        response.headers_mut().insert(LOCATION, location);
    }
    name_run(&run, &mut response);
    Ok(response)
}

/// Who is to be told how the run ends, if somebody is, and may be.
fn callback<'a>(app: &'a App, who: &Principal, headers: &'a HeaderMap) -> Answer<Option<(&'a Callbacks, &'a str)>> {
    let named = ["x-callback-url", "x-faas-flow-callback-url"].iter().find_map(|name| headers.get(*name));
    let Some(url) = named else { return Ok(None) };
    let no = |why: String| Refusal::new("callback-not-allowed", why);
    let callbacks = app.callbacks.as_ref().ok_or_else(|| {
        no("no address is allowed to be called back by this service; leave the header out and follow the run's stream"
            .to_owned())
    })?;
    let url = url.to_str().map_err(|_| no("the callback's address cannot be read".to_owned()))?;
    callbacks.check(url).map_err(|why| no(why.to_string()))?;
    if !who.may(Scope::PayloadRead) {
        let why = format!(
            "a callback carries the run's output, which takes the right `payload:read` that {:?} has not",
            who.name()
        );
        return Err(Refusal::new("payload-not-allowed", why));
    }
    Ok(Some((callbacks, url)))
}

/// Starts a run. What another run of that id is may not be for the eyes of whoever asks.
async fn begin(start: StartRun, who: &Principal) -> Answer<Run> {
    start.await.map_err(|error| match error {
        Error::AlreadyExists { id, flow } if !who.sees(&flow) => {
            Refusal::new("already-exists", format!("there is another run of the id {id:?}; use another id"))
        }
        Error::UnknownFlow { name, .. } => Refusal::no_flow(&name),
        error => error.into(),
    })
}

/// How long the end is waited for; none: not at all.
fn how_long(headers: &HeaderMap, app: &App) -> Option<Duration> {
    if text(headers, "x-async").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return None;
    }
    let prefers = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut wait = app.limits.wait;
    for preference in prefers.flat_map(|value| value.split([',', ';'])).map(str::trim) {
        if preference.eq_ignore_ascii_case("respond-async") {
            return None;
        }
        if let Some(Ok(seconds)) = preference.strip_prefix("wait=").map(str::parse) {
            wait = Duration::from_secs(seconds).min(app.limits.longest_wait);
        }
    }
    Some(wait)
}

/// Waits for a run's end, for a while, and not when the service is about to end or whoever asked has hung up.
async fn waited(app: &App, run: &Run, wait: Duration, gone: &CancellationToken) -> Answer<Option<Arc<RunSummary>>> {
    tokio::select! {
        end = run.wait() => Ok(Some(end?)),
        () = tokio::time::sleep(wait) => Ok(None),
        () = app.closing.cancelled() => Ok(None),
        () = gone.cancelled() => Ok(None),
    }
}

fn of_end(run: &Run, summary: &RunSummary) -> Response {
    let id = run.id();
    match &summary.outcome {
        Some(RunOutcome::Failed(failure)) => {
            Refusal::new("run-failed", format!("run {id:?} failed: {failure}")).into_response()
        }
        Some(RunOutcome::Stopped { by, why }) => {
            Refusal::new("run-stopped", format!("run {id:?} was stopped by {by}: {why}")).into_response()
        }
        _ => payload(summary.output.clone().unwrap_or_else(Payload::null)),
    }
}

/// What a run carries, as it is. Whatever it is, no browser shows it as a page.
pub(crate) fn payload(payload: Payload) -> Response {
    let kind = match payload.codec() {
        Codec::Json => "application/json",
        _ => "application/octet-stream",
    };
    ([(CONTENT_TYPE, kind)], payload.into_bytes()).into_response()
}

async fn accepted(run: &Run, base: &Base) -> Answer<(StatusCode, Json<Accepted>)> {
    let status = show::status(run.status().await?);
    let accepted = Accepted { id: run.id().to_string(), status, links: links(base, run.id().as_str()) };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Where to ask for a run.
pub(crate) fn links(base: &Base, id: &str) -> Links {
    let of = |what: &str| link(base, &format!("/api/v1/runs/{id}{what}"));
    Links { run: of(""), view: of("/view"), output: of("/output"), stream: of("/stream") }
}

/// The answer names the run, as goflow's did, too.
fn name_run(run: &Run, response: &mut Response) {
    if let Ok(id) = HeaderValue::from_str(run.id().as_str()) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
        response.headers_mut().insert(REQID, id);
    }
}

/// The id that was asked for. One that cannot be read is not passed over: who sends it again must not start again.
pub(crate) fn request_id(headers: &HeaderMap) -> Answer<Option<&str>> {
    let id = headers.get(REQUEST_ID).map(|id| id.to_str().ok().filter(|id| !id.is_empty()));
    id.map(|id| {
        id.ok_or_else(|| {
            Refusal::new("invalid-id", "X-Request-Id holds no id: write letters, digits and signs of ASCII")
        })
    })
    .transpose()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a body says that it is JSON, and is.
fn is_json(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = text(headers, "content-type").and_then(|kind| kind.split(';').next()).unwrap_or("").trim();
    let says_so = kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json");
    says_so && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// The trace context of a request, or a new one, so that all that is done for it is one trace.
fn trace(headers: &HeaderMap) -> Answer<String> {
    if let Some(given) = text(headers, "traceparent").filter(|given| is_trace(given)) {
        return Ok(given.to_owned());
    }
    let random = random::<24>().map_err(|why| Refusal::new("internal", why))?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("00-{}-{}-01", &hex[..32], &hex[32..]))
}

fn is_trace(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [2, 32, 16, 2] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A row for those who start runs by other means.
pub(crate) async fn row_of(run: &Run) -> Answer<RunRow> {
    Ok(show::row(run.id(), &run.summary().await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn json_is_what_says_so_and_is() {
        let json = headers(&[("content-type", "application/json; charset=utf-8")]);
        assert!(is_json(&json, b"{}") && !is_json(&json, b"{") && !is_json(&HeaderMap::new(), b"{}"));
        assert!(is_json(&headers(&[("content-type", "application/ld+json")]), b"1"));
    }

    #[test]
    fn a_trace_is_kept_or_made() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace(&headers(&[("traceparent", given)])).unwrap(), given);
        let made = trace(&headers(&[("traceparent", "nonsense")])).unwrap();
        assert!(is_trace(&made) && made != trace(&HeaderMap::new()).unwrap());
    }
}
