//! Sessions of browsers: a token becomes a cookie, which is good for what pages of the service do, and ends.

use crate::support::*;
use serde_json::json;
use std::time::Duration;
use vastflow_api::access::{NewToken, Scope};
use vastflow_server::{Service, Tokens};

/// Signs in, and gives what a browser would send from then on.
async fn sign_in(at: &Running, token: &str) -> String {
    let reply = at.post("/api/v1/session", "").token(token).send().await.is(201);
    let cookie = reply.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn by(at: &Running, method: &str, path: &str, cookie: &str) -> Ask {
    at.ask(method, path).header("Cookie", cookie)
}

/// As a page of the service asks.
fn own(at: &Running, path: &str, cookie: &str) -> Ask {
    by(at, "POST", path, cookie).header("Content-Type", "application/json").header("Sec-Fetch-Site", "same-origin")
}

#[tokio::test]
async fn a_token_is_good_for_a_cookie_until_somebody_signs_out() {
    let at = guarded(engine().flow(chain("f", &["a"]))).await;
    at.post("/api/v1/session", "").send().await.problem(401, "unauthenticated");
    at.post("/api/v1/session", "").token("vastflow_live_wrong").send().await.problem(401, "token-invalid");
    let reply = at.post("/api/v1/session", "").token(ALL).send().await.is(201);
    assert_eq!((&reply.json()["name"], &reply.json()["by"]), (&json!("all"), &json!("session")));
    let set = reply.header("set-cookie").unwrap().to_owned();
    let name = format!("vastflow-{}=", at.address.port());
    assert!(set.starts_with(&name) && set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    assert!(!set.contains(ALL), "the token is not in it");
    let cookie = set.split(';').next().unwrap();
    assert_eq!(by(&at, "GET", "/api/v1/me", cookie).send().await.is(200).json()["by"], "session");
    assert_eq!(own(&at, "/flow/f", cookie).body("1").send().await.is(200).text(), "a(1)");
    own(&at, "/api/v1/session", cookie).send().await.problem(401, "unauthenticated");
    let mut stream = by(&at, "GET", "/api/v1/stream", cookie).listen().await;
    assert_eq!(stream.status, 200);
    own(&at, "/flow/f", cookie).body("2").send().await.is(200);
    assert_eq!(stream.next().await.unwrap().name, "run");
    let out = by(&at, "DELETE", "/api/v1/session", cookie).header("Sec-Fetch-Site", "same-origin").send().await.is(204);
    assert!(out.header("set-cookie").unwrap().contains("=; Path=/; Max-Age=0;"));
    by(&at, "GET", "/api/v1/me", cookie).send().await.problem(401, "session-ended");
    by(&at, "DELETE", "/api/v1/session", cookie).send().await.is(204);
}

#[tokio::test]
async fn a_session_has_the_rights_of_its_token_and_no_more() {
    let at = guarded(engine().flow(chain("f", &["a"]))).await;
    let viewer = sign_in(&at, VIEWER).await;
    by(&at, "GET", "/api/v1/runs", &viewer).send().await.is(200);
    own(&at, "/api/v1/runs", &viewer).body(r#"{"flow":"f"}"#).send().await.problem(403, "forbidden");
    let other = sign_in(&at, OTHER).await;
    by(&at, "GET", "/api/v1/flows/f", &other).send().await.problem(404, "unknown-flow");
}

#[tokio::test]
async fn a_session_changes_something_for_pages_of_the_service_only() {
    let at = guarded(engine().flow(chain("f", &["a"]))).await;
    let cookie = sign_in(&at, ALL).await;
    let (here, json) = (format!("http://{}", at.address), "application/json");
    for (site, origin, kind, status, code) in [
        ("same-origin", "", json, 201, ""),
        ("none", "", json, 201, ""),
        ("", here.as_str(), json, 201, ""),
        ("", "", json, 403, "cross-site"),
        ("same-site", "", json, 403, "cross-site"),
        ("cross-site", "", json, 403, "cross-site"),
        ("", "http://evil.example", json, 403, "cross-site"),
        ("", "null", json, 403, "cross-site"),
        ("same-origin", "", "text/plain", 415, "not-json"),
        ("same-origin", "", "application/x-www-form-urlencoded", 415, "not-json"),
        ("same-origin", "", "multipart/form-data; boundary=x", 415, "not-json"),
        ("same-origin", "", "", 415, "not-json"),
    ] {
        let mut ask = by(&at, "POST", "/api/v1/runs", &cookie).body(r#"{"flow":"f"}"#);
        for (name, value) in [("Sec-Fetch-Site", site), ("Origin", origin), ("Content-Type", kind)] {
            ask = if value.is_empty() { ask } else { ask.header(name, value) };
        }
        let reply = ask.send().await.is(status);
        if !code.is_empty() {
            reply.problem(status, code);
        }
    }
    let runs = at.get("/api/v1/runs").token(VIEWER).send().await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 3, "those that a page of the service asked for");
    let delete = by(&at, "DELETE", "/api/v1/runs/none", &cookie);
    delete.header("Sec-Fetch-Site", "cross-site").send().await.problem(403, "cross-site");
    by(&at, "DELETE", "/api/v1/runs/none", &cookie).send().await.problem(403, "cross-site");
    let delete = by(&at, "DELETE", "/api/v1/runs/none", &cookie);
    delete.header("Sec-Fetch-Site", "same-origin").send().await.problem(404, "unknown-run");
}

#[tokio::test]
async fn with_a_token_its_sessions_end() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::open(dir.path().join("tokens")).unwrap();
    let make = |name: &str| {
        let new = NewToken { name: name.into(), scopes: Scope::ALL.to_vec(), flows: Vec::new(), days: None };
        tokens.make(new).unwrap()
    };
    let (root, ann) = (make("root"), make("ann"));
    let at = Running::of(Service::new(engine()).tokens(tokens)).await;
    let (of_root, of_ann) = (sign_in(&at, &root.token).await, sign_in(&at, &ann.token).await);
    by(&at, "GET", "/api/v1/me", &of_ann).send().await.is(200);
    at.ask("DELETE", &format!("/api/v1/tokens/{}", ann.row.id)).token(&root.token).send().await.is(204);
    by(&at, "GET", "/api/v1/me", &of_ann).send().await.problem(401, "session-ended");
    assert_eq!(by(&at, "GET", "/api/v1/me", &of_root).send().await.is(200).json()["name"], "root");
}

#[tokio::test]
async fn a_session_that_is_not_used_ends() {
    let limits = limits(|limits| limits.session_idle = Duration::from_millis(50));
    let at = Running::of(Service::new(engine()).tokens(tokens()).limits(limits)).await;
    let cookie = sign_in(&at, VIEWER).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    // Old cookies are no guesses at a secret: whoever sends many is not held up.
    for _ in 0..20 {
        by(&at, "GET", "/api/v1/me", &cookie).send().await.problem(401, "session-ended");
    }
    at.get("/api/v1/me").token(VIEWER).send().await.is(200);
}

#[tokio::test]
async fn no_cookie_travels_in_clear_text() {
    let at = Running::of(Service::new(engine()).tokens(tokens()).host("flows.example")).await;
    let ask = |origin: &str| {
        at.post("/api/v1/session", "").token(VIEWER).header("Host", "flows.example").header("Origin", origin)
    };
    ask("http://flows.example").send().await.problem(403, "needs-tls");
    let reply = ask("https://flows.example").send().await.is(201);
    let set = reply.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-vastflow=") && set.ends_with("; Secure"), "{set}");
}

#[tokio::test]
async fn who_asks_nobody_for_a_token_sets_no_cookie() {
    let at = open(engine()).await;
    let reply = at.post("/api/v1/session", "").send().await.is(201);
    assert_eq!((reply.header("set-cookie"), &reply.json()["by"]), (None, &json!("nothing")));
}

/// A proxy that speaks TLS may call this machine by its own name; what travels to the browser is still for TLS only.
#[tokio::test]
async fn behind_a_proxy_that_says_localhost_the_cookie_is_for_tls_only() {
    let at = guarded(engine()).await;
    for (name, value) in [
        ("Origin", "https://flows.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=192.0.2.1;proto=https;host=flows.example"),
    ] {
        let ask = at.post("/api/v1/session", "").token(VIEWER).header("Sec-Fetch-Site", "same-origin");
        let reply = ask.header(name, value).send().await.is(201);
        let set = reply.header("set-cookie").unwrap().to_owned();
        assert!(set.starts_with("__Host-vastflow=") && set.ends_with("; Secure"), "{name}: {set}");
        let cookie = set.split(';').next().unwrap();
        // What a page reads says nothing of where it came from.
        assert_eq!(by(&at, "GET", "/api/v1/me", cookie).send().await.is(200).json()["name"], "viewer");
        let out = by(&at, "DELETE", "/api/v1/session", cookie).header("Sec-Fetch-Site", "same-origin");
        let gone = out.header(name, value).send().await.is(204);
        assert!(gone.header("set-cookie").unwrap().starts_with("__Host-vastflow=;"), "{name}");
        by(&at, "GET", "/api/v1/me", cookie).send().await.problem(401, "session-ended");
    }
}

#[tokio::test]
async fn who_is_signed_in_does_not_become_somebody_else_unasked() {
    let at = guarded(engine()).await;
    let cookie = sign_in(&at, VIEWER).await;
    let again = |path: &str, token: &str| own(&at, path, &cookie).token(token);
    let refused = again("/api/v1/session", ADMIN).send().await.problem(409, "signed-in");
    assert!(refused.json()["detail"].as_str().unwrap().contains("\"viewer\" is signed in"), "{}", refused.text());
    assert!(refused.header("set-cookie").is_none());
    assert_eq!(by(&at, "GET", "/api/v1/me", &cookie).send().await.is(200).json()["name"], "viewer");
    let meant = again("/api/v1/session?instead=true", ADMIN).send().await.is(201);
    assert_eq!(meant.json()["name"], "admin");
    by(&at, "GET", "/api/v1/me", &cookie).send().await.problem(401, "session-ended");
    // Whose session is over, and who signs in again as the same, is not asked.
    let own_again = sign_in(&at, ADMIN).await;
    own(&at, "/api/v1/session", &own_again).token(ADMIN).send().await.is(201);
    own(&at, "/api/v1/session", &cookie).token(VIEWER).send().await.is(201);
}

#[tokio::test]
async fn one_token_has_so_many_sessions() {
    let limits = limits(|limits| limits.sessions_each = 2);
    let at = Running::of(Service::new(engine()).tokens(tokens()).limits(limits)).await;
    let other = sign_in(&at, VIEWER).await;
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(sign_in(&at, ADMIN).await);
    }
    by(&at, "GET", "/api/v1/me", &own[0]).send().await.problem(401, "session-ended");
    for cookie in [&own[1], &own[2], &other] {
        by(&at, "GET", "/api/v1/me", cookie).send().await.is(200);
    }
}

/// Cookies know no ports: another service of this machine may have left one behind that is for TLS only.
#[tokio::test]
async fn a_cookie_that_another_service_left_behind_is_in_nobodys_way() {
    let at = guarded(engine()).await;
    let own_cookie = sign_in(&at, VIEWER).await;
    for both in [format!("__Host-vastflow=other; {own_cookie}"), format!("{own_cookie}; __Host-vastflow=other")] {
        assert_eq!(by(&at, "GET", "/api/v1/me", &both).send().await.is(200).json()["name"], "viewer");
        let asked = own(&at, "/api/v1/session", &both).token(ADMIN).send().await;
        asked.problem(409, "signed-in");
    }
    let both = format!("__Host-vastflow=other; {own_cookie}");
    let out = by(&at, "DELETE", "/api/v1/session", &both).header("Sec-Fetch-Site", "same-origin").send().await.is(204);
    let cleared: Vec<_> = out.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, set)| set).collect();
    assert!(cleared[0].starts_with(&format!("vastflow-{}=; Path=/; Max-Age=0", at.address.port())), "{cleared:?}");
    assert!(cleared[1].starts_with("__Host-vastflow=; Path=/; Max-Age=0") && cleared[1].ends_with("; Secure"));
    by(&at, "GET", "/api/v1/me", &own_cookie).send().await.problem(401, "session-ended");
}
