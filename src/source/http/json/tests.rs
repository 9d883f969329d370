use super::*;
use crate::event::Event;
use proptest::prelude::*;

fn events(body: &[u8], content_type: &str) -> Result<Vec<Event>, HandlerError> {
    let post = Post {
        path: "/",
        query: None,
        content_type: Some(content_type),
        body,
    };
    let batch = Json.events(&post)?;
    Ok(batch.events().map(|event| event.unwrap().to_event()).collect())
}

fn read(text: &str) -> Vec<Event> {
    events(text.as_bytes(), "application/json").unwrap()
}

fn fault(text: &str) -> String {
    events(text.as_bytes(), "application/json")
        .unwrap_err()
        .to_string()
}

#[test]
fn array_of_events_is_read() {
    let text =
        r#"[{"headers": {"k": "v", "n": "\u00e4\ud83d\ude00\n"}, "body": "a \"b\""}, {}, {"body":"x"}]"#;
    let first = Event::new("a \"b\"")
        .with_header("k", "v")
        .with_header("n", "\u{e4}\u{1f600}\n");
    assert_eq!(read(text), [first, Event::default(), Event::new("x")]);
    assert_eq!(read(" [ ] "), []);
}

#[test]
fn what_is_not_quite_json_is_read_as_flume_does() {
    let text = "\u{feff}/* one */ [{headers: {'a': 1.50, b: true, c: null, 'a': 2}, 'body' = 12e3, more: [1, {x: []}]}, // two\n\
                {body: null, headers: null} # three\n]";
    let first = Event::new("12e3").with_header("a", "2").with_header("b", "true");
    assert_eq!(read(text), [first, Event::default()]);
}

#[test]
fn mistake_is_told_with_its_place() {
    for (text, expected) in [
        ("", "line 1, column 1: the end of the body instead of ["),
        ("null", "line 1, column 1: 'n' instead of ["),
        (
            "{\"body\":\"x\"}",
            "line 1, column 1: '{' instead of [, which begins an array",
        ),
        (
            "[{\"body\":\"x\"}",
            "in event 1: the end of the body instead of , or ]",
        ),
        (
            "[\n {\"body\" \"\u{e4}\"}]",
            "line 2, column 10, in event 1: '\"' instead of :",
        ),
        (
            "[{}, {\"body\": [1]}]",
            "line 1, column 15, in event 2: '[' instead of a text, which the body has",
        ),
        ("[{headers: {k: {}}}]", "a text, which a header's value has"),
        ("[{headers: []}]", "'[' instead of {, which begins the headers"),
        ("[{body: \"x]", "line 1, column 9, in event 1: a text has no end"),
        (
            "[{body: \"\\q\"}]",
            "line 1, column 10, in event 1: \\q is no escape",
        ),
        ("[{body: \"\\u12\"}]", "four hexadecimal digits"),
        ("[{body: \"\\ud83dx\"}]", "half of a character"),
        ("[null]", "in event 1: 'n' instead of {"),
        ("[] []", "line 1, column 4: '[' instead of the end"),
        ("[{,}]", "',' instead of a name"),
        ("[/* x", "a comment has no end"),
    ] {
        let fault = fault(text);
        assert!(fault.contains(expected), "{text}: {fault}");
    }
    assert!(fault(&format!("[{{x: {}}}]", "[".repeat(100))).contains("inside each other"));
}

#[test]
fn bodies_are_in_the_character_set_of_the_request_and_headers_in_utf8() {
    let text = "[{\"headers\": {\"k\": \"\u{e4}\"}, \"body\": \"\u{e4}\"}]";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let found = events(&wide, "application/json; charset=utf-16").unwrap();
    // As Java encodes it: with a byte order mark.
    let expected = Event::new(&b"\xfe\xff\x00\xe4"[..]).with_header("k", "\u{e4}");
    assert_eq!(found, [expected]);
    let wide: Vec<u8> = text
        .chars()
        .flat_map(|one| u32::from(one).to_be_bytes())
        .collect();
    let found = events(&wide, "application/json; charset=UTF-32").unwrap();
    assert_eq!(found[0].body(), &b"\x00\x00\x00\xe4"[..]);
    let error = events(b"[]", "application/json; charset=latin1").unwrap_err();
    assert!(
        matches!(&error, HandlerError::Unsupported(why) if why.contains("latin1")),
        "{error}"
    );
    let error = events(b"[{body:\"a\xff\"}]", "application/json").unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn other_bodies_are_told_by_their_type() {
    let found = events(b"{\"body\":\"a\"}\n\n{\"body\":\"b\"}", "application/x-ndjson").unwrap();
    assert_eq!(found, [Event::new("a"), Event::new("b")]);
    let error = events(b"{\"body\":\"a\"}\nx", "application/x-ndjson").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    let error = events(b"FLM", "application/x-flume-stream").unwrap_err();
    assert!(
        error.to_string().contains("the stream is broken at byte 0"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "[\\[\\]{}:,'\"a\\\\u0-9 /*#\n\u{e4}]{0,40}", bytes: Vec<u8>) {
        let _ = events(text.as_bytes(), "");
        let _ = events(&bytes, "a/b; charset=utf-16");
    }

    #[test]
    fn what_serde_writes_is_read(headers: std::collections::BTreeMap<String, String>, body: String) {
        let text = serde_json::json!([{ "headers": headers, "body": body }]).to_string();
        let event = headers.iter().fold(Event::new(body), |event, (k, v)| event.with_header(k, v));
        prop_assert_eq!(read(&text), [event]);
    }
}
