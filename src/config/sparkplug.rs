//! `[mqtt.sparkplug]` as written, read into [`SparkplugSettings`].

use super::table::Table;

/// How Sparkplug B names this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparkplugSettings {
    /// The group that the edge node belongs to.
    pub group: String,
    /// The edge node's id, `{device}` standing for the device's.
    pub node: String,
    /// What the broker knows its connection by, `{device}` standing for the device's id.
    pub client_id: String,
    /// Whether data messages name metrics by number.
    pub aliases: bool,
}

/// Reads the table at `sparkplug`; without one, Sparkplug is not spoken. `client_id` is that of the other connection.
pub(super) fn sparkplug(mqtt: &mut Table<'_>, client_id: &str) -> Option<SparkplugSettings> {
    let mut table = mqtt.table("sparkplug")?;
    let group = table.text("group").unwrap_or_default();
    let node = table.text("node").unwrap_or_else(|| "{device}".to_owned());
    for (key, id) in [("group", &group), ("node", &node)] {
        let wrong = id.contains(['/', '+', '#']) || id.chars().any(char::is_control);
        if wrong || !(1..=128).contains(&id.len()) {
            let found = if id.is_empty() { "is missing or empty".to_owned() } else { format!("is {id:?}") };
            table.fault(key, format!("{found}, should be 1 to 128 characters without / + #"));
        }
    }
    if node.replace("{device}", "").contains(['{', '}']) {
        table.fault("node", format!("is {node:?}, which holds an unknown word; known here: {{device}}"));
    }
    let own = table.text("client_id").unwrap_or_else(|| format!("{client_id}-sparkplug"));
    if own == client_id || !(1..=140).contains(&own.len()) || own.chars().any(char::is_control) {
        let wanted =
            "1 to 140 characters, and another than mqtt.client_id: the two connections would throw each other out";
        table.fault("client_id", format!("is {own:?}, should be {wanted}"));
    }
    let aliases = table.truth("aliases", false);
    table.finish();
    Some(SparkplugSettings { group, node, client_id: own, aliases })
}
