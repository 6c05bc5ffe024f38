//! Company: what is looked at together with others. The crop of a thing shows what is beside it too, and together they can
//! look like what neither is: a person before a bicycle like a cyclist.

use super::Detection;
use super::confirm::shares_crop;
use super::followed::Followed;

/// A box is a thing's own that overlaps where it should be by this.
const FITS: f32 = 0.6;

/// Notes which detections of one prompt are in company. One of those that is where a thing of another prompt should be, and none
/// of its own, is known as that thing for a while: as what it looked like by itself. `size` is the frame's, pixels.
pub fn accompany(found: &mut [Detection], followed: &[Followed], size: (u32, u32)) {
    for detection in found {
        let area = detection.area;
        let (itself, others): (Vec<&Followed>, Vec<&Followed>) =
            followed.iter().partition(|thing| thing.expected.iou(&area) >= FITS);
        let is_shown = |other: &&Followed| shares_crop(&area, &other.expected, size) && !other.is_one_of(&itself);
        detection.accompanied = others.iter().any(is_shown);
        let is_own = itself.iter().any(|thing| thing.prompt == detection.prompt);
        if detection.accompanied && !is_own && detection.known.is_none() {
            detection.known = itself
                .iter()
                .find(|thing| thing.entire && !thing.can_be_another())
                .and_then(|thing| thing.look.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clip::Embedding;
    use crate::frame::UnitBox;

    const SIZE: (u32, u32) = (320, 160);

    fn thing(prompt: usize, x: f32, width: f32) -> Followed {
        let area = UnitBox::new(x, 0.25, x + width, 0.5);
        Followed {
            prompt,
            number: 0,
            expected: area,
            whole: area,
            heading: None,
            seen: area,
            look: Embedding::new(vec![1.0, 0.1 * prompt as f32]),
            cutout: None,
            is_cut: false,
            entire: true,
            certain: true,
            together: Duration::ZERO,
        }
    }

    /// Whether a detection of prompt 0 at 0.5..0.56 is in company, and as what it is known.
    fn seen(followed: &[Followed]) -> (bool, Option<Embedding>) {
        let mut found = vec![Detection::new(0, UnitBox::new(0.5, 0.25, 0.56, 0.5), 0.9)];
        accompany(&mut found, followed, SIZE);
        (found[0].accompanied, found[0].known.clone())
    }

    #[test]
    fn what_is_another_prompts_thing_is_known_as_that_beside_a_third() {
        let (person, bicycle) = (thing(1, 0.5, 0.06), thing(2, 0.54, 0.12));
        assert_eq!(seen(&[person.clone(), bicycle.clone()]), (true, person.look.clone()));
        assert_eq!(seen(std::slice::from_ref(&person)), (false, None), "by itself, it may be both");
        let bicycle_only = [bicycle.clone()];
        assert_eq!(seen(&bicycle_only), (true, None), "it is not known");
        assert_eq!(seen(&[person.clone(), thing(2, 0.7, 0.12)]), (false, None), "far away");
        // The prompt's own thing is what its crop shows.
        assert_eq!(seen(&[thing(0, 0.5, 0.06), person.clone(), bicycle.clone()]), (true, None));
        // What was not all in view yet may be more than it looked like.
        assert_eq!(seen(&[Followed { entire: false, ..person.clone() }, bicycle.clone()]), (true, None));
        // Who has been with it for long may have got on it.
        let long = Duration::from_secs(5);
        assert_eq!(seen(&[Followed { together: long, ..person.clone() }, bicycle]), (true, None));
        // One thing, followed for two prompts.
        assert_eq!(seen(&[person, thing(2, 0.505, 0.06)]), (false, None));
    }
}
