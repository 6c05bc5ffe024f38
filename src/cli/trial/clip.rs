//! A clip as a camera would have seen it: its events, how near the rest came, and what that took.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::Trial;
use super::near::{Near, NearMisses, SecondLook, picture};
use crate::cli::offline::recorded;
use crate::cli::page::{Point, clock};
use crate::cli::timed::Timed;
use crate::detect::HeatMap;
use crate::frame::Frame;
use crate::pipeline::{Sight, Watch};
use crate::track::{Event, EventKind};

/// Weaker detections than this say nothing about how near a prompt came.
const WEAKEST: f32 = 0.02;
/// Near misses that are told of each prompt.
const NEAREST: usize = 6;

/// One recording, or several as one.
pub(in crate::cli) struct Clip {
    pub(in crate::cli) parts: Vec<Part>,
    pub(in crate::cli) frames: usize,
    /// Size of the analysed frames, pixels.
    pub(in crate::cli) size: (u32, u32),
    /// Crops that went through the encoder.
    pub(in crate::cli) passes: usize,
    /// The time that this took.
    pub(in crate::cli) encoding: Duration,
    /// The time that everything took, decoding too.
    pub(in crate::cli) took: Duration,
    /// In the order in which they were told.
    pub(in crate::cli) told: Vec<Told>,
    /// By prompt and frame.
    pub(in crate::cli) curves: Vec<Vec<Point>>,
    /// By prompt, strongest first.
    pub(in crate::cli) near: Vec<Vec<Near>>,
}

/// One file of a clip.
pub(in crate::cli) struct Part {
    pub(in crate::cli) file: PathBuf,
    /// Where in the clip it begins, seconds.
    pub(in crate::cli) from_s: f64,
    pub(in crate::cli) length_s: f64,
}

/// An event that would have been told. Times are seconds since the clip's first frame.
pub(in crate::cli) struct Told {
    pub(in crate::cli) prompt: usize,
    pub(in crate::cli) from_s: f64,
    pub(in crate::cli) to_s: f64,
    pub(in crate::cli) told_s: f64,
    /// Its strongest message, or its first, but with the event's top score.
    pub(in crate::cli) best: Event,
    /// When that was.
    pub(in crate::cli) best_s: f64,
    /// JPEG with the box drawn.
    pub(in crate::cli) picture: Option<Vec<u8>>,
    pub(in crate::cli) heat_map: Option<HeatMap>,
}

impl Clip {
    pub(in crate::cli) fn length_s(&self) -> f64 {
        self.parts.last().map_or(0.0, |part| part.from_s + part.length_s)
    }

    /// How many seconds of the clip were looked at in one second.
    pub(in crate::cli) fn speed(&self) -> f64 {
        self.length_s() / self.took.as_secs_f64().max(1e-6)
    }

    /// The file that a moment is in, and where in it.
    pub(in crate::cli) fn at(&self, time_s: f64) -> (&Part, f64) {
        let part = self.parts.iter().rev().find(|part| part.from_s <= time_s).unwrap_or(&self.parts[0]);
        (part, time_s - part.from_s)
    }

    /// A moment as a player shows it, with the file where there are several.
    pub(in crate::cli) fn moment(&self, time_s: f64) -> String {
        let (part, at) = self.at(time_s);
        if self.parts.len() == 1 { clock(at) } else { format!("{} {}", part.name(), clock(at)) }
    }

    pub(in crate::cli) fn name(&self) -> String {
        self.parts.iter().map(Part::name).collect::<Vec<_>>().join(" + ")
    }

    /// The spans of one prompt's events, seconds.
    pub(in crate::cli) fn spans(&self, prompt: usize) -> Vec<(f64, f64)> {
        self.told.iter().filter(|told| told.prompt == prompt).map(|told| (told.from_s, told.to_s)).collect()
    }

    /// When a prompt scored highest.
    pub(in crate::cli) fn top(&self, prompt: usize) -> Option<Point> {
        self.curves[prompt].iter().copied().max_by(|a, b| a.best.total_cmp(&b.best))
    }
}

impl Part {
    pub(in crate::cli) fn name(&self) -> String {
        self.file
            .file_name()
            .map_or_else(|| self.file.display().to_string(), |name| name.to_string_lossy().into_owned())
    }
}

/// A clip while it is looked at.
pub(in crate::cli) struct Looking<'a> {
    trial: &'a Trial,
    watch: Watch,
    clip: Clip,
    near: Vec<NearMisses>,
    ids: Vec<String>,
    /// When the first frame was taken.
    start: Option<Timestamp>,
    starts: Option<Timestamp>,
    pictures: bool,
}

impl<'a> Looking<'a> {
    /// Begins with nothing seen. `starts` is when the recording was made; without it, now. With `pictures`, events and near
    /// misses get theirs.
    pub(in crate::cli) fn new(trial: &'a Trial, starts: Option<Timestamp>, pictures: bool) -> Self {
        let prompts = &trial.camera.prompts;
        let near = |(index, prompt): (usize, &crate::config::settings::PromptSettings)| {
            NearMisses::new(index, &prompt.phrases[0], pictures)
        };
        let clip = Clip {
            parts: Vec::new(),
            frames: 0,
            size: trial.camera.size,
            passes: 0,
            encoding: Duration::ZERO,
            took: Duration::ZERO,
            told: Vec::new(),
            curves: vec![Vec::new(); prompts.len()],
            near: Vec::new(),
        };
        Self {
            watch: Watch::new(trial.camera.clone(), trial.bank.clone()).reporting_from(WEAKEST),
            clip,
            near: prompts.iter().enumerate().map(near).collect(),
            ids: Vec::new(),
            start: None,
            starts,
            pictures,
            trial,
        }
    }

    /// Looks at a file to its end, as what the camera saw next.
    ///
    /// # Errors
    /// That it cannot be read, or what the encoder says.
    pub(in crate::cli) fn part(&mut self, file: PathBuf) -> anyhow::Result<()> {
        let began = Instant::now();
        let source = recorded(&file)?;
        let mut recording = self.trial.open(&source)?;
        let from_s = self.clip.length_s();
        let mut part = Part { file, from_s, length_s: 0.0 };
        let bar = Progress::new(&part.name());
        let encoder = Timed::new(&self.trial.encoder);
        let look = SecondLook { encoder: &encoder, bank: &self.trial.bank };
        while let Some(item) = recording.next() {
            let (position, frame) = item?;
            let mut frame = self.trial.fitted(frame);
            let now_s = from_s + position.as_secs_f64();
            let start = *self.start.get_or_insert(self.starts.unwrap_or(frame.captured) - position);
            frame.captured = start.checked_add(Duration::from_secs_f64(now_s))?;
            part.length_s = position.as_secs_f64() + 1.0 / self.trial.camera.fps;
            let sight = self.watch.look(&frame, &encoder, usize::MAX)?;
            self.clip.passes += sight.encoded;
            self.clip.size = (frame.width(), frame.height());
            self.clip.frames += 1;
            self.take(now_s, &frame, &sight, &look)?;
            let events = self.clip.told.len();
            let found = format!(", {events} event{}", plural(events));
            bar.at(position, recording.length(), began, self.clip.frames, &found);
        }
        bar.finish();
        for near in &mut self.near {
            self.clip.passes += near.close(&look)?;
        }
        self.clip.encoding += encoder.spent();
        self.clip.took += began.elapsed();
        self.clip.parts.push(part);
        Ok(())
    }

    /// The clip, when its last file was looked at.
    pub(in crate::cli) fn finish(mut self) -> Clip {
        let now_s = self.clip.length_s();
        for event in self.watch.finish() {
            self.event(now_s, event, None);
        }
        let spans: Vec<_> = (0..self.near.len()).map(|prompt| self.clip.spans(prompt)).collect();
        self.clip.near = self.near.into_iter().zip(&spans).map(|(near, spans)| near.finish(spans, NEAREST)).collect();
        self.clip
    }

    fn take(&mut self, now_s: f64, frame: &Frame, sight: &Sight, look: &SecondLook<'_>) -> anyhow::Result<()> {
        for event in &sight.events {
            self.event(now_s, event.clone(), Some(frame));
        }
        for (prompt, found) in sight.detections.iter().enumerate() {
            let (best, threshold) = (found.first(), sight.thresholds[prompt]);
            let score = best.map_or(0.0, |best| best.score);
            self.clip.curves[prompt].push(Point { time_s: now_s as f32, best: score, threshold });
            if sight.present[prompt].count == 0 {
                self.clip.passes += self.near[prompt].see(now_s, best, threshold, frame, look)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, now_s: f64, event: Event, frame: Option<&Frame>) {
        let since_start = |time: Timestamp| self.start.map_or(0.0, |start| time.duration_since(start).as_secs_f64());
        let (from_s, to_s) = (since_start(event.first_seen), since_start(event.last_seen));
        let Some(prompt) = self.trial.camera.prompts.iter().position(|p| p.name == event.prompt) else { return };
        let pictures = self.pictures;
        let shown = |event: &Event| {
            let frame = frame.filter(|_| pictures)?;
            Some(picture(frame, &event.area, &event.phrase, event.score, prompt))
        };
        let Some(at) = self.ids.iter().position(|id| *id == event.id) else {
            if event.kind != EventKind::End {
                self.near[prompt].told(from_s);
                self.ids.push(event.id.clone());
                let (picture, heat_map) = (shown(&event), event.evidence.heat_map.clone());
                self.clip.told.push(Told {
                    prompt,
                    from_s,
                    to_s,
                    told_s: now_s,
                    best: event,
                    best_s: now_s,
                    picture,
                    heat_map,
                });
            }
            return;
        };
        let told = &mut self.clip.told[at];
        told.to_s = to_s;
        let top_score = event.top_score;
        if event.kind == EventKind::Update && event.score > told.best.score {
            (told.picture, told.heat_map) = (shown(&event), event.evidence.heat_map.clone());
            (told.best, told.best_s) = (event, now_s);
        }
        told.best.top_score = top_score;
    }
}

/// How far the look at a file has come.
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    pub(in crate::cli) fn new(name: &str) -> Self {
        let bar = ProgressBar::new(0).with_prefix(name.to_owned());
        bar.set_style(style(false));
        Self(bar)
    }

    /// `found` is what came of it so far, to be read behind a comma.
    pub(in crate::cli) fn at(
        &self,
        position: Duration,
        length: Option<Duration>,
        began: Instant,
        frames: usize,
        found: &str,
    ) {
        let speed = position.as_secs_f64() / began.elapsed().as_secs_f64().max(1e-3);
        if let Some(length) = length.filter(|_| self.0.length() == Some(0)) {
            self.0.set_length(length.as_millis() as u64);
            self.0.set_style(style(true));
        }
        let at = clock(position.as_secs_f64());
        let of = length.map_or_else(String::new, |length| format!(" of {}", clock(length.as_secs_f64())));
        self.0.set_message(format!("{at}{of}, {frames} frames, {speed:.1} times real time{found}"));
        self.0.set_position(position.as_millis() as u64);
    }

    pub(in crate::cli) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// "s" but for one.
pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn style(length_known: bool) -> ProgressStyle {
    let template = if length_known { "{prefix} {bar:30} {msg}, {eta} left" } else { "{prefix} {spinner} {msg}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
