//! Deleting runs that are over: their rows first, so that nothing finds them any more, then their journals, some at a
//! time.

use crate::fail;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};
use vastflow_core::RunStatus;
use vastflow_store::{Doomed, Keep, Prune, Pruned, StoreError};

use super::{Tables, file};

/// How many rows of journals one step deletes at most.
const ROWS: usize = 20_000;
/// How many of them in one transaction.
const AT_ONCE: usize = 2_000;

/// A run to delete.
pub(crate) struct Victim {
    pub(crate) key: u64,
    pub(crate) id: String,
    pub(crate) status: RunStatus,
}

impl Tables {
    /// Deletes runs. When it returns, they do not come back after a crash either, and their ids are free.
    pub(super) fn prune(&mut self, ask: &Prune) -> std::result::Result<Pruned, StoreError> {
        let wrap = |why| fail::sqlite("deleting runs from", &self.store, why);
        // Those that are in use must not hide the others.
        let enough = ask.limit.saturating_add(1).saturating_add(self.shared.finished_in_memory());
        let found = find(&self.connection, &ask.which, enough).map_err(wrap)?;
        let (victims, mut more) = self.shared.doom(found, ask.limit);
        if !victims.is_empty() {
            self.delete(&victims).map_err(|why| fail::sqlite("deleting runs from", &self.store, why))?;
            self.shared.bury(&victims);
        }
        more |= self.delete_journals().map_err(|why| fail::sqlite("deleting runs from", &self.store, why))?;
        Ok(Pruned { runs: victims.len(), more })
    }

    fn delete(&mut self, victims: &[Victim]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for Victim { key, status, .. } in victims {
            let key = key.cast_signed();
            for sql in [
                "DELETE FROM labels WHERE (key, value, run) IN
                   (SELECT label.key, label.value, runs.key FROM runs, json_each(runs.labels) label WHERE runs.key = ?1)",
                "DELETE FROM runs WHERE key = ?1",
                "DELETE FROM inbox WHERE run = ?1",
                "INSERT INTO pruned(run) VALUES (?1)",
                "UPDATE meta SET value = max(value, ?1) WHERE key = 'pruned'",
            ] {
                transaction.prepare_cached(sql)?.execute([key])?;
            }
            let mut count = transaction.prepare_cached("UPDATE meta SET value = value - 1 WHERE key = ?1")?;
            count.execute([status.as_str()])?;
        }
        transaction.commit()?;
        file::make_durable(&self.connection)
    }

    /// Deletes some of what deleted runs left behind; whether something is left.
    fn delete_journals(&mut self) -> Result<bool> {
        for _ in 0..ROWS / AT_ONCE {
            let transaction = self.connection.transaction()?;
            let mut left = AT_ONCE;
            while left > 0 {
                let next = "SELECT run FROM pruned LIMIT 1";
                let Some(run) = transaction.query_row(next, [], |row| row.get::<_, i64>(0)).optional()? else { break };
                let mut delete = transaction.prepare_cached(
                    "DELETE FROM journal WHERE (run, path, first) IN
                       (SELECT run, path, first FROM journal WHERE run = ?1 LIMIT ?2)",
                )?;
                let deleted = delete.execute(params![run, i64::try_from(left).unwrap_or(i64::MAX)])?;
                if deleted < left {
                    transaction.prepare_cached("DELETE FROM pruned WHERE run = ?1")?.execute([run])?;
                }
                // A run without a journal must not go on for ever.
                left = left.saturating_sub(deleted.max(1));
            }
            transaction.commit()?;
            if left > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

const COLUMNS: &str = "key, id, status";
const FINAL: &str = "status IN ('succeeded', 'failed', 'stopped')";

fn find(tables: &Connection, doomed: &Doomed, limit: usize) -> Result<Vec<Victim>> {
    let keep = match doomed {
        Doomed::Runs(ids) => {
            let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1 AND {FINAL}");
            let mut select = tables.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for id in ids.iter().collect::<std::collections::BTreeSet<_>>() {
                found.extend(select.query_row([id.as_str()], victim).optional()?);
            }
            found.truncate(limit);
            return Ok(found);
        }
        Doomed::Old(keep) => keep,
    };
    let (covered, values) = covered(keep);
    let most = Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
    let with = |bound: Value| values.iter().cloned().chain([bound, most.clone()]).collect::<Vec<_>>();
    let mut found = Vec::new();
    if let Some(since) = keep.ended_since {
        let values = with(Value::Integer(since.millis().cast_signed()));
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE {covered} AND {FINAL} AND ended_at < ? ORDER BY ended_at LIMIT ?"
        );
        select(tables, &sql, values, &mut found)?;
    }
    if let Some(newest) = keep.newest {
        let boundary = match newest.checked_sub(1) {
            Some(after) => {
                let sql = format!("SELECT key FROM runs WHERE {covered} ORDER BY key DESC LIMIT 1 OFFSET {after}");
                tables.query_row(&sql, params_from_iter(&values), |row| row.get::<_, i64>(0)).optional()?
            }
            None => Some(i64::MAX),
        };
        if let Some(boundary) = boundary {
            let sql =
                format!("SELECT {COLUMNS} FROM runs WHERE {covered} AND {FINAL} AND key < ? ORDER BY key LIMIT ?");
            select(tables, &sql, with(Value::Integer(boundary)), &mut found)?;
        }
    }
    found.sort_by_key(|victim| victim.key);
    found.dedup_by_key(|victim| victim.key);
    found.truncate(limit);
    Ok(found)
}

fn select(tables: &Connection, sql: &str, values: Vec<Value>, found: &mut Vec<Victim>) -> Result<()> {
    let mut select = tables.prepare_cached(sql)?;
    for one in select.query_map(params_from_iter(values), victim)? {
        found.push(one?);
    }
    Ok(())
}

/// The runs that a rule looks at.
fn covered(keep: &Keep) -> (String, Vec<Value>) {
    let name = |name: &vastflow_core::Name| Value::Text(name.to_string());
    let mut values: Vec<Value> = keep.flow.iter().map(name).collect();
    let mut sql = String::from(if values.is_empty() { "true" } else { "flow = ?" });
    if !keep.except.is_empty() {
        sql.push_str(&format!(" AND flow NOT IN ({})", vec!["?"; keep.except.len()].join(", ")));
        values.extend(keep.except.iter().map(name));
    }
    (sql, values)
}

fn victim(row: &Row<'_>) -> Result<Victim> {
    let status = row.get_ref(2)?.as_str()?;
    let status = RunStatus::parse(status).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(Victim { key: row.get::<_, i64>(0)?.cast_unsigned(), id: row.get(1)?, status })
}
