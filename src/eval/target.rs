//! A target: a phrase that the model is asked, and the annotations that it describes.

use super::truth::{TrueBox, Truth, TruthError};

/// The word after `=` of a prompt that describes nothing in the annotations.
const NONE: &str = "none";

/// A phrase, and the annotations that it describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The phrase that the model is asked.
    pub phrase: String,
    /// None of them: the thing does not occur.
    categories: Vec<String>,
    attribute: Option<(String, String)>,
}

impl Target {
    /// Reads `PHRASE=CATEGORY[,CATEGORY…][:ATTRIBUTE=VALUE]`; a bare `PHRASE` describes the category of its name.
    /// `PHRASE=` and `PHRASE=none` describe a thing that does not occur.
    ///
    /// # Errors
    /// The fault, or the category that the truth lacks.
    pub fn parse(text: &str, truth: &Truth) -> Result<Self, TruthError> {
        let fault = |problem: String| TruthError::Target { text: text.to_owned(), problem };
        let (phrase, described) = text.split_once('=').unwrap_or((text, text));
        let phrase = phrase.trim().to_owned();
        if phrase.is_empty() {
            return Err(fault("the phrase is empty, should be PHRASE=CATEGORY".to_owned()));
        }
        let known = |name: &str| truth.categories.iter().any(|category| category == name);
        let described = described.trim();
        if described.is_empty() || (described == NONE && !known(NONE)) {
            return Ok(Self { phrase, categories: Vec::new(), attribute: None });
        }
        let (categories, attribute) = match described.split_once(':') {
            Some((categories, attribute)) => {
                let pair = attribute.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
                let (key, value) = pair.ok_or_else(|| {
                    fault(format!("{attribute:?} should be ATTRIBUTE=VALUE, as in bicycle:colour=blue"))
                })?;
                (categories, Some((key.trim().to_owned(), value.trim().to_owned())))
            }
            None => (described, None),
        };
        let categories: Vec<String> = categories.split(',').map(|name| name.trim().to_owned()).collect();
        if let Some(name) = categories.iter().find(|name| !known(name)) {
            let all = truth.categories.join(", ");
            return Err(fault(format!(
                "the annotations have no category {name:?}; they have {all}. If no such thing occurs, write \"{phrase}=none\": every event of it is then false"
            )));
        }
        Ok(Self { phrase, categories, attribute })
    }

    /// Whether nothing in the annotations is described, so that all that is found is false.
    pub fn is_absent(&self) -> bool {
        self.categories.is_empty()
    }

    /// Whether it describes this thing.
    pub fn describes(&self, thing: &TrueBox) -> bool {
        let fits = |(key, value): &(String, String)| thing.attributes[key].as_str() == Some(value);
        self.categories.contains(&thing.category) && self.attribute.as_ref().is_none_or(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"categories":[{"id":1,"name":"car"},{"id":2,"name":"person"}],
        "images":[{"id":7,"file_name":"a.jpg","width":64,"height":48}],
        "annotations":[{"image_id":7,"category_id":1,"bbox":[1,2,3,4],"attributes":{"colour":"red"}}]}"#;

    #[test]
    fn a_prompt_says_what_it_describes() {
        let truth = Truth::parse(SMALL.as_bytes()).expect("valid");
        let described = |text: &str| Target::parse(text, &truth).expect("valid").describes(&truth.boxes[0]);
        assert!(described("a car=car") && described("car") && described("anything=person,car"));
        assert!(described("a red car=car:colour=red") && !described("a blue car=car:colour=blue"));
        assert!(!described("a pedestrian=person"));
        for (text, wanted) in [
            ("a dog=dog", "they have car, person. If no such thing occurs, write \"a dog=none\""),
            ("a dog", "\"a dog=none\""),
            ("=car", "empty"),
            ("=", "empty"),
            ("a=car:red", "ATTRIBUTE=VALUE"),
        ] {
            let error = Target::parse(text, &truth).expect_err("a fault").to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_prompt_can_describe_a_thing_that_does_not_occur() {
        let truth = Truth::parse(SMALL.as_bytes()).expect("valid");
        for text in ["a dog=", "a dog=none", "a dog= "] {
            let target = Target::parse(text, &truth).expect("valid");
            assert!(target.is_absent() && target.phrase == "a dog" && !target.describes(&truth.boxes[0]), "{text}");
        }
        let named = Truth::parse(SMALL.replace("person", "none").as_bytes()).expect("valid");
        assert!(!Target::parse("nothing=none", &named).expect("valid").is_absent(), "a category of that name wins");
    }
}
