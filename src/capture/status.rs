//! Whether a camera gives pictures.

/// A camera as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraStatus {
    /// Pictures arrive.
    Online,
    /// The source ended or failed; it is being retried.
    Offline,
    /// Switched off by the settings.
    Disabled,
}
