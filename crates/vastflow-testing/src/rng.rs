//! Choices that a seed repeats.

use vastflow_core::retry::mixed;

/// The environment variable that sets the seed of engines that are given none.
pub(crate) const SEED: &str = "VASTFLOW_SEED";

/// A stream of choices.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    seed: u64,
    made: u64,
}

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Rng { seed, made: 0 }
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.made += 1;
        let number = mixed(mixed(self.seed) ^ self.made);
        usize::try_from(number % (end.max(1) as u64)).unwrap_or(0)
    }
}

/// The seed that the environment asks for, or 1.
pub(crate) fn seed_from_environment() -> u64 {
    std::env::var(SEED).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let choices = |seed| {
            let mut rng = Rng::new(seed);
            (0..64).map(|_| rng.below(3)).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert_ne!(choices(7), choices(8));
        assert!((0..3).all(|one| choices(7).contains(&one)), "all are chosen at times");
    }
}
