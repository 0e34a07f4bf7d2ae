//! Rivers: submit, then poll until it is done.

use crate::dsl::check;

#[test]
fn case_03_the_interval_passes_before_every_poll_the_first_included() {
    check(
        "r river 10@1s",
        "
        start
          RunStarted
          queue r#1
        @1s r submitted
          Submitted r until 2s
          queue r.poll#1 @2s
        ? nodes
          r polling
        @2s r continue booting
          Polled r until 3s: booting
          queue r.poll#2 @3s
        @3s r continue booting
          Polled r until 4s: booting
          queue r.poll#3 @4s
        @4s r done
          NodeSucceeded r = null; RunEnded succeeded
        ",
    );
}

#[test]
fn case_04_a_river_that_is_never_done_fails_when_its_polls_are_spent() {
    check(
        "r river 3@1s; on_failure",
        "
        start
        r submitted
        @1s r continue pending
        @2s r continue pending
        @3s r continue pending
          NodeFailed r: cycle 3 times failed, cause: pending
          queue on_failure#1
        on_failure done
          HookDone on_failure; RunEnded failed: r: cycle 3 times failed, cause: pending
        ",
    );
}

#[test]
fn case_05_a_river_with_zero_polls_is_done_when_it_is_submitted() {
    check("r river 0@1s; a < r order", "start\nr submitted\n  NodeSucceeded r = null\n  queue a#1");
}

#[test]
fn case_06_a_flow_that_asks_for_a_retry_is_called_again_after_the_interval() {
    check(
        "r river 1@1s retry 3@1s",
        "
        start
        r retry busy
          AttemptFailed r until 1s: busy
          queue r#2 @1s
        ? nodes
          r retrying
        @1s r retry busy
          AttemptFailed r until 2s: busy
          queue r#3 @2s
        @2s r submitted
          Submitted r until 3s
          queue r.poll#1 @3s
        @3s r done
          NodeSucceeded r = null; RunEnded succeeded
        ",
    );
}

#[test]
fn case_07_a_flow_that_always_asks_for_a_retry_fails_after_one_call_more_than_retries() {
    check(
        "r river 1@1s retry 2",
        "
        start
        r retry busy
        r retry busy
        r retry busy
          NodeFailed r: retry 2 times failed, cause: busy; RunEnded failed: r: retry 2 times failed, cause: busy
        ",
    );
}

#[test]
fn case_08_an_error_after_a_retry_fails_at_once_and_keeps_both_texts() {
    check(
        "r river 1@1s retry 9",
        "start\nr retry busy\nr failed disk\n  NodeFailed r: disk, cause: busy; RunEnded failed: r: disk, cause: busy",
    );
}

#[test]
fn an_error_of_a_flow_fails_at_once_whatever_the_policy() {
    check("r river 1@1s retry 9", "start\nr failed disk\n  NodeFailed r: disk; RunEnded failed: r: disk");
    check("r river 1@1s retry 9", "start\nr timed_out slow\n  NodeFailed r: slow; RunEnded failed: r: slow");
}

#[test]
fn an_error_of_a_cycle_fails_at_once_and_keeps_what_the_poll_before_said() {
    check("r river 9@1s", "start\nr submitted\n@1s r failed disk\n  NodeFailed r: disk; RunEnded failed: r: disk");
    check(
        "r river 9@1s retry 9",
        "
        start
        r submitted
        @1s r continue booting
        @2s r continue almost
        @3s r failed disk
          NodeFailed r: disk, cause: almost; RunEnded failed: r: disk, cause: almost
        ",
    );
}

#[test]
fn a_river_hands_on_what_its_last_poll_said() {
    check("r river 1@1s; b < r, input", "start x\nr submitted\n@1s r done vm1\n? inputs b\n  vm1, x");
    check("r river 0@1s; b < r, input", "start x\nr submitted\n? inputs b\n  null, x");
}

#[test]
fn case_01_two_rivers_overlap_and_the_third_starts_when_both_are_done() {
    check(
        "vm river 10@1s; volume river 3@1s; gate both < vm, volume; attach < both river 3@1s; finally",
        "
        start [vmName=my-vm volName=my-vol]
          RunStarted
          queue vm#1, volume#1
        vm submitted [vmId=vmId1]
        volume submitted [volId=volId1]
        ? queue
          vm.poll#1 @1s, volume.poll#1 @1s
        @1s vm done
          NodeSucceeded vm = null
        @1s volume done
          NodeSucceeded volume = null
          queue attach#1
        ? context
          vmId=vmId1, vmName=my-vm, volId=volId1, volName=my-vol
        attach submitted
        @2s attach done
          NodeSucceeded attach = null
          queue finally#1
        finally done
          HookDone finally; RunEnded succeeded
        ? nodes
          vm succeeded, volume succeeded, both succeeded, attach succeeded
        ",
    );
}

#[test]
fn case_02_a_failing_flow_lets_its_sibling_finish_its_call_and_no_more() {
    check(
        "vm river 10@1s; volume river 3@1s; gate both < vm, volume; attach < both river 3@1s; on_failure",
        "
        start
        volume failed quota
          NodeFailed volume: quota
          cancel vm#1
        @1s vm submitted
          Submitted vm until 2s
          queue on_failure#1
        on_failure done
          HookDone on_failure; RunEnded failed: volume: quota
        ? nodes
          vm dropped, volume failed, both dropped, attach dropped
        ",
    );
}
