//! Counts: what "at least two red cars" says, and one of what is counted.

/// Numbers as words, from two on.
pub(super) const NUMBERS: &[&str] =
    &["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const IRREGULAR: &[(&str, &str)] = &[
    ("people", "person"),
    ("men", "man"),
    ("women", "woman"),
    ("children", "child"),
    ("mice", "mouse"),
    ("geese", "goose"),
    ("sheep", "sheep"),
    ("deer", "deer"),
    ("fish", "fish"),
    ("wolves", "wolf"),
    ("buses", "bus"),
    ("knives", "knife"),
];

/// A count before a plural, and one of what is counted: "at least two red cars" is 2 and "a red car".
pub(super) fn counted(all: &[&str], plain: &[String]) -> Option<(u32, String)> {
    let is = |at: usize, words: &[&str]| {
        words.iter().enumerate().all(|(i, word)| plain.get(at + i).is_some_and(|p| p == word))
    };
    let number = |at: usize| {
        let word = plain.get(at)?;
        let spelled = NUMBERS.iter().position(|number| number == word).map(|place| place as u32 + 2);
        spelled.or_else(|| word.parse().ok().filter(|number| (1..=99).contains(number)))
    };
    let (count, from) = if is(0, &["at", "least"]) {
        (number(2).or_else(|| is(2, &["one"]).then_some(1))?, 3)
    } else if is(0, &["more", "than"]) {
        (1 + number(2).or_else(|| is(2, &["one"]).then_some(1))?, 3)
    } else if is(0, &["a", "couple", "of"]) {
        (2, 3)
    } else if is(0, &["several"]) {
        (3, 1)
    } else {
        (number(0)?, if is(1, &["or", "more"]) { 3 } else { 1 })
    };
    let rest = &plain[from.min(plain.len())..];
    let one = |word: &str| {
        let irregular = IRREGULAR.iter().find(|(many, _)| *many == word).map(|(_, one)| (*one).to_owned());
        irregular.or_else(|| match word {
            w if ["ss", "us", "is"].iter().any(|end| w.ends_with(end)) => None,
            w if ["shes", "ches", "xes", "sses"].iter().any(|end| w.ends_with(end)) => {
                Some(w[..w.len() - 2].to_owned())
            }
            w if w.ends_with("ies") && w.len() > 4 => Some(format!("{}y", &w[..w.len() - 3])),
            w if w.ends_with('s') && w.len() > 2 => Some(w[..w.len() - 1].to_owned()),
            _ => None,
        })
    };
    let (at, singular) = match rest.iter().enumerate().find_map(|(at, word)| Some((at, one(word)?))) {
        Some(found) => found,
        // "More than one car", "at least one car".
        None if is(2, &["one"]) && !rest.is_empty() => (0, rest[0].clone()),
        None => return None,
    };
    let mut words: Vec<String> = all[from..].iter().map(|word| (*word).to_owned()).collect();
    words[at] = singular;
    let article = if words[0].to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    Some((count, format!("{article} {}", words.join(" "))))
}
