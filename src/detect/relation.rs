//! Relations: of the things found, those that stand to their anchor as a prompt says, and as many as it says.
//!
//! All of it is geometry of boxes in the picture; how far away from the camera things are is not known, but for the row
//! that their feet are on. A distance of 1 is one size of the things: the longer side of a box, and of two boxes the
//! geometric mean of theirs, so that near a bus is farther than near a bird.

use super::Detection;
use crate::config::settings::Name;
use crate::frame::{Polygon, UnitBox};
use crate::prompts::Relation;
use crate::prompts::relation::Kind;

/// How far "near" reaches, and things before and behind each other.
const NEAR: f32 = 1.5;
/// How far "near" a zone reaches, in sizes of the thing.
const NEAR_ZONE: f32 = 1.0;
/// A thing counts as beside the anchor when its middle is beyond this share of the anchor's side, seen from the far edge.
const BEYOND: f32 = 0.75;
/// A thing is within another when this share of it is.
const WITHIN: f32 = 0.6;
/// Who stands on something has the feet this share of its height above its own foot.
const RAISED: f32 = 0.15;
/// Feet may seem to be so far above what they stand on, as a share of the thing's height.
const AFLOAT: f32 = 0.25;
/// What something stands before is seen in part: its box can be so much wider than was found.
const CUT: f32 = 0.1;
/// Two boxes that overlap by more than this are one thing, which stands in no relation to itself.
const ITSELF_IOU: f32 = 0.5;

/// What a relation refers to, where it is now.
#[derive(Clone, Debug)]
pub enum Reference<'a> {
    /// Nothing: how many there are is all that is asked.
    Nothing,
    /// A zone.
    Zone(&'a Name, &'a Polygon),
    /// Things: what they are called, and where they are.
    Things(&'a str, Vec<UnitBox>),
    /// Not known yet.
    Unknown,
}

/// How a detection came to answer a relation.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// How it stands; `None` where only a count was asked.
    pub kind: Option<Kind>,
    /// To what: the anchor's phrase.
    pub anchor: Option<String>,
    /// Where that is; `None` of what is absent.
    pub area: Option<UnitBox>,
    /// To what zone.
    pub zone: Option<Name>,
    /// How many there are, where that was asked.
    pub count: Option<u32>,
}

/// The targets that answer the relation, strongest first. `aspect` is the frame's width over its height.
///
/// Where a count is asked, they become one detection whose box is their hull and whose score that of the weakest one
/// that is needed; those of `floor` and more count, or the strongest where these are not enough.
pub fn related(
    targets: Vec<Detection>,
    relation: &Relation,
    reference: &Reference<'_>,
    floor: f32,
    aspect: f32,
) -> Vec<Detection> {
    let placed = |target: Detection| {
        let Some(place) = &relation.place else { return Some(target) };
        let related = stands(&target.area, place.kind, reference, place.distance, aspect)?;
        Some(Detection { related: Some(Box::new(related)), ..target })
    };
    let mut found: Vec<Detection> = targets.into_iter().filter_map(placed).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let least = relation.at_least as usize;
    if least <= 1 {
        return found;
    }
    if found.len() < least {
        return Vec::new();
    }
    let counted = found.iter().filter(|thing| thing.score >= floor).count().max(least);
    let hull = hull(found[..counted].iter().map(|thing| thing.area));
    let weakest = found[least - 1].clone();
    let alone = || Related { kind: None, anchor: None, area: None, zone: None, count: None };
    let related = weakest.related.as_deref().cloned().unwrap_or_else(alone);
    let related = Some(Box::new(Related { count: Some(counted as u32), ..related }));
    // No single picture is that of several things, and what stands beside one of them can be another.
    let (area, beside) = (hull.unwrap_or(weakest.area), Vec::new());
    vec![Detection { area, embedding: None, cutout: None, beside, related, ..weakest }]
}

/// The box around several.
fn hull(areas: impl Iterator<Item = UnitBox>) -> Option<UnitBox> {
    areas.reduce(|a, b| UnitBox { x0: a.x0.min(b.x0), y0: a.y0.min(b.y0), x1: a.x1.max(b.x1), y1: a.y1.max(b.y1) })
}

/// The anchors, and those of which a thing that hides the middle leaves two pieces: two side by side, with no more between
/// them than the narrower one is wide.
pub fn pieced(mut areas: Vec<UnitBox>) -> Vec<UnitBox> {
    let apart = |a: &UnitBox, b: &UnitBox| a.x0.max(b.x0) - a.x1.min(b.x1);
    let beside = |a: &UnitBox, b: &UnitBox| {
        let shared = a.y1.min(b.y1) - a.y0.max(b.y0);
        (0.0..=width(a).min(width(b))).contains(&apart(a, b)) && shared >= 0.5 * height(a).max(height(b))
    };
    let pairs = areas.iter().enumerate().flat_map(|(at, a)| areas[at + 1..].iter().map(move |b| (a, b)));
    let joined: Vec<UnitBox> =
        pairs.filter(|(a, b)| beside(a, b)).filter_map(|(a, b)| hull([*a, *b].into_iter())).collect();
    areas.extend(joined);
    areas
}

/// How the target stands to what it refers to, if it stands so.
fn stands(
    target: &UnitBox,
    kind: Kind,
    reference: &Reference<'_>,
    distance: Option<f32>,
    aspect: f32,
) -> Option<Related> {
    let related = Related { kind: Some(kind), anchor: None, area: None, zone: None, count: None };
    match reference {
        Reference::Nothing | Reference::Unknown => None,
        Reference::Zone(name, polygon) => {
            let holds = in_zone(target, kind, polygon, distance, aspect);
            holds.then(|| Related { zone: Some((*name).clone()), ..related })
        }
        Reference::Things(phrase, areas) => {
            let related = Related { anchor: Some((*phrase).to_owned()), ..related };
            let others = areas.iter().filter(|area| area.iou(target) <= ITSELF_IOU);
            if kind == Kind::Without {
                // Anywhere in the frame, or no nearer than the distance.
                let near = |area: &UnitBox| distance.is_none_or(|far| Pair::new(target, area, aspect).within(far));
                return others.into_iter().all(|area| !near(area)).then_some(related);
            }
            let holds = others.filter(|area| Pair::new(target, area, aspect).holds(kind, distance));
            let nearest =
                holds.min_by(|a, b| Pair::new(target, a, aspect).gap().total_cmp(&Pair::new(target, b, aspect).gap()));
            nearest.map(|area| Related { area: Some(*area), ..related })
        }
    }
}

/// A thing and its anchor, in heights of the frame.
struct Pair {
    thing: UnitBox,
    anchor: UnitBox,
}

fn width(b: &UnitBox) -> f32 {
    b.x1 - b.x0
}

fn height(b: &UnitBox) -> f32 {
    b.y1 - b.y0
}

fn size(b: &UnitBox) -> f32 {
    width(b).max(height(b))
}

impl Pair {
    fn new(thing: &UnitBox, anchor: &UnitBox, aspect: f32) -> Self {
        let scaled = |b: &UnitBox| UnitBox { x0: b.x0 * aspect, x1: b.x1 * aspect, ..*b };
        Self { thing: scaled(thing), anchor: scaled(anchor) }
    }

    /// Between the nearest edges; 0 where the boxes overlap.
    fn gap(&self) -> f32 {
        let apart = |a0: f32, a1: f32, b0: f32, b1: f32| (b0 - a1).max(a0 - b1).max(0.0);
        let (t, a) = (&self.thing, &self.anchor);
        apart(t.x0, t.x1, a.x0, a.x1).hypot(apart(t.y0, t.y1, a.y0, a.y1))
    }

    fn within(&self, distance: f32) -> bool {
        self.gap() <= distance * (size(&self.thing) * size(&self.anchor)).sqrt()
    }

    /// Whether they share columns of the picture, the anchor's taken `wider` by this share of its width on both sides.
    fn in_line(&self, wider: f32) -> bool {
        let more = wider * width(&self.anchor);
        self.thing.x1 > self.anchor.x0 - more && self.thing.x0 < self.anchor.x1 + more
    }

    fn holds(&self, kind: Kind, distance: Option<f32>) -> bool {
        let (t, a) = (&self.thing, &self.anchor);
        let ((x, y), (w, h)) = (t.centre(), (width(a), height(a)));
        let stands = match kind {
            Kind::LeftOf => x < a.x1 - BEYOND * w,
            Kind::RightOf => x > a.x0 + BEYOND * w,
            Kind::Above => y < a.y1 - BEYOND * h && self.in_line(0.5),
            // Legs stand around what lies under a bench: its foot is as low as the bench's.
            Kind::Below => y > a.centre().1 && t.y0 > a.y0 + (1.0 - BEYOND) * h && self.in_line(0.5),
            Kind::On => {
                let (highest, lowest) = (a.y0 - AFLOAT * height(t), a.y1 - RAISED * h);
                (a.x0..=a.x1).contains(&x) && (highest..=lowest).contains(&t.y1)
            }
            Kind::Near => true,
            Kind::Inside => t.intersection(a) >= WITHIN * t.area(),
            Kind::InFrontOf => t.y1 >= a.y1 && self.in_line(CUT),
            Kind::Behind => t.y1 < a.y1 && self.in_line(CUT),
            Kind::Outside | Kind::Without => false,
        };
        let reach = distance.or(matches!(kind, Kind::Near | Kind::InFrontOf | Kind::Behind).then_some(NEAR));
        stands && reach.is_none_or(|reach| self.within(reach))
    }
}

/// Whether a thing stands so to a zone. It is in a zone when its centre or its foot is; near one when its foot is in it or
/// no farther away than `distance` of its own sizes. For the rest, the zone counts as the box around it.
fn in_zone(target: &UnitBox, kind: Kind, zone: &Polygon, distance: Option<f32>, aspect: f32) -> bool {
    let foot = (target.centre().0, target.y1);
    let inside = || zone.contains(target.centre()) || zone.contains(foot);
    match kind {
        Kind::Inside => inside(),
        Kind::Outside => !inside(),
        Kind::On => zone.contains(foot),
        Kind::Near => {
            let own = UnitBox { x0: target.x0 * aspect, x1: target.x1 * aspect, ..*target };
            inside() || away(foot, zone, aspect) <= distance.unwrap_or(NEAR_ZONE) * size(&own)
        }
        _ => Pair::new(target, &around(zone), aspect).holds(kind, distance),
    }
}

/// The box around a polygon.
fn around(zone: &Polygon) -> UnitBox {
    let start = UnitBox { x0: 1.0, y0: 1.0, x1: 0.0, y1: 0.0 };
    zone.points().iter().fold(start, |b, &(x, y)| UnitBox {
        x0: b.x0.min(x),
        y0: b.y0.min(y),
        x1: b.x1.max(x),
        y1: b.y1.max(y),
    })
}

/// How far a point is from a polygon's outline, in heights of the frame.
fn away((x, y): (f32, f32), zone: &Polygon, aspect: f32) -> f32 {
    let points = zone.points();
    let edges = points.iter().zip(points.iter().cycle().skip(1));
    let distance = |(&(x0, y0), &(x1, y1)): (&(f32, f32), &(f32, f32))| {
        let (dx, dy) = ((x1 - x0) * aspect, y1 - y0);
        let (px, py) = ((x - x0) * aspect, y - y0);
        let length = dx * dx + dy * dy;
        let along = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
        (px - along * dx).hypot(py - along * dy)
    };
    edges.map(distance).fold(f32::INFINITY, f32::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::relation::{Anchor, Place};

    const WIDE: f32 = 16.0 / 9.0;

    fn place(kind: Kind, distance: Option<f32>) -> Relation {
        let anchor = Anchor::Thing(vec!["a thing".to_owned()]);
        Relation { at_least: 1, place: Some(Place { kind, anchor, distance }) }
    }

    fn holds(kind: Kind, target: [f32; 4], anchor: [f32; 4]) -> bool {
        let [target, anchor] = [target, anchor].map(|[x0, y0, x1, y1]| UnitBox::new(x0, y0, x1, y1));
        let things = Reference::Things("a thing", vec![anchor]);
        !related(vec![Detection::new(0, target, 0.9)], &place(kind, None), &things, 0.5, WIDE).is_empty()
    }

    /// A scene of a street: a bus in the middle with its wheels at 0.7.
    const BUS: [f32; 4] = [0.35, 0.4, 0.65, 0.7];

    #[test]
    fn boxes_tell_where_a_thing_stands() {
        for (kind, target, wanted) in [
            (Kind::LeftOf, [0.2, 0.5, 0.3, 0.75], true),
            (Kind::LeftOf, [0.33, 0.5, 0.45, 0.75], true),
            (Kind::LeftOf, [0.45, 0.5, 0.55, 0.75], false),
            (Kind::LeftOf, [0.7, 0.5, 0.8, 0.75], false),
            (Kind::RightOf, [0.7, 0.5, 0.8, 0.75], true),
            (Kind::RightOf, [0.2, 0.5, 0.3, 0.75], false),
            (Kind::Above, [0.45, 0.2, 0.5, 0.25], true),
            (Kind::Above, [0.05, 0.2, 0.1, 0.25], false),
            (Kind::Above, [0.45, 0.5, 0.5, 0.55], false),
            (Kind::Below, [0.45, 0.62, 0.5, 0.7], true),
            (Kind::Below, [0.45, 0.45, 0.6, 0.8], false),
            (Kind::Below, [0.45, 0.35, 0.6, 0.5], false),
            (Kind::On, [0.45, 0.3, 0.5, 0.41], true),
            (Kind::On, [0.45, 0.3, 0.5, 0.37], false),
            (Kind::On, [0.45, 0.5, 0.5, 0.7], false),
            (Kind::On, [0.1, 0.3, 0.2, 0.41], false),
            (Kind::Near, [0.2, 0.5, 0.25, 0.75], true),
            (Kind::Near, [0.0, 0.5, 0.05, 0.65], false),
            (Kind::Inside, [0.45, 0.45, 0.5, 0.55], true),
            (Kind::Inside, [0.3, 0.45, 0.37, 0.55], false),
            (Kind::InFrontOf, [0.45, 0.6, 0.5, 0.8], true),
            (Kind::InFrontOf, [0.45, 0.5, 0.5, 0.65], false),
            (Kind::InFrontOf, [0.1, 0.6, 0.2, 0.8], false),
            (Kind::Behind, [0.45, 0.5, 0.5, 0.65], true),
            (Kind::Behind, [0.45, 0.6, 0.5, 0.8], false),
            (Kind::Without, [0.1, 0.6, 0.2, 0.8], false),
        ] {
            assert_eq!(holds(kind, target, BUS), wanted, "{kind:?} {target:?}");
        }
    }

    #[test]
    fn no_thing_stands_in_a_relation_to_itself() {
        assert!(!holds(Kind::Near, BUS, [0.36, 0.4, 0.66, 0.7]));
        assert!(holds(Kind::Without, BUS, [0.36, 0.4, 0.66, 0.7]));
    }

    #[test]
    fn near_is_farther_for_large_things() {
        let target = [0.2, 0.5, 0.25, 0.75];
        assert!(holds(Kind::Near, target, [0.4, 0.3, 0.8, 0.75]), "beside a truck");
        assert!(!holds(Kind::Near, target, [0.4, 0.7, 0.43, 0.75]), "as far from a hydrant");
    }

    #[test]
    fn the_nearest_anchor_is_told() {
        let target = Detection::new(0, UnitBox::new(0.5, 0.5, 0.55, 0.7), 0.9);
        let (far, near) = (UnitBox::new(0.05, 0.5, 0.1, 0.7), UnitBox::new(0.4, 0.5, 0.45, 0.7));
        let things = Reference::Things("a thing", vec![far, near]);
        let found = related(vec![target], &place(Kind::RightOf, None), &things, 0.5, WIDE);
        assert_eq!(found[0].related.as_ref().and_then(|related| related.area), Some(near));
    }

    #[test]
    fn without_is_nowhere_or_not_within_a_distance() {
        let target = || vec![Detection::new(0, UnitBox::new(0.1, 0.5, 0.15, 0.6), 0.9)];
        let far = Reference::Things("a person", vec![UnitBox::new(0.8, 0.3, 0.85, 0.6)]);
        let count = |distance, there: &Reference<'_>| {
            related(target(), &place(Kind::Without, distance), there, 0.5, WIDE).len()
        };
        assert_eq!((count(None, &far), count(Some(2.0), &far)), (0, 1));
        assert_eq!((count(None, &Reference::Things("a person", vec![])), count(None, &Reference::Unknown)), (1, 0));
    }

    #[test]
    fn so_many_are_one_detection_over_all_of_them() {
        let thing = |x: f32, score| Detection::new(0, UnitBox::new(x, 0.4, x + 0.1, 0.6), score);
        let many = |least| Relation { at_least: least, place: None };
        let there = || vec![thing(0.1, 0.9), thing(0.5, 0.7), thing(0.8, 0.3)];
        let two = related(there(), &many(2), &Reference::Nothing, 0.42, WIDE);
        assert_eq!((two.len(), two[0].score, two[0].area), (1, 0.7, UnitBox::new(0.1, 0.4, 0.6, 0.6)));
        assert_eq!(two[0].related.as_ref().and_then(|related| related.count), Some(2));
        let three = related(there(), &many(3), &Reference::Nothing, 0.42, WIDE);
        let hull = three[0].area;
        assert!(three[0].score == 0.3 && hull.x1 > 0.89, "too weak to count, but told as what it is: {hull:?}");
        assert!(related(there(), &many(4), &Reference::Nothing, 0.42, WIDE).is_empty());
    }

    #[test]
    fn two_pieces_side_by_side_are_one_anchor_too() {
        let at = |x0, x1| UnitBox::new(x0, 0.4, x1, 0.6);
        assert_eq!(pieced(vec![at(0.2, 0.3), at(0.35, 0.5)])[2..], [at(0.2, 0.5)]);
        // As far apart as that, they are two; so are those of unlike height, and those that overlap.
        assert_eq!(pieced(vec![at(0.2, 0.3), at(0.45, 0.6)]).len(), 2);
        assert_eq!(pieced(vec![at(0.2, 0.3), UnitBox::new(0.32, 0.5, 0.4, 0.9)]).len(), 2);
        assert_eq!(pieced(vec![at(0.2, 0.3), at(0.28, 0.4)]).len(), 2);
    }

    #[test]
    fn zones_are_places_too() {
        let zone = Polygon::new(vec![(0.4, 0.6), (0.6, 0.6), (0.6, 0.9), (0.4, 0.9)]).expect("a polygon");
        let name = Name::new("gate").expect("a name");
        let found = |kind, x: f32| {
            let target = vec![Detection::new(0, UnitBox::new(x, 0.5, x + 0.05, 0.7), 0.9)];
            let reference = Reference::Zone(&name, &zone);
            let relation = Relation {
                at_least: 1,
                place: Some(Place { kind, anchor: Anchor::Zone(name.clone()), distance: None }),
            };
            related(target, &relation, &reference, 0.5, WIDE).pop().map(|found| found.related.expect("told").zone)
        };
        for (kind, x, wanted) in [
            (Kind::Inside, 0.5, true),
            (Kind::Inside, 0.3, false),
            (Kind::Outside, 0.3, true),
            (Kind::On, 0.5, true),
            (Kind::Near, 0.3, true),
            (Kind::Near, 0.1, false),
            (Kind::LeftOf, 0.2, true),
            (Kind::LeftOf, 0.7, false),
        ] {
            assert_eq!(found(kind, x), wanted.then(|| Some(name.clone())), "{kind:?} at {x}");
        }
    }
}
