//! A file channel on a disk that fills up to the last byte: nothing that was accepted is lost, takes go on,
//! and puts go on when there is room again.

use crate::by_hand::bodies_in;
use crate::crash::tell;
use crate::pipe::Pipe;
use crate::surroundings::skipped;
use std::collections::HashSet;

const EVENTS: u64 = 60_000;

/// In bash, whose end is that of all that it started, with the file system mounted at `disk`: fill it, drain it
/// with no byte free, and let the source go on to its end. Exit statuses from 90 on say what did not work.
const SCRIPT: &str = r#"
    pad=$(printf '%0500d' 0)
    soon() { for _ in {1..1500}; do "$@" && return; sleep 0.02; done; exit 91; }
    full() { grep -q -e 'No space left on device' -e 'have to stay free' put.log; }

    { flume source seq --batch-size 100 --total-events EVENTS --summary json 2>source.log
      echo $? > source.status; } |
        flume intercept static --key pad --value "$pad" |
        flume channel file disk/spool --put --max-file-size 1MiB --minimum-required-space 1MiB --keep-alive 1 2>put.log &
    soon full
    # What the channel left: there is not a byte more.
    cat /dev/zero >disk/filler 2>/dev/null
    [ "$(stat -f -c %a disk)" = 0 ] || exit 92
    cp put.log full.log
    flume channel file disk/spool --take --until-empty >first.flm || exit 93

    flume channel file disk/spool --take >second.flm 2>second.log &
    taker=$!
    soon test -s source.status
    kill -TERM $taker; wait $taker
    flume channel file disk/spool --take --until-empty >third.flm || exit 94
    wait
    ls disk/spool/data/*.seg 2>/dev/null && exit 95
    cat source.log put.log >&2
    exit "$(cat source.status)"
"#;

/// Fill a disk that these words of the shell mount, in a namespace of its own.
fn fill(mount: &str, namespace: &str) {
    let script = format!("mkdir disk && {mount} || exit 90\n{SCRIPT}");
    let ended = Pipe::foreign("true")
        .file("script", script.replace("EVENTS", &EVENTS.to_string()))
        .then_foreign(&format!(
            "exec unshare {namespace} --pid --fork --kill-child --mount-proc bash script"
        ))
        .run()
        .expect_status([0, 0])
        .counts(1, "accepted", EVENTS);
    let said = std::fs::read_to_string(ended.path("full.log")).unwrap();
    assert!(
        said.contains("channel file: ") && said.contains("trying again"),
        "{said}"
    );
    let parts = ["first.flm", "second.flm", "third.flm"].map(|name| bodies_in(&ended.path(name)));
    assert!(!parts[0].is_empty() && parts[0].len() < EVENTS as usize);
    let mut found: Vec<u64> = parts
        .concat()
        .into_iter()
        .map(|body| String::from_utf8(body).unwrap().parse().unwrap())
        .collect();
    found.sort_unstable();
    found.dedup();
    assert!(found.into_iter().eq(0..EVENTS), "an accepted event is lost");
}

#[test]
fn full_memory_disk_loses_nothing_drains_and_goes_on() {
    fill("mount -t tmpfs -o size=8m none disk", "-rm");
}

#[test]
fn full_ext4_loses_nothing_drains_and_goes_on() {
    let can = "test $(id -u) = 0 && command -v mkfs.ext4 && losetup -f";
    if Pipe::foreign(can).run().status(0) != 0 {
        return skipped("a full ext4: that needs root, loop devices and mkfs.ext4 (e2fsprogs)");
    }
    let mount = "truncate -s 16M image && mkfs.ext4 -q image && mount -o loop image disk";
    fill(mount, "-m");
}

/// More lines than the disk can hold.
const LINES: u64 = 700_000;

/// Puts until the disk is full, then as many bytes as still go on it; the channel is killed there. All is taken
/// with no byte free, and another putter goes on where the first had to end.
const KILLED_SCRIPT: &str = r#"
mkdir disk && mount -t tmpfs -o size=8m none disk || exit 99
exec 3<lines
flume source stdin --summary json <&3 2>source.err |
    flume channel file disk/spool --put --max-file-size 1MiB --keep-alive 0 2>channel.err &
# Nobody tells a file that something was said.
until grep -q "trying again" channel.err; do sleep 0.02; done
head -c 16M /dev/zero >disk/filler 2>/dev/null
df --output=avail disk | tail -n 1 >free
kill -9 $!; wait
flume channel file disk/spool --take --until-empty >first.flm || exit 98
flume source stdin --summary json <&3 2>again.err |
    flume channel file disk/spool --put --max-file-size 1MiB || exit 97
flume channel file disk/spool --take --until-empty >second.flm || exit 96
"#;

#[test]
fn putter_killed_on_a_full_disk_has_lost_nothing_and_another_goes_on() {
    let lines: String = (0..LINES).map(|number| format!("{number:09}\n")).collect();
    let ended = Pipe::foreign("true")
        .file("lines", lines)
        .file("script", KILLED_SCRIPT)
        .then_foreign("exec unshare -rm bash script")
        .run()
        .expect_status([0, 0]);
    let read = |name| std::fs::read_to_string(ended.path(name)).unwrap();
    let accepted = |name| {
        let said: String = read(name);
        let mut objects = said
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let summary = objects.next_back().unwrap_or_else(|| panic!("{name}: {said}"));
        summary["accepted"].as_u64().unwrap()
    };
    assert_eq!(read("free").trim(), "0", "bytes that were free");
    let (first, second) = (
        bodies_in(&ended.path("first.flm")),
        bodies_in(&ended.path("second.flm")),
    );
    let until_full = accepted("source.err");
    tell(&format!(
        "full: {until_full} acknowledged until it was full, {} taken then, {} later",
        first.len(),
        second.len()
    ));
    assert!(until_full > 0 && until_full < LINES, "{until_full}");
    assert!(first.len() as u64 >= until_full, "{} were taken", first.len());
    assert_eq!(until_full + accepted("again.err"), LINES);
    let found: HashSet<Vec<u8>> = first.into_iter().chain(second).collect();
    assert_eq!(found.len() as u64, LINES);
}
