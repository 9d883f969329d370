//! Date patterns and time zones.

use super::{Question, java};
use flume::date::{DatePattern, Zone};

const ZONES: &[&str] = &[
    "UTC",
    "GMT",
    "GMT+2",
    "GMT+02",
    "GMT+0230",
    "GMT-2:30",
    "GMT-11",
    "EST",
    "MST",
    "HST",
    "PST",
    "CST",
    "IST",
    "JST",
    "BST",
    "ECT",
    "ACT",
    "AET",
    "AGT",
    "ART",
    "AST",
    "BET",
    "CAT",
    "CNT",
    "CTT",
    "EAT",
    "IET",
    "MIT",
    "NET",
    "NST",
    "PLT",
    "PNT",
    "PRT",
    "SST",
    "VST",
    "CET",
    "EET",
    "MET",
    "EST5EDT",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Etc/GMT+5",
    "US/Pacific",
    "Zulu",
    "UCT",
];

/// Winter, summer, both hours of a change in New York, a leap day, before 1970.
const TIMES: &[i64] = &[
    1_772_694_489_045,
    1_784_000_000_999,
    1_793_509_200_000,
    1_793_512_800_000,
    1_709_164_800_000,
    -86_400_001,
    0,
    1_767_225_599_999,
    1_767_225_600_000,
];

fn zone(id: &str) -> Zone {
    id.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn zones_are_those_of_java() {
    let cases: Vec<_> = ZONES
        .iter()
        // What was before 1970 changes with the edition of the time zone database.
        .flat_map(|id| TIMES.iter().map(move |time| (*id, *time)))
        .filter(|(_, time)| *time > 1_000_000_000_000)
        .collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|(id, time)| Question::of("zone", &[id, &time.to_string()]))
        .collect();
    for ((id, time), answer) in cases.iter().zip(java(&questions).unwrap_or_default()) {
        let millis: i32 = answer.unwrap().parse().unwrap();
        let ours = zone(id).at(*time).unwrap().offset().seconds() * 1000;
        assert_eq!(ours, millis, "{id} at {time}");
    }
}

const BOTH: &[&str] = &[
    "yyyy-MM-dd HH:mm:ss,SSS",
    "yyyyMMddHHmmss",
    "yy-M-d H:m:s",
    "EEE, dd MMM yyyy",
    "EEEE d MMMM y",
    "hh:mm a",
    "K kk h",
    "yyyy-MM-dd'T'HH:mm:ssZ",
    "D DDD",
    "'o''clock' HH",
    "yyy yyyyy",
    "MM/dd/yy",
    "''",
    "G yyyy",
    "ss S",
    "d 'de' MMMM",
];

/// What a language writes, in each zone at each time.
fn check_written(question: &str, make: fn(&str) -> Result<DatePattern, String>, patterns: &[&str]) {
    let zones = ["UTC", "America/New_York", "GMT+5:30", "Asia/Kathmandu"];
    let mut cases = Vec::new();
    for pattern in BOTH.iter().chain(patterns) {
        for zone in zones {
            cases.extend(TIMES.iter().map(|time| (*pattern, zone, *time)));
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(pattern, zone, time)| Question::of(question, &[pattern, zone, &time.to_string()]))
        .collect();
    for ((pattern, id, time), answer) in cases.iter().zip(java(&questions).unwrap_or_default()) {
        let mut ours = String::new();
        make(pattern).unwrap().write(*time, &zone(id), &mut ours).unwrap();
        assert_eq!(Ok(ours), answer, "{pattern} in {id} at {time}");
    }
}

#[test]
fn simple_date_format_writes_the_same() {
    check_written(
        "simple-format",
        DatePattern::simple_writer,
        &["X XX XXX", "F u", "LL", "SS SSSS"],
    );
}

#[test]
fn joda_writes_the_same() {
    check_written(
        "joda-format",
        DatePattern::joda_writer,
        &["ZZ", "xxxx-'W'ww-e", "CC YY", "S SS SSSSSS", "xx"],
    );
}

/// A pattern, and texts that fit it or do not.
type Texts = (&'static str, &'static [&'static str]);

const TEXTS: &[Texts] = &[
    (
        "yyyy-MM-dd HH:mm:ss,SSS",
        &[
            "2026-11-25 07:51:43,250",
            "2026-1-5 7:5:4,2",
            "2026-11-25 07:51:43",
            "2026-11-25 07:51:43,250 ",
        ],
    ),
    (
        "yyyyMMddHHmmss",
        &["20261125075143", "2026112507514", "20261125 75143"],
    ),
    (
        "yyyy-MM-dd",
        &[
            "2026-02-30",
            "2026-13-01",
            "2026-02-28",
            "1983-02-28",
            "x026-01-01",
            "",
            "2026",
        ],
    ),
    ("yy-MM-dd", &["26-11-25", "99-11-25", "2026-11-25"]),
    (
        "d MMM yyyy",
        &["5 Nov 2026", "5 november 2026", "05 NOV 2026", "5 Foo 2026"],
    ),
    (
        "EEE, d MMM yyyy HH:mm:ss Z",
        &[
            "Wed, 25 Nov 2026 07:51:43 +0130",
            "wednesday, 25 Nov 2026 07:51:43 -0800",
            "Xxx, 25 Nov 2026 07:51:43 +0000",
        ],
    ),
    ("h:mm a", &["12:05 am", "12:05 PM", "1:05 pm", "13:05 AM"]),
    ("kk:mm", &["24:00", "01:00"]),
    ("K:mm a", &["0:30 PM", "11:30 AM"]),
    ("HH:mm", &["23:59", "24:00", "7:3"]),
    ("HH'h'mm", &["07h30", "07H30", "07:30"]),
    ("yyyy D", &["2026 60", "2024 366"]),
    ("ss.SSS", &["09.045", "9.4"]),
    (
        "yyyy-MM-dd HH:mm",
        &["2026-03-08 02:30", "2026-11-01 01:30", "2026-07-01 12:00"],
    ),
    (
        "yyyy-MM-dd'T'HH:mm:ss z",
        &[
            "2026-01-02T03:04:05 GMT",
            "2026-01-02T03:04:05 PST",
            "2026-07-02T03:04:05 XYZ",
        ],
    ),
];

fn check_read(question: &str, make: fn(&str) -> Result<DatePattern, String>, texts: &[Texts]) {
    let mut cases = Vec::new();
    for (pattern, texts) in TEXTS.iter().chain(texts) {
        for zone in ["UTC", "America/New_York"] {
            cases.extend(texts.iter().map(|text| (*pattern, zone, *text)));
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(pattern, zone, text)| Question::of(question, &[pattern, zone, text]))
        .collect();
    let mut differ = Vec::new();
    for ((pattern, id, text), answer) in cases.iter().zip(java(&questions).unwrap_or_default()) {
        let ours = make(pattern).unwrap().read(text.as_bytes(), &zone(id));
        let ours = ours.map_or("-".to_string(), |millis| millis.to_string());
        if Ok(&ours) != answer.as_ref() {
            differ.push(format!(
                "\"{text}\" as {pattern} in {id}: Java {answer:?}, ours {ours}"
            ));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn simple_date_format_reads_the_same() {
    let own: &[Texts] = &[
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            &[
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:05+01:30",
                "2026-01-02T03:04:05+0130",
            ],
        ),
        ("yyyy-MM-dd'T'HH:mm:ssX", &["2026-01-02T03:04:05+01"]),
        ("yyyy-MM-dd'T'HH:mm:ssXX", &["2026-01-02T03:04:05-0230"]),
        (
            "HH:mm Z",
            &["07:51 GMT+1:30", "07:51 GMT", "07:51 +01:30", "07:51 PST"],
        ),
        ("G yyyy", &["AD 2026"]),
    ];
    check_read("simple-parse", DatePattern::simple_reader, own);
}

#[test]
fn joda_reads_the_same() {
    let own: &[Texts] = &[
        (
            "yyyy-MM-dd'T'HH:mm:ssZZ",
            &[
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:05+01:30",
                "2026-01-02T03:04:05+0130",
            ],
        ),
        ("ZZZ HH", &["Europe/Berlin 07"]),
    ];
    check_read("joda-parse", DatePattern::joda_reader, own);
}
