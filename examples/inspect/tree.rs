//! The folder: which files are in it, and what is in them.

use crate::desk::{Desk, FileName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use vastflow::Result;

/// Into how many parts the files are divided; each is hashed by a node of its own.
pub(crate) const SHARDS: usize = 8;
/// What opening a file costs, in bytes that could be read meanwhile.
const OPENING: u64 = 16 * 1024;
/// How many unreadable places are told by name.
const NAMED: usize = 10;

/// The files of a folder.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Links that were not followed.
    pub(crate) links: u64,
    /// Folders that were left out because of their name.
    pub(crate) left_out: u64,
    pub(crate) unreadable: Unreadable,
    /// Records of size and path, shard by shard.
    pub(crate) shards: Vec<FileName>,
}

/// Places that could not be read: how many, and the first of them with the reason.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Unreadable {
    pub(crate) count: u64,
    pub(crate) named: Vec<String>,
}

impl Unreadable {
    fn note(&mut self, path: &Path, why: &io::Error) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(format!("{}: {why}", elided(&shown(&bytes_of(path)))));
        }
    }

    pub(crate) fn add(&mut self, other: &Unreadable) {
        self.count += other.count;
        self.named.extend(other.named.iter().cloned());
        self.named.truncate(NAMED);
    }
}

/// The hashes of one shard: records of hash, size and path.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Hashed {
    pub(crate) hashes: FileName,
    pub(crate) unreadable: Unreadable,
}

/// Lists the files, dealt out so that all shards take about as long.
pub(crate) fn list(desk: &Desk) -> Result<Listing> {
    let mut shards = Vec::new();
    for shard in 0..SHARDS {
        shards.push((0_u64, desk.write(&format!("list-{shard}"))?));
    }
    let mut listing = Listing::default();
    let root = &desk.job.root;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        desk.carry_on()?;
        let entries = match sorted(&root.join(&folder)) {
            Ok(entries) => entries,
            Err(why) if folder.as_os_str().is_empty() => return Err(format!("{}: {why}", root.display()).into()),
            Err(why) => {
                listing.unreadable.note(&folder, &why);
                continue;
            }
        };
        for (name, kind) in entries {
            let path = folder.join(&name);
            match kind {
                Ok(Kind::Folder) if name == ".git" || name == "target" => listing.left_out += 1,
                Ok(_) if desk.job.is_own(&root.join(&path)) => {}
                Ok(Kind::Folder) => folders.push(path),
                Ok(Kind::Link) => listing.links += 1,
                Ok(Kind::Other) => {}
                Err(why) => listing.unreadable.note(&path, &why),
                Ok(Kind::File(size)) => {
                    listing.files += 1;
                    listing.bytes += size;
                    if let Some((load, shard)) = shards.iter_mut().min_by_key(|(load, _)| *load) {
                        *load += size + OPENING;
                        shard.record(&[size.to_string().as_bytes(), &bytes_of(&path)])?;
                    }
                }
            }
        }
    }
    for (_, shard) in shards {
        listing.shards.push(shard.finish()?);
    }
    Ok(listing)
}

enum Kind {
    File(u64),
    Folder,
    Link,
    Other,
}

/// What is in a folder, in the order of names, so that two listings of one folder are the same.
fn sorted(folder: &Path) -> io::Result<Vec<(OsString, io::Result<Kind>)>> {
    let kind = |entry: &fs::DirEntry| {
        let kind = entry.file_type()?;
        Ok(match kind {
            _ if kind.is_symlink() => Kind::Link,
            _ if kind.is_dir() => Kind::Folder,
            _ if kind.is_file() => Kind::File(entry.metadata()?.len()),
            _ => Kind::Other,
        })
    };
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| (entry.file_name(), kind(&entry))));
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

/// Hashes the files of one shard.
pub(crate) fn hash(desk: &Desk, listing: &Listing, shard: usize) -> Result<Hashed> {
    let mut unreadable = Unreadable::default();
    let mut hashes = desk.write(&format!("hash-{shard}"))?;
    for record in desk.records(&listing.shards[shard])? {
        let [size, path] = record?;
        let mut hash = Sha256::new();
        match read(desk, &path, |chunk| hash.update(chunk))? {
            Ok(()) => hashes.record(&[hex(&hash.finalize()).as_bytes(), &size, &path])?,
            Err(why) => unreadable.note(&path_of(&path), &why),
        }
    }
    Ok(Hashed { hashes: hashes.finish()?, unreadable })
}

/// Reads a file piece by piece. The outer error ends the work, the inner one is the file's.
pub(crate) fn read(desk: &Desk, path: &[u8], mut see: impl FnMut(&[u8])) -> Result<io::Result<()>> {
    let mut file = match File::open(desk.job.root.join(path_of(path))) {
        Ok(file) => file,
        Err(why) => return Ok(Err(why)),
    };
    let mut chunk = vec![0; 128 * 1024];
    loop {
        desk.carry_on()?;
        match file.read(&mut chunk) {
            Ok(0) => return Ok(Ok(())),
            Ok(length) => see(&chunk[..length]),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Ok(Err(why)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(unix)]
pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(unix)]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// A name for a terminal: what is not text, or would not stay on its line, is escaped.
pub(crate) fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// A long name without its middle.
fn elided(name: &str) -> String {
    const EITHER_END: usize = 40;
    let count = name.chars().count();
    if count <= 2 * EITHER_END {
        return name.to_owned();
    }
    let start: String = name.chars().take(EITHER_END).collect();
    let end: String = name.chars().skip(count - EITHER_END).collect();
    format!("{start}…{end}")
}
