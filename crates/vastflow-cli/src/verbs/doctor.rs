//! `doctor`: settings and where they are from, the store, who works on it, and each unfinished run.

use super::{Context, flows, law};
use crate::args::{Doctor, Filter};
use crate::complaint::{Complaint, Exit};
use crate::config::SETTINGS;
use crate::desk::Desk;
use crate::out::Paint;
use crate::text::{count, grouped};
use serde_json::{Value, json};
use std::time::Instant;
use vastflow_core::RunStatus;
use vastflow_core::view::Span;
use vastflow_store::RunRow;

/// The most runs that are looked at.
const MOST: usize = 1_000_000;
/// The most findings that are printed.
const SHOWN: usize = 50;
/// The most dead workers that are given up in one go.
const DEAD: usize = 1_000;
/// What is true of a file while a program without flows has it.
const IDLE: &str = "nobody works on them while this program has the file: start the program that has their flows; \
    `vastflow flows check` says what each needs";

/// Something that is wrong.
struct Finding {
    /// A word to branch on.
    kind: &'static str,
    /// What it is about: a run's scope, a worker, a plan.
    about: String,
    text: String,
    is_repaired: bool,
    /// Whether `--repair` mends it.
    can_be_repaired: bool,
    /// What to do.
    next: String,
}

pub(super) async fn doctor(args: &Doctor, context: &Context) -> Result<(), Complaint> {
    let out = context.out;
    let mut report = settings(context);
    let began = Instant::now();
    // Only who has the store itself can tell what is queued and who works.
    let desk = Desk::change(&context.config).await?;
    report.extend(store(&desk, began).await?);
    if !out.is_json() {
        print_report(context, &report);
    }
    let mut findings = workers(&desk, args.repair).await?;
    #[cfg(feature = "serve")]
    findings.extend(first_token(context));
    findings.extend(code(&desk, context).await?);
    let looked_at = runs(&desk, args.repair, context, &mut findings).await?;
    // A file that is open here is open nowhere else.
    let is_idle = !desk.store.capabilities().fleet && !context.own.has_code();
    desk.close().await?;
    let open = findings.iter().filter(|finding| !finding.is_repaired).count();
    if out.is_json() {
        let rows: Vec<Value> = findings.iter().map(as_json).collect();
        report.insert("findings".into(), rows.into());
        report.insert("runs_checked".into(), looked_at.into());
        report.insert("ok".into(), (open == 0).into());
        out.json(Value::Object(report));
    } else {
        findings.iter().take(SHOWN).for_each(|finding| print(context, finding));
        if findings.len() > SHOWN {
            out.note(format!("… and {} more", grouped((findings.len() - SHOWN) as u64)));
        }
        if open == 0 {
            let what = count(looked_at, "unfinished run");
            out.say(format!("{} {what} looked at, nothing is wrong", out.painted(Paint::Green, "✓")));
            if looked_at > 0 && is_idle {
                out.note(IDLE);
            }
        }
    }
    if open == 0 {
        return Ok(());
    }
    // What could not be mended just now is not offered again.
    let is_offered = |finding: &&Finding| !args.repair && !finding.is_repaired && finding.can_be_repaired;
    let mendable = findings.iter().filter(is_offered).count();
    let next = match mendable {
        0 => "each says above what to do; none of it is mended by itself".to_owned(),
        some if some == open => "vastflow doctor --repair mends that".to_owned(),
        some => format!("vastflow doctor --repair mends {some} of them; the others say above what to do"),
    };
    let text =
        format!("{} to be looked at", if open == 1 { "1 thing is".into() } else { format!("{open} things are") });
    Err(Complaint::new(Exit::Failed, "findings", text).next(next))
}

type Report = serde_json::Map<String, Value>;

fn settings(context: &Context) -> Report {
    let rows = SETTINGS.iter().map(|setting| {
        let (value, origin) = context.config.shown(setting);
        json!({ "key": setting.key, "value": value, "origin": origin.to_string(), "about": setting.about })
    });
    Report::from_iter([("settings".to_owned(), rows.collect::<Vec<Value>>().into())])
}

async fn store(desk: &Desk, began: Instant) -> Result<Report, Complaint> {
    let counts = desk.store.counts().await?;
    let took = began.elapsed();
    let able = desk.store.capabilities();
    let mut by_status = Report::new();
    for status in RunStatus::ALL {
        let mut counts = counts;
        by_status.insert(status.as_str().into(), (*counts.of(status)).into());
    }
    let fleet = desk.store.fleet().await?;
    let alive = fleet.workers.iter().filter(|worker| worker.until > fleet.now).count();
    let store = json!({
        "answered_in_us": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "durability": format!("{:?}", able.durability).to_lowercase(),
        "fleet": able.fleet,
        "runs": by_status,
        "unfinished": counts.unfinished(),
        "workers_alive": alive,
        "taken_over": fleet.taken_over,
        "fenced": fleet.fenced,
    });
    Ok(Report::from_iter([("store".to_owned(), store)]))
}

fn print_report(context: &Context, report: &Report) {
    let out = context.out;
    out.say(out.painted(Paint::Dim, "settings"));
    let mut table = out.table(&["", "value", "from"]);
    for row in report["settings"].as_array().into_iter().flatten() {
        table.add_row(["key", "value", "origin"].map(|field| row[field].as_str().unwrap_or("").to_owned()));
    }
    out.show(&mut table, "none");
    let store = &report["store"];
    out.say(format!("\n{}", out.painted(Paint::Dim, "store")));
    let took = std::time::Duration::from_micros(store["answered_in_us"].as_u64().unwrap_or(0));
    let kind = if store["fleet"] == true { "of a fleet" } else { "of one process" };
    out.say(format!(
        "a store {kind}, opened and asked in {}; what is acknowledged survives: {}",
        Span(took),
        store["durability"].as_str().unwrap_or("")
    ));
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let runs = store["runs"].as_object().into_iter().flatten().filter(|(_, runs)| number(runs) > 0);
    let runs: Vec<String> = runs.map(|(status, runs)| format!("{} {status}", grouped(number(runs)))).collect();
    out.say(format!("runs: {}", if runs.is_empty() { "none".into() } else { runs.join(", ") }));
    out.say(format!(
        "{} alive, {} taken over from the dead, {} refused",
        count(number(&store["workers_alive"]), "worker"),
        count(number(&store["taken_over"]), "task"),
        count(number(&store["fenced"]), "commit")
    ));
    out.say("");
}

/// Workers that died with something in hand, and that nobody has given up.
async fn workers(desk: &Desk, repair: bool) -> Result<Vec<Finding>, Complaint> {
    let fleet = desk.store.fleet().await?;
    let dead: Vec<_> = fleet.workers.iter().filter(|worker| worker.until <= fleet.now && worker.in_hand > 0).collect();
    let is_repaired = repair && !dead.is_empty();
    if is_repaired {
        desk.store.sweep(fleet.now, DEAD).await?;
    }
    let finding = |worker: &&vastflow_store::WorkerRow| Finding {
        kind: "dead-worker",
        about: format!("{:016x}", worker.id.0),
        text: format!(
            "worker {} on {} is dead with {} in hand",
            worker.about.name.as_ref().map_or_else(|| format!("{:016x}", worker.id.0), ToString::to_string),
            worker.about.host,
            count(worker.in_hand as u64, "call")
        ),
        is_repaired,
        can_be_repaired: true,
        next: "`vastflow doctor --repair` gives them back to the queue now; else the next worker does".into(),
    };
    Ok(dead.iter().map(finding).collect())
}

/// The token of the first start, in clear text, that nobody took away.
#[cfg(feature = "serve")]
fn first_token(context: &Context) -> Option<Finding> {
    Some(Finding {
        kind: "first-token",
        about: super::serve::lying_about(&context.config)?,
        text: "the token of the first start still lies here, in clear text, and is good for everything".into(),
        is_repaired: false,
        can_be_repaired: false,
        next: "take it, and delete the file".into(),
    })
}

/// Unfinished runs that nobody can go on with. In a store of one process nobody can work on it meanwhile, so that says
/// nothing unless this program has flows.
async fn code(desk: &Desk, context: &Context) -> Result<Vec<Finding>, Complaint> {
    if !desk.store.capabilities().fleet && !context.own.has_code() {
        return Ok(Vec::new());
    }
    let needs = flows::needs(desk, context).await?;
    let finding = |need: flows::Need| {
        let lacks = need.lacks?;
        Some(Finding {
            kind: "missing-code",
            about: need.plan.hash().to_string(),
            text: format!("{} of {} can go on nowhere: nobody has {lacks}", count(need.runs, "run"), need.plan.flow()),
            is_repaired: false,
            can_be_repaired: false,
            next: "start a program that has the code: `app worker`".into(),
        })
    };
    Ok(needs.into_iter().filter_map(finding).collect())
}

/// Checks that the tasks of each unfinished run are those that its journal asks for. Gives how many runs there were.
async fn runs(desk: &Desk, repair: bool, context: &Context, findings: &mut Vec<Finding>) -> Result<u64, Complaint> {
    let unfinished = RunStatus::ALL.into_iter().filter(|status| !status.is_final()).collect();
    let (rows, _) = desk.many(&Filter { status: unfinished, ..Filter::default() }, MOST).await?;
    let bar = context.out.bar(rows.len() as u64, "runs");
    for row in &rows {
        if row.summary.status == RunStatus::NeedsAttention {
            findings.push(for_somebody(row));
        }
        match law::check(desk, row).await {
            Ok(broken) => {
                for broken in broken {
                    let is_repaired = repair && broken.is_repairable() && broken.repair(&*desk.store).await?;
                    findings.push(of_law(&broken, is_repaired));
                }
            }
            Err(why) if why.exit != Exit::Unreachable => findings.push(Finding {
                kind: "journal",
                about: row.id.to_string(),
                text: why.text,
                is_repaired: false,
                can_be_repaired: false,
                next: "keep a copy of the store, and report it".into(),
            }),
            Err(why) => return Err(why),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows.len() as u64)
}

fn of_law(broken: &law::Broken, is_repaired: bool) -> Finding {
    let id = broken.scope.run();
    let can_be_repaired = broken.is_repairable();
    let next = match can_be_repaired {
        true => "`vastflow doctor --repair` puts the queue right".into(),
        false => format!("vastflow runs kill {id}, then vastflow runs retry {id}"),
    };
    Finding { kind: "law-2", about: broken.scope.to_string(), text: broken.text(), is_repaired, can_be_repaired, next }
}

/// A run in which a node waits for somebody to say how it goes on.
fn for_somebody(row: &RunRow) -> Finding {
    let id = &row.id;
    Finding {
        kind: "needs-attention",
        about: id.to_string(),
        text: "it waits for somebody to say how it goes on".into(),
        is_repaired: false,
        can_be_repaired: false,
        next: format!("vastflow runs show {id}, then vastflow runs resolve {id} NODE retry (or skip, or done)"),
    }
}

fn as_json(finding: &Finding) -> Value {
    let Finding { kind, about, text, is_repaired, next, .. } = finding;
    json!({ "kind": kind, "about": about, "text": text, "repaired": is_repaired, "next": next })
}

fn print(context: &Context, finding: &Finding) {
    let out = context.out;
    let Finding { about, text, is_repaired, next, .. } = finding;
    if *is_repaired {
        out.say(format!("{} {about}: {text}; repaired", out.painted(Paint::Green, "✓")));
    } else {
        out.say(format!("{} {about}: {text}\n  next: {next}", out.painted(Paint::Red, "✗")));
    }
}
