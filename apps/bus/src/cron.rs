//! Cron expressions, in UTC.

use std::{cmp::Ordering, fmt, str::FromStr};

use croner::{
    Cron as Pattern,
    errors::CronError as PatternError,
    time::{CivilDateTime, CronDateTime, Resolution, Weekday},
};
use umbel_core::Timestamp;

/// When something recurs: five fields for minute, hour, day of the month, month and day of the week, such as `30 3 * * MON-FRI`, with
/// a field for seconds before them if need be, and one for years behind that; or a nickname such as `@daily`. In UTC.
#[derive(Clone, Debug)]
pub struct Cron {
    text: String,
    pattern: Pattern,
}

/// What is no cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a cron expression: {reason}; write minute, hour, day, month and day of the week, such as \"30 3 * * *\""
)]
pub struct CronError {
    text: String,
    reason: String,
}

/// A cron expression whose times are all past: what is planned by it would never come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cron:?} has no time that is still to come, all of them are past; write an expression that has one")]
pub struct AllPast {
    /// The expression.
    pub cron: String,
}

/// A second of UTC, counted from 1970: without a time zone, so each wall clock time happens once.
#[derive(Clone, Copy)]
struct Second(i64);

const DAY: i64 = 86_400;

impl Cron {
    /// The first time after a moment, to the second; `None` when there is none any more.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let second = Second(moment.as_micros().div_euclid(1_000_000));
        let Second(next) = self.pattern.find_next_occurrence(&second, false).ok()?;
        next.checked_mul(1_000_000).map(Timestamp::from_micros)
    }

    /// The same where one is needed.
    ///
    /// # Errors
    /// When there is none any more.
    pub fn first_after(&self, moment: Timestamp) -> Result<Timestamp, AllPast> {
        self.next_after(moment).ok_or_else(|| AllPast { cron: self.text.clone() })
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason: String| CronError { text: text.to_owned(), reason };
        let pattern = Pattern::from_str(text).map_err(|error| refused(error.to_string()))?;
        let cron = Self { text: text.to_owned(), pattern };
        match cron.next_after(Timestamp::from_micros(0)) {
            Some(_) => Ok(cron),
            None => Err(refused("that is never".to_owned())),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl CronDateTime for Second {
    fn to_civil(&self) -> CivilDateTime {
        let (days, second) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let part = |number: i64| u32::try_from(number).unwrap_or(0);
        let civil = CivilDateTime::from_ymd_hms_opt(
            i32::try_from(year).unwrap_or(i32::MAX),
            part(month),
            part(day),
            part(second / 3600),
            part(second / 60 % 60),
            part(second % 60),
        );
        civil.unwrap_or_else(|| unreachable!("second {} has a date", self.0))
    }

    fn civil_weekday(&self) -> Weekday {
        // 1970 began on a Thursday.
        let day = (self.0.div_euclid(DAY) + 4).rem_euclid(7);
        Weekday::from_days_from_sunday(u32::try_from(day).unwrap_or(0))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, PatternError> {
        let days = days_until(i64::from(civil.year()), i64::from(civil.month()), i64::from(civil.day()));
        let second =
            i64::from(civil.hour()) * 3600 + i64::from(civil.minute()) * 60 + i64::from(civil.second());
        Ok(Resolution::Single(Self(days * DAY + second)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(seconds).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// Year, month and day of a day counted from 1970: by eras of 400 years that begin with March, so that a leap day is the last of its
/// year.
const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// The other way round.
const fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, after: &str) -> String {
        let next = cron.parse::<Cron>().unwrap().next_after(after.parse().unwrap());
        next.unwrap().to_millis_string()
    }

    /// TM-06: given a cron expression, its times are those of UTC, strictly after the moment that is asked about.
    #[test]
    fn times_follow_the_expression() {
        for (cron, after, expected) in [
            ("30 3 * * *", "2026-01-31T03:29:59.999999Z", "2026-01-31T03:30:00.000Z"),
            ("30 3 * * *", "2026-01-31T03:30:00Z", "2026-02-01T03:30:00.000Z"),
            ("0 0 29 2 *", "2026-01-31T00:00:00Z", "2028-02-29T00:00:00.000Z"),
            ("0 0 * * MON", "2026-11-26T12:00:00Z", "2026-11-30T00:00:00.000Z"),
            ("@hourly", "2026-12-31T23:30:00Z", "2027-01-01T00:00:00.000Z"),
            ("*/15 * * * * *", "2026-01-31T12:00:31Z", "2026-01-31T12:00:45.000Z"),
            ("0 12 L * *", "2026-02-01T00:00:00Z", "2026-02-28T12:00:00.000Z"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron}");
        }
        // Summer time is nobody's business here.
        assert_eq!(next("30 2 * * *", "2026-03-29T00:00:00Z"), "2026-03-29T02:30:00.000Z");
    }

    /// TM-06: what is none, or never comes, is refused by a text that says what to write.
    #[test]
    fn what_is_no_expression_is_refused() {
        for wrong in ["", "often", "61 * * * *", "* * * *", "0 0 30 2 *"] {
            let error = wrong.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")) && error.contains("30 3 * * *"), "{error}");
        }
    }

    /// TM-06: what has had its time is an expression, and has no next one.
    #[test]
    fn what_has_had_its_time_has_no_next_one() {
        let cron: Cron = "0 0 0 1 1 * 2026".parse().unwrap();
        let last = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(cron.first_after("2025-12-31T00:00:00Z".parse().unwrap()), Ok(last));
        let all_past = AllPast { cron: "0 0 0 1 1 * 2026".to_owned() };
        assert_eq!(cron.first_after(last), Err(all_past));
    }

    #[test]
    fn days_and_dates_agree() {
        for days in (-1_000_000..1_000_000).step_by(37) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_until(year, month, day), days);
        }
        assert_eq!((date_of(0), date_of(59), date_of(-1)), ((1970, 1, 1), (1970, 3, 1), (1969, 12, 31)));
        assert_eq!(date_of(20_454), (2026, 1, 1));
    }
}
