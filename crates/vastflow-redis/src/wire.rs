//! What goes to the scripts and what comes back, in MessagePack: the format that carries names and raw bytes and that
//! Redis's Lua can read by itself.
//!
//! Lua has one kind of string, and its reader knows only MessagePack's texts. So what is sent is written here, with raw
//! bytes as texts; what comes back is read by serde.

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use vastflow_store::StoreError;

/// Something that a script can be told.
pub(crate) trait Pack {
    /// Appends it.
    fn pack(&self, out: &mut Vec<u8>);

    /// Whether it goes without saying: such a field is left out, and is `nil` in the script.
    fn is_nothing(&self) -> bool {
        false
    }
}

/// Appends a head: the short one with the length in it, or one of the long ones.
fn head(out: &mut Vec<u8>, short: u8, fits: usize, long: [u8; 3], len: usize) {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(small), _) if usize::from(small) < fits => out.push(short | small),
        (Ok(small), _) if long[0] != 0 => out.extend_from_slice(&[long[0], small]),
        (_, Ok(middle)) => {
            out.push(long[1]);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(long[2]);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, 0xa0, 32, [0xd9, 0xda, 0xdb], bytes.len());
    out.extend_from_slice(bytes);
}

fn list(out: &mut Vec<u8>, len: usize) {
    head(out, 0x90, 16, [0, 0xdc, 0xdd], len);
}

/// Appends the head of a struct with so many fields.
pub(crate) fn fields(out: &mut Vec<u8>, len: usize) {
    head(out, 0x80, 16, [0, 0xde, 0xdf], len);
}

/// Appends a field with its name, unless it goes without saying.
pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &impl Pack) {
    if !value.is_nothing() {
        text(out, name.as_bytes());
        value.pack(out);
    }
}

impl Pack for &str {
    fn pack(&self, out: &mut Vec<u8>) {
        text(out, self.as_bytes());
    }
}

impl Pack for String {
    fn pack(&self, out: &mut Vec<u8>) {
        text(out, self.as_bytes());
    }
}

impl Pack for bool {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(if *self { 0xc3 } else { 0xc2 });
    }

    fn is_nothing(&self) -> bool {
        !self
    }
}

impl Pack for u64 {
    fn pack(&self, out: &mut Vec<u8>) {
        match u8::try_from(*self) {
            Ok(small) if small < 0x80 => out.push(small),
            _ => {
                out.push(0xcf);
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    }
}

impl Pack for u32 {
    fn pack(&self, out: &mut Vec<u8>) {
        u64::from(*self).pack(out);
    }
}

impl Pack for usize {
    fn pack(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).pack(out);
    }
}

impl Pack for i8 {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(0xd0);
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.pack(out),
            None => out.push(0xc0),
        }
    }

    fn is_nothing(&self) -> bool {
        self.is_none()
    }
}

impl<T: Pack, const N: usize> Pack for [T; N] {
    fn pack(&self, out: &mut Vec<u8>) {
        list(out, N);
        self.iter().for_each(|one| one.pack(out));
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        list(out, self.len());
        self.iter().for_each(|one| one.pack(out));
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

/// A list in which something may be missing: `false` stands there. One in which everything is goes without saying.
pub(crate) struct Column<T>(Vec<Option<T>>);

impl<T> Column<T> {
    pub(crate) fn push(&mut self, value: Option<T>) {
        self.0.push(value);
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Column(Vec::new())
    }
}

impl<T: Pack> Pack for Column<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        list(out, self.0.len());
        for one in &self.0 {
            match one {
                Some(value) => value.pack(out),
                None => false.pack(out),
            }
        }
    }

    fn is_nothing(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn pack(&self, out: &mut Vec<u8>) {
        list(out, 2);
        self.0.pack(out);
        self.1.pack(out);
    }
}

impl<T: Pack> Pack for &T {
    fn pack(&self, out: &mut Vec<u8>) {
        (**self).pack(out);
    }

    fn is_nothing(&self) -> bool {
        (**self).is_nothing()
    }
}

/// A struct that a script is told, field by field under its name.
macro_rules! told {
    ($($(#[$about:meta])* $see:vis struct $name:ident $(<$life:lifetime $(, $kind:ident)?>)? {
        $($(#[$says:meta])* $sees:vis $field:ident: $type:ty,)*
    })*) => { $(
        $(#[$about])*
        $see struct $name $(<$life $(, $kind)?>)? {
            $($(#[$says])* $sees $field: $type,)*
        }

        impl $(<$life $(, $kind: $crate::wire::Pack)?>)? $crate::wire::Pack for $name $(<$life $(, $kind)?>)? {
            fn pack(&self, out: &mut Vec<u8>) {
                let said = [$(!$crate::wire::Pack::is_nothing(&self.$field),)*];
                $crate::wire::fields(out, said.into_iter().filter(|said| *said).count());
                $($crate::wire::field(out, stringify!($field), &self.$field);)*
            }
        }
    )* };
}
pub(crate) use told;

told! {
    /// What every script is called with.
    pub(crate) struct Frame<'a, A> {
        /// The store that the caller knows.
        pub(crate) id: &'a str,
        /// The last step that it knows of.
        pub(crate) seen: u64,
        /// Whether time is what the script is told.
        pub(crate) is_virtual: bool,
        /// What to do, of what the script can.
        pub(crate) verb: &'a str,
        pub(crate) ask: A,
    }
}

/// What every script answers.
#[derive(Deserialize)]
pub(crate) struct Reply<B> {
    /// It is not the store that the caller knows.
    #[serde(default)]
    pub(crate) gone: bool,
    /// The number of this step.
    #[serde(default)]
    pub(crate) step: u64,
    /// How many steps the store has forgotten that the caller knows of.
    #[serde(default)]
    pub(crate) forgot: u64,
    /// Whether something can be claimed that could not before.
    #[serde(default)]
    pub(crate) news: bool,
    pub(crate) body: Option<B>,
}

/// Raw bytes. Lua has only one kind of string, so they come back as text or as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Pack for Raw {
    fn pack(&self, out: &mut Vec<u8>) {
        text(out, &self.0);
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                Ok(Raw(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw(text.as_bytes().to_vec()))
            }
        }
        from.deserialize_bytes(Any)
    }
}

/// As the scripts read it.
pub(crate) fn pack(value: &impl Pack) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    value.pack(&mut out);
    out
}

/// What a script answered.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|why| StoreError::corrupt(format!("an answer cannot be read: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_whether_they_are_text_or_not() {
        for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            for byte in [b'a', 0xff] {
                let bytes = vec![byte; len];
                assert_eq!(unpack::<Raw>(&pack(&Raw(bytes.clone()))).unwrap().0, bytes, "{len} times {byte}");
            }
        }
    }

    #[test]
    fn numbers_and_lists_come_back() {
        for number in [0, 1, 127, 128, 255, 65_536, u64::MAX] {
            assert_eq!(unpack::<u64>(&pack(&number)).unwrap(), number);
        }
        for number in [-128, -1, 0, 127_i8] {
            assert_eq!(unpack::<i8>(&pack(&number)).unwrap(), number);
        }
        for len in [0, 15, 16, 65_536] {
            assert_eq!(unpack::<Vec<u64>>(&pack(&vec![7_u64; len])).unwrap(), vec![7; len]);
        }
        assert_eq!(unpack::<(String, bool)>(&pack(&("x", true))).unwrap(), ("x".to_owned(), true));
    }

    #[test]
    fn what_goes_without_saying_is_left_out() {
        told! {
            struct Some_<'a> {
                text: &'a str,
                flag: bool,
                list: Vec<u64>,
                number: Option<u64>,
            }
        }
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(deny_unknown_fields)]
        struct Read {
            text: String,
            number: Option<u64>,
        }
        let packed = pack(&Some_ { text: "", flag: false, list: Vec::new(), number: Some(7) });
        assert_eq!(unpack::<Read>(&packed).unwrap(), Read { text: String::new(), number: Some(7) });
    }
}
