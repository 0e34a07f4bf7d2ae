//! What a value looks like: enough to tell whether code of today can read what code of yesterday wrote.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a value looks like, as far as its author's types tell. Names of types are not part of it: a struct that was
/// renamed, or moved to another module, looks the same.
///
/// ```
/// use vastflow_core::plan::Schema;
///
/// let old = Schema::fields([("cents", Schema::Int)]);
/// let new = Schema::fields([("cents", Schema::Int), ("note", Schema::Maybe(Box::new(Schema::Text)))]);
/// assert!(new.reads(&old) && old.reads(&new));
/// assert_eq!(new.to_string(), "{cents: int, note?: text}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schema {
    /// Anything, or nobody knows: it is not compared.
    #[default]
    Any,
    /// No value: `null`.
    Nothing,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Any number.
    Float,
    /// A text.
    Text,
    /// Any number of values that look alike.
    List(Box<Schema>),
    /// Values that look alike, by keys.
    Map(Box<Schema>),
    /// So many values in this order.
    Tuple(Vec<Schema>),
    /// Values by fixed names.
    Fields(BTreeMap<Box<str>, Schema>),
    /// One of several variants; what each of them holds is not compared.
    OneOf(BTreeSet<Box<str>>),
    /// A value, or none; as a field it may be left out.
    Maybe(Box<Schema>),
}

impl Schema {
    /// Values by fixed names.
    pub fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, Schema)>) -> Self {
        Schema::Fields(fields.into_iter().map(|(name, schema)| (name.into(), schema)).collect())
    }

    /// A value that may be missing.
    #[must_use]
    pub fn or_none(self) -> Self {
        match self {
            Schema::Any | Schema::Maybe(_) => self,
            schema => Schema::Maybe(Box::new(schema)),
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        matches!(self, Schema::Any)
    }

    /// Whether code that takes this can read what code that gives `written` wrote. Fields that are not known are passed
    /// over, and fields that may be left out need not be there.
    #[must_use]
    pub fn reads(&self, written: &Schema) -> bool {
        match (self, written) {
            (Schema::Any, _)
            | (_, Schema::Any)
            | (Schema::Maybe(_), Schema::Nothing)
            | (Schema::Float, Schema::Int) => true,
            (Schema::Maybe(own), Schema::Maybe(other))
            | (Schema::List(own), Schema::List(other))
            | (Schema::Map(own), Schema::Map(other)) => own.reads(other),
            (Schema::Maybe(own), other) => own.reads(other),
            (Schema::List(own), Schema::Tuple(others)) => others.iter().all(|other| own.reads(other)),
            (Schema::Map(own), Schema::Fields(others)) => others.values().all(|other| own.reads(other)),
            (Schema::Tuple(own), Schema::Tuple(others)) => {
                own.len() == others.len() && own.iter().zip(others).all(|(own, other)| own.reads(other))
            }
            (Schema::Fields(own), Schema::Fields(others)) => own.iter().all(|(name, own)| match others.get(name) {
                Some(other) => own.reads(other),
                None => matches!(own, Schema::Any | Schema::Maybe(_)),
            }),
            (Schema::OneOf(own), Schema::OneOf(others)) => others.is_subset(own),
            (own, other) => own == other,
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schema::Any => f.write_str("anything"),
            Schema::Nothing => f.write_str("nothing"),
            Schema::Bool => f.write_str("bool"),
            Schema::Int => f.write_str("int"),
            Schema::Float => f.write_str("float"),
            Schema::Text => f.write_str("text"),
            Schema::List(of) => write!(f, "[{of}]"),
            Schema::Map(of) => write!(f, "{{*: {of}}}"),
            Schema::Tuple(parts) => list(f, "()", parts, |f, part| write!(f, "{part}")),
            Schema::Fields(fields) => list(f, "{}", fields, |f, (name, schema)| match schema {
                Schema::Maybe(schema) => write!(f, "{name}?: {schema}"),
                schema => write!(f, "{name}: {schema}"),
            }),
            Schema::OneOf(variants) => list(f, "<>", variants, |f, variant| f.write_str(variant)),
            Schema::Maybe(of) => write!(f, "{of}?"),
        }
    }
}

/// Several things between two brackets, with commas between.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    brackets: &str,
    things: impl IntoIterator<Item = T>,
    mut show: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    let (open, close) = brackets.split_at(1);
    f.write_str(open)?;
    for (at, thing) in things.into_iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        show(f, thing)?;
    }
    f.write_str(close)
}
