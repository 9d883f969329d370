//! Reading what a server answers.

use super::calls::Calls;
use crate::fd::PolledFd;
use crate::rpc::avro::{Got, Inflated, PackError, PackReader, Reply};
use crate::rpc::stranger;
use crate::wire::Input;
use std::io;
use std::time::{Duration, Instant};

/// Something that is read from, waiting until a time.
pub(super) trait Waitable: Input {
    fn wait_until(&mut self, deadline: Instant);
    /// The first bytes as they came from the other side.
    fn came_first(&self) -> Option<&[u8]> {
        None
    }
}

impl Waitable for PolledFd {
    fn wait_until(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }
}

impl Waitable for Inflated<PolledFd> {
    fn wait_until(&mut self, deadline: Instant) {
        self.inner_mut().deadline = Some(deadline);
    }
    fn came_first(&self) -> Option<&[u8]> {
        Some(self.first_bytes())
    }
}

/// Read answers until there can be none any more, and say why.
pub(super) fn read_answers<I: Waitable>(
    reader: &mut PackReader<I>,
    calls: &Calls,
    timeout: Duration,
) -> String {
    loop {
        if reader.begun() == 0 {
            calls.after();
        }
        // While nothing waits for an answer it is only looked now and then whether something does.
        let overdue = calls.overdue(timeout);
        reader
            .inner_mut()
            .wait_until(overdue.unwrap_or_else(|| Instant::now() + timeout));
        let pack = match reader.next() {
            Ok(Got::Pack(pack)) => pack,
            Ok(Got::Pending) if calls.is_over() => return "it was closed".into(),
            Ok(Got::Pending) => match calls.overdue(timeout) {
                Some(overdue) if overdue <= Instant::now() => {
                    return format!("it does not answer within {timeout:?}");
                }
                _ => continue,
            },
            Ok(Got::Eof) => return "it has closed the connection".into(),
            Err(error) => return told(&error, reader),
        };
        let answered = Reply::decode(&pack.payload, false)
            .map_err(|error| format!("its answer cannot be read: {error}"))
            .and_then(|reply| reply.answer.ok_or_else(|| "it gives an empty answer".into()))
            .and_then(|answer| calls.answered(pack.serial, answer));
        crate::slab::give(pack.payload);
        if let Err(why) = answered {
            return why;
        }
    }
}

/// Nothing whole has come as the answer to the handshake.
pub(super) fn silent<I: Waitable>(timeout: Duration, reader: &PackReader<I>) -> String {
    let first = reader.inner().came_first().unwrap_or(reader.first_bytes());
    match stranger(first) {
        Some(who) => speaks(who),
        None => format!("it does not answer the handshake within {timeout:?}"),
    }
}

fn speaks(who: &str) -> String {
    format!("what answers there is no Avro source, it speaks {who}")
}

/// What is wrong with what came, and who it probably is that speaks there.
pub(super) fn told<I: Waitable>(error: &PackError, reader: &PackReader<I>) -> String {
    let first = reader.inner().came_first().unwrap_or(reader.first_bytes());
    match (error, stranger(first)) {
        (PackError::Io(error), None) if error.kind() != io::ErrorKind::InvalidData => {
            format!("the connection has failed: {error}")
        }
        (_, Some(who)) => speaks(who),
        (error, None) => format!("what answers there does not speak Avro as it should: {error}"),
    }
}
