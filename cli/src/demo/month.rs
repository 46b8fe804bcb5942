//! The month that is billed: the present one, once there is room in it for what is to happen.

use kernel::{BillingPeriod, Timestamp};
use local_aws::Progress;
use std::time::Duration;

/// A month that is younger has no room for usage, of which the newest is a minute old.
const AGE_S_MIN: i64 = 120;
/// How much longer a month has to last, so that who signs up now does so in the month that is
/// billed.
const LEFT_S_MIN: i64 = 300;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The present period. Where it is too young, or about to end, waits until there is one with room:
/// for seven minutes at most. A period that ended before would not do, as the tenants were not
/// there in it.
pub async fn billable_period(progress: &Progress) -> BillingPeriod {
    let mut left_s = wait_s(crate::now());
    if left_s > 0 {
        progress.line(&format!(
            "a month begins: the tenants and their usage have to be in one, in {left_s} s"
        ));
        let step = progress.step("a month with room");
        while left_s > 0 {
            step.at(format!("{left_s} s to go"));
            tokio::time::sleep(LOOK_EVERY).await;
            left_s = wait_s(crate::now());
        }
        step.done("old enough for usage");
    }
    BillingPeriod::containing(crate::now())
}

/// How long it takes from a moment until a month has room, in seconds.
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
    fn there_is_room_two_minutes_after_a_month_began_until_five_before_it_ends() {
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
