//! What values of a type look like, found out from serde: the type is made to read a value that goes along with whatever
//! it asks for, and what it asked for is noted.
//!
//! Then it is made to read others, which differ from that one in one place: without a field, with a variant that nobody
//! knows, with a wrong value that it may pass over. What it takes besides is noted, too: a schema is what JSON of other
//! programs is held against ([`misfit`](crate::misfit)), and must not refuse what the type would read.
//!
//! A few things serde does not tell: then the whole type looks like anything, and is not compared. So it is with types
//! that look at a value before they say what they want (untagged and internally tagged enums, flattened fields), and with
//! texts that have to be of a form that is not among [`TEXTS`]. The content of an enum that stands beside its tag is
//! anything, too. What it cannot find out is whether code written by hand reads a list or a map whose values are of
//! different types, or lets a variant decide what else may be left out.

mod asked;

use asked::{Kind, Refused, Trial, Twist};
use serde::de::DeserializeOwned;
use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};
use vastflow_core::plan::Schema;

/// Texts to try: one that is a time, a date, an id, an address or a number is mostly checked as it is read.
const TEXTS: [&str; 8] = [
    "",
    "2026-01-01T00:00:00Z",
    "2026-01-01",
    "00:00:00",
    "00000000-0000-0000-0000-000000000000",
    "127.0.0.1",
    "http://localhost/",
    "1",
];
/// How often a type may refuse what it is given, and how many fields and values it may have, before it is given up.
const TRIES: usize = 256;
const FIELDS: usize = 512;
const VALUES: usize = 1_024;
/// How many variants of its enums are looked at, and how often one may refuse what it is given.
const VARIANTS: usize = 1_024;
const TRIES_OF_VARIANT: usize = 64;
/// How many structs and enums within each other are looked into, and how many there may be: types that hold themselves
/// have no end.
const DEEP: usize = 4;
const DEEPEST: usize = 48;

/// What values of a type look like.
pub(crate) fn schema_of<T: DeserializeOwned + 'static>() -> Schema {
    static KNOWN: LazyLock<Mutex<HashMap<TypeId, Schema>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = known().get(&TypeId::of::<T>()) {
        return schema.clone();
    }
    // Looked at without the lock: the type's own code runs.
    let schema = look_at::<T>();
    known().insert(TypeId::of::<T>(), schema.clone());
    schema
}

fn look_at<T: DeserializeOwned>() -> Schema {
    let mut trial = Trial::default();
    let plain = read::<T>(&mut trial, 0, TRIES).unwrap_or_default();
    if plain.is_any() || trial.fields > FIELDS || trial.values.len() > VALUES {
        return Schema::Any;
    }
    let values = trial.values.clone();
    find_optional::<T>(&mut trial);
    find_loose::<T>(&mut trial, &values);
    let mut schema = trial.run::<T>().unwrap_or_default();
    match find_dependent::<T>(&mut trial, &values, &plain, &mut schema) {
        true => schema,
        false => Schema::Any,
    }
}

/// Lets a type read until it takes what it is given. The first `keep` choices stay.
fn read<T: DeserializeOwned>(trial: &mut Trial, keep: usize, most: usize) -> Option<Schema> {
    for _ in 0..most {
        match trial.run::<T>() {
            Ok(schema) => return Some(schema),
            Err(_) if trial.try_another(keep) => {}
            Err(_) => return None,
        }
    }
    None
}

/// A field that it does not miss is one that may be left out.
fn find_optional<T: DeserializeOwned>(trial: &mut Trial) {
    for field in 0..trial.fields {
        trial.left_out = Some(field);
        let is_missed = trial.run::<T>() == Err(Refused::Missing);
        trial.optional.push(!is_missed);
    }
    trial.left_out = None;
}

/// What it takes where something else was asked for: wrong values that it passes over, variants that have no name, and
/// fractions for whole numbers.
fn find_loose<T: DeserializeOwned>(trial: &mut Trial, values: &[Kind]) {
    let mut known = BTreeMap::new();
    for (number, kind) in values.iter().enumerate() {
        let mut read_with = |twist| {
            trial.twist = Some((number, twist));
            trial.run::<T>()
        };
        if read_with(Twist::Wrong).is_ok() {
            known.insert(number, Schema::Any);
        } else if *kind == Kind::Int && read_with(Twist::Fraction) != Err(Refused::Type) {
            known.insert(number, Schema::Float);
        } else if matches!(kind, Kind::Enum { .. }) && read_with(Twist::Strange) != Err(Refused::Strange) {
            known.insert(number, Schema::Any);
        }
    }
    (trial.twist, trial.known) = (None, known);
}

/// What it asks for elsewhere may depend on a variant, if it is code written by hand: that is anything. False when there
/// are too many to look at, or nobody knows what it asks for elsewhere.
fn find_dependent<T: DeserializeOwned>(
    trial: &mut Trial,
    values: &[Kind],
    plain: &Schema,
    schema: &mut Schema,
) -> bool {
    trial.optional.clear();
    trial.known.clear();
    let (chosen, mut looked_at) = (trial.choices.clone(), 0);
    for (number, kind) in values.iter().enumerate() {
        // On a tag only its content depends, which is anything already.
        let Kind::Enum { choice, of, is_tag: false } = *kind else { continue };
        let own = chosen.get(choice).map_or(0, |(own, _)| *own);
        for other in (0..of).filter(|other| *other != own) {
            if looked_at == VARIANTS {
                return false;
            }
            looked_at += 1;
            (trial.watched, trial.is_past) = (Some(number), false);
            match read_other::<T>(trial, &chosen, choice, (other, of)) {
                Some(other) => forget(schema, plain, &other),
                // What stands elsewhere is refused with this variant, so it may be of another type.
                None if trial.is_past => return false,
                // What the variant holds cannot be read; that is not noted anyway.
                None => {}
            }
        }
    }
    true
}

/// Lets a type read with another variant in one place.
fn read_other<T: DeserializeOwned>(
    trial: &mut Trial,
    chosen: &[(usize, usize)],
    at: usize,
    other: (usize, usize),
) -> Option<Schema> {
    // Mostly all the rest stays as it was.
    trial.choices = chosen.to_vec();
    if let Some(choice) = trial.choices.get_mut(at) {
        *choice = other;
        if let Ok(schema) = trial.run::<T>() {
            return Some(schema);
        }
    }
    trial.choices.truncate(at);
    trial.choices.push(other);
    trial.is_past = false;
    match read::<T>(trial, at + 1, TRIES_OF_VARIANT) {
        // It is not the variant that wants so many tries.
        None if trial.is_past => read::<T>(trial, at + 1, TRIES),
        schema => schema,
    }
}

/// Makes anything of what differs between two readings. `schema` is what is known of the first.
fn forget(schema: &mut Schema, one: &Schema, other: &Schema) {
    if one == other {
        return;
    }
    match (schema, one, other) {
        (Schema::Any, ..) => {}
        (Schema::Maybe(schema), Schema::Maybe(one), Schema::Maybe(other))
        | (Schema::List(schema), Schema::List(one), Schema::List(other))
        | (Schema::Map(schema), Schema::Map(one), Schema::Map(other)) => forget(schema, one, other),
        (Schema::Tuple(schemas), Schema::Tuple(one), Schema::Tuple(other))
            if schemas.len() == one.len() && one.len() == other.len() =>
        {
            schemas.iter_mut().zip(one.iter().zip(other)).for_each(|(schema, (one, other))| forget(schema, one, other));
        }
        (Schema::Fields(schemas), Schema::Fields(one), Schema::Fields(other)) => {
            for (name, schema) in schemas {
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => forget(schema, one, other),
                    _ => *schema = Schema::Any,
                }
            }
        }
        // A field that may be left out.
        (Schema::Maybe(schema), one, other) => forget(schema, one, other),
        (schema, ..) => *schema = Schema::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde::de::{self, Deserializer};

    fn text<T: DeserializeOwned + 'static>() -> String {
        schema_of::<T>().to_string()
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Order {
        id: u64,
        #[serde(rename = "totalCents")]
        total: u32,
        note: Option<String>,
        #[serde(default)]
        tags: Vec<String>,
        paid: Paid,
        at: Moment,
        weight: std::num::NonZeroU8,
        #[serde(skip)]
        seen: bool,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    enum Paid {
        Card { number: String },
        Cash,
    }

    struct Moment;

    impl<'de> Deserialize<'de> for Moment {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            if text.ends_with('Z') { Ok(Moment) } else { Err(de::Error::custom("no time")) }
        }
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    enum Tree {
        Both(Box<Tree>, Box<Tree>),
        Leaf(u32),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Chain {
        next: Option<Box<Chain>>,
        others: Vec<Chain>,
    }

    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only its form matters")]
    enum Tagged {
        One { n: u32 },
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Wide {
        n: u32,
        #[serde(flatten)]
        more: BTreeMap<String, u32>,
    }

    #[test]
    fn simple_values() {
        assert_eq!([text::<u8>(), text::<i128>(), text::<f32>(), text::<bool>()], ["int", "int", "float", "bool"]);
        assert_eq!([text::<String>(), text::<char>(), text::<()>()], ["text", "text", "nothing"]);
        assert_eq!(text::<Vec<(u32, Option<String>)>>(), "[(int, text?)]");
        assert_eq!(text::<BTreeMap<String, [f64; 2]>>(), "{*: (float, float)}");
        assert_eq!(text::<Result<u32, String>>(), "<Err, Ok>");
        assert_eq!(text::<serde_json::Value>(), "anything");
    }

    #[test]
    fn a_structs_fields_with_those_that_may_be_left_out() {
        let order = "{at: text, id: int, note?: text, paid: <Card, Cash>, tags?: [text], totalCents: int, weight: int}";
        assert_eq!(text::<Order>(), order);
    }

    #[test]
    fn types_that_hold_themselves_have_an_end() {
        assert_eq!(text::<Tree>(), "<Both, Leaf>");
        assert!(text::<Chain>().starts_with("{next?: {next?: "), "{}", text::<Chain>());
    }

    #[test]
    fn what_serde_does_not_tell_is_anything() {
        assert_eq!([text::<Tagged>(), text::<Wide>(), text::<Vec<Tagged>>()], ["anything"; 3]);
    }
}
