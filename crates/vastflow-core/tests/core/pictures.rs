//! Plans to look at: DOT, Mermaid, and the description that goflow's tools read.

use crate::dsl::plan;
use vastflow_core::Plan;

/// Every kind of node, and everything that an author can say about one.
fn everything() -> Plan {
    let node = |name: &str, kind: &str, more: &str| {
        // `a` hands on a value, `a!` only orders.
        let inputs = |from: &str| match from {
            "input" => r#"{"from":"input"}"#.to_owned(),
            from => {
                let order_only = from.ends_with('!');
                let from = from.trim_end_matches('!');
                format!(r#"{{"from":{{"node":"{from}"}},"order_only":{order_only}}}"#)
            }
        };
        let (from, more) = more.split_once(';').unwrap_or((more, ""));
        let from: Vec<String> = from.split_whitespace().map(inputs).collect();
        format!(r#"{{"name":"{name}","kind":{kind},"inputs":[{}]{more}}}"#, from.join(","))
    };
    let body = |nodes: &[String]| format!(r#"{{"flow":"x","nodes":[{}]}}"#, nodes.join(","));
    let pass = body(&[node("face-match", r#""task""#, "input")]);
    let fail = body(&[
        node("create-user", r#""task""#, "input"),
        node("mail", r#""task""#, ";,\"undo\":{},\"on_exhausted\":\"pause\""),
    ]);
    let branch = format!(r#"{{"branch":{{"cases":[{{"key":"pass","body":{pass}}},{{"key":"fail","body":{fail}}}]}}}}"#);
    let each = body(&[node("mark", r#""task""#, "input;,\"lane\":\"slow\"")]);
    let foreach = format!(
        r#"{{"for_each":{{"body":{each},"window":100,"partial":{{"tolerate":2}},"gives":{{"reduced":{{"ordered":true}}}}}}}}"#
    );
    let inside = body(&[node("vm", r#"{"river":{"poll":{"times":10,"interval_ms":1000}}}"#, ";,\"atomic\":true")]);
    let basin = format!(r#"{{"basin":{{"body":{inside},"export":["vmId"]}}}}"#);
    let retry = r#","retry":{"retries":3,"interval_ms":100,"factor":2,"max_interval_ms":3600000,"jitter_percent":0}"#;
    let nodes = [
        node("get", r#""task""#, &format!("input;{retry},\"attempt_timeout_ms\":30000,\"timeout_ms\":90000")),
        node("verify.url", r#""task""#, "get;,\"group\":[\"verify\"]"),
        node("verify.deep.look", r#""task""#, "verify.url;,\"group\":[\"verify\",\"deep\"]"),
        node("verify.face", r#""task""#, "verify.url;,\"group\":[\"verify\"],\"aggregator\":true"),
        node("handle", &branch, "verify.face"),
        node("each", &foreach, "handle"),
        node("basin", &basin, "each!;,\"isolated\":true"),
        node("ok", r#"{"signal":{"name":"approved"}}"#, "basin"),
        node("think", r#"{"sleep":{"duration_ms":60000}}"#, "ok"),
        node("both", r#""gate""#, "think!"),
        node(
            "last",
            r#""task""#,
            "get each verify.deep.look;,\"join\":{\"n_of\":2},\"rescue\":true,\"isolated\":true,\"labels\":{\"colour\":\"red\"}",
        ),
    ];
    let json = format!(
        r#"{{"flow":"everything","nodes":[{}],"outputs":["last"],"on_failure":{{}},"finally":{{"code":"the-end"}}}}"#,
        nodes.join(",")
    );
    Plan::from_json(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Compares with a file beside this one. `VASTFLOW_WRITE_GOLDEN=1` writes it: look at what changed before you commit.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/core/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("VASTFLOW_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is not as it was:\n{text}");
}

#[test]
fn everything_as_dot() {
    let text = everything().to_dot();
    golden("everything.dot", &text);
    assert_eq!(text, everything().to_dot(), "the same plan gives the same text");
    check_dot(&text);
}

#[test]
fn everything_as_mermaid() {
    let text = everything().to_mermaid();
    golden("everything.mmd", &text);
    assert_eq!(text, everything().to_mermaid());
    check_mermaid(&text);
}

#[test]
fn a_small_plan_can_be_read_as_it_is() {
    let plan = plan("a; b < a order; c < a forward, b");
    let dot: Vec<String> = plan.to_dot().lines().skip(5).map(|line| line.trim().to_owned()).collect();
    let expected = [
        r##"n0 [label="input" shape=ellipse fillcolor="#ffffff"];"##,
        r#"n1 [label="a"];"#,
        r#"n2 [label="b"];"#,
        r#"n3 [label="c" penwidth=3];"#,
        "n0 -> n1;",
        "n1 -> n2 [style=dotted];",
        r#"n1 -> n3 [label="forwarder"];"#,
        "n2 -> n3;",
        "}",
    ];
    assert_eq!(dot, expected);
    let expected = "flowchart TB
  n0([\"input\"])
  n1[\"a\"]
  n2[\"b\"]
  n3[\"c\"]
  n0 --> n1
  n1 -.-> n2
  n1 -->|\"forwarder\"| n3
  n2 --> n3
  classDef result stroke-width:3px
  class n3 result
";
    assert_eq!(plan.to_mermaid(), expected);
}

/// Texts that a careless writer would let out of their quotes.
const NASTY: [&str; 8] = [
    "\"]; evil -> n0; [\"",
    "back\\",
    "\\N \\\" &lt;b&gt; &quot;",
    "line\nbreak\r\u{0}\t",
    "<script>alert(1)</script>",
    "`code` **bold** [a](javascript:b) %%{init}%% end",
    "1. list - + #35; ;",
    "ünïcode → ✓ \u{202e}",
];

#[test]
fn no_name_key_or_label_can_leave_its_quotes() {
    let text = |text: &str| serde_json_text(text);
    for (at, nasty) in NASTY.iter().enumerate() {
        let other = text(NASTY[(at + 1) % NASTY.len()]);
        let case = |key: &str, name: &str| {
            format!(r#"{{"key":{key},"body":{{"flow":"x","nodes":[{{"name":"{name}","kind":"task"}}]}}}}"#)
        };
        let json = format!(
            r#"{{"flow":"a:b.c-d_e","nodes":[
                {{"name":"a:b.c-1.2_-","kind":"task","labels":{{{key}:{other}}}}},
                {{"name":"end","kind":{{"branch":{{"cases":[{},{}]}}}},"inputs":[{{"from":{{"node":"a:b.c-1.2_-"}}}}]}},
                {{"name":"out","kind":{{"basin":{{"export":[{key}],"body":{{"flow":"x","nodes":[{{"name":"subgraph","kind":"task"}}]}}}}}}}}
            ]}}"#,
            case(&text(nasty), "graph"),
            case(&other, "class"),
            key = text(nasty),
        );
        let plan = Plan::from_json(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        check_dot(&plan.to_dot());
        check_mermaid(&plan.to_mermaid());
    }
}

/// A text as JSON has it.
fn serde_json_text(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Outside of quotes stands nothing but what the writer writes; inside, no entity begins but the one it writes.
#[track_caller]
fn check_dot(text: &str) {
    for line in text.lines() {
        let (mut outside, mut inside, mut is_quoted) = (String::new(), String::new(), false);
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => is_quoted = !is_quoted,
                '\\' if is_quoted => inside.extend(chars.next().filter(|next| !"\"\\n".contains(*next)).map(|_| '!')),
                c if is_quoted => inside.push(c),
                c => outside.push(c),
            }
        }
        assert!(!is_quoted, "a quote stays open in {line:?}");
        assert!(outside.chars().all(|c| c.is_ascii_alphanumeric() || " _{}[]=->;,".contains(c)), "{line:?}");
        assert!(!inside.contains('!') || NASTY.iter().any(|it| it.contains('!')), "{line:?}");
        assert!(inside.split('&').skip(1).all(|rest| rest.starts_with("amp;")), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let depth = |c| text.lines().filter(|line| line.trim_end().ends_with(c)).count();
    assert_eq!(depth('{'), depth('}'), "{text}");
}

/// The same; and inside of quotes is nothing that Mermaid, Markdown or HTML could take for markup.
#[track_caller]
fn check_mermaid(text: &str) {
    for line in text.lines() {
        let parts: Vec<&str> = line.split('"').collect();
        assert!(parts.len() % 2 == 1, "a quote stays open in {line:?}");
        for (at, part) in parts.iter().enumerate() {
            let plain = part.replace("<br/>", "");
            match at % 2 {
                0 => assert!(plain.is_ascii() && !plain.contains(['<', '#', '%']), "{line:?}"),
                _ => assert!(
                    plain.chars().all(|c| c.is_alphanumeric() || " ,×=_#;-.:".contains(c))
                        && !plain.starts_with(['-', '.', '#', ':', ' ']) | plain.starts_with('#'),
                    "{line:?}"
                ),
            }
        }
    }
}

#[test]
fn case_56_the_definition_has_degrees_children_and_unique_ids() {
    let plan = plan("node1; node2 < node1; node3 < node1; node4 < node2, node3 aggregator");
    let definition = plan.definition();
    let (one, four) = (&definition.nodes["node1"], &definition.nodes["node4"]);
    assert_eq!((definition.start_node.as_deref(), definition.end_node.as_deref()), (Some("node1"), Some("node4")));
    assert_eq!(one.childrens, ["node2", "node3"]);
    assert_eq!((one.in_degree, one.out_degree), (0, 2));
    assert_eq!((four.in_degree, four.has_aggregator, four.unique_id.as_str()), (2, true, "0_4_node4"));
    let json = definition.to_json();
    for needed in [
        r#""start-node": "node1""#,
        r#""end-node": "node4""#,
        r#""unique-id": "0_4_node4""#,
        r#""has-aggregator": true"#,
        r#""in-degree": 2"#,
        r#""is-valid": true"#,
    ] {
        assert!(json.contains(needed), "{needed} is missing in {json}");
    }
    assert_eq!(json, plan.definition().to_json());
}

#[test]
fn the_definition_goes_into_what_stands_inside() {
    let definition = everything().definition();
    let handle = &definition.nodes["handle"];
    assert!(handle.is_dynamic && handle.is_condition && !handle.is_foreach);
    assert_eq!(handle.conditional_dags["fail"].nodes["mail"].unique_id, "0_5_fail_2_mail");
    assert_eq!(definition.nodes["each"].foreach_dag.as_ref().unwrap().start_node.as_deref(), Some("mark"));
    assert_eq!(definition.nodes["basin"].sub_dag.as_ref().unwrap().nodes["vm"].kind, "river");
    assert_eq!(definition.start_node.as_deref(), Some("get"));
    assert!(definition.nodes["each"].child_exec_only["basin"] && definition.has_branch && definition.has_edge);
}
