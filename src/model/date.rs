//! Days of the calendar, for clocks that are shown to people.
//!
//! Source: H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.

/// Days from 1 March of the year 0 to 1 January 1970.
const TO_1970: u64 = 719_468;
/// Days of 400 years, after which the calendar begins anew.
const ERA: u64 = 146_097;

/// Seconds since 1970 as `2026-11-25 13:07`, in UTC.
pub fn shown(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400, seconds / 60 % 1_440);
    let days = days.saturating_add(TO_1970);
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Counted from March, so that the leap day is the last of the year.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_764_075_999, "2025-11-25 13:06"),
            (4_107_542_400, "2100-03-01 00:00"),
            (253_402_300_799, "9999-12-31 23:59"),
        ] {
            assert_eq!(shown(seconds), expected);
        }
        // A clock can say anything.
        assert!(shown(u64::MAX).ends_with(" 07:00"));
    }
}
