//! Dates as Java's patterns have them, and time zones by Java's ids.
//!
//! There are two languages of patterns, which look alike and differ: that of `java.text.SimpleDateFormat` and that of
//! Joda-Time (`DateTimeFormat.forPattern`). A [`DatePattern`] knows which one it is in; it reads texts, or writes
//! times, and what it does not understand is refused with its place, never read as something else.
//!
//! | | SimpleDateFormat | Joda-Time |
//! |---|---|---|
//! | written | `G y M L d D F E u a H k K h m s S z Z X` | `G C y Y x M w D d e E a H k K h m s S z Z` |
//! | read | `G y M L d D E a H k K h m s S z Z X` | `y Y M D d E a H k K h m s S z Z` |
//! | `S` | milliseconds, a number | digits of the fraction of a second |
//! | out of range, as in February 30 | goes on into the next month | is no date |
//! | a time twice on a day | the second one | the first one |
//! | missing | is that of 1970-01-01 | a year: 2000, a date: 1970-01-01 |
//!
//! Years go to 9999, and in SimpleDateFormat from 1583 on: before, Java's calendar is another one. Before 1900 a place has
//! its own time here, and that of its zone in Java.
//!
//! `w W Y` of SimpleDateFormat depend on the country and are refused; long names of zones (`zzzz`) are refused, too.
//! Names are English.

mod item;
mod read;
mod write;
mod zone;

use item::Item;
pub use zone::Zone;

/// Which language a pattern is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Simple,
    Joda,
}

/// What is done with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
}

/// A date pattern, ready to read texts or to write times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatePattern {
    items: Vec<Item>,
    dialect: Dialect,
}

impl DatePattern {
    /// A pattern of Joda-Time, to read texts. Errors are sentences, here and below.
    pub fn joda_reader(pattern: &str) -> Result<DatePattern, String> {
        DatePattern::new(pattern, Dialect::Joda, Use::Read)
    }

    /// A pattern of Joda-Time, to write times.
    pub fn joda_writer(pattern: &str) -> Result<DatePattern, String> {
        DatePattern::new(pattern, Dialect::Joda, Use::Write)
    }

    /// A pattern of SimpleDateFormat, to read texts.
    pub fn simple_reader(pattern: &str) -> Result<DatePattern, String> {
        DatePattern::new(pattern, Dialect::Simple, Use::Read)
    }

    /// A pattern of SimpleDateFormat, to write times.
    pub fn simple_writer(pattern: &str) -> Result<DatePattern, String> {
        DatePattern::new(pattern, Dialect::Simple, Use::Write)
    }

    fn new(pattern: &str, dialect: Dialect, usage: Use) -> Result<DatePattern, String> {
        let items = item::read(pattern, dialect, usage)?;
        match items.is_empty() {
            true => Err("the date pattern is empty; write yyyy-MM-dd HH:mm:ss or the like".into()),
            false => Ok(DatePattern { items, dialect }),
        }
    }

    /// Milliseconds since 1970 of a text, in `zone` unless the text has one; `None` if it does not fit. All of it has
    /// to be read.
    pub fn read(&self, text: &[u8], zone: &Zone) -> Option<i64> {
        read::millis(&self.items, self.dialect, text, zone.zone())
    }

    /// Append a time, in milliseconds since 1970, as it is in `zone`. A time beyond the year 9999 is an error, and so is
    /// one before 1583 in SimpleDateFormat.
    pub fn write(&self, millis: i64, zone: &Zone, out: &mut String) -> Result<(), String> {
        let moment = zone.at(millis)?;
        if self.dialect == Dialect::Simple && moment.date() < read::GREGORIAN {
            return Err(format!(
                "{millis} is a time before 1583, which Java has in another calendar"
            ));
        }
        self.items
            .iter()
            .for_each(|item| write::item(item, self.dialect, &moment, out));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
