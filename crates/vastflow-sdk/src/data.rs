//! Values and their bytes.

use crate::schema::schema_of;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Deref;
use vastflow_core::limits::MAX_PAYLOAD_BYTES;
use vastflow_core::plan::Schema;
use vastflow_core::{Codec, Payload};

/// A value that can travel between nodes: anything that serde can write and read (as JSON), or [`Bytes`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between nodes",
    label = "`{Self}` needs `#[derive(serde::Serialize, serde::Deserialize)]`",
    note = "what handlers take and give is recorded as JSON; raw bytes are a `vastflow::Bytes`"
)]
pub trait Data: Sized + Send + 'static {
    /// The value as bytes.
    ///
    /// # Errors
    /// [`DataError`] when it cannot be written, or is larger than the limit for a payload.
    fn encode(&self) -> Result<Payload, DataError>;

    /// The value that bytes hold.
    ///
    /// # Errors
    /// [`DataError`] when they hold something else.
    fn decode(payload: &Payload) -> Result<Self, DataError>;

    /// What such values look like, as far as that can be told. What comes from elsewhere as bytes is held against it as JSON: a
    /// type that is written otherwise looks like [`Schema::Any`].
    #[must_use]
    fn schema() -> Schema;
}

/// Why a value did not become bytes, or bytes no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// It cannot be written as JSON.
    #[error("a value of type {of} cannot be written as JSON: {why}")]
    Encode {
        /// The type.
        of: String,
        /// What serde said.
        why: String,
    },
    /// The bytes are not a value of that type.
    #[error("the value is not a {of}: {why}")]
    Decode {
        /// The type.
        of: String,
        /// What serde said.
        why: String,
    },
    /// It is too large.
    #[error(
        "the value has {bytes} bytes, the limit is {MAX_PAYLOAD_BYTES} (MAX_PAYLOAD_BYTES): \
         write it to a file or a blob store and hand on where it is"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// There is no value under that key.
    #[error("the context has no value under {key:?}")]
    Missing {
        /// The key.
        key: String,
    },
}

fn within_limit(payload: Payload) -> Result<Payload, DataError> {
    match payload.len() {
        bytes if bytes > MAX_PAYLOAD_BYTES => Err(DataError::TooLarge { bytes }),
        _ => Ok(payload),
    }
}

/// The name of a type as people write it, without the modules that it stands in.
pub(crate) fn name_of<T: ?Sized>() -> String {
    plain_name(std::any::type_name::<T>())
}

/// The same of a type's whole name.
pub(crate) fn plain_name(whole: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut name = String::with_capacity(whole.len());
    let mut rest = whole;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        name.push_str(word.rsplit("::").next().unwrap_or(word));
        let between = after.find(is_word).unwrap_or(after.len());
        name.push_str(&after[..between]);
        rest = &after[between..];
    }
    name
}

/// A value as JSON.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Payload, DataError> {
    let bytes = serde_json::to_vec(value).map_err(|e| DataError::Encode { of: name_of::<T>(), why: e.to_string() })?;
    // It may be kept for as long as its run waits: without what the writer has reserved.
    within_limit(Payload::new(Codec::Json, bytes.into_boxed_slice()))
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Data for T {
    fn encode(&self) -> Result<Payload, DataError> {
        to_json(self)
    }

    fn decode(payload: &Payload) -> Result<Self, DataError> {
        let wrong = |e: serde_json::Error| DataError::Decode { of: name_of::<T>(), why: e.to_string() };
        serde_json::from_slice(payload.bytes()).map_err(wrong)
    }

    fn schema() -> Schema {
        schema_of::<T>()
    }
}

/// Raw bytes, handed on unchanged. Reads any payload, whatever its codec: of a value that is no `Bytes` that is its
/// JSON, so a `String` arrives in quotes. Where bytes are taken, give `Bytes::from(text)`.
///
/// Not the `Bytes` of the bytes crate: that one travels as a JSON list of numbers. Its `.into()` gives this one, without
/// a copy.
///
/// ```
/// use vastflow_sdk::{Bytes, Data};
///
/// let payload = Bytes::from("\0anything").encode()?;
/// assert_eq!(payload.bytes(), b"\0anything");
/// assert_eq!(Bytes::decode(&String::from("text").encode()?)?.to_text(), "\"text\"");
/// # Ok::<(), vastflow_sdk::DataError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(bytes::Bytes);

impl Bytes {
    /// The bytes as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Data for Bytes {
    fn encode(&self) -> Result<Payload, DataError> {
        within_limit(Payload::new(Codec::Bytes, self.0.clone()))
    }

    fn decode(payload: &Payload) -> Result<Self, DataError> {
        Ok(Bytes(payload.clone().into_bytes()))
    }

    fn schema() -> Schema {
        Schema::Any
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<bytes::Bytes> for Bytes {
    fn from(bytes: bytes::Bytes) -> Self {
        Bytes(bytes)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(bytes.into())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Bytes(text.into())
    }
}

impl From<&'static str> for Bytes {
    fn from(text: &'static str) -> Self {
        Bytes(text.into())
    }
}

/// The values that flow into a node, by the name of the node that each comes from.
///
/// ```
/// use vastflow_sdk::{Bytes, Data, Parts};
///
/// let parts = Parts::new(vec![("a".into(), Bytes::from("1").encode()?)]);
/// assert_eq!(parts.get::<u32>("a")?, 1);
/// assert_eq!(parts.names().collect::<Vec<_>>(), ["a"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(Vec<(Box<str>, Payload)>);

impl Parts {
    /// Values with their names, in edge order.
    #[must_use]
    pub const fn new(parts: Vec<(Box<str>, Payload)>) -> Self {
        Parts(parts)
    }

    /// The value that came from `node`.
    ///
    /// # Errors
    /// [`DataError::Missing`] when nothing came from there, [`DataError::Decode`] when it is something else.
    pub fn get<T: Data>(&self, node: &str) -> Result<T, DataError> {
        let missing = || DataError::Missing { key: node.to_owned() };
        let (_, part) = self.0.iter().find(|(name, _)| **name == *node).ok_or_else(missing)?;
        T::decode(part).or_else(|error| match (part.codec(), std::str::from_utf8(part.bytes())) {
            // A text that stood in a map, where raw bytes and JSON texts look alike.
            (Codec::Bytes, Ok(text)) => T::decode(&to_json(text)?).map_err(|_| error),
            _ => Err(error),
        })
    }

    /// The names, in edge order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The values with their names, in edge order.
    #[must_use]
    pub fn as_slice(&self) -> &[(Box<str>, Payload)] {
        &self.0
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a node that takes one value gets: nothing, the only value, or a map by node name.
    pub(crate) fn into_one(mut self) -> Payload {
        match self.0.len() {
            0 => Payload::null(),
            1 => self.0.remove(0).1,
            _ => Payload::object(self.0.iter().map(|(name, part)| (&**name, part))),
        }
    }
}
