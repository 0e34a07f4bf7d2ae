//! The JSON as it goes over the wire, held against files. `VASTFLOW_GOLDEN=write cargo test -p vastflow-api` writes them
//! again: look at the difference, because clients read it.
#![allow(clippy::unwrap_used, reason = "panics are how tests fail")]

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use vastflow_api::Page;
use vastflow_api::access::{AuditRow, BulkRow, KnownBy, MadeToken, Me, NewToken, Scope, TokenRow};
use vastflow_api::bulk::{Action, Bulk, BulkDone, Filter, Refused};
use vastflow_api::control::{Choice, ForkRun, Reason, Resolve};
use vastflow_api::event::{EventRow, RunChanged};
use vastflow_api::figures::{Figures, Grid, GridRow, NodeStats};
use vastflow_api::fleet::{AttentionItem, Health, Lack, QueueRow, Waits, WorkerRow, Workers};
use vastflow_api::flow::{FlowRow, FlowStats, FlowView};
use vastflow_api::inside::{ContextRow, ScopeRow, ScopeStatus};
use vastflow_api::problem::Problem;
use vastflow_api::run::{Accepted, Asked, Counts, Failure, Links, Origin, RunRow, StartRun, Status};
use vastflow_api::view::{CallView, Inner, NodeView, Phase, RunView};

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(format!("{name}.json"));
    let json = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("VASTFLOW_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &json).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(json, golden, "{name}");
    assert_eq!(serde_json::from_str::<T>(&golden).unwrap(), *value, "{name} is read as it was written");
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([(text("customer"), text("4711"))])
}

fn row() -> RunRow {
    RunRow {
        id: text("order-7"),
        flow: text("order"),
        status: Status::Failed,
        started_at_ms: 1_000,
        ended_at_ms: Some(2_500),
        plan: text("a1b2"),
        labels: labels(),
        key: Some(text("4711")),
        lane: Some(text("gpu")),
        priority: 2,
        deadline_ms: Some(9_000),
        trace: Some(text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        origin: Some(Origin { run: text("order-6"), verb: text("retry"), by: text("ann"), why: text("paid now") }),
        failure: Some(Failure { node: Some(text("charge")), kind: text("error"), text: text("no money") }),
        stopped: Some(Asked { by: text("ann"), why: text("lunch") }),
        input_bytes: 12,
        output_bytes: Some(0),
    }
}

/// A run of which only what must be there is there.
fn short() -> RunRow {
    RunRow {
        status: Status::Running,
        ended_at_ms: None,
        labels: BTreeMap::new(),
        key: None,
        lane: None,
        deadline_ms: None,
        trace: None,
        origin: None,
        failure: None,
        stopped: None,
        output_bytes: None,
        ..row()
    }
}

#[test]
fn runs() {
    check("runs", &Page::new(vec![row(), short()], Some(text("41"))));
    check("counts", &Counts { runs: Status::ALL.into_iter().map(|status| (status, 1)).collect(), unfinished: 5 });
    let links = Links { run: text("/r"), view: text("/r/view"), output: text("/r/output"), stream: text("/r/stream") };
    check("accepted", &Accepted { id: text("order-7"), status: Status::Running, links });
    let input = serde_json::json!({"cents": 4_000});
    let start =
        StartRun { flow: text("order"), input, id: Some(text("order-7")), labels: labels(), ..StartRun::default() };
    check("start", &start);
    assert_eq!(serde_json::from_str::<StartRun>(r#"{"flow":"order"}"#).unwrap().input, serde_json::Value::Null);
}

#[test]
fn every_status_is_the_word_that_json_has() {
    for status in Status::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    for scope in Scope::ALL {
        assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        assert_eq!(Scope::parse(scope.as_str()), Some(scope));
    }
}

#[test]
fn views() {
    let attempt = CallView {
        kind: text("attempt"),
        number: 1,
        ended_at_ms: 1_400,
        took_us: 12_345,
        failed: true,
        why: Some(text("busy")),
    };
    let node = NodeView {
        name: text("charge"),
        status: text("failed"),
        is_final: true,
        began_at_ms: Some(1_100),
        ended_at_ms: Some(1_400),
        calls: 1,
        busy_ms: 12,
        said: Some(text("busy")),
        waits_for: Some(text("an operator: busy")),
        worker: Some(text("00000000000000c4")),
        attempts: vec![attempt],
        phases: vec![Phase { status: text("running"), since_ms: 1_100, until_ms: Some(1_400) }],
        inner: Some(Inner { scopes: 3, ended: 2, failed: 1, keys: vec![text("pass")], parked: vec![text("a")] }),
    };
    let view = RunView {
        id: text("order-7"),
        flow: text("order"),
        scope: text("each[a]"),
        status: Status::Failed,
        started_at_ms: 1_000,
        took_ms: 1_500,
        outcome: Some(text("failed: charge: busy")),
        trace: None,
        nodes: vec![node.clone()],
        hooks: vec![NodeView { attempts: Vec::new(), phases: Vec::new(), inner: None, ..node }],
        missing: vec![text("node \"charge\"")],
    };
    check("view", &view);
}

#[test]
fn events() {
    let event = EventRow {
        seq: 3,
        at_ms: 1_400,
        kind: text("NodeSucceeded"),
        node: Some(text("charge")),
        text: text("✓ charge  12 ms"),
        took_us: Some(12_345),
    };
    check("events", &Page::last(vec![event]));
    check("changed", &RunChanged { run: short() });
}

#[test]
fn what_is_asked() {
    check("reason", &Reason { why: text("lunch") });
    let fork = ForkRun { node: text("charge"), input: Some(serde_json::json!(4_000)), ..ForkRun::default() };
    check("fork", &fork);
    let resolve = Resolve { at: text("each[a]/charge"), choice: Choice::Done, output: None, why: text("by hand") };
    check("resolve", &resolve);
    let filter =
        Filter { flow: Some(text("order")), status: Some(Status::Failed), labels: labels(), ..Filter::default() };
    let bulk = Bulk {
        action: Action::Retry,
        ids: Vec::new(),
        filter: Some(filter),
        dry_run: false,
        expected: Some(7),
        why: text("paid now"),
        before: Some(text("40")),
        until: Some(text("30")),
    };
    check("bulk", &bulk);
    let failed = vec![Refused { id: text("order-8"), code: text("run-not-ended"), detail: text("it is running") }];
    let (sample, next) = (vec![text("order-7")], Some(text("39")));
    let done = BulkDone { dry_run: false, matched: 2, done: 1, sample, failed, more: true, next };
    check("bulk_done", &done);
}

#[test]
fn nothing_is_done_to_many_runs_by_accident() {
    assert!(serde_json::from_str::<Bulk>(r#"{"action":"kill"}"#).unwrap().dry_run);
    assert!(serde_json::from_str::<Bulk>(r#"{"action":"kill","dryrun":false}"#).is_err(), "a slip is told");
}

#[test]
fn flows() {
    let flow = FlowRow {
        name: text("order"),
        plan: Some(text("a1b2")),
        plans: vec![text("a1b2")],
        nodes: Some(4),
        has_code: true,
        workers: 1,
    };
    let input_schema = serde_json::json!({"type": "integer"});
    check("flow", &FlowView { flow, input_schema, signals: vec![text("approved")] });
    check("flow_stats", &FlowStats { runs: 3, succeeded: 2, failed: 1, p50_ms: Some(20), ..FlowStats::default() });
}

#[test]
fn figures_and_insides() {
    let node = NodeStats { name: text("charge"), runs: 3, failed: 1, calls: 5, p50_ms: Some(2), p95_ms: Some(9) };
    check("node_stats", &node);
    let (p50_ms, p95_ms) = (vec![None, Some(7)], vec![None, Some(9)]);
    let figures = Figures { since_ms: 1_000, step_ms: 500, started: vec![0, 2], p50_ms, p95_ms, ..Figures::default() };
    check("figures", &figures);
    let of_run = GridRow { run: row(), states: vec![Some(text("succeeded")), None] };
    check("grid", &Grid { nodes: vec![text("charge"), text("ship")], runs: vec![of_run], cut: true });
    check("context", &ContextRow { key: text("cents"), bytes: 2, text: Some(text("42")), base64: None, cut: false });
    let (key, status, said) = (text("17"), ScopeStatus::Failed, Some(text("no money")));
    check("scope", &ScopeRow { key, status, since_ms: 1_000, ended_at_ms: Some(2_000), said });
}

#[test]
fn fleets() {
    let lacks = vec![Lack { plan: text("c3d4"), first: text("node \"old\"") }];
    let worker = WorkerRow { id: text("17"), name: Some(text("red")), lacks, is_alive: true, ..WorkerRow::default() };
    check("workers", &Workers { workers: vec![worker], taken_over: 1, fenced: 2 });
    let queue = QueueRow { flow: text("order"), lane: Some(text("gpu")), ready: 3, ..QueueRow::default() };
    check("queue", &queue);
    let item = AttentionItem {
        kind: Waits::Operator,
        flow: text("order"),
        run: Some(text("order-7")),
        at: Some(text("charge")),
        signal: Some(text("paid")),
        since_ms: Some(1_000),
        why: text("busy"),
        runs: 1,
    };
    check("attention", &Page::last(vec![item]));
    check("health", &Health { status: text("ok"), version: text("0.1.0"), insecure_no_auth: true });
}

#[test]
fn access() {
    let scopes = vec![Scope::Operator, Scope::PayloadRead];
    let me = Me {
        name: text("ann"),
        scopes: scopes.clone(),
        flows: vec![text("order*")],
        by: KnownBy::Session,
        read_only: true,
    };
    check("me", &me);
    check("new_token", &NewToken { name: text("ann"), scopes: scopes.clone(), flows: Vec::new(), days: Some(7) });
    let row = TokenRow {
        id: text("tok1"),
        name: text("ann"),
        scopes,
        flows: vec![text("*")],
        created_at_ms: 1_000,
        expires_at_ms: 2_000,
    };
    let made = MadeToken { row, token: text("vastflow_live_secret") };
    assert_eq!(format!("{made:?}"), "MadeToken(tok1, …)");
    check("made_token", &made);
    let audit = AuditRow {
        at_ms: 1_000,
        who: Some(text("ann")),
        from: Some(text("127.0.0.1")),
        operation: text("kill_run"),
        path: text("/api/v1/runs/order-7/kill"),
        status: 200,
        request_id: Some(text("order-7")),
        run: Some(text("order-7")),
        why: Some(text("lunch")),
        bulk: None,
    };
    check("audit", &audit);
    let bulk = BulkRow {
        action: Action::Kill,
        dry_run: false,
        ids: Vec::new(),
        filter: Some(Filter { flow: Some(text("order")), ..Filter::default() }),
        matched: 2,
        done: 1,
        failed: 1,
        sample: vec![text("order-7")],
    };
    check("audit_bulk", &AuditRow { run: None, operation: text("bulk"), bulk: Some(bulk), ..audit });
}

#[test]
fn problems() {
    let problem = Problem { request_id: Some(text("order-7")), ..Problem::new(404, "unknown-run", "there is no run") };
    assert_eq!(problem.to_string(), "there is no run [unknown-run]");
    check("problem", &problem);
}
