//! Picture: what a thing looked like by itself, cell by cell, so that it is known again among others.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::detect::{Detection, Part};
use crate::elapsed::since;
use crate::frame::UnitBox;
use crate::regions::Cutout;

/// What has been as large by itself for so long is all of it.
const ENTIRE: Duration = Duration::from_millis(600);
/// In company a picture is kept for so long.
const KEPT: Duration = Duration::from_secs(5);
/// A thing that has gone less far than this share of its width stands.
const STANDS: f32 = 0.25;
/// Of what comes into view, all is as high as what was seen first, by at most so many times.
const HIGHER: f32 = 1.4;
/// A thing is known by what came into view of it if that is this share of its width.
const MOST: f32 = 0.75;

/// The picture of a thing.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    kept: Option<Kept>,
    /// What it looked like when it was as large as that for the first time, and when that was.
    as_large: Option<(Arc<Cutout>, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Kept {
    cutout: Arc<Cutout>,
    /// Where that was.
    area: UnitBox,
    /// Whether the frame's edge cut it off.
    is_cut: bool,
    taken: Timestamp,
}

impl Picture {
    /// What it looked like when it was last seen by itself: as a whole, or as much of it as ever came into view.
    pub fn cutout(&self) -> Option<&Arc<Cutout>> {
        self.kept.as_ref().map(|kept| &kept.cutout)
    }

    /// Whether that is the thing or most of it, which is by now as wide as `whole`.
    pub fn is_most_of(&self, whole: &UnitBox) -> bool {
        let is_most = |kept: &Kept| kept.area.x1 - kept.area.x0 >= MOST * (whole.x1 - whole.x0);
        self.kept.as_ref().is_some_and(|kept| !kept.is_cut || is_most(kept))
    }

    /// Whether the frame's edge cuts that off.
    pub fn is_cut(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_cut)
    }

    /// Whether it had been as large as it is for long enough when it was last seen by itself.
    pub fn is_entire(&self, last: Timestamp) -> bool {
        self.as_large.as_ref().is_some_and(|(_, from)| since(*from, last) >= ENTIRE)
    }

    /// Takes in what it looks like now, if it is seen by itself.
    pub fn see(&mut self, detection: &Detection, now: Timestamp) {
        let Some(seen) = detection.cutout.clone().filter(|_| detection.part == Part::No) else { return };
        let is_cut = detection.area.x0 <= 0.0 || detection.area.x1 >= 1.0;
        if !is_cut {
            self.as_large.take_if(|(before, _)| !seen.is_as_large(before));
            self.as_large.get_or_insert_with(|| (Arc::clone(&seen), now));
        }
        let is_entire = self.is_entire(now);
        let is_kept = |kept: &Kept| match (kept.is_cut, is_cut) {
            (false, false) => {
                let in_company = detection.accompanied && since(kept.taken, now) < KEPT;
                // What grows at once is seen together with something.
                let grows = !is_entire && !seen.is_as_large(&kept.cutout);
                kept.is_faded(&seen, &detection.area) || in_company || grows
            }
            (true, true) => {
                let is_joined = detection.accompanied || is_higher(&detection.area, &kept.area);
                kept.cutout.is_more_than(&seen) || is_joined
            }
            (was_cut, _) => !was_cut,
        };
        if !self.kept.as_ref().is_some_and(is_kept) {
            self.kept = Some(Kept { cutout: seen, area: detection.area, is_cut, taken: now });
        }
    }
}

impl Kept {
    /// Whether this is the thing before it became background, bit by bit, where it stands.
    fn is_faded(&self, seen: &Cutout, area: &UnitBox) -> bool {
        let moved = (self.area.centre().0 - area.centre().0).abs();
        moved < STANDS * (self.area.x1 - self.area.x0) && self.cutout.is_more_than(seen)
    }
}

fn is_higher(area: &UnitBox, before: &UnitBox) -> bool {
    area.y1 - area.y0 > HIGHER * (before.y1 - before.y0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thing seen with its left side at `x`, of which the left `columns` of four stand out.
    fn seen(x: f32, columns: usize) -> Detection {
        let cells = (0..16).map(|i| (i % 4 < columns).then_some([200.0, 40.0, 40.0])).collect();
        let cutout = Some(Arc::new(Cutout::new(4, cells)));
        Detection { cutout, ..Detection::new(0, UnitBox::new(x, 0.4, x + 0.2, 0.6), 0.9) }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("in range")
    }

    fn share(picture: &Picture) -> f32 {
        picture.cutout().expect("seen").share()
    }

    #[test]
    fn what_stands_is_known_as_it_came_while_it_fades_into_the_background() {
        let mut picture = Picture::default();
        for (second, x, columns, known) in
            [(0, 0.3, 4, 1.0), (1, 0.31, 2, 1.0), (2, 0.3, 1, 1.0), (3, 0.4, 2, 0.5), (4, 0.4, 3, 0.75)]
        {
            picture.see(&seen(x, columns), at(1000 * second));
            assert_eq!(share(&picture), known, "after {second} s");
        }
        // Cut off by the frame's edge, or as a part of a box, it is not seen as a whole.
        picture.see(&seen(0.0, 4), at(5000));
        picture.see(&Detection { part: Part::Located, ..seen(0.4, 4) }, at(6000));
        assert_eq!(share(&picture), 0.75);
    }

    #[test]
    fn what_comes_into_view_is_known_by_as_much_of_it_as_has() {
        let mut picture = Picture::default();
        for (ms, x, columns, known) in [(0, 0.0, 1, 0.25), (200, 0.0, 3, 0.75), (400, 0.0, 2, 0.75)] {
            picture.see(&seen(x, columns), at(ms));
            assert_eq!((share(&picture), picture.is_cut()), (known, true), "after {ms} ms");
        }
        assert!(picture.is_most_of(&UnitBox::new(0.0, 0.4, 0.25, 0.6)), "the thing is 0.25 wide by now");
        assert!(!picture.is_most_of(&UnitBox::new(0.0, 0.4, 0.5, 0.6)), "it was a small part of it");
        // What joins it there is no part of it.
        let higher = Detection { area: UnitBox::new(0.0, 0.4, 0.2, 0.75), ..seen(0.0, 4) };
        picture.see(&higher, at(600));
        assert_eq!(share(&picture), 0.75);
        picture.see(&seen(0.1, 2), at(800));
        assert_eq!((share(&picture), picture.is_cut()), (0.5, false), "all of it");
    }

    #[test]
    fn what_something_else_may_be_a_part_of_does_not_replace_a_picture_soon() {
        let mut picture = Picture::default();
        picture.see(&seen(0.1, 2), at(0));
        let accompanied = |x| Detection { accompanied: true, ..seen(x, 4) };
        picture.see(&accompanied(0.3), at(200));
        assert_eq!(share(&picture), 0.5);
        picture.see(&accompanied(0.5), at(6000));
        assert_eq!(share(&picture), 1.0, "after a while it is as it is now");
        // It is all at once three times as wide, and after a while still is.
        let wide = |x| {
            let cells = (0..48).map(|i| (i % 12 < 6).then_some([200.0, 40.0, 40.0])).collect();
            Detection { cutout: Some(Arc::new(Cutout::new(12, cells))), ..seen(x, 4) }
        };
        for (ms, x, known) in [(6200, 0.2, 1.0), (6400, 0.3, 1.0), (7000, 0.4, 0.5)] {
            picture.see(&wide(x), at(ms));
            assert_eq!(share(&picture), known, "after {ms} ms");
        }
    }
}
