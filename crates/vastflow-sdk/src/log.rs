//! What a call says: its last lines, within limits.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use vastflow_core::limits::{MAX_CALL_LOG_BYTES, MAX_LINE_BYTES, MAX_LINES};
use vastflow_core::{Level, Said, SaidLine};

/// What a call says.
#[derive(Debug)]
pub(crate) struct Log {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<SaidLine>,
    bytes: usize,
    dropped: u32,
}

impl Default for Log {
    fn default() -> Self {
        Log { began: Instant::now(), kept: Mutex::default() }
    }
}

impl Log {
    pub(crate) fn say(&self, level: Level, mut text: String) {
        if text.len() > MAX_LINE_BYTES {
            // On a boundary of characters, with room for the sign that something is missing.
            let end = (0..=MAX_LINE_BYTES - "…".len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        let line = SaidLine { after: self.began.elapsed().into(), level, text: text.into() };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += line.text.len();
        kept.lines.push_back(line);
        while kept.lines.len() > MAX_LINES || kept.bytes > MAX_CALL_LOG_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.text.len();
            kept.dropped = kept.dropped.saturating_add(1);
        }
    }

    /// What was said, if anything was.
    pub(crate) fn take(&self) -> Option<Said> {
        let Kept { lines, dropped, .. } =
            std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        (!lines.is_empty()).then(|| Said { lines: lines.into(), dropped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_the_others_counted() {
        let log = Log::default();
        assert_eq!(log.take(), None);
        for line in 0..MAX_LINES + 7 {
            log.say(Level::Info, line.to_string());
        }
        let said = log.take().unwrap();
        assert_eq!((said.lines.len(), said.dropped), (MAX_LINES, 7));
        assert_eq!(&*said.lines[0].text, "7");
        assert_eq!(log.take(), None, "taken once");
    }

    #[test]
    fn a_long_line_is_cut_and_a_long_log_is_dropped_from_its_beginning() {
        let log = Log::default();
        log.say(Level::Warn, "é".repeat(MAX_LINE_BYTES));
        let said = log.take().unwrap();
        assert!(said.lines[0].text.len() <= MAX_LINE_BYTES && said.lines[0].text.ends_with("é…"));
        for _ in 0..100 {
            log.say(Level::Info, "x".repeat(MAX_LINE_BYTES));
        }
        let said = log.take().unwrap();
        assert_eq!((said.bytes(), said.dropped), (MAX_CALL_LOG_BYTES, 100 - 16));
        assert_eq!(said.within(2 * MAX_LINE_BYTES).dropped, 100 - 2);
    }
}
