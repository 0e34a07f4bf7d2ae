//! Whether a value that comes as JSON is what a type takes: found out before anything is done with it.
//!
//! What is refused here serde would refuse, too. The other way round it is not so: a schema says less than a type does.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use vastflow_core::plan::Schema;

/// How much of what a type takes is said.
const SHOWN: usize = 300;
/// From here on a number may be a whole one that is only too large for a u64.
const LARGE: f64 = 9.0e18;

/// The only key of what serde_json makes of a number that no other number holds, if anyone turns on its feature
/// `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

/// What does not fit, and where. It holds nothing of the value but its form: it may stand in errors and logs.
///
/// ```
/// use vastflow_core::plan::Schema;
///
/// let order = Schema::fields([("id", Schema::Int), ("note", Schema::Text.or_none())]);
/// assert!(vastflow_sdk::misfit(&order, br#"{"id": 7}"#).is_none());
/// let wrong = vastflow_sdk::misfit(&order, br#"{"id": "7"}"#).unwrap();
/// assert_eq!(wrong.to_string(), r#"text was given at "/id", which takes int"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    at: String,
    takes: String,
    came: String,
}

impl Misfit {
    /// Where, as a JSON pointer; empty for the value itself. The key of a map is told as `*`: keys are data.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was given", self.came)?;
        if self.at.is_empty() { Ok(()) } else { write!(f, " at {:?}, which takes {}", self.at, self.takes) }
    }
}

/// What a type takes, as it is said: not all of a large one.
#[must_use]
pub fn shown(takes: &Schema) -> String {
    let mut text = takes.to_string();
    if text.len() > SHOWN {
        let end = (0..=SHOWN).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// What of a value, which is JSON, cannot be what is taken. None: it can be, as far as the schema tells.
#[must_use]
pub fn misfit(takes: &Schema, json: &[u8]) -> Option<Misfit> {
    if takes.is_any() {
        return None;
    }
    let mut found = Found::default();
    let mut from = serde_json::Deserializer::from_slice(json);
    let held = Held { takes, found: &mut found }.deserialize(&mut from).and_then(|()| from.end());
    let why = held.err()?;
    match found.misfit() {
        Some(misfit) => Some(misfit),
        // Some types read what is no proper text or number.
        None if serde_json::from_slice::<IgnoredAny>(json).is_ok() => None,
        None if json.is_empty() => Some(Misfit::whole(takes, "nothing".into())),
        None => Some(Misfit::whole(takes, format!("what is no JSON (line {}, column {})", why.line(), why.column()))),
    }
}

impl Misfit {
    fn whole(takes: &Schema, came: String) -> Self {
        Misfit { at: String::new(), takes: shown(takes), came }
    }
}

/// What does not fit, as it becomes known from the inside out.
#[derive(Default)]
struct Found {
    /// What was taken and what came.
    what: Option<(String, String)>,
    /// The way to it, backwards.
    way: Vec<String>,
}

impl Found {
    fn refuse<E: de::Error>(&mut self, takes: &Schema, came: impl Into<String>) -> E {
        self.what = Some((shown(takes), came.into()));
        E::custom("it does not fit")
    }

    /// Notes where an inner value stands that does not fit.
    fn within(&mut self, step: impl FnOnce() -> String) {
        if self.what.is_some() {
            self.way.push(step());
        }
    }

    fn misfit(self) -> Option<Misfit> {
        let (takes, came) = self.what?;
        let at = self.way.iter().rev().fold(String::new(), |at, step| at + "/" + step);
        Some(Misfit { at, takes, came })
    }
}

/// A value held against what is taken.
struct Held<'a> {
    takes: &'a Schema,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Held<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self.takes {
            Schema::Any => IgnoredAny::deserialize(from).map(|_| ()),
            _ => from.deserialize_any(self),
        }
    }
}

impl<'a> Held<'a> {
    /// What is taken of a value that is there.
    fn of_some(&self) -> &'a Schema {
        let mut takes = self.takes;
        while let Schema::Maybe(of) = takes {
            takes = of;
        }
        takes
    }

    fn fits<E: de::Error>(self, fits: bool, came: &str) -> Result<(), E> {
        if fits || self.of_some().is_any() { Ok(()) } else { Err(self.found.refuse(self.takes, came)) }
    }

    fn next(&mut self, takes: &'a Schema) -> Held<'_> {
        Held { takes, found: &mut *self.found }
    }

    fn list<'de, A: SeqAccess<'de>>(mut self, mut items: A, of: &'a Schema) -> Result<(), A::Error> {
        for at in 0_usize.. {
            match items.next_element_seed(self.next(of)) {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(error) => {
                    self.found.within(|| at.to_string());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn tuple<'de, A: SeqAccess<'de>>(mut self, mut items: A, parts: &'a [Schema]) -> Result<(), A::Error> {
        for (at, part) in parts.iter().enumerate() {
            match items.next_element_seed(self.next(part)) {
                Ok(Some(())) => {}
                Ok(None) if parts[at..].iter().all(may_be_left_out) => return Ok(()),
                Ok(None) => return Err(self.found.refuse(self.takes, format!("a list of {at}"))),
                Err(error) => {
                    self.found.within(|| at.to_string());
                    return Err(error);
                }
            }
        }
        match items.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(self.found.refuse(self.takes, format!("a list of more than {}", parts.len()))),
        }
    }

    /// A struct may be written as a list of its fields; their order is not known here.
    fn ordered<'de, A: SeqAccess<'de>>(
        self,
        mut items: A,
        fields: &BTreeMap<Box<str>, Schema>,
    ) -> Result<(), A::Error> {
        let mut count = 0;
        let mut is_one_of_them = true;
        while let Some(item) = items.next_element::<Value>()? {
            count += 1;
            is_one_of_them &= fields
                .values()
                .any(|field| Held { takes: field, found: &mut Found::default() }.deserialize(&item).is_ok());
        }
        let needed = fields.values().filter(|field| !may_be_left_out(field)).count();
        self.fits(is_one_of_them && (needed..=fields.len()).contains(&count), "a list")
    }

    fn map<'de, A: MapAccess<'de>>(mut self, mut entries: A, of: &'a Schema) -> Result<(), A::Error> {
        while entries.next_key::<IgnoredAny>()?.is_some() {
            if let Err(error) = entries.next_value_seed(self.next(of)) {
                self.found.within(|| "*".to_owned());
                return Err(error);
            }
        }
        Ok(())
    }

    fn fields<'de, A: MapAccess<'de>>(
        mut self,
        mut entries: A,
        fields: &'a BTreeMap<Box<str>, Schema>,
    ) -> Result<(), A::Error> {
        let mut seen: Vec<&str> = Vec::with_capacity(fields.len());
        while let Some(field) = entries.next_key_seed(FieldOf(fields))? {
            let Some((name, takes)) = field else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Err(error) = entries.next_value_seed(self.next(takes)) {
                self.found.within(|| step_of(name));
                return Err(error);
            }
            seen.push(name);
        }
        match fields.iter().find(|(name, takes)| !may_be_left_out(takes) && !seen.contains(&&***name)) {
            None => Ok(()),
            Some((name, takes)) => {
                let error = self.found.refuse(takes, "no value");
                self.found.within(|| step_of(name));
                Err(error)
            }
        }
    }

    fn variant<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some(name) = entries.next_key::<Cow<'de, str>>()? else {
            return Err(self.found.refuse(self.takes, "an empty object"));
        };
        if !matches!(self.of_some(), Schema::OneOf(variants) if variants.contains(&*name)) {
            return Err(self.found.refuse(self.takes, "another variant"));
        }
        entries.next_value::<IgnoredAny>()?;
        match entries.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(self.found.refuse(self.takes, "an object with several members")),
        }
    }
}

impl<'de> Held<'_> {
    /// Where no object is taken: it may be a number all the same.
    fn number<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        match entries.next_key::<Cow<'de, str>>()? {
            Some(key) if key == NUMBER => {}
            _ => return self.fits(false, "an object"),
        }
        match entries.next_value::<Value>()? {
            // What is beyond all numbers is infinite, which is large.
            Value::String(text) => match text.parse() {
                Ok(number) => self.visit_f64(number),
                Err(_) => self.fits(false, "an object"),
            },
            _ => self.fits(false, "an object"),
        }
    }
}

impl<'de> Visitor<'de> for Held<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.takes)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        let fits = matches!(self.takes, Schema::Maybe(_) | Schema::Nothing);
        self.fits(fits, "null")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        let fits = matches!(self.of_some(), Schema::Bool);
        self.fits(fits, "bool")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        let fits = matches!(self.of_some(), Schema::Int | Schema::Float);
        self.fits(fits, "int")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        let fits = matches!(self.of_some(), Schema::Int | Schema::Float);
        self.fits(fits, "int")
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<(), E> {
        self.visit_i64(0)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<(), E> {
        self.visit_u64(0)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        let fits = match self.of_some() {
            Schema::Float => true,
            Schema::Int => number.abs() >= LARGE,
            _ => false,
        };
        self.fits(fits, "float")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.of_some() {
            Schema::OneOf(variants) => {
                let fits = variants.contains(text);
                self.fits(fits, "another variant")
            }
            takes => {
                let fits = matches!(takes, Schema::Text);
                self.fits(fits, "text")
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        match self.of_some() {
            Schema::List(of) => self.list(items, of),
            Schema::Tuple(parts) => self.tuple(items, parts),
            Schema::Fields(fields) => self.ordered(items, fields),
            takes if takes.is_any() => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(())
            }
            _ => self.fits(false, "a list"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        match self.of_some() {
            Schema::Map(of) => self.map(entries, of),
            Schema::Fields(fields) => self.fields(entries, fields),
            Schema::OneOf(_) => self.variant(entries),
            takes if takes.is_any() => {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
            _ => self.number(entries),
        }
    }
}

const fn may_be_left_out(takes: &Schema) -> bool {
    matches!(takes, Schema::Maybe(_) | Schema::Any)
}

/// A field's name as a step of a JSON pointer.
fn step_of(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reads a key; gives the field of that name, if there is one.
struct FieldOf<'a>(&'a BTreeMap<Box<str>, Schema>);

impl<'de, 'a> DeserializeSeed<'de> for FieldOf<'a> {
    type Value = Option<(&'a str, &'a Schema)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for FieldOf<'a> {
    type Value = Option<(&'a str, &'a Schema)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get_key_value(key).map(|(name, takes)| (&**name, takes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::value::{Error, MapDeserializer};

    /// Holds what serde_json makes of a number, with its feature `arbitrary_precision`.
    fn number(takes: &Schema, text: &str) -> Option<Misfit> {
        let mut found = Found::default();
        let number = MapDeserializer::<_, Error>::new([(NUMBER, text)].into_iter());
        Held { takes, found: &mut found }.deserialize(number).err().and_then(|_| found.misfit())
    }

    #[test]
    fn a_number_that_comes_as_an_object_is_one() {
        for takes in [Schema::Float, Schema::Float.or_none(), Schema::Map(Box::default())] {
            assert_eq!(number(&takes, "1.5"), None);
        }
        for large in ["12345678901234567890123", "-12345678901234567890123", "1e400", &"9".repeat(400)] {
            assert_eq!(number(&Schema::Int, large), None);
        }
        let refused = |takes: Schema, text: &str| number(&takes, text).unwrap().came;
        assert_eq!(refused(Schema::Int, "1.5"), "float");
        assert_eq!(refused(Schema::Text, "1.5"), "float");
        assert_eq!(refused(Schema::List(Box::default()), "1.5"), "float");
        assert_eq!(refused(Schema::Float, "no number"), "an object");
    }

    #[test]
    fn whole_numbers_of_any_size_are_whole() {
        let mut found = Found::default();
        let mut held = Held { takes: &Schema::Int, found: &mut found };
        assert!(held.next(&Schema::Int).visit_u128::<Error>(u128::MAX).is_ok());
        assert!(held.next(&Schema::Float).visit_i128::<Error>(i128::MIN).is_ok());
        assert!(held.visit_i128::<Error>(i128::MIN).is_ok());
    }
}
