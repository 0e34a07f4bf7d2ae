//! What engines and services say while they work, on standard error: a line each, as text or as JSON.

use crate::complaint::Complaint;
use crate::config::Config;
use std::io::IsTerminal as _;
use std::str::FromStr as _;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Off,
    Text,
    Json,
}

/// What a text asks for: `json`, `text:debug`, `off`.
fn parse(text: &str) -> Result<(Form, LevelFilter), String> {
    let (form, level) = text.split_once(':').unwrap_or((text, "info"));
    let form = match form {
        "off" => Form::Off,
        "text" => Form::Text,
        "json" => Form::Json,
        _ => return Err("write off, text or json, and a level if you like: json:debug".into()),
    };
    let level = LevelFilter::from_str(level).map_err(|_| "the level is one of error, warn, info, debug, trace")?;
    Ok((form, level))
}

/// Whether a text asks for something.
pub(crate) fn is_log(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

/// Begins to say what happens, as the settings ask for it. Where the program does so already, it is left to that.
pub(crate) fn begin(config: &Config) -> Result<(), Complaint> {
    let (form, level) = parse(config.get("log").unwrap_or("off")).map_err(Complaint::usage)?;
    let lines = || fmt::layer().with_writer(std::io::stderr);
    // What handlers say is kept with their calls, whatever is said here.
    let kept = tracing_subscriber::registry().with(vastflow_logs::kept(Level::INFO));
    let set = match form {
        Form::Off => tracing::subscriber::set_global_default(kept),
        Form::Text => {
            let lines = lines().with_ansi(std::io::stderr().is_terminal()).with_filter(level);
            tracing::subscriber::set_global_default(kept.with(lines))
        }
        Form::Json => {
            let lines = lines().json().flatten_event(true).with_filter(level);
            tracing::subscriber::set_global_default(kept.with(lines))
        }
    };
    if set.is_err() {
        tracing::debug!("the program says itself what happens, so --log is passed over");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_a_level() {
        assert_eq!(parse("json").unwrap(), (Form::Json, LevelFilter::INFO));
        assert_eq!(parse("text:debug").unwrap(), (Form::Text, LevelFilter::DEBUG));
        assert_eq!(parse("off").unwrap().0, Form::Off);
        assert!(parse("xml").unwrap_err().contains("off, text or json"));
        assert!(parse("json:loud").unwrap_err().contains("level"));
    }
}
