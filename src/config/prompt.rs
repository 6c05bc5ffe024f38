//! One `[[camera.prompt]]` as written, read into [`PromptSettings`].

use config::ValueKind;

use super::camera::at_most;
use super::example::examples;
use super::file::name;
use super::rules::{Line, Rules, named, rules};
use super::settings::{Name, PromptSettings, Zone};
use super::table::Table;
use crate::prompts::Understood;
use crate::prompts::relation::{Anchor, Kind, Place, Relation};

/// Longest phrase in characters; CLIP reads at most 77 tokens, and says so itself when fewer fit.
const LONGEST_PHRASE: usize = 300;

pub(super) fn prompt(mut table: Table<'_>, zones: &[Zone], lines: &[Line]) -> Option<PromptSettings> {
    let enabled = table.truth("enabled", true);
    let shown = examples(&mut table, "examples");
    let counter_examples = examples(&mut table, "counter_examples");
    if shown.is_empty() && !counter_examples.is_empty() {
        table.fault("counter_examples", "is set, but there are no `examples` to tell them from");
    }
    let phrases = table.texts("phrases").unwrap_or_default();
    let wordless = phrases.is_empty() && !shown.is_empty();
    if phrases.is_empty() && !wordless {
        table.fault("phrases", "is missing or empty, such as [\"a blue bicycle\"]");
    }
    let phrases = checked_phrases(&table, "phrases", phrases);
    let negatives = table.texts("negatives").unwrap_or_default();
    let negatives = checked_phrases(&table, "negatives", negatives);
    let name = match table.text("name") {
        Some(text) => name(&table, "name", &text),
        None => phrases.first().and_then(|phrase| {
            let name = Name::from_phrase(phrase);
            if name.is_none() {
                table.fault("name", format!("no name can be made of {phrase:?}; set one"));
            }
            name
        }),
    };
    // A threshold that is set holds, unless a number of false alarms is set beside it.
    let accepted = if table.has("threshold") { 0.0 } else { PromptSettings::DEFAULT_FALSE_ALARMS.into() };
    if wordless && name.is_none() {
        table.fault("name", "is missing; nothing else says what the examples show");
    }
    let threshold = table.number("threshold", PromptSettings::DEFAULT_THRESHOLD.into(), 0.01, 0.99) as f32;
    let false_alarms = table.number("false_alarms_per_day", accepted, 0.0, 1000.0) as f32;
    let found = named(&mut table, "zones", "zone", &zones.iter().map(|zone| &zone.name).collect::<Vec<_>>());
    let rules = rules(&mut table, zones, lines);
    let understood = understood(&mut table, &phrases, zones);
    table.finish();
    let name = name?;
    let phrases = if wordless { vec![name.as_str().replace('_', " ")] } else { phrases };
    if phrases.is_empty() {
        return None;
    }
    let standard = PromptSettings::new(name, phrases);
    Some(PromptSettings {
        enabled,
        negatives,
        threshold,
        false_alarms_per_day: (false_alarms > 0.0).then_some(false_alarms),
        zones: found,
        rules,
        understood,
        examples: shown,
        counter_examples,
        ..standard
    })
}

/// What the phrases ask for, as `relation` says: absent, what they say themselves; `"none"`, nothing beyond the words; a
/// table with `kind`, what that says; a table without, changes to what they say.
fn understood(table: &mut Table<'_>, phrases: &[String], zones: &[Zone]) -> Understood {
    let names: Vec<Name> = zones.iter().map(|zone| zone.name.clone()).collect();
    let said = Understood::new(phrases, &names);
    if !table.has("relation") {
        return said;
    }
    let is_table = table.values().get("relation").is_some_and(|value| matches!(value.kind, ValueKind::Table(_)));
    if !is_table {
        let text = table.text("relation").unwrap_or_default();
        if text != "none" && text != "false" {
            table
                .fault("relation", format!("is {text:?}, should be \"none\" or a table such as {{ kind = \"near\" }}"));
        }
        return Understood::whole(phrases);
    }
    let Some(mut inner) = table.table("relation") else { return said };
    let read = relation(&mut inner, &said, &names);
    inner.finish();
    match read {
        Some((relation, true)) => Understood { relation: Some(relation), ..Understood::whole(phrases) },
        Some((relation, false)) => Understood { relation: Some(relation), ..said },
        None => said,
    }
}

/// The relation of a table, and whether it stands by itself rather than changing what the phrases say. `None` where
/// something in it is wrong.
fn relation(table: &mut Table<'_>, said: &Understood, zones: &[Name]) -> Option<(Relation, bool)> {
    let named = |kinds: &[Kind]| kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let kind = table.text("kind");
    let anchor = table.text("anchor");
    let zone = table.text("anchor_zone");
    let distance = table.some_number("distance", 0.0, 100.0).map(|distance| distance as f32);
    let at_least = table.has("at_least").then(|| table.whole("at_least", 1, 1, 100) as u32);
    let Some(kind) = kind else {
        for (key, _) in [("anchor", &anchor), ("anchor_zone", &zone)].iter().filter(|(_, value)| value.is_some()) {
            table.fault(key, "says beside what, but `kind` is missing, such as \"near\"");
        }
        let mut relation = said.relation.clone().unwrap_or(Relation { at_least: 1, place: None });
        relation.at_least = at_least.unwrap_or(relation.at_least);
        match (&mut relation.place, distance) {
            (Some(place), Some(_)) => place.distance = distance,
            (None, Some(_)) => table.fault("distance", "is set, but neither `kind` nor a phrase says how things stand"),
            (_, None) => {}
        }
        return Some((relation, false)).filter(|_| anchor.is_none() && zone.is_none());
    };
    let Some(kind) = Kind::parse(&kind) else {
        table.fault("kind", format!("is {kind:?}, should be one of {}", named(&Kind::ALL)));
        return None;
    };
    let anchor = match (anchor, zone) {
        (Some(anchor), None) => Anchor::Thing(checked_phrases(table, "anchor", vec![anchor])),
        (None, Some(zone)) => match zones.iter().find(|known| known.as_str() == zone) {
            Some(zone) => Anchor::Zone(zone.clone()),
            None => {
                let known: Vec<&str> = zones.iter().map(Name::as_str).collect();
                table.fault("anchor_zone", format!("there is no zone {zone:?}; zones here: {}", known.join(", ")));
                return None;
            }
        },
        (Some(_), Some(_)) => {
            table.fault("anchor_zone", "is set beside `anchor`; set one of the two");
            return None;
        }
        (None, None) => {
            table.fault("anchor", "is missing: `anchor` says a thing, `anchor_zone` a zone");
            return None;
        }
    };
    match (kind, &anchor) {
        (Kind::Without, Anchor::Zone(_)) => {
            table.fault("anchor_zone", "is always there; `kind = \"outside\"` is what is not in it");
            return None;
        }
        (Kind::Outside, Anchor::Thing(_)) => {
            table.fault("anchor", "is a thing; `kind = \"outside\"` needs an `anchor_zone`");
            return None;
        }
        (_, Anchor::Thing(phrases)) if phrases.is_empty() => return None,
        _ => {}
    }
    Some((Relation { at_least: at_least.unwrap_or(1), place: Some(Place { kind, anchor, distance }) }, true))
}

pub(super) fn checked_phrases(table: &Table<'_>, key: &str, phrases: Vec<String>) -> Vec<String> {
    at_most(table, key, phrases.len());
    let check = |(index, phrase): (usize, String)| {
        let key = format!("{key}[{index}]");
        let length = phrase.chars().count();
        if phrase.trim().is_empty() {
            table.fault(&key, "is empty, should describe something, such as \"a blue bicycle\"");
        } else if length > LONGEST_PHRASE {
            let words = phrase.split_whitespace().count();
            table.fault(&key, format!("has {length} characters ({words} words), at most {LONGEST_PHRASE} are read"));
        } else if phrase.chars().any(char::is_control) {
            table.fault(&key, "holds control characters");
        } else {
            return Some(phrase);
        }
        None
    };
    phrases.into_iter().enumerate().filter_map(check).collect()
}

impl PromptSettings {
    /// Where a prompt that sets no threshold starts.
    pub const DEFAULT_THRESHOLD: f32 = 0.6;
    /// Of one prompt on one camera, where neither they nor a threshold are set.
    pub const DEFAULT_FALSE_ALARMS: f32 = 1.0;

    /// The same prompt in other words, for a camera with these zones.
    pub fn worded(self, phrases: Vec<String>, zones: &[Zone]) -> Self {
        let names: Vec<Name> = zones.iter().map(|zone| zone.name.clone()).collect();
        Self { understood: Understood::new(&phrases, &names), phrases, ..self }
    }

    /// A prompt of which only the phrases are said, for a camera without zones.
    pub fn new(name: Name, phrases: Vec<String>) -> Self {
        let understood = Understood::new(&phrases, &[]);
        Self {
            name,
            enabled: true,
            phrases,
            negatives: Vec::new(),
            threshold: Self::DEFAULT_THRESHOLD,
            false_alarms_per_day: Some(Self::DEFAULT_FALSE_ALARMS),
            zones: Vec::new(),
            understood,
            examples: Vec::new(),
            counter_examples: Vec::new(),
            rules: Rules::default(),
        }
    }
}
