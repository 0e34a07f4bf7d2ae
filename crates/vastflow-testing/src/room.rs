//! How much may be under way at once: calls of a lane, runs of a flow.

use crate::life::Life;
use std::collections::BTreeMap;
use vastflow_core::{Name, Task};

/// How much may be under way at once; what is not said has no limit.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) lanes: BTreeMap<Name, usize>,
    pub(crate) windows: Vec<Window>,
}

/// How many runs may be in flight at once.
#[derive(Debug)]
pub(crate) struct Window {
    /// Of this flow; none: of all.
    pub(crate) flow: Option<Name>,
    /// Only those with the same key are counted together.
    pub(crate) by_key: bool,
    pub(crate) runs: usize,
}

impl Window {
    /// Whether it counts runs of a flow, with this key.
    fn concerns(&self, flow: &Name, key: Option<&Name>) -> bool {
        self.flow.as_ref().is_none_or(|own| own == flow) && (key.is_some() || !self.by_key)
    }

    /// Whether it lets in a run of a flow, with this key.
    fn has_room(&self, flow: &Name, key: Option<&Name>, lives: &[Life]) -> bool {
        let counts = |life: &&Life| {
            let Some(started) = life.state().started().filter(|_| is_in_flight(life)) else { return false };
            self.concerns(&started.flow, started.info.key.as_ref())
                && (!self.by_key || started.info.key.as_ref() == key)
        };
        !self.concerns(flow, key) || lives.iter().filter(counts).count() < self.runs
    }
}

/// Whether a run has begun its work and has not ended.
fn is_in_flight(life: &Life) -> bool {
    !life.is_over() && !life.state().expects(Task::Admit)
}

impl Room {
    /// Whether runs of a flow wait in line before they begin their work.
    pub(crate) fn concerns(&self, flow: &Name, key: Option<&Name>) -> bool {
        self.windows.iter().any(|window| window.concerns(flow, key))
    }

    /// The first run in line that may begin its work.
    pub(crate) fn next_in_line(&self, lives: &[Life]) -> Option<usize> {
        let is_in_line = |life: &Life| !life.is_held() && life.state().expects(Task::Admit);
        let may_begin = |life: &Life| {
            life.state().started().is_some_and(|started| {
                let key = started.info.key.as_ref();
                self.windows.iter().all(|window| window.has_room(&started.flow, key, lives))
            })
        };
        lives.iter().position(|life| is_in_line(life) && may_begin(life))
    }
}
