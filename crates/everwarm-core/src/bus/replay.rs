//! Replays: messages that came before, and are sent again by somebody who heard them.
//!
//! Each sender numbers its own messages. They may overtake each other on their way, so the last numbers of each sender are
//! remembered; what is older than those counts as a replay. Of a sender that was never heard, any number is the first.

use std::collections::HashMap;

/// How many senders are remembered; who was heard the longest time ago goes first.
pub const SENDERS: usize = 4_096;

/// How many numbers of a sender are told apart: more than its threads can be apart that tell at once.
pub const WINDOW: u64 = 2_048;

/// The numbers of a window, each a bit.
const WORDS: usize = (WINDOW / 64) as usize;

/// Which messages were heard.
///
/// ```
/// use everwarm_core::bus::replay::Replays;
///
/// let mut replays = Replays::default();
/// assert!(replays.is_first("one", 1) && replays.is_first("one", 3));
/// assert!(replays.is_first("one", 2) && !replays.is_first("one", 2));
/// assert!(replays.is_first("other", 2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Replays {
    senders: HashMap<Box<str>, Sender>,
    heard: u64,
}

#[derive(Clone, Debug)]
struct Sender {
    highest: u64,
    /// Which of the numbers in the window that ends with the highest were heard; each has its place for ever, as in RFC 6479.
    seen: Box<[u64; WORDS]>,
    /// When it was heard, among all messages.
    heard: u64,
}

impl Replays {
    /// Whether this sender's message was not heard before; it was from here on.
    pub fn is_first(&mut self, sender: &str, number: u64) -> bool {
        self.heard += 1;
        if let Some(known) = self.senders.get_mut(sender) {
            known.heard = self.heard;
            return known.is_first(number);
        }
        self.make_room();
        let mut known = Sender {
            highest: number,
            seen: Box::new([0; WORDS]),
            heard: self.heard,
        };
        let is_first = known.is_first(number);
        self.senders.insert(sender.into(), known);
        is_first
    }

    fn make_room(&mut self) {
        if self.senders.len() < SENDERS {
            return;
        }
        let oldest = self.senders.iter().min_by_key(|(_, sender)| sender.heard);
        if let Some((name, _)) = oldest {
            let name = name.clone();
            self.senders.remove(&name);
        }
    }
}

impl Sender {
    fn is_first(&mut self, number: u64) -> bool {
        if self.highest.saturating_sub(number) >= WINDOW {
            return false;
        }
        if number.saturating_sub(self.highest) >= WINDOW {
            *self.seen = [0; WORDS];
        } else {
            // The places of those that leave the window are those of the ones that come.
            for before in self.highest..number {
                let (word, bit) = place(before + 1);
                self.seen[word] &= !bit;
            }
        }
        self.highest = self.highest.max(number);
        let (word, bit) = place(number);
        let is_first = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        is_first
    }
}

/// Where a number is noted.
const fn place(number: u64) -> (usize, u64) {
    let at = number % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_first_once_in_any_order_within_the_window() {
        let mut replays = Replays::default();
        let numbers = || (1..=WINDOW).rev().chain([WINDOW + 300, WINDOW + 299]);
        assert!(numbers().all(|number| replays.is_first("a", number)));
        assert!(numbers().all(|number| !replays.is_first("a", number)));
    }

    #[test]
    fn what_is_too_old_counts_as_a_replay() {
        let mut replays = Replays::default();
        assert!(replays.is_first("a", 5_000));
        assert!(replays.is_first("a", 5_001 - WINDOW));
        assert!(!replays.is_first("a", 5_000 - WINDOW));
    }

    #[test]
    fn senders_are_bounded() {
        let mut replays = Replays::default();
        for sender in 0..SENDERS + 10 {
            replays.is_first(&sender.to_string(), 1);
            assert!(!replays.is_first("spoken to", 1) || sender == 0);
        }
        assert_eq!(replays.senders.len(), SENDERS);
    }
}
