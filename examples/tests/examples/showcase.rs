//! The showcase: its runs come to all that it promises.

use crate::process::program;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A showcase that is gone when it is dropped.
struct Showcase {
    child: Child,
    url: String,
}

impl Showcase {
    /// Filled with its runs.
    fn start(more: &[&str]) -> Self {
        let mut command = Command::new(program("showcase"));
        let command = command.args(["--listen", "127.0.0.1:0", "--pace", "5", "--fill", "yes"]).args(more);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut showcase = Showcase { child, url: String::new() };
        for line in lines.map_while(Result::ok).take_while(|line| line != "filled") {
            if let Some(found) = line.strip_prefix("listening on ") {
                found.clone_into(&mut showcase.url);
            }
        }
        showcase
    }

    fn ask(&self, path: &str) -> Value {
        let out = Command::new("curl").args(["-s", &format!("{}/api/v1{path}", self.url)]).output().unwrap();
        serde_json::from_slice(&out.stdout).unwrap()
    }
}

impl Drop for Showcase {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn its_runs_come_to_everything_that_there_is_to_see() {
    let showcase = Showcase::start(&[]);
    let began = Instant::now();
    let counts = loop {
        let counts = showcase.ask("/counts")["runs"].clone();
        let of = |status: &str| counts[status].as_u64().unwrap();
        // Three wait for a signal, and one for a run that does.
        if of("running") == 4 && of("needs-attention") == 3 && of("queued") == 0 {
            break counts;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{counts}");
    };
    assert_eq!((&counts["paused"], &counts["failed"]), (&1.into(), &3.into()), "{counts}");
    let kinds = showcase.ask("/attention");
    let kinds = kinds["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap());
    for kind in ["operator", "undo", "failed"] {
        assert!(kinds.clone().any(|found| found == kind), "{kind}");
    }
    let each = showcase.ask("/runs/film-1/view");
    let inner = &each["nodes"][1]["inner"];
    assert_eq!((&inner["scopes"], &inner["failed"]), (&1_000.into(), &3.into()), "{inner}");
}
