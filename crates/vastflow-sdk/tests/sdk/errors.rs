//! Errors of handlers.

use std::error::Error;
use vastflow_sdk::{NodeError, Result, RiverError};

#[test]
fn an_error_says_whether_trying_again_makes_sense() {
    assert!(NodeError::fatal("no").is_fatal());
    assert!(!NodeError::new("busy").is_fatal());
}

#[test]
fn an_error_looks_like_what_caused_it() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot fetch")]
    struct Fetch(#[source] std::io::Error);

    let error = NodeError::fatal(Fetch(std::io::Error::other("refused")));
    assert_eq!(error.to_string(), "cannot fetch");
    assert_eq!(error.source().unwrap().to_string(), "refused");
    assert!(NodeError::new("text").source().is_none());
}

#[test]
fn question_marks_take_any_error_and_texts_by_into() {
    fn fails() -> Result<u32> {
        let n: u32 = "x".parse()?;
        Ok(n)
    }
    fn says() -> Result<u32> {
        Err("no luck".into())
    }
    assert_eq!(fails().unwrap_err().to_string(), "invalid digit found in string");
    assert_eq!(says().unwrap_err().to_string(), "no luck");
}

#[test]
fn a_river_fails_or_asks_for_another_try() {
    assert_eq!(RiverError::retry("busy").to_string(), "try again: busy");
    assert_eq!(RiverError::failed("gone").to_string(), "gone");
    let by_question_mark: RiverError = "x".parse::<u32>().unwrap_err().into();
    assert!(matches!(by_question_mark, RiverError::Failed(_)));
}
