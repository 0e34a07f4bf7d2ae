//! What series are made of: numbers that are counted without a lock.

use super::page::MetricsPage;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a histogram measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Time: counted in microseconds, shown in seconds.
    Time,
    /// Things.
    Count,
}

/// The most bounds that a measure has.
const MOST: usize = 14;

/// From quick calls to long ones, in microseconds.
const TIMES: [u64; MOST] = [
    100,
    500,
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
];
const COUNTS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

impl Measure {
    const fn bounds(self) -> &'static [u64] {
        match self {
            Measure::Time => &TIMES,
            Measure::Count => &COUNTS,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn shown(self, value: u64) -> f64 {
        match self {
            Measure::Time => value as f64 / 1e6,
            Measure::Count => value as f64,
        }
    }
}

/// How often something was how large.
#[derive(Debug)]
pub(crate) struct Histogram {
    measure: Measure,
    /// How many fell between a bound and the one before it; the last: beyond all bounds.
    buckets: [Counter; MOST + 1],
    sum: Counter,
}

impl Histogram {
    pub(crate) fn new(measure: Measure) -> Self {
        Histogram { measure, buckets: Default::default(), sum: Counter::default() }
    }

    pub(crate) fn took(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&self, value: u64) {
        let bounds = self.measure.bounds();
        let at = bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.add(1);
        }
        self.sum.add(value);
    }

    /// Writes it as the lines that it is made of.
    pub(crate) fn show(&self, page: &mut MetricsPage, name: &str, labels: &[(&str, &str)]) {
        let (bucket, mut count) = (format!("{name}_bucket"), 0);
        let mut all = self.buckets.iter();
        for (bound, own) in self.measure.bounds().iter().zip(&mut all) {
            count += own.get();
            let le = self.measure.shown(*bound).to_string();
            page.line(&bucket, &[labels, &[("le", &le)]].concat(), to_f64(count));
        }
        // Those beyond the bounds stand behind them.
        count += all.map(Counter::get).sum::<u64>();
        page.line(&bucket, &[labels, &[("le", "+Inf")]].concat(), to_f64(count));
        page.line(&format!("{name}_sum"), labels, self.measure.shown(self.sum.get()));
        page.line(&format!("{name}_count"), labels, to_f64(count));
    }
}

/// A count as it is written: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "what Prometheus keeps is a float, too")]
pub(crate) const fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_value_in_all_buckets_that_hold_it() {
        let histogram = Histogram::new(Measure::Time);
        for micros in [100, 101, 7_200_000_000] {
            histogram.took(Duration::from_micros(micros));
        }
        let mut page = MetricsPage::default();
        histogram.show(&mut page, "x_seconds", &[("flow", "f")]);
        let text = page.into_text();
        for line in [
            "x_seconds_bucket{flow=\"f\",le=\"0.0001\"} 1",
            "x_seconds_bucket{flow=\"f\",le=\"0.0005\"} 2",
            "x_seconds_bucket{flow=\"f\",le=\"3600\"} 2",
            "x_seconds_bucket{flow=\"f\",le=\"+Inf\"} 3",
            "x_seconds_sum{flow=\"f\"} 7200.000201",
            "x_seconds_count{flow=\"f\"} 3",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        let counts = Histogram::new(Measure::Count);
        counts.add(2);
        counts.add(5_000);
        let mut page = MetricsPage::default();
        counts.show(&mut page, "n", &[]);
        let text = page.into_text();
        assert!(text.contains("n_bucket{le=\"1\"} 0\nn_bucket{le=\"2\"} 1\n"), "{text}");
        assert!(text.ends_with("n_bucket{le=\"+Inf\"} 2\nn_sum 5002\nn_count 2\n"), "{text}");
    }
}
