//! What is said when something cannot be done, and the exit code that goes with it.

use std::fmt;
use vastflow_open::OpenError;
use vastflow_store::StoreError;

/// How the program ended. Documented in `--help` and in the guide; the numbers do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The run failed or was stopped; a check found something; anything that has no number of its own.
    Failed = 1,
    /// The command line or a setting cannot be understood.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// It is there, but not in a state for that; or somebody else has it.
    Conflict = 4,
    /// The store is out of reach.
    Unreachable = 5,
}

/// What happened, why, and what to do next.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    pub(crate) exit: Exit,
    /// A short code that stays the same when the text is improved.
    pub(crate) code: String,
    pub(crate) text: String,
    /// The next command to type, or what else to do.
    pub(crate) next: Option<String>,
}

impl Complaint {
    pub(crate) fn new(exit: Exit, code: &str, text: impl Into<String>) -> Self {
        Complaint { exit, code: code.to_owned(), text: text.into(), next: None }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Complaint::new(Exit::Usage, "usage", text)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Complaint::new(Exit::NotFound, "not-found", text)
    }

    pub(crate) fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<vastflow_worker::Error> for Complaint {
    fn from(error: vastflow_worker::Error) -> Self {
        Complaint::new(exit_of(error.code()), error.code(), error.to_string())
    }
}

impl From<StoreError> for Complaint {
    fn from(error: StoreError) -> Self {
        Complaint::new(exit_of(error.code()), error.code(), error.to_string())
    }
}

impl From<OpenError> for Complaint {
    fn from(error: OpenError) -> Self {
        let code = error.reason().code();
        let complaint = Complaint::new(exit_of(code), code, error.to_string());
        match error.reason() {
            StoreError::NotFound { .. } => {
                complaint.next("check the path; `vastflow store migrate` makes a new store there")
            }
            _ => complaint,
        }
    }
}

impl From<vastflow_core::id::InvalidId> for Complaint {
    fn from(error: vastflow_core::id::InvalidId) -> Self {
        Complaint::new(Exit::Usage, "invalid-id", error.to_string())
    }
}

impl From<std::io::Error> for Complaint {
    fn from(error: std::io::Error) -> Self {
        Complaint::new(Exit::Failed, "io", error.to_string())
    }
}

/// The exit code that a stable error code goes with.
pub(crate) fn exit_of(code: &str) -> Exit {
    match code {
        "unknown-run" | "unknown-flow" | "unknown-place" | "unknown-signal" | "store-not-found" | "unknown-token"
        | "not-found" => Exit::NotFound,
        "already-exists" | "run-ended" | "run-finishing" | "run-not-ended" | "nothing-to-resolve" | "missing-code"
        | "too-many-signals" | "inner-fork" | "store-refused" | "flow-not-served" | "deleted-nothing" | "no-output" => {
            Exit::Conflict
        }
        "invalid-id" | "input-mismatch" | "signal-mismatch" | "value-mismatch" | "data" | "setting"
        | "store-unsupported" => Exit::Usage,
        "store-unavailable" | "store-closed" | "unreachable" | "busy" | "shutting-down" | "timed-out" => {
            Exit::Unreachable
        }
        _ => Exit::Failed,
    }
}
