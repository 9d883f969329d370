//! An agent whose configuration changes.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// A netcat source, a file channel `c1`, and a sink that writes files.
fn properties(port: u16, more: &str) -> String {
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
        channels.c1.capacity = 1000
        sinks.k1.type = file_roll
        sinks.k1.sink.directory = DIR/out
        sinks.k1.channel = c1
        {more}"
    )
}

#[test]
fn reload_keeps_clients_and_events_of_what_did_not_change() {
    let port = free_port();
    let running = agent(&properties(port, "")).start();
    running.wait_for(0, "a1 runs");
    let mut client = Lines::to(port);
    ctl(&running, "pause k1").expect_status([0]);
    assert_eq!(client.send("before").as_deref(), Some("OK"));
    rewrite(&running, &properties(port, "sinks.k1.sink.rollInterval = 5"));
    let text = ctl(&running, "reload").text();
    assert_eq!(text, "restarted: sink k1\nkept: channel c1, source r1\n");
    assert_eq!(client.send("after").as_deref(), Some("OK"));
    wait_count(&running, "CHANNEL.c1", "EventTakeSuccessCount", 2);
    let ended = stopped(running);
    assert_eq!(lines_in(&ended.path("out")), ["after", "before"]);
}

#[test]
fn broken_new_file_leaves_the_running_one_alone() {
    let port = free_port();
    let running = agent(&properties(port, "")).start();
    running.wait_for(0, "a1 runs");
    let mut client = Lines::to(port);
    for broken in [
        properties(port, "sinks.k1.type = nothing_like_that"),
        properties(port, "sources.r1.port = many"),
        "sources = r1".to_string(),
        String::new(),
    ] {
        rewrite(&running, &broken);
        ctl(&running, "reload").expect_status([1]);
        assert_eq!(client.send("still").as_deref(), Some("OK"), "{broken}");
    }
    assert!(running.said(0).contains("what runs goes on"));
    let ended = stopped(running);
    assert_eq!(lines_in(&ended.path("out")).len(), 4);
}

#[test]
fn hangup_signal_and_a_changed_file_are_noticed() {
    let port = free_port();
    let running = agent_with("--poll-interval 20ms", &properties(port, "")).start();
    running.wait_for(0, "a1 runs");
    rewrite(&running, &properties(port, "sinks.k1.sink.rollInterval = 5"));
    running.wait_for(0, "restarted sink k1");
    rewrite(&running, &properties(port, "sinks.k1.sink.rollInterval = 6"));
    running.kill(0, Signal::HUP);
    while running.said(0).matches("restarted sink k1").count() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    stopped(running);
}

#[test]
fn reload_is_off_when_so_told_and_can_still_be_asked_for() {
    let port = free_port();
    let running = agent_with("--no-reload-conf --poll-interval 5ms", &properties(port, "")).start();
    running.wait_for(0, "a1 runs");
    drop(Lines::to(port));
    rewrite(&running, &properties(port, "sinks.k1.sink.rollInterval = 5"));
    assert!(ctl(&running, "reload").text().contains("restarted: sink k1"));
    stopped(running);
}

/// Tells others that it is over when it goes.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn reloads_under_load_lose_nothing_that_was_answered() {
    let port = free_port();
    let running = agent(&properties(port, "")).start();
    running.wait_for(0, "a1 runs");
    let over = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|client| {
                let over = &over;
                scope.spawn(move || {
                    let (mut answered, mut number) = (Vec::new(), 0);
                    let mut lines = Lines::to(port);
                    while !over.load(Ordering::SeqCst) {
                        let line = format!("client {client} line {number}");
                        match lines.send(&line) {
                            Some(answer) if answer == "OK" => answered.push(line),
                            _ => lines = Lines::to(port),
                        }
                        number += 1;
                    }
                    answered
                })
            })
            .collect();
        // However this ends, the clients do.
        let ending = Ending(&over);
        for round in 0..20 {
            // Everything in turn: the sink, the channel's size, the source, and another channel.
            let more = match round % 4 {
                0 => format!("sinks.k1.sink.rollInterval = {}", 10 + round),
                1 => format!("channels.c1.capacity = {}", 500 + round),
                2 => format!("sources.r1.max-line-length = {}", 512 + round),
                _ => "channels = c2\nchannels.c2.type = memory\nsources.r1.channels = c2\nsinks.k1.channel = c2"
                    .to_string(),
            };
            rewrite(&running, &properties(port, &more));
            ctl(&running, "reload").expect_status([0]);
        }
        drop(ending);
        let all = clients.into_iter().map(|client| client.join().unwrap());
        all.collect::<Vec<_>>().concat()
    });
    let ended = stopped(running);
    let there = lines_in(&ended.path("out"));
    assert!(sent.len() > 20, "only {} lines were answered", sent.len());
    let missing: Vec<_> = sent
        .iter()
        .filter(|line| there.binary_search(line).is_err())
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} lost: {missing:?}",
        missing.len(),
        sent.len()
    );
}
