//! Writing a time.

use super::Dialect;
use super::item::{Field, Item, Letter};
use super::read::{DAYS, MONTHS};
use jiff::Zoned;
use std::fmt::Write;

/// Append one piece.
pub(super) fn item(item: &Item, dialect: Dialect, at: &Zoned, out: &mut String) {
    match item {
        Item::Literal(text) => out.push_str(text),
        Item::Field(field) => written(*field, dialect, at, out),
    }
}

fn written(field: Field, dialect: Dialect, at: &Zoned, out: &mut String) {
    let Field { letter, length, .. } = field;
    let mut number = |value: i64| {
        // Writing to a string does not fail.
        let sign = if value < 0 { "-" } else { "" };
        let _ = write!(out, "{sign}{:0length$}", value.unsigned_abs());
    };
    let date = at.date();
    match letter {
        Letter::Year | Letter::WeekYear => {
            let year = match letter {
                Letter::WeekYear => i64::from(date.iso_week_date().year()),
                _ => i64::from(at.year()),
            };
            // SimpleDateFormat counts the years of an era.
            let year = if dialect == Dialect::Simple && year < 1 {
                1 - year
            } else {
                year
            };
            match length {
                2 => number(year.rem_euclid(100)),
                _ => number(year),
            }
        }
        Letter::Century => number(i64::from(at.year()).unsigned_abs() as i64 / 100),
        Letter::Era => out.push_str(if at.year() < 1 { "BC" } else { "AD" }),
        Letter::Month if length >= 3 => out.push_str(named(MONTHS, at.month() - 1, length)),
        Letter::Weekday => out.push_str(named(DAYS, at.weekday().to_monday_zero_offset(), length)),
        Letter::Month => number(at.month().into()),
        Letter::Week => number(date.iso_week_date().week().into()),
        Letter::Day => number(at.day().into()),
        Letter::DayOfYear => number(at.day_of_year().into()),
        Letter::WeekdayInMonth => number(((at.day() - 1) / 7 + 1).into()),
        Letter::WeekdayNumber => number(at.weekday().to_monday_one_offset().into()),
        Letter::HalfOfDay => out.push_str(if at.hour() < 12 { "AM" } else { "PM" }),
        Letter::Hour => number(at.hour().into()),
        Letter::ClockHour => number(if at.hour() == 0 { 24 } else { at.hour().into() }),
        Letter::HalfHour => number((at.hour() % 12).into()),
        Letter::HalfClockHour => number(((at.hour() + 11) % 12 + 1).into()),
        Letter::Minute => number(at.minute().into()),
        Letter::Second => number(at.second().into()),
        Letter::Millis => number(at.millisecond().into()),
        Letter::Fraction => {
            let digits = format!("{:09}", at.subsec_nanosecond());
            out.extend(digits.chars().chain(std::iter::repeat('0')).take(length));
        }
        Letter::ZoneName => out.push_str(&zone_name(at)),
        Letter::ZoneId => match at.time_zone().iana_name() {
            Some(name) => out.push_str(name),
            None => offset(at, ":", true, out),
        },
        Letter::Offset if dialect == Dialect::Joda && length == 2 => offset(at, ":", true, out),
        Letter::Offset => offset(at, "", true, out),
        Letter::IsoOffset if at.offset().is_zero() => out.push('Z'),
        Letter::IsoOffset => match length {
            1 => offset(at, "", false, out),
            2 => offset(at, "", true, out),
            _ => offset(at, ":", true, out),
        },
    }
}

fn named(names: &[&'static str], index: i8, length: usize) -> &'static str {
    let name = names.get(index as usize).copied().unwrap_or_default();
    if length >= 4 {
        name
    } else {
        &name[..name.len().min(3)]
    }
}

/// The short name, where the zone has one and not only an offset.
fn zone_name(at: &Zoned) -> String {
    let info = at.time_zone().to_offset_info(at.timestamp());
    let name = info.abbreviation();
    if name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return name.to_string();
    }
    let mut text = String::from("GMT");
    offset(at, ":", true, &mut text);
    text
}

/// `+hhmm`, with a colon, or without minutes.
fn offset(at: &Zoned, colon: &str, minutes: bool, out: &mut String) {
    let seconds = at.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs() / 60;
    // Writing to a string does not fail.
    let _ = match minutes {
        true => write!(out, "{sign}{:02}{colon}{:02}", all / 60, all % 60),
        false => write!(out, "{sign}{:02}", all / 60),
    };
}
