//! The cameras as they run: two threads each, one that captures and one that watches, told what to do differently while
//! they do it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::counters::Counters;
use super::learning::Learning;
use super::watcher::{Order, Outlets, Watcher};
use crate::capture::{self, CameraStatus, LatestSender};
use crate::clip::TileEncoder;
use crate::config::settings::{CameraSettings, Name};
use crate::frame::Frame;
use crate::mqtt::{Asker, Publisher};
use crate::pipeline::Watch;
use crate::prompts::PromptBank;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::web::Views;

/// What all cameras share.
pub(super) struct Common {
    pub(super) encoder: Arc<dyn TileEncoder>,
    pub(super) store: Option<Store>,
    /// The model's name.
    pub(super) model: String,
    pub(super) publisher: Option<Publisher>,
    pub(super) views: Views,
    pub(super) counters: Arc<Counters>,
    pub(super) shutdown: Shutdown,
}

/// All cameras of a run.
pub(super) struct Cameras {
    common: Common,
    runs: Vec<Run>,
}

struct Run {
    settings: CameraSettings,
    orders: Sender<Order>,
    /// Kept, so that the watcher outlives one capture and serves the next.
    frames: LatestSender<Frame>,
    watcher: JoinHandle<()>,
    /// `None` while the camera is switched off.
    capture: Option<Capture>,
}

/// The capture of one camera with a stop of its own.
struct Capture {
    stop: Shutdown,
    thread: JoinHandle<()>,
}

impl Cameras {
    /// Starts all that are switched on; `banks` belong to `cameras` in order.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(common: Common, cameras: &[CameraSettings], banks: Vec<PromptBank>) -> std::io::Result<Self> {
        let mut all = Self { common, runs: Vec::new() };
        for (settings, bank) in cameras.iter().zip(banks) {
            let Common { encoder, store, model, publisher, views, counters, shutdown } = &all.common;
            views.add(settings.name.clone(), settings.prompts.iter().map(|p| p.phrases[0].clone()).collect());
            let learning = Learning::new(store.clone(), model.clone());
            let outlets =
                Outlets { publisher: publisher.clone(), views: views.clone(), counters: Arc::clone(counters) };
            let (orders, ordered) = channel();
            let (frames, queue) = capture::latest_wins();
            let watch = Watch::new(settings.clone(), bank);
            let watcher = Watcher::new(watch, Arc::clone(encoder), outlets, learning, ordered);
            let watcher = watcher.spawn(queue, shutdown.clone())?;
            let mut run = Run { settings: settings.clone(), orders, frames, watcher, capture: None };
            run.resume(&all.common)?;
            all.runs.push(run);
        }
        Ok(all)
    }

    /// Whether every recording has ended; a live camera never does, and one that is switched off may come back.
    pub(super) fn ended(&self) -> bool {
        self.runs.iter().all(|run| run.capture.as_ref().is_some_and(|capture| capture.thread.is_finished()))
    }

    /// Lets a camera go on by other settings, with a new bank where phrases are others. Only what has to stops.
    ///
    /// # Errors
    /// When the system has no thread left; the camera then stays switched off.
    pub(super) fn change(&mut self, settings: &CameraSettings, bank: Option<PromptBank>) -> std::io::Result<()> {
        let Some(run) = self.runs.iter_mut().find(|run| run.settings.name == settings.name) else { return Ok(()) };
        let recapture = run.settings.enabled != settings.enabled || run.settings.fps != settings.fps;
        run.settings = settings.clone();
        if recapture {
            run.pause();
        }
        // It is gone only if it has panicked, which the end of the program tells.
        let _ = run.orders.send(Order::Change(Box::new(settings.clone()), bank));
        if recapture { run.resume(&self.common) } else { Ok(()) }
    }

    /// Lets a camera forget what it has learnt of its background, for one prompt or for all.
    pub(super) fn relearn(&self, camera: &Name, prompt: Option<Name>) {
        if let Some(run) = self.runs.iter().find(|run| run.settings.name == *camera) {
            let _ = run.orders.send(Order::Relearn(prompt));
        }
    }

    /// Asks a camera for a picture.
    pub(super) fn snapshot(&self, camera: &Name, asker: Asker) {
        if let Some(run) = self.runs.iter().find(|run| run.settings.name == *camera) {
            let _ = run.orders.send(Order::Snapshot(asker));
        }
    }

    /// Stops all captures, lets the watchers see what is left, and waits for them.
    pub(super) fn finish(self) {
        // Together, since saying goodbye to a camera that is gone can take seconds.
        self.runs.iter().filter_map(|run| run.capture.as_ref()).for_each(|capture| capture.stop.request());
        for run in self.runs {
            let Run { orders, frames, watcher, capture, .. } = run;
            if let Some(capture) = capture {
                join(capture.thread);
            }
            drop((orders, frames));
            join(watcher);
        }
    }
}

impl Run {
    fn pause(&mut self) {
        if let Some(capture) = self.capture.take() {
            capture.stop.request();
            join(capture.thread);
        }
    }

    fn resume(&mut self, common: &Common) -> std::io::Result<()> {
        let status = status_outlet(&self.settings.name, common);
        if !self.settings.enabled {
            status(CameraStatus::Disabled);
            return Ok(());
        }
        status(CameraStatus::Offline);
        let stop = Shutdown::default();
        let thread = capture::spawn(self.settings.clone(), status, self.frames.clone(), stop.clone())?;
        self.capture = Some(Capture { stop, thread });
        Ok(())
    }
}

fn join(thread: JoinHandle<()>) {
    let name = thread.thread().name().unwrap_or("a thread").to_owned();
    if thread.join().is_err() {
        tracing::error!("{name} has panicked");
    }
}

fn status_outlet(camera: &Name, common: &Common) -> impl Fn(CameraStatus) + Send + Sync + use<> {
    let (name, views, publisher) = (camera.clone(), common.views.clone(), common.publisher.clone());
    move |status| {
        views.status(&name, status);
        if let Some(publisher) = &publisher {
            publisher.camera_status(&name, status);
        }
    }
}
