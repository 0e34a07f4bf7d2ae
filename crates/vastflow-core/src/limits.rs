//! The limits that hold everywhere, each with the reason it has. An error that refuses something names one of these.

use core::time::Duration;

/// Bytes in one payload. Larger results belong in a file or a blob store; hand on the reference.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;
/// Events in the journal of one scope: whoever loads it reads them all. A run with more than that to say is several runs,
/// or has a foreach, whose items have journals of their own: pages of items, what came of items, and polls do not count.
pub const MAX_EVENTS: u32 = 50_000;
/// Nodes in one plan. Wider or longer work is a foreach, not a drawing.
pub const MAX_NODES: usize = 20_000;
/// How deep graphs may stand inside each other.
pub const MAX_DEPTH: usize = 16;
/// Items of a foreach that may be under way at once: each is a scope with a journal of its own.
pub const MAX_WINDOW: u32 = 10_000;
/// Items in one page of a foreach: a page is one event.
pub const MAX_PAGE_ITEMS: usize = 100_000;
/// Bytes in the key of an item or of a branch's arm, which is part of the id of its scope.
pub const MAX_KEY_BYTES: usize = 256;
/// Bytes of results of inner scopes that a run takes over from the one that it goes on from: they stand in its first event.
/// What does not fit is done again.
pub const MAX_KEPT_BYTES: usize = MAX_PAYLOAD_BYTES;
/// Signals that may wait in a run for a node to ask for them.
pub const MAX_SIGNALS: usize = 1_000;
/// How long the end of a run waits for what a join did not need any more, unless the plan says otherwise.
pub const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// Bytes in a run id.
pub const MAX_RUN_ID_BYTES: usize = 255;
/// Bytes in the name of a flow or a node.
pub const MAX_NAME_BYTES: usize = 128;
/// How long one call of a flow's hook may take, unless the flow says otherwise. Nothing follows a hook and nobody can
/// stop one, so without a limit a hook that hangs is a run that never ends.
pub const HOOK_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(10 * 60);
/// Bytes of an error text that are kept.
pub const MAX_FAILURE_BYTES: usize = 4 * 1024;
