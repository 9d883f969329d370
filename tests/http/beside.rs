//! The real Flume 1.11 and this source get the same requests.

use super::*;
use crate::avro::real::{is_there, peer};
use std::net::TcpListener;
use std::path::Path;

const PROPERTIES: &str = "a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = http
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = PORT
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 1000
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
a1.sinks.k1.channel = c1
";

/// Method, content type, body, Flume's status and ours. Where they differ docs/decisions.md says why.
const REQUESTS: &[(&str, &str, &[u8], u16, u16)] = &[
    (
        "POST",
        JSON,
        br#"[{"headers":{"k":"v"},"body":"one"},{"body":"two"}]"#,
        200,
        200,
    ),
    (
        "POST",
        "application/json; charset=UTF-8",
        "[{\"body\":\"\u{e4}\"}]".as_bytes(),
        200,
        200,
    ),
    (
        "POST",
        "text/plain",
        b"[{headers:{a:1,b:true},'body':2.50} // lenient\n]",
        200,
        200,
    ),
    ("POST", JSON, b"[{}]", 200, 200),
    ("POST", JSON, b"[{\"body\":null,\"more\":[1,{}]}]", 200, 200),
    ("POST", JSON, b"[]", 200, 200),
    ("GET", JSON, b"[{\"body\":\"got\"}]", 200, 200),
    ("POST", JSON, b"{\"body\":\"x\"}", 400, 400),
    ("POST", JSON, b"[{\"body\":[1]}]", 400, 400),
    ("POST", JSON, b"[{\"body\":\"x\"", 400, 400),
    ("POST", JSON, b"null", 500, 400),
    ("POST", JSON, b"", 500, 400),
    ("POST", "application/json; charset=ISO-8859-1", b"[]", 500, 415),
    ("TRACE", JSON, b"", 403, 403),
    ("OPTIONS", JSON, b"", 403, 403),
    ("PUT", JSON, b"[]", 405, 405),
    ("DELETE", JSON, b"[]", 405, 405),
];

fn lines_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let files = entries.filter(|entry| !entry.path().to_string_lossy().ends_with(".state"));
    let texts = files.map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default());
    let mut lines: Vec<_> = texts
        .flat_map(|text| text.lines().map(in_order).collect::<Vec<_>>())
        .collect();
    lines.sort();
    lines
}

/// `{b=2, a=1} body` with its headers in order: Flume has none.
fn in_order(line: &str) -> String {
    let (headers, body) = line
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .unwrap();
    let mut headers: Vec<_> = headers.split(", ").collect();
    headers.sort();
    format!("{{{}}}{body}", headers.join(", "))
}

#[test]
fn requests_are_answered_and_taken_as_by_the_real_flume() {
    if !is_there() {
        return;
    }
    let came = [true, false].map(|is_flume| {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let pipe = match is_flume {
            true => {
                let launcher = peer("agent");
                Pipe::foreign(&format!(
                    "exec {} --name a1 --conf-file a.conf",
                    launcher.display()
                ))
            }
            false => Pipe::new("agent --name a1 --conf-file a.conf --no-control"),
        };
        std::fs::create_dir(pipe.path("out")).unwrap();
        let text = PROPERTIES.replace("PORT", &port.to_string());
        let running = pipe
            .file("a.conf", text)
            .patience(Duration::from_secs(120))
            .start();
        let deadline = Instant::now() + Duration::from_secs(100);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{}", running.said(0));
            std::thread::sleep(Duration::from_millis(20));
        }
        for (method, content_type, body, flumes, ours) in REQUESTS {
            let mut client = Client::new(port);
            client.send(method, "/some/path", content_type, body).unwrap();
            let heard = client.hear().map(|(status, _)| status);
            let expected = if is_flume { flumes } else { ours };
            let shown = String::from_utf8_lossy(body);
            assert_eq!(
                heard,
                Some(*expected),
                "Flume: {is_flume}: {method} {content_type} {shown}"
            );
        }
        while lines_in(&running.path("out")).len() < 7 {
            assert!(Instant::now() < deadline, "{}", running.said(0));
            std::thread::sleep(Duration::from_millis(20));
        }
        running.kill(0, Signal::TERM);
        lines_in(&running.wait().path("out"))
    });
    let [flume, ours] = came;
    assert_eq!(ours, flume);
    assert_eq!(ours.len(), 7);
}
