//! Workers: the threads that encode, as many as the settings say, shared by all cameras.

use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::ModelError;
use super::turns::Turns;

/// Threads for encoding. Many tiles are shared out, and each thread does its own from end to end; a single tile is done by
/// all of them together. Whoever asks, no more threads than these run.
pub(super) struct Workers {
    /// One thread each.
    alone: Vec<ThreadPool>,
    together: ThreadPool,
    turns: Turns,
}

impl Workers {
    /// So many threads, at least one.
    pub(super) fn new(threads: usize) -> Result<Self, ModelError> {
        let pool = |threads: usize| {
            let name = |index| format!("encoder-{index}");
            let built = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
            built.map_err(|e| ModelError::Run(format!("no threads to encode on: {e}")))
        };
        let threads = threads.max(1);
        Ok(Self {
            alone: (0..threads).map(|_| pool(1)).collect::<Result<_, _>>()?,
            together: pool(threads)?,
            turns: Turns::default(),
        })
    }

    /// With all threads on one thing.
    pub(super) fn together<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.together.install(work)
    }

    /// Shares items out in runs of at most `most`, and puts what comes out in their order. After a run on each thread it may
    /// be another's turn, so that nobody waits for a long list of one who asks for much. Where others ask too, a run is of
    /// one item: they wait less, for up to a seventh more time an item (CLIP ViT-B/32 in 8 bits; the small towers lose nothing).
    ///
    /// # Errors
    /// The first that any part gives.
    pub(super) fn share<I: Sync, O: Send>(
        &self,
        items: &[I],
        most: usize,
        work: impl Fn(&[I]) -> Result<Vec<O>, ModelError> + Sync,
    ) -> Result<Vec<O>, ModelError> {
        let mut found = Vec::with_capacity(items.len());
        let mut left = items;
        while !left.is_empty() {
            let turn = self.turns.take();
            let most = if turn.is_shared() { 1 } else { most.max(1) };
            let (now, later) = left.split_at(left.len().min(most * self.alone.len()));
            found.extend(self.round(now, most, &work)?);
            left = later;
        }
        Ok(found)
    }

    /// As many items as all threads take at once.
    fn round<I: Sync, O: Send>(
        &self,
        items: &[I],
        most: usize,
        work: &(impl Fn(&[I]) -> Result<Vec<O>, ModelError> + Sync),
    ) -> Result<Vec<O>, ModelError> {
        let all = |items: &[I]| {
            let parts: Result<Vec<Vec<O>>, ModelError> = items.chunks(most).map(work).collect();
            parts.map(|parts| parts.into_iter().flatten().collect::<Vec<O>>())
        };
        if items.len() < self.alone.len() {
            return self.together(|| all(items));
        }
        let share = items.len().div_ceil(self.alone.len());
        thread::scope(|scope| {
            let mut parts = items.chunks(share).zip(&self.alone);
            let own = parts.next();
            let all = &all;
            let others: Vec<_> = parts.map(|(items, pool)| scope.spawn(move || pool.install(|| all(items)))).collect();
            let mut found = own.map_or(Ok(Vec::new()), |(items, pool)| pool.install(|| all(items)))?;
            for other in others {
                found.extend(other.join().map_err(|_| ModelError::Run("an encoder thread panicked".to_owned()))??);
            }
            Ok(found)
        })
    }
}
