//! What is found, and how it is told.

use crate::desk::{Desk, Draft, FileName};
use crate::tree::{Hashed, Listing, Unreadable, bytes_of, path_of, read, shown};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use vastflow::Result;

/// How much of what may be long is shown.
const GROUPS_SHOWN: usize = 20;
const PATHS_SHOWN: usize = 10;
const EXTENSIONS_SHOWN: usize = 30;

/// Files with the same content.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Duplicates {
    groups: usize,
    /// How many files could go.
    extra: usize,
    /// How many bytes that would free.
    wasted: u64,
    unreadable: Unreadable,
    /// A paragraph a group, the most wasteful first.
    text: FileName,
}

struct Group {
    size: u64,
    paths: Vec<Vec<u8>>,
}

impl Group {
    fn wasted(&self) -> u64 {
        self.size * self.extra() as u64
    }

    fn extra(&self) -> usize {
        self.paths.len() - 1
    }
}

/// Finds files with the same hash. Empty files are not duplicates: nothing is wasted.
pub(crate) fn duplicates(desk: &Desk, hashed: &[Hashed]) -> Result<Duplicates> {
    let mut groups = groups(desk, hashed)?;
    groups.iter_mut().for_each(|group| group.paths.sort());
    groups.sort_by(|a, b| b.wasted().cmp(&a.wasted()).then_with(|| a.paths.cmp(&b.paths)));
    let mut text = desk.write("duplicates.txt")?;
    for group in &groups {
        text.line(format_args!("  {} × {}", group.paths.len(), Count(group.size, "byte")))?;
        for path in &group.paths {
            text.line(format_args!("      {}", shown(path)))?;
        }
    }
    let mut unreadable = Unreadable::default();
    hashed.iter().for_each(|shard| unreadable.add(&shard.unreadable));
    Ok(Duplicates {
        groups: groups.len(),
        extra: groups.iter().map(Group::extra).sum(),
        wasted: groups.iter().map(Group::wasted).sum(),
        unreadable,
        text: text.finish()?,
    })
}

/// Goes over the hashes twice, so that only the paths of duplicates are held in memory.
fn groups(desk: &Desk, hashed: &[Hashed]) -> Result<Vec<Group>> {
    let mut seen: HashMap<Vec<u8>, bool> = HashMap::new();
    for shard in hashed {
        for record in desk.records(&shard.hashes)? {
            let [hash, _, _] = record?;
            seen.entry(hash).and_modify(|again| *again = true).or_insert(false);
        }
    }
    seen.retain(|_, again| *again);
    let mut groups: HashMap<Vec<u8>, Group> = HashMap::new();
    for shard in hashed {
        for record in desk.records(&shard.hashes)? {
            let [hash, size, path] = record?;
            if seen.contains_key(&hash) {
                let size = number(&size)?;
                groups.entry(hash).or_insert_with(|| Group { size, paths: Vec::new() }).paths.push(path);
            }
        }
    }
    Ok(groups.into_values().filter(|group| group.size > 0).collect())
}

/// Lines by extension: records of extension, files, bytes and lines, most lines first.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Counted {
    table: FileName,
    total: Row,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Row {
    files: u64,
    bytes: u64,
    lines: u64,
}

impl Row {
    fn add(&mut self, other: Row) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.lines += other.lines;
    }
}

/// Counts the lines of all text files. A file with a NUL in it is no text: it has no lines.
pub(crate) fn count_lines(desk: &Desk, listing: &Listing) -> Result<Counted> {
    let mut rows: BTreeMap<Vec<u8>, Row> = BTreeMap::new();
    let mut total = Row::default();
    for shard in &listing.shards {
        for record in desk.records(shard)? {
            let [size, path] = record?;
            // A file that cannot be read has no lines; the hashing tells about it.
            let lines = lines(desk, &path)?.unwrap_or(0);
            let row = Row { files: 1, bytes: number(&size)?, lines };
            rows.entry(extension(&path)).or_default().add(row);
            total.add(row);
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, row)| (u64::MAX - row.lines, u64::MAX - row.bytes));
    let mut table = desk.write("lines")?;
    for (extension, row) in &rows {
        let [files, bytes, lines] = [row.files, row.bytes, row.lines].map(|number| number.to_string());
        table.record(&[extension, files.as_bytes(), bytes.as_bytes(), lines.as_bytes()])?;
    }
    Ok(Counted { table: table.finish()?, total })
}

/// The lines of a file, a last one without an end included.
fn lines(desk: &Desk, path: &[u8]) -> Result<std::io::Result<u64>> {
    let (mut lines, mut last, mut is_text) = (0, b'\n', true);
    let read = read(desk, path, |chunk| {
        is_text &= !chunk.contains(&0);
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        last = *chunk.last().unwrap_or(&last);
    })?;
    Ok(read.map(|()| if is_text { lines + u64::from(last != b'\n') } else { 0 }))
}

fn extension(path: &[u8]) -> Vec<u8> {
    let path = path_of(path);
    path.extension().map_or_else(Vec::new, |it| bytes_of(Path::new(it))).to_ascii_lowercase()
}

/// Writes the report.
pub(crate) fn write(desk: &Desk, listing: &Listing, duplicates: &Duplicates, counted: &Counted) -> Result<FileName> {
    let mut out = desk.write("report.txt")?;
    let (files, bytes) = (Count(listing.files, "file"), Count(listing.bytes, "byte"));
    out.line(format_args!("{}: {files}, {bytes}", shown(&bytes_of(&desk.job.root))))?;
    let (left_out, links) = (Count(listing.left_out, "folder"), Count(listing.links, "link"));
    out.line(format_args!("left out: {left_out} named .git or target, {links}"))?;
    write_duplicates(desk, &mut out, duplicates)?;
    write_table(desk, &mut out, counted)?;
    let mut unreadable = listing.unreadable.clone();
    unreadable.add(&duplicates.unreadable);
    write_unreadable(&mut out, &unreadable)?;
    out.finish()
}

fn write_duplicates(desk: &Desk, out: &mut Draft, found: &Duplicates) -> Result<()> {
    let (groups, extra) = (Count(found.groups as u64, "group"), Count(found.extra as u64, "file"));
    out.line(format_args!("\nduplicates: {groups}, {extra} too many, {} wasted", Count(found.wasted, "byte")))?;
    let (mut group, mut paths) = (0, 0);
    for line in desk.text(&found.text)? {
        let line = line?;
        let is_path = line.starts_with("      ");
        (group, paths) = if is_path { (group, paths + 1) } else { (group + 1, 0) };
        match paths {
            _ if group > GROUPS_SHOWN => break,
            0..=PATHS_SHOWN => out.line(line)?,
            _ if paths == PATHS_SHOWN + 1 => out.line("      …")?,
            _ => {}
        }
    }
    if found.groups > GROUPS_SHOWN {
        out.line(format_args!("  … all of them are in {}", desk.path_of(&found.text).display()))?;
    }
    Ok(())
}

fn write_table(desk: &Desk, out: &mut Draft, counted: &Counted) -> Result<()> {
    out.line(format_args!("\n{:<16}{:>10}{:>18}{:>14}", "extension", "files", "bytes", "lines"))?;
    let mut others = (0_u64, Row::default());
    for (at, record) in desk.records(&counted.table)?.enumerate() {
        let [extension, files, bytes, lines] = record?;
        let row = Row { files: number(&files)?, bytes: number(&bytes)?, lines: number(&lines)? };
        if at < EXTENSIONS_SHOWN {
            let name = if extension.is_empty() { "(none)".to_owned() } else { shown(&extension) };
            write_row(out, &name, row)?;
        } else {
            others.0 += 1;
            others.1.add(row);
        }
    }
    if others.0 > 0 {
        write_row(out, &format!("({} others)", others.0), others.1)?;
    }
    write_row(out, "(total)", counted.total)
}

fn write_row(out: &mut Draft, name: &str, row: Row) -> Result<()> {
    let [files, bytes, lines] = [row.files, row.bytes, row.lines].map(|number| Grouped(number).to_string());
    out.line(format_args!("{name:<16}{files:>10}{bytes:>18}{lines:>14}"))
}

fn write_unreadable(out: &mut Draft, unreadable: &Unreadable) -> Result<()> {
    if unreadable.count == 0 {
        return Ok(());
    }
    out.line(format_args!("\nunreadable: {}", Grouped(unreadable.count)))?;
    for place in &unreadable.named {
        out.line(format_args!("  {place}"))?;
    }
    if unreadable.count > unreadable.named.len() as u64 {
        out.line("  …")?;
    }
    Ok(())
}

fn number(field: &[u8]) -> Result<u64> {
    Ok(std::str::from_utf8(field)?.parse()?)
}

/// So many of something: `1 file`, `2 files`.
struct Count(u64, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", Grouped(self.0), self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A number as people read it: `1,234,567`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let grouped: String = digits
            .chars()
            .enumerate()
            .flat_map(|(at, digit)| {
                let comma = (at > 0 && (digits.len() - at).is_multiple_of(3)).then_some(',');
                comma.into_iter().chain([digit])
            })
            .collect();
        f.pad(&grouped)
    }
}
