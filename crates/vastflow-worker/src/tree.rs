//! The scopes of a run in memory, for whoever drives a run without an engine: [`run_in_memory`](crate::run_in_memory)
//! by the real clock, `vastflow-testing` by a virtual one.
//!
//! A [`Tree`] is told one input at a time and says what follows. It has no clock, no queue and no store: who drives it
//! brings those, hands on the words between scopes, and calls what is to be called ([`Tree::ctx`], [`Called`]).

pub use crate::again::Past;
pub use crate::call::Called;

use crate::call::{Site, limit_of};
use crate::error::Error;
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::run::{Changes, Illegal, Input, Peer, Rejection, StepError, Times};
use vastflow_core::{Event, NodeIx, Recorded, RunId, ScopeId, State, Task, Timestamp};
use vastflow_sdk::{Bound, Ctx, EngineLink, Temporary};

/// The scopes of one run, in memory.
///
/// ```
/// use std::sync::Arc;
/// use vastflow_core::run::{Changes, Input, Start, Times};
/// use vastflow_core::{RunId, Timestamp};
/// use vastflow_sdk::{Flow, Library, Node, Result};
/// use vastflow_worker::tree::{At, Tree};
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let mut library = Library::default();
/// library.add_flow(flow.name().clone(), Arc::clone(flow.code()))?;
/// let id = RunId::new("r1")?;
/// let mut tree = Tree::new(Arc::new(library.bind(flow.plan())?), id.clone());
///
/// let times = Times { now: Timestamp::ZERO, recorded_at: Timestamp::ZERO };
/// let mut changes = Changes::default();
/// let events = tree.tell(At::ROOT, Input::Start(Start::new(id)), times, &mut changes)?;
/// assert_eq!((events[0].name(), changes.queue.len()), ("RunStarted", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tree {
    /// The root first.
    scopes: Vec<Scope>,
    places: FxHashMap<ScopeId, At>,
}

/// Which scope of a [`Tree`]. Scopes are numbered as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(usize);

impl At {
    /// The root.
    pub const ROOT: At = At(0);
}

struct Scope {
    id: ScopeId,
    bound: Arc<Bound>,
    state: State,
    /// The scope around it, with the node and the key that it stands under there.
    parent: Option<(At, NodeIx, Box<str>)>,
}

/// What a call gets from whoever makes it.
pub struct Surroundings<'a> {
    /// The run's data of this process.
    pub temporary: Temporary,
    /// What calls may ask of who makes them.
    pub engine: &'a Arc<dyn EngineLink>,
    /// What time it is.
    pub now: Timestamp,
}

impl Tree {
    /// A run that has not begun.
    #[must_use]
    pub fn new(bound: Arc<Bound>, run: RunId) -> Self {
        let id = ScopeId::root(run);
        let places = FxHashMap::from_iter([(id.clone(), At::ROOT)]);
        Tree { scopes: vec![Scope { id, bound, state: State::default(), parent: None }], places }
    }

    /// Tells a scope something. Gives the events to record; what else follows is added to `out`.
    ///
    /// # Errors
    /// [`StepError::Rejected`] when it does not fit, and nothing has changed; [`StepError::Illegal`] is a bug.
    pub fn tell(&mut self, at: At, input: Input, times: Times, out: &mut Changes) -> Result<Vec<Event>, StepError> {
        let mut events = Vec::new();
        self.tell_into(at, input, times, out, &mut events)?;
        Ok(events)
    }

    /// The same, with the events to record added to `events`.
    ///
    /// # Errors
    /// As [`Tree::tell`].
    pub fn tell_into(
        &mut self,
        at: At,
        input: Input,
        times: Times,
        out: &mut Changes,
        events: &mut Vec<Event>,
    ) -> Result<(), StepError> {
        let scope = &mut self.scopes[at.0];
        scope.state.step_into(scope.bound.plan(), input, times, out, events)
    }

    /// Folds what was recorded of a scope.
    ///
    /// # Errors
    /// [`Illegal`] when it cannot follow what was folded before.
    pub fn fold(&mut self, at: At, recorded: &Recorded) -> Result<(), Illegal> {
        let scope = &mut self.scopes[at.0];
        scope.state.evolve(scope.bound.plan(), &recorded.event, recorded.at, &mut ())
    }

    /// Who hears what `from` says to `peer`, and who `from` is to them. A scope that is not there yet comes to be.
    pub fn hearer(&mut self, from: At, peer: &Peer) -> Option<(At, Peer)> {
        match peer {
            Peer::Parent => {
                let (parent, node, key) = self.scopes[from.0].parent.clone()?;
                Some((parent, Peer::Child { node, key }))
            }
            Peer::Child { node, key } => {
                let outer = &self.scopes[from.0];
                let id = outer.id.child(&outer.bound.plan().node(*node)?.name, key);
                self.open(&id).map(|child| (child, Peer::Parent))
            }
        }
    }

    /// The scope with this id; it comes to be if the plan has it and the scope around it is there.
    pub fn open(&mut self, id: &ScopeId) -> Option<At> {
        if let Some(known) = self.find(id) {
            return Some(known);
        }
        let (outer, node, key) = id.parent()?;
        let parent = self.find(&outer)?;
        let node = self.scopes[parent.0].bound.plan().find(node)?;
        let bound = self.scopes[0].bound.of_scope(id)?;
        let at = At(self.scopes.len());
        let parent = Some((parent, node, key.into()));
        self.places.insert(id.clone(), at);
        self.scopes.push(Scope { id: id.clone(), bound, state: State::default(), parent });
        Some(at)
    }

    /// The scope with this id, if it is there.
    #[must_use]
    pub fn find(&self, id: &ScopeId) -> Option<At> {
        self.places.get(id).copied()
    }

    /// All scopes that are there, the root first.
    pub fn all(&self) -> impl Iterator<Item = At> + use<> {
        (0..self.scopes.len()).map(At)
    }

    /// A scope's id.
    #[must_use]
    pub fn id(&self, at: At) -> &ScopeId {
        &self.scopes[at.0].id
    }

    /// A scope's plan and its code.
    #[must_use]
    pub fn bound(&self, at: At) -> &Arc<Bound> {
        &self.scopes[at.0].bound
    }

    /// Where a scope stands.
    #[must_use]
    pub fn state(&self, at: At) -> &State {
        &self.scopes[at.0].state
    }

    /// The context of a call that answers `task`. [`Called::begin`] calls it.
    #[must_use]
    pub fn ctx(&self, at: At, task: Task, around: Surroundings<'_>) -> Ctx {
        let Scope { id, bound, state, .. } = &self.scopes[at.0];
        let Surroundings { temporary, engine, now } = around;
        Site { scope: id, bound, state, begun: self.state(At::ROOT).started(), temporary, engine, caller: 0, now }
            .ctx(task)
    }

    /// How long a call that answers `task` may take, if that is limited.
    #[must_use]
    pub fn limit(&self, at: At, task: Task) -> Option<Duration> {
        limit_of(self.bound(at), task)
    }

    /// What a rejection means to the one who asked. Asking twice for the same thing is no error.
    ///
    /// # Errors
    /// The error that an [`Engine`](crate::Engine) answers.
    pub fn meaning(&self, at: At, rejection: &Rejection) -> Result<(), Error> {
        let Scope { id, bound, .. } = &self.scopes[at.0];
        Error::of_rejection(id, bound.plan().flow(), rejection)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} scopes of {})", self.scopes.len(), self.scopes[0].id)
    }
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Surroundings(at {})", self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_core::run::Start;
    use vastflow_sdk::{Flow, Library, Node, Result};

    #[test]
    fn a_scope_is_opened_once_and_hears_and_is_heard() {
        async fn number(n: u32) -> Result<u32> {
            Ok(n)
        }
        let flow = Flow::dag("each", |dag, all: Node<'_, Vec<u32>>| {
            dag.for_each("each", all, |dag, n| dag.node("n", number, n))
        });
        let flow = flow.unwrap();
        let mut library = Library::default();
        library.add_flow(flow.name().clone(), Arc::clone(flow.code())).unwrap();
        let id = RunId::new("r").unwrap();
        let mut tree = Tree::new(Arc::new(library.bind(flow.plan()).unwrap()), id.clone());
        let times = Times { now: Timestamp::ZERO, recorded_at: Timestamp::ZERO };
        tree.tell(At::ROOT, Input::Start(Start::new(id)), times, &mut Changes::default()).unwrap();

        let child = Peer::Child { node: NodeIx(0), key: "0".into() };
        let (item, speaker) = tree.hearer(At::ROOT, &child).unwrap();
        assert_eq!((speaker, tree.id(item).to_string().as_str()), (Peer::Parent, "r/each[0]"));
        assert_eq!(tree.hearer(item, &Peer::Parent).unwrap(), (At::ROOT, child.clone()));
        assert_eq!(tree.hearer(At::ROOT, &child).unwrap().0, item);
        assert!(tree.hearer(At::ROOT, &Peer::Parent).is_none());
    }
}
