//! Real servers for tests: started from what is installed, on a port of their own, gone with the test.

mod pgbouncer;
mod postgres;
mod redis;

pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use redis::{Redis, Sync};

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Ports below those that systems give to whoever asks for any, as each connection does.
const PORTS: std::ops::Range<u32> = 10_000..30_000;
/// What is waited for comes within seconds, on a busy machine too; later it hangs.
const STUCK: Duration = Duration::from_secs(120);

/// Starts the server and kills it when nobody holds the other end of its own standard input any more, however this
/// process ends.
const WATCH: &str = "\"$@\" </dev/null >/dev/null 2>&1 & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null";

/// A process that does not outlive the one that started it.
#[derive(Debug)]
pub struct Process {
    watch: Child,
    pid: String,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// When there is no shell to start it with.
    #[must_use]
    pub fn start(program: &str, args: &[String]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "sh", program]).args(args);
        let mut watch = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let mut pid = String::new();
        let said = watch.stdout.take().expect("what it says");
        BufReader::new(said).read_line(&mut pid).expect("the id of the server's process");
        Process { watch, pid: pid.trim().to_owned() }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.pid
    }

    /// Sends a signal by its name: `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        // A process that is gone already gets none.
        let _ = Command::new("kill").args([&format!("-{name}"), &self.pid]).stderr(Stdio::null()).status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("KILL");
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// A port that nobody listens on. Nobody gets it by chance until it is used, nor while its server is started again: it is
/// none of those that the system gives out, each call gives another, and each process begins elsewhere.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.end - PORTS.start;
    let begin = std::process::id().wrapping_mul(7_919) % count;
    let mut ports = (0..count).map(|_| PORTS.start + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % count);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find_map(|port| u16::try_from(port).ok().filter(is_free)).expect("a port")
}

/// Waits until something is so; panics when it takes too long.
///
/// # Panics
/// When it is not so after two minutes.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < STUCK, "waited {STUCK:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a program is installed.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Deletes a folder once this process has ended.
fn sweep_up(dir: &Path) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat >/dev/null; sleep 1; rm -rf \"$1\"", "sh"]).arg(dir);
    let child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a shell");
    // Its input closes when this process ends.
    std::mem::forget(child);
}
