//! The acceptance cases of basins, and flows as streams of an Andes.

use crate::rivers::{Act, R1, R2, R3, Script, Sea, again};
use crate::support::{Place, SECOND, Scene, and_killed, ok, on_every_store, scene, statuses};
use std::sync::Arc;
use vastflow::prelude::*;
use vastflow::{Basin, Flow};

fn put(key: &str, value: &str) -> Act {
    Act::Put(key.into(), value.into())
}

fn tell(key: &str) -> Act {
    Act::Tell(key.into())
}

fn flow(acts: impl IntoIterator<Item = Act>) -> Script {
    Script::new().flow(acts)
}

/// Draws, and waits for the end; gives the run and what was seen.
async fn down(place: &Place, id: &str, andes: Andes) -> (Run, Arc<Scene>) {
    let engine = place.engine().await.start().await.unwrap();
    let run = engine.draw(andes, Headwaters::new(place.id(id))).await.unwrap();
    run.wait().await.unwrap();
    (run, place.scene(id))
}

#[test]
fn case_12_a_basin_sees_what_was_before_and_what_it_wrote_is_seen_behind_it() {
    on_every_store(|place| async move {
        // R1 puts p and is told x behind the basin; in the basin R2 puts x, R3 reads x and p.
        let outside = R1(flow([put("p", "1"), tell("x")]));
        let basin = Basin::new("basin").stream(R2(flow([put("x", "1")]))).stream(R3(flow([tell("x"), tell("p")])));
        let andes = Andes::new("basins").stream(outside.clone()).stream(basin).stream(outside).atlantic(Sea::default());
        let (run, scene) = down(&place, "case-12", andes).await;
        run.output::<()>().await.unwrap();
        assert_eq!(scene.count("x: 1, tmp "), 2, "inside and behind: {:?}", scene.lines());
        assert!(scene.place("x: 1, tmp ") < scene.place("success"));
    });
}

#[test]
fn a_basin_sees_the_headwaters_and_its_parallel_siblings_do_not_see_what_it_writes_while_it_runs() {
    on_every_store(|place| async move {
        // The river beside the basin reads x until it is told to stop looking: the basin has written it long before.
        let writes = Basin::new("writes").stream(R2(flow([put("x", "inside")]))).stream(R3(Script::new().cycle(
            5,
            5 * SECOND,
            [again("a while"), again("a while"), Act::Done],
        )));
        let reads = R1(Script::new().cycle(2, 5 * SECOND, [tell("x")]));
        let andes =
            Andes::new("beside").stream(ParallelRiver::new().append(writes).append(reads)).atlantic(Sea::default());
        let (run, scene) = down(&place, "beside", andes).await;
        run.output::<()>().await.unwrap();
        assert!(scene.place("r2 flow over") < scene.place("x: , tmp "), "{:?}", scene.lines());
        assert_eq!(scene.count("x: , tmp "), 1, "{:?}", scene.lines());
    });
}

#[test]
fn parallel_basins_all_keep_what_they_wrote_or_export() {
    on_every_store(|place| async move {
        let one = Basin::new("one").stream(R1(flow([put("a", "1"), put("a", "1")]))).colour("blue");
        let two = Basin::new("two").stream(R2(flow([put("b", "2")]))).export(["nothing"]);
        let told = R3(Script::new().flow([tell("a")]).cycle(2, SECOND, [tell("b")]));
        let andes = Andes::new("keep").stream(ParallelRiver::new().append(one).append(two)).stream(told);
        let (run, scene) = down(&place, "keep", andes).await;
        run.output::<()>().await.unwrap();
        assert_eq!((scene.count("a: 1, tmp "), scene.count("b: , tmp ")), (1, 1), "{:?}", scene.lines());
    });
}

#[test]
fn case_14_a_basin_that_fails_stops_the_other_at_its_next_checkpoint() {
    on_every_store(|place| async move {
        // The second basin's first river goes on until the run is being stopped, so the failure is sure to come first.
        let bad = Basin::new("bad").stream(R1(flow([Act::Fail("dam burst".into())])));
        let long = Basin::new("long").stream(R2(flow([Act::UntilStopped]))).stream(R3(flow([Act::Done])));
        let andes = Andes::new("two").stream(ParallelRiver::new().append(bad).append(long)).atlantic(Sea::default());
        let (run, scene) = down(&place, "case-14", andes).await;
        let heard: Vec<_> =
            scene.lines().into_iter().filter(|line| line.starts_with("fail") || line == "success").collect();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].contains("bad") && heard[0].contains("dam burst"), "{heard:?}");
        assert_eq!(
            (scene.count("r2 flow over"), scene.count("r3 flow")),
            (1, 0),
            "its call ends, the next never begins"
        );
        let error = run.output::<()>().await.unwrap_err().to_string();
        assert!(error.contains("dam burst"), "{error}");
        assert_eq!(statuses(&run).await["bad"], "failed");
    });
}

#[test]
fn an_isolated_basin_that_fails_lets_its_siblings_end() {
    on_every_store(|place| async move {
        let bad = Basin::new("bad").stream(R1(flow([Act::Fail("dam burst".into())]))).isolated();
        let long = Basin::new("long").stream(R2(Script::new().cycle(3, SECOND, [again("on its way"), Act::Done])));
        let after = R3(Script::new());
        let andes = Andes::new("isolated")
            .stream(ParallelRiver::new().append(bad).append(long.stream(after)))
            .atlantic(Sea::default());
        let (run, scene) = down(&place, "isolated", andes).await;
        assert_eq!((scene.count("r2 cycle"), scene.count("r3 flow")), (2, 1), "{:?}", scene.lines());
        assert!(run.output::<()>().await.unwrap_err().to_string().contains("dam burst"));
    });
}

#[test]
fn basins_and_parallel_rivers_nest() {
    on_every_store(|place| async move {
        let deepest = ParallelRiver::new().append(R2(flow([put("deep", "yes")]))).append(R3(Script::new()));
        let basin = Basin::new("outer").stream(Basin::new("inner").stream(deepest));
        let told = R1(flow([tell("deep")]));
        let andes = Andes::new("nest").stream(ParallelRiver::new().append(basin)).stream(told).atlantic(Sea::default());
        let (run, scene) = down(&place, "nest", andes).await;
        run.output::<()>().await.unwrap();
        assert_eq!((scene.count("deep: yes, tmp "), scene.count("success")), (1, 1), "{:?}", scene.lines());
    });
}

#[test]
fn an_empty_basin_is_refused() {
    let error = Andes::new("empty").stream(Basin::new("dry")).into_flow().unwrap_err().to_string();
    assert!(error.contains("inside \"dry\": the flow has no node"), "{error}");
}

#[test]
fn case_23_an_atlantic_that_fails_makes_the_run_failed_in_its_handler() {
    on_every_store(|place| async move {
        let andes = Andes::new("rough").stream(R1(Script::new())).atlantic(Sea { fails: 5, retries: 2 });
        let (run, scene) = down(&place, "case-23", andes).await;
        assert_eq!(scene.count("success"), 3, "it is tried again by its own policy");
        let error = run.output::<()>().await.unwrap_err();
        assert_eq!(error.code(), "run-failed");
        assert!(error.to_string().contains("the sea is rough"), "{error}");
        let failure = run.summary().await.unwrap().outcome.unwrap().to_string();
        assert!(failure.contains("failed in handler"), "{failure}");
    });
}

/// A flow that reads the run's input and the headwaters, and leaves something in them.
fn report() -> Flow<String, String> {
    let count = |ctx: Ctx, what: String| async move {
        let river: String = ctx.get("river")?;
        scene(ctx.run_id()).note(format!("{what} from {river}"));
        ok(what)
    };
    let keep = |ctx: Ctx, what: String| async move {
        ctx.put("report", format!("report of {what}"));
        ok(what)
    };
    Flow::dag("report", |dag, what: Node<String>| dag.node("keep", keep, dag.node("count", count, what))).unwrap()
}

fn with_report(acts: Act) -> Andes {
    let told = R2(flow([acts, tell("report")]));
    Andes::new("reports")
        .stream(R1(flow([put("river", "r1")])))
        .stream(report())
        .stream(told)
        .stream(Basin::new("again").stream(report()))
        .atlantic(Sea::default())
}

#[test]
fn a_flow_is_a_stream_and_is_carried_on_after_a_crash() {
    on_every_store(|place| async move {
        let id = place.id("flow-stream");
        let first = (place.clone(), id.clone());
        and_killed(|| async move {
            let (place, id) = first;
            let engine = place.engine().await.flow(report()).start().await.unwrap();
            let hw = Headwaters::new(id.as_str()).request("fish".to_owned()).unwrap();
            let _run = engine.draw(with_report(Act::Hang), hw).await.unwrap();
            scene(&id).entered.notified().await;
        })
        .await;
        let engine = place.engine().await.flow(report()).river::<R1>().river::<R2>().atlantic::<Sea>();
        let run = engine.start().await.unwrap().handle(&id).await.unwrap();
        run.output::<()>().await.unwrap();
        let scene = scene(&id);
        assert_eq!(scene.count("fish from r1"), 2, "once before the crash and once in the basin: {:?}", scene.lines());
        assert_eq!(scene.count("report: report of fish, tmp "), 1, "{:?}", scene.lines());
    });
}

#[test]
fn a_flow_as_a_stream_must_be_registered() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let hw = Headwaters::new(place.id("unregistered"));
        let error = engine.draw(with_report(Act::Done), hw).await.unwrap_err().to_string();
        assert!(error.contains("node \"report:count\" of a flow"), "{error}");
    });
}
