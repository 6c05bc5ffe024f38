//! Settings written out again, secrets hidden: what `lookout check` prints.

use toml::{Table, Value};

use super::settings::{
    CameraSettings, DiscoveryForm, EventForm, LogFormat, MqttSettings, Name, PromptSettings, Protocol, Rotation,
    Settings, Source, StoreSettings, Zone,
};
use super::sparkplug::SparkplugSettings;
use crate::frame::Polygon;
use crate::prompts::Understood;
use crate::prompts::relation::{Anchor, Relation};

/// The settings in the form of the configuration file. A password shows as `***`, a source without its credentials.
pub fn written(settings: &Settings) -> Table {
    let mut top = Table::new();
    put(&mut top, "log", if settings.log == LogFormat::Json { "json" } else { "human" });
    top.insert("device".into(), Value::Table(Table::from_iter([("id".into(), settings.device.as_str().into())])));
    let mut model = Table::new();
    let path = settings.model.path.as_ref();
    put(&mut model, "path", path.map_or_else(|| "(embedded)".to_owned(), |path| path.display().to_string()));
    put(&mut model, "threads", settings.model.threads as i64);
    settings.model.precision.iter().for_each(|precision| put(&mut model, "precision", precision.name()));
    top.insert("model".into(), Value::Table(model));
    if let Some(mqtt) = &settings.mqtt {
        top.insert("mqtt".into(), Value::Table(self::mqtt(mqtt)));
    }
    if let Some(address) = settings.web {
        top.insert("web".into(), Value::Table(Table::from_iter([("listen".into(), address.to_string().into())])));
    }
    top.insert("store".into(), Value::Table(store(&settings.store)));
    top.insert("camera".into(), Value::Array(settings.cameras.iter().map(|c| Value::Table(camera(c))).collect()));
    top
}

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

/// A 32-bit number without the digits that 64 bits would add.
fn short(number: f32) -> f64 {
    (f64::from(number) * 1e6).round() / 1e6
}

fn mqtt(mqtt: &MqttSettings) -> Table {
    let mut table = Table::new();
    let scheme = if mqtt.tls.is_some() { "mqtts" } else { "mqtt" };
    put(&mut table, "url", format!("{scheme}://{}:{}", mqtt.host, mqtt.port));
    put(&mut table, "protocol", if mqtt.protocol == Protocol::V5 { "5" } else { "3.1.1" });
    put(&mut table, "base", mqtt.base.clone());
    put(&mut table, "client_id", mqtt.client_id.clone());
    let mut topics = Table::new();
    put(&mut topics, "root", mqtt.topics.root.clone());
    put(&mut topics, "events", mqtt.topics.events.clone());
    put(&mut topics, "stats", mqtt.topics.stats.clone());
    put(&mut topics, "publish", if mqtt.topics.everything { "all" } else { "events" });
    put(&mut topics, "form", if mqtt.topics.form == EventForm::Plain { "plain" } else { "thingsboard" });
    put(&mut table, "topics", topics);
    put(&mut table, "keep_alive_s", mqtt.keep_alive.as_secs() as i64);
    put(&mut table, "reconnect_max_s", mqtt.reconnect_max.as_secs() as i64);
    put(&mut table, "backlog_per_s", i64::from(mqtt.backlog_per_s));
    put(&mut table, "max_payload_kb", (mqtt.max_payload / 1000) as i64);
    put(&mut table, "read_only", mqtt.read_only);
    if let Some(user) = &mqtt.user {
        put(&mut table, "user", user.clone());
    }
    if let Some(password) = &mqtt.password {
        put(&mut table, "password", format!("{password:?}"));
    }
    if let Some(tls) = &mqtt.tls {
        if let Some(ca) = &tls.ca {
            put(&mut table, "ca", ca.display().to_string());
        }
        if !tls.alpn.is_empty() {
            put(&mut table, "alpn", tls.alpn.clone());
        }
        if let Some((cert, key)) = &tls.client {
            put(&mut table, "client_cert", cert.display().to_string());
            put(&mut table, "client_key", key.display().to_string());
        }
    }
    let mut announced = Table::new();
    let form = mqtt.home_assistant.as_ref().map_or("off", |settings| match settings.form {
        DiscoveryForm::Device => "device",
        DiscoveryForm::Entity => "entity",
    });
    put(&mut announced, "discovery", form);
    if let Some(settings) = &mqtt.home_assistant {
        put(&mut announced, "prefix", settings.prefix.clone());
    }
    put(&mut table, "home_assistant", announced);
    if let Some(SparkplugSettings { group, node, client_id, aliases }) = &mqtt.sparkplug {
        let mut spoken = Table::new();
        put(&mut spoken, "group", group.clone());
        put(&mut spoken, "node", node.clone());
        put(&mut spoken, "client_id", client_id.clone());
        put(&mut spoken, "aliases", *aliases);
        put(&mut table, "sparkplug", spoken);
    }
    table
}

fn store(store: &StoreSettings) -> Table {
    let mut table = Table::new();
    let path = store.path.as_ref();
    put(&mut table, "path", path.map_or_else(|| "(memory)".to_owned(), |path| path.display().to_string()));
    put(&mut table, "max_age_h", store.max_age.as_secs_f64() / 3600.0);
    put(&mut table, "max_events", store.max_events as i64);
    put(&mut table, "keep_h", store.keep.as_secs_f64() / 3600.0);
    put(&mut table, "max_mb", (store.max_bytes / 1_000_000) as i64);
    put(&mut table, "pictures", store.pictures);
    table
}

fn polygon(polygon: &Polygon) -> Value {
    let point = |(x, y): &(f32, f32)| Value::Array(vec![short(*x).into(), short(*y).into()]);
    Value::Array(polygon.points().iter().map(point).collect())
}

fn camera(camera: &CameraSettings) -> Table {
    let mut table = Table::new();
    put(&mut table, "name", camera.name.as_str());
    camera.area.iter().for_each(|area| put(&mut table, "area", area.clone()));
    put(&mut table, "enabled", camera.enabled);
    put(&mut table, "source", camera.source.to_string());
    if let Source::File { repeat, .. } | Source::Demo { repeat } = camera.source {
        put(&mut table, "loop", repeat);
    }
    put(&mut table, "fps", camera.fps);
    let degrees = match camera.rotation {
        Rotation::None => 0,
        Rotation::Quarter => 90,
        Rotation::Half => 180,
        Rotation::ThreeQuarters => 270,
    };
    put(&mut table, "rotation", degrees);
    put(&mut table, "width", i64::from(camera.size.0));
    put(&mut table, "height", i64::from(camera.size.1));
    put(&mut table, "negatives", camera.negatives.clone());
    put(&mut table, "masks", camera.masks.iter().map(polygon).collect::<Vec<_>>());
    let mut grid = Table::new();
    // What is not said depends on the model.
    let written = &camera.grid;
    written.levels.iter().for_each(|l| put(&mut grid, "levels", l.iter().map(|l| short(*l)).collect::<Vec<_>>()));
    written.overlap.iter().for_each(|share| put(&mut grid, "overlap", short(*share)));
    written.context.iter().for_each(|share| put(&mut grid, "context", short(*share)));
    written.dense.iter().for_each(|dense| put(&mut grid, "dense", *dense));
    table.insert("grid".into(), Value::Table(grid));
    let mut events = Table::new();
    put(&mut events, "min_hits", i64::from(camera.events.min_hits));
    put(&mut events, "min_seen_s", camera.events.min_seen.as_secs_f64());
    put(&mut events, "hysteresis", short(camera.events.hysteresis));
    put(&mut events, "gone_after_s", camera.events.gone_after.as_secs_f64());
    put(&mut events, "update_every_s", camera.events.update_every.as_secs_f64());
    put(&mut events, "stationary_after_s", camera.events.stationary_after.as_secs_f64());
    put(&mut events, "stationary_gone_after_s", camera.events.stationary_gone_after.as_secs_f64());
    put(&mut events, "parked_for_s", camera.events.parked_for.as_secs_f64());
    table.insert("events".into(), Value::Table(events));
    let zones = camera.zones.iter().map(|zone| {
        let name = ("name".to_owned(), zone.name.as_str().into());
        Value::Table(Table::from_iter([name, ("points".to_owned(), polygon(&zone.polygon))]))
    });
    table.insert("zone".into(), Value::Array(zones.collect()));
    let lines = camera.lines.iter().map(|line| {
        let point = |(x, y): (f32, f32)| Value::Array(vec![short(x).into(), short(y).into()]);
        let ends = [("from".to_owned(), point(line.from)), ("to".to_owned(), point(line.to))];
        let name = ("name".to_owned(), line.name.as_str().into());
        Value::Table(Table::from_iter(std::iter::once(name).chain(ends)))
    });
    table.insert("line".into(), Value::Array(lines.collect()));
    camera.time_zone.iana_name().iter().for_each(|zone| put(&mut table, "time_zone", *zone));
    table.insert(
        "prompt".into(),
        Value::Array(camera.prompts.iter().map(|p| Value::Table(prompt(p, &camera.zones))).collect()),
    );
    table
}

fn prompt(prompt: &PromptSettings, zones: &[Zone]) -> Table {
    let mut table = Table::new();
    put(&mut table, "name", prompt.name.as_str());
    put(&mut table, "enabled", prompt.enabled);
    put(&mut table, "phrases", if prompt.understood.targets.is_empty() { Vec::new() } else { prompt.phrases.clone() });
    put(&mut table, "negatives", prompt.negatives.clone());
    put(&mut table, "threshold", short(prompt.threshold));
    put(&mut table, "false_alarms_per_day", short(prompt.false_alarms_per_day.unwrap_or_default()));
    let names = |names: &[Name]| names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    put(&mut table, "zones", names(&prompt.zones));
    let rules = &prompt.rules;
    put(&mut table, "excluded_zones", names(&rules.excluded_zones));
    put(&mut table, "min_size", short(rules.size.0));
    put(&mut table, "max_size", short(rules.size.1));
    put(&mut table, "min_aspect", short(rules.aspect.0));
    put(&mut table, "max_aspect", short(rules.aspect.1));
    put(&mut table, "dwell_s", rules.dwell.as_secs_f64());
    put(&mut table, "hours", rules.hours.iter().map(ToString::to_string).collect::<Vec<_>>());
    put(&mut table, "cooldown_s", rules.cooldown.as_secs_f64());
    put(&mut table, "severity", rules.severity.as_str());
    rules.alert_after.iter().for_each(|after| put(&mut table, "alert_after_s", after.as_secs_f64()));
    put(&mut table, "alert_zones", names(&rules.alert_zones));
    put(&mut table, "zone_states", names(&rules.zone_states));
    put(&mut table, "lines", names(&rules.lines));
    for (key, examples) in [("examples", &prompt.examples), ("counter_examples", &prompt.counter_examples)] {
        if !examples.is_empty() {
            put(&mut table, key, examples.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }
    let known: Vec<Name> = zones.iter().map(|zone| zone.name.clone()).collect();
    let (understood, said) = (&prompt.understood, Understood::new(&prompt.phrases, &known));
    // What the phrases say themselves need not be said again.
    match &understood.relation {
        None if said.relation.is_some() => put(&mut table, "relation", "none"),
        Some(relation) if *understood != said => {
            let of_phrases = understood.targets != prompt.phrases;
            put(&mut table, "relation", self::relation(relation, of_phrases));
        }
        _ => {}
    }
    table
}

/// A relation; where the phrases say the kind and the anchor, only what is said beside.
fn relation(relation: &Relation, of_phrases: bool) -> Table {
    let mut table = Table::new();
    if let Some(place) = &relation.place {
        if !of_phrases {
            put(&mut table, "kind", place.kind.as_str());
            match &place.anchor {
                Anchor::Zone(zone) => put(&mut table, "anchor_zone", zone.as_str()),
                Anchor::Thing(phrases) => put(&mut table, "anchor", phrases[0].clone()),
            }
        }
        place.distance.iter().for_each(|distance| put(&mut table, "distance", short(*distance)));
    }
    if relation.at_least > 1 {
        put(&mut table, "at_least", i64::from(relation.at_least));
    }
    table
}
