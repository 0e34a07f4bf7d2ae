//! goflow's routes, as aliases: `/flow/NAME/request/stop/ID`, and as goflow glued them, `/flow/NAME/request/stopID`.

use crate::auth::Principal;
use crate::handlers::control::{Verb, ask};
use crate::handlers::which::Which;
use crate::handlers::{look, runs, see};
use crate::problem::{Answer, Refusal};
use crate::show;
use crate::state::App;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use std::sync::Arc;
use vastflow_api::run::RunRow;
use vastflow_core::Name;
use vastflow_store::RunQuery;

type Asker = (State<Arc<App>>, Extension<Principal>);

/// goflow's `stop`, `pause` and `resume`, the id glued to the word.
#[utoipa::path(post, path = "/flow/{name}/request/{word}", operation_id = "goflow_control", tag = "goflow",
    params(("name" = String, Path, description = "The flow."), ("word" = String, Path, description = "`stop`, `pause` or `resume`, and the run's id right behind it.")),
    responses((status = 200, description = "goflow's words.", body = String, content_type = "text/plain")))]
pub(crate) async fn goflow_control(
    app: State<Arc<App>>,
    who: Extension<Principal>,
    Path((name, word)): Path<(String, String)>,
) -> Answer<String> {
    let (verb, id) = split(&word, &["stop", "pause", "resume"])?;
    control((app, who), &name, verb, id).await
}

/// goflow's `stop`, `pause` and `resume`.
#[utoipa::path(post, path = "/flow/{name}/request/{word}/{id}", operation_id = "goflow_control_of", tag = "goflow",
    params(("name" = String, Path, description = "The flow."), ("word" = String, Path, description = "`stop`, `pause` or `resume`."),
        ("id" = String, Path, description = "The run.")),
    responses((status = 200, description = "goflow's words.", body = String, content_type = "text/plain")))]
pub(crate) async fn goflow_control_of(
    app: State<Arc<App>>,
    who: Extension<Principal>,
    Path((name, word, id)): Path<(String, String, String)>,
) -> Answer<String> {
    control((app, who), &name, &word, &id).await
}

/// goflow's `list`, and `state` with the id glued to it: runs in short.
#[utoipa::path(get, path = "/flow/{name}/request/{word}", operation_id = "goflow_look", tag = "goflow",
    params(("name" = String, Path, description = "The flow."), ("word" = String, Path, description = "`list`, or `state` and the run's id right behind it.")),
    responses((status = 200, description = "A run, or a list.", body = serde_json::Value)))]
pub(crate) async fn goflow_look(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path((name, word)): Path<(String, String)>,
) -> Answer<Response> {
    if word == "list" {
        see(&who, &name)?;
        app.engine.plan_of(&name).await?;
        let query = RunQuery { flow: Some(Name::new(&name)?), ..RunQuery::default() };
        let which = Which::from(query);
        return Ok(Json(runs::page(&app, &who, which, 100).await?).into_response());
    }
    let (_, id) = split(&word, &["state"])?;
    Ok(Json(of_flow(&app, &who, &name, id).await?).into_response())
}

/// goflow's `state`: a run in short.
#[utoipa::path(get, path = "/flow/{name}/request/{word}/{id}", operation_id = "goflow_look_at", tag = "goflow",
    params(("name" = String, Path, description = "The flow."), ("word" = String, Path, description = "`state`."),
        ("id" = String, Path, description = "The run.")),
    responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn goflow_look_at(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path((name, word, id)): Path<(String, String, String)>,
) -> Answer<Json<RunRow>> {
    if word != "state" {
        return Err(unknown(&word));
    }
    Ok(Json(of_flow(&app, &who, &name, &id).await?))
}

async fn of_flow(app: &App, who: &Principal, flow: &str, id: &str) -> Answer<RunRow> {
    let row = look(app, who, id).await?;
    if *row.summary.started.flow != *flow {
        return Err(Refusal::no_run(id));
    }
    Ok(show::row(&row.id, &row.summary))
}

async fn control((State(app), Extension(who)): Asker, flow: &str, word: &str, id: &str) -> Answer<String> {
    let (verb, said) = match word {
        "stop" => (Verb::Stop, "Stop"),
        "pause" => (Verb::Pause, "Pause"),
        "resume" => (Verb::Resume, "Resume"),
        _ => return Err(unknown(word)),
    };
    let row = of_flow(&app, &who, flow, id).await?;
    ask(&app.engine.handle(&row.id).await?, verb, &who, "").await?;
    Ok(format!("{said} request submitted"))
}

/// A word and the id behind it, with a colon between or nothing.
fn split<'a>(word: &'a str, known: &[&'static str]) -> Answer<(&'static str, &'a str)> {
    let found = known.iter().find_map(|verb| Some((*verb, word.strip_prefix(verb)?)));
    let found = found.map(|(verb, id)| (verb, id.strip_prefix(':').unwrap_or(id)));
    found.filter(|(_, id)| !id.is_empty()).ok_or_else(|| unknown(word))
}

fn unknown(word: &str) -> Refusal {
    Refusal::new(
        "not-found",
        format!("there is no {word:?} here; there are POST stop/ID, pause/ID, resume/ID and GET state/ID, list"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_an_id_glued_to_them() {
        assert_eq!(split("stopabc", &["stop"]).unwrap(), ("stop", "abc"));
        assert_eq!(split("stop:abc", &["stop"]).unwrap(), ("stop", "abc"));
        assert!(split("stop", &["stop"]).is_err() && split("halt", &["stop"]).is_err());
    }
}
