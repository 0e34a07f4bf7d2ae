//! A batch: the records that one sync makes durable, and who waits for it.
//!
//! ```text
//! blob = version byte, checksum (8 bytes), then records, each with its length (4 bytes) before it
//! ```

use crate::record;
use vastflow_store::{Answer, Reply, StoreError};

const VERSION: u8 = 1;
const HEADER: usize = 9;

/// Records on their way to the disk, and the answers that follow them.
pub(crate) struct Batch {
    /// The batch's place in the log; 0 while it holds no record.
    pub(crate) seq: u64,
    blob: Vec<u8>,
    pub(crate) answers: Vec<(Answer, Reply)>,
    /// Whether something can be claimed once this is durable.
    pub(crate) has_news: bool,
}

impl Default for Batch {
    fn default() -> Self {
        let mut blob = Vec::with_capacity(4096);
        blob.resize(HEADER, 0);
        Batch { seq: 0, blob, answers: Vec::new(), has_news: false }
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub(crate) const fn is_empty(&self) -> bool {
        self.blob.len() == HEADER
    }

    /// The bytes of its records.
    pub(crate) const fn bytes(&self) -> usize {
        self.blob.len() - HEADER
    }

    /// Where records are appended.
    pub(crate) const fn records_mut(&mut self) -> &mut Vec<u8> {
        &mut self.blob
    }

    /// The finished blob and those who wait for it.
    pub(crate) fn seal(mut self) -> (Vec<u8>, Vec<(Answer, Reply)>) {
        let sum = checksum(&self.blob[HEADER..]);
        self.blob[0] = VERSION;
        self.blob[1..HEADER].copy_from_slice(&sum.to_le_bytes());
        (self.blob, self.answers)
    }
}

/// The records of a blob, if it is whole.
pub(crate) fn open(blob: &[u8]) -> Result<impl Iterator<Item = Result<&[u8], StoreError>>, StoreError> {
    let Some((header, records)) = blob.split_first_chunk::<HEADER>() else {
        return Err(StoreError::corrupt("it is cut off"));
    };
    let [version, sum @ ..] = header;
    if *version > VERSION {
        return Err(StoreError::Refused(format!(
            "the log has format version {version}, this build reads up to {VERSION}: use the newer build that wrote it"
        )));
    }
    if *version != VERSION || checksum(records) != u64::from_le_bytes(*sum) {
        return Err(StoreError::corrupt("its checksum is wrong"));
    }
    Ok(record::framed(records))
}

/// Eight bytes a step; every step is a bijection of the sum, so damage within one word is always seen.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| {
        let mixed = (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(sum, u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> Vec<u8> {
        let mut batch = Batch::default();
        record::push_plan("{}", batch.records_mut()).unwrap();
        batch.seal().0
    }

    #[test]
    fn the_format_stays_as_it_is() {
        assert_eq!(blob(), [1, 131, 63, 18, 61, 248, 121, 7, 88, 3, 0, 0, 0, 1, b'{', b'}']);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let whole = blob();
        assert_eq!(open(&whole).unwrap().map(Result::unwrap).collect::<Vec<_>>(), [b"\x01{}"]);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&damaged).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(open(&whole[..len]).is_err(), "cut at {len}");
        }
    }
}
