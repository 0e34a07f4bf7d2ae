//! What is said to one run: signals, an operator's choice, a fork.

use super::{Context, read};
use crate::args::{ChoiceWord, Fork, Resolve, Signal};
use crate::complaint::Complaint;
use crate::convert;
use crate::desk::Desk;
use serde_json::json;
use vastflow_core::event::Choice;
use vastflow_core::{Codec, Payload};

pub(super) async fn signal(args: Signal, context: &Context) -> Result<(), Complaint> {
    let input = read(args.input.input.as_deref())?;
    let desk = Desk::change(&context.config).await?;
    let id = desk.pick_to_change(&args.id, context.out).await?.id;
    let engine = desk.engine().await?;
    let run = engine.handle(&id).await?;
    // Chosen here, so that sending it again after a lost answer changes nothing.
    let signal_id = args.signal_id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    run.signal(&args.name, input).id(&signal_id).within(&args.within).send().await?;
    if context.out.is_json() {
        context.out.json(json!({ "run": id.as_str(), "signal": args.name, "signal_id": signal_id }));
    } else {
        context.out.note(format!("sent {} to run {id}", args.name));
    }
    drop(run);
    Ok(engine.shutdown().await?)
}

pub(super) async fn resolve(args: Resolve, context: &Context) -> Result<(), Complaint> {
    if args.input.is_some() && args.choice != ChoiceWord::Done {
        return Err(Complaint::usage("--input says what the node gave, and is for `done` only"));
    }
    let choice = match args.choice {
        ChoiceWord::Retry => Choice::Retry,
        ChoiceWord::Skip => Choice::Skip,
        ChoiceWord::Done => {
            let gave = read(args.input.as_deref())?;
            let json = serde_json::to_vec(&gave).map_err(|why| Complaint::usage(why.to_string()))?;
            Choice::MarkDone(Payload::new(Codec::Json, json))
        }
    };
    let desk = Desk::change(&context.config).await?;
    let id = desk.pick_to_change(&args.id, context.out).await?.id;
    let engine = desk.engine().await?;
    let run = engine.handle(&id).await?;
    run.resolve(&args.node, choice, &context.by(&args.reason), &args.reason.why).await?;
    if context.out.is_json() {
        context.out.json(json!({ "run": id.as_str(), "node": args.node, "done": true }));
    } else {
        context.out.note(format!("{} of run {id} goes on", args.node));
    }
    drop(run);
    Ok(engine.shutdown().await?)
}

pub(super) async fn fork(args: Fork, context: &Context) -> Result<(), Complaint> {
    let mut fork = vastflow_worker::Fork::at(&args.at);
    if let Some(input) = &args.input {
        fork = fork.input(&read(Some(input))?);
    }
    if let Some(gives) = &args.gives {
        fork = fork.output(&read(Some(gives))?);
    }
    if let Some(id) = &args.new_id {
        fork = fork.id(id);
    }
    let desk = Desk::change(&context.config).await?;
    let id = desk.pick_to_change(&args.id, context.out).await?.id;
    let engine = desk.engine().await?;
    let run = engine.handle(&id).await?;
    let new = run.fork(fork, &context.by(&args.reason), &args.reason.why).await?;
    let row = desk.pick(new.id()).await?;
    if context.out.is_json() {
        context.out.json(json!({ "run": convert::run(&row) }));
    } else {
        context.out.say(new.id());
        context.out.note(format!("run {} goes on from {id} at {}", new.id(), args.at));
    }
    drop((run, new));
    Ok(engine.shutdown().await?)
}
