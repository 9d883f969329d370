//! The tools of a file channel with the real program: on a channel that is empty, full, damaged, torn, in use,
//! of a newer version, or not there.

use crate::shell::{bash, output_of, told};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A directory with a channel `d` of 100 batches of 10 events, and nobody there.
fn full() -> tempfile::TempDir {
    let at = tempfile::tempdir().unwrap();
    output_of(
        "flume source seq --total-events 1000 --batch-size 10 -q | flume channel file d --put -q",
        at.path(),
        &[],
    );
    at
}

fn segment(at: &Path) -> PathBuf {
    let mut found = std::fs::read_dir(at.join("d/data"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    found
        .find(|path| path.extension().is_some_and(|ext| ext == "seg"))
        .unwrap()
}

/// Flip a bit of the 11th frame's payload.
fn damage(at: &Path) {
    let path = segment(at);
    let mut bytes = std::fs::read(&path).unwrap();
    let frames = memchr::memmem::find_iter(&bytes, b"FLM1").nth(10).unwrap();
    bytes[frames + 50] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn forget_tables(at: &Path) {
    output_of("rm -r d/checkpoint/table-*", at, &[]);
}

fn status_of(at: &Path) -> serde_json::Value {
    serde_json::from_str(&output_of("flume channel file d --status --json", at, &[])).unwrap()
}

#[track_caller]
fn ends(at: &Path, script: &str, status: i32, what: &str) -> Output {
    let output = bash(script, at, &[]);
    assert_eq!(output.status.code(), Some(status), "{script}\n{}", told(&output));
    assert!(
        told(&output).contains(what),
        "{script}: no {what:?}\n{}",
        told(&output)
    );
    output
}

/// What a taker that comes now gets.
fn drained(at: &Path) -> Vec<u64> {
    let script = "flume channel file d --take --until-empty -q | flume cat";
    output_of(script, at, &[])
        .lines()
        .map(|line| line.parse().unwrap())
        .collect()
}

#[test]
fn status_has_its_keys_and_sees_who_is_there() {
    let at = full();
    let status = status_of(at.path());
    for key in [
        "events",
        "bytes",
        "oldest_age_ms",
        "putters",
        "takers",
        "segments",
        "free_bytes",
    ] {
        assert!(!status[key].is_null(), "{key}: {status}");
    }
    assert_eq!(
        (&status["events"], &status["segments"]),
        (&1000.into(), &1.into())
    );
    forget_tables(at.path());
    assert_eq!(status_of(at.path())["events"], 1000);
    let script = "mkfifo hold
        flume channel file d --put < hold & putter=$!
        exec 9> hold
        until flume channel file d --status | grep -q \"putters.*process $putter\"; do :; done
        flume channel file d --status --json
        flume channel file d --check >&2
        flume channel file d --repair && exit 9 || [ $? -eq 75 ]
        flume channel file d --skip 1:5 --yes && exit 9 || [ $? -eq 75 ]
        flume channel file d --rewind 1:0 --yes && exit 9 || [ $? -eq 75 ]
        exec 9>&-
        wait $putter || true";
    let output = ends(at.path(), script, 0, "in use by process");
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["putters"].as_array().unwrap().len(), 1);
    assert!(seen["putters"][0]["pid"].is_u64(), "{seen}");
    assert_eq!(seen["takers"], serde_json::json!([]));
}

#[test]
fn channel_is_sound_while_it_is_put_into_and_taken_from() {
    let at = tempfile::tempdir().unwrap();
    let script = "flume source seq --total-events 20000 --batch-size 7 -q |
            flume channel file d --put --segment-bytes 64KiB -q & putter=$!
        until [ -e d/flume-channel ]; do :; done
        flume channel file d --take --segment-bytes 64KiB -q < /dev/null | flume sink null -q & taker=$!
        while kill -0 $putter 2> /dev/null; do
            flume channel file d --check
            flume channel file d --status > /dev/null
            flume channel file d --list | tail -1 > /dev/null
            flume channel file d --export - -q | flume cat > /dev/null
        done
        wait $putter
        kill $taker
        wait || true
        flume channel file d --check";
    ends(at.path(), script, 0, "is sound");
}

#[test]
fn channel_is_closed_when_its_process_ends_well() {
    let at = full();
    let length = std::fs::metadata(segment(at.path())).unwrap().len();
    assert!(
        length < 64 << 10,
        "what was set aside is still there: {length} bytes"
    );
    output_of(
        "flume channel file d --take --until-empty -q | flume sink null -q",
        at.path(),
        &[],
    );
    assert_eq!(output_of("ls d/checkpoint/acc", at.path(), &[]), "");
}

#[test]
fn empty_channel_is_nothing_to_worry_about() {
    let at = full();
    assert_eq!(drained(at.path()).len(), 1000);
    let script = "flume channel file d --check
        flume channel file d --list
        flume channel file d --repair
        flume channel file d --skip 9:9 --yes
        flume channel file d --rewind 1:0 --yes
        flume channel file d --export - -q | flume cat
        flume channel file d --status";
    let text = output_of(script, at.path(), &[]);
    for part in [
        "d is sound",
        "skipped 0 batches",
        "0 batches of 0 events from 1:0 on wait again",
        "segment 1 is not there any more",
        "nothing waits",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn damage_is_found_mended_and_costs_only_itself() {
    for with_tables in [true, false] {
        let at = full();
        damage(at.path());
        if !with_tables {
            forget_tables(at.path());
        }
        let output = ends(at.path(), "flume channel file d --check", 1, "1 frames from byte");
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
        let json = bash("flume channel file d --check --json", at.path(), &[]);
        let lines = String::from_utf8(json.stdout).unwrap();
        let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!((&last["sound"], &last["findings"]), (&false.into(), &1.into()));
        let text = output_of("flume channel file d --repair", at.path(), &[]);
        assert!(text.contains("batches saved: 99 of 990 events"), "{text}");
        let text = output_of("flume channel file d --check", at.path(), &[]);
        assert!(
            text.contains("moved here: 1") && text.contains("d is sound"),
            "{text}"
        );
        assert_eq!(status_of(at.path())["quarantined"], 1);
        let found = drained(at.path());
        let expected: Vec<u64> = (0..1000).filter(|number| !(100..110).contains(number)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn torn_tail_is_no_finding_and_is_not_cut() {
    let at = full();
    forget_tables(at.path());
    let path = segment(at.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"FLM1\x02 torn");
    std::fs::write(&path, &bytes).unwrap();
    ends(at.path(), "flume channel file d --check", 0, "never finished");
    ends(at.path(), "flume channel file d --repair", 0, "d is sound");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(drained(at.path()).len(), 1000);
}

#[test]
fn listed_positions_are_where_skip_and_rewind_begin() {
    let at = full();
    let text = output_of("flume channel file d --list --json", at.path(), &[]);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 100);
    assert_eq!(
        (&lines[50]["position"], &lines[50]["events"], &lines[50]["state"]),
        (&"1:50".into(), &10.into(), &"waiting".into())
    );
    ends(at.path(), "flume channel file d --list | head -1", 0, "1:0 ");
    ends(at.path(), "flume channel file d --skip 1:50", 2, "--yes");
    let text = output_of("flume channel file d --skip 1:50 --yes", at.path(), &[]);
    assert!(text.contains("skipped 50 batches of 500 events"), "{text}");
    let origin = lines[40]["origin"].as_u64().unwrap();
    ends(
        at.path(),
        &format!("flume channel file d --rewind {origin}"),
        2,
        "--yes",
    );
    let text = output_of(
        &format!("flume channel file d --rewind {origin} --yes"),
        at.path(),
        &[],
    );
    assert!(
        text.contains("10 batches of 100 events from 1:40 on wait again"),
        "{text}"
    );
    forget_tables(at.path());
    output_of("flume channel file d --check", at.path(), &[]);
    assert_eq!(drained(at.path()), (400..1000).collect::<Vec<u64>>());
}

#[test]
fn rewound_batches_come_again_after_a_taker_that_was_killed() {
    let at = full();
    let script = "flume channel file d --take -q | flume cat -n 300 > /dev/null || true
        flume channel file d --rewind 1:10 --yes
        flume channel file d --check";
    output_of(script, at.path(), &[]);
    assert_eq!(drained(at.path()), (100..1000).collect::<Vec<u64>>());
}

#[test]
fn exported_batches_are_a_recording_and_still_wait() {
    let at = full();
    let script = "flume channel file d --export all.flm
        flume cat all.flm | wc -l
        flume replay all.flm | flume cat | tail -1
        flume channel file d --export - --compress zstd | flume cat | head -1";
    assert_eq!(output_of(script, at.path(), &[]), "1000\n999\n0\n");
    assert_eq!(status_of(at.path())["events"], 1000);
    ends(
        at.path(),
        "flume channel file d --export all.flm",
        2,
        "all.flm exists",
    );
    ends(
        at.path(),
        "flume channel file d --export no/all.flm",
        2,
        "cannot be made",
    );
    ends(
        at.path(),
        "script -qec 'flume channel file d --export -' /dev/null",
        2,
        "standard output is a terminal",
    );
    ends(
        at.path(),
        "flume channel file d --export - > /dev/full",
        1,
        "cannot be written",
    );
}

#[test]
fn wrong_use_is_told_and_changes_nothing() {
    let at = full();
    for (words, what) in [
        ("d --status --check", "two tools"),
        ("d --list --put", "without --put and --take"),
        ("d --skip five --yes", "no position"),
        ("d --skip 1:2000000 --yes", "no position"),
        ("nothing --status", "does not exist"),
        (". --status", "is not a file channel"),
        (". --check", "is not a file channel"),
        (". --repair", "is not a file channel"),
        ("--status", "a directory is missing"),
        ("d --max-age 1h --put", "--drop-expired"),
    ] {
        ends(at.path(), &format!("flume channel file {words}"), 2, what);
    }
    ends(
        at.path(),
        "flume run 'source seq | channel file d --repair'",
        2,
        "--repair is a tool",
    );
    assert!(!at.path().join("nothing").exists());
    assert_eq!(drained(at.path()).len(), 1000);
}

#[test]
fn channel_of_a_newer_version_is_left_untouched() {
    let at = full();
    let script =
        "sed -i 's/\"version\": 1/\"version\": 2/' d/flume-channel && find d -type f | xargs md5sum > before";
    output_of(script, at.path(), &[]);
    for tool in [
        "--status",
        "--check",
        "--list",
        "--repair",
        "--skip 1:5 --yes",
        "--rewind 1:5 --yes",
        "--export -",
    ] {
        let script = format!("flume channel file d {tool}");
        ends(
            at.path(),
            &script,
            2,
            "says format version 2, this program knows version 1",
        );
    }
    output_of(
        "md5sum --quiet -c before && [ $(find d -type f | wc -l) = $(wc -l < before) ]",
        at.path(),
        &[],
    );
}

#[test]
fn check_changes_nothing() {
    let at = full();
    let script = "find d -printf '%p %s %T@ %i\\n' | sort > before
        flume channel file d --check --json
        flume channel file d --status
        flume channel file d --list > /dev/null
        find d -printf '%p %s %T@ %i\\n' | sort | diff before -";
    output_of(script, at.path(), &[]);
}

#[test]
fn what_is_dropped_for_its_age_is_counted_and_said() {
    let at = full();
    let script = "sleep 0.05
        flume channel file d --take --until-empty --max-age 1ms --drop-expired --summary json |
            flume sink null --summary json";
    let output = ends(at.path(), script, 0, "dropped 1000 events in 100 batches");
    assert!(told(&output).contains("\"expired\":1000"), "{}", told(&output));
    assert_eq!(status_of(at.path())["events"], 0);
}
