//! Closer looks: where a thing would be that stands to its anchor as a phrase says.
//!
//! Something small that sits on, hovers over or stands before something large is a part of the large thing's picture, in
//! which tiles do not see it. A crop of its own does, and the phrase says where to take it.

use crate::frame::UnitBox;
use crate::prompts::relation::Kind;

/// Sides of the looks, as shares of the anchor's longer side.
const SIZES: [f32; 3] = [0.2, 0.4, 0.8];
/// Middles of the smaller ones, as shares of the anchor's width; the largest is in the middle.
const ACROSS: [f32; 3] = [0.3, 0.5, 0.7];

/// How much smaller and larger the other crops of one thing are, and how far they are moved, as shares of its box.
const CLOSER: f32 = 0.75;
const WIDER: f32 = 1.35;
const MOVED: f32 = 0.25;

/// Boxes in which a thing could stand so to the anchor, at most 14. None for kinds whose things stand apart from their
/// anchors: tiles see those. `aspect` is the frame's width over its height.
pub fn closer(kind: Kind, anchor: &UnitBox, aspect: f32) -> Vec<UnitBox> {
    let (width, height) = ((anchor.x1 - anchor.x0) * aspect, anchor.y1 - anchor.y0);
    let mut boxes = Vec::new();
    for size in SIZES {
        let side = size * width.max(height);
        // Rows on which its feet would be.
        let feet = match kind {
            // A roof, and a seat.
            Kind::On => vec![anchor.y0 + 0.05 * height, anchor.y0 + 0.5 * height],
            Kind::Above => vec![anchor.y0 - 0.5 * side, anchor.y0 - 1.5 * side],
            Kind::InFrontOf => vec![anchor.y1 + 0.25 * side],
            _ => Vec::new(),
        };
        let across = if size == SIZES[2] { &ACROSS[1..2] } else { &ACROSS[..] };
        for foot in feet {
            for share in across {
                let middle = anchor.x0 + share * (anchor.x1 - anchor.x0);
                let half = side / aspect / 2.0;
                let area = UnitBox::new(middle - half, foot - side, middle + half, foot);
                // Beyond the frame there is nothing to see.
                if area.area() > 0.5 * side * side / aspect {
                    boxes.push(area);
                }
            }
        }
    }
    boxes
}

/// Other crops of what wavers: closer, wider, moved by a quarter to each side, and down to where its feet would be if only
/// its upper half is boxed. A box that was drawn too large or too narrow has the thing in one of them as the encoder knows it.
pub fn around(area: &UnitBox) -> [UnitBox; 7] {
    let ((x, y), (w, h)) = (area.centre(), (area.x1 - area.x0, area.y1 - area.y0));
    let moved = |dx: f32, dy: f32, size: f32| {
        let (x, y, half_w, half_h) = (x + dx * w, y + dy * h, size * w / 2.0, size * h / 2.0);
        UnitBox::new(x - half_w, y - half_h, x + half_w, y + half_h)
    };
    [
        moved(0.0, 0.0, CLOSER),
        moved(0.0, 0.0, WIDER),
        moved(-MOVED, 0.0, 1.0),
        moved(MOVED, 0.0, 1.0),
        moved(0.0, -MOVED, 1.0),
        moved(0.0, MOVED, 1.0),
        UnitBox::new(area.x0, area.y0, area.x1, area.y1 + h),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Name;
    use crate::detect::{Detection, Reference, related};
    use crate::prompts::relation::{Anchor, Place, Relation};

    #[test]
    fn other_crops_are_of_about_the_same_place() {
        let area = UnitBox::new(0.4, 0.4, 0.5, 0.6);
        let others = around(&area);
        assert!(others.iter().all(|other| (0.5..0.7).contains(&other.iou(&area))), "{others:?}");
        assert!(others[0].area() < area.area() && others[1].area() > area.area());
        let corner = around(&UnitBox::new(0.0, 0.0, 0.1, 0.1));
        assert!(corner.iter().all(|other| other.x0 >= 0.0 && other.y0 >= 0.0), "{corner:?}");
    }

    #[test]
    fn what_is_looked_at_stands_as_the_phrase_says() {
        for anchor in [UnitBox::new(0.3, 0.5, 0.6, 0.7), UnitBox::new(0.5, 0.4, 0.55, 0.7)] {
            for kind in Kind::ALL {
                let boxes = closer(kind, &anchor, 16.0 / 9.0);
                assert!(boxes.len() <= 14, "{kind:?}");
                let anchors = Anchor::Zone(Name::new("unused").expect("a name"));
                let relation = Relation { at_least: 1, place: Some(Place { kind, anchor: anchors, distance: None }) };
                for area in boxes {
                    let things = Reference::Things("a thing", vec![anchor]);
                    let found = related(vec![Detection::new(0, area, 0.9)], &relation, &things, 0.5, 16.0 / 9.0);
                    assert_eq!(found.len(), 1, "{kind:?} {area:?} to {anchor:?}");
                }
            }
        }
        assert!(closer(Kind::LeftOf, &UnitBox::new(0.3, 0.5, 0.6, 0.7), 1.8).is_empty());
    }
}
