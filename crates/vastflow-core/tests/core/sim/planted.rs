//! Planted bugs: a simulation that lets these pass proves nothing.

use super::attempt;
use crate::dsl::Bug;
use crate::property::Choices;
use std::time::{Duration, Instant};

/// Each bug must be found within so many seeds, and so long.
const SEEDS: u64 = 2_000;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::ALL {
        let began = Instant::now();
        let found = (0..SEEDS).find_map(|seed| Some((seed, attempt(&mut Choices::endless(seed), Some(bug)).err()?)));
        let (seed, said) = found.unwrap_or_else(|| panic!("{SEEDS} seeds do not find {bug:?}"));
        assert!(began.elapsed() < LIMIT, "{bug:?} was found after {:?}", began.elapsed());
        let said = said.lines().nth(1).unwrap_or_default().chars().take(120).collect::<String>();
        eprintln!("planted: {bug:?} is found by seed {seed} after {:.1} s: {said}", began.elapsed().as_secs_f64());
    }
}
