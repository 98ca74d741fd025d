//! Learning what others did: the authority's messages, or its markers asked for anew where it has no messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::bus::CONFIRMED_FOR;
use everwarm_core::clock::Instant;
use everwarm_core::key::prefix;
use everwarm_core::mark::Tag;
use everwarm_core::store::{Message, Notify};

use super::found::Event;
use super::overtaken::struck;
use super::owed::{Debt, Try};
use super::{Stack, Write};

/// How often the markers are asked for anew where there are no messages.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// How many tags are asked for in one trip.
const TRIP: usize = 1_024;

/// What was learned, each thing once.
#[derive(Default)]
struct News {
    events: Vec<Event>,
    everything: bool,
    /// A shard is heard of for the first time.
    begins: bool,
}

impl News {
    fn add(&mut self, event: Event) {
        if event == Event::Everything {
            self.everything = true;
        } else if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    fn told(self) -> Vec<Event> {
        if self.everything {
            vec![Event::Everything]
        } else {
            self.events
        }
    }
}

impl Stack {
    /// What others did since the last look; to be called every 100 to 200 ms, by one caller at a time. It also renews leases,
    /// repeats what is owed, and gives back leases that nobody needs any more. While messages cannot be had it says
    /// [`Event::Everything`] every two seconds, so that memory in front holds nothing older.
    pub fn watch(self: &Arc<Self>) -> impl Future<Output = Vec<Event>> + Send + use<> {
        let stack = self.clone();
        async move {
            if stack.beside.is_none() {
                return stack.watch_once().await;
            }
            Box::pin(stack.keep_beside(true)).await;
            let events = stack.clone().watch_once().await;
            Box::pin(stack.keep_beside(false)).await;
            events
        }
    }

    pub(super) async fn watch_once(self: Arc<Self>) -> Vec<Event> {
        let mut news = News::default();
        // A store that does not answer keeps nothing in memory for longer than it may be there. Who looks so seldom that it is always
        // late gets on every other time.
        let patience = match self.silence.lock().lets_go().since(self.now()) {
            Duration::ZERO if self.was_cut_short.load(Ordering::Relaxed) => CONFIRMED_FOR,
            patience => patience,
        };
        let is_done = self.within(patience, self.look_around(&mut news)).await;
        if !is_done {
            self.mind_silence(None, &mut news);
        }
        self.was_cut_short.store(!is_done, Ordering::Relaxed);
        news.told()
    }

    async fn look_around(&self, news: &mut News) {
        self.greet().await;
        self.repeat_lost();
        self.pay_debts(Try::InTurn).await;
        self.return_leases().await;
        self.renew_leases().await;
        let (heard, up_to) = match (self.last().tier.store.notify(), self.authority()) {
            (Some(notify), _) => match self.listen(notify, news).await {
                Some((then, up_to)) => (then, Some(up_to)),
                None => (None, None),
            },
            (None, Some(_)) => (self.ask_anew(news).await, None),
            (None, None) => (Some(self.now()), None),
        };
        self.mind_silence(heard, news);
        if self.markers.take_upset() || self.known.take_forgot() {
            self.markers.forget();
            news.add(Event::Everything);
        }
        // Only here, where nothing is awaited any more: whoever gives up on the way hears it all again.
        if let Some(up_to) = up_to {
            self.heard.store(up_to, Ordering::Release);
        }
        for name in self.owed.take_outdated() {
            news.add(Event::Key(name.as_ref().into()));
        }
    }

    /// Nothing that memory holds is to be older than core says if nobody can say what others did, and nearer tiers do not count.
    fn mind_silence(&self, heard: Option<Instant>, news: &mut News) {
        let verdict = self.silence.lock().look(self.now(), heard);
        if verdict.let_go {
            news.add(Event::Everything);
        }
        self.nearer_count.store(verdict.nearer, Ordering::Release);
    }

    /// Hears the messages since the last time; up to which moment, if that is known, and up to which message, unless they could not be
    /// had.
    async fn listen(&self, notify: &dyn Notify, news: &mut News) -> Option<(Option<Instant>, u64)> {
        let now = self.now();
        let heard = self.heard.load(Ordering::Acquire);
        if notify.change() == heard {
            return Some((self.confirm(notify, now), heard));
        }
        let messages = self.last().said(notify.messages(heard).await)?;
        if messages.gap {
            self.markers.forget();
            self.empty_all_nearer().await;
            news.add(Event::Everything);
        }
        for message in messages.messages {
            self.take_in(message, news).await;
        }
        if news.begins {
            // What lies there may be from before this process, which read none of it.
            self.empty_all_nearer().await;
        }
        Some((self.confirm(notify, now), messages.up_to))
    }

    /// Takes note of the moment up to which everything is known, now that the messages of `now` are taken in.
    fn confirm(&self, notify: &dyn Notify, now: Instant) -> Option<Instant> {
        let silence = notify.silence();
        let then = (silence < Duration::MAX).then(|| now.before(silence))?;
        self.markers.confirm(then);
        Some(then)
    }

    async fn take_in(&self, message: Message, news: &mut News) {
        match message {
            Message::Key(name) if name.starts_with(&*self.prefix) => {
                let shared: Arc<str> = name.clone().into();
                self.drop_computed(&name);
                // Ends the leases of who is about to write there what was read before.
                self.empty_nearer(&[&shared]).await;
                news.add(Event::Key(name));
            }
            Message::Tag {
                namespace,
                tag,
                marker,
            } if *namespace == *self.namespace => {
                self.markers.hear(tag, marker);
                self.overtake(&[(tag, marker)]).await;
                if let Some(event) = self.event_of(tag) {
                    news.add(event);
                }
            }
            Message::Clear(cleared) => self.take_in_clear(&cleared, news).await,
            Message::Begins { space, at } if self.prefix.strip_suffix(':') == Some(&*space) => {
                news.begins = true;
                self.markers.begins(at);
            }
            Message::Key(_) | Message::Tag { .. } | Message::Begins { .. } => {}
        }
    }

    /// Drops what was computed for names that begin with this and waits to be written, or would wait: the store would refuse it, but
    /// this process reads it before.
    fn drop_computed(&self, prefix: &str) {
        if self.last().tier.write == Write::Behind {
            self.seats.void_all(prefix);
            self.queue.take_out_computed(prefix);
        }
    }

    async fn take_in_clear(&self, cleared: &str, news: &mut News) {
        if !cleared.starts_with(&*self.prefix) && !self.prefix.starts_with(cleared) {
            return;
        }
        self.drop_computed(cleared);
        for level in self.nearer() {
            if level.said(level.tier.store.clear(cleared).await).is_none() {
                drop(self.incur(Debt::Prefix(cleared.into())));
            }
        }
        let functions = self.known.functions().into_iter();
        let function = functions
            .filter(|function| prefix(&[&self.namespace, function]) == cleared)
            .map(Event::Function)
            .next();
        news.add(function.unwrap_or(Event::Everything));
    }

    /// Empties the nearer tiers of this namespace: what was deleted meanwhile is not known.
    async fn empty_all_nearer(&self) {
        self.drop_computed(&self.prefix);
        for level in self.nearer() {
            if level
                .said(level.tier.store.clear(&self.prefix).await)
                .is_none()
            {
                drop(self.incur(Debt::Prefix(Arc::clone(&self.prefix))));
            }
        }
    }

    /// Asks for the known markers anew, if it is time; when, if they are known.
    async fn ask_anew(&self, news: &mut News) -> Option<Instant> {
        let now = self.now();
        let asked = self.asked_anew.load(Ordering::Relaxed);
        if asked != 0 && now.since(Instant::from_nanos(asked)) < ASK_EVERY {
            return Some(now);
        }
        if self.markers.take_overflown() {
            news.add(Event::Everything);
        }
        let before = self.markers.all();
        for part in before.chunks(TRIP) {
            let tags: Vec<Tag> = part.iter().map(|(tag, _)| *tag).collect();
            let (reading, _) = self.read_markers(&tags).await.ok()?;
            let markers = part.iter().zip(&reading.markers);
            let changed = markers.filter(|((_, before), marker)| **marker != Some(*before));
            for ((tag, _), _) in changed {
                if let Some(event) = self.event_of(*tag) {
                    news.add(event);
                }
            }
            self.overtake(&struck(&tags, &reading)).await;
        }
        self.markers.confirm(now);
        self.asked_anew
            .store(now.as_nanos().max(1), Ordering::Relaxed);
        Some(now)
    }

    /// What the invalidation of a tag means for memory: nothing if this process has not seen it.
    fn event_of(&self, tag: Tag) -> Option<Event> {
        if tag == self.namespace_tag {
            return Some(Event::Everything);
        }
        self.known.hear(tag)
    }
}
