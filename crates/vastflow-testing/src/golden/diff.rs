//! What differs, in words.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How many lines of a difference are told.
const TOLD: usize = 20;
/// How much of a value is told.
const WIDTH: usize = 160;
/// More lines than this are not compared one with every other.
const LONG: usize = 2_000;

/// What differs between two plans, node by node and option by option.
pub(super) fn plans(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let mut out = Vec::new();
    members("", old, new, &mut out);
    out
}

fn values(path: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => members(path, old, new, out),
        (Value::Array(old), Value::Array(new)) => items(path, old, new, out),
        _ => out.push(format!("{path}: {} → {}", short(&old.to_string()), short(&new.to_string()))),
    }
}

fn members(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, out: &mut Vec<String>) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        let path = match (path, key.as_str()) {
            ("", key) => key.to_owned(),
            (path, key) => format!("{path}: {key}"),
        };
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => values(&path, old, new, out),
            (Some(Value::Array(old)), None) => items(&path, old, &[], out),
            (None, Some(Value::Array(new))) => items(&path, &[], new, out),
            (Some(old), None) => out.push(format!("{path}: no more; it was {}", short(&old.to_string()))),
            (None, Some(new)) => out.push(format!("{path}: {}; it was not there", short(&new.to_string()))),
            (None, None) => {}
        }
    }
}

/// Lists of nodes, edges and cases are compared by what names their items, others as they are.
fn items(path: &str, old: &[Value], new: &[Value], out: &mut Vec<String>) {
    let (before, list) = path.rsplit_once(": ").unwrap_or(("", path));
    let what = match list {
        "nodes" => "node",
        "inputs" => "edge from",
        "cases" => "case",
        _ if old == new => return,
        _ => {
            let text = |list: &[Value]| short(&Value::Array(list.to_vec()).to_string());
            return out.push(format!("{path}: {} → {}", text(old), text(new)));
        }
    };
    let (old_items, new_items) = (named(old), named(new));
    let added = new_items.keys().filter(|name| !old_items.contains_key(*name));
    for name in old_items.keys().chain(added) {
        let before = if before.is_empty() { String::new() } else { format!("{before}: ") };
        let path = format!("{before}{what} {name}");
        match (old_items.get(name), new_items.get(name)) {
            (Some(old), Some(new)) => values(&path, old, new, out),
            (Some(_), None) => out.push(format!("{path}: gone")),
            (None, _) => out.push(format!("{path}: new")),
        }
    }
    if old_items == new_items && old != new {
        out.push(format!("{path}: in another order"));
    }
}

fn named(items: &[Value]) -> BTreeMap<String, &Value> {
    let name = |item: &Value| {
        let name = item.get("name").or_else(|| item.get("key")).or_else(|| item.get("from")).unwrap_or(item);
        match name {
            Value::String(name) => name.clone(),
            Value::Object(one) if one.len() == 1 => one.values().next().map(plain).unwrap_or_default(),
            other => other.to_string(),
        }
    };
    items.iter().map(|item| (name(item), item)).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The lines that differ: `- old`, `+ new`.
pub(super) fn lines(old: &[String], new: &[String]) -> Vec<String> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let mut out = match old.len().max(new.len()) {
        0..=LONG => by_longest_common(old, new),
        _ => old.iter().map(|line| minus(line)).chain(new.iter().map(|line| plus(line))).collect(),
    };
    if out.len() > TOLD {
        let more = out.len() - TOLD;
        out.truncate(TOLD);
        out.push(format!("… and {more} more lines"));
    }
    out
}

fn by_longest_common(old: &[String], new: &[String]) -> Vec<String> {
    // common[i][j]: how many lines old[i..] and new[j..] have in common, in order.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push(minus(&old[i]));
            i += 1;
        } else {
            out.push(plus(&new[j]));
            j += 1;
        }
    }
    out
}

fn minus(line: &str) -> String {
    format!("- {}", short(line))
}

fn plus(line: &str) -> String {
    format!("+ {}", short(line))
}

fn short(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check_plans(old: &Value, new: &Value, expected: &[&str]) {
        assert_eq!(plans(old.as_object().unwrap(), new.as_object().unwrap()), expected);
    }

    #[test]
    fn plans_are_compared_by_names() {
        let node = |name: &str, rest: &Value| {
            let mut node = json!({ "name": name, "kind": "task" });
            node.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            node
        };
        let old =
            json!({ "flow": "f", "nodes": [node("a", &json!({})), node("b", &json!({ "retry": { "retries": 1 } }))] });
        let new = json!({ "flow": "f", "timeout_ms": 5, "nodes": [
            node("b", &json!({ "retry": { "retries": 3 }, "inputs": [{ "from": { "node": "c" } }] })), node("c", &json!({}))
        ] });
        let expected = [
            "node a: gone",
            "node b: retry: retries: 1 → 3",
            "node b: edge from c: new",
            "node c: new",
            "timeout_ms: 5; it was not there",
        ];
        check_plans(&old, &new, &expected);
        let turned = json!({ "flow": "f", "nodes": [old["nodes"][1].clone(), old["nodes"][0].clone()] });
        check_plans(&old, &turned, &["nodes: in another order"]);
        check_plans(&old, &old, &[]);
    }

    #[test]
    fn lines_that_differ_are_told_and_others_are_not() {
        let text = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(&text("a b c d"), &text("a x c y d")), ["- b", "+ x", "+ y"]);
        assert_eq!(lines(&text("a b"), &text("a b")), Vec::<String>::new());
        assert_eq!(lines(&text("a b"), &text("a")), ["- b"]);
    }
}
