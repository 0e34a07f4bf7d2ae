//! Tasks as texts: what people see in the store, and what the scripts tell tasks by.

use vastflow_core::{Hook, NodeIx, Task};

/// The text of a task: a letter for its kind, then the numbers that tell it from others of the kind. It has no space.
pub(crate) fn text_of(task: Task) -> String {
    match task {
        Task::Attempt { node, attempt } => format!("a{}.{attempt}", node.0),
        Task::Poll { node, tick } => format!("p{}.{tick}", node.0),
        Task::Rescue { node } => format!("r{}", node.0),
        Task::Hook { hook, attempt } => format!("h{}.{attempt}", u8::from(hook == Hook::Finally)),
        Task::NodeDeadline { node } => format!("d{}", node.0),
        Task::RunDeadline => "D".to_owned(),
        Task::Deliver => "m".to_owned(),
        Task::Reduce { node, attempt } => format!("f{}.{attempt}", node.0),
        Task::Undo { node, attempt } => format!("u{}.{attempt}", node.0),
        Task::Wake { node } => format!("w{}", node.0),
        Task::Grace => "g".to_owned(),
        Task::Admit => "l".to_owned(),
    }
}

/// The task with this text.
pub(crate) fn task_of(text: &str) -> Option<Task> {
    let mut letters = text.chars();
    let kind = letters.next()?;
    let (first, second) = letters.as_str().split_once('.').unwrap_or((letters.as_str(), ""));
    let node = || first.parse().ok().map(NodeIx);
    let try_ = || second.parse().ok();
    Some(match kind {
        'a' => Task::Attempt { node: node()?, attempt: try_()? },
        'p' => Task::Poll { node: node()?, tick: try_()? },
        'r' => Task::Rescue { node: node()? },
        'h' => Task::Hook { hook: if first == "1" { Hook::Finally } else { Hook::OnFailure }, attempt: try_()? },
        'd' => Task::NodeDeadline { node: node()? },
        'D' => Task::RunDeadline,
        'm' => Task::Deliver,
        'f' => Task::Reduce { node: node()?, attempt: try_()? },
        'u' => Task::Undo { node: node()?, attempt: try_()? },
        'w' => Task::Wake { node: node()? },
        'g' => Task::Grace,
        'l' => Task::Admit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_comes_back_from_its_text() {
        let node = NodeIx(7);
        let tasks = [
            Task::Attempt { node, attempt: 3 },
            Task::Poll { node, tick: 12 },
            Task::Rescue { node },
            Task::Hook { hook: Hook::OnFailure, attempt: 1 },
            Task::Hook { hook: Hook::Finally, attempt: 2 },
            Task::NodeDeadline { node },
            Task::RunDeadline,
            Task::Deliver,
            Task::Reduce { node, attempt: 4 },
            Task::Undo { node, attempt: 5 },
            Task::Wake { node },
            Task::Grace,
            Task::Admit,
        ];
        for task in tasks {
            assert_eq!(task_of(&text_of(task)), Some(task), "{}", text_of(task));
        }
        for text in ["", "x1", "a", "a1", "a1.x", "p.1"] {
            assert_eq!(task_of(text), None, "{text:?}");
        }
    }

    /// The scripts know by the first letter what a task takes of a worker; the core knows it by the task.
    #[test]
    fn the_scripts_know_the_classes() {
        let step = include_str!("lua/tasks.lua");
        let class = |task: Task| match task {
            Task::Admit => 'a',
            task if task.takes_slot() => 'c',
            _ => 'i',
        };
        let node = NodeIx(0);
        for task in [
            Task::Attempt { node, attempt: 1 },
            Task::Poll { node, tick: 1 },
            Task::Rescue { node },
            Task::Hook { hook: Hook::Finally, attempt: 1 },
            Task::NodeDeadline { node },
            Task::RunDeadline,
            Task::Deliver,
            Task::Reduce { node, attempt: 1 },
            Task::Undo { node, attempt: 1 },
            Task::Wake { node },
            Task::Grace,
            Task::Admit,
        ] {
            let letter = text_of(task).remove(0);
            assert!(step.contains(&format!(" {letter} = '{}',", class(task))), "{task:?}");
        }
    }
}
