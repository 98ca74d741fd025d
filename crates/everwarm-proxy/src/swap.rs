//! Two replies that follow each other change places.

use bytes::{Bytes, BytesMut};

use crate::frames::Frames;

/// The replies of one connection, one of which may be held until the next is there.
#[derive(Debug, Default)]
pub(crate) struct Swap {
    frames: Frames,
    /// A reply that is to change places with the next, and what there is of that one.
    held: BytesMut,
    /// Where in `held` the first reply ends.
    first: usize,
}

impl Swap {
    /// Whether a reply is held.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// What goes on of the next bytes, and how many pairs have changed places. `wants` says of a reply whether it is to, and is
    /// asked once for each.
    pub(crate) fn take(&mut self, chunk: Bytes, mut wants: impl FnMut() -> bool) -> (Bytes, u64) {
        let before = self.held.len();
        // Where the reply begins that is next: unknown while one is passing that began earlier.
        let mut start = if self.holds() {
            Some(before)
        } else {
            self.frames.at_start().then_some(0)
        };
        let ends = self.frames.feed(&chunk);
        if start.is_none() && ends.is_empty() {
            return (chunk, 0);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(&chunk);
        let (mut out, mut pairs) = (BytesMut::with_capacity(all.len()), 0);
        // The reply that waits for the next one, as a range of `all`.
        let mut waits = (before > 0).then_some((0, self.first));
        let mut done = 0;
        for frame in ends {
            let end = before + frame.end;
            if let Some((from, to)) = waits.take_if(|_| !frame.push) {
                out.extend_from_slice(&all[to..end]);
                out.extend_from_slice(&all[from..to]);
                pairs += 1;
            } else if let Some(from) = start.filter(|_| waits.is_none() && !frame.push && wants()) {
                out.extend_from_slice(&all[done..from]);
                waits = Some((from, end));
            } else if waits.is_none() {
                out.extend_from_slice(&all[done..end]);
            }
            (done, start) = (end, Some(end));
        }
        match waits {
            Some((from, to)) => {
                self.first = to - from;
                self.held = all.split_off(from);
            }
            None => out.extend_from_slice(&all[done..]),
        }
        (out.freeze(), pairs)
    }

    /// What was held, in its own order.
    pub(crate) fn release(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "$1\r\n1\r\n";
    const TWO: &str = "*1\r\n+2\r\n";
    const THREE: &str = "+3\r\n";
    const PUSH: &str = ">1\r\n+p\r\n";

    /// What comes out when `text` is fed in pieces of `size`, with so many swaps wanted.
    fn swapped(text: &str, size: usize, mut wanted: u32) -> (String, u64) {
        let (mut swap, mut out, mut pairs) = (Swap::default(), Vec::new(), 0);
        for piece in text.as_bytes().chunks(size) {
            let wants = || {
                let wants = wanted > 0;
                wanted -= u32::from(wants);
                wants
            };
            let (bytes, done) = swap.take(Bytes::copy_from_slice(piece), wants);
            out.extend_from_slice(&bytes);
            pairs += done;
        }
        out.extend_from_slice(&swap.release());
        (String::from_utf8(out).unwrap(), pairs)
    }

    #[test]
    fn nothing_is_wanted_and_nothing_changes() {
        let text = [ONE, TWO, PUSH, THREE].concat();
        for size in 1..=text.len() {
            assert_eq!(swapped(&text, size, 0), (text.clone(), 0));
        }
    }

    #[test]
    fn a_pair_changes_places_when_both_are_whole() {
        let text = [ONE, TWO, THREE].concat();
        // A reply whose begin has gone on cannot be held: the first piece has to have it whole.
        for size in ONE.len()..=text.len() {
            assert_eq!(
                swapped(&text, size, 1),
                ([TWO, ONE, THREE].concat(), 1),
                "by {size}"
            );
        }
    }

    #[test]
    fn pushes_keep_their_place_among_pairs() {
        let (out, pairs) = swapped(&[ONE, PUSH, TWO].concat(), 100, 1);
        assert_eq!((out, pairs), ([PUSH, TWO, ONE].concat(), 1));
        assert_eq!(
            swapped(&[PUSH, ONE].concat(), 100, 1),
            ([PUSH, ONE].concat(), 0)
        );
    }

    #[test]
    fn a_reply_that_stays_alone_is_released() {
        assert_eq!(swapped(ONE, 100, 1), (ONE.to_owned(), 0));
        let half = format!("{ONE}*1\r\n");
        assert_eq!(swapped(&half, 100, 1), (half.clone(), 0));
    }

    #[test]
    fn what_is_not_redis_passes() {
        let text = "HTTP/1.1 200 OK\r\n\r\nbody";
        for size in [1, 7, 100] {
            assert_eq!(swapped(text, size, 1), (text.to_owned(), 0));
        }
    }
}
