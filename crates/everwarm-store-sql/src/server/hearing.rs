//! What a process heard, until it looks at it.
//!
//! Messages come in the order in which their steps became visible: PostgreSQL sends them on one connection, and none of them is lost while
//! that lasts; from tables they are read by their numbers. What was done before this process listened was missed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use everwarm_core::store::{Message, Messages};
use parking_lot::Mutex;

use crate::server::teller::{Teller, Trust};
use crate::server::told::{self, Told};
use everwarm_network::waiters::Waiters;

/// Messages that wait to be taken in; who is behind by more has to take everything as changed.
const ROOM: usize = 4096;

/// What this process heard.
pub(crate) struct Hearing {
    /// Who sends the messages of this process, and takes those of others.
    pub(crate) teller: Teller,
    inbox: Mutex<Inbox>,
    /// Who waits for the end of a lease.
    pub(crate) waiters: Waiters,
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<(u64, Message)>,
    /// Counts messages and gaps.
    count: u64,
    gap_at: u64,
    /// Up to which moment everything was heard; `None` while nothing is.
    confirmed: Option<Instant>,
}

impl Inbox {
    fn gap(&mut self) {
        self.messages.clear();
        self.count += 1;
        self.gap_at = self.count;
    }
}

impl Hearing {
    /// Of a process that has asked for nothing yet.
    pub(crate) fn new(channel: String, trust: Trust) -> Self {
        Self {
            teller: Teller::new(channel, trust),
            inbox: Mutex::default(),
            waiters: Waiters::default(),
        }
    }

    /// Takes note that it listens since before then: what was done until now was missed.
    pub(crate) fn begins(&self, asked: Instant) {
        let mut inbox = self.inbox.lock();
        inbox.gap();
        inbox.confirmed = Some(asked);
    }

    /// Takes note that everything that was done before then has come.
    pub(crate) fn beat(&self, asked: Instant) {
        self.inbox.lock().confirmed = Some(asked);
    }

    /// Takes note that it listens no more.
    pub(crate) fn ended(&self) {
        self.inbox.lock().confirmed = None;
    }

    /// Takes in what came.
    pub(crate) fn take_in(&self, payload: &str) {
        if let Some(name) = told::freed(payload) {
            return self.waiters.wake(&name);
        }
        let told = Told::read(payload);
        if !self.teller.takes(told.as_ref()) {
            // What was refused was not sent by one of us; what comes in a form that is not known was, and is missed.
            if !self.teller.is_strict() {
                self.inbox.lock().gap();
            }
            return;
        }
        let Some(told) = told else {
            return;
        };
        match &told.message {
            Message::Key(name) => self.waiters.wake(name),
            Message::Clear(prefix) => self.waiters.wake_all(prefix),
            Message::Tag { .. } | Message::Begins { .. } => {}
        }
        if self.teller.is_own(&told) {
            return;
        }
        let mut inbox = self.inbox.lock();
        if inbox.messages.len() >= ROOM {
            inbox.gap();
        }
        inbox.count += 1;
        let count = inbox.count;
        inbox.messages.push_back((count, told.message));
    }

    /// Whether others are heard.
    pub(crate) fn hears(&self) -> bool {
        self.inbox.lock().confirmed.is_some()
    }

    pub(crate) fn change(&self) -> u64 {
        self.inbox.lock().count
    }

    pub(crate) fn messages(&self, after: u64) -> Messages {
        let mut inbox = self.inbox.lock();
        inbox.messages.retain(|(number, _)| *number > after);
        let messages = inbox.messages.iter();
        Messages {
            messages: messages.map(|(_, message)| message.clone()).collect(),
            up_to: inbox.count,
            gap: inbox.gap_at > after,
        }
    }

    /// How long ago everything was known; [`Duration::MAX`] while nothing is heard.
    pub(crate) fn silence(&self) -> Duration {
        let confirmed = self.inbox.lock().confirmed;
        confirmed.map_or(Duration::MAX, |confirmed| confirmed.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing() -> Hearing {
        Hearing::new("c".to_owned(), Trust::default())
    }

    #[test]
    fn a_beginning_is_a_gap_and_what_comes_then_is_told_once() {
        let (hearing, other) = (hearing(), hearing());
        assert_eq!((hearing.change(), hearing.silence()), (0, Duration::MAX));
        hearing.begins(Instant::now());
        let begun = hearing.messages(0);
        assert!(begun.gap && begun.messages.is_empty() && hearing.hears());
        hearing.take_in(&other.teller.says(&told::of_key("shop:theirs")));
        hearing.take_in(&hearing.teller.says(&told::of_key("shop:own")));
        let heard = hearing.messages(begun.up_to);
        let expected = Message::Key("shop:theirs".into());
        assert_eq!((heard.messages, heard.gap), (vec![expected], false));
        let again = hearing.messages(heard.up_to);
        assert!(again.messages.is_empty() && !again.gap && hearing.change() == again.up_to);
    }

    #[test]
    fn what_cannot_be_read_or_has_no_room_was_missed() {
        let (hearing, other) = (hearing(), hearing());
        let after = hearing.messages(0).up_to;
        hearing.take_in("3 in another form");
        let heard = hearing.messages(after);
        assert!(heard.gap);
        for _ in 0..=ROOM {
            hearing.take_in(&other.teller.says(&told::of_key("shop:a")));
        }
        let heard = hearing.messages(heard.up_to);
        assert!(heard.gap && heard.messages.len() == 1);
    }
}
