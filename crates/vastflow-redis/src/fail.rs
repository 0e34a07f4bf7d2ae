//! From what the server says to what a caller can do about it.

use redis::{ErrorKind, RedisError};
use vastflow_store::StoreError;

/// What the server, or the way to it, said.
pub(crate) fn of(error: RedisError) -> StoreError {
    match error.code().unwrap_or_default() {
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
        "NOAUTH" | "WRONGPASS" | "NOPERM" => StoreError::Refused(format!(
            "the Redis server does not let us do this: {error}; give a user and a password in the URL \
             (redis://user:password@host/) that may run scripts on all keys of the store"
        )),
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => StoreError::Refused(format!(
            "the Redis server is part of a cluster, which this version does not know: {error}; give a server of its own"
        )),
        _ if is_of_the_way(&error) => StoreError::unavailable_by("the Redis server cannot be reached", error),
        _ => StoreError::corrupt(format!(
            "the Redis server could not carry out a step: {error}; somebody else may have written to the store's keys"
        )),
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
    is_of_the_way(error) || matches!(error.code(), Some("READONLY" | "MASTERDOWN"))
}
