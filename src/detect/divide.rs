//! Division: a box around several things that are followed is cut up to them.
//!
//! Things that pass each other stand out of the background as one, whatever prompts they are followed for. Each of them is in
//! there where it is known again by what it looked like before, and what then is left is another; one that is not known
//! again is where the way that it came says. Its own crop tells whether it is there at all. By their ways alone, what comes
//! into view right beside one of them is what of the box is left at the frame's edge, and where one goes out of view, what
//! reaches further in than it can.

use super::followed::Followed;
use super::held::{Held, Within, held, owners};
use super::meeting::{is_met, is_met_by};
use super::{Detection, Part, beside};
use crate::clip::Embedding;
use crate::frame::UnitBox;
use crate::regions::Foreground;

/// Two things of which more than this is shared are not told apart.
const HIDDEN: f32 = 0.6;
/// The outermost are drawn to the sides of the box, by at most this share of their width.
const DRAWN: f32 = 0.35;
/// What comes into view beside a thing has at least this share of its width,
const REST: f32 = 0.4;
/// and beside one of another kind this share of its size.
const REST_OF_OTHER: f32 = 0.1;
/// A thing that is drawn to what was known of it is as high as this share of what it was in.
const AS_HIGH: f32 = 0.8;

/// A part of a box, how that was told, which things were known again beside it, and if it is one that is followed, as what that is
/// known: what it looked like by itself.
#[derive(Clone, Debug)]
struct Piece {
    area: UnitBox,
    part: Part,
    beside: Vec<u64>,
    known: Option<Embedding>,
}

impl Piece {
    /// Where a thing should be.
    fn supposed(area: UnitBox) -> Self {
        Self { area, part: Part::Supposed, beside: Vec::new(), known: None }
    }

    /// Somebody beside those who are held.
    fn another(area: UnitBox, held: &[Held]) -> Self {
        Self { beside: held.iter().map(|held| held.thing.number).collect(), ..Self::supposed(area) }
    }
}

/// The detections of one prompt, those around several things cut up to them. A thing that another detection fits better
/// is not in this one; things of other prompts are in any.
pub fn divided(detections: Vec<Detection>, followed: &[Followed], foreground: &Foreground) -> Vec<Detection> {
    let Some(prompt) = detections.first().map(|detection| detection.prompt) else { return detections };
    let (own, mut others): (Vec<&Followed>, Vec<&Followed>) = followed.iter().partition(|thing| thing.prompt == prompt);
    others.retain(|other| !other.is_one_of(&own));
    let owners = owners(&detections, &own);
    let parts = |(index, detection): (usize, &Detection)| {
        let of_it = own.iter().zip(&owners).filter(|(_, owner)| **owner == Some(index)).map(|(thing, _)| *thing);
        match parts(&detection.area, &held(&detection.area, of_it, &others, foreground), foreground) {
            None => vec![detection.clone()],
            Some(parts) => parts
                .into_iter()
                .map(|Piece { area, part, beside, known }| Detection { area, part, beside, known, ..detection.clone() })
                .collect(),
        }
    };
    detections.iter().enumerate().flat_map(parts).collect()
}

/// The parts of a box, and what each is; `None` where it is around one thing only, for all that can be told.
fn parts(around: &UnitBox, within: &Within, foreground: &Foreground) -> Option<Vec<Piece>> {
    let held = &within.held[..];
    if held.iter().any(|held| held.located) {
        return beside_located(around, within, foreground);
    }
    let mut areas: Vec<UnitBox> = held.iter().map(|held| held.area).collect();
    if let [thing] = held
        && is_met(around, thing.thing, foreground)
    {
        return Some(vec![Piece::supposed(thing.area), Piece::another(*around, held)]);
    }
    let (first, last) = (held.first()?, held.last()?);
    let rest = |x0: f32, x1: f32, beside: &Held| {
        let wide = x1 - x0 >= REST * (beside.area.x1 - beside.area.x0);
        wide.then_some(UnitBox { x0, x1, ..*around })
    };
    let before = rest(around.x0, first.area.x0, first).filter(|rest| first.thing.is_joined_at_edge(rest));
    let behind = rest(last.area.x1, around.x1, last).filter(|rest| last.thing.is_joined_at_edge(rest));
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
    let another = |area| Piece::another(area, held);
    let known = areas.into_iter().map(Piece::supposed);
    Some(before.map(another).into_iter().chain(known).chain(behind.map(another)).collect())
}

/// The parts of a box in which some things were known again. What stands out beside them is the one that was not, or one that
/// is new. Where the prompt has nothing in it yet, any of them can be its thing too.
fn beside_located(around: &UnitBox, within: &Within, foreground: &Foreground) -> Option<Vec<Piece>> {
    let (located, supposed): (Vec<&Held>, Vec<&Held>) = within.held.iter().partition(|held| held.located);
    let taken: Vec<UnitBox> = located.iter().map(|held| held.area).collect();
    let is_large = |held: &&Held, rest: &UnitBox| {
        let share = if held.own { REST } else { REST_OF_OTHER };
        rest.area() >= share * held.area.area()
    };
    let is_new = |held: &&Held, rest: &UnitBox| {
        (!held.own || beside(&held.area, rest)) && (held.thing.entire || held.thing.is_joined_at_edge(rest))
    };
    let is_another = |rest: &UnitBox| {
        let is_beside = |held| is_large(held, rest) && (!supposed.is_empty() || is_new(held, rest));
        located.iter().all(is_beside)
    };
    let own: Vec<&Held> = located.iter().copied().filter(|held| held.own).collect();
    let asked = if own.is_empty() && supposed.is_empty() { &located } else { &own };
    // What it looked like by itself counts for the thing if it is no mistake, against another prompt's for a while.
    let stays = |held: &Held| if held.own { held.thing.certain } else { !held.thing.can_be_another() };
    let known = |held: &&Held| Piece {
        area: held.area,
        part: if held.own { Part::Located } else { Part::Supposed },
        known: held.thing.look.clone().filter(|_| stays(held)),
        beside: own.iter().map(|own| own.thing.number).filter(|number| *number != held.thing.number).collect(),
    };
    let other = |area| Piece { beside: own.iter().map(|own| own.thing.number).collect(), ..Piece::supposed(area) };
    let mut pieces: Vec<Piece> = asked.iter().map(known).collect();
    let is_comer = |comer: &UnitBox| located.iter().all(|held| is_met_by(held, comer));
    let comer = foreground.unlike(around, &within.shown).filter(is_comer);
    let rest = foreground.rest(around, &taken).filter(is_another);
    match (comer, rest, &supposed[..]) {
        (Some(comer), _, [] | [_]) => pieces.push(Piece { part: Part::Located, ..other(comer) }),
        (None, Some(rest), [] | [_]) => pieces.push(other(rest)),
        _ => {
            let is_hidden = |thing: &UnitBox| taken.iter().any(|area| area.iou(thing) > HIDDEN);
            let seen = supposed.iter().map(|held| held.area).filter(|area| !is_hidden(area));
            pieces.extend(seen.map(other));
        }
    }
    // What stands out beside one that was in view by itself is no part of it, whatever it is.
    let is_drawn = own.iter().any(|held| held.thing.entire && is_as_high(&held.area, around));
    let is_cut = pieces.len() > 1 || is_drawn || located.len() > own.len() && !pieces.is_empty();
    is_cut.then_some(pieces)
}

/// Whether a thing is as high as the box around it and others.
fn is_as_high(area: &UnitBox, around: &UnitBox) -> bool {
    area.y1 - area.y0 >= AS_HIGH * (around.y1 - around.y0)
}

/// The area moved sideways, if that is not far.
fn drawn(area: &UnitBox, by: f32) -> UnitBox {
    let near = by.abs() <= DRAWN * (area.x1 - area.x0);
    if near { UnitBox::new(area.x0 + by, area.y0, area.x1 + by, area.y1) } else { *area }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::clip::Embedding;
    use crate::detect::followed::Heading;
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
        Followed {
            prompt: 0,
            number: 7,
            expected: *area,
            whole: *area,
            heading: None,
            seen: *area,
            look: None,
            cutout: None,
            is_cut: false,
            entire: true,
            certain: true,
            together: Duration::ZERO,
        }
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
    fn what_is_followed_for_another_prompt_is_no_part_of_a_box() {
        let (red, blue, green) = ([200, 40, 40], [40, 60, 200], [40, 160, 40]);
        let of = |prompt, area: UnitBox, colour| {
            let cutout = foreground(&[(area, colour)]).cutout(&area).map(Arc::new);
            Followed { prompt, cutout, look: Embedding::new(vec![1.0]), ..known(&area) }
        };
        let (person, car) = (at(0.5, 0.5625), at(0.5625, 0.75));
        // Where, how that was told, and whether it is known what it looked like by itself.
        let divide = |followed: &[Followed], shown: &[(UnitBox, [u8; 3])]| -> Vec<(UnitBox, Part, bool)> {
            let around = shown.iter().fold(shown[0].0, |a, (b, _)| at(a.x0.min(b.x0), a.x1.max(b.x1)));
            let found = divided(vec![Detection::new(0, around, 0.9)], followed, &foreground(shown));
            found.into_iter().map(|d| (d.area, d.part, d.known.is_some())).collect()
        };
        let both = [(person, red), (car, blue)];
        assert_eq!(divide(&[of(0, person, red), of(1, car, blue)], &both), [(person, Part::Located, true)]);
        let close = at(0.53125, 0.75);
        let passes = divide(&[of(0, person, red), of(1, close, blue)], &[(person, red), (close, blue)]);
        assert_eq!(passes, [(person, Part::Located, true)], "before most of it");
        // Of the prompt's own nothing is known yet: it is one of them, or what stands out beside.
        assert_eq!(divide(&[of(1, car, blue)], &both), [(car, Part::Supposed, true), (person, Part::Supposed, false)]);
        let known = [of(1, car, blue), of(2, person, red)];
        assert_eq!(divide(&known, &both), [(person, Part::Supposed, true), (car, Part::Supposed, true)]);
        // The same thing is followed for both prompts.
        assert_eq!(divide(&[of(0, car, blue), of(1, car, blue)], &[(car, blue)])[0].1, Part::No);
        // A box that fits its own thing is that, whatever stands before it.
        let before = at(0.53125, 0.5625);
        let followed = [of(0, at(0.5, 0.75), blue), of(1, before, green)];
        assert_eq!(divide(&followed, &[(before, green), (at(0.5, 0.75), blue)])[0].1, Part::No);
    }

    #[test]
    fn what_comes_into_view_before_a_thing_is_another_though_the_box_is_no_wider() {
        let (red, blue) = ([200, 40, 40], [40, 60, 200]);
        let (bus, comer) = (at(0.0625, 0.5), at(0.0, 0.125));
        let cutout = foreground(&[(bus, red)]).cutout(&bus).map(Arc::new);
        let divide = |seen, is_cut| {
            let followed = [Followed { cutout: cutout.clone(), is_cut, seen, ..known(&bus) }];
            let now = foreground(&[(comer, blue), (bus, red)]);
            let found = divided(vec![Detection::new(0, at(0.0, 0.5), 0.9)], &followed, &now);
            found.into_iter().map(|d| (d.area, d.part, d.beside)).collect::<Vec<_>>()
        };
        assert_eq!(divide(bus, false), [(bus, Part::Located, vec![]), (comer, Part::Located, vec![7])]);
        // One that was at the edge itself may come in further, as may one that never was in view as a whole.
        assert_eq!(divide(at(0.0, 0.5), false), [(at(0.0, 0.5), Part::No, vec![])]);
        assert!(divide(bus, true).iter().all(|(area, ..)| *area != comer));
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
    fn what_hides_a_thing_that_goes_out_of_view_is_soon_another() {
        let (red, blue) = ([200, 40, 40], [40, 60, 200]);
        let (expected, comer) = (at(0.0, 0.1875), at(0.0, 0.25));
        let cutout = foreground(&[(at(0.25, 0.5625), red)]).cutout(&at(0.25, 0.5625)).map(Arc::new);
        let leaves = Followed {
            whole: UnitBox { x0: -0.125, ..expected },
            heading: Some(Heading::Left),
            seen: at(0.0, 0.21875),
            cutout,
            ..known(&expected)
        };
        let divide = |thing: &Followed, shown| -> Vec<(UnitBox, Part)> {
            let found = vec![Detection::new(0, comer, 0.9)];
            let divided = divided(found, std::slice::from_ref(thing), &foreground(&[(comer, shown)]));
            divided.iter().map(|detection| (detection.area, detection.part)).collect()
        };
        assert_eq!(divide(&leaves, blue), [(expected, Part::Supposed), (comer, Part::Supposed)]);
        // It is there itself, and slower than was expected, or may be, for all that is known.
        assert_eq!(divide(&leaves, red).len(), 1);
        assert_eq!(divide(&Followed { cutout: None, ..leaves.clone() }, blue), [(comer, Part::No)]);
        assert_eq!(divide(&Followed { is_cut: true, ..leaves }, blue), [(comer, Part::No)]);
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
