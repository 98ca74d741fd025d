//! Belady's MIN: with all of the future known, the key whose next request is furthest away leaves.

use std::collections::{BTreeSet, HashMap};

/// The hits that no cache of this capacity can exceed; a newcomer may be turned away.
#[must_use]
pub fn hits_at_best(trace: &[u64], capacity: usize) -> usize {
    let mut next = vec![usize::MAX; trace.len()];
    let mut later: HashMap<u64, usize> = HashMap::new();
    for (request, key) in trace.iter().enumerate().rev() {
        if let Some(again) = later.insert(*key, request) {
            next[request] = again;
        }
    }
    // Keys that are held, by their next request; those never requested again need not be held.
    let mut held = BTreeSet::new();
    let mut hits = 0;
    for (request, &again) in next.iter().enumerate() {
        hits += usize::from(held.remove(&request));
        if again < usize::MAX {
            held.insert(again);
            if held.len() > capacity {
                held.pop_last();
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_keeps_all_but_the_rest() {
        let trace: Vec<u64> = (0..10).cycle().take(1_000).collect();
        assert_eq!(hits_at_best(&trace, 10), 990);
        assert_eq!(hits_at_best(&trace, 0), 0);
        // Of ten keys in a circle, four can stay and the fifth place changes hands.
        let hits = hits_at_best(&trace, 5);
        assert!((495..=505).contains(&hits), "{hits}");
    }

    #[test]
    fn the_furthest_leaves() {
        assert_eq!(hits_at_best(&[1, 2, 3, 1, 2, 3], 2), 2);
    }
}
