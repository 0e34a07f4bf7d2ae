//! A command line: `--name value` options, at most one other argument, and `--help`.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What a program can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The text that `--help` prints.
    pub help: &'static str,
    /// The options that take a value, with their dashes.
    pub options: &'static [&'static str],
    /// What the one argument without dashes is called, if there is one.
    pub subject: Option<&'static str>,
    /// What a second one is called, which may be left out.
    pub detail: Option<&'static str>,
}

/// What a program was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// The argument without dashes, if the program takes one.
    pub subject: OsString,
    /// The second, if it was given.
    pub detail: Option<OsString>,
    options: BTreeMap<String, String>,
}

/// Why a command line was not understood; names what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse(pub String);

impl Usage {
    /// Reads a command line without the program's name. None: the help is wanted.
    ///
    /// # Errors
    /// [`Misuse`] when it is not understood.
    pub fn read(&self, words: impl IntoIterator<Item = OsString>) -> Result<Option<Args>, Misuse> {
        let mut words = words.into_iter();
        let mut args = Args::default();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("-h" | "--help") => return Ok(None),
                Some(option) if option.starts_with('-') => {
                    let (name, value) = self.option(option, &mut words)?;
                    args.options.insert(name, value);
                }
                _ if self.subject.is_some() && args.subject.is_empty() => args.subject = word,
                _ if self.detail.is_some() && args.detail.is_none() => args.detail = Some(word),
                _ => return Err(self.unexpected(&word)),
            }
        }
        match self.subject {
            Some(subject) if args.subject.is_empty() => Err(Misuse(format!("{subject} is missing"))),
            _ => Ok(Some(args)),
        }
    }

    /// `--name value` or `--name=value`.
    fn option(&self, word: &str, rest: &mut impl Iterator<Item = OsString>) -> Result<(String, String), Misuse> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value.to_owned())));
        if !self.options.contains(&name) {
            return Err(Misuse(format!("there is no option {name}; there are {}", self.known())));
        }
        let value = value.or_else(|| rest.next()?.into_string().ok());
        match value.filter(|value| !value.is_empty()) {
            Some(value) => Ok((name.to_owned(), value)),
            None => Err(Misuse(format!("{name} needs a value"))),
        }
    }

    fn unexpected(&self, word: &OsString) -> Misuse {
        let takes = self.subject.map_or_else(String::new, |subject| format!("one {subject}, "));
        Misuse(format!("what is {word:?}? There are {takes}{}", self.known()))
    }

    fn known(&self) -> String {
        self.options.iter().chain(&["--help"]).copied().collect::<Vec<_>>().join(", ")
    }
}

impl Args {
    /// The value of an option, if it was given.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The command that runs an example again with these arguments, and with `more` options.
    #[must_use]
    pub fn again(&self, example: &str, more: &[(&str, &str)]) -> String {
        let given = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut options: BTreeMap<&str, &str> = given.collect();
        options.extend(more.iter().copied());
        let subject = Some(self.subject.to_string_lossy()).filter(|subject| !subject.is_empty());
        let words = options.into_iter().flat_map(|(name, value)| [name, value]);
        let words: Vec<String> = subject.iter().map(|it| &**it).chain(words).map(quoted).collect();
        let separator = if words.is_empty() { "" } else { " -- " };
        format!("cargo run --example {example}{separator}{}", words.join(" "))
    }
}

/// A word as a shell wants it.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_alphanumeric() || "-_./:=~".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage { help: "", options: &["--store", "--id"], subject: Some("PATH"), detail: None };

    #[track_caller]
    fn check(line: &str, expected: Result<Option<(&str, &str)>, &str>) {
        let read = USAGE.read(line.split_whitespace().map(OsString::from));
        let read = read.map(|args| args.map(|args| format!("{:?} {:?}", args.subject, args.option("--store"))));
        let expected = expected.map(|args| args.map(|(subject, store)| format!("{subject:?} {:?}", Some(store))));
        assert_eq!(read, expected.map_err(|text| Misuse(text.to_owned())));
    }

    #[test]
    fn a_command_line_is_understood_or_the_error_names_what_there_is() {
        check(". --store a", Ok(Some((".", "a"))));
        check("--store=a .", Ok(Some((".", "a"))));
        check(". --nonsense --help", Err("there is no option --nonsense; there are --store, --id, --help"));
        check("--id 1 -h", Ok(None));
        check("--id 1", Err("PATH is missing"));
        check(". --id", Err("--id needs a value"));
        check(". --id=", Err("--id needs a value"));
        check("a b", Err("what is \"b\"? There are one PATH, --store, --id, --help"));
    }

    #[test]
    fn the_command_to_run_again_has_what_was_given() {
        let read = |words: &[&str]| USAGE.read(words.iter().map(OsString::from)).unwrap().unwrap();
        let args = read(&["a b", "--store", "it's"]);
        let again = args.again("inspect", &[("--id", "1")]);
        assert_eq!(again, r"cargo run --example inspect -- 'a b' --id 1 --store 'it'\''s'");
        assert_eq!(Args::default().again("attach_volume", &[]), "cargo run --example attach_volume");
    }
}
