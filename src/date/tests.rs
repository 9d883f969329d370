use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// What `text` is under `pattern`, as RFC 3339 in UTC; `-` when it does not fit.
fn check_in(zone: &TimeZone, pattern: &str, text: &str, expected: &str) {
    let format = DatePattern::joda_reader(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let millis = format.read(text.as_bytes(), &Zone::from(zone.clone()));
    let found = millis.map(|millis| jiff::Timestamp::from_millisecond(millis).unwrap().to_string());
    assert_eq!(found.as_deref().unwrap_or("-"), expected, "{pattern} of {text}");
}

fn check(pattern: &str, text: &str, expected: &str) {
    check_in(&TimeZone::UTC, pattern, text, expected);
}

#[test]
fn dates_and_times_are_read() {
    check(
        "yyyy-MM-dd HH:mm:ss,SSS",
        "2026-11-25 07:51:43,250",
        "2026-11-25T07:51:43.25Z",
    );
    check("yyyyMMddHHmmss", "20261125075143", "2026-11-25T07:51:43Z");
    check("d/M/yyyy h:m a", "1/2/2026 12:05 pm", "2026-02-01T12:05:00Z");
    check(
        "d/M/yyyy K 'o''clock' a",
        "1/2/2026 0 o'clock AM",
        "2026-02-01T00:00:00Z",
    );
    check("dd MMMM yyyy kk", "03 may 2026 24", "2026-05-03T00:00:00Z");
    check(
        "EEE, d MMM yyyy HH:mm:ss Z",
        "Wed, 25 Nov 2026 07:51:43 +0130",
        "2026-11-25T06:21:43Z",
    );
    check(
        "yyyy-MM-dd'T'HH:mm:ssZZ",
        "2026-11-25T07:51:43-01:30",
        "2026-11-25T09:21:43Z",
    );
    check(
        "yyyy-MM-dd'T'HH:mm:ssZ",
        "2026-11-25T07:51:43Z",
        "2026-11-25T07:51:43Z",
    );
    check("HH:mm z", "07:51 GMT", "1970-01-01T07:51:00Z");
    check("s.S", "1.98", "-");
    check("s.SS", "1.9", "1970-01-01T00:00:01.9Z");
}

#[test]
fn what_is_missing_is_joda_times() {
    check("MMM d HH:mm:ss", "Nov 5 07:51:43", "2000-11-05T07:51:43Z");
    check("HH:mm", "07:51", "1970-01-01T07:51:00Z");
    check("yyyy", "2026", "2026-01-01T00:00:00Z");
}

#[test]
fn short_years_are_near() {
    check("yy-MM-dd", "26-11-25", "2026-11-25T00:00:00Z");
    check("yy-MM-dd", "2026-11-25", "2026-11-25T00:00:00Z");
    check("yy-MM-dd", "99-11-25", "1999-11-25T00:00:00Z");
    check("yyMMdd", "261125", "2026-11-25T00:00:00Z");
}

#[test]
fn a_text_that_does_not_fit_is_no_time() {
    for text in [
        "",
        "2026",
        "2026-02-30",
        "2026-13-01",
        "2026-01-01x",
        "2026-1",
        "x026-01-01",
        "2026-\u{e9}1-01",
    ] {
        check("yyyy-MM-dd", text, "-");
    }
    check("Z", "+", "-");
    check("MMM", "Foo", "-");
    check("HH", "24", "-");
}

#[test]
fn local_time_is_that_of_the_zone() {
    let offset = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
    let pattern = "yyyy-MM-dd HH:mm";
    check_in(&offset, pattern, "2026-07-01 12:00", "2026-07-01T16:00:00Z");
    check_in(&offset, pattern, "2026-01-01 12:00", "2026-01-01T17:00:00Z");
    check_in(&offset, pattern, "2026-03-08 02:30", "-");
    check_in(&offset, pattern, "2026-11-01 01:30", "2026-11-01T05:30:00Z");
}

#[test]
fn letters_that_are_not_known_are_refused_by_name_and_place() {
    for (pattern, word, at) in [
        ("yyyy G", "\"G\"", 6),
        ("XXX", "\"XXX\"", 1),
        ("HH zzzz", "\"zzzz\"", 4),
    ] {
        let error = DatePattern::joda_reader(pattern).unwrap_err();
        assert!(
            error.contains(word) && error.contains(&format!("character {at} ")),
            "{error}"
        );
    }
    assert!(DatePattern::joda_reader("").unwrap_err().contains("empty"));
}

proptest! {
    #[test]
    fn any_pattern_reads_any_text(pattern in "[yMdEaHkKhmsSzZ' :'-]{0,10}", text in "\\PC{0,12}|[0-9: +-]{0,12}") {
        if let Ok(format) = DatePattern::joda_reader(&pattern) {
            let _ = format.read(text.as_bytes(), &Zone::utc());
        }
    }
}

/// 2026-03-05T07:08:09.045Z.
const SAMPLE: i64 = 1_772_694_489_045;

fn written(pattern: Result<DatePattern, String>, zone: &str) -> String {
    let mut out = String::new();
    pattern
        .unwrap()
        .write(SAMPLE, &zone.parse().unwrap(), &mut out)
        .unwrap();
    out
}

#[test]
fn times_are_written_in_both_languages() {
    let simple = |pattern| written(DatePattern::simple_writer(pattern), "GMT+2");
    assert_eq!(
        simple("yyyy-MM-dd HH:mm:ss,SSS Z"),
        "2026-03-05 09:08:09,045 +0200"
    );
    assert_eq!(simple("EEE, d MMM yy h a XXX"), "Thu, 5 Mar 26 9 AM +02:00");
    assert_eq!(simple("S 'o''clock'"), "45 o'clock");
    let joda = |pattern| written(DatePattern::joda_writer(pattern), "Europe/Berlin");
    assert_eq!(joda("xxxx-'W'ww-e S ZZ ZZZ"), "2026-W10-4 0 +01:00 Europe/Berlin");
    let beyond = DatePattern::joda_writer("y")
        .unwrap()
        .write(i64::MAX, &Zone::utc(), &mut String::new());
    assert!(beyond.unwrap_err().contains("years"));
}

#[test]
fn zones_have_javas_ids_and_others_are_refused() {
    for (id, offset) in [
        ("GMT+2", "+0200"),
        ("GMT-0230", "-0230"),
        ("EST", "-0500"),
        ("PST", "-0800"),
        ("UTC", "+0000"),
    ] {
        assert_eq!(written(DatePattern::simple_writer("Z"), id), offset, "{id}");
    }
    for id in ["GMT+24", "GMT+2:5", "GMT+", "utc", "Mars/Phobos", "", "UTC+2"] {
        let why = id.parse::<Zone>().unwrap_err();
        assert!(why.contains(&format!("\"{id}\"")), "{why}");
    }
}

#[test]
fn what_a_language_does_not_have_is_refused() {
    for (pattern, of) in [
        ("YYYY", DatePattern::simple_writer as fn(&str) -> _),
        ("ww", DatePattern::simple_reader),
        ("XXX", DatePattern::joda_writer),
        ("zzzz", DatePattern::simple_writer),
        ("yyyy 'x", DatePattern::simple_writer),
    ] {
        let why: Result<DatePattern, String> = of(pattern);
        assert!(why.unwrap_err().contains("character"), "{pattern}");
    }
}
