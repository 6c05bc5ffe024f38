//! A phrase: how it is put into templates, and what it must be told apart from.

/// What a phrase is put into; the embeddings are averaged (CLIP, section 3.1.4). The first is the phrase itself.
pub const TEMPLATES: &[&str] = &["{}", "a photo of {}", "a picture of {}", "a blurry photo of {}", "a close-up of {}"];

/// The eleven basic colour terms (Berlin and Kay, 1969).
const COLOURS: &[&str] =
    &["black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"];

/// Words after which a phrase says what its thing has or does.
const ADDING: &[&str] = &["with", "carrying", "holding", "wearing", "under", "riding", "lying", "who", "that"];

/// Words that join a thing with others.
const JOINING: &[&str] = &["and", "or", "on", "in", "at", "by", "to", "from", "into", "of", "next"];
/// Words before a thing.
const BEFORE: &[&str] = &["a", "an", "the", "his", "her", "their", "its", "some", "two"];

/// What everybody wears: in a colour, it is the person's colour.
const CLOTHES: &[&str] = &["jacket", "coat", "shirt", "dress", "trousers", "vest", "clothes"];

/// Sizes that exclude each other.
const SIZES: &[(&str, &str)] = &[("small", "large"), ("little", "big"), ("large", "small"), ("big", "small")];

/// Words that tell nothing about what is meant.
pub(super) const STOP_WORDS: &[&str] =
    &["a", "an", "the", "in", "on", "of", "with", "is", "that", "there", "one", "some"];

fn is_colour(word: &str) -> bool {
    COLOURS.contains(&word) || word == "gray"
}

pub(super) fn words(phrase: &str) -> Vec<String> {
    let lower = phrase.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The phrase in every template.
pub fn in_templates(phrase: &str) -> impl Iterator<Item = String> {
    TEMPLATES.iter().map(move |template| template.replace("{}", phrase.trim()))
}

/// The same phrase in each other colour: what "a blue bicycle" must not be taken for. Empty unless exactly one colour
/// is named: with two, a swap could say the same thing.
pub fn other_colours(phrase: &str) -> Vec<String> {
    let all = words(phrase);
    let named: Vec<&String> = all.iter().filter(|word| is_colour(word)).collect();
    let [named] = named.as_slice() else { return Vec::new() };
    let same = |colour: &str| colour == named.as_str() || (colour == "grey" && named.as_str() == "gray");
    let swap = |colour: &str| replace_word(phrase, named, colour);
    COLOURS.iter().filter(|colour| !same(colour)).map(|colour| swap(colour)).collect()
}

/// The phrase without its colour: "a blue bicycle" becomes "a bicycle". `None` if it names none or nothing is left.
pub fn colourless(phrase: &str) -> Option<String> {
    let all = words(phrase);
    let kept: Vec<&str> = all.iter().map(String::as_str).filter(|word| !is_colour(word)).collect();
    (kept.len() < all.len() && kept.iter().any(|word| !STOP_WORDS.contains(word))).then(|| kept.join(" "))
}

/// The colour of a phrase that names a thing and no more, and the phrase without it: "blue" and "a bicycle".
pub(super) fn colour_of(phrase: &str) -> Option<(String, String)> {
    let all = words(phrase);
    let [.., colour, _] = all.as_slice() else { return None };
    let simple = all.len() <= 3 && is_colour(colour);
    simple.then(|| colourless(phrase)).flatten().map(|rest| (colour.clone(), rest))
}

/// Whether a phrase names a thing and nothing with it: "a blue bicycle", and not "a man pushing a bicycle".
pub(super) fn names_one(phrase: &str) -> bool {
    let all = words(phrase);
    let joins = |word: &String| {
        let word = word.as_str();
        ADDING.contains(&word) || JOINING.contains(&word) || BEFORE.contains(&word) || word.ends_with("ing")
    };
    !all.is_empty() && !all.iter().skip(1).any(joins)
}

/// The phrase with some words in a row replaced by others.
pub(super) fn replace_words(phrase: &str, said: &str, by: &str) -> String {
    format!(" {phrase} ").replace(&format!(" {said} "), &format!(" {by} ")).trim().to_owned()
}

/// The phrase without what its thing has or does: "a person with an umbrella" must be told apart from "a person". `None`
/// if it adds nothing, or a colour alone ("a car that is red", "a man wearing a red coat"), which [`other_colours`] tells
/// apart.
pub fn plainer(phrase: &str) -> Option<String> {
    let all: Vec<&str> = phrase.split_whitespace().collect();
    let at = all.iter().position(|word| ADDING.iter().any(|adding| word.eq_ignore_ascii_case(adding)))?;
    let (thing, added) = all.split_at(at);
    let (thing, added) = (thing.join(" "), words(&added.join(" ")));
    let coloured = added.iter().any(|word| is_colour(word));
    let tells = |word: &String| {
        let word = word.as_str();
        !(STOP_WORDS.contains(&word) || is_colour(word) || coloured && CLOTHES.contains(&word))
    };
    // "Lying" says it all; the other words only lead to what is said.
    let added = if added[0] == "lying" { &added[..] } else { &added[1..] };
    (words(&thing).iter().any(tells) && added.iter().any(tells)).then_some(thing)
}

/// The phrase in the opposite size: what "a large dog" must not be taken for. Empty unless exactly one size is named.
pub fn other_sizes(phrase: &str) -> Vec<String> {
    let all = words(phrase);
    let named: Vec<_> = all.iter().filter_map(|word| SIZES.iter().find(|(size, _)| size == word)).collect();
    let [(size, other)] = named.as_slice() else { return Vec::new() };
    vec![replace_word(phrase, size, other)]
}

/// The words of a phrase that tell what is meant.
fn content(phrase: &str) -> Vec<String> {
    words(phrase).into_iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).collect()
}

/// Whether two phrases differ by nothing but what tells nothing: "the traffic light" and "a traffic light".
pub fn same_words(a: &str, b: &str) -> bool {
    content(a) == content(b)
}

/// Whether one phrase says all that the other says, in the same words: "a car" and "a red car".
pub fn overlaps(a: &str, b: &str) -> bool {
    let (a, b) = (content(a), content(b));
    let within = |few: &[String], many: &[String]| !few.is_empty() && few.iter().all(|word| many.contains(word));
    within(&a, &b) || within(&b, &a)
}

/// The phrase with another word in a word's place, and the article before it as that wants it.
fn replace_word(phrase: &str, word: &str, by: &str) -> String {
    let mut words: Vec<&str> = phrase.split(' ').collect();
    for at in 0..words.len() {
        if words[at].eq_ignore_ascii_case(word) {
            words[at] = by;
            if at > 0 && ["a", "an"].contains(&words[at - 1]) {
                words[at - 1] = if by.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            }
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_by_itself_is_told_from_one_with_others() {
        for one in ["a person", "the blue bicycle", "Cyclist", "a small white delivery van", "two dogs"] {
            assert!(names_one(one), "{one}");
        }
        for with in ["a man pushing a bicycle", "a person on a bicycle", "a woman with her dog", "a dog and a cat", ""]
        {
            assert!(!names_one(with), "{with}");
        }
    }

    #[test]
    fn colours_are_swapped_only_when_one_is_named() {
        let swapped = other_colours("a blue bicycle");
        assert_eq!(swapped.len(), 10);
        assert!(swapped.contains(&"an orange bicycle".to_owned()));
        assert!(swapped.contains(&"a red bicycle".to_owned()) && !swapped.contains(&"a blue bicycle".to_owned()));
        assert_eq!(other_colours("a Gray cat").len(), 10);
        assert!(other_colours("a red and white bus").is_empty() && other_colours("a dog").is_empty());
    }

    #[test]
    fn colourless_keeps_the_noun() {
        assert_eq!(colourless("a blue bicycle").as_deref(), Some("a bicycle"));
        assert_eq!(colourless("a dog"), None);
        assert_eq!(colourless("red"), None);
    }

    #[test]
    fn what_is_added_must_be_told_apart_from_the_thing_alone() {
        assert_eq!(plainer("a person with an umbrella").as_deref(), Some("a person"));
        assert_eq!(plainer("a man in red carrying a blue backpack").as_deref(), Some("a man in red"));
        assert_eq!(plainer("a bicycle lying on the ground").as_deref(), Some("a bicycle"));
        assert_eq!(plainer("a bicycle lying down").as_deref(), Some("a bicycle"));
        for whole in
            ["a car that is red", "a blue bicycle", "with", "a person in a red jacket", "a man wearing a red coat"]
        {
            assert_eq!(plainer(whole), None, "{whole}");
        }
        assert_eq!(other_sizes("a large brown dog"), ["a small brown dog"]);
        assert!(other_sizes("a dog").is_empty() && other_sizes("a small car and a large dog").is_empty());
    }

    #[test]
    fn overlap_is_one_within_the_other() {
        assert!(overlaps("a car", "a red car") && overlaps("a red car", "the car"));
        assert!(!overlaps("a red car", "a blue car") && !overlaps("a bus", "a car"));
    }
}
