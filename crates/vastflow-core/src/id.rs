//! Names and ids: of flows, nodes, runs, scopes and tasks.

use crate::limits::{MAX_NAME_BYTES, MAX_RUN_ID_BYTES};
use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a name or an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {text:?} is not valid: {why}; use 1 to {max} of the characters A-Z a-z 0-9 . _ : - (limit: {max} bytes)"
)]
pub struct InvalidId {
    what: &'static str,
    text: String,
    why: &'static str,
    max: usize,
}

fn check(what: &'static str, text: &str, max: usize) -> Result<(), InvalidId> {
    let why = if text.is_empty() {
        "it is empty"
    } else if text.len() > max {
        "it is too long"
    } else if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)) {
        "it has a character that is not allowed"
    } else {
        return Ok(());
    };
    let shown = text.chars().take(max).collect();
    Err(InvalidId { what, text: shown, why, max })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it an id.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long, or has a character outside `A-Z a-z 0-9 . _ : -`.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                check($what, text, $max)?;
                Ok($name(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <alloc::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// The name of a flow, a node or a piece of registered code: 1 to 128 bytes of `A-Z a-z 0-9 . _ : -`.
    ///
    /// ```
    /// use vastflow_core::Name;
    ///
    /// assert!(Name::new("face-detect").is_ok());
    /// assert!(Name::new("face detect").unwrap_err().to_string().contains("not allowed"));
    /// ```
    Name, "name", MAX_NAME_BYTES
}

text_id! {
    /// The id of one run of a flow, chosen by the caller or generated: 1 to 255 bytes of `A-Z a-z 0-9 . _ : -`.
    ///
    /// ```
    /// use vastflow_core::RunId;
    ///
    /// let id: RunId = "order-4711".parse()?;
    /// assert_eq!(id.as_str(), "order-4711");
    /// # Ok::<(), vastflow_core::id::InvalidId>(())
    /// ```
    RunId, "run id", MAX_RUN_ID_BYTES
}

/// The position of a node in its [`Plan`](crate::Plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// The position as an index into a slice.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A length of, or a position in, the journal of one scope: `Seq(n)` says that n events come before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The empty journal, and the position of its first event.
    pub const ZERO: Seq = Seq(0);

    /// The position `events` further on.
    #[must_use]
    pub const fn after(self, events: usize) -> Seq {
        Seq(self.0 + events as u64)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One instance of a (sub)graph in a run: the root, or, inside it, a branch arm, a foreach item or a basin.
///
/// Written `run`, `run/node[key]`, `run/node[key]/inner[key]`. Every scope has a journal of its own.
///
/// ```
/// use vastflow_core::{Name, RunId, ScopeId};
///
/// let root = ScopeId::root(RunId::new("r1")?);
/// let item = root.child(&Name::new("verify")?, "u/2");
/// assert_eq!(item.to_string(), "r1/verify[u%2F2]");
/// assert_eq!(item.to_string().parse::<ScopeId>().unwrap(), item);
/// assert!(root.is_root() && !item.is_root());
/// # Ok::<(), vastflow_core::id::InvalidId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId {
    run: RunId,
    path: Option<Arc<str>>,
}

impl ScopeId {
    /// The root scope of a run.
    #[must_use]
    pub const fn root(run: RunId) -> Self {
        ScopeId { run, path: None }
    }

    /// The scope that `node` opens inside this one for `key`.
    #[must_use]
    pub fn child(&self, node: &Name, key: &str) -> Self {
        let step = format!("{node}[{}]", escape_key(key));
        let path = match &self.path {
            Some(path) => format!("{path}/{step}"),
            None => step,
        };
        ScopeId { run: self.run.clone(), path: Some(path.into()) }
    }

    /// The run that this scope belongs to.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// The node and the key of each step from the root to here.
    pub fn steps(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let steps = self.path().split('/').filter(|step| !step.is_empty());
        // A path is only ever made of such steps; see `child` and `from_str`.
        steps.filter_map(|step| step.strip_suffix(']')?.split_once('[')).map(|(node, key)| (node, unescape(key)))
    }

    /// The scope that this one was opened in, with the node and the key; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<(ScopeId, &str, Cow<'_, str>)> {
        let (outer, step) = match self.path.as_deref()?.rsplit_once('/') {
            Some((outer, step)) => (Some(outer.into()), step),
            None => (None, self.path.as_deref()?),
        };
        let (node, key) = step.strip_suffix(']')?.split_once('[')?;
        Some((ScopeId { run: self.run.clone(), path: outer }, node, unescape(key)))
    }

    /// Where in the run the scope is: empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("")
    }

    /// A scope from its two parts, as a store keeps them.
    #[must_use]
    pub fn from_parts(run: RunId, path: &str) -> Self {
        ScopeId { run, path: (!path.is_empty()).then(|| path.into()) }
    }

    /// A scope as people write it, or read it in an event: `node[key]` with `/` between. A key may stand there as it is, or
    /// escaped as in a path; a basin, which has no key, may stand without brackets.
    ///
    /// ```
    /// # use vastflow_core::{Name, RunId, ScopeId};
    /// let run = RunId::new("r1")?;
    /// let item = ScopeId::root(run.clone()).child(&Name::new("verify")?, "u/2");
    /// let basin = item.child(&Name::new("try")?, "");
    /// assert_eq!(ScopeId::named(run.clone(), "verify[u/2]/try"), basin);
    /// assert_eq!(ScopeId::named(run, basin.path()), basin);
    /// # Ok::<(), vastflow_core::id::InvalidId>(())
    /// ```
    #[must_use]
    pub fn named(run: RunId, place: &str) -> Self {
        let mut steps = Vec::new();
        let mut rest = place;
        while !rest.is_empty() {
            let (node, after) = rest.split_at(rest.find(['[', '/']).unwrap_or(rest.len()));
            let (key, left) = match after.strip_prefix('[') {
                Some(keyed) => keyed.split_once("]/").unwrap_or((keyed.strip_suffix(']').unwrap_or(keyed), "")),
                None => ("", after.strip_prefix('/').unwrap_or(after)),
            };
            steps.push(format!("{node}[{}]", escape_marks(key)));
            rest = left;
        }
        ScopeId::from_parts(run, &steps.join("/"))
    }

    /// Whether this is the run's outermost scope.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.path.is_none()
    }
}

/// A key as it stands in the path of a scope: what would be read as a part of the path is escaped.
///
/// ```
/// assert_eq!(vastflow_core::id::escape_key("50%/a"), "50%25%2Fa");
/// ```
#[must_use]
pub fn escape_key(key: &str) -> String {
    escape_marks(&key.replace('%', "%25"))
}

/// Escapes what stands between the parts of a path, and leaves what is escaped already. With them the one character that
/// not every database has in a text.
fn escape_marks(key: &str) -> String {
    key.replace('/', "%2F").replace('[', "%5B").replace(']', "%5D").replace('\0', "%00")
}

/// The key that was escaped. What is no escape stays as it is.
fn unescape(key: &str) -> Cow<'_, str> {
    if !key.contains('%') {
        return Cow::Borrowed(key);
    }
    let plain =
        key.replace("%00", "\0").replace("%5D", "]").replace("%5B", "[").replace("%2F", "/").replace("%25", "%");
    Cow::Owned(plain)
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}/{path}", self.run),
            None => f.pad(&self.run),
        }
    }
}

impl fmt::Debug for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeId({self})")
    }
}

impl FromStr for ScopeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (run, path) = text.split_once('/').unwrap_or((text, ""));
        let whole = |why| InvalidId { what: "scope id", text: text.to_owned(), why, max: MAX_RUN_ID_BYTES };
        let well_formed = path.is_empty() || path.split('/').all(|step| step.ends_with(']') && step.contains('['));
        if !well_formed {
            return Err(whole("a step of its path is not node[key]"));
        }
        Ok(ScopeId::from_parts(RunId::new(run)?, path))
    }
}

/// The two hooks that end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Hook {
    /// The flow's `on_failure`: runs when the run failed, was stopped or ran out of time.
    OnFailure,
    /// The flow's `finally`, in a river its Atlantic: runs at every end.
    Finally,
}

impl Hook {
    /// The word, as it stands in tables and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Hook::OnFailure => "on_failure",
            Hook::Finally => "finally",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Name {
    /// What a hook is shown as, beside nodes.
    pub(crate) fn of_hook(hook: Hook) -> Self {
        Name(hook.as_str().into())
    }
}

/// A queued unit of work inside a scope. Its content is its identity: the same work is always the same task, so
/// queueing it twice changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Task {
    /// Call a node's handler, or a river's `flow`. Attempts count from 1.
    Attempt {
        /// Which node.
        node: NodeIx,
        /// Which try.
        attempt: u32,
    },
    /// Call a river's `cycle`. Ticks count from 1.
    Poll {
        /// Which river.
        node: NodeIx,
        /// Which poll.
        tick: u32,
    },
    /// Call a node's own `on_failure` after its last attempt.
    Rescue {
        /// Which node.
        node: NodeIx,
    },
    /// Call one of the flow's hooks. Attempts count from 1.
    Hook {
        /// Which hook.
        hook: Hook,
        /// Which try.
        attempt: u32,
    },
    /// A timer: the node must have ended by now, all attempts together.
    NodeDeadline {
        /// Which node.
        node: NodeIx,
    },
    /// A timer: the run must have ended by now.
    RunDeadline,
    /// Hand over the messages that wait in the scope's inbox.
    Deliver,
    /// Fold results of a foreach's items into one value. Tries count from 1 through all batches.
    Reduce {
        /// Which foreach.
        node: NodeIx,
        /// Which try.
        attempt: u32,
    },
    /// Call a node's undo action. Attempts count from 1.
    Undo {
        /// Which node.
        node: NodeIx,
        /// Which try.
        attempt: u32,
    },
    /// A timer: a sleeping node's time is over.
    Wake {
        /// Which node.
        node: NodeIx,
    },
    /// A timer: the end waits no longer for what was not needed any more.
    Grace,
    /// Let a run begin its work that waits in line for it.
    Admit,
}

impl Task {
    /// Whether this is a timer: the store delivers it, no user code runs for it.
    #[must_use]
    pub const fn is_timer(self) -> bool {
        matches!(self, Task::NodeDeadline { .. } | Task::RunDeadline | Task::Wake { .. } | Task::Grace)
    }

    /// Whether user code runs for the task, so that it takes one of a worker's slots.
    #[must_use]
    pub const fn takes_slot(self) -> bool {
        !self.is_timer() && !matches!(self, Task::Deliver | Task::Admit)
    }

    /// Which attempt it is, from 1; of a poll, which tick. What is not tried again is always the first.
    #[must_use]
    pub const fn attempt(self) -> u32 {
        match self {
            Task::Attempt { attempt, .. }
            | Task::Hook { attempt, .. }
            | Task::Reduce { attempt, .. }
            | Task::Undo { attempt, .. } => attempt,
            Task::Poll { tick, .. } => tick,
            _ => 1,
        }
    }

    /// The node that the task belongs to, if it belongs to one.
    #[must_use]
    pub const fn node(self) -> Option<NodeIx> {
        match self {
            Task::Attempt { node, .. }
            | Task::Poll { node, .. }
            | Task::Rescue { node }
            | Task::Reduce { node, .. }
            | Task::Undo { node, .. }
            | Task::Wake { node }
            | Task::NodeDeadline { node } => Some(node),
            Task::Hook { .. } | Task::RunDeadline | Task::Deliver | Task::Grace | Task::Admit => None,
        }
    }
}
