//! Times, numbers and payloads as people read and write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vastflow_core::view::Span;
use vastflow_core::{Codec, Payload, Timestamp};

/// What time it is on this machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A time as text: `2026-11-22 07:35:54`, in UTC.
pub(crate) fn utc(at: Timestamp) -> String {
    let seconds = at.millis() / 1_000;
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
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// How long ago: `3 s ago`.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let since = now.since(at);
    match since.as_secs() {
        0 => "now".into(),
        1..60 => format!("{} s ago", since.as_secs()),
        _ => format!("{} ago", Span(since)),
    }
}

/// Reads a time span: `90s`, `5m`, `2h`, `7d`, `250ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time span; write 250ms, 90s, 5m, 2h or 7d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

/// A number in groups of three: `10,000`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `12 runs`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A text on one line of at most `width` characters, without what a terminal would take for a command.
pub(crate) fn line(text: &str, width: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= width {
        return plain.collect();
    }
    plain.take(width.saturating_sub(1)).chain(['…']).collect()
}

/// What a payload says, as people read it on one line.
pub(crate) fn payload(payload: &Payload, width: usize) -> String {
    match std::str::from_utf8(payload.bytes()) {
        Ok(text) => line(text, width),
        Err(_) => format!("{} bytes", payload.len()),
    }
}

/// A time as people type it: `2026-11-22`, `2026-11-22T10:30`, `2026-11-22 10:30:15Z`; always UTC.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let wrong = || "write a time as 2026-11-22 or 2026-11-22T10:30 (UTC)".to_owned();
    let (day, time) =
        text.trim_end_matches('Z').split_once(['T', ' ']).unwrap_or((text.trim_end_matches('Z'), "00:00"));
    let numbers = |text: &str, mark: char| text.split(mark).map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    let (Some(day), Some(time)) = (numbers(day, '-'), numbers(time, ':')) else { return Err(wrong()) };
    let ([year @ 1970..=9999, month @ 1..=12, day @ 1..=31], [hour @ 0..=23, minute @ 0..=59, rest @ ..]) =
        (&day[..], &time[..])
    else {
        return Err(wrong());
    };
    let second = match rest {
        [] => 0,
        [second @ 0..=59] => *second,
        _ => return Err(wrong()),
    };
    // Days since 1970, with years that begin in March, so that a leap day is the last of its year.
    let (years, months) = if *month > 2 { (*year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1 - 719_468;
    let at = Timestamp::from_millis((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000);
    // Some months have no 31st.
    if utc(at).starts_with(&format!("{year:04}-{month:02}-{:02} ", day)) { Ok(at) } else { Err(wrong()) }
}

/// A payload as JSON. Bytes that are no JSON are a text if they are one, else `{"bytes": […]}`.
pub(crate) fn json(payload: &Payload) -> serde_json::Value {
    let whole = || serde_json::from_slice(payload.bytes()).ok();
    let read = if payload.codec() == Codec::Json { whole() } else { None };
    read.unwrap_or_else(|| match std::str::from_utf8(payload.bytes()) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({ "bytes": payload.bytes() }),
    })
}

/// The words most like `word`, if one is like it enough to have been meant.
pub(crate) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = 1 + word.len() / 4;
    known.into_iter().map(|one| (distance(word, one), one)).filter(|(far, _)| *far <= most).min().map(|(_, one)| one)
}

/// How many letters one has to change, add or leave out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (corner + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        let read = |text| duration(text).map(|span| span.as_millis());
        assert_eq!((read("250ms"), read("90s"), read("5m")), (Ok(250), Ok(90_000), Ok(300_000)));
        assert_eq!((read("2h"), read("7d")), (Ok(7_200_000), Ok(604_800_000)));
        for wrong in ["", "5", "s", "5 s", "-1s", "5x", "99999999999999999999s"] {
            assert!(duration(wrong).unwrap_err().contains("90s"), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let read = |text| instant(text).map(utc);
        assert_eq!(read("2026-11-22").unwrap(), "2026-11-22 00:00:00");
        assert_eq!(read("2000-02-29T12:34:56Z").unwrap(), "2000-02-29 12:34:56");
        assert_eq!(read("1970-01-01 10:30").unwrap(), "1970-01-01 10:30:00");
        for wrong in
            ["", "now", "2026-11", "2026-13-01", "2026-02-29", "2026-11-22T24:00", "2026-11-22T10", "1969-12-31"]
        {
            assert!(instant(wrong).unwrap_err().contains("2026-11-22T10:30"), "{wrong}");
        }
    }

    #[test]
    fn times_and_numbers_are_written_as_people_read_them() {
        assert_eq!(utc(Timestamp::from_millis(951_827_696_123)), "2000-02-29 12:34:56");
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((count(1, "run"), count(10_000, "run")), ("1 run".into(), "10,000 runs".into()));
        assert_eq!(line("a\u{1b}[31mbcdef", 6), "a [31…");
    }

    #[test]
    fn what_was_meant_is_found_if_it_is_near() {
        let known = ["store", "output", "worker.slots"];
        assert_eq!(meant("stor", known), Some("store"));
        assert_eq!(meant("worker.slot", known), Some("worker.slots"));
        assert_eq!(meant("colour", known), None);
    }
}
