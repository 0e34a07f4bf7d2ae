//! The service: what its first lines show is done with `curl`, and answers what stands there.

use crate::process::program;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SOURCE: &str = include_str!("../../service/main.rs");

/// A service that is told to end when it is dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// On a port that is free; a second of the samples takes 100 ms.
    fn start() -> Self {
        Service::with(&["--second", "100"], Stdio::null())
    }

    fn with(words: &[&str], err: Stdio) -> Self {
        let mut command = Command::new(program("service"));
        let command = command.args(["--listen", "127.0.0.1:0"]).args(words).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(err).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Service { child, address }
    }

    /// Runs a line of a shell, with the service's own address in it.
    fn ask(&self, line: &str) -> String {
        let line = line.replace("127.0.0.1:8080", &self.address);
        let out = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    fn post(&self, flow: &str, body: &str) -> String {
        self.ask(&format!("curl -s -d {body} http://127.0.0.1:8080/flow/{flow}"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_the_first_lines_show_is_what_happens() {
    let service = Service::start();
    let lines: Vec<&str> = SOURCE.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let asked = lines.windows(2).filter(|pair| pair[0].starts_with("curl"));
    let mut count = 0;
    for pair in asked {
        let expected = pair[1].strip_prefix("# ").unwrap();
        assert_eq!(service.ask(pair[0]).trim_end(), expected, "{}", pair[0]);
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn case_25_myflow_says_what_was_said_and_names_the_request() {
    let service = Service::start();
    let reply = service.ask("curl -si -d hallo http://127.0.0.1:8080/flow/myflow");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && body == "you said \"hallo\"", "{reply}");
    assert!(head.to_lowercase().contains("\r\nx-reqid: "), "{head}");
}

#[test]
fn case_26_single_is_one_node() {
    assert_eq!(Service::start().post("single", "x"), "(Executing node 1 with data (x))");
}

#[test]
fn case_27_serial_is_waited_for_or_asked_for_by_its_id() {
    let service = Service::start();
    let began = Instant::now();
    let expected = "(Executing node 3 with data ((Executing node 2 with data ((Executing node 1 with data (x))))))";
    assert_eq!(service.post("serial", "x"), expected);
    assert!(began.elapsed() >= Duration::from_secs(3), "three nodes of ten seconds, one after the other");
    let url = "http://127.0.0.1:8080/flow/serial";
    let early = service.ask(&format!("curl -si -d y -H 'X-Request-Id: later' -H 'Prefer: wait=1' {url}"));
    assert!(early.starts_with("HTTP/1.1 202") && early.contains("\"id\":\"later\""), "{early}");
    assert!(early.contains("\"status\":\"running\""), "{early}");
    let later = service.ask(&format!("curl -s -d y -H 'X-Request-Id: later' {url}"));
    assert_eq!(later, expected.replace("(x)", "(y)"));
}

#[test]
fn case_28_parallel_overlaps_and_joins() {
    let service = Service::start();
    let began = Instant::now();
    let one = "(Executing node 1 with data (x))";
    let both = format!("node2: (Executing node 2 with data ({one})), node3: (Executing node 3 with data ({one}))");
    assert_eq!(service.post("parallel", "x"), format!("(Executing node 4 with data (({both})))"));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_500), "three of five seconds, not less: {took:?}");
    let view = service.ask("curl -s \"http://127.0.0.1:8080/api/v1/runs?flow=parallel\"");
    let id = view.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let view: serde_json::Value =
        serde_json::from_str(&service.ask(&format!("curl -s http://127.0.0.1:8080/api/v1/runs/{id}/view"))).unwrap();
    let time = |node: usize, what: &str| view["nodes"][node][what].as_u64().unwrap();
    assert!(
        time(1, "began_at_ms") < time(2, "ended_at_ms") && time(2, "began_at_ms") < time(1, "ended_at_ms"),
        "{view}"
    );
}

#[test]
fn case_29_condition_takes_the_arm_that_was_chosen() {
    let service = Service::start();
    let node = |data| format!("(Executing node 1 with data ({data}))");
    let first = format!("case1: (Executing case 1 with data ({})), case2: ", node("x"));
    assert_eq!(service.post("condition", "x"), format!("(Executing result with data (({first})))"));
    let second = format!("case1: , case2: (Executing case 2 with data ({}))", node("case2"));
    assert_eq!(service.post("condition", "case2"), format!("(Executing result with data (({second})))"));
}

#[test]
fn case_30_loop_runs_the_node_once_an_item() {
    let item = "(Executing case 1 with data ((Executing node 1 with data (x))))";
    let expected = format!("(Executing result with data ((0: {item},1: {item},)))");
    assert_eq!(Service::start().post("loop", "x"), expected);
}

/// What a process said, in a file.
struct Told(tempfile::NamedTempFile);

impl Told {
    fn new() -> Self {
        Told(tempfile::NamedTempFile::new().unwrap())
    }

    fn err(&self) -> Stdio {
        self.0.reopen().unwrap().into()
    }

    /// How many nodes it executed.
    fn executed(&self) -> usize {
        std::fs::read_to_string(self.0.path()).unwrap().lines().filter(|line| line.contains("executing node")).count()
    }
}

/// Asks for so many runs of `parallel` on one connection, and holds each answer against what it should be.
fn ask_many(address: &str, from: usize, count: usize) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for n in from..from + count {
        let body = format!("x{n}");
        let head = format!("POST /flow/parallel HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
        let (mut status, mut length) = (String::new(), 0);
        reader.read_line(&mut status).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim().to_lowercase().split_once(": ") {
                Some(("content-length", bytes)) => length = bytes.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let one = format!("(Executing node 1 with data ({body}))");
        let both = format!("node2: (Executing node 2 with data ({one})), node3: (Executing node 3 with data ({one}))");
        let expected = format!("(Executing node 4 with data (({both})))");
        assert_eq!((status.trim(), String::from_utf8_lossy(&answer)), ("HTTP/1.1 200 OK", expected.as_str().into()));
    }
}

/// A process that only serves, and two that only work, on a real server: a thousand runs, every result right.
fn a_thousand_runs_apart(store: &str) {
    let (of_server, of_workers) = (Told::new(), [Told::new(), Told::new()]);
    let shared = ["--store", store, "--second", "1"];
    let workers = of_workers.each_ref().map(|told| {
        let mut command = Command::new(program("service"));
        let command = command.args(shared).args(["--mode", "worker"]).stdin(Stdio::null()).stderr(told.err());
        command.stdout(Stdio::null()).spawn().unwrap()
    });
    let server = Service::with(&[&shared[..], &["--mode", "server"]].concat(), of_server.err());
    let has_two = || {
        let seen = server.ask("curl -s http://127.0.0.1:8080/api/v1/workers");
        seen.matches("\"is_alive\":true").count() >= 3
    };
    vastflow_testsuite::servers::wait_until("both workers work", has_two);
    std::thread::scope(|scope| {
        for from in (0..1_000).step_by(50) {
            let address = &server.address;
            scope.spawn(move || ask_many(address, from, 50));
        }
    });
    for mut worker in workers {
        let _ = Command::new("kill").arg(worker.id().to_string()).status();
        let _ = worker.wait();
    }
    let executed = of_workers.each_ref().map(Told::executed);
    assert_eq!(of_server.executed(), 0, "the server ran nodes");
    assert!(executed.iter().all(|count| *count > 200), "one worker did all: {executed:?}");
    assert!(executed.iter().sum::<usize>() >= 4_000, "{executed:?}");
    println!("nodes of each worker: {executed:?}");
}

#[test]
fn a_server_and_two_workers_apart_on_postgres() {
    a_thousand_runs_apart(&vastflow_testsuite::servers::Postgres::shared().fresh_url());
}

#[test]
fn a_server_and_two_workers_apart_on_redis() {
    let redis = vastflow_testsuite::servers::Redis::start(vastflow_testsuite::servers::Sync::EverySecond);
    a_thousand_runs_apart(&redis.url());
}
