//! Parked: what is remembered of a thing that stood still, so that it is no news when it is seen again.

use jiff::Timestamp;

use super::track::Track;
use crate::clip::Embedding;
use crate::config::rules::Severity;
use crate::config::settings::Name;
use crate::elapsed::since;
use crate::frame::UnitBox;

/// More than this of the smaller box lies in the other.
const SHARED: f32 = 0.6;
/// A box is at most so many times as large as the other.
const LARGER: f32 = 3.0;
/// From this cosine on it looks the same.
const SAME_LOOK: f32 = 0.8;
/// So many are remembered of each prompt, the newest.
const MOST: usize = 32;

/// A thing that stood still and is not seen now.
#[derive(Clone, Debug, PartialEq)]
pub struct Parked {
    /// Which prompt it was found by.
    pub prompt: Name,
    /// The id of its event.
    pub event: String,
    /// Whether that event was told; if not, it was there before it was looked out for.
    pub told: bool,
    /// Whether it was there when this was noted, and not hidden already.
    pub present: bool,
    /// The sequence number of the event's next message.
    pub sequence: u32,
    /// How much the event matters.
    pub severity: Severity,
    /// Highest score, 0..1.
    pub top_score: f32,
    /// Where it stands.
    pub area: UnitBox,
    /// What it looks like; `None` where that is not known.
    pub look: Option<Embedding>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// The parked things of one prompt that are not seen now.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Parked>);

impl Memory {
    /// Remembers one more; the oldest goes when there are too many.
    pub(super) fn keep(&mut self, parked: Parked) {
        self.0.retain(|known| known.event != parked.event);
        self.0.push(parked);
        self.0.sort_by_key(|known| known.last_seen);
        let surplus = self.0.len().saturating_sub(MOST);
        self.0.drain(..surplus);
    }

    /// Forgets what was last seen too long ago.
    pub(super) fn forget(&mut self, age: std::time::Duration, now: Timestamp) {
        self.0.retain(|parked| since(parked.last_seen, now) <= age);
    }

    /// What a track proves to be, which has not moved since it was first seen: it stands there and looks like that. It
    /// is no longer remembered then, for it is seen.
    pub(super) fn recognise(&mut self, track: &Track) -> Option<Parked> {
        let place = track.rest.place();
        let likeness = |(index, parked): (usize, &Parked)| {
            let (smaller, larger) = (place.area().min(parked.area.area()), place.area().max(parked.area.area()));
            let there = place.intersection(&parked.area) >= SHARED * smaller && larger <= LARGER * smaller;
            let alike = match (&parked.look, track.look.mean()) {
                (Some(was), Some(is)) if was.values().len() == is.values().len() => was.cosine(is),
                // Of another model, or never looked at: the place alone decides.
                _ => SAME_LOOK,
            };
            (there && alike >= SAME_LOOK).then_some((alike + place.iou(&parked.area), index))
        };
        let best = self.0.iter().enumerate().filter_map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, index)| self.0.swap_remove(index))
    }

    /// What was not seen again is not there.
    pub(super) fn give_up(&mut self) {
        self.0.iter_mut().for_each(|parked| parked.present = false);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Parked> {
        self.0.iter()
    }
}
