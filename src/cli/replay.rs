//! `flume replay FILE`: a recording played as a stream of its own.

use super::options::{self, Common, Writing};
use super::parts;
use super::report::run_watched;
use super::{Ended, Tool};
use crate::event::{Batch, BatchBuilder};
use crate::exit::{StageError, StageResult};
use crate::flow::{Flow, Part};
use crate::link::Wait;
use crate::link::recording::{Recorded, Recording};
use crate::stage::{ChannelProcessor, PollableSource, Source, Status};
use crate::stop::Stop;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// The command.
pub const TOOL: Tool = Tool {
    name: "replay",
    command: whole_command,
    run,
};

/// Play recordings: their events go out as a new stream, with acceptances of its own.
#[derive(Parser)]
#[command(name = "replay", bin_name = "flume replay", no_binary_name = true)]
struct Replay {
    /// Recordings, played one after the other.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Begin with this event, counted from 1 over all recordings.
    #[arg(long, value_name = "EVENT", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// Play so many events.
    #[arg(long, value_name = "EVENTS")]
    count: Option<u64>,
}

fn whole_command() -> clap::Command {
    Common::augment_args(Writing::augment_args(Replay::command()))
}

fn run(given: &[String]) -> Ended {
    let matches = whole_command().try_get_matches_from(given)?;
    let own = Replay::from_arg_matches(&matches)?;
    let common = Common::from_arg_matches(&matches)?;
    let writing = Writing::from_arg_matches(&matches)?;
    run_watched("replay", &common, |stop| {
        let options = options::flow_options(&writing, None, stop)?;
        let player = Box::new(Player::open(&own, stop)?);
        let mut flow = Flow {
            parts: vec![("replay".into(), Part::Source(Source::Polled(player)))],
        };
        parts::add_wal(&mut flow, &writing)?;
        Ok((flow, options))
    })
}

/// The source that a replay is.
pub(super) struct Player {
    recordings: VecDeque<Recording>,
    skip: u64,
    left: u64,
    damaged: u64,
}

impl Player {
    fn open(settings: &Replay, stop: &Stop) -> Result<Player, StageError> {
        Ok(Player {
            skip: settings.from - 1,
            left: settings.count.unwrap_or(u64::MAX),
            ..Player::whole(&settings.files, stop)?
        })
    }

    /// All of these recordings, one after the other.
    pub(super) fn whole(files: &[PathBuf], stop: &Stop) -> Result<Player, StageError> {
        let recordings = files.iter().map(|path| Recording::open(path, false, stop));
        Ok(Player {
            recordings: recordings.collect::<Result<_, _>>()?,
            skip: 0,
            left: u64::MAX,
            damaged: 0,
        })
    }

    /// The part of a batch that is to be played.
    fn cut(&mut self, batch: Batch) -> Result<Batch, StageError> {
        let events = u64::from(batch.len());
        let from = self.skip.min(events);
        let count = (events - from).min(self.left);
        self.skip -= from;
        self.left -= count;
        if from == 0 && count == events {
            return Ok(batch);
        }
        let mut part = BatchBuilder::new();
        for event in batch.events().skip(from as usize).take(count as usize) {
            part.push_encoded(event.map_err(crate::stage::undecodable)?);
        }
        Ok(batch.replaced_by(part.finish()))
    }
}

impl PollableSource for Player {
    fn process(&mut self, to: &Arc<ChannelProcessor>) -> Result<Status, StageError> {
        let Some(recording) = self.recordings.front_mut() else {
            return Ok(Status::Finished);
        };
        if self.left == 0 {
            return Ok(Status::Finished);
        }
        match recording.next(Wait::Forever)? {
            Recorded::Batch(batch) => {
                let batch = self.cut(batch)?;
                if !batch.is_empty() {
                    to.submit(batch, || {})?;
                }
            }
            Recorded::Nothing => {}
            Recorded::End => {
                self.damaged += recording.damaged();
                self.recordings.pop_front();
            }
        }
        Ok(Status::Ready)
    }

    fn stop(&mut self) -> StageResult {
        match self.damaged {
            0 => Ok(()),
            damaged => Err(StageError::Failed(format!(
                "everything whole was played; damaged places that were passed over: {damaged}"
            ))),
        }
    }
}
