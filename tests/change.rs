//! A watch whose settings are changed while things are there.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lookout::clip::{Embedding, ModelError, TileEncoder};
use lookout::config::parse;
use lookout::config::settings::CameraSettings;
use lookout::frame::{Frame, PixelRect};
use lookout::pipeline::Watch;
use lookout::prompts::PromptBank;
use lookout::track::{Event, EventKind};

/// An encoder that knows white from grey.
struct Brightness;

fn embedding(bright: bool) -> Embedding {
    Embedding::new(if bright { vec![1.0, 0.05] } else { vec![0.05, 1.0] }).expect("not zero")
}

impl TileEncoder for Brightness {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        let bright = |tile: &PixelRect| {
            let at = |x: u32, y: u32| frame.rgb()[3 * (y * frame.width() + x) as usize] > 200;
            let inside = |x: &u32| *x < frame.width();
            let rows = tile.y..(tile.y + tile.height).min(frame.height());
            let pixels = rows.flat_map(|y| (tile.x..tile.x + tile.width).filter(inside).map(move |x| (x, y)));
            let white = pixels.filter(|(x, y)| at(*x, *y)).count();
            8 * white > (tile.width * tile.height) as usize
        };
        Ok(tiles.iter().map(|tile| embedding(bright(tile))).collect())
    }

    fn encode_patches(&self, _: &Frame, _: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        Ok(Vec::new())
    }

    fn patch_rows(&self) -> Option<usize> {
        None
    }

    fn width(&self) -> usize {
        2
    }
}

fn camera(prompts: &str) -> CameraSettings {
    let text = format!(
        "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\nfps = 2\nwidth = 320\nheight = 192\n\
         negatives = [\"dull\"]\n{prompts}"
    );
    parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0)
}

fn prompt(name: &str, phrase: &str, more: &str) -> String {
    format!("[[camera.prompt]]\nname = \"{name}\"\nphrases = \"{phrase}\"\n{more}\n")
}

fn bank(camera: &CameraSettings) -> PromptBank {
    let encode = |phrase: &str| Ok::<_, Infallible>(embedding(!phrase.contains("dull")));
    PromptBank::new(&camera.prompts, &camera.negatives, 50.0, encode).expect("the toy takes every phrase")
}

/// A watch that has told of a white square, and the frame that shows it.
fn watching(prompts: &str) -> (Watch, Frame, Vec<Event>) {
    let camera = camera(prompts);
    let bank = bank(&camera);
    let mut watch = Watch::new(camera, bank);
    let frame = |second: u64, square: bool| {
        let pixel = |i: usize| {
            let (x, y) = (i / 3 % 320, i / 3 / 320);
            if square && (120..200).contains(&x) && (60..140).contains(&y) { 255 } else { 90 }
        };
        let rgb: Vec<u8> = (0..320 * 192 * 3).map(pixel).collect();
        let captured = Timestamp::UNIX_EPOCH + Duration::from_millis(500 * second);
        Frame::new(320, 192, rgb, second, captured).expect("a frame")
    };
    let mut told = Vec::new();
    for second in 0..10 {
        told.extend(watch.look(&frame(second, second > 3), &Brightness, usize::MAX).expect("encodes").events);
    }
    assert!(told.iter().any(|event| event.kind == EventKind::New), "{told:?}");
    (watch, frame(10, true), told)
}

#[test]
fn another_threshold_lets_an_event_go_on() {
    let (mut watch, frame, told) = watching(&prompt("lamp", "a lamp", ""));
    let changed =
        camera(&format!("{}{}", prompt("first", "a dull thing", ""), prompt("lamp", "a lamp", "threshold = 0.3")));
    let bank = bank(&changed);
    assert!(watch.change(changed, Some(bank)).is_empty());
    let sight = watch.look(&frame, &Brightness, usize::MAX).expect("encodes");
    assert_eq!(sight.present[1].count, 1);
    let end = watch.finish();
    assert_eq!(end[0].id, told[0].id, "the same event, although its prompt stands elsewhere now");
    assert!((end[0].evidence.threshold - 0.3).abs() < 1e-6);
}

#[test]
fn what_is_described_anew_taken_away_or_switched_off_ends() {
    let white = prompt("lamp", "a lamp", "");
    for (why, changed) in [
        ("described anew", prompt("lamp", "a torch", "")),
        ("taken away", prompt("other", "a dull thing", "")),
        ("switched off", prompt("lamp", "a lamp", "enabled = false")),
    ] {
        let (mut watch, frame, told) = watching(&white);
        let changed = camera(&changed);
        let bank = bank(&changed);
        let ends = watch.change(changed, Some(bank));
        assert_eq!((ends.len(), ends[0].kind, &ends[0].id), (1, EventKind::End, &told[0].id), "{why}");
        if why == "switched off" {
            let sight = watch.look(&frame, &Brightness, usize::MAX).expect("encodes");
            assert!(sight.events.is_empty() && sight.present[0].count == 0);
        }
    }
    let (mut watch, ..) = watching(&white);
    let off = CameraSettings { enabled: false, ..camera(&white) };
    assert_eq!(watch.change(off, None).len(), 1, "a camera that is switched off sees nothing");
}
