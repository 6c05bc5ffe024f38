//! Elapsed time between moments of a clock that can be set.

use std::time::Duration;

use jiff::Timestamp;

/// Time from `then` to `now`; none where the clock was set back meanwhile, which must make nothing old.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}
