//! Reading a text.

use super::Dialect;
use super::item::{Field, Item, Letter};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, ToSpan};

pub(super) const MONTHS: &[&str] = &[
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
pub(super) const DAYS: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Before this year Java's calendar is another one (1582-10-15).
pub(super) const GREGORIAN: Date = jiff::civil::date(1583, 1, 1);
const HALVES: &[&str] = &["AM", "PM"];
/// The short names of zones that are read: Joda-Time takes the zone, SimpleDateFormat the hours.
const ZONES: &[(&str, &str, i8)] = &[
    ("UTC", "UTC", 0),
    ("GMT", "UTC", 0),
    ("UT", "UTC", 0),
    ("EST", "America/New_York", -5),
    ("EDT", "America/New_York", -4),
    ("CST", "America/Chicago", -6),
    ("CDT", "America/Chicago", -5),
    ("MST", "America/Denver", -7),
    ("MDT", "America/Denver", -6),
    ("PST", "America/Los_Angeles", -8),
    ("PDT", "America/Los_Angeles", -7),
];

/// Milliseconds since 1970 of a text; `None` if it does not fit.
pub(super) fn millis(items: &[Item], dialect: Dialect, text: &[u8], zone: &TimeZone) -> Option<i64> {
    let mut rest = std::str::from_utf8(text).ok()?;
    let mut read = Moment::default();
    for item in items {
        match (item, dialect) {
            (Item::Literal(text), Dialect::Simple) => rest = rest.strip_prefix(text.as_str())?,
            (Item::Literal(text), Dialect::Joda) => rest = strip_any_case(rest, text)?,
            (Item::Field(field), Dialect::Simple) => read.take_lenient(*field, &mut rest)?,
            (Item::Field(field), Dialect::Joda) => read.take(*field, &mut rest)?,
        }
    }
    if !rest.is_empty() {
        return None;
    }
    match dialect {
        Dialect::Simple => read.lenient_millis(zone),
        Dialect::Joda => read.millis(zone),
    }
}

/// What was read of a moment.
#[derive(Default)]
struct Moment {
    before_christ: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_hour: i64,
    afternoon: bool,
    minute: i64,
    second: i64,
    millis: i64,
    zone: Option<TimeZone>,
}

impl Moment {
    /// As Joda-Time reads.
    fn take(&mut self, field: Field, rest: &mut &str) -> Option<()> {
        let length = field.length;
        match field.letter {
            Letter::Year if length == 2 => self.year = Some(short_year(rest, field.is_bounded)?),
            Letter::Year => self.year = Some(signed_year(rest, if field.is_bounded { length } else { 9 })?),
            Letter::Month if length > 2 => self.month = Some(name(rest, MONTHS)? + 1),
            Letter::Fraction => {
                let digits = digits(rest, length)?;
                let millis: String = digits.chars().chain("000".chars()).take(3).collect();
                self.millis = millis.parse().ok()?;
            }
            Letter::Offset => self.zone = Some(TimeZone::fixed(offset(rest)?)),
            Letter::ZoneId => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/_+-".contains(c));
                let (id, behind) = rest.split_at(end.unwrap_or(rest.len()));
                self.zone = Some(TimeZone::get(id).ok()?);
                *rest = behind;
            }
            Letter::ZoneName => {
                let (short, id, _) = ZONES.iter().find(|(short, ..)| rest.starts_with(short))?;
                self.zone = Some(TimeZone::get(id).ok()?);
                *rest = &rest[short.len()..];
            }
            Letter::Weekday | Letter::HalfOfDay => self.take_name(field.letter, rest)?,
            letter => {
                let most = if letter == Letter::DayOfYear { 3 } else { 2 };
                let number = digits(rest, most)?.parse().ok()?;
                let (least, last) = range(letter);
                (least..=last).contains(&number).then_some(())?;
                self.set(letter, number);
            }
        }
        Some(())
    }

    /// As SimpleDateFormat reads.
    fn take_lenient(&mut self, field: Field, rest: &mut &str) -> Option<()> {
        let blanks = rest.len();
        *rest = rest.trim_start_matches([' ', '\t']);
        let blanks = blanks - rest.len();
        // A letter right behind it bounds the digits, with the blanks; else there are as many as there are.
        let most = if field.is_bounded {
            field.length.saturating_sub(blanks)
        } else {
            18
        };
        match field.letter {
            Letter::Year => {
                let word = digits(rest, most)?;
                let year: i64 = word.parse().ok()?;
                let is_short = field.length <= 2 && word.len() == 2;
                self.year = Some(if is_short {
                    near(year, this_year() - 80)
                } else {
                    year
                });
            }
            Letter::Month if field.length > 2 => self.month = Some(name(rest, MONTHS)? + 1),
            Letter::Era => self.before_christ = name(rest, &["AD", "BC"])? == 1,
            Letter::Offset | Letter::ZoneName => self.zone = Some(general_zone(rest)?),
            Letter::IsoOffset => self.zone = Some(TimeZone::fixed(iso_offset(rest, field.length)?)),
            Letter::Weekday | Letter::HalfOfDay => self.take_name(field.letter, rest)?,
            letter => {
                let number = digits(rest, most)?.parse().ok()?;
                self.set(letter, number);
            }
        }
        Some(())
    }

    fn take_name(&mut self, letter: Letter, rest: &mut &str) -> Option<()> {
        match letter {
            Letter::HalfOfDay => self.afternoon = name(rest, HALVES)? == 1,
            _ => drop(name(rest, DAYS)?),
        }
        Some(())
    }

    fn set(&mut self, letter: Letter, number: i64) {
        match letter {
            Letter::Month => self.month = Some(number),
            Letter::Day => self.day = Some(number),
            Letter::DayOfYear => self.day_of_year = Some(number),
            Letter::Hour => self.hour = Some(number),
            Letter::ClockHour => self.hour = Some(if number == 24 { 0 } else { number }),
            Letter::HalfHour => self.half_hour = number,
            Letter::HalfClockHour => self.half_hour = if number == 12 { 0 } else { number },
            Letter::Minute => self.minute = number,
            Letter::Second => self.second = number,
            Letter::Millis => self.millis = number,
            // The others are not read.
            _ => {}
        }
    }

    fn hours(&self) -> i64 {
        self.hour
            .unwrap_or(self.half_hour + if self.afternoon { 12 } else { 0 })
    }

    /// What is out of range is no date; nothing is where the clocks leave it out; of two the first.
    fn millis(self, local: &TimeZone) -> Option<i64> {
        let dated = self.month.is_some() || self.day.is_some() || self.day_of_year.is_some();
        let year = i16::try_from(self.year.unwrap_or(if dated { 2000 } else { 1970 })).ok()?;
        let small = |number: i64| i8::try_from(number).ok();
        let date = match self.day_of_year {
            Some(day) => {
                let first = Date::new(year, 1, 1).ok()?;
                (day <= i64::from(first.days_in_year())).then_some(())?;
                first.checked_add((day - 1).days()).ok()?
            }
            None => Date::new(
                year,
                small(self.month.unwrap_or(1))?,
                small(self.day.unwrap_or(1))?,
            )
            .ok()?,
        };
        let nanos = i32::try_from(self.millis * 1_000_000).ok()?;
        let time = Time::new(
            small(self.hours())?,
            small(self.minute)?,
            small(self.second)?,
            nanos,
        )
        .ok()?;
        let zone = self.zone.as_ref().unwrap_or(local);
        let moment = zone.to_ambiguous_timestamp(DateTime::from_parts(date, time));
        match moment.offset() {
            AmbiguousOffset::Gap { .. } => None,
            _ => moment.compatible().ok().map(|moment| moment.as_millisecond()),
        }
    }

    /// What is out of range goes on into the next month, day or hour; of two times the second.
    fn lenient_millis(self, local: &TimeZone) -> Option<i64> {
        let year = match (self.year.unwrap_or(1970), self.before_christ) {
            (year, true) => 1 - year,
            (year, false) => year,
        };
        let months = self.month.unwrap_or(1) - 1;
        let days = match self.day_of_year {
            Some(day) => day,
            None => self.day.unwrap_or(1),
        };
        let start = match self.day_of_year {
            Some(_) => (year, 1),
            None => (year + months.div_euclid(12), months.rem_euclid(12) + 1),
        };
        let date = Date::new(i16::try_from(start.0).ok()?, start.1 as i8, 1).ok()?;
        (date >= GREGORIAN).then_some(())?;
        let time = Span::new()
            .try_days(days - 1)
            .and_then(|span| span.try_hours(self.hours()))
            .and_then(|span| span.try_minutes(self.minute))
            .and_then(|span| span.try_seconds(self.second))
            .and_then(|span| span.try_milliseconds(self.millis))
            .ok()?;
        let moment = DateTime::from_parts(date, Time::midnight())
            .checked_add(time)
            .ok()?;
        let zone = self.zone.as_ref().unwrap_or(local);
        let moment = zone.to_ambiguous_timestamp(moment);
        moment.later().ok().map(|moment| moment.as_millisecond())
    }
}

fn range(letter: Letter) -> (i64, i64) {
    match letter {
        Letter::Month => (1, 12),
        Letter::Day => (1, 31),
        Letter::DayOfYear => (1, 366),
        Letter::Hour => (0, 23),
        Letter::ClockHour => (1, 24),
        Letter::HalfHour => (0, 11),
        Letter::HalfClockHour => (1, 12),
        _ => (0, 59),
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

fn signed_year(rest: &mut &str, most: usize) -> Option<i64> {
    let negative = rest.starts_with('-');
    *rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let year: i64 = digits(rest, most)?.parse().ok()?;
    Some(if negative { -year } else { year })
}

fn short_year(rest: &mut &str, exactly_two: bool) -> Option<i64> {
    let given = rest.bytes().take_while(u8::is_ascii_digit).count();
    if given != 2 && !exactly_two {
        return signed_year(rest, 9);
    }
    let year = digits(rest, 2).filter(|digits| digits.len() == 2)?.parse().ok()?;
    Some(near(year, this_year() - 30 - 50))
}

fn this_year() -> i64 {
    jiff::Zoned::now().year().into()
}

/// The year of two digits that is `first` or one of the 99 behind it.
fn near(year: i64, first: i64) -> i64 {
    first + (year - first).rem_euclid(100)
}

/// Which of the names the text begins with, in full or by its first three letters.
fn name(rest: &mut &str, names: &[&str]) -> Option<i64> {
    for (index, name) in names.iter().enumerate() {
        let short = &name[..name.len().min(3)];
        if let Some(behind) = strip_any_case(rest, name).or_else(|| strip_any_case(rest, short)) {
            *rest = behind;
            return i64::try_from(index).ok();
        }
    }
    None
}

/// `+0130`, `GMT`, `GMT+1:30` or the short name of a zone.
fn general_zone(rest: &mut &str) -> Option<TimeZone> {
    let mut is_custom = false;
    if let Some((short, _, hours)) = ZONES
        .iter()
        .find(|(short, ..)| strip_any_case(rest, short).is_some())
    {
        let behind = &rest[short.len()..];
        is_custom = *short == "GMT" && behind.starts_with(['+', '-']);
        *rest = behind;
        if !is_custom {
            return Some(TimeZone::fixed(jiff::tz::offset(*hours)));
        }
    }
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    *rest = rest.strip_prefix(['-', '+'])?;
    let number = digits(rest, 4)?;
    let (hours, minutes) = match (number.len(), rest.strip_prefix(':')) {
        (1 | 2, Some(behind)) if is_custom => {
            *rest = behind;
            (number, digits(rest, 2).filter(|minutes| minutes.len() == 2)?)
        }
        (3 | 4, _) => number.split_at(number.len() - 2),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(())?;
    let offset = Offset::from_seconds(sign * (hours * 3600 + minutes * 60));
    offset.ok().map(TimeZone::fixed)
}

/// `Z`, or what `X`, `XX` or `XXX` writes.
fn iso_offset(rest: &mut &str, length: usize) -> Option<Offset> {
    if let Some(behind) = rest.strip_prefix('Z') {
        *rest = behind;
        return Some(Offset::UTC);
    }
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    *rest = rest.strip_prefix(['-', '+'])?;
    let two = |rest: &mut &str| -> Option<i32> {
        let word = digits(rest, 2).filter(|word| word.len() == 2)?;
        word.parse().ok()
    };
    let hours = two(rest)?;
    if length == 3 {
        *rest = rest.strip_prefix(':')?;
    }
    let minutes = if length > 1 { two(rest)? } else { 0 };
    (hours < 24 && minutes < 60).then_some(())?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
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
