//! What Flume's launcher takes for itself and for Java, and what of it still means something.

use crate::cli::{Ended, print};
use crate::exit::StageError;
use crate::say;
use std::path::PathBuf;

/// The words behind a command, sorted.
#[derive(Debug, Default)]
pub(super) struct Launcher {
    /// The command's own.
    pub rest: Vec<String>,
    /// `KEY=VALUE` of each `-D`.
    pub defined: Vec<String>,
    /// What means nothing without Java.
    pub ignored: Vec<String>,
    conf: Option<PathBuf>,
    is_dry: bool,
}

/// Options that only a Java machine could follow: what each of them begins with.
const OF_JAVA: &[&str] = &["-X", "-javaagent", "-agentlib", "-agentpath"];

/// A word that only a Java machine could follow.
pub(in crate::cli) fn is_of_java(word: &str) -> bool {
    OF_JAVA.iter().any(|beginning| word.starts_with(beginning))
}

/// One line about words that were ignored.
pub(in crate::cli) fn tell_ignored(speaker: &str, ignored: &[String]) {
    if !ignored.is_empty() {
        let all = ignored.join(" ");
        say::info(
            speaker,
            format!("there is no Java here, and nothing is done with {all}"),
        );
    }
}

/// The level that `-Dflume.root.logger=DEBUG,console` asks for, in our words.
pub(in crate::cli) fn logger_level(defined: &[String]) -> Option<&'static str> {
    let logger = |word: &String| Some(word.strip_prefix("flume.root.logger=")?.to_string());
    let level = defined.iter().rev().find_map(logger)?;
    match level.split(',').next()?.trim().to_ascii_uppercase().as_str() {
        "ALL" | "TRACE" | "DEBUG" => Some("debug"),
        "INFO" => Some("info"),
        "WARN" => Some("warn"),
        "ERROR" | "FATAL" | "OFF" => Some("error"),
        _ => None,
    }
}

impl Launcher {
    pub fn parse(words: &[String]) -> Result<Launcher, StageError> {
        let mut own = Launcher::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_string())),
                _ => (word.as_str(), None),
            };
            let mut value = || match inline.clone().or_else(|| words.next().cloned()) {
                Some(value) => Ok(value),
                None => Err(StageError::Usage(format!("{name} needs a value behind it"))),
            };
            match name {
                "--conf" | "-c" => own.conf = Some(value()?.into()),
                "--classpath" | "-C" | "--plugins-path" => {
                    let value = value()?;
                    own.ignored.push(format!("{name} {value}"));
                }
                "--dryrun" | "-d" => own.is_dry = true,
                "-D" => own.defined.push(value()?),
                word if is_of_java(word) => own.ignored.push(word.to_string()),
                _ if word.starts_with("-D") => own.defined.push(word[2..].to_string()),
                _ => own.rest.push(word.clone()),
            }
        }
        Ok(own)
    }

    /// Name what means nothing here.
    pub fn tell(&self) {
        tell_ignored("flume-ng", &self.ignored);
        let Some(conf) = &self.conf else {
            return;
        };
        let script = conf.join("flume-env.sh");
        let text = std::fs::read_to_string(&script).unwrap_or_default();
        let set = what_is_set(&text);
        if !set.is_empty() {
            say::warn(
                "flume-ng",
                format!(
                    "{} is not run, and sets {}: set in this command's environment, or by -D, what of it is still wanted",
                    script.display(),
                    set.join(", ")
                ),
            );
        }
    }

    /// Run the command, or print it.
    pub fn go(&self, name: &str, run: fn(&[String]) -> Ended, words: Vec<String>) -> Ended {
        match self.is_dry {
            true => self.print(name, &words),
            false => run(&words),
        }
    }

    /// For `--dryrun`.
    pub fn print(&self, name: &str, words: &[String]) -> Ended {
        let quoted = words.iter().map(|word| quoted(word));
        let line: Vec<_> = ["flume".into(), name.to_string()]
            .into_iter()
            .chain(quoted)
            .collect();
        print(&(line.join(" ") + "\n"))
    }

    pub fn is_dry(&self) -> bool {
        self.is_dry
    }
}

/// As a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The variables that a flume-env.sh sets, without those that are Java's alone. Settings among Java's options are not.
fn what_is_set(text: &str) -> Vec<String> {
    let mut set: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim) {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_javas = name.starts_with("JAVA_") || name == "FLUME_JAVA_OPTS";
        let told = match is_javas {
            _ if !is_name => continue,
            true if value.contains("-D") => format!("{name} (with -D)"),
            true => continue,
            false => name.to_string(),
        };
        if !set.contains(&told) {
            set.push(told);
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn every_option_of_the_launcher_is_taken() {
        let own = Launcher::parse(&words(
            "-n a1 --conf /etc/flume -C a.jar --classpath=b.jar --plugins-path p:q -d -Xmx1g -javaagent:x.jar \
             -agentlib:jdwp=y -agentpath:/z -Da.b=c -D d=e -f flume.conf",
        ))
        .unwrap();
        assert_eq!(own.rest, ["-n", "a1", "-f", "flume.conf"]);
        assert_eq!(own.defined, ["a.b=c", "d=e"]);
        assert_eq!(
            own.ignored.join(" "),
            "-C a.jar --classpath b.jar --plugins-path p:q -Xmx1g -javaagent:x.jar -agentlib:jdwp=y -agentpath:/z"
        );
        assert!(own.is_dry && own.conf == Some("/etc/flume".into()));
        let own = Launcher::parse(&words("-c a --dryrun")).unwrap();
        assert!(own.is_dry && own.ignored.is_empty());
        assert!(
            Launcher::parse(&words("--conf"))
                .unwrap_err()
                .to_string()
                .contains("--conf")
        );
    }

    #[test]
    fn what_flume_env_sets_besides_java_is_told() {
        let text = "# export HADOOP_HOME=/x\nexport JAVA_HOME=/usr\nJAVA_OPTS=\"-Xmx1g\"\n\
                    export FLUME_JAVA_OPTS=\"-Xms1m\"\n";
        assert!(what_is_set(text).is_empty());
        let text = "export JAVA_OPTS=\"-Dflume.monitoring.type=http\"\n  FLUME_CLASSPATH=/x\nSTORE_PW=y\nif [ a = b ]";
        assert_eq!(
            what_is_set(text),
            ["JAVA_OPTS (with -D)", "FLUME_CLASSPATH", "STORE_PW"]
        );
    }

    #[test]
    fn level_of_the_root_logger_is_taken() {
        let level = |line| logger_level(&words(line));
        assert_eq!(level("a=b flume.root.logger=DEBUG,console"), Some("debug"));
        assert_eq!(level("flume.root.logger=WARN"), Some("warn"));
        assert_eq!(level("flume.root.logger=LOGFILE"), None);
        assert_eq!(level("a=b"), None);
    }

    #[test]
    fn printed_words_are_read_back_by_a_shell() {
        assert_eq!(quoted("-Da=b"), "-Da=b");
        assert_eq!(quoted("it's $x"), "'it'\\''s $x'");
        assert_eq!(quoted(""), "''");
    }
}
