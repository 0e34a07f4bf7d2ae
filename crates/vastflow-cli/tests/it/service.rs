//! The HTTP service as a verb, and the client at it.

use crate::place::{FIRST, Place};
use serde_json::json;
use vastflow_api::control::{Choice, ForkRun, Resolve};
use vastflow_api::run::{StartRun, Status};
use vastflow_client::{Client, Runs};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn start(flow: &str, id: &str, input: serde_json::Value) -> StartRun {
    StartRun { flow: flow.into(), id: Some(id.into()), input, ..StartRun::default() }
}

#[test]
fn what_the_client_asks_a_service_does() {
    let place = Place::new();
    let (_serving, url, token) = place.service(&["dev"]);
    assert_eq!(token, None, "this machine needs none");
    block_on(async {
        let client = Client::new(&url).unwrap();
        assert_eq!(client.start(start("double", "d", json!(21))).await.unwrap().id, "d");
        assert_eq!(client.wait("d").await.unwrap().status, Status::Succeeded);
        assert_eq!(client.output("d").await.unwrap().json::<u32>().unwrap(), 42);
        assert_eq!(client.input("d").await.unwrap().text(), "21");
        client.start(start("order", "o", json!({ "id": 1, "items": [-1] }))).await.unwrap();
        let mut stream = client.stream("o");
        let mut kinds = Vec::new();
        while let Some(event) = stream.next().await.unwrap() {
            kinds.push(event.kind);
        }
        assert_eq!((kinds[0].as_str(), kinds.last().unwrap().as_str()), ("RunStarted", "RunEnded"));
        assert_eq!(stream.end().unwrap().status, Status::Failed);
        assert_eq!(client.events("o", 0).await.unwrap().items.len(), kinds.len());
        assert_eq!(client.view("o", "each[0]").await.unwrap().nodes[1].calls, 3);
        assert_eq!(client.output("o").await.unwrap_err().code(), "no-output");
        assert_eq!(client.retry("o", "again").await.unwrap().id, "o.retry1");
        let fork = ForkRun { node: "each".into(), output: Some(json!([5])), ..ForkRun::default() };
        let forked = client.fork("o", &fork).await.unwrap().id;
        assert_eq!(client.wait(&forked).await.unwrap().status, Status::Succeeded);
        client.start(start("article", "a", json!("news"))).await.unwrap();
        assert_eq!(client.pause("a", "lunch").await.unwrap().status, Status::Paused);
        client.resume("a", "").await.unwrap();
        client.signal("a", "approved", &true, Some("s1"), "").await.unwrap();
        assert_eq!(client.wait("a").await.unwrap().status, Status::Succeeded);
        let choice = Resolve { at: "write".into(), choice: Choice::Skip, output: None, why: String::new() };
        assert_eq!(client.resolve("a", &choice).await.unwrap_err().code(), "run-ended");
        client.start(start("nap", "n", json!(1))).await.unwrap();
        client.stop("n", "over").await.unwrap();
        assert_eq!(client.wait("n").await.unwrap().stopped.unwrap().why, "over");
        client.delete("n").await.unwrap();
        assert_eq!(client.run("n").await.unwrap_err().code(), "unknown-run");
        let failed = Runs { status: vec![Status::Failed], limit: 1, ..Runs::default() };
        let page = client.runs(&failed).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (1, true));
        assert!(client.counts().await.unwrap().runs[&Status::Succeeded] >= 3);
        assert_eq!(client.flows().await.unwrap().items.len(), 6);
        assert!(client.flow("double").await.unwrap().flow.has_code);
        assert_eq!(client.plan("double", None).await.unwrap()["flow"], "double");
        assert_eq!(client.workers().await.unwrap().workers.len(), 1);
        assert!(client.queues().await.unwrap().items.is_empty());
        assert!(client.attention("o").await.unwrap().items.is_empty());
    });
}

#[test]
fn who_has_no_token_is_not_served() {
    let place = Place::new();
    let (serving, url, token) = place.service(&["serve"]);
    let token = token.expect("the first start makes a token");
    let first = place.path().join(FIRST);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&first).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it is its owner's alone");
    std::fs::remove_file(first).unwrap();
    let code = |token: &str| {
        block_on(async {
            Client::new(&url).unwrap().token(token).counts().await.map_err(|error| error.code().to_owned())
        })
    };
    assert_eq!(code("vastflow_live_nonsense").unwrap_err(), "token-invalid");
    assert_eq!(code(&token).unwrap().unfinished, 0);
    let row = place.vastflow(&["tokens", "ls", "-o", "json"]).json()["tokens"][0].clone();
    assert_eq!(row["name"], "admin");
    assert!(!place.vastflow(&["tokens", "ls"]).ok().contains(&token));
    let made = place.vastflow(&["tokens", "make", "ann", "--scope", "viewer"]).ok();
    crate::place::until("the service has read the file again", || code(made.trim()).is_ok());
    place.vastflow(&["tokens", "revoke", row["id"].as_str().unwrap()]).ok();
    crate::place::until("the token is worth nothing", || code(&token).is_err());
    place.vastflow(&["tokens", "revoke", "nobody"]).fails(3);
    place.vastflow(&["tokens", "make", "ann", "--scope", "emperor"]).fails(2);
    drop(serving);
    let (_serving, _, token) = place.service(&["serve"]);
    assert_eq!(token, None, "there are tokens already");
}

#[test]
fn the_first_token_is_told_of_while_it_lies_about() {
    let place = Place::new();
    drop(place.service(&["serve"]));
    let note = format!("the first token still lies in {FIRST}");
    assert!(place.notes_of(&["serve"]).contains(&note), "each start says so");
    let report = place.vastflow(&["doctor", "-o", "json"]);
    assert!(report.out.contains(r#""kind":"first-token""#) && report.out.contains(FIRST), "{}", report.out);
    report.fails(1);
    std::fs::remove_file(place.path().join(FIRST)).unwrap();
    assert!(!place.notes_of(&["serve"]).contains(FIRST), "it was taken");
    place.vastflow(&["doctor"]).ok();
}

/// The first part of an answer, as it goes over the wire.
fn ask(url: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address.split('/').next().unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn the_dashboard_is_where_it_says() {
    let place = Place::new();
    let (_serving, url, _) = place.service(&["serve", "--base-path", "/ops", "--read-only"]);
    assert!(url.ends_with("/ops"), "{url}");
    let page = ask(&url, "/ops/");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("./assets/"), "{page}");
    assert!(ask(&url, "/").starts_with("HTTP/1.1 404"));
}

#[test]
fn an_address_that_others_reach_wants_tokens() {
    let place = Place::new();
    let complaint = place.shop(&["dev", "--listen", "0.0.0.0:0"]).fails(2);
    assert!(complaint.contains("serve"), "{complaint}");
    assert!(place.vastflow(&["serve", "--listen", "here"]).fails(2).contains("127.0.0.1:8080"));
}

/// Without flows of its own nobody could do what is started on a file.
#[test]
fn who_has_no_flows_only_shows_a_file() {
    let place = Place::new();
    let complaint = place.vastflow(&["serve", "--listen", "127.0.0.1:0"]).fails(4);
    assert!(complaint.contains("wait for ever") && complaint.contains("--read-only"), "{complaint}");
    let (_serving, url, _) = place.service_of(&["dev"], false);
    block_on(async {
        let client = Client::new(&url).unwrap();
        assert_eq!(client.counts().await.unwrap().unfinished, 0);
        assert_eq!(client.start(start("double", "d", json!(1))).await.unwrap_err().code(), "read-only");
    });
}
