//! How often what was asked, and how it was answered.

use crate::operations::{OPERATIONS, Operation};
use axum::http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering};
use vastflow_worker::MetricsPage;

/// The classes of answers, as they are shown.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How often what was asked, and how it was answered.
#[derive(Debug)]
pub(crate) struct Requests {
    /// In the order of the table; the last: what is no operation.
    all: Box<[[AtomicU64; CLASSES.len()]]>,
}

impl Default for Requests {
    fn default() -> Self {
        Requests { all: (0..=OPERATIONS.len()).map(|_| Default::default()).collect() }
    }
}

impl Requests {
    pub(crate) fn note(&self, operation: Option<&'static Operation>, status: StatusCode) {
        let known = operation.and_then(|asked| OPERATIONS.iter().position(|of| of.id == asked.id));
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let count = self.all.get(known.unwrap_or(OPERATIONS.len())).and_then(|of| of.get(class));
        count.into_iter().for_each(|count| _ = count.fetch_add(1, Ordering::Relaxed));
    }

    /// Writes those that were asked at all.
    pub(crate) fn show(&self, page: &mut MetricsPage) {
        let name = "vastflow_http_requests_total";
        page.series(name, "counter", "Requests by what they asked for and how they were answered.");
        let names = OPERATIONS.iter().map(|of| of.id).chain(["none"]);
        for (id, counts) in names.zip(&self.all) {
            for (class, count) in CLASSES.iter().zip(counts) {
                match count.load(Ordering::Relaxed) {
                    0 => {}
                    #[expect(clippy::cast_precision_loss, reason = "what Prometheus keeps is a float, too")]
                    count => page.line(name, &[("operation", id), ("code", class)], count as f64),
                }
            }
        }
    }
}
