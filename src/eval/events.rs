//! Events held against true tracks: which things were told, how late, and what was told without a thing.

use super::timeline::Timeline;
use super::{PixelBox, iou};

/// An event's box shows a thing from this IoU on.
const SHOWS: f64 = 0.25;
/// A box lies on one that is not to be judged from this share of its area on.
const LIES_ON: f64 = 0.5;

/// An event and the boxes that it had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// When its `new` came, seconds.
    pub told_s: f64,
    /// In order of time: seconds, and where it was, in shares of the picture.
    pub boxes: Vec<(f64, PixelBox)>,
}

/// What an event is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It shows a thing.
    True,
    /// It shows none.
    False,
    /// It lies on what is not to be judged, or nothing is known of its time.
    Unjudged,
}

/// A thing that was in view for long enough, and whether it was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// When it came into view, seconds.
    pub from_s: f64,
    /// Seconds until it was told; `None` where it was not.
    pub delay_s: Option<f64>,
}

/// How the events of one prompt did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventScore {
    /// The things that were in view for long enough.
    pub asked: Vec<Asked>,
    /// When each event was told, seconds, and what it is worth.
    pub verdicts: Vec<(f64, Verdict)>,
    /// From and to, seconds: stretches in which the truth is known.
    pub stretches: Vec<(f64, f64)>,
}

impl EventScore {
    /// Things that gave an event.
    pub fn told(&self) -> usize {
        self.asked.iter().filter(|thing| thing.delay_s.is_some()).count()
    }

    /// Share of the things that gave an event. `None` without things.
    pub fn recall(&self) -> Option<f64> {
        (!self.asked.is_empty()).then(|| self.told() as f64 / self.asked.len() as f64)
    }

    /// The median delay in seconds.
    pub fn median_delay(&self) -> Option<f64> {
        let mut delays: Vec<f64> = self.asked.iter().filter_map(|thing| thing.delay_s).collect();
        delays.sort_by(f64::total_cmp);
        delays.get(delays.len() / 2).copied()
    }

    /// Events of this worth.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.iter().filter(|(_, of_event)| *of_event == verdict).count()
    }

    /// Seconds of video in which the truth is known.
    pub fn known_s(&self) -> f64 {
        self.stretches.iter().map(|(from, to)| to - from).sum()
    }

    /// False events per hour of video in which the truth is known. `None` where there is no such time.
    pub fn false_per_hour(&self) -> Option<f64> {
        (self.known_s() > 0.0).then(|| self.count(Verdict::False) as f64 * 3600.0 / self.known_s())
    }
}

/// Judges the events of one prompt. Things that were in view for less than `shortest_s` seconds are not asked for, but an
/// event may tell of them. `reach_s`: a true box holds for so many seconds before its track's first frame and after its last.
pub fn judge(timeline: &Timeline, events: &[Told], shortest_s: f64, reach_s: f64) -> EventScore {
    // By thing: when it was told, and when the event that told it first showed it.
    let mut told: Vec<Option<(f64, f64)>> = vec![None; timeline.things.len()];
    let mut verdicts = Vec::new();
    for event in events {
        let known = || event.boxes.iter().filter(|(time, _)| timeline.is_known(*time));
        let (mut shows, mut ignored) = (false, 0);
        for (time, area) in known() {
            let mut lies = false;
            for (thing, told) in timeline.things.iter().zip(&mut told) {
                let Some(seen) = thing.at(*time, reach_s) else { continue };
                if seen.ignore {
                    lies |= iou(area, &seen.area, true) >= LIES_ON;
                } else if iou(area, &seen.area, false) >= SHOWS {
                    shows = true;
                    if told.is_none_or(|(first, _)| event.told_s < first) {
                        *told = Some((event.told_s, *time));
                    }
                }
            }
            ignored += usize::from(lies);
        }
        let verdict = match known().count() {
            _ if shows => Verdict::True,
            0 => Verdict::Unjudged,
            all if 2 * ignored >= all => Verdict::Unjudged,
            _ => Verdict::False,
        };
        verdicts.push((event.told_s, verdict));
    }
    let stretches = &timeline.stretches;
    let things = timeline.things.iter().zip(&told).filter(|(thing, _)| thing.is_in_view_for(shortest_s, stretches));
    let asked = things.map(|(thing, told)| {
        let from_s = thing.came(told.map(|(_, shown)| shown), stretches);
        Asked { from_s, delay_s: told.map(|(told, _)| (told - from_s).max(0.0)) }
    });
    EventScore { asked: asked.collect(), verdicts, stretches: stretches.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::{Sighting, Thing};
    use super::*;

    const STEP_S: f64 = 0.2;

    /// A box at a place of the picture.
    fn at(x: f64) -> PixelBox {
        [x, 0.4, 0.1, 0.2]
    }

    fn times(from: f64, to: f64) -> impl Iterator<Item = f64> {
        (0..).map(move |step| from + f64::from(step) * STEP_S).take_while(move |time| *time <= to + 1e-9)
    }

    fn thing(from: f64, to: f64, x: f64, ignore: bool) -> Thing {
        let sightings = times(from, to).map(|time_s| Sighting { time_s, area: at(x), ignore });
        Thing { sightings: sightings.collect(), tracked: true }
    }

    fn event(from: f64, to: f64, x: f64) -> Told {
        Told { told_s: from, boxes: times(from, to).map(|time| (time, at(x))).collect() }
    }

    fn score(things: Vec<Thing>, events: &[Told]) -> EventScore {
        judge(&Timeline { things, stretches: vec![(0.0, 60.0)] }, events, 2.0, 0.1)
    }

    #[test]
    fn things_are_told_or_missed_and_events_true_or_false() {
        let things = vec![thing(1.0, 5.0, 0.1, false), thing(10.0, 15.0, 0.1, false), thing(20.0, 20.4, 0.5, false)];
        let events = [event(2.0, 5.4, 0.12), event(20.0, 20.4, 0.5), event(30.0, 31.0, 0.1)];
        let score = score(things, &events);
        assert_eq!((score.asked.len(), score.told(), score.count(Verdict::False)), (2, 1, 1));
        assert_eq!((score.recall(), score.median_delay()), (Some(0.5), Some(1.0)));
        assert_eq!(score.false_per_hour(), Some(60.0));
    }

    #[test]
    fn an_event_elsewhere_on_the_picture_is_false_and_tells_nothing() {
        let score = score(vec![thing(1.0, 5.0, 0.1, false)], &[event(2.0, 4.0, 0.7)]);
        assert_eq!((score.told(), score.count(Verdict::False)), (0, 1));
    }

    #[test]
    fn an_event_on_what_is_not_judged_is_neither() {
        let score = score(vec![thing(1.0, 5.0, 0.1, true)], &[event(2.0, 4.0, 0.1), event(2.0, 20.0, 0.1)]);
        // The second goes on for long after that.
        assert_eq!(score.verdicts, [(2.0, Verdict::Unjudged), (2.0, Verdict::False)]);
        assert_eq!(score.recall(), None);
    }

    #[test]
    fn an_event_over_two_pieces_of_one_track_tells_both() {
        let score = score(vec![thing(1.0, 5.0, 0.1, false), thing(5.2, 9.0, 0.1, false)], &[event(1.4, 9.0, 0.1)]);
        assert_eq!((score.told(), score.count(Verdict::False)), (2, 0));
        // The second was told before it came.
        assert_eq!(score.asked[1].delay_s, Some(0.0));
    }

    #[test]
    fn events_of_a_thing_that_does_not_occur_are_false() {
        let score = judge(&Timeline::empty(0.0, 60.0), &[event(1.0, 2.0, 0.1)], 2.0, 0.1);
        assert_eq!((score.count(Verdict::False), score.false_per_hour(), score.recall()), (1, Some(60.0), None));
    }

    #[test]
    fn nothing_is_said_of_events_while_the_truth_is_unknown() {
        let timeline =
            Timeline { things: vec![thing(1.0, 3.0, 0.1, false)], stretches: vec![(0.9, 3.1), (20.0, 22.0)] };
        let events = [event(6.0, 10.0, 0.1), event(10.0, 20.4, 0.7)];
        let score = judge(&timeline, &events, 2.0, 0.1);
        assert_eq!(score.verdicts, [(6.0, Verdict::Unjudged), (10.0, Verdict::False)]);
        assert!((score.known_s() - 4.2).abs() < 1e-9);
    }
}
