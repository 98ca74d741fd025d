//! What this process heard of others: one inbox for the namespaces that it asked for something of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::bus::inbox::Inbox;
use everwarm_core::bus::spaces::Spaces;
use everwarm_core::clock::Instant;
use everwarm_core::mark::Mark;
use everwarm_core::store::{Message, Messages};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::config::Hear;
use crate::keys::{Kind, Layout, Shard, name_in};
use crate::met::Failovers;
use crate::teller::{Teller, Trust};
use crate::told::{self, Told};
use everwarm_network::waiters::Waiters;

/// Messages that wait to be taken in; who is behind by more has to take everything as changed.
const ROOM: usize = 4096;
/// Namespaces that one store hears of; with more than that it never knows that it heard everything.
const MOST: usize = 1024;

/// What this process heard.
pub(crate) struct Hearing {
    /// Who sends the messages of this process, and takes those of others.
    pub(crate) teller: Teller,
    pub(crate) layout: Layout,
    /// Whether the server tells of every change of a key.
    tracks: AtomicBool,
    spaces: RwLock<Spaces>,
    inbox: Mutex<Inbox>,
    failovers: Failovers,
    began: std::time::Instant,
    /// Who waits for the end of a lease.
    pub(crate) waiters: Waiters,
    /// Rings when a namespace is asked for the first time.
    pub(crate) added: Notify,
}

impl Hearing {
    /// Of a process that has asked for nothing yet.
    pub(crate) fn new(layout: Layout, trust: Trust, failovers: Failovers) -> Self {
        Self {
            teller: Teller::new(trust),
            layout,
            tracks: AtomicBool::new(false),
            spaces: RwLock::new(Spaces::new(layout.shards, MOST)),
            inbox: Mutex::new(Inbox::new(0, ROOM)),
            failovers,
            began: std::time::Instant::now(),
            waiters: Waiters::default(),
            added: Notify::new(),
        }
    }

    /// Hears of this namespace from here on; whether it did not before.
    pub(crate) fn attend(&self, space: &str) -> bool {
        if self.spaces.read().knows(space) {
            return false;
        }
        let is_new = self.spaces.write().attend(space, &mut self.inbox.lock());
        if is_new {
            self.added.notify_one();
        }
        is_new
    }

    /// The namespaces that are not listened to as yet.
    pub(crate) fn unheard(&self, subscribed: usize) -> Vec<Box<str>> {
        let spaces = self.spaces.read();
        spaces.unheard(subscribed).map(Box::from).collect()
    }

    /// Takes note that the first `count` namespaces are listened to.
    pub(crate) fn subscribed(&self, count: usize) {
        self.spaces.write().subscribed(count);
    }

    /// The namespaces that are listened to, or were.
    pub(crate) fn heard(&self) -> Vec<Box<str>> {
        self.spaces.read().heard().map(Box::from).collect()
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
        let told = Told::read(payload);
        if !self.teller.takes(space, told.as_ref()) {
            // What was refused was not sent by one of us; what comes in a form that is not known was, and is missed.
            if !self.teller.is_strict() {
                self.hear(Event::Overflow);
            }
            return;
        }
        let Some(told) = told else {
            return;
        };
        let Some(mark) = self.numbered(space, told.mark) else {
            return;
        };
        let is_own = *told.origin == *self.teller.origin();
        let message = (!is_own).then_some(told.message);
        self.take(|inbox| inbox.message(mark, message));
    }

    /// Takes in that a key was changed, by whomever.
    pub(crate) fn changed(&self, key: &[u8]) {
        if let Some(name) = name_in(key, Kind::Entry) {
            self.inbox.lock().unnumbered(Message::Key(name.into()));
        }
    }

    /// Takes note of the way in which others are heard.
    pub(crate) fn hears(&self, tracks: bool) {
        self.tracks.store(tracks, Ordering::Relaxed);
    }

    /// The way in which others are heard.
    pub(crate) fn way(&self) -> Hear {
        match self.tracks.load(Ordering::Relaxed) {
            true => Hear::Tracking,
            false => Hear::Messages,
        }
    }

    /// Takes in the reading of a shard that was asked for then.
    pub(crate) fn beat(&self, space: &str, at: Mark, asked: Instant) {
        if let Some(numbered) = self.numbered(space, at) {
            let begins = || Message::Begins {
                space: space.into(),
                at,
            };
            self.take(|inbox| inbox.beat(numbered, asked, begins));
        }
    }

    /// Takes in what is no message.
    pub(crate) fn hear(&self, event: Event) {
        self.take(|inbox| inbox.hear(event));
    }

    /// Has the inbox take something in, and counts the failovers that it tells of.
    fn take(&self, take: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox.lock();
        let before = inbox.failovers();
        take(&mut inbox);
        self.failovers.add(inbox.failovers() - before);
    }

    fn numbered(&self, space: &str, mark: Mark) -> Option<Mark> {
        self.spaces.read().numbered(space, mark)
    }

    pub(crate) fn change(&self) -> u64 {
        self.inbox.lock().change()
    }

    pub(crate) fn messages(&self, after: u64) -> Messages {
        self.inbox.lock().messages(after)
    }

    /// How long ago everything was known; never, before anything was asked for.
    pub(crate) fn silence(&self) -> Duration {
        if self.spaces.read().is_empty() {
            return Duration::MAX;
        }
        self.inbox.lock().silence(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::of_key;

    fn message(origin: &str, number: u64, what: &str) -> Vec<u8> {
        format!("1 {origin} 0 9 {number} {what}").into_bytes()
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
        let hearing = Hearing::new(Layout::ONE, Trust::default(), Failovers::default());
        assert!(hearing.attend(space) && !hearing.attend(space));
        hearing.beat(space, at(0), hearing.now());
        hearing
    }

    #[test]
    fn nothing_is_known_before_anything_is_asked_for() {
        let hearing = Hearing::new(Layout::ONE, Trust::default(), Failovers::default());
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
        hearing.take_in(
            "shop",
            &message(&hearing.teller.origin(), 1, &of_key("shop:own")),
        );
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
        hearing.take_in("shop", b"3 in another form");
        assert!(hearing.messages(after).gap);
    }
}
