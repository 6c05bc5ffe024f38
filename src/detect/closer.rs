//! Closer looks: where a thing would be that stands to its anchor as a phrase says, and where the anchor of a thing.
//!
//! Something small that sits on, hovers over or stands before something large is a part of the large thing's picture, in
//! which tiles do not see it. A crop of its own does, and the phrase says where to take it. What hides the middle of its
//! anchor, or speaks louder beside it, leaves too little of that for tiles in the same way.

use crate::frame::UnitBox;
use crate::prompts::relation::Kind;

/// Sides of the looks, as shares of the anchor's longer side.
const SIZES: [f32; 3] = [0.2, 0.4, 0.8];
/// Middles of the smaller ones, as shares of the anchor's width; the largest is in the middle.
const ACROSS: [f32; 3] = [0.3, 0.5, 0.7];

/// How wide a part of what a thing stands on is looked at, in longer sides of the thing; it is half as high,
const UNDER: [f32; 3] = [1.0, 1.4, 2.0];
/// and this share of its width is above the feet.
const ABOVE_FEET: f32 = 0.12;
/// How wide a part of what it stands before, the narrower one for what is tall or long, of which
const BEHIND: [f32; 2] = [1.5, 2.2];
/// this share of the width is looked at, upwards from the feet.
const UPRIGHT: f32 = 0.6;
/// Sides of what stands beside it,
const BESIDE: [f32; 3] = [0.5, 1.0, 2.0];
/// and how far from the thing's edge their middle is, as a share of them.
const AWAY: f32 = 0.35;

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

/// Where in a closer look a thing has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// On both sides of its middle, which is hidden. What only stands beside shows on one.
    Sides,
    /// In its middle.
    Middle,
}

/// Boxes in which the anchor could be of a thing that stands so to it, at most 6, and where it would show in them. None for
/// kinds whose things hide nothing of their anchors. `aspect` is the frame's width over its height.
pub fn anchors(kind: Kind, thing: &UnitBox, aspect: f32) -> (Shows, Vec<UnitBox>) {
    let (x, longer) = (thing.centre().0, ((thing.x1 - thing.x0) * aspect).max(thing.y1 - thing.y0));
    let at = |middle: f32, width: f32, y0: f32, y1: f32| {
        let half = width / aspect / 2.0;
        let area = UnitBox::new(middle - half, y0, middle + half, y1);
        // Beyond the frame there is nothing to see.
        (area.area() > 0.5 * (y1 - y0) * width / aspect).then_some(area)
    };
    let foot = thing.y1;
    let under = |width: f32| at(x, width, foot - ABOVE_FEET * width, foot + (0.5 - ABOVE_FEET) * width);
    let behind = |width: f32| at(x, width, foot - UPRIGHT * width, foot);
    let beside = |side: f32| {
        let away = AWAY * side / aspect;
        [thing.x0 - away, thing.x1 + away].map(|middle| at(middle, side, foot - side, foot))
    };
    let of = |sizes: &'static [f32]| sizes.iter().map(move |size| size * longer);
    match kind {
        Kind::On => (Shows::Sides, of(&UNDER).filter_map(under).collect()),
        Kind::InFrontOf => (Shows::Sides, of(&BEHIND).filter_map(behind).collect()),
        Kind::Near => (Shows::Middle, of(&BESIDE).flat_map(beside).flatten().collect()),
        _ => (Shows::Middle, Vec::new()),
    }
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

    #[test]
    fn a_thing_stands_as_the_phrase_says_to_where_its_anchor_is_looked_for() {
        let thing = UnitBox::new(0.45, 0.5, 0.5, 0.7);
        for (kind, shows, count) in [
            (Kind::On, Shows::Sides, 3),
            (Kind::InFrontOf, Shows::Sides, 2),
            (Kind::Near, Shows::Middle, 6),
            (Kind::LeftOf, Shows::Middle, 0),
        ] {
            let (where_it_shows, areas) = anchors(kind, &thing, 16.0 / 9.0);
            assert_eq!((where_it_shows, areas.len()), (shows, count), "{kind:?}");
            for area in areas {
                let place = Place { kind, anchor: Anchor::Thing(vec!["a thing".to_owned()]), distance: None };
                let (relation, things) =
                    (Relation { at_least: 1, place: Some(place) }, Reference::Things("a thing", vec![area]));
                let found = related(vec![Detection::new(0, thing, 0.9)], &relation, &things, 0.5, 16.0 / 9.0);
                assert_eq!(found.len(), 1, "{kind:?} {thing:?} to {area:?}");
            }
        }
        // At the frame's edge, what is beyond it is not looked at.
        assert_eq!(anchors(Kind::Near, &UnitBox::new(0.0, 0.5, 0.05, 0.7), 16.0 / 9.0).1.len(), 3);
    }
}
