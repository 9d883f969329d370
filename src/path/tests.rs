use super::*;
use crate::event::{Batch, Event};
use proptest::prelude::*;

fn with_event<T>(event: &Event, work: impl FnOnce(EventRef<'_>) -> T) -> T {
    let batch = Batch::single(event);
    let event = batch.events().next().unwrap().unwrap();
    work(event)
}

fn escaped(text: &str) -> Escaped {
    Escaped::new(text).unwrap().in_zone(Zone::utc())
}

/// 2026-03-05T07:08:09.045Z.
fn sample() -> Event {
    Event::new("x")
        .with_header("timestamp", "1772694489045")
        .with_header("host", "web1")
        .with_header("a.b-c", "dotted")
}

fn expanded(mut text: Escaped, event: &Event) -> String {
    with_event(event, |event| {
        String::from_utf8(text.expand(event, None).unwrap().to_vec()).unwrap()
    })
}

#[test]
fn every_escape_is_flumes() {
    for (text, expected) in [
        ("/a/%{host}/%{a.b-c}%{none}/", "/a/web1/dotted/"),
        (
            "%Y-%m-%d %H:%M:%S %y %n %e %k %l %I %p %j",
            "2026-03-05 07:08:09 26 3 5 7 7 07 AM 064",
        ),
        (
            "%a %A %b %B|%c|%D",
            "Thu Thursday Mar March|Thu Mar 5 07:08:09 2026|03/05/26",
        ),
        ("%s %t %z %% %q%_%5x", "1772694489 1772694489045 +0000 % x"),
        ("100% %-x %{} %{a b} %[ %", "100% %-x %{} %{a b} %[ %"),
    ] {
        assert_eq!(expanded(escaped(text), &sample()), expected, "{text}");
    }
    let why = Escaped::new("%[nobody]").unwrap_err();
    assert!(why.contains("%[nobody]") && why.contains("FQDN"), "{why}");
    let name = crate::this_host::own_name();
    assert_eq!(expanded(escaped("%[LocalHost]"), &sample()), name);
}

#[test]
fn times_are_cut_down_in_the_zone_of_the_path() {
    let rounded = |value, unit, zone: &str| {
        let text = escaped("%H:%M:%S %s").in_zone(zone.parse().unwrap());
        expanded(text.rounded(Rounding::new(value, unit).unwrap()), &sample())
    };
    assert_eq!(rounded(5, "second", "UTC"), "07:08:05 1772694485");
    assert_eq!(rounded(10, "minute", "UTC"), "07:00:00 1772694000");
    assert_eq!(rounded(6, "hour", "UTC"), "06:00:00 1772690400");
    assert_eq!(rounded(1, "hour", "GMT+5:30"), "12:00:00 1772692200");
    for (value, unit) in [(0, "minute"), (60, "second"), (24, "hour"), (1, "day")] {
        assert!(Rounding::new(value, unit).is_err(), "{value} {unit}");
    }
}

#[test]
fn time_that_is_missing_or_none_is_an_error_and_now_helps() {
    let expand = |text: &str, event: &Event, now| {
        with_event(event, |event| {
            escaped(text).expand(event, now).map(<[u8]>::to_vec)
        })
    };
    let without = Event::new("x");
    assert_eq!(expand("%Y", &without, None), Err(ExpandError::NoTimestamp));
    assert_eq!(expand("%%", &without, None), Ok(b"%".to_vec()));
    assert_eq!(expand("%Y %t", &without, Some(0)), Ok(b"1970 0".to_vec()));
    let bad = Event::new("x").with_header("timestamp", "noon\n");
    let why = expand("%s", &bad, None).unwrap_err().to_string();
    assert!(why.contains("noon"), "{why}");
    let beyond = Event::new("x").with_header("timestamp", i64::MAX.to_string());
    assert!(expand("%Y", &beyond, None).is_err());
}

#[test]
fn same_second_and_headers_are_the_same_text_and_others_are_not() {
    let mut text = escaped("%{host}/%S/%t");
    let mut at = |millis: &str, host: &str| {
        let event = Event::new("")
            .with_header("timestamp", millis)
            .with_header("host", host);
        with_event(&event, |event| {
            String::from_utf8(text.expand(event, None).unwrap().to_vec()).unwrap()
        })
    };
    assert_eq!(at("1000", "a"), "a/01/1000");
    assert_eq!(at("1001", "a"), "a/01/1001");
    assert_eq!(at("2001", "a"), "a/02/2001");
    assert_eq!(at("2001", "b"), "b/02/2001");
}

fn below(path: &str, name: &str, value: &[u8]) -> String {
    let mut path = EscapedPath::new(path).unwrap();
    let event = Event::new("x").with_header(name, value);
    with_event(&event, |event| {
        crate::event::shown(path.below(event, Some(0)).unwrap()).into_owned()
    })
}

#[test]
fn header_cannot_lead_out_of_the_directory() {
    for (value, expected) in [
        (&b"../../etc/passwd"[..], "%2E./%2E./etc/passwd"),
        (b"/etc/passwd", "etc/passwd"),
        (b"//a//b/", "a/b"),
        (b".", "%2E"),
        (b".ssh/x", "%2Essh/x"),
        (b"a\0b\nc\x7F", "a%00b%0Ac%7F"),
        (b"", ""),
    ] {
        assert_eq!(below("/logs/%{h}", "h", value), expected);
    }
    assert_eq!(below("/logs/%{h}%{h}/x", "h", b"."), "%2E./x");
    let long = below("/logs/%{h}", "h", &b"\xC3\xA4".repeat(4000));
    assert!(long.len() <= 200 && std::str::from_utf8(long.as_bytes()).is_ok());
    let other = below("/logs/%{h}", "h", &b"\xC3\xA4".repeat(4001));
    assert_ne!(long, other, "what is cut off makes no difference");
    assert!(below("/logs/%{h}", "h", &b"a/".repeat(4000)).len() <= 2048);
}

#[test]
fn fixed_directory_is_what_stands_in_front_of_the_first_escape() {
    let of = |path: &str| {
        let path = EscapedPath::new(path).unwrap();
        (path.base().to_path_buf(), path.is_constant())
    };
    assert_eq!(of("/a/b/%{h}/c"), ("/a/b/".into(), false));
    assert_eq!(of("a/x-%Y"), ("a/".into(), false));
    assert_eq!(of("%Y"), (".".into(), false));
    assert_eq!(of("../a"), ("../a".into(), true));
    assert_eq!(of("a/100%%"), ("a/100%".into(), true));
    assert_eq!(of("a/%%/%Y"), ("a/%/".into(), false));
    let why = EscapedPath::new("a/%Y/../b").unwrap_err();
    assert!(why.contains(".."), "{why}");
}

#[test]
fn one_component_has_no_slash() {
    let event = Event::new("x").with_header("h", "../a");
    let name = with_event(&event, |event| {
        escaped("%{h}").expand_component(event, None).unwrap()
    });
    assert_eq!(name, b"%2E.%2Fa");
}

proptest! {
    #[test]
    fn no_value_leaves_the_directory(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 2),
                                     path in "(/?[a%]{0,3}(%\\{h\\}|%\\{i\\}|%Y|\\.|/){0,4}){0,3}") {
        let Ok(mut path) = EscapedPath::new(&path) else { return Ok(()) };
        let event = Event::new("x").with_header("h", values[0].clone()).with_header("i", values[1].clone());
        let below = with_event(&event, |event| path.below(event, Some(0)).unwrap().to_vec());
        prop_assert!(below.len() <= 2048 && !below.contains(&0));
        if !below.is_empty() {
            for component in below.split(|byte| *byte == b'/') {
                prop_assert!(!component.is_empty() && component.len() <= 200 && component[0] != b'.');
            }
        }
    }

    #[test]
    fn any_text_with_escapes_is_read(text in "[%{}a-z\\[\\]/. -]{0,20}") {
        let _ = Escaped::new(&text);
        let _ = EscapedPath::new(&text);
    }
}
