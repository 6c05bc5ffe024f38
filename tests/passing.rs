//! Things of several prompts that pass each other, on painted frames: together they look like what neither is.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lookout::clip::{Embedding, ModelError, TileEncoder};
use lookout::config::parse;
use lookout::frame::{Frame, PixelRect};
use lookout::pipeline::Watch;
use lookout::prompts::PromptBank;
use lookout::track::{Event, EventKind};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 192;
const KINDS: [&str; 4] = ["dull", "person", "bicycle", "cyclist"];
const STREET: [u8; 3] = [90, 90, 90];
const RED: [u8; 3] = [200, 40, 40];
const BLUE: [u8; 3] = [40, 60, 200];
/// Pixels: where a thing is, and how large.
type Place = (u32, u32, u32, u32);

/// An encoder that takes red for a person, blue for a bicycle, and both together for a cyclist.
struct Together;

fn embedding(words: &str) -> Embedding {
    Embedding::new(KINDS.map(|kind| if words.contains(kind) { 1.0 } else { 0.05 }).to_vec()).expect("not zero")
}

impl TileEncoder for Together {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        let shows = |tile: &PixelRect| {
            let columns = tile.x..(tile.x + tile.width).min(frame.width());
            let rows = tile.y..(tile.y + tile.height).min(frame.height());
            let pixels = rows.flat_map(|y| columns.clone().map(move |x| 3 * (y * frame.width() + x) as usize));
            let (mut red, mut blue, mut all) = (0, 0, 0);
            for at in pixels {
                let pixel = &frame.rgb()[at..at + 3];
                (red, blue, all) = (red + usize::from(pixel == RED), blue + usize::from(pixel == BLUE), all + 1);
            }
            match (12 * red > all, 12 * blue > all) {
                (false, false) => embedding("dull"),
                (true, false) => embedding("person"),
                (false, true) => embedding("bicycle"),
                // Of what it is made, it is something of either too.
                (true, true) => Embedding::new(vec![0.05, 0.8, 0.8, 1.0]).expect("not zero"),
            }
        };
        Ok(tiles.iter().map(shows).collect())
    }

    fn encode_patches(&self, _: &Frame, _: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        Ok(Vec::new())
    }

    fn patch_rows(&self) -> Option<usize> {
        None
    }

    fn width(&self) -> usize {
        KINDS.len()
    }
}

fn watch() -> Watch {
    let prompt = |kind: &&str| format!("[[camera.prompt]]\nname = \"{kind}\"\nphrases = \"a {kind}\"\n");
    let text = format!(
        "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\nfps = 5\nwidth = {WIDTH}\nheight = {HEIGHT}\n\
         negatives = [\"dull\"]\ngrid = {{ levels = [0.4], overlap = 0.5, context = 0.0 }}\n{}",
        KINDS[1..].iter().map(prompt).collect::<String>()
    );
    let camera = parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0);
    let encode = |phrase: &str| Ok::<_, Infallible>(embedding(phrase));
    let bank = PromptBank::new(&camera.prompts, &camera.negatives, 50.0, encode).expect("the toy takes every phrase");
    Watch::new(camera, bank)
}

/// The prompts that are told of, in turn, of so many frames at 5 a second; `scene` paints each, the first before the rest.
fn told(frames: u32, scene: impl Fn(u32) -> Vec<([u8; 3], Place)>) -> Vec<String> {
    let mut watch = watch();
    let mut events: Vec<Event> = Vec::new();
    for number in 0..frames {
        let things = scene(number);
        let pixel = |at: u32| {
            let (x, y) = (at % WIDTH, at / WIDTH);
            let is_on = |(left, top, width, height): &Place| {
                (*left..left + width).contains(&x) && (*top..top + height).contains(&y)
            };
            things.iter().find(|(_, place)| is_on(place)).map_or(STREET, |(colour, _)| *colour)
        };
        let rgb: Vec<u8> = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
        let captured = Timestamp::UNIX_EPOCH + Duration::from_millis(200 * u64::from(number));
        let frame = Frame::new(WIDTH, HEIGHT, rgb, u64::from(number), captured).expect("a frame");
        events.extend(watch.look(&frame, &Together, usize::MAX).expect("encodes").events);
    }
    let new = events.iter().filter(|event| event.kind == EventKind::New);
    new.map(|event| event.prompt.to_string()).collect()
}

/// A person with the left side there.
fn person(left: u32) -> ([u8; 3], Place) {
    (RED, (left, 72, 24, 64))
}

/// A bicycle with the left side there.
fn bicycle(left: u32) -> ([u8; 3], Place) {
    (BLUE, (left, 96, 48, 40))
}

#[test]
fn a_person_who_passes_before_a_bicycle_is_no_cyclist() {
    let told = told(50, |frame| match frame {
        0..3 => vec![],
        _ => vec![person(280 - 5 * (frame - 3)), bicycle(40 + 3 * (frame - 3))],
    });
    assert_eq!(told, ["person", "bicycle"]);
}

#[test]
fn a_cyclist_is_one_from_the_first_on() {
    let told = told(50, |frame| match frame {
        0..3 => vec![],
        _ => vec![person(52 + 4 * (frame - 3)), bicycle(40 + 4 * (frame - 3))],
    });
    assert_eq!(told, ["cyclist"]);
}

#[test]
fn who_gets_on_a_bicycle_becomes_a_cyclist() {
    let told = told(55, |frame| match frame {
        0..3 => vec![],
        3..8 => vec![bicycle(40 + 3 * (frame - 3))],
        // The person, before a road as bright, comes to where it stands, gets on, and rides off: for three seconds.
        8..38 => vec![person(280 - 7 * (frame - 8)), bicycle(55)],
        38..41 => vec![person(67), bicycle(55)],
        _ => vec![person(67 + 3 * (frame - 41)), bicycle(55 + 3 * (frame - 41))],
    });
    assert_eq!(told, ["bicycle", "person", "cyclist"]);
}
