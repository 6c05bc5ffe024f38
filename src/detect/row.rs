//! Rows: cars that stand end to end have one box, and its shape says how many they are.

use crate::frame::UnitBox;

/// No car looks so many times as wide as high.
const TOO_LONG: f32 = 3.8;
/// From the side, a car in the boxes that are drawn around it looks so many times as wide as high.
const USUAL: f32 = 2.2;

/// How many cars a box is around. `aspect` is the frame's width over its height.
pub fn cars_in(area: &UnitBox, aspect: f32) -> u32 {
    let long = (area.x1 - area.x0) * aspect / (area.y1 - area.y0);
    if long < TOO_LONG { 1 } else { (long / USUAL).round() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_too_long_for_one_car_is_around_several() {
        for (width, height, cars) in
            [(200.0, 90.0, 1), (218.0, 62.0, 1), (420.0, 100.0, 2), (620.0, 90.0, 3), (40.0, 90.0, 1)]
        {
            let area = UnitBox::new(0.0, 0.5, width / 640.0, 0.5 + height / 360.0);
            assert_eq!(cars_in(&area, 640.0 / 360.0), cars, "{width} by {height}");
        }
    }
}
