//! Rivers that follow a script, and a sea that tells how they came.

use crate::support::{Scene, scene};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use vastflow::prelude::*;
use vastflow::{BoxError, Cycle};

/// What one call of a river does.
#[derive(Clone, Serialize, Deserialize)]
pub enum Act {
    Done,
    /// `flow` asks for a retry, `cycle` is not done yet.
    Again(String),
    Fail(String),
    Panic(String),
    /// Says that it is there, and waits until the run is being stopped.
    UntilStopped,
    /// Says that it is there, and never ends.
    Hang,
    /// Puts a value.
    Put(String, String),
    /// Notes what stands under a key, in the context and in the process.
    Tell(String),
    TmpPut(String, String),
    /// Asks that the run stop.
    Cancel(String),
}

pub fn again(cause: &str) -> Act {
    Act::Again(cause.into())
}

/// What a river does: one act a call, the last one again and again.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Script {
    flow: Vec<Act>,
    cycle: Vec<Act>,
    retries: u32,
    polls: u32,
    millis: u64,
    atomic: bool,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn flow(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        self.flow.extend(acts);
        self
    }

    pub fn retry(mut self, times: u32, interval: Duration) -> Self {
        (self.retries, self.millis) = (times, u64::try_from(interval.as_millis()).unwrap());
        self
    }

    pub fn cycle(mut self, times: u32, interval: Duration, acts: impl IntoIterator<Item = Act>) -> Self {
        (self.polls, self.millis) = (times, u64::try_from(interval.as_millis()).unwrap());
        self.cycle.extend(acts);
        self
    }

    pub fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }

    pub fn attr(&self) -> RiverAttr {
        let interval = Duration::from_millis(self.millis);
        RiverAttr::new().retry(self.retries, interval).cycle(self.polls, interval).atomic(self.atomic)
    }

    pub async fn call(&self, name: &str, what: &str, hw: &Headwaters) -> Result<Option<String>, RiverError> {
        let (scene, line) = (scene(hw.request_id()), format!("{name} {what}"));
        let nth = scene.note(line.clone());
        let acts = if what == "flow" { &self.flow } else { &self.cycle };
        let Some(act) = acts.get(nth).or(acts.last()) else { return Ok(None) };
        let done = act.play(hw, &scene).await;
        scene.note(format!("{line} over"));
        done
    }
}

impl Act {
    async fn play(&self, hw: &Headwaters, scene: &Arc<Scene>) -> Result<Option<String>, RiverError> {
        match self {
            Act::Done => {}
            Act::Again(cause) => return Ok(Some(cause.clone())),
            Act::Fail(why) => return Err(RiverError::failed(why.clone())),
            Act::Panic(why) => panic!("{why}"),
            Act::UntilStopped => {
                scene.entered.notify_one();
                hw.done().await;
            }
            Act::Hang => {
                scene.entered.notify_one();
                std::future::pending::<()>().await;
            }
            Act::Put(key, value) => hw.put(key, value),
            Act::TmpPut(key, value) => hw.tmp_put(key, value.clone()),
            Act::Tell(key) => {
                let (kept, tmp) = (hw.get_string(key), hw.tmp_get(key));
                scene.note(format!("{key}: {}, tmp {}", kept.unwrap_or_default(), tmp.unwrap_or_default()));
            }
            Act::Cancel(why) => {
                hw.cancel(why);
                hw.cancel("too late to be the reason");
            }
        }
        Ok(None)
    }
}

macro_rules! scripted {
    ($($river:ident $name:literal),+) => {$(
        #[derive(Clone, Default, Serialize, Deserialize)]
        pub struct $river(pub Script);

        impl River for $river {
            const NAME: &'static str = $name;

            fn attr(&self) -> RiverAttr {
                self.0.attr()
            }

            async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
                self.0.call($name, "flow", hw).await?.map_or(Ok(()), |cause| Err(RiverError::retry(cause)))
            }

            async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
                Ok(self.0.call($name, "cycle", hw).await?.map_or(Cycle::Done, Cycle::Continue))
            }
        }
    )+};
}

scripted!(R1 "r1", R2 "r2", R3 "r3");

/// Notes `success`, or `fail: why`; fails itself so many times.
#[derive(Default, Serialize, Deserialize)]
pub struct Sea {
    pub fails: usize,
    pub retries: u32,
}

impl Sea {
    fn hear(&self, hw: &Headwaters, line: String) -> Result<(), BoxError> {
        let nth = scene(hw.request_id()).note(line);
        if nth < self.fails { Err("the sea is rough".into()) } else { Ok(()) }
    }
}

impl Atlantic for Sea {
    const NAME: &'static str = "sea";

    fn retry(&self) -> vastflow::Retry {
        self.retries.times().every(5.ms())
    }

    async fn success(&self, hw: &Headwaters) -> Result<(), BoxError> {
        self.hear(hw, "success".into())
    }

    async fn fail(&self, hw: &Headwaters) -> Result<(), BoxError> {
        self.hear(hw, format!("fail: {}", hw.err().unwrap_or_default()))
    }
}
