//! The durable form of events.
//!
//! One append to a journal is one record: a version byte, then the events in [postcard's wire format][wire], a
//! compact self-delimiting encoding with a stable specification. Rules, kept by the golden test of this module:
//! variants and fields are only ever added at the end of a new version; what version 1 wrote is read for ever.
//!
//! [wire]: https://postcard.jamesmunns.com/wire-format

use crate::event::Event;
use crate::run::Word;
use alloc::vec::Vec;
use serde::de::DeserializeOwned;

/// The version that is written.
pub const VERSION: u8 = 1;

/// Bytes are not a record of events that this version can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The record is of a version that is not known here.
    #[error("the record has format version {0}; this build reads up to {VERSION}: use the newer build that wrote it")]
    UnknownVersion(u8),
    /// The bytes do not fit the format.
    #[error("the record is damaged: {0}")]
    Damaged(postcard::Error),
}

/// Appends the record of `events` to `out` and gives it back.
///
/// ```
/// use vastflow_core::{codec, Event};
///
/// let record = codec::encode(&[Event::RunTimedOut], Vec::new())?;
/// assert_eq!(codec::decode(&record)?, [Event::RunTimedOut]);
/// # Ok::<(), codec::CodecError>(())
/// ```
///
/// # Errors
/// [`CodecError::Damaged`] when an event cannot be described, which no event of this version does.
pub fn encode(events: &[Event], mut out: Vec<u8>) -> Result<Vec<u8>, CodecError> {
    out.push(VERSION);
    postcard::to_extend(events, out).map_err(CodecError::Damaged)
}

/// What one scope says to another, as bytes.
///
/// # Errors
/// [`CodecError::Damaged`] when it cannot be described, which no word of this version does.
pub fn encode_word(word: &Word) -> Result<Vec<u8>, CodecError> {
    postcard::to_extend(word, Vec::from([VERSION])).map_err(CodecError::Damaged)
}

/// Reads back what [`encode_word`] wrote.
///
/// # Errors
/// [`CodecError`] when the version is not known or the bytes are damaged.
pub fn decode_word(bytes: &[u8]) -> Result<Word, CodecError> {
    read(bytes)
}

/// Reads the events of one record, which must end where the events do.
///
/// # Errors
/// [`CodecError`] when the version is not known or the bytes are damaged.
pub fn decode(record: &[u8]) -> Result<Vec<Event>, CodecError> {
    read(record)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest).map_err(CodecError::Damaged)? {
            (value, []) => Ok(value),
            _ => Err(CodecError::Damaged(postcard::Error::DeserializeBadEncoding)),
        },
        Some((&version, _)) => Err(CodecError::UnknownVersion(version)),
        None => Err(CodecError::Damaged(postcard::Error::DeserializeUnexpectedEnd)),
    }
}
