//! `store`: migrate, copy, back up, count, verify.

use super::Context;
use crate::args::{StoreVerb, Watch};
use crate::complaint::{Complaint, Exit};
use crate::desk::{Desk, fold};
use crate::out::{Paint, number_cell};
use crate::text::{count, grouped};
use comfy_table::Cell;
use serde_json::{Value, json};
use std::path::Path;
use vastflow_core::{RunStatus, ScopeId};
use vastflow_store::{Copied, CopyError, RunQuery, StoreError};

/// Runs read at once.
const PAGE: usize = 500;

pub(super) async fn store(verb: StoreVerb, context: &Context) -> Result<(), Complaint> {
    match verb {
        StoreVerb::Migrate => migrate(context).await,
        StoreVerb::Copy { to, dry_run } => copy(&to, dry_run, context).await,
        StoreVerb::Backup { file } => backup(&file, context).await,
        StoreVerb::Stats => stats(context).await,
        StoreVerb::Verify => verify(context).await,
    }
}

/// To open a store is to bring its tables up to date.
async fn migrate(context: &Context) -> Result<(), Complaint> {
    let url = vastflow_open::without_secret(context.config.store()?);
    let desk = Desk::make(&context.config).await?;
    let counts = desk.store.counts().await?;
    desk.close().await?;
    if context.out.is_json() {
        context.out.json(json!({ "store": url, "unfinished": counts.unfinished() }));
    } else {
        context.out.note(format!("{url} is up to date"));
    }
    Ok(())
}

async fn backup(file: &Path, context: &Context) -> Result<(), Complaint> {
    if file.exists() {
        let text = format!("{} is there already, and a backup is a new file", file.display());
        return Err(
            Complaint::new(Exit::Conflict, "already-exists", text).next("name another file, or remove that one")
        );
    }
    copy(&format!("sqlite:{}", file.display()), false, context).await
}

async fn copy(to: &str, dry_run: bool, context: &Context) -> Result<(), Complaint> {
    let from = Desk::change(&context.config).await?;
    nobody_works(&from).await?;
    let mut counts = from.store.counts().await?;
    let runs: u64 = RunStatus::ALL.into_iter().map(|status| *counts.of(status)).sum();
    let shown = vastflow_open::without_secret(to);
    if dry_run {
        match context.out.is_json() {
            true => context.out.json(json!({ "to": shown, "dry_run": true, "runs": runs })),
            false => context.out.note(format!("would copy {} to {shown}; nothing was done", count(runs, "run"))),
        }
        return from.close().await;
    }
    let target = vastflow_open::open(to).await?;
    let bar = context.out.bar(runs, "copy");
    let copied = vastflow_store::copy(&*from.store, &*target, |copied: Copied| bar.set_position(copied.runs)).await;
    bar.finish_and_clear();
    let copied = copied.map_err(complaint)?;
    target.close().await?;
    from.close().await?;
    if context.out.is_json() {
        let Copied { runs, known, scopes, events, .. } = copied;
        context.out.json(json!({
            "to": shown, "dry_run": false, "runs": runs, "known": known, "scopes": scopes, "events": events,
        }));
    } else {
        let known =
            if copied.known > 0 { format!(", {} of them there before", grouped(copied.known)) } else { String::new() };
        context.out.note(format!(
            "{}{known}, {} copied to {shown}",
            count(copied.runs, "run"),
            count(copied.events, "event")
        ));
    }
    Ok(())
}

/// A copy is whole if nobody changes what is copied.
async fn nobody_works(from: &Desk) -> Result<(), Complaint> {
    let fleet = from.store.fleet().await?;
    let alive = fleet.workers.iter().filter(|worker| worker.until > fleet.now).count();
    if alive == 0 {
        return Ok(());
    }
    let text = format!(
        "{} on this store, and what goes on while it is copied would be torn",
        if alive == 1 { "1 worker works".into() } else { format!("{alive} workers work") }
    );
    Err(Complaint::new(Exit::Conflict, "in-use", text)
        .next("stop the workers, or use the server's own backup (pg_dump, BGSAVE)"))
}

fn complaint(error: CopyError) -> Complaint {
    let exit = match &error {
        CopyError::Source { source, .. } | CopyError::Target { source, .. } => Complaint::from(source.clone()).exit,
        CopyError::Differs { .. } => Exit::Conflict,
        _ => Exit::Failed,
    };
    Complaint::new(exit, "copy", error.to_string())
}

async fn stats(context: &Context) -> Result<(), Complaint> {
    let desk = super::desk(context, Watch::default()).await?;
    let mut counts = desk.store.counts().await?;
    let flows = desk.flows().await?;
    let plans: usize = flows.values().map(Vec::len).sum();
    let fleet = match desk.store.fleet().await {
        Ok(fleet) => Some(fleet),
        Err(StoreError::Unsupported(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let bytes = vastflow_open::file_of(context.config.store()?).map(|file| size(&file));
    let out = context.out;
    let rows: Vec<(&str, u64)> = RunStatus::ALL.iter().map(|status| (status.as_str(), *counts.of(*status))).collect();
    if out.is_json() {
        let runs: Value = rows.iter().map(|(status, runs)| ((*status).to_owned(), Value::from(*runs))).collect();
        let workers =
            fleet.as_ref().map(|fleet| fleet.workers.iter().filter(|worker| worker.until > fleet.now).count());
        out.json(json!({
            "runs": runs, "unfinished": counts.unfinished(), "flows": flows.len(), "plans": plans, "workers": workers,
            "bytes": bytes,
        }));
        return desk.close().await;
    }
    let mut table = out.table(&["runs", ""]);
    rows.into_iter().for_each(|(status, runs)| {
        table.add_row([Cell::new(status), number_cell(runs)]);
    });
    out.show(&mut table, "");
    out.say(format!("\n{} with {}", count(flows.len() as u64, "flow"), count(plans as u64, "plan")));
    bytes.into_iter().for_each(|bytes| out.say(format!("{} on disk", count(bytes, "byte"))));
    desk.close().await
}

/// The bytes of a store in files: the tables, and what lies beside them.
fn size(file: &Path) -> u64 {
    let (Some(name), dir) = (file.file_name(), file.parent().filter(|dir| !dir.as_os_str().is_empty())) else {
        return 0;
    };
    let name = name.to_string_lossy();
    let files = std::fs::read_dir(dir.unwrap_or_else(|| Path::new("."))).into_iter().flatten().flatten();
    let own = files.filter(|other| other.file_name().to_string_lossy().starts_with(&*name));
    own.filter_map(|other| other.metadata().ok()).map(|about| about.len()).sum()
}

/// Reads the journals of all runs, those of inner scopes as far as they are open.
async fn verify(context: &Context) -> Result<(), Complaint> {
    let desk = super::desk(context, Watch::default()).await?;
    let mut counts = desk.store.counts().await?;
    let all = RunStatus::ALL.into_iter().map(|status| *counts.of(status)).sum();
    let bar = context.out.bar(all, "verify");
    let (mut runs, mut events, mut wrong) = (0_u64, 0_u64, Vec::new());
    let mut query = RunQuery { limit: PAGE, ..RunQuery::default() };
    loop {
        let page = desk.store.runs(&query).await?;
        for row in &page.rows {
            match journals(&desk, row).await {
                Ok(count) => events += count,
                Err(why) if why.exit == Exit::Unreachable => return Err(why),
                Err(why) => wrong.push((row.id.clone(), why.text)),
            }
            runs += 1;
            bar.inc(1);
        }
        query.before = page.next;
        if query.before.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    desk.close().await?;
    let out = context.out;
    if out.is_json() {
        let rows: Vec<Value> = wrong.iter().map(|(id, text)| json!({ "run": id.as_str(), "text": text })).collect();
        out.json(json!({ "runs": runs, "events": events, "wrong": rows }));
    } else {
        wrong.iter().for_each(|(id, text)| out.say(format!("{} {id}: {text}", out.painted(Paint::Red, "✗"))));
        out.note(format!("{} with {} read", count(runs, "run"), count(events, "event")));
    }
    match wrong.len() as u64 {
        0 => Ok(()),
        several => Err(Complaint::new(
            Exit::Failed,
            "corrupt",
            format!("{} not right", if several == 1 { "1 run is".into() } else { format!("{several} runs are") }),
        )
        .next("keep a copy of the store, and report it")),
    }
}

/// Folds the journals of a run; gives how many events there were.
async fn journals(desk: &Desk, row: &vastflow_store::RunRow) -> Result<u64, Complaint> {
    let plan = desk.plan(row.summary.started.plan).await?;
    let mut open = vec![ScopeId::root(row.id.clone())];
    let mut events = 0;
    while let Some(scope) = open.pop() {
        let Some(own) = plan.of_scope(&scope) else {
            return Err(Complaint::new(Exit::Failed, "corrupt", format!("its plan has no scope {scope}")));
        };
        let history = desk.history(&scope).await?;
        let state = fold(&own, &history)?;
        if scope.is_root() && state.status() != row.summary.status {
            let text = format!("its journal says {}, and the list {}", state.status(), row.summary.status);
            // Somebody may work on it, and the list was read before.
            let now = desk.store.run(&row.id).await?;
            if now.is_some_and(|now| now.len == row.len) {
                return Err(Complaint::new(Exit::Failed, "corrupt", text));
            }
        }
        events += history.len() as u64;
        let inner = state.open_scopes();
        open.extend(inner.filter_map(|(node, key)| Some(scope.child(&own.node(node)?.name, key))));
    }
    Ok(events)
}
