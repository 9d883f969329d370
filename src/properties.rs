//! Files in the syntax of Java's properties: `key = value`, as Flume's configurations, client properties and
//! files of headers are written.
//!
//! What a later message needs is kept: the order of the entries, the lines that they stand in, and keys that
//! are there twice (the last one counts).

use std::path::Path;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    entries: Vec<Entry>,
}

/// One of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Before the separator.
    pub key: String,
    /// Behind it.
    pub value: String,
    /// The line that it begins in, from 1.
    pub line: u32,
}

/// Why bytes are no properties.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    /// The line that the entry begins in, from 1.
    pub line: u32,
    /// A sentence for a person.
    pub what: String,
}

impl Properties {
    /// Read bytes: as UTF-8, or where they are none as ISO-8859-1, which is Java's own.
    pub fn parse(bytes: &[u8]) -> Result<Properties, SyntaxError> {
        let (properties, mut wrong) = Self::parse_all(bytes);
        match wrong.is_empty() {
            true => Ok(properties),
            false => Err(wrong.swap_remove(0)),
        }
    }

    /// As [`Properties::parse`], going on behind what is wrong: for who wants to tell all of it.
    pub fn parse_all(bytes: &[u8]) -> (Properties, Vec<SyntaxError>) {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_string(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let (mut entries, mut wrong) = (Vec::new(), Vec::new());
        for (line, logical) in logical_lines(text) {
            let (key, value) = split(&logical);
            match (unescape(key), unescape(value)) {
                (Ok(key), Ok(value)) => entries.push(Entry { key, value, line }),
                (Err(what), _) | (_, Err(what)) => wrong.push(SyntaxError { line, what }),
            }
        }
        (Properties { entries }, wrong)
    }

    /// Read a file; the error names it.
    pub fn read(path: &Path) -> Result<Properties, String> {
        let bytes =
            std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Self::parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The entries in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The value of a key without the blanks around it, as Flume reads it; of a repeated key, the last. An
    /// empty value is none.
    pub fn get(&self, key: &str) -> Option<&str> {
        let entry = self.entries.iter().rev().find(|entry| entry.key == key)?;
        Some(entry.value.trim()).filter(|value| !value.is_empty())
    }

    /// The line in which the entry of a key begins that counts.
    pub fn line(&self, key: &str) -> Option<u32> {
        let entry = self.entries.iter().rev().find(|entry| entry.key == key)?;
        Some(entry.line)
    }
}

/// A line that says this, with what would be read otherwise escaped.
pub fn line(key: &str, value: &str) -> String {
    let mut line = String::with_capacity(key.len() + value.len() + 4);
    for c in key.chars() {
        escape(c, matches!(c, ' ' | '=' | ':' | '#' | '!'), &mut line);
    }
    line.push_str(" = ");
    let blanks = value.len() - value.trim_start_matches(' ').len();
    for (at, c) in value.char_indices() {
        escape(c, at < blanks, &mut line);
    }
    line.push('\n');
    line
}

fn escape(c: char, is_special: bool, out: &mut String) {
    match c {
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\x0c' => out.push_str("\\f"),
        '\\' => out.push_str("\\\\"),
        ' '..='~' if is_special => out.extend(['\\', c]),
        ' '..='~' => out.push(c),
        // Java reads ISO-8859-1.
        c => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Lines with what a backslash at their end joins to them, and where they begin; no comments, no blank lines.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (index, natural) in natural_lines(text).enumerate() {
        let natural = natural.trim_start_matches(is_blank);
        let (number, mut logical) = match open.take() {
            Some(open) => open,
            None if natural.is_empty() || natural.starts_with(['#', '!']) => continue,
            None => (index as u32 + 1, String::new()),
        };
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        let goes_on = backslashes % 2 == 1;
        logical.push_str(&natural[..natural.len() - usize::from(goes_on)]);
        match goes_on {
            true => open = Some((number, logical)),
            false => lines.push((number, logical)),
        }
    }
    lines.extend(open);
    lines
}

/// Lines that end with LF, CR or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = text.find(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let both = text[at..].starts_with("\r\n");
        rest = Some(&text[at + 1 + usize::from(both)..]);
        Some(&text[..at])
    })
}

/// A logical line at its separator: `=`, `:` or blanks.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some(end) = end else {
        return (line, "");
    };
    let rest = line[end..].trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(is_blank))
}

/// A key or a value without its escapes. `\uXXXX` are units of UTF-16, as in Java.
fn unescape(part: &str) -> Result<String, String> {
    let mut out = String::with_capacity(part.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        let escape = (c == '\\').then(|| chars.next()).flatten();
        if escape == Some('u') {
            units.push(unit(chars.as_str())?);
            chars = chars.as_str()[4..].chars();
            continue;
        }
        out.push_str(&String::from_utf16_lossy(&std::mem::take(&mut units)));
        match (c, escape) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('f')) => out.push('\x0c'),
            ('\\', Some(other)) => out.push(other),
            ('\\', None) => {}
            (c, _) => out.push(c),
        }
    }
    out.push_str(&String::from_utf16_lossy(&units));
    Ok(out)
}

/// The four hexadecimal digits that text begins with.
fn unit(text: &str) -> Result<u16, String> {
    let digits = text
        .get(..4)
        .filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
    let value = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
    value.ok_or_else(|| {
        let found: String = text.chars().take(4).collect();
        format!("\"\\u{found}\" is no character: \\u stands before four hexadecimal digits")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[(&str, &str, u32)]) {
        let found = Properties::parse(text.as_bytes()).unwrap();
        let found: Vec<_> = found
            .entries()
            .iter()
            .map(|entry| (&*entry.key, &*entry.value, entry.line))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn separator_is_equals_colon_or_blank() {
        check("a=1", &[("a", "1", 1)]);
        check("a : 1", &[("a", "1", 1)]);
        check("a\t1 ", &[("a", "1 ", 1)]);
        check("  a  =  = 1", &[("a", "= 1", 1)]);
        check("a", &[("a", "", 1)]);
        check("a\\=b\\ c = 1", &[("a=b c", "1", 1)]);
        check("= 1", &[("", "1", 1)]);
    }

    #[test]
    fn comments_and_blank_lines_are_nothing() {
        check(
            "# a=1\n\n  ! b=2 \\\nc=3\r\r\nd=4\re=5",
            &[("c", "3", 4), ("d", "4", 6), ("e", "5", 7)],
        );
    }

    #[test]
    fn backslash_at_the_end_joins_lines() {
        check(
            "a = one, \\\n    two\nb=2",
            &[("a", "one, two", 1), ("b", "2", 3)],
        );
        check("a = x\\\\\nb = y\\", &[("a", "x\\", 1), ("b", "y", 2)]);
        check("a = \\\n# no comment", &[("a", "# no comment", 1)]);
        check("a = 1\\\n\nb = 2", &[("a", "1", 1), ("b", "2", 3)]);
    }

    #[test]
    fn escapes_are_those_of_java() {
        check(
            r"a = \t\n\r\f\q\u00e4\uD83D\uDE00\u20acz\\u0041",
            &[("a", "\t\n\r\x0cq\u{e4}\u{1f600}\u{20ac}z\\u0041", 1)],
        );
        let wrong = Properties::parse(b"a=1\nb=\\u12g4").unwrap_err();
        assert_eq!(wrong.line, 2);
        assert!(wrong.to_string().contains("\\u12g4"), "{wrong}");
        assert!(Properties::parse("a=\\u1\u{20ac}23".as_bytes()).is_err());
        let (rest, wrong) = Properties::parse_all(b"a=\\u1\nb=2\nc=\\ux");
        assert_eq!((rest.get("b"), wrong.len()), (Some("2"), 2));
    }

    #[test]
    fn last_of_a_repeated_key_counts_and_blanks_around_it_do_not() {
        let found = Properties::parse(b"a = 1\na = 2 \nb =").unwrap();
        assert_eq!((found.get("a"), found.line("a")), (Some("2"), Some(2)));
        assert_eq!(found.get("b"), None);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1() {
        let found = Properties::parse(b"a = gr\xfc\xdfe").unwrap();
        assert_eq!(found.get("a"), Some("gr\u{fc}\u{df}e"));
        let found = Properties::parse("\u{feff}a = gr\u{fc}\u{df}e".as_bytes()).unwrap();
        assert_eq!(found.get("a"), Some("gr\u{fc}\u{df}e"));
    }

    proptest! {
        #[test]
        fn line_is_read_as_what_it_was_written_from(key in "[^\u{0}]{1,12}", value in ".{0,20}|[ \t=:#!\\\\a]{0,9}") {
            let text = line(&key, &value);
            prop_assert!(text.is_ascii());
            let found = Properties::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&found.entries()[0].key, &key);
            prop_assert_eq!(&found.entries()[0].value, &value);
        }

        #[test]
        fn what_is_written_with_escapes_is_read_as_it_was(key in "[^\u{0}]{1,12}", value in ".{0,20}") {
            let escaped = |text: &str| -> String {
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
            };
            let text = format!("{}={}\n", escaped(&key), escaped(&value));
            let found = Properties::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&found.entries()[0].key, &key);
            prop_assert_eq!(&found.entries()[0].value, &value);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Properties::parse(&bytes);
        }
    }
}
