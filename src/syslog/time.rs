//! Stamps of messages, and the year and zone that they do not say.
//!
//! What was read last is remembered: almost all messages of a stream have the second of the one before them, and
//! the offset of a zone is asked for once a minute of its clock.

use crate::date::Zone;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Whatever lies nearer than this needs no look at the calendar, for the year that a stamp does not have.
const NEAR_MS: i64 = 28 * DAY * 1000;
/// `YYYY-MM-DDThh:mm:ss`
const SECONDS: usize = 19;
/// `Mmm dd hh:mm:ss`
const SHORT: usize = 15;

/// The fields of a clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Fields {
    /// Seconds since 1970 on a clock without a zone. A field that is too large carries over, as in Java's dates.
    fn seconds(&self) -> i64 {
        let carried = (self.month - 1).div_euclid(12);
        let month = (self.month - 1).rem_euclid(12) + 1;
        let days = days_before(self.year + carried, month) + self.day - 1;
        days * DAY + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// They are what a calendar and a clock can show.
    fn are_possible(&self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=days_of(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}

/// Days from 1970 to the first of a month, in the Gregorian calendar (years begin in March, so that a leap day is
/// the last of its year).
fn days_before(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap + of_year - 719_468
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        12 => 31,
        _ => days_before(year, month + 1) - days_before(year, month),
    }
}

/// The year and month, and the day of the month, of a day since 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Close, and then exact.
    let mut year = 1970 + days.div_euclid(365);
    while days_before(year, 1) > days {
        year -= 1;
    }
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let mut month = 12;
    while days_before(year, month) > days {
        month -= 1;
    }
    (year, month, days - days_before(year, month) + 1)
}

/// What the clock of the wall says, the zone, and what was read last.
#[derive(Debug, Clone)]
pub struct Clock {
    now_ms: i64,
    /// The year of that, in UTC.
    year: i64,
    /// From when on it is another year.
    year_ends_ms: i64,
    zone: Zone,
    is_utc: bool,
    /// Minute on the clock of the zone, and how many seconds it is ahead of UTC.
    offset: (i64, i64),
    short: ([u8; SHORT + 1], Option<i64>),
    long: ([u8; SECONDS], i64),
}

impl Clock {
    /// One that knows the zone; it wants to be told the time.
    pub fn new(zone: Zone) -> Clock {
        let mut clock = Clock {
            now_ms: 0,
            year: 0,
            year_ends_ms: i64::MIN,
            is_utc: zone == Zone::utc(),
            zone,
            offset: (i64::MIN, 0),
            short: ([0; SHORT + 1], None),
            long: ([0; SECONDS], 0),
        };
        clock.set(Timestamp::now().as_millisecond());
        clock
    }

    /// It is now this many milliseconds after 1970.
    pub fn set(&mut self, now_ms: i64) {
        let has_turned = now_ms >= self.year_ends_ms || now_ms < self.now_ms;
        self.now_ms = now_ms;
        if has_turned {
            self.year = date_of(now_ms.div_euclid(DAY * 1000)).0;
            self.year_ends_ms = days_before(self.year + 1, 1) * DAY * 1000;
            self.short.0 = [0; SHORT + 1];
        }
    }

    /// It is now what the clock of the wall says.
    pub fn wind(&mut self) {
        self.set(Timestamp::now().as_millisecond());
    }

    /// That of stamps that name none.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// What it was set to.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// A stamp like `Oct 11 22:14:15` at the start of `text`: how long it is, and when that was, `None` if there is no
    /// such time. Outer `None` where there is no such stamp. `lenient` takes `Oct 32` for the first of November.
    #[inline]
    pub fn short(&mut self, text: &[u8], lenient: bool) -> Option<(usize, Option<i64>)> {
        // With the blank behind it, which shows that it is not longer.
        if let Some(first) = text.first_chunk::<{ SHORT + 1 }>()
            && *first == self.short.0
        {
            return Some((SHORT, self.short.1));
        }
        let (fields, length) = short_fields(text)?;
        let found = self.guess_year(fields, lenient);
        if let Some(first) = text.first_chunk::<{ SHORT + 1 }>()
            && length == SHORT
            && first[SHORT] == b' '
        {
            self.short = (*first, found);
        }
        Some((length, found))
    }

    /// The year such that the stamp is not more than a month ahead of now, nor more than eleven months behind.
    fn guess_year(&mut self, mut fields: Fields, lenient: bool) -> Option<i64> {
        if fields.month == 0 {
            return None;
        }
        fields.year = self.year;
        let mut found = self.at(&fields);
        if (found - self.now_ms).abs() > NEAR_MS {
            if self.moved(found, -1) > self.now_ms {
                fields.year -= 1;
            } else if self.moved(found, 11) < self.now_ms {
                fields.year += 1;
            }
            found = self.at(&fields);
        }
        (lenient || fields.are_possible()).then_some(found)
    }

    /// The same time of another month; the last of a month where that is shorter.
    fn moved(&self, at_ms: i64, months: i64) -> i64 {
        let days = at_ms.div_euclid(DAY * 1000);
        let (year, month, day) = date_of(days);
        let all = year * 12 + month - 1 + months;
        let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
        let day = day.min(days_of(year, month));
        (days_before(year, month) + day - 1) * DAY * 1000 + at_ms.rem_euclid(DAY * 1000)
    }

    /// A stamp like `2003-10-11T22:14:15.003Z` or with an offset like `+02:00`, as all of `text`. Without either it is of
    /// the clock's zone. `lenient` takes `2003-10-32` for the first of November.
    #[inline]
    pub fn long(&mut self, text: &[u8], lenient: bool) -> Option<i64> {
        let first = text.first_chunk::<SECONDS>()?;
        if *first != self.long.0 {
            let fields = long_fields(first).filter(|fields| lenient || fields.are_possible())?;
            self.long = (*first, fields.seconds());
        }
        let civil = self.long.1;
        let (milliseconds, rest) = fraction(&text[SECONDS..])?;
        let seconds = match rest {
            [] => self.in_zone(civil),
            [b'Z'] => civil,
            _ => civil - offset(rest)?,
        };
        Some(seconds * 1000 + milliseconds)
    }

    fn at(&mut self, fields: &Fields) -> i64 {
        self.in_zone(fields.seconds()) * 1000
    }

    /// Seconds on the clock of the zone as seconds of UTC. Of an hour that comes twice the second, as in Java.
    fn in_zone(&mut self, civil: i64) -> i64 {
        if self.is_utc {
            return civil;
        }
        let minute = civil.div_euclid(60);
        if self.offset.0 != minute {
            self.offset = (minute, ahead(self.zone.zone(), minute * 60));
        }
        civil - self.offset.1
    }
}

/// How many seconds a zone is ahead of UTC when its clock shows this.
fn ahead(zone: &TimeZone, civil: i64) -> i64 {
    let Ok(as_if_utc) = Timestamp::from_second(civil) else {
        return 0;
    };
    let shown = TimeZone::UTC.to_datetime(as_if_utc);
    let found = zone.to_ambiguous_timestamp(shown).later();
    found.map_or(0, |found| civil - found.as_second())
}

/// A blank of Java's regular expressions.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | b'\r')
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    Some(digit(*text.get(at)?)? * 10 + digit(*text.get(at + 1)?)?)
}

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// `Mmm d hh:mm:ss`, one or two blanks before the day. A month of a name that there is not is 0.
fn short_fields(text: &[u8]) -> Option<(Fields, usize)> {
    let name = text.first_chunk::<3>()?;
    let looks_like_one = name[0].is_ascii_uppercase() && name[1..].iter().all(u8::is_ascii_lowercase);
    if !looks_like_one || !is_blank(*text.get(3)?) {
        return None;
    }
    let month = MONTHS.iter().position(|known| *known == name);
    let mut at = 4 + usize::from(is_blank(*text.get(4)?));
    let mut day = digit(*text.get(at)?)?;
    at += 1;
    if let Some(second) = digit(*text.get(at)?) {
        day = day * 10 + second;
        at += 1;
    }
    let clock = text.get(at..at + 9)?;
    if !is_blank(clock[0]) || clock[3] != b':' || clock[6] != b':' {
        return None;
    }
    let fields = Fields {
        year: 0,
        month: month.map_or(0, |month| month as i64 + 1),
        day,
        hour: two(clock, 1)?,
        minute: two(clock, 4)?,
        second: two(clock, 7)?,
    };
    Some((fields, at + 9))
}

fn long_fields(text: &[u8; SECONDS]) -> Option<Fields> {
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    Some(Fields {
        year: two(text, 0)? * 100 + two(text, 2)?,
        month: two(text, 5)?,
        day: two(text, 8)?,
        hour: two(text, 11)?,
        minute: two(text, 14)?,
        second: two(text, 17)?,
    })
}

/// Milliseconds of a fraction, if there is one, and what is behind it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let of = |at: usize| digits[..count].get(at).map_or(0, |byte| i64::from(byte - b'0'));
    Some((of(0) * 100 + of(1) * 10 + of(2), &digits[count..]))
}

/// Seconds of `+hh:mm`.
fn offset(text: &[u8]) -> Option<i64> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if text.len() != 6 || text[3] != b':' {
        return None;
    }
    Some(sign * (two(text, 1)? * 3600 + two(text, 4)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn at(now: &str, zone: &str) -> Clock {
        let zone = match zone {
            "UTC" => Zone::utc(),
            name => name.parse().unwrap(),
        };
        let mut clock = Clock::new(zone);
        clock.set(ms(now));
        clock
    }

    fn check_short(now: &str, zone: &str, stamp: &str, expected: Option<&str>) {
        let mut clock = at(now, zone);
        for text in [stamp.to_string(), format!("{stamp} host")] {
            let (length, found) = clock.short(text.as_bytes(), false).unwrap();
            assert_eq!(length, stamp.len());
            assert_eq!(found, expected.map(ms), "{stamp} at {now} in {zone}");
        }
    }

    #[test]
    fn year_is_the_one_that_makes_a_stamp_recent() {
        let now = "2026-11-28T22:00:00Z";
        check_short(now, "UTC", "Nov 28 21:59:59", Some("2026-11-28T21:59:59Z"));
        check_short(now, "UTC", "Dec 24 00:00:00", Some("2026-12-24T00:00:00Z"));
        check_short(now, "UTC", "Dec 29 00:00:00", Some("2025-12-29T00:00:00Z"));
        check_short(now, "UTC", "Feb  3 00:00:00", Some("2026-02-03T00:00:00Z"));
        let new_year = "2026-01-01T00:00:05Z";
        check_short(new_year, "UTC", "Dec 31 23:59:59", Some("2025-12-31T23:59:59Z"));
        let eve = "2025-12-31T23:59:50Z";
        check_short(eve, "UTC", "Jan  1 00:00:03", Some("2026-01-01T00:00:03Z"));
        check_short(eve, "UTC", "Feb 20 00:00:03", Some("2025-02-20T00:00:03Z"));
    }

    #[test]
    fn short_stamp_is_of_the_zone() {
        let now = "2026-07-01T12:00:00Z";
        check_short(
            now,
            "Europe/Berlin",
            "Jul  1 14:00:00",
            Some("2026-07-01T12:00:00Z"),
        );
        check_short(
            now,
            "Europe/Berlin",
            "Mar  1 14:00:00",
            Some("2026-03-01T13:00:00Z"),
        );
        // The hour that is not, and the one that comes twice.
        check_short(
            now,
            "Europe/Berlin",
            "Mar 29 02:30:00",
            Some("2026-03-29T01:30:00Z"),
        );
        let autumn = "2026-10-25T06:00:00Z";
        check_short(
            autumn,
            "Europe/Berlin",
            "Oct 25 02:30:00",
            Some("2026-10-25T01:30:00Z"),
        );
    }

    #[test]
    fn stamp_of_no_day_has_no_time_unless_days_carry_over() {
        let now = "2026-11-28T22:00:00Z";
        check_short(now, "UTC", "Nov 31 00:00:00", None);
        check_short(now, "UTC", "Foo 1 00:00:00", None);
        check_short(now, "UTC", "Nov 1 24:00:00", None);
        let mut clock = at(now, "UTC");
        let carried = clock.short(b"Nov 31 00:00:60", true);
        assert_eq!(carried, Some((15, Some(ms("2026-12-01T00:01:00Z")))));
        for none in [
            "nov 1 00:00:00",
            "Nov 1 0:00:00",
            "Nov",
            "Nov 1 00-00:00",
            "NOV 1 00:00:00",
        ] {
            assert_eq!(clock.short(none.as_bytes(), true), None, "{none}");
        }
    }

    #[test]
    fn long_stamps_have_fractions_and_offsets() {
        let mut clock = at("2026-11-28T22:00:00Z", "Europe/Berlin");
        for (stamp, expected) in [
            ("2003-10-11T22:14:15.003Z", Some("2003-10-11T22:14:15.003Z")),
            ("2003-10-11T22:14:15Z", Some("2003-10-11T22:14:15Z")),
            ("2003-08-24T05:14:15.000003-07:00", Some("2003-08-24T12:14:15Z")),
            ("2003-10-11T22:14:15.5+02:00", Some("2003-10-11T20:14:15.5Z")),
            ("2003-10-11T22:14:15", Some("2003-10-11T20:14:15Z")),
            ("1999-12-31T23:59:60Z", Some("2000-01-01T00:00:00Z")),
            ("2003-02-29T00:00:00Z", None),
            ("2003-13-01T00:00:00Z", None),
            ("2003-10-11 22:14:15Z", None),
            ("2003-10-11T22:14:15.Z", None),
            ("2003-10-11T22:14:15+0200", None),
            ("2003-10-11T22:14:15Zx", None),
            ("2003-10-11T22:14", None),
        ] {
            assert_eq!(clock.long(stamp.as_bytes(), false), expected.map(ms), "{stamp}");
        }
        assert_eq!(
            clock.long(b"2003-02-29T00:00:00Z", true),
            Some(ms("2003-03-01T00:00:00Z"))
        );
    }

    #[test]
    fn clock_that_passes_new_year_forgets_what_it_knew() {
        let mut clock = at("2025-12-31T23:59:59Z", "UTC");
        assert_eq!(
            clock.short(b"Jun  1 00:00:00 ", false),
            Some((15, Some(ms("2025-06-01T00:00:00Z"))))
        );
        clock.set(ms("2026-05-20T00:00:00Z"));
        assert_eq!(
            clock.short(b"Jun  1 00:00:00 ", false),
            Some((15, Some(ms("2026-06-01T00:00:00Z"))))
        );
    }

    proptest! {
        #[test]
        fn stamps_are_read_back(second in -2_000_000_000i64..4_000_000_000, milli in 0i64..1000) {
            let written = Timestamp::from_millisecond(second * 1000 + milli).unwrap();
            let mut clock = at("2026-11-28T22:00:00Z", "UTC");
            let text = format!("{written:.3}");
            prop_assert_eq!(clock.long(text.as_bytes(), false), Some(second * 1000 + milli));
            // Whatever the year: the stamp without it is near enough to where it was.
            clock.set(second * 1000);
            let short = TimeZone::UTC.to_datetime(written).strftime("%b %e %H:%M:%S").to_string();
            prop_assert_eq!(clock.short(short.as_bytes(), false), Some((15, Some(second * 1000))));
        }

        #[test]
        fn any_bytes_are_no_trouble(text: Vec<u8>) {
            let mut clock = at("2026-11-28T22:00:00Z", "Europe/Berlin");
            clock.short(&text, true);
            clock.long(&text, true);
        }
    }
}
