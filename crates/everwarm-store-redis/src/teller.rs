//! Who tells: whose messages they are, and that only who has the key can have sent them.
//!
//! A server gives a message its number in the step that it tells of, and has no key. So what is authenticated is everything that the
//! sender knows: the namespace, the shard, the sender, the sender's own count, and what is told. A message that is refused is as good
//! as none: its number is missing then, and what is missing is asked for anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use everwarm_core::bus::mac::{CODE, Mac};
use everwarm_core::bus::replay::Replays;
use parking_lot::Mutex;

use crate::keys::Shard;
use crate::told::{AUTHENTICATED, PLAIN, Proof, Told};
use everwarm_network::chance;

/// What authenticates messages, once it is known; all processes that inherit a store have the same.
pub(crate) type Trust = Arc<OnceLock<Arc<dyn Mac>>>;

/// The messages of one process, and those of others as it takes them.
pub(crate) struct Teller {
    /// Part of what tells its own messages from those of others.
    origin: u64,
    trust: Trust,
    told: AtomicU64,
    replays: Mutex<Replays>,
    refused: AtomicU64,
}

impl Teller {
    /// One that has told nothing.
    pub(crate) fn new(trust: Trust) -> Self {
        Self {
            origin: chance::number(),
            trust,
            told: AtomicU64::new(0),
            replays: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Who sends the messages of this process: a forked child is somebody else.
    pub(crate) fn origin(&self) -> String {
        format!("{:x}.{:x}", self.origin, std::process::id())
    }

    /// What the messages of a shard begin with; the server adds the reading.
    pub(crate) fn heading(&self, shard: u16) -> String {
        let form = if self.trust.get().is_some() {
            AUTHENTICATED
        } else {
            PLAIN
        };
        format!("{form} {} {shard}", self.origin())
    }

    /// What is told of something in a shard.
    pub(crate) fn says(&self, shard: &Shard, what: String) -> String {
        let Some(mac) = self.trust.get() else {
            return what;
        };
        let count = self.told.fetch_add(1, Ordering::Relaxed) + 1;
        let (origin, number) = (self.origin(), shard.number.to_string());
        let count = shown(count);
        let code = mac.code(&parts(&shard.space, (&origin, &number), (&count, &what)));
        let code = u128::from_be_bytes(code);
        format!("{count} {code:032x} {what}")
    }

    /// Whether a message counts. Where messages are authenticated, others are refused and counted.
    pub(crate) fn takes(&self, space: &str, told: Option<&Told<'_>>) -> bool {
        let Some(mac) = self.trust.get() else {
            return told.is_some_and(|told| told.proof.is_none());
        };
        let is_true = told.is_some_and(|told| self.is_true(&**mac, space, told));
        if !is_true {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_true
    }

    fn is_true(&self, mac: &dyn Mac, space: &str, told: &Told<'_>) -> bool {
        let Some(Proof { count, code }) = &told.proof else {
            return false;
        };
        let (shard, shown) = (told.mark.shard.to_string(), shown(*count));
        let parts = parts(space, (told.origin, &shard), (&shown, told.what));
        mac.is_code(&parts, code) && self.replays.lock().is_first(told.origin, *count)
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

/// What is authenticated of a message.
fn parts<'a>(
    space: &'a str,
    (origin, shard): (&'a str, &'a str),
    (count, what): (&'a str, &'a str),
) -> [&'a [u8]; 5] {
    [space, origin, shard, count, what].map(str::as_bytes)
}

/// The code that is written in these digits.
pub(crate) fn code_in(digits: &str) -> Option<[u8; CODE]> {
    let number = u128::from_str_radix(digits, 16).ok()?;
    (digits.len() == 2 * CODE).then(|| number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Layout;

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

    fn trusting() -> Teller {
        let trust = Trust::default();
        assert!(trust.set(Arc::new(Sum)).is_ok());
        Teller::new(trust)
    }

    fn sent(teller: &Teller, number: u64, what: &str) -> String {
        let shard = Layout::ONE.shard("shop", 0);
        format!(
            "{} 9 {number} {}",
            teller.heading(0),
            teller.says(&shard, what.into())
        )
    }

    fn takes(teller: &Teller, space: &str, payload: &str) -> bool {
        teller.takes(space, Told::read(payload.as_bytes()).as_ref())
    }

    #[test]
    fn what_was_sent_by_one_of_us_counts_once() {
        let (one, other) = (trusting(), trusting());
        let (first, second) = (sent(&one, 1, "Kshop:a"), sent(&one, 2, "Kshop:b c"));
        assert!(takes(&other, "shop", &second) && takes(&other, "shop", &first));
        assert_eq!(other.refused(), 0);
        assert!(!takes(&other, "shop", &first), "a replay");
        let moved = first.replace(" 9 1 ", " 9 3 ");
        assert!(
            !takes(&other, "shop", &moved),
            "a replay under another number"
        );
        assert_eq!(other.refused(), 2);
    }

    #[test]
    fn what_was_changed_or_made_up_does_not_count() {
        let (one, other) = (trusting(), trusting());
        let true_one = sent(&one, 1, "Kshop:a");
        let digit = |at: usize| {
            let mut forged = true_one.clone();
            let other = if &forged[at..=at] == "0" { "1" } else { "0" };
            forged.replace_range(at..=at, other);
            forged
        };
        let code = true_one.len() - "Kshop:a".len() - 2;
        let forged = [
            true_one.replace("Kshop:a", "Kshop:b"),
            true_one.replace("Kshop:a", "Cshop:a"),
            true_one.replace(" 0 9 ", " 1 9 "),
            true_one.replacen(&one.origin(), &other.origin(), 1),
            digit(code),
            "1 o 0 9 1 Kshop:a".to_owned(),
            "anything".to_owned(),
        ];
        for payload in &forged {
            assert!(!takes(&other, "shop", payload), "{payload}");
        }
        assert!(!takes(&other, "office", &true_one), "of another namespace");
        assert_eq!(other.refused(), forged.len() as u64 + 1);
        assert!(takes(&other, "shop", &true_one));
    }

    #[test]
    fn who_has_no_key_takes_no_message_that_it_cannot_check() {
        let plain = Teller::new(Trust::default());
        assert!(!takes(&plain, "shop", &sent(&trusting(), 1, "Kshop:a")));
        assert!(takes(
            &plain,
            "shop",
            &sent(&Teller::new(Trust::default()), 1, "Kshop:a")
        ));
        assert_eq!(plain.refused(), 0);
    }
}
