//! Histories as text: a line of JSON for each node and each event, so that a change shows where it is.

use crate::history::History;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use vastflow_core::{Event, Plan, Recorded, RunId, ScopeId, Seq, Timestamp};

/// The version of the text.
const VERSION: u64 = 1;

/// A history as lines.
pub(super) fn lines(history: &History) -> Vec<String> {
    let plan = &history.plan;
    let mut spec = spec_of(plan);
    let nodes = spec.remove("nodes");
    let run = history.run().map_or("", |run| run.as_str());
    let mut lines = vec![
        format!(
            r#"{{"golden":{VERSION},"flow":{},"run":{},"plan":"{}"}}"#,
            json!(**plan.flow()),
            json!(run),
            plan.hash()
        ),
        format!(r#"{{"graph":{}}}"#, Value::Object(spec)),
    ];
    let nodes = nodes.as_ref().and_then(Value::as_array).into_iter().flatten();
    lines.extend(nodes.map(|node| format!(r#"{{"node":{node}}}"#)));
    lines.extend(history.recorded().map(|(scope, recorded)| event_line(plan, scope, recorded)));
    lines
}

/// A plan as an object of JSON.
pub(super) fn spec_of(plan: &Plan) -> Map<String, Value> {
    match serde_json::from_str(&plan.to_json()) {
        Ok(Value::Object(spec)) => spec,
        // Every plan is an object of JSON.
        _ => Map::new(),
    }
}

/// The plan's hash is told once, and nodes are told by name: where they stand in the plan is of no interest.
fn event_line(plan: &Arc<Plan>, scope: &ScopeId, recorded: &Recorded) -> String {
    let within = if scope.is_root() { String::new() } else { format!(r#""in":{},"#, json!(scope.path())) };
    let name = recorded.event.node().and_then(|node| Some(plan.of_scope(scope)?.node(node)?.name.clone()));
    let mut event = serde_json::to_value(&recorded.event).unwrap_or_default();
    if let (Some(node), Some(name)) = (member(&mut event, "node"), name) {
        *node = json!(*name);
    }
    if let Some(started) = event.get_mut("RunStarted").and_then(Value::as_object_mut) {
        started.remove("plan");
    }
    show(&mut event);
    format!(r#"{{{within}"at":{},"event":{event}}}"#, recorded.at.millis())
}

/// A member of what an event tells.
fn member<'a>(event: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    event.as_object_mut()?.values_mut().next()?.get_mut(name)
}

/// Reads lines.
///
/// # Errors
/// What is wrong, and with which line.
pub(super) fn read(text: &str) -> Result<History, String> {
    let mut lines = text.lines().enumerate().map(|(at, line)| {
        let value: Result<Value, _> = serde_json::from_str(line);
        value.map(|value| (at + 1, value)).map_err(|error| format!("line {}: {error}", at + 1))
    });
    let (_, header) = lines.next().unwrap_or_else(|| Err("it is empty".into()))?;
    if header["golden"] != VERSION {
        return Err(format!("line 1: it is of version {}, this program reads {VERSION}", header["golden"]));
    }
    let run = RunId::new(header["run"].as_str().unwrap_or_default()).map_err(|error| format!("line 1: {error}"))?;
    let (mut spec, mut nodes, mut events) = (Map::new(), Vec::new(), Vec::new());
    for line in lines {
        let (at, mut line) = line?;
        if let Some(Value::Object(graph)) = line.get_mut("graph").map(Value::take) {
            spec = graph;
        } else if let Some(node) = line.get_mut("node").map(Value::take) {
            nodes.push(node);
        } else {
            events.push((at, line));
        }
    }
    spec.insert("nodes".into(), Value::Array(nodes));
    let plan = Plan::from_json(&Value::Object(spec).to_string()).map_err(|error| format!("its plan: {error}"))?;
    let plan = Arc::new(plan);
    let mut journals: Vec<(ScopeId, Vec<Recorded>)> = Vec::new();
    for (at, line) in events {
        let (scope, mut recorded) = read_event(&plan, &run, line).map_err(|why| format!("line {at}: {why}"))?;
        if journals.last().is_none_or(|(last, _)| *last != scope) {
            journals.push((scope, Vec::new()));
        }
        if let Some((_, journal)) = journals.last_mut() {
            recorded.seq = Seq::ZERO.after(journal.len());
            journal.push(recorded);
        }
    }
    Ok(History::new(plan, journals))
}

fn read_event(plan: &Arc<Plan>, run: &RunId, mut line: Value) -> Result<(ScopeId, Recorded), String> {
    let scope = ScopeId::from_parts(run.clone(), line["in"].as_str().unwrap_or_default());
    let at = Timestamp::from_millis(line["at"].as_u64().ok_or("it has no time")?);
    let mut event = line["event"].take();
    unshow(&mut event);
    let plan = plan.of_scope(&scope).ok_or_else(|| format!("its plan has no scope {scope}"))?;
    if let Some(node) = member(&mut event, "node") {
        let name = node.as_str().unwrap_or_default();
        *node = json!(plan.find(name).ok_or_else(|| format!("its plan has no node {name:?} in {scope}"))?);
    }
    if let Some(started) = event.get_mut("RunStarted").and_then(Value::as_object_mut) {
        started.insert("plan".into(), json!(plan.hash()));
    }
    let event: Event = serde_json::from_value(event).map_err(|error| error.to_string())?;
    Ok((scope, Recorded { seq: Seq::ZERO, at, event }))
}

/// Makes payloads readable.
fn show(value: &mut Value) {
    if let Some(readable) = payload_text(value) {
        *value = readable;
        return;
    }
    children(value).for_each(show);
}

/// Undoes it.
fn unshow(value: &mut Value) {
    if let Some(plain) = payload_of(value) {
        *value = plain;
        return;
    }
    children(value).for_each(unshow);
}

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(members) => Box::new(members.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

/// `{"codec":"Json","bytes":[52,50]}` as `{"json":42}`, or with its bytes as text.
fn payload_text(value: &Value) -> Option<Value> {
    let Value::Object(members) = value else { return None };
    let (Some(codec), Some(Value::Array(bytes)), 2) = (members.get("codec"), members.get("bytes"), members.len())
    else {
        return None;
    };
    let bytes: Option<Vec<u8>> = bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
    let text = String::from_utf8(bytes?).ok()?;
    match serde_json::from_str::<Value>(&text) {
        Ok(value) if codec == "Json" => Some(json!({ "json": value })),
        _ => Some(json!({ "codec": codec, "text": text })),
    }
}

fn payload_of(value: &Value) -> Option<Value> {
    let Value::Object(members) = value else { return None };
    match (members.get("json"), members.get("codec"), members.get("text"), members.len()) {
        (Some(value), None, None, 1) => Some(json!({ "codec": "Json", "bytes": value.to_string().as_bytes() })),
        (None, Some(codec), Some(Value::String(text)), 2) => Some(json!({ "codec": codec, "bytes": text.as_bytes() })),
        _ => None,
    }
}
