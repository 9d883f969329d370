//! Events as JSON: `{"headers":{"name":"value"},"body":"text"}`, or `bodyBase64` for what is no text.

use crate::event::Event;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
}

/// Read one event. The error says what is wrong, and where in the line.
pub fn read_event(line: &[u8]) -> Result<Event, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let body = match (line.body, line.body_base64) {
        (Some(body), None) => body.into_bytes(),
        (None, Some(text)) => base64(&text).ok_or("bodyBase64 is not base64")?,
        _ => return Err("an event has either body or bodyBase64".into()),
    };
    let mut event = Event::new(body);
    for (name, value) in line.headers {
        event.set_header(name, value);
    }
    Ok(event)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_text_or_base64() {
        let event = read_event(br#"{"headers":{"a":"b"},"body":"x"}"#).unwrap();
        assert_eq!(event, Event::new("x").with_header("a", "b"));
        let event = read_event(br#"{"bodyBase64":"/wBh"}"#).unwrap();
        assert_eq!(event, Event::new(&b"\xff\0a"[..]));
        assert!(read_event(b"{}").is_err());
    }
}
