//! Every outcome of a computation, beside every old value that it may find.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::draw::FixedDraw;
use everwarm_core::judge::Validity::{Demoted, Invalid, Valid};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::{Limit, Negative, Policy, RefreshAhead};
use everwarm_core::settle::Outcome::{Failed, NotModified, Nothing, Refused, TimedOut, Value};
use everwarm_core::settle::Settlement::{
    Raise, ReturnUnstored, ServeFallback, Store, StoreNegative, Wait,
};
use everwarm_core::settle::{Attempt, Fallback, Outcome, Settlement, settle};

const DRAW: FixedDraw = FixedDraw(0.5);
const VALUE: Outcome = Value { ttl: None };
const ERROR: Outcome = Failed { remembered: false };
const NAMED_ERROR: Outcome = Failed { remembered: true };

fn at(seconds: u64) -> Instant {
    Instant::ZERO.after(Duration::from_secs(seconds))
}

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

/// A minute fresh, half a minute served stale, a hundred seconds kept for errors.
fn policy() -> Policy {
    let policy = Policy {
        ttl: seconds(60),
        stale_while_revalidate: seconds(30),
        stale_if_error: seconds(100),
        error_backoff: Duration::from_secs(10),
        ..Policy::default()
    };
    policy.validate().expect("the table's policy can be meant");
    policy
}

fn old(validity: everwarm_core::judge::Validity) -> Option<Fallback> {
    let lifetime = policy().lifetime(at(0), Duration::ZERO, &DRAW);
    Some(Fallback { lifetime, validity })
}

fn attempt(fallback: Option<Fallback>) -> Attempt {
    Attempt {
        fallback,
        ..Attempt::first(at(0))
    }
}

fn settled(outcome: Outcome, attempt: &Attempt, policy: &Policy, now: Instant) -> Settlement {
    settle(outcome, attempt, policy, now, &DRAW)
}

fn lifetime(settlement: Settlement) -> Lifetime {
    match settlement {
        Store(lifetime) | StoreNegative(lifetime) => lifetime,
        other => panic!("{other:?} stores nothing"),
    }
}

#[test]
fn a_value_is_stored_with_the_policys_lifetime() {
    let policy = policy();
    let expected = policy.lifetime(at(5), Duration::from_secs(5), &DRAW);
    assert_eq!(
        settled(VALUE, &attempt(None), &policy, at(5)),
        Store(expected)
    );
    assert_eq!(
        settled(VALUE, &attempt(old(Invalid)), &policy, at(5)),
        Store(expected)
    );
}

#[test]
fn the_measured_computation_time_reaches_xfetch() {
    let policy = Policy {
        refresh_ahead: Some(RefreshAhead::XFetch { beta: 1.0 }),
        ..policy()
    };
    let quick = lifetime(settled(VALUE, &Attempt::first(at(8)), &policy, at(8)));
    let slow = lifetime(settled(VALUE, &Attempt::first(at(0)), &policy, at(8)));
    assert_eq!(quick.refresh_from(), quick.fresh_until());
    assert!(slow.refresh_from() < quick.refresh_from());
}

#[test]
fn a_ttl_from_the_value_takes_the_policys_place() {
    let own = lifetime(settled(
        Value { ttl: seconds(5) },
        &attempt(None),
        &policy(),
        at(0),
    ));
    assert_eq!(own.fresh_until(), at(5));
    assert_eq!(own.stale_until(), at(35));
    let none = Value {
        ttl: Some(Duration::ZERO),
    };
    assert_eq!(
        settled(none, &attempt(None), &policy(), at(0)),
        ReturnUnstored
    );
}

#[test]
fn none_is_stored_unless_cache_none_is_off() {
    let keeps = policy();
    assert!(matches!(
        settled(Nothing, &attempt(None), &keeps, at(0)),
        Store(_)
    ));
    let refuses = Policy {
        cache_none: false,
        ..keeps
    };
    assert_eq!(
        settled(Nothing, &attempt(None), &refuses, at(0)),
        ReturnUnstored
    );
    let negative = Some(Negative::constant(Duration::from_secs(3)));
    assert_eq!(
        settled(
            Nothing,
            &attempt(None),
            &Policy {
                negative,
                ..refuses
            },
            at(0)
        ),
        ReturnUnstored
    );
}

#[test]
fn none_lives_for_the_negative_ttl_where_there_is_one() {
    let policy = Policy {
        negative: Some(Negative::constant(Duration::from_secs(3))),
        ..policy()
    };
    let settlement = settled(Nothing, &attempt(None), &policy, at(1));
    assert!(matches!(settlement, StoreNegative(_)));
    assert_eq!(lifetime(settlement).fresh_until(), at(4));
    assert_eq!(lifetime(settlement).keep_until(), at(4));
}

#[test]
fn what_when_refused_is_returned_and_not_stored() {
    for fallback in [None, old(Valid), old(Invalid)] {
        assert_eq!(
            settled(Refused, &attempt(fallback), &policy(), at(70)),
            ReturnUnstored
        );
    }
}

#[test]
fn a_named_error_is_remembered_and_its_ttl_grows() {
    let negative = Negative {
        ttl: Duration::from_secs(2),
        growth: 2.0,
        max_ttl: Duration::from_secs(9),
    };
    let policy = Policy {
        negative: Some(negative),
        ..policy()
    };
    for (negatives, ttl) in [(0, 2), (1, 4), (2, 8), (3, 9), (4, 9), (u32::MAX, 9)] {
        let attempt = Attempt {
            negatives,
            ..attempt(old(Valid))
        };
        let settlement = settled(NAMED_ERROR, &attempt, &policy, at(0));
        assert!(
            matches!(settlement, StoreNegative(_)),
            "{negatives} before: {settlement:?}"
        );
        assert_eq!(
            lifetime(settlement).keep_until(),
            at(ttl),
            "{negatives} before"
        );
    }
}

#[test]
fn a_named_error_without_negative_caching_is_any_error() {
    assert_eq!(
        settled(NAMED_ERROR, &attempt(None), &policy(), at(0)),
        Raise
    );
    let until = at(110);
    assert_eq!(
        settled(NAMED_ERROR, &attempt(old(Valid)), &policy(), at(100)),
        ServeFallback { until }
    );
}

#[test]
fn an_error_serves_the_old_value_in_its_windows_only() {
    let rows = [
        (30, ServeFallback { until: at(40) }),
        (60, ServeFallback { until: at(70) }),
        (90, ServeFallback { until: at(100) }),
        (155, ServeFallback { until: at(160) }),
        (160, Raise),
        (161, Raise),
    ];
    for (now, expected) in rows {
        for validity in [Valid, Demoted] {
            let attempt = attempt(old(validity));
            assert_eq!(
                settled(ERROR, &attempt, &policy(), at(now)),
                expected,
                "{validity:?} at {now} s"
            );
        }
        assert_eq!(
            settled(ERROR, &attempt(old(Invalid)), &policy(), at(now)),
            Raise,
            "invalid at {now} s"
        );
        assert_eq!(
            settled(ERROR, &attempt(None), &policy(), at(now)),
            Raise,
            "nothing at {now} s"
        );
    }
}

#[test]
fn not_modified_renews_what_was_there() {
    let renewed = Store(policy().lifetime(at(500), Duration::from_secs(500), &DRAW));
    assert_eq!(
        settled(NotModified, &attempt(old(Valid)), &policy(), at(500)),
        renewed
    );
    assert_eq!(
        settled(NotModified, &attempt(old(Demoted)), &policy(), at(500)),
        renewed
    );
    assert_eq!(
        settled(NotModified, &attempt(old(Invalid)), &policy(), at(5)),
        ReturnUnstored
    );
    assert_eq!(
        settled(NotModified, &attempt(None), &policy(), at(5)),
        Raise
    );
}

#[test]
fn time_limits_serve_the_old_value_else_wait_or_raise() {
    let rows = [
        (
            Limit::Soft,
            old(Valid),
            100,
            ServeFallback { until: at(110) },
        ),
        (
            Limit::Hard,
            old(Valid),
            100,
            ServeFallback { until: at(110) },
        ),
        (Limit::Soft, old(Valid), 160, Wait),
        (Limit::Hard, old(Valid), 160, Raise),
        (Limit::Soft, old(Invalid), 100, Wait),
        (Limit::Hard, old(Invalid), 100, Raise),
        (Limit::Soft, None, 1, Wait),
        (Limit::Hard, None, 1, Raise),
    ];
    for (limit, fallback, now, expected) in rows {
        let found = settled(TimedOut(limit), &attempt(fallback), &policy(), at(now));
        assert_eq!(found, expected, "{limit:?} with {fallback:?} at {now} s");
    }
    assert!(
        matches!(
            settled(VALUE, &attempt(old(Valid)), &policy(), at(200)),
            Store(_)
        ),
        "a late result is stored"
    );
}

#[test]
fn the_soft_limit_counts_only_while_there_is_an_old_value() {
    let (soft, hard) = (Duration::from_secs(1), Duration::from_secs(5));
    let both = Policy {
        soft_limit: Some(soft),
        hard_limit: Some(hard),
        ..policy()
    };
    assert_eq!(both.limit(true), Some((Limit::Soft, soft)));
    assert_eq!(both.limit(false), Some((Limit::Hard, hard)));
    assert_eq!(
        Policy {
            hard_limit: None,
            ..both
        }
        .limit(false),
        None
    );
    assert_eq!(
        Policy {
            soft_limit: None,
            ..both
        }
        .limit(true),
        Some((Limit::Hard, hard))
    );
}

#[test]
fn what_may_not_be_kept_reaches_its_callers_and_nothing_else() {
    let policy = Policy {
        negative: Some(Negative::constant(Duration::from_secs(3))),
        ..policy()
    };
    let rows = [
        (VALUE, ReturnUnstored),
        (Value { ttl: seconds(5) }, ReturnUnstored),
        (Nothing, ReturnUnstored),
        (Refused, ReturnUnstored),
        (NotModified, ReturnUnstored),
        (NAMED_ERROR, Raise),
        (ERROR, ServeFallback { until: at(100) }),
        (TimedOut(Limit::Hard), ServeFallback { until: at(100) }),
    ];
    for (outcome, expected) in rows {
        let attempt = Attempt {
            keep: false,
            ..attempt(old(Valid))
        };
        assert_eq!(
            settled(outcome, &attempt, &policy, at(100)),
            expected,
            "{outcome:?}"
        );
    }
}
