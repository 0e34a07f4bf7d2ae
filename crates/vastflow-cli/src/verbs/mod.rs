//! The verbs, a file each, and what they share.

mod again;
#[cfg(feature = "serve")]
mod callbacks;
mod doctor;
mod fleet;
mod flows;
mod law;
mod logs;
mod ls;
#[cfg(feature = "client")]
mod remote;
mod result;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod start;
mod store;
mod tail;
mod tell;
mod worker;

use crate::app::Own;
use crate::args::{Reason, Runs, Verb, Watch};
use crate::complaint::Complaint;
use crate::config::Config;
use crate::desk::Desk;
use crate::out::Out;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tell::Word;
use tokio::runtime::{Builder, Runtime};
use vastflow_worker::{Engine, EngineBuilder};

/// How often those look again who look again and again.
const LOOK: Duration = Duration::from_secs(2);

/// What a verb is given.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) out: Out,
    pub(crate) own: Own,
    /// Where traces are sent.
    #[cfg(feature = "otel")]
    pub(crate) traces: Option<vastflow_otel::Traces>,
    pub(crate) build: Vec<Box<dyn FnOnce(EngineBuilder) -> EngineBuilder + Send>>,
}

impl Context {
    /// An engine with the flows of this program.
    pub(crate) fn engine(&mut self, desk: &Desk) -> EngineBuilder {
        let built = Engine::on(Arc::clone(&desk.store));
        #[cfg(feature = "otel")]
        let built = match &self.traces {
            Some(traces) => built.observer(traces.clone()),
            None => built,
        };
        std::mem::take(&mut self.build).into_iter().fold(built, |engine, build| build(engine))
    }

    /// Who asks.
    fn by(&self, reason: &Reason) -> String {
        reason.by.clone().unwrap_or_else(|| self.config.by())
    }
}

/// A runtime that is as large as the verb needs it: most only look.
pub(crate) fn runtime(verb: &Verb) -> std::io::Result<Runtime> {
    match verb {
        #[cfg(feature = "serve")]
        Verb::Dev(_) | Verb::Serve(_) => Builder::new_multi_thread().enable_all().build(),
        Verb::Worker(_) | Verb::Start(_) => Builder::new_multi_thread().enable_all().build(),
        _ => Builder::new_current_thread().enable_all().build(),
    }
}

/// Does what was asked for.
pub(crate) async fn answer(verb: Verb, context: Context) -> Result<(), Complaint> {
    #[cfg(feature = "client")]
    if let Some(url) = context.config.server()?.map(str::to_owned) {
        return remote::answer(verb, &url, &context).await;
    }
    match verb {
        Verb::Start(args) => start::start(args, context).await,
        Verb::Runs(verb) => runs(verb, context).await,
        Verb::Flows(verb) => flows::flows(verb, context).await,
        Verb::Workers(watch) => fleet::workers(watch, &context).await,
        Verb::Queues(watch) => fleet::queues(watch, &context).await,
        Verb::Worker(args) => worker::worker(args, context).await,
        #[cfg(feature = "serve")]
        Verb::Dev(args) => serve::dev(args, context).await,
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::serve(args, context).await,
        #[cfg(feature = "serve")]
        Verb::Tokens(verb) => serve::tokens(verb, &context),
        Verb::Doctor(args) => doctor::doctor(&args, &context).await,
        Verb::Store(verb) => store::store(verb, &context).await,
        // It needs no settings, and was answered without.
        Verb::Completions { .. } => Ok(()),
    }
}

async fn runs(verb: Runs, context: Context) -> Result<(), Complaint> {
    match verb {
        Runs::Ls(args) => ls::ls(&args, &context).await,
        Runs::Show(args) => show::show(&args, &context).await,
        Runs::Tail(args) => tail::tail(&args, &context).await,
        Runs::Logs(args) => logs::logs(&args, &context).await,
        Runs::Result(args) => result::result(&args, &context).await,
        Runs::Signal(args) => again::signal(args, &context).await,
        Runs::Fork(args) => again::fork(args, &context).await,
        Runs::Resolve(args) => again::resolve(args, &context).await,
        Runs::Pause(told) => tell::tell(Word::Pause, &told, &context).await,
        Runs::Resume(told) => tell::tell(Word::Resume, &told, &context).await,
        Runs::Stop(told) => tell::tell(Word::Stop, &told, &context).await,
        Runs::Kill(told) => tell::tell(Word::Kill, &told, &context).await,
        Runs::Retry(told) => tell::tell(Word::Retry, &told, &context).await,
        Runs::Rerun(told) => tell::tell(Word::Rerun, &told, &context).await,
        Runs::Rm(told) => tell::tell(Word::Rm, &told, &context).await,
    }
}

/// Looks once, or again and again.
async fn looking(
    out: Out,
    watch: Watch,
    mut look: impl AsyncFnMut() -> Result<(), Complaint>,
) -> Result<(), Complaint> {
    if !watch.watch {
        return look().await;
    }
    loop {
        out.wipe();
        look().await?;
        tokio::time::sleep(LOOK).await;
    }
}

/// To look at a store once, or again and again.
async fn desk(context: &Context, watch: Watch) -> Result<Desk, Complaint> {
    let desk = if watch.watch { Desk::watch(&context.config).await? } else { Desk::look(&context.config).await? };
    if let Some(holder) = &desk.holder {
        context.out.note(format!("as its tables show it: {holder} has the store open"));
    }
    Ok(desk)
}

/// JSON as it was given: keys stay in their order, and numbers what they are.
#[derive(Clone, Debug)]
pub(crate) struct Raw(Box<RawValue>);

impl Raw {
    fn null() -> Self {
        Raw(RawValue::NULL.to_owned())
    }

    /// The same to look into.
    pub(crate) fn value(&self) -> serde_json::Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Asked for as a value, so that its schema is "anything".
        let value = serde_json::Value::deserialize(from)?;
        serde_json::value::to_raw_value(&value).map(Raw).map_err(serde::de::Error::custom)
    }
}

/// What was given as JSON, `@FILE` or `-`; null when nothing was.
pub(crate) fn read(given: Option<&str>) -> Result<Raw, Complaint> {
    let Some(given) = given else { return Ok(Raw::null()) };
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|why| {
            Complaint::usage(format!("cannot read {path}: {why}")).next("check the path behind the @")
        })?,
        None if given == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
        None => given.to_owned(),
    };
    // First whether it is JSON: without its blanks, `1 2` would be a number.
    let raw = serde_json::from_str::<&RawValue>(&text).and_then(|raw| RawValue::from_string(dense(raw.get())));
    raw.map(Raw).map_err(|why| {
        let quoted = serde_json::Value::String(text.trim().to_owned());
        let complaint = Complaint::usage(format!("the input is no JSON: {why}"));
        if text.trim().len() > 200 { complaint } else { complaint.next(format!("for a text write '{quoted}'")) }
    })
}

/// JSON without the blanks between its parts: the same value is the same bytes, however it was laid out.
fn dense(json: &str) -> String {
    let (mut in_text, mut is_escaped) = (false, false);
    let keep = |c: &char| {
        if in_text {
            in_text = is_escaped || *c != '"';
            is_escaped = !is_escaped && *c == '\\';
            return true;
        }
        in_text = *c == '"';
        !matches!(c, ' ' | '\t' | '\n' | '\r')
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_as_it_is_but_for_blanks() {
        let check = |given: &str, expected: &str| {
            let raw = read(Some(given)).unwrap();
            assert_eq!(serde_json::to_string(&raw).unwrap(), expected);
        };
        check(
            " { \"b\" : 1 ,\n \"a\": [ 1.0, 12345678901234567890123 ] } ",
            r#"{"b":1,"a":[1.0,12345678901234567890123]}"#,
        );
        check(r#""a \" b \\" "#, r#""a \" b \\""#);
        assert_eq!(serde_json::to_string(&read(None).unwrap()).unwrap(), "null");
    }

    #[test]
    fn what_is_no_json_is_told_how_to_write_it() {
        let complaint = read(Some("hello")).unwrap_err();
        assert_eq!(complaint.next.as_deref(), Some("for a text write '\"hello\"'"));
        assert!(read(Some("@/no/such/file")).unwrap_err().text.contains("/no/such/file"));
        assert!(read(Some("1 2")).is_err());
    }
}
