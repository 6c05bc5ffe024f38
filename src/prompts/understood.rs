//! Understood: what the phrases of a prompt ask for, once what they say of where and how many is taken out of them.
//!
//! A phrase is read from left to right. A number before a plural is a count. The first words of `places` that may be
//! taken for a place split the rest into the thing and its anchor. What CLIP itself understands stays whole: what somebody
//! rides, wears, carries or does ("a person on a bicycle", "in a red coat", "with an umbrella", "lying on the ground").

use super::count::{NUMBERS, counted};
use super::phrase::{STOP_WORDS, names_one, words};
use super::places::{CARRIED, LEADING, PEOPLE, PLACES, PLACING, PRONOUNS, SUPPORTS, When};
use super::relation::{Anchor, Kind, Place, Relation};
use crate::config::settings::Name;

/// What the phrases of a prompt ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// What is looked for: the phrases without what the relation says.
    pub targets: Vec<String>,
    /// Where and how many.
    pub relation: Option<Relation>,
    /// What could not be understood and is scored whole, a sentence each.
    pub notes: Vec<String>,
}

/// One phrase, understood.
#[derive(Debug, PartialEq)]
struct Reading {
    target: String,
    at_least: u32,
    place: Option<Place>,
}

impl Understood {
    /// The phrases as they are, without a relation.
    pub fn whole(phrases: &[String]) -> Self {
        Self { targets: phrases.to_vec(), relation: None, notes: Vec::new() }
    }

    /// How what is looked for stands to what the phrases name beside it.
    pub fn place(&self) -> Option<Kind> {
        self.relation.as_ref()?.place.as_ref().map(|place| place.kind)
    }

    /// Whether all that is looked for is a thing by itself, and none with others ("a man at a car").
    pub fn names_one(&self) -> bool {
        self.notes.is_empty() && !self.targets.is_empty() && self.targets.iter().all(|target| names_one(target))
    }

    /// All phrases that are scored: the targets and, where it is a thing, the anchor.
    pub fn things(&self) -> impl Iterator<Item = &String> {
        let place = self.relation.as_ref().and_then(|relation| relation.place.as_ref());
        let anchor = place.and_then(|place| match &place.anchor {
            Anchor::Thing(phrases) => Some(phrases),
            Anchor::Zone(_) => None,
        });
        self.targets.iter().chain(anchor.into_iter().flatten())
    }

    /// What the phrases ask for together, where zones have these names. All of them must ask for the same place and count;
    /// anchors that are things may be said in different words.
    pub fn new(phrases: &[String], zones: &[Name]) -> Self {
        let whole = |note: String| Self { notes: vec![note], ..Self::whole(phrases) };
        let mut together: Option<Relation> = None;
        let mut targets = Vec::new();
        for (index, phrase) in phrases.iter().enumerate() {
            let Reading { target, at_least, place } = match read(phrase, zones) {
                Ok(reading) => reading,
                Err(why) => return whole(format!("scored whole: {phrase:?} {why}")),
            };
            let relation = (at_least > 1 || place.is_some()).then_some(Relation { at_least, place });
            if index == 0 {
                together = relation;
            } else if !joined(&mut together, relation) {
                let first = &phrases[0];
                return whole(format!("scored whole: {first:?} and {phrase:?} do not say the same place and count"));
            }
            targets.push(target);
        }
        Self { targets, relation: together, notes: Vec::new() }
    }
}

/// Takes a further phrase's relation in, if it says the same.
fn joined(together: &mut Option<Relation>, next: Option<Relation>) -> bool {
    let (Some(known), Some(next)) = (together.as_mut(), next.as_ref()) else {
        return together.is_none() && next.is_none();
    };
    if known.at_least != next.at_least {
        return false;
    }
    match (&mut known.place, &next.place) {
        (None, None) => true,
        (Some(known), Some(next)) if known.kind == next.kind => match (&mut known.anchor, &next.anchor) {
            (Anchor::Zone(known), Anchor::Zone(next)) => known == next,
            (Anchor::Thing(known), Anchor::Thing(next)) => {
                next.iter().for_each(|phrase| {
                    if !known.contains(phrase) {
                        known.push(phrase.clone());
                    }
                });
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// One phrase, or why it cannot be understood in parts.
fn read(phrase: &str, zones: &[Name]) -> Result<Reading, String> {
    let all: Vec<&str> = phrase.split_whitespace().collect();
    let plain: Vec<String> = all.iter().map(|word| bare(word)).collect();
    let found = (0..all.len()).find_map(|at| place_at(&all, &plain, at, zones));
    let (thing, place) = match found {
        None => (&all[..], None),
        Some((at, length, place)) => {
            let mut end = at;
            while end > 0 && LEADING.contains(&plain[end - 1].as_str()) {
                end -= 1;
            }
            let rest = at + length..all.len();
            if !tells(&plain[..end]) || !tells(&plain[rest.clone()]) {
                return Err("names no thing beside its place".to_owned());
            }
            check_anchor(&plain[rest])?;
            (&all[..end], Some(place))
        }
    };
    let plain = &plain[..thing.len()];
    let (at_least, target) = match counted(thing, plain) {
        Some((count, one)) => (count, one),
        None => (1, thing.join(" ")),
    };
    let target = target.trim_end_matches([',', '.', ';']).to_owned();
    let left: Vec<String> = words(&target);
    match left.iter().find(|word| PLACING.contains(&word.as_str()) || NUMBERS.contains(&word.as_str())) {
        // A place that is left over means that what was split off is not all there was.
        Some(word) => Err(format!("holds {word:?} in a way that is not understood")),
        None => Ok(Reading { target, at_least, place }),
    }
}

/// The words of place that begin at a word, how many they are, and what they mean with what follows.
fn place_at(all: &[&str], plain: &[String], at: usize, zones: &[Name]) -> Option<(usize, usize, Place)> {
    let begins = |words: &&(&str, Kind, Option<f32>, When)| {
        let words: Vec<&str> = words.0.split(' ').collect();
        plain[at..].len() >= words.len() && words.iter().zip(&plain[at..]).all(|(word, found)| word == found)
    };
    let (words, kind, distance, when) = *PLACES.iter().find(begins)?;
    let length = words.split(' ').count();
    let (rest, plain) = (&all[at + length..], &plain[at + length..]);
    let zone = zone_named(plain, zones);
    let names = |list: &[&str]| head(plain).is_some_and(|word| list.contains(&word));
    let taken = match when {
        When::Always => true,
        When::NotCarried => zone.is_some() || !names(CARRIED),
        When::Support => zone.is_some() || names(SUPPORTS),
        When::Zone => zone.is_some(),
    };
    let anchor = match zone {
        Some(zone) => Anchor::Zone(zone),
        None if plain.iter().any(|word| PEOPLE.contains(&word.as_str())) && plain.len() == 1 => {
            Anchor::Thing(vec!["a person".to_owned()])
        }
        None => Anchor::Thing(vec![rest.join(" ").trim_end_matches([',', '.', ';']).to_owned()]),
    };
    // A zone is always there.
    let possible = kind != Kind::Without || matches!(anchor, Anchor::Thing(_));
    (taken && possible).then_some((at, length, Place { kind, anchor, distance }))
}

/// The last word of a thing's first part: "bench" of "the old bench with a lamp".
fn head(plain: &[String]) -> Option<&str> {
    const ENDS: &[&str] = &["of", "with", "in", "that", "which"];
    let end = plain.iter().position(|word| ENDS.contains(&word.as_str())).unwrap_or(plain.len());
    plain[..end].last().map(String::as_str)
}

fn check_anchor(plain: &[String]) -> Result<(), String> {
    let text = plain.join(" ");
    if let Some(pronoun) = plain.iter().find(|word| PRONOUNS.contains(&word.as_str())) {
        return Err(format!("says {pronoun:?}, which names nothing"));
    }
    if head(plain).is_some_and(|word| ["picture", "image", "frame", "screen", "photo"].contains(&word)) {
        return Err(format!("means a part of the picture by {text:?}; a zone can say that"));
    }
    if plain.iter().any(|word| word == "and" || word == "or") {
        return Err(format!("names more than one thing in {text:?}"));
    }
    match plain.iter().find(|word| PLACING.contains(&word.as_str()) || word.as_str() == "next") {
        Some(word) => Err(format!("says more than one place ({word:?} too)")),
        None => Ok(()),
    }
}

/// The zone that the words name: "the front door" is the zone `front_door`.
fn zone_named(plain: &[String], zones: &[Name]) -> Option<Name> {
    let bare = |text: &str| text.to_lowercase().replace('-', "_");
    let rest = match plain {
        [first, rest @ ..] if matches!(first.as_str(), "a" | "an" | "the" | "my" | "our") => rest,
        all => all,
    };
    let said = bare(&rest.join("_"));
    zones.iter().find(|zone| bare(zone.as_str()) == said).cloned()
}

fn bare(word: &str) -> String {
    word.to_lowercase().trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// Whether anything is named.
fn tells(plain: &[String]) -> bool {
    plain.iter().any(|word| !word.is_empty() && !STOP_WORDS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones() -> Vec<Name> {
        ["gate", "front_door", "Yard", "road"].iter().map(|zone| Name::new(zone).expect("a name")).collect()
    }

    fn understood(phrase: &str) -> Understood {
        Understood::new(&[phrase.to_owned()], &zones())
    }

    /// Target, then the relation in words.
    fn parts(phrase: &str) -> (String, String) {
        let Understood { targets, relation, notes } = understood(phrase);
        assert!(notes.is_empty(), "{phrase}: {notes:?}");
        (targets[0].clone(), relation.map(|relation| relation.in_words()).unwrap_or_default())
    }

    #[test]
    fn places_and_counts_are_taken_out_of_phrases() {
        for (phrase, target, relation) in [
            (
                "a blue bicycle on the right side of the traffic light",
                "a blue bicycle",
                "right of \"the traffic light\"",
            ),
            ("a bicycle to the right of a car", "a bicycle", "right of \"a car\""),
            ("a van to the left of a bus", "a van", "left of \"a bus\""),
            ("a person near the gate", "a person", "near the zone gate"),
            ("a person at the front door", "a person", "near the zone front_door"),
            ("a person inside the yard", "a person", "inside the zone Yard"),
            ("a dog outside the yard", "a dog", "outside the zone Yard"),
            ("a dog on the road", "a dog", "on the zone road"),
            ("a car in the road", "a car", "inside the zone road"),
            ("a dog without a person", "a dog", "without \"a person\""),
            ("a dog without anybody", "a dog", "without \"a person\""),
            ("at least two people", "a person", "at least 2"),
            ("two people near the gate", "a person", "near the zone gate, at least 2"),
            ("three red cars", "a red car", "at least 3"),
            ("2 buses", "a bus", "at least 2"),
            ("three or more bicycles lying on the ground", "a bicycle lying on the ground", "at least 3"),
            ("more than one car", "a car", "at least 2"),
            ("at least 2 traffic lights", "a traffic light", "at least 2"),
            ("several umbrellas", "an umbrella", "at least 3"),
            ("a cat on a bench", "a cat", "on \"a bench\""),
            ("a cat lying on the roof of a car", "a cat lying", "on \"the roof of a car\""),
            ("a car in front of the garage", "a car", "in front of \"the garage\""),
            ("a person behind the fence", "a person", "behind \"the fence\""),
            ("a person next to a dog", "a person", "near \"a dog\" within 0.75"),
            ("a person who is right next to a dog", "a person", "near \"a dog\" within 0.75"),
            ("A bird above the trees", "A bird", "above \"the trees\""),
            ("a cat under the bench", "a cat", "below \"the bench\""),
            ("a person on a bicycle near the bus stop", "a person on a bicycle", "near \"the bus stop\""),
            ("a person in a red coat to the left of a bus", "a person in a red coat", "left of \"a bus\""),
        ] {
            assert_eq!(parts(phrase), (target.to_owned(), relation.to_owned()), "{phrase}");
        }
    }

    #[test]
    fn what_the_model_understands_stays_whole() {
        for phrase in [
            "a person on a bicycle",
            "a person with an umbrella",
            "a person under an umbrella",
            "a person in a red coat",
            "a man in a blue jacket with a dog",
            "a cat lying on the ground",
            "a dog on a leash",
            "a man on the phone",
            "a bus stop",
            "a person on the street",
            "a car in the driveway",
            "a dog at night",
            "one car",
            "a traffic light",
            "a group of people",
        ] {
            assert_eq!(parts(phrase), (phrase.to_owned(), String::new()), "{phrase}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_scored_whole_and_told() {
        for (phrase, why) in [
            ("a person on the left", "\"left\""),
            ("a person between two cars", "\"between\""),
            ("a person without a helmet", "\"without\""),
            ("a man with his dog next to him", "\"him\""),
            ("a person near a car or a bus", "more than one thing"),
            ("a dog near a person behind a car", "more than one place"),
            ("near the gate", "no thing"),
            ("a dog near", "no thing"),
            ("no people", "\"no\""),
            ("a car to the left of the picture", "zone"),
            ("a dog outside the house", "\"outside\""),
        ] {
            let Understood { targets, relation, notes } = understood(phrase);
            assert_eq!((targets, relation), (vec![phrase.to_owned()], None), "{phrase}");
            assert!(notes[0].starts_with("scored whole") && notes[0].contains(why), "{phrase}: {notes:?}");
        }
    }

    #[test]
    fn several_phrases_say_one_relation() {
        let all = |phrases: &[&str]| {
            let phrases: Vec<String> = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
            Understood::new(&phrases, &zones())
        };
        let Understood { targets, relation, .. } = all(&["a dog near a car", "a puppy close to an automobile"]);
        assert_eq!(targets, ["a dog", "a puppy"]);
        assert_eq!(relation.expect("a relation").in_words(), "near \"a car / an automobile\"");
        for apart in [["a dog", "a dog near a car"], ["a dog near a car", "a dog left of a car"], ["two dogs", "a dog"]]
        {
            let Understood { targets, relation, notes } = all(&apart);
            assert!(targets == apart && relation.is_none() && notes.len() == 1, "{apart:?}");
        }
    }
}
