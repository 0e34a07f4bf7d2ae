//! Sending many commits at once, each scope's in order.

use super::{Copied, CopyError};
use crate::commit::{Commit, Committed};
use crate::error::StoreError;
use crate::{Answer, Store};
use vastflow_core::{Event, Recorded};

/// How many commits are gathered before they are sent.
const COMMITS: usize = 512;
/// How many bytes of events are.
const BYTES: usize = 4 * 1024 * 1024;

/// Gathers commits in rounds. A batch holds one element a scope, so a round is a batch: a scope's next commit goes into
/// the next round, and those of other scopes beside it. A round is sent when the one before it has taken effect.
pub(super) struct Sender<'a> {
    to: &'a dyn Store,
    rounds: Vec<Vec<Commit>>,
    /// How often everything was sent.
    sendings: u64,
    commits: usize,
    bytes: usize,
    /// Runs that are whole once what is gathered was sent.
    runs: u64,
    /// What was sent.
    pub(super) sent: Copied,
}

/// A round: behind what a commit must come after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    sending: u64,
    round: usize,
}

impl<'a> Sender<'a> {
    pub(super) const fn new(to: &'a dyn Store, sent: Copied) -> Self {
        Sender { to, rounds: Vec::new(), sendings: 1, commits: 0, bytes: 0, runs: 0, sent }
    }

    /// Puts a commit at its place, which moves behind it; sends everything when it is much.
    pub(super) async fn add(&mut self, place: &mut Place, commit: Commit, bytes: usize) -> Result<(), CopyError> {
        if place.sending != self.sendings {
            *place = Place { sending: self.sendings, round: 0 };
        }
        if self.rounds.len() <= place.round {
            self.rounds.resize_with(place.round + 1, Vec::new);
        }
        self.rounds[place.round].push(commit);
        place.round += 1;
        self.commits += 1;
        self.bytes += bytes;
        if self.commits >= COMMITS || self.bytes >= BYTES { self.flush().await } else { Ok(()) }
    }

    /// Sends all that is gathered.
    pub(super) async fn flush(&mut self) -> Result<(), CopyError> {
        for round in std::mem::take(&mut self.rounds) {
            let sizes: Vec<usize> = round.iter().map(|commit| commit.events.len()).collect();
            for ((commit, answer), size) in submit(self.to, round).await?.into_iter().zip(sizes) {
                if self.took_effect(commit, answer).await? {
                    self.sent.events += size as u64;
                }
            }
        }
        self.sent.runs += std::mem::take(&mut self.runs);
        (self.commits, self.bytes) = (0, 0);
        self.sendings += 1;
        Ok(())
    }

    /// All of a run was added.
    pub(super) const fn count_run(&mut self) {
        self.runs += 1;
    }

    /// A run was there before.
    pub(super) const fn count_known(&mut self) {
        self.sent.runs += 1;
        self.sent.known += 1;
    }

    /// A scope was added.
    pub(super) const fn count_scope(&mut self) {
        self.sent.scopes += 1;
    }

    /// Whether a commit took effect; false when it had before.
    async fn took_effect(&self, commit: Commit, answer: Result<Committed, StoreError>) -> Result<bool, CopyError> {
        let of = |source| CopyError::Target { run: Some(commit.scope.run().clone()), source };
        match answer.map_err(of)? {
            Committed::Done { .. } => Ok(true),
            Committed::Duplicate { .. } => Ok(false),
            Committed::Conflict { .. } | Committed::Fenced if self.has_events(&commit).await? => Ok(false),
            Committed::Conflict { .. } | Committed::Fenced => Err(CopyError::Differs { scope: commit.scope }),
        }
    }

    /// Whether the target's journal says at its place just what the commit says.
    async fn has_events(&self, commit: &Commit) -> Result<bool, CopyError> {
        let Commit { scope, expected, at, events, .. } = commit;
        let found = self.to.history(scope, *expected, events.len()).await;
        let found = found.map_err(|source| CopyError::Target { run: Some(scope.run().clone()), source })?;
        let is_same = |(recorded, event): (&Recorded, &Event)| recorded.at == *at && recorded.event == *event;
        Ok(found.len() == events.len() && found.iter().zip(events).all(is_same))
    }
}

async fn submit(to: &dyn Store, round: Vec<Commit>) -> Result<Answer, CopyError> {
    let run = round.first().map(|commit| commit.scope.run().clone());
    let (send, receive) = tokio::sync::oneshot::channel();
    // Whoever gave up the copy does not wait for the answer.
    to.submit(round, Box::new(move |answer| drop(send.send(answer))));
    receive.await.map_err(|_| {
        let source = StoreError::unavailable("the store went away before it answered");
        CopyError::Target { run, source }
    })
}
