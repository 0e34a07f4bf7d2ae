//! `cargo xtask soak`: a service under load for minutes, with very many idle connections. Its memory must stay flat.

use crate::run;
use crate::workspace;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HELP: &str = "\
Starts the example `service`, optimised, on a SQLite store of its own; opens idle connections, and sends
requests of one-node runs on a few more. Prints the memory of the service, and fails when it grows, when a
request fails, or when somebody has to wait. It needs two descriptors for each idle connection, one in each
process: `ulimit -n` says how many there may be.

Usage: cargo xtask soak [--minutes M] [--idle N] [--rate R]

  --minutes M   How long (5).
  --idle N      How many idle connections are kept open (10000). The service closes those that say nothing
                for ten seconds; they are opened again.
  --rate R      How many requests are sent a second (500).
";

/// Connections that send requests.
const SENDERS: u64 = 8;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// What a request may take while all others are idle.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of the memory after the first minute there may be more at the end: a sixth, and 16 MiB.
const ROOM: (u64, u64) = (6, 16 << 10);

#[derive(Debug, PartialEq)]
struct Asked {
    minutes: u64,
    idle: usize,
    rate: u64,
}

/// Runs the command with these words behind it.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    if let ["-h" | "--help"] = words {
        print!("{HELP}");
        return Ok(());
    }
    let asked = parse(words)?;
    let example = ["build", "--release", "-p", "vastflow-examples", "--example", "service"];
    run::succeed(workspace::cargo().args(example))?;
    let service = Service::start()?;
    let before = service.memory()?;
    let idle = idle(&service, asked.idle)?;
    let with_idle = service.memory()?;
    let each = with_idle.saturating_sub(before) * 1_024 / asked.idle.max(1) as u64;
    println!("{before} KiB at rest; {with_idle} KiB with {} idle connections: {each} bytes each", idle.len());
    let began = Instant::now();
    post(&mut service.connect()?)?;
    println!("a request beside them took {:?}", began.elapsed());
    drop(idle);
    soak(&service, &asked)
}

fn parse(words: &[&str]) -> Result<Asked, String> {
    let mut asked = Asked { minutes: 5, idle: 10_000, rate: 500 };
    for pair in words.chunks(2) {
        let number = |word: Option<&&str>| {
            let parsed = word.and_then(|word| word.parse().ok());
            parsed.ok_or_else(|| format!("xtask: `{}` needs a number. `cargo xtask soak --help` tells more.", pair[0]))
        };
        match pair[0] {
            "--minutes" => asked.minutes = number(pair.get(1))?,
            "--idle" => asked.idle = usize::try_from(number(pair.get(1))?).unwrap_or(usize::MAX),
            "--rate" => asked.rate = number(pair.get(1))?.max(1),
            other => return Err(format!("xtask: `{other}` is no option of soak; see `cargo xtask soak --help`.")),
        }
    }
    Ok(asked)
}

/// A service that ends when it is dropped, and its store with it.
struct Service {
    child: Child,
    address: String,
    dir: std::path::PathBuf,
}

impl Service {
    fn start() -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("vastflow-soak-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|why| format!("cannot make {}: {why}", dir.display()))?;
        let store = format!("sqlite:{}", dir.join("soak.db").display());
        let program = workspace::target().join("release/examples/service");
        let mut command = Command::new(&program);
        command.args(["--listen", "127.0.0.1:0", "--store", &store]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|why| format!("cannot start {}: {why}", program.display()))?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("the service has no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|why| why.to_string())?;
        let address = line.trim().strip_prefix("listening on http://").unwrap_or("").to_owned();
        Ok(Service { child, address, dir })
    }

    fn connect(&self) -> Result<BufReader<TcpStream>, String> {
        let stream = TcpStream::connect(&self.address).map_err(|why| format!("cannot connect: {why}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|why| why.to_string())?;
        stream.set_nodelay(true).map_err(|why| why.to_string())?;
        Ok(BufReader::new(stream))
    }

    /// What it holds in memory, in KiB.
    fn memory(&self) -> Result<u64, String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).map_err(|why| why.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        number.ok_or_else(|| "the service is gone".to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What cannot be ended or deleted is nobody's to mend here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Opens connections that say nothing.
fn idle(service: &Service, count: usize) -> Result<Vec<BufReader<TcpStream>>, String> {
    let open = |_| service.connect().map_err(|why| format!("{why}; see `ulimit -n`"));
    (0..count).map(open).collect()
}

/// Asks for a run, and reads its result.
fn post(stream: &mut BufReader<TcpStream>) -> Result<(), String> {
    let told = |why: std::io::Error| format!("a request was not answered: {why}");
    let ask = b"POST /flow/myflow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhallo";
    stream.get_mut().write_all(ask).map_err(told)?;
    let (mut status, mut length) = (String::new(), 0);
    stream.read_line(&mut status).map_err(told)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).map_err(told)?;
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", bytes)) => length = bytes.parse().unwrap_or(0),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).map_err(told)?;
    match body == b"you said \"hallo\"" {
        true => Ok(()),
        false => Err(format!("a wrong answer: {status} {}", String::from_utf8_lossy(&body))),
    }
}

fn soak(service: &Service, asked: &Asked) -> Result<(), String> {
    let (done, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let pause = Duration::from_secs(1) * u32::try_from(SENDERS).unwrap_or(1) / u32::try_from(asked.rate).unwrap_or(1);
    let send = || -> Result<(), String> {
        let mut stream = service.connect()?;
        let mut due = Instant::now();
        while !is_over.load(Ordering::Relaxed) {
            post(&mut stream)?;
            done.fetch_add(1, Ordering::Relaxed);
            due += pause;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
        let watched = watch(service, asked, &done, &|| senders.iter().any(|sender| sender.is_finished()));
        is_over.store(true, Ordering::Relaxed);
        let sent =
            senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| "a sender panicked".to_owned())?);
        sent.and(watched)
    })
}

/// Looks at the memory until the time is over, with new idle connections in the place of those that were closed.
fn watch(service: &Service, asked: &Asked, done: &AtomicU64, has_failed: &dyn Fn() -> bool) -> Result<(), String> {
    let (began, whole) = (Instant::now(), Duration::from_secs(asked.minutes * 60));
    let warm = Duration::from_secs(60).min(whole / 2);
    let (mut first, mut last) = (None, 0);
    while began.elapsed() < whole && !has_failed() {
        let held = idle(service, asked.idle)?;
        std::thread::sleep(LOOK);
        last = service.memory()?;
        if began.elapsed() >= warm {
            first.get_or_insert(last);
        }
        let seconds = began.elapsed().as_secs();
        println!("{seconds:>4} s  {:>9} requests  {last:>8} KiB  {} idle", done.load(Ordering::Relaxed), held.len());
    }
    let first = first.unwrap_or(last);
    let most = first + first / ROOM.0 + ROOM.1;
    match last <= most {
        true => {
            println!("flat: {first} KiB after the first minute, {last} KiB at the end");
            Ok(())
        }
        false => Err(format!("memory grew from {first} KiB to {last} KiB, more than the {most} KiB it may be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        assert_eq!(parse(&[]).unwrap(), Asked { minutes: 5, idle: 10_000, rate: 500 });
        let asked = parse(&["--minutes", "1", "--idle", "100", "--rate", "2000"]).unwrap();
        assert_eq!(asked, Asked { minutes: 1, idle: 100, rate: 2_000 });
        assert!(parse(&["--minutes"]).unwrap_err().contains("needs a number"));
        assert!(parse(&["--fast", "1"]).unwrap_err().contains("no option"));
    }
}
