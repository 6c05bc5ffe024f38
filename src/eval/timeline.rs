//! The timeline: where the things of one target are at any moment of a video, and when that is known.

use std::collections::BTreeMap;

use super::{PixelBox, Target, Truth};

/// Between judged frames this far apart or nearer, boxes are interpolated and everything else is known not to be there,
/// seconds. What is true between frames further apart is not known.
pub const BRIDGED_S: f64 = 2.0;
/// Rounding of positions, seconds.
const ROUNDING_S: f64 = 1e-3;

/// A box of a thing at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// Position in the video, seconds.
    pub time_s: f64,
    /// Where it is, in shares of the picture.
    pub area: PixelBox,
    /// It is not to be judged: a crowd, or too little of it can be seen.
    pub ignore: bool,
}

/// One thing, or a part of its way, from its first sighting to its last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thing {
    /// In order of time.
    pub sightings: Vec<Sighting>,
    /// It has a track, so that the time in view is known.
    pub tracked: bool,
}

/// All things of one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// In no order.
    pub things: Vec<Thing>,
    /// From and to, seconds: stretches in which the truth is known.
    pub stretches: Vec<(f64, f64)>,
}

impl Thing {
    /// Where it is at a moment: interpolated between sightings, and held for `reach_s` seconds before the first and after the
    /// last.
    pub fn at(&self, time_s: f64, reach_s: f64) -> Option<Sighting> {
        let after = self.sightings.partition_point(|seen| seen.time_s < time_s);
        let (before, after) = (after.checked_sub(1).map(|at| self.sightings[at]), self.sightings.get(after).copied());
        if let (Some(a), Some(b)) = (before, after)
            && b.time_s - a.time_s <= BRIDGED_S + ROUNDING_S
        {
            let share = (time_s - a.time_s) / (b.time_s - a.time_s).max(ROUNDING_S);
            let mut area = a.area;
            (0..4).for_each(|i| area[i] += share.min(1.0) * (b.area[i] - a.area[i]));
            return Some(Sighting { time_s, area, ignore: a.ignore || b.ignore });
        }
        let away = |seen: &Sighting| (seen.time_s - time_s).abs();
        let nearest = before.into_iter().chain(after).min_by(|a, b| away(a).total_cmp(&away(b)))?;
        (away(&nearest) <= reach_s + ROUNDING_S).then_some(nearest)
    }

    /// The stay, of those in the given stretches, in which it can be seen for longest: from and to, seconds.
    fn stays<'a>(&'a self, stretches: &'a [(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + 'a {
        stretches.iter().filter_map(|(from, to)| {
            let inside = |seen: &&Sighting| !seen.ignore && (*from..=*to).contains(&seen.time_s);
            let mut times = self.sightings.iter().filter(inside).map(|seen| seen.time_s);
            let first = times.next()?;
            Some((first, times.next_back().unwrap_or(first)))
        })
    }

    /// Whether it can be seen for `shortest_s` seconds on end within one stretch.
    pub fn is_in_view_for(&self, shortest_s: f64, stretches: &[(f64, f64)]) -> bool {
        self.tracked && self.stays(stretches).any(|(from, to)| to - from >= shortest_s - ROUNDING_S)
    }

    /// When it came into view, seconds: the beginning of the stay that a moment is in, or of its first.
    pub fn came(&self, moment_s: Option<f64>, stretches: &[(f64, f64)]) -> f64 {
        let mut stays = self.stays(stretches);
        let first = stays.next().map_or(0.0, |(from, _)| from);
        let begun = |moment: f64| stays.filter(|(from, _)| *from <= moment + ROUNDING_S).last();
        moment_s.and_then(begun).map_or(first, |(from, _)| from)
    }
}

impl Timeline {
    /// The things that a target describes. Boxes of which less than `visible` (0..1) can be seen are not to be judged;
    /// `reach_s` seconds around a judged frame are known.
    pub fn new(truth: &Truth, target: &Target, visible: f64, reach_s: f64) -> Self {
        let mut tracked: BTreeMap<u64, Thing> = BTreeMap::new();
        let mut things = Vec::new();
        for thing in truth.boxes.iter().filter(|thing| target.describes(thing)) {
            let image = &truth.images[thing.image];
            let Some(time_s) = image.time_s else { continue };
            let [x, y, w, h] = thing.area;
            let area = [x / image.size.0, y / image.size.1, w / image.size.0, h / image.size.1];
            let sighting = Sighting { time_s, area, ignore: thing.crowd || thing.visible < visible };
            match thing.track {
                Some(track) => tracked.entry(track).or_default().sightings.push(sighting),
                None => things.push(Thing { sightings: vec![sighting], tracked: false }),
            }
        }
        things.extend(tracked.into_values().map(|thing| Thing { tracked: true, ..thing }));
        things.iter_mut().for_each(|thing| thing.sightings.sort_by(|a, b| a.time_s.total_cmp(&b.time_s)));
        Self { things, stretches: stretches(truth, reach_s) }
    }

    /// Of a target that does not occur: nothing is there from one moment to another, seconds.
    pub fn empty(from_s: f64, to_s: f64) -> Self {
        Self { things: Vec::new(), stretches: vec![(from_s, to_s)] }
    }

    /// The same, as far as it lies between two moments, seconds.
    #[must_use]
    pub fn between(mut self, from_s: f64, to_s: f64) -> Self {
        self.stretches.iter_mut().for_each(|(from, to)| (*from, *to) = (from.max(from_s), to.min(to_s)));
        self.stretches.retain(|(from, to)| from < to);
        self
    }

    /// Whether the truth is known at a moment.
    pub fn is_known(&self, time_s: f64) -> bool {
        self.stretches.iter().any(|(from, to)| (from - ROUNDING_S..=to + ROUNDING_S).contains(&time_s))
    }

    /// Seconds between two moments in which the truth is known.
    pub fn known_s(&self, from_s: f64, to_s: f64) -> f64 {
        self.stretches.iter().map(|(from, to)| (to.min(to_s) - from.max(from_s)).max(0.0)).sum()
    }
}

/// Where judged frames follow each other within [`BRIDGED_S`], `reach_s` seconds longer at either end.
fn stretches(truth: &Truth, reach_s: f64) -> Vec<(f64, f64)> {
    let mut times: Vec<f64> = truth.images.iter().filter_map(|image| image.time_s).collect();
    times.sort_by(f64::total_cmp);
    let mut all: Vec<(f64, f64)> = Vec::new();
    for time in times {
        match all.last_mut() {
            Some((_, to)) if time - *to <= BRIDGED_S + ROUNDING_S => *to = time,
            _ => all.push((time, time)),
        }
    }
    all.into_iter().map(|(from, to)| (from - reach_s, to + reach_s)).collect()
}

/// From the first to the last sighting of each track of all targets, seconds.
pub fn lifetimes(truth: &Truth) -> BTreeMap<u64, (f64, f64)> {
    let mut all: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for thing in &truth.boxes {
        if let (Some(track), Some(time)) = (thing.track, truth.images[thing.image].time_s) {
            let life = all.entry(track).or_insert((time, time));
            *life = (life.0.min(time), life.1.max(time));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person at 1, 2 and 3 s, hidden at 3 s, and again at 20 s; frames are judged at those times.
    fn sparse() -> (Truth, Target) {
        let images: Vec<_> = [1.0, 2.0, 3.0, 20.0]
            .iter()
            .zip(1..)
            .map(|(time, id)| serde_json::json!({"id": id, "width": 100, "height": 50, "time_s": time}))
            .collect();
        let boxes: Vec<_> = [(1, 10, 0), (2, 20, 0), (3, 30, 1), (4, 40, 0)]
            .iter()
            .map(|(image, x, ignore)| {
                serde_json::json!({"image_id": image, "category_id": 1, "track_id": 5, "bbox": [x, 0, 10, 25], "iscrowd": ignore})
            })
            .collect();
        let text =
            serde_json::json!({"categories": [{"id": 1, "name": "person"}], "images": images, "annotations": boxes});
        let truth = Truth::parse(text.to_string().as_bytes()).expect("valid");
        let target = Target::parse("person", &truth).expect("valid");
        (truth, target)
    }

    #[test]
    fn boxes_are_interpolated_between_judged_frames_and_unknown_elsewhere() {
        let (truth, target) = sparse();
        let timeline = Timeline::new(&truth, &target, 0.5, 0.1);
        let thing = &timeline.things[0];
        let between = thing.at(1.5, 0.1).expect("known");
        assert!((between.area[0] - 0.15).abs() < 1e-9 && between.area[3] == 0.5 && !between.ignore);
        assert!(thing.at(2.5, 0.1).expect("known").ignore, "on the way to a box that is not judged");
        assert_eq!(thing.at(0.95, 0.1).map(|seen| seen.area[0]), Some(0.1));
        assert_eq!((thing.at(0.5, 0.1), thing.at(10.0, 0.1)), (None, None));
        assert!(timeline.is_known(1.5) && !timeline.is_known(10.0) && timeline.is_known(20.05));
        assert!((timeline.known_s(0.0, 30.0) - 2.4).abs() < 1e-6);
        assert!((timeline.between(1.0, 2.0).known_s(0.0, 30.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn time_in_view_is_that_within_one_stretch() {
        let (truth, target) = sparse();
        let timeline = Timeline::new(&truth, &target, 0.5, 0.1);
        let thing = &timeline.things[0];
        assert!(thing.is_in_view_for(1.0, &timeline.stretches), "from 1 to 2 s; at 3 s it is not judged");
        assert!(!thing.is_in_view_for(2.0, &timeline.stretches), "nothing is known from 3 to 20 s");
        assert_eq!(thing.came(Some(20.0), &timeline.stretches), 20.0);
        assert_eq!((thing.came(Some(1.5), &timeline.stretches), thing.came(None, &timeline.stretches)), (1.0, 1.0));
        assert_eq!(lifetimes(&truth)[&5], (1.0, 20.0));
    }
}
