//! The control: follows what is asked by message. A request is judged whole before anything of it takes effect: its
//! settings are read as the file's would be, its phrases embedded, its changes stored; then the cameras are told.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use super::cameras::Cameras;
use crate::config::changes::{Key, PromptKey};
use crate::config::settings::{CameraSettings, ModelSettings, Name};
use crate::config::table::Fault;
use crate::config::{Changes, Written};
use crate::mqtt::{Asked, Publisher, Refusal, Request, Standing};
use crate::prompts::PromptBank;
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreError};

/// The settings as they stand, and how they came about.
pub(super) struct Control {
    pub(super) written: Written,
    /// What the store keeps.
    pub(super) stored: Changes,
    /// Those of them that are in effect; others did not fit the file.
    pub(super) changes: Changes,
    pub(super) cameras: Vec<CameraSettings>,
    pub(super) revision: u64,
    pub(super) model: ModelSettings,
    pub(super) store: Store,
    pub(super) publisher: Publisher,
}

/// Between two requests; those that come faster wait, and are refused when too many do.
const PACE: Duration = Duration::from_millis(20);

type Faults = Vec<Fault>;

/// One fault.
fn fault(key: impl Into<String>, problem: impl Into<String>) -> Faults {
    vec![Fault { key: key.into(), problem: problem.into() }]
}

/// Refuses a prompt that is not there.
fn known_prompt(camera: &CameraSettings, prompt: &Name) -> Result<(), Faults> {
    if camera.prompts.iter().any(|known| known.name == *prompt) {
        return Ok(());
    }
    let known: Vec<&str> = camera.prompts.iter().map(|known| known.name.as_str()).collect();
    let problem = format!("the camera {} has no prompt {prompt}; prompts: {}", camera.name, known.join(", "));
    Err(fault("topic", problem))
}

/// The changes that the store keeps. What cannot be read there is told and left out.
///
/// # Errors
/// The store cannot be read.
pub fn stored_changes(store: &Store) -> Result<Changes, StoreError> {
    let mut changes = Changes::default();
    for stored in store.changes()? {
        let value = serde_json::from_str(&stored.value);
        match (Name::new(&stored.camera), stored.key.parse::<Key>(), value) {
            (Some(camera), Ok(key), Ok(value)) => changes.insert(camera, key, value),
            _ => tracing::warn!("the stored change of {}/{} cannot be read", stored.camera, stored.key),
        }
    }
    Ok(changes)
}

impl Control {
    /// Shows the settings of all cameras.
    pub(super) fn show(&self) {
        for camera in &self.cameras {
            self.publisher.settings(camera, &self.standing(camera, None));
        }
    }

    /// Starts the thread, which ends with the program. `cameras` is empty when the program is at its end.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn spawn(
        mut self,
        requests: Receiver<Request>,
        cameras: Arc<Mutex<Option<Cameras>>>,
        shutdown: Shutdown,
    ) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            while !shutdown.requested() {
                match requests.recv_timeout(Duration::from_millis(200)) {
                    Ok(request) => {
                        self.follow(request, &cameras);
                        // Each change is a write, and whoever asks without end must not wear out an SD card.
                        shutdown.wait_timeout(PACE);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    // Where messages may change nothing, none come.
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        })
    }

    fn follow(&mut self, request: Request, cameras: &Mutex<Option<Cameras>>) {
        let Request { asker, camera, asked } = request;
        if let Asked::Snapshot = asked {
            match self.present(&camera) {
                Ok(present) if present.enabled => {
                    if let Some(cameras) = &*cameras.lock().unwrap_or_else(PoisonError::into_inner) {
                        cameras.snapshot(&camera, asker);
                    }
                }
                Ok(_) => {
                    let faults = fault("snapshot", format!("the camera {camera} is switched off"));
                    self.publisher.refuse(&Refusal { asker, faults });
                }
                Err(faults) => self.publisher.refuse(&Refusal { asker, faults }),
            }
            return;
        }
        if let Asked::Relearn(prompt) = asked {
            let known =
                self.present(&camera).and_then(|camera| prompt.iter().try_for_each(|p| known_prompt(camera, p)));
            match (known, &*cameras.lock().unwrap_or_else(PoisonError::into_inner)) {
                (Err(faults), _) => self.publisher.refuse(&Refusal { asker, faults }),
                (Ok(()), Some(cameras)) => {
                    cameras.relearn(&camera, prompt);
                    self.publisher.answer(&asker);
                }
                (Ok(()), None) => {}
            }
            return;
        }
        match self.change(&camera, asked, cameras) {
            Ok(camera) => {
                tracing::info!(revision = self.revision, "settings of the camera {} changed by message", camera.name);
                self.publisher.settings(&camera, &self.standing(&camera, asker.id.clone()));
                self.publisher.answer(&asker);
            }
            Err(faults) => self.publisher.refuse(&Refusal { asker, faults }),
        }
    }

    fn present(&self, name: &Name) -> Result<&CameraSettings, Faults> {
        self.cameras.iter().find(|camera| camera.name == *name).ok_or_else(|| {
            let known: Vec<&str> = self.cameras.iter().map(|camera| camera.name.as_str()).collect();
            fault("topic", format!("there is no camera {name}; cameras here: {}", known.join(", ")))
        })
    }

    fn standing(&self, camera: &CameraSettings, request: Option<String>) -> Standing {
        let mut changed: Vec<_> = self.changes.of(&camera.name).map(|(key, _)| key.to_string()).collect();
        changed.sort();
        Standing { revision: self.revision, changed, request }
    }

    /// What the changes would be, and the camera by them.
    fn judged(&self, name: &Name, asked: Asked) -> Result<(Changes, CameraSettings), Faults> {
        let present = self.present(name)?;
        let read = |changes: &Changes| self.written.camera(name, changes).unwrap_or_else(|| Err(Vec::new()));
        let next = match asked {
            Asked::Change { patch, revision, prompt } => {
                if let Some(asked) = revision.filter(|revision| *revision != self.revision) {
                    let problem =
                        format!("is {asked}, but the settings have {} by now; look at them again", self.revision);
                    return Err(fault("revision", problem));
                }
                prompt.iter().try_for_each(|prompt| known_prompt(present, prompt))?;
                let written = read(&Changes::default())?;
                self.changes.patched(present, &written, &patch)?
            }
            Asked::Reset(key) => {
                if let Key::Setting(prompt, _) = &key {
                    known_prompt(present, prompt)?;
                }
                let mut next = self.changes.clone();
                // A threshold by hand came with a word against calibrating it, and goes with that.
                let with = match &key {
                    Key::Setting(prompt, PromptKey::Threshold) => Key::Setting(prompt.clone(), PromptKey::FalseAlarms),
                    _ => key.clone(),
                };
                next.forget(|camera, other| camera == name && (*other == key || *other == with));
                next
            }
            Asked::ResetAll | Asked::Snapshot | Asked::Relearn(_) => {
                let mut next = self.changes.clone();
                next.forget(|camera, _| camera == name);
                next
            }
        };
        let camera = read(&next)?;
        Ok((next, camera))
    }

    /// Follows a request whole, or not at all.
    fn change(
        &mut self,
        name: &Name,
        asked: Asked,
        cameras: &Mutex<Option<Cameras>>,
    ) -> Result<CameraSettings, Faults> {
        let (next, camera) = self.judged(name, asked)?;
        let present = self.present(name)?;
        let words = |camera: &CameraSettings| -> Vec<_> {
            camera
                .prompts
                .iter()
                .map(|p| (p.name.clone(), p.phrases.clone(), p.understood.clone(), p.negatives.clone()))
                .collect()
        };
        let bank = if words(present) == words(&camera) { None } else { Some(self.bank(&camera)?) };
        let announce = words(present) != words(&camera);
        // Against what is stored, so that what no longer fitted goes too.
        let changed: Vec<_> = (self.stored.difference(&next).into_iter())
            .filter(|(camera, ..)| *camera == name)
            .map(|(camera, key, value)| (camera.to_string(), key.to_string(), value.map(ToString::to_string)))
            .collect();
        let gone = present.prompts.iter().filter(|old| !camera.prompts.iter().any(|new| new.name == old.name));
        let gone: Vec<Name> = gone.map(|prompt| prompt.name.clone()).collect();
        if !changed.is_empty() {
            let stored = self.store.change(&changed, Timestamp::now());
            self.revision = stored.map_err(|error| fault("store", format!("nothing is changed: {error}")))?;
        }
        self.stored.forget(|camera, _| camera == name);
        next.of(name).for_each(|(key, value)| self.stored.insert(name.clone(), key.clone(), value.clone()));
        self.changes = next;
        gone.iter().for_each(|prompt| self.publisher.forget_settings(name, prompt));
        if let Some(place) = self.cameras.iter_mut().find(|other| other.name == *name) {
            *place = camera.clone();
        }
        if let Some(cameras) = &mut *cameras.lock().unwrap_or_else(PoisonError::into_inner)
            && let Err(error) = cameras.change(&camera, bank)
        {
            tracing::error!("the camera {name} cannot be started again: {error}");
        }
        if announce {
            self.publisher.announce(&self.cameras);
        }
        Ok(camera)
    }

    /// The text tower is loaded for this moment only; it is the larger part of a model.
    fn bank(&self, camera: &CameraSettings) -> Result<PromptBank, Faults> {
        let cameras = std::slice::from_ref(camera);
        let embedded = || {
            let model = super::model(&self.model)?;
            super::phrase_warnings(&model, cameras).iter().for_each(|warning| tracing::warn!("{warning}"));
            super::banks(&model, cameras)
        };
        let mut banks = embedded().map_err(|error| fault("phrases", error.to_string()))?;
        banks.pop().ok_or_else(|| fault("phrases", "gave no prompt bank"))
    }
}
