//! JSON held against a type: what is refused serde refuses too, and the likely slips are refused.

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU8;
use std::time::Duration;
use vastflow_sdk::{Bytes, Data, misfit};

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    #[serde(rename = "totalCents")]
    total: i32,
    note: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    paid: Paid,
    weight: Weight,
    at: (f64, NonZeroU8),
}

#[derive(Serialize, Deserialize)]
enum Paid {
    Card { number: String },
    Transfer(String, u32),
    Bonus(u8),
    Cash,
}

#[derive(Serialize, Deserialize)]
struct Weight(f32);

#[derive(Serialize, Deserialize)]
struct Place(u32, #[serde(default)] u32, #[serde(default)] Option<bool>);

#[derive(Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Settings {
    deep: Option<Box<Settings>>,
    size: u16,
    marks: BTreeSet<char>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Beside {
    Number(u32),
    Text(String),
    Both { a: bool, b: Vec<u8> },
    Neither,
}

#[derive(Serialize, Deserialize)]
struct Wraps {
    beside: Beside,
    all: BTreeMap<u32, Vec<Beside>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Within {
    One { n: u32 },
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u32),
    Words(Vec<String>),
}

#[derive(Serialize, Deserialize)]
enum Open {
    Known,
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct Flat {
    n: u32,
    #[serde(flatten)]
    more: BTreeMap<String, u32>,
}

#[derive(Serialize, Deserialize)]
struct Aliased {
    #[serde(alias = "number")]
    n: u32,
    #[serde(alias = "words")]
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Lenient {
    #[serde(deserialize_with = "or_none")]
    n: Option<u32>,
    #[serde(deserialize_with = "or_cash")]
    paid: Plain,
    #[serde(deserialize_with = "whatever", skip_serializing, rename = "ignored")]
    _ignored: (),
    open: Open,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
enum Plain {
    Cash,
    Card,
}

fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(u32::deserialize(from).ok())
}

fn or_cash<'de, D: Deserializer<'de>>(from: D) -> Result<Plain, D::Error> {
    Ok(Plain::deserialize(from).unwrap_or(Plain::Cash))
}

fn whatever<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    IgnoredAny::deserialize(from).map(|_| ())
}

/// A number of seconds, whole or not.
#[derive(Serialize)]
struct Seconds(f64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl serde::de::Visitor<'_> for Any {
            type Value = Seconds;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("seconds")
            }
            fn visit_u64<E>(self, n: u64) -> Result<Seconds, E> {
                Ok(Seconds(n as f64))
            }
            fn visit_f64<E>(self, n: f64) -> Result<Seconds, E> {
                Ok(Seconds(n))
            }
        }
        from.deserialize_u64(Any)
    }
}

/// A share that is needed only by one of its modes.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "RawShare")]
struct Share {
    mode: Plain,
    percent: u8,
}

#[derive(Deserialize)]
struct RawShare {
    mode: Plain,
    #[serde(default)]
    percent: u8,
}

impl TryFrom<RawShare> for Share {
    type Error = String;
    fn try_from(raw: RawShare) -> Result<Self, String> {
        match (raw.mode, raw.percent) {
            (Plain::Cash, 0) => Err("how much?".into()),
            (mode, percent) => Ok(Share { mode, percent }),
        }
    }
}

/// A day, from a text of its own form.
#[derive(Serialize)]
struct Day(String);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() == 10 { Ok(Day(text)) } else { Err(D::Error::custom("no day")) }
    }
}

#[derive(Serialize, Deserialize)]
struct Unit;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    day: Day,
    wait: Seconds,
    long: i128,
    span: Duration,
    unit: Unit,
    what: Value,
}

/// Its second variant cannot be tried out: it looks at what it gets.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Moves {
    Id(u32),
    Move { x: u32 },
}

/// Nor can these: one wants a text of its own, the other looks at what it gets.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename = "renamed", deny_unknown_fields)]
enum Secretive {
    Id(u32),
    Secret(Secret),
    Within(Within),
}

#[derive(Serialize)]
struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "a" { Ok(Secret(text)) } else { Err(D::Error::custom("no secret")) }
    }
}

#[derive(Serialize, Deserialize)]
struct Named {
    n: u32,
}

#[derive(Serialize, Deserialize)]
struct Unnamed {
    #[serde(default)]
    n: u32,
}

/// Variants that look alike, but one may do without something.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Alike {
    Named(Named),
    Unnamed(Unnamed),
}

/// Variants that look alike, but one takes fractions.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Waits {
    Count(u32),
    Long(Seconds),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Nothings {
    One(()),
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Units {
    One(()),
    Unit(Unit),
}

/// Holds an enum of which a variant cannot be tried out: the rest is known all the same.
#[derive(Serialize, Deserialize)]
struct Holds {
    told: Told,
    n: u32,
    moves: Moves,
}

#[derive(Serialize, Deserialize)]
enum Told {
    Nothing,
    Secret(Secret),
}

/// Written by hand: what `of` is depends on `kind`.
#[derive(Serialize)]
struct ByHand(Plain, Value);

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> serde::de::Visitor<'de> for Parts {
            type Value = ByHand;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a kind and what is of it")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<ByHand, A::Error> {
                let kind = match map.next_key::<String>()?.as_deref() {
                    Some("kind") => map.next_value()?,
                    _ => return Err(A::Error::missing_field("kind")),
                };
                let of = match (map.next_key::<String>()?.as_deref(), kind) {
                    (Some("of"), Plain::Cash) => map.next_value::<u32>()?.into(),
                    (Some("of"), Plain::Card) => map.next_value::<Secret>()?.0.into(),
                    _ => return Err(A::Error::missing_field("of")),
                };
                Ok(ByHand(kind, of))
            }
        }
        from.deserialize_struct("ByHand", &["kind", "of"], Parts)
    }
}

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn leaf(&mut self) -> Value {
        let some = [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(7),
            json!(-3),
            json!(300),
            json!(1.5),
            json!(2.0),
            json!(1e30),
            json!(u64::MAX),
            json!(""),
            json!("a"),
            json!("2026-01-01"),
            json!("Cash"),
            json!("Card"),
            json!("Number"),
            json!("Nonsense"),
            json!([]),
            json!({}),
        ];
        some[self.below(some.len())].clone()
    }

    /// Any value, of keys that the types know.
    fn value(&mut self, deep: usize) -> Value {
        const KEYS: [&str; 16] = [
            "id", "note", "kind", "of", "n", "a", "b", "number", "Bonus", "Card", "mode", "percent", "size", "deep",
            "1", "x",
        ];
        match self.below(if deep == 0 { 1 } else { 4 }) {
            0 | 1 => self.leaf(),
            2 => (0..self.below(4)).map(|_| self.value(deep - 1)).collect(),
            _ => {
                let members =
                    (0..self.below(4)).map(|_| (KEYS[self.below(KEYS.len())].to_owned(), self.value(deep - 1)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// A value with something changed in one place.
    fn change(&mut self, value: &Value) -> Value {
        let mut value = value.clone();
        match &mut value {
            Value::Object(members) if !members.is_empty() && self.below(5) > 0 => {
                let key = members.keys().nth(self.below(members.len())).cloned().unwrap_or_default();
                match self.below(6) {
                    0 => drop(members.remove(&key)),
                    1 => drop(members.insert("more".into(), self.value(1))),
                    2 => return members.values().cloned().collect(),
                    _ => {
                        let changed = self.change(&members[&key]);
                        members.insert(key, changed);
                    }
                }
            }
            Value::Array(items) if !items.is_empty() && self.below(5) > 0 => {
                let at = self.below(items.len());
                match self.below(6) {
                    0 => drop(items.remove(at)),
                    1 => items.push(self.value(1)),
                    2 => drop(items.pop()),
                    _ => items[at] = self.change(&items[at]),
                }
            }
            value if self.below(4) == 0 => *value = Value::Array(vec![value.clone()]),
            value if self.below(4) == 0 => *value = json!({ "n": value.clone() }),
            value => *value = self.value(2),
        }
        value
    }
}

/// Holds many values against a type, those that are given and what becomes of them; gives how many were refused.
fn hold<T: Serialize + DeserializeOwned + Send + 'static>(good: &[Value]) -> usize {
    let schema = T::schema();
    let mut dice = Dice(7);
    let mut refused = 0;
    let mut check = |value: &Value| {
        let text = value.to_string();
        let takes = serde_json::from_str::<T>(&text);
        if let Some(wrong) = misfit(&schema, text.as_bytes()) {
            refused += 1;
            let of = std::any::type_name::<T>();
            assert!(takes.is_err(), "{of} reads {text}, which {schema} refuses: {wrong}");
        }
        takes.is_ok()
    };
    for value in good {
        assert!(check(value), "{value}");
        for _ in 0..3_000 {
            let mut changed = dice.change(value);
            check(&changed);
            changed = dice.change(&changed);
            check(&changed);
        }
    }
    for _ in 0..3_000 {
        check(&dice.value(3));
    }
    refused
}

#[test]
fn what_is_refused_serde_refuses() {
    let order = json!({ "id": 7, "totalCents": -1, "note": "x", "tags": ["a"], "paid": { "Card": { "number": "1" } },
        "weight": 1.5, "at": [0.5, 3] });
    let short = json!({ "id": 7, "totalCents": 1, "paid": "Cash", "weight": 1, "at": [1, 3], "more": [1] });
    let listed = json!([7, 1, null, [], { "Transfer": ["a", 1] }, 1.0, [1.0, 3]]);
    assert!(hold::<Order>(&[order.clone(), short, listed]) > 1_000);
    assert!(hold::<Vec<Order>>(&[json!([order])]) > 1_000);
    assert!(hold::<Paid>(&[json!("Cash"), json!({ "Bonus": 1 }), json!({ "Cash": null })]) > 1_000);
    assert!(hold::<Place>(&[json!([1]), json!([1, 2]), json!([1, 2, true])]) > 1_000);
    let deep = json!({ "deep": { "deep": { "size": 1 } }, "marks": ["a"] });
    assert!(hold::<Settings>(&[json!({}), deep]) > 1_000);
    let numbers =
        [json!({ "kind": "Number", "of": 1 }), json!({ "kind": "Text", "of": "a" }), json!({ "kind": "Neither" })];
    assert!(hold::<Beside>(&numbers) > 100);
    let both = json!({ "beside": { "of": { "a": true, "b": [1] }, "kind": "Both" }, "all": { "1": numbers } });
    assert!(hold::<Wraps>(&[both]) > 100);
    let strict = json!({ "day": "2026-01-01", "wait": 1.5, "long": 1, "span": { "secs": 1, "nanos": 0 }, "unit": null, "what": [] });
    assert!(hold::<Strict>(&[strict]) > 1_000);
    assert!(hold::<Share>(&[json!({ "mode": "Card" }), json!({ "mode": "Cash", "percent": 3 })]) > 1_000);
    let lenient = json!({ "n": "x", "paid": "Nonsense", "ignored": { "a": 1 }, "open": "New" });
    assert!(hold::<Lenient>(&[lenient, json!({ "n": 1, "paid": "Card", "ignored": 1, "open": "Known" })]) > 1_000);
    assert!(hold::<Aliased>(&[json!({ "number": 1, "words": "a" }), json!({ "n": 1, "text": "a" })]) < 100_000);
    for (flat, of) in [(json!({ "n": 1, "x": 2 }), "flat"), (json!({ "n": 1 }), "flat")] {
        assert_eq!(hold::<Flat>(&[flat]), 0, "{of}");
    }
    assert_eq!(hold::<Within>(&[json!({ "kind": "One", "n": 1 }), json!({ "kind": "Other" })]), 0);
    assert_eq!(hold::<Either>(&[json!(1), json!(["a"])]), 0);
    assert_eq!(hold::<Open>(&[json!("Known"), json!("New")]), 0);
    assert_eq!(hold::<Value>(&[json!(1)]), 0);
}

#[test]
fn a_variant_that_cannot_be_tried_out_is_not_refused() {
    let moves = [json!({ "kind": "Move", "of": { "x": 1 } }), json!({ "kind": "Id", "of": 1 })];
    assert!(hold::<Moves>(&moves) > 100);
    let secret = [json!({ "kind": "Secret", "of": "a" }), json!({ "kind": "Within", "of": { "kind": "Other" } })];
    assert!(hold::<Secretive>(&secret) > 100);
    let holds = json!({ "told": { "Secret": "a" }, "n": 1, "moves": moves[0] });
    assert!(hold::<Holds>(&[holds]) > 1_000);
    assert_eq!(
        Holds::schema().to_string(),
        "{moves: {kind: <Id, Move>, of: anything}, n: int, told: <Nothing, Secret>}"
    );
    assert_eq!(hold::<ByHand>(&[json!({ "kind": "Card", "of": "a" }), json!({ "kind": "Cash", "of": 1 })]), 0);
}

#[test]
fn variants_that_look_alike_may_do_without_other_things() {
    let alike = [json!({ "kind": "Unnamed", "of": {} }), json!({ "kind": "Named", "of": { "n": 1 } })];
    assert!(hold::<Alike>(&alike) > 100);
    let nothings = [json!({ "kind": "Other" }), json!({ "kind": "One", "of": null })];
    assert!(hold::<Nothings>(&nothings) > 100);
    let waits = [json!({ "kind": "Long", "of": 1.5 }), json!({ "kind": "Count", "of": 1 })];
    assert!(hold::<Waits>(&waits) > 100);
    // What comes before its tag is kept for later, and then nothing may be an empty object, too.
    for of in [r#"{"of":{},"kind":"One"}"#, r#"{"of":[],"kind":"Unit"}"#] {
        assert!(serde_json::from_str::<Units>(of).is_ok());
        assert_eq!(said::<Units>(of), "nothing");
    }
}

#[test]
fn what_is_refused_serde_refuses_of_plain_values() {
    assert!(hold::<u8>(&[json!(1)]) > 1_000);
    assert!(hold::<i128>(&[json!(1)]) > 1_000);
    assert!(hold::<f64>(&[json!(1), json!(1.5)]) > 1_000);
    assert!(hold::<bool>(&[json!(true)]) > 1_000);
    assert!(hold::<String>(&[json!("a")]) > 1_000);
    assert!(hold::<()>(&[json!(null)]) > 1_000);
    assert!(hold::<Unit>(&[json!(null)]) > 1_000);
    assert!(hold::<Option<Vec<u32>>>(&[json!(null), json!([1])]) > 1_000);
    assert!(hold::<(u32, Option<String>)>(&[json!([1, null]), json!([1, "a"])]) > 1_000);
    assert!(hold::<HashMap<String, Vec<(u8, bool)>>>(&[json!({}), json!({ "a": [[1, true]] })]) > 1_000);
    assert!(hold::<Result<u32, String>>(&[json!({ "Ok": 1 }), json!({ "Err": "a" })]) > 1_000);
    assert!(hold::<Duration>(&[json!({ "secs": 1, "nanos": 0 })]) > 1_000);
    assert!(hold::<std::ops::Range<u8>>(&[json!({ "start": 1, "end": 2 })]) > 1_000);
    assert!(hold::<std::net::Ipv4Addr>(&[json!("127.0.0.1")]) > 1_000);
}

/// What is said of a value that a type cannot read.
fn said<T: Data>(json: &str) -> String {
    misfit(&T::schema(), json.as_bytes()).map_or_else(|| "nothing".into(), |wrong| wrong.to_string())
}

#[test]
fn the_likely_slips_are_told_with_their_place() {
    let order = |change: &str| {
        let good = r#"{"id":7,"totalCents":1,"paid":"Cash","weight":1,"at":[1,3]}"#;
        let (from, to) = change.split_once(" => ").unwrap();
        said::<Order>(&good.replace(from, to))
    };
    assert_eq!(order("7 => 7"), "nothing");
    assert_eq!(order("7 => \"7\""), "text was given at \"/id\", which takes int");
    assert_eq!(order("\"id\":7, => "), "no value was given at \"/id\", which takes int");
    assert_eq!(order("[1,3] => [1]"), "a list of 1 was given at \"/at\", which takes (float, int)");
    assert_eq!(order("[1,3] => [1,3.5]"), "float was given at \"/at/1\", which takes int");
    assert_eq!(
        order("Cash => Chas"),
        "another variant was given at \"/paid\", which takes <Bonus, Card, Cash, Transfer>"
    );
    assert_eq!(said::<Order>("\"secret\""), "text was given");
    assert_eq!(said::<Order>("[]"), "a list was given");
    assert_eq!(said::<Order>("secret"), "what is no JSON (line 1, column 1) was given");
    assert_eq!(said::<Order>(""), "nothing was given");
    assert_eq!(said::<Vec<Order>>("{}"), "an object was given");
    let prices = said::<BTreeMap<String, Vec<u32>>>(r#"{"secret":[1,true]}"#);
    assert_eq!(prices, "bool was given at \"/*/1\", which takes int");
    assert_eq!(said::<Aliased>("{}"), "nothing");
}

#[test]
fn what_is_not_typed_may_be_anything() {
    assert_eq!([said::<Bytes>("\0"), said::<Value>("[1"), said::<Value>("")], ["nothing"; 3]);
    // Whole numbers that no u64 holds.
    assert_eq!(said::<i128>("12345678901234567890123"), "nothing");
    assert_eq!(said::<u128>(&"9".repeat(400)), "nothing");
}
