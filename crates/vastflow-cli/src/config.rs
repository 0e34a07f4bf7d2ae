//! Settings: a file, then the environment, then the command line. What comes later wins, and each value knows where it is
//! from.

use crate::args::{Common, Format};
use crate::complaint::Complaint;
use crate::text::{duration, meant};
use clap::ValueEnum as _;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is read when none is named.
const FILE: &str = "vastflow.toml";

/// Where the service listens when nothing else is said.
const LISTEN: &str = "127.0.0.1:8080";
/// Where its tokens are when nothing else is said.
const TOKENS: &str = "vastflow.tokens";

/// A setting that there is.
pub(crate) struct Setting {
    /// As it stands in the file, with a dot for a table: `worker.slots`.
    pub(crate) key: &'static str,
    pub(crate) about: &'static str,
    /// What holds when nobody says anything else, as `doctor` shows it.
    default: &'static str,
    check: fn(&str) -> Result<(), String>,
}

/// All of them. The variable of `worker.slots` is `VASTFLOW_WORKER_SLOTS`.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting { key: "store", about: "the store's URL", default: "none", check: is_url },
    Setting { key: "server", about: "a service instead of a store", default: "none", check: is_server },
    Setting { key: "token", about: "the token for that service", default: "none", check: is_text },
    Setting { key: "token_file", about: "a file with that token", default: "none", check: is_text },
    Setting { key: "output", about: "text or json", default: "text", check: is_format },
    Setting { key: "by", about: "who is recorded with what is asked for", default: "$USER", check: is_text },
    Setting { key: "worker.slots", about: "how many calls a worker makes at once", default: "1000", check: is_count },
    Setting { key: "worker.name", about: "the worker's name", default: "none", check: is_text },
    Setting { key: "worker.lease", about: "how soon others take over", default: "15s", check: is_span },
    Setting { key: "worker.lanes", about: "lanes that it serves: gpu=2,mail=10", default: "none", check: is_lanes },
    Setting { key: "log", about: "what is said on standard error", default: "off", check: crate::log::is_log },
    Setting { key: "serve.listen", about: "where the service listens", default: LISTEN, check: is_address },
    Setting { key: "serve.metrics_addr", about: "where metrics are answered", default: "none", check: is_address },
    Setting { key: "callbacks.allow", about: "who may be told how runs ended", default: "nobody", check: is_text },
    Setting { key: "callbacks.networks", about: "private networks they may be in", default: "none", check: is_text },
    Setting { key: "callbacks.secret_file", about: "what they are signed with", default: "none", check: is_text },
    Setting { key: "serve.connections_each", about: "connections of one address", default: "1024", check: is_count },
    Setting { key: "serve.tokens", about: "the file with the service's tokens", default: TOKENS, check: is_text },
];

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(PathBuf),
    /// The file that lies in the working directory, which nobody named: whoever can write there wrote it.
    Found(PathBuf),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) | Origin::Found(path) => write!(f, "{}", path.display()),
            Origin::Variable(name) => write!(f, "${name}"),
            Origin::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// All settings, with what holds for each, and whether a token may travel in clear text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config(BTreeMap<&'static str, (String, Origin)>, bool);

/// What [`Config::read`] reads besides the command line.
pub(crate) struct Surroundings {
    pub(crate) variables: Vec<(String, String)>,
    /// Where `vastflow.toml` is looked for.
    pub(crate) dir: PathBuf,
}

impl Surroundings {
    pub(crate) fn here() -> Self {
        // What is no text is no setting of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Surroundings { variables: std::env::vars_os().filter_map(text).collect(), dir: PathBuf::new() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Config {
    /// Reads all settings.
    pub(crate) fn read(common: &Common, around: &Surroundings) -> Result<Self, Complaint> {
        let mut config = Config::default();
        let named = common.config.clone().or_else(|| around.variable("VASTFLOW_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| around.dir.join(FILE));
        match std::fs::read_to_string(&path) {
            Ok(text) if named.is_some() => config.take_file(&text, &Origin::File(path))?,
            Ok(text) => config.take_file(&text, &Origin::Found(path))?,
            Err(why) if named.is_some() || why.kind() != std::io::ErrorKind::NotFound => {
                let text = format!("cannot read the settings in {}: {why}", path.display());
                return Err(Complaint::usage(text).next("check --config and $VASTFLOW_CONFIG"));
            }
            Err(_) => {}
        }
        config.take_variables(around)?;
        config.set_flag("store", common.store.as_deref())?;
        #[cfg(feature = "client")]
        {
            config.set_flag("server", common.server.as_deref())?;
            config.set_flag("token_file", common.token_file.as_deref())?;
            config.1 = common.insecure_http;
        }
        if let Some(format) = common.output {
            let word = format.to_possible_value().map(|value| value.get_name().to_owned());
            config.set_flag("output", word.as_deref())?;
        }
        Ok(config)
    }

    fn take_file(&mut self, text: &str, origin: &Origin) -> Result<(), Complaint> {
        let wrong = |why: String| Complaint::usage(format!("{origin}: {why}"));
        let table: toml::Table = text.parse().map_err(|why: toml::de::Error| wrong(why.to_string().trim().into()))?;
        for (key, value) in flat(&table, "") {
            let setting = SETTINGS.iter().find(|setting| setting.key == key);
            let setting = setting.ok_or_else(|| wrong(unknown("setting", &key, SETTINGS.iter().map(|it| it.key))))?;
            let value = plain(&value)
                .ok_or_else(|| wrong(format!("{key} is {}, and wants a text or a number", value.type_str())))?;
            self.set(setting, value, origin.clone()).map_err(wrong)?;
        }
        Ok(())
    }

    fn take_variables(&mut self, around: &Surroundings) -> Result<(), Complaint> {
        for (name, value) in &around.variables {
            let Some(rest) = name.strip_prefix("VASTFLOW_") else { continue };
            let Some(setting) = SETTINGS.iter().find(|setting| variable_of(setting.key) == *name) else {
                // Others have variables that begin like this, Kubernetes for a service of that name: only what looks like
                // a slip of the pen is an error.
                let known: Vec<String> = SETTINGS.iter().map(|it| variable_of(it.key)).collect();
                let near = meant(rest, known.iter().filter_map(|name| name.strip_prefix("VASTFLOW_")));
                match near.filter(|_| rest != "CONFIG") {
                    Some(near) => {
                        let text = format!("${name} is no setting; did you mean $VASTFLOW_{near}?");
                        return Err(Complaint::usage(text));
                    }
                    None => continue,
                }
            };
            // One that is there and empty is how shells and compose files say that it is not set.
            if value.is_empty() {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            self.set(setting, value.clone(), origin).map_err(|why| Complaint::usage(format!("${name}: {why}")))?;
        }
        Ok(())
    }

    /// Takes what was typed for a setting, if it was.
    pub(crate) fn set_flag(&mut self, key: &'static str, value: Option<&str>) -> Result<(), Complaint> {
        // On the command line words are joined otherwise.
        let flag = match key {
            "token_file" => "token-file",
            "serve.metrics_addr" => "metrics-addr",
            _ => key.rsplit('.').next().unwrap_or(key),
        };
        let (Some(setting), Some(value)) = (SETTINGS.iter().find(|setting| setting.key == key), value) else {
            return Ok(());
        };
        let set = self.set(setting, value.to_owned(), Origin::Flag(flag));
        set.map_err(|why| Complaint::usage(format!("--{flag}: {why}")))
    }

    fn set(&mut self, setting: &'static Setting, value: String, origin: Origin) -> Result<(), String> {
        (setting.check)(&value).map_err(|why| {
            let shown = match setting.key {
                "store" => vastflow_open::without_secret(&value),
                "token" => "…".to_owned(),
                _ => value.clone(),
            };
            format!("{} is {shown:?}: {why}", setting.key)
        })?;
        self.0.insert(setting.key, (value, origin));
        Ok(())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(value, _)| value.as_str())
    }

    /// How much somebody meant a setting: what was typed more than what stands in a file.
    #[cfg(feature = "client")]
    fn rank(&self, key: &str) -> u8 {
        match self.0.get(key).map(|(_, origin)| origin) {
            None => 0,
            Some(Origin::Default) => 1,
            Some(Origin::File(_) | Origin::Found(_)) => 2,
            Some(Origin::Variable(_)) => 3,
            Some(Origin::Flag(_)) => 4,
        }
    }

    /// The service that is to be asked, if it is not a store: of both, the one that was meant more.
    #[cfg(feature = "client")]
    pub(crate) fn server(&self) -> Result<Option<&str>, Complaint> {
        let (server, store) = (self.rank("server"), self.rank("store"));
        match self.get("server") {
            Some(_) if server == store => {
                Err(Complaint::usage("a store and a service are named: which of them is meant?").next("leave one out"))
            }
            server_url => Ok(server_url.filter(|_| server > store)),
        }
    }

    /// The token for the service.
    #[cfg(feature = "client")]
    pub(crate) fn token(&self) -> Result<Option<String>, Complaint> {
        let key = if self.rank("token") > self.rank("token_file") { "token" } else { "token_file" };
        self.may_go(key)?;
        if key == "token" {
            return Ok(self.get("token").map(str::to_owned));
        }
        let Some(path) = self.get("token_file") else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|why| Complaint::usage(format!("cannot read the token in {path}: {why}")))?;
        Ok(Some(text.trim().to_owned()))
    }

    /// Whether the token may travel in clear text to another machine. It is typed or it is not: no file says so.
    #[cfg(feature = "client")]
    pub(crate) const fn insecure_http(&self) -> bool {
        self.1
    }

    /// Whether a token may go to the service that is named. One that is named by a file which just lies in the working directory,
    /// as that of somebody else's repository, gets the token that lies there, too, and no other.
    #[cfg(feature = "client")]
    fn may_go(&self, key: &str) -> Result<(), Complaint> {
        let (Some((url, Origin::Found(file))), Some((value, from))) = (self.0.get("server"), self.0.get(key)) else {
            return Ok(());
        };
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let whole = |path: &Path| path.canonicalize().ok();
        let lies_there = || whole(Path::new(value)).zip(whole(dir)).is_none_or(|(path, dir)| path.starts_with(dir));
        if matches!(from, Origin::Found(_)) && (key == "token" || lies_there()) {
            return Ok(());
        }
        let token =
            if key == "token" { format!("the token of {from}") } else { format!("the token in {value} ({from})") };
        let text =
            format!("{} lies in this directory and names {url}, and {token} would be sent there", file.display());
        Err(Complaint::usage(text).next(format!("if it is meant: --server {url}, or --config {}", file.display())))
    }

    /// What holds for a setting, to show it: without passwords, and where it is from.
    pub(crate) fn shown(&self, setting: &Setting) -> (String, Origin) {
        match self.0.get(setting.key) {
            Some((_, origin)) if setting.key == "token" => ("…".to_owned(), origin.clone()),
            Some((value, origin)) => (vastflow_open::without_secret(value), origin.clone()),
            None => (setting.default.to_owned(), Origin::Default),
        }
    }

    /// How to answer.
    pub(crate) fn format(&self) -> Format {
        self.get("output").and_then(|word| Format::from_str(word, true).ok()).unwrap_or_default()
    }

    /// The store's URL.
    pub(crate) fn store(&self) -> Result<&str, Complaint> {
        self.get("store").ok_or_else(|| {
            Complaint::usage("no store is named, so there is nothing to look at")
                .next("add --store sqlite:app.db, or set $VASTFLOW_STORE, or write store = \"sqlite:app.db\" in vastflow.toml")
        })
    }

    /// Who asks.
    pub(crate) fn by(&self) -> String {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        self.get("by").map(str::to_owned).or_else(user).unwrap_or_else(|| "vastflow".into())
    }

    /// How soon others take over from a worker.
    pub(crate) fn lease(&self) -> Option<Duration> {
        self.get("worker.lease").and_then(|text| duration(text).ok())
    }

    /// Where the service listens.
    #[cfg(feature = "serve")]
    pub(crate) fn listen(&self) -> &str {
        self.get("serve.listen").unwrap_or(LISTEN)
    }

    /// The file with the service's tokens.
    #[cfg(feature = "serve")]
    pub(crate) fn tokens(&self) -> &str {
        self.get("serve.tokens").unwrap_or(TOKENS)
    }

    /// The most connections of one address, if it is said.
    #[cfg(feature = "serve")]
    pub(crate) fn connections_each(&self) -> Option<usize> {
        self.get("serve.connections_each").and_then(|text| text.parse().ok())
    }

    /// Takes a store where none is named.
    #[cfg(feature = "serve")]
    pub(crate) fn assume_store(&mut self, url: &str) {
        self.0.entry("store").or_insert_with(|| (url.to_owned(), Origin::Default));
    }

    /// How many calls a worker makes at once.
    pub(crate) fn slots(&self) -> Option<usize> {
        self.get("worker.slots").and_then(|text| text.parse().ok())
    }

    /// The lanes that a worker serves, with how many calls each.
    pub(crate) fn lanes(&self) -> Vec<(String, usize)> {
        self.get("worker.lanes").and_then(|text| lanes(text).ok()).unwrap_or_default()
    }
}

/// The variable of a setting.
pub(crate) fn variable_of(key: &str) -> String {
    format!("VASTFLOW_{}", key.replace('.', "_").to_uppercase())
}

/// A table's values by their keys, those of inner tables with a dot.
fn flat(table: &toml::Table, before: &str) -> Vec<(String, toml::Value)> {
    let one = |(key, value): (&String, &toml::Value)| {
        let key = format!("{before}{key}");
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => flat(inner, &format!("{key}.")),
            value => vec![(key, value.clone())],
        }
    };
    table.iter().flat_map(one).collect()
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn unknown<'a>(what: &str, key: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match meant(key, known.clone()) {
        Some(near) => format!("there is no {what} {key:?}; did you mean {near:?}?"),
        None => format!("there is no {what} {key:?}; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

fn is_url(text: &str) -> Result<(), String> {
    const SCHEMES: [&str; 6] = ["sqlite", "redis", "rediss", "postgres", "postgresql", "memory"];
    match text.split_once(':') {
        Some((scheme, _)) if SCHEMES.contains(&scheme) => Ok(()),
        _ => Err("it is no URL of a store; write sqlite:app.db, redis://HOST/ or postgres://USER@HOST/DATABASE".into()),
    }
}

fn is_server(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host.filter(|host| !host.is_empty() && !host.contains('@')) {
        Some(_) => Ok(()),
        None => Err("it is no address of a service; write http://127.0.0.1:8080".into()),
    }
}

fn is_format(text: &str) -> Result<(), String> {
    Format::from_str(text, true).map(drop).map_err(|_| "write text or json".into())
}

fn is_text(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("it is empty".into()) } else { Ok(()) }
}

fn is_count(text: &str) -> Result<(), String> {
    match text.parse::<usize>() {
        Ok(1..) => Ok(()),
        _ => Err("write a whole number from 1 on".into()),
    }
}

fn is_span(text: &str) -> Result<(), String> {
    duration(text).map(drop)
}

fn is_address(text: &str) -> Result<(), String> {
    let port =
        text.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok()).flatten());
    port.map(drop).ok_or_else(|| {
        "it is no address to listen on: write HOST:PORT, as 127.0.0.1:8080 for this machine, 0.0.0.0:8080 for others, too; \
         port 0 takes a free one"
            .into()
    })
}

fn is_lanes(text: &str) -> Result<(), String> {
    lanes(text).map(drop)
}

fn lanes(text: &str) -> Result<Vec<(String, usize)>, String> {
    let one = |lane: &str| {
        let (name, calls) = lane.trim().split_once('=')?;
        Some((name.trim().to_owned(), calls.trim().parse().ok()?))
    };
    text.split(',').map(|lane| one(lane).ok_or_else(|| "write gpu=2,mail=10".to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(dir: &Path, variables: &[(&str, &str)]) -> Surroundings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Surroundings { variables: variables.collect(), dir: dir.to_owned() }
    }

    fn read(file: &str, variables: &[(&str, &str)], common: &Common) -> Result<Config, Complaint> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), file).unwrap();
        Config::read(common, &around(dir.path(), variables))
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let dir = tempfile::tempdir().unwrap();
        let around = around(dir.path(), &[("VASTFLOW_TOKEN", ""), ("VASTFLOW_STORE", "")]);
        let config = Config::read(&Common::default(), &around).unwrap();
        assert_eq!((config.get("token"), config.get("store")), (None, None));
    }

    #[test]
    fn what_comes_later_wins_and_knows_where_it_is_from() {
        let file = "store = 'sqlite:file.db'\nby = 'ann'\n[worker]\nslots = 7\nlanes = 'gpu=2, mail=10'\n";
        let variables = [("VASTFLOW_STORE", "sqlite:variable.db"), ("VASTFLOW_WORKER_LEASE", "5s"), ("PATH", "/bin")];
        let config = read(file, &variables, &Common::default()).unwrap();
        assert_eq!(config.store().unwrap(), "sqlite:variable.db");
        assert_eq!((config.by().as_str(), config.slots()), ("ann", Some(7)));
        assert_eq!(config.lease(), Some(Duration::from_secs(5)));
        assert_eq!(config.lanes(), [("gpu".to_owned(), 2), ("mail".to_owned(), 10)]);
        let flags = Common { store: Some("redis://u:secret@h/0".into()), ..Common::default() };
        let config = read(file, &variables, &flags).unwrap();
        let shown: Vec<String> = SETTINGS.iter().map(|it| config.shown(it)).map(|(v, o)| format!("{v} {o}")).collect();
        assert_eq!(shown[0], "redis://…@h/0 --store");
        assert_eq!(shown[4], "text default");
        assert!(shown[6].starts_with("7 ") && shown[6].ends_with("vastflow.toml"), "{}", shown[6]);
        assert_eq!(shown[8], "5s $VASTFLOW_WORKER_LEASE");
    }

    #[test]
    fn what_is_not_known_is_an_error_with_a_suggestion() {
        let check = |file: &str, variables: &[(&str, &str)], says: &str| {
            let complaint = read(file, variables, &Common::default()).unwrap_err();
            assert!(complaint.text.contains(says), "{complaint}");
            assert_eq!(complaint.exit, crate::complaint::Exit::Usage);
        };
        check("stor = 'sqlite:a.db'", &[], "did you mean \"store\"?");
        check("[worker]\nslot = 1", &[], "did you mean \"worker.slots\"?");
        check("colour = 'red'", &[], "there are store, server");
        check("store = 7", &[], "write sqlite:app.db");
        check("worker = 7", &[], "there is no setting \"worker\"");
        check("store = ['a']", &[], "wants a text or a number");
        check("[worker]\nslots = 0", &[], "from 1 on");
        check("store =", &[], "vastflow.toml");
        check("", &[("VASTFLOW_STOR", "x")], "did you mean $VASTFLOW_STORE?");
        check("", &[("VASTFLOW_WORKER_SLOTS", "many")], "$VASTFLOW_WORKER_SLOTS");
        check("", &[("VASTFLOW_CONFIG", "/no/such/file")], "/no/such/file");
    }

    #[test]
    fn what_is_others_is_passed_over() {
        let variables = [("VASTFLOW_SERVICE_HOST", "10.0.0.1"), ("VASTFLOW_PORT_8080_TCP", "tcp://10.0.0.1:8080")];
        let config = read("", &variables, &Common::default()).unwrap();
        assert!(config.store().unwrap_err().next.unwrap().contains("--store sqlite:app.db"));
    }

    #[cfg(feature = "client")]
    #[test]
    fn a_file_that_lies_about_gets_no_token_but_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let beside = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(beside("own.token"), "its own\n").unwrap();
        std::fs::write(outside.path().join("token"), "a secret\n").unwrap();
        std::os::unix::fs::symlink(outside.path().join("token"), beside("link")).unwrap();
        let elsewhere = outside.path().join("token").display().to_string();
        let ask = |file: &str, variables: &[(&str, &str)], common: &Common| {
            std::fs::write(dir.path().join(FILE), file).unwrap();
            Config::read(common, &around(dir.path(), variables)).unwrap().token()
        };
        let server = "server = 'https://evil.example'\n";
        let nothing = Common::default();
        let refused = |asked: Result<Option<String>, Complaint>| {
            let complaint = asked.unwrap_err();
            assert!(complaint.text.contains("names https://evil.example") && !complaint.text.contains("secret"));
            assert!(complaint.next.unwrap().contains("--server https://evil.example"));
        };
        refused(ask(server, &[("VASTFLOW_TOKEN", "secret")], &nothing));
        refused(ask(server, &[("VASTFLOW_TOKEN_FILE", &elsewhere)], &nothing));
        refused(ask(server, &[], &Common { token_file: Some(elsewhere.clone()), ..Common::default() }));
        refused(ask(&format!("{server}token_file = '{elsewhere}'"), &[], &nothing));
        refused(ask(&format!("{server}token_file = '{}'", beside("link")), &[], &nothing));
        let own = format!("{server}token_file = '{}'", beside("own.token"));
        assert_eq!(ask(&own, &[], &nothing).unwrap().as_deref(), Some("its own"));
        assert_eq!(ask(&format!("{server}token = 't'"), &[], &nothing).unwrap().as_deref(), Some("t"));
        assert_eq!(ask(server, &[], &nothing).unwrap(), None);
        // Who names the service, or the file, means it.
        let typed = Common { server: Some("https://flows.example".into()), ..Common::default() };
        assert_eq!(ask(server, &[("VASTFLOW_TOKEN", "t")], &typed).unwrap().as_deref(), Some("t"));
        let named = Common { config: Some(dir.path().join(FILE)), ..Common::default() };
        assert_eq!(ask(server, &[("VASTFLOW_TOKEN", "t")], &named).unwrap().as_deref(), Some("t"));
        let variables = [("VASTFLOW_TOKEN", "t"), ("VASTFLOW_SERVER", "https://flows.example")];
        assert_eq!(ask(server, &variables, &nothing).unwrap().as_deref(), Some("t"));
    }
}
