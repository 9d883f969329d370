//! The beginning of a stream at the side that takes: who is let in, and the word that a taker has come.

use super::inlet::InletOptions;
use crate::ack::Refusal;
use crate::exit::StageError;
use crate::fd::{self, FdKind};
use crate::stop::Stop;
use crate::wire::{self, Hello, Kind, Refuse};
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// How far a stream is known already, or why it is not taken.
pub type Admit = dyn Fn(&Hello) -> Result<u64, Refusal> + Send + Sync;

/// Looks at who comes.
#[derive(Clone)]
pub struct Gate(pub Arc<Admit>);

impl std::fmt::Debug for Gate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Gate")
    }
}

/// Of a server: welcome the writer, if it may come in.
pub(super) fn let_in(
    options: &InletOptions,
    hello: &Hello,
    socket: Option<&Arc<OwnedFd>>,
    stop: &Stop,
) -> Result<(), StageError> {
    let Some(Gate(admits)) = &options.gate else {
        return Ok(());
    };
    let admitted = admits(hello);
    let answer = match &admitted {
        Ok(known) => wire::welcome_frame(*known).to_vec(),
        Err(refusal) => {
            let refuse = Refuse {
                class: "reject".into(),
                reason: refusal.reason.clone(),
            };
            wire::encode_json(Kind::Refuse, 0, &refuse)
        }
    };
    if let (Some(socket), true) = (socket, hello.wants_welcome()) {
        // Who does not hear it learns it by the closing connection.
        let _ = stop.write_all(socket.as_fd(), &mut [IoSlice::new(&answer)], &[]);
    }
    admitted.map(drop).map_err(|refusal| {
        StageError::Failed(format!(
            "{}: {} is not let in: {refusal}",
            options.name, hello.stage
        ))
    })
}

/// Standard output, if acceptances can go there; the writer learns at once that a taker has come.
pub(super) fn on_stdout(options: &InletOptions, stop: &Stop) -> Result<OwnedFd, String> {
    let wanted = "the stream says that its acceptances go back over standard output";
    if !options.owns_stdout {
        return Err(format!(
            "{wanted}, but {} writes something else there: what takes must be the last stage, such as \"flume \
             channel file DIR --put\"",
            options.identity.stage
        ));
    }
    let stdout = std::io::stdout();
    if !matches!(fd::kind(&stdout), Ok(FdKind::Pipe | FdKind::Socket)) {
        return Err(format!(
            "{wanted}, but that is no pipe: the command of \"flume sink pipe\" has to leave it open (ssh without \
             -t)"
        ));
    }
    let output = stdout.as_fd().try_clone_to_owned();
    let output = output.map_err(|error| format!("{wanted}, which cannot be used: {error}"))?;
    let welcome = wire::accept_frame(0);
    let told = stop.write_all(output.as_fd(), &mut [IoSlice::new(&welcome)], &[]);
    told.map_err(|error| format!("{wanted}, which cannot be written: {error}"))?;
    Ok(output)
}
