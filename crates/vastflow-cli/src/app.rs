//! A program with a command line.

use crate::args::{Cli, Verb};
use crate::complaint::Complaint;
use crate::config::{Config, Surroundings};
use crate::out::Out;
use crate::verbs;
use clap::{CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use vastflow_core::plan::Schema;
use vastflow_core::{Name, Plan};
use vastflow_sdk::{Atlantic, Flow, Library, River};
use vastflow_worker::EngineBuilder;

/// A program with the verbs of the `vastflow` command and flows of its own: see [`app`].
#[must_use = "it runs by `.main()`"]
pub struct App {
    build: Vec<Build>,
    pub(crate) own: Own,
    wrong: Option<String>,
}

type Build = Box<dyn FnOnce(EngineBuilder) -> EngineBuilder + Send>;

/// What a program brings.
#[derive(Default)]
pub(crate) struct Own {
    pub(crate) flows: Vec<OwnFlow>,
    pub(crate) library: Library,
}

/// A flow of this program.
pub(crate) struct OwnFlow {
    pub(crate) plan: Arc<Plan>,
    /// What its runs take.
    pub(crate) takes: Schema,
}

impl Own {
    pub(crate) fn flow(&self, name: &str) -> Option<&OwnFlow> {
        self.flows.iter().find(|flow| **flow.plan.flow() == *name)
    }

    pub(crate) fn has_code(&self) -> bool {
        !self.flows.is_empty()
    }
}

/// A program without flows: the `vastflow` command. Add yours and call [`App::main`].
///
/// ```no_run
/// use vastflow_sdk::{Flow, Node, Result};
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// fn main() -> Result<std::process::ExitCode> {
///     let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
///     Ok(vastflow_cli::app().flow(flow).main())
/// }
/// ```
pub fn app() -> App {
    App { build: Vec::new(), own: Own::default(), wrong: None }
}

impl App {
    /// Registers a flow.
    pub fn flow<In: 'static, Out: 'static>(mut self, flow: Flow<In, Out>) -> Self {
        let added = self.own.library.add_flow(flow.name().clone(), Arc::clone(flow.code()));
        self.own.library.learn_rivers(flow.rivers());
        self.own.flows.push(OwnFlow { plan: Arc::clone(flow.plan()), takes: flow.takes().clone() });
        self.note(added.map_err(|error| error.to_string())).engine(|engine| engine.flow(flow))
    }

    /// Registers a river, so that runs that were drawn elsewhere can go on here.
    pub fn river<R: River>(mut self) -> Self {
        let added = self.own.library.register_river::<R>();
        self.note(added.map_err(|error| error.to_string())).engine(EngineBuilder::river::<R>)
    }

    /// Registers an Atlantic.
    pub fn atlantic<A: Atlantic>(mut self) -> Self {
        let added = self.own.library.register_atlantic::<A>();
        self.note(added.map_err(|error| error.to_string())).engine(EngineBuilder::atlantic::<A>)
    }

    /// Sets up the engine that works, before the settings do: windows, limits, retention.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let app = vastflow_cli::app().engine(|engine| engine.lease(Duration::from_secs(5)));
    /// # let _ = app;
    /// ```
    pub fn engine(mut self, set_up: impl FnOnce(EngineBuilder) -> EngineBuilder + Send + 'static) -> Self {
        self.build.push(Box::new(set_up));
        self
    }

    fn note(mut self, result: Result<(), String>) -> Self {
        if let Err(error) = result {
            self.wrong.get_or_insert(error);
        }
        self
    }

    /// Does what the command line says, and gives the exit code. Call it in a plain `fn main`: it brings its own runtime.
    #[must_use = "return it from `main`"]
    pub fn main(self) -> ExitCode {
        self.run(std::env::args_os())
    }

    /// The same with these words instead of the command line's, the program's name first.
    #[must_use = "return it from `main`"]
    pub fn run(self, words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let parsed = command(&words).try_get_matches_from(&words).and_then(|found| Cli::from_arg_matches(&found));
        let cli = match parsed {
            Ok(cli) => cli,
            Err(error) => {
                // What cannot be printed is nobody's to read.
                let _ = error.print();
                return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
            }
        };
        let format = cli.common.output.unwrap_or_default();
        match self.answer(cli, &words) {
            Ok(()) => ExitCode::SUCCESS,
            Err((out, complaint)) => {
                out.unwrap_or_else(|| Out::new(format)).complain(&complaint);
                ExitCode::from(complaint.exit as u8)
            }
        }
    }

    fn answer(mut self, cli: Cli, words: &[OsString]) -> Result<(), (Option<Out>, Complaint)> {
        if let Some(wrong) = self.wrong.take() {
            return Err((None, Complaint::usage(wrong)));
        }
        if let Verb::Completions { shell } = cli.verb {
            let mut command = command(words);
            let name = command.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, name, &mut script);
            Out::new(cli.common.output.unwrap_or_default()).bytes(&script);
            return Ok(());
        }
        let config = Config::read(&cli.common, &Surroundings::here()).map_err(|complaint| (None, complaint))?;
        let out = Out::new(config.format());
        let told = |complaint| (Some(out), complaint);
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err(told(Complaint::usage(
                "the command line was called inside of a tokio runtime; call it in a plain `fn main`, without #[tokio::main]",
            )));
        }
        let runtime = verbs::runtime(&cli.verb).map_err(|why| told(why.into()))?;
        #[cfg(feature = "otel")]
        let traces = vastflow_otel::Traces::from_env().map_err(|why| told(Complaint::usage(why.to_string())))?;
        let context = verbs::Context {
            config,
            out,
            own: self.own,
            #[cfg(feature = "otel")]
            traces: traces.clone(),
            build: self.build,
        };
        let answer = runtime.block_on(verbs::answer(cli.verb, context)).map_err(told);
        #[cfg(feature = "otel")]
        if traces.is_some_and(|traces| !traces.flush()) {
            out.note("some traces could not be sent");
        }
        // A thread that still reads a file must not hold up the end.
        runtime.shutdown_background();
        answer
    }

    /// The flows that it has.
    #[must_use]
    pub fn flow_names(&self) -> Vec<Name> {
        self.own.flows.iter().map(|flow| flow.plan.flow().clone()).collect()
    }
}

/// The command under the name that the program was called by.
fn command(words: &[OsString]) -> clap::Command {
    let called = words.first().map(std::path::Path::new).and_then(std::path::Path::file_stem);
    let name = called.map_or_else(|| "vastflow".to_owned(), |name| name.to_string_lossy().into_owned());
    Cli::command().name(name.clone()).bin_name(name)
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("flows", &self.flow_names()).finish_non_exhaustive()
    }
}
