//! What a pattern consists of.

use super::{Dialect, Use};

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Field(Field),
}

/// A run of one letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) letter: Letter,
    /// How often it stands there.
    pub(super) length: usize,
    /// Right behind it stands one that bounds the digits of this one.
    pub(super) is_bounded: bool,
}

/// What a letter stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    Era,
    Century,
    Year,
    WeekYear,
    Week,
    Month,
    Day,
    DayOfYear,
    /// Which one of its weekday in the month.
    WeekdayInMonth,
    Weekday,
    WeekdayNumber,
    HalfOfDay,
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11, of half a day.
    HalfHour,
    /// 1 to 12, of half a day.
    HalfClockHour,
    Minute,
    Second,
    Fraction,
    Millis,
    ZoneName,
    ZoneId,
    Offset,
    IsoOffset,
}

/// Read a pattern. The error is a sentence.
pub(super) fn read(pattern: &str, dialect: Dialect, usage: Use) -> Result<Vec<Item>, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let (mut items, mut at) = (Vec::new(), 0);
    while let Some(&c) = chars.get(at) {
        let start = at;
        if !c.is_ascii_alphabetic() {
            let text = literal(&chars, &mut at, dialect);
            items.push(Item::Literal(text.ok_or_else(|| {
                format!(
                    "the quote at character {} of the date pattern \"{pattern}\" is never closed",
                    start + 1
                )
            })?));
            continue;
        }
        let length = run(&chars, at);
        at += length;
        let Some(letter) = letter(c, length, dialect, usage) else {
            let word: String = chars[start..at].iter().collect();
            return Err(format!(
                "\"{word}\" at character {} of the date pattern \"{pattern}\" is not known; there are {}, and text in \
                 single quotes",
                start + 1,
                known(dialect, usage)
            ));
        };
        items.push(Item::Field(Field {
            letter,
            length,
            is_bounded: is_bounding(&chars, at, dialect),
        }));
    }
    Ok(items)
}

fn known(dialect: Dialect, usage: Use) -> &'static str {
    match (dialect, usage) {
        (Dialect::Simple, Use::Write) => "G y M L d D F E u a H k K h m s S z (to zzz) Z X (to XXX)",
        (Dialect::Simple, Use::Read) => "G y M L d D E a H k K h m s S z (to zzz) Z X (to XXX)",
        (Dialect::Joda, Use::Write) => "G C y Y x M w D d e E a H k K h m s S z (to zzz) Z",
        (Dialect::Joda, Use::Read) => "y Y M D d E a H k K h m s S z (to zzz) Z",
    }
}

/// How often the letter at `at` is repeated.
fn run(chars: &[char], at: usize) -> usize {
    chars[at..].iter().take_while(|c| **c == chars[at]).count()
}

/// What stands at `at` bounds the digits in front of it: in SimpleDateFormat any letter, in Joda-Time one that is
/// digits itself.
fn is_bounding(chars: &[char], at: usize, dialect: Dialect) -> bool {
    match (chars.get(at), dialect) {
        (Some(c), Dialect::Simple) => c.is_ascii_alphabetic(),
        (Some('M'), _) => run(chars, at) <= 2,
        (Some(c), Dialect::Joda) => "CxyYdhHmsSeDwkK".contains(*c),
        (None, _) => false,
    }
}

/// Text between letters; a quote begins and ends text that may have letters, two are one. `None` for a quote that is
/// never closed, which Joda-Time closes itself.
fn literal(chars: &[char], at: &mut usize, dialect: Dialect) -> Option<String> {
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
    (!quoted || dialect == Dialect::Joda).then_some(text)
}

fn letter(c: char, length: usize, dialect: Dialect, usage: Use) -> Option<Letter> {
    let is_joda = dialect == Dialect::Joda;
    let writes = usage == Use::Write;
    Some(match c {
        'G' if !is_joda || writes => Letter::Era,
        'C' if is_joda && writes => Letter::Century,
        'y' => Letter::Year,
        'Y' if is_joda => Letter::Year,
        'x' if is_joda && writes => Letter::WeekYear,
        'w' if is_joda && writes => Letter::Week,
        'M' => Letter::Month,
        'L' if !is_joda => Letter::Month,
        'd' => Letter::Day,
        'D' => Letter::DayOfYear,
        'F' if !is_joda && writes => Letter::WeekdayInMonth,
        'E' => Letter::Weekday,
        'e' if is_joda && writes => Letter::WeekdayNumber,
        'u' if !is_joda && writes => Letter::WeekdayNumber,
        'a' => Letter::HalfOfDay,
        'H' => Letter::Hour,
        'k' => Letter::ClockHour,
        'K' => Letter::HalfHour,
        'h' => Letter::HalfClockHour,
        'm' => Letter::Minute,
        's' => Letter::Second,
        'S' if is_joda => Letter::Fraction,
        'S' => Letter::Millis,
        'z' if length < 4 => Letter::ZoneName,
        'Z' if is_joda && length > 2 => Letter::ZoneId,
        'Z' => Letter::Offset,
        'X' if !is_joda && length < 4 => Letter::IsoOffset,
        _ => return None,
    })
}
