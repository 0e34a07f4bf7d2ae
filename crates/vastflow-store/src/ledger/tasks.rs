//! The tasks of one scope, in their order: most scopes have one or two, some have ten thousand.

use super::scope::Entry;
use std::collections::BTreeMap;
use vastflow_core::Task;

/// From how many on it is a tree. One node of a tree is larger than a few tasks.
const MANY: usize = 9;

#[derive(Debug)]
pub(super) enum Tasks {
    Few(Vec<(Task, Entry)>),
    Many(BTreeMap<Task, Entry>),
}

impl Default for Tasks {
    fn default() -> Self {
        Tasks::Few(Vec::new())
    }
}

impl Tasks {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Tasks::Few(tasks) => tasks.is_empty(),
            Tasks::Many(tasks) => tasks.is_empty(),
        }
    }

    pub(super) fn get(&self, task: Task) -> Option<&Entry> {
        match self {
            Tasks::Few(tasks) => find(tasks, task).ok().map(|at| &tasks[at].1),
            Tasks::Many(tasks) => tasks.get(&task),
        }
    }

    pub(super) fn get_mut(&mut self, task: Task) -> Option<&mut Entry> {
        match self {
            Tasks::Few(tasks) => find(tasks, task).ok().map(|at| &mut tasks[at].1),
            Tasks::Many(tasks) => tasks.get_mut(&task),
        }
    }

    /// A task exists from now on; one that exists already stays as it is.
    pub(super) fn insert_with(&mut self, task: Task, entry: impl FnOnce() -> Entry) {
        match self {
            Tasks::Few(tasks) => {
                let Err(at) = find(tasks, task) else { return };
                if tasks.len() + 1 == MANY {
                    let mut many: BTreeMap<_, _> = std::mem::take(tasks).into_iter().collect();
                    many.insert(task, entry());
                    *self = Tasks::Many(many);
                } else {
                    tasks.reserve_exact(1);
                    tasks.insert(at, (task, entry()));
                }
            }
            Tasks::Many(tasks) => {
                tasks.entry(task).or_insert_with(entry);
            }
        }
    }

    pub(super) fn remove(&mut self, task: Task) -> Option<Entry> {
        match self {
            Tasks::Few(tasks) => find(tasks, task).ok().map(|at| tasks.remove(at).1),
            Tasks::Many(tasks) => {
                let removed = tasks.remove(&task);
                if tasks.is_empty() {
                    *self = Tasks::default();
                }
                removed
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Task, &Entry)> {
        let (few, many) = match self {
            Tasks::Few(tasks) => (Some(tasks), None),
            Tasks::Many(tasks) => (None, Some(tasks)),
        };
        let few = few.into_iter().flatten().map(|(task, entry)| (*task, entry));
        few.chain(many.into_iter().flatten().map(|(task, entry)| (*task, entry)))
    }
}

fn find(tasks: &[(Task, Entry)], task: Task) -> Result<usize, usize> {
    tasks.binary_search_by_key(&task, |(known, _)| *known)
}
