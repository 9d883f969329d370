//! Two sides in one process, over TCP.

use super::testing::{Authority, Signed};
use super::*;
use crate::component::{Spec, made};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

const SERVER: Spec<ServerTls> = Spec::new::<ServerTls>("server", made::<ServerTls>);
const CLIENT: Spec<ClientTls> = Spec::new::<ClientTls>("client", made::<ClientTls>);

struct World {
    directory: tempfile::TempDir,
    authority: Authority,
}

fn world() -> World {
    crate::say::be_quiet();
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path(), "authority");
    World { directory, authority }
}

impl World {
    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// A server with this certificate, and more settings.
    fn server(&self, signed: &Signed, more: &[&str]) -> Acceptor {
        let cert = signed.cert.display().to_string();
        let key = signed.key.display().to_string();
        let mut words = vec!["--tls-cert", &cert, "--tls-key", &key];
        words.extend(more);
        acceptor(&words)
    }

    /// A client that trusts the authority, with more settings.
    fn client(&self, more: &[&str]) -> Connector {
        let ca = self.path("authority.pem");
        let mut words = vec!["--tls-ca", &ca];
        words.extend(more);
        connector(&words)
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn acceptor(words: &[&str]) -> Acceptor {
    server(&SERVER.from_flags(&owned(words)).unwrap(), "test").unwrap()
}

fn connector(words: &[&str]) -> Connector {
    let settings = CLIENT.from_flags(&owned(words)).unwrap();
    client(&settings, HostNames::Checked, "test").unwrap()
}

type Both = (Result<Tunnel, TlsError>, Result<Tunnel, TlsError>);

/// Both handshakes: the server's, then the client's.
fn meet_as(acceptor: &Acceptor, connector: &Connector, host: &str) -> Both {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    std::thread::scope(|scope| {
        let accepting = scope.spawn(|| acceptor.accept(accepted.into()));
        let connected = connector.connect(socket.into(), host, Duration::from_secs(20));
        (accepting.join().unwrap(), connected)
    })
}

fn meet(acceptor: &Acceptor, connector: &Connector) -> Both {
    meet_as(acceptor, connector, "localhost")
}

/// What a client says, answered by the server in reverse.
#[track_caller]
fn talk((server, client): Both) {
    let (server, client) = (server.unwrap(), client.unwrap());
    let mut far = UnixStream::from(server.fd);
    let echo = std::thread::spawn(move || {
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        all.reverse();
        far.write_all(&all).unwrap();
    });
    let mut near = UnixStream::from(client.fd);
    let said: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    near.write_all(&said).unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    near.read_to_end(&mut heard).unwrap();
    heard.reverse();
    assert!(heard == said);
    echo.join().unwrap();
    assert_eq!(client.fate.why(), None);
}

/// Why a client learns that the connection is no good: in its handshake or, in TLSv1.3, right after.
fn learned(client: Result<Tunnel, TlsError>) -> TlsError {
    match client {
        Err(why) => why,
        Ok(tunnel) => {
            let mut socket = UnixStream::from(tunnel.fd);
            let _ = socket.read_to_end(&mut Vec::new());
            tunnel.fate.why().expect("the connection ended well")
        }
    }
}

#[track_caller]
fn says(error: TlsError, part: &str) {
    let text = error.to_string();
    assert!(text.contains(part), "{text}");
}

#[test]
fn bytes_go_both_ways_and_each_side_ends_by_itself() {
    let world = world();
    let server = world.server(&world.authority.sign("server"), &[]);
    talk(meet(&server, &world.client(&[])));
    talk(meet(&server, &world.client(&["--include-protocols", "TLSv1.2"])));
    talk(meet_as(&server, &world.client(&[]), "127.0.0.1"));
    talk(meet_as(
        &server,
        &world.client(&["--tls-name", "server"]),
        "elsewhere",
    ));
}

#[test]
fn user_that_leaves_with_bytes_under_way_loses_none_of_them() {
    let world = world();
    let server = world.server(&world.authority.sign("server"), &[]);
    let (server, client) = meet(&server, &world.client(&[]));
    let mut near = UnixStream::from(client.unwrap().fd);
    let said = vec![7; 100_000];
    let writer = std::thread::spawn(move || near.write_all(&said).unwrap());
    let mut heard = Vec::new();
    UnixStream::from(server.unwrap().fd)
        .read_to_end(&mut heard)
        .unwrap();
    writer.join().unwrap();
    assert_eq!(heard.len(), 100_000);
}

#[test]
fn certificate_that_is_not_trusted_is_named_on_both_sides() {
    let world = world();
    let server = world.server(&world.authority.sign("server"), &[]);
    let other = Authority::new(world.directory.path(), "other");
    let (far, near) = meet(&server, &connector(&["--tls-ca", &world.path("other.pem")]));
    says(
        near.unwrap_err(),
        "is not trusted: no certificate authority that is known here",
    );
    says(far.unwrap_err(), "does not know who has signed it");
    let (_, near) = meet_as(&server, &world.client(&[]), "elsewhere");
    says(near.unwrap_err(), "does not bear the name of the host");
    let expired = world.server(&world.authority.sign_until("old", 2020), &[]);
    let (far, near) = meet(&expired, &world.client(&[]));
    says(near.unwrap_err(), "it has expired");
    says(far.unwrap_err(), "it has expired");
    let others = world.server(&other.sign("others"), &[]);
    talk(meet(&others, &connector(&["--trust-all-certs"])));
}

#[test]
fn client_shows_the_certificate_that_the_server_wants() {
    let world = world();
    let ca = world.path("authority.pem");
    let server = world.server(&world.authority.sign("server"), &["--tls-ca", &ca]);
    let (far, near) = meet(&server, &world.client(&[]));
    assert_eq!(far.unwrap_err(), TlsError::NoCertificate);
    says(learned(near), "wants a certificate from this one");
    let own = world.authority.sign("client");
    let (cert, key) = (own.cert.display().to_string(), own.key.display().to_string());
    talk(meet(
        &server,
        &world.client(&["--tls-cert", &cert, "--tls-key", &key]),
    ));
    let strange = Authority::new(world.directory.path(), "strange").sign("stranger");
    let (cert, key) = (
        strange.cert.display().to_string(),
        strange.key.display().to_string(),
    );
    let (far, near) = meet(&server, &world.client(&["--tls-cert", &cert, "--tls-key", &key]));
    says(far.unwrap_err(), "is not trusted");
    says(learned(near), "does not know who has signed it");
}

#[test]
fn certificate_in_the_trust_store_is_trusted_by_itself() {
    let world = world();
    let own = world.authority.self_signed("self");
    let server = world.server(&own, &[]);
    let ca = own.cert.display().to_string();
    talk(meet(&server, &connector(&["--tls-ca", &ca])));
    let (_, near) = meet_as(&server, &connector(&["--tls-ca", &ca]), "elsewhere");
    says(near.unwrap_err(), "does not bear the name");
    let signed = world.server(&world.authority.sign("leaf"), &[]);
    talk(meet(&signed, &connector(&["--tls-ca", &world.path("leaf.cert")])));
}

#[test]
fn plain_text_on_a_port_for_tls_and_the_reverse_are_named() {
    let world = world();
    let server = world.server(&world.authority.sign("server"), &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let (accepted, _) = listener.accept().unwrap();
    says(
        server.accept(accepted.into()).unwrap_err(),
        "speaks no TLS, it sent \"GET / HTTP",
    );
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert_eq!(answer[..3], [0x15, 3, 3]);

    for (answer, part) in [
        (&b"220 hello\r\n"[..], "speaks no TLS, it sent \"220 hello"),
        (b"", "has closed the connection during the TLS handshake"),
    ] {
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.write_all(answer).unwrap();
        accepted.shutdown(Shutdown::Write).unwrap();
        let refused = world
            .client(&[])
            .connect(socket.into(), "localhost", Duration::from_secs(20))
            .unwrap_err();
        says(refused, part);
    }
}

#[test]
fn peer_that_says_nothing_is_given_up() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let client = world.client(&[]);
    let error = client.connect(socket.into(), "localhost", Duration::from_millis(50));
    assert_eq!(error.unwrap_err(), TlsError::TimedOut);
}

#[test]
fn sides_with_nothing_in_common_say_so() {
    let world = world();
    let signed = world.authority.sign("server");
    let server = world.server(&signed, &["--include-protocols", "TLSv1.3"]);
    let (far, near) = meet(&server, &world.client(&["--exclude-protocols", "TLSv1.3"]));
    says(far.unwrap_err(), "in common");
    says(near.unwrap_err(), "in common");
}

/// Run a program that makes a key store.
#[track_caller]
fn make(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {output:?}");
}

/// Is the program there? Where everything is promised it has to be; else it is said that a test is left out.
fn has(program: &str, word: &str) -> bool {
    let found = Command::new(program).arg(word).output().is_ok();
    if !found {
        assert!(
            std::env::var_os("FLUME_PROMISED").is_none(),
            "{program} is missing"
        );
        let _ = writeln!(std::io::stderr(), "SKIPPED: key stores, {program} is missing");
    }
    found
}

#[test]
fn key_stores_of_openssl_are_read() {
    if !has("openssl", "version") {
        return;
    }
    let world = world();
    let signed = world.authority.sign("server");
    let (cert, key) = (
        signed.cert.display().to_string(),
        signed.key.display().to_string(),
    );
    let (store, ca) = (world.path("server.p12"), world.path("authority.pem"));
    let export = [
        "pkcs12",
        "-export",
        "-in",
        &cert,
        "-inkey",
        &key,
        "-certfile",
        &ca,
    ];
    make(
        "openssl",
        &[&export[..], &["-out", &store, "-passout", "pass:changeit"]].concat(),
    );
    std::fs::write(world.path("password"), "changeit\n").unwrap();
    let password = format!("file:{}", world.path("password"));
    let server = acceptor(&["--keystore", &store, "--keystore-password", &password]);
    talk(meet(&server, &world.client(&[])));
    std::fs::write(world.path("wrong"), "changed\n").unwrap();
    let wrong = format!("file:{}", world.path("wrong"));
    let settings = SERVER.from_flags(&owned(&["--keystore", &store, "--keystore-password", &wrong]));
    let error = super::server(&settings.unwrap(), "test").err().unwrap();
    assert!(error.to_string().contains("the password is wrong"), "{error}");
}

#[test]
fn key_stores_of_java_are_read_where_they_are_pkcs12() {
    if !has("keytool", "-help") {
        return;
    }
    let world = world();
    let (store, trust) = (world.path("key.p12"), world.path("trust.p12"));
    let pass = ["-storepass", "changeit"];
    let new = [
        "-genkeypair",
        "-alias",
        "flume",
        "-keyalg",
        "EC",
        "-dname",
        "CN=flume",
        "-ext",
        "san=dns:localhost",
    ];
    make(
        "keytool",
        &[&new[..], &["-keystore", &store, "-storetype", "PKCS12"], &pass].concat(),
    );
    let cert = world.path("flume.pem");
    make(
        "keytool",
        &[
            &[
                "-exportcert",
                "-rfc",
                "-alias",
                "flume",
                "-keystore",
                &store,
                "-file",
                &cert,
            ][..],
            &pass,
        ]
        .concat(),
    );
    let import = [
        "-importcert",
        "-noprompt",
        "-alias",
        "flume",
        "-file",
        &cert,
        "-keystore",
        &trust,
    ];
    make(
        "keytool",
        &[&import[..], &["-storetype", "PKCS12"], &pass].concat(),
    );
    let of = |pairs: &[(&str, &str)]| {
        let owned = pairs
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        owned.collect()
    };
    let settings = SERVER.from_properties(&of(&[
        ("keystore", &store),
        ("keystore-password", "changeit"),
        ("keystore-type", "JKS"),
    ]));
    let acceptor = server(&settings.unwrap(), "test").unwrap();
    let settings = CLIENT.from_properties(&of(&[
        ("truststore", &trust),
        ("truststore-password", "changeit"),
    ]));
    let connector = client(&settings.unwrap(), HostNames::Ignored, "test").unwrap();
    talk(meet_as(&acceptor, &connector, "elsewhere"));
    let java = world.path("key.jks");
    make(
        "keytool",
        &[
            &new[..],
            &["-keystore", &java, "-storetype", "JKS", "-keypass", "changeit"],
            &pass,
        ]
        .concat(),
    );
    let settings = SERVER.from_properties(&of(&[("keystore", &java), ("keystore-password", "changeit")]));
    let error = server(&settings.unwrap(), "test").err().unwrap();
    let said = format!("keystore: {java}: it is a key store of Java's own kind");
    assert!(error.to_string().contains(&said), "{error}");
    // What it says to do does it.
    let text = error.to_string();
    let command = text.split('"').nth(1).unwrap();
    assert!(command.starts_with("keytool -importkeystore"), "{error}");
    let words: Vec<_> = command.split(' ').skip(1).collect();
    let pass = ["-srcstorepass", "changeit", "-deststorepass", "changeit"];
    make("keytool", &[&words[..], &pass].concat());
    let made = SERVER.from_properties(&of(&[
        ("keystore", &format!("{java}.p12")),
        ("keystore-password", "changeit"),
    ]));
    server(&made.unwrap(), "test").unwrap();
}

#[test]
fn certificate_that_changes_is_used_by_the_next_connection() {
    let world = world();
    let signed = world.authority.sign("server");
    let server = world.server(&signed, &[]);
    talk(meet(&server, &world.client(&[])));
    let other = Authority::new(world.directory.path(), "other");
    // The same files, signed by somebody else.
    other.sign("server");
    let other_client = connector(&["--tls-ca", &world.path("other.pem")]);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (far, near) = meet(&server, &other_client);
        if near.is_ok() {
            break talk((far, near));
        }
        assert!(Instant::now() < deadline, "the old certificate stays in use");
        // The files are looked at once a second.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The global settings are those of the process: held by who sets them or needs them unset.
static GLOBALS: Mutex<()> = Mutex::new(());

#[test]
fn what_is_wrong_with_the_settings_is_said_at_the_start() {
    let _unset = GLOBALS.lock();
    let world = world();
    let signed = world.authority.sign("server");
    let other = world.authority.sign("other");
    let wrong = |words: &[&str]| {
        let settings = SERVER.from_flags(&owned(words)).unwrap();
        server(&settings, "test").err().unwrap()
    };
    let at = |path: &Path| path.display().to_string();
    let (cert, key) = (at(&signed.cert), at(&other.key));
    for (words, part) in [
        (vec![], "TLS needs a certificate and its key"),
        (vec!["--tls-key", &key[..]], "--tls-key needs the certificate"),
        (vec!["--tls-cert", &cert], "there is no private key in it"),
        (
            vec!["--tls-cert", &cert, "--tls-key", &key],
            "does not belong to the certificate",
        ),
        (vec!["--tls-cert", "/no/such"], "tls-cert: /no/such: No such file"),
        (
            vec!["--tls-cert", &cert, "--tls-key", "/no/such"],
            "tls-key: /no/such: No such file",
        ),
        (vec!["--keystore", "/no/such"], "keystore: /no/such: No such file"),
        (
            vec!["--tls-cert", &key, "--tls-ca", "/no/such"],
            "tls-ca: /no/such: No such file",
        ),
        (
            vec!["--tls-cert", &key, "--tls-key", &key],
            "there is no certificate in it",
        ),
        (vec!["--keystore", &cert, "--tls-cert", &cert], "give one of them"),
        (
            vec!["--keystore", &cert, "--keystore-type", "BKS"],
            "\"BKS\" is no type",
        ),
        (
            vec!["--tls-cert", &cert, "--include-protocols", "TLSv1"],
            "no protocol is left",
        ),
    ] {
        let error = wrong(&words);
        assert!(error.to_string().contains(part), "{words:?}: {error}");
        assert_eq!(error.status(), 2);
    }
}

#[test]
fn global_settings_stand_in_for_what_a_component_does_not_say() {
    let world = world();
    let signed = world.authority.sign("server");
    let both = [&signed.cert, &signed.key].map(|path| std::fs::read_to_string(path).unwrap());
    std::fs::write(world.path("both.pem"), both.concat()).unwrap();
    let set = GLOBALS.lock();
    globals::define("javax.net.ssl.keyStore", &world.path("both.pem"));
    globals::define("javax.net.ssl.trustStore", &world.path("authority.pem"));
    let server = acceptor(&[]);
    let client = connector(&[]);
    globals::define("javax.net.ssl.keyStore", "");
    globals::define("javax.net.ssl.trustStore", "");
    drop(set);
    talk(meet(&server, &client));
}
