//! Division: a box around several things that are followed is cut up to them.
//!
//! Things that pass each other stand out of the background as one. Where each of them is in there, the way that it came
//! says best, and its own crop then tells whether it is there at all.

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

/// The detections of one prompt, those around several of the `expected` areas cut up to them. An area that another
/// detection fits better is not this one's.
pub fn divided(detections: Vec<Detection>, expected: &[UnitBox]) -> Vec<Detection> {
    let best = |area: &UnitBox| {
        let fits = detections.iter().enumerate().map(|(index, detection)| (detection.area.iou(area), index));
        fits.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, index)| index)
    };
    let owners: Vec<Option<usize>> = expected.iter().map(best).collect();
    let parts = |(index, detection): (usize, &Detection)| {
        let around = &detection.area;
        let is_held = |area: &UnitBox| {
            area.intersection(around) >= HELD * area.area() && around.area() >= WIDER * area.area() && area.area() > 0.0
        };
        let held = expected.iter().zip(&owners).filter(|(area, owner)| **owner == Some(index) && is_held(area));
        let mut held: Vec<UnitBox> = held.map(|(area, _)| *area).collect();
        let is_hidden = held.iter().enumerate().any(|(i, a)| held[i + 1..].iter().any(|b| a.iou(b) > HIDDEN));
        if held.len() < 2 || is_hidden {
            return vec![detection.clone()];
        }
        held.sort_by(|a, b| a.centre().0.total_cmp(&b.centre().0));
        let last = held.len() - 1;
        held[0] = drawn(&held[0], around.x0 - held[0].x0);
        held[last] = drawn(&held[last], around.x1 - held[last].x1);
        held.into_iter().map(|area| Detection { area, part: true, ..detection.clone() }).collect()
    };
    detections.iter().enumerate().flat_map(parts).collect()
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
        UnitBox::new(x0, 0.4, x1, 0.6)
    }

    fn areas(found: &[UnitBox], expected: &[UnitBox]) -> Vec<UnitBox> {
        let found = found.iter().map(|area| Detection::new(0, *area, 0.9)).collect();
        divided(found, expected).iter().map(|detection| detection.area).collect()
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
