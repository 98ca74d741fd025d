//! What the tests of stacks share: stores for several "processes", a codec, a sleep that moves the clock, and ways to wait.

pub(crate) mod shelf;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::{Binding, Carrier, Codec, Meta, Opened, Plain, Refusal, Spans, Under};
use everwarm_core::error::Error;
use everwarm_core::key::prefix;
use everwarm_core::store::{Bytes, Store};
use everwarm_core::using::Read;
use everwarm_engine::stack::{
    Fetched, Nap, Options, Place, Seat, Sleep, Spot, Stack, Stored, Tier, Write, Written,
};
use everwarm_engine::{ManualHand, Ticker};

use shelf::{Boards, Facets, Shelf, yields};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const NAMESPACE: &str = "shop";

/// A codec whose envelopes are numbers of values that lie beside: they are bound, and damage shows.
#[derive(Debug, Default)]
pub(crate) struct Ledger;

/// What an envelope is bound to, what is known of it, and its payload.
type Line = (String, Meta, Vec<u8>);

static LEDGER: LazyLock<Mutex<HashMap<u64, Line>>> = LazyLock::new(Mutex::default);

impl Codec for Ledger {
    fn seal(&self, binding: &Binding<'_>, meta: &Meta, payload: &[u8]) -> Result<Bytes, Error> {
        if payload == b"unsealable" {
            return Err(Error::config(
                "this value cannot be sealed",
                "use another one",
            ));
        }
        Ok(entered((
            format!("{binding:?}"),
            meta.clone(),
            payload.to_vec(),
        )))
    }

    fn open_into(
        &self,
        Under { binding, .. }: &Under<'_>,
        envelope: &Bytes,
        _: bool,
        opened: &mut Opened,
    ) -> Result<(), Refusal> {
        let (bound_to, meta, payload) = line(envelope)?;
        if bound_to != format!("{binding:?}") {
            return Err(Refusal::Misplaced);
        }
        if envelope.len() != 8 + payload.len() {
            return Err(Refusal::Damaged);
        }
        let payload = payload.into();
        *opened = Opened { meta, payload };
        Ok(())
    }

    fn open_plain(
        &self,
        under: &Under<'_>,
        envelope: &mut Bytes,
        is_whole: bool,
        plain: &mut Plain,
    ) -> Result<bool, Refusal> {
        let mut opened = Opened::default();
        self.open_into(under, envelope, is_whole, &mut opened)?;
        let Opened { meta, payload } = opened;
        let is_plain = meta.spans.slide.is_none() && meta.stamps.len() < 2 && meta.tags.is_empty();
        if is_plain {
            *plain = Plain {
                format: meta.format,
                spans: meta.spans,
                stamp: meta.stamps.first().copied(),
                payload,
            };
        }
        Ok(is_plain)
    }

    fn carrier(&self) -> Option<&dyn Carrier> {
        Some(self)
    }
}

impl Carrier for Ledger {
    fn look(&self, envelope: &Bytes) -> Result<Opened, Refusal> {
        let (_, meta, payload) = line(envelope)?;
        let payload = payload.into();
        Ok(Opened { meta, payload })
    }

    fn carried(&self, envelope: &Bytes, meta: &Meta) -> Result<Bytes, Refusal> {
        let (bound_to, _, payload) = line(envelope)?;
        Ok(entered((bound_to, meta.clone(), payload)))
    }
}

fn line(envelope: &Bytes) -> Result<Line, Refusal> {
    let number = envelope.get(..8).ok_or(Refusal::Foreign)?;
    let number = u64::from_le_bytes(number.try_into().expect("eight bytes"));
    let ledger = LEDGER.lock().expect("no panic");
    ledger.get(&number).cloned().ok_or(Refusal::Damaged)
}

fn entered(line: Line) -> Bytes {
    let mut ledger = LEDGER.lock().expect("no panic");
    let number = ledger.len() as u64;
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + line.2.len(), 0);
    ledger.insert(number, line);
    bytes.into()
}

/// Passes the time by moving the clock; others go on meanwhile: for a step, or for a hundred of each second that others have for
/// something.
struct Hasty(ManualHand);

impl Sleep for Hasty {
    fn sleep(&self, span: Duration) -> Nap {
        let hand = self.0.clone();
        Box::pin(async move {
            yields(1 + 100 * span.as_secs() as usize).await;
            hand.advance(span);
        })
    }
}

/// Boards that several processes have in common, on one clock.
pub(crate) struct Host {
    pub(crate) hand: ManualHand,
    ticker: Ticker,
    boards: Vec<Arc<Mutex<Boards>>>,
}

/// One process: its stores, near to far, and the stack over them.
pub(crate) struct Process {
    pub(crate) shelves: Vec<Arc<Shelf>>,
    pub(crate) stack: Arc<Stack>,
}

impl Host {
    /// A host with so many shared tiers.
    pub(crate) fn new(tiers: usize) -> Self {
        let hand = ManualHand::new(Instant::ZERO.after(SECOND));
        Self {
            ticker: Ticker::frozen_by(&hand),
            hand,
            boards: (0..tiers).map(|_| Arc::default()).collect(),
        }
    }

    /// Another host on the same clock, that has nothing in common with this one, and other epochs.
    pub(crate) fn apart(&self) -> Self {
        let other = Self {
            hand: self.hand.clone(),
            ticker: self.ticker.clone(),
            boards: self.boards.iter().map(|_| Arc::default()).collect(),
        };
        for tier in 0..other.boards.len() {
            let shelf = other.shelf(tier, Facets::All);
            shelf.begins();
            shelf.lose_shard();
        }
        other
    }

    /// Another host: its nearer tiers are its own, the last one is shared.
    pub(crate) fn beside(&self) -> Self {
        let mut boards: Vec<_> = self.boards.iter().map(|_| Arc::default()).collect();
        boards.pop();
        boards.extend(self.boards.last().cloned());
        Self {
            hand: self.hand.clone(),
            ticker: self.ticker.clone(),
            boards,
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.ticker.clone(), Arc::new(Hasty(self.hand.clone())))
    }

    pub(crate) fn shelf(&self, tier: usize, facets: Facets) -> Arc<Shelf> {
        Shelf::new(&self.boards[tier], &self.ticker, facets)
    }

    pub(crate) fn shelf_with_short_names(&self) -> Arc<Shelf> {
        Shelf::with_short_names(&self.boards[0], &self.ticker)
    }

    /// A process with all facets, that writes through.
    pub(crate) fn process(&self) -> Process {
        self.process_with(Facets::All, |_| {})
    }

    /// A process whose last store has these facets, and whose tiers are as `change` says.
    pub(crate) fn process_with(&self, last: Facets, change: impl FnOnce(&mut [Tier])) -> Process {
        self.process_of(last, change, self.options())
    }

    pub(crate) fn process_of(
        &self,
        last: Facets,
        change: impl FnOnce(&mut [Tier]),
        options: Options,
    ) -> Process {
        let far = self.boards.len() - 1;
        let facets = |tier| if tier == far { last } else { Facets::All };
        let shelves: Vec<Arc<Shelf>> = (0..=far)
            .map(|tier| self.shelf(tier, facets(tier)))
            .collect();
        let mut tiers: Vec<Tier> = shelves.iter().map(|shelf| tier(shelf.clone())).collect();
        change(&mut tiers);
        let codec = Arc::new(Ledger);
        let stack = Stack::new(tiers, codec, NAMESPACE.into(), options).expect("tiers that fit");
        Process { shelves, stack }
    }
}

pub(crate) fn tier(store: Arc<dyn Store>) -> Tier {
    Tier {
        store,
        label: "shelf".into(),
        ttl: None,
        write: Write::Through,
    }
}

pub(crate) fn name(key: &str) -> Arc<str> {
    format!("{}{key}", prefix(&[NAMESPACE, "price", ""])).into()
}

pub(crate) fn place(key: &str) -> Place {
    Place::from(Spot {
        name: name(key),
        function: "price".into(),
        schema: "".into(),
        key: key.as_bytes().into(),
        tenant: [].into(),
        older: [].into(),
    })
}

pub(crate) fn tags(names: &[&str]) -> Arc<[Arc<str>]> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

pub(crate) fn meta(names: &[&str]) -> Meta {
    lasting(60 * SECOND, names)
}

pub(crate) fn lasting(fresh: Duration, names: &[&str]) -> Meta {
    Meta {
        spans: Spans {
            fresh: Some(fresh),
            ..Spans::default()
        },
        tags: tags(names).to_vec(),
        ..Meta::default()
    }
}

/// Polls until it is done.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for round in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        // A thread of the stack may have to do something first.
        if round > 1_000 {
            thread::yield_now();
        }
    }
    panic!("it does not end");
}

/// Polls once.
pub(crate) fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What the first poll gives.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it is not done at once"),
    }
}

impl Process {
    pub(crate) fn fetch(&self, key: &str, names: &[&str]) -> Fetched {
        wait(self.stack.fetch(place(key), tags(names), Read::Any))
    }

    pub(crate) fn found(&self, key: &str, names: &[&str]) -> Option<Stored> {
        match self.fetch(key, names) {
            Fetched::Found(stored) => Some(stored),
            Fetched::Older(..) | Fetched::Lead(_) | Fetched::Elsewhere => None,
        }
    }

    pub(crate) fn value(&self, key: &str) -> Option<String> {
        self.found(key, &[]).map(|stored| text(&stored))
    }

    pub(crate) fn lead(&self, key: &str, names: &[&str]) -> Seat {
        match self.fetch(key, names) {
            Fetched::Lead(seat) => seat,
            found => panic!("found {found:?}"),
        }
    }

    pub(crate) fn settle(&self, seat: Seat, value: &str, names: &[&str]) -> Written {
        wait(self.stack.settle(seat, value.into(), meta(names)))
    }

    /// Computes a value and stores it.
    pub(crate) fn fill(&self, key: &str, value: &str, names: &[&str]) {
        let seat = self.lead(key, names);
        assert_eq!(self.settle(seat, value, names), Written::Stored);
    }

    pub(crate) fn far(&self) -> &Shelf {
        self.shelves.last().expect("a shelf")
    }

    pub(crate) fn near(&self) -> &Shelf {
        &self.shelves[0]
    }

    pub(crate) fn near_store(&self) -> &dyn Store {
        &*self.shelves[0]
    }
}

pub(crate) fn text(stored: &Stored) -> String {
    String::from_utf8(stored.opened.payload.to_vec()).expect("text")
}
