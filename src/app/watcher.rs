//! The watcher: one camera's thread between its queue and the sinks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::counters::Counters;
use super::learning::Learning;
use crate::annotate::{Mark, jpeg};
use crate::capture::{LatestReceiver, Received};
use crate::clip::TileEncoder;
use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::config::table::Fault;
use crate::frame::Frame;
use crate::mqtt::{Asker, Publisher, Refusal};
use crate::pipeline::{Presence, Sight, Watch, tile_limit};
use crate::prompts::PromptBank;
use crate::shutdown::Shutdown;
use crate::telemetry::OncePerSecond;
use crate::track::{Event, EventKind};
use crate::web::Views;

const SNAPSHOT_QUALITY: u8 = 85;

/// While a thing stays, that it was seen is said again after this long.
const SEEN_AGAIN: Duration = Duration::from_secs(30);

/// What was learnt of the background is shown once in so long.
const CALIBRATION_EVERY: Duration = Duration::from_secs(60);

/// A picture that was asked for must come within this time.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(10);

/// What a running watcher is told.
pub(super) enum Order {
    /// Watch by other settings, with a new bank where phrases are others.
    Change(Box<CameraSettings>, Option<PromptBank>),
    /// Send a picture, and tell the asker if none comes.
    Snapshot(Asker),
    /// Forget what was learnt of the background, for one prompt or for all.
    Relearn(Option<Name>),
}

/// Zones that prompts ask about, each with the prompt's name.
fn zone_states(camera: &CameraSettings) -> BTreeSet<(Name, Name)> {
    let of_prompt = |prompt: &PromptSettings| -> Vec<(Name, Name)> {
        prompt.rules.zone_states.iter().map(|zone| (prompt.name.clone(), zone.clone())).collect()
    };
    camera.prompts.iter().flat_map(of_prompt).collect()
}

/// Where what was seen goes.
pub(super) struct Outlets {
    pub(super) publisher: Option<Publisher>,
    pub(super) views: Views,
    pub(super) counters: Arc<Counters>,
}

pub(super) struct Watcher {
    watch: Watch,
    encoder: Arc<dyn TileEncoder>,
    outlets: Outlets,
    faults: OncePerSecond,
    /// What was last told of each prompt: how many are there, and in which zones.
    told: BTreeMap<Name, (usize, Vec<(Name, bool)>)>,
    /// The best picture of each event that is not over, as JPEG, and whether it was published.
    pictured: BTreeMap<String, (Vec<u8>, bool)>,
    /// When a prompt's thing was last said to be there.
    seen_said: BTreeMap<Name, Timestamp>,
    orders: Receiver<Order>,
    /// Who waits for a picture, and since when.
    asked: Vec<(Asker, Instant)>,
    learning: Learning,
    /// When the calibration was last shown.
    calibration_shown: Option<Instant>,
    /// When the newest frame came; `None` before the first and after a silence.
    looked: Option<Instant>,
    /// What a tile takes this camera, its wait for the others' among it: seconds.
    pace: Option<f64>,
}

impl Watcher {
    pub(super) fn new(
        mut watch: Watch,
        encoder: Arc<dyn TileEncoder>,
        outlets: Outlets,
        mut learning: Learning,
        orders: Receiver<Order>,
    ) -> Self {
        learning.recall(&mut watch);
        Self {
            watch,
            encoder,
            outlets,
            faults: OncePerSecond::default(),
            told: BTreeMap::new(),
            pictured: BTreeMap::new(),
            seen_said: BTreeMap::new(),
            orders,
            learning,
            calibration_shown: None,
            asked: Vec::new(),
            looked: None,
            pace: None,
        }
    }

    pub(super) fn spawn(mut self, queue: LatestReceiver<Frame>, shutdown: Shutdown) -> std::io::Result<JoinHandle<()>> {
        let name = self.watch.camera().name.clone();
        std::thread::Builder::new().name(format!("watch-{name}")).spawn(move || {
            let _span = tracing::info_span!("camera", %name).entered();
            self.tell_absence();
            while !shutdown.requested() {
                let received = queue.recv_timeout(Duration::from_millis(200));
                self.follow_orders();
                match received {
                    // The last frame of a camera that was switched off meanwhile.
                    Received::Item(_) if !self.watch.camera().enabled => {}
                    Received::Item(frame) => self.frame(frame, queue.dropped()),
                    Received::Timeout => self.notice_silence(),
                    Received::Closed => break,
                }
            }
            self.end_all();
            self.learning.keep(&self.watch);
        })
    }

    fn follow_orders(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Change(camera, bank) => self.change(*camera, bank),
                Order::Snapshot(asker) => self.asked.push((asker, Instant::now())),
                Order::Relearn(prompt) => {
                    self.watch.reset_calibration(prompt.as_ref());
                    self.learning.forget(&self.watch.camera().name, prompt.as_ref());
                    self.show_calibration();
                }
            }
        }
        let Some(publisher) = &self.outlets.publisher else { return };
        for (asker, _) in self.asked.extract_if(.., |(_, since)| since.elapsed() > SNAPSHOT_WITHIN) {
            let problem = format!("the camera has given no picture for {} s", SNAPSHOT_WITHIN.as_secs());
            publisher.refuse(&Refusal { asker, faults: vec![Fault { key: "snapshot".to_owned(), problem }] });
        }
    }

    fn change(&mut self, camera: CameraSettings, bank: Option<PromptBank>) {
        let names = |camera: &CameraSettings| -> BTreeSet<Name> {
            camera.prompts.iter().map(|prompt| prompt.name.clone()).collect()
        };
        let (before, now, enabled) = (names(self.watch.camera()), names(&camera), camera.enabled);
        let (zones_before, zones_now) = (zone_states(self.watch.camera()), zone_states(&camera));
        self.outlets.views.prompts(&camera.name, camera.prompts.iter().map(|p| p.phrases[0].clone()).collect());
        self.learning.changed(&self.watch.camera().prompts, &camera.prompts);
        let ends = self.watch.change(camera, bank);
        self.calibration_shown = None;
        self.tell(&ends);
        for gone in before.difference(&now) {
            self.told.remove(gone);
            if let Some(publisher) = &self.outlets.publisher {
                publisher.forget_seen(&self.watch.camera().name, gone);
            }
        }
        if let Some(publisher) = &self.outlets.publisher {
            for (prompt, zone) in zones_before.difference(&zones_now) {
                publisher.forget_zone(&self.watch.camera().name, prompt, zone);
            }
        }
        if !enabled {
            self.looked = None;
            self.tell_absence();
            return;
        }
        let mut new = self.watch.present();
        new.retain(|presence| !self.told.contains_key(&presence.prompt));
        self.tell_presence(&new);
    }

    /// A camera that gives no frames any more sees nothing any more.
    fn notice_silence(&mut self) {
        let camera = self.watch.camera();
        let silence = camera.events.gone_after + Duration::from_secs_f64(3.0 / camera.fps);
        if self.looked.is_some_and(|looked| looked.elapsed() >= silence) {
            self.looked = None;
            self.end_all();
        }
    }

    fn end_all(&mut self) {
        let last = self.watch.finish();
        self.tell(&last);
        self.learning.keep_parked(&self.watch, Timestamp::now(), true);
        self.tell_absence();
    }

    fn frame(&mut self, frame: Frame, dropped: u64) {
        let limit = tile_limit(self.watch.camera().fps, self.pace);
        let started = Instant::now();
        self.looked = Some(started);
        let sight = match self.watch.look(&frame, self.encoder.as_ref(), limit) {
            Ok(sight) => sight,
            Err(error) => {
                if let Some(held) = self.faults.pass() {
                    tracing::error!(frame = frame.sequence, held, "the encoder failed: {error}");
                }
                return;
            }
        };
        let spent = started.elapsed();
        if sight.encoded > 0 {
            let tile = spent.as_secs_f64() / sight.encoded as f64;
            // A few looks are enough to tell, and what was long ago is another load.
            self.pace = Some(self.pace.map_or(tile, |pace| pace + 0.2 * (tile - pace)));
        }
        let name = &self.watch.camera().name;
        self.outlets.counters.count(|counts| {
            let camera = counts.cameras.entry(name.clone()).or_default();
            camera.frames_analysed += 1;
            camera.frames_dropped = dropped;
            camera.frames = frame.sequence + 1;
            camera.regions_postponed += sight.postponed as u64;
            counts.tiles_encoded += sight.encoded as u64;
            if sight.encoded > 0 {
                counts.encoding += spent;
            }
        });
        let marks = self.marks(&sight);
        if let Some(publisher) = &self.outlets.publisher
            && !self.asked.is_empty()
        {
            publisher.camera_snapshot(&self.watch.camera().name, jpeg(&frame, &marks, SNAPSHOT_QUALITY));
            self.asked.drain(..).for_each(|(asker, _)| publisher.answer(&asker));
        }
        if self.outlets.publisher.is_some() && !sight.best.is_empty() {
            let jpeg = jpeg(&frame, &marks, SNAPSHOT_QUALITY);
            self.pictured.extend(sight.best.into_iter().map(|event| (event, (jpeg.clone(), false))));
        }
        self.tell(&sight.events);
        self.tell_presence(&sight.present);
        if self.calibration_shown.is_none_or(|shown| shown.elapsed() >= CALIBRATION_EVERY) {
            self.show_calibration();
        }
        self.learning.note(&self.watch, &frame, &sight.tries);
        self.learning.keep_sometimes(&self.watch);
        self.learning.keep_parked(&self.watch, frame.captured, false);
        self.learning.keep_alerted(&self.watch);
        self.outlets.views.show(&self.watch.camera().name, frame, marks);
    }

    fn marks(&self, sight: &Sight) -> Vec<Mark> {
        let phrase = |prompt: usize| &self.watch.camera().prompts[prompt].phrases[0];
        let marks = |(prompt, presence): (usize, &Presence)| presence.marks(phrase(prompt), prompt);
        sight.present.iter().enumerate().flat_map(marks).collect()
    }

    fn tell(&mut self, events: &[Event]) {
        for event in events {
            tracing::info!(prompt = %event.prompt, id = %event.id, score = event.score, "{:?}", event.kind);
            self.outlets.counters.count(|counts| {
                counts.messages += 1;
                counts.events += u64::from(event.kind == EventKind::New);
            });
            self.outlets.views.event(event);
            let Some(publisher) = &self.outlets.publisher else { continue };
            if let Err(error) = publisher.event(event)
                && let Some(held) = self.faults.pass()
            {
                tracing::error!(id = %event.id, held, "an event waits in memory: {error}");
            }
            let said = self.seen_said.get(&event.prompt);
            if event.kind != EventKind::Update
                || said.is_none_or(|said| event.last_seen.duration_since(*said).unsigned_abs() >= SEEN_AGAIN)
            {
                self.seen_said.insert(event.prompt.clone(), event.last_seen);
                publisher.last_seen(&event.camera, &event.prompt, event.last_seen);
            }
            if let Some((jpeg, published)) = self.pictured.get_mut(&event.id)
                && !std::mem::replace(published, true)
            {
                publisher.snapshot(&event.camera, &event.prompt, jpeg.clone());
            }
            // Once an event, and not with each better picture, to spare an SD card the writes.
            if event.kind == EventKind::End
                && let Some((jpeg, _)) = self.pictured.remove(&event.id)
                && let Err(error) = publisher.keep_picture(event, &jpeg)
            {
                tracing::warn!(id = %event.id, "the picture is not kept: {error}");
            }
        }
    }

    fn tell_presence(&mut self, present: &[Presence]) {
        let Some(publisher) = &self.outlets.publisher else { return };
        for presence in present {
            let now = (presence.count, presence.zones.clone());
            let (count_before, zones_before) = self.told.insert(presence.prompt.clone(), now).unzip();
            let zones_before = zones_before.unwrap_or_default();
            let camera = &self.watch.camera().name;
            for (zone, on) in presence.zones.iter().filter(|state| !zones_before.contains(state)) {
                publisher.zone_state(camera, &presence.prompt, zone, *on);
            }
            let count = presence.count;
            let score = presence.things.iter().map(|thing| thing.score).reduce(f32::max);
            // The score changes with every frame; it is told with a change of the count only, and in the events.
            if count_before != Some(count) {
                publisher.prompt_state(camera, &presence.prompt, count > 0, count, score);
            }
        }
    }

    fn show_calibration(&mut self) {
        self.calibration_shown = Some(Instant::now());
        let Some(publisher) = &self.outlets.publisher else { return };
        for (prompt, explained) in self.watch.explained() {
            publisher.calibration(&self.watch.camera().name, &prompt, &explained);
        }
    }

    /// Says what is there while no frame comes: nothing but what is parked.
    fn tell_absence(&mut self) {
        self.tell_presence(&self.watch.present());
    }
}
