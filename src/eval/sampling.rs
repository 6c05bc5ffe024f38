//! Sampling: which frames of a video are analysed, so that judged frames are among them and the rate is kept.

/// Frames at times that differ by less are the same, seconds.
const SAME_S: f64 = 1e-4;

/// A frame that is to be analysed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<T> {
    /// Its position in the video, seconds.
    pub time_s: f64,
    /// The frame.
    pub frame: T,
    /// Index of the judged time that it is compared with, at most half an interval away.
    pub judged: Option<usize>,
}

/// Chooses one frame an interval. The frame nearest to a judged time is chosen where there is one in an interval, else the
/// frame nearest to the interval's middle.
#[derive(Debug)]
pub struct Sampler<T> {
    interval_s: f64,
    /// In order of time, each with its index in the list that was given.
    judged: Vec<(f64, usize)>,
    slot: i64,
    /// The frame before, not chosen so far.
    before: Option<(f64, T)>,
}

impl<T> Sampler<T> {
    /// Chooses `fps` frames a second, from `from_s` seconds on. `judged` are the positions of judged frames, with an index
    /// for each.
    pub fn new(fps: f64, from_s: f64, judged: impl Iterator<Item = (f64, usize)>) -> Self {
        let mut judged: Vec<(f64, usize)> = judged.collect();
        judged.sort_by(|a, b| a.0.total_cmp(&b.0));
        let interval_s = 1.0 / fps;
        Self { interval_s, judged, slot: slot(from_s, interval_s), before: None }
    }

    /// The time that a slot's frame should have, and the judged time's index where it is one.
    fn wanted(&self, at: i64) -> (f64, Option<usize>) {
        let middle = at as f64 * self.interval_s;
        let from = self.judged.partition_point(|(time, _)| slot(*time, self.interval_s) < at);
        let of_slot = self.judged[from..].iter().take_while(|(time, _)| slot(*time, self.interval_s) == at);
        let nearest = of_slot.min_by(|a, b| (a.0 - middle).abs().total_cmp(&(b.0 - middle).abs()));
        nearest.map_or((middle, None), |(time, index)| (*time, Some(*index)))
    }

    fn sample(&mut self, (time_s, frame): (f64, T)) -> Sample<T> {
        let (wanted, judged) = self.wanted(self.slot);
        self.slot += 1;
        let near = (time_s - wanted).abs() <= self.interval_s / 2.0 + SAME_S;
        Sample { time_s, frame, judged: judged.filter(|_| near) }
    }

    /// Takes the next frame of the video in, and gives the frames that are now known to be chosen: none, one or two.
    pub fn offer(&mut self, time_s: f64, frame: T) -> Vec<Sample<T>> {
        let mut chosen = Vec::new();
        loop {
            let (wanted, judged) = self.wanted(self.slot);
            if wanted > time_s {
                self.before = Some((time_s, frame));
                return chosen;
            }
            if let Some(before) = self.before.take_if(|(before, _)| wanted - *before < time_s - wanted) {
                chosen.push(self.sample(before));
                continue;
            }
            // A video of a lower rate has no frame for some slots.
            let (next, next_judged) = self.wanted(self.slot + 1);
            let needed = judged.is_some() && next_judged.is_none() && time_s - wanted <= self.interval_s / 2.0;
            if (next - time_s).abs() < time_s - wanted && !needed {
                self.slot += 1;
                continue;
            }
            self.before = None;
            chosen.push(self.sample((time_s, frame)));
            return chosen;
        }
    }

    /// The last frame, where it was held back.
    pub fn finish(mut self) -> Option<Sample<T>> {
        let last = self.before.take()?;
        let near = (self.wanted(self.slot).0 - last.0).abs() <= self.interval_s / 2.0;
        near.then(|| self.sample(last))
    }
}

/// The slot that a time is in: slot `n` is around `n` intervals.
fn slot(time_s: f64, interval_s: f64) -> i64 {
    ((time_s + SAME_S) / interval_s).round() as i64
}

/// How many of the judged times were compared with a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Judged times within what was analysed.
    pub judged: usize,
    /// Those that were compared with a frame of their own.
    pub compared: usize,
    /// Those that no analysed frame is near: the video lacks them.
    pub missed: usize,
}

impl Coverage {
    /// From all judged times, those compared, and the times of all analysed frames in order, seconds. A judged time between
    /// analysed frames is missed only if it is further than half an interval from each of them.
    pub fn new(judged: &[f64], compared: usize, analysed: &[f64], fps: f64) -> Self {
        let reach = 0.5 / fps + SAME_S;
        let lonely = |time: &&f64| {
            let at = analysed.partition_point(|frame| frame < *time);
            let beside = analysed[at.saturating_sub(1)..].iter().take(2);
            !beside.map(|frame| (frame - **time).abs()).any(|away| away <= reach)
        };
        Self { judged: judged.len(), compared, missed: judged.iter().filter(lonely).count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chosen times with the judged indices, of a video of some rate and length.
    fn chosen(native: f64, length_s: f64, fps: f64, judged: &[f64]) -> Vec<(f64, Option<usize>)> {
        let mut sampler = Sampler::new(fps, 0.0, judged.iter().copied().zip(0..));
        let mut all = Vec::new();
        for frame in 0..(length_s * native) as usize {
            all.extend(sampler.offer(frame as f64 / native, frame));
        }
        all.extend(sampler.finish());
        all.iter().for_each(|sample| assert_eq!(sample.frame as f64 / native, sample.time_s));
        all.into_iter().map(|sample| (sample.time_s, sample.judged)).collect()
    }

    #[test]
    fn frames_of_sparse_truth_are_analysed_at_their_very_time() {
        // As PETS: 10 frames a second, judged at 0.9, 1.9, …, which 5 frames a second would pass over.
        let all = chosen(10.0, 4.0, 5.0, &[0.9, 1.9, 2.9]);
        assert_eq!(all.len(), 20, "the rate is kept");
        let judged: Vec<_> = all.iter().filter(|(_, judged)| judged.is_some()).copied().collect();
        assert_eq!(judged, [(0.9, Some(0)), (1.9, Some(1)), (2.9, Some(2))]);
        assert!(all.windows(2).all(|pair| pair[1].0 - pair[0].0 < 0.35), "{all:?}");
    }

    #[test]
    fn dense_truth_is_compared_at_each_analysed_frame() {
        let times: Vec<f64> = (0..40).map(|frame| f64::from(frame) / 10.0).collect();
        let all = chosen(10.0, 4.0, 5.0, &times);
        // The last frame is half an interval after the last slot's middle.
        assert_eq!(all.len(), 21);
        assert!(all.iter().all(|(time, judged)| judged.is_some_and(|index| times[index] == *time)));
    }

    #[test]
    fn a_video_of_a_lower_rate_gives_each_frame_once() {
        let all = chosen(5.0, 2.0, 20.0, &[0.2, 0.4]);
        assert_eq!(
            all.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
            (0..10).map(|n| f64::from(n) / 5.0).collect::<Vec<_>>()
        );
        assert_eq!((all[1].1, all[2].1), (Some(0), Some(1)));
    }

    #[test]
    fn a_judged_time_without_a_frame_near_is_missed() {
        let all = chosen(10.0, 2.0, 5.0, &[0.9, 7.0]);
        assert_eq!(all.iter().filter(|(_, judged)| judged.is_some()).count(), 1);
        let analysed: Vec<f64> = all.iter().map(|(time, _)| *time).collect();
        let coverage = Coverage::new(&[0.9, 7.0], 1, &analysed, 5.0);
        assert_eq!(coverage, Coverage { judged: 2, compared: 1, missed: 1 });
        // Between analysed frames, as most frames of a dense truth: not compared, not missed.
        assert_eq!(Coverage::new(&[0.0, 0.1], 1, &[0.0, 0.2], 5.0).missed, 0);
    }
}
