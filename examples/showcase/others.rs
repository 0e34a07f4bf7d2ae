//! The other flows: a thousand items, an operator, a signal, a run within a run, an echo, bytes, and many nodes.

use crate::Pace;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Mutex;
use vastflow::prelude::*;
use vastflow::{Bytes, OnExhausted, RunId};

/// A film to cut into pieces, each of which is worked on by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Film {
    pub title: String,
    pub pieces: u32,
    /// Every how-many-th piece cannot be read.
    #[serde(default)]
    pub broken_every: Option<u32>,
}

pub fn transcode(pace: Pace) -> Result<Flow<Film, String>> {
    let flow = Flow::dag("transcode", |dag, film: Node<Film>| {
        let cut = |film: Film| async move {
            let is_broken = |n: u32| film.broken_every.is_some_and(|every| every > 0 && n % every == every - 1);
            Ok::<_, NodeError>((0..film.pieces).map(|n| (n, is_broken(n))).collect::<Vec<_>>())
        };
        let pieces = dag.node("cut", cut, film);
        let done = dag.for_each("piece", pieces, move |dag, piece: Node<(u32, bool)>| {
            dag.node("encode", move |piece| encode(pace, piece), piece)
        });
        let done = done.window(40).tolerate(1_000);
        dag.node("stitch", |done: Vec<u32>| async move { Ok::<_, NodeError>(format!("{} pieces", done.len())) }, done)
    });
    Ok(flow?)
}

async fn encode(pace: Pace, (piece, is_broken): (u32, bool)) -> Result<u32> {
    pace.work(1).await;
    if is_broken { Err(NodeError::fatal(format!("piece {piece} has no key frame")).into()) } else { Ok(piece) }
}

/// A file to read in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    /// How many of the calls fail before one works.
    #[serde(default)]
    pub fails: u32,
}

/// How often `load` was called for a run, by this process.
static LOADED: Mutex<Option<HashMap<RunId, u32>>> = Mutex::new(None);

async fn load(pace: Pace, ctx: Ctx, file: File) -> Result<Option<u64>> {
    pace.work(1).await;
    let call = {
        let mut loaded = LOADED.lock().map_err(|_| "a call before this one panicked")?;
        let call = loaded.get_or_insert_default().entry(ctx.run_id().clone()).or_insert(0);
        *call += 1;
        *call
    };
    if call <= file.fails {
        return Err(format!("{}: line {} has 7 columns instead of 8", file.name, 4_711 + call).into());
    }
    Ok(Some(1_200))
}

/// A node that waits for an operator when its tries are used up.
pub fn import(pace: Pace) -> Result<Flow<File, String>> {
    let flow = Flow::dag("import", |dag, file: Node<File>| {
        let rows = dag.node("load", move |ctx: Ctx, file: File| load(pace, ctx, file), file);
        let rows = rows.retry(1.times().every(pace.0)).on_exhausted(OnExhausted::Pause);
        dag.node(
            "publish",
            |rows: Option<u64>| async move {
                Ok::<_, NodeError>(rows.map_or_else(|| "skipped".to_owned(), |rows| format!("{rows} rows")))
            },
            rows,
        )
    });
    Ok(flow?)
}

/// Something to pay, if somebody says yes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expense {
    pub what: String,
    pub cents: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Verdict {
    approved: bool,
    by: String,
}

pub fn expense() -> Result<Flow<Expense, String>> {
    let flow = Flow::dag("expense", |dag, expense: Node<Expense>| {
        let asked = dag.node("ask", |expense: Expense| async { Ok::<_, NodeError>(expense) }, expense);
        let verdict: Node<Verdict> = dag.wait_signal("answer", asked);
        let both = dag.node("both", |both: (Expense, Verdict)| async { Ok::<_, NodeError>(both) }, (asked, verdict));
        dag.branch("decide", both, |(_, verdict): &(Expense, Verdict)| if verdict.approved { "yes" } else { "no" })
            .case("yes", |dag, both| dag.node("pay", |both| said("paid", both), both))
            .case("no", |dag, both| dag.node("refuse", |both| said("not paid", both), both))
            .join()
    });
    Ok(flow?)
}

async fn said(what: &str, (expense, verdict): (Expense, Verdict)) -> Result<String> {
    Ok(format!("{} {what}, says {}", expense.what, verdict.by))
}

/// A run that waits for a run of another flow.
pub fn claim() -> Result<Flow<Expense, String>> {
    let inner = expense()?;
    let flow = Flow::dag("claim", |dag, expense: Node<Expense>| {
        dag.child_run("expense", &inner, expense).look_every(100.ms())
    });
    Ok(flow?)
}

/// Says what it is told to, in every place where a text can stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Echo {
    pub text: String,
    #[serde(default)]
    pub fails: bool,
}

pub fn echo() -> Result<Flow<Echo, String>> {
    let flow = Flow::dag("echo", |dag, echo: Node<Echo>| {
        let keep = |ctx: Ctx, echo: Echo| async move {
            ctx.put("text", &echo.text);
            Ok::<_, NodeError>(echo)
        };
        let kept = dag.node("keep", keep, echo);
        dag.node("say", say, kept)
    });
    Ok(flow?)
}

async fn say(echo: Echo) -> Result<String> {
    if echo.fails { Err(NodeError::fatal(echo.text).into()) } else { Ok(echo.text) }
}

/// Bytes in, bytes out.
pub fn bytes() -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("bytes");
    graph.node("reverse", |data: Bytes| async move {
        let reversed: Vec<u8> = data.iter().rev().copied().collect();
        Ok::<_, NodeError>(Bytes::from(reversed))
    });
    Ok(graph.build()?)
}

/// Many nodes, fifty side by side.
pub fn wide(nodes: usize) -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("wide");
    let name = |n: usize| format!("node-{n}");
    for n in 0..nodes {
        graph.node(&name(n), |_: Bytes| async { Ok::<_, NodeError>(Bytes::from("done")) });
        if n >= 50 {
            graph.edge(&name(n - 50), &name(n));
        } else {
            graph.input_to(&name(n));
        }
    }
    Ok(graph.build()?)
}
