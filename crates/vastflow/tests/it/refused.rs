//! What is asked for by mistake is refused where it is asked, with what to do instead; and names lead back to places.

use crate::support::{ok, on_every_store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vastflow::prelude::*;
use vastflow::{Error, Fork};

#[derive(Serialize, Deserialize)]
struct Create {
    size: String,
}

impl River for Create {
    const NAME: &'static str = "create";
    async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
        Ok(())
    }
}

#[test]
fn the_same_id_with_another_drawing_is_another_run() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let id = place.id("drawn");
        let draw = async |size: &str| {
            let andes = Andes::new("vm").stream(Create { size: size.into() });
            engine.draw(andes, Headwaters::new(&id)).await
        };
        draw("small").await.unwrap().output::<()>().await.unwrap();
        draw("small").await.unwrap().output::<()>().await.unwrap();
        let error = draw("large").await.unwrap_err();
        assert_eq!(error.code(), "already-exists");
        assert!(error.to_string().contains("drawing"), "{error}");
    });
}

#[test]
fn an_input_that_the_flow_cannot_read_starts_nothing() {
    on_every_store(|place| async move {
        let flow = Flow::dag("count", |dag, n: Node<u32>| dag.node("n", |n: u32| async move { ok(n) }, n)).unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let error = engine.run("count", "seven".to_owned()).await.unwrap_err();
        assert_eq!(error.code(), "input-mismatch");
        assert!(error.to_string().contains("takes int, and text was given"), "{error}");
        assert_eq!(engine.store().counts().await.unwrap().failed, 0);
        let run = engine.run("count", Bytes::from("7")).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 7, "of bytes nobody knows what they are");
    });
}

#[test]
fn code_that_only_ended_runs_needed_is_not_missing() {
    on_every_store(|place| async move {
        let flow = Flow::dag("old", |dag, n: Node<u32>| dag.node("n", |n: u32| async move { ok(n) }, n)).unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        engine.start(&flow, 7).await.unwrap().output().await.unwrap();
        engine.shutdown().await.unwrap();
        let engine = place.engine().await.start().await.unwrap();
        assert_eq!(engine.missing_code().await.unwrap(), []);
    });
}

/// Waits for `go` in every item, and for `end` when all have it.
fn gates() -> Flow<BTreeMap<String, u32>, u32> {
    Flow::dag("gates", |dag, items: Node<BTreeMap<String, u32>>| {
        let all = dag.for_each("each", items, |dag, n| {
            dag.basin("try", n, |dag, n| {
                let told: Node<u32> = dag.wait_signal("go", n);
                dag.node("tell", |n: u32| async move { ok(n) }, told)
            })
        });
        dag.wait_signal("end", all)
    })
    .unwrap()
}

#[test]
fn a_signal_that_nobody_waits_for_or_could_read_is_refused() {
    on_every_store(|place| async move {
        let flow = gates();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, BTreeMap::from([("a/b".to_owned(), 1)])).await.unwrap();
        let typo = run.signal("eng", 1_u32).send().await.unwrap_err();
        assert!(matches!(typo, Error::UnknownSignal { .. }), "{typo}");
        assert!(typo.to_string().contains(r#"there are "end", "go""#), "{typo}");
        let wrong = run.signal("end", "done".to_owned()).send().await.unwrap_err();
        assert_eq!(wrong.code(), "signal-mismatch");
        assert!(wrong.to_string().contains("carries int, and text was given"), "{wrong}");
        run.kill("me", "enough").await.unwrap();
    });
}

#[test]
fn what_events_name_leads_there() {
    on_every_store(|place| async move {
        let flow = gates();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let keys = ["a/b", "x]/y[z", "50%2F", "plain"];
        let run = engine.start(&flow, keys.map(|key| (key.to_owned(), 1)).into()).await.unwrap();
        for key in ["a%2Fb", "a/b", "x%5D%2Fy%5Bz", "50%252F", "plain"] {
            let send = async || run.signal("go", 7_u32).id("once").within(&format!("each[{key}]/try")).send().await;
            while let Err(error) = send().await {
                // It is there in a moment, and knows the signal then.
                assert!(matches!(error, Error::UnknownPlace { .. } | Error::RunEnded { .. }), "{key}: {error}");
                if let Error::RunEnded { .. } = error {
                    break;
                }
                tokio::time::sleep(5.ms()).await;
            }
        }
        while run.view().await.unwrap().node("each").unwrap().inner.as_ref().unwrap().ended < 4 {
            tokio::time::sleep(5.ms()).await;
        }
        run.signal("end", 1_u32).send().await.unwrap();
        run.output().await.unwrap();
        let mut places = Vec::new();
        let note = |line: String| places.extend(line.strip_prefix("✓ each[").map(|rest| format!("each[{rest}")));
        let mut note = note;
        run.follow(|event| note(event.to_string())).await.unwrap();
        assert_eq!(places.len(), keys.len());
        for at in places {
            assert_eq!(run.view_within(&at).await.unwrap().nodes[0].name.as_str(), "try", "{at}");
            assert!(run.view_within(&format!("{at}/try")).await.unwrap().node("tell").is_some(), "{at}");
        }
    });
}

#[test]
fn a_run_is_forked_at_its_own_nodes_only() {
    on_every_store(|place| async move {
        let twice = |n: u32| async move { ok(n * 2) };
        let flow = Flow::dag("items", |dag, all: Node<Vec<u32>>| {
            dag.for_each("each", all, |dag, n| dag.node("twice", twice, n))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, vec![1, 2]).await.unwrap();
        run.output().await.unwrap();
        for inner in ["each[0]/twice", "each[0]", "twice"] {
            let error = run.fork(Fork::at(inner), "me", "again").await.unwrap_err();
            assert_eq!(error.code(), "inner-fork", "{inner}: {error}");
            assert!(error.to_string().contains("fork it at \"each\""), "{error}");
        }
        let error = run.fork(Fork::at("other"), "me", "again").await.unwrap_err();
        assert_eq!(error.code(), "unknown-place");
    });
}
