//! What can be wrong with a source.

/// Why a source gives no (more) pictures. Sources are named without their credentials.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CaptureError {
    /// The file or device is not there.
    #[error("{uri}: there is no {path}")]
    Missing {
        /// The source.
        uri: String,
        /// The file or device.
        path: String,
    },
    /// GStreamer lacks what the source needs.
    #[error("{uri}: cannot build the pipeline: {problem}; is a GStreamer plugin missing?")]
    Build {
        /// The source.
        uri: String,
        /// What GStreamer says.
        problem: String,
    },
    /// What is there is not a video.
    #[error("{uri} is not a video that GStreamer can read: {problem}")]
    NotVideo {
        /// The source.
        uri: String,
        /// What GStreamer says.
        problem: String,
    },
    /// The source failed.
    #[error("{uri} failed: {problem}")]
    Failed {
        /// The source.
        uri: String,
        /// What GStreamer says.
        problem: String,
    },
    /// No frame came for too long.
    #[error("{uri} gives no pictures: none for {seconds} s")]
    Stalled {
        /// The source.
        uri: String,
        /// How long.
        seconds: u64,
    },
}
