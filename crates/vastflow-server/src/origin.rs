//! Where a request comes from: the name that it was sent to, and the page that it was sent by.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use std::net::IpAddr;

/// The names that a service answers to. A page that has its own name lead to this machine is not answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    names: Vec<String>,
    /// Whether any address is a good name: nobody can have one lead elsewhere.
    addresses: bool,
}

impl Hosts {
    /// Names of this machine for itself.
    pub(crate) fn local() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        Hosts { names, addresses: false }
    }

    pub(crate) fn add(&mut self, name: &str) {
        self.names.push(name.to_ascii_lowercase());
    }

    pub(crate) const fn allow_addresses(&mut self) {
        self.addresses = true;
    }

    /// Whether a request was sent to one of them.
    pub(crate) fn allow(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let Some(host) = host_of(headers, uri) else { return false };
        let name = name_of(host).to_ascii_lowercase();
        self.names.contains(&name) || (self.addresses && name.parse::<IpAddr>().is_ok())
    }
}

/// The host that a request was sent to, with its port; none if it says none, or several.
fn host_of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut all = headers.get_all(HOST).iter();
    match (all.next(), all.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => uri.authority().map(|authority| authority.as_str()),
        (Some(_), Some(_)) => None,
    }
}

/// A host without its port, an address of version 6 without its brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Whether a request that changes something was sent by a page of another site. Browsers say so; what is no browser says
/// nothing, and sends nobody's cookies or address by accident.
pub(crate) fn is_cross_site(method: &Method, headers: &HeaderMap, uri: &Uri) -> bool {
    if method.is_safe() {
        return false;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match (origin, host_of(headers, uri)) {
        (Some((_, origin)), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_known_names_are_answered_to() {
        let mut hosts = Hosts::local();
        hosts.add("Flows.example");
        let uri = Uri::from_static("/");
        let allow = |hosts: &Hosts, host| hosts.allow(&headers(&[("host", host)]), &uri);
        for good in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "flows.example"] {
            assert!(allow(&hosts, good), "{good}");
        }
        for bad in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.5", "", "[::2]", "a@localhost"]
        {
            assert!(!allow(&hosts, bad), "{bad}");
        }
        assert!(!hosts.allow(&HeaderMap::new(), &uri), "none at all");
        hosts.allow_addresses();
        assert!(allow(&hosts, "10.0.0.5:8080") && allow(&hosts, "[2001:db8::1]:80") && !allow(&hosts, "evil.example"));
    }

    #[test]
    fn two_hosts_are_none() {
        let mut two = headers(&[("host", "localhost")]);
        two.append(HOST, "evil.example".parse().unwrap());
        assert!(!Hosts::local().allow(&two, &Uri::from_static("/")));
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let uri = Uri::from_static("/");
        let check = |all: &[(&'static str, &'static str)], crosses| {
            assert_eq!(is_cross_site(&Method::POST, &headers(all), &uri), crosses, "{all:?}");
            assert!(!is_cross_site(&Method::GET, &headers(all), &uri), "reading changes nothing");
        };
        let host = ("host", "localhost:8080");
        check(&[host], false);
        for (site, crosses) in [("same-origin", false), ("none", false), ("same-site", true), ("cross-site", true)] {
            check(&[host, ("sec-fetch-site", site)], crosses);
        }
        check(&[host, ("origin", "http://localhost:8080")], false);
        check(&[host, ("origin", "http://localhost:9090")], true);
        check(&[host, ("origin", "https://evil.example")], true);
        check(&[host, ("origin", "null")], true);
        check(&[host, ("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], false);
    }
}
