//! Which thing is which: ids where things cross, hide each other, or are seen in part.

use std::sync::Arc;

use lookout::regions::Cutout;

use crate::tracks::{at, begun, kinds, look, noise, number_at, seen, told, tracker};

/// Two things cross and hide each other, boxes tremble, and where they overlap the detector gives one box. Counts in how
/// many of so many crossings an id went over to the other.
fn switches(crossings: u32, looks_alike: bool, passes: impl Fn(f32) -> f32) -> u32 {
    let mut switched = 0;
    for crossing in 0..crossings {
        let mut seed = 77 + crossing;
        let mut tracker = tracker("");
        let speed = 0.08 + 0.01 * (crossing % 5) as f32;
        let duration = 0.7 / f64::from(speed);
        let place = |seconds: f64| {
            let way = passes((seconds / duration) as f32);
            (0.15 + 0.7 * way, 0.85 - 0.7 * way)
        };
        let mut before = None;
        for frame in 0..(duration * 5.0) as u32 {
            let seconds = f64::from(frame) / 5.0;
            let (a, b) = place(seconds);
            let mut found = Vec::new();
            for (x, kind) in [(a, 0), (b, usize::from(!looks_alike))] {
                // One frame in ten finds nothing.
                if noise(&mut seed) > -0.8 {
                    let mut thing = seen(x + 0.015 * noise(&mut seed), kind);
                    thing.area.y1 += 0.03 * noise(&mut seed);
                    thing.embedding = Some(look(kind, 0.3 * noise(&mut seed)));
                    found.push(thing);
                }
            }
            // Non-maximum suppression leaves one of two that overlap.
            if let [one, other] = &found[..]
                && one.area.iou(&other.area) > 0.3
            {
                found.truncate(1);
            }
            tracker.step(found, at(seconds));
            if frame == 10 {
                before = Some((number_at(&tracker, a), number_at(&tracker, b)));
            }
        }
        let (a, b) = place(duration - 0.4);
        switched += u32::from(before != Some((number_at(&tracker, a), number_at(&tracker, b))));
    }
    switched
}

#[test]
fn things_that_cross_keep_their_ids() {
    let (by_looks, by_motion) = (switches(20, false, |way| way), switches(20, true, |way| way));
    assert!(by_looks == 0 && by_motion <= 2, "of 20 {by_looks} where they look different, {by_motion} where alike");
}

#[test]
fn things_that_meet_and_turn_back_are_told_apart_by_their_looks() {
    let turns = |way: f32| if way < 0.5 { way } else { 1.0 - way };
    let switched = switches(20, false, turns);
    assert!(switched <= 2, "{switched} of 20");
}

#[test]
fn what_is_hidden_for_a_moment_goes_on_with_its_id() {
    let mut tracker = tracker("");
    let hidden = 2.0..4.4;
    let walk = |seconds: f64| (!hidden.contains(&seconds)).then(|| seen(0.1 + 0.08 * seconds as f32, 0));
    let all = told(&mut tracker, 0.0, 8.0, |seconds| walk(seconds).into_iter().collect());
    assert_eq!((begun(&all), tracker.tracks().len()), (1, 1), "{:?}", kinds(&all));
}

#[test]
fn what_only_a_part_of_stands_out_of_is_the_same_thing() {
    // Trousers in the colour of the street: for a while only the upper half is seen, which looks like something else.
    let parted = |seconds: f64| {
        let x = 0.2 + 0.06 * seconds as f32;
        let rows = if (2.0..4.0).contains(&seconds) { 2 } else { 4 };
        let cells = (0..4 * rows).map(|i| Some([200.0 - 20.0 * (i / 4) as f32, 60.0, 60.0])).collect();
        let mut thing = seen(x, usize::from(rows == 2));
        thing.area.y1 = 0.4 + 0.05 * rows as f32;
        thing.cutout = Some(Arc::new(Cutout::new(4, cells)));
        vec![thing]
    };
    let mut tracker = tracker("");
    let told = told(&mut tracker, 0.0, 6.0, parted);
    assert_eq!(begun(&told), 1);
    assert_eq!((tracker.present().count(), number_at(&tracker, 0.55)), (1, 0));
}

#[test]
fn another_thing_in_the_place_of_one_that_has_just_gone_is_another() {
    let mut tracker = tracker("");
    let scene = |seconds: f64| match seconds {
        s if s < 3.0 => vec![seen(0.5, 0)],
        s if s > 4.0 => vec![seen(0.56, 2)],
        _ => vec![],
    };
    let all = told(&mut tracker, 0.0, 8.0, scene);
    assert_eq!(begun(&all), 2, "{:?}", kinds(&all));
}
