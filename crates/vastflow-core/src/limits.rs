//! The limits that hold everywhere, each with the reason it has. An error that refuses something names one of these.

/// Bytes in one payload. Larger results belong in a file or a blob store; hand on the reference.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;
/// Nodes in one plan. Wider or longer work is a foreach, not a drawing.
pub const MAX_NODES: usize = 20_000;
/// Bytes in a run id.
pub const MAX_RUN_ID_BYTES: usize = 255;
/// Bytes in the name of a flow or a node.
pub const MAX_NAME_BYTES: usize = 128;
/// How long one call of a flow's hook may take, unless the flow says otherwise. Nothing follows a hook and nobody can
/// stop one, so without a limit a hook that hangs is a run that never ends.
pub const HOOK_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(10 * 60);
/// Bytes of an error text that are kept.
pub const MAX_FAILURE_BYTES: usize = 4 * 1024;
