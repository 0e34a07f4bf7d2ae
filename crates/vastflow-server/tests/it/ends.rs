//! How a service ends, and what its log has.

use crate::support::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use vastflow_server::Service;

#[tokio::test]
async fn who_waits_is_told_where_to_ask_when_the_service_ends() {
    let at = open(engine().flow(waits("waits"))).await;
    let mut asked = at.post("/flow/waits", "x").header("X-Request-Id", "r").open().await;
    while at.engine.handle("r").await.is_err() {
        tokio::task::yield_now().await;
    }
    let mut stream = at.get("/api/v1/runs/r/stream").listen().await;
    stream.next().await.unwrap();
    at.end();
    let (status, _) = head(&mut asked).await;
    assert_eq!(status, 202, "it goes on, and can be asked for elsewhere");
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn the_engine_is_shut_down_with_the_service() {
    let mut at = open(engine().flow(chain("f", &["a"]))).await;
    at.post("/flow/f", "x").send().await.is(200);
    at.end();
    let ended = std::mem::replace(&mut at.ended, tokio::spawn(async { Ok(()) }));
    ended.await.unwrap().unwrap();
    assert!(at.engine.run("f", 1).await.is_err(), "it takes nothing any more");
    let refused = tokio::net::TcpStream::connect(at.address).await;
    assert!(refused.is_err(), "and nobody listens");
}

#[tokio::test]
async fn who_hangs_up_is_in_the_audit_log_all_the_same() {
    let at = guarded(engine().flow(waits("waits"))).await;
    let asked = at.post("/flow/waits", "x").token(ALL).header("X-Request-Id", "r").open().await;
    while at.engine.handle("r").await.is_err() {
        tokio::task::yield_now().await;
    }
    drop(asked);
    let noted = async {
        loop {
            let log = at.get("/api/v1/audit?operation=call_flow").token(ADMIN).send().await.is(200).json();
            if let Some(row) = log["items"].as_array().unwrap().first() {
                break row.clone();
            }
        }
    };
    let row = tokio::time::timeout(WAIT, noted).await.expect("it is noted");
    assert_eq!((&row["who"], &row["request_id"], &row["status"]), (&"all".into(), &"r".into(), &202.into()));
}

/// All that is logged by all tests is heard, down to the least of it.
#[tokio::test]
async fn no_token_and_no_payload_is_in_any_log_line() {
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"])).flow(waits("waits"))).tokens(tokens())).await;
    at.post("/flow/f?canary-query", "canary-input").token(ALL).header("X-Secret", "canary-header").send().await.is(200);
    at.post("/flow/waits", "canary-input")
        .token(ALL)
        .header("X-Request-Id", "r")
        .header("X-Async", "true")
        .send()
        .await
        .is(202);
    at.post("/api/v1/runs/r/signals/go", "canary-signal").token(ALL).send().await.is(204);
    at.post("/api/v1/runs", "{canary-json}").token(ALL).send().await.is(400);
    at.post("/api/v1/runs", r#"{"flow":["canary-value"]}"#).token(ALL).send().await.is(400);
    at.get("/api/v1/me").token("canary-token").send().await.is(401);
    at.get("/api/v1/runs/r/stream").token(VIEWER).listen().await.next().await.unwrap();
    let log = heard();
    assert!(log.contains("audit") && log.contains("call_flow"), "it was heard: {log}");
    for secret in ["canary", ALL, VIEWER, OPERATOR, ADMIN, READER, OTHER] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} stands in the log: {line:?}");
    }
}

const CHILD: &str = "VASTFLOW_TOLD_TO_END";

/// Not a test but the process that is told to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let listening = Service::new(engine()).bind("127.0.0.1:0").await.unwrap();
    // The line feeds keep it apart from what the test harness prints.
    write!(std::io::stdout().lock(), "\nlistening on {}\n", listening.address()).unwrap();
    listening.run().await.unwrap();
}

/// A service in a process of its own; it goes with its test.
struct Told(Child);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Told {
    fn start() -> (Self, SocketAddr) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["ends::child", "--exact", "--nocapture"]).env(CHILD, "yes").stderr(Stdio::null());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix("listening on ")?.parse().ok()).unwrap();
        // What it says later must not end it.
        std::thread::spawn(move || lines.for_each(drop));
        (Told(child), address)
    }

    /// Tells it to end, and waits for that.
    fn ends(&mut self, within: Duration) -> bool {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(told.success());
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            if began.elapsed() > within {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// The signal comes while one connection is taken after the other: between two of them it is heard, too.
#[test]
fn it_hears_that_it_is_to_end_while_connections_come() {
    for round in 0..20 {
        let (mut service, address) = Told::start();
        let (is_over, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
        let ended = std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        taken.fetch_add(usize::from(TcpStream::connect(address).is_ok()), Ordering::Relaxed);
                    }
                });
            }
            while taken.load(Ordering::Relaxed) < 100 {
                std::thread::yield_now();
            }
            // Connections come until it has ended.
            let has_ended = service.ends(WAIT);
            is_over.store(true, Ordering::Relaxed);
            has_ended
        });
        assert!(ended, "it was told in round {round}, and goes on");
    }
}
