//! The app: the composition root. It alone names every adapter; it spawns, waits for signals, and joins.

mod counters;
mod watcher;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::capture::{self, CameraStatus};
use crate::clip::{ImageEncoder, Model, ModelError, Precision, Running, TileEncoder};
use crate::config::settings::{CameraSettings, Settings};
use crate::mqtt::{self, MqttPublisher, Publisher};
use crate::prompts::PromptBank;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::web::{self, Views};

pub use counters::{Counters, Summary};
use watcher::{Outlets, Watcher};

/// How long the last words to the broker may take.
const LAST_WORDS: Duration = Duration::from_secs(4);
const STATS_EVERY: Duration = Duration::from_secs(10);

/// Runs until SIGTERM, SIGINT, the end of all sources, or `limit`. Calls `ready` with the address of the web page once
/// everything has started.
///
/// # Errors
/// When the model, the store or the page's address cannot be used. A broker or camera that is not there is retried.
pub fn run(settings: Settings, limit: Option<Duration>, ready: impl FnOnce(Option<String>)) -> anyhow::Result<Summary> {
    let shutdown = Shutdown::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("lookout-io")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    listen_to_signals(&runtime, &shutdown)?;
    let model = open_model(&settings)?;
    for warning in unknown_words(&model, &settings.cameras) {
        tracing::warn!("{warning}");
    }
    let banks = banks(&model, &settings.cameras)?;
    let encoder: Arc<dyn TileEncoder> =
        Arc::new(encoder(&model, &settings.cameras, settings.model.threads, settings.model.precision)?);
    let publisher = publisher(&settings, &shutdown, &runtime)?;
    let views = Views::default();
    let page = serve_page(&settings, &views, &shutdown, &runtime)?;
    let counters = Arc::new(Counters::default());

    let mut threads = Vec::new();
    let device = settings.device.clone();
    for (camera, bank) in settings.cameras.into_iter().zip(banks) {
        let outlets = Outlets { publisher: publisher.clone(), views: views.clone(), counters: Arc::clone(&counters) };
        views.add(camera.name.clone(), camera.prompts.iter().map(|p| p.phrases[0].clone()).collect());
        let status = status_outlet(&camera, &outlets);
        status(CameraStatus::Offline);
        let (sender, receiver) = capture::latest_wins();
        let watcher = Watcher::new(camera.clone(), bank, Arc::clone(&encoder), outlets);
        threads.push(watcher.spawn(receiver, shutdown.clone())?);
        threads.push(capture::spawn(camera, status, sender, shutdown.clone())?);
    }
    tracing::info!(%device, cameras = threads.len() / 2, "looking out");
    ready(page);
    // Not running under systemd is no fault.
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);

    let started = Instant::now();
    let mut told = Instant::now();
    while !shutdown.wait_timeout(Duration::from_millis(200)) {
        let ended = threads.iter().all(std::thread::JoinHandle::is_finished);
        if ended || limit.is_some_and(|limit| started.elapsed() >= limit) {
            break;
        }
        if told.elapsed() >= STATS_EVERY {
            told = Instant::now();
            let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Watchdog]);
            if let Some(publisher) = &publisher {
                publisher.stats(&counters.stats(publisher.outbox()));
            }
        }
    }
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
    shutdown.request();
    for thread in threads {
        let name = thread.thread().name().unwrap_or("a thread").to_owned();
        if thread.join().is_err() {
            tracing::error!("{name} has panicked");
        }
    }
    if let Some(publisher) = &publisher {
        publisher.stats(&counters.stats(publisher.outbox()));
        if !publisher.finish(LAST_WORDS) {
            tracing::warn!("the broker has not taken the last messages");
        }
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(counters.summary())
}

/// The model that the settings name; what it has to say about itself is said.
///
/// # Errors
/// What is wrong with its folder.
pub fn open_model(settings: &Settings) -> anyhow::Result<Model> {
    let model = match &settings.model.path {
        Some(path) => Model::open(path)?,
        None => Model::embedded()?,
    };
    let manifest = model.manifest();
    tracing::info!(model = %manifest.name, size = manifest.image.size, "model loaded");
    if let Some(notice) = &manifest.notice {
        tracing::warn!("{notice}");
    }
    Ok(model)
}

/// The image encoder for these cameras: one that gives the embeddings of patches if any of them looks densely.
///
/// # Errors
/// What is wrong with the model, or that it gives none.
pub fn encoder(
    model: &Model,
    cameras: &[CameraSettings],
    threads: usize,
    precision: Option<Precision>,
) -> Result<ImageEncoder, ModelError> {
    let tower = &model.manifest().image;
    let dense = cameras.iter().any(|camera| camera.grid.is_dense(tower.patches.is_some()));
    let precision = precision.unwrap_or(tower.precision);
    let encoder = model.encoder(&Running { threads, dense, precision, pictures: Vec::new() })?;
    if let Some(found) = encoder.calibration() {
        let (layers, floats) = (found.layers.len(), found.floats());
        tracing::info!(layers, floats, cosine = found.mean, "the encoder runs in 8 bits");
    }
    Ok(encoder)
}

/// One warning for each phrase with words that the model was not trained with.
pub fn unknown_words(model: &Model, cameras: &[CameraSettings]) -> Vec<String> {
    let phrases = cameras.iter().flat_map(|camera| &camera.prompts).flat_map(|p| p.phrases.iter().chain(&p.negatives));
    let warning = |phrase: &String| {
        let words = model.manifest().unknown_words(phrase);
        let named = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" and ");
        (!words.is_empty()).then(|| format!("the model {} does not know {named} in {phrase:?}", model.manifest().name))
    };
    phrases.filter_map(warning).collect()
}

/// One prompt bank a camera. The text tower lives only as long as this takes.
///
/// # Errors
/// What the model says of a phrase, with the camera and prompt.
pub fn banks(model: &Model, cameras: &[CameraSettings]) -> anyhow::Result<Vec<PromptBank>> {
    let text = model.text_encoder()?;
    let scale = model.manifest().embedding.logit_scale;
    let bank = |camera: &CameraSettings| {
        PromptBank::new(&camera.prompts, &camera.negatives, scale, |phrase| text.encode(phrase))
            .map_err(|(prompt, error)| anyhow::anyhow!("camera {}, prompt {prompt}: {error}", camera.name))
    };
    cameras.iter().map(bank).collect()
}

fn publisher(settings: &Settings, shutdown: &Shutdown, runtime: &Runtime) -> anyhow::Result<Option<Publisher>> {
    let Some(mqtt) = settings.mqtt.clone() else {
        tracing::info!("no [mqtt] in the configuration: nothing is published");
        return Ok(None);
    };
    let store = Store::open(&settings.store)?;
    // Said now rather than after the first backoff, and not fatal: the broker may start later.
    if let Err(error) = runtime.block_on(mqtt::probe(&mqtt)) {
        tracing::warn!("{error}; going on without, and trying again");
    }
    let (device, cameras) = (settings.device.clone(), &settings.cameras);
    Ok(Some(MqttPublisher::start(mqtt, device, cameras, store, shutdown.clone(), runtime.handle())))
}

fn serve_page(
    settings: &Settings,
    views: &Views,
    shutdown: &Shutdown,
    runtime: &Runtime,
) -> anyhow::Result<Option<String>> {
    let Some(address) = settings.web else { return Ok(None) };
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .with_context(|| format!("web.listen: cannot listen on {address}"))?;
    let page = format!("http://{}/", listener.local_addr()?);
    runtime.spawn(web::serve(listener, views.clone(), shutdown.clone()));
    Ok(Some(page))
}

fn status_outlet(camera: &CameraSettings, outlets: &Outlets) -> impl Fn(CameraStatus) + Send + Sync + use<> {
    let (name, views, publisher) = (camera.name.clone(), outlets.views.clone(), outlets.publisher.clone());
    move |status| {
        views.status(&name, status);
        if let Some(publisher) = &publisher {
            publisher.camera_status(&name, status);
        }
    }
}

/// The first signal asks for an orderly end, the second ends at once.
fn listen_to_signals(runtime: &Runtime, shutdown: &Shutdown) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let shutdown = shutdown.clone();
    runtime.spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            if std::mem::replace(&mut asked, true) {
                std::process::exit(130);
            }
            tracing::info!("stopping; once more ends at once");
            shutdown.request();
        }
    });
    Ok(())
}
