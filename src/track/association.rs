//! Association: which of a frame's detections shows which thing. Strong detections are given out first; weak ones only
//! to things that then have none (ByteTrack, Zhang et al. 2022). Each time all together are to fit best, by where things
//! are expected, how far the boxes overlap, and what they look like to the encoder and cell by cell.

use jiff::Timestamp;

use super::assignment::assign;
use super::motion::Motion;
use super::track::Track;
use crate::detect::Detection;
use crate::frame::UnitBox;

/// A pair that fits worse than this is none.
const ALONE: f32 = 8.0;
/// What it costs when the boxes do not overlap at all.
const OVERLAP: f32 = 2.0;
/// What each spread costs by which a detection looks unlike the thing.
const LOOK: f32 = 0.5;
/// Within so many spreads it looks like it.
const ALIKE: f32 = 2.0;
/// What it costs to have no cell alike rather than all,
const CELLS: f32 = 4.0;
/// of which this share is usual, and costs nothing.
const USUAL: f32 = 0.6;
/// From here on a place that is still further off costs but little more: boxes jump.
const JUMP: f32 = 3.0;
/// A wide guess counts so much.
const WIDE: f32 = 0.5;
/// A detection that lies in a thing by this share of itself, and looks like it cell by cell, is a part of it.
const WITHIN: f32 = 0.8;
/// Two boxes that share this much of the smaller one hide each other.
const HIDDEN: f32 = 0.3;

/// A detection of a track.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    /// Index of the track.
    pub track: usize,
    /// Index of the detection.
    pub detection: usize,
    /// Another thing is about there: the box may be of both, and what it looks like may be the other.
    pub crowded: bool,
}

/// The detections of each track that has one.
pub fn associate(tracks: &[Track], detections: &[Detection], threshold: f32, now: Timestamp) -> Vec<Pair> {
    let expected: Vec<Motion> = tracks.iter().map(|track| track.expected(now)).collect();
    let mut left: Vec<usize> = (0..tracks.len()).collect();
    let mut pairs = Vec::new();
    let (strong, weak): (Vec<usize>, Vec<usize>) =
        (0..detections.len()).partition(|detection| detections[*detection].score >= threshold);
    for level in [strong, weak] {
        let of_track = |track: &usize| -> Vec<f32> {
            level.iter().map(|d| cost(&tracks[*track], &expected[*track], &detections[*d])).collect()
        };
        let costs: Vec<Vec<f32>> = left.iter().map(of_track).collect();
        let found = assign(&costs, level.len(), ALONE);
        pairs.extend(found.iter().map(|(row, column)| (left[*row], level[*column])));
        left.retain(|track| !pairs.iter().any(|(taken, _)| taken == track));
    }
    let whole = pairs.len();
    for detection in (0..detections.len()).filter(|d| detections[*d].score >= threshold) {
        if pairs.iter().any(|(_, taken)| *taken == detection) {
            continue;
        }
        let alike = |track: &usize| Some((part(&tracks[*track], &expected[*track], &detections[detection])?, *track));
        if let Some((_, track)) = left.iter().filter_map(alike).max_by(|a, b| a.0.total_cmp(&b.0)) {
            pairs.push((track, detection));
            left.retain(|other| *other != track);
        }
    }
    let crowded = |track: usize, area: &UnitBox, detection: usize| {
        let others = expected.iter().enumerate().filter(|(other, _)| *other != track).map(|(_, motion)| motion.area());
        let boxes = detections.iter().enumerate().filter(|(other, _)| *other != detection).map(|(_, d)| d.area);
        others.chain(boxes).any(|other| other.intersection(area) > HIDDEN * other.area().min(area.area()))
    };
    let pair = |(index, (track, detection)): (usize, (usize, usize))| {
        let crowded = index >= whole || crowded(track, &detections[detection].area, detection);
        Pair { track, detection, crowded }
    };
    pairs.into_iter().enumerate().map(pair).collect()
}

/// How alike a detection is to the thing of which it is a part; `None` where it is none. Of what has the background's colours
/// here and there, only a part stands out: to the encoder that looks unlike the whole, but not cell by cell.
fn part(track: &Track, expected: &Motion, detection: &Detection) -> Option<f32> {
    let is_within = expected.area().intersection(&detection.area) >= WITHIN * detection.area.area();
    if !is_within || expected.has_left() || detection.beside.contains(&track.number) {
        return None;
    }
    let alike = track.cutout()?.alike(detection.cutout.as_ref()?);
    (alike >= USUAL).then_some(alike)
}

fn cost(track: &Track, expected: &Motion, detection: &Detection) -> f32 {
    let area = &detection.area;
    // What is expected outside has left, and whoever comes in there is another, as is who stands beside it.
    if expected.has_left() || detection.beside.contains(&track.number) {
        return f32::INFINITY;
    }
    let overlap = nearness(&expected.area(), area).max(nearness(&track.detection.area, area));
    let unlike = track.look.misfit(detection.embedding.as_ref());
    if overlap <= 0.0 && unlike.is_none_or(|spreads| spreads > ALIKE) {
        return f32::INFINITY;
    }
    let (far, wide) = expected.misfit(area);
    let alike = track.cutout().zip(detection.cutout.as_ref()).map(|(known, seen)| known.alike(seen));
    let place = JUMP * (far / JUMP).ln_1p() + WIDE * wide + OVERLAP * (1.0 - overlap);
    place + LOOK * unlike.unwrap_or(1.0) + CELLS * alike.map_or(0.0, |alike| USUAL - alike)
}

/// How well two boxes could be one thing a moment apart: overlap when each is grown by half its size. 0 is impossible.
fn nearness(a: &UnitBox, b: &UnitBox) -> f32 {
    let grown = |b: &UnitBox| {
        let (w, h) = ((b.x1 - b.x0) / 2.0, (b.y1 - b.y0) / 2.0);
        UnitBox { x0: b.x0 - w, y0: b.y0 - h, x1: b.x1 + w, y1: b.y1 + h }
    };
    grown(a).iou(&grown(b))
}
