//! Crossings: a thing that was on one side of a line is on the other.

use crate::config::rules::Line;
use crate::config::settings::Name;
use crate::frame::UnitBox;

/// On which side a thing is counts once its centre is further from the line than this share of its half size across it,
/// so that one that stands on the line and trembles does not cross it again and again.
const CLEAR: f32 = 0.25;

/// Which way a line was crossed, as seen by who stands at its `from` and looks to its `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the left hand to the right.
    LeftToRight,
    /// From the right hand to the left.
    RightToLeft,
}

impl Direction {
    /// On the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeftToRight => "left_to_right",
            Self::RightToLeft => "right_to_left",
        }
    }
}

/// A line was crossed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Which line.
    pub line: Name,
    /// Which way.
    pub direction: Direction,
}

type Point = (f32, f32);

/// Where a thing was when it was last clearly on one side of a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side(Option<Point>);

/// How far a point lies to the right of a line, in a picture whose rows count downwards.
fn right_of(line: &Line, (x, y): Point) -> f32 {
    let ((x0, y0), (x1, y1)) = (line.from, line.to);
    let (dx, dy) = (x1 - x0, y1 - y0);
    (dx * (y - y0) - dy * (x - x0)) / dx.hypot(dy)
}

/// Whether the way from `a` to `b`, which lie on different sides of it, leads through the line and not past its ends.
fn between(line: &Line, a: Point, b: Point) -> bool {
    let way = Line { name: line.name.clone(), from: a, to: b };
    right_of(&way, line.from) * right_of(&way, line.to) <= 0.0
}

impl Side {
    /// Takes in where a thing is, and tells if it has crossed the line since.
    pub fn see(&mut self, line: &Line, area: &UnitBox) -> Option<Crossing> {
        let centre = area.centre();
        let distance = right_of(line, centre);
        let (dx, dy) = (line.to.0 - line.from.0, line.to.1 - line.from.1);
        let across = (dy.abs() * (area.x1 - area.x0) + dx.abs() * (area.y1 - area.y0)) / (2.0 * dx.hypot(dy));
        if distance.abs() < CLEAR * across {
            return None;
        }
        let before = self.0.replace(centre)?;
        let crossed = right_of(line, before).signum() != distance.signum() && between(line, before, centre);
        let direction = if distance > 0.0 { Direction::LeftToRight } else { Direction::RightToLeft };
        crossed.then(|| Crossing { line: line.name.clone(), direction })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at((x, y): Point) -> UnitBox {
        UnitBox::new(x - 0.05, y - 0.1, x + 0.05, y + 0.1)
    }

    fn crossings(way: &[Point]) -> Vec<&'static str> {
        // From the bottom of the picture upwards: left is left.
        let line = Line { name: Name::new("drive").expect("a name"), from: (0.5, 0.9), to: (0.5, 0.3) };
        let mut side = Side::default();
        way.iter()
            .filter_map(|point| side.see(&line, &at(*point)))
            .map(|crossing| crossing.direction.as_str())
            .collect()
    }

    #[test]
    fn each_way_over_the_line_is_told_once() {
        assert_eq!(crossings(&[(0.3, 0.6), (0.4, 0.6), (0.55, 0.6), (0.7, 0.6)]), ["left_to_right"]);
        assert_eq!(crossings(&[(0.7, 0.6), (0.3, 0.6), (0.7, 0.6)]), ["right_to_left", "left_to_right"]);
    }

    #[test]
    fn who_stands_on_the_line_and_trembles_does_not_cross_it() {
        assert_eq!(crossings(&[(0.4, 0.6), (0.505, 0.6), (0.495, 0.6), (0.51, 0.6), (0.49, 0.6), (0.4, 0.6)]), [""; 0]);
        let over = [(0.4, 0.6), (0.505, 0.6), (0.495, 0.6), (0.52, 0.6), (0.495, 0.6), (0.53, 0.6)];
        assert_eq!(crossings(&over), ["left_to_right"]);
    }

    #[test]
    fn who_goes_round_its_end_does_not_cross_it() {
        assert_eq!(crossings(&[(0.3, 0.5), (0.4, 0.15), (0.6, 0.15), (0.7, 0.5)]), [""; 0]);
        assert_eq!(crossings(&[(0.3, 0.5), (0.4, 0.15), (0.6, 0.15), (0.7, 0.5), (0.3, 0.5)]), ["right_to_left"]);
    }
}
