//! How a camera source is written, and how it is shown: never with credentials.

use std::fmt;

use url::Url;

use super::settings::Source;

/// The URI without user, password and query, which carry the secrets of most cameras.
fn redacted(uri: &Url) -> String {
    let mut shown = uri.clone();
    let secret = !uri.username().is_empty() || uri.password().is_some();
    // Both fail only for URIs without a host, which cannot carry credentials.
    let _ = shown.set_password(None);
    let _ = shown.set_username(if secret { "***" } else { "" });
    if uri.query().is_some() {
        shown.set_query(Some("***"));
    }
    shown.to_string()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rtsp(uri) | Self::Http(uri) => f.write_str(&redacted(uri)),
            Self::File { path, .. } => write!(f, "file://{}", path.display()),
            Self::V4l2(device) => write!(f, "v4l2://{}", device.display()),
            Self::Libcamera(name) => write!(f, "libcamera://{}", name.as_deref().unwrap_or_default()),
            Self::Nvargus(sensor) => write!(f, "nvargus://{sensor}"),
            Self::Test(pattern) => write!(f, "test://{pattern}"),
            Self::Demo { .. } => f.write_str("demo://street"),
            // A description can hold anything, credentials among it.
            Self::Pipeline(_) => f.write_str("pipeline"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
