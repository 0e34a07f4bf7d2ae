//! A value that is whatever it is asked to be, and what is noted of that.

use super::{DEEP, DEEPEST, TEXTS};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use vastflow_core::plan::Schema;

/// The name of no variant.
const STRANGE: &str = "\u{1}no variant\u{1}";

/// One reading of a type after the other.
#[derive(Default)]
pub(super) struct Trial {
    /// What is given where there is a choice, in the order in which it is asked for; the first choice where it says
    /// nothing. With the number of choices.
    pub(super) choices: Vec<(usize, usize)>,
    asked: usize,
    /// How many fields were read so far.
    pub(super) fields: usize,
    /// The field that is not given.
    pub(super) left_out: Option<usize>,
    /// Which fields it can do without, once that is known.
    pub(super) optional: Vec<bool>,
    /// How often a choice was asked for within each field: one that is left out must not change what the others get.
    asked_within: Vec<usize>,
    depth: usize,
    /// Something was asked for that a schema cannot say.
    is_beyond: bool,
    /// What was asked for so far, a value after the other.
    pub(super) values: Vec<Kind>,
    /// The value that is given in an unexpected way.
    pub(super) twist: Option<(usize, Twist)>,
    /// What is known of values since they were given so.
    pub(super) known: BTreeMap<usize, Schema>,
    /// The enum of which another variant is tried.
    pub(super) watched: Option<usize>,
    /// It was read to its end: what was refused since then stands elsewhere.
    pub(super) is_past: bool,
}

/// What a value was asked to be, as far as it matters how else it may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    /// With the place of its choice, how many variants there are, and whether it is only the tag of an enum whose content
    /// stands beside it.
    Enum {
        choice: usize,
        of: usize,
        is_tag: bool,
    },
    Other,
}

/// An unexpected way to give a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    /// As nothing that was asked for.
    Wrong,
    /// A number with a fraction where a whole one is asked for.
    Fraction,
    /// A variant that is not among those that are known.
    Strange,
}

impl Trial {
    /// Lets the type read; gives what it asked for, if it took what it was given.
    pub(super) fn run<T: DeserializeOwned>(&mut self) -> Result<Schema, Refused> {
        (self.asked, self.fields, self.depth, self.is_beyond) = (0, 0, 0, false);
        self.values.clear();
        let mut schema = Schema::Any;
        self.ask(&mut schema, |asked| T::deserialize(asked))?;
        Ok(if self.is_beyond { Schema::Any } else { schema })
    }

    /// Lets a value be read, and notes what it was asked to be.
    fn ask<T>(
        &mut self,
        schema: &mut Schema,
        read: impl FnOnce(Asked<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let number = self.values.len();
        let value = read(Asked { trial: &mut *self, schema: &mut *schema })?;
        if let Some(known) = self.known.get(&number) {
            *schema = known.clone();
        }
        Ok(value)
    }

    /// Counts a value. Gives how it is to be given, if not as it is asked for.
    fn begin(&mut self, kind: Kind) -> Result<Option<Twist>, Refused> {
        let number = self.values.len();
        self.values.push(kind);
        match self.twist.filter(|(at, _)| *at == number) {
            Some((_, Twist::Wrong)) => Err(Refused::Otherwise),
            twist => Ok(twist.map(|(_, twist)| twist)),
        }
    }

    /// Chooses differently the next time, at the last place where that is possible; whether there is one. The first `keep`
    /// choices stay.
    pub(super) fn try_another(&mut self, keep: usize) -> bool {
        self.choices.truncate(self.asked.max(keep));
        while self.choices.len() > keep {
            let Some((choice, of)) = self.choices.pop() else { break };
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

    const fn is_deep(&self) -> bool {
        self.depth >= DEEP
    }

    /// Whether the type can do without a field, as far as that was found out.
    fn is_optional(&self, field: usize) -> bool {
        self.optional.get(field).copied().unwrap_or_default()
    }

    /// Notes how many choices were made within a field.
    fn note_within(&mut self, field: usize, asked_before: usize) {
        if self.left_out.is_none() {
            self.asked_within.resize(self.asked_within.len().max(field + 1), 0);
            self.asked_within[field] = self.asked - asked_before;
        }
    }

    /// Whether a field is the one that is not given; then what it would have chosen counts as chosen.
    fn leaves_out(&mut self, field: usize) -> bool {
        let is_it = self.left_out == Some(field);
        if is_it {
            self.asked += self.asked_within.get(field).copied().unwrap_or_default();
        }
        is_it
    }
}

/// A value that is whatever it is asked to be.
pub(super) struct Asked<'a> {
    trial: &'a mut Trial,
    /// What it was asked to be.
    schema: &'a mut Schema,
}

/// The type did not take what it was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// A field is missing, or a part at the end.
    Missing,
    /// There is no such variant.
    Strange,
    /// It is of another type.
    Type,
    /// It has another reason.
    Otherwise,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Refused::Otherwise
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Refused::Type
    }

    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        Refused::Missing
    }

    fn missing_field(_: &'static str) -> Self {
        Refused::Missing
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Refused::Strange
    }
}

impl Asked<'_> {
    fn int<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Int;
        match self.trial.begin(Kind::Int)? {
            Some(_) => visitor.visit_f64(0.5),
            None => visitor.visit_u64(self.trial.choose(2) as u64),
        }
    }

    fn float<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Float;
        self.trial.begin(Kind::Other)?;
        visitor.visit_f64(0.0)
    }

    fn nothing<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Nothing;
        self.trial.begin(Kind::Other)?;
        visitor.visit_unit()
    }

    /// Reads what stands in a struct or an enum.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Trial) -> Result<T, Refused>) -> Result<T, Refused> {
        if self.trial.depth == DEEPEST {
            return Err(Refused::Otherwise);
        }
        self.trial.depth += 1;
        let value = read(self.trial);
        self.trial.depth -= 1;
        value
    }

    fn tuple<'de, V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Refused> {
        self.trial.begin(Kind::Other)?;
        let mut parts = Vec::new();
        let value = visitor.visit_seq(Parts { trial: self.trial, parts: &mut parts, left })?;
        *self.schema = Schema::Tuple(parts);
        Ok(value)
    }

    fn fields<'de, V: Visitor<'de>>(mut self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        self.trial.begin(Kind::Other)?;
        let mut fields = BTreeMap::new();
        let value = self
            .inside(|trial| visitor.visit_map(Fields { trial, fields: &mut fields, names, next: None, tag: None }))?;
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
        deserialize_byte_buf => deserialize_bytes,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Any;
        self.trial.begin(Kind::Other)?;
        match self.trial.choose(4) {
            0 => visitor.visit_unit(),
            1 => visitor.visit_str(""),
            2 => visitor.visit_u64(0),
            _ => visitor.visit_bool(false),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Any;
        self.trial.begin(Kind::Other)?;
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Bool;
        self.trial.begin(Kind::Other)?;
        visitor.visit_bool(false)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Text;
        self.trial.begin(Kind::Other)?;
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Text;
        self.trial.begin(Kind::Other)?;
        visitor.visit_str(TEXTS[self.trial.choose(TEXTS.len())])
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.schema = Schema::Any;
        self.trial.begin(Kind::Other)?;
        visitor.visit_bytes(&[])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.trial.begin(Kind::Other)?;
        let mut inner = Schema::Any;
        let value = match self.trial.is_deep() {
            true => visitor.visit_none(),
            false => self.trial.ask(&mut inner, |asked| visitor.visit_some(asked)),
        }?;
        *self.schema = inner.or_none();
        Ok(value)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.nothing(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        // It is what it holds.
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.trial.begin(Kind::Other)?;
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
        self.trial.begin(Kind::Other)?;
        let mut parts = Vec::new();
        let value = visitor.visit_seq(Ordered { trial: self.trial, parts: &mut parts, left: len })?;
        *self.schema = Schema::Tuple(parts);
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.trial.begin(Kind::Other)?;
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
        let of = variants.len();
        let number = self.trial.values.len();
        let twist = self.trial.begin(Kind::Enum { choice: self.trial.asked, of, is_tag: false })?;
        let chosen = self.trial.choose(of);
        // Of an enum that holds itself, the last variant is mostly the one that does not.
        let names = &mut variants.iter();
        let name = if self.trial.is_deep() { names.rev().nth(chosen) } else { names.nth(chosen) };
        let name = if twist.is_some() { STRANGE } else { *name.ok_or(Refused::Otherwise)? };
        let value = self.inside(|trial| visitor.visit_enum(Variant { trial, name }))?;
        self.trial.is_past |= self.trial.watched == Some(number);
        *self.schema = Schema::OneOf(variants.iter().map(|name| (*name).into()).collect());
        Ok(value)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A struct that reads itself as a map has fields of others in it.
        self.trial.begin(Kind::Other)?;
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
        let value = self.trial.ask(&mut schema, |asked| seed.deserialize(asked))?;
        self.parts.push(schema);
        Ok(Some(value))
    }
}

/// The parts of a struct without names, of which the last ones may have defaults.
struct Ordered<'a> {
    trial: &'a mut Trial,
    parts: &'a mut Vec<Schema>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Ordered<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let number = self.trial.fields;
        if self.left == 0 {
            return Ok(None);
        }
        (self.left, self.trial.fields) = (self.left - 1, number + 1);
        if self.trial.leaves_out(number) {
            // It ends here.
            self.left = 0;
            return Ok(None);
        }
        let (mut schema, asked) = (Schema::Any, self.trial.asked);
        let value = self.trial.ask(&mut schema, |asked| seed.deserialize(asked))?;
        self.trial.note_within(number, asked);
        self.parts.push(if self.trial.is_optional(number) { schema.or_none() } else { schema });
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
        self.trial.ask(&mut Schema::Any, |asked| seed.deserialize(asked)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        self.trial.ask(self.value, |asked| seed.deserialize(asked))
    }
}

/// The fields of a struct.
struct Fields<'a> {
    trial: &'a mut Trial,
    fields: &'a mut BTreeMap<Box<str>, Schema>,
    names: &'static [&'static str],
    /// The field whose name was read and whose value was not, with its number.
    next: Option<(&'static str, usize)>,
    /// The field that says how the others are read, if it is known to be one.
    tag: Option<&'static str>,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        // What reads the keys of a struct is a type alone. For an enum with its content beside its tag it is a value, which
        // holds both names; the tag's is the first.
        if size_of::<K>() > 0 {
            self.tag = self.tag.or(self.names.first().copied());
        }
        while let Some((name, rest)) = self.names.split_first() {
            let number = self.trial.fields;
            (self.names, self.next) = (rest, Some((*name, number)));
            self.trial.fields += 1;
            if self.trial.leaves_out(number) {
                continue;
            }
            let name: StrDeserializer<'_, Refused> = (*name).into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let (name, number) = self.next.take().ok_or(Refused::Otherwise)?;
        let (mut schema, asked, at) = (Schema::Any, self.trial.asked, self.trial.values.len());
        let value = self.trial.ask(&mut schema, |asked| seed.deserialize(asked))?;
        self.trial.note_within(number, asked);
        // Another variant may want anything, or nothing. And what comes before its tag serde keeps for later, and then reads
        // less strictly.
        if self.tag.is_some_and(|tag| tag != name) {
            schema = Schema::Any;
        } else if let (Some(_), Some(Kind::Enum { is_tag, .. })) = (self.tag, self.trial.values.get_mut(at)) {
            *is_tag = true;
        }
        self.fields.insert(name.into(), if self.trial.is_optional(number) { schema.or_none() } else { schema });
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
        self.trial.ask(&mut Schema::Any, |asked| seed.deserialize(asked))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        Asked { trial: self.trial, schema: &mut Schema::Any }.tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        Asked { trial: self.trial, schema: &mut Schema::Any }.fields(names, visitor)
    }
}
