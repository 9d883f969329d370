//! The links of a flow with the world: standard input and output as ends of a stream.

use super::{Board, Durability};
use crate::exit::StageError;
use crate::fd::{self, FdKind};
use crate::link::inlet::InletOptions;
use crate::link::outlet::{OutletOptions, Reply};
use crate::link::valve::Valve;
use crate::link::{Identity, Outlet, StreamInlet, StreamOutlet, Window};
use crate::stage::{self, Began};
use crate::stop::Stop;
use crate::wire::Compression;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
/// What all segments of a flow share.
pub(crate) struct Links {
    pub durability: Durability,
    pub window: Window,
    pub reply_timeout: Duration,
    pub takers: usize,
    pub reply_dir: Option<PathBuf>,
    pub compression: Compression,
    pub limit: u32,
    pub stop: Stop,
    pub board: Board,
    /// After a stop, what a channel in memory holds is taken out first.
    pub drains: Arc<AtomicBool>,
    /// Holds up what passes while it is closed.
    pub valve: Valve,
    /// Called when the source or the sink has started.
    pub began: Option<Began>,
    /// No part of the flow writes a stream to standard output.
    pub stdout_is_free: bool,
}

impl Links {
    /// For a segment that begins and ends inside this process.
    pub fn inside(stop: &Stop, board: &Board) -> Links {
        Links {
            durability: Durability::EndToEnd,
            window: Window::default(),
            reply_timeout: Duration::ZERO,
            takers: 1,
            reply_dir: None,
            compression: Compression::None,
            limit: crate::wire::LIMIT,
            stop: stop.clone(),
            board: board.clone(),
            drains: Arc::new(AtomicBool::new(true)),
            valve: Valve::default(),
            began: None,
            stdout_is_free: true,
        }
    }

    pub fn began(&self) {
        if let Some(began) = &self.began {
            began();
        }
    }

    /// Standard output as the end of a stream.
    pub fn output(&self, name: &str, origin: String) -> Result<Arc<dyn Outlet>, StageError> {
        let stdout = std::io::stdout();
        let reply = match (fd::kind(&stdout).map_err(stage::cannot_open)?, self.durability) {
            (FdKind::Terminal, _) => {
                return Err(StageError::Usage(format!(
                    "standard output is a terminal and {name} writes a stream of events in binary: add \"| flume \
                     cat\" to see them, or redirect it to a file to record them"
                )));
            }
            (_, Durability::BestEffort) => Reply::None,
            (FdKind::File, _) => Reply::File,
            (FdKind::Device | FdKind::Other, _) => {
                return Err(StageError::Usage(format!(
                    "standard output is a device, where nobody accepts what {name} writes: \
                     --durability best-effort would allow it"
                )));
            }
            (FdKind::Pipe | FdKind::Socket, _) => Reply::Unix(self.reply_dir.clone()),
        };
        if self.takers > 1 && !matches!(reply, Reply::Unix(_)) {
            return Err(StageError::Usage(format!(
                "--takers {}: standard output is no pipe whose acceptances are waited for, so no stage behind it takes",
                self.takers
            )));
        }
        let options = OutletOptions {
            takers: self.takers,
            window: self.window,
            reply_timeout: self.reply_timeout,
            compression: self.compression,
            origin,
            limit: self.limit,
            ..OutletOptions::new(Identity::of_stage(name), reply)
        };
        let fd = stdout.as_fd().try_clone_to_owned().map_err(stage::cannot_open)?;
        let outlet = StreamOutlet::open(fd, options, &self.stop).map_err(stage::cannot_open)?;
        outlet.stop_when_gone();
        let outlet: Arc<dyn Outlet> = Arc::new(outlet);
        self.board.watch(outlet.clone());
        Ok(outlet)
    }

    /// Standard input as the beginning of one.
    pub fn input(&self, name: &str) -> Result<StreamInlet, StageError> {
        let options = InletOptions {
            limit: self.limit,
            owns_stdout: self.stdout_is_free,
            ..InletOptions::new(Identity::of_stage(name), "standard input")
        };
        StreamInlet::open(stdin()?, options, &self.stop)
    }
}

/// Standard input, for a reader of its own.
pub(super) fn stdin() -> Result<OwnedFd, StageError> {
    std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| StageError::Failed(format!("standard input cannot be used: {error}")))
}
