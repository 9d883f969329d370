//! How an agent starts, runs and ends.

use super::*;

const SEQ_TO_FILES: &str = "
    sources = r1
    channels = c1
    sinks = k1
    sources.r1.type = seq
    sources.r1.totalEvents = 500
    sources.r1.channels = c1
    channels.c1.type = memory
    sinks.k1.type = file_roll
    sinks.k1.sink.directory = DIR/out
    sinks.k1.sink.rollInterval = 0
    sinks.k1.channel = c1
";

#[test]
fn agent_runs_on_when_its_source_has_ended_and_ends_well_when_told() {
    let running = agent(SEQ_TO_FILES).start();
    running.wait_for(0, "source r1: it has come to its end");
    wait_count(&running, "SINK.k1", "EventDrainSuccessCount", 500);
    let ended = stopped(running);
    assert_eq!(lines_in(&ended.path("out")).len(), 500);
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_the_rest_runs() {
    let more = format!("{SEQ_TO_FILES}\nsinks.k1.sink.rolInterval = 5\nsources.r2.type = seq");
    let running = agent(&more.replace("sources = r1", "sources = r1 r3")).start();
    wait_count(&running, "SINK.k1", "EventDrainSuccessCount", 500);
    let said = running.said(0);
    assert!(said.contains("WARN agent: a.conf:12: sink k1"), "{said}");
    assert!(said.contains("sink.rollInterval"), "{said}");
    assert!(said.contains("r2") && said.contains("r3"), "{said}");
    stopped(running);
}

#[test]
fn strict_refuses_what_would_be_passed_over() {
    let more = format!("{SEQ_TO_FILES}\nsinks.k1.sink.rolInterval = 5");
    let ended = agent_with("--strict", &more).run();
    let ended = ended.expect_status([2]);
    assert!(ended.stderr(0).contains("a.conf:12"), "{}", ended.stderr(0));
}

#[test]
fn missing_file_name_and_option_end_the_start_with_a_sentence() {
    for (words, status, sentence) in [
        ("agent --name a1 --conf-file nowhere.conf", 1, "nowhere.conf"),
        ("agent --conf-file a.conf", 2, "--name"),
        ("agent --name a1", 2, "--conf-file"),
        ("agent --name a1 --conf-file a.conf --no-such", 2, "--no-such"),
    ] {
        let ended = Pipe::new(words).file("a.conf", "").run();
        let ended = ended.expect_status([status]);
        assert!(ended.stderr(0).contains(sentence), "{words}: {}", ended.stderr(0));
    }
}

#[test]
fn wrong_name_idles_and_says_which_there_are() {
    let running = Pipe::new("agent --name a2 --conf-file a.conf --no-control")
        .file("a.conf", written(SEQ_TO_FILES, Path::new("/tmp")))
        .start();
    running.wait_for(0, "nothing runs");
    assert!(running.said(0).contains("a1"), "{}", running.said(0));
    stopped(running);
}

#[test]
fn sink_whose_server_is_away_is_retried_and_delivers_when_it_comes() {
    let port = free_port();
    let running = agent(&format!(
        "
        sources = r1
        channels = c1
        sinks = k1
        sources.r1.type = seq
        sources.r1.totalEvents = 50
        sources.r1.channels = c1
        channels.c1.type = file
        channels.c1.checkpointDir = DIR/checkpoint
        channels.c1.dataDirs = DIR/data
        sinks.k1.type = avro
        sinks.k1.hostname = 127.0.0.1
        sinks.k1.port = {port}
        sinks.k1.channel = c1"
    ))
    .start();
    running.wait_for(0, "source r1: it has come to its end");
    let taker = Pipe::new(&format!("source avro --port {port} --summary json"))
        .then("sink null")
        .start();
    wait_count(&running, "SINK.k1", "EventDrainSuccessCount", 50);
    stopped(running);
    taker.kill(0, Signal::TERM);
    taker.wait().expect_status([0, 0]);
}

#[test]
fn sink_that_delivers_nothing_is_told_to_be_stalled_and_so_is_its_end() {
    let port = free_port();
    let running = agent_with(
        "--stalled-after 1s",
        &format!(
            "
            sources = r1
            channels = c1
            sinks = k1
            sources.r1.type = seq
            sources.r1.totalEvents = 5
            sources.r1.channels = c1
            channels.c1.type = memory
            sinks.k1.type = avro
            sinks.k1.hostname = 127.0.0.1
            sinks.k1.port = {port}
            sinks.k1.channel = c1"
        ),
    )
    .start();
    running.wait_for(0, "sink k1: it is stalled: 5 events wait");
    let taker = Pipe::new(&format!("source avro --port {port}"))
        .then("sink null")
        .start();
    running.wait_for(0, "sink k1: it gets on again");
    stopped(running);
    taker.kill(0, Signal::TERM);
    taker.wait().expect_status([0, 0]);
}

#[test]
fn killed_agent_with_a_file_channel_loses_nothing_that_it_answered() {
    let port = free_port();
    let properties = format!(
        "
        sources = r1
        channels = c1
        sinks = k1
        sources.r1.type = netcat
        sources.r1.bind = 127.0.0.1
        sources.r1.port = {port}
        sources.r1.channels = c1
        channels.c1.type = file
        channels.c1.checkpointDir = DIR/checkpoint
        channels.c1.dataDirs = DIR/data
        sinks.k1.type = file_roll
        sinks.k1.sink.directory = DIR/out
        sinks.k1.channel = c1"
    );
    let mut running = agent(&properties).start();
    let mut client = Lines::to(port);
    let mut answered = Vec::new();
    for number in 0..200 {
        let line = format!("line {number:03}");
        if number == 150 {
            running.kill(0, Signal::KILL);
        }
        match client.send(&line) {
            Some(_) => answered.push(line),
            None => break,
        }
    }
    assert!(answered.len() >= 150);
    running.wait_stage(0);
    let directory = running.path("");
    let run = running.path("run").display().to_string();
    let again = Pipe::new("agent --name a1 --conf-file a.conf").dir(&directory);
    let again = again.env("XDG_RUNTIME_DIR", &run).start();
    again.wait_for(0, "a1 runs");
    // What it holds now, or had in hand when it was killed.
    while counter(&again, "CHANNEL.c1", "ChannelSize") > 0 {}
    stopped(again);
    let there = lines_in(&directory.join("out"));
    let missing: Vec<_> = answered
        .iter()
        .filter(|line| there.binary_search(line).is_err())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn two_agents_of_one_name_run_and_only_the_first_is_reached() {
    let running = agent(SEQ_TO_FILES).start();
    running.wait_for(0, "a1 runs");
    let run = running.path("run").display().to_string();
    let second = agent(SEQ_TO_FILES).env("XDG_RUNTIME_DIR", &run).start();
    second.wait_for(0, "another agent listens");
    second.wait_for(0, "a1 runs");
    stopped(second);
    assert!(ctl(&running, "graph").text().contains("source r1"));
    stopped(running);
}

#[test]
fn start_that_waits_for_a_server_which_says_nothing_ends_when_told() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let running = Pipe::new(&format!(
        "agent --name a1 -u http://127.0.0.1:{port}/a1.conf --no-control"
    ))
    .start();
    let _silent = server.accept().unwrap();
    running.kill(0, Signal::TERM);
    running.wait().expect_status([128 + 15]);
}
