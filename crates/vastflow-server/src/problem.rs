//! What went wrong, for those who asked.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use vastflow_api::problem::Problem;
use vastflow_worker::Error;

/// Every code with its status. Each has a page in `docs/errors/`.
pub const CODES: &[(&str, u16)] = &[
    ("already-exists", 409),
    ("bad-request", 400),
    ("body-too-large", 413),
    ("bulk-changed", 409),
    ("busy", 503),
    ("callback-not-allowed", 403),
    ("corrupt", 500),
    ("cross-site", 403),
    ("data", 422),
    ("deleted-nothing", 409),
    ("flow-not-served", 409),
    ("forbidden", 403),
    ("headers-too-large", 431),
    ("host-not-allowed", 421),
    ("inner-fork", 409),
    ("input-mismatch", 422),
    ("internal", 500),
    ("invalid-id", 400),
    ("method-not-allowed", 405),
    ("missing-code", 409),
    ("needs-tls", 403),
    ("no-output", 409),
    ("not-found", 404),
    ("not-json", 415),
    ("nothing-to-resolve", 409),
    ("payload-not-allowed", 403),
    ("rate-limited", 429),
    ("read-only", 403),
    ("request-timeout", 408),
    ("run-ended", 409),
    ("run-failed", 500),
    ("run-finishing", 409),
    ("run-not-ended", 409),
    ("run-stopped", 409),
    ("session-ended", 401),
    ("setting", 422),
    ("shutting-down", 503),
    ("signal-mismatch", 422),
    ("signature-invalid", 401),
    ("signature-replayed", 401),
    ("signed-in", 409),
    ("store-unavailable", 503),
    ("store-unsupported", 501),
    ("timed-out", 503),
    ("token-expired", 401),
    ("token-invalid", 401),
    ("tokens-fixed", 409),
    ("too-many-signals", 409),
    ("unauthenticated", 401),
    ("unknown-flow", 404),
    ("unknown-place", 404),
    ("unknown-run", 404),
    ("unknown-signal", 404),
    ("unknown-token", 404),
    ("value-mismatch", 422),
];

/// A problem as the answer to a request, with how long to wait before the next try. The guard writes it out, with the id of
/// the request.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) Box<Problem>, pub(crate) Option<Duration>);

pub(crate) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal with a code of [`CODES`].
    pub(crate) fn new(code: &str, detail: impl Into<String>) -> Self {
        let status = CODES.iter().find(|(known, _)| *known == code).map_or(500, |(_, status)| *status);
        Refusal(Box::new(Problem::new(status, code, detail)), None)
    }

    pub(crate) fn no_run(id: &str) -> Self {
        Refusal::new(
            "unknown-run",
            format!("there is no run {id:?} in this store; check the id, or whether it was deleted by retention"),
        )
    }

    pub(crate) fn no_flow(name: &str) -> Self {
        Refusal::new(
            "unknown-flow",
            format!("there is no flow {name:?} here; check the name, or start a worker that has it"),
        )
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match error.code() {
            "store-closed" | "store-refused" => "store-unavailable",
            "store-corrupt" => "corrupt",
            "runtime-gone" | "drain-timeout" => "shutting-down",
            code if CODES.iter().any(|(known, _)| *known == code) => code,
            _ => "internal",
        };
        if matches!(code, "internal" | "corrupt") {
            tracing::error!(code = error.code(), "{error}");
            return Refusal::new(code, "something is wrong with the service or its store; its log says what");
        }
        Refusal::new(code, error.to_string())
    }
}

impl From<vastflow_store::StoreError> for Refusal {
    fn from(error: vastflow_store::StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<vastflow_core::id::InvalidId> for Refusal {
    fn from(error: vastflow_core::id::InvalidId) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_each_is_there_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_is_wrong_inside_is_not_told_outside() {
        let Refusal(problem, _) = Error::from(vastflow_store::StoreError::corrupt("page 7 of /var/lib/x")).into();
        assert_eq!((problem.status, problem.code.as_str()), (500, "corrupt"));
        assert!(!problem.detail.contains("/var"), "{problem}");
    }
}
