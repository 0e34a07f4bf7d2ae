//! From what SQLite and the file system say to what a caller can do about it.

use rusqlite::ErrorCode;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;
use vastflow_store::StoreError;

/// Bytes in the store that cannot be read.
pub(crate) fn codec(why: &dyn Display) -> StoreError {
    StoreError::corrupt(format!("a record cannot be read: {why}"))
}

/// What SQLite said while `doing` something with `file`.
pub(crate) fn sqlite(doing: &str, file: &Path, error: rusqlite::Error) -> StoreError {
    let at = file.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => StoreError::corrupt(format!("{at}: {error}, while {doing}")),
        Some(ErrorCode::NotADatabase) => StoreError::Refused(format!(
            "{at} is not a SQLite database, so it is no vastflow store, or its beginning is damaged; give the path of a \
             new file or of a store, or put back a copy"
        )),
        Some(ErrorCode::ReadOnly) => read_only(file),
        Some(ErrorCode::CannotOpen) => StoreError::Refused(format!(
            "{at} cannot be opened: {error}; check its permissions and that it is a file, or give another path"
        )),
        // What SQLite read is not what was written: no SQLite error, and trying again would not help.
        None if is_unreadable(&error) => StoreError::corrupt(format!("{at}: {error}, while {doing}")),
        _ => StoreError::unavailable_by(format!("{doing} {at} failed"), error),
    }
}

/// Whether a value in the tables is not what stands there in a store.
const fn is_unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..))
}

fn read_only(file: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} cannot be written, it or its file system is read-only; make it writable, or give another path: a store is \
         always written to, also to look into it",
        file.display()
    ))
}

/// What the file system said while `doing` something with `file`.
pub(crate) fn io(doing: &str, file: &Path, error: std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound if file.parent().is_some_and(Path::is_dir) => StoreError::Refused(format!(
            "no file can be made in {:?}: {error}; give a path in another folder",
            file.parent().unwrap_or(file)
        )),
        ErrorKind::NotFound => StoreError::Refused(format!(
            "there is no folder {:?}; make it, or give a path in a folder that is there",
            file.parent().unwrap_or(file)
        )),
        ErrorKind::PermissionDenied => StoreError::Refused(format!(
            "{} may not be written by this user; change its permissions, or give another path",
            file.display()
        )),
        ErrorKind::ReadOnlyFilesystem => read_only(file),
        _ => StoreError::unavailable_by(format!("{doing} {} failed", file.display()), error),
    }
}

/// The text of the end of a store that cannot be trusted any more.
pub(crate) fn fatal(error: &StoreError) -> String {
    let why = match error {
        StoreError::Unavailable { why, .. } | StoreError::Corrupt { why, .. } => why.clone(),
        other => other.to_string(),
    };
    if let StoreError::Corrupt { .. } = error {
        return format!("it stopped itself, because {why}. Keep a copy of what is there before you open it again");
    }
    format!(
        "it stopped itself, because {why}. Nothing that was acknowledged is lost. Look at the disk (is it full?), \
         then open the store again"
    )
}
