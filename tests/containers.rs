//! What our files look like to the programs that others read them with.

use crate::pipe::Pipe;
use crate::surroundings::skipped;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Codecs that `file_roll` has, by the names that a container has for them.
const CODECS: [&str; 5] = ["null", "deflate", "snappy", "zstandard", "bzip2"];

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines of all kinds: long and short ones, some that are no UTF-8, and many.
fn bodies() -> Vec<Vec<u8>> {
    let mut bodies = vec![
        b"plain".to_vec(),
        "\u{e4}\u{20ac}\u{1f600}".as_bytes().to_vec(),
        b"\x00\xff\xfe".to_vec(),
        Vec::new(),
        vec![b'x'; 100_000],
    ];
    bodies.extend((0..5000).map(|number| format!("line {number}").into_bytes()));
    bodies
}

/// The one file that `file_roll` leaves in a directory.
fn rolled(directory: &Path) -> PathBuf {
    let names = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_shown = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with('.');
    let files: Vec<_> = names.filter(is_shown).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn avro_containers_are_what_java_reads() {
    let directory = tempfile::tempdir().unwrap();
    let bodies = bodies();
    let input: Vec<u8> = bodies
        .iter()
        .flat_map(|body| [body, &b"\n"[..]].concat())
        .collect();
    let files = CODECS.map(|codec| {
        Pipe::new("source stdin")
            .dir(directory.path())
            .input(input.clone())
            .then("intercept static --key day --value '\u{e4}rger 1'")
            .then("intercept static --key b --value ''")
            .then(&format!(
                "sink file_roll --directory {codec} --roll-interval 0 --serializer avro_event \
                 --serializer-set compressionCodec={codec} --serializer-set syncIntervalBytes=20000"
            ))
            .run()
            .expect_status([0, 0, 0, 0]);
        rolled(&directory.path().join(codec))
    });
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/flume/read-avro");
    let read = Command::new(reader).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&read.stderr);
    if read.status.code() == Some(69) {
        return skipped(&format!("Avro containers in Java: {}", said.trim()));
    }
    assert!(read.status.success(), "{said}");
    let headers = format!("{}= {}={} ", hex("b"), hex("day"), hex("\u{e4}rger 1"));
    let lines = bodies.iter().map(|body| headers.clone() + &hex(body));
    let mut expected = Vec::new();
    for codec in CODECS {
        expected.push(format!("Event {codec}"));
        expected.extend(lines.clone());
    }
    let found = String::from_utf8(read.stdout).unwrap();
    let different = found.lines().zip(&expected).position(|(one, other)| one != other);
    assert_eq!(different, None, "the first line that differs");
    assert_eq!(found.lines().count(), expected.len());
}
