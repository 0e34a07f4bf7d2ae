//! A service apart from its workers, one that is mounted, one with TLS.

use crate::support::*;
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use vastflow_server::Service;
use vastflow_worker::Engine;

/// The server has no code at all; the worker is another engine on the same store.
#[tokio::test]
async fn a_server_without_code_starts_shows_and_controls_what_workers_do() {
    let store = store();
    let works = Engine::on(Arc::clone(&store)).flow(chain("f", &["a", "b"])).flow(waits("waits")).flow(fails("fails"));
    let works = works.start().await.unwrap();
    let at = Running::of(Service::new(Engine::on(Arc::clone(&store))).server_only()).await;
    assert_eq!(at.post("/flow/f", "x").header("X-Request-Id", "r").send().await.is(200).text(), "b(a(x))");
    let flow = at.get("/api/v1/flows/f").send().await.is(200).json();
    assert_eq!((&flow["flow"]["has_code"], &flow["flow"]["workers"]), (&json!(false), &json!(1)));
    at.post("/flow/waits", "x").header("X-Request-Id", "w").header("X-Async", "true").send().await.is(202);
    let view = at.get("/api/v1/runs/w/view").send().await.is(200).json();
    assert_eq!(view["missing"], serde_json::Value::Null, "a worker has the code");
    at.post("/api/v1/runs/w/pause", "{}").send().await.is(200);
    at.post("/api/v1/runs/w/resume", "{}").send().await.is(200);
    at.post("/api/v1/runs/w/signals/go", "now").send().await.is(204);
    let same = at.post("/flow/waits", "x").header("X-Request-Id", "w").send().await.is(200);
    assert_eq!(same.text(), "after(now)");
    at.post("/flow/fails", "1").header("X-Request-Id", "bad").send().await.problem(500, "run-failed");
    assert_eq!(at.post("/api/v1/runs/bad/retry", "{}").send().await.is(201).json()["id"], "bad.retry1");
    let fork = json!({"node": "b", "input": 1, "id": "forked"}).to_string();
    at.post("/api/v1/runs/r/fork", fork).send().await.is(201);
    at.engine.handle("forked").await.unwrap().wait().await.unwrap();
    assert_eq!(at.get("/api/v1/runs/forked/output").send().await.is(200).text(), "b(1)");
    drop(works);
}

#[tokio::test]
async fn a_server_without_a_worker_runs_nothing_and_says_so() {
    let store = store();
    store.put_plan(Arc::clone(chain("f", &["a"]).plan())).await.unwrap();
    let at = Running::of(Service::new(Engine::on(Arc::clone(&store)).flow(chain("own", &["a"]))).server_only()).await;
    for flow in ["f", "own"] {
        let path = format!("/flow/{flow}");
        at.post(&path, "x").header("X-Request-Id", flow).header("Prefer", "wait=0").send().await.is(202);
        let view = at.get(&format!("/api/v1/runs/{flow}/view")).send().await.is(200).json();
        assert_eq!(view["nodes"][0]["calls"], 0, "{flow}");
    }
    let attention = at.get("/api/v1/attention").send().await.is(200).json();
    assert_eq!((&attention["items"][0]["kind"], &attention["items"][0]["flow"]), (&json!("code"), &json!("f")));
    let works = Engine::on(store).flow(chain("f", &["a"])).flow(chain("own", &["b"])).start().await.unwrap();
    assert_eq!(at.post("/flow/f", "x").header("X-Request-Id", "f").send().await.is(200).text(), "a(x)");
    drop(works);
}

#[tokio::test]
async fn the_address_that_is_told_is_one_that_can_be_asked() {
    for (at, url) in [("0.0.0.0:0", "http://127.0.0.1:"), ("127.0.0.1:0", "http://127.0.0.1:")] {
        let listening = Service::new(engine()).tokens(tokens()).bind(at).await.unwrap();
        assert!(listening.url().starts_with(url), "{}", listening.url());
    }
}

#[tokio::test]
async fn modes_are_refused_where_they_make_no_sense() {
    let engine = engine().start().await.unwrap();
    let refused = Service::new(engine).server_only().bind("127.0.0.1:0").await.unwrap_err().to_string();
    assert!(refused.contains("before `.start()`"), "{refused}");
    let refused =
        Service::new(crate::support::engine()).worker_only().bind("127.0.0.1:0").await.unwrap_err().to_string();
    assert!(refused.contains("worker only"), "{refused}");
}

/// Nobody could do what is started there.
#[tokio::test]
async fn a_server_without_a_worker_on_a_file_of_its_own_is_refused_unless_it_only_shows() {
    let dir = tempfile::tempdir().unwrap();
    let store = async || vastflow_open::open(&format!("sqlite:{}", dir.path().join("app.db").display())).await.unwrap();
    let alone =
        Service::new(Engine::on(store().await)).server_only().bind("127.0.0.1:0").await.unwrap_err().to_string();
    assert!(alone.contains("nobody could run") && alone.contains("read_only"), "{alone}");
    let shows = Service::new(Engine::on(store().await)).server_only().read_only().bind("127.0.0.1:0").await;
    shows.unwrap();
}

/// In another application, below a path of its own.
#[tokio::test]
async fn a_service_is_mounted_in_an_application() {
    let router = Service::new(engine().flow(chain("f", &["a"]))).tokens(tokens()).router().await.unwrap();
    let app = axum::Router::new().nest("/ops", router).route("/own", axum::routing::get(async || "mine"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    // Only its address is asked for.
    let mut at = open(engine()).await;
    at.address = address;
    assert_eq!(at.get("/own").send().await.is(200).text(), "mine");
    at.get("/ops/api/v1/me").send().await.problem(401, "unauthenticated");
    let asked = at.post("/ops/flow/f", "x").token(ALL).header("X-Async", "true").send().await.is(202).json();
    let link = asked["links"]["run"].as_str().unwrap();
    assert!(link.starts_with("/ops/api/v1/runs/"), "{link}");
    at.get(link).token(VIEWER).send().await.is(200);
    at.get("/ops/nowhere").token(VIEWER).send().await.problem(404, "not-found");
    serving.abort();
}

#[tokio::test]
async fn a_service_speaks_tls_and_insists_on_it() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (chain_file, key_file) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::write(&chain_file, made.cert.pem()).unwrap();
    std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"]))).tls(&chain_file, &key_file)).await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(at.address).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let ask = b"POST /flow/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
    stream.write_all(ask).await.unwrap();
    let mut reply = String::new();
    // The other side may close without a word.
    let _ = stream.read_to_string(&mut reply).await;
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("a(x)"), "{reply}");
    assert!(reply.contains("strict-transport-security"), "{reply}");
    assert_eq!(at.get("/health").send().await.status, 0, "without TLS there is no answer");
    let wrong = Service::new(engine()).tls(&key_file, &key_file).bind("127.0.0.1:0").await.unwrap_err().to_string();
    assert!(wrong.contains("key.pem"), "{wrong}");
}
