//! Fuzzing by seeded mutation: a corpus, changed in one to four ways at a time, against what must hold for any bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::{Numbers, figure, ran};

/// What all inputs follow from.
const SEED: u64 = 0x5eed;

/// What is wrong with how bytes were read, if something is.
pub type Wrong = Option<&'static str>;

/// How long a fault is looked for that was planted.
const LONGEST: Duration = Duration::from_secs(60);

/// Bytes at which readers go wrong.
const TELLING: [u8; 8] = [0, 1, 3, 4, 0x40, 0x7f, 0x80, 0xff];

/// Hunts for `EVERWARM_FUZZ_SECONDS`, and finds nothing: 30 in CI, and one elsewhere, unless it is said.
///
/// ```no_run
/// let corpus = [b"<a>".to_vec()];
/// everwarm_conformance::fuzz("texts", &corpus, |data| (data.len() > 1 << 20).then_some("it grows"));
/// ```
///
/// # Panics
/// With the input for which the target says what is wrong, or panics; and if there is no corpus.
pub fn fuzz(name: &str, corpus: &[impl AsRef<[u8]>], target: impl Fn(&[u8]) -> Wrong) {
    let seconds = seconds();
    let (count, found) = tried(corpus, target, Duration::from_secs(seconds));
    if let Some(found) = found {
        panic!("{name}: {found}");
    }
    let figure = format!("{name}: {count} inputs in {seconds} s");
    ran("FZ", &figure, SEED);
}

/// The first input for which the target says what is wrong, or panics, within a time that a planted fault never needs.
///
/// ```
/// let corpus = [b"<a>".to_vec()];
/// let found = everwarm_conformance::hunt(&corpus, |data| {
///     (data.first() == Some(&b'<') && data.len() == 1).then_some("it is not closed")
/// });
/// assert!(found.expect("it is found").starts_with("it is not closed"));
/// ```
///
/// # Panics
/// If there is no corpus.
pub fn hunt(corpus: &[impl AsRef<[u8]>], target: impl Fn(&[u8]) -> Wrong) -> Option<String> {
    tried(corpus, target, LONGEST).1
}

fn seconds() -> u64 {
    let said = std::env::var("EVERWARM_FUZZ_SECONDS").ok();
    let said = said.and_then(|text| text.parse().ok());
    said.unwrap_or_else(|| figure(1, 30))
}

/// How many inputs there were within a span, and what was found: the corpus as it is, and then changed.
fn tried(
    corpus: &[impl AsRef<[u8]>],
    target: impl Fn(&[u8]) -> Wrong,
    span: Duration,
) -> (u64, Option<String>) {
    let mut numbers = Numbers::from_seed(SEED);
    let begun = Instant::now();
    let wrong = |input: &[u8]| {
        let wrong = catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or(Some("panic"));
        wrong.map(|wrong| format!("{wrong}: {input:02x?}"))
    };
    let mut count = 0;
    for input in corpus {
        count += 1;
        if let Some(found) = wrong(input.as_ref()) {
            return (count, Some(found));
        }
    }
    while begun.elapsed() < span {
        for _ in 0..10 {
            count += 1;
            if let Some(found) = wrong(&mutated(corpus, &mut numbers)) {
                return (count, Some(found));
            }
        }
    }
    (count, None)
}

/// One of the corpus, changed.
fn mutated(corpus: &[impl AsRef<[u8]>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = corpus[numbers.below(corpus.len())].as_ref().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len().max(1));
        let to = at + numbers.below(bytes.len() - at.min(bytes.len()) + 1);
        match numbers.below(8) {
            _ if bytes.is_empty() => bytes.push(numbers.draw() as u8),
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = TELLING[numbers.below(TELLING.len())],
            2 => bytes[at] = numbers.draw() as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..to)),
            5 => bytes.extend_from_within(at..to),
            6 => {
                let other = corpus[numbers.below(corpus.len())].as_ref();
                let from = at.min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let number = [u32::MAX, 1 << 24, 65_535, numbers.draw() as u32][numbers.below(4)];
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
        }
    }
    bytes
}
