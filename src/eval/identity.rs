//! Identity: whether a thing that is followed keeps its number, above all when it crosses others.

use std::collections::{BTreeMap, BTreeSet};

use super::{PixelBox, iou};

/// A box shows a thing from this overlap on.
const SHOWS: f64 = 0.3;
/// Two things cross that overlap by more than this.
const CROSSES: f64 = 0.1;

/// How well the things of one prompt kept their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Pairs of things that overlapped at some time and were both followed.
    pub crossings: usize,
    /// Times that a thing, alone again, was followed under a number that had been another thing's, while that was there too:
    /// two true tracks of which one begins after the other has ended may be pieces of one.
    pub switches: usize,
    /// Times that a thing was followed under a new number.
    pub breaks: usize,
    /// Of the switches, those that lasted: the thing had that number again when it was next seen alone. While two part, a
    /// box is of both for a moment.
    pub lasting: usize,
    numbers: Numbers,
    /// The numbers that things had twice running.
    settled: Numbers,
    /// The number that each thing had when it was last seen alone.
    newest: BTreeMap<u64, u64>,
    crossed: BTreeSet<(u64, u64)>,
    lifetimes: Lifetimes,
}

/// From when to when each thing is there, milliseconds; things without a lifetime are there all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lifetimes(BTreeMap<u64, (i64, i64)>);

impl Lifetimes {
    fn coexist(&self, one: u64, other: u64) -> bool {
        let (Some(a), Some(b)) = (self.0.get(&one), self.0.get(&other)) else { return true };
        a.0 <= b.1 && b.0 <= a.1
    }
}

/// Which thing has which number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    /// The number of each thing, at last.
    of: BTreeMap<u64, u64>,
    /// The thing that had each number first.
    owners: BTreeMap<u64, u64>,
}

/// What is new about a thing's number.
#[derive(PartialEq, Eq)]
enum Turn {
    Kept,
    /// It had been another thing's.
    Switch,
    /// It is new, and the thing had another before.
    Break,
}

impl Numbers {
    fn show(&mut self, thing: u64, number: u64, lifetimes: &Lifetimes) -> Turn {
        let owner = self.owners.entry(number).or_insert(thing);
        if !lifetimes.coexist(*owner, thing) {
            *owner = thing;
        }
        let owner = *owner;
        match self.of.insert(thing, number) {
            Some(before) if before == number => Turn::Kept,
            _ if owner != thing => Turn::Switch,
            before => before.map_or(Turn::Kept, |_| Turn::Break),
        }
    }
}

impl Identity {
    /// Of things that are there from one moment to another, seconds.
    pub fn new(lifetimes: &BTreeMap<u64, (f64, f64)>) -> Self {
        let ms = |seconds: f64| (1000.0 * seconds).round() as i64;
        let lifetimes = lifetimes.iter().map(|(thing, (from, to))| (*thing, (ms(*from), ms(*to)))).collect();
        Self { lifetimes: Lifetimes(lifetimes), ..Self::default() }
    }

    /// Takes in one frame: the things on it, and the boxes that were followed, each with its number. A thing that overlaps
    /// one of `ignored`, which are not to be judged, is not judged either.
    pub fn see(&mut self, things: &[(u64, PixelBox)], ignored: &[PixelBox], followed: &[(u64, PixelBox)]) {
        let pairs = things.iter().enumerate().flat_map(|(t, (_, thing))| {
            followed.iter().enumerate().map(move |(f, (_, found))| (iou(found, thing, false), t, f))
        });
        let mut pairs: Vec<(f64, usize, usize)> = pairs.filter(|(overlap, ..)| *overlap >= SHOWS).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut shown, mut used) = (BTreeSet::new(), BTreeSet::new());
        for (_, t, f) in pairs {
            if shown.contains(&t) || used.contains(&f) {
                continue;
            }
            shown.insert(t);
            used.insert(f);
            // While one hides the other, a box can be of either.
            let hides =
                |(o, (_, other)): (usize, &(u64, PixelBox))| o != t && iou(&things[t].1, other, false) > CROSSES;
            let unclear = ignored.iter().any(|other| iou(&things[t].1, other, false) > CROSSES);
            if !unclear && !things.iter().enumerate().any(hides) {
                self.show(things[t].0, followed[f].0);
            }
        }
        for (i, (one, a)) in things.iter().enumerate() {
            for (other, b) in &things[i + 1..] {
                let both = self.numbers.of.contains_key(one) && self.numbers.of.contains_key(other);
                if both && iou(a, b, false) > CROSSES && self.crossed.insert((*one.min(other), *one.max(other))) {
                    self.crossings += 1;
                }
            }
        }
    }

    fn show(&mut self, thing: u64, number: u64) {
        let turn = self.numbers.show(thing, number, &self.lifetimes);
        self.switches += usize::from(turn == Turn::Switch);
        self.breaks += usize::from(turn == Turn::Break);
        if self.newest.insert(thing, number) == Some(number) {
            self.lasting += usize::from(self.settled.show(thing, number, &self.lifetimes) == Turn::Switch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64) -> PixelBox {
        [x, 0.0, 20.0, 40.0]
    }

    #[test]
    fn two_that_cross_and_change_numbers_are_two_switches() {
        let way: Vec<(f64, f64)> =
            (0..=10).map(|step| (f64::from(step) * 10.0, 100.0 - f64::from(step) * 10.0)).collect();
        let (mut kept, mut changed) = (Identity::default(), Identity::default());
        for (step, (a, b)) in way.iter().enumerate() {
            let things = [(1, at(*a)), (2, at(*b))];
            kept.see(&things, &[], &[(7, at(*a)), (8, at(*b))]);
            let late = step > 5;
            changed.see(&things, &[], &[(if late { 8 } else { 7 }, at(*a)), (if late { 7 } else { 8 }, at(*b))]);
        }
        assert_eq!((kept.crossings, kept.switches, kept.breaks), (1, 0, 0));
        assert_eq!((changed.crossings, changed.switches, changed.breaks), (1, 2, 0));
        assert_eq!((kept.lasting, changed.lasting), (0, 2));
    }

    #[test]
    fn a_switch_of_a_moment_counts_and_does_not_last() {
        let mut identity = Identity::default();
        let apart = [(1, at(0.0)), (2, at(60.0))];
        for boxes in [[7, 8], [7, 8], [8, 7], [7, 8], [7, 8]] {
            identity.see(&apart, &[], &[(boxes[0], at(0.0)), (boxes[1], at(60.0))]);
        }
        // Each changes over, and back.
        assert_eq!((identity.switches, identity.breaks, identity.lasting), (2, 2, 0));
    }

    #[test]
    fn one_that_gets_a_new_number_is_a_break() {
        let mut identity = Identity::default();
        for number in [3, 3, 4, 4] {
            identity.see(&[(1, at(0.0))], &[], &[(number, at(2.0))]);
        }
        assert_eq!((identity.crossings, identity.switches, identity.breaks), (0, 0, 1));
    }

    #[test]
    fn a_number_may_go_on_over_pieces_of_a_track_that_do_not_coexist() {
        let switches = |second: (f64, f64)| {
            let mut identity = Identity::new(&BTreeMap::from([(1, (0.0, 5.0)), (2, second)]));
            identity.see(&[(1, at(0.0))], &[], &[(7, at(0.0))]);
            identity.see(&[(2, at(3.0))], &[], &[(7, at(3.0))]);
            identity.switches
        };
        assert_eq!((switches((5.2, 9.0)), switches((4.0, 9.0))), (0, 1));
    }

    #[test]
    fn nothing_is_said_beside_what_is_not_to_be_judged() {
        let switches = |ignored: &[PixelBox]| {
            let mut identity = Identity::default();
            identity.see(&[(1, at(0.0)), (2, at(60.0))], &[], &[(7, at(0.0)), (8, at(60.0))]);
            identity.see(&[(1, at(0.0))], ignored, &[(8, at(0.0))]);
            identity.switches
        };
        assert_eq!((switches(&[]), switches(&[at(5.0)])), (1, 0));
    }
}
