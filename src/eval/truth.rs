//! The truth: a COCO annotation file, of photos or of a video's frames.

use std::path::Path;

use serde_json::Value;

use super::PixelBox;

/// What is wrong with an annotation file or with a prompt's part of it.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error("cannot read {file}: {cause}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file is not what COCO describes.
    #[error("{file} is no COCO annotation file: {problem}")]
    Malformed {
        /// Which.
        file: String,
        /// Where, what was found, and what would be right.
        problem: String,
    },
    /// A `--prompt` does not say what it describes, or names what is not there.
    #[error("--prompt {text:?}: {problem}")]
    Target {
        /// As given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A picture of the set.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// As annotations refer to it.
    pub id: u64,
    /// Within the folder of photos.
    pub file: String,
    /// Position in the video, where it is a frame of one.
    pub time_s: Option<f64>,
    /// Pixels that boxes are measured in.
    pub size: (f64, f64),
}

/// A thing on a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueBox {
    /// Index of its picture.
    pub image: usize,
    /// Name of its category.
    pub category: String,
    /// Where.
    pub area: PixelBox,
    /// It is not to be judged (`iscrowd` is 1 or `ignore` is true): a detection on it counts neither for nor against.
    pub crowd: bool,
    /// The same thing on other frames has the same number.
    pub track: Option<u64>,
    /// Share that can be seen, 0..1.
    pub visible: f64,
    pub(super) attributes: Value,
}

/// A set of pictures with all things on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// In the order of the file.
    pub images: Vec<Image>,
    /// In the order of the file.
    pub boxes: Vec<TrueBox>,
    pub(super) categories: Vec<String>,
}

impl Truth {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its place.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let file = path.display().to_string();
        let text = std::fs::read(path).map_err(|cause| TruthError::Unreadable { file: file.clone(), cause })?;
        Self::parse(&text).map_err(|problem| TruthError::Malformed { file, problem })
    }

    /// Reads COCO's JSON.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let all: Value = serde_json::from_slice(text).map_err(|e| format!("it is not JSON ({e})"))?;
        let list = |key: &str| all[key].as_array().ok_or(format!("it has no list `{key}`"));
        let mut categories = Vec::new();
        for (i, category) in list("categories")?.iter().enumerate() {
            let name = category["name"].as_str().ok_or(format!("categories[{i}].name is no text"))?;
            categories.push((whole(&category["id"], || format!("categories[{i}].id"))?, name.to_owned()));
        }
        let mut images = Vec::new();
        for (i, image) in list("images")?.iter().enumerate() {
            images.push(Image {
                id: whole(&image["id"], || format!("images[{i}].id"))?,
                file: image["file_name"].as_str().unwrap_or_default().to_owned(),
                time_s: image["time_s"].as_f64(),
                size: (
                    positive(&image["width"], || format!("images[{i}].width"))?,
                    positive(&image["height"], || format!("images[{i}].height"))?,
                ),
            });
        }
        let index: std::collections::HashMap<u64, usize> = images.iter().enumerate().map(|(i, m)| (m.id, i)).collect();
        let mut boxes = Vec::new();
        for (i, thing) in list("annotations")?.iter().enumerate() {
            let at = |key: &str| format!("annotations[{i}].{key}");
            let image = whole(&thing["image_id"], || at("image_id"))?;
            let category = whole(&thing["category_id"], || at("category_id"))?;
            let named = categories.iter().find(|(id, _)| *id == category);
            let corners = thing["bbox"].as_array().map(|v| v.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
            let area = corners.and_then(|v| PixelBox::try_from(v).ok()).filter(|b| b.iter().all(|v| v.is_finite()));
            boxes.push(TrueBox {
                image: *index.get(&image).ok_or(format!("{} is {image}, which no image has", at("image_id")))?,
                category: named.ok_or(format!("{} is {category}, which no category has", at("category_id")))?.1.clone(),
                area: area.filter(|b| b[2] >= 0.0 && b[3] >= 0.0).ok_or(format!(
                    "{} is {}, should be [x, y, width, height]",
                    at("bbox"),
                    thing["bbox"]
                ))?,
                crowd: is_set(&thing["iscrowd"]) || is_set(&thing["ignore"]),
                track: thing["track_id"].as_u64(),
                visible: thing["visible"].as_f64().unwrap_or(1.0),
                attributes: thing["attributes"].clone(),
            });
        }
        Ok(Self { images, boxes, categories: categories.into_iter().map(|(_, name)| name).collect() })
    }

    /// The boxes on pictures from one position of the video to another (seconds) and on none else; pictures keep their
    /// indices, and those outside have no position.
    #[must_use]
    pub fn between(mut self, from_s: f64, to_s: f64) -> Self {
        let inside = |time: f64| (from_s..=to_s).contains(&time);
        self.images.iter_mut().for_each(|image| image.time_s = image.time_s.filter(|time| inside(*time)));
        self.boxes.retain(|thing| self.images[thing.image].time_s.is_some());
        self
    }

    /// The first `count` pictures and the boxes on them.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.images.truncate(count);
        self.boxes.retain(|thing| thing.image < count);
        self
    }
}

/// Whether a flag is true, or a number other than 0.
fn is_set(value: &Value) -> bool {
    value.as_bool().or(value.as_u64().map(|number| number != 0)).unwrap_or(false)
}

fn whole(value: &Value, at: impl Fn() -> String) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{} is {value}, should be a whole number", at()))
}

fn positive(value: &Value, at: impl Fn() -> String) -> Result<f64, String> {
    value.as_f64().filter(|v| *v > 0.0).ok_or_else(|| format!("{} is {value}, should be a number above 0", at()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"categories":[{"id":1,"name":"car"},{"id":2,"name":"person"}],
        "images":[{"id":7,"file_name":"a.jpg","width":64,"height":48}],
        "annotations":[{"image_id":7,"category_id":1,"bbox":[1,2,3,4],"attributes":{"colour":"red"}}]}"#;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (from, to, wanted) in [
            ("\"bbox\":[1,2,3,4]", "\"bbox\":[1,2,3]", "annotations[0].bbox"),
            ("\"image_id\":7", "\"image_id\":8", "annotations[0].image_id is 8"),
            ("\"category_id\":1", "\"category_id\":3", "annotations[0].category_id is 3"),
            ("\"width\":64", "\"width\":0", "images[0].width is 0"),
            ("\"annotations\"", "\"notes\"", "no list `annotations`"),
            ("{\"categories\"", "{{", "not JSON"),
        ] {
            let error = Truth::parse(SMALL.replace(from, to).as_bytes()).expect_err("a fault");
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_box_to_be_ignored_is_a_crowd() {
        let crowd = |more: &str| {
            let text = SMALL.replace("\"attributes\"", &format!("{more}\"attributes\""));
            Truth::parse(text.as_bytes()).expect("valid").boxes[0].crowd
        };
        assert!(crowd("\"iscrowd\":1,") && crowd("\"ignore\":true,") && crowd("\"ignore\":1,"));
        assert!(!crowd("") && !crowd("\"iscrowd\":0,") && !crowd("\"ignore\":false,"));
    }

    #[test]
    fn a_part_of_the_truth_has_the_boxes_of_that_part() {
        let many = r#"{"categories":[{"id":1,"name":"car"}],"images":[
            {"id":1,"width":9,"height":9,"time_s":0.0},{"id":2,"width":9,"height":9,"time_s":5.0}],"annotations":[
            {"image_id":1,"category_id":1,"bbox":[1,2,3,4]},{"image_id":2,"category_id":1,"bbox":[5,2,3,4]}]}"#;
        let truth = Truth::parse(many.as_bytes()).expect("valid");
        let late = truth.clone().between(1.0, 6.0);
        assert_eq!((late.boxes.len(), late.boxes[0].image, late.images[0].time_s), (1, 1, None));
        let early = truth.first(1);
        assert_eq!((early.images.len(), early.boxes.len(), early.boxes[0].image), (1, 1, 0));
    }
}
