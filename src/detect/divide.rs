//! Division: a box around several things that are followed is cut up to them.
//!
//! Things that pass each other stand out of the background as one. Where each of them is in there, the way that it came
//! says best, and its own crop then tells whether it is there at all. What comes into view right beside one of them is
//! what of the box is left at the frame's edge.

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

/// A thing that is followed.
#[derive(Clone, Copy, Debug)]
pub struct Followed {
    /// Where it should be by now.
    pub expected: UnitBox,
    /// Where it was last seen.
    pub seen: UnitBox,
}

/// The detections of one prompt, those around several things cut up to them. A thing that another detection fits better
/// is not in this one.
pub fn divided(detections: Vec<Detection>, followed: &[Followed]) -> Vec<Detection> {
    let best = |thing: &Followed| {
        let fits = detections.iter().enumerate().map(|(index, found)| (found.area.iou(&thing.expected), index));
        fits.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, index)| index)
    };
    let owners: Vec<Option<usize>> = followed.iter().map(best).collect();
    let parts = |(index, detection): (usize, &Detection)| {
        let of_it = followed.iter().zip(&owners).filter(|(_, owner)| **owner == Some(index)).map(|(thing, _)| *thing);
        match parts(&detection.area, of_it.collect()) {
            None => vec![detection.clone()],
            Some(parts) => parts.into_iter().map(|area| Detection { area, part: true, ..detection.clone() }).collect(),
        }
    };
    detections.iter().enumerate().flat_map(parts).collect()
}

/// The parts of a box, from left to right; `None` where it is around one thing only, for all that can be told.
fn parts(around: &UnitBox, followed: Vec<Followed>) -> Option<Vec<UnitBox>> {
    let is_held = |thing: &Followed| {
        let area = &thing.expected;
        area.area() > 0.0 && area.intersection(around) >= HELD * area.area() && around.area() >= WIDER * area.area()
    };
    let mut held: Vec<Followed> = followed.into_iter().filter(is_held).collect();
    held.sort_by(|a, b| a.expected.centre().0.total_cmp(&b.expected.centre().0));
    let mut areas: Vec<UnitBox> = held.iter().map(|thing| thing.expected).collect();
    let is_hidden = areas.iter().enumerate().any(|(i, a)| areas[i + 1..].iter().any(|b| a.iou(b) > HIDDEN));
    let (first, last) = (held.first()?, held.last()?);
    let width = |area: &UnitBox| area.x1 - area.x0;
    // A thing that is itself at the edge comes into view there: the box is all of it.
    let is_left = around.x0 <= 0.0 && first.seen.x0 > 0.0;
    let is_right = around.x1 >= 1.0 && last.seen.x1 < 1.0;
    let rest = |x0, x1, beside: &Followed| {
        let rest = UnitBox { x0, x1, ..*around };
        (width(&rest) >= REST * width(&beside.expected)).then_some(rest)
    };
    let before = rest(around.x0, first.expected.x0, first).filter(|_| is_left);
    let behind = rest(last.expected.x1, around.x1, last).filter(|_| is_right);
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
        let followed: Vec<Followed> = expected.iter().map(|area| Followed { expected: *area, seen: *area }).collect();
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
