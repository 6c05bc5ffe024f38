//! One `[[camera]]` as written, read into [`CameraSettings`].

use jiff::tz::TimeZone;

use super::events::events;
use super::file::name;
use super::prompt::{checked_phrases, prompt};
use super::rules::Line;
use super::settings::{CameraSettings, EventSettings, Grid, GridSettings, PromptSettings, Rotation, Source, Zone};
use super::table::{Faults, Table, point, points};
use crate::frame::Polygon;

/// Zones and prompts of a camera, and phrases of a list.
const MOST: usize = 200;
/// Characters of an area's name.
const LONGEST_AREA: usize = 100;

pub(super) fn camera(mut table: Table<'_>, faults: &Faults) -> Option<CameraSettings> {
    let name = match table.text("name") {
        Some(text) => name(&table, "name", &text),
        None => {
            table.fault("name", "is missing; it stands in this camera's topics");
            None
        }
    };
    let area = area(&mut table);
    let enabled = table.truth("enabled", true);
    let source = source(&mut table);
    let fps = table.number("fps", 2.0, 0.01, 60.0);
    let rotation = match table.whole("rotation", 0, 0, 359) {
        0 => Rotation::None,
        90 => Rotation::Quarter,
        180 => Rotation::Half,
        270 => Rotation::ThreeQuarters,
        other => {
            table.fault("rotation", format!("is {other}, should be 0, 90, 180 or 270"));
            Rotation::None
        }
    };
    let size = (table.whole("width", 640, 64, 4096) as u32, table.whole("height", 360, 64, 4096) as u32);
    let negatives = match table.texts("negatives") {
        Some(texts) => checked_phrases(&table, "negatives", texts),
        None => default_negatives(),
    };
    let path = table.at("masks");
    let masks = table.list("masks").into_iter().enumerate();
    let masks: Vec<Polygon> =
        masks.filter_map(|(index, value)| polygon(faults, format!("{path}[{index}]"), points(value))).collect();
    let grid = table.table("grid").map_or_else(GridSettings::default, grid);
    let events = table.table("events").map_or_else(EventSettings::default, events);
    let zones: Vec<Zone> = table.tables("zone").into_iter().filter_map(|zone| self::zone(zone, faults)).collect();
    for (index, zone) in zones.iter().enumerate() {
        if zones[..index].iter().any(|other| other.name == zone.name) {
            table.fault(&format!("zone[{index}].name"), format!("{:?} names two zones", zone.name.as_str()));
        }
    }
    let lines: Vec<Line> = table.tables("line").into_iter().filter_map(line).collect();
    for (index, line) in lines.iter().enumerate() {
        if lines[..index].iter().any(|other| other.name == line.name) {
            table.fault(&format!("line[{index}].name"), format!("{:?} names two lines", line.name.as_str()));
        }
    }
    at_most(&table, "line", lines.len());
    let time_zone = time_zone(&mut table);
    let prompts = table.tables("prompt");
    at_most(&table, "zone", zones.len());
    at_most(&table, "prompt", prompts.len());
    if prompts.is_empty() {
        table.fault("prompt", "nothing to look out for; add [[camera.prompt]] with phrases = [\"…\"]");
    }
    let prompts: Vec<PromptSettings> = prompts.into_iter().filter_map(|table| prompt(table, &zones, &lines)).collect();
    for (index, prompt) in prompts.iter().enumerate() {
        if prompts[..index].iter().any(|other| other.name == prompt.name) {
            table.fault(&format!("prompt[{index}].name"), format!("{:?} names two prompts", prompt.name.as_str()));
        }
    }
    table.finish();
    Some(CameraSettings {
        name: name?,
        area,
        enabled,
        source: source?,
        fps,
        rotation,
        size,
        grid,
        masks,
        zones,
        prompts,
        negatives,
        events,
        lines,
        time_zone,
    })
}

/// The name of a room or a part of the garden.
fn area(table: &mut Table<'_>) -> Option<String> {
    let text = table.text("area")?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_AREA || text.chars().any(char::is_control) {
        table.fault("area", format!("is {text:?}, should be 1 to {LONGEST_AREA} characters, such as \"Garden\""));
        return None;
    }
    Some(text.to_owned())
}

fn source(table: &mut Table<'_>) -> Option<Source> {
    let repeat = table.has("loop").then(|| table.truth("loop", false));
    let uri = table.text("source");
    let pipeline = table.text("pipeline");
    match (uri, pipeline) {
        (Some(_), Some(_)) => {
            table.fault("pipeline", "replaces the source; set one of the two");
            None
        }
        (None, Some(description)) => Some(Source::Pipeline(description)),
        (Some(uri), None) => Source::parse(&uri, repeat).map_err(|problem| table.fault("source", problem)).ok(),
        (None, None) => {
            table.fault("source", "is missing, such as \"rtsp://…\", \"v4l2:///dev/video0\" or \"demo://street\"");
            None
        }
    }
}

fn polygon(faults: &Faults, key: String, points: Option<Vec<(f32, f32)>>) -> Option<Polygon> {
    let Some(points) = points else {
        faults.add(key, "should be a list of points: [[x, y], …]");
        return None;
    };
    let count = points.len();
    let polygon = Polygon::new(points);
    if polygon.is_none() {
        let found = if count < 3 { format!("has {count} points") } else { "has a point outside 0..1".to_owned() };
        faults.add(key, format!("{found}, should have at least 3 points [x, y], each from 0 to 1"));
    }
    polygon
}

fn zone(mut table: Table<'_>, faults: &Faults) -> Option<Zone> {
    let label = table.text("name");
    if label.is_none() {
        table.fault("name", "is missing");
    }
    let name = label.and_then(|text| name(&table, "name", &text));
    let key = table.at("points");
    let corners: Option<Vec<_>> = table.list("points").into_iter().map(point).collect();
    let polygon = polygon(faults, key, corners);
    table.finish();
    Some(Zone { name: name?, polygon: polygon? })
}

fn line(mut table: Table<'_>) -> Option<Line> {
    let label = table.text("name");
    if label.is_none() {
        table.fault("name", "is missing");
    }
    let name = label.and_then(|text| name(&table, "name", &text));
    let mut end = |key: &'static str| {
        let wrong = "should be a point [x, y], each from 0 to 1";
        if !table.has(key) {
            table.fault(key, format!("is missing, {wrong}"));
        }
        match table.numbers(key, 0.0, 1.0)?.as_slice() {
            [x, y] => Some((*x as f32, *y as f32)),
            other => {
                table.fault(key, format!("has {} numbers, {wrong}", other.len()));
                None
            }
        }
    };
    let (from, to) = (end("from"), end("to"));
    if from.is_some() && from == to {
        table.fault("to", "is where the line begins");
    }
    table.finish();
    Some(Line { name: name?, from: from?, to: to? })
}

/// The system's, unless another is named.
fn time_zone(table: &mut Table<'_>) -> TimeZone {
    let Some(text) = table.text("time_zone") else { return TimeZone::system() };
    TimeZone::get(&text).unwrap_or_else(|_| {
        table.fault("time_zone", format!("is {text:?}, should be a time zone such as \"Europe/Berlin\""));
        TimeZone::UTC
    })
}

fn grid(mut table: Table<'_>) -> GridSettings {
    let levels = table.numbers("levels", 0.05, 1.0).map(|levels| levels.into_iter().map(|l| l as f32).collect());
    let grid = GridSettings {
        levels,
        overlap: table.some_number("overlap", 0.0, 0.9).map(|share| share as f32),
        context: table.some_number("context", 0.0, 0.5).map(|share| share as f32),
        dense: table.some_truth("dense"),
    };
    table.finish();
    grid
}

/// What comes by message must not fill the device's memory.
pub(super) fn at_most(table: &Table<'_>, key: &str, found: usize) {
    if found > MOST {
        table.fault(key, format!("there are {found}, should be {MOST} at most"));
    }
}

/// What every prompt is told apart from unless the settings say otherwise: surfaces that fill a picture without an object
/// (streets, gardens, rooms, night), then objects that are common before cameras.
pub fn default_negatives() -> Vec<String> {
    const NEGATIVES: &[&str] = &[
        "an empty street",
        "a road",
        "asphalt",
        "pavement",
        "road markings",
        "a shadow on the ground",
        "a wall",
        "a building",
        "a window",
        "a door",
        "the floor",
        "a carpet",
        "furniture",
        "the sky",
        "trees",
        "leaves",
        "bushes",
        "grass",
        "a fence",
        "a pole",
        "water",
        "snow",
        "darkness",
        "background",
        "nothing",
        "a person",
        "a cyclist",
        "a bicycle",
        "a motorcycle",
        "a car",
        "a van",
        "a bus",
        "a truck",
        "a dog",
        "a cat",
        "a bird",
        "a traffic light",
        "a traffic sign",
        "a bench",
        "a trash can",
    ];
    NEGATIVES.iter().map(|phrase| (*phrase).to_owned()).collect()
}

impl Default for Grid {
    fn default() -> Self {
        Self { levels: vec![1.0, 0.5, 0.3], overlap: 0.5, context: 0.1 }
    }
}

impl Grid {
    /// Where a grid starts whose tiles are scored patch by patch: a fifth of the tiles.
    pub fn for_patches() -> Self {
        Self { levels: vec![1.0, 0.5], overlap: 0.0, context: 0.0 }
    }
}

impl GridSettings {
    /// Whether every patch of a tile is to be scored, with a model that gives its patches or does not: unless the settings
    /// say otherwise, where it can be.
    pub fn is_dense(&self, patches: bool) -> bool {
        self.dense.unwrap_or(patches)
    }

    /// The pyramid of a sweep with a model that refines boxes.
    pub fn sweep(&self) -> Grid {
        const LEVELS: [f32; 4] = [1.0, 0.6, 0.36, 0.2];
        Grid {
            levels: self.levels.clone().unwrap_or(LEVELS.to_vec()),
            overlap: self.overlap.unwrap_or(0.5),
            context: self.context.unwrap_or(0.0),
        }
    }

    /// The grid of a camera that looks densely or does not.
    pub fn layout(&self, dense: bool) -> Grid {
        let standard = if dense { Grid::for_patches() } else { Grid::default() };
        Grid {
            levels: self.levels.clone().unwrap_or(standard.levels),
            overlap: self.overlap.unwrap_or(standard.overlap),
            context: self.context.unwrap_or(standard.context),
        }
    }
}
