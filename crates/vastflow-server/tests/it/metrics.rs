//! What is counted agrees with the store, reads as Prometheus reads it, and does not grow with what runs.

use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use vastflow_sdk::{Bytes, Flow, Node, Result};
use vastflow_server::{Exporter, Service};
use vastflow_store::RunQuery;
use vastflow_worker::Engine;

/// The samples of a page by series and labels, checked on the way: every series has its help and type before its lines, once,
/// and histograms add up.
#[derive(Debug)]
struct Read {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

fn read(text: &str) -> Read {
    let (mut kinds, mut samples) = (BTreeMap::new(), BTreeMap::new());
    let mut helped = String::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty(), "{line}");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped, "{line}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
            current = name.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let is_own = match kinds[&current].as_str() {
                "histogram" => ["_bucket", "_sum", "_count"].iter().any(|end| name == format!("{current}{end}")),
                _ => name == current,
            };
            assert!(is_own, "{line} stands below {current}");
            let value: f64 = value.parse().unwrap();
            assert!(value >= 0.0, "{line}");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
        }
    }
    let read = Read { kinds, samples };
    read.check_histograms();
    read
}

impl Read {
    fn check_histograms(&self) {
        let infinite = self.samples.iter().filter(|(series, _)| series.contains("le=\"+Inf\""));
        let mut seen = 0;
        for (series, all) in infinite {
            let (name, labels) = series.split_once("_bucket{").unwrap();
            let labels = labels.replace("le=\"+Inf\"}", "");
            let labels = labels.trim_end_matches(',');
            let count = if labels.is_empty() { format!("{name}_count") } else { format!("{name}_count{{{labels}}}") };
            assert_eq!(self.samples[&count], *all, "{series}");
            let prefix = format!("{name}_bucket{{{labels}");
            let of = self.samples.iter().filter(|(own, _)| own.starts_with(&prefix) && own.contains("le=\""));
            assert!(of.clone().all(|(_, count)| count <= all), "{series}");
            seen += 1;
        }
        assert!(seen > 0);
    }

    fn sum(&self, name: &str, label: &str) -> f64 {
        let of = |series: &str| series.split('{').next() == Some(name) && series.contains(label);
        self.samples.iter().filter(|(series, _)| of(series)).map(|(_, value)| value).sum()
    }

    fn one(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("{series} is not there: {:?}", self.samples.keys()))
    }
}

/// Fails on odd inputs for good, and on all others once.
fn shaky() -> Flow<u32, u32> {
    async fn half(ctx: vastflow_sdk::Ctx, n: u32) -> Result<u32> {
        if n % 2 == 1 || ctx.attempt() == 1 {
            return Err("no".into());
        }
        Ok(n / 2)
    }
    Flow::dag("shaky", |dag, n: Node<'_, u32>| {
        let again = vastflow_sdk::Retry::times(2).every(std::time::Duration::from_millis(1));
        dag.node("half", half, n).retry(again)
    })
    .unwrap()
}

#[tokio::test]
async fn what_is_counted_agrees_with_the_store() {
    let at = guarded(engine().flow(chain("f", &["a", "b"])).flow(waits("w")).flow(shaky())).await;
    for n in 0..20_u32 {
        at.post("/flow/f", "x").token(ALL).send().await.is(200);
        let asked = at.post("/flow/shaky", n.to_string()).token(ALL).header("Content-Type", "application/json");
        let status = asked.send().await.status;
        assert_eq!(status == 200, n % 2 == 0, "{n}: {status}");
    }
    for n in 0..5 {
        let start = at.post("/flow/w", "x").token(ALL).header("X-Async", "true");
        start.header("X-Request-Id", format!("w{n}")).send().await.is(202);
    }
    for n in 0..2 {
        at.post(&format!("/api/v1/runs/w{n}/stop"), "{}").token(ALL).send().await.is(200);
        at.engine.handle(&format!("w{n}")).await.unwrap().wait().await.unwrap();
    }
    // The others have made the call before their wait.
    for n in 2..5 {
        let mut events = at.engine.handle(&format!("w{n}")).await.unwrap().events();
        while events.next().await.unwrap().unwrap().recorded.event.name() != "NodeSucceeded" {}
    }
    let page = at.get("/metrics").token(VIEWER).send().await.is(200);
    assert!(page.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let read = read(&page.text());

    // What the store says itself.
    let counts = at.engine.store().counts().await.unwrap();
    assert_eq!((counts.succeeded, counts.failed, counts.stopped, counts.unfinished()), (30, 10, 2, 3));
    let as_f64 = |count: u64| count as f64;
    for (status, count) in [("succeeded", counts.succeeded), ("failed", counts.failed), ("stopped", counts.stopped)] {
        assert_eq!(read.sum("vastflow_runs_finished_total", &format!("outcome=\"{status}\"")), as_f64(count));
        assert_eq!(read.one(&format!("vastflow_runs{{status=\"{status}\"}}")), as_f64(count));
    }
    let started = read.sum("vastflow_runs_started_total", "");
    assert_eq!(started, read.sum("vastflow_runs_finished_total", "") + as_f64(counts.unfinished()));
    assert_eq!(read.one("vastflow_runs_started_total{flow=\"shaky\"}"), 20.0);
    assert_eq!(read.sum("vastflow_run_duration_seconds_count", ""), 42.0);
    // Two nodes a run of f; two or three calls of shaky, the last of even inputs is good; one before each wait.
    let calls = |outcome: &str, flow: &str| {
        read.one(&format!("vastflow_node_attempts_total{{flow=\"{flow}\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((calls("succeeded", "f"), calls("failed", "f")), (40.0, 0.0));
    assert_eq!((calls("succeeded", "shaky"), calls("failed", "shaky")), (10.0, 10.0 + 30.0));
    let mut journalled = 0;
    let rows = at.engine.store().runs(&RunQuery { limit: 1_000, ..RunQuery::default() }).await.unwrap().rows;
    for row in &rows {
        let scope = vastflow_core::ScopeId::root(row.id.clone());
        let history = at.engine.store().history(&scope, vastflow_core::Seq::ZERO, 1_000).await.unwrap();
        journalled += history.iter().filter(|of| of.event.call().is_some_and(|call| call.number > 0)).count();
    }
    assert_eq!(read.sum("vastflow_node_attempts_total", ""), journalled as f64);
    assert_eq!(read.one("vastflow_retries_total{flow=\"shaky\"}"), 10.0 + 20.0);
    assert_eq!(read.one("vastflow_store_up"), 1.0);
    assert!(read.one("vastflow_store_op_duration_seconds_count{op=\"submit\"}") > 0.0);
    assert!(read.one("vastflow_http_requests_total{operation=\"call_flow\",code=\"2xx\"}") >= 30.0);
    assert_eq!(read.kinds["vastflow_sse_clients"], "gauge");
    promtool(&page.text());
}

/// What Prometheus' own tool says of the page, where it is installed.
fn promtool(text: &str) {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = tool.spawn() else { return };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let says = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{says}");
}

#[tokio::test]
async fn ten_thousand_runs_add_no_series() {
    let flow = Flow::dag("f", |dag, n: Node<'_, Bytes>| {
        dag.node("n", |n: Bytes| async { Ok::<_, vastflow_sdk::BoxError>(n) }, n)
    });
    let engine = engine().flow(flow.unwrap()).start().await.unwrap();
    let names = |text: String| read(&text).samples.into_keys().collect::<BTreeSet<String>>();
    engine.run("f", Bytes::from("x")).label("n", "first").await.unwrap().wait().await.unwrap();
    let before = names(engine.metrics().await.into_text());
    let mut runs = Vec::new();
    for n in 0..10_000 {
        let run = engine.run("f", Bytes::from("x")).id(&format!("run-{n}")).label("n", &n.to_string());
        runs.push(run.await.unwrap());
        if runs.len() == 100 {
            for run in runs.drain(..) {
                run.wait().await.unwrap();
            }
        }
    }
    let text = engine.metrics().await.into_text();
    assert!(text.contains("vastflow_runs_started_total{flow=\"f\"} 10001"));
    assert_eq!(names(text), before);
    assert!(before.len() < 1_000, "{}", before.len());
}

#[tokio::test]
async fn metrics_have_an_address_of_their_own_if_asked() {
    let engine = engine().flow(waits("f")).start().await.unwrap();
    let exporter = Exporter::bind(&engine, "127.0.0.1:0").await.unwrap();
    let at = |method: &str, path: &str| Ask::of(exporter.address(), method, path);
    let text = at("GET", "/metrics").send().await.is(200).text();
    assert!(read(&text).samples.contains_key("vastflow_slots"));
    at("GET", "/elsewhere").send().await.is(404);
    at("POST", "/metrics").send().await.is(405);
    at("GET", "/metrics").header("Host", "evil.example").send().await.is(421);
    drop(exporter);

    let listening = Service::new(engine).bind("127.0.0.1:0").await.unwrap();
    let exporter = listening.export("127.0.0.1:0").await.unwrap();
    let ask = Ask::of(exporter.address(), "GET", "/metrics");
    assert!(ask.send().await.is(200).text().contains("vastflow_sse_clients 0"));
}

#[tokio::test]
async fn an_engine_that_counts_nothing_tells_of_its_store() {
    let engine = engine().flow(waits("f")).metrics(false).start().await.unwrap();
    let text = engine.metrics().await.into_text();
    assert!(text.contains("vastflow_store_up 1") && !text.contains("vastflow_runs_started_total"), "{text}");
}

/// What stands in the dashboard and the alerts is there.
#[tokio::test]
async fn dashboard_and_alerts_name_series_that_there_are() {
    let service = Service::new(Engine::on(std::sync::Arc::new(vastflow_store::MemoryStore::new())).flow(waits("f")));
    let at = Running::of(service).await;
    at.get("/health").send().await.is(200);
    let real = read(&at.get("/metrics").send().await.is(200).text());
    let known: BTreeSet<String> = real
        .kinds
        .iter()
        .flat_map(|(name, kind)| match kind == "histogram" {
            true => vec![format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count")],
            false => vec![name.clone()],
        })
        .collect();
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let mut named = BTreeSet::new();
    for file in ["grafana/dashboards/vastflow.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(deploy.join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let own: BTreeSet<&str> = words.filter(|word| word.starts_with("vastflow_")).collect();
        assert!(own.len() >= 10, "{file}: {own:?}");
        own.iter().for_each(|name| assert!(known.contains(*name), "{file} names {name}, which there is not"));
        named.extend(own.into_iter().map(str::to_owned));
    }
    let dashboard = std::fs::read_to_string(deploy.join("grafana/dashboards/vastflow.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
    let alerts = std::fs::read_to_string(deploy.join("prometheus/alerts.yml")).unwrap();
    assert!(alerts.matches("- alert: ").count() >= 10);
}
