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
        let mut command = Command::new(program("service"));
        let command = command.args(["--listen", "127.0.0.1:0", "--second", "100"]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
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
