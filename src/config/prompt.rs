//! One `[[camera.prompt]]` as written, read into [`PromptSettings`].

use super::camera::at_most;
use super::file::name;
use super::rules::{Line, Rules, named, rules};
use super::settings::{Name, PromptSettings, Zone};
use super::table::Table;

/// Longest phrase in characters; CLIP reads at most 77 tokens, and says so itself when fewer fit.
const LONGEST_PHRASE: usize = 300;

pub(super) fn prompt(mut table: Table<'_>, zones: &[Zone], lines: &[Line]) -> Option<PromptSettings> {
    let enabled = table.truth("enabled", true);
    let phrases = table.texts("phrases").unwrap_or_default();
    if phrases.is_empty() {
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
    let threshold = table.number("threshold", PromptSettings::DEFAULT_THRESHOLD.into(), 0.01, 0.99) as f32;
    let found = named(&mut table, "zones", "zone", &zones.iter().map(|zone| &zone.name).collect::<Vec<_>>());
    let rules = rules(&mut table, zones, lines);
    table.finish();
    if phrases.is_empty() {
        return None;
    }
    Some(PromptSettings { enabled, negatives, threshold, zones: found, rules, ..PromptSettings::new(name?, phrases) })
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

    /// A prompt of which only the phrases are said.
    pub fn new(name: Name, phrases: Vec<String>) -> Self {
        Self {
            name,
            enabled: true,
            phrases,
            negatives: Vec::new(),
            threshold: Self::DEFAULT_THRESHOLD,
            zones: Vec::new(),
            rules: Rules::default(),
        }
    }
}
