//! What stands in `deploy/`: its services are started one by one, from programs of this machine, by the same files.

use crate::place::{shop, until};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use vastflow_testsuite::servers::{Postgres, Redis, Sync, free_port};
use yaml_rust2::{Yaml, YamlLoader};

const PASSWORD: &str = "canary-pa55word";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn yaml(file: &str) -> Yaml {
    let text = std::fs::read_to_string(deploy().join(file)).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}

fn texts(list: &Yaml) -> Vec<String> {
    list.as_vec().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// A service of a compose file.
#[derive(Clone, Debug, Default)]
struct Service {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
    dockerfile: Option<String>,
    volumes: Vec<String>,
}

/// The services of compose files, what later ones say going before.
fn services(files: &[&str]) -> BTreeMap<String, Service> {
    let mut all: BTreeMap<String, Service> = BTreeMap::new();
    for file in files {
        let file = yaml(file);
        for (name, said) in file["services"].as_hash().unwrap() {
            let own = all.entry(name.as_str().unwrap().to_owned()).or_default();
            let command = texts(&said["command"]);
            if !command.is_empty() {
                own.command = command;
            }
            for (key, value) in said["environment"].as_hash().into_iter().flatten() {
                own.environment.insert(key.as_str().unwrap().to_owned(), value.as_str().unwrap().to_owned());
            }
            own.dockerfile = said["build"]["dockerfile"].as_str().map(str::to_owned).or(own.dockerfile.take());
            own.volumes.extend(texts(&said["volumes"]));
        }
    }
    all
}

/// A machine on which the services of the files are processes: their names and ports lead here.
struct Machine {
    dir: TempDir,
    /// What stands in the files, and what it is here.
    here: Vec<(String, String)>,
    ports: BTreeMap<String, u16>,
}

/// A process of a service, and what it says.
struct Running {
    child: Child,
    says: Arc<Mutex<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn told_to_end(&mut self) -> bool {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().success()
    }

    fn says(&self) -> String {
        self.says.lock().unwrap().clone()
    }
}

impl Machine {
    fn new(store: (&str, &str)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().display().to_string();
        let here = [
            ("${POSTGRES_PASSWORD}", PASSWORD),
            store,
            ("/var/lib/vastflow", &state),
            // Nobody is there: what cannot be sent is lost, and holds up nothing.
            ("http://jaeger:4318", "http://127.0.0.1:9"),
        ];
        let here = here.map(|(there, here)| (there.to_owned(), here.to_owned())).to_vec();
        Machine { dir, here, ports: BTreeMap::new() }
    }

    /// What a text of the files means here, for a service.
    fn here(&mut self, service: &str, text: &str) -> String {
        let text = self.here.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here));
        match text.strip_prefix("0.0.0.0:").or_else(|| text.strip_prefix("127.0.0.1:")) {
            Some(port) if port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) && port != "9" => {
                let own = *self.ports.entry(format!("{service}:{port}")).or_insert_with(free_port);
                format!("127.0.0.1:{own}")
            }
            _ => text,
        }
    }

    fn start(&mut self, name: &str, program: &Path, service: &Service) -> Running {
        let words: Vec<String> = service.command.iter().map(|word| self.here(name, word)).collect();
        let mut command = Command::new(program);
        command.args(&words).current_dir(self.dir.path()).env_clear();
        for (key, value) in &service.environment {
            command.env(key, self.here(name, value));
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let says = Arc::<Mutex<String>>::default();
        let readers: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for reader in readers {
            let says = Arc::clone(&says);
            std::thread::spawn(move || {
                for line in BufReader::new(reader).lines().map_while(Result::ok) {
                    *says.lock().unwrap() += &format!("{line}\n");
                }
            });
        }
        Running { child, says }
    }

    fn port(&self, of: &str) -> u16 {
        *self.ports.get(of).unwrap_or_else(|| panic!("{of} is not among {:?}", self.ports))
    }

    fn ask(&self, of: &str, head: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port(of))).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let len = body.len();
        let request = format!("{head}\r\nHost: localhost\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    fn answers(&self, of: &str, path: &str) {
        until(&format!("{of}{path} answers"), || {
            self.ask(of, &format!("GET {path} HTTP/1.1"), "").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Runs an order, and waits for it.
    fn order(&self, token: &str) {
        let head = format!(
            "POST /flow/order HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nPrefer: wait=50"
        );
        let answer = self.ask("server:8080", &head, r#"{"id": 7, "items": [1, 2, 3]}"#);
        assert_eq!(answer, Some((200, "\"shipped\"".to_owned())));
    }
}

fn command_line() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vastflow"))
}

/// Starts the services of the files on this store, and uses them.
fn follow(files: &[&str], store: (&str, &str)) {
    let services = services(files);
    let mut machine = Machine::new(store);
    for (name, service) in &services {
        for volume in service.volumes.iter().filter(|volume| volume.starts_with("./")) {
            let path = deploy().join(volume.split(':').next().unwrap());
            assert!(path.exists(), "{name} wants {}", path.display());
        }
        let Some(dockerfile) = &service.dockerfile else { continue };
        let text = std::fs::read_to_string(deploy().join("..").join(dockerfile)).unwrap();
        let builds = if name == "server" { "--bin vastflow" } else { "--example shop" };
        assert!(text.contains(builds), "{dockerfile}");
    }
    let mut server = machine.start("server", command_line(), &services["server"]);
    let mut first = machine.start("worker-1", &shop(), &services["worker-1"]);
    let second = machine.start("worker-2", &shop(), &services["worker-2"]);
    machine.answers("server:8080", "/ready");
    let token = std::fs::read_to_string(machine.dir.path().join("tokens.first")).unwrap().trim().to_owned();
    assert!(token.starts_with("vastflow_live_"));

    // What Prometheus is told to ask is there.
    let targets = texts(&yaml("prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"]);
    assert_eq!(targets.len(), 3);
    for target in &targets {
        machine.answers(target, "/metrics");
    }
    let started = |target: &str| {
        let (_, text) = machine.ask(target, "GET /metrics HTTP/1.1", "").unwrap();
        assert!(text.contains("vastflow_store_up 1"), "{target}");
        let line = text.lines().find(|line| line.starts_with("vastflow_workers "));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).unwrap()
    };
    until("both workers are known", || targets.iter().all(|target| started(target) >= 2.0));
    machine.order(&token);

    // One of two is killed; the other goes on.
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    machine.order(&token);
    assert!(server.told_to_end(), "{}", server.says());
    for says in [server.says(), first.says(), second.says()] {
        assert!(!says.contains(PASSWORD) && !says.contains(&token), "{says}");
        for line in says.lines().filter(|line| line.starts_with('{')) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
            assert!(!line.to_string().contains(&token) && !line.to_string().contains("items"), "{line}");
        }
        assert!(says.lines().any(|line| line.starts_with('{')), "lines of JSON: {says}");
    }
    let audit = std::fs::read_to_string(machine.dir.path().join("audit.jsonl")).unwrap();
    assert_eq!(audit.matches("call_flow").count(), 2, "{audit}");
}

#[test]
fn the_stack_on_postgresql_starts_from_its_files_and_works() {
    let all = services(&["compose.yml"]);
    let (user, database) = (&all["postgres"].environment["POSTGRES_USER"], &all["postgres"].environment["POSTGRES_DB"]);
    let server = Postgres::start(true);
    server.psql(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'"));
    server.psql(&format!("CREATE DATABASE {database} OWNER {user}"));
    follow(&["compose.yml"], ("@postgres:5432/", &format!("@127.0.0.1:{}/", server.port())));
}

#[test]
fn the_stack_on_redis_starts_from_its_files_and_works() {
    let all = services(&["compose.yml", "compose.redis.yml"]);
    // What the file tells Redis is what a fleet asks for.
    assert!(all["redis"].command.windows(2).any(|pair| pair == ["--maxmemory-policy", "noeviction"]));
    let server = Redis::start(Sync::EverySecond);
    let url = server.url();
    follow(&["compose.yml", "compose.redis.yml"], ("redis://redis:6379/0", &url));
}

/// The words behind `ExecStart=`, without the program.
fn exec_start(unit: &str) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(deploy().join("systemd").join(unit)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = line.split(' ').map(|word| word.replace("%i", "blue"));
    (words.next().unwrap(), words.collect())
}

#[test]
fn the_units_start_what_they_say() {
    let redis = Redis::start(Sync::EverySecond);
    let environment = BTreeMap::from([("VASTFLOW_STORE".to_owned(), redis.url())]);
    let mut machine = Machine::new(("", ""));
    machine.here.retain(|(there, _)| !there.is_empty());
    let (program, command) = exec_start("vastflow-server.service");
    assert!(program.ends_with("/vastflow"));
    let unit = Service { command, environment: environment.clone(), ..Service::default() };
    let mut server = machine.start("server", command_line(), &unit);
    machine.answers("server:8080", "/ready");
    machine.answers("server:9464", "/metrics");
    assert!(server.told_to_end(), "{}", server.says());

    let (program, command) = exec_start("vastflow-worker@.service");
    assert!(program.ends_with("/worker"));
    let unit = Service { command, environment, ..Service::default() };
    let mut worker = machine.start("worker", &shop(), &unit);
    until("it works", || worker.says().contains("working on"));
    assert!(worker.told_to_end(), "{}", worker.says());
}

/// Every command of the page that walks through it is one that there is, and every file, too.
#[test]
fn the_page_names_commands_and_files_that_there_are() {
    let page = std::fs::read_to_string(deploy().join("../docs/guide/deploy.md")).unwrap();
    let mut commands = 0;
    for line in page.lines().filter_map(|line| line.trim().strip_prefix("vastflow ")) {
        let line = line.split('#').next().unwrap().trim();
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let said = Command::new(command_line()).args(&words).arg("--help").env_clear().output().unwrap();
        assert!(said.status.success(), "vastflow {line}: {}", String::from_utf8_lossy(&said.stderr));
        commands += 1;
    }
    assert!(commands >= 8, "{commands}");
    let mut files = 0;
    for word in page.split(|c: char| c.is_whitespace() || "`()".contains(c)) {
        if word.starts_with("deploy/") && !word.contains(['*', '=']) && word != "deploy/.env" {
            assert!(deploy().join("..").join(word.trim_end_matches(['.', ',', ':'])).exists(), "{word}");
            files += 1;
        }
    }
    assert!(files >= 6, "{files}");
}

/// What Prometheus' own tool says of the configuration and the alerts, where it is installed.
#[test]
fn prometheus_takes_its_configuration() {
    let said =
        Command::new("promtool").args(["check", "config"]).arg(deploy().join("prometheus/prometheus.yml")).output();
    let Ok(said) = said else { return };
    let says = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && says.contains("rules found"), "{says}");
}
