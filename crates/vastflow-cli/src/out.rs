//! Answering: data goes to standard output, talk about it to standard error.

use crate::args::Format;
use crate::complaint::{Complaint, Exit};
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use vastflow_core::RunStatus;

/// The version of all JSON that is printed. Fields may be added under the same number; one that is removed or changes its
/// meaning makes it the next.
pub(crate) const VERSION: u32 = 1;

/// How to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) format: Format,
    has_colour: bool,
    talks_in_colour: bool,
}

impl Out {
    pub(crate) fn new(format: Format) -> Self {
        let may = std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
        Out {
            format,
            has_colour: may && std::io::stdout().is_terminal(),
            talks_in_colour: may && std::io::stderr().is_terminal(),
        }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints data.
    pub(crate) fn say(self, text: impl Display) {
        let mut out = std::io::stdout().lock();
        // Nobody may be listening any more (`… | head -1`): that is no reason to complain.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Prints bytes as they are; on a terminal without what that would take for a command, since anybody may have written them.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        if std::io::stdout().is_terminal() {
            let _ = writeln!(out, "{}", harmless(bytes)).and_then(|()| out.flush());
            return;
        }
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Prints an object with its version, on one line for those who read lines.
    pub(crate) fn json(self, mut object: Value) {
        if let Value::Object(members) = &mut object {
            members.insert("version".into(), VERSION.into());
        }
        self.say(object);
    }

    /// Remarks something.
    pub(crate) fn note(self, text: impl Display) {
        talk(&self.painted_talk(Paint::Dim, &text.to_string()));
    }

    /// Says why something was not done.
    pub(crate) fn complain(self, complaint: &Complaint) {
        if self.is_json() {
            let Complaint { exit, code, text, next } = complaint;
            let error = json!({ "code": code, "text": text, "next": next, "exit": *exit as u8 });
            talk(&json!({ "version": VERSION, "error": error }).to_string());
            return;
        }
        let text = complaint.text.replace(|c: char| c.is_control() && c != '\n', " ");
        talk(&format!("{} {text}", self.painted_talk(Paint::Red, "error:")));
        if let Some(next) = &complaint.next {
            talk(&format!("{} {next}", self.painted_talk(Paint::Dim, " next:")));
        }
    }

    fn painted_talk(self, paint: Paint, text: &str) -> String {
        if self.talks_in_colour { paint.on(text) } else { text.to_owned() }
    }

    /// Text of data in a colour, where colours are seen.
    pub(crate) fn painted(self, paint: Paint, text: &str) -> String {
        if self.has_colour { paint.on(text) } else { text.to_owned() }
    }

    /// A table with these heads.
    pub(crate) fn table(self, heads: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let head = |text: &&str| {
            let cell = Cell::new(text.to_uppercase());
            if self.has_colour { cell.fg(Color::DarkGrey) } else { cell }
        };
        table.set_header(heads.iter().map(head));
        if self.has_colour {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        table
    }

    /// Prints a table; nothing but a remark when it has no rows.
    pub(crate) fn show(self, table: &mut Table, none: &str) {
        if table.is_empty() {
            self.note(none);
            return;
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.say(lines.join("\n"));
    }

    /// A bar for long work; nothing where nobody looks.
    pub(crate) fn bar(self, length: u64, what: &'static str) -> ProgressBar {
        let is_seen = std::io::stderr().is_terminal() && !self.is_json();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
        let style = ProgressStyle::with_template("{msg} {wide_bar:.dim} {human_pos}/{human_len} {eta}");
        // The template is a constant that the tests draw.
        style.into_iter().fold(bar, ProgressBar::with_style)
    }

    /// Whether somebody is there to be asked.
    pub(crate) fn asks(self) -> bool {
        std::io::stdin().is_terminal() && !self.is_json()
    }

    /// Asks whether something is meant that cannot be taken back. Only who sits at a terminal can say so here.
    pub(crate) fn confirm(self, what: &str, is_said: bool) -> Result<(), Complaint> {
        if is_said {
            return Ok(());
        }
        if !self.asks() {
            return Err(Complaint::usage(format!("{what}: this is to be confirmed, and nobody is there to ask"))
                .next("look with --dry-run, then add --yes"));
        }
        eprint!("{what}? Type yes: ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "yes" => Ok(()),
            _ => Err(Complaint::new(Exit::Failed, "not-confirmed", "nothing was done")),
        }
    }

    /// Goes to the corner of the screen and wipes it, for those who look again and again.
    pub(crate) fn wipe(self) {
        if std::io::stdout().is_terminal() {
            print_raw("\x1b[H\x1b[2J");
        }
    }
}

fn print_raw(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Red,
    Green,
    Yellow,
    Blue,
    Dim,
    Bold,
}

impl Paint {
    fn on(self, text: &str) -> String {
        let code = match self {
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Blue => "34",
            Paint::Dim => "2",
            Paint::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A cell with where a run stands, in its colour.
pub(crate) fn status_cell(status: RunStatus) -> Cell {
    let cell = Cell::new(status);
    match status {
        RunStatus::Succeeded => cell.fg(Color::Green),
        RunStatus::Failed => cell.fg(Color::Red),
        RunStatus::NeedsAttention | RunStatus::Stopping | RunStatus::Stopped => cell.fg(Color::Yellow),
        RunStatus::Running => cell.fg(Color::Blue),
        _ => cell,
    }
}

/// A cell with a number.
pub(crate) fn number_cell(number: u64) -> Cell {
    Cell::new(crate::text::grouped(number)).set_alignment(CellAlignment::Right)
}

/// Says something beside what is printed. That nobody listens is no reason to panic, as `eprintln` would.
fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Bytes as a terminal may show them.
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(bytes)).into_owned();
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_shown_to_it() {
        assert_eq!(harmless(b"a\tb\n\x1b]0;own\x07\n"), "a\tb\n\u{fffd}]0;own\u{fffd}");
        assert_eq!(harmless(b"\xff"), "\u{fffd}");
    }

    fn out(has_colour: bool) -> Out {
        Out { format: Format::Text, has_colour, talks_in_colour: has_colour }
    }

    #[test]
    fn a_table_has_no_colour_where_none_is_seen() {
        let draw = |has_colour| {
            let mut table = out(has_colour).table(&["id", "status"]);
            table.add_row([Cell::new("r1"), status_cell(RunStatus::Failed)]);
            table.to_string()
        };
        assert!(!draw(false).contains('\u{1b}'), "{}", draw(false));
        assert!(draw(true).contains("\u{1b}["), "{}", draw(true));
        assert!(draw(false).contains("ID") && draw(false).contains("failed"));
    }

    #[test]
    fn the_bar_can_be_drawn() {
        let style = ProgressStyle::with_template("{msg} {wide_bar:.dim} {human_pos}/{human_len} {eta}");
        assert!(style.is_ok());
        assert_eq!(out(false).bar(3, "runs").length(), Some(3));
    }
}
