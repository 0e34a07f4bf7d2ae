//! Documents that must not go stale: the OpenAPI document, and a page for every code.

use crate::support::*;
use std::path::{Path, PathBuf};
use vastflow_server::{CODES, openapi_json};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// `VASTFLOW_GOLDEN=write cargo test -p vastflow-server documents` writes it anew: look at the difference, because clients
/// are made from it.
#[test]
fn the_openapi_document_is_the_one_that_is_committed() {
    let path = docs().join("openapi.json");
    if std::env::var_os("VASTFLOW_GOLDEN").is_some() {
        std::fs::write(&path, openapi_json()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == openapi_json(), "docs/openapi.json is stale; run this test with VASTFLOW_GOLDEN=write");
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let entries = std::fs::read_dir(docs().join("errors")).unwrap();
    let mut pages: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let codes: Vec<String> = CODES.iter().map(|(code, _)| format!("{code}.md")).collect();
    assert_eq!(pages, codes);
    for (code, status) in CODES {
        let page = std::fs::read_to_string(docs().join(format!("errors/{code}.md"))).unwrap();
        assert!(page.starts_with(&format!("# {code}\n\nHTTP status {status}.\n")), "{code}");
        assert!(page.contains("**What happened.**") && page.contains("**What to do.**"), "{code}");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let at = guarded(engine()).await;
    let served = at.get("/api/v1/openapi.json").send().await.is(200);
    assert_eq!(served.text(), openapi_json());
    let page = at.get("/api/v1/docs").send().await.is(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.text().contains("/api/v1/runs/{id}/fork"));
    let style = at.get("/api/v1/docs/style.css").send().await.is(200);
    assert!(style.header("content-type").unwrap().starts_with("text/css"));
}
