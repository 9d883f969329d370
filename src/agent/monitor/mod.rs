//! What an agent shows of itself to those who watch it: its counters under Flume's names, and how old the oldest
//! event is that nobody has accepted yet.
//!
//! | `flume.monitoring.type` | |
//! |---|---|
//! | `http` | JSON at `/metrics`, as Flume's; Prometheus' text for who asks for it; `/health/live`, `/health/ready` |
//! | `prometheus` | the same, with Prometheus' text at `/metrics` |
//! | `ganglia` | packets to Ganglia's gmond |
//!
//! All of it only reads: nothing that moves events ever waits for somebody who watches.

pub mod config;
mod ganglia;
pub mod groups;
mod health;
mod http;
mod page;
mod prometheus;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use http::Form;

use crate::exit::StageError;
use crate::flow::Board;
use crate::stop::Stop;
use std::thread::JoinHandle;
use std::time::Duration;

/// A monitor that runs; dropped, it ends.
pub struct Monitor {
    closing: Stop,
    thread: Option<JoinHandle<()>>,
    address: Option<String>,
}

/// Show this board.
///
/// Errors: a sentence that says why nobody can see it; the agent runs all the same.
pub fn start(config: Config, board: &Board) -> Result<Monitor, StageError> {
    let failed = |error: std::io::Error| StageError::Failed(format!("no monitor can be started: {error}"));
    let closing = Stop::new(Duration::ZERO).map_err(failed)?;
    let (board, stop) = (board.clone(), closing.clone());
    let thread = std::thread::Builder::new()
        .name("flume-monitor".into())
        .stack_size(256 << 10);
    let (spawned, address) = match config {
        Config::Http(config) => {
            let server = http::Server::bind(config, board)?;
            let address = server.address();
            (thread.spawn(move || server.run(&stop)), address)
        }
        Config::Ganglia(config) => (thread.spawn(move || ganglia::run(&config, &board, &stop)), None),
    };
    Ok(Monitor {
        closing,
        thread: Some(spawned.map_err(failed)?),
        address,
    })
}

impl Monitor {
    /// `HOST:PORT` where it listens.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.closing.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
