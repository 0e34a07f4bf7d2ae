//! A folder with everything that is unpleasant in it, looked through twice: by the example, and by a few plain lines.

use crate::process::{Kill, Life, live};
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a report tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    files: u64,
    bytes: u64,
    links: u64,
    left_out: u64,
    unreadable: u64,
    /// Size and paths.
    groups: BTreeSet<(u64, BTreeSet<String>)>,
    extra: u64,
    wasted: u64,
    /// Files, bytes and lines.
    table: BTreeMap<String, (u64, u64, u64)>,
}

/// The straightforward way: everything in memory, contents compared as they are.
fn look_through(root: &Path) -> Found {
    let mut found = Found::default();
    let mut contents = BTreeMap::new();
    look_into(root, "", &mut found, &mut contents);
    for (content, paths) in contents.into_iter().filter(|(content, paths)| !content.is_empty() && paths.len() > 1) {
        let (size, extra) = (content.len() as u64, paths.len() as u64 - 1);
        found.extra += extra;
        found.wasted += size * extra;
        found.groups.insert((size, paths));
    }
    let mut total = (0, 0, 0);
    for row in found.table.values() {
        total = (total.0 + row.0, total.1 + row.1, total.2 + row.2);
    }
    found.table.insert("(total)".into(), total);
    found
}

fn look_into(folder: &Path, prefix: &str, found: &mut Found, contents: &mut BTreeMap<Vec<u8>, BTreeSet<String>>) {
    let Ok(entries) = fs::read_dir(folder) else {
        found.unreadable += 1;
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = shown(&entry.file_name());
        let shown_path = format!("{prefix}{name}");
        if kind.is_symlink() {
            found.links += 1;
        } else if kind.is_dir() && (name == ".git" || name == "target") {
            found.left_out += 1;
        } else if kind.is_dir() {
            look_into(&path, &format!("{shown_path}/"), found, contents);
        } else if kind.is_file() {
            let size = entry.metadata().unwrap().len();
            found.files += 1;
            found.bytes += size;
            let extension = match name.rsplit_once('.') {
                Some((start, extension)) if !start.is_empty() => extension.to_ascii_lowercase(),
                _ => "(none)".into(),
            };
            let row = found.table.entry(extension).or_default();
            (row.0, row.1) = (row.0 + 1, row.1 + size);
            match fs::read(&path) {
                Ok(content) => {
                    if !content.contains(&0) {
                        row.2 += String::from_utf8_lossy(&content).lines().count() as u64;
                    }
                    contents.entry(content).or_default().insert(shown_path);
                }
                Err(_) => found.unreadable += 1,
            }
        }
    }
}

fn shown(name: &std::ffi::OsStr) -> String {
    let bytes = name.as_encoded_bytes();
    let plain = |byte: &u8| (0x20..0x7f).contains(byte).then(|| char::from(*byte).to_string());
    let escaped = |byte: &u8| if *byte == b'\n' { r"\n".into() } else { format!("\\x{byte:02x}") };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\n') => text.into(),
        _ => bytes.iter().map(|byte| plain(byte).unwrap_or_else(|| escaped(byte))).collect(),
    }
}

/// Reads a report back.
fn parse(report: &[String]) -> Found {
    let mut found = Found::default();
    let mut groups: Vec<(u64, BTreeSet<String>)> = Vec::new();
    let mut section = "";
    for line in report {
        let numbers = numbers(line);
        match line.split_whitespace().next() {
            Some("left") => (found.left_out, found.links) = (numbers[0], numbers[1]),
            Some("duplicates:") => {
                (section, found.extra, found.wasted) = ("duplicates", numbers[1], numbers[2]);
            }
            Some("extension") => section = "table",
            Some("unreadable:") => (section, found.unreadable) = ("unreadable", numbers[0]),
            Some(name) if section == "table" => {
                let row = &numbers[numbers.len() - 3..];
                found.table.insert(name.into(), (row[0], row[1], row[2]));
            }
            Some(_) if section == "duplicates" && line.contains(" × ") => {
                groups.push((numbers[1], BTreeSet::new()));
            }
            Some(_) if section == "duplicates" => {
                groups.last_mut().unwrap().1.insert(line.trim().into());
            }
            Some(_) if section.is_empty() => {
                (found.files, found.bytes) = (numbers[numbers.len() - 2], numbers[numbers.len() - 1]);
            }
            _ => {}
        }
    }
    found.groups = groups.into_iter().collect();
    found
}

/// The words that are numbers.
fn numbers(line: &str) -> Vec<u64> {
    let words = line.split_whitespace().map(|word| word.trim_end_matches(',').replace(',', ""));
    words.filter_map(|word| word.parse().ok()).collect()
}

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A folder with everything that is unpleasant in it.
fn plant(root: &Path) {
    write(root, "a.rs", "fn a() {}\n");
    write(root, "deep/er/and/deeper/copy of a.rs", "fn a() {}\n");
    write(root, "deep/third.RS", "fn a() {}\n");
    write(root, "deep/other.rs", "fn b() {}\n");
    write(root, "empty-1", "");
    write(root, "empty-2.md", "");
    write(root, "no end.md", "one\ntwo");
    write(root, "target", "a file of that name\n");
    write(root, ".hidden", "no extension\n");
    write(root, "two.dots.tar.gz", [0, 159, 146, 150, b'\n']);
    write(root, "big-1.bin", vec![7; 300_000]);
    write(root, "deep/big-2.bin", vec![7; 300_000]);
    write(root, "long.txt", "0123456789\n".repeat(40_000));
    for folder in ["deep/target", ".git", "deep/.git/objects", "deep/er/target/debug"] {
        write(root, &format!("{folder}/left-out.rs"), "fn a() {}\n");
    }
    for number in 0..300 {
        write(root, &format!("many/{number}.txt"), format!("{}\n", number % 290));
    }
    #[cfg(unix)]
    plant_unix(root);
}

#[cfg(unix)]
fn plant_unix(root: &Path) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    for name in [b"caf\xe9.txt".as_slice(), b"\xff\xfe", b"two\nlines.txt"] {
        fs::write(root.join(OsStr::from_bytes(name)), "the same odd content\n").unwrap();
    }
    symlink(root, root.join("loop")).unwrap();
    symlink("a.rs", root.join("link.rs")).unwrap();
    symlink("nowhere", root.join("broken")).unwrap();
    write(root, "secret.txt", "secret");
    fs::set_permissions(root.join("secret.txt"), PermissionsExt::from_mode(0o000)).unwrap();
    plant_too_deep(root);
}

/// Root can read every file, but not one whose path is too long, nor a folder that is even deeper.
#[cfg(unix)]
fn plant_too_deep(root: &Path) {
    let (long, base) = ("d".repeat(200), root.as_os_str().len());
    // As many long names as fit, then one that makes the folder's path 4,000 bytes long.
    let mut upper = root.join("upper");
    while upper.as_os_str().len() < 2_000 {
        upper = upper.join(&long);
    }
    let mut lower = root.join("lower");
    while upper.as_os_str().len() + lower.as_os_str().len() - base < 3_700 {
        lower = lower.join(&long);
    }
    let rest = 4_000 - (upper.as_os_str().len() + lower.as_os_str().len() - base) - 1;
    let (first, second) = (rest / 2, rest - rest / 2 - 1);
    lower = lower.join("d".repeat(first)).join("d".repeat(second));
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(lower.join(&long)).unwrap();
    fs::write(lower.join("f".repeat(150)), "cannot be opened").unwrap();
    fs::write(lower.join(&long).join("unseen"), "cannot be listed").unwrap();
    fs::rename(root.join("lower"), upper.join("lower")).unwrap();
}

fn inspect(dir: &Path, args: &[&str]) -> Life {
    let life = live(dir, "inspect", args, &Kill::Never);
    assert_eq!(life.code, Some(0), "{life:#?}");
    life
}

#[test]
fn it_finds_what_a_plain_program_finds() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    plant(&root);
    let expected = look_through(&root);
    assert!(expected.groups.len() >= 4 && expected.links == 3 && expected.left_out == 4, "{expected:#?}");
    if cfg!(unix) {
        assert!(expected.unreadable >= 2, "{expected:#?}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    for store in ["sqlite:elsewhere.db", "memory:"] {
        let life = inspect(elsewhere.path(), &[root.to_str().unwrap(), "--store", store]);
        assert_eq!(parse(&life.out), expected, "{store}: {:#?}", life.out);
    }
    // The store is in the folder itself, and the second run finds the files of the first.
    let first = inspect(&root, &["."]);
    assert_eq!(parse(&first.out), expected, "{:#?}", first.out);
    let second = inspect(&root, &["."]);
    assert_eq!(second.out, first.out);
}

/// How far a run has come when it is killed.
const KILLS: [&str; 4] = ["✓ list", "✓ hash", "✓ count-lines", "✓ duplicates"];

#[test]
fn killed_in_the_middle_and_resumed_it_reports_the_same() {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().canonicalize().unwrap();
    plant(&root);
    for number in 0..2_000_u32 {
        write(&root, &format!("more/{}/{number}.rs", number % 7), format!("{}\n", number % 1_900).repeat(1_000));
    }
    let root = root.to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let expected = inspect(dir.path(), &[root, "--id", "undisturbed"]);
    let mut kills = 0;
    for kill in KILLS {
        let id = kill.trim_start_matches("✓ ");
        let args = [root, "--id", id];
        let killed = live(dir.path(), "inspect", &args, &Kill::AtRemark(kill));
        let resumed = inspect(dir.path(), &args);
        // The only thing that may differ is where the whole list is.
        let out = resumed.out.join("\n").replace(&format!("run-{id}/"), "run-undisturbed/");
        assert_eq!(out, expected.out.join("\n"), "after {kill}");
        kills += usize::from(resumed.err[0].contains("goes on"));
        // What was done was not done again: it is recorded with the same duration.
        for line in killed.err.iter().filter(|line| line.starts_with("  ✓ ")) {
            assert!(resumed.err.contains(line) || killed.code.is_some(), "{line} in {:#?}", resumed.err);
        }
    }
    assert!(kills > 0, "no kill came in time");
    let again = inspect(dir.path(), &[root, "--id", "undisturbed"]);
    assert_eq!(again.out, expected.out);
}

/// Restarts meet a run in every state: begun, listed, half hashed, about to end.
#[test]
fn killed_again_and_again_it_never_hangs_and_reports_the_same() {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().canonicalize().unwrap();
    for number in 0..2_000_u32 {
        write(&root, &format!("{}/{number}.txt", number % 7), format!("{}\n", number % 1_900).repeat(500));
    }
    let expected = look_through(&root);
    let (seed, mut random) = Random::seeded();
    for _ in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let args = [root.to_str().unwrap(), "--id", "x"];
        let millis: Vec<u64> = (0..5).map(|_| 10 + random.below(110)).collect();
        for wait in &millis {
            live(dir.path(), "inspect", &args, &Kill::After(Duration::from_millis(*wait)));
        }
        let report = parse(&inspect(dir.path(), &args).out);
        let totals = |found: &Found| (found.files, found.bytes, found.extra, found.wasted, found.table.clone());
        assert_eq!(totals(&report), totals(&expected), "VASTFLOW_SEED={seed}, killed after {millis:?} ms");
    }
}

#[test]
fn an_empty_folder_has_nothing_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let life = inspect(dir.path(), &[".", "--id", "empty"]);
    let mut expected = Found::default();
    expected.table.insert("(total)".into(), (0, 0, 0));
    assert_eq!(parse(&life.out), expected);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "inspect", &["nowhere"], &Kill::Never);
    assert_eq!(life.code, Some(1));
    assert!(life.err.join("\n").starts_with("error: cannot inspect nowhere: "), "{:?}", life.err);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let life = live(dir.path(), "inspect", &["--id", "1"], &Kill::Never);
    assert_eq!((life.code, life.err[0].as_str()), (Some(2), "error: PATH is missing"));
}
