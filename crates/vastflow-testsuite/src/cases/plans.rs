//! Plans: kept under their hash.

use crate::fixture;
use crate::probe::Probe;

/// A plan comes back as it was.
pub async fn a_plan_comes_back(probe: Probe) {
    for plan in [fixture::plan(), fixture::timed(), fixture::wide(40)] {
        probe.put_plan(&plan).await;
        let back = probe.store().plan(plan.hash()).await.unwrap().expect("the plan");
        assert_eq!((&*back, back.hash()), (&*plan, plan.hash()));
    }
}

/// A hash that nobody put names nothing.
pub async fn an_unknown_hash_names_nothing(probe: Probe) {
    probe.put_plan(&fixture::plan()).await;
    assert_eq!(probe.store().plan(fixture::timed().hash()).await.unwrap(), None);
}

/// All plans are listed once, ordered by hash.
pub async fn plans_are_listed_by_hash(probe: Probe) {
    assert!(probe.store().plans().await.unwrap().is_empty());
    let mut plans: Vec<_> = (0..9).map(|at| fixture::chain(&format!("f{at}"))).collect();
    for plan in plans.iter().chain(&plans[..4]) {
        probe.put_plan(plan).await;
    }
    plans.sort_unstable_by_key(|plan| plan.hash());
    assert_eq!(probe.store().plans().await.unwrap(), plans);
}
