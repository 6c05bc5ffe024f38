//! The supervisor: one thread a camera that keeps its source running, and says when it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::pipeline::{Ended, Pipeline, frame_now};
use super::queue::LatestSender;
use super::source::{Shape, is_recording, keeps_time, repeats};
use super::status::CameraStatus;
use crate::config::settings::CameraSettings;
use crate::frame::Frame;
use crate::shutdown::Shutdown;

const BACKOFF_FLOOR: Duration = Duration::from_secs(1);
const BACKOFF_CEILING: Duration = Duration::from_secs(60);
/// A run that lasted so long was a good one: the next backoff begins anew.
const GOOD_RUN: Duration = Duration::from_secs(30);

struct Supervisor<F> {
    camera: CameraSettings,
    on_status: Arc<F>,
    queue: LatestSender<Frame>,
    sequence: Arc<AtomicU64>,
    online: Arc<AtomicBool>,
    shutdown: Shutdown,
}

/// Starts the thread. It ends with the program, or when a recording that does not repeat has ended; its end of the
/// queue is closed then.
///
/// # Errors
/// When the system has no thread left.
pub fn spawn(
    camera: CameraSettings,
    on_status: impl Fn(CameraStatus) + Send + Sync + 'static,
    queue: LatestSender<Frame>,
    shutdown: Shutdown,
) -> std::io::Result<JoinHandle<()>> {
    let name = camera.name.clone();
    let supervisor = Supervisor {
        camera,
        on_status: Arc::new(on_status),
        queue,
        sequence: Arc::default(),
        online: Arc::default(),
        shutdown,
    };
    std::thread::Builder::new().name(format!("capture-{name}")).spawn(move || {
        let _span = tracing::info_span!("camera", %name).entered();
        supervisor.supervise();
    })
}

impl<F: Fn(CameraStatus) + Send + Sync + 'static> Supervisor<F> {
    fn supervise(&self) {
        let mut failures = 0;
        while !self.shutdown.requested() {
            let started = Instant::now();
            match self.run_once() {
                Ended::Stopped => break,
                Ended::EndOfStream if repeats(&self.camera.source) && self.online.load(Ordering::Relaxed) => continue,
                Ended::EndOfStream if is_recording(&self.camera.source) && self.online.load(Ordering::Relaxed) => {
                    tracing::info!(source = %self.camera.source, "the recording has ended");
                    break;
                }
                Ended::EndOfStream => tracing::warn!(source = %self.camera.source, "the source has ended"),
                Ended::Failed(error) => tracing::warn!("{error}"),
            }
            self.go(CameraStatus::Offline);
            failures = if started.elapsed() >= GOOD_RUN { 1 } else { failures + 1 };
            let pause = backoff(failures);
            tracing::info!("next try in {:.1} s", pause.as_secs_f32());
            self.shutdown.wait_timeout(pause);
        }
        self.go(CameraStatus::Offline);
    }

    fn run_once(&self) -> Ended {
        let shape = Shape { size: Some(self.camera.size), fps: self.camera.fps, rotation: self.camera.rotation };
        // A recording is played in its own time; a live picture is taken as soon as it is there.
        let sink = format!("max-buffers=1 drop=true sync={}", keeps_time(&self.camera.source));
        let pipeline = match Pipeline::build(&self.camera.source, &shape, &sink) {
            Ok(pipeline) => pipeline,
            Err(error) => return Ended::Failed(error),
        };
        let (queue, sequence) = (self.queue.clone(), Arc::clone(&self.sequence));
        let (online, on_status) = (Arc::clone(&self.online), Arc::clone(&self.on_status));
        let on_frame = move |width, height, rgb| {
            if let Some(frame) = frame_now((width, height, rgb), sequence.fetch_add(1, Ordering::Relaxed)) {
                if !online.swap(true, Ordering::Relaxed) {
                    on_status(CameraStatus::Online);
                }
                queue.send(frame);
            }
        };
        pipeline.play(on_frame, &self.shutdown)
    }

    fn go(&self, status: CameraStatus) {
        if self.online.swap(status == CameraStatus::Online, Ordering::Relaxed) {
            (self.on_status)(status);
        }
    }
}

/// Doubles with each failure, within floor and ceiling, and differs from camera to camera.
fn backoff(failures: u32) -> Duration {
    let ceiling = BACKOFF_FLOOR.saturating_mul(1 << failures.min(7)).min(BACKOFF_CEILING);
    BACKOFF_FLOOR + (ceiling - BACKOFF_FLOOR).mul_f64(fastrand::f64())
}
