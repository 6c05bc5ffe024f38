//! Evaluation: what was found, held against what is true.

pub mod bootstrap;
pub mod events;
pub mod identity;
pub mod precision;
pub mod sampling;
pub mod target;
pub mod timeline;
pub mod transform;
pub mod truth;

pub use identity::Identity;
pub use precision::{Judged, judge};
pub use target::Target;
pub use timeline::Timeline;
pub use transform::Transform;
pub use truth::{Truth, TruthError};

/// A box `[x, y, width, height]` in pixels, as COCO has it.
pub type PixelBox = [f64; 4];

/// Share of two boxes' union that both cover, 0..1. With `crowd`, share of `found` that lies within `truth`, as COCO
/// counts for boxes that stand for many things.
pub fn iou(found: &PixelBox, truth: &PixelBox, crowd: bool) -> f64 {
    let side = |i: usize| (found[i] + found[i + 2]).min(truth[i] + truth[i + 2]) - found[i].max(truth[i]);
    let shared = side(0).max(0.0) * side(1).max(0.0);
    let (own, other) = (found[2] * found[3], truth[2] * truth[3]);
    let all = if crowd { own } else { own + other - shared };
    if all > 0.0 { shared / all } else { 0.0 }
}
