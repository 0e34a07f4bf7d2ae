//! `flows`: list, show, draw, check.

use super::Context;
use crate::args::{Flows, Graph, OneFlow, Picture, Watch};
use crate::complaint::{Complaint, Exit};
use crate::desk::Desk;
use crate::out::{Out, number_cell};
use crate::{draw, text};
use comfy_table::Cell;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use vastflow_api::flow::FlowRow;
use vastflow_core::{Name, Plan, PlanHash, RunStatus};
use vastflow_store::{RunQuery, StoreError};

/// Runs read at once.
const PAGE: usize = 1_000;

pub(super) async fn flows(verb: Flows, context: Context) -> Result<(), Complaint> {
    match verb {
        Flows::Ls => ls(&context).await,
        Flows::Show(args) => show(&args, &context).await,
        Flows::Graph(args) => graph(&args, &context).await,
        Flows::Check => check(&context).await,
    }
}

/// What is known of flows: by this program, and by the store if there is one.
struct Known {
    desk: Option<Desk>,
    plans: BTreeMap<Name, Vec<Arc<Plan>>>,
    /// The plans that somebody who is alive has the code for.
    served: Vec<PlanHash>,
}

impl Known {
    async fn read(context: &Context) -> Result<Self, Complaint> {
        let is_named = context.config.get("store").is_some();
        let desk = if is_named || !context.own.has_code() {
            Some(super::desk(context, Watch::default()).await?)
        } else {
            None
        };
        let (mut plans, mut served) = (BTreeMap::new(), Vec::new());
        if let Some(desk) = &desk {
            plans = desk.flows().await?;
            served = desk.served().await?.unwrap_or_default();
        }
        for own in &context.own.flows {
            let known = plans.entry(own.plan.flow().clone()).or_default();
            if known.iter().all(|plan| plan.hash() != own.plan.hash()) {
                known.push(Arc::clone(&own.plan));
            }
        }
        Ok(Known { desk, plans, served })
    }

    /// The plan that is meant: the one that was named, that of this program, the only one, that of the newest run.
    async fn plan(&self, args: &OneFlow, context: &Context) -> Result<Arc<Plan>, Complaint> {
        let Some(plans) = self.plans.get(args.flow.as_str()) else {
            let near = text::meant(&args.flow, self.plans.keys().map(|name| name.as_str()));
            return Err(unknown_flow(&args.flow, near));
        };
        if let Some(hash) = &args.plan {
            return named(plans, hash);
        }
        if let Some(own) = context.own.flow(&args.flow) {
            return Ok(Arc::clone(&own.plan));
        }
        if let ([one], _) | ([one, ..], None) = (&plans[..], &self.desk) {
            return Ok(Arc::clone(one));
        }
        let newest = match &self.desk {
            Some(desk) => {
                let query = RunQuery { flow: Some(Name::new(&args.flow)?), limit: 1, ..RunQuery::default() };
                desk.store.runs(&query).await?.rows.into_iter().next().map(|row| row.summary.started.plan)
            }
            None => None,
        };
        let found = plans.iter().find(|plan| Some(plan.hash()) == newest);
        found.map(Arc::clone).ok_or_else(|| {
            let text = format!("{} of flow {:?} are stored", text::count(plans.len() as u64, "plan"), args.flow);
            Complaint::new(Exit::Conflict, "ambiguous-plan", text)
                .next("say which by --plan HASH; `flows ls -o json` lists them")
        })
    }

    fn row(&self, name: &Name, plans: &[Arc<Plan>], context: &Context) -> FlowRow {
        let own = context.own.flow(name);
        let newest = own.map(|own| own.plan.hash()).or(if let [one] = plans { Some(one.hash()) } else { None });
        let nodes = plans.iter().find(|plan| Some(plan.hash()) == newest).map(|plan| plan.len() as u64);
        FlowRow {
            name: name.to_string(),
            plan: newest.map(|hash| hash.to_string()),
            plans: plans.iter().map(|plan| plan.hash().to_string()).collect(),
            nodes,
            has_code: own.is_some(),
            workers: self.served.iter().filter(|hash| plans.iter().any(|plan| plan.hash() == **hash)).count() as u64,
        }
    }

    async fn close(self) -> Result<(), Complaint> {
        match self.desk {
            Some(desk) => desk.close().await,
            None => Ok(()),
        }
    }
}

fn named(plans: &[Arc<Plan>], hash: &str) -> Result<Arc<Plan>, Complaint> {
    let mut fit = plans.iter().filter(|plan| plan.hash().to_string().starts_with(hash));
    match (fit.next(), fit.next()) {
        (Some(plan), None) => Ok(Arc::clone(plan)),
        (None, _) => Err(Complaint::not_found(format!("no plan of that flow begins with {hash:?}"))),
        (Some(_), Some(_)) => Err(Complaint::new(
            Exit::Conflict,
            "ambiguous-id",
            format!("{hash:?} is not clear: several plans begin so"),
        )),
    }
}

async fn ls(context: &Context) -> Result<(), Complaint> {
    let known = Known::read(context).await?;
    let rows: Vec<FlowRow> = known.plans.iter().map(|(name, plans)| known.row(name, plans, context)).collect();
    print_list(&rows, context.out);
    known.close().await
}

pub(super) fn unknown_flow(flow: &str, near: Option<&str>) -> Complaint {
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    let text = format!("there is no flow {flow:?}{near}");
    Complaint::new(Exit::NotFound, "unknown-flow", text).next("vastflow flows ls")
}

/// Prints flows.
pub(super) fn print_list(rows: &[FlowRow], out: Out) {
    if out.is_json() {
        out.json(json!({ "flows": rows }));
        return;
    }
    let mut table = out.table(&["flow", "plans", "nodes", "code here", "workers"]);
    for row in rows {
        table.add_row([
            Cell::new(&row.name),
            number_cell(row.plans.len() as u64),
            row.nodes.map_or_else(|| Cell::new(""), number_cell),
            Cell::new(if row.has_code { "yes" } else { "" }),
            number_cell(row.workers),
        ]);
    }
    out.show(&mut table, "there are no flows: the store learns them when a program with them works on it");
}

async fn show(args: &OneFlow, context: &Context) -> Result<(), Complaint> {
    let known = Known::read(context).await?;
    let plan = known.plan(args, context).await?;
    let plans = known.plans.get(plan.flow()).map_or(&[][..], Vec::as_slice);
    let row = known.row(plan.flow(), plans, context);
    let takes = context.own.flow(&args.flow).map(|own| own.takes.to_string());
    print_flow(&row, &plan, takes.as_deref(), context.out);
    known.close().await
}

/// Prints a flow, and what it takes where that is known.
pub(super) fn print_flow(row: &FlowRow, plan: &Plan, takes: Option<&str>, out: Out) {
    if out.is_json() {
        out.json(json!({ "flow": row, "takes": takes, "definition": definition(plan) }));
        return;
    }
    out.say(format!("{}  plan {}", plan.flow(), plan.hash()));
    if row.plans.len() > 1 {
        out.note(format!(
            "{} of it are known: `flows ls -o json` lists them",
            text::count(row.plans.len() as u64, "plan")
        ));
    }
    takes.into_iter().for_each(|takes| out.say(format!("takes {takes}")));
    out.say(format!("\n{}", draw::plan(plan).trim_end()));
}

fn definition(plan: &Plan) -> Value {
    serde_json::from_str(&plan.definition().to_json()).unwrap_or(Value::Null)
}

async fn graph(args: &Graph, context: &Context) -> Result<(), Complaint> {
    let known = Known::read(context).await?;
    let plan = known.plan(&args.flow, context).await?;
    print_graph(&plan, args.kind, context.out);
    known.close().await
}

/// Draws a plan.
pub(super) fn print_graph(plan: &Plan, kind: Picture, out: Out) {
    match kind {
        _ if out.is_json() => out.json(json!({ "definition": definition(plan) })),
        Picture::Text => out.say(draw::plan(plan).trim_end()),
        Picture::Dot => out.say(plan.to_dot().trim_end()),
        Picture::Mermaid => out.say(plan.to_mermaid().trim_end()),
    }
}

/// Unfinished runs of a plan, and who has its code.
pub(super) struct Need {
    pub(super) plan: Arc<Plan>,
    pub(super) runs: u64,
    /// What this program lacks, if nobody who is alive has the code either.
    pub(super) lacks: Option<String>,
}

/// The plans of all unfinished runs.
pub(super) async fn needs(desk: &Desk, context: &Context) -> Result<Vec<Need>, Complaint> {
    let mut runs: BTreeMap<PlanHash, u64> = BTreeMap::new();
    for status in RunStatus::ALL.into_iter().filter(|status| !status.is_final()) {
        let mut query = RunQuery { status: Some(status), limit: PAGE, ..RunQuery::default() };
        loop {
            let page = desk.store.runs(&query).await?;
            page.rows.iter().for_each(|row| *runs.entry(row.summary.started.plan).or_default() += 1);
            query.before = page.next;
            if query.before.is_none() {
                break;
            }
        }
    }
    let served = desk.served().await?.unwrap_or_default();
    let mut needs = Vec::new();
    for (hash, runs) in runs {
        let plan = desk.plan(hash).await?;
        let lacks = match context.own.library.bind(&plan) {
            _ if served.contains(&hash) => None,
            Ok(_) => None,
            Err(missing) => Some(missing.needs.join(", ")),
        };
        needs.push(Need { plan, runs, lacks });
    }
    Ok(needs)
}

async fn check(context: &Context) -> Result<(), Complaint> {
    let desk = super::desk(context, Watch::default()).await?;
    if let Some(holder) = &desk.holder {
        let text = StoreError::Unsupported(format!("be checked from here: only {holder} knows what code it has"));
        return Err(text.into());
    }
    let needs = needs(&desk, context).await?;
    desk.close().await?;
    print_needs(context.out, &needs)
}

fn print_needs(out: Out, needs: &[Need]) -> Result<(), Complaint> {
    if out.is_json() {
        let row = |need: &Need| {
            json!({
                "flow": need.plan.flow().as_str(),
                "plan": need.plan.hash().to_string(),
                "unfinished": need.runs,
                "lacks": need.lacks,
            })
        };
        out.json(json!({ "plans": needs.iter().map(row).collect::<Vec<Value>>() }));
    } else {
        let mut table = out.table(&["flow", "plan", "unfinished", "code"]);
        for need in needs {
            table.add_row([
                Cell::new(need.plan.flow()),
                Cell::new(text::line(&need.plan.hash().to_string(), 9)),
                number_cell(need.runs),
                Cell::new(need.lacks.as_ref().map_or_else(|| "there".into(), |lacks| format!("lacks {lacks}"))),
            ]);
        }
        out.show(&mut table, "no run is unfinished");
    }
    let waiting: u64 = needs.iter().filter(|need| need.lacks.is_some()).map(|need| need.runs).sum();
    if waiting == 0 {
        return Ok(());
    }
    let text = format!(
        "{} for code that nobody who is alive has",
        if waiting == 1 { "1 run waits".into() } else { format!("{} wait", text::count(waiting, "run")) }
    );
    Err(Complaint::new(Exit::Failed, "missing-code", text).next("start a program that has the code: `app worker`"))
}
