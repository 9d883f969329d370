//! Properties of Flume's checkpoints. There are none here: the counts of a segment stand in its head, what was
//! taken is logged every 100 ms, and a segment is scanned when a taker first comes to it. So each of these is
//! accepted and checked, that a file runs unchanged, and its sentence says why nothing is done for it.

use crate::value::Millis;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The heading in the help.
const HEADING: &str = "Of Flume, accepted so that its files run unchanged";
/// Flume's least.
const LEAST_INTERVAL: Duration = Duration::from_millis(1000);

/// Accepted, checked, and not needed.
#[derive(clap::Args, Debug, Clone)]
pub struct Needless {
    /// Milliseconds between checkpoints, 1000 at the least. Not needed: what was taken is logged every 100 ms.
    #[arg(
        long,
        id = "checkpointInterval",
        help_heading = HEADING,
        default_value = "30000",
        value_name = "TIME"
    )]
    checkpoint_interval: Millis,
    /// Keep a second checkpoint, with backupCheckpointDir. Not needed: what is in memory is made again from the
    /// events and the logs beside them.
    #[arg(long, id = "useDualCheckpoints", help_heading = HEADING)]
    use_dual_checkpoints: bool,
    /// Where the second checkpoint is; another directory than checkpointDir. Nothing is written there.
    #[arg(long, id = "backupCheckpointDir", help_heading = HEADING, value_name = "DIR")]
    backup_checkpoint_dir: Option<PathBuf>,
    /// Compress the second checkpoint. Not needed: there is none.
    #[arg(long, id = "compressBackupCheckpoint", help_heading = HEADING)]
    compress_backup_checkpoint: bool,
    /// Use Flume's old replay. Not needed: only files that are about to be read are scanned, not all at the start.
    #[arg(long, id = "use-log-replay-v1", help_heading = HEADING)]
    use_log_replay_v1: bool,
    /// Use Flume's fast replay. Not needed: the first event comes within milliseconds, whatever waits.
    #[arg(long, id = "use-fast-replay", help_heading = HEADING)]
    use_fast_replay: bool,
    /// Write a checkpoint at the end. Not needed: the last acceptances are synced at the end in any case.
    #[arg(
        long,
        id = "checkpointOnClose",
        help_heading = HEADING,
        default_value = "true"
    )]
    checkpoint_on_close: bool,
}

impl Needless {
    /// What Flume would not start with is an error here, too.
    pub fn check(&self, checkpoint_dir: Option<&Path>) -> Result<(), String> {
        // Named without `..`, so that a new one is not forgotten here.
        let Needless {
            checkpoint_interval,
            use_dual_checkpoints,
            backup_checkpoint_dir,
            compress_backup_checkpoint: _,
            use_log_replay_v1: _,
            use_fast_replay: _,
            checkpoint_on_close: _,
        } = self;
        if checkpoint_interval.0 < LEAST_INTERVAL {
            return Err(format!(
                "checkpointInterval is {} ms, and 1000 is the least",
                checkpoint_interval.0.as_millis()
            ));
        }
        let Some(backup) = backup_checkpoint_dir else {
            return match use_dual_checkpoints {
                true => Err("useDualCheckpoints needs backupCheckpointDir".into()),
                false => Ok(()),
            };
        };
        match checkpoint_dir == Some(backup) {
            true => Err(format!(
                "backupCheckpointDir and checkpointDir are both {}; give two directories",
                backup.display()
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::channel::ALL;
    use crate::component::find;

    fn opened(properties: &[(&str, &str)], directory: &Path) -> Result<(), String> {
        let own = [("directory", directory.display().to_string())];
        let all = own
            .into_iter()
            .chain(properties.iter().map(|(key, value)| (*key, value.to_string())));
        let all = all.map(|(key, value)| (key.to_string(), value)).collect();
        let settings = find(ALL, "file")
            .unwrap()
            .from_properties(&all)
            .map_err(|error| error.to_string())?;
        settings.open("c1").map(drop).map_err(|error| error.to_string())
    }

    use std::path::Path;

    #[test]
    fn every_property_of_flumes_file_channel_is_taken_and_its_value_is_checked() {
        let root = tempfile::tempdir().unwrap();
        let within = |name: &str| root.path().join(name).display().to_string();
        let (checkpoint, data, backup) = (within("cp"), within("data"), within("backup"));
        let all = [
            ("checkpointDir", &*checkpoint),
            ("dataDirs", &*data),
            ("useDualCheckpoints", "true"),
            ("backupCheckpointDir", &*backup),
            ("compressBackupCheckpoint", "true"),
            ("capacity", "1000"),
            ("transactionCapacity", "100"),
            ("checkpointInterval", "1000"),
            ("maxFileSize", "2146435071"),
            ("minimumRequiredSpace", "0"),
            ("keep-alive", "1"),
            ("use-log-replay-v1", "true"),
            ("use-fast-replay", "true"),
            ("checkpointOnClose", "false"),
            ("fsyncPerTransaction", "false"),
            ("fsyncInterval", "2"),
        ];
        assert_eq!(opened(&all, &root.path().join("channel")), Ok(()));
        for (wrong, what) in [
            (vec![("checkpointInterval", "999")], "1000 is the least"),
            (vec![("checkpointInterval", "often")], "is no time"),
            (vec![("useDualCheckpoints", "true")], "backupCheckpointDir"),
            (
                vec![("checkpointDir", "/x"), ("backupCheckpointDir", "/x")],
                "two directories",
            ),
            (vec![("dataDirs", "/x,/x")], "twice"),
            (vec![("max-age", "1h")], "--drop-expired"),
            (vec![("drop-expired", "true")], "--max-age"),
        ] {
            let error = opened(&wrong, &root.path().join("other")).unwrap_err();
            assert!(error.contains(what), "{wrong:?}: {error}");
        }
    }
}
