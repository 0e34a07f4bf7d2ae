//! Places: which call of which node is meant.

use std::fmt;
use vastflow_core::{Hook, Plan, ScopeId, Task};

/// Code that a run calls: a node's handler or something beside it, or a hook. A text is a node's handler.
///
/// Inside others a node is named with the way to it: `each[2]/charge`; `each[*]/charge` means it in every item.
///
/// ```
/// use vastflow_testing::Place;
///
/// assert_eq!(Place::from("hotel"), Place::node("hotel"));
/// assert_eq!(Place::undo("each[2]/hotel").to_string(), "undo of each[2]/hotel");
/// assert_eq!(Place::finally().to_string(), "finally");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    at: Box<str>,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Handler,
    Poll,
    Rescue,
    Reduce,
    Undo,
    Hook,
}

impl Place {
    /// A node's handler; a river's `flow`, a branch's chooser, a foreach's items.
    #[must_use]
    pub fn node(at: &str) -> Self {
        Place { at: at.into(), part: Part::Handler }
    }

    /// A river's `cycle`.
    #[must_use]
    pub fn poll(at: &str) -> Self {
        Place { at: at.into(), part: Part::Poll }
    }

    /// A node's own `on_failure`.
    #[must_use]
    pub fn rescue(at: &str) -> Self {
        Place { at: at.into(), part: Part::Rescue }
    }

    /// What folds the results of a foreach.
    #[must_use]
    pub fn reduce(at: &str) -> Self {
        Place { at: at.into(), part: Part::Reduce }
    }

    /// A node's undo action.
    #[must_use]
    pub fn undo(at: &str) -> Self {
        Place { at: at.into(), part: Part::Undo }
    }

    /// The flow's `on_failure`.
    #[must_use]
    pub fn on_failure() -> Self {
        Place { at: "on_failure".into(), part: Part::Hook }
    }

    /// The flow's `finally`; a river's Atlantic.
    #[must_use]
    pub fn finally() -> Self {
        Place { at: "finally".into(), part: Part::Hook }
    }

    /// Where the code of a task is.
    pub(crate) fn of(scope: &ScopeId, plan: &Plan, task: Task) -> Self {
        if let Task::Hook { hook, .. } = task {
            return if hook == Hook::OnFailure { Place::on_failure() } else { Place::finally() };
        }
        let node = task.node().and_then(|node| plan.node(node)).map_or("", |spec| spec.name.as_str());
        let at = if scope.is_root() { node.into() } else { format!("{}/{node}", scope.path()).into() };
        let part = match task {
            Task::Poll { .. } => Part::Poll,
            Task::Rescue { .. } => Part::Rescue,
            Task::Reduce { .. } => Part::Reduce,
            Task::Undo { .. } => Part::Undo,
            _ => Part::Handler,
        };
        Place { at, part }
    }

    /// Whether `other` is meant by this one, in which keys may be `*`.
    pub(crate) fn means(&self, other: &Place) -> bool {
        let (own, its) = (self.at.split('/'), other.at.split('/'));
        self.part == other.part
            && own.clone().count() == its.clone().count()
            && own.zip(its).all(|(own, its)| {
                own == its || own.strip_suffix("[*]").is_some_and(|own| its.starts_with(&format!("{own}[")))
            })
    }

    /// The same with every key `*`: the same code, in whatever item.
    pub(crate) fn in_any_item(&self) -> Place {
        let steps = self.at.split('/').map(|step| match step.split_once('[') {
            Some((node, _)) => format!("{node}[*]"),
            None => step.to_owned(),
        });
        Place { at: steps.collect::<Vec<_>>().join("/").into(), part: self.part }
    }

    /// Whether it is code of a node that does its work, and not one that cleans up.
    pub(crate) fn is_work(&self) -> bool {
        matches!(self.part, Part::Handler | Part::Poll | Part::Reduce)
    }
}

impl From<&str> for Place {
    fn from(at: &str) -> Self {
        Place::node(at)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = match self.part {
            Part::Handler | Part::Hook => "",
            Part::Poll => "poll of ",
            Part::Rescue => "on_failure of ",
            Part::Reduce => "reduction of ",
            Part::Undo => "undo of ",
        };
        write!(f, "{before}{}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_key() {
        let means = |own: &str, other: &str| Place::from(own).means(&Place::from(other));
        assert!(means("a", "a") && !means("a", "b") && !means("a", "x[1]/a"));
        assert!(means("x[*]/a", "x[1]/a") && means("x[*]/y[2]/a", "x[1]/y[2]/a"));
        assert!(!means("x[*]/a", "xx[1]/a") && !means("x[2]/a", "x[1]/a"));
        assert!(!Place::undo("a").means(&Place::node("a")));
        assert_eq!(Place::undo("x[1]/y[2]/a").in_any_item(), Place::undo("x[*]/y[*]/a"));
    }
}
