//! An example as written: a picture that shows what a prompt means, or does not mean.

use std::fmt;
use std::path::{Path, PathBuf};

use super::table::Table;
use crate::frame::PixelRect;

/// Examples, or counter-examples, of a prompt.
const MOST: usize = 16;

/// A picture, or a part of one, that shows something.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The file.
    pub path: PathBuf,
    /// The part of it where the thing is; `None` is the whole picture.
    pub area: Option<PixelRect>,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.area.map_or(Ok(()), |area| write!(f, "#{},{},{},{}", area.x, area.y, area.width, area.height))
    }
}

/// Pictures: `path`, or `path#x,y,width,height` for a part in pixels.
pub(super) fn examples(table: &mut Table<'_>, key: &'static str) -> Vec<Example> {
    let texts = table.texts(key).unwrap_or_default();
    if texts.len() > MOST {
        table.fault(key, format!("has {}, at most {MOST} are read", texts.len()));
    }
    let one = |(index, text): (usize, &String)| {
        let key = format!("{key}[{index}]");
        let (path, area) = match text.rsplit_once('#') {
            Some((path, area)) => (path, Some(area)),
            None => (text.as_str(), None),
        };
        let numbers = area.map(|area| area.split(',').map(|number| number.trim().parse().ok()).collect());
        let area = match numbers {
            None => None,
            Some(Some(numbers)) => match Vec::as_slice(&numbers) {
                [x, y, width, height] if *width > 0 && *height > 0 => {
                    Some(PixelRect { x: *x, y: *y, width: *width, height: *height })
                }
                _ => return faulty_area(table, &key, text),
            },
            Some(None) => return faulty_area(table, &key, text),
        };
        if !Path::new(path).is_file() {
            table.fault(&key, format!("there is no file {path}"));
            return None;
        }
        Some(Example { path: path.into(), area })
    };
    texts.iter().take(MOST).enumerate().filter_map(one).collect()
}

fn faulty_area(table: &Table<'_>, key: &str, text: &str) -> Option<Example> {
    table.fault(key, format!("is {text:?}; behind # it should have x,y,width,height in whole pixels"));
    None
}
