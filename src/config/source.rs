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

impl Source {
    /// Reads a source URI. `repeat` decides whether a file starts again at its end; the demo clip does by default.
    ///
    /// # Errors
    /// A text that says what was found and what would be right, without credentials.
    pub fn parse(text: &str, repeat: Option<bool>) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!(
                "is {text:?}, should be a URI: rtsp://, rtsps://, http://, https://, file:///path, v4l2:///dev/video0, \
                 libcamera://, nvargus://0, test://smpte or demo://street"
            ));
        };
        let uri = || {
            let parsed = Url::parse(text).map_err(|e| format!("is not a valid {scheme}:// address: {e}"))?;
            match parsed.host_str() {
                Some(host) if !host.is_empty() => Ok(parsed),
                _ => Err(format!("names no host after {scheme}://")),
            }
        };
        match scheme {
            "rtsp" | "rtsps" => uri().map(Self::Rtsp),
            "http" | "https" => uri().map(Self::Http),
            "file" => {
                let path = Url::parse(text).ok().and_then(|uri| uri.to_file_path().ok());
                let path = path.ok_or_else(|| format!("is {text:?}, should be an absolute path: file:///path"))?;
                Ok(Self::File { path, repeat: repeat.unwrap_or(false) })
            }
            "v4l2" if rest.starts_with('/') => Ok(Self::V4l2(rest.into())),
            "v4l2" => Err(format!("is {text:?}, should name a device: v4l2:///dev/video0")),
            "libcamera" => Ok(Self::Libcamera((!rest.is_empty()).then(|| rest.to_owned()))),
            "nvargus" => {
                let sensor = if rest.is_empty() { Ok(0) } else { rest.parse() };
                sensor.map(Self::Nvargus).map_err(|_| format!("is {text:?}, should name a sensor: nvargus://0"))
            }
            "test" => Ok(Self::Test(if rest.is_empty() { "smpte" } else { rest }.to_owned())),
            "demo" if rest.is_empty() || rest == "street" => Ok(Self::Demo { repeat: repeat.unwrap_or(true) }),
            "demo" => Err(format!("is {text:?}, but the only embedded clip is demo://street")),
            other => Err(format!(
                "has the scheme {other:?}, should be one of rtsp, rtsps, http, https, file, v4l2, libcamera, nvargus, \
                 test, demo"
            )),
        }
    }
}
