//! Names, ids, hashes and times.

use core::time::Duration;
use proptest::prelude::*;
use vastflow_core::limits::{MAX_FAILURE_BYTES, MAX_NAME_BYTES, MAX_RUN_ID_BYTES};
use vastflow_core::{Failure, FailureKind, Name, NodeIx, PlanHash, RunId, RunStatus, ScopeId, Seq, Task, Timestamp};

#[test]
fn a_name_is_made_of_the_allowed_characters_alone() {
    for good in ["a", "A-Z", "0.9_x:y-z", "face-detect", &"n".repeat(MAX_NAME_BYTES)] {
        assert_eq!(Name::new(good).unwrap().as_str(), good);
    }
    for bad in ["face detect", "é", "a/b", "a[b]", "a\n", "a\0", "a%", " a"] {
        let refused = Name::new(bad).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("name {bad:?} is not valid: it has a character that is not allowed")),
            "{refused}"
        );
    }
}

#[test]
fn empty_and_too_long_ids_are_refused_with_the_limit() {
    let refused = |text: &str| (Name::new(text).map(|_| ()), RunId::new(text).map(|_| ()));
    let (name, run) = refused("");
    assert!(name.unwrap_err().to_string().contains("it is empty"));
    assert!(run.unwrap_err().to_string().contains("it is empty"));
    let name = Name::new("n".repeat(MAX_NAME_BYTES + 1)).unwrap_err().to_string();
    assert!(name.contains("it is too long") && name.ends_with("(limit: 128 bytes)"), "{name}");
    assert!(RunId::new("r".repeat(MAX_RUN_ID_BYTES)).is_ok());
    let run = RunId::new("r".repeat(MAX_RUN_ID_BYTES + 1)).unwrap_err().to_string();
    assert!(run.starts_with("run id ") && run.ends_with("(limit: 255 bytes)"), "{run}");
}

#[test]
fn a_refused_id_is_shown_cut_to_its_limit() {
    let refused = RunId::new("x".repeat(1_000_000)).unwrap_err().to_string();
    assert!(refused.len() < 1_000);
}

#[test]
fn ids_are_read_as_they_are_written_and_checked_on_the_way_in() {
    let name = Name::new("a.b").unwrap();
    assert_eq!(serde_json::to_string(&name).unwrap(), r#""a.b""#);
    assert_eq!(serde_json::from_str::<Name>(r#""a.b""#).unwrap(), name);
    assert_eq!("a.b".parse::<Name>().unwrap(), name);
    assert!(serde_json::from_str::<Name>(r#""a b""#).is_err());
    assert!(serde_json::from_str::<RunId>(r#""""#).is_err());
    assert_eq!(format!("{name:>5}|{name:?}"), r#"  a.b|"a.b""#);
}

#[test]
fn a_scope_is_written_as_the_way_to_it() {
    let root = ScopeId::root(RunId::new("r1").unwrap());
    let (verify, inner) = (Name::new("verify").unwrap(), Name::new("inner").unwrap());
    let scope = root.child(&verify, "u1").child(&inner, "");
    assert_eq!((scope.to_string().as_str(), scope.path()), ("r1/verify[u1]/inner[]", "verify[u1]/inner[]"));
    assert_eq!((root.to_string().as_str(), root.path(), root.is_root()), ("r1", "", true));
    assert_eq!(scope.run(), root.run());
    assert_eq!(ScopeId::from_parts(scope.run().clone(), scope.path()), scope);
    assert_eq!(ScopeId::from_parts(root.run().clone(), ""), root);
}

#[test]
fn what_is_not_a_scope_is_refused() {
    for bad in ["", "r 1", "r1/verify", "r1/verify[u1", "r1/verify[u1]/", "r1//verify[u1]", "r1/verify]"] {
        assert!(bad.parse::<ScopeId>().is_err(), "{bad:?}");
    }
}

#[test]
fn what_means_something_in_a_path_is_escaped_in_a_key_and_so_is_the_escape() {
    let (root, node) = (ScopeId::root(RunId::new("r").unwrap()), Name::new("n").unwrap());
    let cases = [("a/b", "n[a%2Fb]"), ("a%2Fb", "n[a%252Fb]"), ("]/n[", "n[%5D%2Fn%5B]"), ("é 🦀", "n[é 🦀]")];
    let others = [("a\0b", "n[a%00b]"), ("a%00b", "n[a%2500b]")];
    for (key, path) in cases.into_iter().chain(others) {
        let scope = root.child(&node, key);
        assert_eq!(scope.path(), path);
        assert_eq!(scope.parent().unwrap().2, key);
    }
}

fn strange_key() -> impl Strategy<Value = String> {
    // `any::<String>` seldom draws the characters that matter here.
    let special = prop::sample::select(vec!["%", "/", "[", "]", "%2F", "%25", "]/x[", " ", "\n", "é", "🦀", "\0"]);
    prop::collection::vec(prop_oneof![special.prop_map(String::from), any::<String>()], 0..4)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scopes_with_strange_keys_go_round_and_stay_apart(one in strange_key(), other in strange_key()) {
        let root = ScopeId::root(RunId::new("r1").unwrap());
        let node = Name::new("n").unwrap();
        let scope = root.child(&node, &one).child(&node, &other);
        prop_assert_eq!(&scope.to_string().parse::<ScopeId>().unwrap(), &scope);
        prop_assert_eq!(scope.path().split('/').count(), 2);
        let swapped = root.child(&node, &other).child(&node, &one);
        prop_assert_eq!(scope == swapped, one == other);
    }
}

#[test]
fn a_plan_hash_is_thirty_two_hexadecimal_digits() {
    let text = "00112233445566778899aabbccddeeff";
    let hash: PlanHash = text.parse().unwrap();
    assert_eq!((hash.to_string().as_str(), format!("{hash:?}")), (text, format!("PlanHash({text})")));
    assert_eq!(text.to_uppercase().parse::<PlanHash>().unwrap(), hash);
    for bad in
        ["", &text[1..], &format!("{text}0"), &text.replace('f', "g"), &text.replace("00", "+0"), &"é".repeat(16)]
    {
        assert!(bad.parse::<PlanHash>().is_err(), "{bad:?}");
    }
}

#[test]
fn every_status_is_named_by_one_word() {
    let all = [RunStatus::Running, RunStatus::Stopping, RunStatus::Succeeded, RunStatus::Failed, RunStatus::Stopped];
    for status in all {
        assert_eq!(RunStatus::parse(status.as_str()), Some(status));
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("{:?}", status.as_str()));
    }
    assert_eq!(RunStatus::parse("Running"), None);
    assert_eq!(all.map(RunStatus::is_final), [false, false, true, true, true]);
}

#[test]
fn a_wait_is_rounded_up_and_time_ends_where_its_number_does() {
    let at = Timestamp::from_millis;
    assert_eq!(at(1).plus(Duration::from_nanos(1)), at(2));
    assert_eq!(at(1).plus(Duration::ZERO), at(1));
    assert_eq!(at(u64::MAX).plus(Duration::MAX), at(u64::MAX));
    assert_eq!(at(5).since(at(3)), Duration::from_millis(2));
    assert_eq!(at(3).since(at(5)), Duration::ZERO);
    assert_eq!(at(7).to_string(), "7 ms");
}

#[test]
fn a_task_knows_its_node_and_whether_it_is_a_timer() {
    let node = NodeIx(3);
    let of_node = [Task::Attempt { node, attempt: 1 }, Task::Poll { node, tick: 1 }, Task::Rescue { node }];
    assert!(of_node.iter().all(|task| task.node() == Some(node) && !task.is_timer()));
    let deadline = Task::NodeDeadline { node };
    assert!(deadline.is_timer() && deadline.node() == Some(node));
    assert!(Task::RunDeadline.is_timer() && Task::RunDeadline.node().is_none());
    assert!(!Task::Deliver.is_timer() && Task::Deliver.node().is_none());
    assert!(of_node.iter().all(|task| task.takes_slot()));
    assert!(![deadline, Task::RunDeadline, Task::Deliver].iter().any(|task| task.takes_slot()));
    assert_eq!(Seq::ZERO.after(2).after(1), Seq(3));
}

#[test]
fn a_failure_says_what_and_why_and_is_cut_to_its_limit() {
    let failure = |kind| Failure::new(kind, "x").because("y").to_string();
    assert_eq!(failure(FailureKind::Error), "x, cause: y");
    assert_eq!(failure(FailureKind::Panic), "panicked: x, cause: y");
    assert_eq!(failure(FailureKind::Hook), "failed in handler: x, cause: y");
    let long =
        Failure::new(FailureKind::Error, "é".repeat(MAX_FAILURE_BYTES)).because("x".repeat(MAX_FAILURE_BYTES + 1));
    assert!(long.message.len() <= MAX_FAILURE_BYTES + 3 && long.message.ends_with('…'));
    assert_eq!(long.cause.unwrap().len(), MAX_FAILURE_BYTES + 3);
}
