//! What a server must be like for a store, and what its word is worth.

use redis::aio::MultiplexedConnection;
use rustc_hash::FxHashMap;
use vastflow_store::{Durability, StoreError};

/// The oldest server that is known to do: the tests were run on 6.2.14, and are always run on 7.0.
const OLDEST: (u32, u32) = (6, 2);

/// What a server says of itself.
pub(crate) struct Server {
    info: FxHashMap<String, String>,
    /// When the append-only file is synced, if one may ask.
    appendfsync: Option<String>,
    no_sync_on_rewrite: bool,
}

impl Server {
    /// Asks the server. What a hosted server does not let one ask is taken for what is usual.
    pub(crate) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, redis::RedisError> {
        let text: String = redis::cmd("INFO").query_async(connection).await?;
        let appendfsync = setting(connection, "appendfsync").await?;
        let no_sync_on_rewrite = setting(connection, "no-appendfsync-on-rewrite").await?.as_deref() == Some("yes");
        Ok(Server { info: parse(&text), appendfsync, no_sync_on_rewrite })
    }

    fn says(&self, what: &str) -> &str {
        self.info.get(what).map_or("", String::as_str)
    }

    /// What an acknowledged commit survives.
    pub(crate) fn durability(&self) -> Durability {
        if self.says("aof_enabled") != "1" {
            return Durability::Server;
        }
        match self.appendfsync.as_deref() {
            Some("always") if !self.no_sync_on_rewrite => Durability::Synced,
            Some("no") => Durability::Server,
            _ => Durability::Lagging,
        }
    }

    /// Refuses a server that would lose or mix up runs, and one whose word is worth less than is asked for.
    pub(crate) fn check(&self, at_least: Durability) -> Result<(), StoreError> {
        let refused = |why: String| Err(StoreError::Refused(why));
        let version = self.says("redis_version");
        if version_of(version) < OLDEST {
            let (major, minor) = OLDEST;
            return refused(format!(
                "the Redis server is version {version}; {major}.{minor} or later, or Valkey, is needed"
            ));
        }
        if self.says("redis_mode") == "cluster"
            || self.says("server_mode") == "cluster"
            || self.says("cluster_enabled") == "1"
        {
            return refused(
                "the Redis server is part of a cluster, which this version does not know; give a server of its own"
                    .into(),
            );
        }
        self.check_role()?;
        let policy = self.says("maxmemory_policy");
        if policy != "noeviction" {
            return refused(format!(
                "the Redis server may throw away runs when its memory is full: maxmemory-policy is {policy:?}; set it with \
                 `redis-cli config set maxmemory-policy noeviction` and in its configuration file"
            ));
        }
        let worth = self.durability();
        if worth < at_least {
            return refused(format!(
                "{}; an acknowledged commit would be worth less than is asked for. {} To do with less, open the store with {} at \
                 the end of its URL",
                self.word(),
                remedy(at_least),
                if at_least > Durability::Lagging {
                    "?durability=lagging or ?durability=server"
                } else {
                    "?durability=server"
                }
            ));
        }
        Ok(())
    }

    /// Refuses a replica: it takes no writes, and what it shows is old.
    fn check_role(&self) -> Result<(), StoreError> {
        match self.says("role") {
            "slave" | "replica" => Err(StoreError::unavailable(format!(
                "the Redis server is a replica of {}:{}; give the address of that one",
                self.says("master_host"),
                self.says("master_port")
            ))),
            _ => Ok(()),
        }
    }

    /// What the server does for durability, in words.
    pub(crate) fn word(&self) -> String {
        if self.says("aof_enabled") != "1" {
            return "the Redis server keeps no append-only file (appendonly no): whatever ends it loses what was acknowledged \
                    since its last snapshot"
                .into();
        }
        match self.appendfsync.as_deref() {
            Some("always") if self.no_sync_on_rewrite => "the Redis server does not sync while it rewrites its append-only \
                                                           file (no-appendfsync-on-rewrite yes): a crash then loses more than \
                                                           a second"
                .into(),
            Some("always") => "the Redis server syncs its append-only file before it answers (appendfsync always)".into(),
            Some("no") => "the Redis server never syncs its append-only file (appendfsync no): a power cut loses what the \
                           system had not written by itself"
                .into(),
            Some(_) => "the Redis server syncs its append-only file every second (appendfsync everysec): a crash may lose \
                        what was acknowledged in the last two seconds"
                .into(),
            None => "the Redis server does not tell how it syncs its append-only file; every second is assumed".into(),
        }
    }
}

fn remedy(at_least: Durability) -> &'static str {
    match at_least {
        Durability::Synced => {
            "For that, run `redis-cli config set appendonly yes` and `redis-cli config set appendfsync always`, and set both \
             in its configuration file."
        }
        _ => "For that, run `redis-cli config set appendonly yes` and set it in its configuration file.",
    }
}

/// A setting of the server; none when one may not ask.
async fn setting(connection: &mut MultiplexedConnection, name: &str) -> Result<Option<String>, redis::RedisError> {
    let asked: Result<FxHashMap<String, String>, _> =
        redis::cmd("CONFIG").arg("GET").arg(name).query_async(connection).await;
    match asked {
        Ok(found) => Ok(found.into_values().next()),
        Err(error) if crate::fail::ends_connection(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn parse(info: &str) -> FxHashMap<String, String> {
    let lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim_end().to_owned())).collect()
}

fn version_of(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n\
                        aof_enabled:1\r\ncluster_enabled:0\r\n";

    fn server(change: (&str, &str), appendfsync: &str) -> Server {
        let mut info = parse(GOOD);
        info.insert(change.0.into(), change.1.into());
        Server { info, appendfsync: Some(appendfsync.into()), no_sync_on_rewrite: false }
    }

    fn refusal(change: (&str, &str), appendfsync: &str) -> String {
        server(change, appendfsync).check(Durability::Lagging).unwrap_err().to_string()
    }

    #[test]
    fn a_server_is_refused_in_plain_words() {
        assert!(server(("", ""), "everysec").check(Durability::Lagging).is_ok());
        for (change, word) in [
            (("maxmemory_policy", "allkeys-lru"), "config set maxmemory-policy noeviction"),
            (("redis_version", "5.0.3"), "6.2"),
            (("redis_mode", "cluster"), "cluster"),
            (("role", "slave"), "replica"),
            (("aof_enabled", "0"), "config set appendonly yes"),
        ] {
            let why = refusal(change, "everysec");
            assert!(why.contains(word), "{change:?}: {why}");
        }
        assert!(refusal(("", ""), "no").contains("never syncs"));
    }

    #[test]
    fn what_a_commit_is_worth_follows_from_the_settings() {
        assert_eq!(server(("", ""), "always").durability(), Durability::Synced);
        assert_eq!(server(("", ""), "everysec").durability(), Durability::Lagging);
        assert_eq!(server(("", ""), "no").durability(), Durability::Server);
        assert_eq!(server(("aof_enabled", "0"), "always").durability(), Durability::Server);
        let hesitant = Server { no_sync_on_rewrite: true, ..server(("", ""), "always") };
        assert_eq!(hesitant.durability(), Durability::Lagging);
        let silent = Server { appendfsync: None, ..server(("", ""), "") };
        assert_eq!(silent.durability(), Durability::Lagging);
    }
}
