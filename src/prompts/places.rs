//! Places: the words that say one, and those that only seem to.

use super::relation::Kind;

/// When words of place are taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Always: no model knows them.
    Always,
    /// Unless the anchor is something that one wears or carries.
    NotCarried,
    /// If the anchor is a zone, or something to stand, sit or lie on.
    Support,
    /// If the anchor is a zone: in other phrases the word means too much else.
    Zone,
}

/// Words of place, longest first where one begins another; what they mean; how far near reaches; and when.
pub(super) const PLACES: &[(&str, Kind, Option<f32>, When)] = &[
    ("on the left hand side of", Kind::LeftOf, None, When::Always),
    ("on the right hand side of", Kind::RightOf, None, When::Always),
    ("to the left side of", Kind::LeftOf, None, When::Always),
    ("to the right side of", Kind::RightOf, None, When::Always),
    ("on the left side of", Kind::LeftOf, None, When::Always),
    ("on the right side of", Kind::RightOf, None, When::Always),
    ("at the left of", Kind::LeftOf, None, When::Always),
    ("at the right of", Kind::RightOf, None, When::Always),
    ("on the left of", Kind::LeftOf, None, When::Always),
    ("on the right of", Kind::RightOf, None, When::Always),
    ("to the left of", Kind::LeftOf, None, When::Always),
    ("to the right of", Kind::RightOf, None, When::Always),
    ("left of", Kind::LeftOf, None, When::Always),
    ("right of", Kind::RightOf, None, When::Always),
    ("in front of", Kind::InFrontOf, None, When::Always),
    ("behind", Kind::Behind, None, When::Always),
    ("on top of", Kind::On, None, When::Always),
    ("above", Kind::Above, None, When::Always),
    ("below", Kind::Below, None, When::Always),
    ("underneath", Kind::Below, None, When::NotCarried),
    ("beneath", Kind::Below, None, When::NotCarried),
    ("under", Kind::Below, None, When::NotCarried),
    ("next to", Kind::Near, Some(0.75), When::Always),
    ("beside", Kind::Near, Some(0.75), When::Always),
    ("close to", Kind::Near, None, When::Always),
    ("near to", Kind::Near, None, When::Always),
    ("near", Kind::Near, None, When::Always),
    ("outside of", Kind::Outside, None, When::Zone),
    ("outside", Kind::Outside, None, When::Zone),
    ("inside of", Kind::Inside, None, When::Always),
    ("inside", Kind::Inside, None, When::Always),
    ("within", Kind::Inside, None, When::Always),
    ("without", Kind::Without, None, When::NotCarried),
    ("with no", Kind::Without, None, When::NotCarried),
    ("on", Kind::On, None, When::Support),
    ("in", Kind::Inside, None, When::Zone),
    ("at", Kind::Near, None, When::Zone),
    ("by", Kind::Near, None, When::Zone),
];

/// What things stand, sit or lie on without riding it.
pub(super) const SUPPORTS: &[&str] = &[
    "bench",
    "chair",
    "table",
    "desk",
    "sofa",
    "couch",
    "bed",
    "roof",
    "wall",
    "fence",
    "box",
    "shelf",
    "counter",
    "stairs",
    "steps",
    "windowsill",
    "balcony",
    "car",
    "van",
    "truck",
    "bin",
    "can",
    "container",
    "bonnet",
    "hood",
];

/// What is worn or carried: part of the picture of who has it.
pub(super) const CARRIED: &[&str] = &[
    "umbrella", "parasol", "hat", "cap", "helmet", "hood", "mask", "glasses", "jacket", "coat", "shirt", "vest",
    "dress", "trousers", "clothes", "shoes", "gloves", "uniform", "blanket", "bag", "backpack", "leash", "collar",
    "arm",
];

/// Words at the end of a thing that only lead to its place.
pub(super) const LEADING: &[&str] =
    &["that", "which", "who", "is", "are", "just", "directly", "right", "somewhere", "located", "positioned", "and"];

/// Words that say a place or a count which nothing else here takes up.
pub(super) const PLACING: &[&str] = &[
    "left",
    "right",
    "leftmost",
    "rightmost",
    "above",
    "below",
    "beneath",
    "underneath",
    "behind",
    "between",
    "beside",
    "near",
    "nearby",
    "inside",
    "outside",
    "within",
    "without",
    "over",
    "across",
    "around",
    "through",
    "along",
    "opposite",
    "among",
    "beyond",
    "no",
    "not",
    "several",
    "many",
    "few",
];

pub(super) const PRONOUNS: &[&str] =
    &["it", "him", "her", "them", "me", "us", "you", "its", "his", "their", "each", "other"];
pub(super) const PEOPLE: &[&str] = &["people", "persons", "anyone", "anybody", "someone", "somebody", "humans"];
