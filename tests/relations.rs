//! Prompts that say where and how many, on frames with painted squares.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lookout::clip::{Embedding, ModelError, TileEncoder};
use lookout::config::parse;
use lookout::config::settings::CameraSettings;
use lookout::frame::{Frame, PixelRect};
use lookout::pipeline::{Sight, Watch};
use lookout::prompts::PromptBank;
use lookout::track::{Event, EventKind};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 192;
/// Left edges of squares by colour, and the top of all.
type Scene<'a> = &'a [(&'a str, u32)];
const SIDE: u32 = 40;
const TOP: u32 = 80;
const COLOURS: &[(&str, [u8; 3])] = &[("dull", [90, 90, 90]), ("lamp", [250, 0, 0]), ("post", [0, 250, 0])];

/// An encoder that sees lamps (red) and posts (green).
#[derive(Clone, Copy)]
struct Paint {
    /// A post that fills less than half of a picture, as of a tile's, says little to it.
    shy: bool,
    /// Pixels: it tells patches apart, in which it sees no post if they are wider than this.
    fine: Option<u32>,
}

/// Frames of one of the calibration's windows.
const WINDOW: usize = 20;
/// Of patches in a picture's row.
const ROWS: u32 = 12;
/// Pixels, between a patch's of a tile and of a closer look.
const WIDE_PATCH: u32 = 14;

fn embedding(words: &str) -> Embedding {
    let axis = |(name, _): &(&str, [u8; 3])| if words.contains(name) { 1.0 } else { 0.05 };
    Embedding::new(COLOURS.iter().map(axis).collect::<Vec<f32>>()).expect("not zero")
}

impl TileEncoder for Paint {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        let seen = |tile: &PixelRect| {
            let rows = tile.y..(tile.y + tile.height).min(HEIGHT);
            let pixels = rows.flat_map(|y| (tile.x..(tile.x + tile.width).min(WIDTH)).map(move |x| (x, y)));
            let mut counts = [0usize; 3];
            for (x, y) in pixels {
                let pixel = &frame.rgb()[3 * (y * WIDTH + x) as usize..][..3];
                counts[COLOURS.iter().position(|(_, colour)| pixel == colour).unwrap_or_default()] += 1;
            }
            let all: usize = counts.iter().sum();
            let strong = (1..3).max_by_key(|colour| counts[*colour]).filter(|colour| 6 * counts[*colour] > all);
            let name = COLOURS[strong.unwrap_or(0)].0;
            if self.shy && name == "post" && 2 * counts[2] < all {
                return Embedding::new(vec![1.0, 0.05, 0.93]).expect("not zero");
            }
            embedding(name)
        };
        Ok(tiles.iter().map(seen).collect())
    }

    fn encode_patches(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        let patches = |tile: &PixelRect| {
            let side = tile.width / ROWS;
            let place =
                |i| PixelRect { x: tile.x + i % ROWS * side, y: tile.y + i / ROWS * side, width: side, height: side };
            let patches = self.encode(frame, &(0..ROWS * ROWS).map(place).collect::<Vec<_>>())?;
            let coarse = self.fine.is_some_and(|fine| side > fine);
            let dull = |patch: &Embedding| coarse && patch.values()[2] > 0.5;
            Ok(patches.into_iter().map(|patch| if dull(&patch) { embedding("dull") } else { patch }).collect())
        };
        tiles.iter().map(patches).collect()
    }

    fn patch_rows(&self) -> Option<usize> {
        self.fine.map(|_| ROWS as usize)
    }

    fn width(&self) -> usize {
        3
    }
}

fn camera(prompts: &[&str]) -> CameraSettings {
    camera_of(prompts, 0.3)
}

/// With tiles whose side is this share of the frame's height.
fn camera_of(prompts: &[&str], level: f32) -> CameraSettings {
    let prompt = |phrase: &&str| format!("[[camera.prompt]]\nphrases = \"{phrase}\"\n");
    let text = format!(
        "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\nfps = 2\nwidth = {WIDTH}\nheight = {HEIGHT}\n\
         negatives = [\"dull\"]\ngrid = {{ levels = [{level:.1}], overlap = 0.5, context = 0.0 }}\n\
         [[camera.zone]]\nname = \"door\"\npoints = [[0.6, 0.2], [1, 0.2], [1, 1], [0.6, 1]]\n{}",
        prompts.iter().map(prompt).collect::<String>()
    );
    parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0)
}

fn bank(camera: &CameraSettings) -> PromptBank {
    let encode = |phrase: &str| Ok::<_, Infallible>(embedding(phrase));
    PromptBank::new(&camera.prompts, &camera.negatives, 50.0, encode).expect("the toy takes every phrase")
}

/// A watch and its time, half a second a frame.
struct Film {
    watch: Watch,
    frame: u64,
    encoder: Paint,
}

impl Film {
    fn of(prompts: &[&str]) -> Self {
        Self::by(camera(prompts), Paint { shy: false, fine: None })
    }

    fn by(camera: CameraSettings, encoder: Paint) -> Self {
        let bank = bank(&camera);
        Self { watch: Watch::new(camera, bank), frame: 0, encoder }
    }

    fn show(&mut self, scene: Scene<'_>) -> Sight {
        let pixel = |at: u32| {
            let (x, y) = (at % WIDTH, at / WIDTH);
            let there = |left: &u32| (*left..left + SIDE).contains(&x) && (TOP..TOP + SIDE).contains(&y);
            let name = scene.iter().find(|(_, left)| there(left)).map_or("dull", |(name, _)| name);
            COLOURS.iter().find(|(colour, _)| *colour == name).expect("a colour").1
        };
        let rgb: Vec<u8> = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
        let captured = Timestamp::UNIX_EPOCH + Duration::from_millis(500 * self.frame);
        let frame = Frame::new(WIDTH, HEIGHT, rgb, self.frame, captured).expect("a frame");
        self.frame += 1;
        self.watch.look(&frame, &self.encoder, usize::MAX).expect("encodes")
    }

    /// The first events of so many frames.
    fn news(&mut self, scene: Scene<'_>, frames: usize) -> Vec<Event> {
        let events: Vec<Event> = (0..frames).flat_map(|_| self.show(scene).events).collect();
        events.into_iter().filter(|event| event.kind == EventKind::New).collect()
    }
}

#[test]
fn only_what_stands_as_the_phrase_says_is_told_with_both_boxes() {
    let mut film = Film::of(&["a lamp right of a post", "a lamp left of a post"]);
    let news = film.news(&[("post", 100), ("lamp", 220)], 6);
    assert_eq!((news.len(), news[0].phrase.as_str()), (1, "a lamp right of a post"), "{news:?}");
    let related = news[0].evidence.related.as_ref().expect("a relation");
    let anchor = related.area.expect("an anchor's box");
    assert!((anchor.x0 * WIDTH as f32 - 100.0).abs() < 25.0, "{anchor:?}");
    assert!(news[0].area.x0 > anchor.x1, "{news:?}");
    let sight = film.show(&[("post", 100), ("lamp", 220)]);
    let marks = sight.present[0].marks("a lamp right of a post", 0);
    assert_eq!(marks.iter().map(|mark| mark.thin).collect::<Vec<_>>(), [true, false]);
    assert_eq!((sight.present.len(), sight.detections.len()), (2, 2), "an anchor is never told");
}

#[test]
fn an_anchor_that_tiles_say_little_of_is_looked_at() {
    let shy = || Film::by(camera(&["a lamp right of a post"]), Paint { shy: true, fine: None });
    let mut film = shy();
    film.show(&[]);
    assert_eq!(film.news(&[("post", 100), ("lamp", 220)], 6).len(), 1);
    let mut film = shy();
    assert!(film.news(&[("lamp", 220)], 14).is_empty());
}

#[test]
fn an_anchor_whose_middle_is_hidden_is_looked_for_around_what_hides_it() {
    let encoder = Paint { shy: false, fine: Some(WIDE_PATCH) };
    let film = || Film::by(camera_of(&["a lamp in front of a post"], 1.0), encoder);
    let hides: Scene<'_> = &[("lamp", 130), ("post", 100), ("post", 160)];
    let news = film().news(hides, 6);
    assert_eq!(news.len(), 1);
    let related = news[0].evidence.related.as_ref().expect("a relation");
    let [left, _, width, _] = related.area.expect("an anchor's box").to_pixels(WIDTH, HEIGHT);
    assert!(left < 130 && left + width > 170, "on both sides, from {left}, {width} wide");
    // What only stands beside a lamp is not behind it.
    for beside in [&[("lamp", 130), ("post", 170)], &[("lamp", 130), ("post", 90)]] {
        assert!(film().news(beside, 6).is_empty(), "{beside:?}");
    }
}

#[test]
fn an_anchor_that_stands_is_remembered_while_something_hides_it() {
    let mut film = Film::of(&["a lamp right of a post"]);
    assert!(film.news(&[("post", 100)], 14).is_empty());
    assert_eq!(film.news(&[("lamp", 220)], 6).len(), 1, "the post is hidden, not gone");
    let mut film = Film::of(&["a lamp right of a post"]);
    assert!(film.news(&[("post", 100)], 14).is_empty());
    assert!(film.news(&[], 24).is_empty());
    assert!(film.news(&[("lamp", 220)], 6).is_empty(), "for so long, it has gone");
}

#[test]
fn without_waits_until_the_anchor_is_known_to_be_away() {
    let mut film = Film::of(&["a lamp without a post"]);
    assert!(film.news(&[("post", 60), ("lamp", 220)], 8).is_empty());
    assert!(film.news(&[("lamp", 220)], 6).is_empty(), "it was there three seconds ago");
    let news = film.news(&[("lamp", 220)], 6);
    assert_eq!(news.len(), 1);
    let related = news[0].evidence.related.as_ref().expect("a relation");
    assert_eq!((related.anchor.as_deref(), related.area), (Some("a post"), None));
}

#[test]
fn so_many_give_one_event_around_all() {
    let mut film = Film::of(&["at least two lamps"]);
    assert!(film.news(&[("lamp", 20)], 6).is_empty());
    let news = film.news(&[("lamp", 20), ("lamp", 220)], 6);
    assert_eq!(news.len(), 1);
    assert!(news[0].area.x0 < 0.2 && news[0].area.x1 > 0.7, "{:?}", news[0].area);
    assert_eq!(news[0].evidence.related.as_ref().and_then(|related| related.count), Some(2));
}

#[test]
fn a_zone_can_be_what_a_phrase_names() {
    let mut film = Film::of(&["a lamp inside the door", "a lamp near the door"]);
    assert!(film.news(&[("lamp", 20)], 6).is_empty());
    let news = film.news(&[("lamp", 140)], 6);
    assert_eq!(news.iter().map(|event| event.phrase.as_str()).collect::<Vec<_>>(), ["a lamp near the door"]);
    let news = film.news(&[("lamp", 220)], 6);
    assert!(news.iter().any(|event| event.phrase == "a lamp inside the door"));
    assert_eq!(
        news[0].evidence.related.as_ref().and_then(|r| r.zone.clone()),
        Some(film.watch.camera().zones[0].name.clone())
    );
}

#[test]
fn a_prompt_can_be_the_anchor_of_another() {
    let mut film = Film::of(&["a post", "a lamp near the post"]);
    let phrases: Vec<String> =
        film.news(&[("post", 60), ("lamp", 140)], 6).into_iter().map(|event| event.phrase).collect();
    assert_eq!(phrases, ["a post", "a lamp near the post"]);
    let mut off = Film::of(&["a post", "a lamp near the post"]);
    let mut camera = off.watch.camera().clone();
    camera.prompts[0].enabled = false;
    off.watch.change(camera, None);
    let news = off.news(&[("post", 60), ("lamp", 140)], 6);
    assert_eq!(news.len(), 1, "it is still an anchor when it is not told itself: {news:?}");
}

#[test]
fn another_anchor_is_another_description() {
    let mut film = Film::of(&["a lamp", "a lamp near a post"]);
    let scene: Scene<'_> = &[("post", 60), ("lamp", 140)];
    assert_eq!(film.news(scene, 6).len(), 2);
    let mut changed = camera(&["a lamp", "a lamp near a dull thing"]);
    changed.prompts[1].name = film.watch.camera().prompts[1].name.clone();
    let changed_bank = bank(&changed);
    let ends = film.watch.change(changed, Some(changed_bank));
    assert_eq!(ends.iter().map(|end| end.phrase.as_str()).collect::<Vec<_>>(), ["a lamp near a post"]);
    let mut back = camera(&["a lamp", "a lamp right of a post"]);
    back.prompts[1].name = film.watch.camera().prompts[1].name.clone();
    let back_bank = bank(&back);
    film.watch.change(back, Some(back_bank));
    let news = film.news(scene, 6);
    assert_eq!(news.iter().map(|event| event.phrase.as_str()).collect::<Vec<_>>(), ["a lamp right of a post"]);
}

#[test]
fn what_does_not_stand_as_the_phrase_says_is_no_background() {
    let threshold = |scene: Scene<'_>| {
        let mut film = Film::of(&["at least two lamps", "a lamp near a post"]);
        assert!(film.news(scene, 30 * WINDOW).is_empty());
        let explained = film.watch.explained();
        assert!(explained.iter().all(|(_, prompt)| prompt.level.is_some()), "{explained:?}");
        (film, explained.into_iter().map(|(_, prompt)| prompt.threshold).collect::<Vec<_>>())
    };
    let (_, empty) = threshold(&[]);
    let (mut film, alone) = threshold(&[("lamp", 20)]);
    assert_eq!(alone, empty);
    assert_eq!(film.news(&[("lamp", 20), ("lamp", 220)], 6).len(), 1);
}
