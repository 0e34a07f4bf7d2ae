//! From what the server says to what a caller can do about it.

use redis::{ErrorKind, RedisError};
use vastflow_store::StoreError;

/// What servers before version 7 put into an error of a script, after a text of their own: they say `ERR` in front.
const INNER: [&str; 7] = ["OOM", "READONLY", "MASTERDOWN", "MISCONF", "NOREPLICAS", "NOPERM", "WRONGTYPE"];
/// What is said of a script that somebody ended.
const KILLED: &str = "SCRIPT KILL";
/// What servers from version 7 on say, as a plain `ERR`, of a command in a script that the user may not give.
const NOT_ALLOWED: &str = "The user executing the script can't";
/// What every error has in it that the script itself ran into.
const IN_SCRIPT: &str = "user_script";

/// The word that an error of the server begins with; of an error that a script was stopped by, the inner one.
fn code_of(error: &RedisError) -> &str {
    let code = error.code().unwrap_or_default();
    let said = error.detail().unwrap_or_default();
    if code != "ERR" {
        return code;
    }
    if said.contains(KILLED) {
        return KILLED;
    }
    if said.contains(NOT_ALLOWED) {
        return "NOPERM";
    }
    let is_inner = |word: &&&str| said.contains(&format!(": -{word} "));
    INNER.iter().find(is_inner).copied().unwrap_or(if said.contains(IN_SCRIPT) { IN_SCRIPT } else { code })
}

/// What the server, or the way to it, said.
pub(crate) fn of(error: RedisError) -> StoreError {
    match code_of(&error) {
        "OOM" => {
            let why = "the Redis server has reached its maxmemory and took nothing of it; raise maxmemory, or delete old runs";
            StoreError::unavailable_by(why, error)
        }
        "LOADING" => StoreError::unavailable_by("the Redis server is loading its data after a start", error),
        "READONLY" | "MASTERDOWN" => StoreError::unavailable_by(
            "the Redis server is a replica, which takes no writes; if there was a fail-over, give the address of the new master",
            error,
        ),
        "MISCONF" => {
            let why =
                "the Redis server takes no writes because it cannot save to its disk; look at the disk and its log";
            StoreError::unavailable_by(why, error)
        }
        "NOREPLICAS" => StoreError::unavailable_by("the Redis server has fewer replicas than it wants", error),
        "BUSY" => StoreError::unavailable_by("the Redis server is busy with a long script", error),
        KILLED => StoreError::unavailable_by("somebody ended a step on the Redis server with SCRIPT KILL", error),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => StoreError::Refused(format!(
            "the Redis server does not let us do this: {error}; give a user and a password in the URL \
             (redis://user:password@host/) that may run scripts on all keys of the store"
        )),
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => StoreError::Refused(format!(
            "the Redis server is part of a cluster, which this version does not know: {error}; give a server of its own"
        )),
        "WRONGTYPE" | IN_SCRIPT => StoreError::corrupt(format!(
            "the Redis server could not carry out a step: {error}; somebody else may have written to the store's keys"
        )),
        _ if is_of_the_way(&error) => StoreError::unavailable_by("the Redis server cannot be reached", error),
        // Only what a script runs into says something of what is kept.
        _ => StoreError::unavailable_by("the Redis server did not do what it was asked for", error),
    }
}

/// Whether the connection, and not what was asked for, is the trouble.
fn is_of_the_way(error: &RedisError) -> bool {
    let by_kind = matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::Client);
    by_kind
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_connection_refusal()
        || error.is_io_error()
}

/// Whether the connection is of no use any more.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    is_of_the_way(error) || matches!(code_of(error), "READONLY" | "MASTERDOWN")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> RedisError {
        let answer = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap();
        answer.extract_error().unwrap_err()
    }

    /// What servers of version 6.2, and of 7 and later, say of a script that they stop.
    #[test]
    fn what_stops_a_script_is_known_in_every_version() {
        let old = |text: &str| {
            format!("ERR Error running script (call to f_0a1b): @user_script:118: @user_script: 118: {text}")
        };
        let new = |text: &str| format!("{text} script: 0a1b, on @user_script:118.");
        let full = "OOM command not allowed when used memory > 'maxmemory'.";
        let killed = "Script killed by user with SCRIPT KILL...";
        for (text, word, ends) in [
            (new(full), "maxmemory and took nothing", false),
            (old(&format!("-{full}")), "maxmemory and took nothing", false),
            (new("READONLY You can't write against a read only replica."), "is a replica", true),
            (old("-READONLY You can't write against a read only replica. "), "is a replica", true),
            (old("-MISCONF Redis is configured to save RDB snapshots, but"), "cannot save to its disk", false),
            (old("-NOREPLICAS Not enough good replicas to write. "), "fewer replicas", false),
            (new(&format!("ERR {killed}")), "ended a step", false),
            (old(killed), "ended a step", false),
            ("BUSY Redis is busy running a script.".into(), "busy with a long script", false),
            ("ERR max number of clients reached".into(), "did not do", false),
        ] {
            let error = said(&text);
            assert_eq!(ends_connection(&error), ends, "{text}");
            let error = of(error);
            assert!(error.is_transient() && error.to_string().contains(word), "{text}: {error}");
        }
        for text in [
            old("-NOPERM The user executing the script can't run this command or subcommand"),
            new("ERR The user executing the script can't run this command or subcommand"),
        ] {
            assert!(matches!(of(said(&text)), StoreError::Refused(_)), "{text}");
        }
    }

    #[test]
    fn what_a_script_runs_into_is_damage() {
        let lua = "attempt to index local 'x' (a nil value)";
        for text in [
            format!("ERR user_script:1: {lua} script: 0a1b, on @user_script:1."),
            format!("ERR Error running script (call to f_0a1b): @user_script:1: user_script:1: {lua} "),
            "WRONGTYPE Operation against a key holding the wrong kind of value script: 0a1b, on @user_script:1.".into(),
            "ERR Error running script (call to f_0a1b): @user_script:1: @user_script: 1: -WRONGTYPE Operation against a key "
                .into(),
        ] {
            assert!(matches!(of(said(&text)), StoreError::Corrupt { .. }), "{text}");
        }
    }
}
