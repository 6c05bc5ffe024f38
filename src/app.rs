//! The app: the composition root. It alone names every adapter; it spawns, waits for signals, and joins.

mod cameras;
mod control;
mod counters;
mod examples;
mod health;
mod learning;
mod watcher;

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::clip::{ImageEncoder, Model, ModelError, Precision, Running, TileEncoder};
use crate::config::Laid;
use crate::config::settings::{CameraSettings, ModelSettings, Settings};
use crate::mqtt::{self, MqttPublisher, Publisher, Request};
use crate::prompts::{PhraseSpace, PromptBank};
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::web::{self, Views};

use cameras::{Cameras, Common};
use control::Control;
pub use control::stored_changes;
pub use counters::{Counters, Summary};

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
    // What was learnt and what is parked are kept in a file without a broker too.
    let is_kept = settings.mqtt.is_some() || settings.store.path.is_some();
    let store = is_kept.then(|| Store::open(&settings.store)).transpose()?;
    let stored = store.as_ref().map(stored_changes).transpose()?.unwrap_or_default();
    let Laid { cameras, fitting: changes, misfits } = settings.written.cameras(&stored);
    misfits.iter().for_each(|fault| tracing::warn!("{fault}"));
    let model = open_model(&settings)?;
    for warning in phrase_warnings(&model, &cameras) {
        tracing::warn!("{warning}");
    }
    let banks = banks(&model, &cameras)?;
    let encoder: Arc<dyn TileEncoder> =
        Arc::new(encoder(&model, &cameras, settings.model.threads, settings.model.precision)?);
    let (publisher, requests) = publisher(&settings, &cameras, store.clone(), &shutdown, &runtime)?.unzip();
    let views = Views::default();
    let page = serve_page(&settings, &views, &shutdown, &runtime)?;
    let counters = Arc::new(Counters::default());
    let kept = store.clone();
    let control = store.zip(publisher.clone()).map(|(store, publisher)| -> anyhow::Result<Control> {
        let (written, cameras, revision) = (settings.written.clone(), cameras.clone(), store.revision()?);
        Ok(Control { written, stored, changes, cameras, revision, model: settings.model.clone(), store, publisher })
    });
    let control = control.transpose()?;
    let common = Common {
        encoder,
        model: model.manifest().name.clone(),
        publisher: publisher.clone(),
        views: views.clone(),
        counters: Arc::clone(&counters),
        shutdown: shutdown.clone(),
        store: kept,
    };
    let running = Arc::new(Mutex::new(Some(Cameras::start(common, &cameras, banks)?)));
    tracing::info!(device = %settings.device, cameras = cameras.len(), "looking out");
    let control = control.zip(requests).map(|(control, requests)| {
        control.show();
        control.spawn(requests, Arc::clone(&running), shutdown.clone())
    });
    let control = control.transpose()?;
    ready(page);
    // Not running under systemd is no fault.
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);

    let started = Instant::now();
    let mut told = Instant::now();
    while !shutdown.wait_timeout(Duration::from_millis(200)) {
        // While a command changes them, they have not ended.
        let ended = running.try_lock().is_ok_and(|cameras| cameras.as_ref().is_none_or(Cameras::ended));
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
    let cameras = running.lock().unwrap_or_else(PoisonError::into_inner).take();
    cameras.into_iter().for_each(Cameras::finish);
    shutdown.request();
    // It can be loading a text tower, which cannot be cut short; what it then finds is that all cameras are gone.
    let patience = Instant::now() + LAST_WORDS;
    while control.as_ref().is_some_and(|control| !control.is_finished()) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    if control.is_some_and(|control| control.is_finished() && control.join().is_err()) {
        tracing::error!("control has panicked");
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
    let model = model(&settings.model)?;
    let manifest = model.manifest();
    tracing::info!(model = %manifest.name, size = manifest.image.size, "model loaded");
    if let Some(notice) = &manifest.notice {
        tracing::warn!("{notice}");
    }
    Ok(model)
}

fn model(settings: &ModelSettings) -> Result<Model, ModelError> {
    settings.path.as_deref().map_or_else(Model::embedded, Model::open)
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

/// One warning for each phrase with words that the model was not trained with, and each that is scored whole although it
/// says a place or a count.
pub fn phrase_warnings(model: &Model, cameras: &[CameraSettings]) -> Vec<String> {
    let prompts = || cameras.iter().flat_map(|camera| &camera.prompts);
    let phrases = prompts().flat_map(|p| p.understood.things().chain(&p.negatives));
    let notes = prompts().flat_map(|p| p.understood.notes.iter().cloned());
    let warning = |phrase: &String| {
        let words = model.manifest().unknown_words(phrase);
        let named = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" and ");
        (!words.is_empty()).then(|| format!("the model {} does not know {named} in {phrase:?}", model.manifest().name))
    };
    phrases.filter_map(warning).chain(notes).collect()
}

/// One prompt bank a camera. The text tower lives only as long as this takes, and so does an image tower for examples.
///
/// # Errors
/// What the model says of a phrase or an example, with the camera and prompt.
pub fn banks(model: &Model, cameras: &[CameraSettings]) -> anyhow::Result<Vec<PromptBank>> {
    let text = model.phrases();
    let space = PhraseSpace::from(&model.manifest().embedding);
    let bank = |camera: &CameraSettings| {
        PromptBank::new(&camera.prompts, &camera.negatives, space, |phrase| text.encode(phrase))
            .map_err(|(prompt, error)| anyhow::anyhow!("camera {}, prompt {prompt}: {error}", camera.name))
    };
    let banks: anyhow::Result<Vec<PromptBank>> = cameras.iter().map(bank).collect();
    text.keep();
    drop(text);
    let examples = examples::examples(model, cameras)?;
    Ok(banks?.into_iter().zip(examples).map(|(bank, examples)| bank.with_examples(examples)).collect())
}

type Published = (Publisher, Receiver<Request>);

fn publisher(
    settings: &Settings,
    cameras: &[CameraSettings],
    store: Option<Store>,
    shutdown: &Shutdown,
    runtime: &Runtime,
) -> anyhow::Result<Option<Published>> {
    let Some((mqtt, store)) = settings.mqtt.clone().zip(store) else {
        tracing::info!("no [mqtt] in the configuration: nothing is published");
        return Ok(None);
    };
    // Said now rather than after the first backoff, and not fatal: the broker may start later.
    if let Err(error) = runtime.block_on(mqtt::probe(&mqtt)) {
        tracing::warn!("{error}; going on without, and trying again");
    }
    let device = settings.device.clone();
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
