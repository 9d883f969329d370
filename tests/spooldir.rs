//! `source spooldir` as a program: killed while it reads, beside the real Flume on one directory, with an agent.

use crate::agent::written;
use crate::avro::real::{is_there, peer};
use crate::crash::{from_environment, in_rolled_files, seeded, tell};
use crate::pipe::Pipe;
use crate::surroundings::skipped;
use flume::source::spooldir::files::Identity;
use flume::source::spooldir::tracker::{self, Tracker};
use rustix::process::Signal;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Kills in a test that nobody asked more of.
const ROUNDS: u64 = 20;
/// The longest that a pipeline lives.
const LONGEST: Duration = Duration::from_millis(120);
/// Java takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Put a file of numbered lines into a directory, as one should: under another name first.
fn put(directory: &Path, name: &str, lines: std::ops::Range<u64>, packed: bool) {
    let mut text = Vec::new();
    lines.for_each(|number| writeln!(text, "{number:09}").unwrap());
    if packed {
        text = zstd::encode_all(&text[..], 1).unwrap();
    }
    let hidden = directory.join(format!(".{name}"));
    fs::write(&hidden, text).unwrap();
    fs::rename(hidden, directory.join(name)).unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// Lines of the files that are done with have to be at the other end; in the end all are. Some files are packed.
#[test]
fn files_that_are_done_with_survive_kills_of_the_source_and_the_sink() {
    let rounds = from_environment("FLUME_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let (seed, mut random) = seeded("FLUME_CRASH_SEED");
    tell(&format!(
        "crash spooldir: FLUME_CRASH_SEED={seed} FLUME_CRASH_ROUNDS={rounds}"
    ));
    let directory = tempfile::tempdir().unwrap();
    let inbox = directory.path().join("in");
    fs::create_dir(&inbox).unwrap();
    let mut ranges: HashMap<String, std::ops::Range<u64>> = HashMap::new();
    let (mut kills, mut next) = (0, 0);
    for round in 0..=rounds {
        for number in 0..6 {
            let (name, count) = (format!("{round:03}-{number}"), 1 + random.below(40_000));
            put(&inbox, &name, next..next + count, number % 3 == 1);
            ranges.insert(name, next..next + count);
            next += count;
        }
        let until = if round == rounds { "--until-empty" } else { "" };
        let source = format!("source spooldir in --poll-delay 5ms --batch-size 50 {until}");
        let pipe = Pipe::new(&source).then("sink file_roll --directory out");
        let mut running = pipe.dir(directory.path()).start();
        if round < rounds {
            let moment = Duration::from_micros(random.below(LONGEST.as_micros() as u64));
            let victim = random.below(2) as usize;
            // Nothing is waited for: any moment is the right one.
            running.ends_before(victim, Instant::now() + moment);
            running.kill(victim, Signal::KILL);
            if victim == 1 {
                // One whose sink has gone ends by itself.
                running.wait_stage(0);
            }
        }
        let ended = running.wait();
        kills += u64::from((0..2).any(|stage| ended.status(stage) == -9));
        if round == rounds {
            ended.expect_status([0, 0]);
        }
    }
    let mut times = vec![0u32; next as usize];
    for line in in_rolled_files(directory.path()) {
        let number: usize = std::str::from_utf8(&line).unwrap().trim().parse().unwrap();
        times[number] += 1;
    }
    let lost = times.iter().filter(|times| **times == 0).count();
    let twice: u64 = times.iter().map(|times| u64::from(times.saturating_sub(1))).sum();
    tell(&format!(
        "crash spooldir: {kills} kills, {next} lines, {lost} lost, {twice} duplicated"
    ));
    assert!(kills > 0);
    assert_eq!(lost, 0, "FLUME_CRASH_SEED={seed}");
    let done: Vec<_> = names(&inbox);
    assert!(done.iter().all(|name| name.ends_with(".COMPLETED")), "{done:?}");
    assert_eq!(done.len(), ranges.len());
}

/// A properties file for both, which reads `in` and writes `out`.
fn properties(at: &Path, more: &str) -> String {
    let text = format!(
        r"
        sources = r1
        channels = c1
        sinks = k1
        sources.r1.type = spooldir
        sources.r1.channels = c1
        sources.r1.spoolDir = {0}/in
        sources.r1.basenameHeader = true
        {more}
        channels.c1.type = memory
        sinks.k1.type = file_roll
        sinks.k1.channel = c1
        sinks.k1.sink.directory = {0}/out
        sinks.k1.sink.rollInterval = 0
        sinks.k1.sink.serializer = header_and_text
        ",
        at.display()
    );
    written(&text, at)
}

/// Run one of the two until so many lines are in `out`, and stop it in order.
fn run(at: &Path, is_flume: bool, more: &str, lines: usize) {
    fs::create_dir_all(at.join("out")).unwrap();
    fs::write(at.join("a.conf"), properties(at, more)).unwrap();
    let pipe = match is_flume {
        true => Pipe::foreign(&format!(
            "exec {} --name a1 --conf-file a.conf",
            peer("agent").display()
        ))
        .env("FLUME_PEER_JAVA", "-Xmx256m"),
        false => Pipe::new("agent --name a1 --conf-file a.conf --no-control"),
    };
    let running = pipe.dir(at).patience(PATIENCE).start();
    let deadline = Instant::now() + PATIENCE;
    while out(at).len() < lines
        || names(&at.join("in"))
            .iter()
            .any(|name| !name.ends_with(".COMPLETED"))
    {
        assert!(Instant::now() < deadline, "{:?}\n{}", out(at), running.said(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    running.kill(0, Signal::TERM);
    running.wait();
}

/// All lines in `out`, sorted.
fn out(at: &Path) -> Vec<String> {
    let entries = fs::read_dir(at.join("out")).unwrap().flatten();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let texts = paths
        .iter()
        .filter(|path| !path.to_string_lossy().ends_with(".state"))
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let mut lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(str::to_string).collect::<Vec<_>>())
        .collect();
    lines.sort();
    lines
}

#[test]
fn files_are_the_same_events_in_the_real_flume() {
    if !is_there() {
        return;
    }
    let sides = [true, false].map(|is_flume| {
        let at = tempfile::tempdir().unwrap();
        let inbox = at.path().join("in");
        fs::create_dir(&inbox).unwrap();
        fs::write(inbox.join("a"), "one\r\ntwo\n\nno end").unwrap();
        fs::write(inbox.join("b"), "").unwrap();
        fs::write(inbox.join("c"), "0123456789abcdef\nshort\n").unwrap();
        fs::write(inbox.join("d"), "caf\u{e9}\n").unwrap();
        run(
            at.path(),
            is_flume,
            "sources.r1.deserializer.maxLineLength = 10",
            9,
        );
        let mut done = names(&inbox);
        done.sort();
        (out(at.path()), done)
    });
    assert_eq!(sides[0], sides[1]);
}

/// A container of records with one text each.
fn container(texts: &[&str]) -> Vec<u8> {
    use apache_avro::types::Value;
    let schema =
        r#"{"type":"record","name":"R","namespace":"a.b","doc":"d","fields":[{"name":"s","type":"string"}]}"#;
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    for text in texts {
        let record = Value::Record(vec![("s".into(), Value::String(text.to_string()))]);
        writer.append_value(record).unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn records_of_a_container_are_the_same_events_in_the_real_flume() {
    if !is_there() {
        return;
    }
    let sides = [true, false].map(|is_flume| {
        let at = tempfile::tempdir().unwrap();
        fs::create_dir(at.path().join("in")).unwrap();
        fs::write(
            at.path().join("in/a"),
            container(&["one", "sixsix", "a longer one"]),
        )
        .unwrap();
        run(at.path(), is_flume, "sources.r1.deserializer = AVRO", 3);
        let out = out(at.path());
        // Flume has no order of headers.
        let ordered = out.iter().map(|line| {
            let (headers, body) = line.strip_prefix('{').unwrap().split_once("} ").unwrap();
            let mut headers: Vec<_> = headers.split(", ").collect();
            headers.sort_unstable();
            format!("{headers:?} {body}")
        });
        let mut ordered: Vec<_> = ordered.collect();
        ordered.sort();
        ordered
    });
    assert!(sides[0][0].contains("flume.avro.schema.hash="), "{:?}", sides[0]);
    assert_eq!(sides[0], sides[1]);
}

/// A directory with one file of numbered lines, its text, and where its tracker is.
fn spooled(at: &Path, lines: usize) -> (String, PathBuf) {
    fs::create_dir(at.join("in")).unwrap();
    let text: String = (0..lines).map(|number| format!("line {number}\n")).collect();
    fs::write(at.join("in/a"), &text).unwrap();
    (text, at.join("in/.flumespool/.flumespool-main.meta"))
}

fn length_of(text: &str, lines: usize) -> u64 {
    text.lines().take(lines).map(|line| line.len() as u64 + 1).sum()
}

#[test]
fn flume_goes_on_where_we_have_left_our_position() {
    if !is_there() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    let (text, meta) = spooled(at.path(), 1000);
    let file = at.path().join("in/a");
    let identity = Identity::of(&fs::metadata(&file).unwrap());
    fs::create_dir(meta.parent().unwrap()).unwrap();
    let name = file.as_os_str().as_encoded_bytes().to_vec();
    let mut ours = Tracker::new(meta, name, identity, 0);
    ours.note(length_of(&text, 100)).unwrap();
    ours.note(length_of(&text, 400)).unwrap();
    run(at.path(), true, "", 600);
    let found = out(at.path());
    assert_eq!(found.len(), 600);
    assert!(found.iter().any(|line| line.ends_with("} line 400")), "{found:?}");
}

/// The channel of Flume has room for so many, and nobody takes them: it stops there.
#[test]
fn we_go_on_where_flume_was_killed() {
    if !is_there() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    let (text, meta) = spooled(at.path(), 1000);
    let whole = properties(
        at.path(),
        "channels.c1.capacity = 300\nchannels.c1.transactionCapacity = 100",
    );
    let text_of_file: String = whole
        .lines()
        .filter(|line| !line.contains("sinks"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(at.path().join("a.conf"), text_of_file).unwrap();
    let launcher = peer("agent");
    let flume = Pipe::foreign(&format!(
        "exec {} --name a1 --conf-file a.conf",
        launcher.display()
    ))
    .env("FLUME_PEER_JAVA", "-Xmx256m")
    .dir(at.path())
    .patience(PATIENCE)
    .start();
    let deadline = Instant::now() + PATIENCE;
    let reached = |meta: &Path| tracker::read(meta).ok().flatten().map_or(0, |found| found.offset);
    while reached(&meta) < length_of(&text, 300) {
        assert!(Instant::now() < deadline, "{}", flume.said(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    flume.kill(0, Signal::KILL);
    flume.wait();
    let ended = Pipe::new(&format!(
        "source spooldir {}/in --until-empty",
        at.path().display()
    ))
    .then("sink file_roll --directory out")
    .dir(at.path())
    .run()
    .expect_status([0, 0]);
    drop(ended);
    let found = out(at.path());
    assert_eq!(found.len(), 700);
    assert!(found.contains(&"line 300".to_string()) && !found.contains(&"line 299".to_string()));
}

/// A file that nobody but root can open: it is told, the others go on, and looking for it again costs next to nothing.
#[test]
fn files_that_may_not_be_read_are_told_one_by_one_and_hold_up_neither_others_nor_the_end() {
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    if Pipe::foreign(&format!("{user} true")).run().status(0) != 0 {
        return skipped("files that may not be read: that needs root and setpriv (util-linux)");
    }
    // The user may reach neither the program where it was built nor the directory of the test.
    let script = format!(
        r#"
        chmod 711 . && cp $(command -v flume) program && mkdir -m 777 inbox state || exit 99
        echo 1 >inbox/a; echo 2 >inbox/b; echo 3 >inbox/c; chmod 0 inbox/a inbox/c
        {{ timeout 20 {user} ./program source spooldir inbox --until-empty 2>state/log; echo $? >state/status; }} \
            | {user} ./program cat 2>/dev/null
        cat state/status
        [ $(grep -c 'inbox/[ac] cannot be opened: Permission denied' state/log) = 2 ] || cat state/log
        grep -q '2 files of spoolDir inbox could not be opened' state/log || cat state/log
        mkfifo -m 666 pipe
        {user} ./program source spooldir inbox --poll-delay 10ms 2>state/log >pipe & spooling=$!
        {user} ./program cat <pipe >state/out &
        until [ $(grep -c 'cannot be opened: Permission denied' state/log) = 2 ]; do sleep 0.02; done
        chmod 644 inbox/c
        until test -s state/out; do sleep 0.02; done
        timeout 10 sh -c "kill -TERM $spooling; while kill -0 $spooling; do sleep 0.02; done" 2>/dev/null || kill -KILL $spooling
        wait
        cat state/out
        [ $(grep -c 'cannot be opened' state/log) = 2 ] || cat state/log
        "#
    );
    let ended = Pipe::foreign(&script).run().expect_status([0]);
    assert_eq!(ended.text(), "2\n1\n3\n", "{}", ended.told());
}

#[test]
fn what_stands_in_the_way_of_a_start_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("inbox")).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let check = |words: &str, status: i32, expected: &str| {
        let ended = Pipe::new(&format!("source spooldir {words}"))
            .then("sink null")
            .dir(directory.path())
            .run();
        assert_eq!(ended.status(0), status, "{}", ended.told());
        assert!(ended.told().contains(expected), "{}", ended.told());
    };
    check(
        "none",
        1,
        "spoolDir none cannot be read: No such file or directory",
    );
    check("file", 1, "spoolDir file is no directory");
    check(
        "inbox --tracker-dir ../file/x",
        1,
        "trackerDir inbox/../file/x cannot be used: ",
    );
    put(&directory.path().join("inbox"), "a", 0..1, false);
    let running = Pipe::new("source spooldir inbox")
        .then("sink null")
        .dir(directory.path())
        .start();
    running
        .wait_for_handlers(0)
        .wait_count(0, "EventReceivedCount", 1);
    check(
        "inbox --until-empty",
        75,
        "spoolDir inbox is read by another source already: each needs its own",
    );
    running.kill(0, Signal::TERM);
    running.wait();
}

/// Flume's source stops for good at each of the first two.
#[test]
fn files_that_are_not_as_they_should_be_are_told_and_cost_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let inbox = directory.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let long = "x".repeat(3000);
    for (name, text) in [
        ("a-bytes", &b"one\n\xff\xfe\n"[..]),
        ("b-done", b"two\n"),
        ("b-done.COMPLETED", b"of before\n"),
        ("c-empty", b""),
        ("d-long", long.as_bytes()),
        ("e-gzip", &[0x1f, 0x8b, 8, 0, 1, 2, 3]),
        ("f-good", b"three\r\nfour"),
    ] {
        fs::write(inbox.join(name), text).unwrap();
    }
    let ended = Pipe::new("source spooldir inbox --until-empty")
        .then("cat")
        .dir(directory.path())
        .run()
        .expect_status([1, 0]);
    let (first, rest) = long.split_at(2048);
    let expected = format!("one\ntwo\n\n{first}\n{rest}\nthree\r\nfour\n");
    assert_eq!(ended.text(), expected, "{}", ended.told());
    for expected in [
        "inbox/a-bytes: byte 4 of it begins nothing that is text in UTF-8; what stands in front of that was handed on, and nothing behind it",
        "it is set aside as inbox/a-bytes.QUARANTINED",
        "a file was done with under this name before: inbox/b-done is inbox/b-done.1.COMPLETED now",
        "inbox/e-gzip: it cannot be read: unexpected end of file; what stands in front of that was handed on",
        "2 files of spoolDir inbox were set aside: not all that is in them was handed on",
    ] {
        assert!(ended.stderr(0).contains(expected), "{expected}\n{}", ended.told());
    }
    let other = "source spooldir inbox --until-empty --deserializer AVRO --ignore-pattern '.*(QUA|COM).*'";
    fs::write(inbox.join("g-text"), "no container\n").unwrap();
    let ended = Pipe::new(other)
        .then("cat")
        .dir(directory.path())
        .run()
        .expect_status([1, 0]);
    assert!(
        ended.stderr(0).contains("inbox/g-text: it is no Avro"),
        "{}",
        ended.told()
    );
}
