//! Where a request comes from: the name that it was sent to, and the page that it was sent by.

use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
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

/// Whether a page of the service itself sent a request: browsers say so, and nobody else is believed.
pub(crate) fn is_of_own_page(headers: &HeaderMap, uri: &Uri) -> bool {
    (headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN))
        && !is_cross_site(&Method::POST, headers, uri)
}

/// Whether a request says that its body is JSON.
pub(crate) fn is_of_type_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

/// Whether a request came over plain HTTP from a browser to a name that is not this machine's own.
pub(crate) fn is_plain(headers: &HeaderMap, uri: &Uri, has_tls: bool) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or("");
    !has_tls && origin.starts_with("http://") && !is_local(headers, uri)
}

/// Whether a browser keeps what it gets here for TLS only: the service speaks TLS, or was reached by another name than this
/// machine's own, or by a proxy that speaks TLS and says so, or the browser says so. Who says so without reason only keeps a
/// cookie from themselves.
fn is_secure(headers: &HeaderMap, uri: &Uri, has_tls: bool) -> bool {
    let says = |name: &str, word: &str| {
        let mut all = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        all.any(|value| value.to_ascii_lowercase().contains(word))
    };
    has_tls
        || !is_local(headers, uri)
        || says("origin", "https://")
        || says("x-forwarded-proto", "https")
        || says("forwarded", "proto=https")
}

/// The cookie of sessions that are kept for TLS only.
const SECURE: &str = "__Host-vastflow";

/// The name of a session's cookie. Browsers take one that begins with `__Host-` from its own host only and over TLS only. On
/// this machine there is no TLS, and all its services would share one cookie, so their ports are in the name.
pub(crate) fn cookie_name(headers: &HeaderMap, uri: &Uri, has_tls: bool) -> String {
    if is_secure(headers, uri, has_tls) {
        return SECURE.to_owned();
    }
    let host = host_of(headers, uri).unwrap_or("");
    match host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        Some((_, port)) => format!("vastflow-{port}"),
        None => "vastflow".to_owned(),
    }
}

/// What may be a session's secret in a request, by the cookies that may have it. Browsers send one that is for TLS only over TLS
/// only, also to a proxy that calls this machine by its own name and says nothing of TLS; but they send it to this machine in
/// clear text, too, and cookies know no ports, so it may be that of another service here. Which of them is a session is known
/// where sessions are.
pub(crate) fn cookies_of<'a>(headers: &'a HeaderMap, uri: &Uri, has_tls: bool) -> Vec<&'a str> {
    let name = cookie_name(headers, uri, has_tls);
    pairs(headers).filter(|(own, _)| *own == name || *own == SECURE).map(|(_, value)| value).collect()
}

/// The names of cookies to take away from who signs out: the one that they would get, and the other if they sent it.
pub(crate) fn names_to_clear(headers: &HeaderMap, uri: &Uri, has_tls: bool) -> Vec<String> {
    let name = cookie_name(headers, uri, has_tls);
    let sent_other = name != SECURE && pairs(headers).any(|(own, _)| own == SECURE);
    [name].into_iter().chain(sent_other.then(|| SECURE.to_owned())).collect()
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn is_local(headers: &HeaderMap, uri: &Uri) -> bool {
    let name = host_of(headers, uri).map(name_of).unwrap_or("");
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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

    #[test]
    fn a_session_is_for_pages_of_the_service() {
        let uri = Uri::from_static("/");
        let check = |all: &[(&'static str, &'static str)], is_own| {
            assert_eq!(is_of_own_page(&headers(all), &uri), is_own, "{all:?}");
        };
        let host = ("host", "localhost:8080");
        check(&[host], false);
        for (site, is_own) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)] {
            check(&[host, ("sec-fetch-site", site)], is_own);
        }
        check(&[host, ("origin", "http://localhost:8080")], true);
        check(&[host, ("origin", "http://localhost:9090")], false);
        check(&[host, ("origin", "null")], false);
        for (kind, is_json) in
            [("application/json", true), ("Application/JSON; charset=utf-8", true), ("text/plain", false)]
        {
            assert_eq!(is_of_type_json(&headers(&[("content-type", kind)])), is_json, "{kind}");
        }
        assert!(!is_of_type_json(&HeaderMap::new()));
    }

    #[test]
    fn a_cookie_is_bound_to_its_host_but_on_this_machine() {
        let uri = Uri::from_static("/");
        let check = |host: &'static str, has_tls, name: &str| {
            assert_eq!(cookie_name(&headers(&[("host", host)]), &uri, has_tls), name, "{host}");
        };
        check("localhost:8080", false, "vastflow-8080");
        check("127.0.0.1:81", false, "vastflow-81");
        check("[::1]:81", false, "vastflow-81");
        check("[::1]", false, "vastflow");
        check("localhost:8080", true, "__Host-vastflow");
        check("flows.example", false, "__Host-vastflow");
        let cookies = |value| {
            let all = headers(&[("host", "localhost:1"), ("cookie", value)]);
            (
                cookies_of(&all, &uri, false).into_iter().map(str::to_owned).collect::<Vec<_>>(),
                names_to_clear(&all, &uri, false),
            )
        };
        let own = vec!["vastflow-1".to_owned()];
        let both = vec!["vastflow-1".to_owned(), "__Host-vastflow".to_owned()];
        assert_eq!(cookies("a=b; vastflow-1=secret"), (vec!["secret".into()], own.clone()));
        assert_eq!(cookies("vastflow-2=other; xvastflow-1=no"), (Vec::new(), own));
        let two = cookies("__Host-vastflow=one; vastflow-1=other");
        assert_eq!(two, (vec!["one".into(), "other".into()], both), "either may be a session of this service");
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        let uri = Uri::from_static("/");
        let check = |host: &'static str, origin: &'static str, has_tls, is| {
            assert_eq!(is_plain(&headers(&[("host", host), ("origin", origin)]), &uri, has_tls), is, "{host} {origin}");
        };
        check("flows.example", "http://flows.example", false, true);
        check("flows.example", "https://flows.example", false, false);
        check("flows.example", "http://flows.example", true, false);
        check("localhost:1", "http://localhost:1", false, false);
    }
}
