//! The order of the parts of sets and maps.

/// Up to this many parts are put in order in place.
const FEW_PARTS: usize = 8;

/// Puts the parts of `buffer` in ascending order; `ends` is where the first begins and where each ends.
pub(super) fn sort_parts(buffer: &mut [u8], ends: &mut [usize]) {
    let count = ends.len() - 1;
    let in_order =
        (2..=count).all(|at| buffer[ends[at - 2]..ends[at - 1]] <= buffer[ends[at - 1]..ends[at]]);
    if in_order {
        return;
    }
    if count <= FEW_PARTS {
        return insert_parts(buffer, ends);
    }
    let start = ends[0];
    let mut spans: Vec<(usize, usize)> = ends.windows(2).map(|span| (span[0], span[1])).collect();
    spans.sort_unstable_by(|a, b| buffer[a.0..a.1].cmp(&buffer[b.0..b.1]));
    let mut ordered = Vec::with_capacity(buffer.len() - start);
    for (from, to) in spans {
        ordered.extend_from_slice(&buffer[from..to]);
    }
    buffer[start..].copy_from_slice(&ordered);
}

/// Insertion sort of parts by rotation: no memory is taken.
fn insert_parts(buffer: &mut [u8], ends: &mut [usize]) {
    for next in 1..ends.len() - 1 {
        let (from, to) = (ends[next], ends[next + 1]);
        let Some(place) = (0..next).find(|at| buffer[from..to] < buffer[ends[*at]..ends[at + 1]])
        else {
            continue;
        };
        buffer[ends[place]..to].rotate_right(to - from);
        for at in (place + 1..=next).rev() {
            ends[at] = ends[at - 1] + (to - from);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_come_out_in_order(parts: Vec<Vec<u8>>, before: Vec<u8>) {
            let mut buffer = before.clone();
            let mut ends = vec![buffer.len()];
            for part in &parts {
                buffer.extend_from_slice(part);
                ends.push(buffer.len());
            }
            super::sort_parts(&mut buffer, &mut ends);
            let mut ordered = parts;
            ordered.sort();
            prop_assert_eq!(buffer, [before, ordered.concat()].concat());
        }
    }
}
