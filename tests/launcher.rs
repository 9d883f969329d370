//! `flume-ng`, the command of Apache Flume's launcher, as a link to the program.

use crate::avro::{collector, lines_of, port};
use crate::pipe::{Pipe, Running};
use crate::shell::{bash, output_of, told};
use rustix::process::Signal;
use std::path::Path;

const CONF: &str = "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.channels.c1.type = memory\n\
                    a1.sinks.k1.type = null\na1.sinks.k1.channel = c1\na1.sources.r1.type = seq\n\
                    a1.sources.r1.totalEvents = 0\na1.sources.r1.channels = c1\n";

/// A directory with the link and a configuration.
fn linked() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(crate::pipe::FLUME, directory.path().join("flume-ng")).unwrap();
    std::fs::write(directory.path().join("a.conf"), CONF).unwrap();
    directory
}

fn agent(directory: &Path, words: &str) -> Running {
    Pipe::foreign(&format!("exec ./flume-ng {words}"))
        .dir(directory)
        .start()
}

/// Ends with this status and says so on either output.
#[track_caller]
fn says(words: &str, status: i32, expected: &[&str]) {
    let directory = linked();
    let output = bash(&format!("./flume-ng {words}"), directory.path(), &[]);
    let all = told(&output);
    assert_eq!(output.status.code(), Some(status), "{all}");
    for part in expected {
        assert!(all.contains(part), "no \"{part}\" in {all}");
    }
}

#[test]
fn agent_takes_every_option_and_names_in_one_line_what_means_nothing() {
    let directory = linked();
    let env = "# export COMMENTED=1\nexport JAVA_OPTS=\"-Xmx1g\"\nexport FLUME_CLASSPATH=/x\n";
    std::fs::write(directory.path().join("flume-env.sh"), env).unwrap();
    let words = "agent -n a1 -c . -f a.conf --no-control -Dflume.root.logger=INFO,console -Xmx20m -C a.jar \
                 --plugins-path /p -javaagent:x.jar -no-reload-conf";
    let running = agent(directory.path(), words);
    running.wait_for(0, "agent: a1 runs");
    running.kill(0, Signal::TERM);
    let said = running.wait().expect_status([0]).stderr(0).to_string();
    let ignored = "nothing is done with -Xmx20m -C a.jar --plugins-path /p -javaagent:x.jar\n";
    assert!(said.contains(ignored), "{said}");
    assert!(
        said.contains("./flume-env.sh is not run, and sets FLUME_CLASSPATH:"),
        "{said}"
    );
    // So does our own command, whose level is asked for as in Flume.
    let words = "agent -n a1 -f a.conf --no-control -Xmx20m -agentlib:jdwp -Dflume.root.logger=DEBUG,console";
    let running = Pipe::new(words).dir(directory.path()).start();
    running.wait_for(0, "agent: a1 runs").kill(0, Signal::TERM);
    let said = running.wait().expect_status([0]).stderr(0).to_string();
    assert!(
        said.contains("nothing is done with -Xmx20m -agentlib:jdwp\n"),
        "{said}"
    );
}

#[test]
fn dry_run_prints_what_would_run() {
    let directory = linked();
    let words = "agent --name a1 --conf . --conf-file 'my flume.conf' -Da=b --dryrun";
    let said = output_of(&format!("./flume-ng {words}"), directory.path(), &[]);
    assert_eq!(said, "flume agent --name a1 --conf-file 'my flume.conf' -Da=b\n");
    let said = output_of("flume flume-ng avro-client -d -H h -p 1", directory.path(), &[]);
    assert_eq!(said, "flume send -H h -p 1 --line-end any\n");
}

#[test]
fn commands_have_help_and_hints() {
    says("help", 0, &["agent", "avro-client", "tool"]);
    says("version", 0, &["flume "]);
    says("agent --help", 0, &["--conf-uri", "--zkConnString"]);
    says("avro-client -h", 0, &["--headerFile", "--dirname"]);
    says("tool fcintegritytool --help", 0, &["--dataDirs"]);
    says("agnt", 2, &["did you mean \"agent\"?"]);
    says("tool fsck", 2, &["there is fcintegritytool"]);
    says("agent -c", 2, &["-c needs a value"]);
    says("node -f a.conf", 2, &["old name of agent", "--name"]);
}

#[test]
fn avro_client_sends_lines_with_headers_as_java_reads_them() {
    let taker = collector("").start();
    let port = port(&taker, 0);
    let directory = linked();
    let at = directory.path();
    std::fs::write(at.join("lines"), "one\r\ntwo\rthree\nfour").unwrap();
    std::fs::write(at.join("headers"), "state = CZ\n").unwrap();
    let client = format!("./flume-ng avro-client -H 127.0.0.1 -p {port}");
    output_of(
        &format!("{client} -F lines -R headers && echo five | {client}"),
        at,
        &[],
    );
    std::fs::write(at.join("rpc"), format!("hosts = h\nhosts.h = 127.0.0.1:{port}\n")).unwrap();
    std::fs::create_dir(at.join("spool")).unwrap();
    std::fs::write(at.join("spool/x"), format!("six\n{}\n", "7".repeat(2050))).unwrap();
    output_of(
        "./flume-ng avro-client --rpcProps rpc --dirname spool && [ -e spool/x.COMPLETED ]",
        at,
        &[],
    );
    taker.kill(0, Signal::TERM);
    let ended = taker.wait().expect_status([0, 0, 0]);
    let mut expected = ["one", "two", "three", "four", "five", "six", "77"]
        .map(String::from)
        .to_vec();
    expected.push("7".repeat(2048));
    expected.sort();
    assert_eq!(lines_of(&ended), expected);
}

#[test]
fn avro_client_that_delivers_nothing_says_so_by_its_status() {
    says(
        "avro-client -H 127.0.0.1 -p 1 -F a.conf --retry-for 0",
        75,
        &["127.0.0.1:1"],
    );
    says(
        "avro-client -H 127.0.0.1 -p 1 -F a.conf --dirname .",
        2,
        &["--dirname"],
    );
    says("avro-client -F a.conf", 2, &["--rpcProps"]);
}

/// Flip a bit of what the first frame of the only segment holds.
fn damage(data: &Path) {
    let path = std::fs::read_dir(data).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&path).unwrap();
    let frame = bytes.windows(4).position(|word| word == b"FLM1").unwrap();
    bytes[frame + 50] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn integrity_tool_checks_and_mends_our_channels_and_knows_flumes() {
    let directory = linked();
    let at = directory.path();
    output_of(
        "seq 10 | flume source stdin | flume channel file spool --put",
        at,
        &[],
    );
    let tool = "./flume-ng tool fcintegritytool";
    for given in ["spool", "spool/data,spool"] {
        let said = output_of(&format!("{tool} -l {given}"), at, &[]);
        assert!(
            said.contains("is sound") && said.contains("Number of Events in the Channel = 10\n"),
            "{said}"
        );
        assert!(said.contains("Number of Valid Put Events = 10\n"), "{said}");
        assert!(said.contains("Number of Corrupt Events = 0\n"), "{said}");
    }
    damage(&at.join("spool/data"));
    let said = output_of(&format!("{tool} --dataDirs spool"), at, &[]);
    assert!(
        said.contains("repaired:") && !said.contains("Number of Corrupt Events = 0\n"),
        "{said}"
    );
    let said = output_of(&format!("{tool} --dataDirs spool"), at, &[]);
    assert!(said.contains("Number of Corrupt Events = 0\n"), "{said}");
    says(
        "tool fcintegritytool -l /nowhere/x",
        2,
        &["/nowhere/x is no directory"],
    );
    says(
        "tool fcintegritytool -l . -e com.example.V -Da=b",
        2,
        &["no Java here"],
    );
    says("tool fcintegritytool", 2, &["--dataDirs"]);
    std::fs::create_dir(at.join("old")).unwrap();
    std::fs::write(at.join("old/log-1"), "").unwrap();
    let output = bash(&format!("{tool} -l old"), at, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("another format"), "{}", told(&output));
}
