//! Every window of an entry's life, at its boundary, just before it and just after it.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::draw::FixedDraw;
use everwarm_core::judge::Freshness::{Fresh, Stale};
use everwarm_core::judge::Judgement::{self, Gone, OnlyIfError, Serve, ServeAndRefresh};
use everwarm_core::judge::Validity::{self, Demoted, Invalid, Valid};
use everwarm_core::judge::judge;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::{Policy, RefreshAhead};

const WRITTEN: u64 = 1_000;

/// The instant `seconds` after the writing, less or more some nanoseconds.
fn at(seconds: u64, nanos: i64) -> Instant {
    let base = Instant::from_nanos(WRITTEN).after(Duration::from_secs(seconds));
    Instant::from_nanos(base.as_nanos().saturating_add_signed(nanos))
}

fn life(policy: Policy) -> Lifetime {
    policy
        .validate()
        .expect("the table's policies can be meant");
    policy.lifetime(at(0, 0), Duration::from_secs(2), &FixedDraw(0.5))
}

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

/// One boundary: what holds just before `seconds`, and from then on.
fn boundary(life: &Lifetime, validity: Validity, seconds: u64, before: Judgement, from: Judgement) {
    let rows = [(-1, before), (0, from), (1, from)];
    for (nanos, expected) in rows {
        let found = judge(life, at(seconds, nanos), validity);
        assert_eq!(
            found, expected,
            "{validity:?} at {seconds} s {nanos:+} ns of {life:?}"
        );
    }
}

#[test]
fn no_ttl_is_served_for_ever() {
    let life = life(Policy::default());
    boundary(&life, Valid, 1, Serve(Fresh), Serve(Fresh));
    assert_eq!(
        judge(&life, Instant::from_nanos(u64::MAX - 1), Valid),
        Serve(Fresh)
    );
    assert_eq!(life.serve_until(), Instant::NEVER);
}

#[test]
fn ttl_alone_ends_at_its_instant() {
    let life = life(Policy {
        ttl: seconds(60),
        ..Policy::default()
    });
    boundary(&life, Valid, 60, Serve(Fresh), Gone);
    assert_eq!(life.serve_until(), at(60, 0));
}

#[test]
fn jitter_shortens_the_ttl_by_the_drawn_part() {
    let life = life(Policy {
        ttl: seconds(60),
        jitter: 0.5,
        ..Policy::default()
    });
    boundary(&life, Valid, 45, Serve(Fresh), Gone);
}

#[test]
fn refresh_ahead_by_fraction_refreshes_what_is_still_fresh() {
    let ahead = Some(RefreshAhead::Fraction(0.8));
    let life = life(Policy {
        ttl: seconds(60),
        refresh_ahead: ahead,
        ..Policy::default()
    });
    boundary(&life, Valid, 48, Serve(Fresh), ServeAndRefresh(Fresh));
    boundary(&life, Valid, 60, ServeAndRefresh(Fresh), Gone);
    assert_eq!(life.serve_until(), at(48, 0));
}

#[test]
fn xfetch_refreshes_by_the_measured_computation_time() {
    let ahead = Some(RefreshAhead::XFetch { beta: 3.0 });
    let policy = Policy {
        ttl: seconds(60),
        refresh_ahead: ahead,
        ..Policy::default()
    };
    let quick = policy.lifetime(at(0, 0), Duration::from_millis(2), &FixedDraw(0.5));
    let slow = policy.lifetime(at(0, 0), Duration::from_secs(2), &FixedDraw(0.5));
    let lead = |life: &Lifetime| life.fresh_until().since(life.refresh_from()).as_secs_f64();
    assert!((lead(&slow) - 6.0 * std::f64::consts::LN_2).abs() < 1e-6);
    assert!((lead(&quick) - 0.006 * std::f64::consts::LN_2).abs() < 1e-6);
    let endless = policy.lifetime(at(0, 0), Duration::from_secs(3_600), &FixedDraw(0.999));
    assert_eq!(endless.refresh_from(), endless.written());
}

#[test]
fn stale_while_revalidate_serves_and_refreshes() {
    let life = life(Policy {
        ttl: seconds(60),
        stale_while_revalidate: seconds(30),
        ..Policy::default()
    });
    boundary(&life, Valid, 60, Serve(Fresh), ServeAndRefresh(Stale));
    boundary(&life, Valid, 90, ServeAndRefresh(Stale), Gone);
}

#[test]
fn stale_if_error_keeps_without_serving() {
    let life = life(Policy {
        ttl: seconds(60),
        stale_if_error: seconds(100),
        ..Policy::default()
    });
    boundary(&life, Valid, 60, Serve(Fresh), OnlyIfError);
    boundary(&life, Valid, 160, OnlyIfError, Gone);
}

#[test]
fn both_windows_begin_when_the_ttl_ends() {
    let both = Policy {
        ttl: seconds(60),
        stale_while_revalidate: seconds(30),
        ..Policy::default()
    };
    let longer = life(Policy {
        stale_if_error: seconds(100),
        ..both
    });
    boundary(&longer, Valid, 60, Serve(Fresh), ServeAndRefresh(Stale));
    boundary(&longer, Valid, 90, ServeAndRefresh(Stale), OnlyIfError);
    boundary(&longer, Valid, 160, OnlyIfError, Gone);
    let shorter = life(Policy {
        stale_if_error: seconds(10),
        ..both
    });
    boundary(
        &shorter,
        Valid,
        70,
        ServeAndRefresh(Stale),
        ServeAndRefresh(Stale),
    );
    boundary(&shorter, Valid, 90, ServeAndRefresh(Stale), Gone);
}

#[test]
fn marked_stale_is_judged_as_if_the_ttl_ended() {
    let ttl = Policy {
        ttl: seconds(60),
        ..Policy::default()
    };
    let bare = life(ttl);
    boundary(&bare, Demoted, 1, Gone, Gone);
    boundary(&life(Policy::default()), Demoted, 1, Gone, Gone);
    let revalidated = life(Policy {
        stale_while_revalidate: seconds(30),
        ..ttl
    });
    boundary(
        &revalidated,
        Demoted,
        1,
        ServeAndRefresh(Stale),
        ServeAndRefresh(Stale),
    );
    boundary(&revalidated, Demoted, 90, ServeAndRefresh(Stale), Gone);
    let kept = life(Policy {
        stale_if_error: seconds(100),
        ..ttl
    });
    boundary(&kept, Demoted, 1, OnlyIfError, OnlyIfError);
    boundary(&kept, Demoted, 160, OnlyIfError, Gone);
}

#[test]
fn invalidated_is_gone_in_every_window() {
    let life = life(Policy {
        ttl: seconds(60),
        refresh_ahead: Some(RefreshAhead::Fraction(0.5)),
        stale_while_revalidate: seconds(30),
        stale_if_error: seconds(100),
        ..Policy::default()
    })
    .held_until(at(170, 0));
    for second in [1, 30, 60, 90, 160] {
        boundary(&life, Invalid, second, Gone, Gone);
    }
}

#[test]
fn back_off_serves_without_computing_until_it_ends() {
    let policy = Policy {
        ttl: seconds(60),
        refresh_ahead: Some(RefreshAhead::Fraction(0.5)),
        stale_while_revalidate: seconds(30),
        stale_if_error: seconds(100),
        ..Policy::default()
    };
    let fresh = life(policy).held_until(at(40, 0));
    boundary(&fresh, Valid, 30, Serve(Fresh), Serve(Fresh));
    boundary(&fresh, Valid, 40, Serve(Fresh), ServeAndRefresh(Fresh));
    assert_eq!(fresh.serve_until(), at(40, 0));
    boundary(&fresh, Demoted, 40, Serve(Stale), ServeAndRefresh(Stale));
    let stale = life(policy).held_until(at(70, 0));
    boundary(&stale, Valid, 60, Serve(Fresh), Serve(Stale));
    boundary(&stale, Valid, 70, Serve(Stale), ServeAndRefresh(Stale));
    assert_eq!(stale.serve_until(), at(60, 0));
    let failed = life(policy).held_until(at(120, 0));
    boundary(&failed, Valid, 90, Serve(Stale), Serve(Stale));
    boundary(&failed, Valid, 120, Serve(Stale), OnlyIfError);
    boundary(&failed, Demoted, 120, Serve(Stale), OnlyIfError);
    let beyond = life(policy).held_until(Instant::NEVER);
    boundary(&beyond, Valid, 160, Serve(Stale), Gone);
}
