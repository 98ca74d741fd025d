//! Leases as store, waiter and holder see them.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::lease::{Event, Holder, Request, Wait, answered, reply};
use everwarm_core::store::Grant;
use proptest::prelude::*;

const TTL: Duration = Duration::from_secs(6);
const NOW: Instant = Instant::ZERO;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn every_other_write_ends_a_lease_and_the_holders_settles_once() {
    let (lease, _) = reply(None, 1, Request::Take(TTL), NOW);
    let (none, _) = reply(lease, 0, Request::Overwrite, NOW);
    assert_eq!(none, None);
    assert_eq!(
        reply(none, 1, Request::Settle, NOW).1,
        Grant::Held(Duration::ZERO)
    );
    let (none, said) = reply(lease, 1, Request::Settle, NOW);
    assert_eq!((none, said), (None, Grant::Granted));
    assert_eq!(reply(lease, 2, Request::Release, NOW).0, lease);
}

#[test]
fn a_waiter_asks_again_until_its_time_is_over() {
    let held = Some(Grant::Held(TTL));
    for was_held in [false, true] {
        assert_eq!(
            answered(Some(Grant::Granted), was_held, (seconds(99), TTL)),
            Wait::Compute
        );
        assert_eq!(answered(held, was_held, (seconds(5), TTL)), Wait::Again);
        assert_eq!(answered(held, was_held, (TTL, TTL)), Wait::Apart);
    }
}

#[test]
fn one_lost_answer_ends_no_wait() {
    let waited = seconds(5);
    assert_eq!(answered(None, true, (waited, TTL)), Wait::Again);
    assert_eq!(answered(None, true, (TTL, TTL)), Wait::Apart);
    assert_eq!(answered(None, false, (waited, TTL)), Wait::Apart);
    assert_eq!(answered(None, false, (Duration::ZERO, TTL)), Wait::Apart);
}

#[test]
fn a_holder_renews_at_a_third_and_what_is_lost_stays_lost() {
    let holder = Holder::Holding { asked: NOW };
    assert_eq!(holder.due(TTL), NOW.after(seconds(2)));
    let renewed = |was_there| Event::Renewed {
        asked: NOW.after(seconds(2)),
        was_there,
    };
    let kept = holder.after(renewed(true));
    assert_eq!(kept.due(TTL), NOW.after(seconds(4)));
    for event in [renewed(false), Event::Overwritten] {
        let lost = kept.after(event);
        assert_eq!(lost.after(renewed(true)), Holder::Lost);
        assert_eq!(lost.due(TTL), Instant::NEVER);
    }
}

fn requests() -> impl Strategy<Value = Vec<(u64, Request, u64)>> {
    let request = prop_oneof![
        Just(Request::Take(TTL)),
        Just(Request::Renew(TTL)),
        Just(Request::Release),
        Just(Request::Settle),
        Just(Request::Overwrite),
    ];
    prop::collection::vec((1_u64..4, request, 0_u64..4), 1..40)
}

proptest! {
    /// Whoever settles was given the lease, and nobody else was given it or wrote since.
    #[test]
    fn who_settles_is_the_last_who_was_given_it(requests in requests()) {
        let (mut lease, mut now, mut last) = (None, NOW, None);
        for (token, request, pause) in requests {
            now = now.after(seconds(pause));
            let (after, said) = reply(lease, token, request, now);
            let granted = said == Grant::Granted;
            match request {
                Request::Take(_) if granted => last = Some(token),
                Request::Renew(_) | Request::Release | Request::Settle if granted => {
                    prop_assert_eq!(last, Some(token));
                }
                Request::Overwrite => last = None,
                _ => {}
            }
            if granted && matches!(request, Request::Settle | Request::Release) {
                last = None;
            }
            lease = after;
        }
    }
}
