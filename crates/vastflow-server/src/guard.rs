//! What every request passes on its way in and out: nothing is answered that has not been through here.
//!
//! In: room, the name it was sent to, the page it was sent by, what it asks for, who asks, whether they may, its body.
//! Out: headers that every answer has, problems as JSON, the audit log.

use crate::auth::{Early, Principal, check_signature, now_ms, random, recognise, wrong};
use crate::kept::Kept;
use crate::limits::{Whose, limited};
use crate::operations::{Asked, Body as Takes, Operation, PAGE, Time, base, find, is_page, methods};
use crate::origin::is_cross_site;
use crate::problem::{Answer, Refusal};
use crate::rooms::{Held, Place};
use crate::state::App;
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, MatchedPath, OriginalUri, Query, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use vastflow_api::access::{AuditRow, BulkRow, KnownBy, Scope};
use vastflow_api::problem;
use vastflow_core::RunId;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const REQID: HeaderName = HeaderName::from_static("x-reqid");

/// How much of a reason is kept in the audit log.
const WHY: usize = 500;
/// And of a path.
const PATH: usize = 512;
/// How long a body may take that is there at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What stands before the service's own paths, for links.
#[derive(Clone, Debug)]
pub(crate) struct Base(pub(crate) Arc<str>);

/// A request as it was taken in.
struct Taken {
    request: Request,
    operation: &'static Operation,
    /// The reason that was given for what is asked for.
    why: Option<String>,
    held: Held,
}

/// What is kept of a request for its answer.
#[derive(Clone)]
struct About {
    peer: Option<IpAddr>,
    path: String,
    matched: Option<MatchedPath>,
    request_id: Option<RunId>,
}

/// Cancelled when whoever asked has hung up.
#[derive(Clone, Debug)]
pub(crate) struct Gone(pub(crate) CancellationToken);

pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let about = About::of(&request);
    let (mut asked, mut who) = (None, None);
    let taken = take(&app, request, &about, (&mut asked, &mut who)).await;
    let why = taken.as_ref().ok().and_then(|taken| taken.why.clone());
    let ending = Ending { app: Arc::clone(&app), about, asked, who, why };
    match taken {
        Err(refusal) => ending.end(refusal.into_response()),
        Ok(taken) if taken.operation.is_audited() => to_its_end(ending, taken, next).await,
        Ok(taken) => ending.end(answer(&app, taken, next).await),
    }
}

/// What changes something is brought to its end and noted, also when whoever asked hangs up meanwhile: else it would have
/// happened, and nobody would be known to have asked for it.
async fn to_its_end(ending: Ending, mut taken: Taken, next: Next) -> Response {
    let gone = CancellationToken::new();
    taken.request.extensions_mut().insert(Gone(gone.clone()));
    let _when_dropped = gone.drop_guard();
    let broken = ending.clone();
    let work = async move {
        let response = answer(&ending.app, taken, next).await;
        ending.end(response)
    };
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!("a request was broken off: {error}");
        let why = "the service broke the request off; what was asked for may have happened: look before you repeat it";
        broken.end(Refusal::new("internal", why).into_response())
    })
}

async fn answer(app: &App, taken: Taken, next: Next) -> Response {
    let Taken { request, operation, held, .. } = taken;
    let answer = next.run(request);
    let response = match operation.time {
        // Its body has arrived; what is left is the store's time.
        Time::Request => timeout(app.limits.request_time, answer).await.unwrap_or_else(|_| {
            let why =
                "the store did not answer in time; what was asked for may have happened: look before you repeat it";
            Refusal::new("timed-out", why).into_response()
        }),
        Time::Run => answer.await,
        // It has a place of its own.
        Time::Stream => return answer.await,
    };
    if operation.changes() && operation.body != Takes::Payload {
        // What somebody does by hand shows at once.
        app.counts.forget().await;
    }
    response.map(|body| Body::new(Kept::new(body, held)))
}

/// What is done when there is an answer.
#[derive(Clone)]
struct Ending {
    app: Arc<App>,
    about: About,
    asked: Option<&'static Operation>,
    who: Option<Principal>,
    why: Option<String>,
}

impl Ending {
    fn end(self, mut response: Response) -> Response {
        let Ending { app, about, asked, who, why } = self;
        finish(&app, &about, &mut response);
        app.asked.note(asked, response.status());
        // What strangers tried in vain is counted above: they must not be able to fill the log.
        if let (Some(operation), Some(who)) = (asked.filter(|operation| operation.is_audited()), who) {
            note(&app, &about, (&who, why), operation, &response);
        }
        response
    }
}

/// Lets a request in, or says why not.
async fn take(
    app: &Arc<App>,
    request: Request,
    about: &About,
    (asked, known): (&mut Option<&'static Operation>, &mut Option<Principal>),
) -> Answer<Taken> {
    let (mut parts, body) = request.into_parts();
    let matched = about.matched.as_ref().map(MatchedPath::as_str);
    let found = find(&parts.method, matched);
    let mut place = place(app, found)?;
    may_enter(app, &parts)?;
    let operation = match found {
        Asked::This(operation) => operation,
        Asked::OtherMethod => {
            return Err(Refusal::new("method-not-allowed", "the path is there, but not with this method"));
        }
        Asked::Nothing if app.has_dashboard && is_page(&parts.method, parts.uri.path()) => &PAGE,
        Asked::Nothing => {
            return Err(Refusal::new("not-found", "there is nothing at this path; /api/v1/docs lists what there is"));
        }
    };
    *asked = Some(operation);
    let original = parts.extensions.get::<OriginalUri>().map(|uri| uri.0.clone());
    let target = path_and_query(original.as_ref().unwrap_or(&parts.uri)).to_owned();
    let early = recognise(app, &parts, operation, about.peer)?;
    let (who, bytes) = match early {
        // Nobody who need not say who they are is listened to any longer than that.
        Early::Nobody => {
            count(app, None, about)?;
            share(&mut place, App::at(about.peer))?;
            (None, Bytes::new())
        }
        Early::Known(who, by) => {
            *known = Some(who.clone());
            welcome(app, &who, operation, (about, &mut place))?;
            let most = may_send(app, &parts, operation, &body)?;
            (Some((who, by)), read(&parts, most, app.limits.request_time, body).await?)
        }
        Early::Signed => {
            let (who, bytes) = signed(app, (&parts, operation, &target), about, body).await?;
            *known = Some(who.clone());
            welcome(app, &who, operation, (about, &mut place))?;
            (Some((who, KnownBy::Signature)), bytes)
        }
    };
    if let Some((who, by)) = who {
        parts.extensions.insert(who);
        parts.extensions.insert(by);
    }
    let held = Held::new(place);
    parts.extensions.insert(held.clone());
    parts.extensions.insert(Base(base(operation, matched.unwrap_or("")).into()));
    let why = if operation.is_audited() { why_of(operation, &parts.uri, &bytes) } else { None };
    Ok(Taken { request: Request::from_parts(parts, Body::from(bytes)), operation, why, held })
}

/// A place for a request. Those who look after processes need none: a service that is full is not dead.
fn place(app: &App, found: Asked) -> Answer<Option<Place>> {
    if matches!(found, Asked::This(operation) if operation.is_probe()) {
        return Ok(None);
    }
    let busy = "as many requests are under way as this service takes at once; try again in a second";
    app.requests.take(None).map(Some).ok_or_else(|| Refusal::new("busy", busy))
}

/// Says whose a place is, who may have so many.
fn share(place: &mut Option<Place>, whose: Option<Whose>) -> Answer<()> {
    if place.as_mut().is_none_or(|place| place.is_of(whose)) {
        return Ok(());
    }
    Err(Refusal::new("busy", "as many of your requests are under way as one may have at once; wait for some to end"))
}

/// Whether a request is one to look at, whoever sent it and whatever it asks for: its head is no larger than it may be, it was sent
/// to a name of this service, and not by a page of another site to change something.
fn may_enter(app: &App, parts: &Parts) -> Answer<()> {
    // Connections have a limit of their own, which is not exact, and other applications' may have none.
    let head = parts
        .headers
        .iter()
        .fold(path_and_query(&parts.uri).len(), |sum, (name, value)| sum + name.as_str().len() + value.len() + 4);
    if head > app.limits.header_bytes {
        let most = app.limits.header_bytes;
        return Err(Refusal::new("headers-too-large", format!("the request's head has more than {most} bytes")));
    }
    if !app.hosts.allow(&parts.headers, &parts.uri) {
        return Err(Refusal::new(
            "host-not-allowed",
            "the request was sent to a name that this service does not answer to; use localhost or the address, or allow the \
             name: `vastflow serve --host NAME`, in a program `Service::host(\"name\")`",
        ));
    }
    if is_cross_site(&parts.method, &parts.headers, &parts.uri) {
        return Err(Refusal::new(
            "cross-site",
            "a page of another site sent this, and such pages may change nothing here",
        ));
    }
    Ok(())
}

/// Whether somebody who is known may ask for this now: they have not asked for too much, they have the right, and they have not
/// all the places.
fn welcome(
    app: &App,
    who: &Principal,
    operation: &Operation,
    (about, place): (&About, &mut Option<Place>),
) -> Answer<()> {
    count(app, Some(who), about)?;
    allow(app, who, operation)?;
    share(place, app.whose(who, about.peer))
}

/// Reads a body that is signed, and says by whom. Until it is there nobody is known: so many are read, and so long, and an address
/// from which too many were listened to in vain is not listened to for a while.
async fn signed(
    app: &App,
    (parts, operation, target): (&Parts, &Operation, &str),
    about: &About,
    body: Body,
) -> Answer<(Principal, Bytes)> {
    let peer = about.peer.filter(|peer| !(app.spares_local && peer.is_loopback()));
    let in_vain = peer.map(Whose::in_vain);
    if let Some(wait) = in_vain.as_ref().and_then(|whose| app.failures.wait(whose, Instant::now())) {
        return Err(limited(wait, "signed requests whose bodies were waited for in vain"));
    }
    let most = may_send(app, parts, operation, &body)?;
    let _place = app.unknown.take(peer.map(Whose::at)).ok_or_else(|| {
        Refusal::new(
            "busy",
            "as many signed requests are being read as this service reads at once; try again in a second",
        )
    })?;
    let began = Instant::now();
    let (read, is_there) = match read(parts, most, app.limits.unknown_time.min(app.limits.request_time), body).await {
        Ok(bytes) => {
            let who = check_signature(app, &parts.headers, (parts.method.as_str(), target), &bytes);
            (who.map(|who| (who, bytes)), true)
        }
        Err(refusal) => (Err(refusal), false),
    };
    read.map_err(|refusal| {
        // A body that was there at once held up nobody, whatever its signature is: behind a proxy that takes bodies first, nobody
        // shuts out others at the same address.
        if !is_there || began.elapsed() > AT_ONCE {
            in_vain.map(|whose| app.failures.take(whose, Instant::now()));
        }
        wrong(app, about.peer, refusal)
    })
}

/// Counts a request of somebody, or of an address without.
fn count(app: &App, who: Option<&Principal>, about: &About) -> Answer<()> {
    if app.spares_local && about.peer.is_none_or(|peer| peer.is_loopback()) {
        return Ok(());
    }
    let whose = match (who, about.peer) {
        (Some(who), _) if !app.access.is_open() => Whose::Name(who.name().to_owned()),
        (_, Some(peer)) => Whose::at(peer),
        (_, None) => Whose::Name(String::new()),
    };
    app.rate.take(whose, Instant::now()).map_err(|wait| limited(wait, "requests"))
}

/// Whether somebody has the right that an operation takes. Whether they may see the flow is the handler's to say, who knows
/// it: each handler asks, and lists leave out what they may not see.
fn allow(app: &App, who: &Principal, operation: &Operation) -> Answer<()> {
    if app.is_read_only && operation.changes() {
        return Err(Refusal::new("read-only", "this service only shows; ask one that may change something"));
    }
    let Some(right) = operation.right.filter(|right| !who.may(*right)) else { return Ok(()) };
    let code = if right == Scope::PayloadRead { "payload-not-allowed" } else { "forbidden" };
    Err(Refusal::new(code, format!("this takes the right `{}`, which {:?} has not", right.as_str(), who.name())))
}

/// How many bytes a request may send, if it may send what it says.
fn may_send(app: &App, parts: &Parts, operation: &Operation, body: &Body) -> Answer<usize> {
    let most = match operation.body {
        Takes::Payload => app.limits.payload_bytes,
        Takes::Small => app.limits.body_bytes,
        Takes::Bulk => app.limits.bulk_bytes,
    };
    if parts.method.is_safe() {
        return Ok(most);
    }
    let encoded = parts.headers.get("content-encoding").is_some_and(|encoding| encoding != "identity");
    if encoded {
        return Err(Refusal::new(
            "bad-request",
            "this service takes no compressed bodies; send it without Content-Encoding",
        ));
    }
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    Ok(most)
}

fn too_large(most: usize) -> Refusal {
    let why = format!("the body has more than {most} bytes; write it to a file or a blob store and send where it is");
    Refusal::new("body-too-large", why)
}

/// The body of a request, in time. One that only looks has none, whatever it sends.
async fn read(parts: &Parts, most: usize, time: Duration, body: Body) -> Answer<Bytes> {
    if parts.method.is_safe() {
        return Ok(Bytes::new());
    }
    match timeout(time, Limited::new(body, most).collect()).await {
        Ok(Ok(all)) => Ok(all.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(most)),
        Ok(Err(_)) => Err(Refusal::new("bad-request", "the body ended before all of it was there")),
        Err(_) => Err(Refusal::new("request-timeout", "the body did not arrive in time")),
    }
}

impl About {
    fn of(request: &Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
        let given = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
        let request_id = given.and_then(|id| RunId::new(id).ok()).or_else(new_id);
        About { peer, path: path_of(request), matched: request.extensions().get().cloned(), request_id }
    }
}

fn path_of(request: &Request) -> String {
    let original = request.extensions().get::<OriginalUri>().map(|uri| &uri.0);
    original.unwrap_or(request.uri()).path().to_owned()
}

fn new_id() -> Option<RunId> {
    let random = random::<12>().ok()?;
    RunId::new(random.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).ok()
}

/// Headers that every answer has.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

fn finish(app: &App, about: &About, response: &mut Response) {
    let status = response.status();
    let refusal = response.extensions_mut().remove::<Refusal>();
    // What the router says by itself is a problem, too.
    let by_router =
        || Refusal::new(if status.is_server_error() { "internal" } else { "bad-request" }, "the path cannot be read");
    if status.is_client_error() || status.is_server_error() {
        write_problem(refusal.unwrap_or_else(by_router), about, response);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    // Only files that hold nothing of anybody say that they may be kept.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.has_tls {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
    let id = about.request_id.as_ref().and_then(|id| HeaderValue::from_str(id).ok());
    if let Some(id) = id.filter(|_| !headers.contains_key(&REQUEST_ID)) {
        headers.insert(REQUEST_ID, id);
    }
}

fn write_problem(Refusal(mut problem, wait): Refusal, about: &About, response: &mut Response) {
    problem.request_id = about.request_id.as_ref().map(ToString::to_string);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
    match problem.status {
        401 => _ = headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"vastflow\"")),
        405 => {
            let methods = about.matched.as_ref().map(|path| methods(path.as_str())).unwrap_or_default();
            headers.extend(HeaderValue::from_str(&methods).ok().map(|methods| (ALLOW, methods)));
        }
        429 | 503 => {
            let seconds = wait.map_or(1, |wait| wait.as_secs() + 1);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        _ => {}
    }
    *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
}

/// The reason in the body of a request to change something, or in the query of one without a body. What goes to a run is not
/// looked into.
fn why_of(operation: &Operation, uri: &Uri, body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Reason {
        why: String,
    }
    let Reason { why } = match operation.body {
        Takes::Payload => return None,
        _ if operation.method == "DELETE" => Query::try_from_uri(uri).ok()?.0,
        _ => serde_json::from_slice(body).ok()?,
    };
    let why = cut(why, WHY);
    (!why.is_empty()).then_some(why)
}

/// A text of at most so many bytes.
fn cut(mut text: String, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// The run that a path is about.
fn run_of(about: &About) -> Option<String> {
    let matched = about.matched.as_ref()?.as_str();
    let (before, _) = matched.split_once("/runs/{id}")?;
    let id = about.path.split('/').nth(before.matches('/').count() + 2)?;
    Some(id.to_owned())
}

fn note(
    app: &App,
    about: &About,
    (who, why): (&Principal, Option<String>),
    operation: &Operation,
    response: &Response,
) {
    let said = response.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    app.audit.add(AuditRow {
        at_ms: now_ms(),
        who: Some(who.name().to_owned()),
        from: about.peer.map(|peer| peer.to_string()),
        operation: operation.id.to_owned(),
        path: cut(about.path.clone(), PATH),
        status: response.status().as_u16(),
        request_id: said.map(str::to_owned),
        run: run_of(about),
        why,
        bulk: response.extensions().get::<BulkRow>().cloned(),
    });
}

/// The path and query of a link below the service.
pub(crate) fn link(base: &Base, path: &str) -> String {
    format!("{}{path}", base.0)
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

/// The query of a request, as it came.
pub(crate) fn query_of(uri: &Uri) -> &str {
    uri.query().unwrap_or("")
}
