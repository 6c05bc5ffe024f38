//! The embedded model on the embedded clip, held against the clip's true boxes.

use std::path::Path;

use jiff::Timestamp;
use lookout::capture::open_offline;
use lookout::capture::source::Shape;
use lookout::clip::ImageEncoder;
use lookout::config::settings::{Rotation, Source};
use lookout::eval::events::{Told, Verdict, judge};
use lookout::eval::{Target, Timeline, Truth};
use lookout::pipeline::Watch;
use lookout::track::EventKind;

const FPS: f64 = 3.0;
/// Things that can be seen for less are not asked for.
const SHORTEST_S: f64 = 2.0;
/// A true box holds for so long before its first frame and after its last: half an interval.
const REACH_S: f64 = 0.5 / FPS;
/// A thing that has left may be told for a moment longer.
const SLACK_S: f64 = 1.0;
/// Less than this share of a thing is not yet to be seen.
const VISIBLE: f64 = 0.5;
/// Share of the asked things that give an event.
const RECALL: f64 = 0.8;
/// Seconds in which nothing is there.
const EMPTY: (f64, f64) = (22.6, 31.4);

/// What is looked out for, and what it is in the truth.
const PROMPTS: &[&str] = &[
    "a pedestrian=person",
    "a person in a red jacket=person:colour=red",
    "a blue bicycle=bicycle:colour=blue",
    "a yellow bus=bus:colour=yellow",
    "a red car=car:colour=red",
    "a dog=dog",
    "a white van=van:colour=white",
    "a cyclist=cyclist",
];

/// A camera on the clip, with an encoder for it and the shape of its frames.
fn street<'a>(phrases: impl Iterator<Item = &'a str>, dense: bool) -> (Watch, ImageEncoder, Shape) {
    let prompts: String = phrases.map(|phrase| format!("[[camera.prompt]]\nphrases = \"{phrase}\"\n")).collect();
    let text = format!(
        "[[camera]]\nname = \"street\"\nsource = \"demo://street\"\nfps = {FPS}\ngrid = {{ dense = {dense} }}\n{prompts}"
    );
    let camera = lookout::config::parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0);
    let model = crate::support::rendered_model();
    let cameras = std::slice::from_ref(&camera);
    let encoder = lookout::app::encoder(&model, cameras, 2, None).expect("loads");
    let bank = lookout::app::banks(&model, cameras).expect("embeds").remove(0);
    let shape = Shape { size: Some(camera.size), fps: camera.fps, rotation: Rotation::None };
    (Watch::new(camera, bank), encoder, shape)
}

/// The events of each target, as `lookout demo` would tell them: when each was first seen, and where its messages had it.
fn watch(targets: &[Target]) -> Vec<Vec<(f64, Told)>> {
    let (mut watch, encoder, shape) = street(targets.iter().map(|target| target.phrase.as_str()), true);
    let mut told: Vec<Vec<(String, f64, Told)>> = vec![Vec::new(); targets.len()];
    for frame in open_offline(&Source::Demo { repeat: false }, &shape).expect("opens") {
        let (position, frame) = frame.expect("reads");
        let now = position.as_secs_f64();
        let at = |time: Timestamp| now - frame.captured.duration_since(time).as_secs_f64();
        for event in watch.look(&frame, &encoder, usize::MAX).expect("encodes").events {
            let prompt = targets.iter().position(|target| target.phrase == event.phrase).expect("a prompt");
            let [x0, y0, x1, y1] = [event.area.x0, event.area.y0, event.area.x1, event.area.y1].map(f64::from);
            let place = (at(event.last_seen), [x0, y0, x1 - x0, y1 - y0]);
            match told[prompt].iter_mut().find(|(id, ..)| *id == event.id) {
                Some((_, _, told)) => told.boxes.push(place),
                None => {
                    assert_eq!(event.kind, EventKind::New);
                    told[prompt].push((event.id, at(event.first_seen), Told { told_s: now, boxes: vec![place] }));
                }
            }
        }
    }
    told.into_iter().map(|events| events.into_iter().map(|(_, from, told)| (from, told)).collect()).collect()
}

#[test]
fn what_is_in_the_clip_is_told_and_nothing_in_its_empty_stretch() {
    let truth = Truth::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo/street.json")).expect("the truth");
    let targets: Vec<Target> = PROMPTS.iter().map(|text| Target::parse(text, &truth).expect("valid")).collect();
    let told = watch(&targets);
    let (mut asked, mut found) = (0, 0);
    for (target, events) in targets.iter().zip(&told) {
        let boxes: Vec<Told> = events.iter().map(|(_, told)| told.clone()).collect();
        let score = judge(&Timeline::new(&truth, target, VISIBLE, REACH_S), &boxes, SHORTEST_S, REACH_S);
        let (told, things) = (score.told(), score.asked.len());
        eprintln!("{}: {told} of {things} told, {} false", target.phrase, score.count(Verdict::False));
        asked += things;
        found += told;
        let (from, to) = (EMPTY.0 + SLACK_S, EMPTY.1);
        let last = |told: &Told| told.boxes.last().map_or(told.told_s, |(time, _)| *time);
        let empty = events.iter().find(|(first, told)| *first < to && last(told) > from);
        assert!(empty.is_none(), "{} told in the empty stretch: {empty:?}", target.phrase);
    }
    assert!(asked >= 8 && found as f64 >= RECALL * asked as f64, "{found} of {asked} told");
}

#[test]
fn confirming_keeps_within_the_limit() {
    const LIMIT: usize = 8;
    for dense in [false, true] {
        let (mut watch, encoder, shape) = street(["a pedestrian", "a bicycle"].into_iter(), dense);
        let mut found = 0;
        for frame in open_offline(&Source::Demo { repeat: false }, &shape).expect("opens").take(30) {
            let sight = watch.look(&frame.expect("reads").1, &encoder, LIMIT).expect("encodes");
            assert!(sight.encoded <= LIMIT, "{} passes", sight.encoded);
            found += sight.detections.iter().map(Vec::len).sum::<usize>();
        }
        assert!(found > 0, "nothing is found within the limit");
    }
}
