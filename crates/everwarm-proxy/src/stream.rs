//! One direction of a connection: what becomes of the bytes that were read.

use std::time::Duration;

use bytes::Bytes;

use crate::draw::Draw;
use crate::fault::{Kind, Way};
use crate::faults::Faults;
use crate::swap::Swap;

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes are sent.
    Send {
        /// Which.
        bytes: Bytes,
        /// How long after they were read, at least.
        late: Duration,
        /// How long after what was sent before.
        gap: Duration,
    },
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

/// What becomes of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Steps.
    Steps(Vec<Step>),
    /// It is kept until the faults in force have changed, and tried again then.
    Held(Bytes),
}

/// A fault that has befallen, and how many bytes it was about.
pub(crate) type Befallen = (&'static str, usize);

// How many pieces a second is divided into where bytes come slowly.
const BEATS: u64 = 50;

/// What one direction of a connection knows.
#[derive(Debug)]
pub(crate) struct Stream {
    way: Way,
    draw: Draw,
    swap: Swap,
    passed: u64,
    frozen: bool,
    lost: bool,
}

impl Stream {
    /// A direction of the connection of that number.
    pub(crate) fn new(seed: u64, connection: u64, way: Way) -> Self {
        let number = 2 * connection + u64::from(way == Way::Down);
        Self {
            way,
            draw: Draw::new(seed, number),
            swap: Swap::default(),
            passed: 0,
            frozen: false,
            lost: false,
        }
    }

    /// Whether what is sent is lost, for good.
    pub(crate) const fn lost(&self) -> bool {
        self.lost
    }

    /// Whether a reply waits for the next one.
    pub(crate) fn holds(&self) -> bool {
        self.swap.holds()
    }

    /// What becomes of a chunk; what befalls it is added to `befallen`.
    pub(crate) fn take(
        &mut self,
        chunk: Bytes,
        faults: &mut Faults,
        befallen: &mut Vec<Befallen>,
    ) -> Fate {
        let (way, all) = (Some(self.way), chunk.len());
        if !self.lost && faults.befalls("half_open", way, &mut self.draw).is_some() {
            befallen.push(("half_open", all));
            self.lost = true;
        }
        if self.lost {
            return Fate::Steps(Vec::new());
        }
        if self.frozen && faults.lasts("freeze", way) {
            return Fate::Held(chunk);
        }
        self.frozen = faults.befalls("freeze", way, &mut self.draw).is_some();
        if self.frozen {
            befallen.push(("freeze", all));
            return Fate::Held(chunk);
        }
        let chunk = self.swapped(chunk, faults, befallen);
        Fate::Steps(self.shaped(chunk, faults, befallen))
    }

    /// The steps for a reply that was held, when no other has followed it.
    pub(crate) fn release(
        &mut self,
        faults: &mut Faults,
        befallen: &mut Vec<Befallen>,
    ) -> Vec<Step> {
        faults.spared("swap", self.way);
        let bytes = self.swap.release();
        self.shaped(bytes, faults, befallen)
    }

    fn swapped(
        &mut self,
        chunk: Bytes,
        faults: &mut Faults,
        befallen: &mut Vec<Befallen>,
    ) -> Bytes {
        if self.way == Way::Up {
            return chunk;
        }
        let draw = &mut self.draw;
        let wants = || faults.befalls("swap", Some(Way::Down), draw).is_some();
        let (chunk, pairs) = self.swap.take(chunk, wants);
        befallen.extend((0..pairs).map(|_| ("swap", chunk.len())));
        chunk
    }

    fn shaped(
        &mut self,
        mut chunk: Bytes,
        faults: &mut Faults,
        befallen: &mut Vec<Befallen>,
    ) -> Vec<Step> {
        let (way, all) = (Some(self.way), chunk.len());
        if all == 0 {
            return Vec::new();
        }
        if faults.befalls("reset", way, &mut self.draw).is_some() {
            befallen.push(("reset", all));
            return vec![Step::Reset];
        }
        let mut end = None;
        if self.cut(all, faults, &mut chunk) {
            befallen.push(("cut", all - chunk.len()));
            end = Some(Step::Reset);
        } else if faults.befalls("truncate", way, &mut self.draw).is_some() {
            chunk.truncate(self.draw.below(all));
            befallen.push(("truncate", all - chunk.len()));
            end = Some(Step::Close);
        }
        self.passed += chunk.len() as u64;
        let chunk = self.corrupted(chunk, faults, befallen);
        let mut steps = self.pieces(chunk, faults, befallen);
        steps.extend(end);
        steps
    }

    /// Shortens a chunk to what may still pass, where that is less.
    fn cut(&mut self, all: usize, faults: &mut Faults, chunk: &mut Bytes) -> bool {
        let way = Some(self.way);
        let Some(after) = faults.find("cut", way).and_then(|kind| match kind {
            Kind::Cut { after } => Some(after),
            _ => None,
        }) else {
            return false;
        };
        if self.passed + (all as u64) < after
            || faults.befalls("cut", way, &mut self.draw).is_none()
        {
            return false;
        }
        chunk.truncate(after.saturating_sub(self.passed) as usize);
        true
    }

    fn corrupted(
        &mut self,
        chunk: Bytes,
        faults: &mut Faults,
        befallen: &mut Vec<Befallen>,
    ) -> Bytes {
        if chunk.is_empty()
            || faults
                .befalls("corrupt", Some(self.way), &mut self.draw)
                .is_none()
        {
            return chunk;
        }
        befallen.push(("corrupt", chunk.len()));
        let mut bytes = chunk.to_vec();
        let at = self.draw.below(bytes.len());
        bytes[at] ^= 1 << self.draw.below(8);
        bytes.into()
    }

    /// A chunk in the pieces and at the times that delay, bandwidth and slices have it.
    fn pieces(
        &mut self,
        mut chunk: Bytes,
        faults: &mut Faults,
        befallen: &mut Vec<Befallen>,
    ) -> Vec<Step> {
        let (way, all) = (Some(self.way), chunk.len());
        let (mut late, mut gap, mut size) = (Duration::ZERO, Duration::ZERO, all.max(1));
        let mut per_second = None;
        for name in ["delay", "bandwidth", "slices"] {
            let Some(kind) = faults.befalls(name, way, &mut self.draw) else {
                continue;
            };
            befallen.push((name, all));
            match kind {
                Kind::Delay { by, jitter } => late = self.around(by, jitter),
                Kind::Bandwidth { per_second: rate } => {
                    size = size.min((rate / BEATS).max(1) as usize);
                    per_second = Some(rate);
                }
                Kind::Slices { of, apart } => {
                    size = size.min(of);
                    gap = apart;
                }
                _ => {}
            }
        }
        let mut steps = Vec::with_capacity(all.div_ceil(size));
        while !chunk.is_empty() {
            let bytes = chunk.split_to(size.min(chunk.len()));
            let taken = per_second.map_or(0.0, |rate| bytes.len() as f64 / rate as f64);
            let gap = gap.max(Duration::from_secs_f64(taken));
            steps.push(Step::Send { bytes, late, gap });
        }
        steps
    }

    fn around(&mut self, by: Duration, jitter: Duration) -> Duration {
        let off = jitter.mul_f64(2.0 * self.draw.unit());
        (by + off).saturating_sub(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    /// What a new connection's direction makes of chunks: what is sent, the steps but for their bytes, and what befell.
    fn through(
        way: Way,
        faults: &mut Faults,
        chunks: &[&'static str],
    ) -> (Vec<u8>, Vec<Step>, Vec<Befallen>) {
        let mut stream = Stream::new(1, 1, way);
        let (mut sent, mut all, mut befallen) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in chunks {
            match stream.take(Bytes::from_static(chunk.as_bytes()), faults, &mut befallen) {
                Fate::Held(bytes) => assert_eq!(bytes, chunk.as_bytes()),
                Fate::Steps(steps) => all.extend(steps),
            }
        }
        for step in &all {
            if let Step::Send { bytes, .. } = step {
                sent.extend_from_slice(bytes);
            }
        }
        (sent, all, befallen)
    }

    fn with(fault: Fault) -> Faults {
        let mut faults = Faults::default();
        faults.set(fault);
        faults
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn without_faults_bytes_pass_as_they_come() {
        let (sent, steps, befallen) = through(Way::Up, &mut Faults::default(), &["ab", "c"]);
        assert_eq!(
            (sent.as_slice(), steps.len(), befallen),
            (&b"abc"[..], 2, vec![])
        );
    }

    #[test]
    fn a_delay_is_late_and_varies() {
        let mut faults = with(Fault::jitter(100 * MS, 50 * MS));
        let (_, steps, befallen) = through(Way::Up, &mut faults, &["a"; 100]);
        let mut lates: Vec<_> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Send { late, .. } => Some(*late),
                _ => None,
            })
            .collect();
        lates.sort();
        assert!(lates[0] >= 50 * MS && lates[99] <= 150 * MS && lates[99] - lates[0] > 60 * MS);
        assert_eq!(befallen, vec![("delay", 1); 100]);
    }

    #[test]
    fn slices_and_bandwidth_make_pieces() {
        let (sent, steps, _) = through(Way::Down, &mut with(Fault::slices(1, MS)), &["abc"]);
        assert_eq!((sent.as_slice(), steps.len()), (&b"abc"[..], 3));
        assert!(
            steps
                .iter()
                .all(|s| matches!(s, Step::Send { gap, .. } if *gap == MS))
        );
        let (sent, steps, _) = through(Way::Down, &mut with(Fault::bandwidth(100)), &["abcd"]);
        assert_eq!((sent.as_slice(), steps.len()), (&b"abcd"[..], 2));
        assert!(
            steps
                .iter()
                .all(|s| matches!(s, Step::Send { gap, .. } if *gap == 20 * MS))
        );
    }

    #[test]
    fn a_chunk_loses_its_end() {
        let (sent, steps, befallen) = through(Way::Down, &mut with(Fault::truncate()), &["abcdef"]);
        assert!(sent.len() < 6 && b"abcdef".starts_with(&sent));
        assert_eq!(
            (steps.last(), befallen),
            (Some(&Step::Close), vec![("truncate", 6 - sent.len())])
        );
    }

    #[test]
    fn a_connection_is_cut_after_so_many_bytes() {
        let (sent, steps, befallen) = through(Way::Down, &mut with(Fault::cut(4)), &["abc", "def"]);
        assert_eq!(
            (sent.as_slice(), befallen),
            (&b"abcd"[..], vec![("cut", 2)])
        );
        assert_eq!(steps.last(), Some(&Step::Reset));
    }

    #[test]
    fn a_reset_sends_nothing() {
        let found = through(Way::Up, &mut with(Fault::reset().up()), &["abc"]);
        assert_eq!(found, (vec![], vec![Step::Reset], vec![("reset", 3)]));
        let found = through(Way::Down, &mut with(Fault::reset().up()), &["abc"]);
        assert_eq!(found.2, vec![]);
    }

    #[test]
    fn one_bit_is_flipped() {
        let (sent, _, befallen) = through(
            Way::Down,
            &mut with(Fault::corrupt().times(1)),
            &["abc", "abc"],
        );
        let differ: u32 = sent
            .iter()
            .zip(b"abcabc")
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!((sent.len(), differ, befallen), (6, 1, vec![("corrupt", 3)]));
    }

    #[test]
    fn what_was_frozen_passes_when_it_is_lifted() {
        let mut faults = with(Fault::freeze().times(1));
        let (mut stream, mut befallen) = (Stream::new(1, 1, Way::Up), Vec::new());
        for _ in 0..2 {
            let fate = stream.take(Bytes::from_static(b"a"), &mut faults, &mut befallen);
            assert_eq!(fate, Fate::Held(Bytes::from_static(b"a")));
        }
        faults.calm();
        let fate = stream.take(Bytes::from_static(b"a"), &mut faults, &mut befallen);
        assert!(matches!(fate, Fate::Steps(steps) if steps.len() == 1));
        assert_eq!(befallen, vec![("freeze", 1)]);
    }

    #[test]
    fn a_half_open_direction_stays_silent() {
        let mut faults = with(Fault::half_open().down());
        let (mut stream, mut befallen) = (Stream::new(1, 1, Way::Down), Vec::new());
        for _ in 0..2 {
            let fate = stream.take(Bytes::from_static(b"a"), &mut faults, &mut befallen);
            assert_eq!(fate, Fate::Steps(vec![]));
            faults.calm();
        }
        assert_eq!(befallen, vec![("half_open", 1)]);
    }

    #[test]
    fn replies_change_places_and_one_alone_is_released() {
        let mut faults = with(Fault::swap().times(2));
        let (sent, _, befallen) = through(Way::Down, &mut faults, &["+1\r\n+2\r\n"]);
        assert_eq!(
            (sent.as_slice(), befallen),
            (&b"+2\r\n+1\r\n"[..], vec![("swap", 8)])
        );
        let (mut stream, mut befallen) = (Stream::new(1, 1, Way::Down), Vec::new());
        for _ in 0..3 {
            let fate = stream.take(Bytes::from_static(b"+1\r\n"), &mut faults, &mut befallen);
            assert_eq!((fate, stream.holds()), (Fate::Steps(vec![]), true));
            let steps = stream.release(&mut faults, &mut befallen);
            assert_eq!((steps.len(), stream.holds()), (1, false));
        }
        assert_eq!(befallen, vec![]);
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let run = || {
            let mut faults = with(Fault::corrupt().chance(0.3));
            faults.set(Fault::truncate().chance(0.1));
            through(Way::Down, &mut faults, &["abcdefgh"; 500])
        };
        assert_eq!(run(), run());
        let befallen = run().2.len();
        assert!((150..250).contains(&befallen), "{befallen}");
    }
}
