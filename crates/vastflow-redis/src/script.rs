//! The scripts: one for each kind of step.

/// A script, as a whole text for the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    /// Its place among [`ALL`].
    pub(crate) place: usize,
    rules: &'static str,
}

/// What every script begins with.
const STEP: &str = concat!(include_str!("lua/step.lua"), include_str!("lua/tasks.lua"));
const CLAIMING: &str =
    concat!(include_str!("lua/handout.lua"), include_str!("lua/admit.lua"), include_str!("lua/claim.lua"));

pub(crate) const COMMIT: Script = Script { place: 0, rules: include_str!("lua/commit.lua") };
pub(crate) const CLAIM: Script = Script { place: 1, rules: CLAIMING };
pub(crate) const WORKERS: Script = Script { place: 2, rules: include_str!("lua/workers.lua") };
pub(crate) const READ: Script = Script { place: 3, rules: include_str!("lua/read.lua") };
pub(crate) const UPKEEP: Script = Script { place: 4, rules: include_str!("lua/upkeep.lua") };

/// All of them.
pub(crate) const ALL: [Script; 5] = [COMMIT, CLAIM, WORKERS, READ, UPKEEP];

impl Script {
    /// What the server is given, after something that stands before it in tests.
    pub(crate) fn text(self, prelude: &str) -> String {
        format!("{prelude}{STEP}\n{}", self.rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_in_its_place() {
        for (place, script) in ALL.iter().enumerate() {
            assert_eq!(script.place, place);
        }
    }
}
