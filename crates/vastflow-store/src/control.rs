//! The control word: one word beside a run's root journal that every scope of the run obeys.

use std::fmt;

/// What may go on in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// Everything.
    #[default]
    Running,
    /// Nothing is claimed and nothing kept; what runs is still recorded.
    Held,
    /// The run is being stopped: what is claimed is mostly answered "not started".
    Stopping,
    /// Nothing is claimed and nothing is recorded but the end.
    Killed,
}

impl Control {
    /// Whether tasks of the run are handed out.
    #[must_use]
    pub const fn hands_out(self) -> bool {
        matches!(self, Control::Running | Control::Stopping)
    }

    /// The word, as it stands in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Control::Running => "running",
            Control::Held => "held",
            Control::Stopping => "stopping",
            Control::Killed => "killed",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word and how often it was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlWord {
    /// The word.
    pub control: Control,
    /// One higher at each change.
    pub revision: u32,
}
