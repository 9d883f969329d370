//! Names of files, as Flume's path managers make them.

use std::time::{SystemTime, UNIX_EPOCH};

/// How names are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// `<prefix><milliseconds of the start>-<n>[.extension]`
    Default,
    /// `<prefix><yyyyMMddHHmmss, local time>-<n>[.extension]`, with n from 1 in each second.
    RollTime,
}

impl Manager {
    /// The manager with this name or class name, in any case.
    pub fn from_word(word: &str) -> Result<Manager, String> {
        const PACKAGE: &str = "org.apache.flume.formatter.output.";
        let bare = word.strip_prefix(PACKAGE).unwrap_or(word);
        match bare.to_ascii_lowercase().as_str() {
            "default" | "defaultpathmanager$builder" => Ok(Manager::Default),
            "rolltime" | "rolltimepathmanager$builder" => Ok(Manager::RollTime),
            _ => Err(format!(
                "\"{word}\" is no path manager; there are DEFAULT and ROLLTIME"
            )),
        }
    }
}

/// Makes one name after the other.
#[derive(Clone)]
pub struct Names {
    manager: Manager,
    prefix: String,
    extension: String,
    start_ms: u128,
    second: String,
    count: u64,
    /// Given back, the next one last.
    free: Vec<String>,
}

impl Names {
    /// Errors: a sentence about a prefix or an extension that cannot be.
    pub fn new(manager: Manager, prefix: &str, extension: &str) -> Result<Names, String> {
        for (what, word) in [("prefix", prefix), ("extension", extension)] {
            if word.contains(['/', '\0']) {
                return Err(format!(
                    "the {what} \"{word}\" is to be part of a name, without \"/\""
                ));
            }
        }
        if prefix.starts_with('.') {
            return Err(format!(
                "the prefix \"{prefix}\" begins with a dot, which marks what is no finished file"
            ));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Names {
            manager,
            prefix: prefix.to_string(),
            extension: extension.to_string(),
            start_ms: since.as_millis(),
            second: String::new(),
            count: 0,
            free: Vec::new(),
        })
    }

    /// The same with another prefix, from the first number on.
    pub fn with_prefix(&self, prefix: &str) -> Names {
        Names {
            prefix: prefix.to_string(),
            second: String::new(),
            count: 0,
            free: Vec::new(),
            ..self.clone()
        }
    }

    /// Give back a name whose file was taken back: while a trouble lasts each try has the same name.
    pub fn give_back(&mut self, name: &str) {
        self.free.push(name.to_string());
        self.free
            .sort_by(|one, other| (other.len(), other).cmp(&(one.len(), one)));
    }

    /// The next name.
    pub fn next(&mut self) -> String {
        if let Some(name) = self.free.pop() {
            return name;
        }
        let time = match self.manager {
            Manager::Default => self.start_ms.to_string(),
            Manager::RollTime => {
                let second = jiff::Zoned::now().strftime("%Y%m%d%H%M%S").to_string();
                if second != self.second {
                    self.second.clone_from(&second);
                    self.count = 0;
                }
                second
            }
        };
        self.count += 1;
        let dot = if self.extension.is_empty() { "" } else { "." };
        format!("{}{time}-{}{dot}{}", self.prefix, self.count, self.extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_flumes_path_managers() {
        let mut names = Names::new(Manager::Default, "web-", "log").unwrap();
        names.start_ms = 1234;
        assert_eq!(names.next(), "web-1234-1.log");
        assert_eq!(names.next(), "web-1234-2.log");
        names.give_back("web-1234-2.log");
        names.give_back("web-1234-1.log");
        assert_eq!(names.next(), "web-1234-1.log");
        assert_eq!(names.next(), "web-1234-2.log");
        assert_eq!(names.next(), "web-1234-3.log");
        let mut names = Names::new(Manager::RollTime, "", "").unwrap();
        let name = names.next();
        let (time, number) = name.split_once('-').unwrap();
        assert_eq!((time.len(), number), (14, "1"));
        names.second = "another".into();
        names.count = 7;
        assert!(names.next().ends_with("-1"), "n restarts in each second");
    }

    #[test]
    fn managers_are_found_by_name_and_class_in_any_case() {
        let class = "org.apache.flume.formatter.output.RollTimePathManager$Builder";
        for word in ["ROLLTIME", "RollTime", class] {
            assert_eq!(Manager::from_word(word), Ok(Manager::RollTime));
        }
        assert!(Manager::from_word("daily").unwrap_err().contains("ROLLTIME"));
    }

    #[test]
    fn prefix_that_is_a_path_or_hidden_is_refused() {
        assert!(Names::new(Manager::Default, "a/b", "").is_err());
        assert!(Names::new(Manager::Default, ".a", "").is_err());
        assert!(Names::new(Manager::Default, "", "a/b").is_err());
    }
}
