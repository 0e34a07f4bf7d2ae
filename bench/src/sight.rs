//! What it costs to be seen: W2's flow with metrics and traces, in turn without.

use crate::floor::per_second;
use crate::flows::chain;
use crate::load::{Rig, Seen};
use vastflow::BoxError;

/// Runs a round.
const RUNS: usize = 30_000;
const IN_FLIGHT: usize = 256;
/// Rounds: each takes every way of being seen once, beginning with another.
const ROUNDS: usize = 9;

/// What a round of a way cost.
#[derive(Clone, Copy)]
struct Cost {
    /// Flows a second.
    rate: f64,
    /// Processor time of a flow, in microseconds: what else is at work on the machine makes it no larger.
    cpu: f64,
}

/// Prints, for each way of being seen, what it leaves of the flows a second of an engine that nobody sees, and how much more
/// processor time a flow takes: the medians of the rounds' ratios, with the lowest and the highest of them.
pub(crate) async fn measure(asked: &[String]) -> Result<(), BoxError> {
    let runs = if asked.iter().any(|arg| arg == "--quick") { RUNS / 10 } else { RUNS };
    let flow = chain(3)?;
    for store in ["memory", "sqlite"] {
        let ways = [Seen::NotAtAll, Seen::Metrics, Seen::Observed];
        let mut costs = [const { Vec::new() }; 3];
        // The first round warms up, and does not count.
        for round in 0..=ROUNDS {
            for turn in 0..ways.len() {
                let at = (round + turn) % ways.len();
                let rig = Rig::seen(store, &flow, 10_000, ways[at]).await?;
                let took = rig.many(flow.name(), runs, IN_FLIGHT).await?;
                if round > 0 {
                    let cpu = took.cpu.as_secs_f64() * 1e6 / runs as f64;
                    costs[at].push(Cost { rate: per_second(runs, took.wall), cpu });
                }
            }
        }
        let [plain, others @ ..] = costs;
        let of = |pick: fn(&Cost) -> f64| middle(plain.iter().map(pick).collect());
        println!(
            "{store}: {:.0} flows/s unseen, {:.1} µs of a processor each",
            of(|cost| cost.rate),
            of(|cost| cost.cpu)
        );
        for (way, own) in ways[1..].iter().zip(others) {
            let pairs = || own.iter().zip(&plain);
            let rate = spread(pairs().map(|(own, plain)| own.rate / plain.rate).collect());
            let cpu = spread(pairs().map(|(own, plain)| own.cpu / plain.cpu).collect());
            println!("RESULT sight store={store} way={way:?} rate={rate} cpu={cpu}");
        }
    }
    Ok(())
}

/// The median, with the lowest and the highest.
fn spread(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios.first().copied(), ratios.last().copied());
    format!("{:.3} ({:.3} to {:.3})", middle(ratios), least.unwrap_or(f64::NAN), most.unwrap_or(f64::NAN))
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
