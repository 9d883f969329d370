//! Values of settings: durations and sizes with their units, addresses of members.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time in milliseconds where it has no unit: `250`, `100ms`, `30s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millis(pub Duration);

/// A time in seconds where it has no unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

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

fn split_unit(word: &str) -> (&str, &str) {
    let end = word
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(word.len());
    (&word[..end], word[end..].trim())
}

fn duration(word: &str, bare: &str) -> Result<Duration, String> {
    let word = word.trim();
    let (number, unit) = split_unit(word);
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
