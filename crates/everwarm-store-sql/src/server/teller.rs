//! Who tells: whose messages they are, and that only who has the key can have sent them.
//!
//! Everything that the sender knows is authenticated: the tables, the sender, the sender's own count, and what is told. The marker of
//! an invalidated tag is put behind it by the database, which has no key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use everwarm_core::bus::mac::{CODE, Mac};
use everwarm_core::bus::replay::Replays;
use parking_lot::Mutex;

use crate::server::told::{AUTHENTICATED, PLAIN, Proof, Told, digits};
use everwarm_network::chance;

/// What authenticates messages, once it is known; all processes that inherit a store have the same.
pub(crate) type Trust = Arc<OnceLock<Arc<dyn Mac>>>;

/// The messages of one process, and those of others as it takes them.
pub(crate) struct Teller {
    /// Which tables are told of.
    pub(crate) channel: String,
    /// What tells its own messages from those of others.
    origin: String,
    trust: Trust,
    told: AtomicU64,
    replays: Mutex<Replays>,
    refused: AtomicU64,
}

impl Teller {
    /// One that has told nothing.
    pub(crate) fn new(channel: String, trust: Trust) -> Self {
        Self {
            channel,
            origin: format!("{:x}", chance::bigint()),
            trust,
            told: AtomicU64::new(0),
            replays: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// The message that tells this.
    pub(crate) fn says(&self, what: &str) -> String {
        let origin = &self.origin;
        let Some(mac) = self.trust.get() else {
            return format!("{PLAIN} {origin} {what}");
        };
        let count = shown(self.told.fetch_add(1, Ordering::Relaxed) + 1);
        let code: [u8; CODE] = mac.code(&self.parts(origin, &count, what));
        format!("{AUTHENTICATED} {origin} {count} {} {what}", digits(&code))
    }

    /// Whether a message counts. Where messages are authenticated, others are refused and counted.
    pub(crate) fn takes(&self, told: Option<&Told<'_>>) -> bool {
        let Some(mac) = self.trust.get() else {
            return told.is_some_and(|told| told.proof.is_none());
        };
        let is_true = told.is_some_and(|told| self.is_true(&**mac, told));
        if !is_true {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_true
    }

    /// Whether this very process told it.
    pub(crate) fn is_own(&self, told: &Told<'_>) -> bool {
        told.origin == self.origin
    }

    fn is_true(&self, mac: &dyn Mac, told: &Told<'_>) -> bool {
        let Some(Proof { count, code }) = &told.proof else {
            return false;
        };
        mac.is_code(&self.parts(told.origin, &shown(*count), told.what), code)
            && self.replays.lock().is_first(told.origin, *count)
    }

    /// What is authenticated of a message.
    fn parts<'a>(&'a self, origin: &'a str, count: &'a str, what: &'a str) -> [&'a [u8]; 4] {
        [&self.channel, origin, count, what].map(str::as_bytes)
    }

    /// Whether messages are authenticated.
    pub(crate) fn is_strict(&self) -> bool {
        self.trust.get().is_some()
    }

    /// How many messages were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

fn shown(count: u64) -> String {
    format!("{count:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum that shows every change of a byte, which is all that these tests need.
    struct Sum;

    impl Mac for Sum {
        fn code(&self, parts: &[&[u8]]) -> [u8; CODE] {
            let bytes = parts.iter().flat_map(|part| part.iter().chain(b"|"));
            let mix =
                |sum: u128, byte: &u8| (sum ^ u128::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            bytes.fold(7, mix).to_be_bytes()
        }

        fn is_code(&self, parts: &[&[u8]], code: &[u8]) -> bool {
            self.code(parts) == code
        }
    }

    fn trusting(channel: &str) -> Teller {
        let trust = Trust::default();
        assert!(trust.set(Arc::new(Sum)).is_ok());
        Teller::new(channel.to_owned(), trust)
    }

    fn takes(teller: &Teller, payload: &str) -> bool {
        teller.takes(Told::read(payload).as_ref())
    }

    #[test]
    fn what_was_sent_by_one_of_us_counts_once() {
        let (one, other) = (trusting("c"), trusting("c"));
        let (first, second) = (one.says("K61"), one.says("K62"));
        assert!(takes(&other, &second) && takes(&other, &first));
        assert_eq!(other.refused(), 0);
        assert!(!takes(&other, &first), "a replay");
        assert_eq!(other.refused(), 1);
    }

    #[test]
    fn what_was_changed_or_made_up_does_not_count() {
        let (one, other) = (trusting("c"), trusting("c"));
        let true_one = one.says("K61");
        let forged = [
            true_one.replace("K61", "K62"),
            true_one.replace("K61", "C61"),
            true_one.replacen(&one.origin, &other.origin, 1),
            "1 o K61".to_owned(),
            "anything".to_owned(),
        ];
        for payload in &forged {
            assert!(!takes(&other, payload), "{payload}");
        }
        assert_eq!(other.refused(), forged.len() as u64);
        assert!(!takes(&trusting("of other tables"), &true_one));
        assert!(takes(&other, &true_one));
    }

    #[test]
    fn who_has_no_key_takes_no_message_that_it_cannot_check() {
        let plain = Teller::new("c".to_owned(), Trust::default());
        assert!(!takes(&plain, &trusting("c").says("K61")));
        let other = Teller::new("c".to_owned(), Trust::default());
        assert!(takes(&plain, &other.says("K61")));
        assert_eq!(plain.refused(), 0);
    }
}
