//! The data that the nodes of a run share.

use crate::dsl::check;

#[test]
fn writes_are_seen_as_soon_as_the_call_that_made_them_is_recorded() {
    check(
        "a; b < a",
        "
        start [name=my-vm old=1]
        ? context
          name=my-vm, old=1
        a done [id=vm1 -old]
          NodeSucceeded a = a(null) [id=vm1 -old]
          queue b#1
        ? context
          id=vm1, name=my-vm
        ",
    );
}

#[test]
fn writes_count_also_of_calls_that_failed_asked_to_be_called_again_or_are_not_finished() {
    check(
        "a retry 1; r < a river 9@1s retry 1; finally retry 1",
        "
        start
        a failed boom [a=1]
          AttemptFailed a until 0s: boom [a=1]
          queue a#2
        a done
        r retry busy [b=1]
          AttemptFailed r until 0s: busy [b=1]
          queue r#2
        r submitted [c=1]
          Submitted r until 1s [c=1]
          queue r.poll#1 @1s
        @1s r continue booting [d=1 -a]
          Polled r until 2s: booting [d=1 -a]
          queue r.poll#2 @2s
        @2s r failed disk [e=1]
          NodeFailed r: disk, cause: booting [e=1]
          queue finally#1
        finally failed alarm [f=1]
          HookFailed finally until 2s: alarm [f=1]
          queue finally#2 @2s
        finally done [g=1]
          HookDone finally [g=1]; RunEnded failed: r: disk, cause: booting
        ? context
          b=1, c=1, d=1, e=1, f=1, g=1
        ",
    );
}

#[test]
fn a_rescue_writes_too_whether_it_helped_or_not() {
    check(
        "a rescue; b < a rescue",
        "
        start
        a failed boom [a=1]
        a done [b=1]
        b failed boom [c=1]
        b failed still [d=1]
        ? context
          a=1, b=1, c=1, d=1
        ",
    );
}

#[test]
fn of_two_writes_to_one_key_the_last_counts_also_inside_of_one_call() {
    check("a; b", "start\nb done [k=b]\na done [k=1 k=2 -x x=3]\n? context\n  k=2, x=3");
    check("a", "start\na done [k=1 -k]\n? context\n  nothing");
}

#[test]
fn the_writes_of_a_rejected_outcome_are_dropped() {
    check("a; b < a", "start\na done [k=1]\na#1 done [k=2]\n  rejected: stale a#1\n? context\n  k=1");
}
