//! Who asks, and what they may do.

mod recognise;
mod session;
mod sign;
mod token;

pub use sign::{sign, verify_goflow};
pub use token::{TokenError, Tokens};

pub(crate) use recognise::{Early, bearer, check_signature, recognise, signed_in, wrong};
pub(crate) use session::Sessions;
pub(crate) use sign::{Checked, Signed, Signing};
pub(crate) use token::{Found, now_ms, private, random};

use std::sync::Arc;
use vastflow_api::access::{KnownBy, Me, Scope};

/// Who asks: a name, what they may do, and with which flows.
///
/// ```
/// use vastflow_api::access::Scope;
/// use vastflow_server::Principal;
///
/// let ann = Principal::new("ann", [Scope::Operator], ["order*"]);
/// assert!(ann.may(Scope::Viewer) && !ann.may(Scope::PayloadRead));
/// assert!(ann.sees("order-eu") && !ann.sees("salaries"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Arc<Rights>);

#[derive(Debug, PartialEq, Eq)]
struct Rights {
    name: String,
    scopes: Vec<Scope>,
    flows: Vec<String>,
}

impl Principal {
    /// Somebody with these rights on these flows: names, or patterns with `*`.
    pub fn new<'a>(
        name: &str,
        scopes: impl IntoIterator<Item = Scope>,
        flows: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let flows = flows.into_iter().map(str::to_owned).collect();
        Principal(Arc::new(Rights { name: name.to_owned(), scopes: scopes.into_iter().collect(), flows }))
    }

    /// Who may do everything.
    pub(crate) fn anyone() -> Self {
        Principal::new("local", Scope::ALL, ["*"])
    }

    /// The name that is recorded with what they ask for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether they have a right, or a greater one.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        let enough: &[Scope] = match scope {
            Scope::Viewer => &[Scope::Viewer, Scope::Operator, Scope::Admin],
            Scope::Operator => &[Scope::Operator, Scope::Admin],
            Scope::Admin => &[Scope::Admin],
            _ => &[Scope::PayloadRead],
        };
        self.0.scopes.iter().any(|own| enough.contains(own))
    }

    /// Whether a flow is theirs to see.
    #[must_use]
    pub fn sees(&self, flow: &str) -> bool {
        self.0.flows.iter().any(|pattern| fits(pattern, flow))
    }

    /// Whether all flows are theirs to see.
    pub(crate) fn sees_all(&self) -> bool {
        self.0.flows.iter().any(|pattern| pattern == "*")
    }

    /// What they may do, to tell them.
    pub(crate) fn me(&self, by: KnownBy, read_only: bool) -> Me {
        let Rights { name, scopes, flows } = &*self.0;
        Me { name: name.clone(), scopes: scopes.clone(), flows: flows.clone(), by, read_only }
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let mut parts = after.split('*').peekable();
    let mut rest = rest;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// How those who ask are recognised.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) tokens: Option<Tokens>,
    pub(crate) signing: Option<Signing>,
}

impl Access {
    /// Whether anybody who reaches the service may do everything.
    pub(crate) const fn is_open(&self) -> bool {
        self.tokens.is_none() && self.signing.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, does) in [
            ("*", "anything", true),
            ("order", "order", true),
            ("order", "orders", false),
            ("order*", "order", true),
            ("*-eu", "order-eu", true),
            ("*-eu", "order-eu2", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), does, "{pattern} {text}");
        }
    }

    #[test]
    fn rights_include_lesser_ones_but_never_payloads() {
        let may = |own| Scope::ALL.map(|scope| Principal::new("x", [own], ["*"]).may(scope));
        assert_eq!(may(Scope::Viewer), [true, false, false, false]);
        assert_eq!(may(Scope::Operator), [true, true, false, false]);
        assert_eq!(may(Scope::Admin), [true, true, true, false]);
        assert_eq!(may(Scope::PayloadRead), [false, false, false, true]);
    }
}
