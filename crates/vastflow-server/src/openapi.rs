//! The OpenAPI document, and a page to read that is made from it.

use crate::handlers::{
    access, attention, bulk, call, control, figures, fleet, flows, goflow, inside, meta, metrics, runs, session,
    streams,
};
use crate::operations::OPERATIONS;
use std::fmt::Write as _;
use std::sync::LazyLock;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder};
use vastflow_api::problem::{self, Problem};

pub(crate) const STYLE: &str = include_str!("docs.css");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "vastflow",
        description = "Starts, shows and controls runs of durable workflows. Errors are problems (RFC 9457) with a stable \
            code, each explained in docs/errors. Fields may be added to answers; none changes its meaning.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        meta::health,
        meta::ready,
        metrics::metrics,
        meta::document,
        meta::docs,
        meta::docs_style,
        call::call_flow,
        call::start_run,
        goflow::goflow_control,
        goflow::goflow_control_of,
        goflow::goflow_look,
        goflow::goflow_look_at,
        runs::list_runs,
        runs::count_runs,
        runs::get_run,
        runs::delete_run,
        runs::view_run,
        runs::run_events,
        runs::run_input,
        runs::run_output,
        attention::run_attention,
        inside::node_input,
        inside::node_output,
        inside::run_context,
        inside::run_scopes,
        control::pause_run,
        control::resume_run,
        control::stop_run,
        control::kill_run,
        control::signal_run,
        control::retry_run,
        control::rerun_run,
        control::fork_run,
        control::resolve_run,
        bulk::bulk,
        streams::stream_run,
        streams::stream_runs,
        flows::list_flows,
        flows::get_flow,
        flows::flow_plan,
        flows::flow_stats,
        figures::flow_grid,
        figures::figures,
        fleet::list_workers,
        fleet::list_queues,
        attention::list_attention,
        fleet::list_audit,
        access::me,
        session::begin_session,
        session::end_session,
        access::list_tokens,
        access::make_token,
        access::revoke_token
    ),
    components(schemas(Problem))
)]
struct Api;

/// The document, with what all operations have in common.
pub(crate) fn document() -> Document {
    let mut document = Api::openapi();
    let bearer = SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).build());
    let cookie =
        ApiKeyValue::with_description("__Host-vastflow", "Of a browser's session; on loopback `vastflow-PORT`.");
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", bearer);
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    for of in OPERATIONS {
        let Some(operation) = operation(&mut document, of.method, of.path) else { continue };
        operation.responses.responses.insert("default".to_owned(), RefOr::T(problem()));
        let right = of.right.map_or("anyone", |right| right.as_str());
        let extension = utoipa::openapi::extensions::Extensions::builder().add("x-right", right).build();
        operation.extensions.get_or_insert_default().merge(extension);
        if of.right.is_some() {
            let either = ["token", "session"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
            operation.security = Some(either.to_vec());
        }
    }
    document
}

fn operation<'a>(document: &'a mut Document, method: &str, path: &str) -> Option<&'a mut Operation> {
    let item = document.paths.paths.get_mut(path)?;
    let slot = match method {
        "POST" => &mut item.post,
        "DELETE" => &mut item.delete,
        _ => &mut item.get,
    };
    slot.as_mut()
}

fn problem() -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description("A problem.").content(problem::CONTENT_TYPE, content).build()
}

/// The document as it stands in `docs/openapi.json`.
#[must_use]
pub fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        // Every part of it has a JSON form.
        document().to_pretty_json().map(|json| json + "\n").unwrap_or_default()
    });
    &JSON
}

/// The same as a page: plain HTML without scripts, so that it needs nobody else's server.
pub(crate) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| write_page(document()).unwrap_or_default());
    &PAGE
}

fn write_page(mut document: Document) -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>vastflow: HTTP API</title><link rel=\"stylesheet\" href=\"docs/style.css\"><h1>vastflow: HTTP API</h1>",
    );
    let about = document.info.description.take().unwrap_or_default();
    write!(out, "<p>{} The whole of it is in <a href=\"openapi.json\">openapi.json</a>.</p>", escape(&about))?;
    let mut subject = String::new();
    for of in OPERATIONS {
        let Some(operation) = operation(&mut document, of.method, of.path) else { continue };
        let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
        if tag != subject {
            write!(out, "<h2>{}</h2>", escape(&tag))?;
            subject = tag;
        }
        let right = of.right.map_or("anyone", |right| right.as_str());
        write!(out, "<h3 id=\"{}\"><b>{}</b> {}</h3>", of.id, of.method, escape(of.path))?;
        let words =
            [operation.summary.as_deref(), operation.description.as_deref()].map(|text| escape(text.unwrap_or("")));
        write!(out, "<p>{}\n{}</p><small>right: {right}</small><table>", words[0], words[1])?;
        for parameter in operation.parameters.iter().flatten() {
            let text = escape(parameter.description.as_deref().unwrap_or(""));
            write!(out, "<tr><td>{}</td><td>{text}</td></tr>", escape(&parameter.name))?;
        }
        out.push_str("</table>");
    }
    out.push_str("</html>");
    Ok(out)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The operations of the document: method, path, id.
#[cfg(test)]
fn listed() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, item) in &document().paths.paths {
        for (method, operation) in [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete)] {
            let Some(operation) = operation else { continue };
            all.push((method.to_owned(), path.clone(), operation.operation_id.clone().unwrap_or_default()));
        }
        assert!(item.put.is_none() && item.patch.is_none(), "{path} has a method that the table does not know");
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_document_name_the_same_operations() {
        let mut table: Vec<_> =
            OPERATIONS.iter().map(|of| (of.method.to_owned(), of.path.to_owned(), of.id.to_owned())).collect();
        table.sort();
        assert_eq!(listed(), table);
    }

    #[test]
    fn the_page_has_every_operation_and_nothing_from_elsewhere() {
        let page = page();
        for of in OPERATIONS {
            assert!(page.contains(&format!("id=\"{}\"", of.id)), "{}", of.id);
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    }
}
