//! `[mqtt.topics]` as written, read into [`TopicSettings`]: where a broker has conventions of its own.

use super::settings::{EventForm, TopicSettings};
use super::table::Table;

/// Reads the table at `topics`; without one, lookout's own topics.
pub(super) fn topics(mqtt: &mut Table<'_>) -> TopicSettings {
    let mut settings = TopicSettings::default();
    let Some(mut table) = mqtt.table("topics") else { return settings };
    template(&mut table, "root", &["base", "device"], &mut settings.root);
    if settings.root.starts_with('$') {
        table.fault("root", format!("is {:?}, but retained topics cannot begin with $", settings.root));
    }
    template(&mut table, "events", &["base", "device", "root", "camera"], &mut settings.events);
    template(&mut table, "stats", &["base", "device", "root"], &mut settings.stats);
    settings.everything = match table.text("publish").as_deref() {
        None | Some("all") => true,
        Some("events") => false,
        Some(other) => {
            table.fault("publish", format!("is {other:?}, should be \"all\" or \"events\""));
            true
        }
    };
    settings.form = match table.text("form").as_deref() {
        None | Some("plain") => EventForm::Plain,
        Some("thingsboard") => EventForm::ThingsBoard,
        Some(other) => {
            table.fault("form", format!("is {other:?}, should be \"plain\" or \"thingsboard\""));
            EventForm::Plain
        }
    };
    table.finish();
    settings
}

/// Takes a template whose `{words}` are among those that are known.
fn template(table: &mut Table<'_>, key: &'static str, known: &[&str], place: &mut String) {
    let Some(text) = table.text(key) else { return };
    let left = known.iter().fold(text.clone(), |left, word| left.replace(&format!("{{{word}}}"), "x"));
    if left.contains(['{', '}']) {
        let known: Vec<String> = known.iter().map(|word| format!("{{{word}}}")).collect();
        table.fault(key, format!("is {text:?}, which holds an unknown word; known here: {}", known.join(", ")));
    } else if left.is_empty() || left.starts_with('/') || left.ends_with('/') || left.contains(['+', '#', '\0']) {
        table.fault(key, format!("is {text:?}, should be a topic without wildcards or slashes at its ends"));
    } else {
        *place = text;
    }
}
