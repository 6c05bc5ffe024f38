//! A recorder: pictures become a video file, WebM (VP8) or MP4 (H.264) by the file's ending.

use std::path::Path;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;

use super::error::CaptureError;

/// An open video file. Call [`Self::finish`], or the file lacks its index.
pub struct Recorder {
    pipeline: gst::Pipeline,
    source: AppSrc,
    file: String,
}

impl Recorder {
    /// Starts a file for pictures of the given size.
    ///
    /// # Errors
    /// [`CaptureError::Build`] for an ending that is not `.webm`, `.mkv` or `.mp4`, or when a plugin is missing;
    /// [`CaptureError::Failed`] when the file cannot be written.
    pub fn start(path: &Path, width: u32, height: u32) -> Result<Self, CaptureError> {
        let file = path.display().to_string();
        let fault = |problem: String| CaptureError::Build { uri: file.clone(), problem };
        gst::init().map_err(|e| fault(e.to_string()))?;
        let vp8 = "vp8enc deadline=1 cpu-used=8 target-bitrate=2000000";
        let encoder = match path.extension().and_then(|ending| ending.to_str()) {
            Some("webm") => format!("{vp8} ! webmmux"),
            Some("mkv") => format!("{vp8} ! matroskamux"),
            // Players know 4:2:0 only.
            Some("mp4") => "video/x-raw,format=I420 ! x264enc speed-preset=veryfast ! mp4mux".to_owned(),
            _ => return Err(fault("the name should end in .webm, .mkv or .mp4".to_owned())),
        };
        let description = format!("appsrc name=pictures format=time ! videoconvert ! {encoder} ! filesink name=file");
        let element = gst::parse::launch(&description).map_err(|e| fault(e.message().to_owned()))?;
        let pipeline = element.downcast::<gst::Pipeline>().map_err(|_| fault("it is no pipeline".to_owned()))?;
        if let Some(sink) = pipeline.by_name("file") {
            sink.set_property("location", &file);
        }
        let source = pipeline.by_name("pictures").and_then(|source| source.downcast::<AppSrc>().ok());
        let source = source.ok_or_else(|| fault("it has no appsrc".to_owned()))?;
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "RGB")
            .field("width", width as i32)
            .field("height", height as i32)
            .field("framerate", gst::Fraction::new(0, 1));
        source.set_caps(Some(&caps.build()));
        source.set_property("block", true);
        pipeline.set_state(gst::State::Playing).map_err(|_| CaptureError::Failed {
            uri: file.clone(),
            problem: "the file cannot be written".to_owned(),
        })?;
        Ok(Self { pipeline, source, file })
    }

    /// Adds a picture: rows of RGB triples, `position` from the start.
    ///
    /// # Errors
    /// [`CaptureError::Failed`] when the file cannot be written any more.
    pub fn add(&self, rgb: &[u8], width: u32, position: Duration) -> Result<(), CaptureError> {
        // GStreamer's rows are padded to 4 bytes.
        let row = width as usize * 3;
        let stride = row.div_ceil(4) * 4;
        let mut padded = vec![0; rgb.len() / row * stride];
        for (to, from) in padded.chunks_exact_mut(stride).zip(rgb.chunks_exact(row)) {
            to[..row].copy_from_slice(from);
        }
        let mut buffer = gst::Buffer::from_mut_slice(padded);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(position.as_nanos() as u64));
        }
        self.source.push_buffer(buffer).map(|_| ()).map_err(|_| self.failed())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`CaptureError::Failed`] when its end could not be written.
    pub fn finish(self) -> Result<(), CaptureError> {
        let ended = self.source.end_of_stream().is_ok() && {
            let types = [gst::MessageType::Eos, gst::MessageType::Error];
            let message =
                self.pipeline.bus().and_then(|bus| bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &types));
            message.is_some_and(|message| message.type_() == gst::MessageType::Eos)
        };
        if ended { Ok(()) } else { Err(self.failed()) }
    }

    fn failed(&self) -> CaptureError {
        CaptureError::Failed { uri: self.file.clone(), problem: "the file cannot be written".to_owned() }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Nothing can be done about a file that does not close.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
