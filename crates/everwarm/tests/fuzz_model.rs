//! Fuzzing of the verbs of a cache: programs of any bytes do to it what they do to a plain map.

use std::collections::HashMap;
use std::time::Duration;

use everwarm::Cache;
use everwarm::testing::ManualClock;
use everwarm_conformance::{Wrong, fuzz, hunt};

/// Keys that programs use: few, so that they meet.
const KEYS: u8 = 6;

/// The verbs that programs consist of.
trait Verbs {
    fn advance(&mut self, seconds: u64);
    fn get(&self, key: u8) -> Option<u8>;
    fn set(&mut self, key: u8, value: u8, ttl: Option<u64>);
    fn add(&mut self, key: u8, value: u8) -> bool;
    fn replace(&mut self, key: u8, value: u8) -> bool;
    fn delete(&mut self, key: u8) -> bool;
    fn expire(&mut self, key: u8, ttl: u64) -> bool;
    fn persist(&mut self, key: u8) -> bool;
    fn left(&self, key: u8) -> Option<Duration>;
    fn compute(&mut self, key: u8, value: u8) -> u8;
    fn invalidate(&mut self, tag: u8);
    fn clear(&mut self);
    fn sweep(&mut self);
}

/// The tag of a key: every third one has the same.
fn tag(key: u8) -> u8 {
    key % 3
}

struct Real {
    cache: Cache<u8, u8>,
    clock: ManualClock,
}

impl Real {
    fn new() -> Self {
        let clock = ManualClock::new();
        let cache = Cache::builder("model").clock(&clock);
        let cache = cache.tags(|key: &u8| [tag(*key).to_string()]);
        Self {
            cache: cache.build().expect("its options are valid"),
            clock,
        }
    }
}

impl Verbs for Real {
    fn advance(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn get(&self, key: u8) -> Option<u8> {
        let found = self.cache.get(&key);
        assert_eq!(found.is_some(), self.cache.exists(&key));
        assert_eq!(found, self.cache.peek(&key).map(|seen| seen.value));
        found
    }

    fn set(&mut self, key: u8, value: u8, ttl: Option<u64>) {
        match ttl {
            Some(ttl) => {
                let using = self.cache.using().ttl(Duration::from_secs(ttl));
                using.set(key, value);
            }
            None => self.cache.set(key, value),
        }
    }

    fn add(&mut self, key: u8, value: u8) -> bool {
        self.cache.add(key, value)
    }

    fn replace(&mut self, key: u8, value: u8) -> bool {
        self.cache.replace(key, value)
    }

    fn delete(&mut self, key: u8) -> bool {
        self.cache.delete(&key)
    }

    fn expire(&mut self, key: u8, ttl: u64) -> bool {
        self.cache.expire(&key, Duration::from_secs(ttl))
    }

    fn persist(&mut self, key: u8) -> bool {
        self.cache.persist(&key)
    }

    fn left(&self, key: u8) -> Option<Duration> {
        self.cache.ttl(&key)
    }

    fn compute(&mut self, key: u8, value: u8) -> u8 {
        self.cache.get_or_compute(&key, || value)
    }

    fn invalidate(&mut self, tag: u8) {
        self.cache.invalidate_tags([tag.to_string()]);
    }

    fn clear(&mut self) {
        self.cache.clear();
    }

    fn sweep(&mut self) {
        self.cache.sweep();
    }
}

/// What each verb means: values, and when they end.
#[derive(Default)]
struct Model {
    entries: HashMap<u8, (u8, Option<u64>)>,
    now: u64,
}

impl Model {
    fn put(&mut self, is_wanted: bool, key: u8, value: u8) -> bool {
        if is_wanted {
            self.set(key, value, None);
        }
        is_wanted
    }

    fn at(&mut self, key: u8) -> Option<&mut (u8, Option<u64>)> {
        let now = self.now;
        let entry = self.entries.get_mut(&key);
        entry.filter(|(_, end)| end.is_none_or(|end| end > now))
    }
}

impl Verbs for Model {
    fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        self.sweep();
    }

    fn get(&self, key: u8) -> Option<u8> {
        self.entries.get(&key).map(|(value, _)| *value)
    }

    fn set(&mut self, key: u8, value: u8, ttl: Option<u64>) {
        let end = ttl.map(|ttl| self.now + ttl);
        self.entries.insert(key, (value, end));
    }

    fn add(&mut self, key: u8, value: u8) -> bool {
        let is_there = self.at(key).is_some();
        self.put(!is_there, key, value)
    }

    fn replace(&mut self, key: u8, value: u8) -> bool {
        let is_there = self.at(key).is_some();
        self.put(is_there, key, value)
    }

    fn delete(&mut self, key: u8) -> bool {
        self.entries.remove(&key).is_some()
    }

    fn expire(&mut self, key: u8, ttl: u64) -> bool {
        let end = self.now + ttl;
        let entry = self.at(key).map(|entry| entry.1 = Some(end));
        entry.is_some()
    }

    fn persist(&mut self, key: u8) -> bool {
        self.at(key).map(|entry| entry.1 = None).is_some()
    }

    fn left(&self, key: u8) -> Option<Duration> {
        let (_, end) = self.entries.get(&key)?;
        Some(end.map_or(Duration::MAX, |end| Duration::from_secs(end - self.now)))
    }

    fn compute(&mut self, key: u8, value: u8) -> u8 {
        if self.at(key).is_none() {
            self.set(key, value, None);
        }
        self.entries[&key].0
    }

    fn invalidate(&mut self, of: u8) {
        self.entries.retain(|key, _| tag(*key) != of);
    }

    fn clear(&mut self) {
        self.entries.clear();
    }

    fn sweep(&mut self) {
        let now = self.now;
        self.entries
            .retain(|_, (_, end)| end.is_none_or(|end| end > now));
    }
}

/// Does a program to both: a verb is two bytes, what it does and to which key with which number.
fn check(data: &[u8], mut real: impl Verbs) -> Wrong {
    let mut model = Model::default();
    for (at, step) in data.chunks_exact(2).take(400).enumerate() {
        let (key, number) = (step[1] % KEYS, step[1] / KEYS);
        let value = at as u8;
        let ttl = u64::from(number % 5 + 1);
        let is_same = match step[0] % 14 {
            0 | 1 => true,
            2 => both(&mut real, &mut model, |it| it.set(key, value, None)),
            3 => both(&mut real, &mut model, |it| it.set(key, value, Some(ttl))),
            4 => both(&mut real, &mut model, |it| it.add(key, value)),
            5 => both(&mut real, &mut model, |it| it.replace(key, value)),
            6 => both(&mut real, &mut model, |it| it.delete(key)),
            7 => both(&mut real, &mut model, |it| it.expire(key, ttl)),
            8 => both(&mut real, &mut model, |it| it.persist(key)),
            9 => both(&mut real, &mut model, |it| it.compute(key, value)),
            10 => both(&mut real, &mut model, |it| it.invalidate(tag(key))),
            11 => both(&mut real, &mut model, |it| it.sweep()),
            12 => both(&mut real, &mut model, |it| it.advance(ttl)),
            _ if number == 0 => both(&mut real, &mut model, |it| it.clear()),
            _ => true,
        };
        if !is_same {
            return Some("a verb says something else than it means");
        }
        let all = |it: &dyn Verbs| (0..KEYS).map(|key| (it.get(key), it.left(key))).collect();
        let (found, meant): (Vec<_>, Vec<_>) = (all(&real), all(&model));
        if found != meant {
            return Some("a key has another value or ttl than it was given");
        }
    }
    None
}

/// Whether a step says the same of both.
fn both<T: PartialEq>(
    real: &mut dyn Verbs,
    model: &mut dyn Verbs,
    step: impl Fn(&mut dyn Verbs) -> T,
) -> bool {
    step(real) == step(model)
}

/// Programs with every verb in them, in several orders.
fn corpus() -> Vec<Vec<u8>> {
    let program = |by: u8| {
        let steps = 0..60_u8;
        let step = move |at: u8| {
            [
                at.wrapping_mul(by),
                at.wrapping_mul(by).wrapping_add(at / 7),
            ]
        };
        steps.flat_map(step).collect()
    };
    [1, 3, 5, 11, 27].map(program).to_vec()
}

#[test]
fn verbs() {
    fuzz("API model", &corpus(), |data| check(data, Real::new()));
}

/// The real one, with a fault.
struct Forgetful(Real);

impl Verbs for Forgetful {
    fn advance(&mut self, seconds: u64) {
        self.0.advance(seconds);
    }

    fn get(&self, key: u8) -> Option<u8> {
        self.0.get(key)
    }

    fn set(&mut self, key: u8, value: u8, ttl: Option<u64>) {
        self.0.set(key, value, ttl);
    }

    fn add(&mut self, key: u8, value: u8) -> bool {
        self.0.add(key, value)
    }

    fn replace(&mut self, key: u8, value: u8) -> bool {
        // The planted fault: a ttl outlives the value that it was given to.
        let left = self.0.left(key).filter(|left| *left < Duration::MAX);
        let is_done = self.0.replace(key, value);
        if let Some(left) = left {
            self.0.expire(key, left.as_secs());
        }
        is_done
    }

    fn delete(&mut self, key: u8) -> bool {
        self.0.delete(key)
    }

    fn expire(&mut self, key: u8, ttl: u64) -> bool {
        self.0.expire(key, ttl)
    }

    fn persist(&mut self, key: u8) -> bool {
        self.0.persist(key)
    }

    fn left(&self, key: u8) -> Option<Duration> {
        self.0.left(key)
    }

    fn compute(&mut self, key: u8, value: u8) -> u8 {
        self.0.compute(key, value)
    }

    fn invalidate(&mut self, tag: u8) {
        self.0.invalidate(tag);
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn sweep(&mut self) {
        self.0.sweep();
    }
}

#[test]
fn a_ttl_that_outlives_its_value_is_found() {
    let found = hunt(&corpus(), |data| check(data, Forgetful(Real::new())));
    assert!(found.expect("it is found").starts_with("a key has another"));
}
