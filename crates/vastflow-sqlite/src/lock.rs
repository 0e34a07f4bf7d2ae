//! One process at a time: a lock on a file beside the store that says who holds it.

use crate::fail;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use vastflow_store::{StoreError, WorkerInfo};

/// Held as long as this value lives; the operating system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    /// Whether there was no such file before.
    is_new: bool,
    /// Whether the process that had it last died with it.
    was_left: bool,
    /// Whether the store was opened.
    is_open: bool,
}

impl Lock {
    /// Takes the lock of the store at `store`, or says who has it.
    pub(crate) fn take(store: &Path) -> Result<Self, StoreError> {
        check_place(store)?;
        let path = beside(store, ".lock");
        loop {
            let (mut file, is_new) = open_or_make(&path).map_err(|why| fail::io("opening", &path, why))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(store, &mut file)),
                Err(TryLockError::Error(why)) => return Err(fail::io("locking", &path, why)),
            }
            // Somebody may have withdrawn between the opening and the locking: then the next one locks another file.
            if is_at(&file, &path) {
                let was_left = was_left(&mut file);
                say_who(&mut file).map_err(|why| fail::io("writing", &path, why))?;
                return Ok(Lock { file, path, is_new, was_left, is_open: false });
            }
        }
    }

    /// Whether the process that had it last died with it.
    pub(crate) const fn was_left(&self) -> bool {
        self.was_left
    }

    /// The store was opened: what was left is taken up, and from now on the lock is let go of in good order.
    pub(crate) const fn opened(&mut self) {
        self.is_open = true;
    }

    /// Lets go of the lock of what is no store of ours, and leaves nothing beside it that was not there before.
    pub(crate) fn withdraw(self) {
        if self.is_new && cfg!(unix) {
            // A file that stays is no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn open_or_make(path: &Path) -> std::io::Result<(File, bool)> {
    let options = || OpenOptions::new().read(true).write(true).clone();
    match options().create_new(true).open(path) {
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            options().create(true).truncate(false).open(path).map(|file| (file, false))
        }
        made => made.map(|file| (file, true)),
    }
}

/// Whether `path` still leads to this file.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, _: &Path) -> bool {
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that nobody holds it. It stays, because removing it would race with the next holder. Who could
        // not open what a dead process left leaves it to the next.
        if self.is_open || !self.was_left {
            let _ = self.file.set_len(0);
        }
        // To close it is not enough: a child process that is being started has it too, for a moment.
        let _ = self.file.unlock();
    }
}

/// The lock is known by the store's path, so there must be just one; and a store is a file.
fn check_place(store: &Path) -> Result<(), StoreError> {
    let Ok(known) = std::fs::metadata(store) else { return Ok(()) };
    if known.is_dir() {
        return Err(StoreError::Refused(format!("{} is a folder; give the path of a file in it", store.display())));
    }
    if !known.is_file() {
        return Err(StoreError::Refused(format!(
            "{} is a device or a pipe, and a store is an ordinary file; give the path of one",
            store.display()
        )));
    }
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(&known) > 1 {
        return Err(StoreError::Refused(format!(
            "{} has a second name (a hard link), so two processes could open it at once; remove the other name",
            store.display()
        )));
    }
    Ok(())
}

/// The path of a file that belongs to the store at `store`.
pub(crate) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Who holds the lock of the store at `store`, or held it last and died; none when it was let go.
pub(crate) fn holder(store: &Path) -> Option<String> {
    who(&mut File::open(beside(store, ".lock")).ok()?)
}

fn who(file: &mut File) -> Option<String> {
    let text = read(file)?;
    let who: Vec<&str> = text.lines().filter(|line| !line.starts_with(BOOT)).collect();
    Some(who.join(", ")).filter(|who| !who.is_empty())
}

fn read(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Whether a process died with the lock. One that a power failure ended did not die of what it did.
fn was_left(file: &mut File) -> bool {
    let text = read(file).unwrap_or_default();
    !text.trim().is_empty() && text.lines().find_map(|line| line.strip_prefix(BOOT)) == boot().as_deref()
}

/// Begins the line that tells which start of the machine it was.
const BOOT: &str = "boot ";

/// Which start of the machine this is; none where the system does not tell.
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn held(store: &Path, file: &mut File) -> StoreError {
    // The text is a help; without it the message still says what matters.
    let who = who(file).unwrap_or_else(|| "another process".into());
    StoreError::Refused(format!(
        "the store {} is in use by {who}. A SQLite store belongs to one process at a time: stop that one, talk to it \
         instead, or give this one another path; its tables can be read meanwhile with the sqlite3 command",
        store.display()
    ))
}

fn say_who(file: &mut File) -> std::io::Result<()> {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let program = program.unwrap_or_else(|| "unknown".into());
    let WorkerInfo { host, pid, .. } = WorkerInfo::here();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let text = format!("process {pid}\nprogram {program}\nhost {host}\nsince {}\n", utc(since));
    let boot = boot().map_or_else(String::new, |id| format!("{BOOT}{id}\n"));
    file.set_len(0)?;
    file.rewind()?;
    file.write_all((text + &boot).as_bytes())
}

/// Seconds since 1970 as people write them.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for days after 1970.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(utc(1_735_689_599), "2024-12-31T23:59:59Z");
    }

    #[test]
    fn the_second_holder_is_told_about_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("app.db");
        let first = Lock::take(&store).unwrap();
        let refused = Lock::take(&store).unwrap_err();
        assert_eq!(refused.code(), "store-refused");
        let text = refused.to_string();
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        assert!(text.contains("app.db") && text.contains("stop that one"), "{text}");
        drop(first);
        drop(Lock::take(&store).unwrap());
    }

    #[test]
    fn it_is_let_go_even_if_a_child_process_has_the_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("app.db");
        let lock = Lock::take(&store).unwrap();
        // What a fork does, until the child runs its program.
        let _inherited = lock.file.try_clone().unwrap();
        drop(lock);
        drop(Lock::take(&store).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_refused_and_nothing_is_left_beside_it() {
        for device in ["/dev/null", "/dev/full"] {
            let refused = Lock::take(Path::new(device)).unwrap_err();
            assert_eq!(refused.code(), "store-refused");
            assert!(refused.to_string().contains("ordinary file"), "{refused}");
            assert!(!beside(Path::new(device), ".lock").exists());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_and_a_file_with_two_names_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("a.db"), dir.path().join("b.db"));
        std::fs::write(&one, "").unwrap();
        std::fs::hard_link(&one, &other).unwrap();
        assert!(Lock::take(&other).unwrap_err().to_string().contains("hard link"));
        assert!(Lock::take(dir.path()).unwrap_err().to_string().contains("is a folder"));
    }
}
