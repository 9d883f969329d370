//! Structured data of RFC 5424: `[id name="value" ...]`, one element behind the other.

use memchr::memchr;

/// Where the structured data at the start of `text` ends; `None` if it is none.
pub fn end(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'-') {
        return Some(1);
    }
    let mut rest = text;
    while rest.first() == Some(&b'[') {
        rest = element(rest)?;
    }
    let used = text.len() - rest.len();
    (used > 0).then_some(used)
}

/// What is behind the element at the start.
fn element(text: &[u8]) -> Option<&[u8]> {
    let mut rest = name(&text[1..])?;
    loop {
        match rest.split_first()? {
            (b']', rest) => return Some(rest),
            (b' ', param) => {
                let (b'=', value) = name(param)?.split_first()? else {
                    return None;
                };
                rest = &value[1 + value_end(value)?..];
            }
            _ => return None,
        }
    }
}

/// What is behind the name at the start.
fn name(text: &[u8]) -> Option<&[u8]> {
    let is_of_name = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"');
    let length = text.iter().take_while(|byte| is_of_name(byte)).count();
    (length > 0).then(|| &text[length..])
}

/// Where the quote is that closes the one at the start.
fn value_end(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// A value, or an element that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'s> {
    /// Of the element.
    pub id: &'s [u8],
    /// Of the value; empty for an element without any.
    pub name: &'s [u8],
    /// As it stands between the quotes.
    pub raw: &'s [u8],
}

impl Param<'_> {
    /// Append the value: a backslash in front of a quote, a backslash or a bracket goes.
    pub fn put_value(&self, to: &mut Vec<u8>) {
        let mut rest = self.raw;
        while let Some(at) = memchr(b'\\', rest) {
            to.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let is_escape = matches!(rest.get(1), Some(b'"' | b'\\' | b']'));
            let length = 1 + usize::from(is_escape);
            to.extend_from_slice(&rest[usize::from(is_escape)..length]);
            rest = &rest[length..];
        }
        to.extend_from_slice(rest);
    }
}

/// The values of structured data whose end is known to be its own, in their order.
pub fn params(text: &[u8]) -> Params<'_> {
    Params { rest: text, id: b"" }
}

/// See [`params`].
pub struct Params<'s> {
    rest: &'s [u8],
    id: &'s [u8],
}

impl<'s> Iterator for Params<'s> {
    type Item = Param<'s>;

    fn next(&mut self) -> Option<Param<'s>> {
        loop {
            match self.rest.split_first()? {
                (b'[', rest) => {
                    let behind = name(rest)?;
                    self.id = &rest[..rest.len() - behind.len()];
                    self.rest = behind;
                    if behind.first() == Some(&b']') {
                        return Some(Param {
                            id: self.id,
                            name: b"",
                            raw: b"",
                        });
                    }
                }
                (b' ', rest) => {
                    let behind = name(rest)?;
                    let value = behind.get(1..)?;
                    let end = value_end(value)?;
                    self.rest = &value[end + 1..];
                    return Some(Param {
                        id: self.id,
                        name: &rest[..rest.len() - behind.len()],
                        raw: &value[1..end],
                    });
                }
                (_, rest) => self.rest = rest,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(String, String, String)> {
        let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        params(text.as_bytes())
            .map(|param| {
                let mut value = Vec::new();
                param.put_value(&mut value);
                (string(param.id), string(param.name), string(&value))
            })
            .collect()
    }

    #[test]
    fn elements_end_where_their_brackets_do() {
        for (text, expected) in [
            ("-", Some(1)),
            ("- text", Some(1)),
            ("[a] b", Some(3)),
            ("[a][b c=\"d\"]x", Some(12)),
            (r#"[a b="]\]\"\\"] x"#, Some(15)),
            ("[a b=\"\"]", Some(8)),
            ("text", None),
            ("", None),
            ("[", None),
            ("[]", None),
            ("[a", None),
            ("[a b]", None),
            ("[a b=c]", None),
            ("[a b=\"c]", None),
            ("[a b=\"c\\\"]", None),
            ("[a  b=\"c\"]", None),
        ] {
            assert_eq!(end(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn values_are_given_without_their_escapes() {
        let text = |id: &str, name: &str, value: &str| (id.into(), name.into(), value.into());
        assert_eq!(
            all(r#"[ex@32473 iut="3" src="A\"p\]p\\\n"][empty][last x=""]"#),
            [
                text("ex@32473", "iut", "3"),
                text("ex@32473", "src", r#"A"p]p\\n"#),
                text("empty", "", ""),
                text("last", "x", "")
            ]
        );
        assert_eq!(all("-"), []);
    }
}
