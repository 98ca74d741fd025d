//! What holds for lifetimes, judgements and settlements under any policy, draw and instant.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::draw::FixedDraw;
use everwarm_core::judge::Freshness::{Fresh, Stale};
use everwarm_core::judge::Judgement::{Gone, OnlyIfError, Serve, ServeAndRefresh};
use everwarm_core::judge::{Judgement, Validity, judge};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::{Limit, Negative, Policy, RefreshAhead};
use everwarm_core::settle::{Attempt, Fallback, Outcome, Settlement, plain_end, settle};
use proptest::option;
use proptest::prelude::*;

/// Any span at all: no smaller set may break the order.
fn span() -> BoxedStrategy<Duration> {
    prop_oneof![
        (0_u64..100).prop_map(Duration::from_nanos),
        (0_u64..10_000).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_nanos),
        any::<u64>().prop_map(Duration::from_secs),
    ]
    .boxed()
}

fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![0_u64..1_000, 0_u64..20_000_000_000, any::<u64>()].prop_map(Instant::from_nanos)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0, 0.0..10.0, any::<f64>()]
}

fn ahead() -> impl Strategy<Value = RefreshAhead> {
    prop_oneof![
        number().prop_map(RefreshAhead::Fraction),
        number().prop_map(|beta| RefreshAhead::XFetch { beta }),
    ]
}

fn negative() -> impl Strategy<Value = Negative> {
    (span(), number(), span()).prop_map(|(ttl, growth, max_ttl)| Negative {
        ttl,
        growth,
        max_ttl,
    })
}

/// Any policy at all, also one that `validate` refuses.
fn policy() -> BoxedStrategy<Policy> {
    let times = (
        option::of(span()),
        option::of(span()),
        option::of(span()),
        span(),
    );
    let rest = (
        number(),
        option::of(ahead()),
        option::of(negative()),
        any::<bool>(),
    );
    (times, rest)
        .prop_map(
            |((ttl, swr, sie, error_backoff), (jitter, refresh_ahead, negative, cache_none))| {
                Policy {
                    ttl,
                    jitter,
                    refresh_ahead,
                    stale_while_revalidate: swr,
                    stale_if_error: sie,
                    error_backoff,
                    negative,
                    cache_none,
                    ..Policy::default()
                }
            },
        )
        .boxed()
}

fn draw() -> impl Strategy<Value = FixedDraw> {
    prop_oneof![Just(0.0), 0.0..1.0, Just(1.0 - f64::EPSILON / 2.0)].prop_map(FixedDraw)
}

fn life() -> BoxedStrategy<Lifetime> {
    let held = (instant(), any::<bool>());
    (policy(), instant(), span(), draw(), held)
        .prop_map(|(policy, written, took, draw, (until, held))| {
            let life = policy.lifetime(written, took, &draw);
            if held { life.held_until(until) } else { life }
        })
        .boxed()
}

fn validity() -> impl Strategy<Value = Validity> {
    prop_oneof![
        Just(Validity::Valid),
        Just(Validity::Demoted),
        Just(Validity::Invalid)
    ]
}

fn outcome() -> BoxedStrategy<Outcome> {
    prop_oneof![
        option::of(span()).prop_map(|ttl| Outcome::Value { ttl }),
        Just(Outcome::Nothing),
        Just(Outcome::Refused),
        any::<bool>().prop_map(|remembered| Outcome::Failed { remembered }),
        Just(Outcome::NotModified),
        Just(Outcome::TimedOut(Limit::Soft)),
        Just(Outcome::TimedOut(Limit::Hard)),
    ]
    .boxed()
}

fn attempt() -> BoxedStrategy<Attempt> {
    let fallback =
        (life(), validity()).prop_map(|(lifetime, validity)| Fallback { lifetime, validity });
    (instant(), option::of(fallback), 0_u32..100, any::<bool>())
        .prop_map(|(began, fallback, negatives, keep)| Attempt {
            began,
            fallback,
            negatives,
            keep,
        })
        .boxed()
}

fn ordered(life: &Lifetime) -> bool {
    let instants = [
        life.written(),
        life.refresh_from(),
        life.fresh_until(),
        life.stale_until(),
        life.keep_until(),
    ];
    instants.is_sorted() && (life.written()..=life.keep_until()).contains(&life.retry_from())
}

/// How far a judgement is along an entry's life.
fn rank(judgement: Judgement) -> u8 {
    match judgement {
        Serve(Fresh) => 0,
        ServeAndRefresh(Fresh) => 1,
        Serve(Stale) => 2,
        ServeAndRefresh(Stale) => 3,
        OnlyIfError => 4,
        Gone => 5,
    }
}

proptest! {
    #[test]
    fn instants_are_in_order(life in life()) {
        prop_assert!(ordered(&life), "{life:?}");
    }

    #[test]
    fn negative_instants_are_in_order(policy in policy(), written in instant(), row in any::<u32>(), draw in draw()) {
        if let Some(life) = policy.negative_lifetime(written, row, &draw) {
            prop_assert!(ordered(&life), "{life:?}");
            prop_assert!(life.keep_until() <= written.after(policy.negative.unwrap().max_ttl));
        }
    }

    #[test]
    fn jitter_only_shortens_and_by_its_fraction_at_most(
        ttl in 1_u64..4_000_000_000_000_000, jitter in 0.0..1.0, draw in draw(),
    ) {
        let ttl = Duration::from_nanos(ttl);
        let policy = Policy { ttl: Some(ttl), jitter, ..Policy::default() };
        let fresh = policy.lifetime(Instant::ZERO, Duration::ZERO, &draw).fresh_until().since(Instant::ZERO);
        prop_assert!(fresh <= ttl);
        prop_assert!(fresh.as_secs_f64() >= ttl.as_secs_f64() * (1.0 - jitter) - 1e-9, "{fresh:?} of {ttl:?}");
    }

    #[test]
    fn time_never_makes_an_entry_better(life in life(), validity in validity(), one in instant(), other in instant()) {
        let (earlier, later) = (one.min(other), one.max(other));
        let (before, after) = (judge(&life, earlier, validity), judge(&life, later, validity));
        prop_assert!(rank(before) <= rank(after), "{before:?}, then {after:?}");
    }

    #[test]
    fn less_validity_never_makes_an_entry_better(life in life(), now in instant()) {
        let [valid, demoted, invalid] =
            [Validity::Valid, Validity::Demoted, Validity::Invalid].map(|validity| judge(&life, now, validity));
        prop_assert!(rank(valid) <= rank(demoted));
        prop_assert_eq!(invalid, Gone);
    }

    #[test]
    fn a_hit_compares_one_instant(life in life(), now in instant()) {
        let plain = judge(&life, now, Validity::Valid) == Serve(Fresh);
        prop_assert_eq!(plain, now < life.serve_until());
    }

    #[test]
    fn nothing_is_served_after_its_end(life in life(), past in span(), validity in validity()) {
        prop_assert_eq!(judge(&life, life.keep_until().after(past), validity), Gone);
    }

    #[test]
    fn a_plain_end_is_all_that_settle_says(
        outcome in outcome(), began in instant(), policy in policy(), plain in any::<bool>(), now in instant(), draw in draw(),
    ) {
        let has_only_ttl = Policy { ttl: policy.ttl, jitter: policy.jitter, ..Policy::default() };
        let policy = if plain { has_only_ttl } else { policy };
        let settlement = settle(outcome, &Attempt::first(began), &policy, now, &draw);
        match plain_end(outcome, &policy, now, &draw) {
            None => prop_assert!(!plain || !matches!(settlement, Settlement::Store(_)) || outcome == Outcome::Nothing),
            Some(end) => {
                let Settlement::Store(life) = settlement else {
                    panic!("{settlement:?}, and not kept until {end:?}");
                };
                prop_assert!(!life.has_windows());
                prop_assert_eq!((life.serve_until(), life.keep_until()), (end, end));
            }
        }
    }

    #[test]
    fn settle_stores_only_what_may_be_kept(
        outcome in outcome(), attempt in attempt(), policy in policy(), now in instant(), draw in draw(),
    ) {
        let settlement = settle(outcome, &attempt, &policy, now, &draw);
        if let Settlement::Store(life) | Settlement::StoreNegative(life) = settlement {
            prop_assert!(attempt.keep);
            prop_assert!(ordered(&life));
            prop_assert_eq!(life.written(), now);
            prop_assert!(!matches!(outcome, Outcome::Refused | Outcome::TimedOut(_)), "{outcome:?}");
            prop_assert!(outcome != Outcome::Nothing || policy.cache_none);
        }
        if matches!(settlement, Settlement::StoreNegative(_)) {
            prop_assert!(matches!(outcome, Outcome::Nothing | Outcome::Failed { remembered: true }), "{outcome:?}");
            prop_assert!(policy.negative.is_some());
        }
    }

    #[test]
    fn settle_serves_an_old_value_only_in_its_windows(
        outcome in outcome(), attempt in attempt(), policy in policy(), now in instant(), draw in draw(),
    ) {
        let settlement = settle(outcome, &attempt, &policy, now, &draw);
        if let Settlement::ServeFallback { until } = settlement {
            let old = attempt.fallback.expect("an old value to serve");
            prop_assert!(judge(&old.lifetime, now, old.validity) != Gone);
            prop_assert!(now <= until && until <= old.lifetime.keep_until());
            prop_assert!(matches!(outcome, Outcome::Failed { .. } | Outcome::TimedOut(_)), "{outcome:?}");
        }
        let lost = attempt.fallback.is_none_or(|old| old.validity == Validity::Invalid);
        if lost && matches!(outcome, Outcome::NotModified) {
            prop_assert!(!matches!(settlement, Settlement::Store(_)));
        }
    }
}
