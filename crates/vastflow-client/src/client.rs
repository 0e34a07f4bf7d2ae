//! What can be asked of a service.

use crate::error::ClientError;
use crate::http::{Ask, Server, escape};
use crate::stream::RunStream;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use vastflow_api::Page;
use vastflow_api::access::{MadeToken, NewToken, TokenRow};
use vastflow_api::bulk::{Bulk, BulkDone};
use vastflow_api::control::{ForkRun, Reason, Resolve};
use vastflow_api::event::{EventRow, RunLogs};
use vastflow_api::fleet::{AttentionItem, QueueRow, Workers};
use vastflow_api::flow::{FlowRow, FlowView};
use vastflow_api::inside::{ScopeRow, ScopeStatus};
use vastflow_api::run::{Accepted, Counts, RunRow, StartRun, Status};
use vastflow_api::view::RunView;

/// How long is waited before a run is looked at again whose end is waited for: at first, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Chooses the id of what is started by a body of any bytes, and of a signal.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A client of a service. Cloning shares its connections.
///
/// Every method fails with [`ClientError`]: its code is that of the problem which the service tells, `unreachable`, or
/// `strange-answer`.
#[derive(Clone)]
pub struct Client {
    server: Arc<Server>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Only of this flow.
    pub flow: Option<String>,
    /// Only with one of these statuses; of none: with any.
    pub status: Vec<Status>,
    /// Only with all of these labels.
    pub labels: Vec<(String, String)>,
    /// Only those that began then or later.
    pub since_ms: Option<u64>,
    /// Only those that began before then.
    pub until_ms: Option<u64>,
    /// Only those whose id begins like this.
    pub id: Option<String>,
    /// Only those with this text in their id, in the value of a label, or in what they failed with.
    pub text: Option<String>,
    /// What the page before gave as `next`.
    pub before: Option<String>,
    /// The most rows; 0: as the service likes.
    pub limit: usize,
}

/// What a run got or gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// It, as it is.
    pub bytes: Bytes,
    /// Whether it was kept as JSON, and not as bytes that nobody looked into.
    pub is_json: bool,
}

impl Output {
    /// It as a text.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// It read as JSON.
    ///
    /// # Errors
    /// When it is not JSON of that type.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.bytes)
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({} bytes)", self.bytes.len())
    }
}

impl Client {
    /// A client of the service at `url`: `http://127.0.0.1:8080`, with a path if it is mounted below one.
    ///
    /// # Errors
    /// [`ClientError::Setting`] when that is no address.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Ok(Client { server: Arc::new(Server::new(url)?) })
    }

    /// The same, with a token. It is shown nowhere, and not sent in clear text to another machine: see
    /// [`insecure_http`](Client::insecure_http).
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.change(|server| server.set_token(token))
    }

    /// The same, but its token may be sent by plain HTTP to another machine, where everybody on the way can read it.
    #[must_use]
    pub fn insecure_http(self) -> Self {
        self.change(Server::insecure_http)
    }

    fn change(self, change: impl FnOnce(&mut Server)) -> Self {
        // Whoever shares it goes on with what it was.
        let mut server = Arc::try_unwrap(self.server).unwrap_or_else(|shared| Server::clone(&shared));
        change(&mut server);
        Client { server: Arc::new(server) }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Starts a run. Without an id it is given one here, so that asking again after a lost answer starts nothing twice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn start(&self, mut run: StartRun) -> Result<Accepted, ClientError> {
        run.id.get_or_insert_with(new_id);
        self.server.value(Ask::post("/api/v1/runs", &run)?).await
    }

    /// A run in short.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run(&self, id: &str) -> Result<RunRow, ClientError> {
        self.server.value(Ask::get(of(id, ""))).await
    }

    /// Runs in short, newest first, a page at a time.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn runs(&self, runs: &Runs) -> Result<Page<RunRow>, ClientError> {
        let mut ask = Ask::get("/api/v1/runs");
        ask = runs.flow.iter().fold(ask, |ask, flow| ask.with("flow", flow));
        ask = runs.status.iter().fold(ask, |ask, status| ask.with("status", status));
        ask = runs.labels.iter().fold(ask, |ask, (key, value)| ask.with("label", format!("{key}:{value}")));
        ask = runs.before.iter().fold(ask, |ask, before| ask.with("before", before));
        ask = runs.since_ms.iter().fold(ask, |ask, since| ask.with("since_ms", since));
        ask = runs.until_ms.iter().fold(ask, |ask, until| ask.with("until_ms", until));
        ask = runs.id.iter().fold(ask, |ask, id| ask.with("id", id));
        ask = runs.text.iter().fold(ask, |ask, text| ask.with("q", text));
        if runs.limit > 0 {
            ask = ask.with("limit", runs.limit);
        }
        self.server.value(ask).await
    }

    /// A run to look at, or a scope of it: an item or an arm as `outer[key]`, empty for the run itself.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn view(&self, id: &str, scope: &str) -> Result<RunView, ClientError> {
        let ask = Ask::get(of(id, "/view"));
        self.server.value(if scope.is_empty() { ask } else { ask.with("scope", scope) }).await
    }

    /// What is recorded of a run, from an event on, a page at a time.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events(&self, id: &str, after: u64) -> Result<Page<EventRow>, ClientError> {
        self.server.value(Ask::get(of(id, "/events")).with("after", after)).await
    }

    /// The same of a scope of it, as [`Client::view`] names it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events_within(&self, id: &str, scope: &str, after: u64) -> Result<Page<EventRow>, ClientError> {
        self.server
            .value(Ask::get(of(id, "/events")).with("scope", scope).with("after", after).with("limit", 1_000))
            .await
    }

    /// What the calls of a scope of a run said, a page at a time; `after` is what the page before gave as `next`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn logs(
        &self,
        id: &str,
        scope: &str,
        node: Option<&str>,
        after: Option<&str>,
    ) -> Result<RunLogs, ClientError> {
        let ask = Ask::get(of(id, "/logs")).with("scope", scope);
        let ask = node.into_iter().fold(ask, |ask, node| ask.with("node", node));
        self.server.value(after.into_iter().fold(ask, |ask, after| ask.with("after", after))).await
    }

    /// What is recorded of a run, as it is recorded.
    #[must_use]
    pub fn stream(&self, id: &str) -> RunStream {
        RunStream::new(self.clone(), id)
    }

    /// Waits for the end of a run, whatever it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wait(&self, id: &str) -> Result<RunRow, ClientError> {
        let (mut pause, longest) = LOOK;
        loop {
            let row = self.run(id).await?;
            if row.status.is_final() {
                return Ok(row);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// What a run got.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn input(&self, id: &str) -> Result<Output, ClientError> {
        self.carried(of(id, "/input")).await
    }

    /// What a run gave, once it succeeded.
    ///
    /// # Errors
    /// [`ClientError`]; its code is `no-output` when there is none.
    pub async fn output(&self, id: &str) -> Result<Output, ClientError> {
        self.carried(of(id, "/output")).await
    }

    /// What of a run waits for an operator.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn attention(&self, id: &str) -> Result<Page<AttentionItem>, ClientError> {
        self.server.value(Ask::get(of(id, "/attention"))).await
    }

    /// Asks that nothing new start in a run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pause(&self, id: &str, why: &str) -> Result<RunRow, ClientError> {
        self.told(id, "pause", why).await
    }

    /// Asks that a paused run go on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resume(&self, id: &str, why: &str) -> Result<RunRow, ClientError> {
        self.told(id, "resume", why).await
    }

    /// Asks that a run stop when what is under way has ended.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stop(&self, id: &str, why: &str) -> Result<RunRow, ClientError> {
        self.told(id, "stop", why).await
    }

    /// Asks that a run end without waiting for what is under way.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn kill(&self, id: &str, why: &str) -> Result<RunRow, ClientError> {
        self.told(id, "kill", why).await
    }

    /// Starts a new run that goes on where this one failed or was stopped.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retry(&self, id: &str, why: &str) -> Result<RunRow, ClientError> {
        self.told(id, "retry", why).await
    }

    /// Starts a new run from the start, with the same input.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rerun(&self, id: &str, why: &str) -> Result<RunRow, ClientError> {
        self.told(id, "rerun", why).await
    }

    /// Starts a new run that keeps what this one's nodes gave, but for one node and all that follows from it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn fork(&self, id: &str, fork: &ForkRun) -> Result<RunRow, ClientError> {
        self.server.value(Ask::post(of(id, "/fork"), fork)?).await
    }

    /// Says how it goes on with a node that waits for an operator.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resolve(&self, id: &str, choice: &Resolve) -> Result<RunRow, ClientError> {
        self.server.value(Ask::post(of(id, "/resolve"), choice)?).await
    }

    /// Sends a signal, with an id of its own if none is given: the same id again is the same signal.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn signal(
        &self,
        id: &str,
        name: &str,
        carries: &impl Serialize,
        signal_id: Option<&str>,
        scope: &str,
    ) -> Result<(), ClientError> {
        let ask = Ask::post(of(id, &format!("/signals/{}", escape(name))), carries)?;
        let ask = if scope.is_empty() { ask } else { ask.with("scope", scope) };
        let signal_id = signal_id.map_or_else(new_id, str::to_owned);
        self.server.body(ask.header(REQUEST_ID, &signal_id)?).await.map(drop)
    }

    /// Deletes a run that is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete(&self, id: &str) -> Result<(), ClientError> {
        self.server.body(Ask::new(Method::DELETE, of(id, ""))).await.map(drop)
    }

    /// Asks something of many runs, or counts them. It is asked once: new runs that went on from these are not found again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bulk(&self, bulk: &Bulk) -> Result<BulkDone, ClientError> {
        self.server.value(Ask::post("/api/v1/runs/bulk", bulk)?.once()).await
    }

    /// How many runs there are of each status.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn counts(&self) -> Result<Counts, ClientError> {
        self.server.value(Ask::get("/api/v1/counts")).await
    }

    /// The flows that the store knows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn flows(&self) -> Result<Page<FlowRow>, ClientError> {
        self.server.value(Ask::get("/api/v1/flows")).await
    }

    /// A flow.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn flow(&self, name: &str) -> Result<FlowView, ClientError> {
        self.server.value(Ask::get(format!("/api/v1/flows/{}", escape(name)))).await
    }

    /// A plan of a flow as JSON: the one that new runs follow, or that with this hash.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plan(&self, flow: &str, hash: Option<&str>) -> Result<Value, ClientError> {
        let ask = Ask::get(format!("/api/v1/flows/{}/plan", escape(flow)));
        self.server.value(hash.into_iter().fold(ask, |ask, hash| ask.with("plan", hash))).await
    }

    /// Who works.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn workers(&self) -> Result<Workers, ClientError> {
        self.server.value(Ask::get("/api/v1/workers")).await
    }

    /// What waits to be called.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn queues(&self) -> Result<Page<QueueRow>, ClientError> {
        self.server.value(Ask::get("/api/v1/queues")).await
    }

    /// The items of a foreach, or the arms of a branch, in the order in which they were known, a page at a time: those with a
    /// status, or all. The node is named as `outer[key]/node`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn scopes(&self, id: &str, at: &str, status: Option<ScopeStatus>) -> Result<Page<ScopeRow>, ClientError> {
        let ask = Ask::get(of(id, "/scopes")).with("at", at).with("limit", 1_000);
        let ask = status.into_iter().fold(ask, |ask, status| ask.with("status", status.as_str()));
        self.server.value(ask).await
    }

    /// The tokens that there are, without their secrets.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tokens(&self) -> Result<Page<TokenRow>, ClientError> {
        self.server.value(Ask::get("/api/v1/tokens")).await
    }

    /// Makes a token. It is asked once: what is made twice would be there twice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn make_token(&self, new: &NewToken) -> Result<MadeToken, ClientError> {
        self.server.value(Ask::post("/api/v1/tokens", new)?.once()).await
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        self.server.body(Ask::new(Method::DELETE, format!("/api/v1/tokens/{}", escape(id)))).await.map(drop)
    }

    async fn carried(&self, path: String) -> Result<Output, ClientError> {
        let (head, bytes) = self.server.body(Ask::get(path)).await?;
        let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        Ok(Output { bytes, is_json })
    }

    async fn told(&self, id: &str, verb: &str, why: &str) -> Result<RunRow, ClientError> {
        self.server.value(Ask::post(of(id, &format!("/{verb}")), &Reason { why: why.to_owned() })?).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.server.base())
    }
}

/// Where a run is.
fn of(id: &str, what: &str) -> String {
    format!("/api/v1/runs/{}{what}", escape(id))
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
