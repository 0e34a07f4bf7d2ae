//! Payloads: bytes that travel between nodes, plus the name of their codec. The engine never parses them.

use crate::id::Name;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How the bytes of a [`Payload`] are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// JSON text, the default.
    Json,
    /// Any bytes, handed on unchanged.
    Bytes,
}

impl Codec {
    /// The codec's name, as shown to people and kept in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Json => "json",
            Codec::Bytes => "bytes",
        }
    }
}

/// Bytes plus a codec. Cloning shares the bytes.
///
/// ```
/// use vastflow_core::{Codec, Payload};
///
/// let payload = Payload::new(Codec::Bytes, &b"\x00\xff"[..]);
/// assert_eq!(payload.bytes(), b"\x00\xff");
/// assert_eq!(format!("{payload:?}"), "Payload(2 bytes of bytes)"); // content is never shown by accident
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payload {
    codec: Codec,
    bytes: Bytes,
}

impl Payload {
    /// A payload of `bytes` to be read by `codec`.
    pub fn new(codec: Codec, bytes: impl Into<Bytes>) -> Self {
        Payload { codec, bytes: bytes.into() }
    }

    /// JSON `null`: what a node that has nothing to say hands on.
    #[must_use]
    pub const fn null() -> Self {
        Payload { codec: Codec::Json, bytes: Bytes::from_static(b"null") }
    }

    /// How the bytes are to be read.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, shared.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One JSON object with a member per named part, in the given order. JSON parts stand in it as they are;
    /// raw bytes become a JSON string when they are UTF-8 text, else `{"bytes":[…]}` with their values.
    ///
    /// ```
    /// use vastflow_core::{Codec, Name, Payload};
    ///
    /// let parts = [
    ///     (Name::new("a")?, Payload::new(Codec::Json, "1")),
    ///     (Name::new("b")?, Payload::new(Codec::Bytes, "hi")),
    /// ];
    /// assert_eq!(Payload::map(&parts).bytes(), br#"{"a":1,"b":"hi"}"#);
    /// # Ok::<(), vastflow_core::id::InvalidId>(())
    /// ```
    #[must_use]
    pub fn map<'a>(parts: impl IntoIterator<Item = &'a (Name, Payload)>) -> Self {
        Payload::object(parts.into_iter().map(|(name, part)| (name.as_str(), part)))
    }

    /// The same for parts with any text as their name.
    #[must_use]
    pub fn object<'a>(parts: impl IntoIterator<Item = (&'a str, &'a Payload)>) -> Self {
        let mut out = Vec::from(*b"{");
        for (name, part) in parts {
            separate(&mut out);
            out.extend_from_slice(json_text(name).as_bytes());
            out.push(b':');
            part.append_json(&mut out);
        }
        out.push(b'}');
        Payload::new(Codec::Json, out)
    }

    /// One JSON list of the parts, in the given order, each as in [`Payload::map`].
    ///
    /// ```
    /// use vastflow_core::{Codec, Payload};
    ///
    /// let parts = [Payload::new(Codec::Json, "1"), Payload::new(Codec::Bytes, "hi")];
    /// assert_eq!(Payload::list(&parts).bytes(), br#"[1,"hi"]"#);
    /// ```
    #[must_use]
    pub fn list<'a>(parts: impl IntoIterator<Item = &'a Payload>) -> Self {
        let mut out = Vec::from(*b"[");
        for part in parts {
            separate(&mut out);
            part.append_json(&mut out);
        }
        out.push(b']');
        Payload::new(Codec::Json, out)
    }

    /// A result or the text of an error, in serde's form of a `Result`: `{"Ok":…}` or `{"Err":"…"}`.
    #[must_use]
    pub fn settled(result: Result<&Payload, &str>) -> Self {
        match result {
            Ok(part) => Payload::object([("Ok", part)]),
            Err(text) => Payload::object([("Err", &Payload::new(Codec::Json, json_text(text)))]),
        }
    }

    /// What tells it from any other payload.
    ///
    /// ```
    /// use vastflow_core::{Codec, Payload};
    ///
    /// let one = Payload::new(Codec::Json, "1");
    /// assert_eq!(one.fingerprint(), one.clone().fingerprint());
    /// assert_ne!(one.fingerprint(), Payload::new(Codec::Bytes, "1").fingerprint());
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let digest =
            Sha256::new().chain_update(self.codec.name()).chain_update([0]).chain_update(&self.bytes).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Fingerprint(first)
    }

    fn append_json(&self, out: &mut Vec<u8>) {
        match (self.codec, core::str::from_utf8(&self.bytes)) {
            (Codec::Json, _) => out.extend_from_slice(&self.bytes),
            (Codec::Bytes, Ok(text)) => out.extend_from_slice(json_text(text).as_bytes()),
            (Codec::Bytes, Err(_)) => {
                out.extend_from_slice(format!("{{\"bytes\":{:?}}}", &self.bytes[..]).as_bytes());
            }
        }
    }
}

/// The first 16 bytes of the SHA-256 of a payload: enough to tell whether it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint([u8; 16]);

/// A comma, unless nothing stands before it.
fn separate(out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
}

fn json_text(text: &str) -> String {
    // Writing a str as JSON cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes of {})", self.bytes.len(), self.codec.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_bytes_in_a_map_stay_readable_json() {
        let parts = [(Name::new("n").unwrap(), Payload::new(Codec::Bytes, &b"\xff\""[..]))];
        assert_eq!(Payload::map(&parts).bytes(), br#"{"n":{"bytes":[255, 34]}}"#);
        let parts = [(Name::new("n").unwrap(), Payload::new(Codec::Bytes, "a\"b\n"))];
        assert_eq!(Payload::map(&parts).bytes(), br#"{"n":"a\"b\n"}"#);
    }
}
