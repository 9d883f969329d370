//! Streams whose acceptances come back another way than over the writer's own socket: from the standard output of
//! a command (`sink pipe`, ssh), and from several takers behind a `tee`.

use crate::by_hand::Taker;
use crate::crash::in_rolled_files;
use crate::pipe::{Ended, Pipe};
use crate::shell::output_of;
use crate::surroundings::skipped;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LINES: u64 = 20_000;

/// Numbers from 1, a line each.
fn numbers() -> Vec<u8> {
    let lines = (1..=LINES).map(|number| format!("{number}\n"));
    lines.collect::<String>().into()
}

/// Every number stands there, and none of them twice.
#[track_caller]
fn assert_all(found: impl Iterator<Item = u64>, place: &str) {
    let mut found: Vec<u64> = found.collect();
    found.sort_unstable();
    assert!(
        found == (1..=LINES).collect::<Vec<_>>(),
        "{place}: {} lines",
        found.len()
    );
}

/// The rolled files in `DIRECTORY/out` hold every number once.
#[track_caller]
fn all_rolled(directory: &Path) {
    let lines = in_rolled_files(directory);
    let number = |line: &Vec<u8>| String::from_utf8_lossy(line).trim().parse().unwrap();
    assert_all(lines.iter().map(number), &directory.display().to_string());
}

/// A file channel holds every number once.
#[track_caller]
fn all_in_channel(ended: &Ended, channel: &str) {
    let text = output_of(&format!("flume cat {channel}"), &ended.path(""), &[]);
    assert_all(text.lines().map(|line| line.parse().unwrap()), channel);
}

/// A source of all numbers, and behind it the words of a sink.
fn into_sink(sink: &str) -> Pipe {
    Pipe::new("source stdin --batch-size 100")
        .input(numbers())
        .then(sink)
}

#[test]
fn command_accepts_on_its_standard_output() {
    let ended = into_sink("sink pipe --summary json -- flume channel file spool --put")
        .run()
        .expect_status([0, 0])
        .counts(1, "accepted", LINES);
    all_in_channel(&ended, "spool");
}

#[test]
fn pipeline_in_the_command_and_text_in_front_of_its_answers_do_not_matter() {
    let ended = into_sink(
        "sink pipe --compression zstd 'echo Welcome to this host!; flume intercept host | flume channel file spool --put'",
    )
    .run()
    .expect_status([0, 0])
    .says(1, ["22 bytes that are no reply", "Welcome to this host!"]);
    all_in_channel(&ended, "spool");
}

#[test]
fn fused_pipeline_takes_from_a_command_and_sends_to_one() {
    Pipe::new(
        "run --summary json 'source seq --total-events 5000 | channel memory | sink pipe -- flume run \"channel file spool | sink null\"'",
    )
    .run()
    .expect_status([0])
    .counts(0, "accepted", 5000);
}

#[test]
fn stage_that_writes_a_stream_cannot_answer_on_standard_output() {
    into_sink("sink pipe 'flume channel memory | flume sink null'")
        .run()
        .expect_status([75, 1])
        .says(
            1,
            [
                "channel memory writes something else there",
                "has accepted nothing: its last stage has to be",
            ],
        );
}

#[test]
fn command_that_ends_early_is_started_again() {
    let ended = into_sink(
        "sink pipe 'if [ -e once ]; then exec flume channel file spool --put; fi; touch once; head -c 5000 >/dev/null; exit 75'",
    )
    .run()
    .expect_status([0, 0])
    .says(1, ["has ended with exit status 75; it is started again"]);
    all_in_channel(&ended, "spool");
}

#[test]
fn command_that_was_killed_while_it_took_is_started_again_and_nothing_is_lost() {
    let ended = into_sink(
        "sink pipe 'if [ -e once ]; then exec flume channel file spool --put; fi; touch once; \
         head -c 100000 | timeout -s KILL 0.2 flume channel file spool --put; exit 75'",
    )
    .run()
    .expect_status([0, 0]);
    let text = output_of("flume cat spool | sort -nu | wc -l", &ended.path(""), &[]);
    assert_eq!(text.trim(), LINES.to_string());
}

#[test]
fn command_that_can_never_work_ends_the_stage() {
    into_sink("sink pipe -- flume channel fiel spool --put")
        .run()
        .expect_status([75, 1])
        .says(
            1,
            ["\"flume channel fiel spool --put\" has ended with exit status 2"],
        );
    into_sink("sink pipe -- no-such-command")
        .run()
        .expect_status([75, 2])
        .says(1, ["\"no-such-command\" is no program"]);
}

#[test]
fn command_that_says_nothing_is_told_after_the_reply_timeout() {
    into_sink("sink pipe --reply-timeout 300ms 'cat >/dev/null'")
        .run()
        .expect_status([75, 1])
        .says(1, ["has said nothing on its standard output for 0.3 s"]);
}

#[test]
fn both_sides_of_a_tee_take_everything() {
    let ended = Pipe::new("source stdin --batch-size 100 --takers 2 --summary json")
        .input(numbers())
        .then_foreign("tee >(exec flume sink file_roll --directory left/out)")
        .then("sink file_roll --directory right/out")
        .run()
        .expect_status([0, 0, 0])
        .counts(0, "accepted", LINES);
    all_rolled(&ended.path("left"));
    all_rolled(&ended.path("right"));
}

#[test]
fn batch_is_accepted_when_all_takers_have_accepted_it() {
    let (pipe, output) =
        Pipe::new("source seq --total-events 3 --batch-size 1 --takers 2 --summary json").output_read();
    let mut running = pipe.start();
    let mut first = Taker::of(output);
    first.connect();
    let mut second = first.beside();
    second.connect();
    first.read_up_to(3);
    first.accept(3);
    second.accept(2);
    assert!(!running.ends_before(0, Instant::now() + Duration::from_millis(200)));
    second.accept(3);
    running.wait().expect_status([0]).counts(0, "accepted", 3);
}

#[test]
fn refusal_or_loss_of_one_taker_counts_for_all() {
    let source = "source seq --total-events 3 --batch-size 1 --takers 2 --summary json";
    let (pipe, output) = Pipe::new(source).output_read();
    let running = pipe.start();
    let mut first = Taker::of(output);
    first.connect();
    let mut second = first.beside();
    second.connect();
    first.read_up_to(3);
    first.accept(1);
    second.accept(2);
    drop(second);
    running.wait().expect_status([75]).counts(0, "accepted", 1);

    let (pipe, output) = Pipe::new(source).output_read();
    let running = pipe.start();
    let mut first = Taker::of(output);
    first.connect();
    let mut second = first.beside();
    second.connect();
    first.read_up_to(3);
    first.accept(3);
    second.refuse(2, "reject", "too ugly for one of us");
    second.accept(3);
    running
        .wait()
        .expect_status([1])
        .says(0, ["too ugly for one of us"]);
}

#[test]
fn takers_that_are_too_few_or_too_many_are_told() {
    let (pipe, output) =
        Pipe::new("source seq --total-events 10 --takers 2 --reply-timeout 500ms").output_read();
    let running = pipe.start();
    let mut only = Taker::of(output);
    only.connect();
    running
        .wait()
        .expect_status([1])
        .says(0, ["1 of 2 takers have come within 0.5 s"]);
    let (pipe, output) = Pipe::new("source seq --total-events 3 --takers 2").output_read();
    let running = pipe.start();
    let mut first = Taker::of(output);
    first.connect();
    let mut second = first.beside();
    second.connect();
    let mut third = first.beside();
    let why = third.is_turned_away();
    assert!(
        why.contains("its 2 takers already: tell the source --takers N"),
        "{why}"
    );
    first.accept(1);
    second.accept(1);
    running.wait().expect_status([0]);
    Pipe::new("source seq --total-events 10 --takers 2")
        .output_file("out.flm")
        .run()
        .expect_status([2])
        .says(0, ["--takers 2"]);
}

/// An ssh server of Debian on a port of this host, with keys of its own.
struct Sshd {
    directory: tempfile::TempDir,
    port: u16,
}

impl Sshd {
    fn start() -> Option<Sshd> {
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            skipped("a stream over ssh: sshd (Debian package openssh-server)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let keys = "ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user; cp user.pub keys";
        output_of(keys, directory.path(), &[]);
        // As root it wants a directory that its package's service makes.
        let _ = std::fs::create_dir_all("/run/sshd");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let at = directory.path().display().to_string();
        // It has one connection on its standard input: so the port is the system's choice, and ours all the time.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let output = connection.try_clone().unwrap();
                let server = Command::new(program)
                    .args(["-i", "-f", "/dev/null"])
                    .args(["-o", &format!("HostKey={at}/host")])
                    .args(["-o", &format!("AuthorizedKeysFile={at}/keys")])
                    .args(["-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no"])
                    .stdin(OwnedFd::from(connection))
                    .stdout(OwnedFd::from(output))
                    .stderr(Stdio::null())
                    .spawn();
                std::thread::spawn(move || server.unwrap().wait());
            }
        });
        Some(Sshd { directory, port })
    }

    /// The words of an ssh to this server.
    fn ssh(&self) -> String {
        let at = self.directory.path().display();
        format!(
            "ssh -i {at}/user -p {} -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR 127.0.0.1",
            self.port
        )
    }
}

#[test]
fn stream_goes_over_ssh_and_its_acceptances_come_back() {
    let Some(sshd) = Sshd::start() else { return };
    let flume = PathBuf::from(env!("CARGO_BIN_EXE_flume"));
    let spool = sshd.directory.path().join("spool");
    let far = format!("{} channel file {} --put", flume.display(), spool.display());
    let ended = into_sink(&format!(
        "sink pipe --summary json -- {} echo hello\\; {far}",
        sshd.ssh()
    ))
    .run()
    .expect_status([0, 0])
    .counts(1, "accepted", LINES)
    .says(1, ["6 bytes that are no reply"]);
    all_in_channel(&ended, &spool.display().to_string());
}

#[test]
fn ssh_that_cannot_connect_is_tried_again_until_it_can() {
    let Some(sshd) = Sshd::start() else { return };
    let flume = PathBuf::from(env!("CARGO_BIN_EXE_flume"));
    let spool = sshd.directory.path().join("spool");
    let far = format!("{} channel file {} --put", flume.display(), spool.display());
    // The first connection is refused: nobody listens on port 1.
    let ssh = sshd.ssh();
    let nowhere = ssh.replace(&format!("-p {}", sshd.port), "-p 1");
    let script = format!("if [ -e once ]; then exec {ssh} {far}; fi; touch once; exec {nowhere} {far}");
    let ended = into_sink(&format!("sink pipe '{script}'"))
        .run()
        .expect_status([0, 0])
        .says(1, ["exit status 255; it is started again"]);
    all_in_channel(&ended, &spool.display().to_string());
}
