//! The example that every vastflow began with: create a machine and a volume side by side, then attach one to the
//! other. Three rivers that submit their work and are polled for it, and the Atlantic that they end in.
//!
//! Kill it at any moment and start it again: it goes on where it was.

use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use vastflow::prelude::*;
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::dashboard;
use vastflow_examples::terminal::{self, say};

#[derive(Serialize, Deserialize)]
struct CreateVm;

impl River for CreateVm {
    const NAME: &'static str = "create-vm";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(10, 1.secs())
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        say(format!("CreateVmRiver flow, name: {}", hw.get::<String>("vmName")?));
        tokio::time::sleep(1.secs()).await; // here a request would go to the cloud
        hw.put("vmId", "vmId1");
        say("create vm req over");
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        say(format!("CreateVmRiver cycle, vmId: {}", hw.get::<String>("vmId")?));
        say("create vm success");
        Ok(Cycle::Done)
    }
}

#[derive(Serialize, Deserialize)]
struct CreateVolume;

impl River for CreateVolume {
    const NAME: &'static str = "create-volume";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(3, 1.secs())
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        say(format!("CreateVolumeRiver flow, name: {}", hw.get::<String>("volName")?));
        tokio::time::sleep(1.secs()).await;
        hw.put("volId", "volId1");
        say("create volume req over");
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        say(format!("CreateVolumeRiver cycle, volumeId: {}", hw.get::<String>("volId")?));
        say("create volume success");
        Ok(Cycle::Done)
    }
}

#[derive(Serialize, Deserialize)]
struct AttachVolume;

impl River for AttachVolume {
    const NAME: &'static str = "attach-volume";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(3, 1.secs())
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        let (vm, volume): (String, String) = (hw.get("vmId")?, hw.get("volId")?);
        say(format!("AttachVolumeRiver flow, vmId:{vm}, volumeId:{volume}"));
        say("attach volume success");
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct AttachVolAtlantic;

impl Atlantic for AttachVolAtlantic {
    const NAME: &'static str = "attach-volume-end";

    async fn success(&self, _: &Headwaters) -> Result<()> {
        say("attach success, we should update status");
        Ok(())
    }

    async fn fail(&self, _: &Headwaters) -> Result<()> {
        say("attach fail, we should send alarm");
        Ok(())
    }
}

async fn attach(args: Args) -> Result<()> {
    let url = args.option("--store").unwrap_or("sqlite:attach_volume.db");
    let id = args.option("--id").unwrap_or("attach-1");
    let store = vastflow::open(url).await?;
    let before = terminal::greet(&*store, id).await?;

    // Code is registered by name, so that an unfinished run goes on as soon as the engine starts.
    let engine = Engine::on(store).river::<CreateVm>().river::<CreateVolume>().river::<AttachVolume>();
    let engine = engine.atlantic::<AttachVolAtlantic>().start().await?;
    let beside = dashboard::beside(&engine, &args).await?;

    let andes = Andes::new("attach-volume")
        .stream(ParallelRiver::new().append(CreateVm).append(CreateVolume))
        .stream(AttachVolume)
        .atlantic(AttachVolAtlantic);
    let hw = Headwaters::new(id).with("vmName", "my-vm").with("volName", "my-vol");
    let run = engine.draw(andes, hw).await?; // the same id again joins the same run

    if before.is_none_or(|status| !status.is_final()) {
        terminal::show(&run).await?;
    }
    terminal::conclude(&run).await?;
    beside.end(engine).await?;
    terminal::farewell(url, &args.again("attach_volume", &[]));
    Ok(())
}

const USAGE: Usage = Usage {
    options: &["--store", "--id", "--dashboard"],
    subject: None,
    detail: None,
    help: "\
Creates a machine and a volume, and attaches one to the other, in 3 s that survive any kill.

Usage: cargo run --example attach_volume -- [OPTIONS]

Options:
  --store URL     Where runs are kept [default: sqlite:attach_volume.db]
  --dashboard AT  Show the dashboard at this address, say 127.0.0.1:8080, until Ctrl-C
  --id ID         The run's id; the same id again is the same run [default: attach-1]
  -h, --help      Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, attach).await
}
