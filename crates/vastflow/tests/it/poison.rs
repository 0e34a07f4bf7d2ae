//! A call that ends its process each time, on a file that one process has at a time.

use crate::support::ok;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use vastflow::prelude::*;
use vastflow::{Flow, RunStatus};

const PATH: &str = "VASTFLOW_POISON_PATH";

fn poison() -> Flow<u32, u32> {
    let call = |n: u32| async move {
        if n == 0 {
            std::process::abort();
        }
        ok(n)
    };
    Flow::dag("poison", |dag, n: Node<u32>| dag.node("n", call, n)).unwrap()
}

/// Not a test but the process that dies: it ends well when all runs stand still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(path) = std::env::var(PATH) else { return };
    let engine = Engine::open(&path).await.unwrap().flow(poison()).max_crashes(3).start().await.unwrap();
    drop(engine.run("poison", 0_u32).id("guilty").await.unwrap());
    for innocent in 1..=3_u32 {
        let run = engine.run("poison", innocent).id(&format!("innocent-{innocent}")).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), innocent);
    }
    let guilty = engine.handle("guilty").await.unwrap();
    while guilty.status().await.unwrap() != RunStatus::NeedsAttention {
        tokio::time::sleep(5.ms()).await;
    }
    let (at, why) = guilty.attention().await.unwrap().remove(0);
    assert!(at == "n" && why.contains("ended 3 processes, one after the other"), "{at}: {why}");
    engine.shutdown().await.unwrap();
}

fn live(path: &Path) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["poison::child", "--exact"])
        .env(PATH, format!("sqlite:{}", path.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    child.status().unwrap()
}

#[test]
fn a_call_that_kills_the_process_of_a_file_is_quarantined_and_the_others_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    // One death after which it is watched, two with others in hand, three alone.
    for death in 1..=6 {
        assert!(!live(&path).success(), "death {death} did not come");
    }
    assert!(live(&path).success(), "it is called no more, and all others are done");
}
