//! Things over time, as a person at home would have them told: by the boxes that a detector gives of them.

use std::path::Path;

use jiff::Timestamp;
use lookout::clip::Embedding;
use lookout::config::parse;
use lookout::config::rules::Severity;
use lookout::config::settings::CameraSettings;
use lookout::detect::Detection;
use lookout::frame::UnitBox;
use lookout::track::tracker::Change;
use lookout::track::{Direction, Tracker};

fn camera(prompt: &str) -> CameraSettings {
    let text = format!(
        "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\ntime_zone = \"Europe/Berlin\"\n\
         [[camera.zone]]\nname = \"door\"\npoints = [[0.0, 0.0], [0.3, 0.0], [0.3, 1.0], [0.0, 1.0]]\n\
         [[camera.line]]\nname = \"drive\"\nfrom = [0.5, 1.0]\nto = [0.5, 0.0]\n\
         [[camera.prompt]]\nname = \"car\"\nphrases = \"a car\"\nthreshold = 0.6\n{prompt}"
    );
    parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0)
}

pub fn tracker(prompt: &str) -> Tracker {
    let camera = camera(prompt);
    Tracker::new(&camera, &camera.prompts[0])
}

/// Noon in Berlin, and so many seconds later.
pub fn at(seconds: f64) -> Timestamp {
    let noon: Timestamp = "2026-01-15T11:00:00Z".parse().expect("a time");
    noon + std::time::Duration::from_millis((seconds * 1000.0).round() as u64)
}

/// What a thing of that kind looks like, nearly.
pub fn look(kind: usize, tremble: f32) -> Embedding {
    let mut values = vec![0.6, 0.6, 0.6, tremble];
    values[kind] += 1.0;
    Embedding::new(values).expect("not zero")
}

pub fn seen(x: f32, kind: usize) -> Detection {
    let (area, embedding) = (UnitBox::new(x - 0.06, 0.4, x + 0.06, 0.6), Some(look(kind, 0.1)));
    Detection { embedding, ..Detection::new(0, area, 0.9) }
}

type Told = (&'static str, f64);

/// What is told over a time at 5 frames a second, by when; `scene` gives the boxes of each moment.
pub fn told(tracker: &mut Tracker, from: f64, to: f64, scene: impl Fn(f64) -> Vec<Detection>) -> Vec<(Told, Change)> {
    let mut all = Vec::new();
    for frame in 0..((to - from) * 5.0).round() as u32 {
        let seconds = from + f64::from(frame) / 5.0;
        for change in tracker.step(scene(seconds), at(seconds)) {
            let kind = match &change {
                Change::New(_) => "new",
                Change::Update(_) => "update",
                Change::End(_) => "end",
            };
            all.push(((kind, seconds), change));
        }
    }
    all
}

pub fn kinds(told: &[(Told, Change)]) -> Vec<&'static str> {
    told.iter().map(|((kind, _), _)| *kind).collect()
}

pub fn begun(told: &[(Told, Change)]) -> usize {
    kinds(told).iter().filter(|kind| **kind == "new").count()
}

/// The number of the track whose box is nearest to `x`.
pub fn number_at(tracker: &Tracker, x: f32) -> u64 {
    let away = |track: &&lookout::track::Track| (track.detection.area.centre().0 - x).abs();
    tracker.present().min_by(|a, b| away(a).total_cmp(&away(b))).expect("something is there").number
}

/// A detector's trembling, -1..1, the same in every run.
pub fn noise(seed: &mut u32) -> f32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 8) as f32 / (1 << 23) as f32 - 1.0
}

#[test]
fn a_parked_thing_is_said_to_be_stationary_once_and_seldom_updated() {
    let mut tracker = tracker("");
    let mut seed = 3;
    let trembles: Vec<f32> = (0..2000).map(|_| 0.01 * noise(&mut seed)).collect();
    let all = told(&mut tracker, 0.0, 300.0, |seconds| vec![seen(0.5 + trembles[(seconds * 5.0) as usize], 0)]);
    let still: Vec<bool> =
        all.iter().map(|(_, change)| matches!(change, Change::Update(t) if t.stationary())).collect();
    let first = still.iter().position(|still| *still).expect("it is said");
    assert!((9.0..13.0).contains(&all[first].0.1), "{:?}", all[first].0);
    assert!(still[first..].iter().all(|still| *still), "trembling is no moving");
    assert!(still.len() - first <= 6, "once a minute is enough: {:?}", kinds(&all));
}

#[test]
fn a_parked_thing_gives_no_second_alert_when_it_was_hidden() {
    let mut tracker = tracker("");
    let scene = |seconds: f64| if (60.0..3000.0).contains(&seconds) { vec![] } else { vec![seen(0.5, 0)] };
    let before = told(&mut tracker, 0.0, 85.0, scene);
    assert_eq!(tracker.present().count(), 1, "something may stand before it");
    let all = [before, told(&mut tracker, 85.0, 3100.0, scene)].concat();
    let ids: Vec<u64> = tracker.present().map(|track| track.number).collect();
    assert_eq!((begun(&all), ids.len()), (1, 1), "{:?}", kinds(&all));
    let after: Vec<Told> = all.iter().map(|(told, _)| *told).filter(|(_, when)| *when > 61.0).collect();
    assert!(after[0].0 == "end" && after[1].0 == "update" && after[1].1 > 3000.0, "{after:?}");
}

#[test]
fn another_thing_in_its_place_does() {
    let mut tracker = tracker("");
    let scene = |seconds: f64| match seconds {
        s if s < 60.0 => vec![seen(0.5, 0)],
        s if s > 600.0 => vec![seen(0.5, 1)],
        _ => vec![],
    };
    assert_eq!(begun(&told(&mut tracker, 0.0, 660.0, scene)), 2);
}

#[test]
fn what_has_driven_away_and_comes_back_does_too() {
    let mut tracker = tracker("");
    let scene = |seconds: f64| match seconds {
        s if s < 60.0 => vec![seen(0.5, 0)],
        s if s < 65.0 => vec![seen(0.5 + 0.1 * (s - 60.0) as f32, 0)],
        s if s > 600.0 => vec![seen(0.5, 0)],
        _ => vec![],
    };
    let all = told(&mut tracker, 0.0, 660.0, scene);
    assert_eq!(begun(&all), 2, "{:?}", kinds(&all));
    let moves = all.iter().find(|((kind, when), _)| *kind == "update" && *when > 60.0).expect("an update");
    assert!(moves.0.1 < 62.0 && matches!(&moves.1, Change::Update(track) if !track.stationary()), "{:?}", moves.0);
}

#[test]
fn a_parked_thing_gives_no_second_alert_over_a_restart() {
    let mut first = tracker("");
    let all = told(&mut first, 0.0, 60.0, |_| vec![seen(0.5, 0)]);
    let id = |change: &Change| match change {
        Change::New(track) | Change::Update(track) | Change::End(track) => {
            let name = |text| lookout::config::settings::Name::new(text).expect("a name");
            (track.event_id(&name("gate"), &name("car")), track.told_times)
        }
    };
    assert_eq!(kinds(&all)[0], "new");
    let ends = first.finish();
    let kept = first.parked();
    assert_eq!((ends.len(), kept.len()), (1, 1));
    let mut second = tracker("");
    kept.into_iter().for_each(|parked| second.remember(parked));
    let again = told(&mut second, 300.0, 310.0, |_| vec![seen(0.5, 0), seen(0.2, 1)]);
    assert_eq!(second.present().count(), 2, "both are there");
    assert_eq!(begun(&again), 1, "the other one is new");
    let resumed = again.iter().find(|((kind, _), _)| *kind == "update").expect("it goes on");
    assert_eq!(id(&resumed.1), (id(&ends[0]).0, id(&ends[0]).1 + 1), "the same event, counted on");
    let mut late = tracker("");
    first.parked().into_iter().for_each(|parked| late.remember(parked));
    assert_eq!(begun(&told(&mut late, 7200.0, 7210.0, |_| vec![seen(0.5, 0)])), 1, "two hours are too long");
}

#[test]
fn what_is_parked_is_there_from_the_first_frame_after_a_restart_until_it_proves_to_have_gone() {
    let mut first = tracker("");
    told(&mut first, 0.0, 60.0, |_| vec![seen(0.5, 0)]);
    first.finish();
    assert_eq!(first.count(), 1, "the camera is away, the car is not");
    for (stays, wanted) in [(true, 1), (false, 0)] {
        let mut second = tracker("");
        first.parked().into_iter().for_each(|parked| second.remember(parked));
        let scene = |_| if stays { vec![seen(0.5, 0)] } else { vec![] };
        for frame in 0..100 {
            second.step(scene(frame), at(300.0 + f64::from(frame) / 5.0));
            assert_eq!(second.count(), 1, "its sensor never goes off and on again");
        }
        told(&mut second, 320.0, 340.0, |_| scene(0));
        assert_eq!(second.count(), wanted);
    }
}

#[test]
fn a_loiterer_is_told_once_he_has_stayed() {
    let mut tracker = tracker("dwell_s = 8");
    assert_eq!(begun(&told(&mut tracker, 0.0, 7.0, |_| vec![seen(0.5, 0)])), 0);
    assert_eq!(begun(&told(&mut tracker, 7.0, 30.0, |_| vec![seen(0.5, 0)])), 1);
}

#[test]
fn a_cooldown_holds_new_events_back_while_what_is_there_is_known() {
    let mut tracker = tracker("cooldown_s = 60");
    let scene = |seconds: f64| match seconds {
        s if s < 5.0 => vec![seen(0.5, 0)],
        s if (20.0..30.0).contains(&s) => vec![seen(0.2, 1)],
        s if s > 50.0 => vec![seen(0.8, 2)],
        _ => vec![],
    };
    assert_eq!(begun(&told(&mut tracker, 0.0, 10.0, scene)), 1);
    let second = told(&mut tracker, 10.0, 29.0, scene);
    assert!(second.is_empty() && tracker.present().count() == 1, "{:?}", kinds(&second));
    let third = told(&mut tracker, 29.0, 70.0, scene);
    assert!(kinds(&third)[0] == "new" && (60.0..61.5).contains(&third[0].0.1), "{:?}", third[0].0);
}

#[test]
fn a_cooldown_goes_on_over_a_restart_but_no_longer_where_the_clock_was_set_back() {
    let mut first = tracker("cooldown_s = 60");
    assert_eq!(begun(&told(&mut first, 1000.0, 1005.0, |_| vec![seen(0.5, 0)])), 1);
    let alerted = first.alerted().expect("it has");
    for (starts, begins) in [(1030.0, 1060.0), (100.0, 100.5)] {
        let mut second = tracker("cooldown_s = 60");
        second.pause_from(alerted);
        let all = told(&mut second, starts, starts + 60.0, |_| vec![seen(0.2, 1)]);
        assert!(kinds(&all)[0] == "new" && (begins..begins + 1.5).contains(&all[0].0.1), "{:?}", all[0].0);
    }
    let mut without = tracker("");
    told(&mut without, 0.0, 5.0, |_| vec![seen(0.5, 0)]);
    assert_eq!(without.alerted(), None, "nothing to keep where no cooldown asks for it");
}

#[test]
fn a_detection_becomes_an_alert_once() {
    let severities = |told: &[(Told, Change)]| -> Vec<(&'static str, Severity)> {
        let one = |((kind, _), change): &(Told, Change)| match change {
            Change::New(track) | Change::Update(track) | Change::End(track) => (*kind, track.severity),
        };
        told.iter().map(one).collect()
    };
    let mut by_time = tracker("alert_after_s = 5");
    let all = severities(&told(&mut by_time, 0.0, 9.0, |_| vec![seen(0.5, 0)]));
    assert_eq!(all[0], ("new", Severity::Detection));
    assert_eq!(all.last(), Some(&("update", Severity::Alert)));
    assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].1), "only upwards: {all:?}");
    let mut by_zone = tracker("alert_zones = \"door\"");
    let walk = |seconds: f64| vec![seen((0.6 - 0.1 * seconds as f32).max(0.2), 0)];
    let all = told(&mut by_zone, 0.0, 6.0, walk);
    let raised = severities(&all).iter().position(|told| *told == ("update", Severity::Alert)).expect("raised");
    assert!((3.0..3.5).contains(&all[raised].0.1), "at once: {:?}", all[raised].0);
    let mut paused = tracker("alert_zones = \"door\"\ncooldown_s = 600");
    told(&mut paused, 0.0, 5.0, |_| vec![seen(0.6, 0)]);
    let next = severities(&told(&mut paused, 20.0, 25.0, |_| vec![seen(0.1, 1)]));
    assert!(next.contains(&("new", Severity::Alert)), "what was no alert starts no pause: {next:?}");
}

#[test]
fn a_crossing_is_told_at_once_with_its_direction() {
    let mut tracker = tracker("lines = \"drive\"");
    let walk = |seconds: f64| vec![seen(0.2 + 0.1 * seconds as f32, 0)];
    let all = told(&mut tracker, 0.0, 6.0, walk);
    let crossed: Vec<_> = all
        .iter()
        .filter_map(|((_, when), change)| match change {
            Change::Update(track) if !track.crossed.is_empty() => Some((*when, track.crossed.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(crossed.len(), 1);
    let (when, crossings) = &crossed[0];
    assert!((3.0..3.6).contains(when), "{when}");
    assert_eq!((crossings[0].line.as_str(), crossings[0].direction), ("drive", Direction::LeftToRight));
}

#[test]
fn outside_its_hours_nothing_is_told_and_nothing_is_there() {
    // It is noon.
    let mut night = tracker("hours = \"22:00-06:00\"");
    assert!(told(&mut night, 0.0, 10.0, |_| vec![seen(0.5, 0)]).is_empty());
    assert_eq!(night.present().count(), 0);
    let mut until = tracker("hours = [\"11:00-12:01\"]");
    let all = told(&mut until, 0.0, 70.0, |_| vec![seen(0.3 + 0.1 * (at(0.0).as_second() % 2) as f32, 0)]);
    assert_eq!((kinds(&all)[0], *kinds(&all).last().expect("told")), ("new", "end"));
    assert_eq!(all.last().expect("told").0.1, 60.0);
}

#[test]
fn what_stood_there_before_its_hours_began_is_no_news_until_it_moves() {
    let mut from = tracker("hours = \"12:01-13:00\"");
    let scene = |seconds: f64| match seconds {
        s if s < 100.0 => vec![seen(0.5, 0)],
        s => vec![seen(0.5 + 0.1 * (s - 100.0).min(3.0) as f32, 0)],
    };
    let before = told(&mut from, 0.0, 99.0, scene);
    assert!(before.is_empty() && from.present().count() == 1, "{:?}", kinds(&before));
    let moved = told(&mut from, 99.0, 104.0, scene);
    assert_eq!(kinds(&moved)[0], "new");
    assert!(moved[0].0.1 < 102.0);
}

#[test]
fn the_best_picture_is_the_one_that_is_clearly_better() {
    let mut tracker = tracker("");
    let quality = |detection: &Detection| detection.area.area();
    let mut better = Vec::new();
    for frame in 0..20_u32 {
        let seconds = f64::from(frame) / 5.0;
        let grown = 0.05 + 0.005 * frame.min(12) as f32;
        let area = UnitBox::new(0.5 - grown, 0.4, 0.5 + grown, 0.6);
        tracker.step(vec![Detection { area, ..seen(0.5, 0) }], at(seconds));
        better.push(tracker.improved(at(seconds), quality).len());
    }
    let last = better.iter().rposition(|count| *count > 0).expect("one was better");
    assert!(better[..3].iter().all(|count| *count == 0), "only of events: {better:?}");
    assert!((9..=12).contains(&last) && better.iter().sum::<usize>() < 9, "{better:?}");
}
