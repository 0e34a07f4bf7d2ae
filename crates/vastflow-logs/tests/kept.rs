//! What handlers say is kept with their calls, and read from the journal.
#![allow(elided_lifetimes_in_paths, reason = "users write `Node<u32>`, and so do tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

use std::sync::Arc;
use tracing_subscriber::prelude::*;
use vastflow_core::limits::{MAX_CALL_LOG_BYTES, MAX_LINES, MAX_LOG_BYTES};
use vastflow_core::{Level, Seq};
use vastflow_sdk::{Ctx, Flow, Node, Result, Retry};
use vastflow_store::{MemoryStore, Store};
use vastflow_worker::{Engine, LogLine, Run};

/// All lines of a run's own scope, and how many were dropped.
async fn lines(engine: &Engine, run: &Run) -> (Vec<LogLine>, u64) {
    let scope = vastflow_core::ScopeId::root(run.id().clone());
    let started = engine.store().run(run.id()).await.unwrap().unwrap().summary.started;
    let plan = engine.store().plan(started.plan).await.unwrap().unwrap();
    let (mut all, mut dropped) = (Vec::new(), 0);
    for recorded in engine.store().history(&scope, Seq::ZERO, 10_000).await.unwrap() {
        let (lines, lost) = LogLine::of(&plan, &recorded);
        all.extend(lines);
        dropped += u64::from(lost);
    }
    (all, dropped)
}

async fn engine<In, Out>(flow: Flow<In, Out>) -> Engine {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    Engine::on(store).flow(flow).start().await.unwrap()
}

#[tokio::test]
async fn what_a_handler_says_is_kept_with_its_call() {
    let _guard = tracing_subscriber::registry().with(vastflow_logs::kept(tracing::Level::INFO)).set_default();
    async fn shaky(ctx: Ctx, n: u32) -> Result<u32> {
        tracing::info!(n, who = "ann", "asked");
        tracing::debug!("not from this level on");
        tokio::task::yield_now().await;
        ctx.log_at(Level::Warn, "said by hand");
        if ctx.attempt() == 1 { Err("no".into()) } else { Ok(n) }
    }
    async fn other(n: u32) -> Result<u32> {
        tracing::error!("of another node");
        Ok(n)
    }
    let flow = Flow::dag("f", |dag, n: Node<u32>| {
        let n = dag.node("shaky", shaky, n).retry(Retry::times(1));
        dag.node("other", other, n)
    });
    let engine = engine(flow.unwrap()).await;
    let run = engine.run("f", 7_u32).await.unwrap();
    run.wait().await.unwrap();
    let (lines, dropped) = lines(&engine, &run).await;
    let seen: Vec<(&str, u32, &str, &str)> = lines
        .iter()
        .map(|line| (line.node.as_deref().unwrap(), line.attempt, line.level.as_str(), &*line.text))
        .collect();
    assert_eq!(
        seen,
        [
            ("shaky", 1, "info", "asked n=7 who=ann"),
            ("shaky", 1, "warn", "said by hand"),
            ("shaky", 2, "info", "asked n=7 who=ann"),
            ("shaky", 2, "warn", "said by hand"),
            ("other", 1, "error", "of another node"),
        ]
    );
    assert_eq!(dropped, 0);
}

#[tokio::test]
async fn too_much_is_dropped_with_a_count() {
    async fn talks(ctx: Ctx, n: u32) -> Result<u32> {
        for line in 0..1_000 {
            ctx.log(format!("line {line}"));
        }
        Ok(n)
    }
    let engine = engine(Flow::dag("f", |dag, n: Node<u32>| dag.node("talks", talks, n)).unwrap()).await;
    let run = engine.run("f", 7_u32).await.unwrap();
    run.wait().await.unwrap();
    let (lines, dropped) = lines(&engine, &run).await;
    assert_eq!((lines.len(), dropped), (MAX_LINES, 1_000 - MAX_LINES as u64));
    assert_eq!(&*lines.last().unwrap().text, "line 999", "the last ones are kept");
}

#[tokio::test]
async fn a_scope_keeps_a_megabyte_and_counts_the_rest() {
    async fn talks(ctx: Ctx, n: u32) -> Result<u32> {
        (0..100).for_each(|_| ctx.log("x".repeat(4_000)));
        if ctx.attempt() < 30 { Err("again".into()) } else { Ok(n) }
    }
    let flow = Flow::dag("f", |dag, n: Node<u32>| dag.node("talks", talks, n).retry(Retry::times(40)));
    let engine = engine(flow.unwrap()).await;
    let run = engine.run("f", 7_u32).await.unwrap();
    run.wait().await.unwrap();
    let (lines, dropped) = lines(&engine, &run).await;
    let bytes: usize = lines.iter().map(|line| line.text.len()).sum();
    assert!(bytes <= MAX_LOG_BYTES && bytes > MAX_LOG_BYTES - MAX_CALL_LOG_BYTES, "{bytes}");
    assert_eq!(lines.len() as u64 + dropped, 30 * 100, "all are counted");
    assert_eq!(run.output::<u32>().await.unwrap(), 7);
}

#[tokio::test]
async fn a_call_that_panics_has_said_what_it_said() {
    async fn dies(ctx: Ctx, _: u32) -> Result<u32> {
        ctx.log("before");
        panic!("oh");
    }
    let engine = engine(Flow::dag("f", |dag, n: Node<u32>| dag.node("dies", dies, n)).unwrap()).await;
    let run = engine.run("f", 7_u32).await.unwrap();
    run.wait().await.unwrap();
    assert_eq!(lines(&engine, &run).await.0.len(), 1);
    assert!(Ctx::current().is_none(), "nobody's call is made here");
}
