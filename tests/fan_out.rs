//! Selectors and sink groups as stages of a shell pipeline: what goes where, what a failure of one branch does to
//! the others, and that nothing acknowledged is lost when one of them is killed.

use crate::pipe::Pipe;
use crate::shell::{bash, output_of, told};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const STATES: &str = "printf '%s\\n' 'CZ 1' 'US 2' 'CZ 3' 'DE 4' 'XX 5' > app.log;
    by_state() { flume source stdin < app.log | flume intercept regex '^(?P<state>\\S+)' \
    | flume select multiplexing --header state \"$@\"; };";

fn lines(at: &Path, directory: &str) -> Vec<String> {
    let text = output_of(&format!("cat {directory}/*"), at, &[]);
    text.lines().map(str::to_string).collect()
}

#[test]
fn cases_are_pipelines_of_their_own() {
    let at = tempfile::tempdir().unwrap();
    let script = format!(
        "{STATES} by_state --case CZ='sink file_roll --directory cz' \
         --mapping US='@us channel memory | sink file_roll --directory us' --case DE=@us \
         --case DE='channel file spool --put' --default 'sink file_roll --directory rest'
         flume cat spool"
    );
    assert_eq!(output_of(&script, at.path(), &[]), "DE 4\n");
    assert_eq!(lines(at.path(), "cz"), ["CZ 1", "CZ 3"]);
    assert_eq!(lines(at.path(), "us"), ["US 2", "DE 4"]);
    assert_eq!(lines(at.path(), "rest"), ["XX 5"]);
}

#[test]
fn event_without_a_case_is_dropped_counted_and_said() {
    let at = tempfile::tempdir().unwrap();
    let script = format!("{STATES} by_state --case CZ='sink null' --summary json");
    let output = bash(&script, at.path(), &[]);
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("\"accepted\":5") && said.contains("\"filtered\":3"),
        "{said}"
    );
    assert_eq!(said.matches("the selector has no channel").count(), 1, "{said}");
}

#[test]
fn optional_branch_that_fails_is_counted_and_the_others_go_on() {
    let at = tempfile::tempdir().unwrap();
    let script = "seq 100 | flume source stdin | flume select replicating --to 'sink file_roll --directory a' \
                  --optional 'sink file_roll --directory /proc/none' --summary json";
    let output = bash(script, at.path(), &[]);
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("\"accepted\":100") && said.contains("\"refused\":100"),
        "{said}"
    );
    assert_eq!(lines(at.path(), "a").len(), 100);
}

#[test]
fn required_branch_that_fails_ends_the_stage_with_its_status_and_the_source_knows() {
    let at = tempfile::tempdir().unwrap();
    let script = "seq 100 | flume source stdin | flume select replicating --to 'sink file_roll --directory a' \
                  --to 'sink file_roll --directory /proc/none' || echo \"${PIPESTATUS[@]}\"";
    let output = bash(script, at.path(), &[]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "0 75 1\n",
        "{}",
        told(&output)
    );
    assert_eq!(told(&output).matches("cannot be created").count(), 1);
}

#[test]
fn events_are_shared_out_among_channels() {
    let at = tempfile::tempdir().unwrap();
    let script = "flume run 'source seq --total-events 9 | select load_balancing --policy ROUND_ROBIN \
                  --to \"sink file_roll --directory a\" --to \"channel memory | sink file_roll --directory b\"'";
    output_of(script, at.path(), &[]);
    assert_eq!(lines(at.path(), "a"), ["0", "2", "4", "6", "8"]);
    assert_eq!(lines(at.path(), "b"), ["1", "3", "5", "7"]);
}

#[test]
fn wrong_branches_are_told_before_anything_is_taken() {
    let at = tempfile::tempdir().unwrap();
    for (words, says) in [
        ("select replicating", "--to"),
        ("select replicating --to 'sink nul'", "did you mean \"null\""),
        (
            "select replicating --to 'channel memory'",
            "nobody takes from channel memory",
        ),
        (
            "select replicating --to 'source seq | sink null'",
            "takes in events of its own",
        ),
        (
            "select replicating --to '@a sink null' --to '@a sink null'",
            "said twice",
        ),
        ("select multiplexing --case CZ=@a", "@a is not said"),
        ("select replicating --to 'intercept host'", "a sink is missing"),
        ("group default --to 'sink null' --to 'sink null'", "one sink"),
        ("group load_balance --to 'sink null'", "two sinks"),
        (
            "group failover --to 'channel memory'",
            "begins with the word sink",
        ),
        ("group failover --to 'sink null' --priority k2=1", "there are k1"),
    ] {
        let output = bash(&format!("flume {words} < /dev/null"), at.path(), &[]);
        assert_eq!(output.status.code(), Some(2), "{words}: {}", told(&output));
        assert!(told(&output).contains(says), "{words}: {}", told(&output));
    }
}

#[test]
fn failover_goes_to_the_next_sink_and_back_when_the_first_works() {
    let at = tempfile::tempdir().unwrap();
    let group = "flume group failover --maxpenalty 300 --to '@far sink stream unix:socket' \
                 --to '@near sink file_roll --directory near' --priority far=2 --priority near=1";
    let script = format!(
        "mkfifo lines; flume source stdin --batch-timeout 10ms < lines | {group} & exec 3> lines
         echo one >&3; until grep -qs one near/.*; do sleep 0.02; done
         flume run 'source stream --listen unix:socket | channel file spool --put' 3>&- & server=$!
         until flume cat spool 2> /dev/null | grep -q .; do echo more >&3; sleep 0.05; done
         exec 3>&-; wait %1; kill $server; wait $server"
    );
    let output = bash(&script, at.path(), &[]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("far: it works again"), "{}", told(&output));
}

/// Numbers that are in what the command prints.
fn numbers(at: &Path, command: &str) -> BTreeSet<u64> {
    let text = output_of(command, at, &[]);
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn nothing_is_lost_when_a_selector_is_killed() {
    const EVENTS: u64 = 30_000;
    let at = tempfile::tempdir().unwrap();
    let fill = format!(
        "flume source seq --total-events {EVENTS} --batch-size 50 | flume channel file ./spool --put"
    );
    output_of(&fill, at.path(), &[]);
    let start = || {
        Pipe::new("channel file ./spool --take --until-empty")
            .dir(at.path())
            .patience(Duration::from_secs(120))
            .then(
                "select replicating --to 'sink file_roll --directory a' \
                 --to 'channel file b | sink file_roll --directory c'",
            )
            .start()
    };
    for round in 0..6 {
        let running = start();
        std::thread::sleep(Duration::from_millis(15 * (round + 1)));
        running.kill(1, Signal::KILL);
        running.wait();
    }
    start().wait().expect_status([0, 0]);
    for directory in ["a", "c"] {
        let found = numbers(at.path(), &format!("cat {directory}/*"));
        assert_eq!(found.len() as u64, EVENTS, "{directory}");
    }
}

#[test]
fn nothing_is_lost_when_the_first_of_two_sinks_is_killed() {
    const EVENTS: u64 = 20_000;
    let at = tempfile::tempdir().unwrap();
    let server = || {
        Pipe::new("run 'source stream --listen unix:socket | channel file far --put'")
            .dir(at.path())
            .patience(Duration::from_secs(120))
            .start()
    };
    let first = server();
    first.address(0);
    let sending = Pipe::new(&format!("source seq --total-events {EVENTS} --batch-size 10"))
        .dir(at.path())
        .patience(Duration::from_secs(120))
        .then(
            "group failover --maxpenalty 50 --to 'sink stream unix:socket' \
             --to 'sink file_roll --directory near'",
        )
        .start();
    std::thread::sleep(Duration::from_millis(60));
    first.kill(0, Signal::KILL);
    first.wait();
    let second = server();
    sending.wait().expect_status([0, 0]);
    // All may be done before it has come so far that it ends in order.
    second.address(0);
    second.kill(0, Signal::TERM);
    second.wait().expect_status([0]);
    let found = numbers(at.path(), "flume cat far; cat near/* || true");
    assert_eq!(found.len() as u64, EVENTS);
}

#[test]
fn pipelines_meet_and_part_at_channels_in_one_process() {
    let at = tempfile::tempdir().unwrap();
    let script = "seq 1 500 > a; seq 501 1000 > b
        flume run --summary json 'source exec \"cat a\" | @c1 channel memory; source exec \"cat b\" | @c1;
            @c1 | group load_balance --to \"sink file_roll --directory one\" --to \"sink file_roll --directory two\"'
        find one two -type f -exec cat {} + | sort -n | diff - <(seq 1000) && echo same";
    let output = bash(script, at.path(), &[]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("same"), "{}", told(&output));
    assert!(
        told(&output).contains("\"received\":1000") && told(&output).contains("\"accepted\":1000"),
        "{}",
        told(&output)
    );
}

#[test]
fn selector_of_a_graph_sends_to_channels_that_are_shared() {
    let at = tempfile::tempdir().unwrap();
    let text = "# states\n@cz channel memory\n; @rest channel file spool;\n
        source exec 'cat app.log' | intercept regex '^(?P<state>\\S+)'
            | select multiplexing --header state --case CZ=@cz --default @rest --optional US=@cz;
        @cz | sink file_roll --directory cz;
        @rest | sink file_roll --directory rest\n";
    std::fs::write(at.path().join("states.flume"), text).unwrap();
    let script = "printf '%s\\n' 'CZ 1' 'US 2' 'CZ 3' 'DE 4' > app.log; flume run -f states.flume";
    output_of(script, at.path(), &[]);
    // What a channel may lose goes there for itself, behind or in front of what it has to take.
    let mut cz = lines(at.path(), "cz");
    cz.sort();
    assert_eq!(cz, ["CZ 1", "CZ 3", "US 2"]);
    assert_eq!(lines(at.path(), "rest"), ["US 2", "DE 4"]);
}

#[test]
fn graph_ends_in_order_at_a_signal() {
    let at = tempfile::tempdir().unwrap();
    let running = Pipe::new(
        "run --summary json 'source seq | @c1 channel memory; @c1 | sink file_roll --directory a; \
         @c1 | sink file_roll --directory b'",
    )
    .dir(at.path())
    .start();
    while numbers(at.path(), "cat a/.*progress b/.*progress 2> /dev/null || true").len() < 1000 {}
    running.kill(0, Signal::TERM);
    let ended = running.wait().expect_status([0]);
    let said: serde_json::Value = serde_json::from_str(ended.stderr(0).lines().last().unwrap()).unwrap();
    assert_eq!(said["received"], said["accepted"], "{said}");
    let found = numbers(at.path(), "cat a/* b/*");
    assert_eq!(found.len() as u64, said["accepted"].as_u64().unwrap());
}

#[test]
fn what_is_wrong_with_one_of_several_pipelines_is_told_with_its_place() {
    let at = tempfile::tempdir().unwrap();
    let output = bash(
        "flume run 'source seq | @c1 channel memory; @c1 | sink nul'",
        at.path(),
        &[],
    );
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let said = told(&output);
    assert!(
        said.contains("pipeline 2 of 2: stage 2 of 2, sink nul") && said.contains("did you mean \"null\""),
        "{said}"
    );
}
