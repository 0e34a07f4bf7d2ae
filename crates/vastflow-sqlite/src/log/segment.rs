//! One segment of the log: a file that is filled from its beginning, a batch after the other.
//!
//! ```text
//! frame = "vfl", version byte, length of the blob (4 bytes), the store's id, first batch of the segment, this batch
//!         (8 bytes each), checksum of all these (8 bytes), then the blob (see `batch.rs`), zeros up to the next block
//! ```
//!
//! A frame begins with a block of its own, so that a write that a power cut tore harms none but itself; it is synced
//! before the next is written. A segment may be written over what was another one: its frames name another first batch.

use crate::batch::checksum;
use crate::{batch, fail, lock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use vastflow_store::StoreError;

const BLOCK: usize = 4096;
const HEADER: usize = 40;
const MAGIC: &[u8] = b"vfl";
const VERSION: u8 = 1;
/// How much room is made at once. Syncing a file that does not grow takes half of the time.
const ROOM: u64 = 1 << 20;

/// A segment that is not written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) path: PathBuf,
    /// The place of its last batch.
    pub(crate) last: u64,
}

impl Passed {
    /// Keeps its file for the next segment to write over, or removes it.
    pub(crate) fn recycle(&self, store: &Path) {
        let spare = spare(store);
        // Best effort: without a spare the next segment begins with an empty file, and what stays here is found at the
        // next opening, and holds nothing that the tables do not have.
        let _ = if spare.exists() { fs::remove_file(&self.path) } else { fs::rename(&self.path, spare) };
    }
}

fn spare(store: &Path) -> PathBuf {
    lock::beside(store, ".log-spare")
}

/// Removes what was kept to be written over.
pub(crate) fn remove_spare(store: &Path) {
    let _ = fs::remove_file(spare(store));
}

/// The segment that is being written.
pub(crate) struct Segment {
    file: File,
    path: PathBuf,
    /// The store's id.
    id: u64,
    first: u64,
    last: u64,
    /// Where the next frame begins.
    end: u64,
    /// How long the file is.
    len: u64,
    /// The most that it may grow to, as if the disk were full then.
    limit: Option<u64>,
    /// The last frame, kept for its room.
    frame: Vec<u8>,
}

impl Segment {
    /// A new segment for the batches from `first` on. A segment of this name can only be one in which nothing was
    /// written before a crash.
    pub(crate) fn create(store: &Path, id: u64, first: u64, limit: Option<u64>) -> Result<Self, StoreError> {
        let path = lock::beside(store, &format!(".log-{first}"));
        let (file, len) = open_new(store, &path).map_err(|why| fail::io("creating", &path, why))?;
        Ok(Segment { file, path, id, first, last: first.saturating_sub(1), end: 0, len, limit, frame: Vec::new() })
    }

    /// Appends a batch; it is durable when this returns.
    pub(crate) fn append(&mut self, seq: u64, blob: &[u8]) -> Result<(), StoreError> {
        let len = u32::try_from(blob.len()).map_err(|_| StoreError::Invalid("it is larger than 4 GiB".into()))?;
        self.frame.clear();
        self.frame.extend_from_slice(&Header { len, id: self.id, first: self.first, seq }.bytes());
        self.frame.extend_from_slice(blob);
        self.frame.resize(self.frame.len().next_multiple_of(BLOCK), 0);
        self.write().map_err(|why| fail::io("writing to", &self.path, why))?;
        self.end += self.frame.len() as u64;
        self.last = seq;
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let end = self.end + self.frame.len() as u64;
        if self.limit.is_some_and(|limit| end > limit) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if end > self.len {
            let room = end - self.len + ROOM;
            self.file.seek(SeekFrom::Start(self.len))?;
            io::copy(&mut io::Read::take(io::repeat(0), room), &mut self.file)?;
            self.len += room;
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&self.frame)?;
        self.file.sync_data()
    }

    /// Whether its file is still where it was made: what is written to one that was deleted is gone with the process.
    pub(crate) fn is_there(&self) -> bool {
        lock::is_at(&self.file, &self.path)
    }

    /// The path of its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes that were written to it.
    pub(crate) const fn written(&self) -> u64 {
        self.end
    }

    /// The place of the last batch in it.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The segment as one that is not written any more.
    pub(crate) fn pass(self) -> Passed {
        Passed { path: self.path, last: self.last }
    }
}

/// A file at `path`, with its length: the spare one if there is one. It is there after a crash.
fn open_new(store: &Path, path: &Path) -> io::Result<(File, u64)> {
    // There may be none.
    let _ = fs::rename(spare(store), path);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let len = file.metadata()?.len();
    file.sync_all()?;
    // Elsewhere than on Unix, directories cannot be synced.
    #[cfg(unix)]
    File::open(dir_of(store))?.sync_all()?;
    Ok((file, len))
}

/// What stands before a blob.
struct Header {
    len: u32,
    id: u64,
    first: u64,
    seq: u64,
}

impl Header {
    fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..3].copy_from_slice(MAGIC);
        bytes[3] = VERSION;
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.seq.to_le_bytes());
        let sum = checksum(&bytes[..32]);
        bytes[32..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The header that begins `bytes`, if one does.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (found, _) = bytes.split_first_chunk::<HEADER>()?;
        let (words, _) = found[8..].as_chunks::<8>();
        let len = u32::from_le_bytes(*found[4..].first_chunk()?);
        let [id, first, seq, _] = *words.first_chunk()?;
        let [id, first, seq] = [id, first, seq].map(u64::from_le_bytes);
        let header = Header { len, id, first, seq };
        (header.bytes() == *found).then_some(header)
    }
}

/// Calls `each` with every batch after `watermark`, in order; gives the segments that hold them. `id` is the store's.
pub(crate) fn read_tail(
    store: &Path,
    id: u64,
    watermark: u64,
    mut each: impl FnMut(u64, Vec<u8>) -> Result<(), StoreError>,
) -> Result<Vec<Passed>, StoreError> {
    let mut passed = Vec::new();
    let mut last = watermark;
    for (first, path) in find(store)? {
        let before = last;
        let content = fs::read(&path).map_err(|why| fail::io("reading", &path, why))?;
        let mut take = |seq, blob: &[u8]| {
            if seq <= before {
                return Ok(());
            }
            if seq != last + 1 {
                return Err(StoreError::corrupt(format!("batch {} is missing before batch {seq}", last + 1)));
            }
            last = seq;
            each(seq, blob.to_vec())
        };
        if let Some(newest) = read(&content, id, first, &mut take).map_err(|why| at(why, &path))? {
            settle(&path, &content, newest).map_err(|why| fail::io("writing to", &path, why))?;
        }
        if first > last + 1 {
            // It was made when the one before was synced, so that one did not end in a torn frame, whatever it looks
            // like now; or these are not the tables that it belongs to.
            let text = format!(
                "batch {} is missing before batch {first}, or it belongs to other tables than those beside it",
                last + 1
            );
            return Err(at(StoreError::corrupt(text), &path));
        }
        if last == before && first > last {
            // Nothing was ever written to it, and the next segment will have its name.
            let _ = fs::remove_file(&path);
        } else {
            passed.push(Passed { path, last });
        }
    }
    // Another build or another store may have left it, and what stands in it could pass for ours.
    remove_spare(store);
    Ok(passed)
}

/// Makes what was read of a segment durable, before anything is built on it: it may come from the page cache alone.
///
/// A process that was killed between the write and the sync leaves its newest frame there; those before were synced. To
/// sync it is not enough: after a sync that failed, the system may take the pages for clean, and would sync nothing.
/// So it is written again, where it stands: that needs no room on a disk that may be full, and if a power cut tears
/// this write, old and new bytes are the same. The directory is synced when the next segment is made.
fn settle(path: &Path, content: &[u8], newest: Range<usize>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(newest.start as u64))?;
    file.write_all(content.get(newest).unwrap_or_default())?;
    file.sync_all()
}

/// Names the file in an error that has been told about a batch.
fn at(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Corrupt { why, source } => {
            StoreError::Corrupt { why: format!("{}: {why}", path.display()), source }
        }
        StoreError::Refused(why) => StoreError::Refused(format!("{}: {why}", path.display())),
        other => other,
    }
}

/// Calls `each` with every batch of the segment that begins with `first`; gives where the newest frame stands.
fn read(
    content: &[u8],
    id: u64,
    first: u64,
    each: &mut impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
) -> Result<Option<Range<usize>>, StoreError> {
    if content.starts_with(b"SQLite format 3\0") {
        let text = "the log was written by an early build: open the store with that build, and close it";
        return Err(StoreError::Refused(text.into()));
    }
    let mut rest = content;
    let mut next = first;
    let mut newest = None;
    while let Some((Header { id: of, seq, .. }, blob)) = frame(rest, first) {
        if of != id {
            return Err(StoreError::Refused(
                "this log belongs to another store than the tables beside it. Put back the tables that it was written \
                 with; or, if what it holds is not needed there, move the log files to another folder, and open again"
                    .into(),
            ));
        }
        // Whether the blob is whole is seen by its own checksum. One that is not was being written at a power cut ...
        if let Err(StoreError::Corrupt { why, .. }) = batch::open(blob).map(drop) {
            return only_torn(rest, first, || format!("batch {seq}: {why}")).map(|()| newest);
        }
        each(seq, blob)?;
        next = seq + 1;
        let begin = content.len() - rest.len();
        newest = Some(begin..begin + HEADER + blob.len());
        rest = rest.get((HEADER + blob.len()).next_multiple_of(BLOCK)..).unwrap_or_default();
    }
    // A newer build may have laid out the rest of the header in another way: what it wrote must not pass for an end.
    if let Some(version) = rest.strip_prefix(MAGIC).and_then(<[u8]>::first).filter(|version| **version > VERSION) {
        return Err(StoreError::Refused(format!(
            "the log has format version {version}, this build reads up to {VERSION}: use the newer build that wrote it"
        )));
    }
    only_torn(rest, first, || format!("batch {next}: it cannot be read")).map(|()| newest)
}

/// ... unless there is one behind it, which was written when it had been synced: then it was damaged since.
fn only_torn(rest: &[u8], first: u64, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    let is_ours = |block: &[u8]| Header::read(block).is_some_and(|header| header.first == first);
    match rest.chunks(BLOCK).skip(1).any(is_ours) {
        true => Err(StoreError::corrupt(what())),
        false => Ok(()),
    }
}

/// The batch that `bytes` begin with, if they begin with a frame of the segment.
fn frame(bytes: &[u8], first: u64) -> Option<(Header, &[u8])> {
    let header = Header::read(bytes).filter(|header| header.first == first)?;
    let len = usize::try_from(header.len).ok()?;
    Some((header, bytes.get(HEADER..HEADER + len).unwrap_or_default()))
}

fn dir_of(store: &Path) -> &Path {
    store.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The segments of a store, oldest first.
fn find(store: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let dir = dir_of(store);
    let prefix = lock::beside(Path::new(store.file_name().unwrap_or_default()), ".log-");
    let prefix = prefix.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|why| fail::io("listing", dir, why))? {
        let path = entry.map_err(|why| fail::io("listing", dir, why))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(first) = name.strip_prefix(&prefix).and_then(|number| number.parse().ok()) {
            found.push((first, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_stays_as_it_is() {
        let header = Header { len: 0x0102, id: 0x0304, first: 5, seq: 6 }.bytes();
        assert_eq!(header[..4], *b"vfl\x01");
        assert_eq!(header[4..8], [2, 1, 0, 0]);
        assert_eq!(header[8..32], [4, 3, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(header[32..], [93, 40, 37, 161, 185, 77, 7, 108]);
    }
}
