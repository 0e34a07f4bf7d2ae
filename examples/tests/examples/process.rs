//! A program's life: what it said, when, and how it ended.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// No life takes this long, unless something hangs.
const STUCK: Duration = Duration::from_secs(120);

/// What a process said in its life, and how it ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// Lines of standard output.
    pub(crate) out: Vec<String>,
    /// When each of them came.
    pub(crate) at: Vec<Duration>,
    /// Lines of standard error.
    pub(crate) err: Vec<String>,
    /// The exit code; none when it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
}

/// When a process is killed.
#[derive(Clone, Debug)]
pub(crate) enum Kill {
    Never,
    /// This long after its start.
    After(Duration),
    /// This long after it said so many lines.
    AtLine(usize, Duration),
    /// When a line of standard error begins like this.
    AtRemark(&'static str),
}

enum Said {
    Out(String),
    Err(String),
}

/// Runs an example in a folder, until its end or until it is killed with SIGKILL.
pub(crate) fn live(dir: &Path, example: &str, args: &[&str], kill: &Kill) -> Life {
    let began = Instant::now();
    let mut child = Command::new(program(example))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let heard = listen(&mut child);
    let mut life = Life::default();
    let mut killed_at = match kill {
        Kill::After(wait) => Some(began + *wait),
        _ => None,
    };
    let mut is_dead = false;
    loop {
        let until = killed_at.filter(|_| !is_dead).unwrap_or(began + STUCK);
        match heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Said::Out(line)) => {
                life.at.push(began.elapsed());
                life.out.push(line);
            }
            Ok(Said::Err(line)) => life.err.push(line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                assert!(!is_dead && began.elapsed() < STUCK, "{example} hangs; it said {life:#?}");
                is_dead = true;
            }
        }
        if killed_at.is_none() {
            killed_at = match kill {
                Kill::AtLine(count, wait) if life.out.len() >= *count => Some(Instant::now() + *wait),
                Kill::AtRemark(start) if life.err.iter().any(|line| line.trim().starts_with(start)) => {
                    Some(Instant::now())
                }
                _ => None,
            };
        }
    }
    life.code = child.wait().unwrap().code();
    life.took = began.elapsed();
    life
}

/// Cargo puts examples beside the tests of the same package.
pub(crate) fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().with_file_name("examples").join(example);
    let hint = "build it with `cargo build -p vastflow-examples --examples`, or test without `--test`";
    assert!(path.exists(), "{} is missing: {hint}", path.display());
    path
}

fn listen(child: &mut Child) -> Receiver<Said> {
    let (say, heard) = channel();
    pass_on(child.stdout.take().unwrap(), say.clone(), Said::Out);
    pass_on(child.stderr.take().unwrap(), say, Said::Err);
    heard
}

fn pass_on(from: impl Read + Send + 'static, say: Sender<Said>, as_said: fn(String) -> Said) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            if say.send(as_said(line.unwrap())).is_err() {
                return;
            }
        }
    });
}
