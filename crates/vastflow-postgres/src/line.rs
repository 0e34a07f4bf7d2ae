//! What is submitted and waits to be sent: cut into parts that one call of the server can carry, answered as a whole.

use crate::shared::closed;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use vastflow_core::{RunId, ScopeId};
use vastflow_store::{Answer, Commit, Committed, Reply, StoreError};

/// The most elements that go in one call.
const MOST: usize = 512;

pub(crate) type Outcome = Result<Committed, StoreError>;

/// A part of what somebody submitted, who is answered whatever happens to it.
pub(crate) struct Part {
    pub(crate) commits: Vec<Commit>,
    place: usize,
    sheet: Arc<Mutex<Sheet>>,
}

/// The answers to all parts of one batch.
struct Sheet {
    parts: Vec<Answer>,
    left: usize,
    reply: Option<Reply>,
}

/// Cuts a batch into parts, each of which can go in one call.
pub(crate) fn parts(batch: Vec<Commit>, reply: Reply) -> Vec<Part> {
    let mut cut: Vec<Vec<Commit>> = Vec::new();
    if batch.len() <= MOST {
        cut.push(batch);
    } else {
        let mut rest = batch.into_iter();
        while !rest.as_slice().is_empty() {
            cut.push(rest.by_ref().take(MOST).collect());
        }
    }
    let parts = cut.iter().map(|_| Vec::new()).collect();
    let sheet = Arc::new(Mutex::new(Sheet { parts, left: cut.len(), reply: Some(reply) }));
    let part = |(place, commits)| Part { commits, place, sheet: Arc::clone(&sheet) };
    cut.into_iter().enumerate().map(part).collect()
}

impl Part {
    /// Answers this part; when it is the last of its batch, the batch is answered.
    pub(crate) fn answer(mut self, outcomes: Vec<Outcome>) {
        self.fill(outcomes.into_iter());
    }

    fn fill(&mut self, outcomes: impl Iterator<Item = Outcome>) {
        let taken = |(mut commit, outcome): (Commit, Outcome)| {
            if let Ok(Committed::Done { .. }) = outcome {
                commit.events.clear();
                commit.messages.clear();
            }
            (commit, outcome)
        };
        let missing = std::iter::repeat_with(|| Err(closed()));
        let answer: Answer =
            std::mem::take(&mut self.commits).into_iter().zip(outcomes.chain(missing)).map(taken).collect();
        let mut sheet = self.sheet.lock().unwrap_or_else(PoisonError::into_inner);
        sheet.left = sheet.left.saturating_sub(1);
        if let Some(place) = sheet.parts.get_mut(self.place) {
            *place = answer;
        }
        if sheet.left > 0 {
            return;
        }
        let (reply, parts) = (sheet.reply.take(), std::mem::take(&mut sheet.parts));
        drop(sheet);
        let Some(reply) = reply else { return };
        let answer = parts.into_iter().flatten().collect();
        // It must not panic; one that does must not keep others, and what comes of these runs later, from their answers.
        if catch_unwind(AssertUnwindSafe(|| reply(answer))).is_err() {
            tracing::error!("who made a commit panicked when it was answered");
        }
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &RunId> {
        self.commits.iter().map(|commit| commit.scope.run())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // One that was answered has none left.
        if !self.commits.is_empty() {
            self.fill(std::iter::empty());
        }
    }
}

/// What waits to be sent, and the runs of what is under way.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) waiting: VecDeque<Part>,
    pub(crate) under_way: FxHashSet<RunId>,
}

impl Line {
    /// The next parts that go together. A run's commits stay in order: none passes another that is under way or waits.
    pub(crate) fn next(&mut self) -> Vec<Part> {
        let mut next: Vec<Part> = Vec::new();
        let mut size = 0;
        let mut scopes: FxHashSet<ScopeId> = FxHashSet::default();
        let mut behind: FxHashSet<RunId> = FxHashSet::default();
        let mut rest = VecDeque::new();
        for part in std::mem::take(&mut self.waiting) {
            let fits = size + part.commits.len() <= MOST;
            let is_free = part.runs().all(|run| !self.under_way.contains(run) && !behind.contains(run));
            if fits && is_free && part.commits.iter().all(|commit| !scopes.contains(&commit.scope)) {
                size += part.commits.len();
                scopes.extend(part.commits.iter().map(|commit| commit.scope.clone()));
                next.push(part);
            } else {
                behind.extend(part.runs().cloned());
                rest.push_back(part);
            }
        }
        self.waiting = rest;
        self.under_way.extend(next.iter().flat_map(Part::runs).cloned());
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};
    use vastflow_testsuite::fixture;

    fn job(commits: Vec<Commit>) -> Vec<Part> {
        parts(commits, Box::new(|_| {}))
    }

    fn many(count: usize) -> (Vec<Part>, Receiver<Answer>) {
        let (send, receive) = channel();
        let commits = (0..count).map(|run| fixture::start_commit(&format!("r{run}"))).collect();
        (parts(commits, Box::new(move |answer| send.send(answer).unwrap())), receive)
    }

    #[test]
    fn commits_of_one_run_do_not_pass_each_other() {
        let mut line = Line::default();
        let (r, other) = (fixture::root("r"), fixture::root("other"));
        line.waiting.extend(job(vec![fixture::commit(&r, 1)]));
        line.waiting.extend(job(vec![fixture::commit(&r, 2), fixture::commit(&other, 1)]));
        line.waiting.extend(job(vec![fixture::commit(&other, 2)]));
        assert_eq!(line.next().len(), 1, "the second is of the same scope, and the third waits behind the second");
        assert!(line.next().is_empty(), "the first is under way");
        line.under_way.clear();
        assert_eq!(line.next()[0].commits.len(), 2);
    }

    #[test]
    fn a_large_batch_goes_in_parts_and_is_answered_as_one() {
        let (cut, receive) = many(1_200);
        let mut line = Line::default();
        line.waiting.extend(cut);
        let mut sizes = Vec::new();
        while let Some(part) = line.next().pop() {
            sizes.push(part.commits.len());
            assert!(receive.try_recv().is_err(), "not before all is answered");
            let outcomes = part.commits.iter().map(|_| Ok(Committed::Fenced)).collect();
            part.answer(outcomes);
        }
        assert_eq!(sizes, [512, 512, 176]);
        let answer = receive.recv().unwrap();
        let runs: Vec<_> = answer.iter().map(|(commit, _)| commit.scope.to_string()).collect();
        assert_eq!(runs, (0..1_200).map(|run| format!("r{run}")).collect::<Vec<_>>(), "in its order");
    }

    #[test]
    fn who_is_forgotten_is_answered() {
        let (cut, receive) = many(600);
        drop(cut);
        let answer = receive.recv().unwrap();
        assert_eq!(answer.len(), 600);
        assert!(answer.iter().all(|(_, answer)| matches!(answer, Err(StoreError::Closed { .. }))));
        assert!(!answer[0].0.events.is_empty(), "it comes back whole");
    }
}
