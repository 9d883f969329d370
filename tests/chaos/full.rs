//! A disk that fills: a tmpfs of 8 MiB, in a namespace of its own.

use crate::by_hand::bodies_in;
use crate::crash::tell;
use crate::pipe::Pipe;
use std::collections::HashSet;

/// More lines than the disk can hold.
const LINES: u64 = 700_000;

/// Puts until the disk is full, then as many bytes as still go on it; the channel is killed there. All is taken
/// with no byte free, and another putter goes on where the first had to end.
const SCRIPT: &str = r#"
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
fn full_disk_loses_nothing_gives_what_it_has_and_takes_again() {
    let lines: String = (0..LINES).map(|number| format!("{number:09}\n")).collect();
    let ended = Pipe::foreign("true")
        .file("lines", lines)
        .file("script", SCRIPT)
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
