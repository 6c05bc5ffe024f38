//! An animated GIF as a source: GStreamer's decoder neither keeps its timing nor finds its end, so its pictures are
//! decoded here and handed to an appsrc.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::thread;

use gstreamer as gst;
use gstreamer_app::AppSrc;
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, ImageDecoder};

/// The source part of a pipeline that [`feed`] feeds.
pub(super) const HEAD: &str = "appsrc name=source format=time block=true";

/// Whether the file begins as a GIF does.
pub(super) fn is_gif(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"GIF8"
}

/// Pushes the pictures of a file into a source that is playing, on a thread of its own, which ends with the file or with
/// the pipeline. What is wrong with the file is told on the pipeline's bus.
pub(super) fn feed(source: AppSrc, path: &Path) -> std::io::Result<()> {
    let path = path.to_owned();
    let push = move || {
        match push_all(&source, &path) {
            // A pipeline that is being taken down needs no end.
            Ok(()) => drop(source.end_of_stream()),
            Err(error) => gst::element_error!(source, gst::StreamError::Decode, ("{error}")),
        }
    };
    thread::Builder::new().name("capture-gif".to_owned()).spawn(push).map(drop)
}

fn push_all(source: &AppSrc, path: &Path) -> image::ImageResult<()> {
    let decoder = GifDecoder::new(BufReader::new(File::open(path)?))?;
    let (width, height) = decoder.dimensions();
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "RGBA")
        .field("width", width as i32)
        .field("height", height as i32)
        .field("framerate", gst::Fraction::new(0, 1));
    source.set_caps(Some(&caps.build()));
    let mut at = gst::ClockTime::ZERO;
    for picture in decoder.into_frames() {
        let picture = picture?;
        let (numerator, denominator) = picture.delay().numer_denom_ms();
        let milliseconds = u64::from(numerator) / u64::from(denominator.max(1));
        // Like browsers: a delay of nothing is a tenth of a second.
        let lasts = gst::ClockTime::from_mseconds(if milliseconds < 20 { 100 } else { milliseconds });
        let mut buffer = gst::Buffer::from_mut_slice(picture.into_buffer().into_raw());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(at);
            buffer.set_duration(lasts);
        }
        at += lasts;
        if source.push_buffer(buffer).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
