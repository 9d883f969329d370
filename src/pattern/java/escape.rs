//! What stands behind a backslash.

use super::{CHARACTER, DIGIT, POSIX, SPACE, UNICODE, UNICODE_WORD, WORD};
use super::{Escaped, HORIZONTAL, Read, Reader, VERTICAL, crates_property};

impl Reader {
    pub(super) fn escape(&mut self) -> Read<()> {
        let at = self.at;
        self.at += 1;
        self.repeatable = false;
        match self.peek() {
            Some('Q') => {
                self.at += 1;
                for c in self.quotation() {
                    self.literal(c);
                    self.repeatable = true;
                }
                return Ok(());
            }
            Some('A') => self.out.push_str(r"\A"),
            Some('z') => {
                self.very_end.get_or_insert(at);
                self.out.push_str(r"\z");
            }
            Some('Z') => self.end_of_text(at)?,
            Some('R') => {
                self.out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])");
                self.repeatable = true;
            }
            Some('b') if self.chars.get(self.at + 1) == Some(&'{') => {
                return self.refuse(at, "\\b{", "write \"\\b\"");
            }
            Some(c @ ('b' | 'B')) => self.out.extend(['\\', c]),
            _ => {
                let escaped = self.escaped(at)?;
                self.repeatable = true;
                match escaped {
                    Escaped::Char(c) => self.literal(c),
                    Escaped::Set { body, negated } => {
                        self.out
                            .push_str(&format!("[{}{body}]", if negated { "^" } else { "" }));
                    }
                }
                return Ok(());
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The characters up to `\E` or the end.
    pub(super) fn quotation(&mut self) -> Vec<char> {
        let mut quoted = Vec::new();
        while self.at < self.chars.len() && !self.eat("\\E") {
            quoted.extend(self.next());
        }
        quoted
    }

    /// An escape that stands for characters, inside a class or outside, behind its backslash at `at`.
    pub(super) fn escaped(&mut self, at: usize) -> Read<Escaped> {
        let set = |body: &str, negated| {
            Ok(Escaped::Set {
                body: body.to_string(),
                negated,
            })
        };
        let Some(c) = self.next() else {
            return self.refuse(at, "a backslash at the end", "write \"\\\\\" for the character");
        };
        Ok(Escaped::Char(match c {
            'd' | 'D' if self.flags.unicode => return set(r"\p{Nd}", c == 'D'),
            'w' | 'W' if self.flags.unicode => return set(UNICODE_WORD, c == 'W'),
            's' | 'S' if self.flags.unicode => return set(r"\p{White_Space}", c == 'S'),
            'd' | 'D' => return set(DIGIT, c == 'D'),
            'w' | 'W' => return set(WORD, c == 'W'),
            's' | 'S' => return set(SPACE, c == 'S'),
            'h' | 'H' => return set(HORIZONTAL, c == 'H'),
            'v' | 'V' => return set(VERTICAL, c == 'V'),
            'p' | 'P' => return self.property(at, c == 'P'),
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\x0C',
            'a' => '\x07',
            'e' => '\x1B',
            '0' => self.octal(at)?,
            'x' => self.hexadecimal(at)?,
            'u' => self.utf16(at)?,
            'c' => self.control(at)?,
            '1'..='9' | 'k' => {
                return self.refuse(
                    at,
                    "a back-reference",
                    "this engine cannot compare with what matched before",
                );
            }
            c if c.is_ascii_alphabetic() => {
                let what = format!("\\{c}");
                return self.refuse(at, &what, "write the characters that it stands for, in a class");
            }
            c => c,
        }))
    }

    pub(super) fn octal(&mut self, at: usize) -> Read<char> {
        let mut value = 0;
        let mut digits = 0;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) {
            if digits == 3 || value * 8 + digit > 0o377 {
                break;
            }
            value = value * 8 + digit;
            digits += 1;
            self.at += 1;
        }
        match char::from_u32(value) {
            Some(c) if digits > 0 => Ok(c),
            _ => self.refuse(
                at,
                "\\0 without an octal number",
                "write \\x00 for the character 0",
            ),
        }
    }

    /// So many hexadecimal digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<u32> {
        let digits: String = self.chars.get(self.at..self.at + count)?.iter().collect();
        self.at += count;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(())?;
        u32::from_str_radix(&digits, 16).ok()
    }

    pub(super) fn hexadecimal(&mut self, at: usize) -> Read<char> {
        let value = if self.eat("{") {
            let length = self.chars[self.at..].iter().position(|c| *c == '}').unwrap_or(0);
            let value = (1..=8).contains(&length).then(|| self.digits(length)).flatten();
            self.at += 1;
            value
        } else {
            self.digits(2)
        };
        match value.and_then(char::from_u32) {
            Some(c) => Ok(c),
            None => self.refuse(
                at,
                "\\x without a character's number",
                "write \\x0A or \\x{10FFFF}",
            ),
        }
    }

    /// `\uhhhh`, of which two may make one character.
    pub(super) fn utf16(&mut self, at: usize) -> Read<char> {
        let mut units = vec![self.digits(4)];
        if matches!(units[0], Some(0xD800..=0xDBFF)) && self.eat("\\u") {
            units.push(self.digits(4));
        }
        let units: Option<Vec<u16>> = units
            .into_iter()
            .map(|unit| unit.map(|unit| unit as u16))
            .collect();
        match units.and_then(|units| String::from_utf16(&units).ok()?.chars().next()) {
            Some(c) => Ok(c),
            None => self.refuse(
                at,
                "\\u without a character's number",
                "write four hexadecimal digits",
            ),
        }
    }

    pub(super) fn control(&mut self, at: usize) -> Read<char> {
        match self.next() {
            Some(c) if c.is_ascii() => Ok(char::from(c as u8 ^ 64)),
            _ => self.refuse(at, "\\c without a letter", "write \\cA and so on"),
        }
    }

    /// Behind `\p` or `\P`.
    pub(super) fn property(&mut self, at: usize, negated: bool) -> Read<Escaped> {
        let name: String = match self.next() {
            Some('{') => {
                let name: String = self.chars[self.at..].iter().take_while(|c| **c != '}').collect();
                self.at += name.chars().count() + 1;
                name
            }
            c => c.into_iter().collect(),
        };
        if self.at > self.chars.len() {
            return self.refuse(at, "\\p{ that is never closed", "add \"}\"");
        }
        let posix = if self.flags.unicode { UNICODE } else { POSIX };
        let body = match posix.iter().chain(CHARACTER).find(|(own, _)| *own == name) {
            Some((_, body)) => body.to_string(),
            None => match crates_property(&name) {
                Some(name) => format!("\\p{{{name}}}"),
                None => {
                    let what = format!("\\p{{{name}}}");
                    return self.refuse(
                        at,
                        &what,
                        "there are \\p{Alpha} and its like, \\p{Lu} and \\p{IsLatin}",
                    );
                }
            },
        };
        Ok(Escaped::Set { body, negated })
    }
}
