//! Where an agent's configuration comes from: HTTP servers, programs, ZooKeeper; and what is kept of it.

mod server;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use crate::net::certificates::Authority;
use crate::pipe::{Pipe, Running};
use rustix::process::Signal;
use server::Server;
use std::path::Path;

/// An agent with these sources, which come to their ends at once.
fn agent_of(sources: &[&str]) -> String {
    let mut text = format!(
        "a1.sources = {}\na1.channels = c1\na1.sinks = k1\na1.channels.c1.type = memory\n\
         a1.sinks.k1.type = null\na1.sinks.k1.channel = c1\n",
        sources.join(" ")
    );
    for name in sources {
        text += &format!(
            "a1.sources.{name}.type = seq\na1.sources.{name}.totalEvents = 0\n\
             a1.sources.{name}.channels = c1\n"
        );
    }
    text
}

/// The agent with this source of its configuration, running.
fn agent(directory: &Path, words: &str) -> Running {
    let running = Pipe::new(&format!("agent --name a1 --no-control {words}"))
        .dir(directory)
        .start();
    running.wait_for(0, "agent: a1 runs");
    running
}

#[track_caller]
fn end(running: Running) -> String {
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0]).stderr(0).to_string()
}

/// The agent does not start, with this status, and says why.
#[track_caller]
fn refused(words: &str, status: i32, why: &'static str) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.conf"), agent_of(&["r1"])).unwrap();
    Pipe::new(&format!("agent --name a1 --no-control {words}"))
        .dir(directory.path())
        .run()
        .expect_status([status])
        .says(0, [why]);
}

#[test]
fn configuration_of_an_http_server_is_followed_and_asked_for_only_if_it_has_changed() {
    let server = Server::start(&agent_of(&["r1"]));
    let directory = tempfile::tempdir().unwrap();
    let uri = format!("http://{}/a1.properties", server.address);
    let running = agent(directory.path(), &format!("-u {uri} -i 20ms -f a.conf"));
    running.wait_for(0, "--conf-file is ignored, since --conf-uri is given");
    server.wait_answer(304);
    server.set(&agent_of(&["r1", "r2"]));
    running.wait_for(0, "read again: started source r2");
    // What the server does not give, or gives broken, leaves the agent alone; it is looked for again.
    for (status, said) in [(404, "is not there (status 404)"), (500, "status 500")] {
        server.fail(Some(status));
        running.wait_for(0, said);
    }
    server.fail(None);
    server.set("a1.sources = r1\na1.sources.r1.type = \\ux");
    running.wait_for(0, "the new configuration is not taken");
    server.set(&agent_of(&["r1", "r2", "r3"]));
    running.wait_for(0, "read again: started source r3");
    end(running);
    let requests = server.requests();
    assert!(!requests[0].contains("if-modified-since"), "{}", requests[0]);
    assert!(
        requests[0].contains("content-type: text/x-java-properties"),
        "{}",
        requests[0]
    );
    assert!(requests[1].contains("if-modified-since"), "{}", requests[1]);
}

#[test]
fn user_and_password_are_shown_to_a_server_that_wants_them() {
    let server = Server::start(&agent_of(&["r1"]));
    server.only_for("me:se cret");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("password"), "se cret\n").unwrap();
    let uri = format!("http://{}/a1", server.address);
    let said = end(agent(
        directory.path(),
        &format!("-u {uri} -user me -pwd file:password"),
    ));
    assert!(!said.contains("se cret") && !said.contains("warning"), "{said}");
    // As Flume has it, which everybody can see.
    let said = end(agent(
        directory.path(),
        &format!("-u {uri} --conf-user me --conf-password 'se cret'"),
    ));
    assert!(
        said.contains("command line") && !said.contains("se cret"),
        "{said}"
    );
    refused(&format!("-u {uri}"), 1, "give --conf-user and --conf-password");
    refused(
        &format!("-u {uri} -user me -pwd file:/nowhere/x"),
        1,
        "/nowhere/x cannot be read",
    );
}

#[test]
fn name_of_a_tls_server_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let signed = Authority::new(at, "ca").sign("server");
    let server = Server::start_tls(&agent_of(&["r1"]), &signed.cert, &signed.key);
    let port = server.address.port();
    let trust = format!("-Djavax.net.ssl.trustStore={}", at.join("ca.pem").display());
    end(agent(at, &format!("{trust} -u https://localhost:{port}/a1")));
    // Nobody has signed for this name, which is the same host.
    refused(&format!("{trust} -u https://127.0.0.2:{port}/a1"), 1, "127.0.0.2");
    refused(&format!("-u https://localhost:{port}/a1"), 1, "cannot be fetched");
}

#[test]
fn program_on_the_path_prints_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let script =
        "#!/bin/sh\n[ -e \"$2\" ] || { echo \"no $2\" >&2; exit 3; }\necho \"# for $1\"; cat \"$2\"\n";
    let program = at.join("flume-config-mine");
    std::fs::write(&program, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    std::fs::write(at.join("text"), agent_of(&["r1"])).unwrap();
    let path = format!("{}:{}", at.display(), std::env::var("PATH").unwrap());
    let pipe = |words: &str| {
        let words = format!("agent --name a1 --no-control {words}");
        Pipe::new(&words).dir(at).env("PATH", &path)
    };
    let running = pipe("-prov mine:text -i 20ms").start();
    running.wait_for(0, "agent: a1 runs");
    std::fs::rename(at.join("text"), at.join("away")).unwrap();
    running.wait_for(
        0,
        "flume-config-mine has failed (exit status: 3); it said: no text",
    );
    std::fs::write(at.join("away"), agent_of(&["r1", "r2"])).unwrap();
    std::fs::rename(at.join("away"), at.join("text")).unwrap();
    running.wait_for(0, "read again: started source r2");
    end(running);
    pipe("--conf-provider mine:none")
        .run()
        .expect_status([1])
        .says(0, ["it said: no none"]);
    refused("-prov com.example.Provider", 2, "no Java here");
    refused(
        "--conf-provider nobody-has-this",
        2,
        "flume-config-nobody-has-this",
    );
}

#[test]
fn what_ran_last_is_kept_with_its_references_and_starts_when_the_real_one_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let text = agent_of(&["r1"])
        + "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = static\n\
                a1.sources.r1.interceptors.i1.key = k\na1.sources.r1.interceptors.i1.value = ${env:KEPT_SECRET}\n";
    std::fs::write(at.join("a.conf"), &text).unwrap();
    std::fs::write(
        at.join("more.conf"),
        "a1.sinks.k1.batchSize = 7\na1.channels.c1.type = MEMORY\n",
    )
    .unwrap();
    let start = |words: &str| {
        let words = format!("agent --name a1 --no-control -f a.conf -f more.conf -b . {words}");
        let pipe = Pipe::new(&words).dir(at).env("KEPT_SECRET", "in clear");
        let running = pipe.start();
        running.wait_for(0, "agent: a1 runs");
        running
    };
    end(start(""));
    let kept = std::fs::read_to_string(at.join(".a1.properties")).unwrap();
    assert!(
        kept.contains("${env:KEPT_SECRET}") && !kept.contains("in clear"),
        "{kept}"
    );
    assert!(
        kept.contains("batchSize = 7") && kept.contains("c1.type = MEMORY") && !kept.contains("memory"),
        "{kept}"
    );
    std::fs::remove_file(at.join("a.conf")).unwrap();
    let running = start("-i 20ms");
    running.wait_for(0, "what ./.a1.properties has kept is taken instead");
    std::fs::write(at.join("a.conf"), agent_of(&["r1", "r2"])).unwrap();
    running.wait_for(0, "started source r2");
    end(running);
    refused("-f a.conf -b none", 2, "none is no directory");
}

#[test]
fn options_of_flume_are_taken_with_one_dash_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.conf"), agent_of(&["r1"])).unwrap();
    end(agent(
        directory.path(),
        "-conf-file a.conf -no-reload-conf -poll-interval=1",
    ));
    refused("", 2, "a configuration is missing");
    refused("-f a.json", 2, "a.json is no file of properties");
    refused("-u classpath:///a.conf", 2, "no class path");
    refused("-u http://h/a -a com.example.Auth", 2, "no Java here");
}
