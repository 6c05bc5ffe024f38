//! A point on the unit sphere that pictures and phrases share.

/// A unit-norm vector; the norm is made 1 when it is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Box<[f32]>);

impl Embedding {
    /// Normalises `values`. `None` if they are empty, not finite or all (nearly) zero.
    pub fn new(values: impl Into<Box<[f32]>>) -> Option<Self> {
        let mut values = values.into();
        let norm = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() || norm < 1e-12 {
            return None;
        }
        values.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
        Some(Self(values))
    }

    /// The mean of several, normalised again: CLIP's prompt ensemble. `None` if there are none or they cancel out.
    pub fn mean<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut all = all.into_iter();
        let mut sum = all.next()?.0.clone();
        for each in all {
            sum.iter_mut().zip(&each.0).for_each(|(s, v)| *s += v);
        }
        Self::new(sum)
    }

    /// Cosine similarity, -1..1.
    pub fn cosine(&self, other: &Self) -> f32 {
        // In eight sums, which the compiler may add at once: in a dense look this runs a million times a frame.
        let (ours, theirs) = (self.0.chunks_exact(8), other.0.chunks_exact(8));
        let rest: f32 = ours.remainder().iter().zip(theirs.remainder()).map(|(a, b)| a * b).sum();
        let mut sums = [0.0; 8];
        for (a, b) in ours.zip(theirs) {
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
        }
        sums.iter().sum::<f32>() + rest
    }

    /// The coordinates.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}
