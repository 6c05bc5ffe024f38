//! A place on the frame in words: "top left", "middle".

use crate::frame::UnitBox;

/// Where a side begins, as a share of the frame.
const SIDE: f64 = 0.36;

/// "left", "middle" or "right".
pub(super) fn column(x: f64) -> &'static str {
    third(x, ["left", "middle", "right"])
}

/// "top left", "top", "left", "middle", …
pub(super) fn words(area: &UnitBox) -> String {
    let (x, y) = area.centre();
    match (third(y.into(), ["top", "middle", "bottom"]), column(x.into())) {
        (row, "middle") => row.to_owned(),
        ("middle", column) => column.to_owned(),
        (row, column) => format!("{row} {column}"),
    }
}

fn third(at: f64, names: [&'static str; 3]) -> &'static str {
    names[usize::from(at >= SIDE) + usize::from(at > 1.0 - SIDE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_words_that_people_use() {
        let at = |x: f32, y: f32| words(&UnitBox::new(x - 0.05, y - 0.05, x + 0.05, y + 0.05));
        assert_eq!(at(0.1, 0.1), "top left");
        assert_eq!(at(0.5, 0.5), "middle");
        assert_eq!(at(0.9, 0.5), "right");
        assert_eq!(at(0.5, 0.8), "bottom");
    }
}
