//! Bounds by address: of version 6 whole networks are one, and this machine's own are spared. No connection of a test comes from
//! another machine, so the router is told where each request comes from.

use crate::support::*;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::{Router, http::Request};
use bytes::Bytes;
use hyper::body::Frame;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service as _;
use vastflow_api::access::Scope;
use vastflow_server::{Limits, Principal, Service, sign};

const ONE: &str = "2001:db8::1";
const NEAR: &str = "2001:db8::ffff:2";
const FAR: &str = "2001:db8:0:1::1";
const FOUR: &str = "192.0.2.1";
const HERE: &str = "127.0.0.1";

async fn open(change: impl FnOnce(&mut Limits)) -> Router {
    Service::new(engine().flow(chain("f", &["a"]))).insecure_no_auth().limits(limits(change)).router().await.unwrap()
}

async fn send(at: &Router, from: &str, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let from: IpAddr = from.parse().unwrap();
    parts.extensions.insert(ConnectInfo(SocketAddr::new(from, 4_000)));
    parts.headers.insert("host", "localhost".parse().unwrap());
    at.clone().call(Request::from_parts(parts, body)).await.unwrap()
}

async fn get(at: &Router, from: &str, path: &str) -> Response {
    send(at, from, Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_network_has_as_many_requests_as_one() {
    let at = open(|limits| limits.rate = Some((1, 2))).await;
    for (from, status) in [(ONE, 200), (NEAR, 200), (NEAR, 429), (ONE, 429), (FAR, 200), (FOUR, 200)] {
        assert_eq!(get(&at, from, "/api/v1/me").await.status(), status, "{from}");
    }
    let mapped = "::ffff:192.0.2.1";
    assert_eq!(get(&at, mapped, "/api/v1/me").await.status(), 200);
    assert_eq!(get(&at, mapped, "/api/v1/me").await.status(), 429, "it is the one of version 4");
}

#[tokio::test]
async fn a_place_is_kept_while_an_answer_is_on_its_way() {
    let at = open(|limits| limits.requests_each = 1).await;
    for path in ["/api/v1/openapi.json", "/api/v1/flows"] {
        let unread = get(&at, ONE, path).await;
        for (from, status) in [(ONE, 503), (NEAR, 503), (FAR, 200), (FOUR, 200), (HERE, 200)] {
            assert_eq!(get(&at, from, path).await.status(), status, "{path} {from}");
        }
        assert_eq!(get(&at, ONE, "/health").await.status(), 200, "it needs no place");
        drop(unread);
        assert_eq!(get(&at, NEAR, path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn streams_are_bounded_by_address_where_nobody_has_a_name() {
    let at = open(|limits| (limits.streams_each, limits.requests_each) = (1, 1)).await;
    let mut read = Vec::new();
    for (from, status) in [(ONE, 200), (NEAR, 503), (FAR, 200), (FOUR, 200), (FOUR, 503), (HERE, 200), (HERE, 200)] {
        let stream = get(&at, from, "/api/v1/stream").await;
        assert_eq!(stream.status(), status, "{from}");
        if status == 200 {
            read.push(stream);
        }
    }
    assert_eq!(get(&at, ONE, "/api/v1/me").await.status(), 200, "a stream holds no place of a request");
    drop(read);
    assert_eq!(get(&at, NEAR, "/api/v1/stream").await.status(), 200);
}

/// A body that breaks off.
struct Broken;

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}

/// A request signed with a secret.
fn signed(secret: &str, id: usize, body: Body) -> Request<Body> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let id = format!("m{id}");
    let signature = sign(secret.as_bytes(), &id, now, ("POST", "/flow/f"), b"x");
    let request = Request::post("/flow/f").header("x-vastflow-signature", signature).header("x-vastflow-id", id);
    request.header("x-vastflow-timestamp", now).body(body).unwrap()
}

#[tokio::test]
async fn who_signs_what_never_comes_is_not_listened_to_for_long() {
    const SECRET: &str = "a secret of 20 bytes";
    let who = Principal::new("signer", Scope::ALL, ["*"]);
    let at = Service::new(engine().flow(chain("f", &["a"]))).hmac(SECRET, &who).router().await.unwrap();
    for id in 0..10 {
        let from = if id % 2 == 0 { ONE } else { NEAR };
        assert_eq!(send(&at, from, signed(SECRET, id, Body::new(Broken))).await.status(), 400);
    }
    for (id, (from, status)) in [(ONE, 429), (NEAR, 429), (FAR, 200), (FOUR, 200)].into_iter().enumerate() {
        assert_eq!(send(&at, from, signed(SECRET, 100 + id, Body::from("x"))).await.status(), status, "{from}");
    }
    // Wrong signatures of bodies that are there shut out nobody but those who send them, as behind one proxy.
    for id in 0..12 {
        let wrong = signed("another secret of 20 bytes", 200 + id, Body::from("x"));
        let status = if id < 10 { 401 } else { 429 };
        assert_eq!(send(&at, FOUR, wrong).await.status(), status, "{id}");
    }
    assert_eq!(send(&at, FOUR, signed(SECRET, 300, Body::from("x"))).await.status(), 200);
}
