//! What it costs to be seen: W2's flow with metrics and traces, in turn without.

use crate::floor::per_second;
use crate::flows::chain;
use crate::load::{Rig, Seen};
use vastflow::BoxError;

/// Runs a round.
const RUNS: usize = 30_000;
const IN_FLIGHT: usize = 256;
/// Rounds: each takes every way of being seen once, in turn.
const ROUNDS: usize = 7;

/// Prints, for each way of being seen, flows a second beside those of an engine that nobody sees: the median of the rounds'
/// ratios, with the lowest and the highest of them.
pub(crate) async fn measure(asked: &[String]) -> Result<(), BoxError> {
    let runs = if asked.iter().any(|arg| arg == "--quick") { RUNS / 10 } else { RUNS };
    let flow = chain(3)?;
    for store in ["memory", "sqlite"] {
        let ways = [Seen::NotAtAll, Seen::Metrics, Seen::Observed];
        let mut rates = [const { Vec::new() }; 3];
        // The first round warms up, and does not count.
        for round in 0..=ROUNDS {
            for (at, way) in ways.into_iter().enumerate() {
                let rig = Rig::seen(store, &flow, 10_000, way).await?;
                let took = rig.many(flow.name(), runs, IN_FLIGHT).await?;
                if round > 0 {
                    rates[at].push(per_second(runs, took.wall));
                }
            }
        }
        let [plain, others @ ..] = rates;
        println!("{store}: {:.0} flows/s unseen", median(plain.clone()));
        for (way, own) in ways[1..].iter().zip(others) {
            let mut ratios: Vec<f64> = own.iter().zip(&plain).map(|(own, plain)| own / plain).collect();
            ratios.sort_by(f64::total_cmp);
            let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
            println!(
                "RESULT sight store={store} way={way:?} ratio={:.3} least={least:.3} most={most:.3}",
                median(ratios)
            );
        }
    }
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
