//! Requests, and when they are made again.

use crate::error::ClientError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::response::Parts;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::time::Duration;
use vastflow_api::problem::Problem;

/// How often something is asked, the first time included.
const TRIES: u32 = 5;
/// How long is waited before the second time; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest wait between two tries, whatever the service says.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
pub(crate) const MOST: usize = 64 << 20;

/// Where the service is, and who asks.
#[derive(Clone)]
pub(crate) struct Server {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a slash at the end.
    base: String,
    token: Option<HeaderValue>,
    /// Whether the token may travel in clear text to another machine.
    may_be_heard: bool,
    /// The token that was given is none.
    is_token_bad: bool,
}

/// Something that is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    /// Whether it may be asked again when nobody knows what became of it.
    may_repeat: bool,
}

impl Ask {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let (query, headers) = (Vec::new(), Vec::new());
        Ask { method, path: path.into(), query, headers, body: Bytes::new(), may_repeat: true }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Ask::new(Method::GET, path)
    }

    /// A request with a JSON body.
    pub(crate) fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, ClientError> {
        let json = serde_json::to_vec(body);
        let json = json.map_err(|why| ClientError::Setting(format!("this cannot be written as JSON: {why}")))?;
        Ok(Ask::new(Method::POST, path).bytes("application/json", json))
    }

    pub(crate) fn bytes(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
        self.body = body.into();
        self
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.query.push((key, value.to_string()));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Result<Self, ClientError> {
        let value = HeaderValue::from_str(value);
        let value =
            value.map_err(|_| ClientError::Setting(format!("{name} has a character that no header may have")))?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// It must not be done twice.
    pub(crate) const fn once(mut self) -> Self {
        self.may_repeat = false;
        self
    }

    /// Path and query.
    fn target(&self) -> String {
        let pairs: Vec<String> = self.query.iter().map(|(key, value)| format!("{key}={}", escape(value))).collect();
        if pairs.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, pairs.join("&")) }
    }
}

impl Server {
    pub(crate) fn new(url: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| {
            ClientError::Setting(format!("{url:?} is no address of a service: {why}; write http://HOST:PORT"))
        };
        let uri: Uri = url.parse().map_err(|_| wrong("it cannot be read"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(wrong("it does not begin with http:// or https:// and a host"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("it has a user in it; give the token instead"));
        }
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots();
        let https = https
            .map_err(|why| ClientError::Setting(format!("the certificates of this system cannot be read: {why}")))?;
        let http = Http::builder(TokioExecutor::new()).build(https.https_or_http().enable_http1().build());
        Ok(Server {
            http,
            base: url.trim_end_matches('/').to_owned(),
            token: None,
            is_token_bad: false,
            may_be_heard: false,
        })
    }

    pub(crate) const fn insecure_http(&mut self) {
        self.may_be_heard = true;
    }

    /// A token that travels in clear text is everybody's on the way.
    fn may_send(&self) -> Result<(), ClientError> {
        if self.is_token_bad {
            let why = "the token has a character in it that no token has, a line break or one that cannot be seen perhaps: copy it again";
            return Err(ClientError::Setting(why.to_owned()));
        }
        if self.token.is_none() || self.may_be_heard || !is_plain(&self.base) {
            return Ok(());
        }
        let base = &self.base;
        let why = format!(
            "the token would travel in clear text to {base}: use https://, a tunnel to this machine, or allow it in so many words (`insecure_http`)"
        );
        Err(ClientError::Setting(why))
    }

    pub(crate) fn set_token(&mut self, token: &str) {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| token.is_ascii());
        self.is_token_bad = value.is_none();
        self.token = value.map(|mut value| {
            value.set_sensitive(true);
            value
        });
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for a value.
    pub(crate) async fn value<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        let (head, body) = self.body(ask).await?;
        serde_json::from_slice(&body).map_err(|why| self.strange(head.status, &why.to_string()))
    }

    /// Asks for bytes.
    pub(crate) async fn body(&self, ask: Ask) -> Result<(Parts, Bytes), ClientError> {
        let mut tries = 1;
        loop {
            let (why, after) = match self.once(&ask).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::ForNow(error, after)) => (error, after),
            };
            if tries == TRIES || !ask.may_repeat {
                return Err(why);
            }
            let pause = after.unwrap_or(PAUSE * 2_u32.pow(tries - 1));
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            tries += 1;
        }
    }

    /// Asks once, and reads the whole answer.
    async fn once(&self, ask: &Ask) -> Result<(Parts, Bytes), Failed> {
        let asked = async {
            let response = self.send(ask).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST).collect().await;
            let body = body.map_err(|why| Failed::ForNow(self.unreachable(&why.to_string()), None))?;
            Ok((head, body.to_bytes()))
        };
        let limited = tokio::time::timeout(PATIENCE, asked).await;
        let (head, body) =
            limited.map_err(|_| Failed::ForNow(self.unreachable("it did not answer in time"), None))??;
        if head.status.is_success() {
            return Ok((head, body));
        }
        let error = match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => self.strange(head.status, "it is no problem document"),
        };
        let after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(match head.status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Failed::ForNow(error, after.map(Duration::from_secs)),
            _ => Failed::ForGood(error),
        })
    }

    /// Begins a stream. What is wrong with it comes as an error, as with everything that is asked.
    pub(crate) async fn open(&self, ask: Ask) -> Result<Incoming, ClientError> {
        let response = match tokio::time::timeout(PATIENCE, self.send(&ask)).await {
            Ok(Ok(response)) => response,
            Ok(Err(Failed::ForNow(error, _) | Failed::ForGood(error))) => return Err(error),
            Err(_) => return Err(self.unreachable("it did not answer in time")),
        };
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let status = response.status();
        let body = tokio::time::timeout(PATIENCE, Limited::new(response.into_body(), MOST).collect()).await;
        let body = body.map_err(|_| self.unreachable("it did not answer in time"))?;
        let body = body.map_err(|why| self.unreachable(&why.to_string()))?.to_bytes();
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => self.strange(status, "it is no problem document"),
        })
    }

    async fn send(&self, ask: &Ask) -> Result<Response<Incoming>, Failed> {
        self.may_send().map_err(Failed::ForGood)?;
        let mut request = Request::builder().method(&ask.method).uri(format!("{}{}", self.base, ask.target()));
        if let Some(headers) = request.headers_mut() {
            headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
            headers.extend(self.token.iter().map(|token| (AUTHORIZATION, token.clone())));
            headers.extend(ask.headers.iter().cloned());
        }
        let request = request.body(Full::new(ask.body.clone()));
        let request = request.map_err(|why| Failed::ForGood(ClientError::Setting(why.to_string())))?;
        let answer = self.http.request(request).await;
        answer.map_err(|why| Failed::ForNow(self.unreachable(&text_of(&why)), None))
    }

    fn unreachable(&self, why: &str) -> ClientError {
        ClientError::Unreachable { url: self.base.clone(), why: why.to_owned() }
    }

    pub(crate) fn strange(&self, status: StatusCode, why: &str) -> ClientError {
        ClientError::Strange { url: self.base.clone(), status: status.as_u16(), why: why.to_owned() }
    }
}

/// Whether what is sent there can be heard on the way: it is plain HTTP, and not to this machine.
fn is_plain(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return true };
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']);
    let is_here =
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() != Some("https") && !is_here
}

/// Why a try failed.
enum Failed {
    /// It may go better the next time, after so long.
    ForNow(ClientError, Option<Duration>),
    /// It will not.
    ForGood(ClientError),
}

/// An error with what caused it.
fn text_of(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", text_of(source)),
        None => error.to_string(),
    }
}

/// A text as it stands in a path or a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                escaped.push(char::from(byte))
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        assert_eq!(escape("order-7.retry1"), "order-7.retry1");
        assert_eq!(escape("each[u/2] ü"), "each%5Bu%2F2%5D%20%C3%BC");
        let ask = Ask::get("/api/v1/runs").with("label", "a:b&c").with("limit", 3);
        assert_eq!(ask.target(), "/api/v1/runs?label=a:b%26c&limit=3");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "localhost:8080", "ftp://h/", "http://", "http://user:secret@h/"] {
            let error = Server::new(wrong).err().map(|error| error.code().to_owned());
            assert_eq!(error.as_deref(), Some("setting"), "{wrong}");
        }
        assert_eq!(Server::new("http://127.0.0.1:8080/ops/").unwrap().base(), "http://127.0.0.1:8080/ops");
    }

    #[test]
    fn a_token_that_is_none_is_not_left_out_in_silence() {
        let mut server = Server::new("http://127.0.0.1:1").unwrap();
        for wrong in ["vastflow_live_a\nb", "vastflow_live_\u{7}", "vastflow_live_\u{200b}"] {
            server.set_token(wrong);
            let refused = server.may_send().unwrap_err().to_string();
            assert!(refused.contains("copy it again") && !refused.contains("live"), "{refused}");
        }
        server.set_token("vastflow_live_x");
        server.may_send().unwrap();
    }

    #[test]
    fn a_token_travels_in_clear_text_on_this_machine_only() {
        for here in ["http://localhost:8080", "http://127.1.2.3", "http://[::1]:8080/ops", "https://flows.example"] {
            assert!(!is_plain(here), "{here}");
        }
        for elsewhere in ["http://flows.example", "http://10.0.0.5:8080", "http://localhost.example", "http://[::2]"] {
            let mut server = Server::new(elsewhere).unwrap();
            server.may_send().unwrap();
            server.set_token("vastflow_live_x");
            let refused = server.may_send().unwrap_err();
            assert!(refused.code() == "setting" && refused.to_string().contains("in clear text"), "{refused}");
            server.insecure_http();
            server.may_send().unwrap();
        }
    }
}
