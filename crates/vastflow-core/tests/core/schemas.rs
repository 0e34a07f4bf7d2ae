//! What code of today can read of what code of yesterday wrote.

use vastflow_core::plan::Schema;

fn schema(json: &str) -> Schema {
    serde_json::from_str(json).unwrap()
}

#[track_caller]
fn check(own: &str, written: &str, reads: bool) {
    let (own, written) = (schema(own), schema(written));
    assert_eq!(own.reads(&written), reads, "{own} reads {written}");
}

#[test]
fn a_value_reads_what_looks_like_it() {
    check(r#""int""#, r#""int""#, true);
    check(r#""int""#, r#""text""#, false);
    check(r#""float""#, r#""int""#, true);
    check(r#""int""#, r#""float""#, false);
    check(r#""any""#, r#""text""#, true);
    check(r#""text""#, r#""any""#, true);
    check(r#"{"maybe":"int"}"#, r#""int""#, true);
    check(r#"{"maybe":"int"}"#, r#""nothing""#, true);
    check(r#""int""#, r#"{"maybe":"int"}"#, false);
    check(r#"{"list":"float"}"#, r#"{"list":"int"}"#, true);
    check(r#"{"list":"int"}"#, r#"{"tuple":["int","text"]}"#, false);
    check(r#"{"tuple":["int"]}"#, r#"{"tuple":["int","int"]}"#, false);
    check(r#"{"map":"int"}"#, r#"{"map":"text"}"#, false);
}

#[test]
fn fields_may_come_and_go_as_far_as_those_that_read_can_do_without() {
    let (one, two) = (r#"{"fields":{"a":"int"}}"#, r#"{"fields":{"a":"int","b":"int"}}"#);
    check(one, two, true);
    check(two, one, false);
    check(r#"{"fields":{"a":"int","b":{"maybe":"int"}}}"#, one, true);
    check(r#"{"fields":{"a":"text"}}"#, two, false);
    check(r#"{"map":"int"}"#, two, true);
    check(r#"{"one_of":["a","b"]}"#, r#"{"one_of":["b"]}"#, true);
    check(r#"{"one_of":["b"]}"#, r#"{"one_of":["a","b"]}"#, false);
}

#[test]
fn it_is_written_as_one_would_say_it() {
    let json = r#"{"fields":{"all":{"list":{"tuple":["int",{"map":"bool"}]}},"kind":{"one_of":["big","small"]},"note":{"maybe":"text"}}}"#;
    assert_eq!(schema(json).to_string(), "{all: [(int, {*: bool})], kind: <big, small>, note?: text}");
    assert_eq!(serde_json::to_string(&schema(json)).unwrap(), json);
}
