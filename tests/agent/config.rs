//! `flume check`: what is wrong with properties files, and what of them would start.
//!
//! Each file in `bad/` says at its head what is expected: options, exit status, what starts, and each problem with
//! its line, as far as its first words. Each in `guide/` is a configuration that Flume's user guide describes, and
//! is sound.

use crate::pipe::FLUME;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn check(words: &[&str], directory: &Path) -> Output {
    Command::new(FLUME)
        .arg("check")
        .args(words)
        .current_dir(directory)
        .env("HOME", "/home/flume")
        .env("LISTEN_PORT", "44442")
        .env("STORE_PASSWORD", "changeit")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The lines of JSON: problems, and the one about all.
fn rows(output: &Output) -> (Vec<serde_json::Value>, serde_json::Value) {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut rows: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all = rows.pop().unwrap_or_else(|| panic!("{}", told(output)));
    (rows, all)
}

/// The files of a folder beside this one.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/agent")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// All names of what starts.
fn starting(all: &serde_json::Value) -> String {
    let agents = all["agents"].as_array().unwrap().iter();
    let kinds = agents.flat_map(|agent| agent["starts"].as_object().unwrap().values());
    let names: Vec<&str> = kinds
        .flat_map(|names| names.as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    names.join(" ")
}

fn shown(problem: &serde_json::Value) -> String {
    let text = |key: &str| problem[key].as_str().unwrap().to_string();
    let component = match &text("component")[..] {
        "" => String::new(),
        component => format!("{component}: "),
    };
    let line = &problem["line"];
    format!("{} {line} {component}{}", text("severity"), text("message"))
}

/// Does a file get what its head says?
fn check_head(file: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(file).unwrap();
    let head: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
    let field = |name: &str| {
        head.iter()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let mut words: Vec<&str> = field("args:").unwrap_or_default().split_whitespace().collect();
    words.extend(["--json", file.to_str().unwrap()]);
    let output = check(&words, Path::new("/"));
    let (problems, all) = rows(&output);
    let said: Vec<String> = problems.iter().map(shown).collect();
    let is_expectation = |line: &&str| line.starts_with("error ") || line.starts_with("warning ");
    let expected: Vec<&str> = head.iter().copied().filter(is_expectation).collect();
    expect_beginnings(file, &said, &expected);
    let shown = file.display();
    assert_eq!(Some(&starting(&all)[..]), field("starts:"), "{shown}");
    let status = output.status.code();
    let expected = field("status:").and_then(|word| word.parse().ok());
    assert_eq!(status, expected, "{shown}: {}", told(&output));
    status
}

/// Each thing that is said begins as expected, and there are no others.
fn expect_beginnings(file: &Path, said: &[String], expected: &[&str]) {
    let begins = |(said, begin): (&String, &&str)| said.starts_with(begin);
    let all_begin_so = said.len() == expected.len() && said.iter().zip(expected).all(begins);
    assert!(all_begin_so, "{}: {said:#?}", file.display());
}

#[test]
fn broken_files_say_what_is_broken_and_what_starts() {
    let all = files("bad");
    assert!(all.len() >= 39, "{all:?}");
    for file in all {
        check_head(&file);
    }
}

#[test]
fn configurations_of_the_guide_are_sound() {
    let all = files("guide");
    assert!(all.len() >= 39, "{all:?}");
    for file in all {
        assert_eq!(check_head(&file), Some(0), "{}", file.display());
    }
}

#[test]
fn text_names_file_line_and_component_and_json_has_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let text = "a.sources = s\na.channels = c\na.sources.s.type = seq\na.sources.s.prot = 1\n\
                a.sources.s.channels = c\na.channels.c.type = memory\n";
    std::fs::write(directory.path().join("x.conf"), text).unwrap();
    let output = check(&["x.conf"], directory.path());
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        stdout,
        "x.conf:4: error: source s: prot is no property of seq\nagent a starts sources s, channels c\n"
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("not sound: errors 1, warnings 0"),
        "{}",
        told(&output)
    );
    let (problems, all) = rows(&check(&["--output", "json", "x.conf"], directory.path()));
    assert_eq!(
        (&problems[0]["file"], &problems[0]["agent"]),
        (&"x.conf".into(), &"a".into())
    );
    assert_eq!((&all["sound"], &all["errors"]), (&false.into(), &1.into()));
}

#[test]
fn status_says_sound_findings_or_cannot_tell() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let sound = "a.sources = s\na.channels = c\na.sources.s.type = seq\na.sources.s.channels = c\n\
                 a.channels.c.type = memory\n";
    write("sound", sound);
    write("warned", &format!("{sound}a.sources.s.totalEvents =\n"));
    write(
        "more",
        "a.sinks = k\na.sinks.k.type = null\na.sinks.k.channel = c\n",
    );
    let status = |words: &[&str]| check(words, directory.path()).status.code();
    assert_eq!(status(&["sound", "warned"]), Some(0));
    assert_eq!(status(&["--strict", "sound", "warned"]), Some(1));
    assert_eq!(status(&["sound", "more"]), Some(1));
    assert_eq!(status(&["--together", "sound", "more"]), Some(0));
    assert_eq!(status(&["sound", "missing"]), Some(2));
    assert_eq!(status(&["--together", "sound", "missing"]), Some(2));
    assert_eq!(status(&["--frobnicate", "sound"]), Some(2));
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&["--name", "b", "sound"]), Some(1));
}

#[test]
fn deep_looks_at_ports_directories_and_key_stores() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!(
        "a.sources = s t\na.channels = c\na.sinks = k\n\
         a.sources.s.type = netcat\na.sources.s.bind = 127.0.0.1\na.sources.s.port = {port}\na.sources.s.channels = c\n\
         a.sources.t.type = avro\na.sources.t.bind = 127.0.0.1\na.sources.t.port = 0\na.sources.t.channels = c\n\
         a.sources.t.ssl = true\na.sources.t.keystore = none.p12\na.sources.t.keystore-password = hunter2\n\
         a.channels.c.type = file\na.channels.c.checkpointDir = file/cp\na.channels.c.dataDirs = new/data\n\
         a.sinks.k.type = file_roll\na.sinks.k.sink.directory = nowhere\na.sinks.k.channel = c\n"
    );
    std::fs::write(directory.path().join("x.conf"), text).unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let shallow = check(&["x.conf"], directory.path());
    assert_eq!(shallow.status.code(), Some(0), "{}", told(&shallow));
    let output = check(&["--deep", "--json", "x.conf"], directory.path());
    let (problems, _) = rows(&output);
    let said: Vec<String> = problems.iter().map(shown).collect();
    let port = format!("error 6 source s: nobody can listen on 127.0.0.1, port {port}: ");
    let expected = [
        &*port,
        "error 13 source t: keystore: none.p12: ",
        "error 16 channel c: checkpointDir is file/cp: file: that is no directory",
        "error 19 sink k: sink.directory is nowhere: ",
    ];
    expect_beginnings(Path::new("x.conf"), &said, &expected);
    assert!(!told(&output).contains("hunter2"));
    assert!(!directory.path().join("new").exists() && !directory.path().join("nowhere").exists());
}

/// A source of each kind in the way of which something stands, all by one file in the place of a directory.
#[test]
fn deep_looks_at_what_sources_read_and_where_they_note_positions() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("file"), "").unwrap();
    std::fs::write(at("broken"), r#"[{"inode":1,"pos":2}]"#).unwrap();
    std::fs::create_dir_all(at("spool")).unwrap();
    let text = "a.sources = t u v w x y\na.channels = c\n\
         a.sources.t.type = taildir\na.sources.t.filegroups = one two\n\
         a.sources.t.filegroups.one = gone/.*\na.sources.t.filegroups.two = file/.*\n\
         a.sources.t.positionFile = file/positions\na.sources.t.channels = c\n\
         a.sources.u.type = taildir\na.sources.u.files = .*\na.sources.u.positionFile = broken\na.sources.u.channels = c\n\
         a.sources.v.type = spooldir\na.sources.v.spoolDir = file\na.sources.v.channels = c\n\
         a.sources.w.type = spooldir\na.sources.w.spoolDir = spool\na.sources.w.trackerDir = ../file/in\na.sources.w.channels = c\n\
         a.sources.x.type = sql\na.sources.x.url = sqlite:app.db\na.sources.x.table = log\na.sources.x.column = id\n\
         a.sources.x.positionFile = spool\na.sources.x.channels = c\n\
         a.sources.y.type = spooldir\na.sources.y.spoolDir = spool\na.sources.y.channels = c\n\
         a.channels.c.type = memory\n";
    std::fs::write(at("x.conf"), text).unwrap();
    let output = check(&["--deep", "--json", "x.conf"], directory.path());
    let (problems, _) = rows(&output);
    let errors = problems.iter().filter(|problem| problem["severity"] == "error");
    let said: Vec<String> = errors.map(shown).collect();
    let shown = directory.path().display();
    let expected = [
        &*format!("error 5 source t: filegroups.one: the directory {shown}/gone: No such file"),
        &*format!("error 6 source t: filegroups.two: the directory {shown}/file: that is no directory"),
        "error 7 source t: positionFile is file/positions: file: that is no directory",
        "error 11 source u: the position file broken ",
        "error 14 source v: spoolDir is file: that is no directory",
        "error 18 source w: trackerDir is spool/../file/in: spool/../file: that is no directory",
        "error 24 source x: positionFile is spool: that is a directory, and no file",
    ];
    expect_beginnings(Path::new("x.conf"), &said, &expected);
    let left = std::fs::read_dir(at("spool")).unwrap().count();
    assert_eq!(left, 0, "looking changes nothing");
}

/// A port of UDP is another one than that of TCP.
#[test]
fn deep_looks_at_ports_of_tcp_and_udp_apart() {
    let directory = tempfile::tempdir().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let held = (tcp, udp);
    let (tcp, udp) = (
        held.0.local_addr().unwrap().port(),
        held.1.local_addr().unwrap().port(),
    );
    let source = |name: &str, words: &str| {
        let own = words.split(';').map(|word| format!("a.sources.{name}.{word}\n"));
        own.collect::<String>()
    };
    let mut text = "a.sources = p q r s t u\na.channels = c\na.channels.c.type = memory\n".to_string();
    for (name, words) in [
        (
            "p",
            format!("type=netcatudp;bind=127.0.0.1;port={tcp};channels=c"),
        ),
        (
            "q",
            format!("type=netcatudp;bind=127.0.0.1;port={udp};channels=c"),
        ),
        (
            "r",
            format!("type=syslogudp;host=127.0.0.1;port={udp};channels=c"),
        ),
        (
            "s",
            format!("type=syslog;bind=127.0.0.1;tcp=true;udp={udp};port={tcp};channels=c"),
        ),
        (
            "t",
            format!("type=multiport_syslogtcp;host=127.0.0.1;ports=0 {tcp};channels=c"),
        ),
        ("u", "type=stream;listen=unix:none/socket;channels=c".to_string()),
    ] {
        text += &source(name, &words);
    }
    std::fs::write(directory.path().join("x.conf"), text).unwrap();
    let output = check(&["--deep", "--json", "x.conf"], directory.path());
    let (problems, _) = rows(&output);
    let errors = problems.iter().filter(|problem| problem["severity"] == "error");
    let said: Vec<String> = errors.map(shown).collect();
    let (tcp, udp) = (
        format!("nobody can listen on 127.0.0.1, port {tcp}: "),
        format!("nobody can listen on 127.0.0.1, port {udp} of UDP: "),
    );
    let expected = [
        &*format!("error 10 source q: {udp}"),
        &*format!("error 14 source r: {udp}"),
        &*format!("error 19 source s: {udp}"),
        &*format!("error 20 source s: {tcp}"),
        &*format!("error 24 source t: {tcp}"),
        "error 27 source u: nobody can listen at none/socket: ",
    ];
    expect_beginnings(Path::new("x.conf"), &said, &expected);
}

/// TLS that is turned on by an older name must not be left out.
#[test]
fn older_names_of_properties_count() {
    let directory = tempfile::tempdir().unwrap();
    let text = "a.sources = h\na.channels = c\na.channels.c.type = memory\n\
        a.sources.h.type = http\na.sources.h.channels = c\na.sources.h.bind = 127.0.0.1\na.sources.h.port = 0\n\
        a.sources.h.enableSSL = true\na.sources.h.keystore = none.p12\na.sources.h.keystorePassword = hunter2\n\
        a.sources.h.QueuedThreadPool.maxThreads = 9\n";
    std::fs::write(directory.path().join("x.conf"), text).unwrap();
    let output = check(&["--deep", "--json", "x.conf"], directory.path());
    let (problems, _) = rows(&output);
    let errors = problems.iter().filter(|problem| problem["severity"] == "error");
    let said: Vec<String> = errors.map(shown).collect();
    expect_beginnings(
        Path::new("x.conf"),
        &said,
        &["error 9 source h: keystore: none.p12: "],
    );
    assert!(!told(&output).contains("hunter2"));
    std::fs::write(
        directory.path().join("x.conf"),
        format!("{text}a.sources.h.ssl = false\n"),
    )
    .unwrap();
    let output = check(&["--json", "x.conf"], directory.path());
    assert!(
        told(&output).contains("enableSSL is passed over: it is an older name of ssl, which is there"),
        "{}",
        told(&output)
    );
}

/// The store was made by Java; its keys are known to the tests of the reader.
#[test]
fn passwords_come_out_of_a_credential_store_and_into_no_message() {
    let directory = tempfile::tempdir().unwrap();
    let store = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/agent/config/filters/hadoop.jceks"
    );
    let text = |key: &str| {
        format!(
            "a.sources = s\na.channels = c\na.configfilters = f\n\
             a.configfilters.f.type = hadoop\na.configfilters.f.credential.provider.path = jceks://file{store}\n\
             a.channels.c.type = memory\na.sources.s.type = avro\na.sources.s.channels = c\n\
             a.sources.s.bind = localhost\na.sources.s.port = 4141\n\
             a.sources.s.keystore-password = ${{f['{key}']}}\na.sources.s.threads = ${{f['{key}']}}\n"
        )
    };
    std::fs::write(directory.path().join("there"), text("storePassword")).unwrap();
    std::fs::write(directory.path().join("missing"), text("nothing")).unwrap();
    let output = check(&["--json", "there"], directory.path());
    let said: Vec<String> = rows(&output).0.iter().map(shown).collect();
    let expected = [
        "error 1 nothing of agent a starts",
        "warning 6 channel c: no source puts into it",
        "error 12 source s: threads is something that is not shown",
    ];
    expect_beginnings(Path::new("there"), &said, &expected);
    assert!(!told(&output).contains("hunter2"), "{}", told(&output));
    let output = check(&["--json", "missing"], directory.path());
    let said: Vec<String> = rows(&output).0.iter().map(shown).collect();
    let is_told = |said: &String| said.contains("stays as it is") && said.contains("has no nothing");
    assert!(said.iter().any(is_told), "{said:?}");
}
