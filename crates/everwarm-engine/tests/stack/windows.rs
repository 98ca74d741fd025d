//! Windows over stores: what is old there is served, computed anew by one process, and there in case a computation fails.

use crate::tiers::{Host, Process, SECOND, meta, place, tags, text, wait};
use everwarm_core::codec::{Meta, Spans};
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::slide::Slide;
use everwarm_core::using::Read;
use everwarm_engine::stack::{Fetched, Seat, Stored};

/// Fresh for 10 s, due from 8 s on, served stale for 10 more and if errors for 10 more than that.
fn windowed() -> Meta {
    Meta {
        spans: Spans {
            fresh: Some(10 * SECOND),
            quiet: Some(8 * SECOND),
            stale: 10 * SECOND,
            if_error: 20 * SECOND,
            slide: None,
        },
        ..meta(&[])
    }
}

/// Two processes and an entry that is so old.
fn aged(tiers: usize, seconds: u32) -> (Host, Process, Process) {
    let host = Host::new(tiers);
    let (one, other) = (host.process(), host.process());
    let seat = one.lead("k", &[]);
    assert!(wait(one.stack.settle(seat, "old".into(), windowed())).is_stored());
    host.hand.advance(SECOND * seconds);
    (host, one, other)
}

fn behind(process: &Process) -> Fetched {
    wait(process.stack.fetch_behind(place("k"), tags(&[]), Read::Any))
}

fn seat(fetched: Fetched) -> (Seat, Option<Stored>) {
    match fetched {
        Fetched::Lead(mut seat) => {
            let old = seat.take_old();
            (seat, old)
        }
        other => panic!("expected the seat, got {other:?}"),
    }
}

#[test]
fn what_is_found_is_judged_by_its_age() {
    let judged = |tiers, seconds| {
        let (_host, _, other) = aged(tiers, seconds);
        other.found("k", &[]).map(|stored| stored.judgement)
    };
    for tiers in [1, 2] {
        use Freshness::{Fresh, Stale};
        assert_eq!(judged(tiers, 7), Some(Judgement::Serve(Fresh)));
        assert_eq!(judged(tiers, 8), Some(Judgement::ServeAndRefresh(Fresh)));
        assert_eq!(judged(tiers, 10), Some(Judgement::ServeAndRefresh(Stale)));
        assert_eq!(judged(tiers, 20), None);
    }
}

#[test]
fn an_old_value_beyond_the_stale_window_comes_with_the_seat() {
    for (age, is_there) in [(20, true), (29, true), (30, false)] {
        let (_host, _, other) = aged(1, age);
        let (_seat, old) = seat(other.fetch("k", &[]));
        assert_eq!(old.map(|old| text(&old)), is_there.then(|| "old".into()));
    }
}

#[test]
fn a_first_look_finds_what_is_old_too() {
    use Freshness::{Fresh, Stale};
    let expected = [
        (7, Some(Judgement::Serve(Fresh))),
        (8, Some(Judgement::ServeAndRefresh(Fresh))),
        (12, Some(Judgement::ServeAndRefresh(Stale))),
        (20, Some(Judgement::OnlyIfError)),
        (30, None),
    ];
    for (age, judgement) in expected {
        let (_host, _, other) = aged(1, age);
        let one = wait(other.stack.find(place("k")));
        assert_eq!(one.map(|stored| stored.judgement), judgement, "at {age} s");
        let many = wait(other.stack.find_many(vec![place("nobody"), place("k")]));
        let many: Vec<_> = many
            .into_iter()
            .map(|stored| stored.map(|stored| stored.judgement))
            .collect();
        assert_eq!(many, [None, judgement], "at {age} s");
    }
}

#[test]
fn who_found_nothing_computes_unless_another_has_meanwhile() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    let unfound = || wait(one.stack.fetch_unfound(place("k"), tags(&[]), true));
    assert!(wait(one.stack.find(place("k"))).is_none());
    drop(seat(unfound()));
    assert!(wait(one.stack.find(place("k"))).is_none());
    let seat = other.lead("k", &[]);
    assert!(other.settle(seat, "new", &[]).is_stored());
    match unfound() {
        Fetched::Found(stored) => assert_eq!(text(&stored), "new"),
        other => panic!("it was computed: {other:?}"),
    }
}

#[test]
fn plain_reads_take_fresh_values_alone() {
    for (age, is_there) in [(9, true), (10, false)] {
        let (_host, _, other) = aged(1, age);
        let get = wait(other.stack.get(place("k"), tags(&[]), Read::Any));
        assert_eq!(get.is_some(), is_there);
    }
}

#[test]
fn one_process_computes_an_old_value_anew_and_no_other_waits() {
    for tiers in [1, 2] {
        let (_host, one, other) = aged(tiers, 12);
        let (leads, _) = seat(behind(&one));
        assert!(matches!(behind(&other), Fetched::Elsewhere));
        assert_eq!(other.value("k").as_deref(), Some("old"));
        assert!(one.settle(leads, "new", &[]).is_stored());
        match behind(&other) {
            Fetched::Found(stored) => assert_eq!(text(&stored), "new"),
            other => panic!("it was computed: {other:?}"),
        }
        assert_eq!(one.far().leased(), 0);
    }
}

#[test]
fn a_value_that_is_too_old_for_who_computes_it_anew_is_not_taken() {
    for tiers in [1, 2] {
        let (_host, one, _) = aged(tiers, 7);
        let anew = |seconds| {
            let read = Read::no_older(SECOND * seconds);
            wait(one.stack.fetch_behind(place("k"), tags(&[]), read))
        };
        assert!(matches!(anew(7), Fetched::Found(_)));
        let (leads, _) = seat(anew(6));
        assert!(one.settle(leads, "new", &[]).is_stored());
        assert!(matches!(anew(6), Fetched::Found(_)));
    }
}

#[test]
fn a_nearer_tier_does_not_hide_what_was_computed_anew() {
    let host = Host::new(2);
    let (one, beside) = (host.process(), host.beside().process());
    let first = one.lead("k", &[]);
    assert!(wait(one.stack.settle(first, "old".into(), windowed())).is_stored());
    host.hand.advance(2 * SECOND);
    assert_eq!(beside.value("k").as_deref(), Some("old"));
    host.hand.advance(10 * SECOND);
    let (leads, _) = seat(behind(&one));
    assert!(one.settle(leads, "new", &[]).is_stored());
    assert_eq!(beside.value("k").as_deref(), Some("new"));
}

#[test]
fn what_is_invalidated_is_gone_in_every_window() {
    for age in [9, 12, 25] {
        let (_host, one, other) = aged(2, age);
        wait(one.stack.delete(place("k")));
        let (_seat, old) = seat(other.fetch("k", &[]));
        assert!(old.is_none());
    }
}

/// Fresh for 10 s; a read in the last 5 of them has that begin anew, up to the age of 24 s.
fn sliding() -> Meta {
    Meta {
        spans: Spans {
            fresh: Some(10 * SECOND),
            slide: Some(Slide {
                by: 10 * SECOND,
                ahead: 5 * SECOND,
                most: 24 * SECOND,
            }),
            ..Spans::default()
        },
        ..meta(&[])
    }
}

fn slides(tiers: usize) -> (Host, Process, Process) {
    let host = Host::new(tiers);
    let (one, other) = (host.process(), host.process());
    let seat = one.lead("k", &[]);
    assert!(wait(one.stack.settle(seat, "old".into(), sliding())).is_stored());
    (host, one, other)
}

fn life(process: &Process) -> Option<(u64, u64)> {
    let stored = wait(process.stack.peek(place("k"), tags(&[])))?;
    let left = stored.remaining.expect("an end").as_secs();
    Some((stored.age.as_secs(), left))
}

#[test]
fn a_read_lengthens_a_life_once_it_is_time_and_not_for_ever() {
    for tiers in [1, 2] {
        let (host, one, other) = slides(tiers);
        let at = |seconds, expected| {
            host.hand.advance(SECOND * seconds);
            assert_eq!(other.value("k").as_deref(), Some("old"));
            assert_eq!(life(&one), Some(expected), "{tiers} tiers");
        };
        at(4, (4, 6));
        at(2, (6, 10));
        at(6, (12, 10));
        at(6, (18, 6));
        at(5, (23, 1));
        host.hand.advance(SECOND);
        assert_eq!(life(&one), None);
    }
}

#[test]
fn a_read_before_its_time_writes_nothing() {
    let (host, one, _) = slides(1);
    let sets = || one.stack.stats()[0].sets;
    for (seconds, expected) in [(4, 1), (2, 2), (1, 2), (4, 3)] {
        host.hand.advance(SECOND * seconds);
        assert!(one.found("k", &[]).is_some());
        assert_eq!(sets(), expected);
    }
}

#[test]
fn plain_reads_lengthen_lives_and_looking_does_not() {
    let (host, one, other) = slides(1);
    host.hand.advance(6 * SECOND);
    assert_eq!(life(&one), Some((6, 4)));
    assert!(wait(other.stack.get(place("k"), tags(&[]), Read::Any)).is_some());
    assert_eq!(life(&one), Some((6, 10)));
    host.hand.advance(6 * SECOND);
    let many = wait(other.stack.get_many(vec![place("k")]));
    assert_eq!(many.len(), 1);
    assert_eq!(life(&one), Some((12, 10)));
    host.hand.advance(6 * SECOND);
    let many = vec![(place("k"), tags(&[]))];
    let many = wait(other.stack.fetch_many(many));
    assert!(matches!(&many[..], [Some(Fetched::Found(_))]));
    assert_eq!(life(&one), Some((18, 6)));
}

#[test]
fn what_is_invalidated_is_not_brought_back_by_a_read() {
    let (host, one, other) = slides(1);
    host.hand.advance(6 * SECOND);
    assert_eq!(other.value("k").as_deref(), Some("old"));
    wait(one.stack.clear_function("price".into()));
    assert_eq!(life(&other), None);
    let (_seat, old) = seat(other.fetch("k", &[]));
    assert!(old.is_none());
}
