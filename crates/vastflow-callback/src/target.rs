//! URLs to be called back at, and who is allowed.

use hyper::Uri;
use std::fmt;
use std::net::IpAddr;

/// Why somebody is not called back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is not an address that could be called.
    #[error("the callback's address cannot be used: {why}; write https://host/path")]
    NoUrl {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nobody allowed for it.
    #[error("nobody at {origin} may be called back by this service; allow for it: callbacks.allow = \"{origin}\"")]
    NotAllowed {
        /// Its scheme, host and port.
        origin: String,
    },
    /// It leads into a network that is not the internet's.
    #[error("{host} leads to an address of this machine or a private network, and no callback goes there")]
    Private {
        /// The host.
        host: String,
    },
}

/// A host, as it is written in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Address(IpAddr::V6(six)) => write!(f, "[{six}]"),
            Host::Address(address) => address.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// Where a callback goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) is_https: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, Refused> {
        let no = |why| Refused::NoUrl { why };
        let uri: Uri = url.parse().map_err(|_| no("it is no URL"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(no("it begins neither with https:// nor with http://")),
        };
        let authority = uri.authority().ok_or_else(|| no("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(no("it has a name or password before its host"));
        }
        let host = host(authority.host()).ok_or_else(|| no("its host is neither a name nor a plain address"))?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => Some(if is_https { 443 } else { 80 }),
            Some(rest) => rest.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0),
            None => None,
        };
        let port = port.ok_or_else(|| no("its port is none"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Target { is_https, host, port, path })
    }

    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.authority())
    }

    /// Host and port, as the header `Host` has them.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.is_https { 443 } else { 80 };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// A host as it stands in a URL. What only looks like a number (`2130706433`, `0x7f.1`, `0177.0.0.1`) is what some resolvers
/// take for an address: it is none here.
fn host(text: &str) -> Option<Host> {
    if let Some(six) = text.strip_prefix('[') {
        return Some(Host::Address(IpAddr::V6(six.strip_suffix(']')?.parse().ok()?)));
    }
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next()?;
    if last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Host::Address(IpAddr::V4(text.parse().ok()?)));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    (name.len() <= 253 && name.split('.').all(is_label)).then_some(Host::Name(name))
}

/// Somebody who may be called back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    is_https: bool,
    host: Pattern,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Only(Host),
    /// All names below this one.
    Below(String),
}

impl Allowed {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let below = rest.strip_prefix("*.");
        let target = Target::parse(&format!("{scheme}://{}", below.unwrap_or(rest))).ok()?;
        let host = match (below, target.host) {
            (None, host) => Pattern::Only(host),
            (Some(_), Host::Name(name)) => Pattern::Below(format!(".{name}")),
            (Some(_), Host::Address(_)) => return None,
        };
        // Who is allowed is allowed as a whole.
        (target.path == "/").then_some(Allowed { is_https: target.is_https, host, port: target.port })
    }

    pub(crate) fn fits(&self, target: &Target) -> bool {
        let is_host = match (&self.host, &target.host) {
            (Pattern::Only(own), host) => own == host,
            (Pattern::Below(own), Host::Name(name)) => name.ends_with(own.as_str()),
            (Pattern::Below(_), Host::Address(_)) => false,
        };
        is_host && self.is_https == target.is_https && self.port == target.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_origin_is_exact() {
        let check = |allowed: &str, url: &str, fits| {
            let allowed = Allowed::parse(allowed).unwrap();
            assert_eq!(Target::parse(url).is_ok_and(|target| allowed.fits(&target)), fits, "{allowed:?} {url}");
        };
        check("https://a.example", "https://a.example/x?y", true);
        check("https://a.example", "https://A.EXAMPLE./x", true);
        check("https://a.example", "https://a.example:443/", true);
        check("https://a.example", "http://a.example/", false);
        check("https://a.example", "https://a.example:8443/", false);
        check("https://a.example", "https://a.example.evil/", false);
        check("https://a.example", "https://evil/?https://a.example", false);
        check("https://a.example", "https://b.a.example/", false);
        check("https://*.example", "https://b.a.example/", true);
        check("https://*.example", "https://example/", false);
        check("https://*.example", "https://badexample/", false);
        check("http://10.0.0.7:9000", "http://10.0.0.7:9000/x", true);
        check("http://10.0.0.7:9000", "http://10.0.0.8:9000/x", false);
        for wrong in ["a.example", "ftp://a.example", "https://", "https://a.example/path", "https://*.10.0.0.1", "*"] {
            assert_eq!(Allowed::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_hides_an_address_is_no_url() {
        for odd in [
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1.:80x/",
            "http://user@a.example/",
            "http://a.example@127.0.0.1/",
            "http://[::1/",
            "http:///x",
            "http://a..b/",
            "http://a b/",
            "file:///etc/passwd",
            "gopher://a/",
            "//a.example/",
            "a.example",
            "",
            "http://a:0/",
            "http://a:99999/",
            "http://%31%32%37.0.0.1/",
            "http://①②⑦.⓪.⓪.①/",
        ] {
            assert!(Target::parse(odd).is_err(), "{odd}: {:?}", Target::parse(odd));
        }
        let six = Target::parse("http://[::ffff:127.0.0.1]:9/").unwrap();
        assert_eq!(six.host, Host::Address("::ffff:127.0.0.1".parse().unwrap()));
    }
}
