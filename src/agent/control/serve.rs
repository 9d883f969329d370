//! The agent's side of the control socket.

use super::super::host::Host;
use super::{Answer, Request, answer, place};
use crate::say;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes of a request.
const LONGEST: u64 = 64 << 10;
/// Who asks at the same time.
const CALLERS: usize = 32;
/// How long somebody may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket that listens; its file goes with it.
pub struct Control {
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listen at a path for an agent.
///
/// Errors: a sentence; the agent runs without.
pub fn serve(path: &Path, host: &Arc<Host>) -> Result<Control, String> {
    place::prepare(path)?;
    let shown = path.display();
    if path.exists() {
        if UnixStream::connect(path).is_ok() {
            return Err(format!(
                "another agent listens at {shown}: give this one a place with --control"
            ));
        }
        // Left by one that was killed.
        std::fs::remove_file(path).map_err(|error| format!("{shown} is in the way: {error}"))?;
    }
    let listener = UnixListener::bind(path).map_err(|error| format!("{shown}: {error}"))?;
    let host = Arc::downgrade(host);
    let callers = Arc::new(AtomicUsize::new(0));
    let serving = move || {
        for stream in listener.incoming().flatten() {
            let Some(host) = host.upgrade() else { return };
            if !is_ours(&stream) {
                continue;
            }
            if callers.fetch_add(1, Ordering::SeqCst) >= CALLERS {
                callers.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let leaving = callers.clone();
            let spawned = std::thread::Builder::new()
                .name("flume-ctl".into())
                .spawn(move || {
                    // Who goes away in the middle has nothing to be told.
                    let _ = converse(&stream, &host);
                    leaving.fetch_sub(1, Ordering::SeqCst);
                });
            if spawned.is_err() {
                callers.fetch_sub(1, Ordering::SeqCst);
            }
        }
    };
    std::thread::Builder::new()
        .name("flume-control".into())
        .stack_size(256 << 10)
        .spawn(serving)
        .map_err(|error| format!("no thread can be started: {error}"))?;
    say::debug("agent", format!("listening to flume ctl at {shown}"));
    Ok(Control {
        path: path.to_path_buf(),
    })
}

fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

fn converse(stream: &UnixStream, host: &Arc<Host>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if (&mut reader).take(LONGEST).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let request = serde_json::from_str::<Request>(&line);
        let answer = match &request {
            Ok(request) => answer(request, host),
            Err(error) => Answer::of(Err(format!("this is no request that is understood: {error}"))),
        };
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        let written = (&mut &*stream).write_all(text.as_bytes());
        if matches!(request, Ok(Request::Shutdown {})) {
            host.stop().stop();
        }
        written?;
        if !line.ends_with('\n') {
            return Ok(());
        }
    }
}
