//! The schedule: which needed tiles are encoded when there is time for some only.

use super::motion::Need;

/// At most `limit` of the needed tiles, by index: those with a track on them first, then those never seen, then by
/// strength of change, then the stalest. What is left out is asked for again on the next frame.
pub fn schedule(mut needs: Vec<Need>, tracked: impl Fn(usize) -> bool, limit: usize) -> Vec<usize> {
    needs.sort_by(|a, b| {
        let rank = |need: &Need| (tracked(need.tile), need.age.is_none());
        rank(b).cmp(&rank(a)).then(b.change.total_cmp(&a.change)).then(b.age.cmp(&a.age)).then(a.tile.cmp(&b.tile))
    });
    needs.truncate(limit);
    needs.into_iter().map(|need| need.tile).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tracked_then_unseen_then_changed_then_stalest() {
        let need = |tile, change, age: Option<u64>| Need { tile, change, age: age.map(Duration::from_secs) };
        let needs = vec![
            need(0, 0.0, Some(5)),
            need(1, 0.0, Some(9)),
            need(2, 0.4, Some(1)),
            need(3, 1.0, None),
            need(4, 0.1, Some(1)),
        ];
        assert_eq!(schedule(needs.clone(), |tile| tile == 4, 10), [4, 3, 2, 1, 0]);
        assert_eq!(schedule(needs, |_| false, 2), [3, 2]);
    }
}
