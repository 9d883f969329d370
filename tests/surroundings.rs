//! What stages find around them: devices, full disks, closed and full standard errors, descriptors that
//! somebody else has changed, terminals.

use crate::by_hand::{Stream, bodies_in};
use crate::pipe::{Ended, Pipe};
use rustix::fs::OFlags;
use rustix::process::Signal;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Wait until no thread of a process runs and that stays so for a moment: it waits for somebody.
pub fn wait_until_asleep(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[0] == "S").then(|| format!("{} {}", fields[11], fields[12]))
    };
    let mut quiet = 0;
    let mut before = ticks();
    while quiet < 5 {
        assert!(Instant::now() < deadline, "process {pid} does not come to rest");
        // There is no event for "nothing happens".
        std::thread::sleep(Duration::from_millis(20));
        let now = ticks();
        quiet = if now.is_some() && now == before {
            quiet + 1
        } else {
            0
        };
        before = now;
    }
}

fn set_nonblocking(fd: impl AsFd) {
    let flags = rustix::fs::fcntl_getfl(&fd).unwrap();
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK).unwrap();
}

fn set_blocking(fd: impl AsFd) {
    let flags = rustix::fs::fcntl_getfl(&fd).unwrap();
    rustix::fs::fcntl_setfl(fd, flags - OFlags::NONBLOCK).unwrap();
}

/// A pipe in which not one byte more has room. The reading end must be kept.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    set_nonblocking(&writer);
    let block = [b'x'; 4096];
    while writer.write(&block).is_ok() {}
    while writer.write(b"x").is_ok() {}
    (reader, writer)
}

#[test]
fn device_as_standard_output_is_refused_unless_nobody_needs_to_accept() {
    let null = || File::options().write(true).open("/dev/null").unwrap();
    for writer in ["source seq --total-events 10", "channel memory"] {
        Pipe::new(writer)
            .input_from(std::io::pipe().unwrap().0)
            .output_to(null())
            .run()
            .expect_status([2])
            .says(
                0,
                [
                    "standard output is a device",
                    "--durability best-effort would allow it",
                ],
            );
    }
    Pipe::new("source seq --total-events 10 --durability best-effort --summary json")
        .output_to(null())
        .run()
        .expect_status([0])
        .counts(0, "accepted", 10);
}

#[test]
fn closed_standard_output_and_input_are_no_streams() {
    Pipe::foreign("exec flume source seq --total-events 10 >&-")
        .run()
        .expect_status([2])
        .says(0, ["standard output is a device"]);
    Pipe::foreign("exec flume sink null <&-")
        .run()
        .expect_status([1])
        .says(0, ["no stream came"]);
}

#[test]
fn full_disk_under_standard_output_fails_with_its_reason_and_accepts_only_what_is_on_it() {
    let script = "mkdir disk && mount -t tmpfs -o size=256k none disk || exit 99
        flume source seq --batch-size 1000 --window-bytes 16KiB --summary json > disk/out.flm
        status=$?; cp disk/out.flm out.flm; exit $status";
    let ended = Pipe::foreign(&format!("unshare -rm bash -c '{script}'"))
        .run()
        .expect_status([1])
        .says(0, ["No space left on device"]);
    let recorded = bodies_in(&ended.path("out.flm")).len() as u64;
    let accepted = ended.summary(0, "accepted");
    assert!(
        accepted > 0 && accepted <= recorded,
        "{accepted} accepted, {recorded} on the disk"
    );
}

#[test]
fn full_device_fails_with_its_reason() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    Pipe::new("source seq --total-events 10 --durability best-effort")
        .output_to(full)
        .run()
        .expect_status([1])
        .says(0, ["No space left on device"]);
}

#[test]
fn closed_standard_error_stops_nobody() {
    Pipe::foreign("exec flume source seq --total-events 5000 --summary text 2>&-")
        .then_foreign("exec flume intercept static --summary text 2>&-")
        .then_foreign("exec flume sink null --log-every-n-events 1 --summary json 2>&-")
        .run()
        .expect_status([0, 0, 0]);
}

#[test]
fn standard_error_that_nobody_reads_stops_nobody() {
    for nonblocking in [false, true] {
        let (_reader, writer) = full_pipe();
        if !nonblocking {
            set_blocking(&writer);
        }
        let errors = || writer.try_clone().unwrap();
        Pipe::new("source seq --total-events 5000 --summary text")
            .errors_to(errors())
            .then("intercept static --summary text")
            .errors_to(errors())
            .then("sink null --log-every-n-events 1 --summary text")
            .errors_to(errors())
            .run()
            .expect_status([0, 0, 0]);
    }
}

#[test]
fn standard_error_whose_reader_has_gone_stops_nobody() {
    let (_, writer) = std::io::pipe().unwrap();
    Pipe::new("source seq --total-events 5000")
        .then("sink null --log-every-n-events 1 --summary text")
        .errors_to(writer)
        .run()
        .expect_status([0, 0]);
}

#[test]
fn usage_error_into_a_full_standard_error_still_ends_with_its_status() {
    let (_reader, writer) = full_pipe();
    Pipe::new("source seq --no-such-flag")
        .errors_to(writer)
        .run()
        .expect_status([2]);
}

#[test]
fn inherited_nonblocking_input_is_waited_for() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    set_nonblocking(&reader);
    let pipe = Pipe::new("source stdin --batch-timeout 1ms")
        .input_from(reader)
        .then("sink null --summary json --log-every-n-events 1")
        .start();
    wait_until_asleep(pipe.pid(0));
    writer.write_all(b"one\n").unwrap();
    pipe.wait_for(1, "1 events so far");
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    pipe.wait().expect_status([0, 0]).counts(1, "accepted", 2);
}

#[test]
fn inherited_nonblocking_pipe_between_stages_is_waited_for() {
    for taker in ["sink null --summary json", "channel memory", "intercept static"] {
        let (reader, writer) = std::io::pipe().unwrap();
        set_nonblocking(&reader);
        set_nonblocking(&writer);
        let source = Pipe::new("source seq --total-events 200000 --batch-size 100")
            .output_to(writer)
            .start();
        // Full before anybody reads it: both ends meet EAGAIN.
        wait_until_asleep(source.pid(0));
        let pipe = Pipe::new(taker).input_from(reader);
        let ended = match taker.starts_with("sink") {
            true => pipe.run().expect_status([0]),
            false => pipe.then("sink null --summary json").run().expect_status([0, 0]),
        };
        let last = usize::from(!taker.starts_with("sink"));
        ended.counts(last, "accepted", 200_000);
        source.wait().expect_status([0]);
    }
}

#[test]
fn terminal_as_input_says_what_to_put_there() {
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
    let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    unlockpt(&main).unwrap();
    let name = ptsname(&main, Vec::new()).unwrap();
    let open = || {
        File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
    };
    Pipe::new("sink null")
        .input_from(open())
        .run()
        .expect_status([2])
        .says(
            0,
            [
                "standard input is a terminal",
                "flume source stdin | flume sink null",
            ],
        );
    Pipe::new("intercept static")
        .input_from(open())
        .run()
        .expect_status([2])
        .says(0, ["standard input is a terminal"]);
    Pipe::new("source seq --total-events 1")
        .output_to(open())
        .run()
        .expect_status([2])
        .says(0, ["standard output is a terminal", "| flume cat"]);
}

#[test]
fn reply_socket_may_live_in_a_directory_and_is_cleaned_up() {
    let ended = Pipe::foreign("mkdir replies; exec flume source seq --total-events 100 --reply-dir replies")
        .then("intercept static")
        .then("sink null --summary json")
        .run()
        .expect_status([0, 0, 0])
        .counts(2, "accepted", 100);
    let left = std::fs::read_dir(ended.path("replies")).unwrap().count();
    assert_eq!(left, 0, "a socket was left behind");
}

#[test]
fn seekable_input_is_left_at_the_first_line_that_nobody_accepted() {
    use std::io::{Read, Seek};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lines");
    let text: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
    std::fs::write(&path, &text).unwrap();
    let mut file = File::open(&path).unwrap();
    let pipe = Pipe::new("source stdin --batch-size 10 --summary json")
        .input_from(file.try_clone().unwrap())
        .then("sink null --log-every-n-events 1000")
        .start();
    pipe.wait_for(1, "events so far").kill(1, Signal::KILL);
    let ended = pipe.wait().expect_status([75, -9]);
    let accepted = ended.summary(0, "accepted") as usize;
    let at = file.stream_position().unwrap() as usize;
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    let taken = text
        .lines()
        .take(accepted)
        .map(|line| line.len() + 1)
        .sum::<usize>();
    assert_eq!(at, taken, "it stands behind the {accepted} accepted lines");
    assert!(rest.starts_with(&format!("line {accepted}\n")));
}

#[test]
fn seekable_stream_is_left_at_its_first_batch_that_was_not_taken() {
    use std::io::Seek;
    let whole = Stream::unowed().batch(&[b"a"]).batch(&[b"b"]);
    let mut cut = whole.clone().batch(&[b"c"]).bytes;
    cut.truncate(cut.len() - 1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.flm");
    std::fs::write(&path, cut).unwrap();
    let mut file = File::open(&path).unwrap();
    Pipe::new("sink null --summary json")
        .input_from(file.try_clone().unwrap())
        .run()
        .expect_status([1])
        .counts(0, "accepted", 2);
    assert_eq!(file.stream_position().unwrap(), whole.bytes.len() as u64);
}

/// Say that a test does not run here, where nobody can miss it: the harness hides what a test prints. Where
/// FLUME_PROMISED is set, all of them have to run.
pub fn skipped(what: &str) {
    assert!(std::env::var_os("FLUME_PROMISED").is_none(), "cannot run: {what}");
    static SKIPPED: AtomicU32 = AtomicU32::new(0);
    let number = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let _ = writeln!(std::io::stderr(), "SKIPPED, number {number}: {what}");
}

#[test]
fn channel_of_another_user_is_refused_and_not_touched() {
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let can_change = std::process::Command::new("bash")
        .args(["-c", &format!("{user} true")])
        .output();
    if !can_change.is_ok_and(|output| output.status.success()) {
        return skipped("a channel of another user: that needs root and setpriv (util-linux)");
    }
    let ends = ["--put", "--take --until-empty", ""];
    for (mode, end) in ends.iter().flat_map(|end| [("o-rwx", end), ("a+rwX", end)]) {
        // The user may reach neither the program where it was built nor the directory of the test.
        let script = format!(
            "chmod 711 . && cp $(command -v flume) program && flume channel file spool --put || exit 99
             chmod -R {mode} spool; before=$(cd spool; find . -type f | sort | xargs sha256sum)
             {user} ./program channel file spool {end}; status=$?
             test \"$before\" = \"$(cd spool; find . -type f | sort | xargs sha256sum)\" || exit 98
             exit $status"
        );
        Pipe::new("source seq --total-events 5")
            .then_foreign(&script)
            .then("sink null")
            .run()
            .expect_status([0, 2, 1])
            .says(
                1,
                ["spool belongs to user 0, this process runs as user 65534; run it as user 0"],
            );
    }
}

/// Run a script as root of its own, in a directory with a read-only file system at `disk` that holds a
/// channel, `disk/spool`, and an empty directory, `disk/out`.
fn on_a_read_only_disk(script: &str) -> Ended {
    let whole = format!(
        "mkdir disk && mount -t tmpfs -o size=64m none disk && mkdir disk/out || exit 99
         flume source seq --total-events 5 | flume channel file disk/spool --put || exit 98
         mount -o remount,ro disk || exit 97
         {script}"
    );
    Pipe::foreign("true")
        .file("script", whole)
        .then_foreign("exec unshare -rm bash script")
        .run()
}

#[test]
fn read_only_disk_fails_at_the_start_with_its_reason() {
    for (stage, said) in [
        (
            "channel file disk/new --put",
            "channel file: cannot make directory disk/new: Read-only",
        ),
        ("channel file disk/spool --put", "channel file: cannot "),
        ("channel file disk/out --put", "channel file: cannot "),
        (
            "sink file_roll --directory disk/new",
            "sink.directory disk/new cannot be created: Read-only",
        ),
        (
            "sink file_roll --directory disk/out",
            "sink.directory: no file can be made in disk/out: Read-only",
        ),
        (
            "sink null --rejected disk/new",
            "--rejected: cannot make directory disk/new: Read-only",
        ),
        (
            "run 'channel file disk/spool --take --until-empty | sink null'",
            "channel file: cannot ",
        ),
        (
            "run 'channel memory | sink file_roll --directory disk/new'",
            "sink file_roll: sink.directory disk/new cannot be created: Read-only",
        ),
    ] {
        let ended = on_a_read_only_disk(&format!(
            "flume source seq --total-events 5 2>source | flume {stage}"
        ));
        let ended = ended.expect_status([0, 1]).says(1, ["Read-only file system"]);
        assert!(ended.stderr(1).contains(said), "{stage}: {}", ended.told());
        assert_eq!(ended.stderr(1).lines().count(), 1, "{stage}: {}", ended.told());
    }
}

#[test]
fn recording_that_is_shown_is_not_held_in_memory() {
    const BODIES: usize = 64;
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("long.flm");
    let body = vec![b'x'; 1 << 20];
    let stream = (0..BODIES).fold(Stream::unowed(), |stream, _| stream.batch(&[&body]));
    std::fs::write(&recording, stream.end().bytes).unwrap();
    let (pipe, mut output) = Pipe::new("cat")
        .input_from(File::open(&recording).unwrap())
        .output_read();
    let running = pipe.start();
    // All but the last of it: the stage is still there.
    let mut shown = vec![0; (BODIES - 1) << 20];
    output.read_exact(&mut shown).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid(0))).unwrap();
    let most = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = most.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 40 << 10, "{most}");
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    running.wait().expect_status([0]);
}
