//! What values of a type look like, found out from serde: the type is made to read a value that goes along with whatever
//! it asks for, and what it asked for is noted.
//!
//! A few things serde does not tell: then the whole type looks like anything, and is not compared. So it is with types
//! that look at a value before they say what they want (untagged and internally tagged enums, flattened fields), and with
//! texts that have to be of a form that is not among [`TEXTS`].

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
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
/// How often a type may refuse what it is given, and how many fields it may have, before it is given up.
const TRIES: usize = 256;
const FIELDS: usize = 512;
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
    let mut tries = 1;
    while trial.run::<T>().is_none() {
        if tries == TRIES || !trial.try_another() {
            return Schema::Any;
        }
        tries += 1;
    }
    if trial.fields > FIELDS {
        return Schema::Any;
    }
    // A field that it can do without is one that may be left out.
    for field in 0..trial.fields {
        trial.left_out = Some(field);
        let can_do_without = trial.run::<T>().is_some();
        trial.optional.push(can_do_without);
    }
    trial.left_out = None;
    trial.run::<T>().unwrap_or_default()
}

/// One reading of a type after the other.
#[derive(Default)]
struct Trial {
    /// What is given where there is a choice, in the order in which it is asked for; the first choice where it says
    /// nothing. With the number of choices.
    choices: Vec<(usize, usize)>,
    asked: usize,
    /// How many fields were read so far.
    fields: usize,
    /// The field that is not given.
    left_out: Option<usize>,
    /// Which fields it can do without, once that is known.
    optional: Vec<bool>,
    /// How often a choice was asked for within each field: one that is left out must not change what the others get.
    asked_within: Vec<usize>,
    depth: usize,
    /// Something was asked for that a schema cannot say.
    is_beyond: bool,
}

impl Trial {
    /// Lets the type read; gives what it asked for, if it took what it was given.
    fn run<T: DeserializeOwned>(&mut self) -> Option<Schema> {
        (self.asked, self.fields, self.depth, self.is_beyond) = (0, 0, 0, false);
        let mut schema = Schema::Any;
        T::deserialize(Asked { trial: self, schema: &mut schema }).ok()?;
        Some(if self.is_beyond { Schema::Any } else { schema })
    }

    /// Chooses differently the next time, at the last place where that is possible; whether there is one.
    fn try_another(&mut self) -> bool {
        self.choices.truncate(self.asked);
        while let Some((choice, of)) = self.choices.pop() {
            if choice + 1 < of {
                self.choices.push((choice + 1, of));
                return true;
            }
        }
        false
    }

    /// One of `of` possibilities.
    fn choose(&mut self, of: usize) -> usize {
        let at = self.asked;
        self.asked += 1;
        if at == self.choices.len() {
            self.choices.push((0, of));
        }
        self.choices[at].0
    }

    fn is_deep(&self) -> bool {
        self.depth >= DEEP
    }
}

/// A value that is whatever it is asked to be.
struct Asked<'a> {
    trial: &'a mut Trial,
    /// What it was asked to be.
    schema: &'a mut Schema,
}

/// The type did not take what it was given.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Refused
    }
}

impl Asked<'_> {
    fn int<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Int;
        visitor.visit_u64(self.trial.choose(2) as u64)
    }

    fn float<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Float;
        visitor.visit_f64(0.0)
    }

    fn nothing<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Nothing;
        visitor.visit_unit()
    }

    /// Reads what stands in a struct or an enum.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Trial) -> Result<T, Refused>) -> Result<T, Refused> {
        if self.trial.depth == DEEPEST {
            return Err(Refused);
        }
        self.trial.depth += 1;
        let value = read(self.trial);
        self.trial.depth -= 1;
        value
    }

    fn tuple<'de, V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Refused> {
        let mut parts = Vec::new();
        let value = visitor.visit_seq(Parts { trial: self.trial, parts: &mut parts, left })?;
        *self.schema = Schema::Tuple(parts);
        Ok(value)
    }

    fn fields<'de, V: Visitor<'de>>(mut self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        let mut fields = BTreeMap::new();
        let value = self.inside(|trial| visitor.visit_map(Fields { trial, fields: &mut fields, names, next: None }))?;
        *self.schema = Schema::Fields(fields);
        Ok(value)
    }
}

macro_rules! asked {
    ($($method:ident => $as:ident),+ $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.$as(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Refused;

    asked! {
        deserialize_i8 => int, deserialize_i16 => int, deserialize_i32 => int, deserialize_i64 => int,
        deserialize_i128 => int, deserialize_u8 => int, deserialize_u16 => int, deserialize_u32 => int,
        deserialize_u64 => int, deserialize_u128 => int, deserialize_f32 => float, deserialize_f64 => float,
        deserialize_unit => nothing, deserialize_string => deserialize_str,
        deserialize_byte_buf => deserialize_bytes, deserialize_ignored_any => nothing,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Any;
        match self.trial.choose(4) {
            0 => visitor.visit_unit(),
            1 => visitor.visit_str(""),
            2 => visitor.visit_u64(0),
            _ => visitor.visit_bool(false),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Bool;
        visitor.visit_bool(false)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Text;
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Text;
        visitor.visit_str(TEXTS[self.trial.choose(TEXTS.len())])
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Any;
        visitor.visit_bytes(&[])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut inner = Schema::Any;
        let value = match self.trial.is_deep() {
            true => visitor.visit_none(),
            false => visitor.visit_some(Asked { trial: self.trial, schema: &mut inner }),
        }?;
        *self.schema = inner.or_none();
        Ok(value)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.nothing(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut parts = Vec::new();
        let left = usize::from(!self.trial.is_deep());
        let value = visitor.visit_seq(Parts { trial: self.trial, parts: &mut parts, left })?;
        *self.schema = Schema::List(Box::new(parts.pop().unwrap_or_default()));
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut value = Schema::Any;
        let left = usize::from(!self.trial.is_deep());
        let map = visitor.visit_map(Entries { trial: self.trial, value: &mut value, left })?;
        *self.schema = Schema::Map(Box::new(value));
        Ok(map)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.fields(names, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let chosen = self.trial.choose(variants.len());
        // Of an enum that holds itself, the last variant is mostly the one that does not.
        let names = &mut variants.iter();
        let name = if self.trial.is_deep() { names.rev().nth(chosen) } else { names.nth(chosen) };
        let name = *name.ok_or(Refused)?;
        let value = self.inside(|trial| visitor.visit_enum(Variant { trial, name }))?;
        *self.schema = Schema::OneOf(variants.iter().map(|name| (*name).into()).collect());
        Ok(value)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A struct that reads itself as a map has fields of others in it.
        self.trial.is_beyond = true;
        visitor.visit_str("")
    }
}

/// Values in order.
struct Parts<'a> {
    trial: &'a mut Trial,
    parts: &'a mut Vec<Schema>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Parts<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut schema = Schema::Any;
        let value = seed.deserialize(Asked { trial: self.trial, schema: &mut schema })?;
        self.parts.push(schema);
        Ok(Some(value))
    }
}

/// An entry of a map.
struct Entries<'a> {
    trial: &'a mut Trial,
    value: &'a mut Schema,
    left: usize,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Asked { trial: self.trial, schema: &mut Schema::Any }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(Asked { trial: self.trial, schema: self.value })
    }
}

/// The fields of a struct.
struct Fields<'a> {
    trial: &'a mut Trial,
    fields: &'a mut BTreeMap<Box<str>, Schema>,
    names: &'static [&'static str],
    /// The field whose name was read and whose value was not, with its number.
    next: Option<(&'static str, usize)>,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        while let Some((name, rest)) = self.names.split_first() {
            (self.names, self.next) = (rest, Some((*name, self.trial.fields)));
            self.trial.fields += 1;
            if self.trial.left_out == Some(self.trial.fields - 1) {
                self.trial.asked += self.trial.asked_within.get(self.trial.fields - 1).copied().unwrap_or_default();
                continue;
            }
            let name: StrDeserializer<'_, Refused> = (*name).into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let (name, number) = self.next.take().ok_or(Refused)?;
        let (mut schema, asked) = (Schema::Any, self.trial.asked);
        let value = seed.deserialize(Asked { trial: self.trial, schema: &mut schema })?;
        if self.trial.left_out.is_none() {
            let within = &mut self.trial.asked_within;
            within.resize(within.len().max(number + 1), 0);
            within[number] = self.trial.asked - asked;
        }
        let is_optional = self.trial.optional.get(number).copied().unwrap_or_default();
        self.fields.insert(name.into(), if is_optional { schema.or_none() } else { schema });
        Ok(value)
    }
}

/// A variant of an enum. What it holds is read and not noted.
struct Variant<'a> {
    trial: &'a mut Trial,
    name: &'static str,
}

impl<'de> de::EnumAccess<'de> for Variant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let name: StrDeserializer<'_, Refused> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(Asked { trial: self.trial, schema: &mut Schema::Any })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        Asked { trial: self.trial, schema: &mut Schema::Any }.tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        Asked { trial: self.trial, schema: &mut Schema::Any }.fields(names, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

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
