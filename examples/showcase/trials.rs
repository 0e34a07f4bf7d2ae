//! Flows that nobody should have to look at, for the tests of the dashboard: one that says what it is given in every place
//! where a text can stand, and one whose call takes its process with it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use vastflow::EngineBuilder;
use vastflow::prelude::*;

/// How long a worker that is gone counts as alive: who waits for what becomes of its calls does not wait for long.
const LEASE: Duration = Duration::from_secs(2);

/// A text as an item of the foreach, by itself as its key.
type ByItself = BTreeMap<String, String>;

/// Registers them.
pub fn register(engine: EngineBuilder) -> Result<EngineBuilder> {
    Ok(engine.flow(mirror()?).flow(poison()?).max_crashes(1).lease(LEASE))
}

/// Polls as often as there are texts, and says another of them each time.
#[derive(Serialize, Deserialize)]
struct SayEach;

impl River for SayEach {
    const NAME: &'static str = "say-each";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(1_000, 10.ms())
    }

    async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let texts: Vec<String> = hw.get("texts")?;
        let said = hw.get_int("said").unwrap_or(0);
        hw.put("said", said + 1);
        let text = usize::try_from(said).ok().and_then(|said| texts.into_iter().nth(said));
        Ok(text.map_or(Cycle::Done, Cycle::Continue))
    }
}

/// Texts in logs, as keys and values of the context, as keys and errors of items, and as what polls wait for.
fn mirror() -> Result<Flow<Vec<String>, usize>> {
    let flow = Flow::dag("mirror", |dag, texts: Node<Vec<String>>| {
        let keep = |ctx: Ctx, texts: Vec<String>| async move {
            ctx.put("texts", &texts);
            for text in &texts {
                ctx.put(text, text);
                ctx.log(text);
            }
            Ok::<_, NodeError>(texts.into_iter().map(|text| (text.clone(), text)).collect::<ByItself>())
        };
        let kept = dag.node("keep", keep, texts);
        let look = |text: String| async move { Err::<(), _>(NodeError::fatal(text)) };
        let looked = dag.for_each("each", kept, move |dag, text| dag.node("look", look, text)).tolerate(1_000);
        let said = dag.river("say", SayEach, looked);
        dag.node("done", |(): ()| async { Ok::<_, NodeError>(0) }, said)
    });
    Ok(flow?)
}

/// Its only call ends the process.
fn poison() -> Result<Flow<(), ()>> {
    let flow = Flow::dag("poison", |dag, cup: Node<()>| {
        dag.node("drink", |(): ()| async { std::process::abort() as Result<()> }, cup)
    });
    Ok(flow?)
}
