//! Fuzzing by seeded mutation: a corpus, changed in one to four ways at a time, against what must hold for any bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::Numbers;

/// What is wrong with how bytes were read, if something is.
pub type Wrong = Option<&'static str>;

/// Bytes at which readers go wrong.
const TELLING: [u8; 8] = [0, 1, 3, 4, 0x40, 0x7f, 0x80, 0xff];

/// The first input for which the target says what is wrong, or panics; none within `EVERWARM_FUZZ_SECONDS`, one by default. How many
/// inputs there were is printed.
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
#[expect(
    clippy::print_stdout,
    reason = "how much was tried is a part of what a hunt says"
)]
pub fn hunt(corpus: &[impl AsRef<[u8]>], target: impl Fn(&[u8]) -> Wrong) -> Option<String> {
    let mut numbers = Numbers::from_seed(0x5eed);
    let end = Instant::now() + seconds();
    let mut count = 0_u64;
    while Instant::now() < end {
        for _ in 0..10 {
            let input = mutated(corpus, &mut numbers);
            let wrong = catch_unwind(AssertUnwindSafe(|| target(&input))).unwrap_or(Some("panic"));
            if let Some(wrong) = wrong {
                return Some(format!("{wrong}: {input:02x?}"));
            }
            count += 1;
        }
    }
    println!("{count} inputs in {:?}", seconds());
    None
}

fn seconds() -> Duration {
    let seconds = std::env::var("EVERWARM_FUZZ_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(1))
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
