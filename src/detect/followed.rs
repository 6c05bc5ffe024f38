//! What is followed: the things of all prompts, as far as it is clear where they are by now.

use std::sync::Arc;
use std::time::Duration;

use crate::clip::Embedding;
use crate::frame::UnitBox;
use crate::regions::Cutout;

/// Two that are followed for two prompts are one thing if they look this much alike,
const ALIKE: f32 = 0.6;
/// or, where that is not known, overlap by this.
const SAME_IOU: f32 = 0.5;
/// Things that have been together for so long can have become what they look like: somebody has got on a bicycle.
const JOINED: Duration = Duration::from_secs(4);

/// Which way a thing goes across the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// To the frame's left edge.
    Left,
    /// To its right edge.
    Right,
}

/// A thing that is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// For which prompt: its index.
    pub prompt: usize,
    /// What tells it from all others of that prompt.
    pub number: u64,
    /// Where it should be by now, as far as that is in the frame.
    pub expected: UnitBox,
    /// The same, in and out of the frame.
    pub whole: UnitBox,
    /// Which way it goes, where that is clear.
    pub heading: Option<Heading>,
    /// Where it was last seen.
    pub seen: UnitBox,
    /// What the encoder made of it on the mean, where its crop showed nothing else that was followed.
    pub look: Option<Embedding>,
    /// What it looked like when it was last seen by itself, cell by cell, or as much of it as has come into view.
    pub cutout: Option<Arc<Cutout>>,
    /// Whether the frame's edge cuts that off: it never was in view as a whole.
    pub is_cut: bool,
    /// Whether that has been all of it for long enough: what comes out from behind another is a part of itself at first.
    pub entire: bool,
    /// Whether it has been seen often enough to be there.
    pub certain: bool,
    /// How long it has been in one box with others.
    pub together: Duration,
}

impl Followed {
    /// Whether an area is at the frame's left or right edge, where the thing was not: something comes into view there. A thing
    /// that is itself at the edge, or of which there is more than ever came into view, may be all of it.
    pub(super) fn is_joined_at_edge(&self, area: &UnitBox) -> bool {
        !self.is_cut && (area.x0 <= 0.0 && self.seen.x0 > 0.0 || area.x1 >= 1.0 && self.seen.x1 < 1.0)
    }

    /// Whether it can have become another thing, together with what it has been with for a while.
    pub(super) fn can_be_another(&self) -> bool {
        self.together >= JOINED
    }

    /// The edge of the frame at which it goes out of view, if it does.
    pub(super) fn leaves(&self) -> Option<Heading> {
        self.heading.filter(|heading| match heading {
            Heading::Left => self.seen.x0 <= 0.0,
            Heading::Right => self.seen.x1 >= 1.0,
        })
    }

    /// Whether this is one of those, followed for another prompt.
    pub(super) fn is_one_of(&self, things: &[&Self]) -> bool {
        let is_it = |thing: &&Self| match thing.cutout.as_ref().zip(self.cutout.as_ref()) {
            Some((a, b)) => thing.expected.intersection(&self.expected) > 0.0 && a.alike(b) >= ALIKE,
            None => thing.expected.iou(&self.expected) >= SAME_IOU,
        };
        things.iter().any(is_it)
    }
}
