//! A source as GStreamer is told of it: the description of its pipeline.

use std::path::Path;

use crate::config::settings::{Rotation, Source};

use super::error::CaptureError;
use super::gif;

/// The embedded clip: WebM with VP8.
pub const CLIP: &[u8] = include_bytes!("../../models/demo/street.webm");

/// What frames should come out as.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Width and height in pixels after rotation; `None` for the source's own.
    pub size: Option<(u32, u32)>,
    /// Frames per second at most.
    pub fps: f64,
    /// Clockwise.
    pub rotation: Rotation,
}

/// A source's own part of a pipeline, and what must be set on its element `source` afterwards: values that may be
/// secret, or that a description cannot quote.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// In gst-launch's words.
    pub description: String,
    /// Property and value.
    pub properties: Vec<(&'static str, String)>,
}

/// The source part of the pipeline. `clip` is the path under which the embedded clip can be read.
///
/// # Errors
/// [`CaptureError::Missing`] for a file or device that is not there.
pub fn head(source: &Source, clip: &str) -> Result<Head, CaptureError> {
    let head = |description: &str, properties| Ok(Head { description: description.to_owned(), properties });
    // Pictures only: a file's sound is not decoded. Hardware decoders serve by their rank.
    let any = "uridecodebin name=source caps=video/x-raw(ANY) expose-all-streams=false";
    match source {
        Source::Rtsp(uri) => {
            let mut bare = uri.clone();
            let mut properties = Vec::new();
            if !uri.username().is_empty() {
                properties.push(("user-id", unescaped(uri.username())));
                properties.push(("user-pw", unescaped(uri.password().unwrap_or_default())));
                // Neither fails for an address that has a host.
                let _ = bare.set_username("");
                let _ = bare.set_password(None);
            }
            properties.insert(0, ("location", bare.to_string()));
            // Over TCP: cameras on Wi-Fi lose packets, and a lost packet is a smeared picture for seconds.
            head(
                "rtspsrc name=source protocols=tcp latency=200 ! application/x-rtp,media=video ! decodebin",
                properties,
            )
        }
        // Its older sibling waits for ever for the end of a multipart stream's head.
        Source::Http(uri) => {
            head("uridecodebin3 name=source ! capsfilter caps=video/x-raw(ANY)", vec![("uri", uri.to_string())])
        }
        Source::File { path, .. } => {
            there(source, path)?;
            if gif::is_gif(path) {
                return head(gif::HEAD, Vec::new());
            }
            let uri =
                url::Url::from_file_path(path).map_or_else(|()| path.display().to_string(), |uri| uri.to_string());
            head(any, vec![("uri", uri)])
        }
        Source::Demo { .. } => head("filesrc name=source ! decodebin", vec![("location", clip.to_owned())]),
        Source::V4l2(device) => {
            there(source, device)?;
            head("v4l2src name=source ! decodebin", vec![("device", device.display().to_string())])
        }
        Source::Libcamera(name) => {
            let named = name.iter().map(|name| ("camera-name", name.clone())).collect();
            head("libcamerasrc name=source ! queue leaky=downstream max-size-buffers=2", named)
        }
        Source::Nvargus(sensor) => head(
            "nvarguscamerasrc name=source ! video/x-raw(memory:NVMM) ! nvvidconv ! video/x-raw,format=BGRx",
            vec![("sensor-id", sensor.to_string())],
        ),
        Source::Test(pattern) => head("videotestsrc name=source is-live=true", vec![("pattern", pattern.clone())]),
        Source::Pipeline(description) => head(description, Vec::new()),
    }
}

/// What every source has in common: the element `thin` at which frames are dropped, rotation, size, RGB, and the appsink `frames`.
pub fn tail(shape: &Shape, sink: &str) -> String {
    let direction = match shape.rotation {
        Rotation::None => "",
        Rotation::Quarter => " ! videoflip video-direction=90r",
        Rotation::Half => " ! videoflip video-direction=180",
        Rotation::ThreeQuarters => " ! videoflip video-direction=90l",
    };
    let size = shape.size.map_or_else(String::new, |(w, h)| format!(",width={w},height={h}"));
    // `thin` drops frames before they are converted, which costs most.
    format!(
        "identity name=thin ! videoconvert{direction} ! videoscale add-borders=true ! videoconvert ! \
         video/x-raw,format=RGB,pixel-aspect-ratio=1/1{size} ! appsink name=frames {sink}"
    )
}

/// Whether the source is a recording, which ends.
pub fn is_recording(source: &Source) -> bool {
    matches!(source, Source::File { .. } | Source::Demo { .. })
}

/// Whether the source plays in real time only if its clock is kept. Over HTTP there may be a recording; MJPEG there
/// carries no times, and is taken as it comes.
pub fn keeps_time(source: &Source) -> bool {
    is_recording(source) || matches!(source, Source::Http(_))
}

/// Whether the source starts again at its end.
pub fn repeats(source: &Source) -> bool {
    matches!(source, Source::File { repeat: true, .. } | Source::Demo { repeat: true })
}

fn there(source: &Source, path: &Path) -> Result<(), CaptureError> {
    if path.exists() {
        return Ok(());
    }
    Err(CaptureError::Missing { uri: source.to_string(), path: path.display().to_string() })
}

/// Undoes a URI's percent signs.
fn unescaped(text: &str) -> String {
    let pairs = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pairs.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(uri: &str) -> Head {
        head(&Source::parse(uri, None).expect("a source"), "/clip").expect("there")
    }

    #[test]
    fn credentials_are_set_apart_from_the_description() {
        let head = described("rtsp://visitor:p%40ss+w%C3%B6rd@192.0.2.1:554/stream?channel=1");
        assert!(!head.description.contains("visitor") && head.description.starts_with("rtspsrc"));
        assert_eq!(head.properties[0], ("location", "rtsp://192.0.2.1:554/stream?channel=1".to_owned()));
        assert_eq!(head.properties[1..], [("user-id", "visitor".to_owned()), ("user-pw", "p@ss+wörd".to_owned())]);
    }

    #[test]
    fn each_kind_has_its_element() {
        for (uri, element, property) in [
            ("libcamera://", "libcamerasrc", None),
            ("libcamera:///base/imx708", "libcamerasrc", Some(("camera-name", "/base/imx708"))),
            ("nvargus://1", "nvarguscamerasrc", Some(("sensor-id", "1"))),
            ("http://192.0.2.1/mjpeg", "uridecodebin3", Some(("uri", "http://192.0.2.1/mjpeg"))),
            ("test://ball", "videotestsrc", Some(("pattern", "ball"))),
            ("demo://street", "filesrc", Some(("location", "/clip"))),
            ("v4l2:///dev/null", "v4l2src", Some(("device", "/dev/null"))),
        ] {
            let head = described(uri);
            assert!(head.description.starts_with(element), "{uri}: {}", head.description);
            let found = head.properties.first().map(|(name, value)| (*name, value.as_str()));
            assert_eq!(found, property, "{uri}");
        }
    }

    #[test]
    fn a_missing_file_or_device_is_named() {
        for uri in ["file:///no/such.mp4", "v4l2:///dev/no-such-video"] {
            let error = head(&Source::parse(uri, None).expect("a source"), "/clip").expect_err("missing").to_string();
            assert!(error.contains("there is no /") && error.contains(uri), "{error}");
        }
    }

    #[test]
    fn the_tail_turns_before_it_scales() {
        let shape = Shape { size: Some((360, 640)), fps: 2.5, rotation: Rotation::Quarter };
        let tail = tail(&shape, "sync=false");
        assert!(tail.contains("width=360,height=640"), "{tail}");
        assert!(tail.find("videoflip") < tail.find("videoscale"));
    }
}
