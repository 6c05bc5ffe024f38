//! The hub: how a file of a repository is asked for over HTTP.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};
use url::Url;

use super::proxy;

const ENDPOINT: &str = "https://huggingface.co";
const REDIRECTS: usize = 8;
const CONNECT: Duration = Duration::from_secs(20);
/// The longest silence of a server that is still there.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The environment says something that cannot be.
    #[error("{problem}")]
    Setting { problem: String },
    /// No connection came about.
    #[error(
        "cannot reach {host} for {file}: {problem}. Without a network, give a folder with the files: --mirror DIR \
         (see docs/guide/models.md)"
    )]
    Unreachable { host: String, file: String, problem: String },
    /// The server answered, but not with the file.
    #[error("{host} answers {status} for {file}{}", hint(*.status, .code))]
    Status { host: String, file: String, status: u16, code: String },
    /// The mirror has no such file.
    #[error("{file} is not in the mirror: there is no {looked}")]
    Missing { file: String, looked: String },
    /// The connection ended or fell silent.
    #[error("{file}: {problem}")]
    Broken { file: String, problem: String },
    /// The file is not as long as it should be.
    #[error("{file} should have {expected} bytes, as {whose} says, but {found}; what came of it has been removed")]
    Length { file: String, expected: u64, whose: &'static str, found: String },
    /// The file is another one.
    #[error(
        "{file} is not the file that {whose} means: its sha256 is {found}, expected {expected}; it has been removed"
    )]
    Hash { file: String, found: String, expected: String, whose: &'static str },
    /// What came cannot be kept.
    #[error("cannot write {file}: {problem}")]
    Disk { file: String, problem: String },
}

/// What to do about it. The hub's `code` tells more than the status: a repository that is not there is a 401, too.
fn hint(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (_, "RepoNotFound") => {
            ": there is no such repository, or it is private; then set HF_TOKEN to a token of its owner's"
        }
        (_, "RevisionNotFound") => ": the repository has no such revision; the catalogue may be out of date",
        (401 | 403, _) => {
            ": it lets nobody have it without an account that has agreed to its terms; set HF_TOKEN to that account's token"
        }
        (404 | 410, _) => ": the repository has no such file at this revision; the catalogue may be out of date",
        (407, _) => ": the proxy wants a user and password; put them into https_proxy",
        _ => "",
    }
}

impl Trouble {
    /// Whether there is no such file.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::Status { status: 404 | 410, code, .. } => code.is_empty() || code == "EntryNotFound",
            _ => false,
        }
    }

    /// Whether the same request may go through a little later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Status { status: 408 | 429 | 500 | 502 | 503 | 504, .. })
    }
}

/// What a server says of a file before sending it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The commit that the revision stands for.
    pub(super) commit: Option<String>,
    /// Bytes of the whole file, as the hub says.
    pub(super) size: Option<u64>,
    /// Bytes of the whole file, as whoever sends it says.
    pub(super) announced: Option<u64>,
    /// Of its content, if it is in LFS.
    pub(super) sha256: Option<String>,
    /// The server's mark of this very content, with its quotes; only a strong one.
    pub(super) mark: Option<String>,
}

/// A file on its way.
pub(super) struct Answer {
    pub(super) told: Told,
    /// The first byte that is sent; `None` if the server has none from there on.
    pub(super) start: Option<u64>,
    pub(super) body: Body,
}

/// A file of a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address<'a> {
    pub(super) repo: &'a str,
    pub(super) revision: &'a str,
    pub(super) path: &'a str,
}

/// A hub, and how it is reached.
pub(super) struct Hub {
    agent: Agent,
    endpoint: Url,
    token: Option<String>,
    has_authorities: bool,
}

impl Hub {
    /// The hub that `HF_ENDPOINT` names, else the public one; `HF_TOKEN` is shown to it and to nobody else.
    pub(super) fn from_environment() -> Result<Self, Trouble> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let text = set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = Url::parse(text.trim().trim_end_matches('/')).ok();
        let endpoint = endpoint.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let problem = format!("HF_ENDPOINT is {text:?}, should be an address such as {ENDPOINT:?}");
        let endpoint = endpoint.ok_or(Trouble::Setting { problem })?;
        let roots = authorities();
        let has_authorities = !roots.is_empty();
        let agent = Agent::config_builder()
            .tls_config(tls(roots))
            .proxy(None)
            .user_agent(concat!("lookout/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build()
            .new_agent();
        let token = set("HF_TOKEN").map(|token| token.trim().to_owned());
        Ok(Self { agent, endpoint, token, has_authorities })
    }

    /// Asks for a file, from byte `from` on; with `mark`, only if it is still the content of that mark.
    pub(super) fn get(&self, address: Address<'_>, from: u64, mark: Option<&str>) -> Result<Answer, Trouble> {
        let mut url = self.url(address);
        let mut told = Told::default();
        for _ in 0..=REDIRECTS {
            let at_hub = url.origin() == self.endpoint.origin();
            let response = self.ask(&url, address, from, mark, at_hub)?;
            told.hear(response.headers(), at_hub);
            let host = || url.host_str().unwrap_or_default().to_owned();
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => url = redirected(&url, response.headers(), address)?,
                200 | 206 | 416 => return Ok(answer(told, response)),
                status => {
                    let code = text(response.headers(), "x-error-code").unwrap_or_default().to_owned();
                    return Err(Trouble::Status { host: host(), file: address.path.to_owned(), status, code });
                }
            }
        }
        let problem = format!("the server redirects more than {REDIRECTS} times");
        Err(Trouble::Unreachable { host: self.host(), file: address.path.to_owned(), problem })
    }

    fn host(&self) -> String {
        self.endpoint.host_str().unwrap_or_default().to_owned()
    }

    fn url(&self, address: Address<'_>) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(address.repo.split('/')).push("resolve").push(address.revision);
            segments.extend(address.path.split('/'));
        }
        url
    }

    fn ask(
        &self,
        url: &Url,
        address: Address<'_>,
        from: u64,
        mark: Option<&str>,
        at_hub: bool,
    ) -> Result<Response<Body>, Trouble> {
        if url.scheme() == "https" && !self.has_authorities {
            let problem = "this system has no certificate authorities; install ca-certificates, or name a file with some in \
                           SSL_CERT_FILE";
            return Err(Trouble::Setting { problem: problem.to_owned() });
        }
        let mut request = self.agent.get(url.as_str()).config().proxy(proxy::of(url)?).build();
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
            if let Some(mark) = mark {
                request = request.header(header::IF_RANGE, mark);
            }
        }
        if let Some(token) = self.token.as_ref().filter(|_| at_hub) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.call().map_err(|error| {
            let (file, problem) = (address.path.to_owned(), error.to_string());
            match error {
                ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                    Trouble::Unreachable { host: url.host_str().unwrap_or_default().to_owned(), file, problem }
                }
                ureq::Error::Timeout(_) => Trouble::Broken { file, problem },
                ureq::Error::Io(io) if is_break(io.kind()) => Trouble::Broken { file, problem },
                _ => Trouble::Unreachable { host: url.host_str().unwrap_or_default().to_owned(), file, problem },
            }
        })
    }
}

/// Whether a connection that was there has gone.
fn is_break(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof)
}

/// The system's authorities; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
fn authorities() -> Vec<Certificate<'static>> {
    let system = rustls_native_certs::load_native_certs();
    system.certs.iter().map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned()).collect()
}

/// TLS by the provider that MQTT has too.
fn tls(roots: Vec<Certificate<'static>>) -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build()
}

fn redirected(url: &Url, headers: &HeaderMap, address: Address<'_>) -> Result<Url, Trouble> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let unreachable = |problem: &str| Trouble::Unreachable {
        host: host.clone(),
        file: address.path.to_owned(),
        problem: problem.to_owned(),
    };
    let to = text(headers, "location").and_then(|location| url.join(location).ok());
    let to = to.ok_or_else(|| unreachable("it redirects, but not to an address"))?;
    if url.scheme() == "https" && to.scheme() != "https" {
        return Err(unreachable("it redirects from https to an address without TLS"));
    }
    Ok(to)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn answer(mut told: Told, response: Response<Body>) -> Answer {
    let status = response.status().as_u16();
    let length = text(response.headers(), "content-length").and_then(|length| length.parse().ok());
    // `bytes 10-99/100`
    let range = text(response.headers(), "content-range").and_then(|range| range.trim().strip_prefix("bytes "));
    let (start, total) = match (status, range.and_then(|range| range.split_once('/'))) {
        (206, Some((span, total))) => (span.split('-').next().and_then(|first| first.parse().ok()), total.parse().ok()),
        (416, _) => (None, None),
        _ => (Some(0), length),
    };
    told.announced = total;
    Answer { told, start, body: response.into_body() }
}

impl Told {
    /// Notes what the headers of an answer say. Of the file itself only the hub is believed, not where it sends one.
    fn hear(&mut self, headers: &HeaderMap, at_hub: bool) {
        let etag = text(headers, "etag");
        self.mark = etag.filter(|etag| etag.starts_with('"')).map(str::to_owned);
        if !at_hub {
            return;
        }
        let plain = |mark: &str| mark.trim().trim_start_matches("W/").trim_matches('"').to_lowercase();
        let is_hex = |text: &String, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        let hash = text(headers, "x-linked-etag").or(etag).map(plain).filter(|hash| is_hex(hash, 64));
        let commit = text(headers, "x-repo-commit").map(plain).filter(|commit| is_hex(commit, 40));
        let size = text(headers, "x-linked-size").and_then(|size| size.trim().parse().ok());
        self.sha256 = self.sha256.take().or(hash);
        self.commit = self.commit.take().or(commit);
        self.size = self.size.or(size);
    }
}
