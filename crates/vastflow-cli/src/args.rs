//! What can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Durable workflows: look at runs, start, steer and mend them.
#[derive(Debug, Parser)]
#[command(version, infer_subcommands = true, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Exit codes: 0 ok, 1 the run failed or was stopped (or a check found something), 2 usage, 3 not found, 4 conflict,
5 the store is out of reach.

Verbs may be cut short as long as they are clear: `vastflow r l` is `vastflow runs ls`. So may ids of runs that are
looked at; what is changed is named whole.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb understands.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// The store: sqlite:app.db, redis://HOST/, postgres://USER@HOST/DATABASE
    #[arg(long, global = true, value_name = "URL", help_heading = "Common options")]
    pub(crate) store: Option<String>,
    /// A service instead of a store: http://HOST:PORT; what only a store can do says so
    #[cfg(feature = "client")]
    #[arg(long, global = true, value_name = "URL", help_heading = "Common options")]
    pub(crate) server: Option<String>,
    /// A file with the token for that service [default: the settings token_file, token]
    #[cfg(feature = "client")]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub(crate) token_file: Option<String>,
    /// Send the token by plain http to another machine: everybody on the way can read it
    #[cfg(feature = "client")]
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) insecure_http: bool,
    /// The file of settings [default: $VASTFLOW_CONFIG, else ./vastflow.toml if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub(crate) config: Option<PathBuf>,
    /// How to answer: text for people, json for programs
    #[arg(short, long, global = true, value_name = "FORMAT", help_heading = "Common options")]
    pub(crate) output: Option<Format>,
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: see the guide's page on the command line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a run of a flow
    Start(Start),
    /// Runs: list, show, follow, steer, mend, delete
    #[command(subcommand, alias = "run", infer_subcommands = true, arg_required_else_help = true)]
    Runs(Runs),
    /// Flows: list, show, draw, check
    #[command(subcommand, alias = "flow", infer_subcommands = true, arg_required_else_help = true)]
    Flows(Flows),
    /// Who works on the store
    Workers(Watch),
    /// What waits to be called, lane by lane
    Queues(Watch),
    /// Work on the store with the flows of this program, until Ctrl-C
    Worker(Worker),
    /// Serve HTTP to this machine, without tokens, and work with the flows of this program
    #[cfg(feature = "serve")]
    Dev(Dev),
    /// Serve HTTP to those who have a token, and work with the flows of this program
    #[cfg(feature = "serve")]
    Serve(Serve),
    /// Tokens of the service: list, make, revoke
    #[cfg(feature = "serve")]
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Tokens(TokensVerb),
    /// Look for what is wrong: settings, store, workers, and each unfinished run
    Doctor(Doctor),
    /// The store itself: bring up to date, copy, back up, count, verify
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Store(StoreVerb),
    /// Print a script that completes commands in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// A run to start.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The flow
    pub(crate) flow: String,
    #[command(flatten)]
    pub(crate) input: Input,
    /// The run's id; the same id with the same input again is the same run [default: generated]
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// A label to find it by; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Its key, such as a customer's number: how many with one key are in flight can be limited
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The lane that its calls queue in
    #[arg(long)]
    pub(crate) lane: Option<String>,
    /// Higher goes first, from -128 to 127
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) priority: i8,
    /// How long it may take, with all its waits: 90s, 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = crate::text::duration)]
    pub(crate) deadline: Option<std::time::Duration>,
    /// Wait for its end and print its output
    #[arg(short, long)]
    pub(crate) wait: bool,
}

/// JSON, or a file of it.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// JSON; @FILE reads a file, - reads standard input [default: null]
    #[arg(short, long, value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List runs, newest first
    #[command(aliases = ["list", "l"])]
    Ls(Ls),
    /// Show a run: why it failed, its graph, its timeline
    Show(Show),
    /// Follow what is recorded of a run, until its end
    Tail(Tail),
    /// Print what its calls said
    Logs(Logs),
    /// Print what a run gave
    #[command(alias = "output")]
    Result(RunResult),
    /// Send a signal to a node that waits for it
    Signal(Signal),
    /// Let nothing new start; what runs is recorded
    Pause(Told),
    /// Let paused runs go on
    Resume(Told),
    /// Stop: what runs may end, then undo actions and hooks run
    #[command(alias = "cancel")]
    Stop(Told),
    /// Stop without waiting for what runs
    Kill(Told),
    /// Go on where runs failed or were stopped, as new runs that keep what was done
    Retry(Told),
    /// Begin again from the start, as new runs with the same input
    Rerun(Told),
    /// Do one node and all that follows from it again, as a new run
    Fork(Fork),
    /// Say how it goes on with a node that waits for an operator
    Resolve(Resolve),
    /// Delete runs that are over, and all there is of them
    #[command(alias = "purge")]
    Rm(Told),
}

/// Which runs.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only runs of this flow
    #[arg(long)]
    pub(crate) flow: Option<String>,
    /// Only runs with this status; may be given again
    #[arg(long, value_parser = status)]
    pub(crate) status: Vec<vastflow_core::RunStatus>,
    /// Only runs with this label; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Only runs that were started longer ago: 90s, 5m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = crate::text::duration)]
    pub(crate) older: Option<std::time::Duration>,
    /// Only runs that were started then or later: 2026-11-22, 2026-11-22T10:30 (UTC)
    #[arg(long, value_name = "WHEN", value_parser = crate::text::instant)]
    pub(crate) from: Option<vastflow_core::Timestamp>,
    /// Only runs that were started before then
    #[arg(long, value_name = "WHEN", value_parser = crate::text::instant)]
    pub(crate) to: Option<vastflow_core::Timestamp>,
}

impl Filter {
    /// Whether it takes all runs.
    pub(crate) fn is_empty(&self) -> bool {
        let has_times = self.older.is_some() || self.from.is_some() || self.to.is_some();
        self.flow.is_none() && self.status.is_empty() && self.label.is_empty() && !has_times
    }

    /// The time before which runs were started, if it says one, as seen at `now`.
    pub(crate) fn until(&self, now: vastflow_core::Timestamp) -> Option<vastflow_core::Timestamp> {
        let ago = |older: std::time::Duration| u64::try_from(older.as_millis()).unwrap_or(u64::MAX);
        // What is exactly so old is old enough.
        let old = self.older.map(|older| now.millis().saturating_sub(ago(older)).saturating_add(1));
        let all = [old, self.to.map(|to| to.millis())];
        all.into_iter().flatten().min().map(vastflow_core::Timestamp::from_millis)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// How many at most
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Go on below this run of another page, as `next` says it
    #[arg(long, value_name = "NEXT")]
    pub(crate) before: Option<u64>,
    #[command(flatten)]
    pub(crate) watch: Watch,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Watch {
    /// Look again every two seconds, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The run's id, or as much of it as is clear
    pub(crate) id: String,
    /// A scope inside: an item or an arm as outer[key], a basin as outer, with / between
    #[arg(long, value_name = "SCOPE", default_value = "", hide_default_value = true)]
    pub(crate) within: String,
    /// How many failed or open scopes of a node are unfolded
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) unfold: usize,
    #[command(flatten)]
    pub(crate) watch: Watch,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// The run's id, or as much of it as is clear
    pub(crate) id: String,
    /// A scope inside, as in `runs show`
    #[arg(long, value_name = "SCOPE", default_value = "", hide_default_value = true)]
    pub(crate) within: String,
    /// Print what is there and end
    #[arg(long)]
    pub(crate) no_follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The run's id, or as much of it as is clear
    pub(crate) id: String,
    /// A scope inside, as in `runs show`
    #[arg(long, value_name = "SCOPE", default_value = "", hide_default_value = true)]
    pub(crate) within: String,
    /// Only of this node
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// Go on until the run ends: what a call says is told when it ends
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunResult {
    /// The run's id, or as much of it as is clear
    pub(crate) id: String,
    /// Wait for its end
    #[arg(short, long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Signal {
    /// The run's id
    pub(crate) id: String,
    /// The signal
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) input: Input,
    /// The signal's id: the same one again is the same signal, and changes nothing [default: generated]
    #[arg(long, value_name = "ID")]
    pub(crate) signal_id: Option<String>,
    /// A scope inside, as in `runs show`
    #[arg(long, value_name = "SCOPE", default_value = "", hide_default_value = true)]
    pub(crate) within: String,
}

/// Runs that something is asked of.
#[derive(Debug, Args)]
pub(crate) struct Told {
    /// The runs' ids
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// All that it can be asked of
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Only say which runs it is about
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask whether it is meant
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

/// Who asks, and why: recorded with what is asked for.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reason {
    /// Who asks [default: the setting `by`, else $USER]
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Fork {
    /// The run's id
    pub(crate) id: String,
    /// The node that is done again, with all that follows from it
    #[arg(long, value_name = "NODE")]
    pub(crate) at: String,
    /// What the node gets instead of what flows into it: JSON, @FILE or -
    #[arg(short, long, value_name = "JSON", conflicts_with = "gives", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
    /// What the node gave, so that it is not called: JSON, @FILE or -
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) gives: Option<String>,
    /// The new run's id [default: the old one's with .fork1 behind it]
    #[arg(long, value_name = "ID")]
    pub(crate) new_id: Option<String>,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The run's id
    pub(crate) id: String,
    /// The node, inside others as outer[key]/node; `runs show` names it
    pub(crate) node: String,
    /// How it goes on
    pub(crate) choice: ChoiceWord,
    /// With `done`: what the node gave: JSON, @FILE or -
    #[arg(short, long, value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChoiceWord {
    /// Try again, with all its retries
    Retry,
    /// Go on without it: its result is null
    Skip,
    /// It was done by hand
    Done,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Flows {
    /// List flows
    #[command(alias = "list")]
    Ls,
    /// Show a flow: its nodes, what it takes, its plans
    Show(OneFlow),
    /// Draw a flow
    Graph(Graph),
    /// Find unfinished runs whose code nobody has: exit code 1 if there are any
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct OneFlow {
    /// The flow
    pub(crate) flow: String,
    /// One of its stored plans, by its hash or as much of it as is clear
    #[arg(long, value_name = "HASH")]
    pub(crate) plan: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) flow: OneFlow,
    /// How
    #[arg(long = "as", value_name = "KIND", default_value = "text")]
    pub(crate) kind: Picture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    /// Levels of nodes
    Text,
    /// For graphviz
    Dot,
    /// For Markdown
    Mermaid,
}

#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// How many calls at once [default: the setting worker.slots, else 1000]
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<usize>,
    /// Its name among the workers of the store [default: the setting worker.name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How soon others take over when it dies [default: the setting worker.lease, else 15s]
    #[arg(long, value_name = "TIME", value_parser = crate::text::duration)]
    pub(crate) lease: Option<std::time::Duration>,
    #[command(flatten)]
    pub(crate) sight: Sight,
}

/// How it is seen from outside.
#[derive(Debug, Default, Args)]
pub(crate) struct Sight {
    /// Say what happens on standard error: text or json, and from which level on: json:debug [default: the setting log]
    #[arg(long, value_name = "FORMAT[:LEVEL]")]
    pub(crate) log: Option<String>,
    #[cfg(feature = "serve")]
    /// Where /metrics is answered to anybody who reaches it [default: the setting serve.metrics_addr]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_addr: Option<String>,
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where [default: the setting serve.listen, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) sight: Sight,
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where [default: the setting serve.listen, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) sight: Sight,
    /// Never run a node here: workers on the same store do
    #[arg(long)]
    pub(crate) server_only: bool,
    /// Show only: nobody may change anything here
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Answer below this path, say /ops/vastflow
    #[arg(long, value_name = "PATH")]
    pub(crate) base_path: Option<String>,
    /// A name that the service is reached by; may be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// A file to which a line is added for all that changes something
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// The certificate chain of the service, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_chain: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_chain")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Let anybody who reaches the service do everything
    #[arg(long)]
    pub(crate) insecure_no_auth: bool,
}

#[cfg(feature = "serve")]
#[derive(Debug, Subcommand)]
pub(crate) enum TokensVerb {
    /// List tokens, without their secrets
    #[command(alias = "list")]
    Ls,
    /// Make a token and print it: this once
    Make {
        /// Who it is for: recorded with what is asked for by it
        name: String,
        /// What it is good for: viewer, operator, admin, payload:read; may be given again
        #[arg(long, required = true, value_parser = scope)]
        scope: Vec<vastflow_api::access::Scope>,
        /// With which flows: names, or patterns with *; all unless said
        #[arg(long)]
        flow: Vec<String>,
        /// For how many days [default: 90]
        #[arg(long)]
        days: Option<u32>,
    },
    /// End a token
    Revoke {
        /// Its id, as `tokens ls` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Repair what is safe to repair
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreVerb {
    /// Make the store, or bring its tables up to date
    Migrate,
    /// Copy all plans and runs to another store; may be broken off, and goes on then
    Copy {
        /// Where to
        to: String,
        /// Only say how many runs there are to copy
        #[arg(long)]
        dry_run: bool,
    },
    /// Copy all plans and runs to a new file
    Backup {
        /// The file: it must not be there yet
        file: PathBuf,
    },
    /// Count runs, plans and workers
    Stats,
    /// Read every journal, and say which make no sense
    Verify,
}

fn status(word: &str) -> Result<vastflow_core::RunStatus, String> {
    vastflow_core::RunStatus::parse(word).ok_or_else(|| {
        let all: Vec<&str> = vastflow_core::RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("write one of {}", all.join(", "))
    })
}

#[cfg(feature = "serve")]
fn scope(word: &str) -> Result<vastflow_api::access::Scope, String> {
    use vastflow_api::access::Scope;
    Scope::parse(word).ok_or_else(|| format!("write one of {}", Scope::ALL.map(Scope::as_str).join(", ")))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
