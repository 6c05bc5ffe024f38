//! A relation: where a prompt's thing must be, beside, in or without what, and how many of it. CLIP knows neither left from
//! right nor two from three, so that the boxes of one moment decide.

use crate::config::settings::Name;

/// What a prompt asks for beyond its thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// So many must be there at the same time, at least 1.
    pub at_least: u32,
    /// Where each must be; `None` is anywhere.
    pub place: Option<Place>,
}

/// Where a thing must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// How it must stand to the anchor.
    pub kind: Kind,
    /// What it must stand so to.
    pub anchor: Anchor,
    /// How far that reaches, in sizes of the things ([`crate::detect::related`] says which); `None` is what the kind says.
    pub distance: Option<f32>,
}

/// What a thing stands in a relation to.
#[derive(Clone, Debug, PartialEq)]
pub enum Anchor {
    /// A zone of the camera.
    Zone(Name),
    /// Another thing, in at least one phrase.
    Thing(Vec<String>),
}

/// How a thing stands to its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Left of it in the picture.
    LeftOf,
    /// Right of it in the picture.
    RightOf,
    /// Higher in the picture, over it.
    Above,
    /// Lower in the picture, under it.
    Below,
    /// Its foot is on it.
    On,
    /// Not far from it.
    Near,
    /// Within it.
    Inside,
    /// Not within it; of zones only.
    Outside,
    /// Nearer to the camera, and before it.
    InFrontOf,
    /// Farther from the camera, and before it no more.
    Behind,
    /// There while the anchor is not.
    Without,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::LeftOf,
        Self::RightOf,
        Self::Above,
        Self::Below,
        Self::On,
        Self::Near,
        Self::Inside,
        Self::Outside,
        Self::InFrontOf,
        Self::Behind,
        Self::Without,
    ];

    /// As in the configuration and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeftOf => "left_of",
            Self::RightOf => "right_of",
            Self::Above => "above",
            Self::Below => "below",
            Self::On => "on",
            Self::Near => "near",
            Self::Inside => "inside",
            Self::Outside => "outside",
            Self::InFrontOf => "in_front_of",
            Self::Behind => "behind",
            Self::Without => "without",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Relation {
    /// The relation in words, for people: "right of \"the traffic light\"", "near the zone gate, at least 2".
    pub fn in_words(&self) -> String {
        let place = self.place.as_ref().map(|place| {
            let anchor = match &place.anchor {
                Anchor::Zone(zone) => format!("the zone {zone}"),
                Anchor::Thing(phrases) => format!("{:?}", phrases.join(" / ")),
            };
            let distance = place.distance.map(|distance| format!(" within {distance}")).unwrap_or_default();
            format!("{} {anchor}{distance}", place.kind.as_str().replace('_', " "))
        });
        let many = (self.at_least > 1).then(|| format!("at least {}", self.at_least));
        place.into_iter().chain(many).collect::<Vec<_>>().join(", ")
    }
}
