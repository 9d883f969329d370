//! Values of settings: durations and sizes with their units, addresses of members.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A time in milliseconds where it has no unit: `250`, `100ms`, `30s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millis(pub Duration);

/// A time in seconds where it has no unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

/// Something that nobody shall read: on a command line, which others see, it is said where it is, `file:PATH`,
/// `env:NAME` or `fd:N`; a properties file may hold it itself. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Variable(String),
    Descriptor(i32),
    Itself(String),
}

/// In front of a secret that stands in a properties file: no word of a command line can have it.
pub(crate) const LITERAL: char = '\0';

/// A number of bytes: `4096`, `4KiB`, `1MB` (a million), `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// `NAME=VALUE`, a member of a family of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Before the first `=`.
    pub name: String,
    /// Behind it.
    pub value: String,
}

/// One of several words of a setting. In a property they stand one behind the other, quoted as for a shell where they
/// have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(pub String);

/// What `%20` and the like in a URL stand for.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn split_unit(word: &str) -> (&str, &str) {
    let end = word
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(word.len());
    (&word[..end], word[end..].trim())
}

fn duration(word: &str, bare: &str) -> Result<Duration, String> {
    let word = word.trim();
    let (number, unit) = split_unit(word);
    if number.is_empty() {
        return Err(format!("\"{word}\" is no time, such as 30s, 500ms or 5m"));
    }
    let unit = if unit.is_empty() { bare } else { unit };
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        other => {
            return Err(format!(
                "\"{other}\" is no unit of time; there are ms, s, m, h and d"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("\"{word}\" is no time; write 250ms, 30s, 5m, 1h"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| format!("\"{word}\" is too long a time"))
}

impl FromStr for Millis {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        duration(word, "ms").map(Millis)
    }
}

impl FromStr for Seconds {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        duration(word, "s").map(Seconds)
    }
}

impl Secret {
    /// A secret that is known already.
    pub fn literal(value: impl Into<String>) -> Secret {
        Secret(Place::Itself(value.into()))
    }

    /// What it is, without the line end behind it in a file. The error names the place.
    pub fn read(&self) -> Result<String, String> {
        let text = match &self.0 {
            Place::Itself(value) => return Ok(value.clone()),
            Place::Variable(name) => {
                return std::env::var(name).map_err(|_| format!("the variable {name} is not set"));
            }
            Place::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display())),
            // Read anew each time, as a file is.
            Place::Descriptor(fd) => std::fs::read_to_string(format!("/proc/self/fd/{fd}"))
                .map_err(|error| format!("descriptor {fd} cannot be read: {error}")),
        }?;
        Ok(text.trim_end_matches(['\n', '\r']).to_string())
    }

    /// The file that it is in.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            _ => None,
        }
    }
}

impl FromStr for Secret {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        if let Some(value) = word.strip_prefix(LITERAL) {
            return Ok(Secret::literal(value));
        }
        let place = match word.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Place::File(path.into()),
            Some(("env", name)) if !name.is_empty() => Place::Variable(name.into()),
            Some(("fd", number)) => Place::Descriptor(
                number
                    .parse()
                    .map_err(|_| "behind fd: stands the number of a descriptor".to_string())?,
            ),
            // Not with the word in it, which may be the secret.
            _ => {
                return Err(
                    "a secret does not stand on a command line: say file:PATH, env:NAME or fd:N".into(),
                );
            }
        };
        Ok(Secret(place))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let word = word.trim();
        let (number, unit) = split_unit(word);
        let scale: u64 = match unit {
            "" | "B" => 1,
            "K" | "KiB" => 1 << 10,
            "M" | "MiB" => 1 << 20,
            "G" | "GiB" => 1 << 30,
            "T" | "TiB" => 1 << 40,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            other => {
                return Err(format!(
                    "\"{other}\" is no unit of size; there are KiB, MiB, GiB, kB, MB and GB"
                ));
            }
        };
        let whole = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(scale));
        let size = whole.or_else(|| {
            let size = number.parse::<f64>().ok()? * scale as f64;
            (size < u64::MAX as f64).then_some(size as u64)
        });
        size.map(Size)
            .ok_or_else(|| format!("\"{word}\" is no size; write 4096, 64KiB, 4MiB, 1GiB"))
    }
}

impl FromStr for Word {
    type Err = std::convert::Infallible;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(Word(word.to_string()))
    }
}

impl FromStr for Pair {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Pair {
                name: name.to_string(),
                value: value.to_string(),
            }),
            _ => Err(format!("\"{word}\" is not NAME=VALUE")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(scale, _)| self.0 >= *scale) {
            Some((scale, unit)) => write!(out, "{:.1} {unit}", self.0 as f64 / *scale as f64),
            None => write!(out, "{} B", self.0),
        }
    }
}

/// Flume's booleans in a properties file: true only for the word "true", in any case.
pub fn flume_bool(word: &str) -> bool {
    word.trim().eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_where_it_is_and_never_printed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file\n").unwrap();
        let secret: Secret = format!("file:{}", file.path().display()).parse().unwrap();
        assert_eq!(secret.read().unwrap(), "from a file");
        assert_eq!(secret.file(), Some(file.path()));
        let literal: Secret = "\0changeit".parse().unwrap();
        assert_eq!(literal.read().unwrap(), "changeit");
        assert_eq!(format!("{literal:?}"), "Secret");
        let why = "changeit".parse::<Secret>().unwrap_err();
        assert!(!why.contains("changeit"), "{why}");
        let missing: Secret = "env:FLUME_NO_SUCH_VARIABLE".parse().unwrap();
        assert!(missing.read().unwrap_err().contains("FLUME_NO_SUCH_VARIABLE"));
        assert!("fd:x".parse::<Secret>().is_err());
    }

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!("250".parse(), Ok(Millis(Duration::from_millis(250))));
        assert_eq!("1.5s".parse(), Ok(Millis(Duration::from_millis(1500))));
        assert_eq!("30".parse(), Ok(Seconds(Duration::from_secs(30))));
        assert_eq!("4MiB".parse(), Ok(Size(4 << 20)));
        assert_eq!("1MB".parse(), Ok(Size(1_000_000)));
        assert!("4 bananas".parse::<Size>().unwrap_err().contains("bananas"));
        assert!("".parse::<Millis>().is_err());
        assert!("99999999999999999999GiB".parse::<Size>().is_err());
    }
}
