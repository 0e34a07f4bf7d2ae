//! Tasks as one number: four bits of kind, 27 of node, 32 of the number of the try.

use vastflow_core::id::Hook;
use vastflow_core::{NodeIx, Task};
use vastflow_store::StoreError;

const NODES: u32 = 1 << 27;

/// The kind, the node and the number of the try.
fn parts(task: Task) -> (u64, u32, u32) {
    match task {
        Task::Attempt { node, attempt } => (0, node.0, attempt),
        Task::Poll { node, tick } => (1, node.0, tick),
        Task::Rescue { node } => (2, node.0, 0),
        Task::Hook { hook: Hook::OnFailure, attempt } => (3, 0, attempt),
        Task::Hook { hook: Hook::Finally, attempt } => (4, 0, attempt),
        Task::NodeDeadline { node } => (5, node.0, 0),
        Task::RunDeadline => (6, 0, 0),
        Task::Deliver => (7, 0, 0),
        Task::Reduce { node, attempt } => (8, node.0, attempt),
        Task::Undo { node, attempt } => (9, node.0, attempt),
        Task::Wake { node } => (10, node.0, 0),
        Task::Grace => (11, 0, 0),
        Task::Admit => (12, 0, 0),
    }
}

/// The number of a task.
pub(crate) fn pack(task: Task) -> Result<i64, StoreError> {
    let (kind, node, number) = parts(task);
    if node >= NODES {
        return Err(StoreError::Invalid(format!("node {node} is beyond the {NODES} nodes that a plan may have")));
    }
    Ok((kind << 59 | u64::from(node) << 32 | u64::from(number)).cast_signed())
}

/// The task with this number.
pub(crate) fn unpack(number: i64) -> Result<Task, StoreError> {
    let bits = number.cast_unsigned();
    let node = NodeIx(u32::try_from(bits >> 32 & u64::from(NODES - 1)).unwrap_or(0));
    let attempt = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
    Ok(match bits >> 59 {
        0 => Task::Attempt { node, attempt },
        1 => Task::Poll { node, tick: attempt },
        2 => Task::Rescue { node },
        3 => Task::Hook { hook: Hook::OnFailure, attempt },
        4 => Task::Hook { hook: Hook::Finally, attempt },
        5 => Task::NodeDeadline { node },
        6 => Task::RunDeadline,
        7 => Task::Deliver,
        8 => Task::Reduce { node, attempt },
        9 => Task::Undo { node, attempt },
        10 => Task::Wake { node },
        11 => Task::Grace,
        12 => Task::Admit,
        _ => return Err(StoreError::corrupt(format!("{number} in table task is no task that this version knows"))),
    })
}

/// What a task takes of its worker: 0 nothing, 1 a place in a window, 2 a slot.
pub(crate) const fn class(task: Task) -> i16 {
    match task {
        Task::Admit => 1,
        task if task.takes_slot() => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back() {
        let (node, attempt) = (NodeIx(NODES - 1), u32::MAX);
        let tasks = [
            Task::Attempt { node, attempt },
            Task::Poll { node, tick: attempt },
            Task::Rescue { node },
            Task::Hook { hook: Hook::OnFailure, attempt },
            Task::Hook { hook: Hook::Finally, attempt },
            Task::NodeDeadline { node },
            Task::RunDeadline,
            Task::Deliver,
            Task::Reduce { node, attempt },
            Task::Undo { node, attempt },
            Task::Wake { node },
            Task::Grace,
            Task::Admit,
        ];
        let numbers: Vec<i64> = tasks.iter().map(|task| pack(*task).unwrap()).collect();
        assert!(numbers.iter().all(|number| *number >= 0), "{numbers:?}");
        assert_eq!(numbers.iter().map(|number| unpack(*number).unwrap()).collect::<Vec<_>>(), tasks);
        assert_eq!(pack(Task::Deliver).unwrap(), 7 << 59, "the functions of the server know this one");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(pack(Task::Rescue { node: NodeIx(NODES) }).is_err());
        assert!(unpack(13 << 59).is_err());
    }
}
