//! What a limiter has granted, and its bytes in a store.
//!
//! ```text
//! version u8 = 1 | kind u8 | clock u64 | at u64 | ttl u64 | tally
//! token bucket: level u128    fixed window: start u64, used u64    sliding window: (at u64, n u64)*
//! ```
//! All numbers are little-endian. Any other bytes are no state.

use std::time::Duration;

use crate::clock::Instant;

/// What was granted, as of an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(super) at: Instant,
    pub(super) tally: Tally,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tally {
    Bucket { level: u128 },
    Window { start: Instant, used: u64 },
    Sliding { marks: Vec<Mark> },
}

/// So many permits, granted then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Instant,
    pub(super) n: u64,
}

/// A state, and after how long it is as good as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What is to be kept.
    pub state: State,
    /// For how long.
    pub ttl: Duration,
}

/// The version of the bytes.
const VERSION: u8 = 1;
/// The bytes before the tally.
const HEAD: usize = 26;
/// More marks than a state ever has are none of ours.
const MOST_MARKS: usize = 1_024;

impl Kept {
    /// The bytes of it; `clock` names the origin of its instants.
    #[must_use]
    pub fn encode(&self, clock: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + 16);
        let kind = match self.state.tally {
            Tally::Bucket { .. } => 0,
            Tally::Window { .. } => 1,
            Tally::Sliding { .. } => 2,
        };
        bytes.extend([VERSION, kind]);
        let ttl = u64::try_from(self.ttl.as_nanos()).unwrap_or(u64::MAX);
        for number in [clock, self.state.at.as_nanos(), ttl] {
            bytes.extend(number.to_le_bytes());
        }
        match &self.state.tally {
            Tally::Bucket { level } => bytes.extend(level.to_le_bytes()),
            Tally::Window { start, used } => {
                bytes.extend(start.as_nanos().to_le_bytes());
                bytes.extend(used.to_le_bytes());
            }
            Tally::Sliding { marks } => {
                for mark in marks {
                    bytes.extend(mark.at.as_nanos().to_le_bytes());
                    bytes.extend(mark.n.to_le_bytes());
                }
            }
        }
        bytes
    }

    /// What these bytes say, and the origin of their instants; None if they are no state.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(u64, Self)> {
        let (head, tally) = bytes.split_at_checked(HEAD)?;
        let number = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let tally = match head {
            [VERSION, 0, ..] => Tally::Bucket {
                level: u128::from_le_bytes(tally.try_into().ok()?),
            },
            [VERSION, 1, ..] => {
                let [mark] = marks(tally)?[..] else {
                    return None;
                };
                Tally::Window {
                    start: mark.at,
                    used: mark.n,
                }
            }
            [VERSION, 2, ..] => Tally::Sliding {
                marks: marks(tally)?,
            },
            _ => return None,
        };
        let state = State {
            at: Instant::from_nanos(number(10)?),
            tally,
        };
        let ttl = Duration::from_nanos(number(18)?);
        Some((number(2)?, Self { state, ttl }))
    }
}

fn marks(bytes: &[u8]) -> Option<Vec<Mark>> {
    let (pairs, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() || pairs.len() > MOST_MARKS {
        return None;
    }
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let mark = |pair: &[u8; 16]| {
        Some(Mark {
            at: Instant::from_nanos(number(&pair[..8])?),
            n: number(&pair[8..])?,
        })
    };
    pairs.iter().map(mark).collect()
}

impl State {
    /// The same state on another clock, by which it was made at `at`.
    #[must_use]
    pub fn moved(mut self, at: Instant) -> Self {
        let was = self.at;
        let moved = |instant: Instant| {
            let before = was.since(instant).as_nanos();
            let nanos = u128::from(at.as_nanos()).saturating_sub(before);
            Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        match &mut self.tally {
            Tally::Bucket { .. } => {}
            Tally::Window { start, .. } => *start = moved(*start),
            Tally::Sliding { marks } => {
                for mark in marks {
                    mark.at = moved(mark.at);
                }
            }
        }
        self.at = at;
        self
    }
}
