//! A PostgreSQL server.

use super::{Process, free_port, sweep_up, wait_until};
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Where Debian and others keep the programs of a server, one folder a version.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/postgresql"];

/// A PostgreSQL server of a test's own.
///
/// ```
/// use vastflow_testsuite::servers::Postgres;
///
/// let mut server = Postgres::start(true);
/// assert!(server.url().starts_with("postgres://"));
/// server.kill9();
/// server.restart();
/// ```
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    bin: PathBuf,
    dir: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts a server that syncs its log before it acknowledges anything, or one that does not.
    ///
    /// # Panics
    /// When none is installed, or it does not start.
    #[must_use]
    pub fn start(fsync: bool) -> Self {
        Self::start_with(&[("fsync", if fsync { "on" } else { "off" })])
    }

    /// The same with settings, as in `postgresql.conf`.
    ///
    /// # Panics
    /// When none is installed, or it does not start.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let bin = programs();
        let dir = owned();
        let data = dir.path().join("data");
        let mut initdb = as_owner(&bin.join("initdb"));
        initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]).arg(&data);
        succeed(initdb.stdout(Stdio::null()));
        let port = free_port();
        let mut lines = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n\
             max_wal_size = 2GB\n"
        );
        for (name, value) in settings {
            let _ = writeln!(lines, "{name} = '{value}'");
        }
        std::fs::write(data.join("postgresql.auto.conf"), lines).expect("its settings");
        let process = spawn(&bin, dir.path());
        let server = Postgres { process, bin, dir, port };
        server.wait();
        server
    }

    /// The server that the tests of this process share, with fsync on. It goes with the process.
    #[must_use]
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            let server = Postgres::start(true);
            // What is never dropped has to be swept up by somebody else: when this process has ended.
            sweep_up(server.dir.path());
            server
        })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The same with a schema that no other test of this process uses.
    #[must_use]
    pub fn fresh_url(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        format!("{}?schema=t{}", self.url(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends all of its processes at once, as a power cut does, but for what the disk has.
    pub fn kill9(&self) {
        // None that is left may hold the memory that they shared: the next server would not start.
        let killed = self.signal_all("KILL");
        wait_until("the PostgreSQL server is gone", || {
            killed.iter().all(|pid| matches!(state(pid), None | Some('Z' | 'X')))
                && TcpStream::connect(("127.0.0.1", self.port)).is_err()
        });
    }

    /// Stops all of its processes: they answer nobody until they may go on.
    pub fn sigstop(&self) {
        let _ = self.signal_all("STOP");
    }

    /// Lets them go on.
    pub fn sigcont(&self) {
        let _ = self.signal_all("CONT");
    }

    /// Starts it again, with what it kept, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill9();
        self.process = spawn(&self.bin, self.dir.path());
        self.wait();
    }

    /// Runs SQL as the superuser, and gives the first column of what it answers, a line a row.
    ///
    /// # Panics
    /// When it fails.
    pub fn psql(&self, sql: &str) -> String {
        let output = self.ask(sql);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn ask(&self, sql: &str) -> std::process::Output {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-c", sql]);
        psql.output().expect("psql")
    }

    /// Sends a signal to all processes, and gives their numbers.
    fn signal_all(&self, name: &str) -> Vec<String> {
        // While the first stands still, it starts no others; when it is gone, nobody knows whose they were.
        self.process.signal("STOP");
        let stands_still = || !matches!(state(self.process.id()), Some('R' | 'S' | 'D'));
        wait_until("the PostgreSQL server stands still", stands_still);
        let mut pids = children(self.process.id());
        self.process.signal(name);
        for pid in &pids {
            // One that is gone already gets none.
            let _ = Command::new("kill").args([&format!("-{name}"), pid]).stderr(Stdio::null()).status();
        }
        pids.push(self.process.id().to_owned());
        pids
    }

    fn wait(&self) {
        wait_until("the PostgreSQL server answers", || self.ask("SELECT 1").status.success());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.signal_all("KILL");
    }
}

/// The folder of the newest server that is installed.
fn programs() -> PathBuf {
    let versions = FOLDERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let found = versions.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").is_file());
    let newest = found.max_by_key(|path| number(path)).map(|path| path.join("bin"));
    newest.or_else(on_path).unwrap_or_else(|| {
        panic!("this test needs a PostgreSQL server; install it with `apt-get install -y postgresql`")
    })
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|answer| answer.stdout.trim_ascii() == b"0")
}

/// Whom a server runs as when this process is root, as whom none starts.
fn owner() -> &'static str {
    let known = |user: &str| Command::new("id").arg(user).output().is_ok_and(|answer| answer.status.success());
    if known("postgres") { "postgres" } else { "nobody" }
}

/// What to put before a command so that it runs as the owner of the files.
fn prefix() -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    let group = Command::new("id").args(["-g", owner()]).output().expect("id").stdout;
    let group = String::from_utf8_lossy(&group).trim().to_owned();
    ["setpriv", "--reuid", owner(), "--regid", &group, "--clear-groups"].map(str::to_owned).into()
}

/// A folder that the server may write to.
pub(super) fn owned() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    if is_root() {
        succeed(Command::new("chown").arg(owner()).arg(dir.path()));
    }
    dir
}

/// The words of a command that runs as the owner of the files.
pub(super) fn as_owner_words(program: &str, args: &[String]) -> Vec<String> {
    let mut words = prefix();
    words.push(program.to_owned());
    words.extend_from_slice(args);
    words
}

fn as_owner(program: &Path) -> Command {
    let mut words = prefix();
    words.push(program.to_string_lossy().into_owned());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir("/");
    command
}

fn spawn(bin: &Path, dir: &Path) -> Process {
    let args = ["-D".to_owned(), dir.join("data").to_string_lossy().into_owned()];
    let words = as_owner_words(&bin.join("postgres").to_string_lossy(), &args);
    Process::start(&words[0], &words[1..])
}

fn succeed(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The processes that a process has started.
fn children(parent: &str) -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let pids = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter(|pid| stat(pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// What a process is at: `R` and `S` live, `T` stands still, `Z` is dead. None when there is none of that number.
fn state(pid: &str) -> Option<char> {
    stat(pid)?.0.chars().next()
}

/// The state and the parent of a process.
fn stat(pid: &str) -> Option<(String, String)> {
    // pid (name) state parent …; a name may hold anything.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}
