//! What was done by whom: lines that are only ever added to.

use crate::auth::private;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vastflow_api::access::AuditRow;

/// How many of the newest rows can be asked for.
const SHOWN: usize = 1_000;

/// The audit log: a line of JSON each in a file if there is one, the newest in memory, and all to `tracing`.
#[derive(Debug, Default)]
pub(crate) struct Audit(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    file: Option<File>,
    /// The newest, each with its number, the oldest first.
    newest: VecDeque<(u64, AuditRow)>,
}

impl Audit {
    /// A log in a file, with what stands in it already.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = private(File::options().create(true).append(true).read(true)).open(path)?;
        let mut log = Log::default();
        let (mut lines, mut line) = (BufReader::new(&file), Vec::new());
        let mut is_torn = false;
        while lines.read_until(b'\n', &mut line)? > 0 {
            is_torn = !line.ends_with(b"\n");
            // A line that was cut by a power failure is none; it may have been cut within a letter.
            serde_json::from_slice(&line).into_iter().for_each(|row| log.keep(row));
            line.clear();
        }
        if is_torn {
            // What follows is a line of its own.
            (&file).write_all(b"\n")?;
        }
        log.file = Some(file);
        Ok(Audit(Mutex::new(log)))
    }

    /// Adds a row. That it cannot be written is told, and nothing else is held up for it.
    pub(crate) fn add(&self, row: AuditRow) {
        let who = row.who.as_deref().unwrap_or("");
        let id = row.request_id.as_deref().unwrap_or("");
        tracing::info!(target: "audit", who, operation = row.operation, path = row.path, status = row.status, id);
        let mut log = self.lock();
        let written = log.file.as_mut().map_or(Ok(()), |file| write(file, &row));
        if let Err(error) = written {
            tracing::error!("the audit log cannot be written: {error}; see that its disk has room");
        }
        log.keep(row);
    }

    /// The newest rows, the newest first, each with its number.
    pub(crate) fn newest(&self) -> Vec<(u64, AuditRow)> {
        self.lock().newest.iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line at one go, so that lines of several processes do not mix.
fn write(file: &mut File, row: &AuditRow) -> io::Result<()> {
    let mut line = serde_json::to_vec(row)?;
    line.push(b'\n');
    file.write_all(&line)
}

impl Log {
    fn keep(&mut self, row: AuditRow) {
        if self.newest.len() == SHOWN {
            self.newest.pop_front();
        }
        let at = self.newest.back().map_or(0, |(at, _)| at + 1);
        self.newest.push_back((at, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at_ms: u64) -> AuditRow {
        let (operation, path) = ("kill_run".into(), "/api/v1/runs/r/kill".into());
        AuditRow {
            at_ms,
            who: Some("ann".into()),
            from: None,
            operation,
            path,
            status: 200,
            request_id: None,
            run: None,
            why: None,
            bulk: None,
        }
    }

    #[test]
    fn rows_outlive_the_process_and_a_torn_line_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        Audit::open(&path).unwrap().add(row(1));
        File::options().append(true).open(&path).unwrap().write_all(b"{\"at_ms\":7,\"why\":\"\xc3").unwrap();
        let again = Audit::open(&path).unwrap();
        again.add(row(2));
        assert_eq!(again.newest(), [(1, row(2)), (0, row(1))]);
        drop(again);
        assert_eq!(Audit::open(&path).unwrap().newest().len(), 2, "the torn line took nobody with it");
    }
}
