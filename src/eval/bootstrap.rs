//! The bootstrap: how far a figure could be off because other pictures or other minutes could have been judged.
//!
//! Source: Efron, "Bootstrap methods: another look at the jackknife" (1979); the percentile interval.

use super::events::{EventScore, Verdict};
use super::precision::{Found, Judged, Wanted};

/// Resamples of which the percentiles are taken.
const RESAMPLES: usize = 1000;
/// Percentiles of a 95 % interval.
const ENDS: (f64, f64) = (0.025, 0.975);
/// Events within a block depend on each other, seconds.
const BLOCK_S: f64 = 10.0;
/// The same for every run, so that a figure can be repeated.
const SEED: u64 = 1979;
/// With 95 % certainty, fewer events than this were to be expected in a time in which none came (Poisson).
const MOST_OF_NONE: f64 = 3.0;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Draws `count` units with replacement, again and again; `figure` gets how often each was drawn. `None` where no resample
/// has the figure.
fn interval(count: usize, mut figure: impl FnMut(&[f64]) -> Option<f64>) -> Option<Interval> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut drawn = vec![0.0; count];
    let mut figures = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.fill(0.0);
        (0..count).for_each(|_| drawn[random.usize(0..count)] += 1.0);
        figures.extend(figure(&drawn));
    }
    figures.sort_by(f64::total_cmp);
    let at = |share: f64| figures.get((share * figures.len().saturating_sub(1) as f64).round() as usize).copied();
    Some(Interval { low: at(ENDS.0)?, high: at(ENDS.1)? })
}

/// The interval of the AP50, judged pictures resampled. `pictures` are their indices.
pub fn ap50(judged: &Judged, found: &[Found], wanted: &[Wanted], pictures: &[usize]) -> Option<Interval> {
    judged.ap50?;
    let place: std::collections::HashMap<usize, usize> = pictures.iter().copied().zip(0..).collect();
    interval(pictures.len(), |drawn| {
        judged.ap50_of(found, wanted, |image| place.get(&image).map_or(0.0, |at| drawn[*at]))
    })
}

/// What happened in one block of time.
#[derive(Clone, Copy, Default)]
struct Block {
    asked: f64,
    told: f64,
    wrong: f64,
    known_s: f64,
}

/// The intervals of events' recall and of false events per hour, blocks of 10 s resampled. Where no event is false, the
/// upper end is the 95 % limit of a Poisson rate.
pub fn events(score: &EventScore) -> (Option<Interval>, Option<Interval>) {
    let end = score.stretches.iter().map(|(_, to)| *to).fold(0.0, f64::max);
    let mut blocks = vec![Block::default(); (end / BLOCK_S).ceil().max(1.0) as usize];
    let last = blocks.len() - 1;
    let block = |time: f64| ((time / BLOCK_S).max(0.0) as usize).min(last);
    for thing in &score.asked {
        let block = &mut blocks[block(thing.from_s)];
        block.asked += 1.0;
        block.told += f64::from(u8::from(thing.delay_s.is_some()));
    }
    for (time, _) in score.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::False) {
        blocks[block(*time)].wrong += 1.0;
    }
    for (index, block) in blocks.iter_mut().enumerate() {
        let (from, to) = (index as f64 * BLOCK_S, (index + 1) as f64 * BLOCK_S);
        // What reaches out before the first block is of the first.
        let from = if index == 0 { f64::NEG_INFINITY } else { from };
        block.known_s = score.stretches.iter().map(|(a, b)| (b.min(to) - a.max(from)).max(0.0)).sum();
    }
    blocks.retain(|block| block.known_s > 0.0 || block.asked + block.wrong > 0.0);
    let sum =
        |drawn: &[f64], of: fn(&Block) -> f64| drawn.iter().zip(&blocks).map(|(n, block)| n * of(block)).sum::<f64>();
    let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    let recall = interval(blocks.len(), |drawn| share(sum(drawn, |b| b.told), sum(drawn, |b| b.asked)));
    let mut wrong = interval(blocks.len(), |drawn| share(3600.0 * sum(drawn, |b| b.wrong), sum(drawn, |b| b.known_s)));
    if score.count(Verdict::False) == 0 {
        wrong = share(3600.0 * MOST_OF_NONE, score.known_s()).map(|high| Interval { low: 0.0, high });
    }
    (recall.filter(|_| !score.asked.is_empty()), wrong)
}

#[cfg(test)]
mod tests {
    use super::super::events::Asked;
    use super::super::judge;
    use super::*;

    const AREA: [f64; 4] = [0.0, 0.0, 10.0, 10.0];

    fn pictures(count: usize, every: usize) -> (Vec<Found>, Vec<Wanted>) {
        let wanted = (0..count).map(|image| Wanted { image, area: AREA, crowd: false }).collect();
        let found = (0..count).step_by(every).map(|image| Found { image, area: AREA, score: 0.9 }).collect();
        (found, wanted)
    }

    #[test]
    fn the_interval_holds_the_figure_and_narrows_with_more_pictures() {
        let width = |count: usize| {
            let (found, wanted) = pictures(count, 2);
            let judged = judge(&found, &wanted);
            let interval = ap50(&judged, &found, &wanted, &(0..count).collect::<Vec<_>>()).expect("boxes");
            assert!((interval.low..=interval.high).contains(&judged.ap50.expect("boxes")), "{interval:?}");
            interval.high - interval.low
        };
        let (few, many) = (width(20), width(500));
        // The standard error of a share of one half is 0.11 of 20, 0.022 of 500.
        assert!((0.3..0.6).contains(&few) && (0.06..0.12).contains(&many), "{few} {many}");
        let (found, wanted) = pictures(20, 1);
        let sure = ap50(&judge(&found, &wanted), &found, &wanted, &(0..20).collect::<Vec<_>>());
        assert_eq!(sure, Some(Interval { low: 1.0, high: 1.0 }));
    }

    fn score(asked: Vec<Asked>, wrong: &[f64]) -> EventScore {
        let verdicts = wrong.iter().map(|time| (*time, Verdict::False)).collect();
        EventScore { asked, verdicts, stretches: vec![(0.0, 600.0)] }
    }

    #[test]
    fn events_of_one_block_go_together() {
        let apart: Vec<f64> = (0..30).map(|n| f64::from(n) * 20.0).collect();
        let together: Vec<f64> = (0..30).map(|n| f64::from(n / 10) * 200.0).collect();
        let width = |wrong: &[f64]| {
            let interval = events(&score(Vec::new(), wrong)).1.expect("time");
            assert!((interval.low..=interval.high).contains(&180.0), "{interval:?}");
            interval.high - interval.low
        };
        assert!(width(&together) > 2.0 * width(&apart));
    }

    #[test]
    fn recall_has_an_interval_and_none_false_is_not_never() {
        let thing = |n: u32| Asked { from_s: f64::from(n) * 20.0, delay_s: (!n.is_multiple_of(3)).then_some(1.0) };
        let (recall, wrong) = events(&score((0..30).map(thing).collect(), &[]));
        let recall = recall.expect("things");
        assert!(recall.low > 0.4 && recall.low < 0.6 && recall.high > 0.75 && recall.high < 0.9, "{recall:?}");
        assert_eq!(wrong, Some(Interval { low: 0.0, high: 18.0 }));
        assert_eq!(events(&score(Vec::new(), &[])).0, None);
    }

    #[test]
    fn a_run_can_be_repeated() {
        let score = score(Vec::new(), &[5.0, 100.0, 300.0]);
        assert_eq!(events(&score), events(&score));
    }
}
