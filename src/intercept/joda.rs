//! Date patterns of Joda-Time, for reading only (`DateTimeFormat.forPattern(...).parseMillis(...)`).
//!
//! The letters are `y Y M d E a H k K h m s S z Z`, and text in single quotes; of names, the English ones in
//! any case. Others (`G C x w e D X`) are refused. As in Joda-Time: a text must be read to its end; a date
//! without a year is in 2000, a time without a date on 1970-01-01; a two-digit year is the one within 50 years
//! of 30 years ago; a local time that a change of the clocks leaves out is none. A weekday is read and not
//! looked at.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// A date pattern, ready to read texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format(Vec<Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    /// A number of at most so many digits.
    Number(Field, usize),
    /// A year, which may have a sign.
    Year(usize),
    /// A year of two digits; of another number of digits if nothing numeric follows.
    ShortYear {
        exactly_two: bool,
    },
    Fraction(usize),
    MonthName,
    Weekday,
    HalfOfDay,
    Offset,
    ZoneId,
    ZoneName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Month,
    Day,
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11, of half a day.
    HalfHour,
    /// 1 to 12, of half a day.
    HalfClockHour,
    Minute,
    Second,
}

const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const HALVES: &[&str] = &["AM", "PM"];
/// The short names of zones that Joda-Time reads unless it is told others.
const ZONES: &[(&str, &str)] = &[
    ("UTC", "UTC"),
    ("GMT", "UTC"),
    ("UT", "UTC"),
    ("EST", "America/New_York"),
    ("EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("MST", "America/Denver"),
    ("MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
];

impl Format {
    /// Read a pattern. The error is a sentence.
    pub(super) fn new(pattern: &str) -> Result<Format, String> {
        let chars: Vec<char> = pattern.chars().collect();
        let (mut items, mut at) = (Vec::new(), 0);
        while let Some(&c) = chars.get(at) {
            if !c.is_ascii_alphabetic() {
                items.push(Item::Literal(literal(&chars, &mut at)));
                continue;
            }
            let (start, length) = (at, run(&chars, at));
            at += length;
            let item = item(c, length, is_numeric(&chars, at));
            items.push(item.ok_or_else(|| {
                let word: String = chars[start..at].iter().collect();
                format!(
                    "\"{word}\" at character {} of the date pattern \"{pattern}\" is not known; there are y M d E \
                     a H k K h m s S z Z, and text in single quotes",
                    start + 1
                )
            })?);
        }
        match items.is_empty() {
            true => Err("the date pattern is empty; write yyyy-MM-dd HH:mm:ss or the like".into()),
            false => Ok(Format(items)),
        }
    }

    /// Milliseconds since 1970 of a text, in `zone` unless the text has one; `None` if it does not fit.
    pub(super) fn millis(&self, text: &[u8], zone: &TimeZone) -> Option<i64> {
        let mut rest = std::str::from_utf8(text).ok()?;
        let mut read = Moment::default();
        for item in &self.0 {
            read.take(item, &mut rest)?;
        }
        rest.is_empty().then(|| read.millis(zone)).flatten()
    }
}

/// How often the letter at `at` is repeated.
fn run(chars: &[char], at: usize) -> usize {
    chars[at..].iter().take_while(|c| **c == chars[at]).count()
}

/// The item at `at` reads digits.
fn is_numeric(chars: &[char], at: usize) -> bool {
    match chars.get(at) {
        Some('M') => run(chars, at) <= 2,
        Some(c) => "yYdHkKhmsS".contains(*c),
        None => false,
    }
}

/// Text between letters; a quote begins and ends text that may have letters, two are one.
fn literal(chars: &[char], at: &mut usize) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    while let Some(&c) = chars.get(*at) {
        if c == '\'' && chars.get(*at + 1) == Some(&'\'') {
            text.push(c);
            *at += 1;
        } else if c == '\'' {
            quoted = !quoted;
        } else if c.is_ascii_alphabetic() && !quoted {
            break;
        } else {
            text.push(c);
        }
        *at += 1;
    }
    text
}

fn item(letter: char, length: usize, digits_follow: bool) -> Option<Item> {
    Some(match letter {
        'y' | 'Y' if length == 2 => Item::ShortYear {
            exactly_two: digits_follow,
        },
        'y' | 'Y' => Item::Year(if digits_follow { length } else { 9 }),
        'M' if length > 2 => Item::MonthName,
        'M' => Item::Number(Field::Month, 2),
        'd' => Item::Number(Field::Day, 2),
        'H' => Item::Number(Field::Hour, 2),
        'k' => Item::Number(Field::ClockHour, 2),
        'K' => Item::Number(Field::HalfHour, 2),
        'h' => Item::Number(Field::HalfClockHour, 2),
        'm' => Item::Number(Field::Minute, 2),
        's' => Item::Number(Field::Second, 2),
        'S' => Item::Fraction(length),
        'E' => Item::Weekday,
        'a' => Item::HalfOfDay,
        'Z' if length > 2 => Item::ZoneId,
        'Z' => Item::Offset,
        'z' if length < 4 => Item::ZoneName,
        _ => return None,
    })
}

/// What was read of a moment.
#[derive(Default)]
struct Moment {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: Option<i8>,
    half_hour: i8,
    afternoon: bool,
    minute: i8,
    second: i8,
    nanos: i32,
    zone: Option<TimeZone>,
}

impl Moment {
    fn take(&mut self, item: &Item, rest: &mut &str) -> Option<()> {
        match item {
            Item::Literal(text) => *rest = strip_any_case(rest, text)?,
            Item::Number(field, most) => {
                let number = i8::try_from(digits(rest, *most)?.parse::<u8>().ok()?).ok()?;
                self.set(*field, number)?;
            }
            Item::Year(most) => self.year = Some(signed_year(rest, *most)?),
            Item::ShortYear { exactly_two } => self.year = Some(short_year(rest, *exactly_two)?),
            Item::Fraction(most) => {
                let digits = digits(rest, *most)?;
                let millis: String = digits.chars().chain("000".chars()).take(3).collect();
                self.nanos = millis.parse::<i32>().ok()? * 1_000_000;
            }
            Item::MonthName => self.month = Some(name(rest, MONTHS)? as i8 + 1),
            Item::Weekday => drop(name(rest, DAYS)?),
            Item::HalfOfDay => self.afternoon = name(rest, HALVES)? == 1,
            Item::Offset => self.zone = Some(TimeZone::fixed(offset(rest)?)),
            Item::ZoneId => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/_+-".contains(c));
                let (id, behind) = rest.split_at(end.unwrap_or(rest.len()));
                self.zone = Some(TimeZone::get(id).ok()?);
                *rest = behind;
            }
            Item::ZoneName => {
                let (short, id) = ZONES.iter().find(|(short, _)| rest.starts_with(short))?;
                self.zone = Some(TimeZone::get(id).ok()?);
                *rest = &rest[short.len()..];
            }
        }
        Some(())
    }

    fn set(&mut self, field: Field, number: i8) -> Option<()> {
        let within = |least: i8, most: i8| (least..=most).contains(&number).then_some(number);
        match field {
            Field::Month => self.month = Some(within(1, 12)?),
            Field::Day => self.day = Some(within(1, 31)?),
            Field::Hour => self.hour = Some(within(0, 23)?),
            Field::ClockHour => self.hour = Some(within(1, 24)? % 24),
            Field::HalfHour => self.half_hour = within(0, 11)?,
            Field::HalfClockHour => self.half_hour = within(1, 12)? % 12,
            Field::Minute => self.minute = within(0, 59)?,
            Field::Second => self.second = within(0, 59)?,
        }
        Some(())
    }

    fn millis(self, local: &TimeZone) -> Option<i64> {
        let dated = self.month.is_some() || self.day.is_some();
        let year = self.year.unwrap_or(if dated { 2000 } else { 1970 });
        let date = Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?;
        let hour = self
            .hour
            .unwrap_or(self.half_hour + if self.afternoon { 12 } else { 0 });
        let time = Time::new(hour, self.minute, self.second, self.nanos).ok()?;
        let zone = self.zone.as_ref().unwrap_or(local);
        let moment = zone.to_ambiguous_timestamp(DateTime::from_parts(date, time));
        match moment.offset() {
            AmbiguousOffset::Gap { .. } => None,
            _ => moment.compatible().ok().map(|moment| moment.as_millisecond()),
        }
    }
}

/// What follows `prefix`, whose ASCII letters may have any case.
fn strip_any_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// At least one digit and at most so many.
fn digits<'t>(rest: &mut &'t str, most: usize) -> Option<&'t str> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, behind) = rest.split_at(count);
    *rest = behind;
    (count > 0).then_some(digits)
}

fn signed_year(rest: &mut &str, most: usize) -> Option<i16> {
    let negative = rest.starts_with('-');
    *rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let year: i16 = digits(rest, most)?.parse().ok()?;
    Some(if negative { -year } else { year })
}

fn short_year(rest: &mut &str, exactly_two: bool) -> Option<i16> {
    let given = rest.bytes().take_while(u8::is_ascii_digit).count();
    if given != 2 && !exactly_two {
        return signed_year(rest, 9);
    }
    let year: i16 = digits(rest, 2).filter(|digits| digits.len() == 2)?.parse().ok()?;
    let first = jiff::Zoned::now().year() - 30 - 50;
    Some(first + (year - first).rem_euclid(100))
}

/// Which of the names the text begins with, in full or by its first three letters.
fn name(rest: &mut &str, names: &[&str]) -> Option<usize> {
    for (index, name) in names.iter().enumerate() {
        let short = &name[..name.len().min(3)];
        if let Some(behind) = strip_any_case(rest, name).or_else(|| strip_any_case(rest, short)) {
            *rest = behind;
            return Some(index);
        }
    }
    None
}

/// `Z`, `+01`, `+0130`, `+01:30`, `+01:30:15`.
fn offset(rest: &mut &str) -> Option<Offset> {
    if let Some(behind) = rest.strip_prefix('Z') {
        *rest = behind;
        return Some(Offset::UTC);
    }
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    *rest = rest.strip_prefix(['-', '+'])?;
    let mut seconds = 0;
    for (index, scale) in [3600, 60, 1].into_iter().enumerate() {
        let behind = rest.strip_prefix(':').filter(|_| index > 0).unwrap_or(rest);
        let two = behind
            .get(..2)
            .filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
        match (two, index) {
            (Some(two), _) => {
                let number: i32 = two.parse().ok()?;
                (index == 0 || number < 60).then_some(())?;
                seconds += number * scale;
                *rest = &behind[2..];
            }
            (None, 0) => return None,
            (None, _) => break,
        }
    }
    Offset::from_seconds(sign * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `text` is under `pattern`, as RFC 3339 in UTC; `-` when it does not fit.
    fn check_in(zone: &TimeZone, pattern: &str, text: &str, expected: &str) {
        let format = Format::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let millis = format.millis(text.as_bytes(), zone);
        let found = millis.map(|millis| jiff::Timestamp::from_millisecond(millis).unwrap().to_string());
        assert_eq!(found.as_deref().unwrap_or("-"), expected, "{pattern} of {text}");
    }

    fn check(pattern: &str, text: &str, expected: &str) {
        check_in(&TimeZone::UTC, pattern, text, expected);
    }

    #[test]
    fn dates_and_times_are_read() {
        check(
            "yyyy-MM-dd HH:mm:ss,SSS",
            "2026-11-25 07:51:43,250",
            "2026-11-25T07:51:43.25Z",
        );
        check("yyyyMMddHHmmss", "20261125075143", "2026-11-25T07:51:43Z");
        check("d/M/yyyy h:m a", "1/2/2026 12:05 pm", "2026-02-01T12:05:00Z");
        check(
            "d/M/yyyy K 'o''clock' a",
            "1/2/2026 0 o'clock AM",
            "2026-02-01T00:00:00Z",
        );
        check("dd MMMM yyyy kk", "03 may 2026 24", "2026-05-03T00:00:00Z");
        check(
            "EEE, d MMM yyyy HH:mm:ss Z",
            "Wed, 25 Nov 2026 07:51:43 +0130",
            "2026-11-25T06:21:43Z",
        );
        check(
            "yyyy-MM-dd'T'HH:mm:ssZZ",
            "2026-11-25T07:51:43-01:30",
            "2026-11-25T09:21:43Z",
        );
        check(
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "2026-11-25T07:51:43Z",
            "2026-11-25T07:51:43Z",
        );
        check("HH:mm z", "07:51 GMT", "1970-01-01T07:51:00Z");
        check("s.S", "1.98", "-");
        check("s.SS", "1.9", "1970-01-01T00:00:01.9Z");
    }

    #[test]
    fn what_is_missing_is_joda_times() {
        check("MMM d HH:mm:ss", "Nov 5 07:51:43", "2000-11-05T07:51:43Z");
        check("HH:mm", "07:51", "1970-01-01T07:51:00Z");
        check("yyyy", "2026", "2026-01-01T00:00:00Z");
    }

    #[test]
    fn short_years_are_near() {
        check("yy-MM-dd", "26-11-25", "2026-11-25T00:00:00Z");
        check("yy-MM-dd", "2026-11-25", "2026-11-25T00:00:00Z");
        check("yy-MM-dd", "99-11-25", "1999-11-25T00:00:00Z");
        check("yyMMdd", "261125", "2026-11-25T00:00:00Z");
    }

    #[test]
    fn a_text_that_does_not_fit_is_no_time() {
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-13-01",
            "2026-01-01x",
            "2026-1",
            "x026-01-01",
            "2026-\u{e9}1-01",
        ] {
            check("yyyy-MM-dd", text, "-");
        }
        check("Z", "+", "-");
        check("MMM", "Foo", "-");
        check("HH", "24", "-");
    }

    #[test]
    fn local_time_is_that_of_the_zone() {
        let offset = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        let pattern = "yyyy-MM-dd HH:mm";
        check_in(&offset, pattern, "2026-07-01 12:00", "2026-07-01T16:00:00Z");
        check_in(&offset, pattern, "2026-01-01 12:00", "2026-01-01T17:00:00Z");
        check_in(&offset, pattern, "2026-03-08 02:30", "-");
        check_in(&offset, pattern, "2026-11-01 01:30", "2026-11-01T05:30:00Z");
    }

    #[test]
    fn letters_that_are_not_known_are_refused_by_name_and_place() {
        for (pattern, word, at) in [
            ("yyyy G", "\"G\"", 6),
            ("XXX", "\"XXX\"", 1),
            ("HH zzzz", "\"zzzz\"", 4),
        ] {
            let error = Format::new(pattern).unwrap_err();
            assert!(
                error.contains(word) && error.contains(&format!("character {at} ")),
                "{error}"
            );
        }
        assert!(Format::new("").unwrap_err().contains("empty"));
    }

    proptest! {
        #[test]
        fn any_pattern_reads_any_text(pattern in "[yMdEaHkKhmsSzZ' :'-]{0,10}", text in "\\PC{0,12}|[0-9: +-]{0,12}") {
            if let Ok(format) = Format::new(&pattern) {
                let _ = format.millis(text.as_bytes(), &TimeZone::UTC);
            }
        }
    }
}
