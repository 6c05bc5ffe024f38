//! A recording read offline: every analysed frame, as fast as it can be decoded, none dropped.

use std::time::Duration;

use jiff::Timestamp;

use super::error::CaptureError;
use super::pipeline::{Ended, Pipeline, packed};
use super::source::Shape;
use crate::config::settings::Source;
use crate::frame::Frame;

/// The frames of a recording, in order.
pub struct Recording {
    pipeline: Pipeline,
    source: String,
    start: Timestamp,
    next: u64,
    ended: bool,
}

/// Opens a recording.
///
/// # Errors
/// [`CaptureError`] when it is not there or the pipeline cannot be built.
pub fn open_offline(source: &Source, shape: &Shape) -> Result<Recording, CaptureError> {
    let pipeline = Pipeline::build(source, shape, "max-buffers=4 drop=false sync=false")?;
    pipeline.start()?;
    Ok(Recording { pipeline, source: source.to_string(), start: Timestamp::now(), next: 0, ended: false })
}

impl Recording {
    /// How long it is, once its first frame was read. `None` where it does not say.
    pub fn length(&self) -> Option<Duration> {
        self.pipeline.length()
    }
}

impl Iterator for Recording {
    /// The position in the recording, and the frame. The frame's time is the time of opening plus the position.
    type Item = Result<(Duration, Frame), CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let wait = gstreamer::ClockTime::from_mseconds(100);
            if let Some(sample) = self.pipeline.sink.try_pull_sample(wait) {
                let position = position(&sample);
                let captured = self.start.checked_add(position).unwrap_or(self.start);
                let (width, height, rgb) = packed(&sample)?;
                let frame = Frame::new(width, height, rgb, self.next, captured)?;
                self.next += 1;
                return Some(Ok((position, frame)));
            }
            match self.pipeline.poll(Duration::ZERO) {
                Some(Ended::Failed(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                _ if self.pipeline.sink.is_eos() => self.ended = true,
                _ => {}
            }
        }
        if self.next == 0 {
            // Said once: the iterator is over after it.
            self.next = 1;
            let problem = "it holds no picture".to_owned();
            return Some(Err(CaptureError::NotVideo { uri: self.source.clone(), problem }));
        }
        None
    }
}

/// Where in the recording a sample is. A file's own timestamps can begin elsewhere than at 0, as those of H.264 with B-frames
/// in MP4 do; its segment says where.
fn position(sample: &gstreamer::Sample) -> Duration {
    let pts = sample.buffer().and_then(|buffer| buffer.pts());
    let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gstreamer::ClockTime>());
    let in_stream = segment.zip(pts).and_then(|(segment, pts)| segment.to_stream_time(pts));
    Duration::from_nanos(in_stream.or(pts).map_or(0, |time| time.nseconds()))
}
