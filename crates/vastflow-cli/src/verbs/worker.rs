//! `worker`.

use super::Context;
use crate::args::Worker;
use crate::complaint::{Complaint, Exit};
use crate::desk::Desk;
use crate::text::count;
use vastflow_worker::EngineBuilder;

pub(super) async fn worker(args: Worker, mut context: Context) -> Result<(), Complaint> {
    if !context.own.has_code() {
        return Err(Complaint::usage("this program has no flows, so there is no work that it could do")
            .next("build a program with your flows, `vastflow::app().flow(…).main()`, and use its `worker`"));
    }
    let desk = Desk::make(&context.config).await?;
    let engine = set_up(context.engine(&desk), &args, &context);
    #[cfg(feature = "serve")]
    let engine = match super::callbacks::callbacks(&context.config)? {
        Some(callbacks) => callbacks.serve(engine).map_err(|why| Complaint::usage(why.to_string()))?,
        None => engine,
    };
    let engine = engine.start().await?;
    #[cfg(feature = "serve")]
    let _exporter = {
        context.config.set_flag("serve.metrics_addr", args.metrics.metrics_addr.as_deref())?;
        match context.config.get("serve.metrics_addr") {
            Some(at) => Some(super::serve::told(vastflow_server::Exporter::bind(&engine, at).await?, &context)),
            None => None,
        }
    };
    let report = engine.report().await?;
    context.out.note(format!("working on {}; Ctrl-C ends it", count(report.flows.len() as u64, "flow")));
    report.waiting.iter().for_each(|waiting| context.out.note(format!("{waiting}: they wait")));
    told_to_stop().await?;
    context.out.note("ending: what is in hand may finish, within 30 s; Ctrl-C again ends it now");
    tokio::select! {
        ended = engine.shutdown() => Ok(ended?),
        told = told_to_stop() => {
            told?;
            let text = "ended at once; what was in hand is taken over when the lease of this worker is over";
            Err(Complaint::new(Exit::Failed, "ended-at-once", text))
        }
    }
}

/// What is typed goes before what is set.
pub(super) fn set_up(engine: EngineBuilder, args: &Worker, context: &Context) -> EngineBuilder {
    let config = &context.config;
    let slots = args.slots.or_else(|| config.slots());
    let lease = args.lease.or_else(|| config.lease());
    let name = args.name.as_deref().or_else(|| config.get("worker.name"));
    let engine = slots.into_iter().fold(engine, EngineBuilder::concurrency);
    let engine = lease.into_iter().fold(engine, EngineBuilder::lease);
    let engine = name.into_iter().fold(engine, EngineBuilder::worker_name);
    config.lanes().iter().fold(engine, |engine, (lane, calls)| engine.lane(lane, *calls))
}

/// Waits for Ctrl-C, or for what a service manager sends.
#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = term.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
