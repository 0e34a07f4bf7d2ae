//! What a handler can ask about its call, and the run's shared data.

use crate::rivers::{Act, R1, R2, Script};
use crate::support::{Scene, fail, ok, on_every_store};
use std::sync::Arc;
use std::time::Duration;
use vastflow::prelude::*;
use vastflow::{Dag, DataError, Flow, RunOutcome};

#[test]
fn a_call_knows_where_it_is() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let node = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                let (run, flow, node) = (ctx.run_id().clone(), ctx.flow().clone(), ctx.node().to_owned());
                scene.note(format!("{run} {flow} {node} {}", ctx.attempt()));
                scene.note(format!("key {}", ctx.idempotency_key()));
                let (tenant, none) = (ctx.header("x-tenant").unwrap().to_owned(), ctx.header("x-other"));
                scene.note(format!("{tenant} {none:?} {} {:?}", ctx.query(), ctx.label("customer")));
                let info = ctx.info();
                scene.note(format!("{} {:?} {:?}", info.priority, info.trace, info.deadline.is_some()));
                scene.note(format!("input {} of the run {}", n, ctx.run_input::<u32>()?));
                assert!(ctx.deadline().unwrap().since(ctx.now()) <= Duration::from_secs(30));
                assert!(!ctx.is_cancelled() && ctx.outcome().is_none() && ctx.failure().is_none());
                if ctx.attempt() == 1 { fail("again") } else { ok(n) }
            }
        };
        let flow = Flow::dag("asks", |dag, n: Node<u32>| {
            let more = dag.node("more", |n: u32| async move { ok(n + 1) }, n);
            dag.node("ask", node, more).retry(1.times()).timeout(30.secs())
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("asks", 7_u32).id("r").label("customer", "4711").query("a=1&b=2");
        let deadline = vastflow::Timestamp::from_millis(u64::MAX / 2);
        let run = run.header("X-Tenant", "acme").trace("00-1-2-01").priority(3).deadline(deadline).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 8);
        let lines = scene.lines();
        assert_eq!((lines[0].as_str(), lines[5].as_str()), ("r asks ask 1", "r asks ask 2"));
        let same =
            ["key r/ask", "acme None a=1&b=2 Some(\"4711\")", "3 Some(\"00-1-2-01\") true", "input 8 of the run 7"];
        assert_eq!(lines[1..5], same);
        assert_eq!(lines[6..10], same, "the same for every attempt, the key too");
        assert_eq!(engine.run("asks", 1_u32).await.unwrap().output::<u32>().await.unwrap_err().code(), "run-failed");
    });
}

#[test]
fn idempotency_keys_tell_runs_and_nodes_apart() {
    on_every_store(|place| async move {
        let key = |ctx: Ctx, (): ()| async move { ok(ctx.idempotency_key()) };
        let flow = Flow::dag("keys", |dag, _: Node<u32>| {
            let (a, b) = (dag.node("a", key, ()), dag.node("b", key, ()));
            dag.node("both", |keys: (String, String)| async move { ok(keys) }, (a, b))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        for id in ["r1", "r2"] {
            let run = engine.run("keys", 0_u32).id(id).await.unwrap();
            assert_eq!(run.output::<(String, String)>().await.unwrap(), (format!("{id}/a"), format!("{id}/b")));
        }
    });
}

#[test]
fn undo_actions_and_pages_have_keys_of_their_own_that_retries_keep() {
    on_every_store(|place| async move {
        let scene = place.scene("keys");
        let charge = |_: Ctx, pages: Vec<u32>| async move { ok(pages) };
        let refund = {
            let scene = Arc::clone(&scene);
            move |ctx: Ctx, _: Option<Vec<u32>>| {
                let tries = scene.note(format!("{} for {}", ctx.idempotency_key(), ctx.undone_key()));
                async move { if tries == 0 { fail("again") } else { ok(()) } }
            }
        };
        let pages = {
            let scene = Arc::clone(&scene);
            move |ctx: Ctx, (_, from): (u32, Option<u32>)| {
                let from = from.unwrap_or(0);
                let tries = scene.note(format!("{} from {from}", ctx.idempotency_key()));
                let page = Page::new(vec![from]).next((from < 2).then_some(from + 1));
                async move { if tries == 0 { fail("again") } else { ok(page) } }
            }
        };
        let flow = Flow::dag("paged", |dag, n: Node<u32>| {
            let each = dag.for_each_page("each", pages, n, |dag, n| dag.node("item", |n: u32| async move { ok(n) }, n));
            let each = each.retry(1.times());
            let charged = dag.node("charge", charge, each).undo(refund).undo_retry(1.times());
            dag.node("broken", |_: Vec<u32>| async { fail::<u32>("broken") }, charged)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("paged", 0_u32).id("k").await.unwrap();
        run.output::<u32>().await.unwrap_err();
        let pages = ["k/each/page/1 from 0", "k/each/page/2 from 1", "k/each/page/3 from 2"];
        let keys = pages.into_iter().chain(["k/charge/undo for k/charge"]);
        assert_eq!(scene.lines(), keys.flat_map(|key| [key, key]).collect::<Vec<_>>());
    });
}

#[test]
fn inputs_are_found_by_their_parent() {
    on_every_store(|place| async move {
        let flow = Flow::dag("parents", |dag, n: Node<u32>| {
            let double = dag.node("double", |n: u32| async move { ok(n * 2) }, n);
            let text = dag.node("text", |n: u32| async move { ok(format!("<{n}>")) }, n);
            let ask = |ctx: Ctx, all: (u32, String, u32)| async move {
                let inputs = ctx.inputs();
                assert_eq!(inputs.names().collect::<Vec<_>>(), ["double", "text", "input"]);
                let named = (inputs.get::<u32>("double")?, inputs.get::<String>("text")?, inputs.get::<u32>("input")?);
                assert_eq!(named, all);
                assert!(matches!(inputs.get::<u32>("ghost"), Err(DataError::Missing { .. })));
                ok(format!("{all:?}"))
            };
            dag.node("ask", ask, (double, text, n))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("parents", 3_u32).await.unwrap();
        assert_eq!(run.output::<String>().await.unwrap(), "(6, \"<3>\", 3)");
    });
}

/// What stands in the shared data, as one line.
fn all(ctx: &Ctx) -> String {
    let text = |payload: &vastflow::Payload| String::from_utf8_lossy(payload.bytes()).into_owned();
    let pairs: Vec<_> = ctx.all().iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
    pairs.join(" ")
}

#[test]
fn shared_data_is_seen_by_those_behind() {
    on_every_store(|place| async move {
        let flow = Flow::dag("shared", |dag: &Dag, _: Node<()>| {
            let first = |ctx: Ctx, (): ()| async move {
                ctx.put("n", 1);
                ctx.put("text", "one");
                ctx.put("gone", true);
                ctx.put_bytes("raw", "\0raw".into());
                assert_eq!((ctx.get::<u32>("n")?, ctx.find::<u32>("none")?), (1, None), "its own writes at once");
                ok(())
            };
            let second = |ctx: Ctx, (): ()| async move {
                assert_eq!(all(&ctx), "gone=true n=1 raw=\0raw text=\"one\"");
                ctx.del("gone");
                ctx.put("n", ctx.get::<u32>("n")? + 1);
                assert_eq!(ctx.find::<bool>("gone")?, None);
                ok(())
            };
            let third = |ctx: Ctx, (): ()| async move {
                assert!(matches!(ctx.get::<bool>("gone"), Err(DataError::Missing { key }) if key == "gone"));
                assert!(matches!(ctx.get::<u32>("text"), Err(DataError::Decode { .. })), "a wrong type is an error");
                ok(all(&ctx))
            };
            let one = dag.node("first", first, ());
            let two = dag.node("second", second, one);
            dag.node("third", third, two)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("shared", ()).await.unwrap();
        assert_eq!(run.output::<String>().await.unwrap(), "n=2 raw=\0raw text=\"one\"");
    });
}

#[test]
fn siblings_write_and_nothing_is_lost() {
    on_every_store(|place| async move {
        let flow = Flow::dag("siblings", |dag: &Dag, _: Node<()>| {
            let write = |key: &'static str| {
                move |ctx: Ctx, (): ()| async move {
                    ctx.put(key, key);
                    ctx.put("both", key);
                    ok(())
                }
            };
            let (a, b) = (dag.node("a", write("a"), ()), dag.node("b", write("b"), ()));
            dag.node("read", |ctx: Ctx, _: ((), ())| async move { ok(all(&ctx)) }, (a, b))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("siblings", ()).await.unwrap();
        let seen = run.output::<String>().await.unwrap();
        let expected = |both: &str| format!("a=\"a\" b=\"b\" both=\"{both}\"");
        assert!([expected("a"), expected("b")].contains(&seen), "the last commit wins: {seen}");
    });
}

#[test]
fn what_failed_calls_wrote_is_kept_but_not_of_panics() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let node = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                scene.note(all(&ctx));
                ctx.put(&format!("try{}", ctx.attempt()), ctx.attempt());
                match ctx.attempt() {
                    1 => fail("error"),
                    2 => panic!("panic"),
                    3 => std::future::pending().await,
                    _ => ok(n),
                }
            }
        };
        let flow = Flow::dag("writes", |dag, n: Node<u32>| {
            let read = |ctx: Ctx, _: u32| async move { ok(all(&ctx)) };
            dag.node("read", read, dag.node("write", node, n).retry(5.times()).timeout(30.ms()))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("writes", 3_u32).await.unwrap();
        assert_eq!(run.output::<String>().await.unwrap(), "try1=1 try4=4");
        assert_eq!(scene.lines(), ["", "try1=1", "try1=1", "try1=1"]);
    });
}

#[test]
fn hooks_see_what_the_failed_node_wrote() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let flow = Flow::dag("cleanup", |dag, n: Node<u32>| {
            let create = |ctx: Ctx, _: u32| async move {
                ctx.put("created", "vm-1");
                fail::<u32>("and then it broke")
            };
            dag.on_failure(move |ctx: Ctx, _: RunOutcome| {
                noted.note(format!("{} cleans up {}", ctx.node(), all(&ctx)));
                ctx.put("cleaned", true);
                std::future::ready(ok(()))
            });
            let noted = Arc::clone(&scene);
            dag.finally(move |ctx: Ctx, _: RunOutcome| {
                noted.note(format!("{} sees {}", ctx.node(), all(&ctx)));
                std::future::ready(ok(()))
            });
            dag.node("create", create, n)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        engine.run("cleanup", 3_u32).await.unwrap().wait().await.unwrap();
        let expected = ["on_failure cleans up created=\"vm-1\"", "finally sees cleaned=true created=\"vm-1\""];
        assert_eq!(scene.lines(), expected);
    });
}

#[test]
fn a_value_that_cannot_be_written_fails_its_call() {
    on_every_store(|place| async move {
        let flow = Flow::dag("keys", |dag, n: Node<u32>| {
            let write = |ctx: Ctx, n: u32| async move {
                // JSON has no maps whose keys are no texts.
                ctx.put("map", std::collections::BTreeMap::from([((1, 2), 3)]));
                ok(n)
            };
            dag.node("write", write, n).retry(3.times())
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("keys", 3_u32).await.unwrap();
        let error = run.output::<u32>().await.unwrap_err().to_string();
        assert!(error.contains("cannot be written as JSON"), "{error}");
        assert_eq!(run.view().await.unwrap().nodes[0].calls, 1);
    });
}

#[test]
fn temporary_values_are_shared_by_the_calls_of_one_run() {
    on_every_store(|place| async move {
        let flow = Flow::dag("notes", |dag, n: Node<u32>| {
            let put = |ctx: Ctx, n: u32| async move {
                ctx.tmp_put("note", n.to_string());
                ok(n)
            };
            let get = |ctx: Ctx, _: u32| async move { ok((ctx.tmp_get("note"), all(&ctx))) };
            let ask = |ctx: Ctx, _: u32| async move { ok(ctx.tmp_get("note")) };
            let before = dag.node("before", ask, n);
            let put = dag.node("put", put, n).after(before);
            let join = |all: (Option<String>, (Option<String>, String))| async move { ok(all) };
            dag.node("join", join, (before, dag.node("get", get, put)))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        for n in [1_u32, 2] {
            let run = engine.run("notes", n).id(&format!("r{n}")).await.unwrap();
            let got = run.output::<(Option<String>, (Option<String>, String))>().await.unwrap();
            assert_eq!(got, (None, (Some(n.to_string()), String::new())), "not of another run, and not recorded");
        }
    });
}

#[test]
fn headwaters_start_a_run_with_data_and_labels() {
    on_every_store(|place| async move {
        use crate::rivers::{Act, R1, Script, Sea};
        let engine = place.engine().await.start().await.unwrap();
        let id = place.id("headwaters");
        let headwaters = || Headwaters::new(&id).with("note", "from above").action("create").object("vm").project("p");
        let andes = || {
            let script = Script::new().flow([Act::Tell("note".into())]);
            Andes::new("data").stream(R1(script)).atlantic(Sea::default())
        };
        let hw = headwaters().colour("blue").label("more", "labels").request("the request".to_owned()).unwrap();
        hw.tmp_put("note", "by hand");
        let run = engine.draw(andes(), hw).await.unwrap();
        let summary = run.wait().await.unwrap();
        assert_eq!(place.scene("headwaters").lines()[1], "note: from above, tmp by hand");
        let labels: Vec<_> = summary.started.info.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(labels, ["action=create", "object=vm", "project=p", "colour=blue", "more=labels"]);
        let again = engine.draw(andes(), headwaters().request("the request".to_owned()).unwrap()).await.unwrap();
        assert_eq!(again.id(), run.id(), "the same id with the same data is the same run");
        let other =
            engine.draw(andes(), headwaters().with("note", "other").request("the request".to_owned()).unwrap()).await;
        assert_eq!(other.unwrap_err().code(), "already-exists");
    });
}

#[test]
fn a_start_that_is_refused_does_not_touch_the_live_run() {
    on_every_store(|place| async move {
        let id = place.id("tmp-of-the-living");
        let scene = place.scene("tmp-of-the-living");
        let tells = Script::new().flow([Act::Tell("note".into())]).atomic();
        let holds = || R1(Script::new().flow([Act::UntilStopped]));
        let andes = || Andes::new("tells").stream(holds()).stream(R2(tells.clone()));
        let engine = place.engine().await.start().await.unwrap();
        let hw = Headwaters::new(&id);
        hw.tmp_put("note", "mine");
        let run = engine.draw(andes(), hw).await.unwrap();
        scene.entered.notified().await;
        let hw = Headwaters::new(&id).with("other", 1);
        hw.tmp_put("note", "not mine");
        assert_eq!(engine.draw(andes(), hw).await.unwrap_err().code(), "already-exists");
        run.cancel("me", "enough").await.unwrap();
        run.wait().await.unwrap();
        assert!(scene.lines().contains(&"note: , tmp mine".into()), "{:?}", scene.lines());
    });
}

/// The scope of the run is with no engine then: only the item was claimed.
#[test]
fn a_call_inside_of_a_node_can_stop_the_whole_run() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = || {
            let scene = Arc::clone(&scene);
            let stop = move |ctx: Ctx, n: u32| {
                let scene = Arc::clone(&scene);
                async move {
                    if scene.note("call") == 0 {
                        scene.entered.notify_one();
                        std::future::pending::<()>().await;
                    }
                    ctx.cancel_run("that is enough");
                    ctx.cancelled().await;
                    ok(n)
                }
            };
            Flow::dag("each", |dag, all: Node<Vec<u32>>| {
                dag.for_each("each", all, |dag, n| dag.node("stop", stop.clone(), n))
            })
            .unwrap()
        };
        let first = place.engine().await.flow(flow()).start().await.unwrap();
        let id = first.run("each", vec![1_u32]).await.unwrap().id().clone();
        scene.entered.notified().await;
        first.shutdown_within(1.ms()).await.unwrap_err();
        let second = place.engine().await.flow(flow()).start().await.unwrap();
        let run = second.handle(&id).await.unwrap();
        let error = run.output::<Vec<u32>>().await.unwrap_err();
        assert!(error.to_string().contains("that is enough"), "{error}");
    });
}
