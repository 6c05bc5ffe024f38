//! `lookout events`: what is in the store, as a table, JSON lines or CSV, with pictures.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config;
use crate::config::settings::StoreSettings;
use crate::mqtt::payload::{EventMessage, Kind, SeverityName};
use crate::store::{Kept, Store, Wanted};

/// Messages read from the store at a time.
const PAGE: usize = 500;
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Arguments of `lookout events`.
#[derive(clap::Args)]
pub struct EventsArgs {
    /// The configuration whose store is read
    #[arg(long, short, conflicts_with = "store", required_unless_present = "store")]
    config: Option<PathBuf>,
    /// The store's file itself
    #[arg(long)]
    store: Option<PathBuf>,
    /// Of this camera only
    #[arg(long)]
    camera: Option<String>,
    /// Stored since then: an age (90s, 30m, 24h, 7d) or a time (2026-01-31T12:00:00Z)
    #[arg(long, value_parser = moment)]
    since: Option<Timestamp>,
    /// The newest so many only
    #[arg(long)]
    last: Option<usize>,
    /// Every message, not one line an event
    #[arg(long)]
    messages: bool,
    /// How it is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Go on with what comes, message by message
    #[arg(long)]
    follow: bool,
    /// Write the picture of each event that has one into this folder
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Instead: delete what was sent, and pictures, older than this age (30d). What waits for the broker stays
    #[arg(long, value_name = "AGE", value_parser = age, conflicts_with_all = ["follow", "pictures", "last", "since"])]
    purge_older_than: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    /// Columns for people
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated, with a line of names
    Csv,
}

/// `90s`, `30m`, `24h`, `7d`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; it should be like 90s, 30m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86_400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

fn moment(text: &str) -> Result<Timestamp, String> {
    match age(text) {
        Ok(age) => Timestamp::now().checked_sub(age).map_err(|_| format!("{text:?} is before all time")),
        Err(_) => {
            text.parse().map_err(|_| format!("{text:?} should be an age like 24h, or a time like 2026-01-31T12:00:00Z"))
        }
    }
}

pub(super) fn run(args: EventsArgs) -> anyhow::Result<()> {
    let settings = match (&args.config, &args.store) {
        (Some(file), _) => config::load(Some(file))?.store,
        (None, path) => StoreSettings { path: path.clone(), ..config::file::default_store() },
    };
    let path = settings.path.clone().context("the store of this configuration is in memory; set `store.path`")?;
    anyhow::ensure!(path.is_file(), "there is no store {}; has lookout run with it?", path.display());
    let store = Store::open(&settings)?;
    if let Some(age) = args.purge_older_than {
        let (messages, pictures) = store.purge(age, Timestamp::now())?;
        let waiting = store.counts().waiting;
        eprintln!("deleted: {messages} messages, {pictures} pictures; {waiting} messages wait for the broker");
        return Ok(());
    }
    if let Some(folder) = &args.pictures {
        std::fs::create_dir_all(folder).with_context(|| format!("--pictures: cannot make {}", folder.display()))?;
    }
    match list(&args, &store) {
        // Whoever read, `head` perhaps, has enough.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => {
            Ok(())
        }
        outcome => outcome,
    }
}

/// A message that is to be shown.
struct Shown {
    message: EventMessage,
    event: String,
    sent: bool,
}

fn read(kept: Kept) -> Option<Shown> {
    match serde_json::from_slice(&kept.json) {
        Ok(message) => Some(Shown { message, event: kept.event, sent: kept.sent }),
        Err(error) => {
            eprintln!("a stored message of the event {} cannot be read: {error}", kept.event.escape_debug());
            None
        }
    }
}

fn list(args: &EventsArgs, store: &Store) -> anyhow::Result<()> {
    let mut writer = Writer::new(args, store)?;
    let mut wanted = Wanted { camera: args.camera.clone(), since: args.since, ..Wanted::default() };
    let mut newest: VecDeque<Shown> = VecDeque::new();
    let mut show = |shown: Shown, writer: &mut Writer<'_>| -> anyhow::Result<()> {
        let Some(last) = args.last else { return writer.write(&shown) };
        newest.push_back(shown);
        if newest.len() > last {
            newest.pop_front();
        }
        Ok(())
    };
    // An event is shown by its last message, and those that are not over at the end.
    let mut open: BTreeMap<String, Shown> = BTreeMap::new();
    loop {
        let page = store.list(&wanted, PAGE)?;
        let Some(last) = page.last() else { break };
        wanted.after = last.id;
        for shown in page.into_iter().filter_map(read) {
            let over = args.messages || shown.message.kind == Kind::End;
            if over {
                open.remove(&shown.event);
                show(shown, &mut writer)?;
            } else {
                open.insert(shown.event.clone(), shown);
            }
        }
    }
    let mut open: Vec<Shown> = open.into_values().collect();
    open.sort_by(|a, b| a.message.first_seen.cmp(&b.message.first_seen));
    for shown in open {
        show(shown, &mut writer)?;
    }
    for shown in newest {
        writer.write(&shown)?;
    }
    if !args.follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(FOLLOW_EVERY);
        let page = store.list(&wanted, PAGE)?;
        wanted.after = page.last().map_or(wanted.after, |last| last.id);
        for shown in page.into_iter().filter_map(read) {
            writer.write(&shown)?;
        }
    }
}

/// Writes rows to standard output, and pictures to their folder.
struct Writer<'a> {
    format: Format,
    pictures: Option<&'a Path>,
    store: &'a Store,
    out: std::io::Stdout,
}

/// The columns of CSV.
const COLUMNS: [&str; 14] = [
    "type",
    "id",
    "sequence",
    "camera",
    "prompt",
    "phrase",
    "score",
    "top_score",
    "zones",
    "first_seen",
    "last_seen",
    "duration_s",
    "sent",
    "severity",
];

impl<'a> Writer<'a> {
    fn new(args: &'a EventsArgs, store: &'a Store) -> anyhow::Result<Self> {
        let mut out = std::io::stdout();
        match args.format {
            Format::Table => {
                writeln!(out, "{}", row(["FIRST SEEN", "CAMERA", "", "WHAT", "SCORE", "FOR", "ZONES", ""]))?
            }
            Format::Csv if args.pictures.is_some() => writeln!(out, "{},picture", COLUMNS.join(","))?,
            Format::Csv => writeln!(out, "{}", COLUMNS.join(","))?,
            Format::Json => {}
        }
        Ok(Self { format: args.format, pictures: args.pictures.as_deref(), store, out })
    }

    fn write(&mut self, shown: &Shown) -> anyhow::Result<()> {
        let picture = self.picture(&shown.event)?;
        let line = match self.format {
            Format::Table => columns(shown),
            Format::Json => {
                let mut object = serde_json::to_value(&shown.message)?;
                object["sent"] = shown.sent.into();
                if let Some(picture) = &picture {
                    object["picture"] = picture.display().to_string().into();
                }
                object.to_string()
            }
            Format::Csv => {
                let mut line = csv(shown);
                if self.pictures.is_some() {
                    let path = picture.map(|path| path.display().to_string()).unwrap_or_default();
                    line = format!("{line},{}", quoted(&path));
                }
                line
            }
        };
        writeln!(self.out, "{line}")?;
        self.out.flush()?;
        Ok(())
    }

    /// The path of the event's picture, once written.
    fn picture(&self, event: &str) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = self.pictures else { return Ok(None) };
        let Some(jpeg) = self.store.picture(event)? else { return Ok(None) };
        let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
        let path = folder.join(format!("{}.jpg", event.chars().map(fits).collect::<String>()));
        std::fs::write(&path, jpeg).with_context(|| format!("--pictures: cannot write {}", path.display()))?;
        Ok(Some(path))
    }
}

fn row(cells: [&str; 8]) -> String {
    let [first, camera, kind, what, score, duration, zones, sent] = cells;
    format!("{first:<19}  {camera:<12}  {kind:<6}  {what:<24}  {score:>5}  {duration:>8}  {zones:<12}  {sent}")
        .trim_end()
        .to_owned()
}

fn columns(shown: &Shown) -> String {
    let Shown { message, sent, .. } = shown;
    let time = message.first_seen.parse::<Timestamp>().map_or_else(
        |_| message.first_seen.clone(),
        |time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    );
    // One that is no alert is marked, since most are.
    let alert = message.severity == SeverityName::Alert;
    let kind = match message.kind {
        Kind::New => "new",
        Kind::Update if message.stationary => "parked",
        Kind::Update => "there",
        Kind::End => "gone",
    };
    let phrase = if alert { message.phrase.clone() } else { format!("({})", message.phrase) };
    let score = format!("{:.0} %", message.top_score * 100.0);
    let duration = format!("{:.1} s", message.duration_s);
    let sent = if *sent { "" } else { "waits" };
    row([&time, &message.camera, kind, &phrase, &score, &duration, &message.zones.join(" "), sent])
}

fn severity(message: &EventMessage) -> &'static str {
    match message.severity {
        SeverityName::Detection => "detection",
        SeverityName::Alert => "alert",
    }
}

fn csv(shown: &Shown) -> String {
    let Shown { message, sent, .. } = shown;
    let kind = match message.kind {
        Kind::New => "new",
        Kind::Update => "update",
        Kind::End => "end",
    };
    let cells = [
        kind.to_owned(),
        quoted(&message.id),
        message.sequence.to_string(),
        quoted(&message.camera),
        quoted(&message.prompt),
        quoted(&message.phrase),
        message.score.to_string(),
        message.top_score.to_string(),
        quoted(&message.zones.join(" ")),
        message.first_seen.clone(),
        message.last_seen.clone(),
        message.duration_s.to_string(),
        sent.to_string(),
        severity(message).to_owned(),
    ];
    cells.join(",")
}

/// A CSV cell (RFC 4180). One that a spreadsheet would take for a formula gets a quote in front: phrases come by message.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read() {
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(age("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(age("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "7", "d", "-1h", "1w", "NaNh", "ä"] {
            assert!(age(wrong).is_err(), "{wrong:?}");
        }
        assert!(moment("2026-01-31T12:00:00Z").is_ok() && moment("yesterday").is_err());
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(quoted("a dog"), "a dog");
        assert_eq!(quoted("a \"big\", old dog"), "\"a \"\"big\"\", old dog\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
