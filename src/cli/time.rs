//! Times as people read and type them: shown in local time with its zone, no longer than needed.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::clock;
use crate::definition::parse_duration;

const DAY_MS: i64 = 86_400_000;

/// A moment: `16:02 CET` on the day itself, `Tue 24 Nov 16:02 CET` within a month, else with its
/// year.
pub fn at(ms: i64) -> String {
    shown(ms, "%H:%M %Z")
}

/// A moment in a column whose head names the zone (`zone`): `16:02`, and `16:02 CEST` where it was
/// another one then.
pub fn in_a_column(ms: i64) -> String {
    if formatted(ms, "%Z") == Some(zone()) { shown(ms, "%H:%M") } else { at(ms) }
}

/// A day in a column whose head names the zone: `2026-11-27`.
pub fn day(ms: i64) -> String {
    formatted(ms, "%Y-%m-%d").unwrap_or_else(|| format!("{ms} ms"))
}

/// The zone of local time: `UTC`, `CET`.
pub fn zone() -> String {
    formatted(clock::wall_ms(), "%Z").unwrap_or_else(|| "local".to_owned())
}

/// The same for recent events: `14:03:12 CET`.
pub fn to_the_second(ms: i64) -> String {
    shown(ms, "%H:%M:%S %Z")
}

/// The same for events that follow closely: `14:03:12.345 CET`.
pub fn to_the_millisecond(ms: i64) -> String {
    shown(ms, "%H:%M:%S%.3f %Z")
}

/// A moment as messages write it, such as `2026-11-27T16:02:00.000Z`.
pub fn parse_moment(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

fn zoned(ms: i64) -> Option<Zoned> {
    Timestamp::from_millisecond(ms).ok().map(|moment| moment.to_zoned(TimeZone::system()))
}

fn formatted(ms: i64, format: &str) -> Option<String> {
    zoned(ms).map(|moment| moment.strftime(format).to_string())
}

fn shown(ms: i64, time: &str) -> String {
    let now = clock::wall_ms();
    let (Some(then), Some(today)) = (zoned(ms), zoned(now)) else { return format!("{ms} ms") };
    let day = match () {
        () if then.date() == today.date() => "",
        () if now.abs_diff(ms) < 30 * DAY_MS.unsigned_abs() => "%a %d %b ",
        () => "%Y-%m-%d ",
    };
    then.strftime(&format!("{day}{time}")).to_string()
}

/// `2h`, `30m`, `90d`, as milliseconds: as in flag files, and in days without an upper limit.
pub fn parse(text: &str) -> Result<i64, String> {
    let days = || text.strip_suffix('d')?.parse::<u32>().ok().map(|days| i64::from(days) * DAY_MS);
    let short = || i64::try_from(parse_duration(text)?.as_millis()).ok();
    let wrong = || {
        format!(
            "`{text}` is not a length of time; write a number with its unit, like 30m, 2h or 7d"
        )
    };
    match short().or_else(days) {
        Some(0) => Err(format!("`{text}` is no time at all; write more, like 30m, 2h or 7d")),
        Some(ms) if ms > 0 => Ok(ms),
        _ => Err(wrong()),
    }
}
