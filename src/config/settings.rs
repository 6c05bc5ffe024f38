//! Settings: what the program runs on, validated. [`super::file`] holds what people write.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

pub use super::events::EventSettings;
pub use super::example::Example;
use super::rules::{Line, Rules};
use super::sparkplug::SparkplugSettings;
use super::written::Written;
use crate::clip::Precision;
use crate::frame::Polygon;
use crate::prompts::Understood;

/// Everything that one run of the program needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `<device>` part of every topic.
    pub device: Name,
    /// Log format.
    pub log: LogFormat,
    /// Which model scores the tiles.
    pub model: ModelSettings,
    /// The broker; `None` publishes nothing.
    pub mqtt: Option<MqttSettings>,
    /// Where the web page listens; `None` serves none.
    pub web: Option<SocketAddr>,
    /// Where events are kept.
    pub store: StoreSettings,
    /// At least one camera, names unique.
    pub cameras: Vec<CameraSettings>,
    /// The same cameras as written, over which changes by message are laid.
    pub written: Written,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// A name that can stand in an MQTT topic: 1 to 64 of `A–Z a–z 0–9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// `None` if a character may not stand in a name or the length is not 1 to 64.
    pub fn new(text: &str) -> Option<Self> {
        let valid =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        valid.then(|| Self(text.to_owned()))
    }

    /// A name made of a phrase: "a blue bicycle" becomes `blue_bicycle`. `None` if nothing is left.
    pub fn from_phrase(phrase: &str) -> Option<Self> {
        let lower = phrase.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let words = match words.as_slice() {
            ["a" | "an" | "the", rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        let joined: String = words.join("_").chars().take(64).collect();
        Self::new(&joined)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that never shows in a log, an error or a dump.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hidden text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Which model, and how much of the machine it may use.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// A model folder, whether it was named by path or, installed, by name; `None` is the embedded model.
    pub path: Option<PathBuf>,
    /// Threads that encode tiles, at least 1.
    pub threads: usize,
    /// In what arithmetic tiles are encoded; `None` leaves it to the model.
    pub precision: Option<Precision>,
}

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct MqttSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Which MQTT is spoken.
    pub protocol: Protocol,
    /// First part of every topic, without slashes at its ends.
    pub base: String,
    /// Where messages go, and which.
    pub topics: TopicSettings,
    /// What the broker knows this device by, `{device}` standing for its id.
    pub client_id: String,
    /// User name, if the broker wants one.
    pub user: Option<String>,
    /// Password, from a file or the environment.
    pub password: Option<Secret>,
    /// TLS; `None` for `mqtt://`.
    pub tls: Option<TlsSettings>,
    /// Keep-alive interval.
    pub keep_alive: Duration,
    /// The longest pause between two attempts to connect.
    pub reconnect_max: Duration,
    /// So many events a second are sent of those that had to wait for the broker.
    pub backlog_per_s: u32,
    /// The greatest payload that is published, bytes.
    pub max_payload: usize,
    /// Whether messages may change nothing.
    pub read_only: bool,
    /// How Home Assistant is told of this device; `None` does not tell it.
    pub home_assistant: Option<HomeAssistantSettings>,
    /// How Sparkplug B is spoken beside; `None` does not speak it.
    pub sparkplug: Option<SparkplugSettings>,
}

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// 5, with message expiry, content types, correlation data and user properties.
    V5,
    /// 3.1.1, for brokers before 2019.
    V311,
}

/// Templates of topics, in which `{base}`, `{device}`, `{root}` and `{camera}` stand for what they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// What stands in front of all topics of a device.
    pub root: String,
    /// Where events go.
    pub events: String,
    /// Where stats go.
    pub stats: String,
    /// Whether more is published than events and stats; if not, nothing is retained or listened to either.
    pub everything: bool,
    /// How an event is written.
    pub form: EventForm,
}

/// How an event's message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventForm {
    /// As `docs/reference/event.schema.json` says.
    Plain,
    /// That as `values`, beside its time as `ts`: ThingsBoard's telemetry.
    ThingsBoard,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            root: "{base}/{device}".to_owned(),
            events: "{root}/{camera}/events".to_owned(),
            stats: "{root}/stats".to_owned(),
            everything: true,
            form: EventForm::Plain,
        }
    }
}

/// What Home Assistant is told, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAssistantSettings {
    /// First part of its discovery topics.
    pub prefix: String,
    /// In which form.
    pub form: DiscoveryForm,
}

/// How entities are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryForm {
    /// One message a device: Home Assistant 2024.11 and later.
    Device,
    /// One message an entity: earlier ones too.
    Entity,
}

impl Default for HomeAssistantSettings {
    fn default() -> Self {
        Self { prefix: "homeassistant".to_owned(), form: DiscoveryForm::Device }
    }
}

/// TLS towards the broker.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// PEM file of the authority to trust; `None` trusts the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of the client's certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Protocols that are offered by ALPN, in this order; none where empty.
    pub alpn: Vec<String>,
}

/// Where events wait for the broker.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// SQLite file; `None` keeps events in memory only.
    pub path: Option<PathBuf>,
    /// Events older than this are expired, and counted.
    pub max_age: Duration,
    /// When more events than this wait, the oldest expire, and are counted.
    pub max_events: usize,
    /// What was sent, and pictures, are kept for so long; not in memory.
    pub keep: Duration,
    /// When the store takes more than this, bytes, the oldest pictures go, then what was sent, then what waits.
    pub max_bytes: u64,
    /// Whether the best picture of each event is kept; not in memory.
    pub pictures: bool,
}

/// One camera: where its pictures come from, and what to look out for.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// The `<camera>` part of its topics.
    pub name: Name,
    /// Where it is, for Home Assistant: the name of one of its areas.
    pub area: Option<String>,
    /// Whether it is watched at all.
    pub enabled: bool,
    /// Where pictures come from.
    pub source: Source,
    /// Analysis rate, frames per second, 0.01..=60.
    pub fps: f64,
    /// Clockwise rotation of the picture.
    pub rotation: Rotation,
    /// Analysis size in pixels after rotation, `(width, height)`.
    pub size: (u32, u32),
    /// How the frame is cut into tiles.
    pub grid: GridSettings,
    /// Parts of the picture that are never looked at.
    pub masks: Vec<Polygon>,
    /// Named parts of the picture, told with each event.
    pub zones: Vec<Zone>,
    /// What to look out for; at least one.
    pub prompts: Vec<PromptSettings>,
    /// Background phrases shared by all prompts.
    pub negatives: Vec<String>,
    /// When detections become events.
    pub events: EventSettings,
    /// Lines whose crossings prompts can ask for.
    pub lines: Vec<Line>,
    /// The clock of the prompts' hours.
    pub time_zone: TimeZone,
}

/// Where a camera's pictures come from. Credentials in a URI are never shown: `Display` is redacted.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// `rtsp://` or `rtsps://`, with credentials as given.
    Rtsp(url::Url),
    /// `http://` or `https://`: MJPEG or a file.
    Http(url::Url),
    /// `file:///path`, played once or in a loop.
    File {
        /// The file.
        path: PathBuf,
        /// Start again at the end.
        repeat: bool,
    },
    /// `v4l2:///dev/video0`.
    V4l2(PathBuf),
    /// `libcamera://` (first camera) or `libcamera://NAME`.
    Libcamera(Option<String>),
    /// `nvargus://0`: a Jetson's CSI camera.
    Nvargus(u32),
    /// `test://smpte`: GStreamer's test picture of that name.
    Test(String),
    /// `demo://street`: the embedded clip, in a loop unless told otherwise.
    Demo {
        /// Start again at the end.
        repeat: bool,
    },
    /// A gst-launch description of the source part, up to raw video.
    Pipeline(String),
}

/// Clockwise rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// As it comes.
    None,
    /// A quarter turn clockwise.
    Quarter,
    /// Upside down.
    Half,
    /// A quarter turn counter-clockwise.
    ThreeQuarters,
}

/// How a frame is cut into square tiles, as far as the settings say; the rest depends on what the model can.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridSettings {
    /// As [`Grid::levels`].
    pub levels: Option<Vec<f32>>,
    /// As [`Grid::overlap`].
    pub overlap: Option<f32>,
    /// As [`Grid::context`].
    pub context: Option<f32>,
    /// Score every patch of a tile instead of the tile, so that few, large tiles do.
    pub dense: Option<bool>,
}

/// How a frame is cut into square tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Tile sides as fractions of the frame's shorter side, largest first, each 0.05..=1.
    pub levels: Vec<f32>,
    /// Share of a tile's side that its neighbour overlaps, 0..0.9.
    pub overlap: f32,
    /// Context added around each tile, as a share of its side on each edge, 0..0.5.
    pub context: f32,
}

/// A named polygon.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Told in events.
    pub name: Name,
    /// Its outline.
    pub polygon: Polygon,
}

/// One described thing.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptSettings {
    /// The `<prompt>` part of its topics.
    pub name: Name,
    /// Whether it is looked out for; if not, it still competes with the others.
    pub enabled: bool,
    /// Ways to say it, at least one; averaged. Where only pictures say it, what people are shown.
    pub phrases: Vec<String>,
    /// What it is not.
    pub negatives: Vec<String>,
    /// Probability from which a tile counts, 0..1 exclusive; where it is calibrated, what that starts from.
    pub threshold: f32,
    /// So many false alarms a day are accepted, and the threshold follows the camera's background; `None` leaves it alone.
    pub false_alarms_per_day: Option<f32>,
    /// If not empty, only detections centred in one of these zones count.
    pub zones: Vec<Name>,
    /// What the phrases ask for: things, and where and how many. It belongs to `phrases`: who changes those makes it anew.
    pub understood: Understood,
    /// Pictures of it.
    pub examples: Vec<Example>,
    /// Pictures of what it is not.
    pub counter_examples: Vec<Example>,
    /// What else must be so, and how it is told.
    pub rules: Rules,
}
