//! What can be asked of the service, and which right it takes: the one table that everything goes by.
//!
//! A route that has no row here answers nobody, and a test holds the table against the OpenAPI document and the router.

use axum::http::Method;
use vastflow_api::access::Scope;

/// Something that can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// The path, with `{…}` for what varies.
    pub(crate) path: &'static str,
    /// The same as `operationId` of the OpenAPI document.
    pub(crate) id: &'static str,
    /// The right it takes; none: anyone may.
    pub(crate) right: Option<Scope>,
    pub(crate) body: Body,
    /// How long it may take.
    pub(crate) time: Time,
}

/// How much a body may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// What goes to a run.
    Payload,
    /// JSON.
    Small,
    Bulk,
}

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Request,
    /// It waits for a run.
    Run,
    /// As long as somebody listens.
    Stream,
}

const fn op(method: &'static str, path: &'static str, id: &'static str, right: Option<Scope>) -> Operation {
    Operation { method, path, id, right, body: Body::Small, time: Time::Request }
}

impl Operation {
    const fn takes(self, body: Body) -> Self {
        Operation { body, ..self }
    }

    const fn lasts(self, time: Time) -> Self {
        Operation { time, ..self }
    }

    /// Whether it changes something, so that it is kept who asked.
    pub(crate) fn is_audited(&self) -> bool {
        self.method != "GET"
    }

    /// Whether it is for those who look after processes.
    pub(crate) fn is_probe(&self) -> bool {
        matches!(self.path, "/health" | "/ready")
    }

    /// Whether it changes something but who is signed in.
    pub(crate) fn changes(&self) -> bool {
        self.is_audited() && self.path != SESSION
    }
}

const SESSION: &str = "/api/v1/session";

/// The dashboard's page or a file of it: no part of what can be asked, and anybody's.
pub(crate) const PAGE: Operation = op("GET", "", "dashboard", ANYONE);

/// Whether a path that is nobody's is the dashboard's.
pub(crate) fn is_page(method: &Method, path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
    method.is_safe() && !matches!(first, "api" | "flow" | "health" | "ready" | "metrics")
}

const ANYONE: Option<Scope> = None;
const VIEWER: Option<Scope> = Some(Scope::Viewer);
const OPERATOR: Option<Scope> = Some(Scope::Operator);
const ADMIN: Option<Scope> = Some(Scope::Admin);
const PAYLOAD: Option<Scope> = Some(Scope::PayloadRead);

pub(crate) const OPERATIONS: &[Operation] = &[
    op("GET", "/health", "health", ANYONE),
    op("GET", "/ready", "ready", ANYONE),
    op("GET", "/metrics", "metrics", VIEWER),
    op("GET", "/api/v1/openapi.json", "openapi", ANYONE),
    op("GET", "/api/v1/docs", "docs", ANYONE),
    op("GET", "/api/v1/docs/style.css", "docs_style", ANYONE),
    op("POST", "/flow/{name}", "call_flow", OPERATOR).takes(Body::Payload).lasts(Time::Run),
    op("POST", "/flow/{name}/request/{word}", "goflow_control", OPERATOR),
    op("GET", "/flow/{name}/request/{word}", "goflow_look", VIEWER),
    op("POST", "/flow/{name}/request/{word}/{id}", "goflow_control_of", OPERATOR),
    op("GET", "/flow/{name}/request/{word}/{id}", "goflow_look_at", VIEWER),
    op("GET", "/api/v1/me", "me", VIEWER),
    op("POST", SESSION, "begin_session", VIEWER),
    // Whoever wants to be signed out is, whether their session still goes on or not.
    op("DELETE", SESSION, "end_session", ANYONE),
    op("POST", "/api/v1/runs", "start_run", OPERATOR).takes(Body::Payload),
    op("GET", "/api/v1/runs", "list_runs", VIEWER),
    op("GET", "/api/v1/counts", "count_runs", VIEWER),
    op("POST", "/api/v1/runs/bulk", "bulk", OPERATOR).takes(Body::Bulk).lasts(Time::Run),
    op("GET", "/api/v1/runs/{id}", "get_run", VIEWER),
    op("DELETE", "/api/v1/runs/{id}", "delete_run", ADMIN),
    op("GET", "/api/v1/runs/{id}/view", "view_run", VIEWER),
    op("GET", "/api/v1/runs/{id}/events", "run_events", VIEWER),
    op("GET", "/api/v1/runs/{id}/stream", "stream_run", VIEWER).lasts(Time::Stream),
    op("GET", "/api/v1/runs/{id}/input", "run_input", PAYLOAD),
    op("GET", "/api/v1/runs/{id}/output", "run_output", PAYLOAD),
    op("GET", "/api/v1/runs/{id}/nodes/input", "node_input", PAYLOAD),
    op("GET", "/api/v1/runs/{id}/nodes/output", "node_output", PAYLOAD),
    op("GET", "/api/v1/runs/{id}/context", "run_context", PAYLOAD),
    op("GET", "/api/v1/runs/{id}/scopes", "run_scopes", VIEWER),
    op("GET", "/api/v1/runs/{id}/logs", "run_logs", PAYLOAD),
    op("GET", "/api/v1/runs/{id}/attention", "run_attention", VIEWER),
    op("POST", "/api/v1/runs/{id}/pause", "pause_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/resume", "resume_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/stop", "stop_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/kill", "kill_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/signals/{name}", "signal_run", OPERATOR).takes(Body::Payload),
    op("POST", "/api/v1/runs/{id}/retry", "retry_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/rerun", "rerun_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/fork", "fork_run", OPERATOR),
    op("POST", "/api/v1/runs/{id}/resolve", "resolve_run", OPERATOR),
    op("GET", "/api/v1/stream", "stream_runs", VIEWER).lasts(Time::Stream),
    op("GET", "/api/v1/flows", "list_flows", VIEWER),
    op("GET", "/api/v1/flows/{name}", "get_flow", VIEWER),
    op("GET", "/api/v1/flows/{name}/plan", "flow_plan", VIEWER),
    op("GET", "/api/v1/flows/{name}/stats", "flow_stats", VIEWER),
    op("GET", "/api/v1/flows/{name}/grid", "flow_grid", VIEWER),
    op("GET", "/api/v1/figures", "figures", VIEWER),
    op("GET", "/api/v1/workers", "list_workers", VIEWER),
    op("GET", "/api/v1/queues", "list_queues", VIEWER),
    op("GET", "/api/v1/attention", "list_attention", VIEWER),
    op("GET", "/api/v1/audit", "list_audit", ADMIN),
    op("GET", "/api/v1/tokens", "list_tokens", ADMIN),
    op("POST", "/api/v1/tokens", "make_token", ADMIN),
    op("DELETE", "/api/v1/tokens/{id}", "revoke_token", ADMIN),
];

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    This(&'static Operation),
    /// The path is known, but not with that method.
    OtherMethod,
    Nothing,
}

/// The operation of a matched path, which may stand below that of another application.
pub(crate) fn find(method: &Method, matched: Option<&str>) -> Asked {
    let Some(matched) = matched else { return Asked::Nothing };
    let fitting = OPERATIONS.iter().filter(|of| matched.ends_with(of.path));
    let Some(path) = fitting.map(|of| of.path).max_by_key(|path| path.len()) else { return Asked::Nothing };
    // Asking for a head is asking for the whole.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let of = OPERATIONS.iter().find(|of| of.path == path && of.method == method);
    of.map_or(Asked::OtherMethod, Asked::This)
}

/// The methods that a matched path takes.
pub(crate) fn methods(matched: &str) -> String {
    let fitting = OPERATIONS.iter().filter(|of| matched.ends_with(of.path));
    let longest = fitting.map(|of| of.path).max_by_key(|path| path.len());
    let own = OPERATIONS.iter().filter(|of| Some(of.path) == longest);
    own.map(|of| of.method).collect::<Vec<_>>().join(", ")
}

/// What stands before the paths of the service, where it is mounted in another application.
pub(crate) fn base<'a>(operation: &Operation, matched: &'a str) -> &'a str {
    matched.strip_suffix(operation.path).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_another_is_the_same() {
        let found = |method, path| match find(&method, Some(path)) {
            Asked::This(of) => of.id,
            Asked::OtherMethod => "other method",
            Asked::Nothing => "nothing",
        };
        assert_eq!(found(Method::GET, "/api/v1/runs/{id}"), "get_run");
        assert_eq!(found(Method::HEAD, "/ops/api/v1/runs/{id}"), "get_run");
        assert_eq!(found(Method::PUT, "/api/v1/runs/{id}"), "other method");
        assert_eq!(found(Method::GET, "/elsewhere"), "nothing");
        let Asked::This(of) = find(&Method::GET, Some("/ops/health")) else { panic!("not found") };
        assert_eq!(base(of, "/ops/health"), "/ops");
    }

    #[test]
    fn every_operation_is_there_once() {
        for (at, one) in OPERATIONS.iter().enumerate() {
            assert!(
                OPERATIONS[at + 1..]
                    .iter()
                    .all(|other| (other.method, other.path) != (one.method, one.path) && other.id != one.id),
                "{one:?}"
            );
        }
    }
}
