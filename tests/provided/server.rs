//! A small HTTP server that keeps one text, with a time of its last change, a user who may have it, and faults.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    /// The second of its last change.
    version: u64,
    /// `USER:PASSWORD` in base64, when not everybody may have it.
    user: Option<String>,
    /// What every request is answered with.
    fault: Option<u16>,
    requests: Vec<String>,
    answers: Vec<u16>,
}

impl Server {
    pub fn start(text: &str) -> Server {
        Server::with(text, None)
    }

    pub fn start_tls(text: &str, cert: &Path, key: &Path) -> Server {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(cert).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        Server::with(text, Some(Arc::new(config)))
    }

    fn with(text: &str, tls: Option<Arc<rustls::ServerConfig>>) -> Server {
        // All of loopback: one of its addresses is in no certificate.
        let host = if tls.is_some() { "0.0.0.0" } else { "127.0.0.1" };
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().text = text.into();
        let own = shared.clone();
        // Both end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, shared, tls) = (stream.unwrap(), own.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => shared.serve(&mut stream),
                    Some(tls) => {
                        let mut session = rustls::ServerConnection::new(tls).unwrap();
                        shared.serve(&mut rustls::Stream::new(&mut session, &mut stream));
                    }
                });
            }
        });
        Server { address, shared }
    }

    pub fn set(&self, text: &str) {
        let mut state = self.shared.state.lock().unwrap();
        state.text = text.into();
        state.version += 1;
    }

    pub fn fail(&self, status: Option<u16>) {
        self.shared.state.lock().unwrap().fault = status;
    }

    pub fn only_for(&self, user: &str) {
        self.shared.state.lock().unwrap().user = Some(base64(user));
    }

    pub fn requests(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().requests.clone()
    }

    /// Until a request was answered with this status.
    pub fn wait_answer(&self, status: u16) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut state = self.shared.state.lock().unwrap();
        while !state.answers.contains(&status) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {status} in {:?}", state.answers);
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// By a program that is not ours.
fn base64(text: &str) -> String {
    let output = std::process::Command::new("bash")
        .args(["-c", "printf %s \"$1\" | base64 -w 0", "bash", text])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

impl Shared {
    fn serve(&self, stream: &mut (impl Read + Write)) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            // A client whose handshake fails has nothing to say.
            match stream.read(&mut byte) {
                Ok(1) => request.push(byte[0]),
                _ => return,
            }
        }
        let request = String::from_utf8(request).unwrap();
        let answer = self.answer(request);
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.flush();
    }

    fn answer(&self, request: String) -> String {
        let mut state = self.state.lock().unwrap();
        let header = |name: &str| {
            let found = request.lines().filter_map(|line| line.split_once(": "));
            let mut found = found.filter(|(own, _)| own.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_string())
        };
        let modified = format!(
            "Sat, 28 Nov 2026 10:{:02}:{:02} GMT",
            state.version / 60,
            state.version % 60
        );
        let is_let_in = match &state.user {
            None => true,
            Some(user) => header("authorization").as_deref() == Some(&format!("Basic {user}")),
        };
        let status = match (state.fault, is_let_in) {
            (Some(fault), _) => fault,
            (None, false) => 401,
            (None, true) if header("if-modified-since").as_ref() == Some(&modified) => 304,
            (None, true) => 200,
        };
        let body = if status == 200 { &state.text[..] } else { "" };
        let answer = format!(
            "HTTP/1.1 {status} x\r\nLast-Modified: {modified}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        state.requests.push(request.to_lowercase());
        state.answers.push(status);
        drop(state);
        self.changed.notify_all();
        answer
    }
}
