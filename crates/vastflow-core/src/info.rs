//! What travels with a run besides its input.

use crate::id::{Name, Task};
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What travels with a run besides its input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Searchable labels; a river's colour, action, object and project among them.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Headers of the request that started it.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The raw query of the request that started it.
    pub query: String,
    /// W3C trace context, as `traceparent` has it.
    pub trace: Option<Box<str>>,
    /// Higher goes first; 0 is the default.
    pub priority: i8,
    /// The moment by which it must have ended, besides what the plan says.
    pub deadline: Option<Timestamp>,
    /// Runs of a flow that have the same key may be limited in how many are in flight at once.
    pub key: Option<Name>,
    /// The lane that its calls queue in where their nodes name none: so it is left to a group of workers, or to one.
    pub lane: Option<Name>,
}

impl RunInfo {
    /// Where in the queue a task of this run waits: a call in the lane of its node or else of the run, and the run
    /// itself, while it is in line, with those that have its key.
    #[must_use]
    pub fn lane_of<'a>(&'a self, plan: &'a Plan, task: Task) -> Option<&'a Name> {
        match task {
            Task::Admit => self.key.as_ref(),
            task if task.takes_slot() => plan.lane(task).or(self.lane.as_ref()),
            _ => None,
        }
    }
}

/// A [`RunInfo`] that takes eight bytes while it is empty. Most are, and a store may keep a million parked runs in memory.
///
/// ```
/// use vastflow_core::{RunInfo, Travels};
///
/// let nothing = Travels::from(RunInfo::default());
/// assert_eq!(nothing.priority, 0);
/// let urgent = Travels::from(RunInfo { priority: 5, ..RunInfo::default() });
/// assert_eq!(urgent.priority, 5);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Travels(Option<Box<RunInfo>>);

static NOTHING: RunInfo = RunInfo {
    labels: Vec::new(),
    headers: Vec::new(),
    query: String::new(),
    trace: None,
    priority: 0,
    deadline: None,
    key: None,
    lane: None,
};

impl From<RunInfo> for Travels {
    fn from(info: RunInfo) -> Self {
        Travels((info != NOTHING).then(|| Box::new(info)))
    }
}

impl Deref for Travels {
    type Target = RunInfo;

    fn deref(&self) -> &RunInfo {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl Serialize for Travels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Travels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RunInfo::deserialize(deserializer).map(Travels::from)
    }
}
