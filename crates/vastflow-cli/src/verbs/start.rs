//! `start`.

use super::{Context, Raw, read, result};
use crate::args::Start;
use crate::complaint::{Complaint, Exit};
use crate::convert;
use crate::desk::Desk;
use serde_json::{Value, json};
use vastflow_core::Plan;
use vastflow_core::plan::{Schema, Source};
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
    check(&args.flow, &input, &engine, &desk, &context).await?;
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
    Ok(start.await?)
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

/// Refuses an input that the flow could not read, as far as its types tell.
async fn check(flow: &str, input: &Raw, engine: &Engine, desk: &Desk, context: &Context) -> Result<(), Complaint> {
    let value = input.value();
    let takes = match context.own.flow(flow) {
        Some(own) => own.takes.clone(),
        None => taken(&*desk.plan(engine.plan_of(flow).await?).await?, &value),
    };
    let given = schema_of(&value, &takes);
    if takes.reads(&given) {
        return Ok(());
    }
    let text = format!("flow {flow:?} takes {takes}, and {given} was given; nothing was started");
    Err(Complaint::new(Exit::Usage, "input-mismatch", text)
        .next(format!("give it what it takes: -i JSON or -i @FILE; see `flows show {flow}`")))
}

/// What the first node takes that cannot read `value`, of those that get the run's input as it is.
fn taken(plan: &Plan, value: &Value) -> Schema {
    let gets_it_all = |node: &&vastflow_core::plan::NodeSpec| match &node.inputs[..] {
        [edge] => edge.from == Source::Input && !edge.order_only && !edge.forwarder && !node.aggregator,
        _ => false,
    };
    let mut all = plan.spec().nodes.iter().filter(gets_it_all).map(|node| &node.takes);
    all.find(|takes| !takes.reads(&schema_of(value, takes))).cloned().unwrap_or_default()
}

/// What a value looks like to one who takes `takes`: a text may also be one of several variants.
fn schema_of(value: &Value, takes: &Schema) -> Schema {
    match (value, takes) {
        (value, Schema::Maybe(takes)) if !value.is_null() => schema_of(value, takes),
        (Value::String(variant), Schema::OneOf(_)) => Schema::OneOf([variant.as_str().into()].into()),
        (Value::Object(members), Schema::OneOf(_)) if members.len() == 1 => {
            Schema::OneOf(members.keys().map(|variant| variant.as_str().into()).collect())
        }
        (Value::Null, _) => Schema::Nothing,
        (Value::Bool(_), _) => Schema::Bool,
        (Value::Number(number), _) if number.is_f64() => Schema::Float,
        (Value::Number(_), _) => Schema::Int,
        (Value::String(_), _) => Schema::Text,
        (Value::Array(items), Schema::List(takes)) => {
            Schema::Tuple(items.iter().map(|item| schema_of(item, takes)).collect())
        }
        (Value::Array(items), Schema::Tuple(parts)) => {
            let take = |at: usize| parts.get(at).unwrap_or(&Schema::Any);
            Schema::Tuple(items.iter().enumerate().map(|(at, item)| schema_of(item, take(at))).collect())
        }
        (Value::Array(items), _) => Schema::Tuple(items.iter().map(|item| schema_of(item, &Schema::Any)).collect()),
        (Value::Object(members), takes) => {
            let take = |key: &str| match takes {
                Schema::Fields(fields) => fields.get(key).cloned().unwrap_or_default(),
                Schema::Map(takes) => (**takes).clone(),
                _ => Schema::Any,
            };
            Schema::fields(members.iter().map(|(key, value)| (key.as_str(), schema_of(value, &take(key)))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_held_against_what_is_taken() {
        let fits = |takes: &Schema, value: Value| takes.reads(&schema_of(&value, takes));
        let order = Schema::fields([("id", Schema::Int), ("note", Schema::Maybe(Box::new(Schema::Text)))]);
        assert!(fits(&order, json!({ "id": 7 })) && fits(&order, json!({ "id": 7, "note": "x", "more": [1] })));
        assert!(!fits(&order, json!({ "id": "7" })) && !fits(&order, json!(7)) && !fits(&order, Value::Null));
        let colour = Schema::OneOf(["Red".into(), "Blue".into()].into());
        assert!(fits(&colour, json!("Red")) && fits(&colour, json!({ "Blue": 3 })) && !fits(&colour, json!("Green")));
        let list = Schema::List(Box::new(Schema::Float));
        assert!(fits(&list, json!([1, 2.5])) && fits(&list, json!([])) && !fits(&list, json!(["a"])));
        let pair = Schema::Tuple(vec![Schema::Int, Schema::Text]);
        assert!(fits(&pair, json!([1, "a"])) && !fits(&pair, json!([1])));
        assert!(fits(&Schema::Any, json!({ "a": [null] })) && fits(&Schema::Nothing, Value::Null));
    }
}
