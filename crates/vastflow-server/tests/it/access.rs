//! Who may do what: every route with every right, as the OpenAPI document has them.

use crate::support::*;
use serde_json::{Value, json};
use vastflow_api::access::{NewToken, Scope};
use vastflow_server::{Principal, Service, Tokens, openapi_json};

/// Every operation of the document: method, path, right.
fn operations() -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation["x-right"].as_str().unwrap().to_owned()));
        }
    }
    assert!(all.len() > 40, "{}", all.len());
    all
}

/// A path about things that are there, of flow `f`.
fn filled(path: &str) -> String {
    let name = if path.contains("/signals/") { "go" } else { "f" };
    let path = path.replace("{id}", "r").replace("{name}", name).replace("{word}", "state");
    let asks_where = path.contains("/nodes/") || path.ends_with("/scopes");
    if asks_where { path + "?at=before" } else { path }
}

#[tokio::test]
async fn every_route_asks_for_its_right() {
    let at = guarded(engine().flow(waits("f"))).await;
    for (method, path, right) in operations() {
        // What is asked for must be there for those who may see it, and must not be when it was deleted.
        at.post("/flow/f", "x")
            .token(OPERATOR)
            .header("X-Async", "true")
            .header("X-Request-Id", "r")
            .send()
            .await
            .is(202);
        let path = filled(&path);
        let who = [("", 0), (VIEWER, 1), (OPERATOR, 2), (ADMIN, 3), (READER, 1)];
        for (token, rank) in who {
            let ask = at.ask(&method, &path).token(token).header("Prefer", "wait=0");
            // A stream goes on; its head says enough.
            let (status, headers) = head(&mut ask.open().await).await;
            let place = format!("{method} {path} as {token:?}, takes {right}");
            assert!(headers.iter().any(|(name, _)| name == "x-content-type-options"), "{place}");
            let needed = match right.as_str() {
                "anyone" => 0,
                "viewer" | "payload:read" => 1,
                "operator" => 2,
                _ => 3,
            };
            match () {
                () if needed == 0 => assert_ne!(status, 401, "{place}"),
                () if token.is_empty() => assert_eq!(status, 401, "{place}"),
                () if rank < needed => assert_eq!(status, 403, "{place}"),
                () if right == "payload:read" && token != READER => assert_eq!(status, 403, "{place}"),
                // Whoever starts a run and waits gets its output, which takes the other right, too.
                () if method == "POST" && path == "/flow/f" => assert_eq!(status, 403, "{place}"),
                () => assert!(
                    !matches!(status, 401 | 403 | 404 if path != "/api/v1/tokens/r" && !path.contains("/request/state")),
                    "{place}: {status}"
                ),
            }
        }
    }
}

/// Whatever somebody sends, it is they who are told what is wrong with it.
#[tokio::test]
async fn no_junk_is_a_fault_of_the_service() {
    let at = guarded(engine().flow(chain("f", &["a"])).flow(waits("waits"))).await;
    at.post("/flow/waits", "x").token(ALL).header("X-Async", "true").header("X-Request-Id", "r").send().await.is(202);
    let deep = "[".repeat(10_000);
    let bodies =
        ["", "{}", "[]", "null", "\"text\"", "{\"why\":7}", "\u{0}\u{fffd}", &deep, "{\"flow\":\"\",\"ids\":[\"\"]}"];
    let names = ["r", "f", "%00", "%2e%2e%2f", "a%20b", "%F0%9F%8C%8A", &"x".repeat(300)];
    for (method, path, _) in operations() {
        for (at_name, name) in names.iter().enumerate() {
            let path = path.replace("{id}", name).replace("{name}", name).replace("{word}", "state");
            let query = ["", "?limit=-1", "?before=x&after=%ff", "?scope=%5B%5D%2F"][at_name % 4];
            for body in if method == "POST" { &bodies[..] } else { &bodies[..1] } {
                let ask = at.ask(&method, &format!("{path}{query}")).token(ALL).header("Prefer", "wait=0");
                let (status, _) = head(&mut ask.body(body).open().await).await;
                assert!((200..500).contains(&status), "{method} {path}{query} {body:.20}: {status}");
            }
        }
    }
    assert_eq!(at.get("/ready").send().await.is(200).json()["status"], "ok");
}

#[tokio::test]
async fn who_may_not_see_a_flow_finds_nothing_of_it() {
    let at = guarded(engine().flow(waits("f")).flow(chain("other", &["a"]))).await;
    at.post("/flow/f", "x").token(OPERATOR).header("X-Async", "true").header("X-Request-Id", "r").send().await.is(202);
    at.post("/flow/other", "x").token(OTHER).header("X-Request-Id", "o").send().await.is(200);
    for (method, path, right) in operations() {
        if right == "anyone" || !(path.contains("/runs/{id}") || path.contains("/{name}")) {
            continue;
        }
        let path = filled(&path);
        let body = match path.rsplit('/').next().unwrap() {
            "fork" => json!({"node": "before"}).to_string(),
            "resolve" => json!({"at": "before", "choice": "skip"}).to_string(),
            _ => String::new(),
        };
        let (status, _) = head(&mut at.ask(&method, &path).body(body).token(OTHER).open().await).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    for (path, own) in [("/api/v1/runs", "o"), ("/api/v1/flows", "other")] {
        let items = at.get(path).token(OTHER).send().await.is(200).json()["items"].clone();
        let key = if own == "o" { "id" } else { "name" };
        assert_eq!((items.as_array().unwrap().len(), &items[0][key]), (1, &json!(own)), "{path}");
    }
    for path in ["/api/v1/attention", "/api/v1/queues"] {
        let items = at.get(path).token(OTHER).send().await.is(200).json()["items"].clone();
        assert_eq!(items, json!([]), "{path}");
    }
    at.get("/api/v1/runs?flow=f").token(OTHER).send().await.problem(404, "unknown-flow");
    at.get("/api/v1/counts").token(OTHER).send().await.problem(403, "forbidden");
    let start = json!({"flow": "f"}).to_string();
    at.post("/api/v1/runs", start).token(OTHER).send().await.problem(404, "unknown-flow");
    let taken = at.post("/flow/other", "y").token(OTHER).header("X-Request-Id", "r").send().await;
    let taken = taken.problem(409, "already-exists").text();
    assert!(!taken.contains("\\\"f\\\""), "whose it is is not told: {taken}");
}

#[tokio::test]
async fn bulk_asks_for_the_flow_of_every_run() {
    let at = guarded(engine().flow(waits("f")).flow(waits("other"))).await;
    for (flow, id) in [("f", "r"), ("other", "o")] {
        let ask = at.post(&format!("/flow/{flow}"), "x").token(OPERATOR);
        ask.header("X-Async", "true").header("X-Request-Id", id).send().await.is(202);
    }
    let bulk = |token, body: Value| at.post("/api/v1/runs/bulk", body.to_string()).token(token);
    let named = json!({"action": "kill", "ids": ["r", "o"], "dry_run": false});
    let done = bulk(OTHER, named).send().await.is(200).json();
    assert_eq!((&done["done"], &done["failed"][0]["id"]), (&json!(1), &json!("r")));
    assert_eq!(done["failed"][0]["code"], "unknown-run");
    let all = json!({"action": "kill", "filter": {}, "dry_run": false});
    assert_eq!(bulk(OTHER, all).send().await.is(200).json()["matched"], 0, "its own is over, the other is not there");
    assert_eq!(at.get("/api/v1/runs/r").token(VIEWER).send().await.json()["status"], "running");
    let delete = json!({"action": "delete", "ids": ["o"], "dry_run": false});
    bulk(OPERATOR, delete).send().await.problem(403, "forbidden");
}

#[tokio::test]
async fn the_stream_of_all_runs_leaves_out_what_may_not_be_seen() {
    let at = guarded(engine().flow(chain("f", &["a"])).flow(chain("other", &["a"]))).await;
    let mut stream = at.get("/api/v1/stream").token(OTHER).listen().await;
    assert_eq!(stream.status, 200);
    for (flow, id) in [("f", "r"), ("other", "o")] {
        at.post(&format!("/flow/{flow}"), "x").token(ALL).header("X-Request-Id", id).send().await.is(200);
    }
    assert_eq!(stream.next().await.unwrap().data["run"]["id"], "o", "the first that is heard of");
}

#[tokio::test]
async fn tokens_are_made_used_and_revoked_over_http() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::open(dir.path().join("tokens")).unwrap();
    let admin = NewToken { name: "root".into(), scopes: Scope::ALL.to_vec(), flows: Vec::new(), days: None };
    let admin = tokens.make(admin).unwrap().token;
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"]))).tokens(tokens)).await;
    let new = json!({"name": "ann", "scopes": ["operator"], "flows": ["f"], "days": 7}).to_string();
    let made = at.post("/api/v1/tokens", new).token(&admin).send().await.is(201).json();
    let token = made["token"].as_str().unwrap();
    let me = at.get("/api/v1/me").token(token).send().await.is(200).json();
    assert_eq!((&me["name"], &me["flows"]), (&json!("ann"), &json!(["f"])));
    let list = at.get("/api/v1/tokens").token(&admin).send().await.is(200);
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 2);
    assert!(!list.text().contains("sha256") && !list.text().contains(token));
    let id = made["row"]["id"].as_str().unwrap();
    at.ask("DELETE", &format!("/api/v1/tokens/{id}")).token(&admin).send().await.is(204);
    at.get("/api/v1/me").token(token).send().await.problem(401, "token-invalid");
    at.ask("DELETE", &format!("/api/v1/tokens/{id}")).token(&admin).send().await.problem(404, "unknown-token");
    at.post("/api/v1/tokens", r#"{"name":"x","scopes":[]}"#).token(&admin).send().await.problem(400, "bad-request");
}

#[tokio::test]
async fn nobody_gives_away_what_they_do_not_have() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::open(dir.path().join("tokens")).unwrap();
    let make = |scopes: &[Scope], flows: &[&str]| {
        let flows = flows.iter().map(|flow| (*flow).to_owned()).collect();
        tokens.make(NewToken { name: "a".into(), scopes: scopes.to_vec(), flows, days: None }).unwrap().token
    };
    let (blind, narrow) = (make(&[Scope::Admin], &[]), make(&[Scope::Admin, Scope::PayloadRead], &["f"]));
    let at = Running::of(Service::new(engine()).tokens(tokens)).await;
    let ask = |token: &str, scope: &str, flows: Value| {
        at.post("/api/v1/tokens", json!({"name": "x", "scopes": [scope], "flows": flows}).to_string()).token(token)
    };
    ask(&blind, "payload:read", json!([])).send().await.problem(403, "forbidden");
    ask(&narrow, "viewer", json!([])).send().await.problem(403, "forbidden");
    ask(&narrow, "viewer", json!(["f*"])).send().await.problem(403, "forbidden");
    ask(&narrow, "viewer", json!(["f"])).send().await.is(201);
    ask(&blind, "operator", json!([])).send().await.is(201);
}

#[tokio::test]
async fn what_was_done_can_be_read_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let service = Service::new(engine().flow(chain("f", &["a"]))).tokens(tokens()).audit(&path);
    let at = Running::of(service).await;
    at.post("/flow/f", "canary").token(ALL).header("X-Request-Id", "r").send().await.is(200);
    at.post("/api/v1/runs/r/stop", "{}").token(VIEWER).send().await.is(403);
    at.post("/api/v1/runs/r/stop", "{}").send().await.is(401);
    let rows = at.get("/api/v1/audit").token(ADMIN).send().await.is(200).json()["items"].clone();
    let told: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (&row["operation"], &row["who"], &row["status"])).collect();
    // Nobody known is not in it: strangers could fill it.
    assert_eq!(told[1], (&json!("call_flow"), &json!("all"), &json!(200)));
    assert_eq!(told[0], (&json!("stop_run"), &json!("viewer"), &json!(403)));
    assert_eq!(rows[1]["request_id"], "r");
    let file = std::fs::read_to_string(&path).unwrap();
    assert_eq!(file.lines().count(), 2);
    assert!(!file.contains("canary") && !file.contains(ALL));
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_many_are_told_to_wait() {
    let at = Running::of(Service::new(engine()).tokens(tokens())).await;
    at.get("/api/v1/me").header("Authorization", "Basic YTpi").send().await.problem(401, "token-invalid");
    for _ in 0..9 {
        let reply = at.get("/api/v1/me").token("vastflow_live_wrong").send().await.problem(401, "token-invalid");
        assert!(reply.header("www-authenticate").is_some());
    }
    let told = at.get("/api/v1/me").token("vastflow_live_wrong").send().await.problem(429, "rate-limited");
    assert!(told.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    // Somebody else at that address knows theirs.
    at.get("/api/v1/me").token(VIEWER).send().await.is(200);
}

#[tokio::test]
async fn requests_of_one_token_are_counted_apart_from_others() {
    let limits = limits(|limits| limits.rate = Some((1, 3)));
    let at = Running::of(Service::new(engine()).tokens(tokens()).limits(limits)).await;
    for _ in 0..3 {
        at.get("/api/v1/me").token(VIEWER).send().await.is(200);
    }
    at.get("/api/v1/me").token(VIEWER).send().await.problem(429, "rate-limited");
    at.get("/api/v1/me").token(ADMIN).send().await.is(200);
}

#[tokio::test]
async fn other_machines_are_answered_only_if_somebody_says_who_may_do_what() {
    let open = Service::new(engine()).bind("0.0.0.0:0").await.unwrap_err().to_string();
    assert!(open.contains("insecure_no_auth") && open.contains("0.0.0.0"), "{open}");
    Service::new(engine()).tokens(tokens()).bind("0.0.0.0:0").await.unwrap();
    let told = Service::new(engine()).insecure_no_auth().bind("0.0.0.0:0").await.unwrap();
    drop(told);
    let open = Service::new(engine()).router().await.unwrap_err().to_string();
    assert!(open.contains("insecure_no_auth"), "{open}");
    let at = Running::of(Service::new(engine()).insecure_no_auth()).await;
    assert_eq!(at.get("/health").send().await.is(200).json()["insecure_no_auth"], true);
    let short = Service::new(engine()).hmac("short", &Principal::new("x", [], ["*"])).bind("127.0.0.1:0").await;
    assert!(short.unwrap_err().to_string().contains("16 bytes"));
}
