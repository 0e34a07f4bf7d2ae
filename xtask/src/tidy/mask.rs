//! Telling code, comments and literals of a Rust file apart, so that a brace in a string is not counted.

/// A file twice: once with only its code, once with only its comments. What is left out is blank, so offsets
/// and line numbers are those of each other. Both are ASCII.
pub(crate) struct Masked {
    pub(crate) code: String,
    pub(crate) comments: String,
}

/// Separates the code and the comments of a file. Strings and characters go to neither.
pub(crate) fn mask(text: &str) -> Masked {
    let mut masker = Masker {
        text: text.chars().collect(),
        at: 0,
        masked: Masked { code: String::with_capacity(text.len()), comments: String::with_capacity(text.len()) },
    };
    while masker.at < masker.text.len() {
        masker.step();
    }
    masker.masked
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

struct Masker {
    text: Vec<char>,
    at: usize,
    masked: Masked,
}

impl Masker {
    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.take_while(Kind::Comment, |it| it.peek(0) != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', '\\') => self.escaped_char(),
            ('\'', _) if self.peek(2) == '\'' => self.take(3, Kind::Literal),
            ('r', '"' | '#') if self.starts_raw_string() => self.raw_string(),
            _ => self.take(1, Kind::Code),
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.take(1, Kind::Comment);
                    if self.is_at_end() {
                        return;
                    }
                    continue;
                }
            }
            self.take(2, Kind::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(1, Kind::Literal);
        while !self.is_at_end() && self.peek(0) != '"' {
            let escaped = self.peek(0) == '\\';
            self.take(if escaped { 2 } else { 1 }, Kind::Literal);
        }
        self.take(1, Kind::Literal);
    }

    fn escaped_char(&mut self) {
        // The quote, the backslash and the escaped character, which may itself be a quote.
        self.take(3, Kind::Literal);
        self.take_while(Kind::Literal, |it| it.peek(0) != '\'');
        self.take(1, Kind::Literal);
    }

    /// `r` begins a raw string unless it ends a name (`for"` does not occur, `br"` and `cr"` do).
    fn starts_raw_string(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map_or(' ', |at| self.text[at]);
        let prefixed = matches!(before(1), 'b' | 'c') && !is_word(before(2));
        (prefixed || !is_word(before(1))) && self.peek(1 + self.hashes(1)) == '"'
    }

    fn raw_string(&mut self) {
        let hashes = self.hashes(1);
        self.take(2 + hashes, Kind::Literal);
        self.take_while(Kind::Literal, |it| !(it.peek(0) == '"' && it.hashes(1) >= hashes));
        self.take(1 + hashes, Kind::Literal);
    }

    fn hashes(&self, ahead: usize) -> usize {
        self.text[(self.at + ahead).min(self.text.len())..].iter().take_while(|it| **it == '#').count()
    }

    fn take_while(&mut self, kind: Kind, more: impl Fn(&Self) -> bool) {
        while !self.is_at_end() && more(self) {
            self.take(1, kind);
        }
    }

    fn take(&mut self, count: usize, kind: Kind) {
        for _ in 0..count.min(self.text.len() - self.at) {
            let it = self.text[self.at];
            let plain = if it.is_ascii() { it } else { '_' };
            self.masked.code.push(if kind == Kind::Code || it == '\n' { plain } else { ' ' });
            self.masked.comments.push(if kind == Kind::Comment || it == '\n' { plain } else { ' ' });
            self.at += 1;
        }
    }

    fn peek(&self, ahead: usize) -> char {
        self.text.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }
}

fn is_word(it: char) -> bool {
    it == '_' || it.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str) {
        let masked = mask(text);
        assert_eq!(masked.code.split_whitespace().collect::<Vec<_>>().join(" "), code);
        assert_eq!(masked.code.chars().count(), text.chars().count(), "offsets are kept");
        assert_eq!(masked.comments.lines().count(), text.lines().count(), "lines are kept");
    }

    #[test]
    fn comments_are_no_code() {
        check("a // { b\nc", "a c");
        check("a /* { /* nested } */ still */ b", "a b");
        check("/// docs {\nfn f() {}", "fn f() {}");
        check("a /* never closed {", "a");
    }

    #[test]
    fn strings_are_no_code() {
        check(r#"a("{ \" }", b)"#, "a( , b)");
        check(r##"a(r#"{ " }"#, b)"##, "a( , b)");
        check(r##"a(br#"{"#) + "never closed {"##, "a(b ) +");
        check("r#type + for_r", "r#type + for_r");
    }

    #[test]
    fn characters_are_no_code_and_lifetimes_are() {
        check(r"f('{', '\'', '\u{7d}', b'}')", "f( , , , b )");
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn comments_are_kept_apart() {
        let masked = mask("let a = \"// no\"; // yes");
        assert_eq!(masked.comments.trim(), "// yes");
    }

    #[test]
    fn what_is_not_ascii_is_one_byte() {
        let masked = mask("größe /* ä */ {");
        assert_eq!(masked.code, "gr__e         {");
    }
}
