//! Views: the newest annotated frame of each camera, and the newest events, for whoever looks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::annotate::{Mark, jpeg};
use crate::capture::CameraStatus;
use crate::config::settings::Name;
use crate::frame::Frame;
use crate::track::{Event, EventKind};

/// Events that the page lists.
const NEWEST: usize = 50;
const QUALITY: u8 = 80;

/// What one camera shows.
#[derive(Clone)]
struct View {
    status: CameraStatus,
    prompts: Vec<String>,
    seen: Option<(Frame, Vec<Mark>)>,
}

#[derive(Default)]
struct Inner {
    cameras: BTreeMap<Name, View>,
    events: VecDeque<Event>,
}

/// Latest-wins: only the newest frame of each camera is kept, and drawn only when somebody looks.
#[derive(Clone, Default)]
pub struct Views(Arc<Mutex<Inner>>);

impl Views {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds a camera, not yet online, that looks out for these phrases.
    pub fn add(&self, camera: Name, prompts: Vec<String>) {
        self.inner().cameras.insert(camera, View { status: CameraStatus::Offline, prompts, seen: None });
    }

    /// Shows that a camera looks out for other phrases now.
    pub fn prompts(&self, camera: &Name, prompts: Vec<String>) {
        if let Some(view) = self.inner().cameras.get_mut(camera) {
            view.prompts = prompts;
        }
    }

    /// Shows a camera's status.
    pub fn status(&self, camera: &Name, status: CameraStatus) {
        if let Some(view) = self.inner().cameras.get_mut(camera) {
            view.status = status;
        }
    }

    /// Shows a frame and what is on it.
    pub fn show(&self, camera: &Name, frame: Frame, marks: Vec<Mark>) {
        if let Some(view) = self.inner().cameras.get_mut(camera) {
            view.seen = Some((frame, marks));
        }
    }

    /// Lists an event. Updates replace the line of their event.
    pub fn event(&self, event: &Event) {
        let mut inner = self.inner();
        inner.events.retain(|other| other.id != event.id);
        inner.events.push_front(event.clone());
        inner.events.truncate(NEWEST);
    }

    /// The newest annotated frame of a camera as JPEG. `None` if there is no such camera or it has shown nothing.
    pub fn picture(&self, camera: &str) -> Option<Vec<u8>> {
        let (frame, marks) = self.inner().cameras.iter().find(|(name, _)| name.as_str() == camera)?.1.seen.clone()?;
        Some(jpeg(&frame, &marks, QUALITY))
    }

    /// Cameras and events as the page reads them.
    pub fn json(&self) -> serde_json::Value {
        let inner = self.inner();
        let cameras = inner.cameras.iter().map(|(name, view)| {
            serde_json::json!({
                "name": name.as_str(),
                "online": view.status == CameraStatus::Online,
                "prompts": view.prompts,
            })
        });
        let events = inner.events.iter().map(|event| {
            serde_json::json!({
                "id": event.id,
                "camera": event.camera.as_str(),
                "phrase": event.phrase,
                "score": event.top_score,
                "there": event.kind != EventKind::End,
                "first_seen": event.first_seen.to_string(),
                "last_seen": event.last_seen.to_string(),
            })
        });
        serde_json::json!({ "cameras": cameras.collect::<Vec<_>>(), "events": events.collect::<Vec<_>>() })
    }
}
