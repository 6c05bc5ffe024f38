//! What is in a box: the things that are followed there, and where each of them is.

use super::Detection;
use super::followed::Followed;
use crate::frame::UnitBox;
use crate::regions::Foreground;

/// A thing is in a box that holds this share of it.
const HELD: f32 = 0.7;
/// A box is around more than a thing that is so many times as large.
const WIDER: f32 = 1.3;
/// A box is a thing's own, and no shadow of the one around it, from this share of that one's score on.
const OWN: f32 = 0.5;

/// What is in a box.
#[derive(Debug)]
pub(super) struct Within<'a> {
    /// From left to right.
    pub held: Vec<Held<'a>>,
    /// Which of the frame's cells, row by row, show one that was known again.
    pub shown: Vec<bool>,
}

/// A thing in a box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    pub thing: &'a Followed,
    /// Where it is.
    pub area: UnitBox,
    /// Whether it was known again there, by what it looked like before; if not, it is where the way that it came says.
    pub located: bool,
    /// Whether it is followed for the prompt whose box it is.
    pub own: bool,
}

impl Held<'_> {
    /// Whether a box is around more than this.
    pub(super) fn is_in_more(&self, around: &UnitBox) -> bool {
        around.area() >= WIDER * self.area.area()
    }
}

/// By thing, the detection that it is in: the one that fits it best, but where that is the best for several and one of them
/// could be another that is nobody's.
pub(super) fn owners(detections: &[Detection], followed: &[&Followed]) -> Vec<Option<usize>> {
    let best = |thing: &&Followed| {
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

/// The things in a box that is around more than one of them: its `own`, and those of `others` that are known again there. Each
/// is looked for, best seen first: what shows one shows no other.
pub(super) fn held<'a>(
    around: &UnitBox,
    own: impl Iterator<Item = &'a Followed>,
    others: &[&'a Followed],
    foreground: &Foreground,
) -> Within<'a> {
    let by_way = |thing: &'a Followed, own| Held { thing, area: thing.expected, located: false, own };
    let mut held: Vec<Held> = own.map(|thing| by_way(thing, true)).collect();
    // A box that fits its own thing is no more than that, whatever of other kinds stands before it; and one that fits another's
    // may be the same thing, seen for this prompt too.
    if held.iter().all(|held| held.is_in_more(around)) {
        let may_be_it = held.is_empty();
        let others = others.iter().map(|thing| by_way(thing, false));
        let is_about = |held: &Held| held.area.intersection(around) > 0.0 && (!may_be_it || held.is_in_more(around));
        held.extend(others.filter(is_about));
    }
    let is_asked = |held: &Held| {
        !held.own || held.is_in_more(around) || held.thing.is_joined_at_edge(around) || held.thing.leaves().is_some()
    };
    let mut open: Vec<usize> = (0..held.len()).filter(|index| is_asked(&held[*index])).collect();
    let columns = foreground.size().0;
    let mut shown = vec![false; columns * foreground.size().1];
    loop {
        let seen = open.iter().filter_map(|index| {
            let Followed { cutout, whole, .. } = held[*index].thing;
            Some((*index, cutout.as_ref()?.locate(foreground, whole, around, &shown)?))
        });
        let Some((index, found)) = seen.max_by(|a, b| a.1.seen.total_cmp(&b.1.seen)) else { break };
        open.retain(|other| *other != index);
        held[index] = Held { area: found.area.inside(), located: true, ..held[index] };
        found.cells.iter().for_each(|(x, y)| shown[y * columns + x] = true);
    }
    let are_known = held.iter().any(|held| held.located);
    held.retain(|held| {
        let is_inside = held.area.area() > 0.0 && held.area.intersection(around) >= HELD * held.area.area();
        is_inside && (held.own || held.located) && (are_known || held.is_in_more(around))
    });
    held.sort_by(|a, b| a.area.centre().0.total_cmp(&b.area.centre().0));
    Within { held, shown }
}
