//! Conditional refresh: a computation sees the value that it is to replace, and may say that it still holds, in threads and in
//! tasks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use everwarm::duration::secs;
use everwarm::testing::ManualClock;
use everwarm::{Builder, Cache, Old, RefreshAhead, Renewed};

/// What a source says when it is asked: its value, that the old one still holds, or an error.
#[derive(Clone, Copy)]
enum Said {
    Value(u32),
    Same,
    Error,
}

/// The old value as a computation saw it, with its age.
type Sight = Option<(u32, Duration)>;

/// How a cache is described.
type Described = fn(Builder<u8, u32>) -> Builder<u8, u32>;

/// A source that notes what it saw.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<Vec<Sight>>>);

impl Source {
    fn renew(&self, old: Option<Old<u32>>, said: Said) -> Result<Renewed<u32>, &'static str> {
        let sight = old.as_ref().map(|old| (old.value, old.age));
        self.0.lock().unwrap().push(sight);
        match (said, old) {
            (Said::Error, _) => Err("down"),
            (Said::Same, Some(old)) => Ok(Renewed::NotModified(old)),
            (Said::Same, None) => panic!("there is nothing to hold"),
            (Said::Value(value), _) => Ok(Renewed::New(value)),
        }
    }

    fn saw(&self) -> Sight {
        let mut seen = self.0.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.pop().flatten()
    }
}

/// A call of a cache, in a thread or in a task.
type Called = fn(&Cache<u8, u32>, &Source, Said) -> Result<u32, Arc<&'static str>>;

const WORLDS: [Called; 4] = [
    |cache, source, said| cache.try_get_or_refresh(&7, |old| source.renew(old, said)),
    |cache, source, said| {
        let renew = async |old| source.renew(old, said);
        pollster::block_on(cache.try_get_or_refresh_async(&7, renew))
    },
    |cache, source, said| {
        let source = source.clone();
        let call = cache.using().in_background();
        call.try_get_or_refresh(&7, move |old| source.renew(old, said))
    },
    |cache, source, said| {
        let source = source.clone();
        let call = cache.using().in_background();
        let renew = move |old| async move { source.renew(old, said) };
        pollster::block_on(call.try_get_or_refresh_async(&7, renew))
    },
];

fn built(
    described: impl FnOnce(Builder<u8, u32>) -> Builder<u8, u32>,
) -> (Cache<u8, u32>, ManualClock) {
    let clock = ManualClock::new();
    let builder = described(Cache::builder("rows").ttl(secs(60))).clock(&clock);
    (builder.build().unwrap(), clock)
}

#[test]
fn a_value_that_still_holds_lives_anew() {
    for call in WORLDS {
        let (cache, clock) = built(|builder| builder.stale_if_error(secs(60)));
        let source = Source::default();
        let ask = |said| call(&cache, &source, said).map_err(|error| *error);
        assert_eq!((ask(Said::Value(1)), source.saw()), (Ok(1), None));
        clock.advance(secs(61));
        let seen = Some((1, secs(61)));
        assert_eq!((ask(Said::Same), source.saw()), (Ok(1), seen));
        let fresh = cache.get_with_meta(&7).expect("it is fresh");
        assert_eq!((fresh.age, fresh.ttl), (secs(0), Some(secs(60))));
        clock.advance(secs(60));
        let seen = Some((1, secs(60)));
        assert_eq!((ask(Said::Error), source.saw()), (Ok(1), seen));
        clock.advance(secs(10));
        let seen = Some((1, secs(70)));
        assert_eq!((ask(Said::Value(2)), source.saw()), (Ok(2), seen));
        clock.advance(secs(120));
        assert_eq!((ask(Said::Error), source.saw()), (Err("down"), None));
    }
}

#[test]
fn a_value_that_is_served_is_seen_by_the_computation_behind_it() {
    let windows: [Described; 2] = [
        |builder| builder.stale_while_revalidate(secs(60)),
        |builder| builder.refresh_ahead(RefreshAhead::Fraction(0.5)),
    ];
    for call in WORLDS {
        for (described, age) in windows.into_iter().zip([60, 30]) {
            let (cache, clock) = built(|builder| {
                let builder = described(builder).background(|work| work());
                builder.spawn(pollster::block_on)
            });
            let source = Source::default();
            cache.set(7, 1);
            clock.advance(secs(age));
            assert_eq!(call(&cache, &source, Said::Same), Ok(1));
            assert_eq!(source.saw(), Some((1, secs(age))));
            let ttl = cache.peek(&7).and_then(|seen| seen.ttl);
            assert_eq!(ttl, Some(secs(60)));
        }
    }
}

#[test]
fn a_value_that_still_holds_keeps_its_tags() {
    for call in WORLDS {
        let (cache, clock) = built(|builder| builder.stale_if_error(secs(60)));
        let source = Source::default();
        cache.using().tags(["list:7"]).set(7, 1);
        clock.advance(secs(60));
        assert_eq!(call(&cache, &source, Said::Same), Ok(1));
        assert_eq!(&*cache.peek(&7).unwrap().tags[0], "list:7");
        cache.invalidate_tags(["list:7"]);
        assert!(!cache.exists(&7));
    }
}

#[test]
fn what_is_invalidated_meanwhile_does_not_live_anew() {
    for is_async in [false, true] {
        let (cache, clock) = built(|builder| builder.stale_if_error(secs(60)));
        cache.using().tags(["list:7"]).set(7, 1);
        clock.advance(secs(60));
        let renew = |old: Option<Old<u32>>| {
            cache.invalidate_tags(["list:7"]);
            Renewed::NotModified(old.expect("it was there when this began"))
        };
        let given = match is_async {
            false => cache.get_or_refresh(&7, renew),
            true => pollster::block_on(cache.get_or_refresh_async(&7, async |old| renew(old))),
        };
        assert_eq!((given, cache.peek(&7)), (1, None));
    }
}

#[test]
fn no_old_value_is_seen_where_none_is_kept_or_none_is_wanted() {
    let source = Source::default();
    let (cache, clock) = built(|builder| builder);
    cache.set(7, 1);
    clock.advance(secs(60));
    let call = WORLDS[0];
    assert_eq!(call(&cache, &source, Said::Value(2)), Ok(2));
    assert_eq!(source.saw(), None, "there is no window");

    let (cache, _clock) = built(|builder| builder.stale_if_error(secs(60)));
    cache.set(7, 1);
    let forced = cache.using().refresh();
    let given = forced.get_or_refresh(&7, |old| {
        assert!(old.is_none());
        Renewed::New(2)
    });
    assert_eq!((given, cache.get(&7)), (2, Some(2)));
}
