//! One scope: its journal, then the scopes inside it, then its last commit, which brings all that is not events.

use super::group::Group;
use super::send::Place;
use super::words::{Ears, Heard, Inwards, Said, hears};
use super::{Copier, CopyError, Run};
use crate::commit::{Commit, Message, NewTask};
use crate::control::Control;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use vastflow_core::run::{Changes, Peer, RunSummary, Sink, Word};
use vastflow_core::{Codec, Event, NodeIx, Payload, Plan, Recorded, ScopeId, Seq, State, Task, Timestamp, codec};

/// How many events are read at once.
const PAGE: usize = 512;
/// Who paused a run that had only begun, so that there was something to record when it was there whole.
const BY: &str = "copy";

/// Where a scope stands in its run.
pub(super) struct Site<'a> {
    pub(super) id: ScopeId,
    pub(super) plan: Arc<Plan>,
    /// The one around it.
    pub(super) outer: Option<Outer<'a>>,
}

/// The scope around one, as it stands at the end of its journal.
#[derive(Clone)]
pub(super) struct Outer<'a> {
    plan: &'a Plan,
    state: &'a State,
    /// Who the inner one is to it.
    peer: Peer,
}

/// What has become of a scope that was copied.
pub(super) struct Done {
    /// Behind its last commit.
    place: Place,
    ears: Ears,
}

/// A scope, folded and sent but for its last events.
struct Draft {
    state: State,
    said: Said,
    heard: Heard,
    last: Group,
    place: Place,
}

/// What the scopes inside one leave for its last commit.
#[derive(Default)]
struct Inside {
    /// What was said to them and not heard, in order.
    unheard: BTreeMap<ScopeId, Vec<Message>>,
    /// What those would still hear that were copied.
    ears: BTreeMap<(NodeIx, Box<str>), Ears>,
    /// Behind the last commits of all of them.
    place: Place,
}

type Copying<'s> = Pin<Box<dyn Future<Output = Result<Option<Done>, CopyError>> + Send + 's>>;

impl<'a> Copier<'a> {
    /// Copies a scope and all inside it; none when it has not begun.
    pub(super) fn scope<'s>(&'s mut self, run: &'s mut Run, site: Site<'s>) -> Copying<'s>
    where
        'a: 's,
    {
        Box::pin(async move {
            let Some(mut draft) = self.draft(run, &site).await? else { return Ok(None) };
            let mut inside = Inside::default();
            if draft.said.has_inner {
                if site.id.is_root() && draft.last.first == Seq::ZERO {
                    self.begin_held(run, &site, &mut draft).await?;
                }
                inside = self.inside(run, &site, &draft.state).await?;
            }
            draft.place = draft.place.max(inside.place);
            let ears = Ears::of(&site.plan, &draft.state, std::mem::take(&mut draft.heard));
            let mut place = draft.place;
            let bytes = draft.last.bytes();
            let commit = self.last(run, &site, draft, inside.unheard.into_values().flatten().collect()).await?;
            self.sender.add(&mut place, commit, bytes).await?;
            self.sender.count_scope();
            Ok(Some(Done { place, ears }))
        })
    }

    /// Folds a journal and sends it, but for its last group.
    async fn draft(&mut self, run: &mut Run, site: &Site<'_>) -> Result<Option<Draft>, CopyError> {
        let (state, said) = (State::default(), Said::default());
        let mut draft = Draft { state, said, heard: Heard::default(), last: Group::default(), place: run.begun };
        loop {
            let page = self.read(&site.id, draft.state.len()).await?;
            let is_last = page.len() < PAGE;
            for recorded in page {
                evolve(site, &mut draft.state, &recorded, &mut draft.said)?;
                draft.heard.take_in(&recorded.event);
                if let Some(group) = draft.last.take_in(&site.id, recorded)? {
                    self.send(run, site, &mut draft.place, group).await?;
                }
            }
            if is_last {
                return Ok((!draft.state.is_empty()).then_some(draft));
            }
        }
    }

    async fn read(&self, scope: &ScopeId, after: Seq) -> Result<Vec<Recorded>, CopyError> {
        let of = |source| CopyError::Source { run: Some(scope.run().clone()), source };
        self.from.history(scope, after, PAGE).await.map_err(of)
    }

    /// Sends events that are not the last of their scope. The first of a run begin it, held.
    async fn send(&mut self, run: &mut Run, site: &Site<'_>, place: &mut Place, group: Group) -> Result<(), CopyError> {
        let begins = site.id.is_root() && group.first == Seq::ZERO;
        let bytes = group.bytes();
        let mut commit = group.into_commit(&site.id);
        if begins {
            commit.summary = summary_of(site, commit.at, &commit.events)?;
            commit.control = Some(Control::Held);
        }
        self.sender.add(place, commit, bytes).await?;
        if begins {
            run.begun = *place;
        }
        Ok(())
    }

    /// Begins a run whose root has one group of events, and leaves something of it for the last commit.
    async fn begin_held(&mut self, run: &mut Run, site: &Site<'_>, draft: &mut Draft) -> Result<(), CopyError> {
        let last = match draft.last.split_last(&site.id)? {
            Some(last) => last,
            None => marker(site, draft)?,
        };
        let first = std::mem::replace(&mut draft.last, last);
        self.send(run, site, &mut draft.place, first).await
    }

    /// Copies the scopes that a scope began, in the order in which it did.
    async fn inside(&mut self, run: &mut Run, site: &Site<'_>, end: &State) -> Result<Inside, CopyError> {
        let mut inside = Inside::default();
        let mut state = State::default();
        loop {
            let page = self.read(&site.id, state.len()).await?;
            for recorded in &page {
                let mut words = Inwards::default();
                evolve(site, &mut state, recorded, &mut words)?;
                for (peer, word) in words.0 {
                    self.hand_in(run, site, end, &mut inside, (peer, word)).await?;
                }
            }
            if page.len() < PAGE {
                return Ok(inside);
            }
        }
    }

    /// What a word to an inner scope comes to: it is copied when it begins; what it did not hear is said again.
    async fn hand_in(
        &mut self,
        run: &mut Run,
        site: &Site<'_>,
        end: &State,
        inside: &mut Inside,
        (peer, word): (Peer, Word),
    ) -> Result<(), CopyError> {
        let Peer::Child { node, key } = &peer else { return Ok(()) };
        let whole = || CopyError::NoPlan { run: run.row.id.clone(), plan: run.row.summary.started.plan };
        let spec = site.plan.node(*node).ok_or_else(whole)?;
        let id = site.id.child(&spec.name, key);
        if let Word::Begin(_) = word {
            let plan = Arc::clone(site.plan.body(*node, key).ok_or_else(whole)?);
            let outer = Some(Outer { plan: &site.plan, state: end, peer: peer.clone() });
            let done = self.scope(run, Site { id: id.clone(), plan, outer }).await?;
            if done.is_none() {
                inside.unheard.insert(id.clone(), vec![message(&site.id, id, &word)?]);
            }
            let (place, ears) = done.map_or((inside.place, Ears::OPEN), |done| (done.place, done.ears));
            inside.place = inside.place.max(place);
            if ears.are_open() {
                inside.ears.insert((*node, key.clone()), ears);
            }
            return Ok(());
        }
        match inside.ears.get(&(*node, key.clone())) {
            Some(ears) if ears.have_heard(&word) => _ = inside.unheard.remove(&id),
            Some(ears) if ears.would_hear(&word) => {
                inside.unheard.entry(id.clone()).or_default().push(message(&site.id, id, &word)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// The last commit of a scope: its last events, and what must exist now that all of them are there.
    async fn last(
        &self,
        run: &Run,
        site: &Site<'_>,
        draft: Draft,
        mut messages: Vec<Message>,
    ) -> Result<Commit, CopyError> {
        let Draft { state, said, last, .. } = draft;
        if let (Some(outer), Some((to, ..))) = (&site.outer, site.id.parent()) {
            let is_unheard = |word: &Word| hears(outer.plan, outer.state, outer.peer.clone(), word.clone());
            for word in said.outwards.iter().filter(|word| is_unheard(word)) {
                messages.push(message(&site.id, to.clone(), word)?);
            }
        }
        let mut outstanding = Changes::default();
        state.outstanding(&site.plan, &mut outstanding);
        let queue: Vec<NewTask> =
            outstanding.queue.into_iter().map(|(task, due)| queued(run, site, &state, task, due)).collect();
        let obsolete = if run.is_resumed { self.leftovers(site, &queue).await? } else { Vec::new() };
        let mut commit = Commit { queue, obsolete, messages, ..last.into_commit(&site.id) };
        if site.id.is_root() {
            commit.summary = Some(Arc::new(run.row.summary.clone()));
            commit.control = Some(run.row.control.control);
        }
        Ok(commit)
    }

    /// Tasks that the target derived from a part of the journal, when it was opened between two calls.
    async fn leftovers(&self, site: &Site<'_>, wanted: &[NewTask]) -> Result<Vec<Task>, CopyError> {
        let of = |source| CopyError::Target { run: Some(site.id.run().clone()), source };
        let there = self.to.tasks(&site.id).await.map_err(of)?.into_iter().map(|known| known.task);
        let is_left = |task: &Task| *task != Task::Deliver && wanted.iter().all(|new| new.task != *task);
        Ok(there.filter(is_left).collect())
    }
}

fn evolve(site: &Site<'_>, state: &mut State, recorded: &Recorded, out: &mut impl Sink) -> Result<(), CopyError> {
    let illegal = |source| CopyError::Illegal { scope: site.id.clone(), source };
    state.evolve(&site.plan, &recorded.event, recorded.at, out).map_err(illegal)
}

/// What lists show of a run that has only begun.
fn summary_of(site: &Site<'_>, at: Timestamp, events: &[Event]) -> Result<Option<Arc<RunSummary>>, CopyError> {
    let mut state = State::default();
    for event in events {
        let illegal = |source| CopyError::Illegal { scope: site.id.clone(), source };
        state.evolve(&site.plan, event, at, &mut ()).map_err(illegal)?;
    }
    Ok(state.summary(&site.plan).map(Arc::new))
}

/// Events that change nothing, for a run whose only event has to begin it.
fn marker(site: &Site<'_>, draft: &mut Draft) -> Result<Group, CopyError> {
    let (by, why) = (|| BY.into(), || "the run was copied from another store".into());
    let events = [Event::Paused { by: by(), why: why() }, Event::Resumed { by: by(), why: why() }];
    let mut marker = Group::default();
    for event in events {
        let recorded = Recorded { seq: draft.state.len(), at: draft.last.at, event };
        evolve(site, &mut draft.state, &recorded, &mut ())?;
        marker.take_in(&site.id, recorded)?;
    }
    Ok(marker)
}

fn message(scope: &ScopeId, to: ScopeId, word: &Word) -> Result<Message, CopyError> {
    let body = codec::encode_word(word).map_err(|source| CopyError::Codec { scope: scope.clone(), source })?;
    Ok(Message { to, kind: word.kind(), body: Payload::new(Codec::Bytes, body) })
}

/// A task in the lane that it queues in. What a run that stops will not begin needs no room in one.
fn queued(run: &Run, site: &Site<'_>, state: &State, task: Task, due: Timestamp) -> NewTask {
    let is_dropped = run.row.control.control == Control::Stopping && !state.may_start(&site.plan, task);
    let lane = run.row.summary.started.info.lane_of(&site.plan, task);
    NewTask { lane: lane.filter(|_| task == Task::Admit || !is_dropped).cloned(), ..NewTask::new(task, due) }
}
