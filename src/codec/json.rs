//! One event as one line of JSON: `{"headers":{"name":"value"},"body":"text"}`.
//!
//! A body that is not UTF-8 stands as `"bodyBase64"` instead of `"body"` and comes back as it was. Header
//! names and values that are not UTF-8 are shown with each bad byte as the four characters `\xHH`, which
//! does not come back. A header that an event has twice is written twice; readers keep the last, as ours
//! does.

use crate::event::{Event, EventRef};
use serde::Deserialize;
use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Append the event to `out` as one object, without a newline behind it.
pub fn write_event(event: EventRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"headers\":{");
    for (index, (name, value)) in event.headers().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_lossy(name, out);
        out.push(b':');
        put_lossy(value, out);
    }
    match std::str::from_utf8(event.body()) {
        Ok(text) => {
            out.extend_from_slice(b"},\"body\":");
            put_string(text, out);
        }
        Err(_) => {
            out.extend_from_slice(b"},\"bodyBase64\":\"");
            put_base64(event.body(), out);
            out.push(b'"');
        }
    }
    out.push(b'}');
}

/// The event that a line holds. Header values may be numbers and truth values, too; an object without a
/// body has an empty one.
///
/// Errors: what is wrong with the line, as the end of a sentence.
pub fn read_event(line: &[u8]) -> Result<Event, String> {
    // serde would also read an array as the fields in their order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("a line is one object {\"headers\":{...},\"body\":\"...\"}".into());
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| reason(&error))?;
    let mut event = match (line.body, line.body_base64) {
        (Some(_), Some(_)) => return Err("there are both \"body\" and \"bodyBase64\"".into()),
        (Some(body), None) => Event::new(body.into_owned().into_bytes()),
        (None, Some(base64)) => Event::new(from_base64(base64.as_bytes())?),
        (None, None) => Event::default(),
    };
    for (name, value) in line.headers {
        match value {
            serde_json::Value::String(text) => event.set_header(name, text),
            serde_json::Value::Number(number) => event.set_header(name, number.to_string()),
            serde_json::Value::Bool(truth) => event.set_header(name, truth.to_string()),
            other => return Err(format!("the header \"{name}\" is {other} instead of a text")),
        }
    }
    Ok(event)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line<'a> {
    #[serde(default)]
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body_base64: Option<Cow<'a, str>>,
}

/// An error of the parser, which counts lines where there is only one.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} (at byte {})", error.column()),
        None => text,
    }
}

fn put_lossy(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => put_string(text, out),
        Err(_) => {
            out.push(b'"');
            for chunk in bytes.utf8_chunks() {
                put_escaped(chunk.valid(), out);
                for &byte in chunk.invalid() {
                    out.extend_from_slice(b"\\\\x");
                    out.push(HEX[usize::from(byte >> 4)]);
                    out.push(HEX[usize::from(byte & 15)]);
                }
            }
            out.push(b'"');
        }
    }
}

fn put_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    put_escaped(text, out);
    out.push(b'"');
}

/// The inside of a JSON string: runs that need no escape are copied as they are.
fn put_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        start = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[start..]);
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648, section 4).
pub(crate) fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = BASE64[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { digit } else { b'=' });
        }
    }
}

fn from_base64(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = || "\"bodyBase64\" is no base64 (RFC 4648 with padding)".to_string();
    if !text.len().is_multiple_of(4) {
        return Err(bad());
    }
    let digits = text
        .strip_suffix(b"==")
        .or_else(|| text.strip_suffix(b"="))
        .unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in digits.chunks(4) {
        let mut word = 0u32;
        for &digit in chunk {
            word = word << 6 | u32::from(value_of(digit).ok_or_else(bad)?);
        }
        let spare = 6 * (4 - chunk.len());
        let bytes = (word << spare).to_be_bytes();
        let length = chunk.len() - 1;
        // Bits behind the last byte that are set would be lost without a word.
        if length == 0 || bytes[1 + length..].iter().any(|byte| *byte != 0) {
            return Err(bad());
        }
        out.extend_from_slice(&bytes[1..1 + length]);
    }
    Ok(out)
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Batch;
    use proptest::prelude::*;

    fn line(event: &Event) -> String {
        let batch = Batch::single(event);
        let mut out = Vec::new();
        write_event(batch.events().next().unwrap().unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn event_of_text_comes_back(headers: Vec<(String, String)>, body: String) {
            let event = headers.iter().fold(Event::new(body), |event, (k, v)| event.with_header(k, v));
            let line = line(&event);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(read_event(line.as_bytes()), Ok(event));
        }

        #[test]
        fn any_body_comes_back(body: Vec<u8>) {
            let event = Event::new(body);
            prop_assert_eq!(read_event(line(&event).as_bytes()), Ok(event));
        }

        #[test]
        fn base64_comes_back_and_agrees_with_its_length(bytes: Vec<u8>) {
            let mut text = Vec::new();
            put_base64(&bytes, &mut text);
            prop_assert_eq!(text.len(), bytes.len().div_ceil(3) * 4);
            prop_assert_eq!(from_base64(&text), Ok(bytes));
        }

        #[test]
        fn no_line_panics(line: Vec<u8>, base64 in "[A-Za-z=+/]{0,12}") {
            let _ = read_event(&line);
            let _ = from_base64(base64.as_bytes());
        }
    }

    #[test]
    fn lines_look_as_documented() {
        let event = Event::new("say \"hi\"\n\u{1}")
            .with_header("k", "v\\")
            .with_header("a", "");
        assert_eq!(
            line(&event),
            r#"{"headers":{"k":"v\\","a":""},"body":"say \"hi\"\n\u0001"}"#
        );
        assert_eq!(
            line(&Event::new(&b"\xff\xfe"[..])),
            r#"{"headers":{},"bodyBase64":"//4="}"#
        );
        let event = Event::new("x").with_header(b"n\xff", b"\xc3\"");
        assert_eq!(line(&event), r#"{"headers":{"n\\xff":"\\xc3\""},"body":"x"}"#);
    }

    #[test]
    fn base64_has_the_vectors_of_its_rfc() {
        for (plain, base64) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(from_base64(base64.as_bytes()), Ok(plain.as_bytes().to_vec()));
        }
        for bad in ["Zg=", "Z===", "Zh==", "Z g=", "Zg==Zg==", "===="] {
            assert!(from_base64(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_and_truth_values_become_text_and_the_last_of_a_name_counts() {
        let event = read_event(br#"{"headers":{"n":1.5,"b":true,"n":2}}"#).unwrap();
        assert_eq!(event.header("n"), Some(&b"2"[..]));
        assert_eq!(event.header("b"), Some(&b"true"[..]));
        assert!(event.body().is_empty());
    }

    #[test]
    fn line_that_is_no_event_is_refused_with_the_place_and_what_would_be_right() {
        let errors = [
            ("[{}, \"x\", null]", "one object"),
            ("", "one object"),
            (r#"{"message":"x"}"#, "expected one of"),
            (r#"{"body":"a","bodyBase64":"YQ=="}"#, "both"),
            (r#"{"headers":{"k":null}}"#, "the header \"k\" is null"),
            (r#"{"bodyBase64":"!"}"#, "base64"),
            (r#"{"body":"a"} x"#, "at byte"),
        ];
        for (line, expected) in errors {
            let error = read_event(line.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
