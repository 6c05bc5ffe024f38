//! One run of one pipeline: built, played, watched, and taken down off the main path.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use jiff::Timestamp;

use super::error::CaptureError;
use super::gif;
use super::pace::Pace;
use super::source::{CLIP, Shape, head, tail};
use crate::config::settings::Source;
use crate::frame::Frame;
use crate::shutdown::Shutdown;

/// A source that gives nothing for so long has died without saying so.
const STALL: Duration = Duration::from_secs(15);
/// RTSP's farewell can hang when the camera is gone; it is not waited for longer.
const TEARDOWN: Duration = Duration::from_secs(3);

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The source has no more.
    EndOfStream,
    /// The program stops.
    Stopped,
    /// Something went wrong.
    Failed(CaptureError),
}

/// A pipeline of one source.
pub(super) struct Pipeline {
    inner: gst::Pipeline,
    pub(super) sink: AppSink,
    uri: String,
    /// An animation whose pictures are pushed once the pipeline plays.
    animation: Option<PathBuf>,
    /// Keeps the embedded clip readable.
    _clip: Option<memfd::Memfd>,
}

/// The embedded clip as a file in memory, and the path under which GStreamer can open it.
fn clip(source: &Source) -> Result<(Option<memfd::Memfd>, String), String> {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let Source::Demo { .. } = source else { return Ok((None, String::new())) };
    let held = memfd::MemfdOptions::new().create("lookout-clip").map_err(|e| e.to_string())?;
    held.as_file().write_all(CLIP).map_err(|e| e.to_string())?;
    let path = format!("/proc/self/fd/{}", held.as_file().as_raw_fd());
    Ok((Some(held), path))
}

impl Pipeline {
    /// Builds the pipeline; `sink` are the properties of its appsink.
    pub(super) fn build(source: &Source, shape: &Shape, sink: &str) -> Result<Self, CaptureError> {
        let uri = source.to_string();
        let fault = |problem: String| CaptureError::Build { uri: uri.clone(), problem };
        gst::init().map_err(|e| fault(e.to_string()))?;
        let (held, clip) = clip(source).map_err(fault)?;
        let head = head(source, &clip)?;
        let description = format!("{} ! {}", head.description, tail(shape, sink));
        // The parser quotes the description in its errors, and a user's own can hold secrets: only its kind is told.
        let element = gst::parse::launch(&description).map_err(|e| match source {
            Source::Pipeline(_) => fault(format!("{:?}", e.kind::<gst::ParseError>())),
            _ => fault(e.message().to_owned()),
        })?;
        let inner = element.downcast::<gst::Pipeline>().map_err(|_| fault("it is no pipeline".to_owned()))?;
        if let Some(element) = inner.by_name("source") {
            for (name, value) in &head.properties {
                if element.find_property(name).is_none() {
                    return Err(fault(format!("{} has no property {name}", element.name())));
                }
                if value_is_bad(&element, name, value) {
                    return Err(fault(format!("{value:?} is no {name}")));
                }
                element.set_property_from_str(name, value);
            }
        }
        if let Some(pad) = inner.by_name("thin").and_then(|thin| thin.static_pad("src")) {
            thin(&pad, Pace::new(shape.fps));
        }
        let sink = inner.by_name("frames").and_then(|sink| sink.downcast::<AppSink>().ok());
        let sink = sink.ok_or_else(|| fault("it has no appsink".to_owned()))?;
        let animation = match source {
            Source::File { path, .. } if gif::is_gif(path) => Some(path.clone()),
            _ => None,
        };
        Ok(Self { inner, sink, uri, animation, _clip: held })
    }

    /// Plays until the end, a fault or shutdown. `on_frame` is called on GStreamer's thread with width, height and
    /// packed RGB, and must return quickly.
    pub(super) fn play(&self, on_frame: impl Fn(u32, u32, Vec<u8>) + Send + 'static, shutdown: &Shutdown) -> Ended {
        let started = Instant::now();
        let last = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&last);
        let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            seen.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
            if let Some((width, height, rgb)) = packed(&sample) {
                on_frame(width, height, rgb);
            }
            Ok(gst::FlowSuccess::Ok)
        });
        self.sink.set_callbacks(callbacks.build());
        if let Err(error) = self.start() {
            return Ended::Failed(error);
        }
        loop {
            if let Some(ended) = self.poll(Duration::from_millis(100)) {
                return ended;
            }
            if shutdown.requested() {
                return Ended::Stopped;
            }
            let silent = started.elapsed().saturating_sub(Duration::from_millis(last.load(Ordering::Relaxed)));
            if silent >= STALL {
                return Ended::Failed(CaptureError::Stalled { uri: self.uri.clone(), seconds: silent.as_secs() });
            }
        }
    }

    /// Sets the pipeline playing.
    pub(super) fn start(&self) -> Result<(), CaptureError> {
        let fault = |problem: String| CaptureError::Failed { uri: self.uri.clone(), problem };
        self.inner.set_state(gst::State::Playing).map_err(|_| match self.poll(Duration::from_secs(1)) {
            Some(Ended::Failed(error)) => error,
            _ => fault("it cannot be started".to_owned()),
        })?;
        if let Some(path) = &self.animation
            && let Some(source) = self.inner.by_name("source").and_then(|source| source.downcast::<AppSrc>().ok())
        {
            gif::feed(source, path).map_err(|e| fault(e.to_string()))?;
        }
        Ok(())
    }

    /// How long the source is, where it is a recording that says so.
    pub(super) fn length(&self) -> Option<Duration> {
        self.inner.query_duration::<gst::ClockTime>().map(|length| Duration::from_nanos(length.nseconds()))
    }

    /// Waits for the end or a fault, up to `timeout`.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Ended> {
        let bus = self.inner.bus()?;
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        // The bindings' timed pop gives nothing at all when there is no time.
        let message = match timeout {
            Duration::ZERO => bus.pop_filtered(&wanted),
            _ => bus.timed_pop_filtered(gst::ClockTime::from_nseconds(timeout.as_nanos() as u64), &wanted),
        }?;
        Some(match message.view() {
            gst::MessageView::Error(error) => Ended::Failed(self.translated(&error.error())),
            _ => Ended::EndOfStream,
        })
    }

    /// GStreamer's error in our words. Its debug text can quote addresses with their credentials, so it is left out.
    fn translated(&self, error: &gst::glib::Error) -> CaptureError {
        let (uri, problem) = (self.uri.clone(), error.message().to_owned());
        match error.kind::<gst::StreamError>() {
            Some(
                gst::StreamError::TypeNotFound
                | gst::StreamError::WrongType
                | gst::StreamError::CodecNotFound
                | gst::StreamError::Demux
                | gst::StreamError::Decode
                | gst::StreamError::Format,
            ) => CaptureError::NotVideo { uri, problem },
            _ => CaptureError::Failed { uri, problem },
        }
    }
}

/// Drops the buffers that the pace does not take.
fn thin(pad: &gst::Pad, pace: Pace) {
    let (pace, started) = (Mutex::new(pace), Instant::now());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let stamped = info.buffer().and_then(|buffer| buffer.pts()).map(|pts| Duration::from_nanos(pts.nseconds()));
        // MJPEG carries no times: there it counts when a picture comes.
        let at = stamped.unwrap_or_else(|| started.elapsed());
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.takes(at) { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
    });
}

/// Whether an enumeration's value is none of its names; GStreamer would panic on it.
fn value_is_bad(element: &gst::Element, name: &str, value: &str) -> bool {
    let Some(property) = element.find_property(name) else { return true };
    gst::glib::Value::deserialize(value, property.value_type()).is_err()
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let pipeline = self.inner.clone();
        let (done, wait) = mpsc::channel();
        let down = move || {
            // A pipeline that cannot be stopped cannot be helped either.
            let _ = pipeline.set_state(gst::State::Null);
            let _ = done.send(());
        };
        let started = thread::Builder::new().name("capture-teardown".to_owned()).spawn(down).is_ok();
        if !started || wait.recv_timeout(TEARDOWN).is_err() {
            tracing::warn!(source = %self.uri, "the source does not let go; it is left behind");
        }
    }
}

/// A sample's pixels without row padding: width, height, RGB.
pub(super) fn packed(sample: &gst::Sample) -> Option<(u32, u32, Vec<u8>)> {
    let info = VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
    let (width, height) = (frame.width(), frame.height());
    let (row, stride) = (width as usize * 3, *frame.plane_stride().first()? as usize);
    let data = frame.plane_data(0).ok()?;
    let mut rgb = Vec::with_capacity(row * height as usize);
    for line in data.chunks(stride).take(height as usize) {
        rgb.extend_from_slice(line.get(..row)?);
    }
    Some((width, height, rgb))
}

/// A frame as it arrives now.
pub(super) fn frame_now((width, height, rgb): (u32, u32, Vec<u8>), sequence: u64) -> Option<Frame> {
    Frame::new(width, height, rgb, sequence, Timestamp::now())
}
