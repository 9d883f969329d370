//! Character sets.

use super::{Question, hex, java};
use flume::charset::{Charset, DecodeErrorPolicy};

/// Those that are Java's in each byte. The others may differ where a set leaves a byte undefined.
const EXACT: &[&str] = &[
    "UTF-8",
    "US-ASCII",
    "ISO-8859-1",
    "UTF-16",
    "UTF-16BE",
    "UTF-16LE",
    "x-UTF-16LE-BOM",
    "UTF-32",
    "UTF-32BE",
    "UTF-32LE",
];

#[test]
fn every_name_is_one_of_java_and_names_the_same() {
    let names: Vec<_> = Charset::names().collect();
    let questions: Vec<_> = names
        .iter()
        .map(|name| Question::of("charset", &[name]))
        .collect();
    for (name, answer) in names.iter().zip(java(&questions).unwrap_or_default()) {
        assert_eq!(answer.as_deref(), Ok(*name));
    }
}

#[test]
fn bytes_are_decoded_as_java_decodes_them() {
    let texts: &[&[u8]] = &[
        b"plain",
        b"a\xFFb",
        b"a\xE2\x82",
        b"\xE2\x82\xAC",
        b"\xF0\x9F\x98\x80",
        b"\xED\xA0\x80",
        b"\xC0\x80",
        b"\0a\xD8\x3D\xDE\0",
        b"\xFF\xFEa\0",
        b"\xFE\xFF\0a",
        b"\0\0\0a",
        b"a\0\0\0",
        b"\xFF\xFE\0\0a\0\0\0",
        b"\xD8\x3D\0a",
        b"\0\x11\0\0",
    ];
    let policies = [
        ("REPLACE", DecodeErrorPolicy::Replace),
        ("IGNORE", DecodeErrorPolicy::Ignore),
        ("FAIL", DecodeErrorPolicy::Fail),
    ];
    let mut cases = Vec::new();
    for name in EXACT {
        for text in texts {
            cases.extend(policies.map(|policy| (*name, *text, policy)));
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(name, text, policy)| Question::new("decode", &[name.as_bytes(), policy.0.as_bytes(), text]))
        .collect();
    for ((name, text, policy), answer) in cases.iter().zip(java(&questions).unwrap_or_default()) {
        let ours = name.parse::<Charset>().unwrap().decode(text, policy.1);
        let what = format!("{name}, {}, {}", hex(text), policy.0);
        match answer {
            Ok(javas) => assert_eq!(
                ours.unwrap_or_else(|error| panic!("{what}: {error}")),
                javas,
                "{what}"
            ),
            Err(_) => assert!(ours.is_err(), "{what}: Java refuses it"),
        }
    }
}

/// Each character that Java knows in a character set is the same here, and is written the same.
#[test]
fn characters_of_every_set_are_those_of_java() {
    let names: Vec<_> = Charset::names()
        .filter(|name| !EXACT.contains(name) && !name.starts_with("X-UTF"))
        .collect();
    let singles: Vec<u8> = (0x20..=0xFF).collect();
    let mut cases = Vec::new();
    for name in names {
        for byte in &singles {
            cases.push((name, vec![*byte]));
        }
        for lead in (0x81..=0xFEu8).step_by(5) {
            cases.extend((0x40..=0xFEu8).step_by(3).map(|trail| (name, vec![lead, trail])));
        }
    }
    let questions = cases
        .iter()
        .map(|(name, text)| Question::new("decode", &[name.as_bytes(), b"FAIL", text]));
    let questions: Vec<_> = questions.collect();
    let (mut differ, mut same) = (Vec::new(), 0);
    for ((name, text), answer) in cases.iter().zip(java(&questions).unwrap_or_default()) {
        let ours = name
            .parse::<Charset>()
            .unwrap()
            .decode(text, DecodeErrorPolicy::Fail);
        match (answer, ours) {
            (Ok(javas), Ok(ours)) if javas == ours => same += 1,
            (Ok(javas), ours) => differ.push(format!("{name} {}: Java {javas:?}, ours {ours:?}", hex(text))),
            (Err(_), _) => {}
        }
    }
    assert!(
        differ.len() * 200 <= same,
        "{} of {same} differ: {differ:#?}",
        differ.len()
    );
}
