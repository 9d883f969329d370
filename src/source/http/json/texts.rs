//! Names and texts: with quotes of either kind and escapes between them, or without any.

use super::parser::Parser;
use std::borrow::Cow;

impl<'a> Parser<'a> {
    /// A text with quotes of either kind, or without any.
    pub(super) fn text(&mut self, what: &str) -> Result<Cow<'a, str>, String> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote),
            _ => {
                let bare = self.bare();
                if bare.is_empty() {
                    return Err(self.expected(what));
                }
                self.at += bare.len();
                Ok(Cow::Borrowed(bare))
            }
        }
    }

    /// What stands here without quotes: empty if there is nothing of that kind.
    pub(super) fn bare(&self) -> &'a str {
        let rest = self.rest();
        let ends = |byte: u8| byte <= b' ' || b"{}[]:,;=#/\\\"'".contains(&byte);
        let end = rest.bytes().position(ends).unwrap_or(rest.len());
        &rest[..end]
    }

    fn quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, String> {
        let (text, begin) = (self.text, self.at + 1);
        let mut out = String::new();
        let mut from = begin;
        loop {
            let Some(found) = memchr::memchr2(quote, b'\\', &text.as_bytes()[from..]) else {
                self.at = begin - 1;
                return Err("a text has no end".into());
            };
            let at = from + found;
            if text.as_bytes()[at] == quote {
                self.at = at + 1;
                if out.is_empty() {
                    return Ok(Cow::Borrowed(&text[from..at]));
                }
                out.push_str(&text[from..at]);
                return Ok(Cow::Owned(out));
            }
            out.push_str(&text[from..at]);
            self.at = at;
            out.push(self.escape()?);
            from = self.at;
        }
    }

    /// The character that an escape stands for; its backslash is next.
    fn escape(&mut self) -> Result<char, String> {
        let escaped = self.rest().chars().nth(1).ok_or("a text has no end")?;
        let plain = match escaped {
            'u' => return self.unicode(),
            't' => '\t',
            'b' => '\u{8}',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            '\n' | '\'' | '"' | '\\' | '/' => escaped,
            _ => return Err(format!("\\{escaped} is no escape")),
        };
        self.at += 1 + escaped.len_utf8();
        Ok(plain)
    }

    /// `\uHHHH`, or two of them for a character beyond the first plane.
    fn unicode(&mut self) -> Result<char, String> {
        let unit = |text: &str| {
            let digits = text.strip_prefix("\\u")?.get(..4)?;
            let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u16::from_str_radix(digits, 16).ok().filter(|_| all)
        };
        let first = unit(self.rest()).ok_or("\\u is not followed by four hexadecimal digits")?;
        let second = self.rest().get(6..).and_then(unit);
        let units = [Some(first), second].into_iter().flatten();
        match char::decode_utf16(units).next() {
            Some(Ok(found)) => {
                self.at += 6 * found.len_utf16();
                Ok(found)
            }
            _ => Err(format!(
                "\\u{first:04x} is half of a character, and the other half does not follow"
            )),
        }
    }
}
