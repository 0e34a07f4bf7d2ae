//! Lists: rows, pages, filters and counts.

use crate::fixture::{self, Story, after, attempt};
use crate::probe::{ALL, Probe};
use std::collections::BTreeSet;
use vastflow_core::limits::MAX_PAYLOAD_BYTES;
use vastflow_core::{Codec, Input, Payload, RunStatus, Seq};
use vastflow_store::{Control, Counts, PAGE_BYTES, RunPage, RunQuery, RunRow};

fn ids(page: &RunPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.id.as_str()).collect()
}

async fn listed(probe: &Probe, query: RunQuery) -> Vec<String> {
    ids(&probe.page(&query).await).into_iter().map(str::to_owned).collect()
}

async fn begin_many(probe: &Probe, runs: std::ops::Range<u32>) {
    for run in runs {
        probe.begin(&format!("r{run:03}")).await;
    }
}

/// A row shows the run as its last commit told it.
pub async fn a_row_shows_the_run(probe: Probe) {
    assert_eq!(probe.store().run(&fixture::run_id("r")).await.unwrap(), None);
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let row = probe.row(story.scope.run()).await;
    assert_eq!((row.len, Some(row.summary)), (Seq(1), story.state.summary(&story.plan)));
    story.now = after(5);
    let mut commit = story.finish(attempt(0, 1));
    commit.control = Some(Control::Held);
    probe.done(commit).await;
    probe.done(story.finish(attempt(1, 1))).await;
    let row = probe.row(story.scope.run()).await;
    assert_eq!((row.len, row.control.revision, &row.id), (Seq(4), 1, story.scope.run()));
    assert_eq!(row.summary.ended_at, Some(after(5)));
    assert_eq!(Some(row.summary), story.state.summary(&story.plan));
}

/// A commit without a summary leaves the one before.
pub async fn a_summary_stays_until_the_next(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let before = probe.row(story.scope.run()).await.summary;
    let mut commit = story.finish(attempt(0, 1));
    commit.summary = None;
    probe.done(commit).await;
    assert_eq!(probe.row(story.scope.run()).await.summary, before);
}

/// Newest first, each with the row that `run` gives.
pub async fn the_newest_run_is_first(probe: Probe) {
    for run in ["b", "c", "a"] {
        probe.begin(run).await;
    }
    let page = probe.page(&RunQuery::default()).await;
    assert_eq!((ids(&page), page.next), (vec!["a", "c", "b"], None));
    assert!(page.rows.windows(2).all(|pair| pair[0].key > pair[1].key), "keys are the order of starts");
    for row in &page.rows {
        assert_eq!(probe.row(&row.id).await, *row);
    }
}

/// What happens to a run later does not move it in the list.
pub async fn a_run_keeps_its_place(probe: Probe) {
    let mut story = probe.begin("old").await;
    probe.begin("new").await;
    let key = probe.row(story.scope.run()).await.key;
    probe.done(story.finish(attempt(0, 1))).await;
    assert_eq!(listed(&probe, RunQuery::default()).await, ["new", "old"]);
    assert_eq!(probe.row(story.scope.run()).await.key, key);
}

/// Pages are complete and repeat nothing while new runs come.
pub async fn pages_are_complete_while_runs_come(probe: Probe) {
    begin_many(&probe, 0..25).await;
    let (mut seen, mut query, mut fresh) = (Vec::new(), RunQuery { limit: 4, ..RunQuery::default() }, 100);
    loop {
        let page = probe.page(&query).await;
        seen.extend(page.rows.into_iter().map(|row| row.id.to_string()));
        begin_many(&probe, fresh..fresh + 2).await;
        fresh += 2;
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let wanted: Vec<_> = (0..25).rev().map(|run| format!("r{run:03}")).collect();
    assert_eq!(seen, wanted);
}

/// A page has at most as many rows as asked for, and says whether more follow.
pub async fn a_page_says_whether_more_follow(probe: Probe) {
    begin_many(&probe, 0..6).await;
    for (limit, rows, more) in [(5, 5, true), (6, 6, false), (7, 6, false), (1, 1, true)] {
        let page = probe.page(&RunQuery { limit, ..RunQuery::default() }).await;
        assert_eq!((page.rows.len(), page.next.is_some()), (rows, more), "limit {limit}");
    }
    assert_eq!(probe.page(&RunQuery { before: Some(0), ..RunQuery::default() }).await, RunPage::default());
}

/// Without a limit a page has 100 rows.
pub async fn a_page_has_100_rows(probe: Probe) {
    begin_many(&probe, 0..101).await;
    let page = probe.page(&RunQuery::default()).await;
    assert_eq!((page.rows.len(), page.next.is_some()), (100, true));
    assert_eq!(probe.page(&RunQuery { limit: ALL / 2, ..RunQuery::default() }).await.rows.len(), 101);
}

/// A page is full by its bytes, too, and nothing is missed between such pages.
pub async fn a_page_holds_only_so_many_bytes(probe: Probe) {
    let mut wanted = Vec::new();
    for run in 0..30 {
        let id = format!("r{run:03}");
        let mut story = Story::new(fixture::plan(), &id);
        story.input = Payload::new(Codec::Bytes, vec![b'x'; MAX_PAYLOAD_BYTES - 64]);
        let mut story = probe.begin_with(story).await;
        if run % 2 == 0 {
            probe.done(story.finish(attempt(0, 1))).await;
        }
        wanted.insert(0, id);
    }
    let (mut seen, mut query) = (Vec::new(), RunQuery::default());
    loop {
        let page = probe.page(&query).await;
        let bytes: usize = page.rows.iter().map(RunRow::bytes).sum();
        assert!(bytes < PAGE_BYTES + 3 * MAX_PAYLOAD_BYTES, "{} runs with {bytes} bytes in one page", page.rows.len());
        seen.extend(page.rows.into_iter().map(|row| row.id.to_string()));
        query.before = page.next;
        if query.before.is_none() {
            break;
        }
    }
    assert_eq!(seen, wanted);
}

/// Three runs of two flows with labels; the second has ended, the third is stopping.
async fn varied(probe: &Probe) {
    let labelled = |flow: &str, run: &str, labels: &[(&str, &str)]| {
        let mut story = Story::new(fixture::chain(flow), run);
        story.info.labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        story
    };
    probe.begin_with(labelled("x", "one", &[("team", "red"), ("env", "test")])).await;
    let mut two = probe.begin_with(labelled("x", "two", &[("team", "blue"), ("env", "test")])).await;
    for node in 0..3 {
        probe.done(two.finish(attempt(node, 1))).await;
    }
    let mut three = probe.begin_with(labelled("y", "three", &[("team", "red")])).await;
    probe.done(three.tell(Input::Cancel { by: "me".into(), why: "enough".into() })).await;
}

fn label(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// Lists are filtered by flow.
pub async fn runs_are_found_by_flow(probe: Probe) {
    varied(&probe).await;
    let of = |flow| RunQuery { flow: Some(fixture::name(flow)), ..RunQuery::default() };
    assert_eq!(listed(&probe, of("x")).await, ["two", "one"]);
    assert_eq!(listed(&probe, of("y")).await, ["three"]);
    assert_eq!(listed(&probe, of("z")).await, Vec::<String>::new());
}

/// Lists are filtered by status.
pub async fn runs_are_found_by_status(probe: Probe) {
    varied(&probe).await;
    let of = |status| RunQuery { status: Some(status), ..RunQuery::default() };
    assert_eq!(listed(&probe, of(RunStatus::Running)).await, ["one"]);
    assert_eq!(listed(&probe, of(RunStatus::Succeeded)).await, ["two"]);
    assert_eq!(listed(&probe, of(RunStatus::Stopping)).await, ["three"]);
    assert_eq!(listed(&probe, of(RunStatus::Failed)).await, Vec::<String>::new());
}

/// Lists are filtered by labels; all have to fit, key and value.
pub async fn runs_are_found_by_labels(probe: Probe) {
    varied(&probe).await;
    let of = |labels: &[(String, String)]| RunQuery { labels: labels.to_vec(), ..RunQuery::default() };
    assert_eq!(listed(&probe, of(&[label("team", "red")])).await, ["three", "one"]);
    assert_eq!(listed(&probe, of(&[label("team", "red"), label("env", "test")])).await, ["one"]);
    assert_eq!(listed(&probe, of(&[label("red", "team")])).await, Vec::<String>::new());
    assert_eq!(listed(&probe, of(&[label("team", "re")])).await, Vec::<String>::new());
}

/// Labels hold any character, and runs are found by them.
pub async fn labels_hold_any_character(probe: Probe) {
    let strange = ["r\0d", "r\u{2400}0d", "r\\0d", "r\u{2400}\u{2400}0d", "\"\n\u{1}{}[]", "é 🦀"];
    for (run, text) in strange.iter().enumerate() {
        let mut story = Story::new(fixture::plan(), &format!("r{run}"));
        story.info.labels = vec![("team".into(), (*text).into()), ((*text).into(), "team".into())];
        probe.begin_with(story).await;
    }
    for (run, text) in strange.iter().enumerate() {
        let labels = vec![label("team", text), label(text, "team")];
        assert_eq!(
            probe.row(&fixture::run_id(&format!("r{run}"))).await.summary.started.info.labels[0].1,
            (*text).into()
        );
        assert_eq!(listed(&probe, RunQuery { labels, ..RunQuery::default() }).await, [format!("r{run}")], "{text:?}");
    }
}

/// Filters work together.
pub async fn filters_work_together(probe: Probe) {
    varied(&probe).await;
    let query = RunQuery {
        flow: Some(fixture::name("x")),
        status: Some(RunStatus::Running),
        labels: vec![label("team", "red")],
        ..RunQuery::default()
    };
    assert_eq!(listed(&probe, query.clone()).await, ["one"]);
    let other = RunQuery { status: Some(RunStatus::Stopping), ..query };
    assert_eq!(listed(&probe, other).await, Vec::<String>::new());
}

/// Pages of a filtered list are full, and complete.
pub async fn filtered_pages_are_full(probe: Probe) {
    for run in 0..20 {
        let flow = if run % 3 == 0 { "x" } else { "y" };
        probe.begin_with(Story::new(fixture::chain(flow), &format!("r{run:02}"))).await;
    }
    let mut query = RunQuery { flow: Some(fixture::name("x")), limit: 3, ..RunQuery::default() };
    let mut sizes = Vec::new();
    let mut seen = BTreeSet::new();
    loop {
        let page = probe.page(&query).await;
        sizes.push(page.rows.len());
        seen.extend(page.rows.into_iter().map(|row| row.id));
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![3, 3, 1], 7));
}

/// Runs are counted by status, also when it changes.
pub async fn runs_are_counted(probe: Probe) {
    assert_eq!(probe.counts().await, Counts::default());
    varied(&probe).await;
    let wanted = Counts { running: 1, stopping: 1, succeeded: 1, ..Counts::default() };
    assert_eq!(probe.counts().await, wanted);
    let story = probe.begin("more").await;
    probe.refused(fixture::start_commit("more"), vastflow_store::Committed::Conflict { len: Seq(1) }).await;
    assert_eq!(probe.counts().await, Counts { running: 2, ..wanted });
    let mut story = story;
    probe.done(story.tell(Input::Cancel { by: "me".into(), why: "enough".into() })).await;
    assert_eq!(probe.counts().await, Counts { stopping: 2, ..wanted });
}
