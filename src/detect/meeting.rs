//! Meetings: something comes into view at the frame's edge where a thing is, or goes out.

use super::followed::{Followed, Heading};
use super::held::Held;
use crate::frame::UnitBox;
use crate::regions::Foreground;

/// What comes into view before a thing is at least so high and so wide as these shares of it.
const COMER_HIGH: f32 = 0.7;
const COMER_WIDE: f32 = 0.15;
/// What is met where a thing goes out of view reaches further in by at least this share of the thing's width,
const MET: f32 = 0.3;
/// or, where what the thing looks like is known and not to be seen, of its longer side.
const MET_UNSEEN: f32 = 0.1;

/// Whether what does not show a thing comes into view at the frame's edge, beside the thing or before it: all along the edge,
/// and not one of its wheels.
pub(super) fn is_met_by(held: &Held, comer: &UnitBox) -> bool {
    let area = &held.area;
    held.thing.is_joined_at_edge(comer)
        && comer.y1 - comer.y0 >= COMER_HIGH * (area.y1 - area.y0)
        && comer.x1 - comer.x0 >= COMER_WIDE * (area.x1 - area.x0)
}

/// Whether a thing that goes out of view, and was not known again, meets another in this box: it reaches further in than the
/// thing can.
pub(super) fn is_met(around: &UnitBox, thing: &Followed, foreground: &Foreground) -> bool {
    let Followed { expected, whole, .. } = thing;
    let width = whole.x1 - whole.x0;
    let (columns, rows) = foreground.size();
    let height = (whole.y1 - whole.y0) * rows as f32 / columns.max(1) as f32;
    let is_unseen = thing.entire && !thing.is_cut && thing.cutout.is_some();
    let least = if is_unseen { (MET_UNSEEN * width.max(height)).min(MET * width) } else { MET * width };
    match thing.leaves() {
        Some(Heading::Left) => around.x0 <= 0.0 && around.x1 - expected.x1 >= least,
        Some(Heading::Right) => around.x1 >= 1.0 && expected.x0 - around.x0 >= least,
        None => false,
    }
}
