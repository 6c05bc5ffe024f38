//! Motion: where a thing is and how fast it moves and grows, as a Kalman filter knows it that takes both for nearly
//! constant.

use crate::detect::followed::Heading;
use crate::frame::UnitBox;

/// How far a detector's box lies beside the thing, in sizes of the thing.
const PLACE_NOISE: f32 = 0.12;
/// How far its sides are wrong, in sizes of the thing.
const SIZE_NOISE: f32 = 0.2;
/// How fast a thing may move that is seen for the first time, sizes a second.
const FIRST_SPEED: f32 = 1.5;
/// How it may speed up, slow down or turn, sizes a second each second.
const UNSTEADY: f32 = 0.5;
/// The same of its growth.
const UNSTEADY_SIZE: f32 = 0.1;
/// For so long it goes on as it did; beyond, the last place is the better guess. Seconds.
const STEADY_S: f32 = 4.0;
/// After this long nothing more is forgotten of where it was. Seconds.
const FORGOTTEN_S: f32 = 4.0;
/// A rate of so many deviations is clear,
const CLEAR: f32 = 2.0;
/// as is one of so many sizes a second that stays for so long: of what is large, boxes are more exact than that.
const GOES: f32 = 0.2;
const GOES_ON_S: f32 = 0.8;
/// Of the time that it was not seen, no more is taken to have gone on like that. Seconds.
const UNSEEN_S: f32 = 0.25;
/// A thing of which less than this is in the frame has left.
const INSIDE: f32 = 0.3;

/// One coordinate and its rate, with their covariance.
#[derive(Clone, Copy, Debug)]
struct Axis {
    value: f32,
    rate: f32,
    /// Variance of the value, covariance, variance of the rate.
    spread: [f32; 3],
}

impl Axis {
    fn new(value: f32, noise: f32, rate_noise: f32) -> Self {
        Self { value, rate: 0.0, spread: [noise * noise, 0.0, rate_noise * rate_noise] }
    }

    /// The coordinate `seconds` later.
    fn after(self, seconds: f32, unsteady: f32) -> Self {
        let held = (-seconds / STEADY_S).exp();
        let s = seconds.min(FORGOTTEN_S);
        let ([p, c, r], q) = (self.spread, unsteady * unsteady);
        Self {
            value: self.value + self.rate * STEADY_S * (1.0 - held),
            rate: self.rate * held,
            spread: [p + 2.0 * s * c + s * s * r + q * s.powi(4) / 4.0, c + s * r + q * s.powi(3) / 2.0, r + q * s * s],
        }
    }

    fn correct(&mut self, measured: f32, noise: f32) {
        let [p, c, r] = self.spread;
        let total = p + noise * noise;
        let (gain, rate_gain) = (p / total, c / total);
        let surprise = measured - self.value;
        self.value += gain * surprise;
        self.rate += rate_gain * surprise;
        self.spread = [p * (1.0 - gain), c * (1.0 - gain), r - rate_gain * c];
    }

    /// Half the squared distance in deviations, and what the width of the guess costs: a thing that can be anywhere
    /// explains no place well.
    fn misfit(&self, measured: f32, noise: f32) -> (f32, f32) {
        let total = self.spread[0] + noise * noise;
        ((measured - self.value).powi(2) / (2.0 * total), 0.5 * (total / (noise * noise)).ln())
    }
}

/// A thing's centre and size, in fractions of the frame.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    /// Centre.
    x: Axis,
    y: Axis,
    /// Size.
    w: Axis,
    h: Axis,
    /// For how long it has gone the way that it goes, seconds.
    steady: f32,
}

/// What things of this size move by: a person is narrow, and walks by its height.
fn scales(area: &UnitBox) -> (f32, f32) {
    let (w, h) = (area.x1 - area.x0, area.y1 - area.y0);
    (w.max(h / 2.0).max(1e-3), h.max(w / 2.0).max(1e-3))
}

impl Motion {
    /// Seen for the first time.
    pub fn new(area: &UnitBox) -> Self {
        let ((x, y), (sx, sy)) = (area.centre(), scales(area));
        let (w, h) = (area.x1 - area.x0, area.y1 - area.y0);
        Self {
            x: Axis::new(x, PLACE_NOISE * sx, FIRST_SPEED * sx),
            y: Axis::new(y, PLACE_NOISE * sy, FIRST_SPEED * sy),
            w: Axis::new(w, SIZE_NOISE * sx, UNSTEADY_SIZE * sx),
            h: Axis::new(h, SIZE_NOISE * sy, UNSTEADY_SIZE * sy),
            steady: 0.0,
        }
    }

    /// What is to be expected `seconds` later.
    pub fn after(&self, seconds: f32) -> Self {
        let (sx, sy) = scales(&self.area());
        Self {
            x: self.x.after(seconds, UNSTEADY * sx),
            y: self.y.after(seconds, UNSTEADY * sy),
            w: self.w.after(seconds, UNSTEADY_SIZE * sx),
            h: self.h.after(seconds, UNSTEADY_SIZE * sy),
            steady: self.steady + seconds.min(UNSEEN_S),
        }
    }

    /// Takes a box in, which is `doubt` times less exact than others (1: as exact).
    pub fn correct(&mut self, area: &UnitBox, doubt: f32) {
        let area = &self.whole(area);
        let ((x, y), (sx, sy)) = (area.centre(), scales(area));
        let before = self.x.rate;
        self.x.correct(x, doubt * PLACE_NOISE * sx);
        if before * self.x.rate <= 0.0 || self.x.rate.abs() < GOES * sx {
            self.steady = 0.0;
        }
        self.y.correct(y, doubt * PLACE_NOISE * sy);
        self.w.correct(area.x1 - area.x0, doubt * SIZE_NOISE * sx);
        self.h.correct(area.y1 - area.y0, doubt * SIZE_NOISE * sy);
    }

    /// Takes in how much of it has come into view by now: it is at least as wide as that, and its inner side moves as it does.
    /// What comes in does not grow.
    pub fn come_in(&mut self, area: &UnitBox) {
        let more = area.x1 - area.x0 - self.w.value;
        let outwards = match (area.x0 <= 0.0, area.x1 >= 1.0) {
            (true, false) => -1.0,
            (false, true) => 1.0,
            _ => return,
        };
        if more > 0.0 {
            self.w.value += more;
            self.x.value += outwards * more / 2.0;
        }
    }

    /// The same thing, at rest.
    pub fn halt(&mut self) {
        [&mut self.x, &mut self.y, &mut self.w, &mut self.h].into_iter().for_each(|axis| axis.rate = 0.0);
        self.steady = 0.0;
    }

    /// Where it is. May reach out of the frame.
    pub fn area(&self) -> UnitBox {
        let (w, h) = (self.w.value.max(1e-3) / 2.0, self.h.value.max(1e-3) / 2.0);
        let (x, y) = (self.x.value, self.y.value);
        UnitBox { x0: x - w, y0: y - h, x1: x + w, y1: y + h }
    }

    /// A box that the frame's left or right edge cuts off, completed to the thing's width: what leaves the frame goes on
    /// as it did and grows no narrower.
    fn whole(&self, area: &UnitBox) -> UnitBox {
        let width = self.w.value.max(area.x1 - area.x0);
        match (area.x0 <= 0.0, area.x1 >= 1.0) {
            (true, false) => UnitBox { x0: area.x1 - width, ..*area },
            (false, true) => UnitBox { x1: area.x0 + width, ..*area },
            _ => *area,
        }
    }

    /// What of it is in the frame.
    pub fn inside(&self) -> UnitBox {
        self.area().inside()
    }

    /// Which way it goes, where that is clear.
    pub fn heading(&self) -> Option<Heading> {
        let Axis { rate, spread: [.., variance], .. } = self.x;
        let way = if rate < 0.0 { Heading::Left } else { Heading::Right };
        let is_clear = rate.abs() > CLEAR * variance.max(0.0).sqrt() || self.steady >= GOES_ON_S;
        is_clear.then_some(way)
    }

    /// Whether it is in the frame no more, or hardly.
    pub fn has_left(&self) -> bool {
        let whole = self.area();
        self.inside().area() < INSIDE * (whole.x1 - whole.x0) * (whole.y1 - whole.y0)
    }

    /// How badly a box fits (0 at best): half its squared distance in deviations, and what it costs that the guess is
    /// wide.
    pub fn misfit(&self, area: &UnitBox) -> (f32, f32) {
        let area = &self.whole(area);
        let ((x, y), (sx, sy)) = (area.centre(), scales(area));
        let each = [
            self.x.misfit(x, PLACE_NOISE * sx),
            self.y.misfit(y, PLACE_NOISE * sy),
            self.w.misfit(area.x1 - area.x0, SIZE_NOISE * sx),
            self.h.misfit(area.y1 - area.y0, SIZE_NOISE * sy),
        ];
        each.into_iter().fold((0.0, 0.0), |(far, wide), (f, w)| (far + f, wide + w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32) -> UnitBox {
        UnitBox { x0: x - 0.05, y0: 0.4, x1: x + 0.05, y1: 0.6 }
    }

    #[test]
    fn what_moves_steadily_is_expected_further_on() {
        let mut motion = Motion::new(&at(0.2));
        for step in 1..6 {
            motion = motion.after(0.5);
            motion.correct(&at(0.2 + 0.05 * step as f32), 1.0);
        }
        let (x, _) = motion.after(0.5).area().centre();
        assert!((x - 0.5).abs() < 0.02, "{x}");
        assert_eq!((motion.heading(), Motion::new(&at(0.2)).heading()), (Some(Heading::Right), None));
        let fits = |x| motion.after(0.5).misfit(&at(x)).0;
        assert!(fits(0.5) < 0.2 && fits(0.7) > 2.0 && fits(0.5) < fits(0.45), "{} {}", fits(0.5), fits(0.7));
    }

    #[test]
    fn what_is_large_has_a_way_once_it_has_gone_it_for_a_while() {
        let heading = |place: &dyn Fn(i16) -> f32| {
            let wide = |step| UnitBox::new(0.1 + place(step), 0.4, 0.6 + place(step), 0.6);
            let mut motion = Motion::new(&wide(0));
            (1..8).for_each(|step| {
                motion = motion.after(0.2);
                motion.correct(&wide(step), 1.0);
            });
            motion.heading()
        };
        assert_eq!(heading(&|step| 0.04 * f32::from(step)), Some(Heading::Right));
        assert_eq!(heading(&|step| 0.02 * f32::from(step % 2)), None, "it trembles");
        assert_eq!(heading(&|step| 0.04 * f32::from(step.min(9 - step))), None, "it has turned round");
        let mut seen_twice = Motion::new(&UnitBox::new(0.1, 0.4, 0.6, 0.6)).after(0.2);
        seen_twice.correct(&UnitBox::new(0.14, 0.4, 0.64, 0.6), 1.0);
        assert_eq!(seen_twice.after(1.0).heading(), None);
    }

    #[test]
    fn what_comes_into_the_frame_goes_on_as_its_inner_side_does() {
        let seen = |x1: f32| UnitBox::new(0.0, 0.4, x1, 0.6);
        let mut motion = Motion::new(&seen(0.1));
        for frame in 1..6 {
            motion = motion.after(0.2);
            let area = seen(0.1 + 0.05 * frame as f32);
            motion.come_in(&area);
            motion.correct(&area, 1.0);
        }
        let (now, soon) = (motion.area(), motion.after(0.2).area());
        assert!((now.x1 - 0.35).abs() < 0.02 && now.x0.abs() < 0.03, "{now:?}");
        assert!((soon.x1 - now.x1 - 0.05).abs() < 0.015, "{soon:?}");
        assert_eq!(motion.heading(), Some(Heading::Right));
    }

    #[test]
    fn what_leaves_the_frame_is_soon_expected_outside() {
        let mut motion = Motion::new(&at(0.7));
        for step in 1..=6 {
            motion = motion.after(0.5);
            let area = at(0.7 + 0.05 * step as f32);
            motion.correct(&UnitBox::new(area.x0, area.y0, area.x1, area.y1), 1.0);
        }
        // Of the half that was seen last, nothing is left a moment later.
        let (x, _) = motion.after(0.5).area().centre();
        assert!((x - 1.05).abs() < 0.02, "{x}");
        assert!(motion.after(0.5).inside().area() < 0.2 * at(0.7).area());
    }

    #[test]
    fn the_longer_unseen_the_wider_the_guess() {
        let mut motion = Motion::new(&at(0.5));
        motion.after(0.2).correct(&at(0.5), 1.0);
        motion = motion.after(0.2);
        motion.correct(&at(0.5), 1.0);
        let (near, late) = (motion.after(0.2), motion.after(2.0));
        assert!(late.misfit(&at(0.6)).0 < near.misfit(&at(0.6)).0);
        assert!(late.misfit(&at(0.5)).1 > near.misfit(&at(0.5)).1);
    }
}
