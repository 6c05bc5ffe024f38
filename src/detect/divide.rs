//! Division: a box around several things that are followed is cut up to them.
//!
//! Things that pass each other stand out of the background as one. Where each of them is in there, the way that it came
//! says best, and its own crop then tells whether it is there at all. What comes into view right beside one of them is
//! what of the box is left at the frame's edge, and where one goes out of view, what reaches further in than it can.

use super::Detection;
use crate::frame::UnitBox;

/// A thing is in a box that holds this share of it.
const HELD: f32 = 0.7;
/// A box is around more than a thing that is so many times as large.
const WIDER: f32 = 1.3;
/// Two things of which more than this is shared are not told apart.
const HIDDEN: f32 = 0.6;
/// The outermost are drawn to the sides of the box, by at most this share of their width.
const DRAWN: f32 = 0.35;
/// What comes into view beside a thing has at least this share of its width.
const REST: f32 = 0.4;
/// What is met where a thing goes out of view reaches further in by at least this share of the thing's width.
const MET: f32 = 0.3;
/// A box is a thing's own, and no shadow of the one around it, from this share of that one's score on.
const OWN: f32 = 0.5;

/// Which way a thing goes across the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// To the frame's left edge.
    Left,
    /// To its right edge.
    Right,
}

/// A thing that is followed.
#[derive(Clone, Copy, Debug)]
pub struct Followed {
    /// Where it should be by now, as far as that is in the frame.
    pub expected: UnitBox,
    /// How wide it should be, in and out of the frame.
    pub width: f32,
    /// Which way it goes, where that is clear.
    pub heading: Option<Heading>,
    /// Where it was last seen.
    pub seen: UnitBox,
}

/// The detections of one prompt, those around several things cut up to them. A thing that another detection fits better
/// is not in this one.
pub fn divided(detections: Vec<Detection>, followed: &[Followed]) -> Vec<Detection> {
    let owners = owners(&detections, followed);
    let parts = |(index, detection): (usize, &Detection)| {
        let of_it = followed.iter().zip(&owners).filter(|(_, owner)| **owner == Some(index)).map(|(thing, _)| *thing);
        match parts(&detection.area, of_it.collect()) {
            None => vec![detection.clone()],
            Some(parts) => parts.into_iter().map(|area| Detection { area, part: true, ..detection.clone() }).collect(),
        }
    };
    detections.iter().enumerate().flat_map(parts).collect()
}

/// By thing, the detection that it is in: the one that fits it best, but where that is the best for several and one of them
/// could be another that is nobody's.
fn owners(detections: &[Detection], followed: &[Followed]) -> Vec<Option<usize>> {
    let best = |thing: &Followed| {
        let fits = detections.iter().enumerate().map(|(index, found)| (found.area.iou(&thing.expected), index));
        fits.filter(|(fit, _)| *fit > 0.0).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, index)| index)
    };
    let mut owners: Vec<Option<usize>> = followed.iter().map(best).collect();
    for (index, found) in detections.iter().enumerate() {
        if owners.contains(&Some(index)) {
            continue;
        }
        let could_be = |thing: &usize| {
            let shared = owners.iter().filter(|owner| **owner == owners[*thing]).count() > 1;
            let score = owners[*thing].map_or(1.0, |owner| detections[owner].score);
            shared && found.score >= OWN * score && found.area.intersection(&followed[*thing].expected) > 0.0
        };
        let fits = |thing: &usize| found.area.iou(&followed[*thing].expected);
        let nearest = (0..followed.len()).filter(could_be).max_by(|a, b| fits(a).total_cmp(&fits(b)));
        nearest.into_iter().for_each(|thing| owners[thing] = Some(index));
    }
    owners
}

/// The parts of a box, from left to right; `None` where it is around one thing only, for all that can be told.
fn parts(around: &UnitBox, followed: Vec<Followed>) -> Option<Vec<UnitBox>> {
    let is_held = |thing: &Followed| {
        let area = &thing.expected;
        area.area() > 0.0 && area.intersection(around) >= HELD * area.area() && around.area() >= WIDER * area.area()
    };
    let mut held: Vec<Followed> = followed.into_iter().filter(is_held).collect();
    held.sort_by(|a, b| a.expected.centre().0.total_cmp(&b.expected.centre().0));
    if let [thing] = held[..]
        && is_met(around, &thing)
    {
        return Some(vec![thing.expected, *around]);
    }
    let mut areas: Vec<UnitBox> = held.iter().map(|thing| thing.expected).collect();
    let (first, last) = (held.first()?, held.last()?);
    // A thing that is itself at the edge comes into view there: the box is all of it.
    let is_left = around.x0 <= 0.0 && first.seen.x0 > 0.0;
    let is_right = around.x1 >= 1.0 && last.seen.x1 < 1.0;
    let rest = |x0: f32, x1: f32, beside: &Followed| {
        let wide = x1 - x0 >= REST * (beside.expected.x1 - beside.expected.x0);
        wide.then_some(UnitBox { x0, x1, ..*around })
    };
    let before = rest(around.x0, first.expected.x0, first).filter(|_| is_left);
    let behind = rest(last.expected.x1, around.x1, last).filter(|_| is_right);
    let is_hidden = areas.iter().enumerate().any(|(i, a)| areas[i + 1..].iter().any(|b| a.iou(b) > HIDDEN));
    if is_hidden || areas.len() + usize::from(before.is_some()) + usize::from(behind.is_some()) < 2 {
        return None;
    }
    let end = areas.len() - 1;
    if before.is_none() {
        areas[0] = drawn(&areas[0], around.x0 - areas[0].x0);
    }
    if behind.is_none() {
        areas[end] = drawn(&areas[end], around.x1 - areas[end].x1);
    }
    Some(before.into_iter().chain(areas).chain(behind).collect())
}

/// Whether a thing that goes out of view meets another in this box: it reaches further in than the thing can.
fn is_met(around: &UnitBox, thing: &Followed) -> bool {
    let (expected, seen, least) = (&thing.expected, &thing.seen, MET * thing.width);
    let goes = |heading| thing.heading == Some(heading);
    let left = around.x0 <= 0.0 && seen.x0 <= 0.0 && goes(Heading::Left) && around.x1 - expected.x1 >= least;
    let right = around.x1 >= 1.0 && seen.x1 >= 1.0 && goes(Heading::Right) && expected.x0 - around.x0 >= least;
    left || right
}

/// The area moved sideways, if that is not far.
fn drawn(area: &UnitBox, by: f32) -> UnitBox {
    let near = by.abs() <= DRAWN * (area.x1 - area.x0);
    if near { UnitBox::new(area.x0 + by, area.y0, area.x1 + by, area.y1) } else { *area }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x0: f32, x1: f32) -> UnitBox {
        UnitBox::new(x0, 0.25, x1, 0.5)
    }

    fn areas(found: &[UnitBox], expected: &[UnitBox]) -> Vec<UnitBox> {
        let found = found.iter().map(|area| Detection::new(0, *area, 0.9)).collect();
        let followed: Vec<Followed> = expected
            .iter()
            .map(|area| Followed { expected: *area, width: area.x1 - area.x0, heading: None, seen: *area })
            .collect();
        divided(found, &followed).iter().map(|detection| detection.area).collect()
    }

    #[test]
    fn a_box_around_two_that_are_followed_is_cut_up_to_them() {
        let (one, other) = (at(0.25, 0.375), at(0.34375, 0.46875));
        assert_eq!(areas(&[at(0.25, 0.46875)], &[one, other]), [one, other]);
        // What is seen of the outer sides is where they are.
        let wider = at(0.234375, 0.484375);
        assert_eq!(areas(&[wider], &[one, other]), [at(0.234375, 0.359375), at(0.359375, 0.484375)]);
    }

    #[test]
    fn what_comes_into_view_beside_a_thing_is_another() {
        let thing = at(0.125, 0.25);
        assert_eq!(areas(&[at(0.0, 0.25)], &[thing]), [at(0.0, 0.125), thing]);
        // A box that grows within the frame, or a thing that is not all in view yet, is one.
        for (found, expected) in [(at(0.03125, 0.25), thing), (at(0.0, 0.25), at(0.0, 0.125))] {
            assert_eq!(areas(&[found], &[expected]), [found]);
        }
    }

    #[test]
    fn a_box_that_is_nobodys_is_of_one_of_the_two_that_seem_to_share_the_other() {
        let (one, other) = (at(0.375, 0.4375), at(0.421875, 0.484375));
        let (around, own) = (at(0.375, 0.46875), at(0.46875, 0.53125));
        assert_eq!(areas(&[around, own], &[one, other]), [around, own]);
        // Weak evidence beside them is no thing.
        let mut found: Vec<Detection> = [around, own].map(|area| Detection::new(0, area, 0.9)).into();
        found[1].score = 0.1;
        let followed = [one, other].map(|area| Followed { expected: area, width: 0.0625, heading: None, seen: area });
        assert_eq!(divided(found, &followed).len(), 3);
    }

    #[test]
    fn what_meets_a_thing_that_goes_out_of_view_is_another() {
        let leaves = |heading| Followed { expected: at(0.0, 0.0625), width: 0.125, heading, seen: at(0.0, 0.09375) };
        let divide = |area, heading| -> Vec<UnitBox> {
            let found = vec![Detection::new(0, area, 0.9)];
            divided(found, &[leaves(heading)]).iter().map(|detection| detection.area).collect()
        };
        let both = at(0.0, 0.125);
        assert_eq!(divide(both, Some(Heading::Left)), [at(0.0, 0.0625), both]);
        // What comes in grows, and so does what may yet turn round.
        assert_eq!(divide(both, Some(Heading::Right)), [both]);
        assert_eq!(divide(both, None), [both]);
        assert_eq!(divide(at(0.0, 0.09375), Some(Heading::Left)), [at(0.0, 0.09375)]);
    }

    #[test]
    fn a_box_of_one_stays() {
        let (one, other) = (at(0.2, 0.3), at(0.28, 0.38));
        for (found, expected) in [
            (vec![at(0.2, 0.31)], vec![one, other]),
            (vec![at(0.2, 0.38)], vec![one]),
            (vec![at(0.2, 0.38)], vec![one, at(0.21, 0.31)]),
            (vec![one, other], vec![one, other]),
        ] {
            assert_eq!(areas(&found, &expected), found);
        }
    }
}
