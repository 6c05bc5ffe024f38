//! Division: a box around several things that are followed is cut up to them.
//!
//! Things that pass each other stand out of the background as one. Each of them is in there where it is known again by what
//! it looked like before, and what then is left is another; one that is not known again is where the way that it came
//! says. Its own crop tells whether it is there at all. By their ways alone, what comes into view right beside one of them
//! is what of the box is left at the frame's edge, and where one goes out of view, what reaches further in than it can.

use std::sync::Arc;

use super::{Detection, Part, beside};
use crate::frame::UnitBox;
use crate::regions::{Cutout, Foreground};

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
#[derive(Clone, Debug)]
pub struct Followed {
    /// What tells it from all others.
    pub number: u64,
    /// Where it should be by now, as far as that is in the frame.
    pub expected: UnitBox,
    /// The same, in and out of the frame.
    pub whole: UnitBox,
    /// Which way it goes, where that is clear.
    pub heading: Option<Heading>,
    /// Where it was last seen.
    pub seen: UnitBox,
    /// What it looked like when it was last seen by itself.
    pub cutout: Option<Arc<Cutout>>,
    /// Whether that has been all of it for long enough: what comes out from behind another is a part of itself at first.
    pub entire: bool,
    /// Whether it was looked for by that, and is where it was found.
    pub located: bool,
}

/// A part of a box, how that was told, and which things were known again beside it.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    area: UnitBox,
    part: Part,
    beside: Vec<u64>,
}

impl Piece {
    fn supposed(area: UnitBox) -> Self {
        Self { area, part: Part::Supposed, beside: Vec::new() }
    }
}

/// The detections of one prompt, those around several things cut up to them. A thing that another detection fits better
/// is not in this one.
pub fn divided(detections: Vec<Detection>, followed: &[Followed], foreground: &Foreground) -> Vec<Detection> {
    let owners = owners(&detections, followed);
    let parts = |(index, detection): (usize, &Detection)| {
        let of_it =
            followed.iter().zip(&owners).filter(|(_, owner)| **owner == Some(index)).map(|(thing, _)| thing.clone());
        let things = located(&detection.area, of_it.collect(), foreground);
        match parts(&detection.area, things, foreground) {
            None => vec![detection.clone()],
            Some(parts) => parts
                .into_iter()
                .map(|Piece { area, part, beside }| Detection { area, part, beside, ..detection.clone() })
                .collect(),
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

/// Looks for things in a box that is around more than them, best seen first: what shows one shows no other.
fn located(around: &UnitBox, mut things: Vec<Followed>, foreground: &Foreground) -> Vec<Followed> {
    let is_wider = |thing: &Followed| around.area() >= WIDER * thing.expected.area();
    let mut open: Vec<usize> = (0..things.len()).filter(|thing| is_wider(&things[*thing])).collect();
    let columns = foreground.size().0;
    let mut taken = vec![false; columns * foreground.size().1];
    loop {
        let seen = open.iter().filter_map(|thing| {
            let Followed { cutout, whole, .. } = &things[*thing];
            Some((*thing, cutout.as_ref()?.locate(foreground, whole, around, &taken)?))
        });
        let Some((thing, found)) = seen.max_by(|a, b| a.1.seen.total_cmp(&b.1.seen)) else { return things };
        open.retain(|other| *other != thing);
        let whole = found.area;
        things[thing] = Followed { expected: whole.inside(), whole, located: true, ..things[thing].clone() };
        found.cells.iter().for_each(|(x, y)| taken[y * columns + x] = true);
    }
}

/// The parts of a box, from left to right, and what each is; `None` where it is around one thing only, for all that can be
/// told.
fn parts(around: &UnitBox, followed: Vec<Followed>, foreground: &Foreground) -> Option<Vec<Piece>> {
    let is_held = |thing: &Followed| {
        let area = &thing.expected;
        area.area() > 0.0 && area.intersection(around) >= HELD * area.area() && around.area() >= WIDER * area.area()
    };
    let mut held: Vec<Followed> = followed.into_iter().filter(is_held).collect();
    held.sort_by(|a, b| a.expected.centre().0.total_cmp(&b.expected.centre().0));
    if held.iter().any(|thing| thing.located) {
        return beside_located(around, &held, foreground);
    }
    let mut areas: Vec<UnitBox> = held.iter().map(|thing| thing.expected).collect();
    if let [thing] = &held[..]
        && is_met(around, thing)
    {
        return Some([thing.expected, *around].map(Piece::supposed).to_vec());
    }
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
    Some(before.into_iter().chain(areas).chain(behind).map(Piece::supposed).collect())
}

/// The parts of a box in which some things were known again. What stands out beside them is the one that was not, or one that
/// is new.
fn beside_located(around: &UnitBox, held: &[Followed], foreground: &Foreground) -> Option<Vec<Piece>> {
    let (located, others): (Vec<&Followed>, Vec<&Followed>) = held.iter().partition(|thing| thing.located);
    let mut areas: Vec<UnitBox> = located.iter().map(|thing| thing.expected).collect();
    let is_another = |rest: &UnitBox| {
        let is_large = areas.iter().all(|area| rest.area() >= REST * area.area());
        let is_new = || located.iter().all(|thing| thing.entire && beside(&thing.expected, rest));
        is_large && (!others.is_empty() || is_new())
    };
    let rest = foreground.rest(around, &areas).filter(is_another);
    let certain = areas.len();
    match (rest, &others[..]) {
        (Some(rest), [] | [_]) => areas.push(rest),
        _ => {
            let is_hidden = |thing: &UnitBox| areas.iter().any(|area| area.iou(thing) > HIDDEN);
            let seen: Vec<UnitBox> =
                others.iter().map(|thing| thing.expected).filter(|area| !is_hidden(area)).collect();
            areas.extend(seen);
        }
    }
    let piece = |(index, area)| {
        let beside = located.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, thing)| thing.number);
        Piece { area, part: if index < certain { Part::Located } else { Part::Supposed }, beside: beside.collect() }
    };
    (areas.len() > 1).then(|| areas.into_iter().enumerate().map(piece).collect())
}

/// Whether a thing that goes out of view meets another in this box: it reaches further in than the thing can.
fn is_met(around: &UnitBox, thing: &Followed) -> bool {
    let (expected, seen, least) = (&thing.expected, &thing.seen, MET * (thing.whole.x1 - thing.whole.x0));
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
    use jiff::Timestamp;

    use super::*;
    use crate::frame::Frame;

    fn at(x0: f32, x1: f32) -> UnitBox {
        UnitBox::new(x0, 0.25, x1, 0.5)
    }

    fn areas(found: &[UnitBox], expected: &[UnitBox]) -> Vec<UnitBox> {
        let found = found.iter().map(|area| Detection::new(0, *area, 0.9)).collect();
        let followed: Vec<Followed> = expected.iter().map(known).collect();
        divided(found, &followed, &Foreground::default()).iter().map(|detection| detection.area).collect()
    }

    /// A thing that is where it was.
    fn known(area: &UnitBox) -> Followed {
        let (expected, whole, seen) = (*area, *area, *area);
        Followed { number: 7, expected, whole, heading: None, seen, cutout: None, entire: true, located: false }
    }

    /// What stands out of a grey street where these have come, each of its own colour.
    fn foreground(things: &[(UnitBox, [u8; 3])]) -> Foreground {
        let mut foreground = Foreground::default();
        for shown in [&[], things] {
            let pixel = |i: u32| {
                let at = ((i % 320) as f32 / 320.0, (i / 320) as f32 / 160.0);
                shown.iter().find(|(area, _)| area.contains(at)).map_or([110; 3], |(_, colour)| *colour)
            };
            let rgb: Vec<u8> = (0..320 * 160).flat_map(pixel).collect();
            foreground.see(&Frame::new(320, 160, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame"));
        }
        foreground
    }

    #[test]
    fn two_in_one_box_are_where_their_colours_are_whatever_way_they_went() {
        let (red, blue) = ([200, 40, 40], [40, 60, 200]);
        let cutout = |colour| foreground(&[(at(0.5, 0.625), colour)]).cutout(&at(0.5, 0.625)).map(Arc::new);
        // Red stood still and blue went to the left, so far; now blue has stopped and red passes before it.
        let now = foreground(&[(at(0.375, 0.5), red), (at(0.4375, 0.5625), blue)]);
        let expected = [(at(0.4375, 0.5625), red), (at(0.375, 0.5), blue)];
        let followed: Vec<Followed> =
            expected.iter().map(|(area, colour)| Followed { cutout: cutout(*colour), ..known(area) }).collect();
        let around = at(0.375, 0.5625);
        let divide = |followed: &[Followed]| -> Vec<(UnitBox, Part)> {
            let found = divided(vec![Detection::new(0, around, 0.9)], followed, &now);
            found.into_iter().map(|d| (d.area, d.part)).collect()
        };
        assert_eq!(
            divide(&followed),
            [(at(0.375, 0.5), Part::Located), (at(0.4375, 0.5625), Part::Located)],
            "from left to right"
        );
        // Of blue nothing is known yet: it is what stands out beside red.
        let rest = divide(&followed[..1]);
        assert_eq!(rest, [(at(0.375, 0.5), Part::Located), (at(0.5, 0.5625), Part::Supposed)]);
        let found = divided(vec![Detection::new(0, around, 0.9)], &followed[..1], &now);
        assert_eq!(found.iter().map(|d| d.beside.clone()).collect::<Vec<_>>(), [vec![], vec![7]], "it is not red");
        // It is the rest of red, if red is just coming out from behind something.
        let comes_out = Followed { entire: false, ..followed[0].clone() };
        assert_eq!(divide(&[comes_out]), [(around, Part::No)]);
        // By their ways alone, they would be where they are not.
        let ways = expected.map(|(area, _)| known(&area));
        assert!(divide(&ways).iter().all(|(_, part)| *part == Part::Supposed));
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
        let followed = [one, other].map(|area| known(&area));
        assert_eq!(divided(found, &followed, &Foreground::default()).len(), 3);
    }

    #[test]
    fn what_meets_a_thing_that_goes_out_of_view_is_another() {
        let seen = at(0.0, 0.09375);
        let whole = UnitBox { x0: -0.0625, ..at(0.0, 0.0625) };
        let leaves = |heading| Followed { whole, heading, seen, ..known(&at(0.0, 0.0625)) };
        let divide = |area, heading| -> Vec<UnitBox> {
            let found = vec![Detection::new(0, area, 0.9)];
            divided(found, &[leaves(heading)], &Foreground::default()).iter().map(|detection| detection.area).collect()
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
