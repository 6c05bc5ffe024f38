//! Rest: whether a thing moves, told apart from a box that trembles.

use jiff::Timestamp;

use crate::elapsed::since;
use crate::frame::UnitBox;

/// A thing has moved that lies further from where it was than this share of its size.
const MOVED: f32 = 0.3;
/// One at rest begins to move beyond this share.
const LEAVES: f32 = 0.5;
/// The box is smoothed over about this time. Seconds.
const SMOOTHED_S: f32 = 1.0;

/// Where a thing stands, and since when.
#[derive(Clone, Debug)]
pub struct Rest {
    /// The box without its trembling.
    place: UnitBox,
    /// Where it was when it last moved.
    anchor: UnitBox,
    since: Timestamp,
    still: bool,
}

fn apart(a: &UnitBox, b: &UnitBox) -> f32 {
    let ((ax, ay), (bx, by)) = (a.centre(), b.centre());
    let size = |low: f32, high: f32| (high - low).max(1e-3);
    ((ax - bx).abs() / size(a.x0, a.x1)).max((ay - by).abs() / size(a.y0, a.y1))
}

impl Rest {
    /// A thing that has just come.
    pub fn new(area: &UnitBox, now: Timestamp) -> Self {
        Self { place: *area, anchor: *area, since: now, still: false }
    }

    /// A thing that has long been there.
    pub fn known(area: &UnitBox, now: Timestamp) -> Self {
        Self { still: true, ..Self::new(area, now) }
    }

    /// Where it is, without the trembling of its boxes.
    pub fn place(&self) -> &UnitBox {
        &self.place
    }

    /// Whether it has not moved for long enough.
    pub fn is_still(&self) -> bool {
        self.still
    }

    /// Takes a box in, `seconds` after the one before. It is still once it has not moved for `after`.
    pub fn see(&mut self, area: &UnitBox, seconds: f32, now: Timestamp, after: std::time::Duration) {
        let share = 1.0 - (-seconds.max(0.0) / SMOOTHED_S).exp();
        let blend = |old: f32, new: f32| old + share * (new - old);
        let p = self.place;
        self.place = UnitBox {
            x0: blend(p.x0, area.x0),
            y0: blend(p.y0, area.y0),
            x1: blend(p.x1, area.x1),
            y1: blend(p.y1, area.y1),
        };
        if apart(&self.anchor, &self.place) > if self.still { LEAVES } else { MOVED } {
            (self.anchor, self.since, self.still) = (self.place, now, false);
        } else if since(self.since, now) >= after {
            self.still = true;
        }
    }
}
