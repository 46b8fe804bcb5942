//! Chooses the month to bill: the present one, once it has room for the demo.

use kernel::{BillingPeriod, Timestamp};
use local_aws::Progress;
use std::time::Duration;

/// The minimum age of the month, in seconds: the newest usage is a minute old and has to lie in it.
const AGE_S_MIN: i64 = 120;
/// The minimum time left in the month, in seconds, so that today's sign-ups are in the billed
/// month.
const LEFT_S_MIN: i64 = 300;
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The present period. If it is too young or about to end, waits up to seven minutes for a period
/// with room. An earlier period would not do, as the tenants did not exist in it.
pub async fn billable_period(progress: &Progress) -> BillingPeriod {
    let mut left_s = wait_s(crate::now());
    if left_s > 0 {
        progress.line(&format!(
            "the turn of a month: waiting {left_s} s, as tenants and usage have to be in one month"
        ));
        let step = progress.step("the next month");
        while left_s > 0 {
            step.at(format!("{left_s} s to go"));
            tokio::time::sleep(POLL_INTERVAL).await;
            left_s = wait_s(crate::now());
        }
        step.done("old enough for usage");
    }
    BillingPeriod::containing(crate::now())
}

/// The seconds from a time until a month has room.
fn wait_s(now: Timestamp) -> i64 {
    let period = BillingPeriod::containing(now);
    let age_s = now.as_second() - period.start().as_second();
    let left_s = period.end().as_second() - now.as_second();
    if left_s < LEFT_S_MIN {
        left_s + AGE_S_MIN
    } else {
        (AGE_S_MIN - age_s).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_room_from_two_minutes_after_its_start_to_five_before_its_end() {
        let check =
            |now: &str, wanted: i64| assert_eq!(wait_s(now.parse().unwrap()), wanted, "{now}");
        check("2026-07-01T00:00:00Z", 120);
        check("2026-07-01T00:01:59Z", 1);
        check("2026-07-01T00:02:00Z", 0);
        check("2026-07-15T12:00:00Z", 0);
        check("2026-07-31T23:55:00Z", 0);
        check("2026-07-31T23:55:01Z", 419);
        check("2026-07-31T23:59:59Z", 121);
    }
}
