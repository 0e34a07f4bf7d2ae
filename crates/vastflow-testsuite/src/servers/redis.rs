//! A Redis server.

use super::{Process, free_port, is_installed, sweep_up, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// What a server keeps of what it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Nothing on disk.
    Never,
    /// An append-only file that is synced every second.
    EverySecond,
    /// An append-only file that is synced before every answer.
    Always,
}

/// A Redis server of a test's own.
///
/// ```
/// use vastflow_testsuite::servers::{Redis, Sync};
///
/// let mut server = Redis::start(Sync::Always);
/// assert!(server.url().starts_with("redis://127.0.0.1:"));
/// server.kill9();
/// server.restart();
/// ```
#[derive(Debug)]
pub struct Redis {
    process: Process,
    dir: TempDir,
    port: u16,
    sync: Sync,
    extra: Vec<String>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// When none is installed, or it does not start.
    #[must_use]
    pub fn start(sync: Sync) -> Self {
        Self::start_with(sync, &[])
    }

    /// The same with settings besides, as on its command line: `&["--maxmemory", "10mb"]`.
    ///
    /// # Panics
    /// When none is installed, or it does not start.
    #[must_use]
    pub fn start_with(sync: Sync, extra: &[&str]) -> Self {
        assert!(
            is_installed("redis-server"),
            "this test needs a Redis server; install it with `apt-get install -y redis-server`"
        );
        let dir = tempfile::tempdir().expect("a folder");
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        let port = free_port();
        let process = spawn(dir.path(), port, sync, &extra);
        let server = Redis { process, dir, port, sync, extra };
        server.wait();
        server
    }

    /// The server that the tests of this process share, which syncs before it answers. It goes with the process.
    #[must_use]
    pub fn shared() -> &'static Redis {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| {
            let server = Redis::start(Sync::Always);
            // What is never dropped has to be swept up by somebody else: when this process has ended.
            sweep_up(server.dir.path());
            server
        })
    }

    /// The same with a namespace that no other test of this process uses.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        format!("{}?namespace=t{}", self.url(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, as a power cut ends a process.
    pub fn kill9(&self) {
        self.process.signal("KILL");
        wait_until("the Redis server is gone", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }

    /// Stops it: it answers nobody until it may go on.
    pub fn sigstop(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub fn sigcont(&self) {
        self.process.signal("CONT");
    }

    /// Starts it again, with what it kept, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill9();
        self.process = spawn(self.dir.path(), self.port, self.sync, &self.extra);
        self.wait();
    }

    /// Sends it a command of words without spaces, as one types it, and gives what it answers.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn command(&self, line: &str) -> String {
        self.ask(line).expect("an answer of the Redis server")
    }

    fn ask(&self, line: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn wait(&self) {
        wait_until("the Redis server answers", || self.ask("PING").is_ok_and(|answer| answer.starts_with("+PONG")));
    }
}

fn spawn(dir: &Path, port: u16, sync: Sync, extra: &[String]) -> Process {
    let (appendonly, appendfsync) = match sync {
        Sync::Never => ("no", "no"),
        Sync::EverySecond => ("yes", "everysec"),
        Sync::Always => ("yes", "always"),
    };
    let port = port.to_string();
    let dir = dir.to_string_lossy();
    let settings = [
        ("--port", port.as_str()),
        ("--bind", "127.0.0.1"),
        ("--dir", &dir),
        ("--logfile", "redis.log"),
        ("--save", ""),
        ("--appendonly", appendonly),
        ("--appendfsync", appendfsync),
    ];
    let mut args: Vec<String> =
        settings.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect();
    args.extend(extra.iter().cloned());
    Process::start("redis-server", &args)
}
