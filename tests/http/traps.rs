//! Requests that are no events: the answer says what is wrong and where, and nothing of them is taken.

use super::*;

#[test]
fn what_is_no_array_of_events_is_refused_with_its_place() {
    let running = collect("--port 0");
    let mut client = Client::new(port(&running));
    let mut check = |body: &str, status: u16, expected: &str| {
        let (found, said) = client.post(JSON, body.as_bytes()).unwrap();
        assert_eq!((found, said.trim()), (status, expected), "{body}");
    };
    let begins = "instead of [, which begins an array of events";
    check(
        r#"{"body":"x"}"#,
        400,
        &format!("line 1, column 1: '{{' {begins}"),
    );
    check(
        "",
        400,
        &format!("line 1, column 1: the end of the body {begins}"),
    );
    check("null", 400, &format!("line 1, column 1: 'n' {begins}"));
    check(
        "[{\"body\":\"x\"},\n {\"headers\":{\"a\":[1]}}]",
        400,
        "line 2, column 18, in event 2: '[' instead of a text, which a header's value has to be",
    );
    check(
        r#"[{"body":{}}]"#,
        400,
        "line 1, column 10, in event 1: '{' instead of a text, which the body has to be",
    );
    check("[]", 200, "");
    // Lenient where Flume is.
    check(
        "[{'body': one, headers: {n: 1.5, t: true}}, /* no */ {}]",
        200,
        "",
    );
    let (status, said) = client.post("application/json; charset=latin1", b"[]").unwrap();
    assert_eq!(status, 415);
    assert!(said.contains("there are UTF-8, UTF-16 and UTF-32"), "{said}");
    let asked: Vec<u16> = ["OPTIONS", "TRACE", "PUT", "DELETE"]
        .map(|method| {
            client.send(method, "/", JSON, b"").unwrap();
            client.hear().unwrap().0
        })
        .to_vec();
    assert_eq!(asked, [403, 403, 405, 405]);
    drop(client);
    assert_eq!(stopped(running), ["one", ""]);
}

#[test]
fn blob_needs_no_parameter_unless_it_is_named() {
    let running = collect("--port 0 --handler blob --handler-set mandatoryParameters=site");
    let mut client = Client::new(port(&running));
    client.send("POST", "/?a=b", "text/plain", b"x").unwrap();
    let (status, said) = client.hear().unwrap();
    assert_eq!(status, 400);
    assert_eq!(
        said.trim(),
        "the parameter \"site\" is missing (handler.mandatoryParameters)"
    );
    client
        .send("POST", "/?site=1&site=2", "text/plain", b"y")
        .unwrap();
    assert_eq!(client.hear().unwrap().0, 200);
    drop(client);
    assert_eq!(stopped(running), ["y"]);
    let running = collect("--port 0 --handler blob");
    let mut client = Client::new(port(&running));
    client.send("POST", "/", "text/plain", b"z").unwrap();
    assert_eq!(client.hear().unwrap().0, 200);
    drop(client);
    assert_eq!(stopped(running), ["z"]);
}
