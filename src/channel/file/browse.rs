//! The batches of a channel, one after the other, without taking them.

use super::disk::DiskFile;
use super::place::failed;
use super::segment;
use super::viewer::{Viewer, Waiting, WaitingFrame};
use crate::channel::ChannelError;
use crate::event::Batch;
use crate::wire::FrameHeader;
use std::collections::VecDeque;
use std::io;
use std::path::Path;

/// All batches that are not accepted, oldest first, without taking them. Works while others put and take:
/// a batch that is accepted meanwhile may be seen or not.
pub fn browse(
    directory: &Path,
) -> Result<impl Iterator<Item = Result<(FrameHeader, Batch), ChannelError>> + use<>, ChannelError> {
    let viewer = Viewer::new(directory)?;
    let segments = viewer.place.segments(&viewer.disk)?.into();
    Ok(Browse {
        viewer,
        segments,
        current: None,
    })
}

struct Browse {
    viewer: Viewer,
    segments: VecDeque<(u64, usize)>,
    current: Option<(u64, usize, Waiting)>,
}

impl Browse {
    /// `None` for a frame that was accepted since it was listed: its bytes may be gone.
    fn read(
        &self,
        (number, dir): (u64, usize),
        waiting: &Waiting,
        found: WaitingFrame,
    ) -> Option<Result<(FrameHeader, Batch), ChannelError>> {
        let read = segment::read_frame(&*waiting.file, number, found.frame, found.entry);
        match read {
            Err(error)
                if error.kind() == io::ErrorKind::InvalidData
                    && self.is_gone((number, dir), &*waiting.file, found) =>
            {
                None
            }
            read => {
                Some(read.map_err(|error| failed("read", &self.viewer.place.segment(dir, number), &error)))
            }
        }
    }

    fn is_gone(&self, (number, dir): (u64, usize), file: &dyn DiskFile, found: WaitingFrame) -> bool {
        match self.viewer.index(number) {
            Some(index) if index.committed() > found.frame && index.is_accepted(found.frame) => true,
            // Drained meanwhile, and another segment by now.
            _ => !self.viewer.is_there(number, dir, file),
        }
    }
}

impl Iterator for Browse {
    type Item = Result<(FrameHeader, Batch), ChannelError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((number, dir, mut waiting)) = self.current.take() {
                let item = match waiting.damage.pop_front() {
                    Some(damage) => Some(Some(Err(ChannelError::Failed(damage)))),
                    None => waiting
                        .frames
                        .pop_front()
                        .map(|found| self.read((number, dir), &waiting, found)),
                };
                if let Some(item) = item {
                    self.current = Some((number, dir, waiting));
                    match item {
                        Some(item) => return Some(item),
                        None => continue,
                    }
                }
            }
            let (number, dir) = self.segments.pop_front()?;
            self.current = match self.viewer.look(dir, number) {
                Ok(found) => found.map(|waiting| (number, dir, waiting)),
                Err(error) => return Some(Err(error)),
            };
        }
    }
}
