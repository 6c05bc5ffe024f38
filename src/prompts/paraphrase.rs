//! Paraphrases: other ways to say the same, and things that are often taken for something else, to be tried on a recording.

use super::phrase::{colour_of, replace_words, words};

/// Words for one thing, of which a model may know one better.
const SYNONYMS: &[&[&str]] = &[
    &["person", "pedestrian", "human"],
    &["bicycle", "bike"],
    &["motorcycle", "motorbike", "scooter"],
    &["car", "automobile"],
    &["truck", "lorry"],
    &["bus", "coach"],
    &["van", "delivery van"],
    &["child", "kid"],
    &["cyclist", "person riding a bicycle"],
    &["parcel", "package", "cardboard box"],
    &["trash can", "garbage bin", "rubbish bin"],
    &["postman", "mail carrier", "delivery person"],
    &["jacket", "coat"],
    &["grey", "gray"],
];

/// What cameras often see, and what a prompt may have to be told apart from.
pub const COMMON: &[&str] = &[
    "a shadow",
    "a reflection",
    "headlights at night",
    "rain on the lens",
    "a spider web",
    "leaves moving in the wind",
    "a bush",
    "a hedge",
    "a tree trunk",
    "a flower pot",
    "a lawn",
    "a parking lot",
    "a pavement",
    "a garage door",
    "a front door",
    "a gate",
    "a window",
    "a roof",
    "a staircase",
    "a mailbox",
    "a lamp post",
    "a utility pole",
    "a fire hydrant",
    "a parking meter",
    "a stop sign",
    "a billboard",
    "a flag",
    "an umbrella",
    "a backpack",
    "a suitcase",
    "a handbag",
    "a chair",
    "a table",
    "a ladder",
    "a wheelbarrow",
    "a garden hose",
    "a bucket",
    "a cardboard box",
    "a plastic bag",
    "a bin bag",
    "a pedestrian",
    "a group of people",
    "a child",
    "a man",
    "a woman",
    "a statue",
    "a stroller",
    "a wheelchair",
    "a scooter",
    "a skateboard",
    "a trailer",
    "a tractor",
    "a train",
    "a taxi",
    "an ambulance",
    "a parked car",
    "a horse",
    "a cow",
    "a sheep",
    "a fox",
    "a squirrel",
    "a rabbit",
    "a pigeon",
    "a ball",
    "a toy",
];

/// Other ways to say a phrase that mean the same: by another word for its thing, without its article, with its colour
/// behind it. The phrase itself is not among them, and those that name less are not: "a bicycle" is no other way to say "a
/// blue bicycle". "A photo of…" is not either, since every phrase is put into such templates anyway.
pub fn paraphrases(phrase: &str) -> Vec<String> {
    let plain = words(phrase).join(" ");
    let mut all = Vec::new();
    for group in SYNONYMS {
        // Of "delivery van" and "van" the longer is the one that is said.
        let said = group.iter().filter(|word| holds(&plain, word)).max_by_key(|word| word.len());
        if let Some(said) = said {
            all.extend(group.iter().filter(|word| *word != said).map(|word| replace_words(&plain, said, word)));
        }
    }
    if let Some(bare) = ["a ", "an ", "the "].iter().find_map(|article| plain.strip_prefix(article)) {
        all.push(bare.to_owned());
    }
    if let Some((colour, rest)) = colour_of(phrase) {
        all.push(format!("{rest} that is {colour}"));
    }
    let mut told: Vec<String> = Vec::new();
    all.into_iter().filter(|other| *other != plain).for_each(|other| {
        if !told.contains(&other) {
            told.push(other);
        }
    });
    told
}

/// Whether a phrase holds these words in a row.
fn holds(phrase: &str, words: &str) -> bool {
    format!(" {phrase} ").contains(&format!(" {words} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_said_otherwise_and_never_less_of_it() {
        assert_eq!(paraphrases("a blue bicycle"), ["a blue bike", "blue bicycle", "a bicycle that is blue"]);
        assert_eq!(
            paraphrases("the person in a red jacket"),
            [
                "the pedestrian in a red jacket",
                "the human in a red jacket",
                "the person in a red coat",
                "person in a red jacket"
            ]
        );
        assert_eq!(paraphrases("a delivery van"), ["a van", "delivery van"]);
        assert!(paraphrases("fire").is_empty());
    }
}
