//! Assignment: which detection belongs to which track, so that all together fit best.

/// The pairs `(row, column)` whose costs, and `alone` for each row that gets none, are least in sum. No column is in two
/// pairs. A cost of `alone` or more is never chosen.
///
/// The Hungarian method with potentials, in O(rows² × columns).
pub fn assign(costs: &[Vec<f32>], columns: usize, alone: f32) -> Vec<(usize, usize)> {
    // Each row has a column of its own that stands for none.
    let (rows, all) = (costs.len(), columns + costs.len());
    let cost = |row: usize, column: usize| match column.checked_sub(columns) {
        None => f64::from(costs[row][column].min(2.0 * alone)),
        Some(own) if own == row => f64::from(alone),
        Some(_) => f64::from(2.0 * alone),
    };
    // Counted from 1, so that 0 can stand for none.
    let (mut of_row, mut of_column) = (vec![0.0; rows + 1], vec![0.0; all + 1]);
    let mut taken_by = vec![0_usize; all + 1];
    let mut way = vec![0_usize; all + 1];
    for row in 1..=rows {
        taken_by[0] = row;
        let mut at = 0;
        let mut least = vec![f64::INFINITY; all + 1];
        let mut done = vec![false; all + 1];
        while taken_by[at] != 0 {
            done[at] = true;
            let (here, mut step, mut next) = (taken_by[at], f64::INFINITY, 0);
            for column in 1..=all {
                if done[column] {
                    continue;
                }
                let reduced = cost(here - 1, column - 1) - of_row[here] - of_column[column];
                if reduced < least[column] {
                    (least[column], way[column]) = (reduced, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            for column in 0..=all {
                if done[column] {
                    of_row[taken_by[column]] += step;
                    of_column[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            let before = way[at];
            taken_by[at] = taken_by[before];
            at = before;
        }
    }
    let pairs = (1..=columns).filter(|column| taken_by[*column] > 0).map(|column| (taken_by[column] - 1, column - 1));
    pairs.filter(|(row, column)| costs[*row][*column] < alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut pairs: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn all_together_fit_best_rather_than_the_nearest_pair() {
        let costs = [vec![1.0, 2.0], vec![1.5, 9.0]];
        assert_eq!(sorted(assign(&costs, 2, 10.0)), [(0, 1), (1, 0)]);
    }

    #[test]
    fn what_fits_nothing_stays_alone() {
        assert_eq!(sorted(assign(&[vec![1.0], vec![0.5], vec![f32::INFINITY]], 1, 5.0)), [(1, 0)]);
        assert_eq!(sorted(assign(&[vec![7.0, 6.0, 2.0]], 3, 5.0)), [(0, 2)]);
        assert_eq!(assign(&[vec![7.0]], 1, 5.0), []);
        assert_eq!(assign(&[], 3, 5.0), []);
        assert_eq!(assign(&[vec![], vec![]], 0, 5.0), []);
    }

    #[test]
    fn it_is_as_good_as_trying_everything() {
        let mut seed = 7_u32;
        let mut number = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as f32 / 65_536.0 * 10.0
        };
        for _ in 0..50 {
            let costs: Vec<Vec<f32>> = (0..4).map(|_| (0..3).map(|_| number()).collect()).collect();
            let found = assign(&costs, 3, 6.0);
            let sum: f32 = found.iter().map(|(r, c)| costs[*r][*c]).sum::<f32>() + 6.0 * (4 - found.len()) as f32;
            assert!((sum - least(&costs, 0, &mut [false; 3])).abs() < 1e-3, "{costs:?} {found:?}");
        }
    }

    fn least(costs: &[Vec<f32>], row: usize, taken: &mut [bool; 3]) -> f32 {
        if row == costs.len() {
            return 0.0;
        }
        let mut best = 6.0 + least(costs, row + 1, taken);
        for column in 0..3 {
            if !taken[column] {
                taken[column] = true;
                best = best.min(costs[row][column] + least(costs, row + 1, taken));
                taken[column] = false;
            }
        }
        best
    }
}
