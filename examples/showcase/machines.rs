//! Rivers: machines and volumes that somebody else makes, with data that all steps share.

use serde::{Deserialize, Serialize};
use vastflow::prelude::*;
use vastflow::{EngineBuilder, Run};

macro_rules! made_elsewhere {
    ($river:ident, $name:literal, $key:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $river;

        impl River for $river {
            const NAME: &'static str = $name;

            fn attr(&self) -> RiverAttr {
                RiverAttr::new().cycle(10, 300.ms())
            }

            async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
                hw.put($key, concat!($name, "-1"));
                Ok(())
            }

            async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
                let looked = concat!($key, "Looked");
                let seen = hw.get_int(looked).unwrap_or(0) + 1;
                hw.put(looked, seen);
                Ok(if seen < 3 { Cycle::Continue("booting".into()) } else { Cycle::Done })
            }
        }
    };
}

made_elsewhere!(CreateMachine, "create-machine", "machineId");
made_elsewhere!(CreateVolume, "create-volume", "volumeId");
made_elsewhere!(AttachVolume, "attach-volume", "attachmentId");

#[derive(Serialize, Deserialize)]
struct Told;

impl Atlantic for Told {
    const NAME: &'static str = "told";

    async fn success(&self, hw: &Headwaters) -> Result<()> {
        hw.put("told", true);
        Ok(())
    }

    async fn fail(&self, _: &Headwaters) -> Result<()> {
        Ok(())
    }
}

pub fn register(engine: EngineBuilder) -> EngineBuilder {
    engine.river::<CreateMachine>().river::<CreateVolume>().river::<AttachVolume>().atlantic::<Told>()
}

/// A machine with a volume.
pub async fn draw(engine: &Engine, id: &str) -> Result<Run> {
    let andes = Andes::new("machine")
        .stream(ParallelRiver::new().append(CreateMachine).append(CreateVolume))
        .stream(AttachVolume)
        .atlantic(Told);
    let hw = Headwaters::new(id).with("machineName", "web-3").with("volumeName", "data").label("project", "shop");
    Ok(engine.draw(andes, hw).await?)
}
