//! A folder with a store, and programs that are run in it.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Said {
    /// What it printed, when all went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// What it complained of, when it ended with this code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.err
    }

    /// What it printed as JSON of this version, when all went well.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_str(&self.ok()).unwrap();
        assert_eq!(value["version"], 1);
        value
    }
}

/// Where the first token stands when nobody looks.
pub(crate) const FIRST: &str = "vastflow.tokens.first";

pub(crate) struct Place {
    dir: TempDir,
    url: String,
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code().unwrap_or(-1) }
}

impl Place {
    /// With a store in a file.
    pub(crate) fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap(), url: "sqlite:app.db".into() }
    }

    /// With another store.
    pub(crate) fn at(url: &str) -> Self {
        Place { dir: tempfile::tempdir().unwrap(), url: url.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.path()).env_clear().env("USER", "ann").env("VASTFLOW_STORE", &self.url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, program: &Path, words: &[&str]) -> Said {
        said(&mut self.command(program, words))
    }

    /// Runs `vastflow`, which has no flows.
    pub(crate) fn vastflow(&self, words: &[&str]) -> Said {
        self.run(Path::new(env!("CARGO_BIN_EXE_vastflow")), words)
    }

    /// The same, where no variable names a store.
    pub(crate) fn vastflow_without_store(&self, words: &[&str]) -> Said {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_vastflow")), words);
        said(command.env_remove("VASTFLOW_STORE"))
    }

    /// Starts `vastflow`, and goes on.
    pub(crate) fn start(&self, words: &[&str]) -> Worker {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_vastflow")), words);
        Worker(command.stderr(Stdio::null()).spawn().unwrap())
    }

    /// Runs the example that has flows.
    pub(crate) fn shop(&self, words: &[&str]) -> Said {
        self.run(&shop(), words)
    }

    /// Starts the shop's worker; it ends with what is given back.
    pub(crate) fn worker(&self) -> Worker {
        Worker(self.command(&shop(), &["worker"]).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Starts the shop as a service; gives where it is, and the token if it made one.
    pub(crate) fn service(&self, words: &[&str]) -> (Worker, String, Option<String>) {
        self.service_of(words, true)
    }

    /// The same of the shop, or of the command itself, which has no flows.
    pub(crate) fn service_of(&self, words: &[&str], is_shop: bool) -> (Worker, String, Option<String>) {
        use std::io::BufRead as _;
        let words = [words, &["--listen", "127.0.0.1:0"]].concat();
        let program = if is_shop { shop() } else { PathBuf::from(env!("CARGO_BIN_EXE_vastflow")) };
        let mut child = self.command(&program, &words).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let url = line();
        let first = std::fs::read_to_string(self.dir.path().join(FIRST)).ok();
        (Worker(child), url, first.map(|token| token.trim().to_owned()))
    }

    /// Starts the shop as a service, and gives what it notes until it listens.
    pub(crate) fn notes_of(&self, words: &[&str]) -> String {
        use std::io::BufRead as _;
        let words = [words, &["--listen", "127.0.0.1:0"]].concat();
        let mut child = self.command(&shop(), &words).spawn().unwrap();
        let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let _ends = Worker(child);
        let mut notes = String::new();
        for line in lines {
            notes.push_str(&line);
            notes.push('\n');
            if line.contains("Ctrl-C ends it") {
                break;
            }
        }
        notes
    }

    /// Runs an order of which one item cannot be charged for; its run has this id.
    pub(crate) fn failed_order(&self, id: &str) {
        let input = r#"{"id": 7, "items": [1, -2, 3]}"#;
        self.shop(&["start", "order", "--id", id, "-i", input, "--wait", "--label", "customer=4711"]).fails(1);
    }
}

/// A worker under way.
pub(crate) struct Worker(Child);

impl Worker {
    /// What it prints, for the first who asks.
    pub(crate) fn out(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that is gone already gets none.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Cargo puts examples beside the tests of the same package.
pub(crate) fn shop() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().with_file_name("examples").join("shop");
    assert!(path.exists(), "{} is missing: build it with `cargo build -p vastflow-cli --examples`", path.display());
    path
}

/// Within seconds it is so, on a busy machine too; later it hangs.
const STUCK: Duration = Duration::from_secs(120);

/// Tries until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < STUCK, "waited {STUCK:?} until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
