//! The caches that are compared: each answers a request by get or insert, as its documentation says.

use std::cell::Cell;

/// A cache of `u64` under `u64`.
pub trait Contender: Sync {
    /// Answers every request, computing what is not there; how often it computed.
    fn pass(&self, requests: &[u64]) -> usize;
}

type Make = fn(usize) -> Box<dyn Contender>;

/// Each contender with what makes it for a number of entries.
pub const CONTENDERS: [(&str, Make); 7] = [
    ("everwarm", everwarm),
    ("everwarm, get and set", everwarm_get_and_set),
    ("quick_cache", quick_cache),
    ("quick_cache, get and insert", quick_cache_get_and_insert),
    ("moka", moka),
    ("mini-moka", mini_moka),
    ("foyer", foyer),
];

/// A contender from the closure that answers one request; `computed` is called where it computes.
struct By<F>(F);

impl<F: Fn(u64, &dyn Fn() -> u64) -> u64 + Sync> Contender for By<F> {
    fn pass(&self, requests: &[u64]) -> usize {
        let computed = Cell::new(0);
        for &key in requests {
            let value = self.0(key, &|| {
                computed.set(computed.get() + 1);
                key ^ 1
            });
            assert_eq!(value, key ^ 1);
        }
        computed.get()
    }
}

fn everwarm(entries: usize) -> Box<dyn Contender> {
    let cache = everwarm::Cache::<u64, u64>::builder("bench")
        .max_entries(entries)
        .build()
        .expect("a name and a bound suffice");
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        cache.get_or_compute(&key, compute)
    }))
}

/// Without joining calls: the two verbs that a caller may use alone.
fn everwarm_get_and_set(entries: usize) -> Box<dyn Contender> {
    let cache = everwarm::Cache::<u64, u64>::builder("bench")
        .max_entries(entries)
        .build()
        .expect("a name and a bound suffice");
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        cache.get(&key).unwrap_or_else(|| {
            let value = compute();
            cache.set(key, value);
            value
        })
    }))
}

/// The same of `quick_cache`.
fn quick_cache_get_and_insert(entries: usize) -> Box<dyn Contender> {
    let cache = quick_cache::sync::Cache::<u64, u64>::new(entries);
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        cache.get(&key).unwrap_or_else(|| {
            let value = compute();
            cache.insert(key, value);
            value
        })
    }))
}

fn quick_cache(entries: usize) -> Box<dyn Contender> {
    let cache = quick_cache::sync::Cache::<u64, u64>::new(entries);
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        cache
            .get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(compute()))
            .unwrap_or_else(|never| match never {})
    }))
}

fn moka(entries: usize) -> Box<dyn Contender> {
    let cache = moka::sync::Cache::<u64, u64>::new(entries as u64);
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        cache.get_with(key, compute)
    }))
}

/// It computes at each thread's own: it joins no calls.
fn mini_moka(entries: usize) -> Box<dyn Contender> {
    let cache = mini_moka::sync::Cache::<u64, u64>::new(entries as u64);
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        cache.get(&key).unwrap_or_else(|| {
            let value = compute();
            cache.insert(key, value);
            value
        })
    }))
}

/// Its memory alone, without the disk behind; its way to join calls needs a runtime and is not used.
fn foyer(entries: usize) -> Box<dyn Contender> {
    let cache: foyer_memory::Cache<u64, u64> = foyer_memory::CacheBuilder::new(entries).build();
    Box::new(By(move |key: u64, compute: &dyn Fn() -> u64| {
        match cache.get(&key) {
            Some(entry) => *entry.value(),
            None => *cache.insert(key, compute()).value(),
        }
    }))
}
