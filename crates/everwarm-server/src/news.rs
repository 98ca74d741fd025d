//! What clients did, told to each of them but the one that did it; and what others did to the store past this server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Failure, Message, Messages, Notify, Store};
use everwarm_store_http::contract::bodies::News as Told;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turns, Notify as Bell};
use tokio::time::Instant;

/// Messages that are remembered; who is behind by more is told of a gap.
const ROOM: usize = 4096;
/// How often a store is looked at while somebody listens.
const LOOK: Duration = Duration::from_millis(50);
/// Names that begin so are locks and the like, of which no memory holds anything.
const PRIVATE: char = '!';

/// Who did something: a client by its number, or somebody past this server.
type Origin = u64;
const OTHERS: Origin = 0;

/// The messages of one run of a server.
#[derive(Debug, Default)]
pub(crate) struct News {
    log: Mutex<Log>,
    bell: Bell,
    /// Up to where the store's own messages were taken in.
    seen: Turns<Option<u64>>,
    /// Nobody is to wait any longer.
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Log {
    /// `None`: something is not known.
    entries: VecDeque<(Origin, Option<Message>)>,
    /// The number of the last one.
    last: u64,
}

impl Log {
    fn add(&mut self, origin: Origin, message: Option<Message>) {
        if self.entries.len() == ROOM {
            self.entries.pop_front();
        }
        self.entries.push_back((origin, message));
        self.last += 1;
    }

    /// What was told after `after`, but for what the one who asks did.
    fn after(&self, after: u64, who: Origin) -> Messages {
        let behind = self.last.checked_sub(after);
        let behind = behind.and_then(|behind| usize::try_from(behind).ok());
        let new = behind.filter(|&new| new <= self.entries.len());
        let mut told = Messages {
            messages: Vec::new(),
            up_to: self.last,
            gap: new.is_none(),
        };
        let from = self.entries.len() - new.unwrap_or(0);
        for (origin, message) in self.entries.range(from..) {
            match message {
                // What came before is not told after it.
                None => (told.gap, told.messages) = (true, Vec::new()),
                Some(message) if *origin != who => told.messages.push(message.clone()),
                Some(_) => {}
            }
        }
        told
    }
}

impl News {
    /// Tells of what a client did.
    pub(crate) fn tell(&self, who: Origin, messages: impl IntoIterator<Item = Message>) {
        let mut log = self.log.lock();
        for message in messages {
            log.add(who, Some(message));
        }
        drop(log);
        self.bell.notify_waiters();
    }

    /// Tells of names that were set by hand, or deleted.
    pub(crate) fn names<'n>(&self, who: Origin, names: impl IntoIterator<Item = &'n str>) {
        let names = names.into_iter().filter(|name| !name.starts_with(PRIVATE));
        self.tell(who, names.map(|name| Message::Key(name.into())));
    }

    /// Tells of tags that were invalidated, or that it is not known whether they were.
    pub(crate) fn tags(
        &self,
        who: Origin,
        (namespace, tags): (&str, &[Tag]),
        reading: Result<&Reading, &Failure>,
    ) {
        let markers = reading.map_or(&[][..], |reading| &reading.markers);
        let known: Option<Vec<_>> = markers.iter().copied().collect();
        let known = known.filter(|known| known.len() == tags.len());
        let Some(known) = known else {
            return self.unknown();
        };
        let told = tags.iter().zip(known).map(|(&tag, marker)| Message::Tag {
            namespace: namespace.into(),
            tag,
            marker,
        });
        self.tell(who, told);
    }

    /// Sends all who wait away.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.bell.notify_waiters();
    }

    fn unknown(&self) {
        self.log.lock().add(OTHERS, None);
        self.bell.notify_waiters();
    }

    /// Takes in what others did to the store.
    async fn relay(&self, notify: &dyn Notify) -> Result<(), Failure> {
        let mut seen = self.seen.lock().await;
        let change = notify.change();
        let Some(after) = *seen else {
            // What was done before the first look is nobody's news.
            *seen = Some(change);
            return Ok(());
        };
        if change == after {
            return Ok(());
        }
        let told = notify.messages(after).await?;
        *seen = Some(told.up_to);
        if told.gap {
            self.unknown();
        }
        if !told.messages.is_empty() {
            self.tell(OTHERS, told.messages);
        }
        Ok(())
    }

    /// What was done since `after`, which is now if it is not known yet.
    fn since(&self, after: &mut Option<u64>, who: Origin) -> Messages {
        let log = self.log.lock();
        log.after(*after.get_or_insert(log.last), who)
    }

    /// What was done since `after`, waited for; all of it, if it is `None`, was before.
    pub(crate) async fn told(
        &self,
        store: &Arc<dyn Store>,
        who: Origin,
        (mut after, wait): (Option<u64>, Duration),
    ) -> Result<Told, Failure> {
        let Some(notify) = store.notify() else {
            return Ok(Told::default());
        };
        let until = Instant::now() + wait;
        loop {
            // Before it is looked at, so that nothing that comes between is missed.
            let rings = self.bell.notified();
            // What is known by now is in the messages that are taken after.
            let silence = notify.silence();
            self.relay(notify).await?;
            let told = self.since(&mut after, who);
            let is_over = self.is_over.load(Ordering::Relaxed) || Instant::now() >= until;
            if is_over || told.gap || !told.messages.is_empty() {
                return Ok(Told {
                    told,
                    silence: (silence != Duration::MAX).then_some(silence),
                    failovers: notify.failovers(),
                });
            }
            let next = until.min(Instant::now() + LOOK);
            // Either is a reason to look.
            drop(tokio::time::timeout_at(next, rings).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Message {
        Message::Key(text.into())
    }

    #[test]
    fn each_is_told_what_others_did_once() {
        let news = News::default();
        news.names(1, ["a", "!lock"]);
        news.names(2, ["b"]);
        let after = |after, who| news.log.lock().after(after, who);
        assert_eq!(after(0, 1).messages, [key("b")]);
        assert_eq!(after(0, 3).messages, [key("a"), key("b")]);
        let told = after(2, 3);
        assert_eq!((told.messages, told.up_to, told.gap), (vec![], 2, false));
    }

    #[test]
    fn who_is_far_behind_or_of_another_run_is_told_of_a_gap() {
        let news = News::default();
        let names: Vec<String> = (0..=ROOM).map(|n| n.to_string()).collect();
        news.names(1, names.iter().map(String::as_str));
        let after = |after| news.log.lock().after(after, 2);
        assert!(after(0).gap && after(0).messages.is_empty());
        assert!(!after(1).gap);
        assert_eq!(after(1).messages.len(), ROOM);
        assert!(after(u64::MAX).gap);
    }

    #[test]
    fn what_may_have_been_invalidated_is_a_gap() {
        let news = News::default();
        news.names(1, ["a"]);
        let failure = Failure::new(everwarm_core::store::FailureKind::Timeout, "a", "b");
        news.tags(1, ("shop", &[Tag([1; 16])]), Err(&failure));
        news.names(1, ["b"]);
        let told = news.log.lock().after(0, 2);
        assert_eq!((told.messages, told.gap), (vec![key("b")], true));
    }
}
