//! The date in a pattern of Java's `SimpleDateFormat`, as `${date:yyyy-MM-dd}` wants it: now, in local time.

use jiff::Zoned;
use jiff::fmt::strtime;

/// Now, in a pattern. The error is a sentence.
pub(super) fn now(pattern: &str) -> Result<String, String> {
    format(pattern, &Zoned::now())
}

/// A letter, as often as it stands, is a field; text in single quotes is itself, as is what is no letter.
fn format(pattern: &str, time: &Zoned) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.next_if_eq(&'\'').is_some() => out.push('\''),
            '\'' => loop {
                match chars.next() {
                    Some('\'') if chars.next_if_eq(&'\'').is_some() => out.push('\''),
                    Some('\'') => break,
                    Some(c) => out.push(c),
                    None => return Err(format!("a quote of the date pattern \"{pattern}\" is not closed")),
                }
            },
            c if c.is_ascii_alphabetic() => {
                let mut length = 1;
                while chars.next_if_eq(&c).is_some() {
                    length += 1;
                }
                let field = field(c, length, time);
                out.push_str(&field.ok_or_else(|| {
                    format!(
                        "\"{c}\" in the date pattern \"{pattern}\" is not known; there are y M d D E u a H k K h m \
                         s S z Z X, and text in single quotes"
                    )
                })?);
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

fn field(c: char, length: usize, time: &Zoned) -> Option<String> {
    let number = |number: i64| Some(format!("{number:0length$}"));
    let named = |of: &str| strtime::format(of, time).ok();
    let half = i64::from(time.hour()) % 12;
    match c {
        'y' if length == 2 => number(i64::from(time.year()) % 100),
        'y' => number(i64::from(time.year())),
        'M' if length > 3 => named("%B"),
        'M' if length == 3 => named("%b"),
        'M' => number(time.month().into()),
        'd' => number(time.day().into()),
        'D' => number(time.day_of_year().into()),
        'E' if length > 3 => named("%A"),
        'E' => named("%a"),
        'u' => number(time.weekday().to_monday_one_offset().into()),
        'a' => named("%p"),
        'H' => number(time.hour().into()),
        'k' => number(match time.hour() {
            0 => 24,
            hour => hour.into(),
        }),
        'K' => number(half),
        'h' => number(if half == 0 { 12 } else { half }),
        'm' => number(time.minute().into()),
        's' => number(time.second().into()),
        'S' => number(time.millisecond().into()),
        'z' => named("%Z"),
        'Z' => named("%z"),
        'X' if time.offset().is_zero() => Some("Z".into()),
        'X' if length == 3 => named("%:z"),
        'X' if length == 2 => named("%z"),
        'X' if length == 1 => named("%z").map(|offset| offset[..3].to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_java() {
        let time: Zoned = "2026-02-03T16:05:06.078+02:00[Europe/Helsinki]".parse().unwrap();
        for (pattern, expected) in [
            ("yyyy-MM-dd", "2026-02-03"),
            ("yy/M/d D", "26/2/3 34"),
            ("MMM MMMM E EEEE u a", "Feb February Tue Tuesday 2 PM"),
            ("HH:mm:ss.SSS k K h", "16:05:06.078 16 4 4"),
            ("Z X XX XXX z", "+0200 +02 +0200 +02:00 EET"),
            ("'at' yyyy'T'HH '''' h 'o''clock'", "at 2026T16 '' 4 o'clock"),
        ] {
            assert_eq!(format(pattern, &time).as_deref(), Ok(expected), "{pattern}");
        }
        assert!(format("yyyy Q", &time).unwrap_err().contains("\"Q\""));
        assert!(format("'x", &time).unwrap_err().contains("not closed"));
    }
}
