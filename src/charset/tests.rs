use super::*;
use proptest::prelude::*;

fn charset(name: &str) -> Charset {
    name.parse().unwrap()
}

#[test]
fn names_are_javas_in_any_case_and_none_stands_for_two() {
    for name in Charset::names() {
        assert_eq!(charset(name).name(), name);
    }
    let mut all: Vec<_> = ALL.iter().flat_map(|line| line.0).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    assert_eq!(charset("Latin1"), Charset::ISO_8859_1);
    assert_eq!(charset("Cp1252").name(), "windows-1252");
    let why = "utf-9".parse::<Charset>().unwrap_err();
    assert!(why.contains("utf-9") && why.contains("utf-8"), "{why}");
}

#[test]
fn each_policy_does_what_flume_says() {
    use DecodeErrorPolicy::{Fail, Ignore, Replace};
    for (name, bytes, at, replaced, ignored) in [
        ("UTF-8", &b"a\xFFb"[..], 1, "a\u{FFFD}b", "ab"),
        ("UTF-8", b"a\xE2\x82", 1, "a\u{FFFD}", "a"),
        ("US-ASCII", b"a\xFFb", 1, "a\u{FFFD}b", "ab"),
        ("UTF-16BE", b"\0a\xDC\0\0b", 2, "a\u{FFFD}b", "ab"),
        ("UTF-16", b"\xFF\xFEa\0b", 4, "a\u{FFFD}", "a"),
        ("UTF-32", b"\0\0\0a\0\x11\0\0\0\0\0b", 4, "a\u{FFFD}b", "ab"),
        ("GBK", b"a\xFFb", 1, "a\u{FFFD}b", "ab"),
    ] {
        let charset = charset(name);
        assert_eq!(
            charset.decode(bytes, Fail),
            Err(Malformed { at, charset }),
            "{name}"
        );
        assert_eq!(charset.decode(bytes, Replace).unwrap(), replaced, "{name}");
        assert_eq!(charset.decode(bytes, Ignore).unwrap(), ignored, "{name}");
    }
    let error = charset("UTF-16").decode(b"\0", Fail).unwrap_err();
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

#[test]
fn byte_order_mark_says_the_order_and_is_no_text() {
    for (name, bytes, text) in [
        ("UTF-16", &b"\xFF\xFEa\0"[..], "a"),
        ("UTF-16", b"\xFE\xFF\0a", "a"),
        ("UTF-16", b"\0a", "a"),
        ("UTF-16LE", b"\xFF\xFEa\0", "\u{FEFF}a"),
        ("x-UTF-16LE-BOM", b"a\0", "a"),
        ("UTF-32", b"\xFF\xFE\0\0a\0\0\0", "a"),
        ("UTF-8", b"\xEF\xBB\xBFa", "\u{FEFF}a"),
    ] {
        assert_eq!(
            charset(name).decode(bytes, DecodeErrorPolicy::Fail).unwrap(),
            text,
            "{name}"
        );
    }
}

#[test]
fn line_feed_is_found_at_a_whole_code_unit_only() {
    // U+0A0A and U+0A00 have the byte of a line feed and are none.
    let text = "\u{0A0A}\u{0A00}x\ny";
    for name in ["UTF-16BE", "UTF-16LE", "UTF-32BE", "UTF-32LE", "UTF-8", "GB18030"] {
        let charset = charset(name);
        let bytes = charset.encode(text);
        let before = charset.encode("\u{0A0A}\u{0A00}x").len();
        assert_eq!(charset.find_lf(&bytes), Some(before), "{name}");
        assert_eq!(charset.find_lf(&bytes[..before]), None, "{name}");
    }
}

#[test]
fn characters_are_counted_as_java_counts_them() {
    let text = "a\u{FC}\u{20AC}\u{1F600}";
    for name in ["UTF-8", "UTF-16LE", "UTF-32BE", "GB18030"] {
        let charset = charset(name);
        assert_eq!(charset.count(&charset.encode(text)), 5, "{name}");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_again(text in "\\PC{0,40}", which in 0..ALL.len()) {
        let charset = Charset(ALL[which].2);
        let bytes = charset.encode(&text);
        let again = charset.decode(&bytes, DecodeErrorPolicy::Replace).unwrap();
        let is_unicode = matches!(charset.0, Kind::Utf8 | Kind::Utf16(_) | Kind::Utf32(_)) || charset.name() == "GB18030";
        // A mark that is text of its own would be read as one.
        if is_unicode && !text.starts_with(['\u{FEFF}', '\u{FFFE}']) {
            prop_assert_eq!(&*again, &*text);
        }
    }

    #[test]
    fn any_bytes_are_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..60), which in 0..ALL.len()) {
        let charset = Charset(ALL[which].2);
        let kept = charset.decode(&bytes, DecodeErrorPolicy::Ignore).unwrap();
        let replaced = charset.decode(&bytes, DecodeErrorPolicy::Replace).unwrap();
        prop_assert_eq!(kept.chars().filter(|c| *c != '\u{FFFD}').collect::<String>(),
            replaced.chars().filter(|c| *c != '\u{FFFD}').collect::<String>());
        if let Err(error) = charset.decode(&bytes, DecodeErrorPolicy::Fail) {
            prop_assert!(error.at < bytes.len().max(1));
        }
        let _ = (charset.count(&bytes), charset.find_lf(&bytes));
    }
}
