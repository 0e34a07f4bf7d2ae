//! Opening: what is refused, and with which words; what options do.

use crate::races::client;
use std::sync::Arc;
use std::time::Duration;
use vastflow_postgres::{Options, PostgresStore};
use vastflow_store::{Claim, Commit, Committed, Store, StoreError, Wakeups};
use vastflow_testsuite::Probe;
use vastflow_testsuite::fixture::{self, ALICE, LEASE, T0};
use vastflow_testsuite::servers::Postgres;

fn schema_of(url: &str) -> String {
    url.rsplit_once("schema=").unwrap().1.to_owned()
}

async fn refused(options: Options) -> String {
    match PostgresStore::open_with(options).await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("{other:?} instead of a refusal"),
    }
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let url = Postgres::shared().fresh_url();
    PostgresStore::open(&url).await.unwrap().close().await.unwrap();
    let sql = format!("INSERT INTO {}.migration (version, name, checksum) VALUES (99, 'later', 'x')", schema_of(&url));
    client().await.batch_execute(&sql).await.unwrap();
    let why = refused(Options::new(&url)).await;
    assert!(why.contains("newer version") && why.ends_with("(postgres-newer-tables)"), "{why}");
}

#[tokio::test]
async fn tables_are_not_made_where_that_is_not_allowed() {
    let url = Postgres::shared().fresh_url();
    let why = refused(Options::new(&url).migrate(false)).await;
    assert!(why.ends_with("(postgres-old-tables)"), "{why}");
    PostgresStore::open(&url).await.unwrap();
    PostgresStore::open_with(Options::new(&url).migrate(false)).await.unwrap();
}

#[tokio::test]
async fn many_that_open_at_once_make_the_tables_once() {
    let url = Postgres::shared().fresh_url();
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { PostgresStore::open(&url).await.map(drop) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_people_can_mend_has_a_code() {
    let server = Postgres::shared();
    let admin = client().await;
    admin.batch_execute("DROP ROLE IF EXISTS nobody_much; CREATE ROLE nobody_much LOGIN").await.unwrap();
    admin.batch_execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN").await.unwrap();
    admin.batch_execute("ALTER ROLE reader SET default_transaction_read_only = on").await.unwrap();
    let port = server.port();
    for (url, code) in [
        (format!("postgres://postgres@127.0.0.1:{port}/no_such_database"), "postgres-no-database"),
        (format!("postgres://nobody_much@127.0.0.1:{port}/postgres?schema=theirs"), "postgres-permission"),
        (format!("postgres://reader@127.0.0.1:{port}/postgres"), "postgres-read-only"),
        ("postgres:///db".to_owned(), "postgres-url"),
        (format!("postgres://postgres@127.0.0.1:{port}/postgres?sslrootcert=/no/such/file"), "postgres-root-cert"),
    ] {
        let why = refused(Options::new(&url)).await;
        assert!(why.ends_with(&format!("({code})")), "{url}: {why}");
    }
}

/// An error may end up in a log.
#[tokio::test]
async fn no_part_of_a_password_is_shown() {
    for url in [
        "Postgres://ann:secret@h/db?sslmode=require",
        " postgres://ann:secret@h/db?sslmode=require",
        "postgres://ann:x?secret@h/db?sslmode=always",
        "postgres://ann:x@h/db?sslmode=require?secret=1",
        "postgres://ann:x@127.0.0.1:1/db?password=secret&pasword=secret",
        "postgres://ann:secret@h/db?pgbouncer=maybe",
    ] {
        let why = refused(Options::new(url)).await;
        assert!(why.ends_with("(postgres-url)") && !why.contains("secret"), "{url}: {why}");
    }
    let why = refused(Options::new("postgres://h/db?sslmode=always")).await;
    assert!(why.contains("sslmode"), "what is wrong is said where it is no secret: {why}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_not_available() {
    let error = PostgresStore::open("postgres://postgres@127.0.0.1:1/db").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("refused"), "{error}");
}

/// Who was let in before, and is not any more, waits until that is mended.
#[tokio::test]
async fn a_login_that_is_taken_away_and_given_back() {
    let admin = client().await;
    admin.batch_execute("DROP ROLE IF EXISTS coming; CREATE ROLE coming LOGIN SUPERUSER").await.unwrap();
    let url = Postgres::shared().fresh_url().replace("postgres@", "coming@");
    let store = PostgresStore::open(&url).await.unwrap();
    store.put_plan(fixture::plan()).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'coming'";
    admin.batch_execute(&format!("ALTER ROLE coming NOLOGIN; {end}")).await.unwrap();
    let start = fixture::start_commit("r");
    let mut said = String::new();
    for _ in 0..4 {
        // The first may meet the end of its connection.
        let error = (&store as &dyn Store).commit(start.clone()).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        said = error.to_string();
    }
    assert!(said.contains("(postgres-login)"), "{said}");
    admin.batch_execute("ALTER ROLE coming LOGIN").await.unwrap();
    (&store as &dyn Store).commit(start).await.unwrap();
}

/// A reply that panics keeps neither others nor later commits of the same runs from their answers.
#[tokio::test]
async fn a_caller_that_panics_at_its_answer_holds_nobody_up() {
    let store = Arc::new(PostgresStore::open(&Postgres::shared().fresh_url()).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    for run in 0..4 {
        store.submit(vec![fixture::start_commit(&format!("r{run}"))], Box::new(|_| panic!("on purpose")));
    }
    for run in 0..4 {
        let again = store.as_ref() as &dyn Store;
        let asked =
            tokio::time::timeout(Duration::from_secs(20), again.commit(fixture::start_commit(&format!("r{run}"))));
        let answer = asked.await.expect("it is answered").unwrap();
        assert!(matches!(answer, Committed::Conflict { .. } | Committed::Duplicate { .. }), "{answer:?}");
    }
}

/// What cannot be kept is refused alone; the others of its batch are none the worse.
#[tokio::test]
async fn a_task_that_no_number_of_the_server_can_name() {
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&Postgres::shared().fresh_url()).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    let mut batch: Vec<Commit> = (0..9).map(|run| fixture::start_commit(&format!("r{run}"))).collect();
    batch[4].queue[0].task = fixture::attempt(u32::MAX, 1);
    let answers = Probe::open(Arc::new(store)).await.batch(batch).await;
    for (at, (_, answer)) in answers.iter().enumerate() {
        assert!(
            if at == 4 { matches!(answer, Err(StoreError::Invalid(_))) } else { answer.is_ok() },
            "{at}: {answer:?}"
        );
    }
}

/// A batch is one round trip, whatever its size.
#[tokio::test]
async fn a_batch_is_one_round_trip() {
    let store = Arc::new(PostgresStore::open(&Postgres::shared().fresh_url()).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    let probe = Probe::open(Arc::new(Arc::clone(&store) as Arc<dyn Store>)).await;
    let starts = |from: usize| (from..from + 200).map(|run| fixture::start_commit(&format!("r{run}"))).collect();
    let before = store.round_trips();
    probe.answers(starts(0)).await;
    // The batch, and the one that tells others of new work, which may come later.
    while store.round_trips() < before + 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = store.round_trips();
    probe.answers(starts(200)).await;
    let trips = store.round_trips() - before;
    assert!(trips <= 2, "{trips} round trips: the batch, and a hint to others");
}

async fn hinted(mut hints: Wakeups) {
    tokio::time::timeout(Duration::from_secs(60), hints.next()).await.expect("a hint");
}

#[tokio::test]
async fn others_are_told_of_new_work() {
    let url = Postgres::shared().fresh_url();
    let (mine, theirs) = (PostgresStore::open(&url).await.unwrap(), PostgresStore::open(&url).await.unwrap());
    mine.put_plan(fixture::plan()).await.unwrap();
    let mut hints = theirs.wakeups();
    // When it listens, it is quiet.
    while tokio::time::timeout(Duration::from_millis(700), hints.next()).await.is_ok() {}
    (&mine as &dyn Store).commit(fixture::start_commit("r")).await.unwrap();
    hinted(hints).await;
    assert_eq!(theirs.claim(Claim::new(ALICE, 9, LEASE, T0)).await.unwrap().tasks.len(), 1);
}

/// Behind a pooler nobody listens; work is found all the same.
#[tokio::test]
async fn behind_a_pooler_work_is_found_by_looking() {
    let url = Postgres::shared().fresh_url();
    let options = Options::new(format!("{url}&pgbouncer=true")).poll(Duration::from_millis(20));
    let store = PostgresStore::open_with(options).await.unwrap();
    store.put_plan(fixture::plan()).await.unwrap();
    (&store as &dyn Store).commit(fixture::start_commit("r")).await.unwrap();
    hinted(store.wakeups()).await;
    assert_eq!(store.claim(Claim::new(ALICE, 9, LEASE, T0)).await.unwrap().tasks.len(), 1);
}

/// Hands on what is said between the store and its server, until it is cut: then what was connected hears nothing more, and
/// is told nothing, but who connects anew is served.
async fn cable(cut: tokio::sync::watch::Receiver<bool>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (mut cut, was_cut) = (cut.clone(), *cut.borrow());
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(("127.0.0.1", Postgres::shared().port())).await.unwrap();
                let is_cut = async move { drop(cut.wait_for(|cut| *cut && !was_cut).await) };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                    () = is_cut => {}
                }
                // Both ends stay open.
                std::future::pending::<()>().await;
            });
        }
    });
    port
}

/// When the network was cut in silence, one call finds out, and not one for each connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_cut_costs_one_call() {
    let (cut, is_cut) = tokio::sync::watch::channel(false);
    let url = Postgres::shared().fresh_url();
    let url = url.replace(&format!(":{}", Postgres::shared().port()), &format!(":{}", cable(is_cut).await));
    let options = Options::new(url).statement_timeout(Duration::from_secs(4));
    let store = PostgresStore::open_with(options).await.unwrap();
    let (a, b, c, d) = tokio::join!(store.counts(), store.counts(), store.counts(), store.counts());
    assert!([a, b, c, d].iter().all(Result::is_ok), "several connections");
    cut.send(true).unwrap();
    assert!(store.counts().await.unwrap_err().is_transient());
    for _ in 0..4 {
        store.counts().await.expect("a new connection");
    }
}
