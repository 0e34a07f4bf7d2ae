//! The dashboard: the files of its build, as they are in this program.
//!
//! They hold nothing of anybody, so everybody may have them; what they show, they ask of the API as whoever signed in. They know
//! no path of their own: `index.html` refers to the others by `./`, which is made to lead to where the dashboard is mounted,
//! however deep the page is that was asked for, and also behind a proxy that takes a prefix away.

use crate::problem::Refusal;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::{Embed, EmbeddedFile};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::LazyLock;

/// The build of `dashboard/`. Without one, a program is built all the same, and says what is missing when it is asked.
#[derive(Embed)]
#[folder = "dashboard"]
#[allow_missing = true]
struct Dist;

const PAGE: &str = "index.html";
/// The deepest that a page is: making one for each number of slashes that somebody thinks of is work that they do not pay.
const DEEPEST: usize = 12;
/// Below it, a file's name has a hash of what is in it.
const HASHED: &str = "assets/";

/// A file, ready to be sent.
struct File {
    bytes: Bytes,
    /// The same by gzip, where that is smaller.
    packed: Option<Bytes>,
    etag: String,
    kind: &'static str,
}

static FILES: LazyLock<FxHashMap<String, File>> = LazyLock::new(|| {
    let read = |path: String| {
        let file = File::new(&path, Dist::get(&path)?);
        Some((path, file))
    };
    Dist::iter().filter_map(|path| read(path.into_owned())).collect()
});

/// The page as it is for paths with no slash in them, with one, and so on.
static PAGES: LazyLock<Vec<File>> =
    LazyLock::new(|| FILES.get(PAGE).map_or_else(Vec::new, |page| (0..=DEEPEST).map(|depth| page.at(depth)).collect()));

/// Whether this program has a dashboard in it.
pub(crate) fn is_there() -> bool {
    Dist::get(PAGE).is_some()
}

/// A file of the dashboard, or its page, which knows what to show for the other paths.
pub(crate) async fn page(uri: Uri, OriginalUri(original): OriginalUri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = FILES.get(path).filter(|_| path != PAGE) {
        return file.send(&headers, path.starts_with(HASHED));
    }
    let whole = original.path();
    let no = |why| Refusal::new("not-found", why).into_response();
    match PAGES.get(path.matches('/').count()) {
        // A page of another build asks for what is not in this one.
        _ if path.starts_with(HASHED) => no("the dashboard has no such file"),
        _ if PAGES.is_empty() => no("this program was built without the dashboard's files"),
        None => no("the dashboard has no page so deep"),
        Some(_) if !whole.ends_with('/') && path.is_empty() => to_inside(whole),
        Some(page) => page.send(&headers, false),
    }
}

/// Where the dashboard is mounted without a slash at its end, `./` would lead to beside it.
fn to_inside(whole: &str) -> Response {
    let name = whole.rsplit('/').next().unwrap_or("");
    // Relative, because a proxy may have taken something away that stood before it.
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, format!("{name}/"))]).into_response()
}

impl File {
    fn new(path: &str, file: EmbeddedFile) -> Self {
        let hash = file.metadata.sha256_hash();
        let mut etag = String::new();
        for byte in &hash[..12] {
            // Writing to a text does not fail.
            let _ = write!(etag, "{byte:02x}");
        }
        File::of(Bytes::from(file.data.into_owned()), etag, kind_of(path))
    }

    fn of(bytes: Bytes, etag: String, kind: &'static str) -> Self {
        let packed = pack(&bytes).ok().filter(|packed| packed.len() < bytes.len()).map(Bytes::from);
        File { bytes, packed, etag: format!("W/\"{etag}\""), kind }
    }

    /// The page as it is for a path that has so many slashes in it.
    fn at(&self, depth: usize) -> Self {
        if depth == 0 {
            let File { bytes, packed, etag, kind } = self;
            return File { bytes: bytes.clone(), packed: packed.clone(), etag: etag.clone(), kind };
        }
        let up = format!("\"{}", "../".repeat(depth));
        let html = String::from_utf8_lossy(&self.bytes).replace("\"./", &up);
        let etag = format!("{}-{depth}", self.etag.trim_start_matches("W/").trim_matches('"'));
        File::of(Bytes::from(html), etag, self.kind)
    }

    fn send(&self, headers: &HeaderMap, is_hashed: bool) -> Response {
        let mut response = Response::new(Body::empty());
        let mut put = |name: HeaderName, value: &str| {
            response.headers_mut().extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        };
        put(CACHE_CONTROL, if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" });
        put(ETAG, &self.etag);
        put(VARY, "accept-encoding");
        let lists = |name: HeaderName, word: &str| {
            let all = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            all.flat_map(|value| value.split(',')).any(|one| one.split(';').next().unwrap_or("").trim() == word)
        };
        if lists(IF_NONE_MATCH, &self.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        put(CONTENT_TYPE, self.kind);
        let packed = self.packed.as_ref().filter(|_| lists(ACCEPT_ENCODING, "gzip"));
        if packed.is_some() {
            put(CONTENT_ENCODING, "gzip");
        }
        *response.body_mut() = Body::from(packed.unwrap_or(&self.bytes).clone());
        response
    }
}

fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes)?;
    packer.finish()
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_finds_its_files_from_wherever_it_is() {
        let html = "<script src=\"./assets/x.js\"></script><meta content=\"./api/v1\"><p title=\". /\">";
        let page = File::of(Bytes::from(html), "tag".into(), "text/html");
        let at = |depth| String::from_utf8(page.at(depth).bytes.to_vec()).unwrap();
        assert_eq!(at(0), html);
        assert_eq!(at(2), html.replace("\"./", "\"../../"));
        assert_ne!(page.at(1).etag, page.at(2).etag, "they are different pages");
    }

    #[test]
    fn what_was_seen_is_not_sent_again_and_what_is_large_is_packed() {
        let file = File::of(Bytes::from("words ".repeat(100)), "tag".into(), "text/plain");
        let ask = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            file.send(&headers, true)
        };
        assert_eq!(ask("if-none-match", "\"other\", W/\"tag\"").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask("if-none-match", "W/\"tag2\"").status(), StatusCode::OK);
        assert_eq!(ask("accept-encoding", "br, gzip;q=0.8").headers()[CONTENT_ENCODING], "gzip");
        assert!(!ask("accept-encoding", "br").headers().contains_key(CONTENT_ENCODING));
        assert!(pack(b"x").unwrap().len() > 1 && File::of(Bytes::from("x"), "t".into(), "x").packed.is_none());
    }
}
