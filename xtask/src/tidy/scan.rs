//! Finding functions, traits and tests in code whose comments and literals are masked.
//!
//! It counts brackets and looks at keywords; macros that build items out of pieces are not seen.

use std::ops::Range;

/// A function with its signature and body.
#[derive(Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// From the word `fn` to the closing brace or the semicolon.
    pub(crate) range: Range<usize>,
    /// Without the receiver.
    pub(crate) parameters: usize,
}

/// A trait and the number of functions it declares.
#[derive(Debug, PartialEq)]
pub(crate) struct Trait {
    pub(crate) name: String,
    pub(crate) start: usize,
    pub(crate) methods: usize,
}

/// All functions, also those inside of other functions.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    words(code, "fn").filter_map(|start| function(code, start)).collect()
}

fn function(code: &str, start: usize) -> Option<Function> {
    let (name, after) = name(code, start + "fn".len())?;
    let open = skip_generics(code, skip_space(code, after));
    if code.as_bytes().get(open) != Some(&b'(') {
        return None;
    }
    let close = close(code, open);
    let end = match body(code, close + 1) {
        Some(brace) => self::close(code, brace),
        None => code[close..].find(';').map_or(code.len(), |offset| close + offset),
    };
    let parameters = parameters(code.get(open + 1..close).unwrap_or_default());
    Some(Function { name: name.to_owned(), range: start..(end + 1).min(code.len()), parameters })
}

/// All traits.
pub(crate) fn traits(code: &str) -> Vec<Trait> {
    words(code, "trait").filter_map(|start| a_trait(code, start)).collect()
}

fn a_trait(code: &str, start: usize) -> Option<Trait> {
    let (name, after) = name(code, start + "trait".len())?;
    let open = body(code, after)?;
    let inside = &code[open + 1..close(code, open)];
    // A function of the trait stands outside of all braces; one inside of a default body does not.
    let methods = words(inside, "fn").filter(|at| depth(&inside[..*at]) == 0).count();
    Some(Trait { name: name.to_owned(), start, methods })
}

/// What only tests compile: items behind `#[cfg(test)]`, `#[test]` and the like, with that attribute.
pub(crate) fn tests(code: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = code[at..].find("#[").map(|offset| at + offset) {
        let end = close(code, start + 1);
        at = end;
        if is_test_attribute(code.get(start + 2..end).unwrap_or_default()) {
            at = item_end(code, end + 1);
            found.push(start..at);
        }
    }
    found
}

fn is_test_attribute(attribute: &str) -> bool {
    let attribute: String = attribute.split_whitespace().collect();
    matches!(attribute.as_str(), "test" | "cfg(test)")
        || ["cfg(all(test,", "tokio::test"].iter().any(|prefix| attribute.starts_with(prefix))
}

fn item_end(code: &str, from: usize) -> usize {
    let end = match body(code, from) {
        Some(brace) => close(code, brace),
        None => code.get(from..).and_then(|rest| rest.find(';')).map_or(code.len(), |offset| from + offset),
    };
    (end + 1).min(code.len())
}

/// The brace that opens the body of an item, unless a semicolon ends the item before.
fn body(code: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match code.as_bytes().get(at)? {
            b'{' => return Some(at),
            b';' | b'}' => return None,
            b'(' | b'[' => at = close(code, at),
            _ => {}
        }
        at += 1;
    }
}

/// The bracket that closes the one at `open`, or the end of the code.
pub(crate) fn close(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return offset;
        }
    }
    code.len()
}

fn depth(code: &str) -> usize {
    code.bytes().fold(0, |depth, byte| match byte {
        b'{' => depth + 1,
        b'}' => depth.saturating_sub(1),
        _ => depth,
    })
}

fn skip_space(code: &str, from: usize) -> usize {
    let rest = &code[from..];
    from + rest.len() - rest.trim_start().len()
}

fn skip_generics(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        depth += angle(code, offset, byte);
        if depth == 0 {
            return if byte == b'>' { offset + 1 } else { offset };
        }
    }
    code.len()
}

/// How an angle bracket changes the depth. The arrow in `Fn() -> T` closes nothing.
fn angle(code: &str, offset: usize, byte: u8) -> i32 {
    let arrow = offset > 0 && code.as_bytes()[offset - 1] == b'-';
    match byte {
        b'<' => 1,
        b'>' if !arrow => -1,
        _ => 0,
    }
}

fn parameters(list: &str) -> usize {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for (offset, byte) in list.bytes().enumerate() {
        depth += match byte {
            b'(' | b'[' | b'{' => 1,
            b')' | b']' | b'}' => -1,
            _ => angle(list, offset, byte),
        };
        match parts.last_mut() {
            Some(part) if byte != b',' || depth > 0 => part.push(char::from(byte)),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().filter(|part| !part.trim().is_empty() && !is_receiver(part)).count()
}

fn is_receiver(parameter: &str) -> bool {
    let pattern = parameter.split(':').next().unwrap_or_default();
    pattern.split(|it| !is_word(it)).rfind(|word| !word.is_empty()) == Some("self")
}

fn name(code: &str, from: usize) -> Option<(&str, usize)> {
    let start = skip_space(code, from);
    let rest = &code[start..];
    let length = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
    (length > 0).then(|| (&rest[..length], start + length))
}

/// Where a word stands alone, not as a part of a longer one.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn is_word(it: char) -> bool {
    it == '_' || it.is_ascii_alphanumeric()
}

/// The number of the line that an offset stands on, from 1.
pub(crate) fn line(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count() + 1
}

/// How many lines a range touches.
pub(crate) fn lines(code: &str, range: &Range<usize>) -> usize {
    code[range.clone()].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::mask::mask;

    /// Name, lines and parameters of each function of a text.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, usize, usize)]) {
        let code = mask(text).code;
        let found = functions(&code);
        let found: Vec<_> = found.iter().map(|it| (it.name.as_str(), lines(&code, &it.range), it.parameters)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn counts_the_lines_of_a_function() {
        check("fn a() {}\n", &[("a", 1, 0)]);
        check("fn a() {\n    b();\n}\nfn c() {\n}\n", &[("a", 3, 0), ("c", 2, 0)]);
        check("pub(crate) async fn a() {\n    if b { c } else { d }\n}", &[("a", 3, 0)]);
    }

    #[test]
    fn braces_in_literals_and_comments_do_not_count() {
        check("fn a() {\n    let b = \"}\"; // }\n    let c = '}';\n}\nfn d() {}", &[("a", 4, 0), ("d", 1, 0)]);
        check("fn a() {\n    let b = r#\"}\n}\"#;\n}\n", &[("a", 4, 0)]);
    }

    #[test]
    fn a_function_inside_of_a_function_counts_for_both() {
        check("fn a() {\n    fn b() {\n    }\n}\n", &[("a", 4, 0), ("b", 2, 0)]);
    }

    #[test]
    fn a_signature_ends_at_its_semicolon() {
        check("trait T {\n    fn a(&self) -> [u8; 4];\n    fn b(&self);\n}\n", &[("a", 1, 0), ("b", 1, 0)]);
    }

    #[test]
    fn a_function_type_is_no_function() {
        check("struct S { f: fn(u8) -> u8, fn_name: u8 }\n", &[]);
        check("macro_rules! m { ($name:ident) => { fn $name() {} } }\n", &[]);
    }

    #[test]
    fn counts_parameters_without_the_receiver() {
        check("fn a(&mut self, b: u8, (c, d): (u8, u8)) {}", &[("a", 1, 2)]);
        check("fn a<'a>(self: Arc<Self>, b: &'a [u8; 2], c: Map<K, V>,) {}", &[("a", 1, 2)]);
        check("fn a<F: Fn(u8, u8) -> u8, G>(f: F, g: impl Fn(u8) -> Vec<u8>, h: G) -> u8 {}", &[("a", 1, 3)]);
        check("fn a(b: fn(u8, u8) -> Option<u8>, itself: u8) where B: C {}", &[("a", 1, 2)]);
    }

    #[test]
    fn counts_the_methods_of_a_trait() {
        let code =
            mask("pub trait T<A: Fn() -> u8>: Send {\n  type B;\n  fn a(&self);\n  fn b() { fn c() {} }\n}").code;
        assert_eq!(traits(&code), [Trait { name: "T".to_owned(), start: 4, methods: 2 }]);
    }

    #[track_caller]
    fn check_tests(text: &str, left: &str) {
        let mut code = mask(text).code;
        for range in tests(&code).into_iter().rev() {
            code.replace_range(range, "");
        }
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), left);
    }

    #[test]
    fn tests_are_found_with_their_bodies() {
        check_tests("a();\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\nc();", "a(); c();");
        check_tests("#[test]\n#[should_panic]\nfn a() {}\nfn b() {}", "fn b() {}");
        check_tests("#[tokio::test(flavor = \"current_thread\")]\nasync fn a() {}\nfn b() {}", "fn b() {}");
        check_tests("#[cfg(test)]\nmod tests;\nfn b() {}", "fn b() {}");
        check_tests("#[cfg(not(test))]\nfn a() {}", "#[cfg(not(test))] fn a() {}");
    }

    #[test]
    fn broken_code_is_no_panic() {
        for text in ["fn", "fn a", "fn a(", "fn a<", "fn a() {", "trait", "trait T {", "#[cfg(test)]", "#[", "}"] {
            functions(text);
            traits(text);
            tests(text);
        }
    }
}
