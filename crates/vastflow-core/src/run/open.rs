//! A node whose scopes are under way: which items wait, which run, and what came of the others.

use super::state::Active;
use crate::context::Context;
use crate::event::Item;
use crate::failure::{Failure, FailureKind};
use crate::id::{NodeIx, Seq, Task};
use crate::payload::Payload;
use crate::plan::{Gives, Join, NodeKind, Partial, Plan};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The most results that one call folds.
pub(super) const REDUCE_BATCH: usize = 256;
/// How many results may wait to be folded before no new item starts.
const REDUCE_LAG: usize = 4 * REDUCE_BATCH;

/// A branch, a foreach or a basin at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// When the node became ready.
    pub(super) since: Timestamp,
    /// The context as it stood when the first of them were known. All items begin with this one, whenever they do: what one writes is not seen by
    /// the next, and a thousand items that write a key each do not copy half a million of them.
    pub(super) context: Arc<Context>,
    /// Read and not begun, in order.
    pub(super) waiting: VecDeque<Item>,
    /// The position of the first of `waiting` among all items.
    pub(super) begun: u64,
    pub(super) running: BTreeMap<Box<str>, Running>,
    /// The call for the next page of items.
    pub(super) reading: Option<Active>,
    /// Where the next page begins; none when there is none.
    pub(super) cursor: Option<Payload>,
    /// Attempts that were made to read pages.
    pub(super) reads: u32,
    /// Pages that were read.
    pub(super) pages: u32,
    /// The keys that the handler gave, if it gave any.
    pub(super) keys: BTreeSet<Box<str>>,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// The first failure.
    pub(super) failure: Option<Box<Failure>>,
    /// What came of items, in the order of their ends; of a reduction, what was not folded yet.
    pub(super) results: Vec<ItemResult>,
    /// The call that folds.
    pub(super) reducing: Option<Active>,
    /// Attempts that were made to fold.
    pub(super) folds: u32,
    /// Batches that were folded.
    pub(super) batches: u32,
    pub(super) acc: Option<Payload>,
    /// The items before this one are folded, or never will be; where the order is of no matter, just their number.
    pub(super) reduced: u64,
    /// Failed items that a reduction in order leaves out, behind `reduced`.
    pub(super) left_out: BTreeSet<u64>,
}

/// A scope under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// Its place among the items.
    pub(super) index: u64,
    /// How long the journal was when it began.
    pub(super) since: Seq,
    /// Which word it said last about signals.
    pub(super) heard: u32,
}

/// What came of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ItemResult {
    pub(super) index: u64,
    pub(super) key: Box<str>,
    pub(super) result: Result<Payload, Box<Failure>>,
}

/// Where a node with scopes stands.
pub(super) enum Standing {
    /// It goes on.
    Going,
    /// It has its result.
    Done(Payload),
    /// It cannot have one.
    Failed(Failure),
}

impl Open {
    pub(super) fn new(since: Timestamp, context: &Arc<Context>) -> Self {
        Open {
            since,
            context: Arc::clone(context),
            waiting: VecDeque::new(),
            begun: 0,
            running: BTreeMap::new(),
            reading: None,
            cursor: None,
            reads: 0,
            pages: 0,
            keys: BTreeSet::new(),
            succeeded: 0,
            failed: 0,
            failure: None,
            results: Vec::new(),
            reducing: None,
            folds: 0,
            batches: 0,
            acc: None,
            reduced: 0,
            left_out: BTreeSet::new(),
        }
    }

    /// About how many bytes of payloads it holds.
    pub(super) fn payload_bytes(&self) -> usize {
        let waiting = self.waiting.iter().map(|item| item.key.len() + item.input.len());
        let results = self.results.iter().map(|item| item.key.len() + item.result.as_ref().map_or(0, Payload::len));
        waiting.chain(results).sum::<usize>() + self.acc.as_ref().map_or(0, Payload::len)
    }

    /// The tasks that must exist for it.
    pub(super) fn tasks(&self, node: NodeIx) -> impl Iterator<Item = (Task, Timestamp)> {
        let reading = self.reading.as_ref().map(|call| (call.task(node), call.due));
        let reducing = self.reducing.as_ref().map(|call| (reduce_task(node, call), call.due));
        reading.into_iter().chain(reducing)
    }

    /// Takes an item out of the line if another may begin.
    pub(super) fn next(&mut self, window: u32, gives: Option<Gives>, len: Seq) -> Option<(Box<str>, Item)> {
        let lag = match gives {
            Some(Gives::Reduced { ordered: true }) => self.begun - self.reduced,
            Some(Gives::Reduced { ordered: false }) => self.results.len() as u64,
            // All results are kept to the end.
            Some(Gives::List | Gives::Map) | None => 0,
        };
        if self.running.len() >= window as usize || lag >= REDUCE_LAG as u64 + u64::from(window) {
            return None;
        }
        let item = self.waiting.pop_front()?;
        let index = self.begun;
        self.begun += 1;
        let key = item.scope_key(index);
        self.running.insert(key.clone(), Running { index, since: len, heard: 0 });
        Some((key, item))
    }

    /// Notes what came of a scope.
    pub(super) fn ended(&mut self, key: &str, result: Result<Payload, Failure>, gives: Option<Gives>) {
        let Some((key, Running { index, .. })) = self.running.remove_entry(key) else { return };
        match &result {
            Ok(_) => self.succeeded += 1,
            Err(failure) => {
                self.failed += 1;
                let failure = || Box::new(failure.clone().in_scope(&key));
                self.failure.get_or_insert_with(failure);
            }
        }
        match (gives, &result) {
            (Some(Gives::Reduced { ordered: true }), Err(_)) => {
                self.left_out.insert(index);
                self.skip_left_out();
            }
            (Some(Gives::Reduced { ordered: false }), Err(_)) => self.reduced += 1,
            _ => self.results.push(ItemResult { index, key, result: result.map_err(Box::new) }),
        }
    }

    fn skip_left_out(&mut self) {
        while self.left_out.remove(&self.reduced) {
            self.reduced += 1;
        }
    }

    /// The results that the next call folds.
    pub(super) fn batch(&self, ordered: bool) -> Vec<&ItemResult> {
        let mut ready: Vec<&ItemResult> = self.results.iter().collect();
        if ordered {
            ready.sort_by_key(|result| result.index);
            let mut next = self.reduced;
            ready.retain(|result| {
                while self.left_out.contains(&next) {
                    next += 1;
                }
                let is_next = result.index == next;
                next += u64::from(is_next);
                is_next
            });
        }
        ready.truncate(REDUCE_BATCH);
        ready
    }

    /// Forgets the first `count` results of the batch; they are folded.
    pub(super) fn folded(&mut self, count: usize, ordered: bool) {
        if ordered {
            self.results.sort_by_key(|result| result.index);
        }
        let folded = self.results.drain(..count.min(self.results.len()));
        self.reduced = match folded.last() {
            Some(last) if ordered => last.index + 1,
            _ => self.reduced + count as u64,
        };
        self.left_out = self.left_out.split_off(&self.reduced);
        self.skip_left_out();
    }

    /// Whether every item has been read and has ended.
    pub(super) fn has_all(&self) -> bool {
        self.reading.is_none() && self.cursor.is_none() && self.waiting.is_empty() && self.running.is_empty()
    }

    /// Where the node stands after what was noted last.
    pub(super) fn standing(&self, plan: &Plan, node: NodeIx) -> Standing {
        let (join, partial, gives) = match &plan.at(node).kind {
            NodeKind::Branch(branch) => (branch.join, Partial::Stop, None),
            NodeKind::ForEach(foreach) => (foreach.join, foreach.partial, Some(foreach.gives)),
            _ => (Join::All, Partial::Stop, None),
        };
        if let Some(failure) = self.impossible(join, partial) {
            return Standing::Failed(failure);
        }
        let enough = match join {
            Join::All | Join::AllSettled => self.has_all(),
            some => self.succeeded >= some.needs(0),
        };
        let folded = !matches!(gives, Some(Gives::Reduced { .. }))
            || self.reducing.is_none() && self.results.is_empty() && self.acc.is_some();
        if !enough || !folded {
            return Standing::Going;
        }
        Standing::Done(self.output(plan, node, join))
    }

    /// Why it cannot have a result any more, if it cannot.
    fn impossible(&self, join: Join, partial: Partial) -> Option<Failure> {
        let is_over = match (join, partial) {
            (Join::AllSettled, _) => false,
            (Join::All, Partial::Stop) => self.failed > 0,
            (Join::All, Partial::Finish) => self.failed > 0 && self.has_all(),
            (Join::All, Partial::Tolerate(most)) => self.failed > u64::from(most),
            (some, _) => self.has_all() && self.succeeded < some.needs(0),
        };
        is_over.then(|| self.why_impossible(join))
    }

    fn why_impossible(&self, join: Join) -> Failure {
        let all = self.failed + self.succeeded;
        match &self.failure {
            Some(failure) if self.failed == 1 && join == Join::All => (**failure).clone(),
            Some(failure) => {
                let text = format!("{} of {all} failed, the first: {}", self.failed, failure.message);
                Failure { cause: failure.cause.clone(), ..Failure::new(failure.kind, text) }
            }
            None => Failure::new(FailureKind::Error, format!("it needs {} and there were {all}", join.needs(all))),
        }
    }

    fn output(&self, plan: &Plan, node: NodeIx, join: Join) -> Payload {
        let needed = usize::try_from(join.needs(u64::MAX)).unwrap_or(usize::MAX);
        let mut got: Vec<&ItemResult> = self.results.iter().filter(|one| one.result.is_ok()).take(needed).collect();
        if join == Join::AllSettled {
            got = self.results.iter().collect();
        }
        got.sort_by_key(|one| one.index);
        let value = |one: &ItemResult| match &one.result {
            Ok(value) if join == Join::AllSettled => Payload::settled(Ok(value)),
            Ok(value) => value.clone(),
            Err(failure) => Payload::settled(Err(&format!("{failure}"))),
        };
        let mut values: Vec<(&str, Payload)> = got.into_iter().map(|one| (&*one.key, value(one))).collect();
        let as_map = |values: &[(&str, Payload)]| Payload::object(values.iter().map(|(key, value)| (*key, value)));
        match &plan.at(node).kind {
            NodeKind::Branch(branch) if branch.collect => as_map(&values),
            NodeKind::ForEach(foreach) if join != Join::Any => match foreach.gives {
                Gives::List => Payload::list(values.iter().map(|(_, value)| value)),
                Gives::Map => {
                    values.sort_by_key(|(key, _)| *key);
                    as_map(&values)
                }
                Gives::Reduced { .. } => self.acc.clone().unwrap_or_else(Payload::null),
            },
            _ => match values.as_mut_slice() {
                [(_, only)] => only.clone(),
                several => as_map(several),
            },
        }
    }
}

pub(super) const fn reduce_task(node: NodeIx, call: &Active) -> Task {
    Task::Reduce { node, attempt: call.attempt() }
}
