//! The plan of a drawn flow as JSON: the same drawing, the same text, today and in the next release, because runs in
//! stores are bound to it.

use crate::rivers::{River1, Sea, Vm};
use serde::{Deserialize, Serialize};
use vastflow_core::{Failure, Plan, RunOutcome};
use vastflow_sdk::{Andes, DurationExt, Flow, Node, ParallelRiver, Result, RiverExt, TimesExt};

#[derive(Serialize, Deserialize)]
struct Image(String);

async fn fetch(user: u64) -> Result<Image> {
    Ok(Image(user.to_string()))
}

async fn detect(image: Image) -> Result<u32> {
    Ok(image.0.len().try_into()?)
}

async fn guess(_: Failure) -> Result<u32> {
    Ok(0)
}

async fn mark((face, score): (u32, u32)) -> Result<u32> {
    Ok(face + score)
}

async fn tell(_: RunOutcome) -> Result<()> {
    Ok(())
}

fn kyc() -> Plan {
    let flow = Flow::dag("kyc", |dag, user: Node<u64>| {
        dag.retry(1.times());
        dag.timeout(1.hours());
        dag.finally(tell);
        let image = dag.node("get-image", fetch, user).retry(3.times().exponential(100.ms()));
        let face = dag.node("face-detect", detect, image).on_failure(guess).label("colour", "red");
        let score = dag.node("face-match", detect, image).timeout(30.secs()).durable(false);
        dag.river("notify", River1, ());
        dag.node("mark", mark, (face, score)).after(image)
    });
    (**flow.unwrap().plan()).clone()
}

fn volume() -> Plan {
    let vm = || Vm { name: "my-vm".into(), cores: 4 };
    let andes = Andes::new("attach-volume")
        .stream(ParallelRiver::new().append(vm()).append(River1.then(vm())).colour("blue"))
        .stream(River1)
        .atlantic(Sea { depth: 3 });
    (**andes.into_flow().unwrap().plan()).clone()
}

/// Compares with the file that is checked in; with `BLESS=1` writes it instead.
fn check(file: &str, drawn: impl Fn() -> Plan) {
    let path = format!("{}/tests/sdk/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let value: serde_json::Value = serde_json::from_str(&drawn().to_json()).unwrap();
    let text = format!("{}\n{value:#}\n", drawn().to_json());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{path}; `BLESS=1` writes it anew");
    assert_eq!(drawn().hash(), drawn().hash());
    assert_eq!(Plan::from_json(&drawn().to_json()).unwrap(), drawn());
}

#[test]
fn the_plan_of_a_typed_drawing_never_changes() {
    check("kyc.txt", kyc);
}

#[test]
fn the_plan_of_a_river_system_never_changes() {
    check("volume.txt", volume);
}
