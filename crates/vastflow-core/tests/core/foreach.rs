//! Foreach: pages, the window, failed items, joins, and what is made of the results.

use crate::dsl::{check, check_inside};

#[test]
fn items_are_scopes_and_the_result_is_a_list_in_their_order() {
    check(
        "f foreach 9 { a }; b < f",
        "
        start
          RunStarted
          queue f#1
        f items x y z
          ItemsAdded f: 3
          send f[0] begin x, f[1] begin y, f[2] begin z
        f[2] ended 3
          ChildEnded f[2] = 3
        f[0] ended 1
        f[1] ended 2
          ChildEnded f[1] = 2
          queue b#1
        ? inputs b
          [\"1\",\"2\",\"3\"]
        ",
    );
    check_inside(
        "f foreach 9 { a }",
        "f",
        "0",
        "parent begin x\na done\n  NodeSucceeded a = a(x); RunEnded succeeded\n  send parent ended = a(x)",
    );
}

#[test]
fn every_item_begins_with_the_context_of_the_first_whatever_others_wrote_meanwhile() {
    check(
        "f foreach 1 { a }; b < f",
        "
        start [k=0]
        f items x y then p2
          ItemsAdded f: 2 then p2
          send f[0] begin x [k=0]
        f[0] ended 1 [k=1 l=1]
          ChildEnded f[0] = 1 [k=1 l=1]
          queue f#2; send f[1] begin y [k=0]
        f items z
          ItemsAdded f: 1
        f[1] ended 2
          ChildEnded f[1] = 2
          send f[2] begin z [k=0]
        ? context
          k=1, l=1
        ",
    );
}

#[test]
fn case_38_a_map_of_items_gives_a_map_of_results_by_key() {
    check(
        "f foreach 9 map { a }; b < f",
        "
        start
        f items u2=x u1=y
          ItemsAdded f: 2
          send f[u2] begin x, f[u1] begin y
        f[u2] ended 2
        f[u1] ended 1
        ? inputs b
          {\"u1\":\"1\",\"u2\":\"2\"}
        ",
    );
}

#[test]
fn no_items_give_an_empty_list_or_map() {
    check("f foreach 9 { a }", "start\nf items\n  ItemsAdded f: 0; RunEnded succeeded\n? output\n  []");
    check("f foreach 9 map { a }", "start\nf items\n? output\n  {}");
    check("f foreach 9 needs settled { a }", "start\nf items\n? output\n  []");
    check("f foreach 9 needs any { a }", "start\nf items\n? outcome\n  failed: f: it needs 1 and there were 0");
}

#[test]
fn at_most_a_window_of_items_is_under_way_and_pages_are_read_as_they_are_used_up() {
    check(
        "f foreach 2 { a }; b < f",
        "
        start
        f items a b c d then p2
          ItemsAdded f: 4 then p2
          send f[0] begin a, f[1] begin b
        f[1] ended 1
          ChildEnded f[1] = 1
          queue f#2; send f[2] begin c
        ? cursor f
          p2
        f[0] ended 0
          ChildEnded f[0] = 0
          send f[3] begin d
        f[2] ended 2
        f[3] ended 3
          ChildEnded f[3] = 3
        f items e then p3
          ItemsAdded f: 1 then p3
          queue f#3; send f[4] begin e
        f items
          ItemsAdded f: 0
        f[4] ended 4
          ChildEnded f[4] = 4
          queue b#1
        ? inputs b
          [\"0\",\"1\",\"2\",\"3\",\"4\"]
        ",
    );
}

#[test]
fn each_page_has_all_retries_of_the_node() {
    check(
        "f retry 1@1s foreach 1 { a }",
        "
        start
        f failed net
          AttemptFailed f until 1s: net
          queue f#2 @1s
        @1s f items x then p2
          ItemsAdded f: 1 then p2
          queue f#3; send f[0] begin x
        f failed net
          AttemptFailed f until 2s: net
          queue f#4 @2s
        @2s f failed net
          NodeFailed f: net
          send f[0] cancel
        f[0] failed stopped
          ChildEnded f[0]: stopped; RunEnded failed: f: net
        ",
    );
}

#[test]
fn keys_must_be_there_in_a_map_unique_and_not_too_long() {
    let failed = |plan: &str, items: &str, why: &str| {
        check(plan, &format!("start\nf items {items}\n? outcome\n  failed: f: {why}"));
    };
    failed(
        "f foreach 9 map { a }",
        "x",
        "an item without a key, or with an empty one, in a map; give all of them keys, or none",
    );
    failed("f foreach 9 { a }", "k=x", "an item with a key in a list; give all of them keys, or none");
    let twice = "two items have the key \"k\"; give each a key of its own";
    failed("f foreach 9 map { a }", "k=x k=y", twice);
    let long = "k".repeat(257);
    failed("f foreach 9 map { a }", &format!("{long}=x"), "a key of 257 bytes, the limit is 256 (MAX_KEY_BYTES)");
    check(
        "f foreach 9 map { a }",
        &format!("start\nf items k=x then p2\nf items k=y\n  NodeFailed f: {twice}\n  send f[k] cancel"),
    );
}

#[test]
fn a_page_with_too_many_items_fails_the_node() {
    let items = "x ".repeat(100_001);
    let why =
        "a page of 100001 items, the limit is 100000 (MAX_PAGE_ITEMS); hand them on in several pages (for_each_page)";
    check("f foreach 9 { a }", &format!("start\nf items {items}\n? outcome\n  failed: f: {why}"));
}

#[test]
fn the_first_failed_item_stops_the_others_and_no_more_begin() {
    check(
        "f foreach 2 { a }",
        "
        start
        f items x y z then p2
        f[0] failed boom
          ChildEnded f[0]: boom
          drop f#2; cancel f#2; send f[1] cancel
        f[1] ended 1
          ChildEnded f[1] = 1; RunEnded failed: f: [0] boom
        ",
    );
}

#[test]
fn with_finish_all_items_are_carried_to_their_end_and_then_it_fails() {
    check(
        "f foreach 1 finish { a }",
        "
        start
        f items x y z
        f[0] failed boom
          ChildEnded f[0]: boom
          send f[1] begin y
        f[1] ended 1
        f[2] failed bang
          ChildEnded f[2]: bang; RunEnded failed: f: 2 of 3 failed, the first: [0] boom
        ",
    );
}

#[test]
fn tolerated_failures_are_left_out_and_one_more_stops_it() {
    check(
        "f foreach 9 tolerate 1 { a }; b < f",
        "start\nf items x y z\nf[1] failed boom\nf[0] ended 0\nf[2] ended 2\n? inputs b\n  [\"0\",\"2\"]",
    );
    check(
        "f foreach 9 tolerate 1 { a }",
        "
        start
        f items x y z
        f[1] failed boom
        f[0] failed bang
          ChildEnded f[0]: bang
          send f[2] cancel
        f[2] failed x
          ChildEnded f[2]: x; RunEnded failed: f: 2 of 2 failed, the first: [1] boom
        ",
    );
}

#[test]
fn joins_of_items_take_the_first_that_come() {
    check(
        "f foreach 9 needs any { a }; b < f",
        "
        start
        f items x y z
        f[1] ended 1
          ChildEnded f[1] = 1
          queue b#1; send f[0] cancel, f[2] cancel
        ? inputs b
          1
        ",
    );
    check(
        "f foreach 9 needs 2 { a }; b < f",
        "
        start
        f items x y z
        f[2] ended 2
        f[0] failed boom
        f[1] ended 1
          ChildEnded f[1] = 1
          queue b#1
        ? inputs b
          [\"1\",\"2\"]
        ",
    );
    check(
        "f foreach 9 needs 2 { a }",
        "start\nf items x y\nf[0] failed boom\nf[1] ended 1\n? outcome\n  failed: f: 1 of 2 failed, the first: [0] boom",
    );
    check(
        "f foreach 9 map needs settled { a }; b < f",
        "start\nf items k=x l=y\nf[l] failed boom\nf[k] ended 1\n? inputs b\n  {\"k\":{\"Ok\":\"1\"},\"l\":{\"Err\":\"boom\"}}",
    );
}

#[test]
fn items_that_were_not_needed_are_waited_for_before_the_end_but_not_heard() {
    check(
        "f foreach 9 needs any { a }; finally",
        "
        start
        f items x y
        f[0] ended 0
          ChildEnded f[0] = 0
          queue grace @10s; send f[1] cancel
        f[1] ended 1 [k=v]
          ChildEnded f[1] = 1 [k=v]
          queue finally#1; drop grace
        finally done
        ? output
          0
        ? context
          nothing
        ",
    );
}

#[test]
fn results_are_folded_as_they_come() {
    check(
        "f foreach 9 reduce { a }; b < f",
        "
        start
        f items x y z
        f[1] ended 1
          ChildEnded f[1] = 1
          queue f.reduce#1
        ? reduce f
          nothing and 1=1
        f[0] ended 0
          ChildEnded f[0] = 0
        f.reduce reduced 1 A
          Reduced f 1 = A
          queue f.reduce#2
        ? reduce f
          A and 0=0
        f[2] ended 2
        f.reduce reduced 2 B
          Reduced f 2 = B
          queue b#1
        ? inputs b
          B
        ",
    );
}

#[test]
fn with_no_item_there_is_still_a_first_value() {
    check(
        "f foreach 9 reduce { a }",
        "
        start
        f items
          ItemsAdded f: 0
          queue f.reduce#1
        ? reduce f
          nothing and nothing
        f.reduce reduced 0 zero
          Reduced f 0 = zero; RunEnded succeeded
        ? output
          zero
        ",
    );
}

#[test]
fn results_are_folded_in_order_if_asked_and_those_left_out_do_not_hold_it_up() {
    check(
        "f foreach 9 ordered tolerate 3 { a }",
        "
        start
        f items a b c d e
        f[2] ended 2
          ChildEnded f[2] = 2
        f[1] failed boom
          ChildEnded f[1]: boom
        f[4] ended 4
        f[0] ended 0
          ChildEnded f[0] = 0
          queue f.reduce#1
        ? reduce f
          nothing and 0=0, 2=2
        f.reduce reduced 1 A
          Reduced f 1 = A
          queue f.reduce#2
        ? reduce f
          A and 2=2
        f[3] failed bang
          ChildEnded f[3]: bang
        ? reduce f
          A and 2=2, 4=4
        f.reduce reduced 2 B
          Reduced f 2 = B; RunEnded succeeded
        ? output
          B
        ",
    );
}

#[test]
fn an_ordered_fold_forgets_what_was_left_out() {
    let run = check(
        "f foreach 9 ordered tolerate 3 { a }",
        "start\nf items a b c d\nf[1] failed x\nf[0] ended 0\nf[2] ended 2\nf.reduce reduced 2 A",
    );
    assert!(format!("{:?}", run.state).contains("left_out: {}"), "{:?}", run.state);
}

#[test]
fn a_fold_is_retried_by_the_policy_of_the_node() {
    check(
        "f retry 1@1s foreach 9 reduce { a }",
        "
        start
        f items x
        f[0] ended 0
        f.reduce failed net
          ReduceFailed f until 1s: net
          queue f.reduce#2 @1s
        @1s f.reduce failed net
          NodeFailed f: net; RunEnded failed: f: net
        ",
    );
}

#[test]
fn a_fold_that_fails_while_a_page_is_read_leaves_no_task() {
    // Both calls have number 2.
    check(
        "f foreach 2 reduce { a }; finally",
        "
        start
        f items a b c d then p2
        f[0] ended 0
          ChildEnded f[0] = 0
          queue f#2, f.reduce#1; send f[2] begin c
        f.reduce reduced 1 A
        f[1] ended 1
          ChildEnded f[1] = 1
          queue f.reduce#2; send f[3] begin d
        f.reduce failed boom
          NodeFailed f: boom
          drop f#2, f.reduce#2; cancel f#2, f.reduce#2; send f[2] cancel, f[3] cancel
        ? queue
          nothing
        ",
    );
}

#[test]
fn a_fold_says_how_many_of_its_results_it_took_and_not_more_nor_none() {
    let failed = |count: u32| {
        check(
            "f foreach 9 ordered { a }",
            &format!(
                "start\nf items x y z\nf[0] ended 0\nf[2] ended 2\nf.reduce reduced {count} A\n? nodes\n  f failed\n? outcome\n  failed: f: {count} is not how many results it was given"
            ),
        );
    };
    failed(2);
    failed(0);
}

#[test]
fn a_list_has_as_many_results_as_there_are_items() {
    const ITEMS: usize = 1_300;
    let mut script = String::from("start\nf items");
    (0..ITEMS).for_each(|_| script.push_str(" x"));
    (0..ITEMS).for_each(|at| script.push_str(&format!("\nf[{at}] ended 1")));
    let results = vec!["\"1\""; ITEMS].join(",");
    script.push_str(&format!("\n  ChildEnded f[{}] = 1; RunEnded succeeded\n? output\n  [{results}]", ITEMS - 1));
    check("f foreach 2 { a }", &script);
}

#[test]
fn the_window_also_bounds_what_waits_to_be_folded_in_order() {
    let mut script = String::from("start\nf items");
    (0..1_100).for_each(|_| script.push_str(" x"));
    // The first item takes its time, and all others wait for it.
    (1..1_026).for_each(|at| script.push_str(&format!("\nf[{at}] ended {at}")));
    script.push_str("\n  ChildEnded f[1025] = 1025\nf[0] ended 0\n  ChildEnded f[0] = 0\n  queue f.reduce#1");
    check("f foreach 2 ordered { a }", &script);
}

#[test]
fn a_result_that_is_too_large_fails_the_node_and_names_the_limit() {
    let big = "x".repeat(600_000);
    let why =
        "its result has 1200007 bytes, the limit is 1048576 (MAX_PAYLOAD_BYTES); reduce it, or hand on references";
    check(
        "f foreach 2 { a }",
        &format!("start\nf items a b\nf[0] ended {big}\nf[1] ended {big}\n? outcome\n  failed: f: {why}"),
    );
}

#[test]
fn a_page_that_is_read_for_nobody_is_let_go_of() {
    check(
        "f foreach 1 { a }; bad",
        "
        start
        f items x then p2
        bad failed boom
          NodeFailed bad: boom
          drop f#2; cancel f#2; send f[0] cancel
        f#2 items y
          rejected: stale f#2
        f[0] ended 0 [k=v]
          ChildEnded f[0] = 0 [k=v]; RunEnded failed: bad: boom
        ? context
          k=v
        ",
    );
}

#[test]
fn items_that_come_when_the_run_stops_do_not_begin() {
    check(
        "f foreach 1 { a }; bad",
        "start\nbad failed boom\nf items x y\n  ItemsAdded f: 2; RunEnded failed: bad: boom\n? nodes\n  f dropped, bad failed",
    );
}

#[test]
fn a_foreach_that_takes_too_long_stops_its_items() {
    check(
        "f timeout 5s foreach 9 { a }",
        "
        start
        f items x
        @5s timer f.deadline
          NodeFailed f: not done within 5s
          drop f.deadline; send f[0] cancel
        f[0] failed stopped
          ChildEnded f[0]: stopped; RunEnded failed: f: not done within 5s
        ",
    );
}
