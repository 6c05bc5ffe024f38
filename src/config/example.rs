//! An example: a picture that shows what a prompt means, or does not.

use std::fmt;
use std::path::PathBuf;

use crate::frame::PixelRect;

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
