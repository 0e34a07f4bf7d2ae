//! What the driver and the server say, in words that tell what to do.

use std::error::Error as _;
use tokio_postgres::error::SqlState;
use vastflow_store::StoreError;

/// A refusal with a code that stays the same when the text is improved.
pub(crate) fn refused(code: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Refused(format!("{why} ({code})"))
}

/// What became of a statement that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The same again may well work at once: two transactions were in each other's way.
    Again,
    /// Somebody held a lock for too long, or it took too long: less at once may work.
    Blocked,
    /// Something is not as it was expected to be: it takes a closer look.
    Unexpected,
    /// The same again may work later.
    Later,
    /// What was sent cannot be kept.
    Data,
    /// The journal has no partition for a run yet.
    NoPartition,
    /// It is not allowed, or not there.
    Refused,
}

pub(crate) fn kind(error: &tokio_postgres::Error) -> Kind {
    let Some(state) = error.code() else {
        // The driver itself could not send or read something that is not about the connection.
        return if error.is_closed() || is_io(error) { Kind::Later } else { Kind::Data };
    };
    let code = state.code();
    match *state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Kind::Again,
        SqlState::UNIQUE_VIOLATION => Kind::Unexpected,
        SqlState::CHECK_VIOLATION if is_about(error, "journal") => Kind::NoPartition,
        SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => Kind::Blocked,
        SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_PASSWORD | SqlState::INVALID_CATALOG_NAME => Kind::Refused,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Kind::Refused,
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_FUNCTION | SqlState::INVALID_SCHEMA_NAME => Kind::Refused,
        SqlState::FEATURE_NOT_SUPPORTED if says(error, "cached plan") => Kind::Again,
        _ if code == "VF001" => Kind::Unexpected,
        _ if code.starts_with("22") || code.starts_with("54") || code.starts_with("42") => Kind::Data,
        _ => Kind::Later,
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|source| source.downcast_ref::<std::io::Error>().is_some())
}

/// Whether it is about that table. What the server says of it may be in any language.
fn is_about(error: &tokio_postgres::Error, table: &str) -> bool {
    error.as_db_error().is_some_and(|db| db.table() == Some(table))
}

fn says(error: &tokio_postgres::Error, words: &str) -> bool {
    error.as_db_error().is_some_and(|db| db.message().contains(words))
}

/// Whether a connection is to be thrown away after this: it may be broken, or lead to the wrong server.
pub(crate) fn spoils(error: &tokio_postgres::Error) -> bool {
    error.is_closed()
        || is_io(error)
        || error.code().is_some_and(|state| {
            *state == SqlState::READ_ONLY_SQL_TRANSACTION
                || state.code().starts_with("57P")
                || state.code().starts_with("08")
        })
}

/// The driver's error as the store's.
pub(crate) fn driver(doing: &str, error: tokio_postgres::Error) -> StoreError {
    let said = error.as_db_error().map_or_else(|| plain(&error), |db| db.message().to_owned());
    let code = error.code().map_or("", SqlState::code);
    match advice(&error, code) {
        Some((name, what)) if kind(&error) == Kind::Refused => refused(name, format!("{doing}: {said}; {what}")),
        Some((name, what)) => StoreError::Unavailable {
            why: format!("{doing}: {said}; {what} ({name})"),
            source: Some(std::sync::Arc::new(error)),
        },
        None if kind(&error) == Kind::Data => StoreError::Invalid(format!("{doing}: {said} ({code})")),
        None => StoreError::Unavailable { why: format!("{doing}: {said}"), source: Some(std::sync::Arc::new(error)) },
    }
}

/// The error and its causes in one line.
pub(crate) fn plain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

/// A code of ours and what to do, for what people can do something about.
fn advice(error: &tokio_postgres::Error, code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "42501" => {
            ("postgres-permission", "give the user the right, or open the store once as the owner of the schema")
        }
        "28P01" | "28000" => ("postgres-login", "look at the user and the password in the URL, and at pg_hba.conf"),
        "3D000" => ("postgres-no-database", "create the database, or correct its name in the URL"),
        "42P01" | "42883" | "3F000" => (
            "postgres-tables-missing",
            "the tables of the store are gone or incomplete; open it with migrations allowed",
        ),
        "25006" => (
            "postgres-read-only",
            "the server only reads: it is a standby, or was told so; point the URL at the primary",
        ),
        "53100" => ("postgres-disk-full", "free space on the server's disk; nothing is lost, and work goes on then"),
        "53200" => ("postgres-out-of-memory", "give the server more memory or fewer connections"),
        "53300" => ("postgres-too-many-connections", "raise max_connections, or open fewer from here"),
        "57014" if says(error, "statement timeout") => {
            ("postgres-statement-timeout", "the server is overloaded, or statement_timeout is too small")
        }
        "55P03" => {
            ("postgres-lock-timeout", "somebody holds a lock on the store's tables for long; look into pg_locks")
        }
        "57P01" | "57P02" | "57P03" => ("postgres-restarting", "the server is stopping or starting"),
        _ => return None,
    })
}
