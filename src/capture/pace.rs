//! The pace: which frames of a stream are analysed, so that so many a second are.

use std::time::Duration;

/// Lets frames through at a rate, by their time in the stream.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    due: Option<Duration>,
}

impl Pace {
    /// At most `fps` frames a second.
    pub(super) fn new(fps: f64) -> Self {
        Self { interval: Duration::from_secs_f64(1.0 / fps), due: None }
    }

    /// Whether the frame at this time is let through.
    pub(super) fn takes(&mut self, at: Duration) -> bool {
        match self.due {
            // The next is due one interval after this one was, not after it came: else 25 a second thinned to 10 gives 8.
            Some(due) if at >= due && at < due + self.interval => self.due = Some(due + self.interval),
            Some(due) if at < due && at + 2 * self.interval > due => return false,
            // The first, after a gap, or in a stream whose time has begun anew.
            _ => self.due = Some(at + self.interval),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(fps: f64, times_ms: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut pace = Pace::new(fps);
        times_ms.filter(|ms| pace.takes(Duration::from_millis(*ms))).collect()
    }

    #[test]
    fn the_rate_is_met_on_average() {
        assert_eq!(taken(10.0, (0..10_000).step_by(40)).len(), 100);
        assert_eq!(taken(2.0, (0..10_000).step_by(33)).len(), 20);
        assert_eq!(taken(60.0, (0..1000).step_by(100)).len(), 10);
    }

    #[test]
    fn gaps_and_new_beginnings_do_not_stop_it() {
        assert_eq!(taken(10.0, [0, 100, 5000, 5020, 5100].into_iter()), [0, 100, 5000, 5100]);
        assert_eq!(taken(1.0, [90_000, 0, 500, 1000].into_iter()), [90_000, 0, 1000]);
    }
}
