//! The clock and the randomness of the engine: nothing else in it reads a clock or draws.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::draw::Draw;
use parking_lot::Mutex;

/// What a dial shows while no hand holds it: time is the system's.
const RUNNING: u64 = u64::MAX;

/// The engine's clock: the system's coarse monotonic one, unless a [`ManualHand`] holds it still.
///
/// Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::clock::{Clock, Instant};
/// use everwarm_engine::{ManualHand, Ticker};
///
/// let hand = ManualHand::new(Instant::ZERO);
/// let ticker = Ticker::frozen_by(&hand);
/// hand.advance(Duration::from_secs(3));
/// assert_eq!(ticker.now(), Instant::from_nanos(3_000_000_000));
/// ```
#[derive(Clone, Debug)]
pub struct Ticker(Arc<Dial>);

#[derive(Debug)]
struct Dial {
    reading: AtomicU64,
    /// The hands that hold this dial, the last one governing.
    held_by: Mutex<Vec<ManualHand>>,
}

impl Ticker {
    /// A clock that runs with the system's.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Dial {
            reading: AtomicU64::new(RUNNING),
            held_by: Mutex::new(Vec::new()),
        }))
    }

    /// A clock that shows what `hand` says.
    #[must_use]
    pub fn frozen_by(hand: &ManualHand) -> Self {
        let ticker = Self::system();
        hand.attach(&ticker);
        ticker
    }
}

impl Clock for Ticker {
    #[inline]
    fn now(&self) -> Instant {
        match self.0.reading.load(Ordering::Relaxed) {
            RUNNING => Instant::from_nanos(system_nanos()),
            held => Instant::from_nanos(held),
        }
    }
}

/// The clock of a [`Ticker`], read to the nanosecond: for spans that are shorter than a tick of the coarse one.
#[derive(Clone, Debug)]
pub struct FineTicker(Ticker);

impl FineTicker {
    /// The fine clock beside this one: a hand that holds it holds both.
    #[must_use]
    pub fn of(ticker: &Ticker) -> Self {
        Self(ticker.clone())
    }
}

impl Clock for FineTicker {
    fn now(&self) -> Instant {
        match self.0.0.reading.load(Ordering::Relaxed) {
            RUNNING => Instant::from_nanos(fine_nanos()),
            held => Instant::from_nanos(held),
        }
    }
}

/// Moves the clocks it is attached to by hand, for tests.
#[derive(Clone, Debug)]
pub struct ManualHand(Arc<Hand>);

#[derive(Debug)]
struct Hand {
    nanos: AtomicU64,
    dials: Mutex<Vec<Weak<Dial>>>,
}

impl ManualHand {
    /// A hand that says `start`, attached to no clock.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        let nanos = AtomicU64::new(start.as_nanos().min(RUNNING - 1));
        Self(Arc::new(Hand {
            nanos,
            dials: Mutex::new(Vec::new()),
        }))
    }

    /// What the hand says.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.0.nanos.load(Ordering::Relaxed))
    }

    /// Moves the hand, and the clocks it governs, forward.
    pub fn advance(&self, span: Duration) {
        let dials = self.0.dials.lock();
        let nanos = self.now().after(span).as_nanos().min(RUNNING - 1);
        self.0.nanos.store(nanos, Ordering::Relaxed);
        for dial in dials.iter().filter_map(Weak::upgrade) {
            if dial.held_by.lock().last() == Some(self) {
                dial.reading.store(nanos, Ordering::Relaxed);
            }
        }
    }

    /// Holds `ticker`, over any hand that held it before.
    pub fn attach(&self, ticker: &Ticker) {
        let mut dials = self.0.dials.lock();
        dials.retain(|dial| dial.strong_count() > 0);
        dials.push(Arc::downgrade(&ticker.0));
        ticker.0.held_by.lock().push(self.clone());
        ticker
            .0
            .reading
            .store(self.now().as_nanos(), Ordering::Relaxed);
    }

    /// Lets go of `ticker`: the hand that held it before governs again, or the system.
    pub fn detach(&self, ticker: &Ticker) {
        let mut dials = self.0.dials.lock();
        if let Some(at) = dials
            .iter()
            .position(|dial| dial.as_ptr() == Arc::as_ptr(&ticker.0))
        {
            dials.swap_remove(at);
        }
        let mut held_by = ticker.0.held_by.lock();
        if let Some(at) = held_by.iter().rposition(|hand| hand == self) {
            held_by.remove(at);
        }
        let reading = held_by.last().map_or(RUNNING, |hand| hand.now().as_nanos());
        ticker.0.reading.store(reading, Ordering::Relaxed);
    }
}

impl PartialEq for ManualHand {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ManualHand {}

/// The coarse clock is a memory read; a tick of some milliseconds is fine for lifetimes.
#[cfg(target_os = "linux")]
#[inline]
fn system_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[cfg(target_os = "linux")]
fn fine_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[cfg(not(target_os = "linux"))]
fn fine_nanos() -> u64 {
    system_nanos()
}

#[cfg(not(target_os = "linux"))]
fn system_nanos() -> u64 {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let origin = ORIGIN.get_or_init(std::time::Instant::now);
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(RUNNING - 1)
}

/// Draws for jitter and early refresh: SplitMix64 (Steele, Lea, Flood 2014), good for spreading, not for secrets.
#[derive(Debug)]
pub struct Chance(AtomicU64);

impl Chance {
    /// Draws that differ in every process.
    #[must_use]
    pub fn new() -> Self {
        Self::seeded(RandomState::new().hash_one(()))
    }

    /// The draws that follow from `seed`.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}

impl Draw for Chance {
    fn unit(&self) -> f64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self
            .0
            .fetch_add(GAMMA, Ordering::Relaxed)
            .wrapping_add(GAMMA);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        // The 53 bits that a float between 0 and 1 can hold.
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_nest_and_let_go() {
        let ticker = Ticker::system();
        let (outer, inner) = (
            ManualHand::new(Instant::from_nanos(7)),
            ManualHand::new(Instant::ZERO),
        );
        outer.attach(&ticker);
        inner.attach(&ticker);
        outer.advance(Duration::from_nanos(1));
        assert_eq!(ticker.now(), Instant::ZERO);
        inner.advance(Duration::from_nanos(3));
        assert_eq!(ticker.now(), Instant::from_nanos(3));
        inner.detach(&ticker);
        assert_eq!(ticker.now(), Instant::from_nanos(8));
        outer.detach(&ticker);
        assert_eq!(ticker.0.reading.load(Ordering::Relaxed), RUNNING);
        inner.advance(Duration::from_nanos(3));
        assert_eq!(ticker.0.reading.load(Ordering::Relaxed), RUNNING);
    }

    #[test]
    fn system_time_never_goes_back() {
        let ticker = Ticker::system();
        let first = ticker.now();
        assert!(ticker.now() >= first && first < Instant::NEVER);
    }

    #[test]
    fn the_fine_clock_tells_spans_below_a_tick_and_is_held_with_the_coarse_one() {
        let ticker = Ticker::system();
        let fine = FineTicker::of(&ticker);
        let first = fine.now();
        while fine.now() == first {}
        assert!(fine.now().since(first) < Duration::from_secs(1));
        let hand = ManualHand::new(Instant::from_nanos(7));
        hand.attach(&ticker);
        assert_eq!(fine.now(), Instant::from_nanos(7));
    }

    #[test]
    fn draws_lie_in_the_unit_interval_and_follow_from_the_seed() {
        let (chance, twin) = (Chance::seeded(1), Chance::seeded(1));
        let draws: Vec<f64> = (0..1_000).map(|_| chance.unit()).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        assert!(draws.iter().all(|draw| *draw == twin.unit()));
        let mean = draws.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
