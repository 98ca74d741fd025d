//! What holds for limiters under any requests, and what each kind grants when.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::limiter::{Decision, Kept, Kind, Limit, Rate, State};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn limit(kind: Kind, rate: &str) -> Limit {
    Limit::new(kind, Rate::parse(rate).unwrap(), None).unwrap()
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(1 << 62).after(Duration::from_secs(seconds))
}

/// A limiter and the state it has come to.
struct Limiter {
    limit: Limit,
    kept: Option<Kept>,
}

impl Limiter {
    fn new(limit: Limit) -> Self {
        Self { limit, kept: None }
    }

    fn take(&mut self, now: Instant, n: u64) -> Decision {
        let state = self.kept.as_ref().map(|kept| &kept.state);
        let (decision, kept) = self.limit.take(state, now, n);
        assert_eq!(decision.allowed, kept.is_some());
        self.kept = kept.or_else(|| self.kept.take());
        decision
    }

    /// How many single permits are granted at once.
    fn drain(&mut self, now: Instant) -> u64 {
        (0..10_000)
            .take_while(|_| self.take(now, 1).allowed)
            .count() as u64
    }
}

#[test]
fn a_bucket_fills_evenly() {
    let mut limiter = Limiter::new(limit(Kind::TokenBucket, "60/1m"));
    assert_eq!(limiter.drain(at(0)), 60);
    let refused = limiter.take(at(0), 3);
    assert_eq!((refused.remaining, refused.retry_after), (0, 3 * SECOND));
    assert_eq!(limiter.drain(at(10)), 10);
    assert_eq!(limiter.drain(at(1_000)), 60);
}

#[test]
fn a_burst_is_what_a_bucket_holds() {
    let rate = Rate::parse("60/1m").unwrap();
    let mut limiter = Limiter::new(Limit::new(Kind::TokenBucket, rate, Some(5)).unwrap());
    assert_eq!(limiter.drain(at(0)), 5);
    assert_eq!(limiter.drain(at(3)), 3);
    assert!(!limiter.take(at(1_000), 6).allowed);
}

#[test]
fn a_fixed_window_begins_with_its_first_permit() {
    let mut limiter = Limiter::new(limit(Kind::FixedWindow, "3/10s"));
    assert_eq!(limiter.drain(at(7)), 3);
    assert_eq!(limiter.take(at(16), 1).retry_after, SECOND);
    assert_eq!(limiter.drain(at(17)), 3);
}

#[test]
fn a_sliding_window_gives_back_what_has_left_it() {
    let mut limiter = Limiter::new(limit(Kind::SlidingWindow, "3/10s"));
    assert_eq!(limiter.take(at(0), 2).remaining, 1);
    assert!(limiter.take(at(6), 1).allowed);
    let refused = limiter.take(at(7), 3);
    assert_eq!((refused.remaining, refused.retry_after), (0, 9 * SECOND));
    assert_eq!(limiter.take(at(7), 1).retry_after, 3 * SECOND);
    assert_eq!(limiter.drain(at(10)), 2);
    assert_eq!(limiter.drain(at(16)), 1);
}

#[test]
fn a_sliding_window_of_many_keeps_few_marks() {
    let mut limiter = Limiter::new(limit(Kind::SlidingWindow, "100000/1s"));
    for step in 0..100_000_u64 {
        let now = at(1).after(Duration::from_micros(step * 20));
        assert!(limiter.take(now, 1).allowed, "{step}");
        assert!(limiter.kept.as_ref().unwrap().encode(0).len() < 3_000);
    }
}

#[test]
fn a_state_on_another_clock_means_the_same() {
    for kind in Kind::ALL {
        let mut limiter = Limiter::new(limit(kind, "4/10s"));
        limiter.take(at(100), 3);
        limiter.take(at(102), 1);
        let state = limiter.kept.clone().unwrap().state;
        let moved = state.clone().moved(at(7));
        for later in 0..20 {
            let (here, _) = limiter.limit.take(Some(&state), at(102 + later), 1);
            let (there, _) = limiter.limit.take(Some(&moved), at(7 + later), 1);
            assert_eq!(here, there, "{kind:?} {later}");
        }
    }
}

#[test]
fn rates_that_cannot_be_meant_are_refused() {
    for text in [
        "",
        "100",
        "/1m",
        "0/1m",
        "-1/1m",
        "+1/1m",
        "1.5/1m",
        "1/",
        "1/0s",
        "1/60",
        "2000000000/1s",
        "1/ 1m",
    ] {
        let error = Rate::parse(text).unwrap_err();
        assert!(error.hint().contains("100/1m"), "{text:?}: {error}");
    }
    let rate = Rate::parse("5/s").unwrap();
    assert!(Limit::new(Kind::FixedWindow, rate, Some(5)).is_err());
    assert!(Limit::new(Kind::TokenBucket, rate, Some(0)).is_err());
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::TokenBucket),
        Just(Kind::FixedWindow),
        Just(Kind::SlidingWindow)
    ]
}

/// A limit, and requests: so many nanoseconds later, so many permits.
fn story() -> impl Strategy<Value = (Limit, Vec<(u64, u64)>)> {
    let limit = (
        kind(),
        1_u64..40,
        1_u64..5_000,
        proptest::option::of(1_u64..60),
    );
    let limit = limit.prop_map(|(kind, count, period, burst)| {
        let rate = Rate::new(count, Duration::from_nanos(period)).unwrap();
        Limit::new(kind, rate, burst.filter(|_| kind == Kind::TokenBucket)).unwrap()
    });
    let request = (prop_oneof![Just(0_u64), 0_u64..50, 0_u64..2_000], 0_u64..12);
    (limit, proptest::collection::vec(request, 1..200))
}

/// What was granted in each span of time that begins with a grant, and how long the span is.
fn spans(granted: &[(u64, u64)]) -> impl Iterator<Item = (u64, u64)> + '_ {
    (0..granted.len()).flat_map(move |first| {
        (first..granted.len()).map(move |last| {
            let sum = granted[first..=last].iter().map(|(_, n)| n).sum();
            (granted[last].0 - granted[first].0, sum)
        })
    })
}

proptest! {
    #[test]
    fn never_more_than_allowed_in_any_span((limit, requests) in story()) {
        let mut limiter = Limiter::new(limit);
        let (mut now, mut granted) = (1_u64 << 62, Vec::new());
        let mut windows: Vec<(u64, u64)> = Vec::new();
        let period = u64::try_from(limit.rate().period().as_nanos()).unwrap();
        for (later, n) in requests {
            now += later;
            if !limiter.take(Instant::from_nanos(now), n).allowed {
                continue;
            }
            granted.push((now, n));
            match windows.last_mut() {
                Some((start, sum)) if now - *start < period => *sum += n,
                _ => windows.push((now, n)),
            }
        }
        match limit.kind() {
            Kind::TokenBucket => for (span, sum) in spans(&granted) {
                prop_assert!(sum <= limit.burst() + span * limit.rate().count() / period);
            },
            Kind::FixedWindow => for (_, sum) in windows {
                prop_assert!(sum <= limit.burst());
            },
            Kind::SlidingWindow => for (span, sum) in spans(&granted).filter(|(span, _)| *span < period) {
                prop_assert!(sum <= limit.burst(), "{sum} in {span} of {period}");
            },
        }
    }

    /// Permits that were refused are had after `retry_after`, and not a nanosecond before.
    #[test]
    fn what_is_refused_is_granted_when_it_says((limit, requests) in story(), n in 1_u64..12) {
        let mut limiter = Limiter::new(limit);
        let mut now = 1_u64 << 62;
        for (later, n) in requests {
            now += later;
            limiter.take(Instant::from_nanos(now), n);
        }
        let now = Instant::from_nanos(now);
        let state = limiter.kept.as_ref().map(|kept| &kept.state);
        let (decision, _) = limit.take(state, now, n);
        if !decision.allowed && n <= limit.burst() {
            let then = now.after(decision.retry_after);
            prop_assert!(limit.take(state, then, n).0.allowed);
            let before = Instant::from_nanos(then.as_nanos() - 1);
            prop_assert!(!limit.take(state, before, n).0.allowed);
        }
    }

    #[test]
    fn what_remains_can_be_had_and_no_more((limit, requests) in story()) {
        let mut limiter = Limiter::new(limit);
        let mut now = 1_u64 << 62;
        for (later, n) in requests {
            now += later;
            let remaining = limiter.take(Instant::from_nanos(now), n).remaining;
            let state = limiter.kept.as_ref().map(|kept| &kept.state);
            let now = Instant::from_nanos(now);
            prop_assert!(limit.take(state, now, remaining).0.allowed);
            prop_assert!(!limit.take(state, now, remaining + 1).0.allowed);
        }
    }

    #[test]
    fn a_clock_that_goes_back_grants_nothing((limit, requests) in story(), back in 0_u64..1 << 40) {
        let mut limiter = Limiter::new(limit);
        let mut now = 1_u64 << 62;
        for (later, n) in requests {
            now += later;
            limiter.take(Instant::from_nanos(now), n);
        }
        let state = limiter.kept.as_ref().map(|kept| &kept.state);
        let here = limit.take(state, Instant::from_nanos(now), 1).0;
        let before = limit.take(state, Instant::from_nanos(now - back), 1).0;
        prop_assert!(here.remaining >= before.remaining);
    }

    /// After its ttl a state is as good as none.
    #[test]
    fn a_state_is_as_good_as_none_after_its_ttl((limit, requests) in story()) {
        let mut limiter = Limiter::new(limit);
        let mut now = 1_u64 << 62;
        for (later, n) in requests {
            now += later;
            limiter.take(Instant::from_nanos(now), n);
        }
        if let Some(Kept { state, ttl }) = limiter.kept {
            let then = Instant::from_nanos(now).after(ttl);
            for n in 0..70 {
                prop_assert_eq!(limit.take(Some(&state), then, n).0, limit.take(None, then, n).0);
            }
        }
    }

    #[test]
    fn a_state_comes_back_from_its_bytes((limit, requests) in story(), clock: u64) {
        let mut limiter = Limiter::new(limit);
        let mut now = 1_u64 << 62;
        for (later, n) in requests {
            now += later;
            limiter.take(Instant::from_nanos(now), n);
        }
        if let Some(kept) = limiter.kept {
            prop_assert_eq!(Kept::decode(&kept.encode(clock)), Some((clock, kept)));
        }
    }

    #[test]
    fn any_bytes_are_a_state_or_none(
        kind in 0_u8..4, mut bytes in proptest::collection::vec(any::<u8>(), 0..200), now: u64, n: u64, at: u64
    ) {
        bytes.splice(0..0, [1, kind]);
        if let Some((_, Kept { state, .. })) = Kept::decode(&bytes) {
            for limit in Kind::ALL.map(|kind| limit(kind, "1000000000/36500d")) {
                let moved: State = state.clone().moved(Instant::from_nanos(at));
                let _ = limit.take(Some(&moved), Instant::from_nanos(now), n);
                let _ = limit.take(Some(&state), Instant::from_nanos(now), n);
            }
        }
    }
}
