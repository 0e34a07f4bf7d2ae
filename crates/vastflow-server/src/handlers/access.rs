//! Who asks, and the tokens that there are.

use crate::auth::{Principal, TokenError, Tokens};
use crate::handlers::{json, see_all};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use std::sync::Arc;
use vastflow_api::Page;
use vastflow_api::access::{KnownBy, MadeToken, Me, NewToken, TokenRow};

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "me", tag = "access",
    responses((status = 200, description = "Whoever asks.", body = Me)))]
pub(crate) async fn me(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Extension(by): Extension<KnownBy>,
) -> Json<Me> {
    Json(who.me(by, app.is_read_only))
}

/// The tokens that there are, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "access",
    responses((status = 200, description = "All.", body = Page<TokenRow>)))]
pub(crate) async fn list_tokens(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Answer<Json<Page<TokenRow>>> {
    see_all(&who, "the tokens")?;
    Ok(Json(Page::last(app.access.tokens.as_ref().map(Tokens::list).unwrap_or_default())))
}

/// Makes a token. Its secret is in this answer and nowhere else. Nobody gives away rights or flows that they do not have.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "make_token", tag = "access", request_body = NewToken,
    responses((status = 201, description = "The token, with its secret.", body = MadeToken)))]
pub(crate) async fn make_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    body: Bytes,
) -> Answer<(StatusCode, Json<MadeToken>)> {
    let new: NewToken = json(&body)?;
    let gives_more = new.scopes.iter().any(|scope| !who.may(*scope))
        || (!who.sees_all()
            && (new.flows.is_empty() || new.flows.iter().any(|flow| flow.contains('*') || !who.sees(flow))));
    if gives_more {
        return Err(Refusal::new("forbidden", "a token has no rights and no flows that whoever makes it has not"));
    }
    Ok((StatusCode::CREATED, Json(tokens(&app)?.make(new).map_err(of_tokens)?)))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "access",
    params(("id" = String, Path, description = "The token's id.")),
    responses((status = 204, description = "It is good for nothing any more.")))]
pub(crate) async fn revoke_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    see_all(&who, "the tokens")?;
    match tokens(&app)?.revoke(&id).map_err(of_tokens)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::new("unknown-token", format!("there is no token {id:?}"))),
    }
}

fn tokens(app: &App) -> Answer<&Tokens> {
    let kept = app.access.tokens.as_ref().filter(|tokens| tokens.is_kept());
    kept.ok_or_else(|| {
        Refusal::new(
            "tokens-fixed",
            "this service has no file to keep tokens in; give it one by `.tokens(Tokens::open(\"app.tokens\")?)`",
        )
    })
}

fn of_tokens(error: TokenError) -> Refusal {
    match error {
        TokenError::Senseless => Refusal::new("bad-request", error.to_string()),
        error => {
            tracing::error!("{error}");
            Refusal::new("internal", "the tokens cannot be kept; the service's log says why")
        }
    }
}
