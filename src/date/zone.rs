//! Time zones by Java's ids.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use std::str::FromStr;

/// The short ids of Java that are no zones of the time zone database, or others there (`java.time.ZoneId`,
/// SHORT_IDS).
const SHORT: &[(&str, &str)] = &[
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];
/// Those that have one offset and no daylight saving time.
const FIXED: &[(&str, i8)] = &[("EST", -5), ("MST", -7), ("HST", -10)];

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// That of this machine: `TZ`, or what the system says.
    pub fn local() -> Zone {
        Zone(TimeZone::system())
    }

    /// That of Greenwich.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.0
    }

    /// A time, in milliseconds since 1970, as it is here.
    pub fn at(&self, millis: i64) -> Result<Zoned, String> {
        let beyond = |_| format!("{millis} is no time between the years -9999 and 9999");
        let timestamp = Timestamp::from_millisecond(millis).map_err(beyond)?;
        Ok(timestamp.to_zoned(self.0.clone()))
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Zone {
        Zone(zone)
    }
}

impl FromStr for Zone {
    type Err = String;

    /// `Europe/Berlin`, `UTC`, `GMT+2`, `GMT-02:30`, `EST` and so on. Where Java silently takes GMT for an id that it
    /// does not know, this is an error.
    fn from_str(id: &str) -> Result<Zone, String> {
        if let Some((_, hours)) = FIXED.iter().find(|(fixed, _)| *fixed == id) {
            return Ok(Zone(TimeZone::fixed(jiff::tz::offset(*hours))));
        }
        let custom = id.strip_prefix("GMT").filter(|rest| rest.starts_with(['+', '-']));
        if let Some(offset) = custom {
            return match seconds_of(offset).map(Offset::from_seconds) {
                Some(Ok(offset)) => Ok(Zone(TimeZone::fixed(offset))),
                _ => Err(format!(
                    "\"{id}\" is no time zone; write GMT+2 or GMT-02:30, at most 23:59"
                )),
            };
        }
        let short = SHORT.iter().find(|(short, _)| *short == id);
        let name = short.map_or(id, |(_, name)| name);
        let found = TimeZone::get(name).ok();
        // Java's ids have one case.
        let found = found.filter(|zone| zone.iana_name().is_none_or(|iana| iana == name));
        found.map(Zone).ok_or_else(|| {
            format!("\"{id}\" is no time zone that is known; write Europe/Berlin, UTC, GMT+2 or the like")
        })
    }
}

/// `+2`, `+02`, `+230`, `+0230`, `+2:30`, as Java reads it behind GMT.
fn seconds_of(offset: &str) -> Option<i32> {
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits = offset.get(1..)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let number = |text: &str| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}
