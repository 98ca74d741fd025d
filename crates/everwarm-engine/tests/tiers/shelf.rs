//! A store for tests: all facets, in this process's memory, shared by the stores of several "processes"; it fails and takes its
//! time where it is told to.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::shard::JUMP;
use everwarm_core::store::{
    Answer, Bytes, Computed, Conditional, Counters, Durability, Failure, FailureKind, Found,
    Generations, Grant, Info, Leases, Limits, Message, Notify, Scan, Settled, Store, Touch,
};
use everwarm_engine::Ticker;

mod facets;

/// What several stores share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Boards {
    items: BTreeMap<String, Item>,
    leases: HashMap<String, (u64, Instant)>,
    shard: Option<(u64, u64)>,
    markers: HashMap<(String, Tag), Mark>,
    log: Vec<(usize, Message)>,
    last_version: u64,
    last_epoch: u64,
    stores: usize,
    failovers: u64,
    /// Whether writes and deletions take numbers of the shard.
    counts: bool,
    /// Sets that failed, and may still come.
    ghosts: Vec<(String, Bytes, Option<Duration>)>,
}

#[derive(Clone, Debug)]
struct Item {
    bytes: Bytes,
    expires: Instant,
    version: u64,
}

/// What a store is told to do wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The verbs that fail, with spaces between; empty: none, `*`: all.
    pub(crate) failing: String,
    /// The kind of failures, if they are not transient.
    pub(crate) kind: Option<FailureKind>,
    /// Whether what fails is done nevertheless.
    pub(crate) done: bool,
    /// Whether what fails says that nothing was asked.
    pub(crate) unasked: bool,
    /// How many polls an answer takes.
    pub(crate) polls: usize,
    /// Whether it stores under leases that are gone: a fault for tests to find.
    pub(crate) lax: bool,
    /// Whether it sets where a condition does not hold: a fault for tests to find.
    pub(crate) careless: bool,
    /// Whether reads of many are answered as they were the first time: a fault for tests to find.
    pub(crate) echoes: bool,
    first_found: Option<Vec<Option<Found>>>,
    first_reading: Option<Reading>,
    /// How long nothing was heard.
    pub(crate) silence: Duration,
    /// Whether writes wait.
    held: bool,
    /// The verbs that were asked.
    pub(crate) asked: Vec<&'static str>,
}

impl Faults {
    fn fails(&self, verb: &str) -> bool {
        let mut failing = self.failing.split(' ');
        failing.any(|failing| failing == "*" || failing == verb)
    }
}

/// Which facets a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facets {
    All,
    /// All, on a server that a replica may take over from.
    Replaced,
    NoNotify,
    None,
}

/// One process's store.
#[derive(Debug)]
pub(crate) struct Shelf {
    boards: Arc<Mutex<Boards>>,
    pub(crate) faults: Mutex<Faults>,
    ticker: Ticker,
    facets: Facets,
    number: usize,
    longest_name: usize,
    /// Bytes of a value, which a test may change, as a server does that is met later.
    pub(crate) largest_value: AtomicU64,
}

type Shared = Arc<Mutex<Boards>>;

impl Shelf {
    pub(crate) fn new(boards: &Shared, ticker: &Ticker, facets: Facets) -> Arc<Self> {
        let mut shared = boards.lock().expect("no panic");
        shared.stores += 1;
        Arc::new(Self {
            boards: Arc::clone(boards),
            faults: Mutex::default(),
            ticker: ticker.clone(),
            facets,
            number: shared.stores,
            longest_name: 250,
            largest_value: AtomicU64::new(10_000),
        })
    }

    pub(crate) fn with_short_names(boards: &Shared, ticker: &Ticker) -> Arc<Self> {
        let shelf = Arc::into_inner(Self::new(boards, ticker, Facets::All));
        Arc::new(Self {
            longest_name: 200,
            ..shelf.expect("nobody else has it")
        })
    }

    pub(crate) fn fail(&self, verb: &str) {
        self.faults.lock().expect("no panic").failing = verb.to_owned();
    }

    /// Has the writes of computed values and of sets wait until they are let go.
    pub(crate) fn hold_writes(&self, held: bool) {
        self.faults.lock().expect("no panic").held = held;
    }

    pub(crate) fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.faults.lock().expect("no panic").asked)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let now = self.ticker.now();
        let boards = self.boards();
        let there = boards.items.iter().filter(|(_, item)| item.expires > now);
        there.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn left(&self, name: &str) -> Option<Duration> {
        let now = self.ticker.now();
        self.boards()
            .items
            .get(name)
            .map(|item| item.expires.since(now))
    }

    pub(crate) fn damage(&self, name: &str) {
        if let Some(item) = self.boards().items.get_mut(name) {
            item.bytes = Bytes::from_static(b"no envelope, but long enough to be one");
        }
    }

    pub(crate) fn leased(&self) -> usize {
        let now = self.ticker.now();
        let boards = self.boards();
        boards.leases.values().filter(|(_, end)| *end > now).count()
    }

    /// Sets its clock back: what is there ends so much later.
    pub(crate) fn set_back(&self, span: Duration) {
        for item in self.boards().items.values_mut() {
            item.expires = item.expires.after(span);
        }
    }

    pub(crate) fn lose_markers(&self) {
        self.boards().markers.clear();
    }

    pub(crate) fn lose_shard(&self) {
        self.boards().shard = None;
    }

    /// Has writes and deletions take numbers of the shard from here on.
    pub(crate) fn count_writes(&self) {
        self.boards().counts = true;
    }

    /// What had failed to be set comes after all.
    pub(crate) fn let_ghosts_come(&self) {
        let now = self.ticker.now();
        let mut boards = self.boards();
        for (name, bytes, ttl) in std::mem::take(&mut boards.ghosts) {
            boards.put(&name, bytes, ttl, now);
        }
    }

    /// What a replica has by now.
    pub(crate) fn replica(&self) -> Boards {
        self.boards().clone()
    }

    /// Has a replica take over. Nobody hears of it as yet.
    pub(crate) fn fail_over(&self, replica: &Boards) {
        let mut boards = self.boards();
        *boards = Boards {
            log: boards.log.clone(),
            shard: replica.shard.map(|(epoch, number)| (epoch, number + JUMP)),
            stores: boards.stores,
            failovers: boards.failovers + 1,
            ..replica.clone()
        };
    }

    /// Forgets all but the last message.
    pub(crate) fn lose_messages(&self) {
        let mut boards = self.boards();
        for (_, message) in &mut boards.log {
            *message = Message::Clear("\0lost".into());
        }
    }

    /// Has this store hear of its shard from here on.
    pub(crate) fn begins(&self) {
        let mut boards = self.boards();
        let at = boards.shard();
        let space = crate::tiers::NAMESPACE.into();
        boards.tell(0, Message::Begins { space, at });
    }

    fn is_lax(&self) -> bool {
        self.faults.lock().expect("no panic").lax
    }

    /// What is answered now, or what was first.
    fn echo<T: Clone>(&self, now: T, first: impl FnOnce(&mut Faults) -> &mut Option<T>) -> T {
        let mut faults = self.faults.lock().expect("no panic");
        match faults.echoes {
            true => first(&mut faults).get_or_insert(now).clone(),
            false => now,
        }
    }

    fn boards(&self) -> MutexGuard<'_, Boards> {
        self.boards.lock().expect("no panic")
    }

    fn step<'a, T: Send + 'a>(
        &'a self,
        verb: &'static str,
        work: impl FnOnce(&mut Boards, Instant) -> T + Send + 'a,
    ) -> Answer<'a, T> {
        let mut faults = self.faults.lock().expect("no panic");
        faults.asked.push(verb);
        let fails = faults.fails(verb);
        let (polls, done, kind) = (faults.polls, faults.done, faults.kind);
        let unasked = faults.unasked;
        let waits = faults.held && matches!(verb, "set" | "settle" | "set_leased");
        drop(faults);
        let act = move || {
            if fails && !done {
                return Err(match unasked {
                    true => failure(kind).unasked(),
                    false => failure(kind),
                });
            }
            let now = self.ticker.now();
            let value = work(&mut self.boards(), now);
            if fails { Err(failure(kind)) } else { Ok(value) }
        };
        if polls == 0 && !waits {
            return Answer::Now(act());
        }
        Answer::later(async move {
            while waits && self.faults.lock().expect("no panic").held {
                yields(1).await;
            }
            yields(polls).await;
            let result = act();
            yields(polls).await;
            result
        })
    }
}

fn failure(kind: Option<FailureKind>) -> Failure {
    Failure::new(
        kind.unwrap_or(FailureKind::Transient),
        "the shelf was told to fail",
        "tell it not to",
    )
}

/// Lets others go on so many times.
pub(crate) async fn yields(times: usize) {
    for _ in 0..times {
        let mut yielded = false;
        poll_fn(|context| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Boards {
    fn there(&self, name: &str, now: Instant) -> Option<&Item> {
        self.items.get(name).filter(|item| item.expires > now)
    }

    fn found(&self, name: &str, now: Instant) -> Option<Found> {
        self.there(name, now).map(|item| Found {
            bytes: item.bytes.clone(),
            remaining: (item.expires != Instant::NEVER).then(|| item.expires.since(now)),
            version: item.version,
        })
    }

    fn put(&mut self, name: &str, bytes: Bytes, ttl: Option<Duration>, now: Instant) -> u64 {
        self.last_version += 1;
        let item = Item {
            bytes,
            expires: ttl.map_or(Instant::NEVER, |ttl| now.after(ttl)),
            version: self.last_version,
        };
        self.items.insert(name.to_owned(), item);
        self.leases.remove(name);
        self.last_version
    }

    fn tell(&mut self, store: usize, message: Message) {
        if self.counts && matches!(message, Message::Key(_)) {
            let mark = self.shard();
            self.shard = Some((mark.epoch, mark.number + 1));
        }
        self.log.push((store, message));
    }

    fn shard(&mut self) -> Mark {
        if self.shard.is_none() {
            self.last_epoch += 1;
            self.shard = Some((self.last_epoch, 0));
        }
        let (epoch, number) = self.shard.expect("made");
        Mark {
            shard: 0,
            epoch,
            number,
        }
    }

    fn ensure(&mut self, namespace: &str, tags: &[Tag]) -> Reading {
        let shard = self.shard();
        let mut marker = |tag: &Tag| {
            let marker = self
                .markers
                .entry((namespace.to_owned(), *tag))
                .or_insert(shard);
            if marker.epoch != shard.epoch {
                *marker = shard;
            }
            Some(*marker)
        };
        Reading {
            markers: tags.iter().map(&mut marker).collect(),
            shards: vec![shard],
        }
    }

    fn read(&mut self, namespace: &str, tags: &[Tag]) -> Reading {
        let marker = |tag: &Tag| self.markers.get(&(namespace.to_owned(), *tag)).copied();
        let markers = tags.iter().map(marker).collect();
        let shards = vec![self.shard()];
        Reading { shards, markers }
    }

    fn holds(&self, name: &str, token: u64, now: Instant) -> bool {
        let lease = self.leases.get(name);
        lease.is_some_and(|(holder, end)| *holder == token && *end > now)
    }

    fn lease(&mut self, (name, token): (&str, u64), ttl: Duration, now: Instant) -> Grant {
        match self.leases.get(name) {
            Some((holder, end)) if *end > now && *holder != token => Grant::Held(end.since(now)),
            _ => {
                self.leases.insert(name.to_owned(), (token, now.after(ttl)));
                Grant::Granted
            }
        }
    }

    fn settle(&mut self, computed: &Computed<'_>, now: Instant, lax: bool) -> Settled {
        let held = computed.token;
        if !held.is_none_or(|token| lax || self.holds(computed.name, token, now)) {
            return Settled::Lost;
        }
        let reading = self.ensure(computed.namespace, computed.tags);
        if !everwarm_core::mark::valid(computed.stamps, reading.markers) {
            return Settled::Overtaken;
        }
        self.put(computed.name, computed.bytes.clone(), computed.ttl, now);
        Settled::Stored
    }
}

impl Store for Shelf {
    fn info(&self) -> Info {
        Info {
            kind: "shelf",
            place: String::new(),
            durability: Durability::None,
            embedded: self.facets != Facets::Replaced,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: self.longest_name,
            largest_value: self.largest_value.load(Ordering::SeqCst),
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.step("get", move |boards, now| boards.found(name, now))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        if self.faults.lock().expect("no panic").fails("set") {
            let ghost = (name.to_owned(), bytes.clone(), ttl);
            self.boards().ghosts.push(ghost);
        }
        self.step("set", move |boards, now| {
            boards.put(name, bytes, ttl, now);
            boards.tell(self.number, Message::Key(name.into()));
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.step("delete", move |boards, now| {
            let was = boards.there(name, now).is_some();
            boards.items.remove(name);
            boards.leases.remove(name);
            boards.tell(self.number, Message::Key(name.into()));
            was
        })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        self.step("get_many", move |boards, now| {
            let found = names.iter().map(|name| boards.found(name, now)).collect();
            self.echo(found, |faults| &mut faults.first_found)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.step("clear", move |boards, _| {
            let before = boards.items.len();
            boards.items.retain(|name, _| !name.starts_with(prefix));
            boards.leases.retain(|name, _| !name.starts_with(prefix));
            boards.tell(self.number, Message::Clear(prefix.into()));
            (before - boards.items.len()) as u64
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.step("ping", |_, _| ())
    }

    fn close(&self) -> Answer<'_, ()> {
        self.step("close", |_, _| ())
    }

    fn counters(&self) -> Option<&dyn Counters> {
        None
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        (self.facets != Facets::None).then_some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        (self.facets != Facets::None).then_some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        (self.facets != Facets::None).then_some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        None
    }

    fn generations(&self) -> Option<&dyn Generations> {
        (self.facets != Facets::None).then_some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        matches!(self.facets, Facets::All | Facets::Replaced).then_some(self)
    }
}
