//! Sessions of browsers: a token is exchanged for a cookie that no script can read.

use crate::auth::{Principal, Tokens, bearer, signed_in};
use crate::handlers::Asks;
use crate::origin::{cookie_name, cookies_of, is_plain, names_to_clear};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow_api::access::{KnownBy, Me};

/// Begins a session: the token of this request (`Authorization: Bearer TOKEN`) is good for a cookie, which the answer sets.
///
/// A browser's page gets one over https only, or on the machine itself (`needs-tls`); who is no browser sends no `Origin`, and is
/// answered 201 over plain HTTP, too: whatever it does with the cookie is its own affair.
///
/// The session lasts for 12 hours, ends when it was not used for one, and ends with its token. What changes something by it is
/// sent by a page of the service itself (`Sec-Fetch-Site`, else `Origin`), as `Content-Type: application/json` unless it is a
/// `DELETE`. A service that asks nobody for a token sets no cookie. Where somebody else is signed in, it is refused (`signed-in`)
/// unless `?instead=true` says that this is meant: a link that signs in must not make a browser somebody else's unasked.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "begin_session", tag = "access",
    params(("instead" = Option<bool>, Query, description = "In the place of whoever else is signed in.")),
    responses((status = 201, description = "Who is signed in.", body = Me)))]
pub(crate) async fn begin_session(
    State(app): State<Arc<App>>,
    (Extension(who), Extension(by)): (Extension<Principal>, Extension<KnownBy>),
    uri: Uri,
    headers: HeaderMap,
) -> Answer<Response> {
    if app.access.is_open() {
        return Ok((StatusCode::CREATED, Json(who.me(by, app.is_read_only))).into_response());
    }
    let Some(token) = bearer(&headers).filter(|_| by == KnownBy::Token) else {
        return Err(Refusal::new(
            "unauthenticated",
            "a session begins with a token: send it as `Authorization: Bearer …`",
        ));
    };
    if is_plain(&headers, &uri, app.has_tls) {
        return Err(Refusal::new(
            "needs-tls",
            "a session's cookie would travel in clear text; reach the service by https, or on the machine itself by http://localhost",
        ));
    }
    let instead = Asks::of(&uri, &["instead"])?.parse("instead")?.unwrap_or(false);
    for before in cookies_of(&headers, &uri, app.has_tls) {
        if let Some(other) = signed_in(&app, before).filter(|other| !instead && *other != who) {
            let why = format!("{:?} is signed in here; sign out first, or say `?instead=true`", other.name());
            return Err(Refusal::new("signed-in", why));
        }
        app.sessions.end(before);
    }
    let secret =
        app.sessions.begin(Tokens::hash(token), Instant::now()).map_err(|why| Refusal::new("internal", why))?;
    let cookie = cookie(&cookie_name(&headers, &uri, app.has_tls), &secret, app.sessions.lasts())?;
    Ok((StatusCode::CREATED, [(SET_COOKIE, cookie)], Json(who.me(KnownBy::Session, app.is_read_only))).into_response())
}

/// Ends the sessions of this request's cookies, if they go on, and takes the cookies away.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "end_session", tag = "access",
    responses((status = 204, description = "There is no session any more.")))]
pub(crate) async fn end_session(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer<Response> {
    cookies_of(&headers, &uri, app.has_tls).into_iter().for_each(|secret| app.sessions.end(secret));
    let mut response = StatusCode::NO_CONTENT.into_response();
    for name in names_to_clear(&headers, &uri, app.has_tls) {
        response.headers_mut().append(SET_COOKIE, cookie(&name, "", Duration::ZERO)?);
    }
    Ok(response)
}

/// A cookie for this host alone, which no script reads and no page of another site has sent.
fn cookie(name: &str, secret: &str, lasts: Duration) -> Answer<HeaderValue> {
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let seconds = lasts.as_secs();
    let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).map_err(|_| Refusal::new("internal", "the cookie cannot be written"))
}
