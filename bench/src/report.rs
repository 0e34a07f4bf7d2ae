//! A table for people, a line for programs.

/// One measured figure beside its floor.
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) store: &'static str,
    pub(crate) in_flight: usize,
    pub(crate) figure: Figure,
}

pub(crate) enum Figure {
    /// Finished nodes a second; flows a second besides; the floor in nodes a second; microseconds of all processor
    /// time a node.
    Rate { steps: f64, flows: f64, floor: f64, cpu_us: f64 },
    /// Microseconds from start to result, and of as many bare commits.
    Latency { p50: f64, p99: f64, floor: f64 },
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<16} {:<7} {:>9}  {:>14} {:>12} {:>14} {:>7} {:>8}",
        "work", "store", "in flight", "steps/s", "flows/s", "floor/s", "ratio", "CPU µs"
    );
    for row in rows {
        let (work, store, in_flight) = (&row.work, row.store, row.in_flight);
        match row.figure {
            Figure::Rate { steps, flows, floor, cpu_us } => println!(
                "{work:<16} {store:<7} {in_flight:>9}  {steps:>14.0} {flows:>12.0} {floor:>14.0} {:>7.2} {cpu_us:>8.1}",
                steps / floor
            ),
            Figure::Latency { p50, p99, floor } => println!(
                "{work:<16} {store:<7} {in_flight:>9}  p50 {p50:.0} µs, p99 {p99:.0} µs, floor {floor:.0} µs {:>7.2}",
                p50 / floor
            ),
        }
    }
    println!();
    rows.iter().for_each(print_result);
}

fn print_result(row: &Row) {
    let (work, store, in_flight) = (&row.work, row.store, row.in_flight);
    match row.figure {
        Figure::Rate { steps, flows, floor, cpu_us } => println!(
            "RESULT {work} store={store} inflight={in_flight} steps_per_s={steps:.0} floor_per_s={floor:.0} ratio={:.3} flows_per_s={flows:.0} ns_per_node={:.0} cpu_us_per_step={cpu_us:.2}",
            steps / floor,
            1e9 / steps
        ),
        Figure::Latency { p50, p99, floor } => println!(
            "RESULT {work} store={store} inflight={in_flight} p50_us={p50:.0} p99_us={p99:.0} fsync_us={floor:.0} ratio={:.3}",
            p50 / floor
        ),
    }
}
