//! `start`.

use super::{Context, Raw, read, result};
use crate::args::Start;
use crate::complaint::{Complaint, Exit};
use crate::convert;
use crate::desk::Desk;
use serde_json::json;
use vastflow_worker::{Engine, Run};

pub(super) async fn start(args: Start, mut context: Context) -> Result<(), Complaint> {
    let input = read(args.input.input.as_deref())?;
    let makes = context.own.has_code();
    let desk = if makes { Desk::make(&context.config).await? } else { Desk::change(&context.config).await? };
    let is_alone = !desk.store.capabilities().fleet;
    let works_here = args.wait && is_alone;
    if works_here && context.own.flow(&args.flow).is_none() {
        return Err(nobody_works(&args.flow));
    }
    let engine = context.engine(&desk);
    let engine = if works_here { engine } else { engine.concurrency(0) };
    let engine = engine.start().await?;
    let run = begin(&args, input, &engine).await?;
    let row = desk.pick(run.id()).await?;
    if args.wait {
        hint(&desk, &engine, &args.flow, works_here, &context).await?;
        run.wait().await?;
        let row = desk.pick(run.id()).await?;
        let answer = result::print(&row, &context);
        drop(run);
        engine.shutdown().await?;
        return answer;
    }
    let out = context.out;
    if out.is_json() {
        out.json(json!({ "run": convert::run(&row) }));
    } else {
        out.say(run.id());
        out.note(format!("run {} of {} is {}", run.id(), args.flow, row.summary.status));
        hint(&desk, &engine, &args.flow, false, &context).await?;
    }
    drop(run);
    Ok(engine.shutdown().await?)
}

fn nobody_works(flow: &str) -> Complaint {
    let text = format!(
        "nobody can work on {flow:?} while this program has the file open, and it has no code of its own: waiting would be \
         for ever"
    );
    Complaint::new(Exit::Conflict, "missing-code", text)
        .next("leave out --wait, then start the program that has the flow; or use that program's own `start`")
}

async fn begin(args: &Start, input: Raw, engine: &Engine) -> Result<Run, Complaint> {
    let mut start = engine.run_stored(&args.flow, input).priority(args.priority);
    if let Some(id) = &args.id {
        start = start.id(id);
    }
    for (key, value) in &args.label {
        start = start.label(key, value);
    }
    if let Some(key) = &args.key {
        start = start.key(key);
    }
    if let Some(lane) = &args.lane {
        start = start.lane(lane);
    }
    if let Some(deadline) = args.deadline {
        start = start.deadline_in(deadline);
    }
    start.await.map_err(|error| match error.code() {
        "input-mismatch" => Complaint::from(error).next("give what it takes, as said above, as -i JSON, or -i @FILE"),
        _ => error.into(),
    })
}

/// Says so when nobody who is alive will do the work.
async fn hint(desk: &Desk, engine: &Engine, flow: &str, works_here: bool, context: &Context) -> Result<(), Complaint> {
    let plan = engine.plan_of(flow).await?;
    let is_served = desk.served().await?.is_none_or(|served| served.contains(&plan));
    if !works_here && !is_served {
        let next = if context.own.has_code() { "start one: `worker`" } else { "start a program that has the flow" };
        context.out.note(format!("no worker that is alive has the code of {flow}, so it waits; {next}"));
    }
    Ok(())
}
