//! Clients that are slow, many, silent or mad hold up nobody else.

use super::*;

#[test]
fn half_requests_are_let_go_and_more_than_may_be_wait() {
    let running = collect("--port 0 --max-connections 2 --idle-timeout 300ms");
    let number = port(&running);
    let (mut head, mut body) = (Client::new(number), Client::new(number));
    head.input
        .get_mut()
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nA")
        .unwrap();
    body.input
        .get_mut()
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[")
        .unwrap();
    let began = Instant::now();
    let mut client = Client::new(number);
    assert_eq!(
        client.post(JSON, b"[{\"body\":\"late\"}]"),
        Some((200, String::new()))
    );
    assert!(began.elapsed() >= Duration::from_millis(250));
    let (status, why) = body.hear().unwrap();
    assert!(status == 408 && why.contains("--idle-timeout"), "{status} {why}");
    let mut rest = Vec::new();
    head.input.read_to_end(&mut rest).unwrap();
    drop(client);
    running.kill(0, Signal::TERM);
    running.wait().expect_status([0]).says(0, ["--max-connections"]);
}

#[test]
fn garbage_and_floods_cost_their_own_connections() {
    let running = collect("--port 0 --max-body 1KiB");
    let number = port(&running);
    for garbage in [&b"\x00\xff\x16\x03garbage\r\n\r\n"[..], &[b'A'; 300_000]] {
        let mut client = TcpStream::connect(("127.0.0.1", number)).unwrap();
        // It may be hung up on before all is written.
        let _ = client.write_all(garbage);
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    // A chunked body does not say how long it is.
    let mut endless = Client::new(number);
    let _ = endless
        .input
        .get_mut()
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    for _ in 0..4 {
        let _ = endless.input.get_mut().write_all(chunk.as_bytes());
    }
    assert_eq!(endless.hear().unwrap().0, 413);
    for _ in 0..2000 {
        drop(TcpStream::connect(("127.0.0.1", number)).unwrap());
    }
    let mut client = Client::new(number);
    assert_eq!(
        client.post(JSON, b"[{\"body\":\"x\"}]"),
        Some((200, String::new()))
    );
    assert_eq!(stopped(running), ["x"]);
}

#[test]
fn while_nothing_can_be_handed_on_the_answer_is_503_and_nothing_is_taken() {
    let running = Pipe::new("source http --port 0 --max-wait 300ms --window 1")
        .then("cat")
        .start();
    running.wait_for(0, "listening on");
    let number = port(&running);
    running.kill(1, Signal::STOP);
    let body = format!("[{{\"body\":\"{}\"}}]", "x".repeat(300_000));
    // What fits into the pipe is on its way; then nothing more can be handed on.
    let (mut waiting, mut refused) = (Vec::new(), 0);
    while refused == 0 {
        let mut client = Client::new(number);
        client.send("POST", "/", JSON, body.as_bytes()).unwrap();
        client
            .input
            .get_mut()
            .set_read_timeout(Some(Duration::from_millis(1000)))
            .unwrap();
        match client.hear() {
            Some((503, why)) => {
                assert!(why.contains("--max-wait"), "{why}");
                refused += 1;
            }
            Some(heard) => panic!("{heard:?}"),
            None => waiting.push(client),
        }
        assert!(waiting.len() < 50, "nobody is refused");
    }
    running.kill(1, Signal::CONT);
    for client in &mut waiting {
        client.input.get_mut().set_read_timeout(None).unwrap();
        assert_eq!(client.hear(), Some((200, String::new())));
    }
    let taken = waiting.len();
    running.kill(0, Signal::TERM);
    let ended = running.wait().expect_status([0, 0]);
    assert_eq!(ended.text().lines().count(), taken);
}
