//! A node: a process with a memory and a stack of the engine, and workers that read, compute, delete, invalidate and set.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::codec::{Meta, Spans};
use everwarm_core::key::prefix;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::store::Condition;
use everwarm_core::using::Read;
use everwarm_engine::stack::{
    Done, Event, Fetched, Nap, Options, Place, Seat, Sleep, Spot, Stack, Stored, Tier, Write,
    Written,
};
use everwarm_engine::{
    Arrival, Ask, Bounds, Cache, Caller, Chance, DefaultLock, Key as EngineKey, Lead, ManualHand,
    Scope, Settle, Ticker, Ticket, Turn,
};
use everwarm_memory::MemoryStore;

use crate::draw::Draw;
use crate::fault::Fault;
use crate::hearing::Hearing;
use crate::history::{From, Key, Node as Number, Recorder, Right, TAGS, Target, Value, What};
use crate::network::Network;
use crate::remote::Remote;
use crate::runtime::{Owner, Runtime};
use crate::weather::{DAWN, Weather};

pub(crate) const NAMESPACE: &str = "shop";
const FUNCTION: &str = "price";
/// How many keys there are.
const KEYS: u64 = 3;
/// How often a node looks at what others did.
const LOOK: Duration = Duration::from_millis(150);
/// How long a lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
/// How long another process's computation is waited for.
pub(crate) const WAIT: Duration = Duration::from_secs(8);

/// A machine: its clock and its disk outlive its processes.
pub(crate) struct Machine {
    pub(crate) number: Number,
    clock: Ticker,
    disk: MemoryStore,
    network: Network,
    weather: Weather,
}

/// One process.
struct Process {
    number: Number,
    network: Network,
    weather: Weather,
    cache: Arc<Cache<Name, Value, ()>>,
    scope: Arc<Scope>,
    stack: Arc<Stack>,
    clock: Ticker,
}

/// What the memory knows a key by.
#[derive(Clone, PartialEq, Eq)]
struct Name {
    scope: u32,
    key: Key,
}

impl EngineKey for Name {
    type Lock = DefaultLock;

    fn scope(&self) -> u32 {
        self.scope
    }
}

/// Passes simulated time.
struct Asleep(Runtime);

impl Sleep for Asleep {
    fn sleep(&self, span: Duration) -> Nap {
        Box::pin(self.0.sleep(span))
    }
}

/// A process that runs.
pub(crate) struct Running {
    disk: Option<Arc<MemoryStore>>,
    owner: Owner,
}

impl Machine {
    /// A machine whose clock shows something else than others do, by up to 15 minutes.
    pub(crate) fn new(number: Number, network: &Network, weather: &Weather) -> Self {
        let skew = network.draw(|draw| draw.millis(0, 15 * 60 * 1_000));
        let hand = ManualHand::new(DAWN.after(skew));
        network.runtime.moves(&hand);
        let clock = Ticker::frozen_by(&hand);
        let bounds = Bounds::entries(NonZeroUsize::new(1_000).expect("not 0"));
        Self {
            number,
            disk: MemoryStore::with_clock(bounds, Arc::new(clock.clone())),
            clock,
            network: network.clone(),
            weather: weather.clone(),
        }
    }

    /// Starts a process.
    pub(crate) fn start(&self) -> Running {
        let network = &self.network;
        let connection = network.connect(self.number, &self.clock);
        let owner = connection.number;
        let room = self.weather.inbox;
        let hearing = Arc::new(Hearing::new(owner, room, network.fault, &self.clock));
        let remote = Arc::new(Remote::new(connection, Arc::clone(&hearing)));
        let disk = self.weather.disks.then(|| Arc::new(self.disk.handle()));
        let mut tiers = Vec::new();
        tiers.extend(disk.clone().map(|disk| tier(disk, "disk")));
        tiers.push(tier(Arc::clone(&remote) as Arc<_>, "shared"));
        let process = Arc::new(self.process(tiers));
        network.recorder.record(self.number, What::Started);
        network.runtime.spawn(owner, self.joins(remote, hearing));
        network.runtime.spawn(owner, Arc::clone(&process).watch());
        for _ in 0..3 {
            let draw = network.draw(Draw::split);
            network
                .runtime
                .spawn(owner, Arc::clone(&process).work(draw));
        }
        Running { disk, owner }
    }

    /// Listens after a while, and only then reads the counters.
    fn joins(
        &self,
        remote: Arc<Remote>,
        hearing: Arc<Hearing>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (number, network) = (self.number, self.network.clone());
        let late = network.draw(|draw| draw.millis(0, 1 + self.weather.joins));
        async move {
            network.runtime.sleep(late).await;
            network.listen(number, Some(hearing));
            remote.beat().await;
        }
    }

    fn process(&self, tiers: Vec<Tier>) -> Process {
        let runtime = &self.network.runtime;
        let options = Options {
            lease_ttl: LEASE,
            wait_timeout: WAIT,
            draw: Arc::new(Chance::seeded(self.number as u64)),
            ..Options::new(self.clock.clone(), Arc::new(Asleep(runtime.clone())))
        };
        let codec = Arc::new(Pipeline::new(Config::default()).expect("a plain pipeline"));
        let stack = Stack::new(tiers, codec, NAMESPACE.into(), options).expect("tiers that fit");
        let bounds = Bounds::entries(NonZeroUsize::new(1_000).expect("not 0"));
        let cache = Cache::new(bounds, self.clock.clone());
        Process {
            number: self.number,
            network: self.network.clone(),
            weather: self.weather.clone(),
            scope: cache.scope(),
            cache,
            stack,
            clock: self.clock.clone(),
        }
    }

    /// Kills a process: nothing of it reaches anybody any more.
    pub(crate) fn kill(&self, running: &Running) {
        if let Some(disk) = &running.disk {
            let closed = everwarm_core::store::Store::close(&**disk);
            drop(closed);
        }
        self.network.listen(self.number, None);
        self.network.runtime.kill(running.owner);
        self.network.recorder.record(self.number, What::Killed);
    }
}

fn tier(store: Arc<dyn everwarm_core::store::Store>, label: &str) -> Tier {
    Tier {
        store,
        label: label.into(),
        ttl: None,
        write: Write::Through,
    }
}

fn place(key: Key) -> Place {
    let name = format!("{}{key}", prefix(&[NAMESPACE, FUNCTION, ""]));
    Place::from(Spot {
        name: name.into(),
        function: FUNCTION.into(),
        schema: "".into(),
        key: key.to_le_bytes().into(),
        tenant: [].into(),
        older: [].into(),
    })
}

fn tag(number: u64) -> Arc<str> {
    format!("t{number}").into()
}

/// The tags by which memory lets an entry go, alone or with all others of the function.
fn own_tags(key: Key) -> [Arc<str>; 2] {
    [format!("own {key}").into(), "own function".into()]
}

fn all_tags(key: Key) -> Vec<Arc<str>> {
    let mut tags = own_tags(key).to_vec();
    tags.push(tag(key % TAGS));
    tags
}

const fn hash(key: Key) -> u64 {
    (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Process {
    fn recorder(&self) -> &Recorder {
        &self.network.recorder
    }

    fn record(&self, what: What) {
        self.recorder().record(self.number, what);
    }

    fn has(&self, fault: Fault) -> bool {
        self.network.fault == Some(fault)
    }

    fn name(&self, key: Key) -> Name {
        Name {
            scope: self.scope.id(),
            key,
        }
    }

    async fn sleep(&self, span: Duration) {
        self.network.runtime.sleep(span).await;
    }

    async fn work(self: Arc<Self>, mut draw: Draw) {
        loop {
            self.sleep(draw.millis(0, 400)).await;
            let key = draw.below(KEYS);
            if !draw.chance(self.weather.undoings) {
                self.call(key, &mut draw).await;
                continue;
            }
            match draw.below(10) {
                0..=2 => self.undo(Target::Key(key)).await,
                3..=5 => self.undo(Target::Tag(key % TAGS)).await,
                6 => self.undo(Target::All).await,
                7 => self.change(key).await,
                _ => self.set(key).await,
            }
        }
    }

    async fn watch(self: Arc<Self>) {
        loop {
            self.sleep(LOOK).await;
            for event in self.stack.watch().await {
                match event {
                    Event::Key(name) => {
                        let key = (0..KEYS).find(|key| *place(*key).name == *name);
                        key.into_iter()
                            .for_each(|key| self.strike(Target::Key(key)));
                    }
                    Event::Tag(name) => {
                        let number = (0..TAGS).find(|number| tag(*number) == name);
                        number
                            .into_iter()
                            .for_each(|number| self.strike(Target::Tag(number)));
                    }
                    Event::Function(_) | Event::Everything => self.strike(Target::All),
                }
            }
        }
    }

    /// Has memory let go of what a target meets, and of what is being computed for it.
    fn strike(&self, target: Target) {
        match target {
            Target::Key(key) => self.cache.invalidate_tags(&own_tags(key)[..1]),
            Target::Tag(number) => self.cache.invalidate_tags(&[tag(number)]),
            Target::All => {
                self.cache.clear();
            }
        }
        self.record(What::Struck(target));
    }

    async fn undo(&self, target: Target) {
        let number = self.recorder().number();
        self.record(What::UndoingBegan(number, target));
        let done = match target {
            Target::Key(key) => self.stack.delete(place(key)).await.1,
            Target::Tag(number) => self.stack.invalidate([tag(number)].into()).await,
            Target::All => self.stack.clear_function(FUNCTION.into()).await,
        };
        self.strike(target);
        self.record(What::UndoingReturned(number, done == Done::Now));
    }

    /// Sets by hand. Memory lets go of what it has, and does not keep what was set: others may have set since.
    async fn set(&self, key: Key) {
        let computation = self.recorder().number();
        self.record(What::SetBegan(computation, key));
        let value = Value { key, computation };
        let written = self
            .stack
            .set(place(key), value.bytes(), self.meta(key))
            .await;
        self.strike(Target::Key(key));
        self.record(What::SetReturned(computation, written.is_stored()));
    }

    /// Changes what is there, if it is what was read before.
    async fn change(&self, key: Key) {
        let Some(there) = self.stack.get_exact(place(key)).await else {
            return;
        };
        let Some(version) = there.version else {
            return;
        };
        let computation = self.recorder().number();
        self.record(What::ChangeBegan(computation, key));
        let value = Value { key, computation };
        let condition = Condition::Version(version);
        let done = self
            .stack
            .set_if(place(key), value.bytes(), self.meta(key), condition)
            .await;
        self.strike(Target::Key(key));
        self.record(What::ChangeReturned(computation, done.ok()));
    }

    fn meta(&self, key: Key) -> Meta {
        Meta {
            spans: Spans {
                fresh: Some(self.weather.ttl),
                ..Spans::default()
            },
            tags: vec![tag(key % TAGS)],
            ..Meta::default()
        }
    }

    async fn call(&self, key: Key, draw: &mut Draw) {
        let number = self.recorder().number();
        self.record(What::CallBegan(number, key));
        let (value, from) = self.answer(number, key, draw).await;
        self.record(What::CallReturned(number, value, from));
    }

    async fn answer(&self, call: u64, key: Key, draw: &mut Draw) -> (Value, From) {
        let name = self.name(key);
        let asked = if self.has(Fault::MixedKeys) && draw.chance(2) {
            self.name((key + 1) % KEYS)
        } else {
            name.clone()
        };
        if let Some(value) = self.cache.hit(&self.scope, hash(asked.key), &asked) {
            return (value, From::Memory);
        }
        // Half of the callers learn of the tag from the value alone.
        let mut tags = own_tags(key).to_vec();
        if draw.chance(50) {
            tags.push(tag(key % TAGS));
        }
        let mut again = false;
        loop {
            let ask = Ask {
                scope: &self.scope,
                hash: hash(key),
                key: &name,
                tags: &tags,
                caller: Caller::default(),
                again,
            };
            if self.has(Fault::NoFlight) {
                return self
                    .lead(call, self.cache.refresh(ask), key, &tags[2..], draw)
                    .await;
            }
            match self.cache.begin(ask).expect("no call is part of another") {
                Turn::Hit(value) => return (value, From::Memory),
                Turn::Lead(lead) | Turn::Alone(lead) => {
                    return self.lead(call, lead, key, &tags[2..], draw).await;
                }
                Turn::Stale(_) | Turn::HitAndLead(..) | Turn::Remembered(_) => {
                    unreachable!("no value has a window, and none is negative")
                }
                Turn::Wait(ticket) => match arrive(ticket).await {
                    Arrival::Value(value) => return (value, From::Leader),
                    Arrival::Again => again = true,
                    Arrival::Failed(()) | Arrival::Stale(_) => {
                        unreachable!("no computation fails")
                    }
                },
            }
        }
    }

    async fn lead(
        &self,
        call: u64,
        lead: Lead<Name, Value, ()>,
        key: Key,
        tags: &[Arc<str>],
        draw: &mut Draw,
    ) -> (Value, From) {
        let known: Arc<[Arc<str>]> = tags.into();
        match self.stack.fetch(place(key), known, Read::Any).await {
            Fetched::Found(stored) => self.promote(lead, &stored, key),
            Fetched::Lead(seat) => self.compute(call, lead, seat, key, draw).await,
            Fetched::Older(..) | Fetched::Elsewhere => {
                unreachable!("no place has older names, and no value a window")
            }
        }
    }

    /// Has memory keep what a tier had.
    fn promote(&self, lead: Lead<Name, Value, ()>, stored: &Stored, key: Key) -> (Value, From) {
        let value = Value::of(&stored.opened.payload).expect("a value");
        let left = if self.has(Fault::PromotionRestartsTtl) {
            Some(self.weather.ttl)
        } else {
            stored.remaining
        };
        let end = |left| self.clock.now().after(left);
        let settle = Settle {
            lifetime: Lifetime::ending(left.map_or(Instant::NEVER, end)),
            tags: &all_tags(key),
            age: stored.age,
            ..Settle::default()
        };
        let _ = lead.settle(value, settle);
        (value, From::Tier(stored.tier))
    }

    async fn compute(
        &self,
        call: u64,
        lead: Lead<Name, Value, ()>,
        seat: Seat,
        key: Key,
        draw: &mut Draw,
    ) -> (Value, From) {
        let computation = self.recorder().number();
        let right = if format!("{seat:?}").contains("Leased") {
            Right::Leased
        } else {
            Right::Apart
        };
        self.record(What::ComputationBegan(computation, key, right, call));
        // One in ten outlasts its lease, unless that is renewed.
        let longest = if draw.chance(10) { 5_000 } else { 300 };
        self.sleep(draw.millis(1, longest)).await;
        self.record(What::ComputationEnded(computation));
        let value = Value { key, computation };
        let began = self.clock.now();
        let written = self.stack.settle(seat, value.bytes(), self.meta(key)).await;
        if self.has(Fault::StoreAfterInvalidation) {
            self.keep_anyway(value, key);
        }
        if written == Written::Overtaken {
            // Who waits may have come after the invalidation.
            lead.withhold();
            return (value, From::Computed);
        }
        let settle = Settle {
            lifetime: Lifetime::ending(began.after(self.weather.ttl)),
            tags: &all_tags(key),
            ..Settle::default()
        };
        let _ = lead.settle(value, settle);
        (value, From::Computed)
    }

    fn keep_anyway(&self, value: Value, key: Key) {
        self.cache.put(everwarm_engine::Put {
            scope: &self.scope,
            hash: hash(key),
            key: self.name(key),
            value,
            lifetime: Lifetime::ending(self.clock.now().after(self.weather.ttl)),
            tags: &all_tags(key),
            weight: 0,
        });
    }
}

/// Waits for another call's computation.
async fn arrive(mut ticket: Ticket<Name, Value, ()>) -> Arrival<Value, ()> {
    poll_fn(|context| {
        ticket.register(context.waker().clone());
        ticket.try_arrive().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
