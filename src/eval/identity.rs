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
    /// Times that a thing, alone again, went on under a number that had been another thing's.
    pub switches: usize,
    /// Times that a thing went on under a new number.
    pub breaks: usize,
    /// The number of each thing, at last.
    numbers: BTreeMap<u64, u64>,
    /// The number that a thing had when it was last seen alone, where that was another than before. It counts when it is
    /// seen again: while two part, a box is of both for a moment.
    changes: BTreeMap<u64, u64>,
    /// The thing that had each number first.
    owners: BTreeMap<u64, u64>,
    crossed: BTreeSet<(u64, u64)>,
}

impl Identity {
    /// Takes in one frame: the things on it, and the boxes that were followed, each with its number.
    pub fn see(&mut self, things: &[(u64, PixelBox)], followed: &[(u64, PixelBox)]) {
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
            if !things.iter().enumerate().any(hides) {
                self.show(things[t].0, followed[f].0);
            }
        }
        for (i, (one, a)) in things.iter().enumerate() {
            for (other, b) in &things[i + 1..] {
                let both = self.numbers.contains_key(one) && self.numbers.contains_key(other);
                if both && iou(a, b, false) > CROSSES && self.crossed.insert((*one.min(other), *one.max(other))) {
                    self.crossings += 1;
                }
            }
        }
    }

    fn show(&mut self, thing: u64, number: u64) {
        if self.numbers.get(&thing) == Some(&number) {
            self.changes.remove(&thing);
            return;
        }
        if self.changes.insert(thing, number) != Some(number) {
            return;
        }
        self.changes.remove(&thing);
        let owner = *self.owners.entry(number).or_insert(thing);
        let before = self.numbers.insert(thing, number);
        self.switches += usize::from(owner != thing);
        self.breaks += usize::from(owner == thing && before.is_some());
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
            kept.see(&things, &[(7, at(*a)), (8, at(*b))]);
            let late = step > 5;
            changed.see(&things, &[(if late { 8 } else { 7 }, at(*a)), (if late { 7 } else { 8 }, at(*b))]);
        }
        assert_eq!((kept.crossings, kept.switches, kept.breaks), (1, 0, 0));
        assert_eq!((changed.crossings, changed.switches, changed.breaks), (1, 2, 0));
    }

    #[test]
    fn a_box_of_both_while_they_part_is_no_switch() {
        let mut identity = Identity::default();
        let apart = [(1, at(0.0)), (2, at(60.0))];
        for boxes in [[7, 8], [7, 8], [8, 7], [7, 8], [7, 8]] {
            identity.see(&apart, &[(boxes[0], at(0.0)), (boxes[1], at(60.0))]);
        }
        assert_eq!((identity.switches, identity.breaks), (0, 0));
    }

    #[test]
    fn one_that_gets_a_new_number_is_a_break() {
        let mut identity = Identity::default();
        for number in [3, 3, 4, 4] {
            identity.see(&[(1, at(0.0))], &[(number, at(2.0))]);
        }
        assert_eq!((identity.crossings, identity.switches, identity.breaks), (0, 0, 1));
    }
}
