//! `flume ctl` and the agent that it reaches.

use super::*;

fn netcat_to_memory(port: u16) -> String {
    format!(
        "
        sources = r1
        channels = c1
        sinks = k1
        sources.r1.type = netcat
        sources.r1.bind = 127.0.0.1
        sources.r1.port = {port}
        sources.r1.channels = c1
        channels.c1.type = memory
        sinks.k1.type = null
        sinks.k1.channel = c1"
    )
}

#[test]
fn graph_shows_the_components_and_how_they_are_joined() {
    let running = agent(&netcat_to_memory(free_port())).start();
    running.wait_for(0, "a1 runs");
    running.wait_for(0, "listening on");
    let text = ctl(&running, "graph").text();
    let expected = "source r1   netcat  running  -> channel c1\n\
                    channel c1  memory  running  -> sink k1\n\
                    sink k1     null    running\n";
    assert_eq!(text, expected);
    let graph: serde_json::Value = serde_json::from_str(&ctl(&running, "graph --json").text()).unwrap();
    assert_eq!(graph["agent"], "a1");
    assert_eq!(graph["components"][0]["state"], "running");
    assert_eq!(graph["links"][1][0], "channel c1");
    stopped(running);
}

#[test]
fn paused_sink_leaves_events_in_the_channel_and_its_source_goes_on() {
    let port = free_port();
    let running = agent(&netcat_to_memory(port)).start();
    running.wait_for(0, "a1 runs");
    let mut client = Lines::to(port);
    assert_eq!(ctl(&running, "pause sink k1").text(), "sink k1 is paused\n");
    for _ in 0..10 {
        assert_eq!(client.send("x").as_deref(), Some("OK"));
    }
    assert_eq!(counter(&running, "CHANNEL.c1", "ChannelSize"), 10);
    assert!(ctl(&running, "graph").text().contains("paused"));
    ctl(&running, "resume k1").expect_status([0]);
    wait_count(&running, "SINK.k1", "EventDrainSuccessCount", 10);
    stopped(running);
}

#[test]
fn stopped_source_closes_its_port_until_it_is_started() {
    let port = free_port();
    let running = agent(&netcat_to_memory(port)).start();
    running.wait_for(0, "a1 runs");
    drop(Lines::to(port));
    ctl(&running, "stop r1").expect_status([0]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    ctl(&running, "start r1").expect_status([0]);
    assert_eq!(Lines::to(port).send("x").as_deref(), Some("OK"));
    stopped(running);
}

#[test]
fn what_cannot_be_done_is_a_sentence_and_a_status() {
    let running = agent(&netcat_to_memory(free_port())).start();
    running.wait_for(0, "a1 runs");
    let ended = ctl(&running, "stop k9");
    let ended = ended.expect_status([1]);
    assert!(
        ended.stderr(0).contains("there are source r1, sink k1"),
        "{}",
        ended.stderr(0)
    );
    let ended = ctl(&running, "--name a7 graph");
    let ended = ended.expect_status([1]);
    assert!(ended.stderr(0).contains("agent-a7.sock"), "{}", ended.stderr(0));
    ctl(&running, "stp k1").expect_status([2]);
    assert_eq!(ctl(&running, "shutdown").text(), "a1 is stopping\n");
    running.wait().expect_status([0]);
}

#[test]
fn garbage_on_the_control_socket_is_answered_and_harms_nobody() {
    use std::os::unix::net::UnixStream;
    let running = agent(&netcat_to_memory(free_port())).start();
    running.wait_for(0, "a1 runs");
    let socket = UnixStream::connect(running.path("run/flume/agent-a1.sock")).unwrap();
    let mut answers = BufReader::new(socket.try_clone().unwrap()).lines();
    for line in [
        "garbage",
        "{}",
        "{\"command\":\"stop\"}",
        "{\"command\":\"graph\",\"more\":1}",
    ] {
        (&socket).write_all(format!("{line}\n").as_bytes()).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["ok"], false, "{line}");
        assert!(answer["error"].is_string(), "{line}");
    }
    (&socket).write_all(&[b'x'; 100_000]).unwrap();
    assert!(ctl(&running, "graph").text().contains("running"));
    stopped(running);
}
