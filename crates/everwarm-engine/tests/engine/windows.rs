//! Windows: each row of the table of lifetimes, judgements and settlements, reached through the engine.

use std::time::Duration;

use crate::support::{Error, Name, World, word};
use everwarm_core::clock::Instant;
use everwarm_core::draw::FixedDraw;
use everwarm_core::judge::{Freshness, Judgement, Validity, judge};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::{Negative, Policy, RefreshAhead, Sliding};
use everwarm_engine::{
    Amendment, Arrival, Cache, Lead, Negative as Row, Offer, Settle, Trace, Turn,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// Fresh for 10 s, served stale for 10 more, served if errors for 10 more, refreshed from 8 s on, with 2 s of back-off.
fn policy() -> Policy {
    Policy {
        ttl: Some(10 * SECOND),
        refresh_ahead: Some(RefreshAhead::Fraction(0.8)),
        stale_while_revalidate: Some(10 * SECOND),
        stale_if_error: Some(20 * SECOND),
        error_backoff: 2 * SECOND,
        ..Policy::default()
    }
}

fn settle<'a>(world: &World<u64>, policy: &Policy) -> Settle<'a> {
    Settle {
        lifetime: policy.lifetime(world.cache.now(), Duration::ZERO, &FixedDraw(0.0)),
        ..Settle::default()
    }
}

/// A world with an entry under key 1, written at 0 s, `seconds` later.
fn aged(policy: &Policy, seconds: u32) -> World<u64> {
    let world = World::new();
    let how = settle(&world, policy);
    assert!(world.lead_with(1, &["tag"]).settle(1, how).stored);
    world.hand.advance(SECOND * seconds);
    world
}

fn behind(world: &World<u64>) -> (u64, Freshness, Lead<Name, u64, Error>) {
    match world.begin(1) {
        Turn::HitAndLead(value, freshness, lead) => (value, freshness, lead),
        turn => panic!("expected a hit and the lead, got {}", word(&turn)),
    }
}

fn is_stale(turn: &Turn<Name, u64, Error>, expected: u64) -> bool {
    matches!(turn, Turn::Stale(value) if *value == expected)
}

#[test]
fn the_judgements_by_age() {
    let at = |seconds| {
        let world = aged(&policy(), seconds);
        let hit = world.hit(1).is_some();
        (hit, word(&world.begin(1)))
    };
    assert_eq!(at(0), (true, "a hit"));
    assert_eq!(at(7), (true, "a hit"));
    assert_eq!(at(8), (false, "a hit and the lead"));
    assert_eq!(at(10), (false, "a hit and the lead"));
    assert_eq!(at(19), (false, "a hit and the lead"));
    assert_eq!(at(20), (false, "the lead"));
    assert_eq!(at(29), (false, "the lead"));
    assert_eq!(at(30), (false, "the lead"));
}

#[test]
fn a_refresh_ahead_is_a_hit_and_one_after_the_ttl_is_stale() {
    for (age, freshness) in [(9, Freshness::Fresh), (11, Freshness::Stale)] {
        let world = aged(&policy(), age);
        let (value, given, lead) = behind(&world);
        assert_eq!((value, given), (1, freshness));
        // While it runs, others are served and begin no other.
        let other = world.begin(1);
        match freshness {
            Freshness::Fresh => assert!(matches!(other, Turn::Hit(1))),
            Freshness::Stale => assert!(is_stale(&other, 1)),
        }
        let how = settle(&world, &policy());
        assert!(lead.settle(2, how).stored);
        assert_eq!(world.hit(1), Some(2));
        let stats = world.cache.stats(&world.scope);
        let (hits, stale) = if age < 10 { (3, 0) } else { (1, 2) };
        assert_eq!((stats.hits, stats.stale, stats.misses), (hits, stale, 1));
        assert_eq!((stats.refreshes, stats.computations), (1, 2));
        world.cache.check();
    }
}

#[test]
fn a_dropped_refresh_is_begun_by_the_next() {
    let world = aged(&policy(), 11);
    drop(behind(&world));
    drop(behind(&world));
    assert_eq!(world.cache.stats(&world.scope).refreshes, 2);
}

#[test]
fn a_failed_refresh_holds_the_old_value_until_the_back_off_ends() {
    let world = aged(&policy(), 11);
    let (_, _, lead) = behind(&world);
    assert!(lead.is_behind());
    let served = lead
        .fall_back("no", &policy(), true)
        .expect("the old value");
    assert_eq!((served.value, served.freshness), (1, Freshness::Stale));
    assert!(is_stale(&world.begin(1), 1));
    world.hand.advance(SECOND);
    assert!(is_stale(&world.begin(1), 1));
    world.hand.advance(SECOND);
    let _ = behind(&world);
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.stale, stats.misses, stats.refreshes), (4, 1, 2));
}

#[test]
fn an_error_that_is_not_covered_is_raised_and_holds_the_old_value_if_it_came_from_behind() {
    let world = aged(&policy(), 25);
    assert!(world.lead(1).fall_back("no", &policy(), false).is_none());
    drop(world.lead(1));
    let world = aged(&policy(), 11);
    let (_, _, lead) = behind(&world);
    assert!(lead.fall_back("no", &policy(), false).is_none());
    assert!(is_stale(&world.begin(1), 1));
}

#[test]
fn a_failed_refresh_ahead_leaves_plain_hits_until_the_back_off_ends() {
    let world = aged(&policy(), 8);
    let (_, _, lead) = behind(&world);
    lead.fall_back("no", &policy(), true)
        .expect("the old value");
    assert_eq!(world.hit(1), Some(1));
    world.hand.advance(2 * SECOND);
    assert_eq!(world.hit(1), None);
}

#[test]
fn after_the_stale_window_the_old_value_is_for_errors_alone() {
    let world = aged(&policy(), 25);
    let lead = world.lead(1);
    assert_eq!(
        lead.old().map(|old| (old.value, old.age)),
        Some((1, 25 * SECOND))
    );
    let mut follower = world.ticket(1);
    assert_eq!(lead.fallback().map(|served| served.value), Some(1));
    assert!(!lead.is_behind());
    assert!(lead.fall_back("no", &policy(), true).is_some());
    assert_eq!(follower.try_arrive(), Some(Arrival::Stale(1)));
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.stale, stats.misses, stats.followers), (2, 1, 0));
    // The back-off.
    assert!(is_stale(&world.begin(1), 1));
    world.hand.advance(2 * SECOND);
    drop(world.lead(1));
    // And the end of all.
    world.hand.advance(3 * SECOND);
    let lead = world.lead(1);
    assert!(lead.old().is_none());
    assert!(lead.fall_back("no", &policy(), true).is_none());
}

#[test]
fn who_takes_nothing_so_old_is_not_given_it_after_an_error_either() {
    let world = aged(&policy(), 25);
    let key = world.key(1);
    let ask = world.ask(&key, &[], everwarm_engine::Caller::default());
    let begin = || {
        world
            .cache
            .begin_since(ask, Instant::from_nanos(u64::MAX - 1))
    };
    let leading = world.lead(1);
    let Ok(Turn::Wait(mut strict)) = begin() else {
        panic!("it follows");
    };
    assert!(leading.fall_back("no", &policy(), true).is_some());
    assert_eq!(strict.try_arrive(), Some(Arrival::Failed("no")));
    let Ok(Turn::Lead(lead)) = begin() else {
        panic!("it leads");
    };
    assert!(lead.old().is_none());
}

/// What makes an entry gone, of a world with one.
const INVALIDATIONS: [fn(&World<u64>); 4] = [
    |world| assert!(world.delete(1)),
    |world| world.invalidate("tag"),
    |world| assert_eq!(world.cache.clear_scope(&world.scope), 1),
    |world| assert_eq!(world.cache.clear(), 1),
];

#[test]
fn what_is_invalidated_is_gone_in_every_window_and_for_leads_that_had_it() {
    for invalidate in INVALIDATIONS {
        for age in [9, 15, 25] {
            let world = aged(&policy(), age);
            invalidate(&world);
            let lead = world.lead(1);
            assert!(lead.old().is_none());
            drop(lead);

            let world = aged(&policy(), age);
            let lead = match world.begin(1) {
                Turn::HitAndLead(_, _, lead) | Turn::Lead(lead) => lead,
                turn => panic!("got {}", word(&turn)),
            };
            assert!(lead.fallback().is_some());
            invalidate(&world);
            assert!(lead.fallback().is_none());
            assert!(lead.fall_back("no", &policy(), true).is_none());
            assert_eq!(world.hit(1), None);
            world.cache.check();
        }
    }
}

#[test]
fn a_demoted_entry_is_judged_as_if_its_ttl_ended_now() {
    let key = |world: &World<u64>| world.key(1);
    let demoted = |policy: &Policy, age| {
        let world = aged(policy, age);
        let key = key(&world);
        assert!(world.cache.mark_stale(&world.scope, key.hash(), &key));
        world
    };
    let world = demoted(&policy(), 1);
    let (value, freshness, lead) = behind(&world);
    assert_eq!((value, freshness), (1, Freshness::Stale));
    // A second time there is no fresh entry to demote.
    let key = key(&world);
    assert!(!world.cache.mark_stale(&world.scope, key.hash(), &key));
    // A failure holds it as any other.
    assert!(lead.fall_back("no", &policy(), true).is_some());
    assert!(is_stale(&world.begin(1), 1));

    let only_if_error = Policy {
        stale_while_revalidate: None,
        refresh_ahead: None,
        ..policy()
    };
    let world = demoted(&only_if_error, 1);
    assert!(world.lead(1).old().is_some());

    for windowless in [
        Policy {
            ttl: Some(SECOND * 10),
            ..Policy::default()
        },
        Policy {
            ttl: Some(SECOND * 10),
            refresh_ahead: Some(RefreshAhead::Fraction(0.5)),
            ..Policy::default()
        },
    ] {
        let world = demoted(&windowless, 1);
        assert_eq!(world.hit(1), None);
        assert!(world.lead(1).old().is_none());
        world.cache.check();
    }
}

#[test]
fn entries_with_windows_leave_at_the_end_of_the_last() {
    let world = aged(&policy(), 29);
    assert_eq!(world.cache.sweep(), 0);
    world.hand.advance(SECOND);
    assert_eq!(world.cache.sweep(), 1);
    assert_eq!(world.cache.stats(&world.scope).expired, 1);
}

#[test]
fn object_verbs_see_fresh_values_alone() {
    let world = aged(&policy(), 9);
    let key = world.key(1);
    let (scope, hash) = (&world.scope, key.hash());
    assert!(world.cache.contains(scope, hash, &key));
    let seen = world.cache.hit_seen(scope, hash, &key).expect("fresh yet");
    assert_eq!(seen.ttl, Some(SECOND));
    assert!(
        world
            .cache
            .amend(scope, hash, &key, Amendment::Expire(Some(5 * SECOND)))
    );
    world.hand.advance(5 * SECOND);
    assert!(!world.cache.contains(scope, hash, &key));
    assert!(world.cache.hit_seen(scope, hash, &key).is_none());
    assert!(!world.cache.amend(scope, hash, &key, Amendment::Renew));
    // Its windows are as long as they were.
    let seen = world.cache.peek(scope, hash, &key).expect("stale");
    assert_eq!(
        (seen.freshness, seen.ttl),
        (Freshness::Stale, Some(Duration::ZERO))
    );
    world.hand.advance(9 * SECOND);
    let _ = behind(&world);
    world.hand.advance(SECOND);
    drop(world.lead(1));
    world.hand.advance(10 * SECOND);
    assert!(world.cache.peek(scope, hash, &key).is_none());
}

#[test]
fn what_stores_offer_is_held_in_memory_after_a_failure() {
    let world = World::new();
    let mut lead = world.lead(1);
    let lifetime = policy().lifetime(Instant::ZERO, Duration::ZERO, &FixedDraw(0.0));
    world.hand.advance(25 * SECOND);
    lead.offer(&Offer {
        value: &7,
        lifetime,
        age: 25 * SECOND,
        tags: &crate::support::names(&["tag"]),
        weight: 0,
    });
    assert!(lead.fall_back("no", &policy(), true).is_some());
    assert!(is_stale(&world.begin(1), 7));
    world.invalidate("tag");
    drop(world.lead(1));
}

#[test]
fn what_another_process_computes_is_not_begun_for_a_while() {
    let world = aged(&policy(), 11);
    behind(&world).2.defer(SECOND);
    assert!(is_stale(&world.begin(1), 1));
    world.hand.advance(SECOND);
    let _ = behind(&world);
}

#[test]
fn a_key_that_nobody_computes_may_be_led_from_behind() {
    let world = aged(&policy(), 11);
    let key = world.key(1);
    let ask = world.ask(&key, &[], everwarm_engine::Caller::default());
    let lead = world.cache.lead_behind(ask).expect("nobody computes");
    assert!(world.cache.lead_behind(ask).is_none());
    assert!(lead.is_behind() && lead.fallback().is_some());
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.calls(), stats.refreshes), (1, 1));
}

fn remembered(row: u32) -> Settle<'static> {
    let policy = Policy {
        negative: Some(Negative {
            ttl: SECOND,
            growth: 2.0,
            max_ttl: 8 * SECOND,
        }),
        ..Policy::default()
    };
    let lifetime = policy.negative_lifetime(Instant::ZERO, row, &FixedDraw(0.0));
    Settle {
        lifetime: lifetime.expect("it remembers"),
        negative: Some(Row {
            row: row + 1,
            is_error: true,
        }),
        ..Settle::default()
    }
}

#[test]
fn a_remembered_error_is_raised_and_counted_in_a_row() {
    let world = World::new();
    let lead = world.lead(1);
    let mut follower = world.ticket(1);
    assert!(lead.remember("no", &13, remembered(0)).stored);
    assert_eq!(follower.try_arrive(), Some(Arrival::Failed("no")));
    // It is no value to anybody.
    let key = world.key(1);
    assert_eq!(world.hit(1), None);
    assert!(world.cache.peek(&world.scope, key.hash(), &key).is_none());
    assert!(!world.cache.contains(&world.scope, key.hash(), &key));
    assert!(matches!(world.begin(1), Turn::Remembered(13)));
    let left = SECOND;
    let trace = world.cache.trace(&world.scope, key.hash(), &key);
    assert_eq!(trace, Trace::Remembered { left });
    world.hand.advance(SECOND);
    assert_eq!(world.cache.sweep(), 0);
    let lead = world.lead(1);
    assert_eq!(lead.negatives(), 1);
    assert!(lead.old().is_none());
    drop(lead);
    // Where nobody asked for as long again, the row has ended.
    assert!(world.lead(1).remember("no", &13, remembered(1)).stored);
    world.hand.advance(4 * SECOND);
    assert_eq!(world.lead(1).negatives(), 0);
    world.cache.check();
}

#[test]
fn a_trace_tells_of_windows() {
    let world = aged(&policy(), 12);
    let key = world.key(1);
    let trace = |world: &World<u64>| world.cache.trace(&world.scope, key.hash(), &key);
    let stale = |age: u32, left: u32, judgement| Trace::Stale {
        age: SECOND * age,
        left: SECOND * left,
        judgement,
    };
    let refresh = Judgement::ServeAndRefresh(Freshness::Stale);
    assert_eq!(trace(&world), stale(12, 8, refresh));
    world.hand.advance(10 * SECOND);
    assert_eq!(trace(&world), stale(22, 8, Judgement::OnlyIfError));
}

#[test]
fn what_is_put_has_its_windows_too() {
    let world = World::<u64>::with(1, Cache::new);
    let key = world.key(1);
    world.cache.put(everwarm_engine::Put {
        scope: &world.scope,
        hash: key.hash(),
        key,
        value: 5,
        lifetime: settle(&world, &policy()).lifetime,
        tags: &[],
        weight: 0,
    });
    world.hand.advance(11 * SECOND);
    let (value, _, lead) = behind(&world);
    assert_eq!(value, 5);
    // A later put is not overwritten by what was begun before, nor by its failure.
    world.put(1, 6);
    assert!(lead.fall_back("no", &policy(), true).is_none());
    assert_eq!(world.hit(1), Some(6));
}

/// What the plain model knows of the only entry.
#[derive(Clone, Copy, Debug)]
struct Plain {
    value: u64,
    lifetime: Lifetime,
    demoted: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Advance(u32),
    Call { fails: bool },
    Demote,
    Invalidate,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..9_u32).prop_map(Step::Advance),
        6 => any::<bool>().prop_map(|fails| Step::Call { fails }),
        1 => Just(Step::Demote),
        1 => Just(Step::Invalidate),
        1 => Just(Step::Sweep),
    ]
}

/// One call of a cache, whose computation gives `value` or fails: the value or error that its caller gets, and whether it is
/// stale. A computation behind the caller's back runs at once.
fn call(
    world: &World<u64>,
    policy: &Policy,
    fails: bool,
    value: u64,
) -> (Result<u64, Error>, bool) {
    if let Some(value) = world.hit(1) {
        return (Ok(value), false);
    }
    let end = |lead: Lead<Name, u64, Error>| match fails {
        true => lead
            .fall_back("no", policy, true)
            .map(|served| served.value),
        false => {
            lead.settle(value, settle(world, policy));
            Some(value)
        }
    };
    match world.begin_with(1, &["tag"], everwarm_engine::Caller::default()) {
        Turn::Hit(value) => (Ok(value), false),
        Turn::Stale(value) => (Ok(value), true),
        Turn::HitAndLead(value, freshness, lead) => {
            end(lead);
            (Ok(value), freshness == Freshness::Stale)
        }
        Turn::Lead(lead) => match end(lead) {
            Some(value) => (Ok(value), fails),
            None => (Err("no"), false),
        },
        turn => panic!("got {}", word(&turn)),
    }
}

/// The same by the functions of core alone.
fn model(
    plain: &mut Option<Plain>,
    policy: &Policy,
    (now, fails, value): (Instant, bool, u64),
) -> (Result<u64, Error>, bool) {
    let judged = plain.map_or(Judgement::Gone, |plain| {
        let validity = if plain.demoted {
            Validity::Demoted
        } else {
            Validity::Valid
        };
        judge(&plain.lifetime, now, validity)
    });
    let computed = Plain {
        value,
        lifetime: policy.lifetime(now, Duration::ZERO, &FixedDraw(0.0)),
        demoted: false,
    };
    let held = |plain: Plain| Plain {
        lifetime: plain.lifetime.held_until(now.after(policy.error_backoff)),
        ..plain
    };
    match (judged, *plain) {
        (Judgement::Gone, _) | (_, None) if fails => {
            *plain = None;
            (Err("no"), false)
        }
        (Judgement::Gone, _) | (_, None) => {
            *plain = Some(computed);
            (Ok(value), false)
        }
        (Judgement::Serve(freshness), Some(old)) => (Ok(old.value), freshness == Freshness::Stale),
        (Judgement::ServeAndRefresh(freshness), Some(old)) => {
            *plain = Some(if fails { held(old) } else { computed });
            (Ok(old.value), freshness == Freshness::Stale)
        }
        (Judgement::OnlyIfError, Some(old)) => {
            *plain = Some(if fails { held(old) } else { computed });
            (Ok(if fails { old.value } else { value }), fails)
        }
    }
}

proptest! {
    /// Whatever happens in whatever order, callers get what core's functions say of one entry.
    #[test]
    fn calls_get_what_the_plain_model_says(
        steps in prop::collection::vec(step(), 1..60),
        windows in (0..2_u32, 0..3_u32, 0..3_u32),
    ) {
        let (ahead, stale, if_error) = windows;
        let window = |number: u32| (number > 0).then(|| SECOND * (number * 7));
        let policy = Policy {
            refresh_ahead: (ahead > 0).then_some(RefreshAhead::Fraction(0.5)),
            stale_while_revalidate: window(stale),
            stale_if_error: window(if_error),
            ..policy()
        };
        let world = World::new();
        let mut plain = None;
        for (value, step) in (1..).zip(steps) {
            let now = world.cache.now();
            match step {
                Step::Advance(seconds) => world.hand.advance(SECOND * seconds),
                Step::Call { fails } => prop_assert_eq!(
                    call(&world, &policy, fails, value),
                    model(&mut plain, &policy, (now, fails, value))
                ),
                Step::Demote => {
                    let key = world.key(1);
                    world.cache.mark_stale(&world.scope, key.hash(), &key);
                    if let Some(plain) = &mut plain && now < plain.lifetime.fresh_until() {
                        plain.demoted = true;
                    }
                }
                Step::Invalidate => {
                    world.invalidate("tag");
                    plain = None;
                }
                Step::Sweep => {
                    world.cache.sweep();
                }
            }
            world.cache.check();
        }
        let stats = world.cache.stats(&world.scope);
        prop_assert!(stats.refreshes <= stats.computations);
    }
}

/// As [`policy`], but for reads that lengthen the ttl, up to the age of 24 s.
fn sliding() -> Policy {
    Policy {
        refresh_ahead: None,
        sliding: Some(Sliding {
            threshold: 0.5,
            max_age: 24 * SECOND,
        }),
        ..policy()
    }
}

#[test]
fn a_read_lengthens_a_life_that_slides() {
    let world = aged(&sliding(), 4);
    assert_eq!(world.hit(1), Some(1), "a plain hit before it is time");
    world.hand.advance(SECOND);
    assert_eq!(world.hit(1), None, "one that looks closer");
    assert_eq!(word(&world.begin(1)), "a hit");
    world.hand.advance(4 * SECOND);
    assert_eq!(world.hit(1), Some(1), "a plain hit again");
    for seconds in [5, 5, 4] {
        world.hand.advance(SECOND * seconds);
        assert_eq!(word(&world.begin(1)), "a hit");
    }
    world.hand.advance(2 * SECOND);
    assert_eq!(
        word(&world.begin(1)),
        "a hit and the lead",
        "it is 24 s old"
    );
}

#[test]
fn a_life_that_slid_has_its_windows_and_its_end() {
    for (seconds, expected) in [(9, "a hit"), (10, "a hit and the lead"), (20, "the lead")] {
        let world = aged(&sliding(), 6);
        assert_eq!(word(&world.begin(1)), "a hit");
        world.hand.advance(SECOND * seconds);
        assert_eq!(word(&world.begin(1)), expected, "{seconds} s later");
    }
}
