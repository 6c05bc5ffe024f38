//! Capture from real files, test pictures, the embedded clip and an RTSP camera on loopback.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lookout::capture::source::Shape;
use lookout::capture::{
    self, CameraStatus, CaptureError, LatestReceiver, Received, Recorder, latest_wins, open_offline,
};
use lookout::config::settings::{CameraSettings, Rotation, Source};
use lookout::frame::Frame;
use lookout::shutdown::Shutdown;

use crate::support::rtsp;

/// Longer than any start or backoff that these tests meet, on a loaded machine too.
const SOON: Duration = Duration::from_secs(60);

fn camera(source: Source, size: (u32, u32), fps: f64) -> CameraSettings {
    let text = "[[camera]]\nname = \"c\"\nsource = \"test://smpte\"\n[[camera.prompt]]\nphrases = \"a dog\"";
    let mut settings = lookout::config::parse(text, "test", Path::new(""), false).expect("valid");
    CameraSettings { source, size, fps, ..settings.cameras.remove(0) }
}

struct Running {
    frames: LatestReceiver<Frame>,
    statuses: Receiver<CameraStatus>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(camera: CameraSettings) -> Self {
        let (sender, frames) = latest_wins();
        let (tell, statuses) = channel();
        let shutdown = Shutdown::default();
        let on_status = move |status| {
            // Nobody listens any more when the test has ended.
            let _ = tell.send(status);
        };
        let thread = capture::spawn(camera, on_status, sender, shutdown.clone()).expect("a thread");
        Self { frames, statuses, shutdown, thread: Some(thread) }
    }

    fn frame(&self) -> Frame {
        match self.frames.recv_timeout(SOON) {
            Received::Item(frame) => frame,
            other => panic!("no frame: {other:?}"),
        }
    }

    fn status(&self) -> CameraStatus {
        self.statuses.recv_timeout(SOON).expect("a status")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.request();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("capture ends");
        }
    }
}

/// A VP8 file of so many frames at 10 a second.
fn recording(folder: &Path, frames: u64) -> PathBuf {
    let path = folder.join("recording.webm");
    let recorder = Recorder::start(&path, 322, 182).expect("starts");
    for i in 0..frames {
        let rgb: Vec<u8> =
            (0..322 * 182).flat_map(|p| if p % 322 < 161 { [200, 0, i as u8] } else { [0, 0, 200] }).collect();
        recorder.add(&rgb, 322, Duration::from_millis(i * 100)).expect("adds");
    }
    recorder.finish().expect("finishes");
    path
}

fn offline(
    path: &Path,
    size: Option<(u32, u32)>,
    fps: f64,
    rotation: Rotation,
) -> Result<Vec<(Duration, Frame)>, CaptureError> {
    let source = Source::File { path: path.to_owned(), repeat: false };
    open_offline(&source, &Shape { size, fps, rotation })?.collect()
}

#[test]
fn a_file_gives_every_frame_with_its_own_stride() {
    let folder = tempfile::tempdir().expect("a folder");
    let frames = offline(&recording(folder.path(), 20), None, 30.0, Rotation::None).expect("reads");
    assert_eq!(frames.len(), 20);
    for (i, (position, frame)) in frames.iter().enumerate() {
        assert_eq!((frame.width(), frame.height(), frame.sequence), (322, 182, i as u64));
        assert!(position.abs_diff(Duration::from_millis(i as u64 * 100)) < Duration::from_millis(20));
        // Rows that were read with the wrong stride would slant the edge between red and blue.
        for row in [5, 90, 176] {
            let pixel = |x: usize| &frame.rgb()[(row * 322 + x) * 3..][..3];
            assert!(pixel(40)[0] > 120 && pixel(280)[2] > 120, "row {row}: {:?} {:?}", pixel(40), pixel(280));
        }
    }
}

/// In MP4, the timestamps of H.264 with B-frames begin later than the picture does; annotations count from the picture.
#[test]
fn positions_in_a_file_begin_at_0() {
    use gstreamer::prelude::*;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("b-frames.mp4");
    gstreamer::init().expect("starts");
    let encode = "videotestsrc num-buffers=15 ! video/x-raw,width=64,height=48,framerate=5/1 \
                  ! x264enc bframes=2 b-adapt=false ! h264parse ! mp4mux ! filesink name=file";
    let pipeline = gstreamer::parse::launch(encode).expect("GStreamer has x264enc").downcast::<gstreamer::Pipeline>();
    let pipeline = pipeline.expect("a pipeline");
    pipeline.by_name("file").expect("a sink").set_property("location", path.display().to_string());
    pipeline.set_state(gstreamer::State::Playing).expect("plays");
    let wanted = [gstreamer::MessageType::Eos, gstreamer::MessageType::Error];
    let wait = gstreamer::ClockTime::from_seconds(SOON.as_secs());
    let ended = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(wait, &wanted)).expect("ends");
    assert_eq!(ended.type_(), gstreamer::MessageType::Eos);
    pipeline.set_state(gstreamer::State::Null).expect("stops");
    let frames = offline(&path, None, 60.0, Rotation::None).expect("reads");
    let positions: Vec<u128> = frames.iter().map(|(position, _)| position.as_millis()).collect();
    assert_eq!(positions, (0..15).map(|i| i * 200).collect::<Vec<u128>>());
}

#[test]
fn a_file_is_turned_scaled_and_thinned() {
    let folder = tempfile::tempdir().expect("a folder");
    let frames = offline(&recording(folder.path(), 20), Some((100, 160)), 2.0, Rotation::Quarter).expect("reads");
    assert!((3..=5).contains(&frames.len()), "{} frames of 2 s at 2 a second", frames.len());
    let frame = &frames[0].1;
    assert_eq!((frame.width(), frame.height()), (100, 160));
    // What was left is on top after a quarter turn clockwise.
    let pixel = |y: usize| &frame.rgb()[(y * 100 + 50) * 3..][..3];
    assert!(pixel(40)[0] > 120 && pixel(120)[2] > 120, "{:?} {:?}", pixel(40), pixel(120));
}

#[test]
fn an_animated_gif_keeps_its_timing_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("animation.gif");
    let mut encoder = image::codecs::gif::GifEncoder::new(std::fs::File::create(&path).expect("creates"));
    for shade in [0, 80, 160, 240] {
        let picture = image::RgbaImage::from_pixel(32, 18, image::Rgba([shade, 0, 0, 255]));
        let delay = image::Delay::from_numer_denom_ms(250, 1);
        encoder.encode_frame(image::Frame::from_parts(picture, 0, 0, delay)).expect("encodes");
    }
    drop(encoder);
    let frames = offline(&path, None, 30.0, Rotation::None).expect("reads");
    let seen: Vec<_> = frames.iter().map(|(position, frame)| (position.as_millis(), frame.rgb()[0])).collect();
    assert_eq!(seen.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 250, 500, 750]);
    assert!(seen.windows(2).all(|pair| pair[0].1 + 60 < pair[1].1), "{seen:?}");
    std::fs::write(&path, &std::fs::read(&path).expect("reads")[..40]).expect("writes");
    assert!(matches!(offline(&path, None, 30.0, Rotation::None), Err(CaptureError::NotVideo { .. })));
}

#[test]
fn what_is_no_video_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("notes.mp4");
    std::fs::write(&text, "buy milk\n".repeat(500)).expect("writes");
    let error = offline(&text, None, 5.0, Rotation::None).expect_err("no video");
    assert!(matches!(&error, CaptureError::NotVideo { uri, .. } if uri.contains("notes.mp4")), "{error}");
    let error = offline(&folder.path().join("none.mp4"), None, 5.0, Rotation::None).expect_err("no file");
    assert!(matches!(error, CaptureError::Missing { .. }), "{error}");
}

#[test]
fn a_test_picture_is_live_and_unread_frames_are_dropped() {
    let running = Running::start(camera(Source::Test("ball".to_owned()), (160, 120), 20.0));
    let first = running.frame();
    assert_eq!(running.status(), CameraStatus::Online);
    assert_eq!((first.width(), first.height()), (160, 120));
    let started = Instant::now();
    while running.frames.dropped() < 3 {
        assert!(started.elapsed() < SOON, "frames that nobody takes are dropped");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(running.frame().sequence > first.sequence + 3);
}

#[test]
fn the_embedded_clip_plays() {
    let running = Running::start(camera(Source::Demo { repeat: true }, (640, 360), 5.0));
    assert_eq!((running.frame().width(), running.frame().height()), (640, 360));
}

#[test]
fn a_recording_that_repeats_stays_online() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = recording(folder.path(), 5);
    let running = Running::start(camera(Source::File { path, repeat: true }, (160, 90), 10.0));
    assert_eq!(running.status(), CameraStatus::Online);
    while running.frame().sequence < 8 {}
    assert!(running.statuses.try_recv().is_err(), "no other status between two rounds");
}

#[test]
fn a_recording_that_does_not_repeat_ends_its_camera() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = recording(folder.path(), 5);
    let running = Running::start(camera(Source::File { path, repeat: false }, (160, 90), 10.0));
    assert_eq!((running.status(), running.status()), (CameraStatus::Online, CameraStatus::Offline));
    let started = Instant::now();
    while !matches!(running.frames.recv_timeout(SOON), Received::Closed) {
        assert!(started.elapsed() < SOON, "the queue is closed");
    }
}

#[test]
fn an_rtsp_camera_that_goes_comes_back() {
    let server = rtsp::RtspCamera::start();
    let port = server.port;
    let source = Source::parse(&server.uri(), None).expect("a source");
    let running = Running::start(camera(source, (320, 180), 10.0));
    assert_eq!((running.frame().width(), running.frame().height()), (320, 180));
    assert_eq!(running.status(), CameraStatus::Online);
    drop(server);
    assert_eq!(running.status(), CameraStatus::Offline);
    let _server = rtsp::RtspCamera::start_on(port);
    assert_eq!(running.status(), CameraStatus::Online);
    running.frame();
}

/// Serves MJPEG as network cameras do, to whoever connects, until the test ends; gives its address.
fn mjpeg_camera() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("http://{}/video.mjpg", listener.local_addr().expect("its address"));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 48, image::Rgb([200, 30, 30]))
        .write_to(&mut jpeg, image::ImageFormat::Jpeg)
        .expect("encodes");
    let jpeg = jpeg.into_inner();
    let serve = move |mut stream: std::net::TcpStream| -> std::io::Result<()> {
        stream.read(&mut [0; 2048]).map(drop)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=part\r\n\r\n")?;
        loop {
            let head = format!("--part\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            stream.write_all(&[head.as_bytes(), &jpeg, b"\r\n"].concat())?;
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    uri
}

#[test]
fn an_mjpeg_camera_is_read_as_it_comes() {
    let source = Source::parse(&mjpeg_camera(), None).expect("a source");
    let running = Running::start(camera(source, (64, 48), 10.0));
    let frame = running.frame();
    assert_eq!(running.status(), CameraStatus::Online);
    let pixel = &frame.rgb()[(24 * 64 + 32) * 3..][..3];
    assert!(pixel[0] > 160 && pixel[1] < 80, "{pixel:?}");
    while running.frame().sequence < 8 {}
}

#[test]
fn real_footage_is_read() {
    let videos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media/video");
    if !videos.is_dir() {
        eprintln!("skipped: ../shared is not here");
        return;
    }
    for (file, least) in
        [("car-detection.mp4", 25), ("one-by-one-person-detection.mp4", 200), ("person-bicycle-car-detection.gif", 3)]
    {
        let frames = offline(&videos.join(file), Some((320, 180)), 2.0, Rotation::None).expect("reads");
        assert!(frames.len() >= least, "{file}: {} frames", frames.len());
    }
}
