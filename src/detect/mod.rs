//! Detections: tile scores become an evidence map, and the map becomes boxes.

pub mod closer;
pub mod company;
pub mod confirm;
pub mod divide;
pub mod evidence;
pub mod followed;
pub mod heat;
mod held;
mod meeting;
pub mod relation;
pub mod whereabouts;

pub use closer::{Shows, around, closer};
pub use confirm::Confirmations;
pub use divide::divided;
pub use evidence::{EvidenceMap, Spread};
pub use followed::Followed;
pub use heat::HeatMap;
pub use relation::{Reference, Related, related};
pub use whereabouts::Whereabouts;

use std::sync::Arc;

use crate::clip::Embedding;
use crate::frame::UnitBox;
use crate::prompts::Score;
use crate::regions::{Cutout, Foreground};

/// How a box came to be, of several that stand out as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It stands out by itself.
    No,
    /// It was known again there, or comes into view there beside one that was.
    Located,
    /// Its way so far says that it is there, or that others are elsewhere.
    Supposed,
}

/// One thing found on one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Which question: its index in the bank, which is that of the prompt.
    pub prompt: usize,
    /// Where.
    pub area: UnitBox,
    /// Probability, 0..1, of its own crop once it is confirmed, before that of the tile that speaks loudest for it.
    pub score: f32,
    /// Cosine margin of that crop or tile.
    pub margin: f32,
    /// Its nearest contender: an index into the entry's contenders.
    pub runner_up: usize,
    /// Tiles, or blocks of patches, that spoke for it.
    pub tiles: u32,
    /// What the encoder made of its own crop, once it is confirmed.
    pub embedding: Option<Embedding>,
    /// What it made of the thing by itself, where this is one that is followed and was found among others: together they may look
    /// like what neither is.
    pub known: Option<Embedding>,
    /// How it was told from others in one box.
    pub part: Part,
    /// Things that were known again beside it, by their numbers: it is none of them.
    pub beside: Vec<u64>,
    /// Whether its crop shows something else that is followed.
    pub accompanied: bool,
    /// What of it stands out of the background.
    pub cutout: Option<Arc<Cutout>>,
    /// How it stands to what the prompt names beside it, where it names anything.
    pub related: Option<Box<Related>>,
}

impl Detection {
    /// A thing of which no more is known than where it is and its score.
    pub fn new(prompt: usize, area: UnitBox, score: f32) -> Self {
        Self {
            prompt,
            area,
            score,
            margin: 0.0,
            runner_up: 0,
            tiles: 1,
            embedding: None,
            known: None,
            part: Part::No,
            beside: Vec::new(),
            accompanied: false,
            cutout: None,
            related: None,
        }
    }
}

/// Two boxes of one prompt that overlap by more than this are one thing.
const SAME_IOU: f32 = 0.3;
/// A box that lies this much within another is the same thing.
const SAME_WITHIN: f32 = 0.6;
/// Two things side by side share at most this part of the narrower one's width,
const BESIDE: f32 = 0.3;
/// and the lower one has at least this part of the other's height.
const ALIKE_HIGH: f32 = 0.5;
/// Less than this share of a tile or block standing out beside a thing is no other thing.
const APART: f32 = 0.25;

/// The detections of one prompt on one frame, strongest first, after non-maximum suppression.
///
/// `scores[i]` belongs to `areas[i]`, a tile or a block of patches; `None` is one not yet encoded. Every detection scores
/// at least `floor`. Each box is drawn to the outline of what stands out there.
pub fn detections(
    prompt: usize,
    areas: &[UnitBox],
    scores: &[Option<Score>],
    floor: f32,
    aspect: f32,
    spread: Spread,
    foreground: &Foreground,
) -> Vec<Detection> {
    let known = || areas.iter().zip(scores).filter_map(|(area, score)| score.map(|score| (area, score)));
    let mut seeds: Vec<(&UnitBox, Score)> = known().filter(|(_, score)| score.probability >= floor).collect();
    if seeds.is_empty() {
        return Vec::new();
    }
    let map = EvidenceMap::new(known().map(|(area, score)| (*area, score.probability)), aspect);
    // Of equal scores the smaller area locates better.
    seeds.sort_by(|(a, sa), (b, sb)| sb.probability.total_cmp(&sa.probability).then(a.area().total_cmp(&b.area())));
    let mut found: Vec<Detection> = Vec::new();
    let (mut taken, mut places): (Vec<UnitBox>, Vec<UnitBox>) = (Vec::new(), Vec::new());
    for (seed, score) in &seeds {
        let known = |area: &UnitBox| taken.iter().any(|other| same_thing(other, area));
        if known(seed) {
            continue;
        }
        // Evidence spreads around a thing: what is near one is another only if it stands out beside it.
        let is_near = places.iter().any(|place| same_thing(place, seed));
        if is_near && foreground.share(seed, &taken) < APART {
            continue;
        }
        let others: &[UnitBox] = if is_near { &taken } else { &[] };
        let place = map.locate(seed, spread, others);
        let outline = foreground.outline(&place, others);
        places.push(place);
        let area = match outline {
            Some(area) if !is_near || taken.iter().all(|other| beside(other, &area)) => area,
            None if !is_near => place,
            _ => continue,
        };
        if known(&area) {
            continue;
        }
        taken.push(area);
        let tiles =
            seeds.iter().filter(|(other, _)| other.intersection(&place) > 0.5 * place.area().min(other.area())).count()
                as u32;
        let Score { probability, margin, runner_up, .. } = *score;
        let tiles = tiles.max(1);
        found.push(Detection { margin, runner_up, tiles, ..Detection::new(prompt, area, probability) });
    }
    found
}

/// Of detections of one prompt, strongest first, those that are not the same thing as a stronger one.
pub fn distinct(mut detections: Vec<Detection>) -> Vec<Detection> {
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut found: Vec<Detection> = Vec::with_capacity(detections.len());
    for detection in detections {
        if !found.iter().any(|other| same_thing(&other.area, &detection.area)) {
            found.push(detection);
        }
    }
    found
}

/// Takes further detections of a prompt in, strongest first, so long as no other is of the same thing.
pub fn joined(found: &mut Vec<Detection>, mut more: Vec<Detection>) {
    more.sort_by(|a, b| b.score.total_cmp(&a.score));
    for detection in more {
        if !found.iter().any(|other| same_thing(&other.area, &detection.area)) {
            found.push(detection);
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// Whether two boxes could be two things side by side, and not a thing and a piece of it.
fn beside(a: &UnitBox, b: &UnitBox) -> bool {
    let shared = (a.x1.min(b.x1) - a.x0.max(b.x0)).max(0.0);
    let (ha, hb) = (a.y1 - a.y0, b.y1 - b.y0);
    shared <= BESIDE * (a.x1 - a.x0).min(b.x1 - b.x0) && ha.min(hb) >= ALIKE_HIGH * ha.max(hb)
}

/// Whether two boxes of one prompt are of the same thing.
pub fn same_thing(a: &UnitBox, b: &UnitBox) -> bool {
    a.iou(b) > SAME_IOU || a.intersection(b) > SAME_WITHIN * a.area().min(b.area())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::settings::Grid;
    use crate::frame::Frame;
    use crate::regions::grid::grid;

    fn areas() -> Vec<UnitBox> {
        grid(640, 360, &Grid::default(), &[]).into_iter().map(|tile| tile.area).collect()
    }

    /// Scores as a perfect encoder would give them: how much of the thing the tile holds, and how much of the tile it is.
    fn scores(tiles: &[UnitBox], things: &[UnitBox]) -> Vec<Option<Score>> {
        let score = |tile: &UnitBox| {
            let best = things.iter().map(|thing| {
                let shared = tile.intersection(thing);
                (shared / thing.area()) * (shared / tile.area() * 6.0).min(1.0)
            });
            let probability = best.fold(0.01, f32::max);
            Some(Score { probability, logit: (probability / (1.0 - probability)).ln(), margin: 0.1, runner_up: 0 })
        };
        tiles.iter().map(score).collect()
    }

    #[test]
    fn each_thing_gives_one_box_over_it() {
        let tiles = areas();
        let things = [UnitBox::new(0.1, 0.4, 0.2, 0.7), UnitBox::new(0.7, 0.3, 0.85, 0.8)];
        let found =
            detections(0, &tiles, &scores(&tiles, &things), 0.5, 640.0 / 360.0, Spread::TILES, &Foreground::default());
        assert_eq!(found.len(), 2, "{found:?}");
        for thing in things {
            assert!(found.iter().any(|d| d.area.iou(&thing) > 0.25), "{thing:?} in {found:?}");
        }
    }

    #[test]
    fn two_side_by_side_are_two_though_their_evidence_is_one() {
        let block = |i: u32| {
            UnitBox::new(
                (i % 32) as f32 / 32.0,
                (i / 32) as f32 / 18.0,
                (i % 32 + 2) as f32 / 32.0,
                (i / 32 + 2) as f32 / 18.0,
            )
        };
        let blocks: Vec<UnitBox> = (0..32 * 18).map(block).collect();
        let things = [UnitBox::new(0.4, 0.4, 0.46, 0.7), UnitBox::new(0.48, 0.4, 0.54, 0.7)];
        let both = [UnitBox::new(0.4, 0.4, 0.54, 0.7)];
        let stands_out = |things: &[UnitBox]| {
            let mut foreground = Foreground::default();
            for shown in [&[], things] {
                let pixel = |i: u32| {
                    let at = ((i % 640) as f32 / 640.0, (i / 640) as f32 / 360.0);
                    [if shown.iter().any(|thing| thing.contains(at)) { 200 } else { 90 }; 3]
                };
                let rgb: Vec<u8> = (0..640 * 360).flat_map(pixel).collect();
                foreground.see(&Frame::new(640, 360, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame"));
            }
            foreground
        };
        let found = |things: &[UnitBox]| {
            let score = |block: &UnitBox| {
                let probability = block.intersection(&both[0]) / block.area();
                Some(Score { probability, logit: 0.0, margin: 0.1, runner_up: 0 })
            };
            let scores: Vec<_> = blocks.iter().map(score).collect();
            detections(0, &blocks, &scores, 0.5, 640.0 / 360.0, Spread::BLOCKS, &stands_out(things))
        };
        let apart = found(&things);
        assert_eq!(apart.len(), 2, "{apart:?}");
        assert!(things.iter().all(|thing| apart.iter().any(|d| d.area.iou(thing) > 0.8)), "{apart:?}");
        // One thing, and a thing with a piece of it that hangs above it, are one.
        assert_eq!(found(&both).len(), 1);
        assert_eq!(found(&[UnitBox::new(0.4, 0.5, 0.54, 0.7), UnitBox::new(0.42, 0.4, 0.52, 0.46)]).len(), 1);
    }

    #[test]
    fn nothing_above_the_floor_gives_nothing() {
        let tiles = areas();
        assert_eq!(detections(0, &tiles, &scores(&tiles, &[]), 0.5, 1.8, Spread::TILES, &Foreground::default()), []);
    }
}
