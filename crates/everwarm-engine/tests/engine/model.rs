//! The engine against a naive model, one thread, random histories; and its flights against core's table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Error, Name, World, word};
use everwarm_core::clock::Instant;
use everwarm_core::flight::{Event, State, next};
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::{
    Amendment, Arrival, Ask, Caller, Condition, Lead, Put, Scope, Settle, Stats, Turn,
};
use proptest::collection::vec;
use proptest::prelude::*;

const TAGS: [&str; 3] = ["a", "b", "c"];

type Key = (usize, u64);

#[derive(Clone, Debug)]
enum Step {
    Hit(Key),
    Begin(Key, Vec<usize>),
    Refresh(Key, Vec<usize>),
    Settle {
        which: usize,
        tags: Vec<usize>,
        ttl: Option<u64>,
        store: bool,
    },
    Fail(usize),
    Leave(usize),
    Put {
        key: Key,
        tags: Vec<usize>,
        ttl: Option<u64>,
    },
    PutIf(Key, Option<u64>, bool),
    Amend(Key, Change),
    Delete(Key),
    InvalidateTags(Vec<usize>),
    ClearScope(usize),
    Clear,
    Advance(u64),
    Sweep,
}

/// A change in place.
#[derive(Clone, Copy, Debug)]
enum Change {
    Expire(Option<u64>),
    Stale,
    Tag(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        prop::option::of(1..20_u64).prop_map(Change::Expire),
        Just(Change::Stale),
        (0..TAGS.len()).prop_map(Change::Tag),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || (0..2_usize, 0..4_u64);
    let tags = || vec(0..TAGS.len(), 0..3);
    let ttl = || prop::option::of(1..20_u64);
    prop_oneof![
        4 => key().prop_map(Step::Hit),
        4 => (key(), tags()).prop_map(|(key, tags)| Step::Begin(key, tags)),
        1 => (key(), tags()).prop_map(|(key, tags)| Step::Refresh(key, tags)),
        4 => (any::<usize>(), tags(), ttl(), prop::bool::weighted(0.9))
            .prop_map(|(which, tags, ttl, store)| Step::Settle { which, tags, ttl, store }),
        1 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => (key(), tags(), ttl()).prop_map(|(key, tags, ttl)| Step::Put { key, tags, ttl }),
        2 => (key(), ttl(), any::<bool>()).prop_map(|(key, ttl, there)| Step::PutIf(key, ttl, there)),
        2 => (key(), change()).prop_map(|(key, change)| Step::Amend(key, change)),
        1 => key().prop_map(Step::Delete),
        2 => tags().prop_map(Step::InvalidateTags),
        1 => (0..2_usize).prop_map(Step::ClearScope),
        1 => Just(Step::Clear),
        1 => (1..10_u64).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
    ]
}

/// An entry as the model sees it.
struct Known {
    value: u64,
    deadline: Option<u64>,
    tags: HashSet<usize>,
}

/// A computation that runs.
struct Running {
    key: Key,
    lead: Lead<Name, u64, Error>,
    tags: HashSet<usize>,
    /// It has the seat of its key.
    sits: bool,
    /// Its scope, its cache or a tag of its arguments was invalidated since it began.
    outdated: bool,
    /// The tags that were invalidated since it began.
    struck: HashSet<usize>,
}

/// The engine and the model beside it.
struct Pair {
    world: World<u64>,
    scopes: [Arc<Scope>; 2],
    now: u64,
    known: HashMap<Key, Known>,
    running: Vec<Running>,
    stats: Stats,
    last_value: u64,
}

impl Pair {
    fn new() -> Self {
        let world = World::new();
        let scopes = [Arc::clone(&world.scope), world.cache.scope()];
        let (known, running, stats) = (HashMap::new(), Vec::new(), Stats::default());
        Self {
            world,
            scopes,
            now: 0,
            known,
            running,
            stats,
            last_value: 0,
        }
    }

    fn value(&mut self) -> u64 {
        self.last_value += 1;
        self.last_value
    }

    fn name(&self, key: Key) -> (Arc<Scope>, Name, u64) {
        let scope = Arc::clone(&self.scopes[key.0]);
        let name = Name(scope.id(), key.1);
        let hash = name.hash();
        (scope, name, hash)
    }

    fn expected(&self, key: Key) -> Option<u64> {
        let known = self.known.get(&key)?;
        known
            .deadline
            .is_none_or(|deadline| deadline > self.now)
            .then_some(known.value)
    }

    fn vacate(&mut self, key: Key) {
        for running in self.running.iter_mut().filter(|running| running.key == key) {
            running.sits = false;
        }
    }

    fn outdate(&mut self, of: impl Fn(&Key) -> bool) {
        self.known.retain(|key, _| !of(key));
        for running in self.running.iter_mut().filter(|running| of(&running.key)) {
            running.outdated = true;
        }
    }

    fn hit(&mut self, key: Key) {
        let (scope, name, hash) = self.name(key);
        let expected = self.expected(key);
        assert_eq!(
            self.world.cache.contains(&scope, hash, &name),
            expected.is_some()
        );
        assert_eq!(self.world.cache.hit(&scope, hash, &name), expected);
        self.stats.hits += u64::from(expected.is_some());
    }

    fn begin(&mut self, key: Key, tags: &[usize], forced: bool) {
        let (scope, name, hash) = self.name(key);
        let names = words(tags);
        let ask = Ask {
            scope: &scope,
            hash,
            key: &name,
            tags: &names,
            caller: Caller::default(),
            again: false,
        };
        let joinable = self
            .running
            .iter()
            .any(|run| run.key == key && run.sits && !run.outdated);
        let turn = match forced {
            true => Turn::Lead(self.world.cache.refresh(ask)),
            false => self.world.cache.begin(ask).expect("no wait for itself"),
        };
        match turn {
            Turn::Hit(value) => {
                assert_eq!(self.expected(key), Some(value));
                self.stats.hits += 1;
            }
            Turn::Wait(_) => {
                assert!(self.expected(key).is_none() && joinable);
                self.stats.misses += 1;
                self.stats.followers += 1;
            }
            Turn::Lead(lead) => {
                assert!(forced || self.expected(key).is_none() && !joinable);
                self.vacate(key);
                let tags = tags.iter().copied().collect();
                self.running.push(Running {
                    key,
                    lead,
                    tags,
                    sits: true,
                    outdated: false,
                    struck: HashSet::new(),
                });
                self.stats.misses += u64::from(!forced);
                self.stats.bypass += u64::from(forced);
                self.stats.computations += 1;
            }
            turn => panic!(
                "nobody waits in a circle, and nothing has windows: {}",
                word(&turn)
            ),
        }
    }

    fn settle(&mut self, which: usize, tags: &[usize], ttl: Option<u64>, store: bool) {
        let Some(Running {
            key,
            lead,
            tags: of_arguments,
            sits,
            outdated,
            struck,
        }) = self.take(which)
        else {
            return;
        };
        let value = self.value();
        let deadline = ttl.map(|ttl| self.now + ttl);
        let kept = store && sits && !outdated && tags.iter().all(|tag| !struck.contains(tag));
        let settle = Settle {
            lifetime: Lifetime::ending(instant(deadline)),
            tags: &words(tags),
            store,
            ..Settle::default()
        };
        assert_eq!(lead.settle(value, settle).stored, kept);
        if kept {
            let tags = of_arguments
                .into_iter()
                .chain(tags.iter().copied())
                .collect();
            self.known.insert(
                key,
                Known {
                    value,
                    deadline,
                    tags,
                },
            );
        }
    }

    fn take(&mut self, which: usize) -> Option<Running> {
        let count = self.running.len();
        (count > 0).then(|| self.running.swap_remove(which % count))
    }

    fn invalidate(&mut self, tags: &[usize]) {
        self.world.cache.invalidate_tags(&words(tags));
        let struck = |of: &HashSet<usize>| tags.iter().any(|tag| of.contains(tag));
        self.known.retain(|_, known| !struck(&known.tags));
        for running in &mut self.running {
            running.outdated |= struck(&running.tags);
            running.struck.extend(tags);
        }
    }

    fn put_if(&mut self, key: Key, ttl: Option<u64>, there: bool) {
        let (scope, name, hash) = self.name(key);
        let (value, deadline) = (self.value(), ttl.map(|ttl| self.now + ttl));
        let condition = if there {
            Condition::Present
        } else {
            Condition::Absent
        };
        let put = Put {
            scope: &scope,
            hash,
            key: name,
            value,
            lifetime: Lifetime::ending(instant(deadline)),
            tags: &[],
            weight: 0,
        };
        let done = there == self.expected(key).is_some();
        assert_eq!(self.world.cache.put_if(put, condition).is_done(), done);
        if done {
            self.vacate(key);
            let known = Known {
                value,
                deadline,
                tags: HashSet::new(),
            };
            self.known.insert(key, known);
        }
    }

    fn amend(&mut self, key: Key, change: Change) {
        let (scope, name, hash) = self.name(key);
        let there = self.expected(key).is_some();
        let tags = match change {
            Change::Tag(tag) => words(&[tag]),
            Change::Expire(_) | Change::Stale => Vec::new(),
        };
        let amendment = match change {
            Change::Expire(ttl) => Amendment::Expire(ttl.map(Duration::from_nanos)),
            Change::Stale => Amendment::Stale,
            Change::Tag(_) => Amendment::Tag(&tags),
        };
        let done = self.world.cache.amend(&scope, hash, &name, amendment);
        assert_eq!(done, there);
        let now = self.now;
        let Some(known) = self.known.get_mut(&key).filter(|_| there) else {
            return;
        };
        match change {
            Change::Expire(ttl) => known.deadline = ttl.map(|ttl| now + ttl),
            Change::Stale => known.deadline = Some(now),
            Change::Tag(tag) => known.tags.extend([tag]),
        }
    }

    fn run(&mut self, step: Step) {
        let cache = Arc::clone(&self.world.cache);
        match step {
            Step::Hit(key) => self.hit(key),
            Step::Begin(key, tags) => self.begin(key, &tags, false),
            Step::Refresh(key, tags) => self.begin(key, &tags, true),
            Step::Settle {
                which,
                tags,
                ttl,
                store,
            } => self.settle(which, &tags, ttl, store),
            Step::Fail(which) => drop(self.take(which).map(|running| running.lead.fail("no"))),
            Step::Leave(which) => drop(self.take(which)),
            Step::Put { key, tags, ttl } => {
                let (scope, name, hash) = self.name(key);
                let (value, deadline) = (self.value(), ttl.map(|ttl| self.now + ttl));
                let put = Put {
                    scope: &scope,
                    hash,
                    key: name,
                    value,
                    lifetime: Lifetime::ending(instant(deadline)),
                    tags: &words(&tags),
                    weight: 0,
                };
                cache.put(put);
                self.vacate(key);
                self.known.insert(
                    key,
                    Known {
                        value,
                        deadline,
                        tags: tags.into_iter().collect(),
                    },
                );
            }
            Step::PutIf(key, ttl, there) => self.put_if(key, ttl, there),
            Step::Amend(key, change) => self.amend(key, change),
            Step::Delete(key) => {
                let (scope, name, hash) = self.name(key);
                let there = cache.delete(&scope, hash, &name);
                assert!(
                    there || self.expected(key).is_none(),
                    "what is valid is there"
                );
                self.vacate(key);
                self.known.remove(&key);
            }
            Step::InvalidateTags(tags) => self.invalidate(&tags),
            Step::ClearScope(index) => {
                cache.clear_scope(&self.scopes[index]);
                self.outdate(|key| key.0 == index);
            }
            Step::Clear => {
                cache.clear();
                self.outdate(|_| true);
                assert_eq!(cache.totals().entries, 0);
            }
            Step::Advance(nanos) => {
                self.world.hand.advance(Duration::from_nanos(nanos));
                self.now += nanos;
            }
            Step::Sweep => {
                cache.sweep();
                let now = self.now;
                self.known
                    .retain(|_, known| known.deadline.is_none_or(|deadline| deadline > now));
            }
        }
        cache.check();
    }
}

fn words(tags: &[usize]) -> Vec<Arc<str>> {
    tags.iter().map(|tag| Arc::from(TAGS[*tag])).collect()
}

fn instant(deadline: Option<u64>) -> Instant {
    deadline.map_or(Instant::NEVER, Instant::from_nanos)
}

/// What happens to a flight, by core's name, done to the engine.
fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Settle),
        Just(Event::Fail),
        Just(Event::Leave),
        Just(Event::Doom),
        Just(Event::TakeOver),
    ]
}

proptest! {
    #[test]
    fn behaves_as_the_model(steps in vec(step(), 1..80)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step);
        }
        for scope in 0..2 {
            (0..4).for_each(|name| pair.hit((scope, name)));
        }
        let totals = pair.world.cache.totals();
        let Stats { expired, entries, .. } = totals;
        prop_assert_eq!(totals, Stats { expired, entries, ..pair.stats });
    }

    #[test]
    fn a_flight_follows_cores_table(events in vec(event(), 1..6)) {
        let world = World::new();
        let mut lead = Some(world.lead(1));
        let mut tickets: Vec<_> = events.iter().map(|_| world.ticket(1)).collect();
        let mut watching = world.ticket(1);
        let mut state = State::Flying;
        for event in events {
            let stored = match (event, lead.take()) {
                (Event::Settle, Some(lead)) => lead.settle(7, Settle::default()).stored,
                (Event::Fail, Some(lead)) => { lead.fail("no"); false }
                (Event::Leave, Some(lead)) => { drop(lead); false }
                (Event::Doom, held) => { world.delete(1); lead = held; false }
                (Event::TakeOver, held) => {
                    tickets.pop().expect("one for each event").take_over();
                    lead = held;
                    false
                }
                // Its leader is gone: the event cannot happen.
                (_, None) => continue,
            };
            let (after, effects) = next(state, event);
            prop_assert_eq!(stored, effects.keep && event == Event::Settle);
            prop_assert_eq!(watching.try_arrive(), match after {
                State::Flying | State::Doomed => None,
                State::Landed => Some(Arrival::Value(7)),
                State::Failed => Some(Arrival::Failed("no")),
                State::Gone => Some(Arrival::Again),
            });
            state = after;
        }
    }
}
