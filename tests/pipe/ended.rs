//! A pipeline that has ended.

use super::Directory;
use std::path::PathBuf;

/// How each stage ended, and what was said. A check that fails shows all of it.
pub struct Ended {
    stages: Vec<(String, i32, String)>,
    output: Vec<u8>,
    directory: Directory,
}

impl Ended {
    pub(super) fn new(stages: Vec<(String, i32, String)>, output: Vec<u8>, directory: Directory) -> Ended {
        Ended {
            stages,
            output,
            directory,
        }
    }

    /// Exit statuses of all stages; a negative number is the signal that ended one.
    #[track_caller]
    pub fn expect_status(self, expected: impl AsRef<[i32]>) -> Ended {
        let found: Vec<i32> = self.stages.iter().map(|(_, status, _)| *status).collect();
        assert_eq!(found, expected.as_ref(), "{}", self.told());
        self
    }

    /// A stage has said all of these on standard error.
    #[track_caller]
    pub fn says(self, stage: usize, expected: impl AsRef<[&'static str]>) -> Ended {
        for text in expected.as_ref() {
            let said = &self.stages[stage].2;
            assert!(
                said.contains(text),
                "stage {stage} did not say \"{text}\"\n{}",
                self.told()
            );
        }
        self
    }

    /// No stage has said anything.
    #[track_caller]
    pub fn expect_silence(self) -> Ended {
        let silent = self.stages.iter().all(|(_, _, said)| said.is_empty());
        assert!(silent, "somebody said something\n{}", self.told());
        self
    }

    /// Exit status of a stage.
    pub fn status(&self, stage: usize) -> i32 {
        self.stages[stage].1
    }

    /// Standard error of a stage.
    pub fn stderr(&self, stage: usize) -> &str {
        &self.stages[stage].2
    }

    /// Standard output of the last stage.
    pub fn stdout(&self) -> &[u8] {
        &self.output
    }

    /// The same as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// A file in the pipeline's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The value of a member of the object that a stage with `--summary json` wrote.
    #[track_caller]
    pub fn summary(&self, stage: usize, member: &str) -> u64 {
        let lines = self.stages[stage].2.lines().rev();
        let mut objects = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let value = objects.find_map(|object| object.get(member)?.as_u64());
        value.unwrap_or_else(|| panic!("stage {stage} has no {member} in its summary\n{}", self.told()))
    }

    /// The summary of a stage has this value.
    #[track_caller]
    pub fn counts(self, stage: usize, member: &str, expected: u64) -> Ended {
        assert_eq!(self.summary(stage, member), expected, "{member}\n{}", self.told());
        self
    }

    /// What everybody said, for a message.
    pub fn told(&self) -> String {
        let each = self.stages.iter().enumerate();
        let each = each.map(|(index, (words, status, said))| {
            format!("--- stage {index} ended with {status}: {words}\n{said}")
        });
        let shown = String::from_utf8_lossy(&self.output[..self.output.len().min(2000)]).into_owned();
        each.chain([format!("--- standard output\n{shown}\n")]).collect()
    }
}
