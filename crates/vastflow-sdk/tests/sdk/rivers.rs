//! Rivers that the tests draw, and how their calls are answered.

use crate::support::{Call, codes, edges, json, library, stopped};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vastflow_core::{Failure, FailureKind, Hook, Reply, RunFailure, RunOutcome, Task};
use vastflow_sdk::{
    About, Andes, Atlantic, Cycle, DurationExt, Flow, Headwaters, Library, Node, NodeError, Result, Retry, River,
    RiverAttr, RiverError, TimesExt,
};

macro_rules! river {
    ($river:ident, $name:literal) => {
        #[derive(Serialize, Deserialize)]
        pub(crate) struct $river;

        impl River for $river {
            const NAME: &'static str = $name;

            async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
                Ok(())
            }
        }
    };
}

river!(River1, "r1");
river!(River2, "r2");
river!(River3, "r3");
river!(SecondOfR1, "r1-2");
river!(SameName, "r1");

/// A river with fields, attributes and something to say.
#[derive(Serialize, Deserialize)]
pub(crate) struct Vm {
    pub(crate) name: String,
    pub(crate) cores: u32,
}

impl River for Vm {
    const NAME: &'static str = "vm";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().retry(2, 5.ms()).cycle(10, 1.secs()).atomic(true).durable(false).timeout(1.mins())
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        match hw.find::<String>("say")?.as_deref() {
            Some("retry") => Err(RiverError::retry("busy")),
            Some("fail") => Err(RiverError::failed(NodeError::fatal("gone"))),
            Some(_) => Err("?")?,
            None => {
                hw.put("vmId", format!("{}/{}", self.name, self.cores));
                Ok(())
            }
        }
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        match hw.get::<String>("state")?.as_str() {
            "up" => Ok(Cycle::Done),
            "lost" => Err(RiverError::retry("no")),
            state => Ok(Cycle::Continue(state.to_owned())),
        }
    }
}

/// An Atlantic that tells why it came to it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sea {
    pub(crate) depth: u32,
}

impl Atlantic for Sea {
    const NAME: &'static str = "sea";

    fn retry(&self) -> Retry {
        2.times()
    }

    async fn success(&self, hw: &Headwaters) -> Result<()> {
        assert_eq!(hw.err(), None);
        Err(format!("success at {}", self.depth).into())
    }

    async fn fail(&self, hw: &Headwaters) -> Result<()> {
        Err(format!("fail: {}", hw.err().unwrap_or_default()).into())
    }
}

fn vm() -> Flow<serde_json::Value, ()> {
    Andes::new("flow").stream(Vm { name: "my-vm".into(), cores: 4 }).atlantic(Sea { depth: 3 }).into_flow().unwrap()
}

fn submit(say: Option<&str>) -> Call {
    let write = say.map(|say| ("say".into(), Some(json(&format!("{say:?}")))));
    Call::node(&vm(), "vm").set(|parts| {
        let mut context = vastflow_core::Context::default();
        context.apply(&write.into_iter().collect::<Vec<_>>());
        parts.context = context.into();
    })
}

fn poll(state: &str) -> Reply {
    let call = Call::of(&vm(), |plan| Task::Poll { node: plan.find("vm").unwrap(), tick: 1 });
    let write = ("state".into(), Some(json(&format!("{state:?}"))));
    let mut context = vastflow_core::Context::default();
    context.apply(&[write]);
    call.set(|parts| parts.context = context.into()).reply()
}

#[test]
fn a_river_is_read_back_from_the_plan_and_submits() {
    assert_eq!(submit(None).reply(), Reply::Submitted);
}

#[test]
fn a_river_asks_for_another_try_or_fails() {
    assert_eq!(submit(Some("retry")).reply(), Reply::Retry { cause: "busy".into() });
    assert_eq!(submit(Some("fail")).failure(), ("gone".into(), false));
    assert_eq!(submit(Some("other")).failure(), ("?".into(), true));
}

#[test]
fn a_poll_is_done_or_goes_on_or_fails() {
    assert_eq!(poll("up"), Reply::Done(vastflow_core::Payload::null()));
    assert_eq!(poll("booting"), Reply::Continue { cause: "booting".into() });
    let failure = Failure::new(FailureKind::Error, "no");
    assert_eq!(poll("lost"), Reply::Failed { failure, retryable: false }, "a poll has no tries");
}

#[test]
fn fields_that_a_newer_program_cannot_read_fail_the_call_and_are_not_tried_again() {
    let json = vm().plan().to_json().replace("my-vm", "x").replace(r#"\"cores\":4"#, r#"\"core\":4"#);
    let plan = std::sync::Arc::new(vastflow_core::Plan::from_json(&json).unwrap());
    let call = Call::node(&vm(), "vm").set(|parts| parts.plan = plan);
    let (text, retryable) = call.failure();
    assert!(text.contains("Vm: missing field `cores`"), "{text}");
    assert!(!retryable);
}

#[test]
fn an_atlantic_gets_one_of_its_two_calls() {
    let hook = |outcome: RunOutcome| {
        let call = Call::of(&vm(), |_| Task::Hook { hook: Hook::Finally, attempt: 1 });
        call.set(|parts| parts.outcome = Some(outcome)).failure().0
    };
    assert_eq!(hook(RunOutcome::Succeeded), "success at 3");
    assert_eq!(hook(stopped("enough")), "fail: enough");
    let failure = Failure::new(FailureKind::Error, "disk");
    assert_eq!(hook(RunOutcome::Failed(RunFailure { node: None, failure })), "fail: disk");
}

#[test]
fn a_river_is_a_node_of_a_dag_too() {
    async fn count(_: ((), u32)) -> Result<u32> {
        Ok(1)
    }
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let vm = dag.river("my-vm", Vm { name: "v".into(), cores: 1 }, n);
        dag.node("count", count, (vm, n))
    });
    let flow = flow.unwrap();
    assert_eq!(edges(flow.plan()), ["my-vm < input", "count < my-vm, input"]);
    assert_eq!(Call::node(&flow, "my-vm").with("input", 7).reply(), Reply::Submitted);
}

#[test]
fn a_river_of_a_dag_may_have_an_on_failure() {
    async fn instead(failure: Failure) -> Result<()> {
        Err(format!("instead of {}", failure.message).into())
    }
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.river("my-vm", Vm { name: "v".into(), cores: 1 }, n).on_failure(instead)
    });
    let flow = flow.unwrap();
    let call = Call::of(&flow, |plan| Task::Rescue { node: plan.find("my-vm").unwrap() });
    let call = call.set(|parts| parts.about = About::Rescue(Failure::new(FailureKind::Error, "gone")));
    assert_eq!(call.failure(), ("instead of gone".into(), true));
    assert_eq!(Call::node(&flow, "my-vm").reply(), Reply::Submitted);
}

#[test]
fn fields_that_are_no_json_are_refused_by_the_drawing() {
    #[derive(Serialize, Deserialize)]
    struct Odd(BTreeMap<(u8, u8), u8>);

    impl River for Odd {
        const NAME: &'static str = "odd";

        async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
            Ok(())
        }
    }
    let andes = Andes::new("flow").stream(Odd(BTreeMap::from([((1, 2), 3)]))).into_flow();
    assert_eq!(codes(andes), ["plan-unfit"]);
}

#[test]
fn rivers_are_registered_once_by_name() {
    let mut rivers = Library::default();
    rivers.register_river::<Vm>().unwrap();
    rivers.register_atlantic::<Sea>().unwrap();
    let taken = rivers.register_river::<Vm>().unwrap_err().to_string();
    assert_eq!(taken, "there is a river or an Atlantic named \"vm\" already; give this one another name");
    assert!(rivers.bind(vm().plan()).is_ok(), "a drawing needs no flow's code");
    assert!(library(&vm()).bind(vm().plan()).is_ok());
}

#[test]
fn rivers_of_a_sub_flow_in_a_body_come_along() {
    let inner = Flow::dag("inner", |dag, n: Node<u32>| dag.river("river", River1, n)).unwrap();
    let flow = Flow::dag("flow", |dag, n: Node<u32>| dag.basin("basin", n, |dag, n| dag.subflow("sub", &inner, n)));
    let flow = flow.unwrap();
    assert_eq!(flow.rivers().keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["r1"]);
    assert!(flow.bound().is_ok());
}

#[test]
fn a_river_of_a_sub_flow_that_shares_its_name_is_refused() {
    let inner = Flow::dag("inner", |dag, n: Node<u32>| dag.river("river", SameName, n)).unwrap();
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let sub = dag.subflow("sub", &inner, n);
        dag.river("own", River1, sub)
    });
    assert_eq!(codes(flow), ["plan-unfit"]);
}
