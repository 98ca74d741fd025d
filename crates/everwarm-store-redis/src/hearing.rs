//! What this process heard of others: one inbox for the namespaces that it asked for something of.
//!
//! Whoever needs to hear of a namespace has asked for something of it before. So each is listened to from its first verb on, and what
//! came before that is a gap, as for all who begin.

use std::collections::HashMap;
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::bus::inbox::Inbox;
use everwarm_core::clock::Instant;
use everwarm_core::mark::Mark;
use everwarm_core::store::Messages;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::chance;
use crate::keys::{Layout, Shard};
use crate::told::{self, Told};
use crate::waiters::Waiters;

/// Messages that wait to be taken in; who is behind by more has to take everything as changed.
const ROOM: usize = 4096;
/// Namespaces that one store hears of; with more than that it never knows that it heard everything.
const MOST: usize = 1024;

/// What this process heard.
pub(crate) struct Hearing {
    /// Part of what tells its own messages from those of others.
    origin: u64,
    layout: Layout,
    spaces: RwLock<Spaces>,
    inbox: Mutex<Inbox>,
    began: std::time::Instant,
    /// Who waits for the end of a lease.
    pub(crate) waiters: Waiters,
    /// Rings when a namespace is asked for the first time.
    pub(crate) added: Notify,
}

#[derive(Default)]
struct Spaces {
    numbers: HashMap<Box<str>, usize>,
    names: Vec<Box<str>>,
    /// How many of them are listened to.
    heard: usize,
}

impl Hearing {
    /// Of a process that has asked for nothing yet.
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            origin: chance::number(),
            layout,
            spaces: RwLock::default(),
            inbox: Mutex::new(Inbox::new(0, ROOM)),
            began: std::time::Instant::now(),
            waiters: Waiters::default(),
            added: Notify::new(),
        }
    }

    /// Who sends the messages of this process: a forked child is somebody else.
    pub(crate) fn origin(&self) -> String {
        format!("{:x}.{:x}", self.origin, std::process::id())
    }

    /// Hears of this namespace from here on; whether it did not before.
    pub(crate) fn attend(&self, space: &str) -> bool {
        if self.spaces.read().numbers.contains_key(space) {
            return false;
        }
        let mut spaces = self.spaces.write();
        let number = spaces.names.len();
        if number > MOST || spaces.numbers.contains_key(space) {
            return false;
        }
        // Before anything is heard of it: until then not everything is.
        self.inbox.lock().widen(usize::from(self.layout.shards));
        if number < MOST {
            spaces.numbers.insert(space.into(), number);
        }
        spaces.names.push(space.into());
        drop(spaces);
        self.added.notify_one();
        true
    }

    /// The namespaces that are not listened to as yet.
    pub(crate) fn unheard(&self, subscribed: usize) -> Vec<Box<str>> {
        let spaces = self.spaces.read();
        let names = spaces.names.iter().take(MOST);
        names.skip(subscribed).cloned().collect()
    }

    /// Takes note that the first `count` namespaces are listened to.
    pub(crate) fn subscribed(&self, count: usize) {
        let mut spaces = self.spaces.write();
        spaces.heard = spaces.heard.max(count);
    }

    /// The namespaces that are listened to, or were.
    pub(crate) fn heard(&self) -> Vec<Box<str>> {
        let spaces = self.spaces.read();
        spaces.names[..spaces.heard].to_vec()
    }

    /// The shards of a namespace.
    pub(crate) fn shards(&self, space: &str) -> impl Iterator<Item = Shard> {
        (0..self.layout.shards).map(|number| self.layout.shard(space, number))
    }

    /// The time, as far as silence is measured by it.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO.after(self.began.elapsed())
    }

    /// Takes in a message of a namespace.
    pub(crate) fn take_in(&self, space: &str, payload: &[u8]) {
        if let Some(name) = told::freed(payload) {
            return self.waiters.wake(name);
        }
        let Some(told) = Told::read(payload) else {
            return self.hear(Event::Overflow);
        };
        let Some(mark) = self.numbered(space, told.mark) else {
            return;
        };
        let is_own = *told.origin == *self.origin();
        let message = (!is_own).then_some(told.message);
        self.inbox.lock().message(mark, message);
    }

    /// Takes in the reading of a shard that was asked for then.
    pub(crate) fn beat(&self, space: &str, at: Mark, asked: Instant) {
        if let Some(at) = self.numbered(space, at) {
            self.hear(Event::Beat { at, asked });
        }
    }

    /// Takes in what is no message.
    pub(crate) fn hear(&self, event: Event) {
        self.inbox.lock().hear(event);
    }

    /// A reading by the number that the inbox knows its shard by: those of all namespaces are different ones there.
    fn numbered(&self, space: &str, mark: Mark) -> Option<Mark> {
        let number = *self.spaces.read().numbers.get(space)?;
        let shards = usize::from(self.layout.shards);
        let within = usize::from(mark.shard);
        let shard = (within < shards).then(|| number * shards + within)?;
        Some(Mark {
            shard: u16::try_from(shard).ok()?,
            ..mark
        })
    }

    pub(crate) fn change(&self) -> u64 {
        self.inbox.lock().change()
    }

    pub(crate) fn messages(&self, after: u64) -> Messages {
        self.inbox.lock().messages(after)
    }

    pub(crate) fn failovers(&self) -> u64 {
        self.inbox.lock().failovers()
    }

    /// How long ago everything was known; never, before anything was asked for.
    pub(crate) fn silence(&self) -> Duration {
        if self.spaces.read().names.is_empty() {
            return Duration::MAX;
        }
        self.inbox.lock().silence(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::{heading, of_key};

    fn message(origin: &str, number: u64, what: &str) -> Vec<u8> {
        format!("{} 9 {number} {what}", heading(origin, 0)).into_bytes()
    }

    fn at(number: u64) -> Mark {
        Mark {
            shard: 0,
            epoch: 9,
            number,
        }
    }

    /// One that heard the beginning of a namespace.
    fn attending(space: &str) -> Hearing {
        let hearing = Hearing::new(Layout::ONE);
        assert!(hearing.attend(space) && !hearing.attend(space));
        hearing.beat(space, at(0), hearing.now());
        hearing
    }

    #[test]
    fn nothing_is_known_before_anything_is_asked_for() {
        let hearing = Hearing::new(Layout::ONE);
        assert_eq!(hearing.silence(), Duration::MAX);
        hearing.attend("shop");
        assert_eq!(hearing.silence(), Duration::MAX);
        hearing.beat("shop", at(0), hearing.now());
        assert!(hearing.silence() < Duration::MAX);
        hearing.attend("office");
        assert_eq!(hearing.silence(), Duration::MAX);
    }

    #[test]
    fn ones_own_messages_count_and_are_left_out() {
        let hearing = attending("shop");
        let after = hearing.change();
        hearing.take_in("shop", &message(&hearing.origin(), 1, &of_key("shop:own")));
        hearing.take_in("shop", &message("other", 2, &of_key("shop:theirs")));
        let heard = hearing.messages(after);
        let expected = everwarm_core::store::Message::Key("shop:theirs".into());
        assert_eq!((heard.messages, heard.gap), (vec![expected], false));
    }

    #[test]
    fn namespaces_are_counted_apart() {
        let hearing = attending("shop");
        hearing.attend("office");
        hearing.beat("office", at(70), hearing.now());
        let after = hearing.messages(0).up_to;
        hearing.take_in("shop", &message("other", 1, &of_key("shop:a")));
        hearing.take_in("office", &message("other", 71, &of_key("office:a")));
        hearing.take_in("elsewhere", &message("other", 5, &of_key("elsewhere:a")));
        let heard = hearing.messages(after);
        assert_eq!((heard.messages.len(), heard.gap), (2, false));
    }

    #[test]
    fn what_cannot_be_read_was_missed() {
        let hearing = attending("shop");
        let after = hearing.messages(0).up_to;
        hearing.take_in("shop", b"2 in another form");
        assert!(hearing.messages(after).gap);
    }
}
