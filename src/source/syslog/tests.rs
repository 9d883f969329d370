//! Connections and datagrams of all syslog sources, up to the events.

use super::connection::Service;
use super::datagram::Messages;
use super::events::{Dialect, Events};
use super::heads::Heads;
use super::*;
use crate::ack::{Outcome, Refusal};
use crate::component::{Spec, made};
use crate::event::Event;
use crate::link::testing::Collect;
use crate::metrics::Count;
use crate::source::multiport_syslogtcp::MultiportSyslogTcp;
use crate::source::server::Connection;
use crate::source::syslogtcp::SyslogTcp;
use crate::source::syslogudp::SyslogUdp;
use crate::stop::Stop;
use crate::syslog::{Keep, STATUS};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread::JoinHandle;

const OURS: Spec<Syslog> = Spec::new::<Syslog>("syslog", made::<Syslog>);

fn ours(words: &[&str]) -> Syslog {
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    OURS.from_flags(&words).unwrap()
}

fn heads() -> Heads {
    Heads {
        keep_fields: Keep::default(),
        client_ip_header: Some("from".into()),
        client_hostname_header: None,
    }
}

/// A connection that is served, and its other end.
struct Bench {
    client: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    collect: Collect,
    to: Arc<ChannelProcessor>,
    stop: Stop,
}

fn start(service: Service, collect: Collect) -> Bench {
    let (client, socket) = UnixStream::pair().unwrap();
    let (to, stop) = collect.processor("source syslog");
    let shared = to.clone();
    let thread = std::thread::spawn(move || {
        let connection = Connection {
            socket: socket.into(),
            peer: "192.0.2.7:514".into(),
        };
        service.serve(connection, &shared);
    });
    Bench {
        client: Some(client),
        thread: Some(thread),
        collect,
        to,
        stop,
    }
}

impl Bench {
    fn send(&mut self, bytes: &[u8]) {
        self.client.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Hang up, and wait until all was handed on.
    fn end(&mut self) -> Vec<Event> {
        drop(self.client.take());
        self.thread.take().unwrap().join().unwrap();
        self.collect.events()
    }
}

fn texts(events: &[Event]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let shown = events.iter().map(|event| {
        let status = event.header(STATUS).map(|status| format!("{}: ", text(status)));
        format!("{}{}", status.unwrap_or_default(), text(event.body()))
    });
    shown.collect()
}

#[test]
fn messages_of_a_connection_are_events_whatever_ends_them() {
    let mut bench = start(ours(&["--port", "1"]).service(None), Collect::accepting());
    bench.send(b"<13>one\n<13>two\r\n8 <13>\nsix<13>last");
    let events = bench.end();
    assert_eq!(texts(&events), ["one", "two", "\nsix", "last"]);
    assert_eq!(events[0].header("priority"), Some(&b"13"[..]));
    assert_eq!(bench.to.counters().get(Count::EventAccepted), 4);
    assert_eq!(bench.to.counters().get(Count::EventReadFail), 0);
}

#[test]
fn message_is_handed_on_though_the_connection_stays_open() {
    let mut bench = start(ours(&["--port", "1"]).service(None), Collect::accepting());
    bench.send(b"<13>one\n<13>t");
    bench.collect.wait_for(1);
    bench.send(b"wo\n");
    bench.collect.wait_for(2);
    assert_eq!(texts(&bench.end()), ["one", "two"]);
}

#[test]
fn what_is_no_syslog_or_too_long_or_cut_is_kept_marked_and_counted() {
    let words = ["--port", "1", "--event-size", "8"];
    let mut bench = start(ours(&words).service(None), Collect::accepting());
    bench.send(b"garbage\n<13>a\n<13>long<14>line\n20 <13>cut");
    let events = bench.end();
    assert_eq!(
        texts(&events),
        [
            "Invalid: garbage",
            "a",
            "Incomplete: long",
            "Incomplete: <14>line",
            "Incomplete: cut"
        ]
    );
    assert_eq!(bench.to.counters().get(Count::EventReadFail), 4);
}

#[test]
fn what_was_sent_before_a_stop_is_read_and_a_part_of_a_message_is_marked() {
    let mut bench = start(ours(&["--port", "1"]).service(None), Collect::accepting());
    bench.send(b"<13>one\n");
    bench.collect.wait_for(1);
    bench.send(b"<13>two\n<13>th");
    bench.stop.stop();
    bench.thread.take().unwrap().join().unwrap();
    assert_eq!(texts(&bench.collect.events()), ["one", "two", "Incomplete: th"]);
}

#[test]
fn silent_sender_is_let_go_after_the_idle_time_and_what_it_sent_is_kept() {
    let words = ["--port", "1", "--idle-timeout", "50ms"];
    let mut bench = start(ours(&words).service(None), Collect::accepting());
    bench.send(b"<13>one\n<13>tw");
    bench.thread.take().unwrap().join().unwrap();
    assert_eq!(texts(&bench.collect.events()), ["one", "Incomplete: tw"]);
}

#[test]
fn refused_messages_are_counted_and_the_connection_goes_on() {
    let refusing = Collect::answering(Outcome::Refused(Refusal::reject("no")));
    let mut bench = start(ours(&["--port", "1"]).service(None), refusing);
    bench.send(b"<13>one\n");
    bench.collect.wait_for(1);
    bench.send(b"<13>two\n");
    bench.collect.wait_for(2);
    bench.end();
    assert_eq!(bench.to.counters().get(Count::Refused), 2);
}

#[test]
fn sender_and_port_are_headers_where_that_is_asked_for() {
    let mut service = ours(&["--port", "1"]).service(None);
    service.heads = heads();
    service.fixed = Some(("port".into(), "10001".into()));
    let mut bench = start(service, Collect::accepting());
    bench.send(b"<13>one\n");
    let events = bench.end();
    assert_eq!(events[0].header("from"), Some(&b"192.0.2.7"[..]));
    assert_eq!(events[0].header("port"), Some(&b"10001"[..]));
}

fn receive(socket: DatagramSocket, taker: Messages, collect: &Collect, send: impl FnOnce()) -> Vec<Event> {
    let (to, stop) = collect.processor("source syslogudp");
    let buffer = Buffer {
        receive_buffer: "1MiB".parse().unwrap(),
    };
    let receiver = Receiver::start(socket, &buffer, taker, "--host 0.0.0.0", &to).unwrap();
    send();
    stop.stop();
    receiver.join();
    collect.events()
}

fn classic() -> Events {
    let classic = crate::syslog::classic::Classic {
        in_datagrams: true,
        custom: None,
    };
    Events::new(Dialect::Classic(classic), Keep::default(), Zone::utc())
}

#[test]
fn each_datagram_is_a_message_and_what_was_sent_before_a_stop_is_read() {
    let socket = DatagramSocket::udp("127.0.0.1", 0).unwrap();
    let port = socket.port().unwrap();
    let taker = Messages::new(classic(), heads(), true);
    let long = vec![b'x'; 60_000];
    let events = receive(socket, taker, &Collect::accepting(), || {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in [&b"<13>one"[..], b"<13>two\n", b"", b"<13>a\n<13>b", b"<", &long] {
            client.send_to(datagram, ("127.0.0.1", port)).unwrap();
        }
    });
    let mut found = texts(&events);
    assert_eq!(found.pop().unwrap().len(), "Invalid: ".len() + 60_000);
    assert_eq!(found, ["<13>one", "<13>two", "<13>a", "<13>b", "Invalid: <"]);
    assert_eq!(events[0].header("from"), Some(&b"127.0.0.1"[..]));
}

#[test]
fn programs_of_this_host_write_to_a_socket_that_is_removed_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    drop(UnixDatagram::bind(&path).unwrap());
    let socket = DatagramSocket::unix(&path).unwrap();
    let error = DatagramSocket::unix(&path).unwrap_err().to_string();
    assert!(error.contains("in use by another listener"), "{error}");
    let taker = Messages::new(ours(&["--port", "1"]).events(), heads(), false);
    let events = receive(socket, taker, &Collect::accepting(), || {
        let client = UnixDatagram::unbound().unwrap();
        client
            .send_to(b"<13>Nov 28 22:00:00 app[1]: a\nb\n", &path)
            .unwrap();
    });
    assert_eq!(texts(&events), ["app[1]: a\nb"]);
    assert_eq!(events[0].header("appname"), Some(&b"app"[..]));
    assert!(!path.exists());
}

#[test]
fn datagrams_that_the_system_drops_are_counted() {
    let socket = DatagramSocket::udp("127.0.0.1", 0).unwrap();
    let port = socket.port().unwrap();
    let collect = Collect::accepting();
    let (to, stop) = collect.processor("source syslogudp");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Before anybody reads them.
    let sent = 2000;
    for _ in 0..sent {
        client.send_to(&[b'x'; 1400], ("127.0.0.1", port)).unwrap();
    }
    let buffer = Buffer {
        receive_buffer: "4KiB".parse().unwrap(),
    };
    let taker = Messages::new(classic(), heads(), true);
    let receiver = Receiver::start(socket, &buffer, taker, "", &to).unwrap();
    stop.stop();
    receiver.join();
    let came = collect.events().len() as u64;
    assert!(came < sent, "nothing was dropped");
    // All that came are no syslog, which counts, too.
    assert_eq!(to.counters().get(Count::EventReadFail) - came, sent - came);
}

#[test]
fn ways_that_are_not_named_are_closed_unless_none_is() {
    let ports = |words: &[&str]| ours(words).ports();
    let expect = |tcp, udp, tls| Ok(Ports { tcp, udp, tls });
    assert_eq!(ports(&["--port", "514"]), expect(Some(514), Some(514), None));
    assert_eq!(ports(&["--port", "514", "--tcp"]), expect(Some(514), None, None));
    assert_eq!(ports(&["--port", "514", "--udp"]), expect(None, Some(514), None));
    assert_eq!(ports(&["--port", "514", "--tls"]), expect(None, None, Some(514)));
    assert_eq!(
        ports(&["--port", "514", "--tcp", "--udp", "--tls=6514"]),
        expect(Some(514), Some(514), Some(6514))
    );
    assert_eq!(
        ports(&["--udp=514", "--tcp=601"]),
        expect(Some(601), Some(514), None)
    );
    assert_eq!(ports(&["--unix", "/x"]), expect(None, None, None));
    assert_eq!(ports(&["--unix", "/x", "--udp=1"]), expect(None, Some(1), None));
    assert!(ports(&[]).unwrap_err().contains("port is missing"));
    assert!(ports(&["--tls"]).unwrap_err().contains("port is missing"));
    assert!(ports(&["--tcp=1", "--tls=1"]).unwrap_err().contains("same port"));
    assert!(
        ports(&["--port", "1", "--tcp=false", "--udp=false"])
            .unwrap_err()
            .contains("every way")
    );
}

fn properties<T: clap::Args + clap::FromArgMatches + EventDrivenSource + 'static>(
    given: &[(&str, &str)],
) -> Result<(), String> {
    let spec = Spec::new::<T>("s", made::<T>);
    let given = given
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    let source = spec
        .from_properties(&given.collect())
        .map_err(|error| error.to_string())?;
    source.check()
}

#[test]
fn settings_that_cannot_be_are_named() {
    let has = |found: Result<(), String>, what: &str| {
        let error = found.unwrap_err();
        assert!(error.contains(what), "{error} does not say {what}");
    };
    has(
        properties::<SyslogTcp>(&[("port", "1")]),
        "property host is missing",
    );
    has(
        properties::<SyslogTcp>(&[("host", "x")]),
        "property port is missing",
    );
    has(properties::<SyslogUdp>(&[]), "property port is missing");
    let tcp = [("host", "h"), ("port", "1"), ("format.search", "x")];
    has(properties::<SyslogTcp>(&tcp), "format.regex");
    let bad = [("port", "1"), ("format.regex", "(")];
    has(properties::<SyslogUdp>(&bad), "format.regex");
    has(
        properties::<SyslogUdp>(&[("port", "1"), ("keepFields", "some")]),
        "\"some\"",
    );
    has(properties::<MultiportSyslogTcp>(&[]), "property ports is missing");
    has(
        properties::<MultiportSyslogTcp>(&[("ports", "1 x")]),
        "\"x\" is no port",
    );
    has(
        properties::<MultiportSyslogTcp>(&[("ports", "1 1")]),
        "there twice",
    );
    let stray = [("ports", "1 2"), ("charset.port.3", "utf-8")];
    has(properties::<MultiportSyslogTcp>(&stray), "charset.port.3");
    has(
        properties::<SyslogUdp>(&[("port", "1"), ("format.dateFormat", "yyyy")]),
        "format.regex",
    );
    let date = [
        ("port", "1"),
        ("format.regex", "(.*)"),
        ("format.dateFormat", "YYYY"),
    ];
    has(properties::<SyslogUdp>(&date), "format.dateFormat");
    let wide = [("ports", "1"), ("charset.default", "UTF-16")];
    has(properties::<MultiportSyslogTcp>(&wide), "UTF-16");
    let charset = [("ports", "1 2"), ("charset.port.2", "utf-9")];
    has(properties::<MultiportSyslogTcp>(&charset), "utf-9");
    has(properties::<Syslog>(&[("port", "1"), ("tls-cert", "x")]), "--tls");
    let all = [
        ("ports", "10001 10002"),
        ("host", "0.0.0.0"),
        ("eventSize", "2500"),
        ("keepFields", "timestamp hostname"),
        ("portHeader", "port"),
        ("clientIPHeader", "ip"),
        ("clientHostnameHeader", "name"),
        ("charset.default", "UTF-8"),
        ("charset.port.10002", "ISO-8859-1"),
        ("batchSize", "100"),
        ("readBufferBytes", "1024"),
        ("numProcessors", "4"),
    ];
    assert_eq!(properties::<MultiportSyslogTcp>(&all), Ok(()));
}

#[test]
fn form_of_the_user_is_tried_first() {
    let words = [
        ("host", "h"),
        ("port", "1"),
        ("format.regex", "<(\\d+)>(\\d)?#([^#]*)#(\\w+)#(.*)"),
        ("format.search", "/"),
        ("format.replace", "T"),
        ("format.dateFormat", "yyyy-MM-dd'T'HH:mm:ssX"),
    ];
    let spec = Spec::new::<SyslogTcp>("s", made::<SyslogTcp>);
    let given = words.map(|(key, value)| (key.to_string(), value.to_string()));
    let source = spec.from_properties(&given.into()).unwrap();
    let mut service = ours(&["--port", "1"]).service(None);
    service.events = source.events().unwrap();
    let mut bench = start(service, Collect::accepting());
    bench.send(b"<13>#2003-10-11/22:14:15Z#host#text\n<13>- h other\n");
    let events = bench.end();
    assert_eq!(texts(&events), ["text", "other"]);
    assert_eq!(events[0].header("timestamp"), Some(&b"1065910455000"[..]));
    assert_eq!(events[0].header("host"), Some(&b"host"[..]));
}
