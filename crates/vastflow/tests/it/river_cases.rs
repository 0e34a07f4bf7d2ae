//! The acceptance cases of the river. Where `semantics.md` differs from a case, a comment says so.

use crate::rivers::{Act, R1, R2, R3, Script, Sea, again};
use crate::support::{Place, SECOND, Scene, TICK, and_killed, on_every_store, scene, statuses};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use vastflow::prelude::*;
use vastflow::{BoxError, Cycle, RunStatus};

/// Draws, and waits for the end; gives the run and what was seen.
async fn down(place: &Place, id: &str, andes: Andes) -> (Run, Arc<Scene>) {
    let engine = place.engine().await.start().await.unwrap();
    let run = engine.draw(andes, Headwaters::new(place.id(id))).await.unwrap();
    run.wait().await.unwrap();
    (run, place.scene(id))
}

/// One river into the sea.
async fn one_river(place: &Place, id: &str, script: Script) -> (Run, Arc<Scene>) {
    down(place, id, Andes::new("one").stream(R1(script)).atlantic(Sea::default())).await
}

/// The run failed, the sea heard it once, and both say why.
async fn assert_failed(run: &Run, scene: &Scene, why: &str) {
    let error = run.output::<()>().await.unwrap_err();
    assert_eq!(error.code(), "run-failed");
    assert!(error.to_string().contains(why), "{error}");
    let heard: Vec<String> = scene.lines().into_iter().filter(|l| l.starts_with("fail") || l == "success").collect();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].starts_with("fail") && heard[0].contains(why), "{heard:?}");
}

#[derive(Serialize, Deserialize)]
struct CreateVm;

impl River for CreateVm {
    const NAME: &'static str = "create-vm";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(10, SECOND)
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        let scene = scene(hw.request_id());
        scene.note(format!("CreateVmRiver flow, name: {}", hw.get::<String>("vmName")?));
        // Both create flows are under way at the same time, or this never ends.
        scene.pass().await;
        hw.put("vmId", "vmId1");
        scene.note("create vm req over");
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let scene = scene(hw.request_id());
        scene.note(format!("CreateVmRiver cycle, vmId: {}", hw.get::<String>("vmId")?));
        scene.note("create vm success");
        Ok(Cycle::Done)
    }
}

#[derive(Serialize, Deserialize)]
struct CreateVolume;

impl River for CreateVolume {
    const NAME: &'static str = "create-volume";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(3, SECOND)
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        let scene = scene(hw.request_id());
        scene.note(format!("CreateVolumeRiver flow, name: {}", hw.get::<String>("volName")?));
        scene.entered.notified().await;
        scene.go.notify_one();
        hw.put("volId", "volId1");
        scene.note("create volume req over");
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let scene = scene(hw.request_id());
        scene.note(format!("CreateVolumeRiver cycle, volumeId: {}", hw.get::<String>("volId")?));
        scene.note("create volume success");
        Ok(Cycle::Done)
    }
}

#[derive(Serialize, Deserialize)]
struct AttachVolume;

impl River for AttachVolume {
    const NAME: &'static str = "attach-volume";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(3, SECOND)
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        let (vm, volume): (String, String) = (hw.get("vmId")?, hw.get("volId")?);
        scene(hw.request_id()).note(format!("AttachVolumeRiver flow, vmId:{vm}, volumeId:{volume}"));
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        scene(hw.request_id()).note("attach volume success");
        Ok(Cycle::Done)
    }
}

#[derive(Serialize, Deserialize)]
struct AttachAtlantic;

impl Atlantic for AttachAtlantic {
    const NAME: &'static str = "attach-atlantic";

    async fn success(&self, hw: &Headwaters) -> Result<(), BoxError> {
        scene(hw.request_id()).note("attach success, we should update status");
        Ok(())
    }

    async fn fail(&self, hw: &Headwaters) -> Result<(), BoxError> {
        let scene = scene(hw.request_id());
        scene.note(format!("why: {}", hw.err().unwrap_or_default()));
        scene.note("attach fail, we should send alarm");
        Ok(())
    }
}

#[test]
fn case_01_readme_creates_and_attaches() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let andes = Andes::new("attach")
            .stream(ParallelRiver::new().append(CreateVm).append(CreateVolume))
            .stream(AttachVolume)
            .atlantic(AttachAtlantic);
        let headwaters = Headwaters::new(place.id("case-01")).with("vmName", "my-vm").with("volName", "my-vol");
        let began = Instant::now();
        let run = engine.draw(andes, headwaters).await.unwrap();
        run.output::<()>().await.unwrap();
        let scene = place.scene("case-01");
        for branch in [
            [
                "CreateVmRiver flow, name: my-vm",
                "create vm req over",
                "CreateVmRiver cycle, vmId: vmId1",
                "create vm success",
            ],
            [
                "CreateVolumeRiver flow, name: my-vol",
                "create volume req over",
                "CreateVolumeRiver cycle, volumeId: volId1",
                "create volume success",
            ],
        ] {
            let places = branch.map(|line| scene.place(line));
            assert!(places.is_sorted(), "{:?}", scene.lines());
            assert!(scene.times(branch[2])[0] - scene.times(branch[1])[0] >= SECOND - TICK, "the interval comes first");
        }
        let end = [
            "AttachVolumeRiver flow, vmId:vmId1, volumeId:volId1",
            "attach volume success",
            "attach success, we should update status",
        ];
        assert_eq!(scene.lines()[8..], end, "after both, once each, and nothing else");
        assert!(began.elapsed() >= 2 * (SECOND - TICK));
        // The originals' fifth row is the Atlantic: a hook here, not a node.
        let all = statuses(&run).await;
        assert_eq!(all.len(), 4);
        assert!(all.values().all(|status| status == "succeeded"), "{all:?}");
    });
}

#[derive(Serialize, Deserialize)]
struct NoQuota;

impl River for NoQuota {
    const NAME: &'static str = "create-volume";

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        // At once, but not before the other has begun.
        scene(hw.request_id()).entered.notified().await;
        Err(RiverError::failed("quota"))
    }
}

#[derive(Serialize, Deserialize)]
struct SlowVm;

impl River for SlowVm {
    const NAME: &'static str = "create-vm";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(10, SECOND)
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        scene(hw.request_id()).entered.notify_one();
        // Longer than the other river takes to fail.
        hw.done().await;
        hw.put("vmId", "vmId1");
        scene(hw.request_id()).note("create vm req over");
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        scene(hw.request_id()).note("create vm cycle");
        Ok(Cycle::Done)
    }
}

#[test]
fn case_02_a_failed_branch_stops_the_others() {
    on_every_store(|place| async move {
        let andes = Andes::new("attach")
            .stream(ParallelRiver::new().append(SlowVm).append(NoQuota))
            .stream(AttachVolume)
            .atlantic(AttachAtlantic);
        let (run, scene) = down(&place, "case-02", andes).await;
        let why = "why: create-volume: quota";
        assert_eq!(scene.lines(), ["create vm req over", why, "attach fail, we should send alarm"]);
        let error = run.output::<()>().await.unwrap_err().to_string();
        assert!(error.contains("create-volume") && error.contains("quota"), "{error}");
        let all = statuses(&run).await;
        let of = |node: &str| all[node].as_str();
        // The parallel is not failed but dropped: it did not begin. What failed is named by the run.
        assert_eq!((of("create-volume"), of("create-vm"), of("parallel")), ("failed", "dropped", "dropped"));
        assert_eq!(of("attach-volume"), "dropped");
    });
}

#[test]
fn case_03_cycle_goes_on_until_it_is_done() {
    on_every_store(|place| async move {
        let script = Script::new().cycle(10, SECOND, [again("booting"), again("booting"), Act::Done]);
        let (run, scene) = one_river(&place, "case-03", script).await;
        run.output::<()>().await.unwrap();
        let (flow, cycles) = (scene.times("r1 flow"), scene.times("r1 cycle"));
        assert_eq!((flow.len(), cycles.len(), scene.count("success")), (1, 3, 1));
        for (n, at) in (1..).zip(cycles) {
            assert!(at - flow[0] >= n * (SECOND - TICK), "poll {n} came after {:?}", at - flow[0]);
        }
    });
}

#[test]
fn case_04_cycle_is_never_done() {
    on_every_store(|place| async move {
        let (run, scene) = one_river(&place, "case-04", Script::new().cycle(3, SECOND, [again("pending")])).await;
        // `semantics.md` has a blank after the colon.
        assert_failed(&run, &scene, "cycle 3 times failed, cause: pending").await;
        assert_eq!(scene.count("r1 cycle"), 3);
    });
}

#[test]
fn case_05_no_cycles() {
    on_every_store(|place| async move {
        let (run, scene) = one_river(&place, "case-05", Script::new().cycle(0, SECOND, [])).await;
        run.output::<()>().await.unwrap();
        assert_eq!(scene.lines(), ["r1 flow", "success"]);
    });
}

#[test]
fn case_06_flow_is_retried() {
    on_every_store(|place| async move {
        let script = Script::new().retry(3, SECOND).flow([again("busy"), again("busy"), Act::Done]);
        let (run, scene) = one_river(&place, "case-06", script).await;
        run.output::<()>().await.unwrap();
        let calls = scene.times("r1 flow");
        assert_eq!((calls.len(), scene.count("success")), (3, 1));
        assert!(calls[2] - calls[0] >= 2 * (SECOND - TICK));
    });
}

#[test]
fn case_07_retries_are_spent() {
    on_every_store(|place| async move {
        let (run, scene) = one_river(&place, "case-07", Script::new().retry(2, SECOND).flow([again("busy")])).await;
        assert_failed(&run, &scene, "retry 2 times failed, cause: busy").await;
        assert_eq!(scene.count("r1 flow"), 3);
    });
}

#[test]
fn case_08_another_error_ends_the_retries() {
    on_every_store(|place| async move {
        let script = Script::new().retry(5, SECOND).flow([again("busy"), Act::Fail("disk".into())]);
        let (run, scene) = one_river(&place, "case-08", script).await;
        assert_failed(&run, &scene, "disk, cause: busy").await;
        assert_eq!(scene.count("r1 flow"), 2);
    });
}

#[test]
fn case_09_flow_panics() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let andes = |act| Andes::new("panics").stream(R1(Script::new().flow([act]))).atlantic(Sea::default());
        let run = engine.draw(andes(Act::Panic("x".into())), Headwaters::new(place.id("case-09"))).await.unwrap();
        run.wait().await.unwrap();
        assert_failed(&run, &place.scene("case-09"), "r1: panicked: x").await;
        assert_eq!(statuses(&run).await["r1"], "failed");
        let next = engine.draw(andes(Act::Done), Headwaters::new(place.id("case-09-next"))).await.unwrap();
        next.output::<()>().await.expect("the process and its engine live on");
    });
}

/// Three rivers, stopped from outside while the second is in its call.
async fn stopped_in_the_second(place: &Place, id: &str, third: Script) -> (Run, Arc<Scene>) {
    let engine = place.engine().await.start().await.unwrap();
    let rivers = R1::default().then(R2(Script::new().flow([Act::UntilStopped]))).then(R3(third));
    let andes = Andes::new("three").stream(rivers).atlantic(Sea::default());
    let run = engine.draw(andes, Headwaters::new(place.id(id))).await.unwrap();
    let scene = place.scene(id);
    scene.entered.notified().await;
    run.cancel("an operator", "enough").await.unwrap();
    run.wait().await.unwrap();
    (run, scene)
}

#[test]
fn case_10_a_run_is_stopped_between_rivers() {
    on_every_store(|place| async move {
        let (run, scene) = stopped_in_the_second(&place, "case-10", Script::new()).await;
        assert_eq!(scene.lines(), ["r1 flow", "r2 flow", "r2 flow over", "fail: enough"]);
        assert_eq!(run.status().await.unwrap(), RunStatus::Stopped);
        let error = run.output::<()>().await.unwrap_err();
        assert_eq!((error.code(), error.to_string().contains("by an operator: enough")), ("run-stopped", true));
        assert_eq!(statuses(&run).await["r3"], "dropped");
    });
}

#[test]
fn case_11_an_atomic_river_runs_in_a_stopped_run() {
    on_every_store(|place| async move {
        let third = Script::new().atomic().cycle(3, SECOND, [again("not yet"), Act::Done]);
        let (run, scene) = stopped_in_the_second(&place, "case-11", third).await;
        let end = ["r2 flow over", "r3 flow", "r3 cycle", "r3 cycle over", "r3 cycle", "r3 cycle over", "fail: enough"];
        assert_eq!(scene.lines()[2..], end);
        assert_eq!(run.status().await.unwrap(), RunStatus::Stopped, "its end tells of the stop");
    });
}

/// Three rivers; the second one's first call never ends.
fn three_and_a_crash() -> Andes {
    let second = R2(Script::new().flow([Act::Hang, Act::Done]));
    Andes::new("three").stream(R1::default()).stream(second).stream(R3::default()).atlantic(Sea::default())
}

async fn draw_and_die(place: &Place, id: &str, andes: Andes) {
    let (place, id) = (place.clone(), id.to_owned());
    and_killed(|| async move {
        let engine = place.engine().await.start().await.unwrap();
        let _run = engine.draw(andes, Headwaters::new(place.id(&id))).await.unwrap();
        place.scene(&id).entered.notified().await;
    })
    .await;
}

async fn engine_with_rivers(place: &Place) -> Engine {
    place.engine().await.river::<R1>().river::<R2>().river::<R3>().atlantic::<Sea>().start().await.unwrap()
}

#[test]
fn case_15_restart_skips_done_rivers() {
    on_every_store(|place| async move {
        draw_and_die(&place, "case-15", three_and_a_crash()).await;
        let engine = engine_with_rivers(&place).await;
        let run = engine.handle(&place.id("case-15")).await.unwrap();
        run.output::<()>().await.unwrap();
        let expected = ["r1 flow", "r2 flow", "r2 flow", "r2 flow over", "r3 flow", "success"];
        assert_eq!(place.scene("case-15").lines(), expected);
    });
}

#[test]
fn case_24_temporary_values_live_in_the_process() {
    on_every_store(|place| async move {
        let first = R1(Script::new().flow([Act::TmpPut("note".into(), "mine".into())]));
        let second = R2(Script::new().flow([Act::Tell("note".into())]));
        let third = R3(Script::new().flow([Act::Hang, Act::Tell("note".into())]));
        let andes = Andes::new("notes").stream(first).stream(second).stream(third);
        draw_and_die(&place, "case-24", andes).await;
        let engine = engine_with_rivers(&place).await;
        let run = engine.handle(&place.id("case-24")).await.unwrap();
        run.output::<()>().await.unwrap();
        let told: Vec<_> = place.scene("case-24").lines().into_iter().filter(|l| l.starts_with("note")).collect();
        assert_eq!(told, ["note: , tmp mine", "note: , tmp "]);
    });
}
