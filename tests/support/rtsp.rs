//! A real RTSP camera on a free loopback port: H.264 from GStreamer's own server, on a thread of its own.

use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gstreamer_rtsp_server::glib;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPMediaFactory, RTSPServer};

const READY_WITHIN: Duration = Duration::from_secs(10);

/// A camera that serves a moving ball at `/camera` until it is dropped.
pub struct RtspCamera {
    pub port: u16,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
}

impl RtspCamera {
    /// Starts on a free port.
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        Self::start_on(port)
    }

    /// Starts on this port.
    pub fn start_on(port: u16) -> Self {
        gstreamer_rtsp_server::gst::init().expect("GStreamer starts");
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let running = main_loop.clone();
        let thread = std::thread::spawn(move || {
            let serve = || {
                let server = RTSPServer::new();
                server.set_address("127.0.0.1");
                server.set_service(&port.to_string());
                let factory = RTSPMediaFactory::new();
                factory.set_launch(
                    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=322,height=182,framerate=10/1 ! \
                     x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 ! rtph264pay name=pay0 pt=96 )",
                );
                factory.set_shared(true);
                server.mount_points().expect("mount points").add_factory("/camera", factory);
                let source = server.attach(Some(&context)).expect("the port is free");
                running.run();
                server.client_filter(Some(&mut |_, _| gstreamer_rtsp_server::RTSPFilterResult::Remove));
                // `SourceId::remove` looks in the default context only.
                if let Some(source) = context.find_source_by_id(&source) {
                    source.destroy();
                }
            };
            context.with_thread_default(serve).expect("the context is this thread's");
        });
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < READY_WITHIN, "the RTSP server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, main_loop, thread: Some(thread) }
    }

    /// Its address.
    pub fn uri(&self) -> String {
        format!("rtsp://127.0.0.1:{}/camera", self.port)
    }
}

impl Drop for RtspCamera {
    fn drop(&mut self) {
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the RTSP server ends");
        }
    }
}
