//! Light: by how much a whole picture has become brighter or darker, as when an exposure is set anew, a lamp flickers or a
//! cloud passes. What only shows in other light has not changed.

/// Of cells darker than this, 8-bit, no ratio is to be had.
const DARK: f32 = 16.0;
/// From here on a sensor is full: brighter is no brighter.
const FULL: f32 = 245.0;
/// So many cells say enough of a whole picture.
const ASKED: usize = 2048;
/// Fewer than this share of those asked, neither dark nor full, say nothing.
const LEAST: f32 = 0.2;
/// Beyond this factor a picture is another one, or black.
const MOST: f32 = 4.0;

/// By which factor the cells of a picture (means, 8-bit) have become brighter: the median of what each says, so that what
/// moves has no say as long as it is less than half of the picture. `None` where that can't be told.
pub fn gain(before: impl ExactSizeIterator<Item = f32>, now: impl Iterator<Item = f32>) -> Option<f32> {
    let every = (before.len() / ASKED).max(1);
    let asked = (before.len() / every).max(1) as f32;
    let told = |cell: f32| (DARK..FULL).contains(&cell);
    let pairs = before.zip(now).step_by(every).filter(|(before, now)| told(*before) && told(*now));
    let mut ratios: Vec<f32> = pairs.map(|(before, now)| now / before).collect();
    if (ratios.len() as f32) < LEAST * asked {
        return None;
    }
    let gain = median(&mut ratios);
    (1.0 / MOST..=MOST).contains(&gain).then_some(gain)
}

/// The middle one of these, the upper of two. There must be one.
pub fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// A cell as it would be in light that is so many times as bright.
pub fn lit(cell: f32, gain: f32) -> f32 {
    (cell * gain).min(255.0)
}
