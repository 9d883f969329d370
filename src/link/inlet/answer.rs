//! Where the acceptances of a stream go, if they can go anywhere.

use super::StreamInlet;
use crate::fd::FdKind;
use crate::link::reply::{self, NoReply, Silence};
use crate::link::welcome;
use crate::wire::{Got, Hello, Kind};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Where acceptances of the current stream go.
pub(super) enum Reply {
    /// No hello yet.
    Unknown,
    /// A connection of our own.
    Socket(Arc<OwnedFd>),
    /// Nobody waits for them.
    Nobody,
    /// Nobody can be reached: that matters when there is a batch to accept.
    Unreachable(String),
    /// Nobody has answered, and that matters then, too.
    Silence(Silence),
    /// The writer is dead: what came of its stream is taken.
    Dead,
    /// Another stage takes already.
    Surplus(String),
}

impl StreamInlet {
    pub(super) fn find_reply(&mut self, hello: &Hello) -> Reply {
        if self.kind == FdKind::File {
            if hello.reply != "none" || hello.stage.is_empty() {
                crate::say::debug(
                    &self.options.identity.stage,
                    "nobody waits for the acceptance of a recording",
                );
            }
            return Reply::Nobody;
        }
        match hello.reply.as_str() {
            "none" => Reply::Nobody,
            "self" => match self.frames.inner_mut().fd.try_clone() {
                Ok(socket) if self.kind == FdKind::Socket => Reply::Socket(Arc::new(socket)),
                Ok(_) => Reply::Unreachable(
                    "the stream says that acceptances go back over its own socket, but it came by a pipe"
                        .into(),
                ),
                Err(error) => Reply::Unreachable(error.to_string()),
            },
            "stdout" if !self.options.only_self => match welcome::on_stdout(&self.options, &self.stop) {
                Ok(output) => Reply::Socket(Arc::new(output)),
                Err(why) => Reply::Unreachable(why),
            },
            reply if self.options.only_self => Reply::Unreachable(format!(
                "the stream of {} wants its acceptances at {reply}, which is not over this connection: send it \
                 with \"flume sink stream ADDRESS\" or \"flume send ADDRESS\", or with --durability best-effort",
                hello.stage
            )),
            reply if reply.starts_with("unix:") => match reply::connect(hello, &self.options.identity) {
                Ok(socket) => Reply::Socket(Arc::new(socket.into())),
                Err(NoReply::Surplus(why)) => Reply::Surplus(why),
                Err(NoReply::Elsewhere(why)) => Reply::Unreachable(why),
                Err(NoReply::Silence(silence)) => Reply::Silence(silence),
            },
            other => Reply::Unreachable(format!("a reply by \"{other}\" is not known to this version")),
        }
    }

    /// Has whoever wrote this stream died before it could answer? One that is in another network namespace
    /// holds the pipe open; a recording that comes through `cat` has an end, or a stream behind it.
    pub(super) fn is_of_a_dead_writer(&mut self, was_there: bool) -> bool {
        if !self.hangs_up() {
            return false;
        }
        let mut ended = false;
        // Nobody writes any more, so that this reads no more than what a pipe holds, and does not wait.
        while !was_there && !ended {
            let at = self.frames.at();
            match self.frames.next() {
                Ok(Got::Frame(frame)) => {
                    ended = matches!(frame.header.kind, Kind::End | Kind::Hello);
                    self.ahead.push_back((Ok(frame), at));
                }
                Ok(Got::Eof | Got::Pending) => break,
                Err(error) => {
                    self.ahead.push_back((Err(error), at));
                    break;
                }
            }
        }
        !ended
    }
}
