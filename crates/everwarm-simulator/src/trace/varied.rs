//! Traces as programs and stores make them, of lengths, skews and speeds that are drawn too: no two seeds are alike.

use super::{Draw, Trace, Zipf};

/// A name, and what draws the requests.
type Shape = (&'static str, fn(&mut Draw) -> Vec<u64>);

/// Requests of each trace, about.
const REQUESTS: usize = 150_000;
/// Keys from here on are new ones.
const FRESH: u64 = 1 << 40;

/// Each shape once, drawn anew for each seed, its parameters included.
#[must_use]
pub fn varied(seed: u64) -> Vec<Trace> {
    let shapes: [Shape; 16] = [
        ("parts at once", parts_at_once),
        ("parts in turn, fast", |draw| in_turn(draw, (2_000, 10_000))),
        ("parts in turn, slowly", |draw| {
            in_turn(draw, (20_000, 60_000))
        }),
        ("scans through a hot set", scans),
        ("hot set that drifts at a rate", drifting),
        ("ranks that are dealt anew", dealt_anew),
        ("objects, many once", objects),
        ("news that are forgotten", news),
        ("blocks in sequence", blocks),
        ("days and nights", days),
        ("nested loops", nested),
        ("written, then read once", written_then_read),
        ("sessions", sessions),
        ("index and leaves", index),
        ("each again at once", again_at_once),
        ("loop that grows and shrinks", breathing_loop),
    ];
    let mut traces = Vec::new();
    for (shape, (name, draw)) in (0..).zip(shapes) {
        traces.push(Trace {
            name: name.to_owned(),
            keys: draw(&mut Draw::new(seed * 1_000 + 500 + shape)),
        });
    }
    traces
}

/// A number of this range, small ones as likely as large ones of the same ratio.
fn between(draw: &mut Draw, least: usize, most: usize) -> usize {
    (least as f64 * (most as f64 / least as f64).powf(draw.fraction())) as usize
}

/// A skew as caches meet it.
fn skew(draw: &mut Draw) -> f64 {
    0.5 + 0.7 * draw.fraction()
}

/// An endless source of requests.
enum Part {
    Skewed {
        zipf: Zipf,
        first: u64,
    },
    Circle {
        first: u64,
        keys: u64,
        next: u64,
    },
    Recent {
        zipf: Zipf,
        stack: Vec<u64>,
        next: u64,
    },
    Once {
        next: u64,
    },
}

impl Part {
    /// One of the kinds, with parameters of its own and keys that start at `first`.
    fn new(draw: &mut Draw, first: u64) -> Self {
        match draw.below(7) {
            0..3 => Self::Skewed {
                zipf: Zipf::new(between(draw, 500, 20_000), skew(draw)),
                first,
            },
            3..5 => Self::Circle {
                first,
                keys: between(draw, 50, 5_000) as u64,
                next: 0,
            },
            5 => Self::Recent {
                zipf: Zipf::new(between(draw, 200, 3_000), 0.8 + draw.fraction()),
                stack: Vec::new(),
                next: first,
            },
            _ => Self::Once { next: first },
        }
    }

    fn request(&mut self, draw: &mut Draw) -> u64 {
        match self {
            Self::Skewed { zipf, first } => *first + zipf.draw(draw) as u64,
            Self::Circle { first, keys, next } => {
                *next = (*next + 1) % *keys;
                *first + *next
            }
            Self::Recent { zipf, stack, next } => {
                let distance = zipf.draw(draw);
                let key = if distance < stack.len() {
                    stack.remove(stack.len() - 1 - distance)
                } else {
                    *next += 1;
                    *next
                };
                stack.push(key);
                if stack.len() > 3_000 {
                    stack.remove(0);
                }
                key
            }
            Self::Once { next } => {
                *next += 1;
                *next
            }
        }
    }
}

fn parts(draw: &mut Draw) -> Vec<Part> {
    let number = 2 + draw.below(3) as u64;
    (0..number)
        .map(|part| Part::new(draw, part << 32))
        .collect()
}

/// Several parts, each with a weight, in turns of one to so many requests.
fn parts_at_once(draw: &mut Draw) -> Vec<u64> {
    let mut parts = parts(draw);
    let weights = Zipf::new(parts.len(), draw.fraction());
    let longest = between(draw, 1, 50);
    let mut trace = Vec::new();
    while trace.len() < REQUESTS {
        let part = &mut parts[weights.draw(draw)];
        for _ in 0..=draw.below(longest) {
            trace.push(part.request(draw));
        }
    }
    trace
}

/// Several parts, one after the other, again and again, for lengths in this range.
fn in_turn(draw: &mut Draw, (least, most): (usize, usize)) -> Vec<u64> {
    let mut parts = parts(draw);
    let mut trace = Vec::new();
    while trace.len() < REQUESTS {
        let number = draw.below(parts.len());
        for _ in 0..between(draw, least, most) {
            trace.push(parts[number].request(draw));
        }
    }
    trace
}

fn scans(draw: &mut Draw) -> Vec<u64> {
    let hot = Zipf::new(between(draw, 500, 8_000), skew(draw));
    let (pause, length) = (between(draw, 1_000, 20_000), between(draw, 200, 8_000));
    // Some scans read new keys each time, others the same table.
    let is_new = draw.below(2) == 0;
    let (mut trace, mut fresh) = (Vec::new(), FRESH);
    while trace.len() < REQUESTS {
        trace.extend((0..pause).map(|_| hot.draw(draw) as u64));
        trace.extend((0..length).map(|step| fresh + step as u64));
        if is_new {
            fresh += length as u64;
        }
    }
    trace
}

fn drifting(draw: &mut Draw) -> Vec<u64> {
    let (hot, all) = (between(draw, 100, 2_000), between(draw, 4_000, 16_000));
    let pace = between(draw, 5, 500);
    let strays = 4 + draw.below(16);
    let request = |request: usize| match draw.below(strays) {
        0 => draw.below(all) as u64,
        _ => ((request / pace + draw.below(hot)) % all) as u64,
    };
    (0..REQUESTS).map(request).collect()
}

fn dealt_anew(draw: &mut Draw) -> Vec<u64> {
    let ranks = between(draw, 1_000, 10_000);
    let (zipf, pace) = (Zipf::new(ranks, skew(draw)), between(draw, 2_000, 50_000));
    let request = |request: usize| {
        let shift = request / pace * ranks * 7 / 11;
        ((zipf.draw(draw) * 7 + shift) % ranks) as u64
    };
    (0..REQUESTS).map(request).collect()
}

/// A store of objects: new ones come all the time, most are asked for once, some are popular for long.
fn objects(draw: &mut Draw) -> Vec<u64> {
    let popular = Zipf::new(between(draw, 1_000, 20_000), skew(draw));
    let (new, lately) = (0.1 + 0.5 * draw.fraction(), 0.3 * draw.fraction());
    let span = between(draw, 50, 5_000);
    let (mut trace, mut fresh) = (Vec::new(), FRESH);
    for _ in 0..REQUESTS {
        let chance = draw.fraction();
        trace.push(if chance < new {
            fresh += 1;
            fresh
        } else if chance < new + lately {
            fresh.saturating_sub(draw.below(span) as u64).max(FRESH)
        } else {
            popular.draw(draw) as u64
        });
    }
    trace
}

/// What has appeared lately is asked for most, some of it much more than other.
fn news(draw: &mut Draw) -> Vec<u64> {
    let (pace, span) = (between(draw, 2, 30), between(draw, 200, 5_000));
    let power = 1.0 + 3.0 * draw.fraction();
    let mut trace = Vec::new();
    for request in 0..REQUESTS {
        let newest = request / pace + span;
        let age = (draw.fraction().powf(power) * span as f64) as usize;
        // One in eight is popular.
        let key = newest - age;
        trace.push(if draw.below(3) == 0 { key } else { key / 8 * 8 } as u64);
    }
    trace
}

/// Files or tables, some read more often than others, each from somewhere on in sequence.
fn blocks(draw: &mut Draw) -> Vec<u64> {
    let (files, size) = (between(draw, 20, 1_000), between(draw, 16, 512));
    let zipf = Zipf::new(files, skew(draw));
    let whole = draw.below(2) == 0;
    let mut trace = Vec::new();
    while trace.len() < REQUESTS {
        let file = zipf.draw(draw);
        let from = if whole { 0 } else { draw.below(size) };
        let length = if whole {
            size
        } else {
            1 + draw.below(size - from)
        };
        trace.extend((from..from + length).map(|block| (file * 1_000 + block) as u64));
    }
    trace
}

/// By day one set of keys is asked for, by night another; dawn and dusk mix them, and batches run at night.
fn days(draw: &mut Draw) -> Vec<u64> {
    let ranks = between(draw, 1_000, 10_000);
    let (day, night) = (Zipf::new(ranks, skew(draw)), Zipf::new(ranks, skew(draw)));
    let length = between(draw, 10_000, 60_000);
    let batch = between(draw, 100, 6_000) as u64;
    let mut at = 0;
    let request = |request: usize| {
        let hour = (request % length) as f64 / length as f64;
        let light = 0.5 + 0.5 * (hour * std::f64::consts::TAU).sin();
        if draw.fraction() < light {
            day.draw(draw) as u64
        } else if draw.below(2) == 0 {
            at = (at + 1) % batch;
            FRESH + at
        } else {
            (1 << 32) + night.draw(draw) as u64
        }
    };
    (0..REQUESTS).map(request).collect()
}

/// For each page of one table all pages of another.
fn nested(draw: &mut Draw) -> Vec<u64> {
    let (outer, inner) = (between(draw, 50, 2_000), between(draw, 20, 2_000));
    let mut trace = Vec::new();
    for page in (0..outer).cycle() {
        if trace.len() >= REQUESTS {
            break;
        }
        trace.push(FRESH + page as u64);
        trace.extend(0..inner as u64);
    }
    trace
}

/// Each key comes once, and once again after others; beside them some that are always asked for.
fn written_then_read(draw: &mut Draw) -> Vec<u64> {
    let lag = between(draw, 20, 4_000) as u64;
    let (zipf, jitter) = (Zipf::new(4_000, skew(draw)), between(draw, 1, 100));
    let mut trace = Vec::new();
    for step in 0..REQUESTS as u64 / 3 {
        trace.push(FRESH + lag + step);
        trace.push(FRESH + step + draw.below(jitter) as u64);
        trace.push(zipf.draw(draw) as u64);
    }
    trace
}

/// Users come, ask for their own keys for a while beside those of all, and go.
fn sessions(draw: &mut Draw) -> Vec<u64> {
    let (users, own) = (between(draw, 5, 300), between(draw, 2, 40));
    let (stays, common) = (between(draw, 20, 1_000), Zipf::new(3_000, skew(draw)));
    let (mut there, mut next): (Vec<u64>, u64) = ((0..users as u64).collect(), users as u64);
    let request = |_| {
        let user = draw.below(users);
        if draw.below(stays) == 0 {
            there[user] = next;
            next += 1;
        }
        match draw.below(4) {
            0 => common.draw(draw) as u64,
            _ => FRESH + there[user] * 100 + draw.below(own) as u64,
        }
    };
    (0..REQUESTS).map(request).collect()
}

/// Each look-up reads a root, a branch and a leaf; now and then leaves are read in sequence.
fn index(draw: &mut Draw) -> Vec<u64> {
    let leaves = between(draw, 2_000, 20_000);
    let (zipf, fan) = (Zipf::new(leaves, skew(draw)), between(draw, 8, 128));
    let (pause, length) = (between(draw, 20, 2_000), between(draw, 10, 1_000));
    let mut trace = Vec::new();
    while trace.len() < REQUESTS {
        let leaf = zipf.draw(draw) * 617 % leaves;
        trace.extend([FRESH, FRESH + 1 + (leaf / fan) as u64, leaf as u64]);
        if draw.below(pause) == 0 {
            trace.extend((leaf..leaf + length).map(|next| (next % leaves) as u64));
        }
    }
    trace
}

/// Each request is soon followed by another for the same key, which says nothing of later.
fn again_at_once(draw: &mut Draw) -> Vec<u64> {
    let zipf = Zipf::new(between(draw, 2_000, 20_000), 0.9 * draw.fraction());
    let (again, within) = (0.3 + 0.6 * draw.fraction(), between(draw, 1, 60));
    let mut trace: Vec<u64> = Vec::new();
    for _ in 0..REQUESTS {
        let back = 1 + draw.below(within);
        trace.push(if back <= trace.len() && draw.fraction() < again {
            trace[trace.len() - back]
        } else {
            zipf.draw(draw) as u64
        });
    }
    trace
}

fn breathing_loop(draw: &mut Draw) -> Vec<u64> {
    let (least, most) = (between(draw, 50, 1_000), between(draw, 1_000, 6_000));
    let breath = between(draw, 20_000, 150_000);
    let mut trace = Vec::new();
    while trace.len() < REQUESTS {
        let phase = (trace.len() % breath) as f64 / breath as f64;
        let length = least + ((most - least) as f64 * (1.0 - (2.0 * phase - 1.0).abs())) as usize;
        trace.extend(0..length as u64);
    }
    trace
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shapes_are_long_enough_have_their_own_names_and_follow_their_seed() {
        for seed in 1..4 {
            let (traces, again) = (varied(seed), varied(seed));
            let names: HashSet<&str> = traces.iter().map(|trace| trace.name.as_str()).collect();
            assert_eq!(names.len(), traces.len());
            for (trace, again) in traces.iter().zip(&again) {
                assert!(trace.keys.len() >= 100_000, "{}", trace.name);
                assert!(trace.distinct() >= 50, "{}", trace.name);
                assert_eq!(trace.keys, again.keys);
            }
        }
    }
}
