//! Text that a command prints in front of its first reply: what a login shell or a gateway says.

use crate::fd::PolledFd;
use crate::wire::{FrameHeader, HEADER, HELLO_LIMIT, Input, MAGIC};
use std::io::{self, Read};
use std::time::Instant;

/// So much of it is skipped.
const SKIPPED: usize = 64 << 10;
/// So much of it is shown.
const SHOWN: usize = 200;

/// Reads what is there of the command's standard output, from the first frame on.
pub(super) struct Banner {
    input: PolledFd,
    /// What came before a frame was found, and behind it what of it was not read yet.
    before: Vec<u8>,
    found: bool,
    name: String,
}

impl Banner {
    /// Report the text under this name.
    pub fn new(mut input: PolledFd, name: &str) -> Banner {
        // Any time that has passed: nothing is ever waited for.
        input.deadline = Some(Instant::now());
        Banner {
            input,
            before: Vec::new(),
            found: false,
            name: name.to_string(),
        }
    }

    /// Look for the first frame; at the end of the input what came is all that is shown.
    fn search(&mut self) -> io::Result<usize> {
        let fresh = crate::wire::Input::read_onto(&mut self.input, &mut self.before, 4096)?;
        if let Some(at) = first_frame(&self.before) {
            self.report(at);
            self.before.drain(..at);
            self.found = true;
        } else if fresh == 0 || self.before.len() > SKIPPED + HEADER {
            self.report(self.before.len());
            self.before.clear();
            self.found = true;
            if fresh > 0 {
                return Err(io::Error::other("64 KiB of text came and no reply among it"));
            }
        }
        Ok(fresh)
    }

    fn report(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&self.before[..bytes.min(SHOWN)]);
        let text = text.trim_end().escape_debug().to_string();
        crate::say::warn(
            &self.name,
            format!("the command printed {bytes} bytes that are no reply, which are skipped: \"{text}\""),
        );
    }
}

/// Where the first frame begins, if its whole header is there.
fn first_frame(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(bytes, &MAGIC).find(|at| {
        let header = bytes[*at..].first_chunk::<HEADER>();
        header.is_some_and(|header| FrameHeader::decode(header, 0, HELLO_LIMIT).is_ok())
    })
}

impl Read for Banner {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while !self.found {
            if self.search()? == 0 {
                return Ok(0);
            }
        }
        if self.before.is_empty() {
            return self.input.read(to);
        }
        let count = self.before.len().min(to.len());
        to[..count].copy_from_slice(&self.before[..count]);
        self.before.drain(..count);
        Ok(count)
    }
}

impl Input for Banner {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::accept_frame;
    use std::io::Write;

    fn banner_before(text: &[u8]) -> io::Result<Vec<u8>> {
        crate::say::be_quiet();
        let (read, mut write) = io::pipe().unwrap();
        let mut bytes = text.to_vec();
        bytes.extend_from_slice(&accept_frame(7));
        let writer = std::thread::spawn(move || {
            // Byte by byte at the border, as a network may.
            let border = bytes.len() - 60.min(bytes.len());
            let _ = write.write_all(&bytes[..border]);
            for byte in &bytes[border..] {
                let _ = write.write_all(&[*byte]);
            }
        });
        let mut banner = Banner::new(PolledFd::new(read.into(), false), "test");
        banner.input.deadline = None;
        let mut all = Vec::new();
        let read = banner.read_to_end(&mut all);
        drop(banner);
        writer.join().unwrap();
        read.map(|_| all)
    }

    #[test]
    fn text_before_the_first_reply_is_skipped_up_to_a_bound() {
        assert_eq!(banner_before(b"").unwrap(), accept_frame(7));
        assert_eq!(banner_before(b"Welcome! FLM1\nFLM1\n").unwrap(), accept_frame(7));
        assert_eq!(banner_before(&[b'x'; 60_000]).unwrap(), accept_frame(7));
        let error = banner_before(&[b'x'; 80_000]).unwrap_err();
        assert!(error.to_string().contains("64 KiB"), "{error}");
    }
}
