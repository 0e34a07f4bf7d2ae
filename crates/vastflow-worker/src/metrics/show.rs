//! The page of metrics: what this engine counted, and how its store stands.

use super::kinds::to_f64;
use super::measured::Op;
use super::page::MetricsPage;
use super::{Counter, Histogram, MOST, Metrics, OTHER, OfFlow};
use crate::engine::Engine;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use vastflow_core::{RunStatus, Timestamp};
use vastflow_store::{Counts, Fleet, QueueRow, StoreError};

/// How long the store may take to say how it stands: a scrape must not hang with it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The lane of calls that queue in none of their own.
const COMMON: &str = "";

impl Engine {
    /// What this engine has done since it started, and how its store stands, as Prometheus reads it. Series that tell of the
    /// store are the same on every engine of it: take their `max`, not their `sum`.
    ///
    /// The store is asked three things: how many runs there are of each status, the queues, the workers. When it does not
    /// answer within 5 s, `vastflow_store_up` is 0 and what it would have said is left out. An engine that was told to count
    /// nothing ([`EngineBuilder::metrics`](crate::EngineBuilder::metrics)) tells of its store only.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # #[tokio::main] async fn main() -> Result<(), vastflow_worker::Error> {
    /// # let engine = vastflow_worker::Engine::on(Arc::new(vastflow_store::MemoryStore::new())).start().await?;
    /// let text = engine.metrics().await.into_text();
    /// assert!(text.contains("vastflow_store_up 1"));
    /// # Ok(()) }
    /// ```
    pub async fn metrics(&self) -> MetricsPage {
        let mut page = MetricsPage::default();
        let shared = &self.shared;
        if let Some(metrics) = &shared.metrics {
            metrics.show(&mut page);
        }
        own(shared, &mut page);
        let asked = tokio::time::timeout(PATIENCE, ask(shared)).await;
        let state = asked.unwrap_or_else(|_| Err(StoreError::unavailable("no answer in time")));
        page.single("vastflow_store_up", "gauge", "Whether the store answered.", f64::from(u8::from(state.is_ok())));
        if let Ok((counts, queues, fleet)) = state {
            runs(counts, &mut page);
            waiting(&queues, shared.now(), &mut page);
            workers(&fleet, &mut page);
        }
        page
    }
}

async fn ask(shared: &Shared) -> Result<(Counts, Vec<QueueRow>, Fleet), StoreError> {
    Ok((shared.store.counts().await?, shared.store.queues().await?, shared.store.fleet().await?))
}

/// What a line of a counter counts: its outcome, if its lines have one, and where that stands.
type Outcome = (&'static str, fn(&OfFlow) -> &Counter);

impl Metrics {
    fn show(&self, page: &mut MetricsPage) {
        self.show_flows(page);
        let times = [
            ("vastflow_queue_wait_seconds", &self.queue_wait, "How long calls that were due waited for a worker."),
            ("vastflow_timers_due_lag_seconds", &self.timer_lag, "How late timers were."),
            ("vastflow_group_commit_batch", &self.batch, "How many commits went to the store together."),
        ];
        for (name, histogram, help) in times {
            page.series(name, "histogram", help);
            histogram.show(page, name, &[]);
        }
        let counters = [
            (
                "vastflow_wakeup_hints_total",
                &self.hints,
                "Looks into the queue because something was said to be there.",
            ),
            ("vastflow_wakeup_polls_total", &self.polls, "Looks into the queue because time had passed."),
            ("vastflow_invariant_violations_total", &self.violations, "Journals and words that make no sense."),
        ];
        for (name, counter, help) in counters {
            page.single(name, "counter", help, to_f64(counter.get()));
        }
        self.show_store(page);
    }

    /// The flows that were met, by name, and the others.
    fn show_flows(&self, page: &mut MetricsPage) {
        let met = self.flows.iter().map_while(|place| place.get());
        let flows: Vec<(&str, &OfFlow)> =
            met.map(|(name, own)| (name.as_str(), own)).chain([(OTHER, &self.others)]).collect();
        let counters: [(&str, &str, &[Outcome]); 5] = [
            ("vastflow_runs_started_total", "Runs that began.", &[("", |own| &own.started)]),
            (
                "vastflow_runs_finished_total",
                "Runs that ended.",
                &[("succeeded", |own| &own.succeeded), ("failed", |own| &own.failed), ("stopped", |own| &own.stopped)],
            ),
            (
                "vastflow_node_attempts_total",
                "Calls of nodes, hooks and undo actions that were recorded; a river's polls that go on are apart.",
                &[("succeeded", |own| &own.calls), ("failed", |own| &own.failed_calls)],
            ),
            ("vastflow_retries_total", "Failed calls that another call follows.", &[("", |own| &own.retries)]),
            ("vastflow_polls_total", "Polls that found the work unfinished.", &[("", |own| &own.looks)]),
        ];
        for (name, help, outcomes) in counters {
            page.series(name, "counter", help);
            for (flow, own) in &flows {
                for (outcome, of) in outcomes {
                    let labels = [("flow", *flow), ("outcome", *outcome)];
                    let labels = if outcome.is_empty() { &labels[..1] } else { &labels[..] };
                    page.line(name, labels, to_f64(of(own).get()));
                }
            }
        }
        type Took = fn(&OfFlow) -> &Histogram;
        let times: [(&str, &str, Took); 2] = [
            ("vastflow_run_duration_seconds", "From the start of a run to its end.", |own| &own.took),
            ("vastflow_node_duration_seconds", "How long calls took that ended here.", |own| &own.call_took),
        ];
        for (name, help, of) in times {
            page.series(name, "histogram", help);
            flows.iter().for_each(|(flow, own)| of(own).show(page, name, &[("flow", flow)]));
        }
    }

    fn show_store(&self, page: &mut MetricsPage) {
        let name = "vastflow_store_op_duration_seconds";
        page.series(name, "histogram", "How long the store took to answer.");
        for ((_, op), own) in Op::ALL.iter().zip(&self.ops) {
            own.took.show(page, name, &[("op", op)]);
        }
        let name = "vastflow_store_errors_total";
        page.series(name, "counter", "What the store did not do.");
        for ((_, op), own) in Op::ALL.iter().zip(&self.ops) {
            page.line(name, &[("op", op)], to_f64(own.errors.get()));
        }
    }
}

/// What every engine knows of itself.
fn own(shared: &Shared, page: &mut MetricsPage) {
    let stats = shared.stats.now();
    let counters = [
        ("vastflow_commits_total", stats.commits, "Commits that were sent."),
        ("vastflow_fenced_writes_total", stats.fenced, "Calls of which nothing was recorded: others had their tasks."),
        ("vastflow_leases_expired_total", stats.leases_lost, "How often this worker was taken for dead."),
        ("vastflow_quarantined_total", stats.quarantined, "Calls that were not made: they had ended too many workers."),
    ];
    for (name, count, help) in counters {
        page.single(name, "counter", help, to_f64(count));
    }
    let held = shared.calling.load(Ordering::Relaxed) as u64;
    page.single("vastflow_leases_held", "gauge", "Calls under way here.", to_f64(held));
    page.single("vastflow_slots", "gauge", "Calls that this worker makes at once.", to_f64(shared.slots.all() as u64));
}

fn runs(mut counts: Counts, page: &mut MetricsPage) {
    let name = "vastflow_runs";
    page.series(name, "gauge", "Runs in the store.");
    for status in RunStatus::ALL {
        let count = *counts.of(status);
        page.line(name, &[("status", status.as_str())], to_f64(count));
    }
}

/// What waits in a lane.
#[derive(Default)]
struct Waiting {
    ready: usize,
    since: Option<Timestamp>,
    later: usize,
    in_hand: usize,
}

/// Depth and age of the queue: what a fleet is made larger or smaller by.
fn waiting(queues: &[QueueRow], now: Timestamp, page: &mut MetricsPage) {
    // The common lane is always there, so that a query finds it.
    let mut lanes: BTreeMap<&str, Waiting> = BTreeMap::from([(COMMON, Waiting::default())]);
    for row in queues {
        let lane = row.lane.as_ref().map_or(COMMON, |lane| lane.as_str());
        let lane = if lanes.contains_key(lane) || lanes.len() < MOST { lane } else { OTHER };
        let own = lanes.entry(lane).or_default();
        own.ready += row.ready;
        own.later += row.later;
        own.in_hand += row.in_hand;
        own.since = own.since.into_iter().chain(row.since).min();
    }
    type Of = fn(&Waiting, Timestamp) -> f64;
    let gauges: [(&str, &str, Of); 4] = [
        ("vastflow_ready_depth", "Calls that could be made now.", |own, _| to_f64(own.ready as u64)),
        ("vastflow_oldest_ready_age_seconds", "For how long the oldest of those could.", |own, now| {
            own.since.map_or(0.0, |since| now.since(since).as_secs_f64())
        }),
        ("vastflow_delayed_depth", "Calls that are due later.", |own, _| to_f64(own.later as u64)),
        ("vastflow_in_hand", "Calls in the hands of workers.", |own, _| to_f64(own.in_hand as u64)),
    ];
    for (name, help, of) in gauges {
        page.series(name, "gauge", help);
        lanes.iter().for_each(|(lane, own)| page.line(name, &[("lane", lane)], of(own, now)));
    }
}

fn workers(fleet: &Fleet, page: &mut MetricsPage) {
    let alive = fleet.workers.iter().filter(|worker| worker.until > fleet.now);
    let (count, slots) = alive.fold((0, 0), |(count, slots), worker| (count + 1, slots + worker.about.slots));
    page.single("vastflow_workers", "gauge", "Workers that are alive.", to_f64(count));
    page.single("vastflow_fleet_slots", "gauge", "Calls that all of them make at once.", to_f64(slots as u64));
    let help = "Tasks taken from workers that were given up, as the store counts them.";
    page.single("vastflow_taken_over_total", "counter", help, to_f64(fleet.taken_over));
    let help = "Commits refused because others held their tasks, as the store counts them.";
    page.single("vastflow_store_fenced_total", "counter", help, to_f64(fleet.fenced));
}
