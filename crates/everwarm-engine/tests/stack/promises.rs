//! The promises of a stack, over stores that several "processes" share.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::codec::{Meta, Refusal};
use everwarm_core::error::ErrorKind;
use everwarm_core::store::FailureKind;
use everwarm_core::using::Read;
use everwarm_engine::stack::{
    Change, Done, Event, Fetched, Need, Options, Place, Spot, Stack, Write, Written,
};

use crate::tiers::shelf::Facets;
use crate::tiers::{
    Host, Ledger, NAMESPACE, Process, SECOND, at_once, lasting, meta, name, place, poll, tags,
    text, tier, wait,
};

fn two(tiers: usize) -> (Host, Process, Process) {
    let host = Host::new(tiers);
    let (one, other) = (host.process(), host.process());
    (host, one, other)
}

#[test]
fn what_one_process_computes_another_finds_in_one_trip() {
    let (_, one, other) = two(1);
    one.fill("k", "v", &["t"]);
    other.far().asked();
    let stored = other.found("k", &["t"]).expect("the value");
    assert_eq!((text(&stored), stored.tier), ("v".into(), 0));
    assert_eq!(stored.opened.meta.tags, tags(&["t"]).to_vec());
    assert_eq!(other.far().asked(), ["get_with"]);
}

#[test]
fn embedded_stores_answer_at_the_first_poll() {
    let (_, one, _) = two(2);
    let fetched = at_once(one.stack.fetch(place("k"), tags(&[]), Read::Any));
    let Fetched::Lead(seat) = fetched else {
        panic!("nothing is there");
    };
    let written = at_once(one.stack.settle(seat, b"v".to_vec(), meta(&[])));
    assert_eq!(written, Written::Stored);
    assert!(at_once(one.stack.get(place("k"), tags(&[]), Read::Any)).is_some());
    assert_eq!(at_once(one.stack.delete(place("k"))), (true, Done::Now));
}

#[test]
fn a_far_entry_fills_the_nearer_tier_with_the_life_it_has_left() {
    let (host, one, other) = two(2);
    one.fill("k", "v", &[]);
    wait(one.near_store().delete(&name("k"))).expect("deleted");
    host.hand.advance(20 * SECOND);
    assert_eq!(other.found("k", &[]).expect("the value").tier, 1);
    assert_eq!(other.near().left(&name("k")), Some(40 * SECOND));
    host.hand.advance(10 * SECOND);
    let stored = other.found("k", &[]).expect("the value");
    assert_eq!((stored.tier, stored.age), (0, 30 * SECOND));
    assert_eq!(stored.remaining, Some(30 * SECOND));
    host.hand.advance(30 * SECOND);
    assert!(other.found("k", &[]).is_none());
}

#[test]
fn the_ttl_of_a_tier_caps() {
    let host = Host::new(2);
    let one = host.process_with(Facets::All, |tiers| {
        tiers[0].ttl = Some(5 * SECOND);
        tiers[1].ttl = Some(30 * SECOND);
    });
    one.fill("k", "v", &[]);
    assert_eq!(one.near().left(&name("k")), Some(5 * SECOND));
    assert_eq!(one.far().left(&name("k")), Some(30 * SECOND));
    host.hand.advance(7 * SECOND);
    let stored = one.found("k", &[]).expect("the value");
    assert_eq!((stored.tier, stored.age), (1, 7 * SECOND));
    host.hand.advance(4 * SECOND);
    let stored = one.found("k", &[]).expect("the value");
    assert_eq!((stored.tier, stored.age), (0, 11 * SECOND));
}

#[test]
fn what_has_no_end_is_kept_for_long_and_has_an_age() {
    let (host, one, _) = two(1);
    let seat = one.lead("k", &[]);
    let endless = Meta::default();
    assert_eq!(
        wait(one.stack.settle(seat, b"v".to_vec(), endless)),
        Written::Stored
    );
    host.hand.advance(100 * SECOND);
    let stored = one.found("k", &[]).expect("the value");
    assert_eq!((stored.age, stored.remaining), (100 * SECOND, None));
    assert!(one.far().left(&name("k")).expect("there") > Duration::from_secs(29 * 86_400));
}

#[test]
fn a_reader_may_want_it_younger_or_not_at_all() {
    let (host, one, _) = two(1);
    one.fill("k", "v", &[]);
    host.hand.advance(10 * SECOND);
    let get = |read| wait(one.stack.get(place("k"), tags(&[]), read));
    assert!(get(Read::no_older(10 * SECOND)).is_some());
    assert!(get(Read::no_older(9 * SECOND)).is_none());
    assert!(get(Read::Nothing).is_none());
}

#[test]
fn an_invalidated_tag_is_a_miss_in_every_process_and_tier() {
    let (_, one, other) = two(2);
    one.fill("k", "v", &["t"]);
    assert!(
        other.found("k", &[]).is_some(),
        "the tag is found in the entry"
    );
    assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Now);
    assert!(one.found("k", &["t"]).is_none());
    assert!(one.found("k", &[]).is_none());
    wait(other.stack.watch());
    assert!(other.found("k", &[]).is_none());
    other.fill("k", "new", &["t"]);
    assert_eq!(one.value("k"), Some("new".into()));
}

#[test]
fn a_function_or_the_namespace_can_be_cleared() {
    for facets in [Facets::All, Facets::None] {
        let host = Host::new(1);
        let (one, other) = (
            host.process_with(facets, |_| {}),
            host.process_with(facets, |_| {}),
        );
        one.fill("k", "v", &[]);
        assert_eq!(wait(one.stack.clear_function("other".into())), Done::Now);
        assert_eq!(other.value("k"), Some("v".into()));
        assert_eq!(wait(one.stack.clear_function("price".into())), Done::Now);
        assert_eq!(other.value("k"), None);
        one.fill("k", "v", &[]);
        assert_eq!(wait(one.stack.clear()), Done::Now);
        assert_eq!(other.value("k"), None);
        assert_eq!(one.far().names(), [""; 0]);
    }
}

#[test]
fn a_load_that_began_before_an_invalidation_stays_out() {
    let (_, one, other) = two(2);
    let seat = one.lead("k", &["t"]);
    wait(other.stack.invalidate(tags(&["t"])));
    assert_eq!(one.settle(seat, "old", &["t"]), Written::Overtaken);
    let seat = one.lead("k", &[]);
    wait(other.stack.invalidate(tags(&["from the result"])));
    assert_eq!(
        one.settle(seat, "old", &["from the result"]),
        Written::Overtaken
    );
    let seat = one.lead("k", &[]);
    wait(other.stack.clear());
    assert!(!one.settle(seat, "old", &[]).is_stored());
    assert!(one.near().names().is_empty() && one.far().names().is_empty());
}

#[test]
fn a_load_that_began_before_a_deletion_or_a_set_stays_out() {
    let (_, one, other) = two(2);
    let seat = one.lead("k", &[]);
    assert_eq!(wait(other.stack.delete(place("k"))), (false, Done::Now));
    assert_eq!(one.settle(seat, "old", &[]), Written::Lost);
    assert!(one.near().names().is_empty() && one.far().names().is_empty());
    let seat = one.lead("k", &[]);
    assert_eq!(
        wait(other.stack.set(place("k"), b"new".to_vec(), meta(&[]))),
        Written::Stored
    );
    assert_eq!(one.settle(seat, "old", &[]), Written::Lost);
    assert_eq!(one.value("k"), Some("new".into()));
}

#[test]
fn one_process_computes_and_others_wait_for_it() {
    let (_, one, other) = two(1);
    let seat = one.lead("k", &[]);
    let mut fetch = Box::pin(other.stack.fetch(place("k"), tags(&[]), Read::Any));
    let waits = |fetch: &mut _| poll(fetch).is_none();
    assert!((0..10).all(|_| waits(&mut fetch)));
    assert_eq!(one.settle(seat, "v", &[]), Written::Stored);
    match wait(fetch) {
        Fetched::Found(stored) => assert_eq!(text(&stored), "v"),
        other => panic!("it was computed already: {other:?}"),
    }
    assert_eq!(one.far().leased(), 0);
}

#[test]
fn a_dropped_seat_hands_over() {
    let (_, one, other) = two(2);
    drop(one.lead("k", &[]));
    assert_eq!((one.near().leased(), one.far().leased()), (0, 0));
    drop(other.lead("k", &[]));
}

#[test]
fn the_lease_of_a_dead_process_ends_by_itself_and_its_late_value_is_lost() {
    let (host, one, other) = two(1);
    let seat = one.lead("k", &[]);
    // Its holder renews no more.
    let began = host.hand.now();
    let second = other.lead("k", &[]);
    let waited = host.hand.now().since(began);
    assert!((5 * SECOND..6 * SECOND).contains(&waited), "{waited:?}");
    assert_eq!(one.settle(seat, "late", &[]), Written::Lost);
    assert_eq!(other.settle(second, "v", &[]), Written::Stored);
    assert_eq!(one.value("k"), Some("v".into()));
}

#[test]
fn a_lease_is_renewed_while_the_computation_runs() {
    let (host, one, _) = two(2);
    let seat = one.lead("k", &[]);
    for _ in 0..10 {
        host.hand.advance(2 * SECOND);
        wait(one.stack.watch());
    }
    assert_eq!(one.settle(seat, "v", &[]), Written::Stored);
    assert_eq!(one.near().names().len(), 1);
}

#[test]
fn who_waited_too_long_computes_for_itself() {
    let host = Host::new(1);
    let options = Options {
        wait_timeout: SECOND,
        ..host.options()
    };
    let one = host.process();
    let other = host.process_of(Facets::All, |_| {}, options);
    let seat = one.lead("k", &[]);
    let alone = other.lead("k", &[]);
    assert_eq!(other.settle(alone, "v", &[]), Written::Apart);
    assert_eq!(one.settle(seat, "w", &[]), Written::Stored);
}

#[test]
fn a_refresh_takes_the_place_of_what_is_there_and_of_what_others_compute() {
    let (_, one, other) = two(2);
    one.fill("k", "old", &[]);
    let fetched = wait(other.stack.fetch(place("k"), tags(&[]), Read::Nothing));
    let Fetched::Lead(seat) = fetched else {
        panic!("nothing was to be read");
    };
    assert_eq!(other.settle(seat, "new", &[]), Written::Stored);
    assert_eq!(one.value("k"), Some("new".into()));
    assert_eq!(wait(one.stack.watch()), [Event::Key((&*name("k")).into())]);
}

#[test]
fn what_is_no_value_is_a_miss_and_counted_by_its_class() {
    let (_, one, _) = two(2);
    one.fill("k", "v", &[]);
    one.near().damage(&name("k"));
    one.far().damage(&name("k"));
    assert_eq!(one.value("k"), None);
    let stats = one.stack.stats();
    assert_eq!(stats[0].refused, [(Refusal::Damaged, 1)]);
    assert_eq!(stats[1].refused[0].0, Refusal::Damaged);
    one.fill("k", "w", &[]);
    assert_eq!(one.value("k"), Some("w".into()));
}

#[test]
fn an_entry_of_another_key_is_a_miss() {
    let (_, one, _) = two(1);
    one.fill("k", "v", &[]);
    let stray = Place::from(Spot {
        name: name("k"),
        ..Spot::clone(&place("other"))
    });
    assert!(wait(one.stack.get(stray, tags(&[]), Read::Any)).is_none());
    assert_eq!(one.stack.stats()[0].refused, [(Refusal::Misplaced, 1)]);
}

#[test]
fn others_are_told_of_what_their_memory_may_hold() {
    let (_, one, other) = two(2);
    other.stack.note(&tags(&["t", "u"]));
    assert_eq!(wait(other.stack.watch()), []);
    wait(one.stack.invalidate(tags(&["t", "unknown there"])));
    wait(one.stack.delete(place("k")));
    let events = [Event::Tag("t".into()), Event::Key((&*name("k")).into())];
    assert_eq!(wait(other.stack.watch()), events);
    assert_eq!(wait(other.stack.watch()), []);
    other.fill("k", "v", &[]);
    wait(one.stack.clear_function("price".into()));
    assert_eq!(wait(other.stack.watch()), [Event::Function("price".into())]);
    wait(one.stack.clear());
    assert_eq!(wait(other.stack.watch()), [Event::Everything]);
    assert_eq!(wait(one.stack.watch()), [], "one's own doing is no news");
}

#[test]
fn a_value_whose_tag_nobody_knew_when_it_was_invalidated_is_overtaken() {
    let host = Host::new(1);
    let options = Options {
        wait_timeout: Duration::ZERO,
        ..host.options()
    };
    let one = host.process();
    let other = host.process_of(Facets::All, |_| {}, options);
    let leader = one.lead("k", &[]);
    // Without the lease the authority is not asked.
    let alone = other.lead("k", &[]);
    wait(one.stack.invalidate(tags(&["from the result"])));
    assert_eq!(wait(other.stack.watch()), []);
    assert!(!other.stack.is_overtaken(&alone, &tags(&["another"])));
    assert!(
        other
            .stack
            .is_overtaken(&alone, &tags(&["from the result"]))
    );
    assert_eq!(
        other.settle(alone, "v", &["from the result"]),
        Written::Overtaken
    );
    drop(leader);
}

#[test]
fn lost_messages_mean_that_everything_changed() {
    let (_, one, other) = two(2);
    other.fill("k", "v", &[]);
    wait(one.stack.invalidate(tags(&["t"])));
    other.far().lose_messages();
    assert_eq!(wait(other.stack.watch()), [Event::Everything]);
    assert!(other.near().names().is_empty());
}

#[test]
fn a_lost_shard_means_that_everything_changed() {
    let (_, one, other) = two(2);
    other.fill("k", "v", &[]);
    wait(other.stack.watch());
    other.far().lose_shard();
    drop(one.lead("other", &[]));
    assert_eq!(
        other.value("k"),
        Some("v".into()),
        "nobody could know as yet"
    );
    assert!(other.found("new", &[]).is_none());
    assert_eq!(wait(other.stack.watch()), [Event::Everything]);
    assert_eq!(other.value("k"), None);
}

#[test]
fn a_lost_marker_is_a_miss_and_brings_nothing_back() {
    let (_, one, other) = two(1);
    one.fill("k", "v", &["t"]);
    wait(one.stack.invalidate(tags(&["t"])));
    one.far().lose_markers();
    assert!(other.found("k", &["t"]).is_none());
    drop(other.lead("k", &["t"]));
    assert!(other.found("k", &["t"]).is_none());
}

#[test]
fn without_messages_the_markers_are_asked_for() {
    let host = Host::new(2);
    let process = || host.process_with(Facets::NoNotify, |_| {});
    let (one, other) = (process(), process());
    one.fill("k", "v", &["t"]);
    assert!(other.found("k", &["t"]).is_some());
    wait(other.stack.watch());
    wait(one.stack.invalidate(tags(&["t"])));
    assert_eq!(wait(other.stack.watch()), [], "it was asked just now");
    host.hand.advance(SECOND);
    assert_eq!(wait(other.stack.watch()), [Event::Tag("t".into())]);
    assert!(other.found("k", &["t"]).is_none());
}

#[test]
fn a_near_hit_needs_no_trip_as_long_as_the_markers_are_confirmed() {
    let (host, one, _) = two(2);
    one.fill("k", "v", &["t"]);
    wait(one.stack.watch());
    one.far().asked();
    assert_eq!(one.found("k", &["t"]).expect("the value").tier, 0);
    assert_eq!(one.far().asked(), [""; 0]);
    host.hand.advance(3 * SECOND);
    assert_eq!(one.found("k", &["t"]).expect("the value").tier, 0);
    assert_eq!(one.far().asked(), ["read"]);
}

#[test]
fn stores_that_do_not_fit_are_refused() {
    let host = Host::new(1);
    let stack = |tiers, options| {
        Stack::new(tiers, Arc::new(Ledger), NAMESPACE.into(), options).map_err(|error| {
            assert!(error.to_string().contains("\nhint: "));
            error.kind()
        })
    };
    let shelf = |facets| tier(host.shelf(0, facets));
    let kind = |tiers| stack(tiers, host.options()).err();
    assert_eq!(kind(vec![]), Some(ErrorKind::Config));
    let in_front = vec![shelf(Facets::None), shelf(Facets::All)];
    assert_eq!(kind(in_front), Some(ErrorKind::Unsupported));
    let short = vec![tier(host.shelf_with_short_names())];
    assert_eq!(kind(short), Some(ErrorKind::Unsupported));
    let mut around = shelf(Facets::All);
    around.write = Write::Around;
    assert_eq!(kind(vec![around]), Some(ErrorKind::Config));
    let mut momentary = shelf(Facets::All);
    momentary.ttl = Some(Duration::ZERO);
    assert_eq!(kind(vec![momentary]), Some(ErrorKind::Config));
    let no_lease = Options {
        lease_ttl: Duration::ZERO,
        ..host.options()
    };
    let refused = stack(vec![shelf(Facets::All)], no_lease);
    assert_eq!(refused.err(), Some(ErrorKind::Config));
    let simple = stack(vec![shelf(Facets::None)], host.options()).expect("a simple store");
    for need in [Need::Tags, Need::Changes, Need::Scan] {
        let refused = simple.require(need).expect_err("it cannot");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
    let full = stack(vec![shelf(Facets::All)], host.options()).expect("a full store");
    assert!(
        [Need::Tags, Need::Changes, Need::Scan]
            .iter()
            .all(|need| full.require(*need).is_ok())
    );
}

#[test]
fn a_simple_store_keeps_values_and_forgets_what_is_deleted() {
    let host = Host::new(1);
    let process = || host.process_with(Facets::None, |_| {});
    let (one, other) = (process(), process());
    one.fill("k", "v", &[]);
    assert_eq!(other.value("k"), Some("v".into()));
    let seat = one.lead("m", &[]);
    wait(one.stack.delete(place("m")));
    assert_eq!(one.settle(seat, "old", &[]), Written::Lost);
    wait(other.stack.delete(place("k")));
    assert!(one.far().names().is_empty());
    let refused = wait(one.stack.amend(place("k"), |_| Change::Keep(())));
    assert_eq!(
        refused.map_err(|failure| failure.kind),
        Err(FailureKind::Capability)
    );
}

#[test]
fn a_value_that_is_too_large_is_counted_and_not_stored() {
    let (_, one, _) = two(2);
    let seat = one.lead("k", &[]);
    let large = vec![b'x'; 20_000];
    let written = wait(one.stack.settle(seat, large, meta(&[])));
    assert!(
        matches!(written, Written::Refused(error) if error.message().contains("larger than the store"))
    );
    assert_eq!(one.stack.stats()[1].errors, [(FailureKind::Capacity, 1)]);
    assert_eq!((one.near().leased(), one.far().leased()), (0, 0));
}

#[test]
fn what_a_store_hears_that_it_takes_counts_from_then_on() {
    let (_, one, _) = two(2);
    let settled = |key: &str, length: usize| {
        let seat = one.lead(key, &[]);
        wait(one.stack.settle(seat, vec![b'x'; length], meta(&[])))
    };
    assert!(matches!(settled("k", 20_000), Written::Refused(_)));
    one.far().largest_value.store(30_000, Ordering::SeqCst);
    assert_eq!(settled("k", 20_000), Written::Stored);
    one.far().largest_value.store(5_000, Ordering::SeqCst);
    assert!(matches!(settled("l", 9_000), Written::Refused(_)));
}

#[test]
fn a_seat_is_counted_and_so_is_a_hit() {
    let (_, one, _) = two(2);
    one.fill("k", "v", &[]);
    one.found("k", &[]);
    let stats = one.stack.stats();
    assert_eq!((stats[0].hits, stats[0].misses, stats[0].sets), (1, 1, 1));
    assert_eq!((stats[1].hits, stats[1].misses, stats[1].sets), (0, 1, 1));
    wait(one.stack.peek(place("k"), tags(&[]))).expect("the value");
    assert_eq!(one.stack.stats(), stats);
}

#[test]
fn around_is_filled_by_reads_alone() {
    let host = Host::new(2);
    let one = host.process_with(Facets::All, |tiers| tiers[0].write = Write::Around);
    one.fill("k", "v", &[]);
    assert!(one.near().names().is_empty());
    assert_eq!(one.found("k", &[]).expect("the value").tier, 1);
    assert_eq!(one.found("k", &[]).expect("the value").tier, 0);
    wait(
        one.stack
            .set(place("k"), b"w".to_vec(), lasting(SECOND, &[])),
    );
    assert!(one.near().names().is_empty());
    assert_eq!(one.value("k"), Some("w".into()));
}

#[test]
fn a_lease_that_is_not_needed_is_given_back_before_the_caller_goes_on() {
    let (_, one, other) = two(2);
    for process in [&one, &other] {
        for shelf in &process.shelves {
            shelf.faults.lock().expect("no panic").polls = 1;
        }
    }
    let leased = || (one.near().leased(), one.far().leased());
    let seat = one.lead("k", &[]);
    let mut fetch = Box::pin(other.stack.fetch(place("k"), tags(&[]), Read::Any));
    for _ in 0..10 {
        assert!(poll(&mut fetch).is_none());
    }
    assert_eq!(one.settle(seat, "v", &[]), Written::Stored);
    assert!(matches!(wait(fetch), Fetched::Found(_)));
    assert_eq!(leased(), (0, 0), "of who waited and found the value");

    let seat = one.lead("m", &["t"]);
    wait(other.stack.invalidate(tags(&["t"])));
    assert_eq!(one.settle(seat, "v", &["t"]), Written::Overtaken);
    assert_eq!(leased(), (0, 0), "of who was overtaken");

    let seat = one.lead("n", &[]);
    assert!(matches!(
        one.settle(seat, "unsealable", &[]),
        Written::Refused(_)
    ));
    assert_eq!(leased(), (0, 0), "of what cannot be stored");
}
