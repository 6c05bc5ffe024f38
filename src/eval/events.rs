//! Events held against true tracks: which things were told, how late, and what was told without a thing.

/// A thing while it can be seen, or an event from its first to its last sighting (seconds).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// First moment.
    pub from: f64,
    /// Last moment.
    pub to: f64,
    /// When it was told, for an event; not before `from`.
    pub told: f64,
}

impl Span {
    fn meets(&self, other: &Self, slack: f64) -> bool {
        self.from <= other.to + slack && other.from <= self.to + slack
    }
}

/// How the events of one prompt did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventScore {
    /// Things that were there for long enough.
    pub things: usize,
    /// Those of them that gave an event.
    pub told: usize,
    /// Seconds from first to be seen to told, of each told thing, sorted.
    pub delays: Vec<f64>,
    /// Events while no such thing was there.
    pub false_events: usize,
}

impl EventScore {
    /// Share of the things that gave an event. `None` without things.
    pub fn recall(&self) -> Option<f64> {
        (self.things > 0).then(|| self.told as f64 / self.things as f64)
    }

    /// The middle delay in seconds.
    pub fn median_delay(&self) -> Option<f64> {
        self.delays.get(self.delays.len() / 2).copied()
    }
}

/// Judges the events of one prompt. Things that were there for less than `shortest` seconds are not asked for, but an
/// event may tell of them; `slack` seconds are allowed between an event and its thing.
pub fn judge(things: &[Span], events: &[Span], shortest: f64, slack: f64) -> EventScore {
    let mut score = EventScore::default();
    for thing in things.iter().filter(|thing| thing.to - thing.from >= shortest) {
        score.things += 1;
        let first = events.iter().filter(|event| event.meets(thing, 0.0)).min_by(|a, b| a.told.total_cmp(&b.told));
        if let Some(event) = first {
            score.told += 1;
            score.delays.push((event.told - thing.from).max(0.0));
        }
    }
    score.delays.sort_by(f64::total_cmp);
    score.false_events = events.iter().filter(|event| !things.iter().any(|thing| thing.meets(event, slack))).count();
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: f64, to: f64, told: f64) -> Span {
        Span { from, to, told }
    }

    #[test]
    fn things_are_told_or_missed_and_events_true_or_false() {
        let things = [span(1.0, 5.0, 1.0), span(10.0, 15.0, 10.0), span(20.0, 20.5, 20.0)];
        let events = [span(1.5, 5.5, 2.0), span(20.1, 20.4, 20.4), span(30.0, 31.0, 30.5)];
        let score = judge(&things, &events, 2.0, 1.0);
        assert_eq!((score.things, score.told, score.false_events), (2, 1, 1));
        assert_eq!((score.recall(), score.median_delay()), (Some(0.5), Some(1.0)));
    }
}
