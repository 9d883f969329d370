//! Wrong usage: words, settings and files that cannot be meant are found before anything is taken, in one clear
//! sentence.

use crate::by_hand::Stream;
use crate::pipe::Pipe;

/// A mistake on the command line: status 2 before anything is read, and these words.
fn refused(words: &str, said: &[&'static str]) {
    Pipe::new(words).run().expect_status([2]).says(0, said);
}

#[test]
fn unknown_words_are_refused_with_the_nearest_right_one() {
    refused(
        "sorce seq",
        &["\"sorce\" is no command; did you mean \"source\"?"],
    );
    refused(
        "source stdn",
        &["\"stdn\" is no source", "did you mean \"stdin\"?"],
    );
    refused(
        "intercept statik",
        &["\"statik\" is no interceptor; did you mean \"static\"?"],
    );
    refused("sink nul", &["\"nul\" is no sink; did you mean \"null\"?"]);
    refused("channel zebra", &["\"zebra\" is no channel; there are", "memory"]);
    refused(
        "source seq --batchsize 3",
        &["unexpected argument '--batchsize'", "'--batch-size'"],
    );
    refused(
        "source seq --batch-size many",
        &["invalid value 'many'", "--batch-size"],
    );
    refused(
        "source seq --batch-size 0",
        &["invalid value '0'", "--batch-size"],
    );
    refused(
        "source seq --durability perhaps",
        &["invalid value 'perhaps'", "end-to-end, channel, best-effort"],
    );
    refused("source seq --grace soon", &["invalid value 'soon'", "--grace"]);
    refused("source", &["a name is missing", "seq"]);
    Pipe::foreign("exec flume").run().expect_status([2]).says(
        0,
        [
            "a command is missing",
            "source, intercept, select, channel, group, sink",
        ],
    );
}

#[test]
fn mistakes_in_the_words_of_run_say_where() {
    refused(
        "run 'source seq | sink nul'",
        &["stage 2 of 2", "did you mean \"null\"?"],
    );
    refused(
        "run 'sink null | source seq'",
        &["sink null is component 1 of 2: a sink stands last"],
    );
    refused("run 'source seq | | sink null'", &["stage 2 of 3 is empty"]);
    refused(
        "run 'source seq | filter x'",
        &["stage 2 of 2, filter x: \"filter\" is no kind of component"],
    );
    refused("run 'source seq --nope | sink null'", &["--nope"]);
    refused(
        "run \"source 'seq\"",
        &["the single quote at character 8 is not closed"],
    );
    refused("run", &["a pipeline is missing"]);
    refused("run -f no-such-file", &["no-such-file cannot be read"]);
}

#[test]
fn expression_that_does_not_compile_is_shown_with_its_fault() {
    refused(
        "intercept regex '('",
        &[
            "invalid value '(' for '<PATTERN>'",
            "a group that is never closed at character 1",
        ],
    );
    refused(
        "run 'source seq | intercept regex [ | sink null'",
        &["a class that is never closed at character 1 cannot be used"],
    );
}

#[test]
fn directory_that_is_no_channel_is_not_touched() {
    let ended = Pipe::foreign("mkdir mine; echo precious > mine/file; exec flume channel file mine --put")
        .run()
        .expect_status([2])
        .says(0, ["mine is not a file channel and holds other files"]);
    let names = std::fs::read_dir(ended.path("mine")).unwrap().count();
    assert_eq!(names, 1, "something was put beside the file");
    Pipe::new("channel file missing --take --until-empty")
        .then("sink null")
        .run()
        .expect_status([2, 1])
        .says(0, ["missing does not exist, so there is nothing to take from it"]);
}

#[test]
fn channel_of_another_version_is_not_touched() {
    for end in ["--put", "--take --until-empty", "--take", ""] {
        let script = format!(
            "flume channel file spool --put || exit 99
             sed -i '/\"version\"/s/1/9/' spool/flume-channel
             list() {{ find spool | sort; find spool -type f | sort | xargs sha256sum; }}
             before=$(list); flume channel file spool {end}; status=$?
             test \"$before\" = \"$(list)\" || exit 98
             exit $status"
        );
        Pipe::new("source seq --total-events 5")
            .then_foreign(&script)
            .then("sink null")
            .run()
            .expect_status([0, 2, 1])
            .says(
                1,
                ["spool/flume-channel says format version 9, this program knows version 1; nothing was touched"],
            );
    }
}

#[test]
fn input_file_that_is_not_there_is_wrong_usage() {
    for words in ["cat nofile", "replay nofile", "run -f nofile"] {
        Pipe::new(words)
            .run()
            .expect_status([2])
            .says(0, ["nofile cannot be ", "No such file"]);
    }
    Pipe::new("cat .")
        .run()
        .expect_status([2])
        .says(0, ["is a directory"]);
}

#[test]
fn bad_pattern_of_cat_is_one_sentence() {
    let ended = Pipe::new("cat --match '('").run().expect_status([2]).says(
        0,
        ["invalid value '(' for '--match <REGEX>': a group that is never closed at character 1"],
    );
    assert!(!ended.stderr(0).contains("regex parse error"), "{}", ended.told());
    let ended = Pipe::new("source seq --total-events 12")
        .then("cat --match '^1'")
        .run();
    assert_eq!(ended.stdout(), b"1\n10\n11\n", "{}", ended.told());
}

#[test]
fn wrong_flag_inside_a_fused_run_names_its_stage() {
    Pipe::new("run 'source seq | intercept regex --bogus x | sink null'")
        .run()
        .expect_status([2])
        .says(
            0,
            ["ERROR run: stage 2 of 3, intercept regex: unexpected argument '--bogus' found"],
        );
    Pipe::new("run 'source seq | intercept regex | sink null'")
        .run()
        .expect_status([2])
        .says(
            0,
            ["stage 2 of 3, intercept regex: the following required arguments were not provided: <PATTERN>\n"],
        );
}

#[test]
fn wrong_flag_is_told_in_the_format_that_the_line_asks_for() {
    for words in [
        "source seq --bogus --log-format json",
        "source seq --log-format=json --bogus",
        "run --log-format json 'source seq --bogus | sink null'",
        "nothing --log-format json",
    ] {
        let ended = Pipe::new(words).run().expect_status([2]);
        let said: serde_json::Value = serde_json::from_str(ended.stderr(0)).unwrap();
        assert_eq!(said["level"], "error", "{words}");
    }
    // Behind -- it is no flag.
    Pipe::new("source seq --bogus -- --log-format json")
        .run()
        .expect_status([2])
        .says(0, ["error: source seq: unexpected argument '--bogus' found"]);
}

#[test]
fn settings_of_a_source_are_checked_before_its_stream_begins() {
    for (words, why) in [
        ("source netcat", "netcat: --port is missing"),
        ("source exec ' '", "exec: COMMAND is empty"),
        ("source netcatudp", "source netcatudp: --port is missing"),
        (
            "source netcatudp --port no",
            "source netcatudp: invalid value 'no' for '--port <PORT>': it is no whole number",
        ),
        ("source netcatudp --port 65536", "65536 is not in 0..=65535"),
        ("source syslogudp", "source syslogudp: --port is missing"),
        (
            "source syslogudp --port 0 --keep-fields prio",
            "\"prio\" names no field to keep",
        ),
        (
            "source syslogtcp --host ::1",
            "source syslogtcp: --port is missing",
        ),
        (
            "source multiport_syslogtcp",
            "multiport_syslogtcp: --ports is missing",
        ),
        (
            "source multiport_syslogtcp --ports 1,2",
            "\"1,2\" is no port; ports are numbers from 0 to 65535 with blanks between them",
        ),
        (
            "source multiport_syslogtcp --ports '7 7'",
            "the port 7 is there twice",
        ),
        (
            "source multiport_syslogtcp --ports 7 --charset-port 8=UTF-8",
            "charset.port.8: the port 8 is not among ports",
        ),
        (
            "source multiport_syslogtcp --ports 7 --charset-default UTF-16",
            "lines of UTF-16 cannot be told apart",
        ),
        ("source syslog", "source syslog: --port is missing"),
        (
            "source syslog --port 0 --tcp=false --udp=false",
            "every way is closed",
        ),
        (
            "source syslog --port 1 --tcp --tls",
            "plain TCP and TLS cannot have the same port",
        ),
        ("source http", "source http: --port is missing"),
        (
            "source http --port 0 --handler xml",
            "\"xml\" is no handler; there are json, blob",
        ),
        (
            "source spooldir . --deserializer XML",
            "source spooldir: \"XML\" is no deserializer; there are LINE, AVRO, BLOB",
        ),
        (
            "source spooldir . --deserializer-set maxLength=1",
            "has no setting \"maxLength\"; it has maxLineLength and outputCharset",
        ),
        (
            "source spooldir . --include-pattern [",
            "a class that is never closed",
        ),
        (
            "source spooldir . --file-suffix ''",
            "fileSuffix: \"\" is to stand behind a name",
        ),
        ("source spooldir . --input-charset UTF-9", "UTF-9"),
        (
            "source stress --size x",
            "source stress: invalid value 'x' for '--size",
        ),
    ] {
        let ended = Pipe::new(words).run().expect_status([2]).says(0, [why]);
        assert_eq!(ended.stdout(), b"", "{words}");
    }
}

#[test]
fn source_that_cannot_start_begins_no_stream() {
    for (words, status, why) in [
        (
            "source exec no-such-program",
            1,
            "\"no-such-program\" cannot be started",
        ),
        (
            "source netcat --listen unix:taken",
            1,
            "cannot listen on unix:taken: a file is there that is no socket",
        ),
        ("source stream unix:taken", 1, "cannot listen on unix:taken"),
        ("source netcat", 2, "netcat: --port is missing"),
    ] {
        let ended = Pipe::new(words)
            .file("taken", "")
            .run()
            .expect_status([status])
            .says(0, [why]);
        assert_eq!(ended.stdout(), b"", "{words}");
        for passing in ["intercept static", "intercept batch"] {
            let ended = Pipe::new(words)
                .file("taken", "")
                .then(passing)
                .then("sink null")
                .run()
                .expect_status([status, 1, 1])
                .says(0, [why]);
            for stage in [1, 2] {
                let said = ended.stderr(stage);
                assert!(
                    said.contains("ended without beginning one, and its own message says why"),
                    "{}",
                    ended.told()
                );
            }
        }
    }
}

#[test]
fn recording_where_an_address_belongs_is_told_where_it_is_played() {
    let recording = Stream::unowed().batch(&[b"a"]).end().bytes;
    for (words, tip) in [
        (
            "source stream rec.flm",
            "\"flume replay rec.flm\" plays it as a stream",
        ),
        (
            "send --format stream rec.flm",
            "the address comes first: \"flume send ADDRESS rec.flm --format stream\"",
        ),
        ("sink null rec.flm", "it is read as standard input, \"< rec.flm\""),
        (
            "source stdin lines.txt",
            "a file is read as standard input: \"< lines.txt\"",
        ),
    ] {
        Pipe::new(words)
            .file("rec.flm", &recording)
            .file("lines.txt", "a\n")
            .run()
            .expect_status([2])
            .says(0, [tip]);
    }
    // What the tips say works.
    for script in [
        "flume replay rec.flm | flume sink null --summary json",
        "flume sink null --summary json < rec.flm",
    ] {
        Pipe::foreign(script)
            .file("rec.flm", &recording)
            .run()
            .expect_status([0])
            .counts(0, "accepted", 1);
    }
}
