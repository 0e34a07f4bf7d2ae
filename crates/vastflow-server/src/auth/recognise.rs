//! Who asks: by what a request carries, in this order: a signature, a token, the cookie of a session.

use super::{Checked, Found, Principal, Signed, Signing, now_ms};
use crate::limits::{Whose, limited};
use crate::operations::Operation;
use crate::origin::{cookies_of, is_of_own_page, is_of_type_json};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use std::net::IpAddr;
use std::time::Instant;
use vastflow_api::access::KnownBy;

/// What is known of who asks before the body is read.
pub(crate) enum Early {
    /// It takes no right, so nobody needs to be known.
    Nobody,
    Known(Principal, KnownBy),
    /// They say who they are by a signature of the body.
    Signed,
}

pub(crate) fn recognise(app: &App, parts: &Parts, operation: &Operation, peer: Option<IpAddr>) -> Answer<Early> {
    if operation.right.is_none() {
        return Ok(Early::Nobody);
    }
    if app.access.is_open() {
        return Ok(Early::Known(Principal::anyone(), KnownBy::Nothing));
    }
    let headers = &parts.headers;
    if let Some(signing) = &app.access.signing {
        let goflow = signing.goflow && headers.contains_key("x-hub-signature");
        if goflow || headers.contains_key("x-vastflow-signature") {
            could_be_signed(signing, headers).map_err(|refusal| wrong(app, peer, refusal))?;
            return Ok(Early::Signed);
        }
    }
    if headers.contains_key(AUTHORIZATION) {
        return by_token(app, headers).map_err(|refusal| wrong(app, peer, refusal));
    }
    by_session(app, parts)
}

fn by_token(app: &App, headers: &HeaderMap) -> Answer<Early> {
    let found = match (bearer(headers), &app.access.tokens) {
        (Some(token), Some(tokens)) => tokens.find(token),
        _ => Found::Unknown,
    };
    known(found).map(|who| Early::Known(who, KnownBy::Token))
}

fn known(found: Found) -> Answer<Principal> {
    match found {
        Found::Known(who) => Ok(who),
        Found::Expired => Err(Refusal::new("token-expired", "the token's time is over; make a new one")),
        Found::Unknown => {
            Err(Refusal::new("token-invalid", "the token is not known here; check it, or make a new one"))
        }
    }
}

/// The token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Browsers send a cookie by themselves, whoever wrote the page; so what changes something has to show that it is a page of
/// ours that asks. An old cookie is no guess at a secret, and is not counted as one.
fn by_session(app: &App, parts: &Parts) -> Answer<Early> {
    let secrets = cookies_of(&parts.headers, &parts.uri, app.has_tls);
    if secrets.is_empty() {
        return Err(Refusal::new(
            "unauthenticated",
            "this takes a token: send it as `Authorization: Bearer …`, sign in by `POST /api/v1/session`, or sign the request",
        ));
    }
    let who = secrets.into_iter().find_map(|secret| signed_in(app, secret)).ok_or_else(|| {
        Refusal::new("session-ended", "the session is over, or the service was started anew; sign in again")
    })?;
    if !parts.method.is_safe() {
        if !is_of_own_page(&parts.headers, &parts.uri) {
            return Err(Refusal::new(
                "cross-site",
                "nothing shows that a page of this service sent this; a session changes something for its pages only",
            ));
        }
        if parts.method != Method::DELETE && !is_of_type_json(&parts.headers) {
            return Err(Refusal::new(
                "not-json",
                "with a session, what changes something is sent as `Content-Type: application/json`, which no form can do",
            ));
        }
    }
    Ok(Early::Known(who, KnownBy::Session))
}

/// Who is signed in by a session's secret. With its token a session ends.
pub(crate) fn signed_in(app: &App, secret: &str) -> Option<Principal> {
    let token = app.sessions.token_of(secret, Instant::now())?;
    match app.access.tokens.as_ref()?.of_hash(&token) {
        Found::Known(who) => Some(who),
        Found::Expired | Found::Unknown => {
            app.sessions.end(secret);
            None
        }
    }
}

/// Somebody was not recognised: their address has fewer tries left, and is told so when it has none. Others at that address
/// who have good credentials go on.
pub(crate) fn wrong(app: &App, peer: Option<IpAddr>, refusal: Refusal) -> Refusal {
    let Some(peer) = peer else { return refusal };
    match app.failures.take(Whose::failures(peer), Instant::now()) {
        Ok(()) => refusal,
        Err(wait) => limited(wait, "failed attempts to sign in"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn invalid(why: &str) -> Refusal {
    Refusal::new("signature-invalid", why)
}

/// Whether a signature can be good whatever the body is, so that nobody is listened to whose cannot.
fn could_be_signed(signing: &Signing, headers: &HeaderMap) -> Answer<()> {
    let seen = match text(headers, "x-vastflow-signature") {
        Some(signatures) => {
            let (id, timestamp) = id_and_time(headers)?;
            signing.look(id, timestamp, signatures, now_ms() / 1_000)
        }
        None => signing.look_goflow(text(headers, "x-hub-signature").unwrap_or("")),
    };
    said_of(seen)
}

fn id_and_time(headers: &HeaderMap) -> Answer<(&str, &str)> {
    text(headers, "x-vastflow-id")
        .zip(text(headers, "x-vastflow-timestamp"))
        .ok_or_else(|| invalid("a signature needs the headers X-Vastflow-Id and X-Vastflow-Timestamp"))
}

/// Who signed a request, now that its body is known.
pub(crate) fn check_signature(app: &App, headers: &HeaderMap, asked: (&str, &str), body: &[u8]) -> Answer<Principal> {
    let Some(signing) = &app.access.signing else { return Err(invalid("this service takes no signatures")) };
    let checked = match text(headers, "x-vastflow-signature") {
        Some(signatures) => {
            let (id, timestamp) = id_and_time(headers)?;
            let signed = Signed { id, timestamp, method: asked.0, target: asked.1 };
            signing.check(signed, signatures, body, now_ms() / 1_000)
        }
        None => signing.check_goflow(text(headers, "x-hub-signature").unwrap_or(""), body),
    };
    said_of(checked).map(|()| signing.who())
}

fn said_of(checked: Checked) -> Answer<()> {
    match checked {
        Checked::Good => Ok(()),
        Checked::Bad => Err(invalid(
            "the signature does not fit the request; check the secret, and that method, path and body are signed as sent",
        )),
        Checked::Stale => Err(invalid("the signature's time is more than 5 minutes from ours; check the clocks")),
        Checked::Replayed => Err(Refusal::new(
            "signature-replayed",
            "a request with this X-Vastflow-Id was taken before; sign each with an id of its own",
        )),
        Checked::Full => {
            Err(Refusal::new("busy", "more signed requests came than can be remembered; try again in a minute"))
        }
    }
}
