//! Events that go into one commit.

use super::CopyError;
use crate::commit::{Commit, OpId};
use crate::work::WorkerId;
use vastflow_core::{Event, Recorded, ScopeId, Seq, Timestamp, codec};

/// The most events of one commit.
const EVENTS: usize = 256;
/// The most bytes of them, unless one alone has more.
const BYTES: usize = 1024 * 1024;
/// Whoever copies holds no task, so it is no worker.
const NOBODY: WorkerId = WorkerId(0);

/// Events of one scope that were recorded at the same time, one after the other.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Where the first of them stands.
    pub(super) first: Seq,
    pub(super) at: Timestamp,
    pub(super) events: Vec<Event>,
    /// What they are as bytes.
    record: Vec<u8>,
}

impl Group {
    /// One event.
    pub(super) fn of(scope: &ScopeId, recorded: Recorded) -> Result<Self, CopyError> {
        let mut group = Group { first: recorded.seq, at: recorded.at, ..Group::default() };
        group.push(scope, recorded.event)?;
        Ok(group)
    }

    /// Takes in the next event of the journal; if it does not fit in, it begins another group, and this one is given.
    pub(super) fn take_in(&mut self, scope: &ScopeId, next: Recorded) -> Result<Option<Self>, CopyError> {
        if self.events.is_empty() {
            *self = Group::of(scope, next)?;
            return Ok(None);
        }
        let is_full = self.events.len() >= EVENTS || self.record.len() >= BYTES;
        if is_full || self.at != next.at {
            let next = Group::of(scope, next)?;
            return Ok(Some(std::mem::replace(self, next)));
        }
        self.push(scope, next.event)?;
        Ok(None)
    }

    fn push(&mut self, scope: &ScopeId, event: Event) -> Result<(), CopyError> {
        let record = codec::encode(std::slice::from_ref(&event), std::mem::take(&mut self.record));
        self.record = record.map_err(|source| CopyError::Codec { scope: scope.clone(), source })?;
        self.events.push(event);
        Ok(())
    }

    /// Its last event as a group of its own, if it has more than one.
    pub(super) fn split_last(&mut self, scope: &ScopeId) -> Result<Option<Self>, CopyError> {
        let event = if self.events.len() > 1 { self.events.pop() } else { None };
        let Some(event) = event else { return Ok(None) };
        let events = std::mem::take(&mut self.events);
        self.record.clear();
        events.into_iter().try_for_each(|event| self.push(scope, event))?;
        Group::of(scope, Recorded { seq: self.end(), at: self.at, event }).map(Some)
    }

    /// The position behind its last event.
    pub(super) const fn end(&self) -> Seq {
        self.first.after(self.events.len())
    }

    pub(super) const fn bytes(&self) -> usize {
        self.record.len()
    }

    /// A commit that appends it, and does nothing else.
    pub(super) fn into_commit(self, scope: &ScopeId) -> Commit {
        Commit {
            op: self.name(scope),
            scope: scope.clone(),
            expected: self.first,
            at: self.at,
            worker: NOBODY,
            settle: Vec::new(),
            events: self.events,
            queue: Vec::new(),
            obsolete: Vec::new(),
            messages: Vec::new(),
            control: None,
            summary: None,
        }
    }

    /// A name that only this commit has, and has whenever it is made: 128 bits of FNV-1a over where it stands and what
    /// it says.
    fn name(&self, scope: &ScopeId) -> OpId {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let place = [self.first.0.to_be_bytes(), self.at.millis().to_be_bytes()];
        let said = [scope.run().as_bytes(), b"/", scope.path().as_bytes(), place.as_flattened(), &self.record];
        let bytes = said.into_iter().flatten();
        OpId(bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME)))
    }
}
