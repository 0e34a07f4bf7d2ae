//! Headwaters: before the run, and in a call of it.

use crate::rivers::Vm;
use crate::support::{Call, is_pending, json, stopped};
use serde::{Deserialize, Serialize};
use vastflow_core::limits::MAX_PAYLOAD_BYTES;
use vastflow_core::{Context, Reply, RunId};
use vastflow_sdk::{Andes, Bytes, Ctx, DataError, Headwaters, River, RiverError, Temporary};

fn hw() -> Headwaters {
    Headwaters::new("request-7")
}

/// The keys and values as JSON text.
fn all(hw: &Headwaters) -> Vec<String> {
    hw.get_all().iter().map(|(key, value)| format!("{key}={}", String::from_utf8_lossy(value.bytes()))).collect()
}

#[test]
fn values_are_put_and_got_by_key() {
    let hw = hw().with("name", "my-vm").with("cores", 4).with("tags", vec!["a", "b"]);
    hw.put("cores", 8);
    assert_eq!(hw.request_id(), "request-7");
    assert_eq!(hw.get::<String>("name"), Ok("my-vm".into()));
    assert_eq!(hw.find::<Vec<String>>("tags"), Ok(Some(vec!["a".into(), "b".into()])));
    assert_eq!((hw.get_int("cores"), hw.get_int("name"), hw.get_int("none")), (Some(8), None, None));
    assert_eq!((hw.get_string("name").as_deref(), hw.get_string("cores")), (Some("my-vm"), None));
    assert_eq!(all(&hw), ["cores=8", "name=\"my-vm\"", "tags=[\"a\",\"b\"]"]);
}

#[test]
fn a_value_that_is_not_there_or_of_another_type_is_told() {
    let hw = hw().with("name", "my-vm");
    assert_eq!(hw.get::<u32>("none"), Err(DataError::Missing { key: "none".into() }));
    assert_eq!(hw.find::<u32>("none"), Ok(None));
    assert!(matches!(hw.get::<u32>("name"), Err(DataError::Decode { .. })));
    assert!(matches!(hw.find::<u32>("name"), Err(DataError::Decode { .. })));
}

#[test]
fn a_deleted_value_is_gone_until_it_is_put_again() {
    let hw = hw().with("a", 1);
    hw.del("a");
    assert_eq!(hw.find::<u32>("a"), Ok(None));
    hw.put("a", 2);
    assert_eq!(hw.get_int("a"), Some(2));
}

#[test]
fn raw_bytes_stay_as_they_are() {
    let hw = hw();
    hw.put_bytes("image", Bytes::from(vec![0, 255]));
    assert_eq!(hw.get::<Bytes>("image"), Ok(Bytes::from(vec![0, 255])));
}

#[test]
fn replace_leaves_exactly_what_the_other_holds() {
    let (hw, other) = (hw().with("a", 1).with("b", 2), Headwaters::new("other").with("b", 3).with("c", 4));
    hw.replace(&other);
    assert_eq!(all(&hw), ["b=3", "c=4"]);
    assert_eq!(all(&other), ["b=3", "c=4"]);
    hw.replace(&hw);
    assert_eq!(all(&hw), ["b=3", "c=4"]);
    hw.replace(&Headwaters::new("empty"));
    assert!(all(&hw).is_empty());
}

#[test]
fn before_the_run_there_is_no_call_to_ask_about() {
    let hw = hw();
    hw.cancel("nobody listens");
    assert!(hw.ctx().is_none() && hw.err().is_none());
    assert!(is_pending(hw.done()));
    assert!(format!("{hw:?}").contains("ahead"));
}

#[test]
fn what_the_request_was_about_is_the_input_of_the_run() {
    assert!(matches!(hw().request_info::<u32>(), Err(DataError::Missing { .. })));
    let hw = hw().request(7_u32).unwrap();
    assert_eq!(hw.request_info::<u32>(), Ok(7));
    assert_eq!(hw.into_start().unwrap().input, json("7"));
    assert!(Headwaters::new("large").request("x".repeat(MAX_PAYLOAD_BYTES)).is_err());
}

#[test]
fn a_run_starts_with_all_that_was_filled_in() {
    let hw = hw().with("a", 1).action("create").object("vm").project("p").colour("blue").label("team", "t");
    hw.tmp_put("token", "secret");
    let start = hw.into_start().unwrap();
    assert_eq!((start.request_id.as_str(), start.input), ("request-7", json("null")));
    assert_eq!(start.context, [("a".into(), Some(json("1")))]);
    let labels: Vec<String> = start.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["action=create", "object=vm", "project=p", "colour=blue", "team=t"]);
}

#[test]
fn a_value_that_cannot_be_written_fails_the_start() {
    let hw = hw().with("large", "x".repeat(MAX_PAYLOAD_BYTES)).with("small", 1);
    assert_eq!(hw.get_int("small"), Some(1));
    let error = hw.into_start().unwrap_err();
    assert_eq!(error, DataError::TooLarge { bytes: MAX_PAYLOAD_BYTES + 2 });
}

#[test]
fn temporary_texts_live_in_the_process_and_go_over_to_the_run() {
    let hw = hw();
    hw.tmp_put("token", "secret");
    assert_eq!((hw.tmp_get("token").as_deref(), hw.tmp_get("none")), (Some("secret"), None));
    assert!(hw.get_all().is_empty(), "never recorded");

    let table = Temporary::default();
    let (one, two) = (table.of(&RunId::new("one").unwrap()), table.of(&RunId::new("two").unwrap()));
    one.take_over(&hw.into_start().unwrap().temporary);
    let read = |of: &Temporary| Call::node(&flow(), "vm").set(|parts| parts.temporary = of.clone()).ctx();
    assert_eq!((read(&one).tmp_get("token").as_deref(), read(&two).tmp_get("token")), (Some("secret"), None));
    read(&two).tmp_put("token", "other");
    one.clear();
    assert_eq!((read(&one).tmp_get("token"), read(&two).tmp_get("token").as_deref()), (None, Some("other")));
}

fn flow() -> vastflow_sdk::Flow<serde_json::Value, ()> {
    Andes::new("flow").stream(Vm { name: "v".into(), cores: 1 }).into_flow().unwrap()
}

/// A call whose run has recorded `a=1` and `b=2`.
fn ctx() -> Ctx {
    let mut context = Context::default();
    context.apply(&[("a".into(), Some(json("1"))), ("b".into(), Some(json("2")))]);
    let call = Call::node(&flow(), "vm");
    call.set(|parts| parts.context = context.into()).ctx()
}

#[test]
fn a_call_sees_what_was_recorded_with_its_own_writes_on_top() {
    let ctx = ctx();
    ctx.put("a", 7);
    ctx.del("b");
    ctx.put_bytes("c", "raw".into());
    assert_eq!((ctx.get::<u32>("a"), ctx.find::<u32>("b")), (Ok(7), Ok(None)));
    assert_eq!(ctx.all().keys().map(String::as_str).collect::<Vec<_>>(), ["a", "c"]);
    let writes = ctx.take_writes().unwrap();
    let keys: Vec<(&str, bool)> = writes.iter().map(|(key, value)| (&**key, value.is_some())).collect();
    assert_eq!(keys, [("a", true), ("b", false), ("c", true)]);
    assert!(ctx.take_writes().unwrap().is_empty(), "they are taken once");
}

#[test]
fn a_value_that_cannot_be_written_fails_the_call() {
    let ctx = ctx();
    ctx.put("large", "x".repeat(MAX_PAYLOAD_BYTES));
    assert!(matches!(ctx.take_writes(), Err(DataError::TooLarge { .. })));
}

#[test]
fn a_call_is_stopped_with_the_first_reason() {
    let ctx = ctx();
    assert!(!ctx.is_cancelled() && is_pending(ctx.cancelled()) && ctx.outcome().is_none());
    ctx.cancel_call(Some(stopped("first")));
    ctx.cancel_call(Some(stopped("second")));
    assert!(ctx.is_cancelled() && !is_pending(ctx.cancelled()));
    assert_eq!(ctx.outcome(), Some(&stopped("first")));
}

/// A river that uses its headwaters in every way; what it finds wrong is a panic.
#[derive(Serialize, Deserialize)]
struct Probe;

impl River for Probe {
    const NAME: &'static str = "probe";

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        assert_eq!((hw.request_id(), hw.ctx().map(Ctx::node), hw.request_info()), ("run-1", Some("probe"), Ok(())));
        assert_eq!((hw.get_int("a"), hw.get_string("a"), hw.find::<u32>("c")), (Some(1), None, Ok(None)));
        hw.tmp_put("token", "secret");
        assert_eq!(hw.tmp_get("token").as_deref(), Some("secret"));
        hw.put_bytes("c", "raw".into());
        assert_eq!(hw.get::<Bytes>("c"), Ok("raw".into()));
        hw.replace(&Headwaters::new("other").with("b", 3).with("d", 4));
        assert_eq!(all(hw), ["b=3", "d=4"]);
        hw.del("d");
        hw.cancel("enough");
        assert_eq!(hw.err().as_deref(), Some("late"));
        assert!(is_pending(hw.done()) && format!("{hw:?}").contains("node probe"));
        Ok(())
    }
}

#[test]
fn in_a_call_headwaters_are_the_data_of_the_run() {
    let flow = Andes::new("flow").stream(Probe).into_flow().unwrap();
    let call = Call::node(&flow, "probe").set(|parts| {
        let mut context = Context::default();
        context.apply(&[("a".into(), Some(json("1"))), ("b".into(), Some(json("2")))]);
        (parts.context, parts.outcome) = (context.into(), Some(stopped("late")));
    });
    assert_eq!(call.reply(), Reply::Submitted);
    assert_eq!(*call.asked.0.lock().unwrap(), ["run-1 by probe: enough"]);
}
