//! The programs of examples/ do what they say.

use crate::shell::{bash, output_of, told};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory of the built examples. `cargo test` builds them; what builds this test alone does not.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let flume = Path::new(env!("CARGO_BIN_EXE_flume"));
        let directory = flume.parent().unwrap().join("examples");
        if ![
            "embedded",
            "embedded_agent",
            "handler",
            "provider",
            "selector",
            "deserializer",
            "serializer",
            "sink_processor",
        ]
        .iter()
        .all(|name| directory.join(name).exists())
        {
            let built = Command::new(env!("CARGO"))
                .args(["build", "--examples"])
                .status()
                .unwrap();
            assert!(
                built.success() && directory.join("provider").exists(),
                "no examples in {directory:?}"
            );
        }
        directory
    })
}

/// A directory in which the examples have the names of components.
fn on_the_path() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let names = [
        ("custom_source", "flume-source-primes"),
        ("custom_interceptor", "flume-intercept-length"),
        ("custom_sink", "flume-sink-lines"),
        ("handler", "flume-source-lines"),
        ("serializer", "flume-sink-csv"),
        ("deserializer", "flume-source-paragraphs"),
        ("provider", "provider"),
    ];
    for (example, name) in names {
        symlink(built().join(example), directory.path().join(name)).unwrap();
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for script in ["upper.py", "collect.py"] {
        symlink(sources.join(script), directory.path().join(script)).unwrap();
    }
    directory
}

#[test]
fn components_of_ones_own_are_components_like_ours() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script = "flume source primes --count 6 --batch-size 4 --summary json 2> summary \
                  | flume intercept length --header bytes \
                  | flume sink lines --file out --header bytes
                  cat out";
    assert_eq!(
        output_of(script, at.path(), &[path.path()]),
        "1 2\n1 3\n1 5\n1 7\n2 11\n2 13\n"
    );
    let summary = std::fs::read_to_string(at.path().join("summary")).unwrap();
    assert!(
        summary.contains("\"accepted\":6") && summary.contains("\"exit\":0"),
        "{summary}"
    );
}

#[test]
fn component_of_ones_own_has_help_hints_and_statuses() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let help = output_of("flume help sink lines", at.path(), &[path.path()]);
    assert!(
        help.contains("Append the body of each event") && help.contains("--rejected"),
        "{help}"
    );
    assert!(output_of("flume list source", at.path(), &[path.path()]).contains("primes"));
    let wrong = bash(
        "flume source seq --total-events 1 | flume sink lines --fil x",
        at.path(),
        &[path.path()],
    );
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
    assert!(told(&wrong).contains("--file"), "{}", told(&wrong));
    let missing = bash(
        "flume source seq --total-events 1 | flume sink lines --file no/x",
        at.path(),
        &[path.path()],
    );
    assert_eq!(missing.status.code(), Some(1), "{}", told(&missing));
}

#[test]
fn serializer_of_ones_own_writes_the_files_of_file_roll() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script =
        "printf 'one \"1\"\\ntwo\\n' | flume source stdin | flume sink csv --directory ./out -q && cat out/*";
    assert_eq!(
        output_of(script, at.path(), &[path.path()]),
        "host,body\n\"\",\"one \"\"1\"\"\"\n\"\",\"two\"\n"
    );
}

#[test]
fn deserializer_of_ones_own_reads_the_files_of_spooldir() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script = "mkdir in && printf 'one\\nmore\\n\\n\\ntwo\\n' > in/a
                  flume source paragraphs ./in --until-empty -q | flume sink csv --directory ./out -q
                  cat out/*; ls in";
    assert_eq!(
        output_of(script, at.path(), &[path.path()]),
        "host,body\n\"\",\"one\nmore\"\n\"\",\"two\"\na.COMPLETED\n"
    );
}

#[test]
fn stage_in_python_changes_bodies_in_the_middle_and_everything_is_accepted() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let lines: String = (0..3000).map(|n| format!("line {n}: gru\u{df}\n")).collect();
    std::fs::write(at.path().join("in"), &lines).unwrap();
    let script = "flume source stdin --batch-size 700 --summary json < in 2> summary \
                  | flume intercept static --key host --value web1 \
                  | upper.py | tee copy.flm \
                  | flume sink lines --file out --header host
                  head -c 2000 copy.flm | strings | grep -o '\"via\": .*upper.py\"'";
    let via = output_of(script, at.path(), &[path.path()]);
    assert_eq!(via.trim(), "\"via\": [\"intercept static\", \"upper.py\"");
    let out = std::fs::read(at.path().join("out")).unwrap();
    // Bytes are made upper case, as Python does it: what is not ASCII stays.
    let wanted: String = lines
        .lines()
        .map(|line| format!("web1 {}\n", line.to_ascii_uppercase()))
        .collect();
    assert!(
        out == wanted.as_bytes(),
        "{}",
        String::from_utf8_lossy(&out[..200.min(out.len())])
    );
    let summary = std::fs::read_to_string(at.path().join("summary")).unwrap();
    assert!(summary.contains("\"accepted\":3000"), "{summary}");
}

#[test]
fn stage_in_python_says_what_is_wrong_with_its_input() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let record = "flume source seq --total-events 5000 > whole.flm";
    output_of(record, at.path(), &[]);
    let cases = [
        ("echo text", "begins with FLM1"),
        ("head -c 3000 whole.flm", "ends inside a frame"),
        ("head -c 20 whole.flm", "ends inside a frame"),
        ("tail -c +2 whole.flm", "begins with FLM1"),
        ("sed s/4321/4322/ whole.flm", "payload of a frame is damaged"),
        (
            "flume source stdin --compress-stream zstd --durability best-effort < whole.flm",
            "compressed",
        ),
    ];
    for (input, message) in cases {
        let output = bash(
            &format!("{input} | upper.py > /dev/null"),
            at.path(),
            &[path.path()],
        );
        assert_eq!(output.status.code(), Some(1), "{input}: {}", told(&output));
        assert!(told(&output).contains(message), "{input}: {}", told(&output));
    }
}

#[test]
fn sink_in_python_accepts_what_it_has_synced() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script = "seq 2500 > in
                  flume source stdin --summary json < in 2> summary | upper.py | collect.py out
                  diff in out; cat summary
                  flume source stdin < in > recording.flm; collect.py again < recording.flm; diff in again";
    let summary = output_of(script, at.path(), &[path.path()]);
    assert!(summary.contains("\"accepted\":2500"), "{summary}");
}

#[test]
fn source_learns_that_a_sink_in_python_was_killed_and_what_it_had_accepted() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script = "mkfifo pipe; touch out
                  flume source seq --summary json > pipe 2> summary & source=$!
                  collect.py out < pipe & sink=$!
                  until [ $(wc -l < out) -ge 5000 ]; do sleep 0.01; done
                  kill -9 $sink
                  wait $source || echo $?";
    assert_eq!(output_of(script, at.path(), &[path.path()]), "75\n");
    let summary = std::fs::read_to_string(at.path().join("summary")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(summary.lines().last().unwrap()).unwrap();
    let out = std::fs::read_to_string(at.path().join("out")).unwrap();
    let (accepted, lines) = (summary["accepted"].as_u64().unwrap(), out.lines().count() as u64);
    assert!((4000..=lines).contains(&accepted), "{accepted} of {lines}");
}

#[test]
fn library_runs_a_flow_in_this_process() {
    let at = tempfile::tempdir().unwrap();
    let said = output_of("embedded | tail -n 1", at.path(), &[built()]);
    assert_eq!(said, "500 events so far\n");
}

#[test]
fn library_has_transactions() {
    let at = tempfile::tempdir().unwrap();
    let said = output_of("transaction", at.path(), &[built()]);
    assert_eq!(said, "rolled back: one two\ncommitted: one two\nleft: three\n");
}

#[test]
fn client_appends_to_an_address_and_goes_on_with_the_next() {
    let at = tempfile::tempdir().unwrap();
    let script =
        "flume run 'source stream unix:./socket | sink null' --summary json 2> summary & collector=$!
                  until [ -S socket ]; do sleep 0.01; done
                  client unix:./socket
                  client unix:./nobody unix:./socket
                  kill $collector; wait $collector
                  grep -o '\"accepted\":[0-9]*' summary";
    let said = output_of(script, at.path(), &[built()]);
    let accepted = "accepted: 1001 events\n";
    assert_eq!(said, format!("{accepted}{accepted}\"accepted\":2002\n"));
}

#[test]
fn handler_of_ones_own_makes_events_of_posts() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script = "sh -c 'echo $$ > pid; exec flume source lines --listen unix:./http' 2> log | flume cat --output json > out &
                  until grep -q 'listening on' log; do sleep 0.05; done
                  post() { curl --silent --unix-socket ./http --data-binary $'one\ntwo\n' http://localhost$1; }
                  post /logs/a
                  post /
                  kill $(cat pid); wait; cat out";
    let said = output_of(script, at.path(), &[path.path()]);
    let one = r#"{"headers":{"path":"/logs/a"},"body":"one"}"#;
    let two = r#"{"headers":{"path":"/logs/a"},"body":"two"}"#;
    assert_eq!(
        said,
        format!("post to a path, which becomes a header\n{one}\n{two}\n")
    );
}

#[test]
fn selector_of_ones_own_says_where_events_go() {
    let at = tempfile::tempdir().unwrap();
    let script =
        "printf '%s\\n' short 'a line that is longer than that' brief | selector; cat small/* large/*";
    let said = output_of(script, at.path(), &[built()]);
    assert_eq!(said, "short\nbrief\na line that is longer than that\n");
}

#[test]
fn sink_processor_of_ones_own_says_which_sink_gets_a_batch() {
    let at = tempfile::tempdir().unwrap();
    // Batches that wait together are one transaction: how many there are is not known beforehand.
    let script = "sink_processor > said; awk '{ sum += $2 } END { print sum }' said; cut -d ' ' -f 1 said | uniq | head -n 2";
    let said = output_of(script, at.path(), &[built()]);
    assert!(said.starts_with("1000\none\n"), "{said}");
}

#[test]
fn provider_of_ones_own_gives_the_configuration() {
    let (path, at) = (on_the_path(), tempfile::tempdir().unwrap());
    let script = "mkdir conf out
                  echo 'a1.sources = r1
                        a1.channels = c1
                        a1.sinks = k1
                        a1.sources.r1.type = seq
                        a1.sources.r1.totalEvents = 3
                        a1.sources.r1.channels = c1' > conf/10-source.conf
                  echo 'a1.channels.c1.type = memory
                        a1.sinks.k1.type = file_roll
                        a1.sinks.k1.channel = c1
                        a1.sinks.k1.sink.directory = out' > conf/20-sink.conf
                  echo 'a1.sources.r1.totalEvents = 5' > conf/30-later-wins.conf
                  provider a1 conf
                  cat out/*";
    assert_eq!(output_of(script, at.path(), &[path.path()]), "0\n1\n2\n3\n4\n");
    let wrong = bash("mkdir empty; provider a1 empty", at.path(), &[path.path()]);
    assert!(!wrong.status.success(), "{}", told(&wrong));
}

#[test]
fn embedded_agent_delivers_and_goes_on_with_the_next_when_one_is_away() {
    let at = tempfile::tempdir().unwrap();
    let script = "mkdir out
                  flume run 'source avro --port 0 | sink file_roll --directory out --serializer header_and_text' 2> log &
                  until grep -q 'listening on' log; do sleep 0.05; done
                  port=$(sed -n 's/.*listening on tcp:127.0.0.1:\\([0-9]*\\).*/\\1/p' log)
                  seq 100 | embedded_agent 127.0.0.1:1 127.0.0.1:$port
                  kill $!; wait $!
                  cat out/* | tail -n 1
                  cat out/* | wc -l";
    assert_eq!(
        output_of(script, at.path(), &[built()]),
        "{program=example} 100\n100\n"
    );
}
