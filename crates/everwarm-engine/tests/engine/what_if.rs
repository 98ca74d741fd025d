//! Estimates of hit ratios at other sizes, against caches that have these sizes.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{World, names};
use everwarm_core::clock::Instant;
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::{Bounds, Cache, Eviction, Put, WhatIf};

/// A mixer with 64 good bits (the last steps of MurmurHash3).
fn hash(key: u64) -> u64 {
    let mut bits = key.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    bits ^ (bits >> 33)
}

/// Keys, by Zipf's law with exponent 1 or in a circle.
enum Trace {
    Zipf { keys: u64, state: u64 },
    Loop { keys: u64, at: u64 },
}

impl Trace {
    fn next(&mut self) -> u64 {
        match self {
            Self::Zipf { keys, state } => {
                *state += 1;
                let unit = (hash(*state) >> 11) as f64 / (1_u64 << 53) as f64;
                // Inverts the integral of 1/x, which is close enough to the sum.
                ((*keys as f64).powf(unit) - 1.0) as u64
            }
            Self::Loop { keys, at } => {
                *at = (*at + 1) % *keys;
                *at
            }
        }
    }
}

struct Shop {
    world: World<u64>,
    weigh: fn(u64) -> u64,
}

impl Shop {
    fn new(max_entries: u64, max_bytes: Option<u64>, weigh: fn(u64) -> u64) -> Self {
        Self::of(Eviction::default(), max_entries, max_bytes, weigh)
    }

    fn of(
        eviction: Eviction,
        max_entries: u64,
        max_bytes: Option<u64>,
        weigh: fn(u64) -> u64,
    ) -> Self {
        let world = World::with(usize::try_from(max_entries).unwrap(), |bounds, ticker| {
            let max_bytes = max_bytes.and_then(NonZeroU64::new);
            Cache::unsharded(
                Bounds {
                    max_bytes,
                    eviction,
                    ..bounds
                },
                ticker,
                None,
            )
        });
        Self { world, weigh }
    }

    /// Looks a key up and stores it if it is not there.
    fn ask(&self, key: u64, deadline: Instant, tags: &[&str]) {
        let (world, hash) = (&self.world, hash(key));
        let name = world.key(key);
        if world.cache.hit(&world.scope, hash, &name).is_none() {
            world.cache.missed(&world.scope, hash);
            world.cache.put(Put {
                scope: &world.scope,
                hash,
                key: name,
                value: key,
                lifetime: Lifetime::ending(deadline),
                tags: &names(tags),
                weight: (self.weigh)(key),
            });
        }
    }

    fn run(&self, trace: &mut Trace, lookups: u64) {
        for _ in 0..lookups {
            self.ask(trace.next(), Instant::NEVER, &[]);
        }
    }

    fn hit_ratio(&self) -> f64 {
        let stats = self.world.cache.totals();
        stats.hits as f64 / stats.calls() as f64
    }

    fn what_if(&self) -> WhatIf {
        self.world.cache.what_if()
    }
}

/// The estimates at half, the same and twice a bound, beside what caches of these bounds reach.
fn compared(
    trace: impl Fn() -> Trace,
    lookups: u64,
    shop: impl Fn(u64) -> Shop,
) -> [(f64, f64); 3] {
    let own = shop(2);
    own.what_if();
    own.run(&mut trace(), lookups);
    let WhatIf {
        half, same, twice, ..
    } = own.what_if();
    let mut halves = [1, 2, 4].into_iter();
    [half, same, twice].map(|estimate| {
        let other = shop(halves.next().unwrap());
        other.run(&mut trace(), lookups);
        (estimate.unwrap(), other.hit_ratio())
    })
}

fn assert_close(compared: [(f64, f64); 3], within: f64) {
    for (estimate, truth) in compared {
        assert!(
            (estimate - truth).abs() < within,
            "estimated {estimate:.4}, true {truth:.4}, of {compared:.4?}"
        );
    }
}

#[test]
fn estimates_of_a_skewed_trace_are_within_two_points() {
    for (entries, keys, lookups) in [
        (100, 1_000, 100_000),
        (1_000, 10_000, 300_000),
        (10_000, 200_000, 1_000_000),
        (50_000, 500_000, 1_000_000),
    ] {
        let trace = || Trace::Zipf { keys, state: 0 };
        let shop = |halves| Shop::new(entries * halves / 2, None, |_| 0);
        assert_close(compared(trace, lookups, shop), 0.02);
    }
}

#[test]
fn estimates_of_a_loop_tell_which_size_holds_it() {
    // Longer than half the cache and longer than the cache, but not than twice.
    for keys in [8_000, 15_000] {
        let trace = || Trace::Loop { keys, at: 0 };
        let shop = |halves| Shop::of(Eviction::Lru, 10_000 * halves / 2, None, |_| 0);
        assert_close(compared(trace, 400_000, shop), 0.02);
    }
}

#[test]
fn estimates_of_a_weighed_cache_are_by_weight() {
    let weigh = |key| 200 + hash(key) % 2_000;
    let trace = || Trace::Zipf {
        keys: 50_000,
        state: 0,
    };
    let shop = |halves| Shop::new(1_000_000, Some(5_000_000 * halves / 2), weigh);
    assert_close(compared(trace, 500_000, shop), 0.02);
}

#[test]
fn small_caches_are_simulated_in_full() {
    let trace = || Trace::Zipf {
        keys: 500,
        state: 0,
    };
    // The default order draws by lot, so that two caches of it may differ.
    let shop = |halves| Shop::of(Eviction::Lru, 50 * halves / 2, None, |_| 0);
    for (estimate, truth) in compared(trace, 4_000, shop) {
        assert!((estimate - truth).abs() < 1e-9, "{estimate} is not {truth}");
    }
}

#[test]
fn nothing_is_estimated_before_the_first_question_or_the_first_lookup() {
    let shop = Shop::new(10, None, |_| 0);
    shop.run(&mut Trace::Loop { keys: 5, at: 0 }, 100);
    assert_eq!(shop.what_if(), WhatIf::default());
    shop.run(&mut Trace::Loop { keys: 5, at: 0 }, 100);
    let now = shop.what_if();
    assert_eq!((now.lookups, now.sampled), (100, 100));
    assert_eq!([now.half, now.same, now.twice], [Some(1.0); 3]);
}

#[test]
fn what_has_ended_is_a_miss_at_every_size() {
    let shop = Shop::new(4, None, |_| 0);
    shop.what_if();
    let mut expected = 0;
    let mut asked = |how: &str, tags: &[&str], then: &dyn Fn()| {
        // All of them stay where there is room for twice as many.
        for _ in 0..2 {
            let soon = shop.world.cache.now().after(Duration::from_nanos(10));
            (1..=6).for_each(|key| shop.ask(key, soon, tags));
            then();
        }
        expected += 12;
        let now = shop.what_if();
        assert_eq!(now.lookups, expected, "{how}");
        assert_eq!([now.half, now.same, now.twice], [Some(0.0); 3], "{how}");
    };
    asked("cleared", &[], &|| {
        shop.world.cache.clear();
    });
    asked("cleared with its scope", &[], &|| {
        shop.world.cache.clear_scope(&shop.world.scope);
    });
    asked("invalidated", &["tag"], &|| shop.world.invalidate("tag"));
    asked("expired", &[], &|| {
        shop.world.hand.advance(Duration::from_nanos(10));
    });
    asked("swept", &[], &|| {
        shop.world.hand.advance(Duration::from_nanos(10));
        shop.world.cache.sweep();
    });
    asked("deleted", &[], &|| {
        for key in 1..=6 {
            let name = shop.world.key(key);
            shop.world.cache.delete(&shop.world.scope, hash(key), &name);
        }
    });
}

#[test]
fn one_question_has_a_cache_followed_for_a_while_only_and_many_for_a_hundredth() {
    for entries in [10, 200, 1_000, 10_000] {
        let shop = Shop::new(entries, None, |_| 0);
        let mut trace = Trace::Zipf {
            keys: entries,
            state: 0,
        };
        let stretch = 64 * 256;
        shop.what_if();
        shop.run(&mut trace, 500_000);
        let first = shop.what_if();
        assert_eq!(first.lookups, 500_000);
        assert!(first.sampled <= stretch, "{entries}: {first:?}");
        shop.run(&mut trace, 10_000);
        let still = shop.what_if();
        let share = |lookups: u64| lookups / 128 + 2 * stretch;
        assert!(still.sampled <= share(510_000), "{entries}: {still:?}");
        // Who asks again and again has it followed now and then.
        for _ in 0..100 {
            shop.run(&mut trace, 20_000);
            shop.what_if();
        }
        let last = shop.what_if();
        assert!(last.sampled > first.sampled, "{entries}: {last:?}");
        assert!(last.sampled <= share(last.lookups), "{entries}: {last:?}");
        shop.world.cache.check();
    }
}

#[test]
fn threads_may_ask_while_others_look_up() {
    let shop = Shop::new(100, None, |_| 0);
    let cache = Arc::clone(&shop.world.cache);
    std::thread::scope(|scope| {
        for part in 0..2 {
            let shop = &shop;
            scope.spawn(move || {
                let mut trace = Trace::Zipf {
                    keys: 1_000,
                    state: part << 32,
                };
                shop.run(&mut trace, 20_000);
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                cache.what_if();
            }
        });
    });
    let now = shop.what_if();
    assert!(now.half <= now.twice, "{now:?}");
    shop.world.cache.check();
}
