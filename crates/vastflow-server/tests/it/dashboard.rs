//! The dashboard as it is served: where it was asked for, below any path, with headers that keep browsers in check.

use crate::support::*;
use vastflow_server::Service;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async fn with_dashboard(change: impl FnOnce(Service) -> Service) -> Running {
    Running::of(change(Service::new(engine().flow(chain("f", &["a"]))).tokens(tokens()).dashboard())).await
}

/// The script that a page refers to, as a path of the service.
fn script(page: &str, from: &str) -> String {
    let refers = page.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut path: Vec<&str> = from.split('/').skip(1).collect();
    path.pop();
    for part in refers.split('/') {
        match part {
            "." => {}
            ".." => _ = path.pop(),
            part => path.push(part),
        }
    }
    format!("/{}", path.join("/"))
}

#[tokio::test]
async fn the_dashboard_is_at_all_paths_that_are_nobodys() {
    let at = with_dashboard(|service| service).await;
    for path in ["/", "/runs", "/runs/r", "/runs/r/events?x=1", "/flows/f", "/index.html"] {
        let page = at.get(path).send().await.is(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert_eq!(page.header("content-security-policy"), Some(CSP));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(!page.text().contains("<base"), "the policy forbids it");
        let script = script(&page.text(), path);
        assert!(script.starts_with("/assets/"), "{path}: {script}");
        let script = at.get(&script).send().await.is(200);
        assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(script.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(script.header("cross-origin-resource-policy"), Some("same-origin"));
    }
    at.get("/assets/of-another-build.js").send().await.problem(404, "not-found");
    for path in ["/api/v1/nothing", "/api", "/flow/f/x"] {
        at.get(path).token(ALL).send().await.problem(404, "not-found");
    }
    at.post("/runs", "").token(ALL).send().await.problem(404, "not-found");
    at.get("/api/v1/runs").send().await.problem(401, "unauthenticated");
    at.get("/").header("Host", "evil.example").send().await.problem(421, "host-not-allowed");
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let at = with_dashboard(|service| service).await;
    let page = at.get("/runs/r").send().await.is(200);
    let again = at.get("/runs/r").header("If-None-Match", page.header("etag").unwrap()).send().await.is(304);
    assert!(again.body.is_empty());
    let top = at.get("/").send().await.is(200);
    assert_ne!(top.header("etag"), page.header("etag"), "its links differ");
    let script = script(&top.text(), "/");
    let plain = at.get(&script).send().await.is(200);
    let packed = at.get(&script).header("Accept-Encoding", "gzip, br").send().await.is(200);
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), (Some("gzip"), Some("accept-encoding")));
    assert!(packed.body.len() * 2 < plain.body.len() && packed.body.starts_with(&[0x1f, 0x8b]));
    at.ask("HEAD", "/").send().await.is(200);
}

#[tokio::test]
async fn the_dashboard_is_below_any_path() {
    let at = with_dashboard(|service| service.base_path("/ops/vastflow/")).await;
    let to = at.get("/ops/vastflow").send().await.is(308);
    assert_eq!(to.header("location"), Some("vastflow/"));
    for path in ["/ops/vastflow/", "/ops/vastflow/runs", "/ops/vastflow/runs/r"] {
        let page = at.get(path).send().await.is(200).text();
        let script = script(&page, path);
        assert!(script.starts_with("/ops/vastflow/assets/"), "{path}: {script}");
        at.get(&script).send().await.is(200);
    }
    at.get("/ops/vastflow/api/v1/me").token(VIEWER).send().await.is(200);
    at.get("/ops/vastflow/health").send().await.is(200);
    let asked = at.post("/ops/vastflow/flow/f", "x").token(ALL).header("X-Async", "true").send().await.is(202).json();
    let link = asked["links"]["run"].as_str().unwrap();
    assert!(link.starts_with("/ops/vastflow/api/v1/runs/"), "{link}");
    for path in ["/", "/health", "/api/v1/me", "/ops", "/assets/x.js"] {
        let outside = at.get(path).token(VIEWER).send().await.problem(404, "not-found");
        assert_eq!(outside.header("content-security-policy"), Some(CSP));
    }
    let wrong = Service::new(engine()).base_path("ops").bind("127.0.0.1:0").await.unwrap_err().to_string();
    assert!(wrong.contains("/ops/vastflow"), "{wrong}");
}

#[tokio::test]
async fn the_dashboard_is_mounted_in_an_application() {
    let router = Service::new(engine()).tokens(tokens()).dashboard().router().await.unwrap();
    let app = axum::Router::new().nest_service("/admin", router);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    // Only its address is asked for.
    let mut at = open(engine()).await;
    at.address = address;
    assert_eq!(at.get("/admin").send().await.is(308).header("location"), Some("admin/"));
    for path in ["/admin/", "/admin/runs/r"] {
        let script = script(&at.get(path).send().await.is(200).text(), path);
        assert!(script.starts_with("/admin/assets/"), "{script}");
    }
    serving.abort();
}

#[tokio::test]
async fn there_is_no_dashboard_unless_it_was_asked_for() {
    let at = guarded(engine()).await;
    for path in ["/", "/runs", "/index.html"] {
        at.get(path).send().await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn who_may_only_look_is_told_so_by_the_service() {
    let service = Service::new(engine().flow(chain("f", &["a"]))).tokens(tokens()).read_only();
    let at = Running::of(service).await;
    at.get("/api/v1/runs").token(ALL).send().await.is(200);
    assert_eq!(at.get("/api/v1/me").token(ALL).send().await.is(200).json()["read_only"], true);
    at.post("/api/v1/session", "").token(ALL).send().await.is(201);
    let changes =
        [("POST", "/flow/f"), ("POST", "/api/v1/runs"), ("POST", "/api/v1/runs/bulk"), ("DELETE", "/api/v1/runs/r")];
    for (method, path) in changes {
        at.ask(method, path).token(ALL).send().await.problem(403, "read-only");
    }
}

/// Each depth is another page, made and packed: nobody can have more made than the dashboard has.
#[tokio::test]
async fn a_page_that_is_too_deep_is_not_made() {
    let at = Running::of(Service::new(engine()).dashboard()).await;
    at.get(&format!("/{}", "a/".repeat(12))).send().await.is(200);
    at.get(&format!("/{}", "a/".repeat(13))).send().await.problem(404, "not-found");
    at.get(&format!("/{}", "a/".repeat(10_000))).send().await.problem(404, "not-found");
}
