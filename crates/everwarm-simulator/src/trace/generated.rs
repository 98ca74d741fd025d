//! Traces of known shapes: what caches meet, each alone, mixed, and one after the other.

use super::{Draw, Trace, Zipf};

/// A name, and what draws the requests.
type Shape = (&'static str, fn(&mut Draw) -> Vec<u64>);

/// Each shape once, drawn anew for each seed.
#[must_use]
pub fn generated(seed: u64) -> Vec<Trace> {
    let shapes: [Shape; 20] = [
        ("loop", |_| circle(0, 1_000, 100_000)),
        ("loops of several lengths", loops),
        ("uniform", |draw| zipf(draw, 0, (2_000, 0.0), 100_000)),
        ("zipf 0.6", |draw| zipf(draw, 0, (8_000, 0.6), 200_000)),
        ("zipf 0.8", |draw| zipf(draw, 0, (8_000, 0.8), 200_000)),
        ("zipf 1.0", |draw| zipf(draw, 0, (16_000, 1.0), 200_000)),
        ("zipf 1.3", |draw| zipf(draw, 0, (30_000, 1.3), 200_000)),
        ("scans over a hot set", scans),
        ("one-time requests among zipf", one_timers),
        ("hot set that jumps", |draw| hot_sets(draw, 20_000, 200)),
        ("hot set that drifts", |draw| hot_sets(draw, 50, 1)),
        ("zipf whose ranks move", moving_ranks),
        ("recent ones again", |draw| recent(draw, 0, 1.2, 200_000)),
        ("very recent ones again", |draw| {
            recent(draw, 0, 1.6, 200_000)
        }),
        ("each a few times, soon", bursts),
        ("recency, then loop", |draw| phases(draw, &[0, 1])),
        ("zipf, then recency", |draw| phases(draw, &[2, 0])),
        ("zipf, loop, recency, scan", |draw| {
            phases(draw, &[2, 1, 0, 3])
        }),
        ("loop and recency at once", |draw| at_once(draw, 1)),
        ("zipf and recency at once", |draw| at_once(draw, 2)),
    ];
    let mut traces = Vec::new();
    for (shape, (name, draw)) in (0..).zip(shapes) {
        traces.push(Trace {
            name: name.to_owned(),
            keys: draw(&mut Draw::new(seed * 1_000 + shape)),
        });
    }
    traces
}

/// Requests in one phase of those that have phases.
const PHASE: usize = 30_000;

fn circle(first: u64, keys: u64, requests: usize) -> Vec<u64> {
    (first..first + keys).cycle().take(requests).collect()
}

/// A short loop many times within each turn of a long one.
fn loops(draw: &mut Draw) -> Vec<u64> {
    let mut trace = Vec::new();
    while trace.len() < 150_000 {
        let keys = [50, 400, 2_000][draw.below(3)];
        trace.extend(circle(
            keys * 10,
            keys,
            (keys * (2 + draw.below(4) as u64)) as usize,
        ));
    }
    trace
}

/// Ranks of (how many, which skew).
fn zipf(draw: &mut Draw, first: u64, ranks: (usize, f64), requests: usize) -> Vec<u64> {
    let zipf = Zipf::new(ranks.0, ranks.1);
    (0..requests)
        .map(|_| first + zipf.draw(draw) as u64)
        .collect()
}

fn scans(draw: &mut Draw) -> Vec<u64> {
    let (mut trace, mut fresh) = (Vec::new(), 1 << 32);
    for _ in 0..30 {
        trace.extend(zipf(draw, 0, (2_000, 0.7), 5_000));
        trace.extend(circle(fresh, 800, 800));
        fresh += 800;
    }
    trace
}

fn one_timers(draw: &mut Draw) -> Vec<u64> {
    let zipf = Zipf::new(4_000, 0.9);
    let request = |request: u64| match draw.below(4) {
        0 => (1 << 32) + request,
        _ => zipf.draw(draw) as u64,
    };
    (0..200_000).map(request).collect()
}

/// Most requests are for 400 keys, which move on by `step` each so many requests; the others are for any.
fn hot_sets(draw: &mut Draw, period: usize, step: usize) -> Vec<u64> {
    let request = |request: usize| match draw.below(10) {
        0 => draw.below(8_000) as u64,
        _ => (request / period * step + draw.below(400)) as u64 % 8_000,
    };
    (0..200_000).map(request).collect()
}

fn moving_ranks(draw: &mut Draw) -> Vec<u64> {
    let mut trace = Vec::new();
    for turn in 0..10 {
        trace.extend(zipf(draw, turn * 500, (6_000, 1.0), 20_000));
    }
    trace
}

/// Keys requested at distances, in other keys, that fall off by this power: the longer ago, the less likely.
fn recent(draw: &mut Draw, first: u64, power: f64, requests: usize) -> Vec<u64> {
    let zipf = Zipf::new(5_000, power);
    let mut stack: Vec<u64> = Vec::new();
    let (mut trace, mut fresh) = (Vec::new(), first);
    for _ in 0..requests {
        let distance = zipf.draw(draw);
        let key = if distance < stack.len() {
            stack.remove(stack.len() - 1 - distance)
        } else {
            fresh += 1;
            fresh
        };
        stack.push(key);
        if stack.len() > 5_000 {
            stack.remove(0);
        }
        trace.push(key);
    }
    trace
}

/// Each key is requested up to six times within a while, and never again.
fn bursts(draw: &mut Draw) -> Vec<u64> {
    let mut timed = Vec::new();
    for key in 0..40_000_u64 {
        for _ in 0..1 + draw.below(6) {
            timed.push((key as f64 + 600.0 * draw.fraction(), key));
        }
    }
    timed.sort_by(|one, other| one.0.total_cmp(&other.0));
    timed.into_iter().map(|(_, key)| key).collect()
}

/// One phase of a kind: recency, loop, zipf or scan.
fn phase(draw: &mut Draw, kind: usize, requests: usize) -> Vec<u64> {
    let elsewhere = (1 << 50) | (draw.bits() % (1 << 40));
    match kind {
        0 => recent(draw, elsewhere, 1.3, requests),
        1 => circle(1 << 32, 1_500, requests),
        2 => zipf(draw, 0, (5_000, 0.9), requests),
        _ => circle(elsewhere, 4_000, requests.min(4_000)),
    }
}

fn phases(draw: &mut Draw, kinds: &[usize]) -> Vec<u64> {
    let each = |kind: &usize| phase(draw, *kind, PHASE);
    kinds
        .repeat(8 / kinds.len())
        .iter()
        .flat_map(each)
        .collect()
}

/// Recency and another kind, in turns of one to twenty requests.
fn at_once(draw: &mut Draw, kind: usize) -> Vec<u64> {
    let mut parts = [
        phase(draw, 0, 3 * PHASE).into_iter(),
        phase(draw, kind, 3 * PHASE).into_iter(),
    ];
    let mut trace = Vec::new();
    while parts.iter().all(|part| part.len() > 0) {
        let turn = 1 + draw.below(20);
        trace.extend(parts[draw.below(2)].by_ref().take(turn));
    }
    trace
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shapes_are_long_enough_have_their_own_names_and_follow_their_seed() {
        let (traces, again) = (generated(1), generated(1));
        let names: HashSet<&str> = traces.iter().map(|trace| trace.name.as_str()).collect();
        assert_eq!(names.len(), traces.len());
        for (trace, again) in traces.iter().zip(&again) {
            assert!(trace.keys.len() >= 50_000, "{}", trace.name);
            assert!(trace.distinct() >= 1_000, "{}", trace.name);
            assert_eq!(trace.keys, again.keys);
        }
    }
}
