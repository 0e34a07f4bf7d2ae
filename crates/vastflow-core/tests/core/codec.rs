//! The durable format of events, version 1: what was written once is read for ever.

use core::fmt::Write as _;
use std::collections::BTreeSet;
use vastflow_core::codec::{CodecError, VERSION, decode, encode};
use vastflow_core::event::{Call, Choice, Item, KeptScope, Level, Micros, Origin, Said, SaidLine, ScopeEnd};
use vastflow_core::{
    Codec, Event, Failure, FailureKind, Hook, Name, NodeIx, Payload, PlanHash, RunFailure, RunId, RunInfo, RunOutcome,
    RunStarted, Task, Timestamp,
};

/// The bytes of [`samples`]: a name and a record in hexadecimal a line. Never edit a line of a released version: if it
/// does not read any more, the change to the code is wrong.
const GOLDEN: &str = include_str!("golden/events_v1.txt");

/// At least one event of every variant, with every kind of field filled once.
pub(crate) fn samples() -> Vec<Event> {
    let (node, at) = (NodeIx(300), Timestamp::from_millis(1_700_000_000_000));
    let failure = || Failure::new(FailureKind::Error, "boom");
    let write = ("id".into(), Some(Payload::new(Codec::Json, "7")));
    let call = || Call { number: 2, took: Micros(1_500), writes: vec![write.clone(), ("old".into(), None)] };
    let ended = |outcome| Event::RunEnded { outcome };
    let run_failed =
        |node: Option<Name>, kind| RunOutcome::Failed(RunFailure { node, failure: Failure::new(kind, "boom") });
    vec![
        Event::RunStarted(started(None).into()),
        Event::RunStarted(started(Some(Box::new(origin()))).into()),
        Event::NodeSucceeded { node, output: Payload::new(Codec::Bytes, &b"\x00\xff"[..]), call: call() },
        Event::AttemptFailed { node, failure: failure().because("busy"), retry_at: at, call: call() },
        Event::NodeFailed { node, failure: Failure::new(FailureKind::Timeout, "slow"), call: Call::default() },
        Event::RescueFailed { node, failure: Failure::new(FailureKind::Panic, "x"), call: call() },
        Event::Submitted { node, next_at: at, call: call() },
        Event::Polled { node, cause: "booting".into(), next_at: at, call: call() },
        Event::NodeDropped { node },
        Event::CancelRequested { by: "ops".into(), why: "wrong région".into() },
        Event::RunTimedOut,
        Event::HookDone { hook: Hook::OnFailure, call: call() },
        Event::HookFailed { hook: Hook::Finally, failure: failure(), retry_at: Some(at), call: call() },
        Event::HookFailed { hook: Hook::Finally, failure: failure(), retry_at: None, call: call() },
        ended(RunOutcome::Succeeded),
        ended(run_failed(Some(Name::new("pay").unwrap()), FailureKind::Engine)),
        ended(run_failed(None, FailureKind::Hook)),
        ended(RunOutcome::Stopped { by: "ops".into(), why: "enough".into() }),
    ]
    .into_iter()
    .chain(of_scopes(node, &call()))
    .chain(of_control(node, at, &call()))
    .collect()
}

/// What happens in branches, foreaches and basins.
fn of_scopes(node: NodeIx, call: &Call) -> Vec<Event> {
    let text = |text: &str| Payload::new(Codec::Bytes, text.to_owned());
    let (failure, call) = (Failure::new(FailureKind::Error, "boom"), || call.clone());
    let items = vec![Item { key: "u1".into(), input: text("x") }, Item { key: "".into(), input: text("") }];
    let ended = |result| {
        let writes = vec![("k".into(), Some(text("v"))), ("old".into(), None)];
        Event::ChildEnded { node, key: "u1".into(), end: ScopeEnd { result, writes } }
    };
    let failed = RunFailure { node: Some(Name::new("pay").unwrap()), failure: failure.clone() };
    vec![
        Event::BranchChosen { node, keys: vec!["left".into()], input: Some(text("x")), call: call() },
        Event::BranchChosen { node, keys: Vec::new(), input: None, call: call() },
        Event::ItemsAdded { node, items, cursor: Some(text("page2")), call: call() },
        Event::ItemsAdded { node, items: Vec::new(), cursor: None, call: call() },
        ended(Ok(text("out"))),
        ended(Err(failed)),
        Event::Reduced { node, count: 300, acc: text("7"), call: call() },
        Event::ReduceFailed { node, failure, retry_at: Timestamp::from_millis(5), call: call() },
        Event::Clashed { node, keys: vec!["k".into()] },
        Event::ChildUndone { node, key: "u1".into() },
        Event::ChildParked { node, key: "u1".into(), waits: true },
        Event::ChildListens { node, key: "u1".into(), name: Name::new("go").unwrap(), waits: true, turn: 1 },
    ]
}

/// What comes from outside, and what is taken back.
fn of_control(node: NodeIx, at: Timestamp, call: &Call) -> Vec<Event> {
    let (by, why) = (|| "ops".into(), || "enough".into());
    let (failure, call) = (|| Failure::new(FailureKind::Quarantined, "boom"), || call.clone());
    let resolved = |choice| Event::Resolved { node, choice, by: by(), why: why() };
    let payload = Payload::new(Codec::Json, "7");
    vec![
        Event::SignalReceived { id: "s1".into(), name: Name::new("go").unwrap(), payload: payload.clone() },
        Event::Woke { node },
        Event::Paused { by: by(), why: why() },
        Event::Resumed { by: by(), why: why() },
        Event::Killed { by: by(), why: why() },
        Event::GraceOver,
        Event::NodeParked { node, failure: failure(), call: call() },
        resolved(Choice::Retry),
        resolved(Choice::Skip),
        resolved(Choice::MarkDone(payload)),
        Event::Undone { node, call: call() },
        Event::UndoFailed { node, failure: failure(), retry_at: Some(at), call: call() },
        Event::UndoFailed { node, failure: Failure::new(FailureKind::Unknown, "?"), retry_at: None, call: call() },
        Event::UndoRequested,
        Event::WordsIgnored,
        Event::Admitted,
        Event::SignalPassed {
            id: "s1".into(),
            name: Name::new("go").unwrap(),
            payload: Payload::new(Codec::Json, "7"),
        },
        Event::Said {
            task: Task::Attempt { node, attempt: 3 },
            said: Said {
                lines: vec![SaidLine { after: Micros(1_500), level: Level::Warn, text: "slow".into() }],
                dropped: 7,
            },
        },
    ]
}

fn origin() -> Origin {
    let payload = || Payload::new(Codec::Json, "7");
    Origin {
        run: RunId::new("before").unwrap(),
        verb: "fork".into(),
        by: "ops".into(),
        why: "edited".into(),
        kept: vec![(NodeIx(0), payload())],
        input: Some((NodeIx(300), payload())),
        scopes: vec![KeptScope {
            node: NodeIx(301),
            key: "u1".into(),
            fed: payload().fingerprint(),
            output: payload(),
            writes: vec![("k".into(), None)],
        }],
    }
}

fn started(origin: Option<Box<Origin>>) -> RunStarted {
    let pair = |key: &str, value: &str| (key.into(), value.into());
    RunStarted {
        flow: Name::new("order").unwrap(),
        plan: "00112233445566778899aabbccddeeff".parse::<PlanHash>().unwrap(),
        seed: 0xdead_beef,
        input: Payload::new(Codec::Json, r#"{"n":1}"#),
        context: vec![("region".into(), Some(Payload::new(Codec::Bytes, "eu")))],
        info: RunInfo {
            labels: vec![pair("colour", "red")],
            headers: vec![pair("x-request-id", "r1")],
            query: "a=b".into(),
            trace: Some("00-11-22-01".into()),
            key: Some(Name::new("customer-7").unwrap()),
            lane: Some(Name::new("gpu").unwrap()),
            priority: -3,
            deadline: Some(Timestamp::from_millis(1_700_000_000_000)),
        }
        .into(),
        origin,
        queued: false,
    }
}

fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let line = |line: &'static str| line.split_once(' ').map(|(name, hex)| (name, from_hex(hex))).unwrap();
    GOLDEN.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

#[test]
fn events_are_written_as_the_bytes_of_the_golden_file() {
    let written: Vec<_> =
        samples().into_iter().map(|event| (event.name(), encode(&[event], Vec::new()).unwrap())).collect();
    let lines: Vec<_> = written.iter().map(|(name, bytes)| format!("{name} {}", to_hex(bytes))).collect();
    assert!(written == golden(), "the format of events changed; it would be:\n{}", lines.join("\n"));
}

#[test]
fn the_bytes_of_the_golden_file_are_read_as_those_events() {
    let read: Vec<_> = golden().iter().map(|(_, bytes)| decode(bytes).unwrap()).collect();
    let samples: Vec<_> = samples().into_iter().map(|event| vec![event]).collect();
    assert_eq!(read, samples);
}

#[test]
fn the_golden_file_has_every_variant_that_the_codec_knows() {
    // A record of one event, cut off behind the number of its variant. Of a variant that is not there the decoder says
    // so; of one that is, it misses the rest, or finds nothing missing.
    let known =
        |variant: &u8| decode(&[VERSION, 1, *variant]) != Err(CodecError::Damaged(postcard::Error::SerdeDeCustom));
    let variants = (0..128).take_while(known).count();
    let names: BTreeSet<_> = golden().iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), variants, "add the new event to `samples` and its bytes to the golden file");
}

#[test]
fn a_record_holds_any_number_of_events_behind_one_version_byte() {
    assert_eq!(encode(&[], Vec::new()).unwrap(), [VERSION, 0]);
    assert_eq!(decode(&[VERSION, 0]).unwrap(), []);
    let record = encode(&samples(), Vec::new()).unwrap();
    assert_eq!(decode(&record).unwrap(), samples());
    let behind = encode(&[Event::RunTimedOut], b"before".to_vec()).unwrap();
    assert_eq!(behind, [&b"before"[..], &[VERSION, 1, 9]].concat());
}

#[test]
fn an_unknown_version_is_named() {
    let refused = decode(&[VERSION + 1, 1, 9]).unwrap_err();
    assert_eq!(refused, CodecError::UnknownVersion(VERSION + 1));
    assert_eq!(
        refused.to_string(),
        "the record has format version 2; this build reads up to 1: use the newer build that wrote it"
    );
}

#[test]
fn a_record_that_is_cut_off_anywhere_is_damaged() {
    let all = encode(&samples(), Vec::new()).unwrap();
    for record in golden().into_iter().map(|(_, bytes)| bytes).chain([all]) {
        for end in 0..record.len() {
            assert!(
                matches!(decode(&record[..end]), Err(CodecError::Damaged(_))),
                "cut at {end} of {}",
                to_hex(&record)
            );
        }
    }
}

#[test]
fn a_record_with_something_behind_it_is_damaged() {
    for (name, record) in golden() {
        let refused = decode(&[&record[..], &[0]].concat()).unwrap_err();
        assert!(matches!(refused, CodecError::Damaged(_)), "{name}");
        assert!(refused.to_string().starts_with("the record is damaged: "), "{refused}");
    }
}

#[test]
fn flipped_bits_are_read_as_an_error_or_as_other_events_but_never_as_the_same_and_never_panic() {
    for (name, record) in golden() {
        let before = decode(&record);
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(decode(&flipped), before, "bit {bit} of {name} means nothing");
        }
    }
}

#[test]
fn a_length_that_promises_too_much_is_an_error_and_takes_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let events = [&[VERSION][..], &huge].concat();
    let text = [&[VERSION, 1, 8][..], &huge, b"ops"].concat();
    let bytes = [&[VERSION, 1, 1, 0, 0][..], &huge, b"x"].concat();
    for record in [events, text, bytes] {
        assert!(matches!(decode(&record), Err(CodecError::Damaged(_))), "{}", to_hex(&record));
    }
}
