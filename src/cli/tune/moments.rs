//! Moments of a recording that a person has marked: when the thing is there, and when it is not.

use std::str::FromStr;

/// An event may begin or end so long after or before a marked moment and still tell of it, seconds.
const SLACK_S: f64 = 1.0;
/// Around a marked moment the thing may be there too: nothing there is held against a prompt, seconds.
const AROUND_S: f64 = 2.0;

/// A moment, or a span: `12.5`, `40-55`, `1:02-1:10`; seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} should be a moment like 12.5 or 1:02, or a span like 40-55");
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (seconds(from).ok_or_else(wrong)?, seconds(to).ok_or_else(wrong)?);
        if from > to { Err(format!("{text:?} ends before it begins")) } else { Ok(Self { from, to }) }
    }
}

fn seconds(text: &str) -> Option<f64> {
    let one = |part: &str| part.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    text.split(':').try_fold(0.0, |all, part| Some(60.0 * all + one(part)?))
}

impl Moment {
    pub(super) fn meets(&self, from: f64, to: f64, slack: f64) -> bool {
        self.from <= to + slack && from <= self.to + slack
    }
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// When the thing is there, in order.
    pub(super) marks: Vec<Moment>,
    /// When it is not; if empty, whenever it is not marked.
    pub(super) nots: Vec<Moment>,
    pub(super) length_s: f64,
}

impl Moments {
    /// # Errors
    /// A moment beyond the recording, or one that says both.
    pub(super) fn new(mut marks: Vec<Moment>, nots: Vec<Moment>, length_s: f64) -> Result<Self, String> {
        if let Some(beyond) = marks.iter().chain(&nots).find(|moment| moment.to > length_s + SLACK_S) {
            return Err(format!("{} s is beyond the end: the recording is {length_s:.1} s long", beyond.to));
        }
        let both = marks.iter().find(|mark| nots.iter().any(|not| not.meets(mark.from, mark.to, 0.0)));
        if let Some(both) = both {
            return Err(format!("{} s is said to be both: --mark and --not", both.from));
        }
        marks.sort_by(|a, b| a.from.total_cmp(&b.from));
        Ok(Self { marks, nots, length_s })
    }

    /// Which marked moments an event tells of.
    pub(super) fn told_by(&self, from: f64, to: f64) -> impl Iterator<Item = usize> {
        let met = move |(_, mark): &(usize, &Moment)| mark.meets(from, to, SLACK_S);
        self.marks.iter().enumerate().filter(met).map(|(index, _)| index)
    }

    /// Whether an event is a mistake, as far as the marks say.
    pub(super) fn is_false(&self, from: f64, to: f64) -> bool {
        let near = self.marks.iter().any(|mark| mark.meets(from, to, AROUND_S));
        !near && (self.nots.is_empty() || self.nots.iter().any(|not| not.meets(from, to, 0.0)))
    }

    /// Whether the thing is there, for all that the marks say.
    pub(super) fn is_marked(&self, at: f64) -> bool {
        self.marks.iter().any(|mark| mark.meets(at, at, SLACK_S))
    }

    /// The hours in which an event is a mistake.
    pub(super) fn empty_hours(&self) -> f64 {
        let step = 0.1;
        let steps = (self.length_s / step).ceil() as usize;
        let empty = (0..steps).map(|index| index as f64 * step).filter(|at| self.is_false(*at, *at)).count();
        (empty as f64 * step).min(self.length_s) / 3600.0
    }

    /// Which half of the recording a moment belongs to: stretches alternate, so that both halves see all of it.
    pub(super) fn half(&self, at: f64) -> usize {
        const STRETCHES: f64 = 8.0;
        (at * STRETCHES / self.length_s.max(1e-3)) as usize % 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse().expect("a moment")
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        assert_eq!(moment("12.5"), Moment { from: 12.5, to: 12.5 });
        assert_eq!(moment("40-55"), Moment { from: 40.0, to: 55.0 });
        assert_eq!(moment("1:02-1:10.5"), Moment { from: 62.0, to: 70.5 });
        for wrong in ["", "soon", "5-", "-5", "9-3", "NaN", "1:x"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_event_is_judged_by_what_is_marked() {
        let all = Moments::new(vec![moment("40-55"), moment("12.5")], vec![], 100.0).expect("fits");
        assert_eq!(all.told_by(11.0, 13.0).collect::<Vec<_>>(), [0]);
        assert_eq!(all.told_by(54.0, 70.0).collect::<Vec<_>>(), [1]);
        assert!(!all.is_false(14.0, 16.0) && all.is_false(20.0, 30.0));
        assert!((all.empty_hours() * 3600.0 - (100.0 - 4.0 - 19.0)).abs() < 0.5);
        let said = Moments::new(vec![moment("12.5")], vec![moment("70-90")], 100.0).expect("fits");
        assert!(!said.is_false(20.0, 30.0) && said.is_false(69.0, 71.0));
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(Moments::new(vec![moment("200")], vec![], 100.0).is_err());
        assert!(Moments::new(vec![moment("50")], vec![moment("40-55")], 100.0).is_err());
    }
}
