//! Thresholds on this camera's own scale: the same things are told whatever band a model's similarities lie in, and an
//! empty scene that flickers gives nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use lookout::capture::open_offline;
use lookout::capture::source::Shape;
use lookout::clip::{Embedding, ImageEncoder, Model, ModelError, TileEncoder};
use lookout::config::settings::{CameraSettings, Rotation, Source, StoreSettings};
use lookout::frame::{Frame, PixelRect};
use lookout::pipeline::Watch;
use lookout::prompts::PromptBank;
use lookout::store::{Store, StoredCalibration, StoredTry};
use lookout::track::EventKind;

const FPS: f64 = 3.0;
const PROMPTS: &[&str] = &["a person", "a bicycle", "a car", "a bus", "a dog", "a cyclist"];

/// A model whose cosines are squeezed into a band around one value, as those of large models are, and moved by what a
/// camera does to its pictures.
struct Squeezed<'a> {
    encoder: &'a ImageEncoder,
    offset: f32,
}

/// What is left of the differences.
const KEPT: f32 = 0.1;
/// Where the band lies.
const BAND: f32 = 0.22;

/// `values` with axes of its own for what all share (`shared`) and for the rest of the unit norm (`rest`: 0 or 1).
fn squeezed(embedding: &Embedding, shared: f32, rest: usize) -> Embedding {
    let mut values: Vec<f32> = embedding.values().iter().map(|v| v * KEPT.sqrt()).collect();
    values.push(shared);
    let left = (1.0 - KEPT - shared * shared).sqrt();
    values.extend([0, 1].map(|axis| if axis == rest { left } else { 0.0 }));
    Embedding::new(values).expect("not zero")
}

impl Squeezed<'_> {
    fn image(&self, embedding: &Embedding) -> Embedding {
        squeezed(embedding, BAND.sqrt() + self.offset / BAND.sqrt(), 0)
    }
}

impl TileEncoder for Squeezed<'_> {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        Ok(self.encoder.encode(frame, tiles)?.iter().map(|embedding| self.image(embedding)).collect())
    }

    fn encode_patches(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        let all = self.encoder.encode_patches(frame, tiles)?;
        Ok(all.iter().map(|patches| patches.iter().map(|embedding| self.image(embedding)).collect()).collect())
    }

    fn patch_rows(&self) -> Option<usize> {
        self.encoder.patch_rows()
    }

    fn width(&self) -> usize {
        self.encoder.width() + 3
    }
}

struct Street {
    camera: CameraSettings,
    model: Model,
    encoder: ImageEncoder,
}

fn street() -> Street {
    let prompts: String = PROMPTS.iter().map(|phrase| format!("[[camera.prompt]]\nphrases = \"{phrase}\"\n")).collect();
    let text = format!("[[camera]]\nname = \"street\"\nsource = \"demo://street\"\nfps = {FPS}\n{prompts}");
    let camera = lookout::config::parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0);
    let model = crate::support::rendered_model();
    let encoder = lookout::app::encoder(&model, std::slice::from_ref(&camera), 2, None).expect("loads");
    Street { camera, model, encoder }
}

fn clip(camera: &CameraSettings) -> impl Iterator<Item = (f64, Frame)> {
    let shape = Shape { size: Some(camera.size), fps: camera.fps, rotation: Rotation::None };
    let frames = open_offline(&Source::Demo { repeat: false }, &shape).expect("opens");
    frames.map(|item| item.expect("reads")).map(|(at, frame)| (at.as_secs_f64(), frame))
}

/// The phrases and seconds of what is told of the clip's first half.
fn told(street: &Street, watch: &mut Watch, encoder: &dyn TileEncoder) -> Vec<(String, f64)> {
    let mut told = Vec::new();
    for (at, frame) in clip(&street.camera).take_while(|(at, _)| *at < 22.0) {
        let events = watch.look(&frame, encoder, usize::MAX).expect("encodes").events;
        told.extend(events.into_iter().filter(|e| e.kind == EventKind::New).map(|event| (event.phrase, at)));
    }
    told
}

#[test]
fn a_squeezed_space_tells_the_same_things() {
    let street = street();
    let bank = lookout::app::banks(&street.model, std::slice::from_ref(&street.camera)).expect("embeds").remove(0);
    let plain = told(&street, &mut Watch::new(street.camera.clone(), bank), &street.encoder);
    assert!(plain.len() >= 3, "{plain:?}");
    let text = street.model.text_encoder().expect("loads");
    // A model is trained with the scale that fits its own spread of cosines.
    let scale = street.model.manifest().embedding.logit_scale / KEPT;
    for offset in [0.0, 0.04, -0.05] {
        let squeeze = |phrase: &str| Ok::<_, ModelError>(squeezed(&text.encode(phrase)?, BAND.sqrt(), 1));
        let bank = PromptBank::new(&street.camera.prompts, &street.camera.negatives, scale, squeeze).expect("embeds");
        let encoder = Squeezed { encoder: &street.encoder, offset };
        let found = told(&street, &mut Watch::new(street.camera.clone(), bank), &encoder);
        let phrases = |told: &[(String, f64)]| told.iter().map(|(phrase, _)| phrase.clone()).collect::<BTreeSet<_>>();
        assert_eq!(phrases(&found), phrases(&plain), "moved by {offset}");
        let late = found.iter().zip(&plain).map(|(found, plain)| (found.1 - plain.1).abs()).fold(0.0, f64::max);
        assert!(found.len() == plain.len() && late <= 1.0, "{found:?} {plain:?}");
    }
}

#[test]
fn what_was_learnt_is_kept_over_a_restart_and_forgotten_on_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings =
        StoreSettings { path: Some(folder.path().join("lookout.db")), ..lookout::config::file::default_store() };
    let learnt = |prompt: &str, subject: &str| StoredCalibration {
        camera: "street".to_owned(),
        prompt: prompt.to_owned(),
        subject: subject.to_owned(),
        background: vec![1, 2, 3],
        usual: vec![4],
    };
    let near = StoredTry {
        camera: "street".to_owned(),
        prompt: "dog".to_owned(),
        score: 0.25,
        runner_up: "a bench".to_owned(),
        time: Timestamp::from_millisecond(1_764_000_000_000).expect("in range"),
        jpeg: vec![0xff, 0xd8],
    };
    let both = [learnt("cat", "demo: a cat"), learnt("dog", "demo: a dog")];
    let store = Store::open(&settings).expect("opens");
    assert_eq!(store.calibrations().expect("reads"), []);
    store.keep_calibrations("street", &both, std::slice::from_ref(&near), Timestamp::now()).expect("keeps");
    drop(store);
    let store = Store::open(&settings).expect("opens again");
    assert_eq!(store.calibrations().expect("reads"), both);
    assert_eq!(store.tries().expect("reads"), [near]);
    // What is kept anew takes the place of what was.
    store.keep_calibrations("street", &[learnt("dog", "demo: a poodle")], &[], Timestamp::now()).expect("keeps");
    assert_eq!(store.calibrations().expect("reads"), [learnt("dog", "demo: a poodle")]);
    assert_eq!(store.tries().expect("reads"), []);
    store.keep_calibrations("street", &both, &[], Timestamp::now()).expect("keeps");
    store.forget_calibrations("street", Some("dog")).expect("forgets");
    assert_eq!(store.calibrations().expect("reads"), both[..1]);
    store.forget_calibrations("street", None).expect("forgets");
    assert_eq!(store.calibrations().expect("reads"), []);
}

/// The frame under another light, with noise.
fn disturbed(frame: &Frame, random: &mut fastrand::Rng, light: f32, noise: f32, captured: Timestamp) -> Frame {
    let value = |v: &u8| {
        // The sum of some uniform numbers is near enough to a camera's noise.
        let drawn: f32 = (0..3).map(|_| random.f32() - 0.5).sum::<f32>() * 2.0;
        (f32::from(*v) * light + noise * drawn).clamp(0.0, 255.0) as u8
    };
    let rgb: Vec<u8> = frame.rgb().iter().map(value).collect();
    Frame::new(frame.width(), frame.height(), rgb, 0, captured).expect("a frame")
}

#[test]
fn an_empty_scene_that_flickers_gives_nothing_and_what_comes_then_is_told() {
    let street = street();
    let bank = lookout::app::banks(&street.model, std::slice::from_ref(&street.camera)).expect("embeds").remove(0);
    let mut watch = Watch::new(street.camera.clone(), bank);
    let (_, empty) = clip(&street.camera).find(|(at, _)| *at > 26.0).expect("a frame of the empty stretch");
    let mut random = fastrand::Rng::with_seed(5);
    let start = clip(&street.camera).next().expect("a frame").1.captured;
    // Three frames in half a minute, so that what is seen twice would be told; half an hour of them.
    for burst in 0..60_i64 {
        let (light, noise) = (0.4 + 0.9 * random.f32(), 12.0 * random.f32());
        for frame in 0..3 {
            let ago = Duration::from_millis((1000 * 30 * (61 - burst) - 500 * frame) as u64);
            let flicker = light * (1.0 + 0.06 * random.f32());
            let frame = disturbed(&empty, &mut random, flicker, noise, start - ago);
            let events = watch.look(&frame, &street.encoder, usize::MAX).expect("encodes").events;
            assert!(events.is_empty(), "after {burst} bursts: {events:?}");
        }
    }
    let explained = watch.explained();
    assert!(
        explained.iter().all(|(_, e)| e.level.is_some_and(|l| l.windows > 50.0 && l.median < 0.0)),
        "{explained:?}"
    );
    let found: BTreeSet<String> = told(&street, &mut watch, &street.encoder).into_iter().map(|(p, _)| p).collect();
    assert!(["a bicycle", "a bus"].iter().all(|phrase| found.contains(*phrase)), "{found:?}");
}
