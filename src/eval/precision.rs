//! Average precision as COCO defines it: found boxes, strongest first, are matched with true ones; precision over recall
//! is read at 101 points, its later maxima carried forward.
//!
//! Source: `pycocotools.cocoeval`, with which `tests/eval.rs` compares.

use super::{PixelBox, iou};

/// The overlaps at which COCO judges.
pub const OVERLAPS: [f64; 10] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];
/// More than these of one picture are not counted.
const MOST: usize = 100;
const POINTS: usize = 101;

/// A box that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Index of its picture.
    pub image: usize,
    /// Where.
    pub area: PixelBox,
    /// 0..1.
    pub score: f64,
}

/// A box that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Index of its picture.
    pub image: usize,
    /// Where.
    pub area: PixelBox,
    /// It counts neither for nor against.
    pub crowd: bool,
}

/// What became of one prompt's boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// True boxes, crowds left out.
    pub wanted: usize,
    /// Average precision at overlap 0.5; `None` without a true box.
    pub ap50: Option<f64>,
    /// Mean of the average precisions at all [`OVERLAPS`].
    pub ap: Option<f64>,
    /// Strongest first, at overlap 0.5: index of the found box, and of the true one that it matches. Those on crowds
    /// are left out.
    pub matches: Vec<(usize, Option<usize>)>,
}

/// Precision and recall when only boxes from `threshold` on count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AtThreshold {
    /// 0..1.
    pub threshold: f64,
    /// Share of what was found that is true; 1 where nothing was found.
    pub precision: f64,
    /// Share of what is true that was found.
    pub recall: f64,
}

impl AtThreshold {
    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }
}

/// Judges one prompt's boxes.
pub fn judge(found: &[Found], wanted: &[Wanted]) -> Judged {
    let order = counted(found);
    let count = wanted.iter().filter(|w| !w.crowd).count();
    let at = |overlap: f64| matched(found, &order, wanted, overlap);
    let precisions: Vec<f64> = OVERLAPS.iter().map(|overlap| average(&at(*overlap), |_| 1.0, count as f64)).collect();
    let some = |value: f64| (count > 0).then_some(value);
    Judged {
        wanted: count,
        ap50: some(precisions[0]),
        ap: some(precisions.iter().sum::<f64>() / OVERLAPS.len() as f64),
        matches: at(OVERLAPS[0]),
    }
}

impl Judged {
    /// Precision and recall at a threshold.
    pub fn at(&self, found: &[Found], threshold: f64) -> AtThreshold {
        let taken = self.matches.iter().take_while(|(f, _)| found[*f].score >= threshold);
        let (hits, all) = taken.fold((0, 0), |(hits, all), (_, w)| (hits + usize::from(w.is_some()), all + 1));
        let share = |part: usize, whole: usize| if whole > 0 { part as f64 / whole as f64 } else { 1.0 };
        AtThreshold { threshold, precision: share(hits, all), recall: share(hits, self.wanted) }
    }

    /// The threshold with the highest F1. `None` when nothing true was found.
    pub fn best(&self, found: &[Found]) -> Option<AtThreshold> {
        let hits = self.matches.iter().filter(|(_, wanted)| wanted.is_some());
        let all = hits.map(|(f, _)| self.at(found, found[*f].score));
        all.max_by(|a, b| a.f1().total_cmp(&b.f1()))
    }

    /// The AP50 if each picture, by index, were in the set so many times. `None` where no true box is left.
    pub fn ap50_of(&self, found: &[Found], wanted: &[Wanted], times: impl Fn(usize) -> f64) -> Option<f64> {
        let count: f64 = wanted.iter().filter(|want| !want.crowd).map(|want| times(want.image)).sum();
        (count > 0.0).then(|| average(&self.matches, |index| times(found[index].image), count))
    }

    /// Recall and precision as the threshold falls, one pair a found box.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let mut hits = 0;
        let point = |(index, (_, wanted)): (usize, &(usize, Option<usize>))| {
            hits += usize::from(wanted.is_some());
            (hits as f64 / self.wanted.max(1) as f64, hits as f64 / (index + 1) as f64)
        };
        self.matches.iter().enumerate().map(point).collect()
    }
}

/// Indices of the found boxes, strongest first, at most [`MOST`] a picture.
fn counted(found: &[Found]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|a, b| found[*b].score.total_cmp(&found[*a].score));
    let mut seen = std::collections::HashMap::new();
    order.retain(|index| {
        let count = seen.entry(found[*index].image).or_insert(0);
        *count += 1;
        *count <= MOST
    });
    order
}

fn matched(found: &[Found], order: &[usize], wanted: &[Wanted], overlap: f64) -> Vec<(usize, Option<usize>)> {
    let mut of_image: std::collections::HashMap<usize, Vec<usize>> = std::collections::HashMap::new();
    // Crowds come last: they take what matches nothing else.
    for (index, want) in wanted.iter().enumerate().filter(|(_, w)| !w.crowd) {
        of_image.entry(want.image).or_default().push(index);
    }
    for (index, want) in wanted.iter().enumerate().filter(|(_, w)| w.crowd) {
        of_image.entry(want.image).or_default().push(index);
    }
    let mut taken = vec![false; wanted.len()];
    let mut matches = Vec::new();
    for index in order {
        let (mut best, mut chosen) = (overlap, None);
        for other in of_image.get(&found[*index].image).into_iter().flatten() {
            let want = &wanted[*other];
            if want.crowd && chosen.is_some_and(|chosen: usize| !wanted[chosen].crowd) {
                break;
            }
            let shared = iou(&found[*index].area, &want.area, want.crowd);
            if shared >= best && (want.crowd || !taken[*other]) {
                (best, chosen) = (shared, Some(*other));
            }
        }
        if let Some(chosen) = chosen {
            taken[chosen] = true;
            if wanted[chosen].crowd {
                continue;
            }
        }
        matches.push((*index, chosen));
    }
    matches
}

/// `weight` is how often a found box counts, by index; `count` the true boxes, each as often as its picture.
fn average(matches: &[(usize, Option<usize>)], weight: impl Fn(usize) -> f64, count: f64) -> f64 {
    let (mut hits, mut all) = (0.0, 0.0);
    let mut curve: Vec<(f64, f64)> = Vec::with_capacity(matches.len());
    for (index, wanted) in matches {
        let weight = weight(*index);
        if weight > 0.0 {
            hits += if wanted.is_some() { weight } else { 0.0 };
            all += weight;
            curve.push((hits / count.max(1.0), hits / all));
        }
    }
    for i in (1..curve.len()).rev() {
        curve[i - 1].1 = curve[i - 1].1.max(curve[i].1);
    }
    let read = |point: usize| {
        let recall = point as f64 / (POINTS - 1) as f64;
        let at = curve.partition_point(|(r, _)| *r < recall);
        curve.get(at).map_or(0.0, |(_, precision)| *precision)
    };
    (0..POINTS).map(read).sum::<f64>() / POINTS as f64
}
