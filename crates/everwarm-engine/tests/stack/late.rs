//! What was written or deleted while a process was cut off from the store, and what becomes of it when the store is back: the last of each
//! name is made good, unless others did something later.

use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::store::{Bytes, FailureKind, Store};
use everwarm_engine::stack::{Change, Done, Event, Stored, Write, Written};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, SECOND, lasting, meta, name, place, poll, tags, text, wait};

/// What is done in something.
type In<T> = fn(&T);

/// A process that will be cut off, and another one that is not.
struct World {
    host: Host,
    one: Process,
    other: Process,
}

impl World {
    fn new() -> Self {
        Self::of(1, Facets::All)
    }

    fn of(tiers: usize, facets: Facets) -> Self {
        let host = Host::new(tiers);
        let one = host.process_with(facets, |_| {});
        let other = host.process_with(facets, |_| {});
        // Each has read of the shard.
        assert_eq!((one.value("any"), other.value("any")), (None, None));
        Self { host, one, other }
    }

    fn pass(&self, span: Duration) {
        self.host.hand.advance(span);
    }

    /// What was there before, written by hand, ten seconds ago.
    fn had(&self, keys: &[&str]) {
        for key in keys {
            assert_eq!(set(&self.other, key, "old"), Written::Stored);
        }
        self.pass(10 * SECOND);
    }

    /// Does it while the one is cut off from the store, and lets some seconds pass.
    fn cut_off(&self, act: impl FnOnce(&Process)) {
        self.cut_off_from("*", act);
    }

    fn cut_off_from(&self, verbs: &str, act: impl FnOnce(&Process)) {
        self.one.far().fail(verbs);
        act(&self.one);
        self.pass(5 * SECOND);
    }

    /// The store is back; what the one is told.
    fn healed(&self) -> Vec<Event> {
        self.one.far().fail("");
        self.pass(5 * SECOND);
        let events = wait(self.one.stack.watch());
        assert!(health(&self.one), "nothing is owed any more");
        events
    }

    /// What all see.
    fn value(&self, key: &str) -> Option<String> {
        let value = self.other.value(key);
        assert_eq!(self.one.value(key), value, "both see the same of {key}");
        value
    }
}

/// Whether nothing is owed: a value that is set can be read.
fn health(process: &Process) -> bool {
    set(process, "probe", "v") == Written::Stored && process.value("probe").is_some()
}

fn set(process: &Process, key: &str, value: &str) -> Written {
    wait(process.stack.set(place(key), value.into(), meta(&[])))
}

fn delete(process: &Process, key: &str) -> Done {
    wait(process.stack.delete(place(key))).1
}

fn cannot_set(process: &Process, key: &str, value: &str) {
    assert!(!set(process, key, value).is_stored());
}

fn cannot_delete(process: &Process, key: &str) {
    assert_eq!(delete(process, key), Done::Pending);
}

#[test]
fn a_write_that_nobody_overtook_is_made_good_with_what_is_left_of_its_life() {
    for tiers in 1..=2 {
        let world = World::of(tiers, Facets::All);
        world.had(&["k", "j"]);
        assert_eq!(world.value("k").as_deref(), Some("old"));
        world.cut_off(|one| {
            assert!(!set(one, "k", "new").is_stored());
            assert_eq!(delete(one, "j"), Done::Pending);
            assert_eq!(
                (one.value("k"), one.value("j")),
                (None, None),
                "never the old one"
            );
        });
        world.healed();
        assert_eq!(world.value("k").as_deref(), Some("new"), "{tiers} tiers");
        assert_eq!(world.value("j"), None);
        assert_eq!(world.one.far().left(&name("k")), Some(50 * SECOND));
    }
}

#[test]
fn what_others_wrote_later_lives() {
    for tiers in 1..=2 {
        let world = World::of(tiers, Facets::All);
        world.had(&["k", "j", "n"]);
        world.cut_off(|one| {
            set(one, "k", "mine");
            delete(one, "j");
            delete(one, "n");
        });
        set(&world.other, "k", "theirs");
        set(&world.other, "j", "theirs");
        let count = |_: Option<&Stored>| Change::Write(b"6".to_vec(), meta(&[]), ());
        wait(world.other.stack.amend(place("n"), count)).expect("it counts");
        let events = world.healed();
        for key in ["k", "j", "n"] {
            let told = Event::Key((*name(key)).into());
            assert!(events.contains(&told), "memory lets go of {key}");
        }
        assert_eq!(world.value("k").as_deref(), Some("theirs"));
        assert_eq!(world.value("j").as_deref(), Some("theirs"));
        assert_eq!(world.value("n").as_deref(), Some("6"), "a count goes on");
    }
}

#[test]
fn many_that_were_set_together_are_made_good_each_for_itself() {
    for verbs in ["*", "set delete"] {
        let world = World::new();
        world.had(&["a", "b"]);
        world.cut_off_from(verbs, |one| {
            let entries = ["a", "b"].map(|key| (place(key), b"mine".to_vec(), meta(&[])));
            assert!(!wait(one.stack.set_many(entries.to_vec())).is_stored());
        });
        set(&world.other, "b", "theirs");
        world.healed();
        assert_eq!(world.value("a").as_deref(), Some("mine"), "{verbs}");
        assert_eq!(world.value("b").as_deref(), Some("theirs"), "{verbs}");
    }
}

#[test]
fn a_write_that_was_queued_is_made_good() {
    for done in [false, true] {
        let host = Host::new(1);
        let one = host.process_with(Facets::All, |tiers| tiers[0].write = Write::Behind);
        let other = host.process();
        set(&other, "k", "old");
        host.hand.advance(10 * SECOND);
        assert_eq!(one.value("k").as_deref(), Some("old"));
        one.far().fail("set");
        one.far().faults.lock().expect("no panic").done = done;
        assert_eq!(set(&one, "k", "new"), Written::Stored, "it waits");
        // What was queued is written first; then what is owed is tried.
        wait(one.stack.flush());
        assert_eq!(other.value("k").as_deref(), Some("new"));
        let again = one.far().asked().contains(&"set_if");
        assert_eq!(again, !done, "not again if its answer alone was lost");
    }
}

#[test]
fn what_may_be_older_goes_though_it_was_written_later() {
    let by_others: [(&str, bool, In<World>); 3] = [
        ("a computation that may have begun before", false, |world| {
            world.other.fill("k", "computed", &[]);
        }),
        ("a life that was only changed", true, |world| {
            let same = |there: Option<&Stored>| {
                let there = there.expect("it is there");
                Change::Write(there.opened.payload.to_vec(), meta(&[]), ())
            };
            wait(world.other.stack.amend(place("k"), same)).expect("it lives on");
        }),
        ("what is no envelope of this key", true, |world| {
            world.other.far().damage(&name("k"));
        }),
    ];
    for (what, was_there, act) in by_others {
        for deletes in [false, true] {
            let world = World::new();
            if was_there {
                world.had(&["k"]);
            }
            world.cut_off(|one| match deletes {
                true => assert_eq!(delete(one, "k"), Done::Pending),
                false => assert!(!set(one, "k", "mine").is_stored()),
            });
            act(&world);
            world.healed();
            assert_eq!(world.value("k"), None, "{what}");
        }
    }
}

#[test]
fn what_was_never_an_entry_stays() {
    let world = World::new();
    world.had(&["k"]);
    world.cut_off(|one| cannot_delete(one, "k"));
    let count = Bytes::from_static(b"41");
    wait(world.other.far().set(&name("k"), count, Some(60 * SECOND))).expect("it is set");
    world.healed();
    let there = wait(world.other.far().get(&name("k"))).expect("an answer");
    assert_eq!(&there.expect("it stays").bytes[..], b"41");
    assert_eq!(world.value("k"), None, "and is no value");
}

#[test]
fn where_nothing_is_the_value_comes_if_nobody_did_anything_since() {
    // What the others do meanwhile, and whether the value comes.
    let meanwhile: [(&str, In<Process>, bool); 5] = [
        ("nothing", |_| {}, true),
        ("a read", |other| assert_eq!(other.value("k"), None), true),
        (
            "a deletion",
            |other| assert_eq!(delete(other, "k"), Done::Now),
            false,
        ),
        (
            "a write of another name",
            |other| assert_eq!(set(other, "m", "v"), Written::Stored),
            false,
        ),
        (
            "an invalidation",
            |other| assert_eq!(wait(other.stack.invalidate(tags(&["t"]))), Done::Now),
            false,
        ),
    ];
    for (what, act, comes) in meanwhile {
        for counts in [true, false] {
            let world = World::new();
            if counts {
                world.one.far().count_writes();
            }
            world.cut_off(|one| {
                for key in ["k", "l"] {
                    assert!(!set(one, key, "mine").is_stored());
                }
            });
            act(&world.other);
            world.healed();
            let mine = (comes && counts).then(|| "mine".to_owned());
            for key in ["k", "l"] {
                assert_eq!(world.value(key), mine, "{key} after {what}, {counts}");
            }
            assert_eq!(world.one.far().leased(), 0);
        }
    }
}

#[test]
fn two_who_pay_at_once_do_not_count_against_each_other() {
    let world = World::new();
    world.one.far().count_writes();
    let keys = ["a", "b", "c"];
    world.cut_off(|one| keys.iter().for_each(|key| cannot_set(one, key, "mine")));
    world.one.far().fail("");
    world.one.far().faults.lock().expect("no panic").polls = 1;
    let mut watch = Box::pin(world.one.stack.watch());
    let mut flush = Box::pin(world.one.stack.flush());
    let (mut watched, mut flushed) = (false, false);
    while !(watched && flushed) {
        watched = watched || poll(&mut watch).is_some();
        flushed = flushed || poll(&mut flush).is_some();
    }
    for key in keys {
        assert_eq!(world.value(key).as_deref(), Some("mine"), "{key}");
    }
}

#[test]
fn what_was_computed_where_nothing_was_stays_out() {
    let world = World::new();
    world.one.far().count_writes();
    let seat = world.other.lead("k", &[]);
    world.cut_off(|one| cannot_set(one, "k", "mine"));
    world.healed();
    // It began before the value was set, and came after.
    assert_eq!(world.other.settle(seat, "computed", &[]), Written::Lost);
    assert_eq!(world.value("k").as_deref(), Some("mine"));
}

#[test]
fn an_invalidation_meets_what_was_set_before_it() {
    for by_itself in [false, true] {
        let world = World::new();
        let seen = |process: &Process| process.found("k", &["t"]).map(|stored| text(&stored));
        wait(
            world
                .other
                .stack
                .set(place("k"), "old".into(), meta(&["t"])),
        );
        world.pass(10 * SECOND);
        assert_eq!(seen(&world.one).as_deref(), Some("old"));
        world.cut_off(|one| {
            wait(one.stack.set(place("k"), "new".into(), meta(&["t"])));
            if by_itself {
                assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Pending);
            }
        });
        if !by_itself {
            assert_eq!(wait(world.other.stack.invalidate(tags(&["t"]))), Done::Now);
        }
        world.healed();
        assert_eq!((seen(&world.one), seen(&world.other)), (None, None));
    }
}

#[test]
fn of_a_name_the_last_is_made_good() {
    let world = World::new();
    world.had(&["a", "b", "c"]);
    world.cut_off(|one| {
        set(one, "a", "first");
        set(one, "a", "second");
        delete(one, "b");
        set(one, "b", "again");
        set(one, "c", "first");
        delete(one, "c");
    });
    world.healed();
    assert_eq!(world.value("a").as_deref(), Some("second"));
    assert_eq!(world.value("b").as_deref(), Some("again"));
    assert_eq!(world.value("c"), None);
}

#[test]
fn a_later_write_that_is_done_ends_what_is_owed() {
    let world = World::new();
    world.had(&["a", "b"]);
    world.cut_off(|one| {
        set(one, "a", "first");
        set(one, "b", "first");
    });
    world.one.far().fail("");
    assert_eq!(set(&world.one, "a", "second"), Written::Stored);
    assert_eq!(world.one.value("a").as_deref(), Some("second"), "at once");
    let many = vec![(place("b"), b"second".to_vec(), meta(&[]))];
    assert_eq!(wait(world.one.stack.set_many(many)), Written::Stored);
    assert_eq!(world.one.value("b").as_deref(), Some("second"), "at once");
    world.healed();
    assert_eq!(world.value("a").as_deref(), Some("second"));
    assert_eq!(world.value("b").as_deref(), Some("second"));
}

#[test]
fn a_write_that_comes_late_by_itself_is_not_taken_for_anothers() {
    // The set was on its way when the process was cut off; it comes when the way is open, before the debts are paid.
    for then in ["delete", "set"] {
        // An embedded store does nothing later.
        let world = World::of(1, Facets::Replaced);
        world.had(&["k"]);
        world.one.far().fail("set");
        set(&world.one, "k", "ghost");
        world.cut_off(|one| match then {
            "delete" => cannot_delete(one, "k"),
            _ => cannot_set(one, "k", "mine"),
        });
        world.one.far().let_ghosts_come();
        world.healed();
        assert_eq!(world.value("k"), None, "{then}");
    }
}

#[test]
fn a_server_that_took_over_has_a_clock_of_its_own() {
    let world = World::of(1, Facets::Replaced);
    world.had(&["k"]);
    world.cut_off(|one| cannot_delete(one, "k"));
    set(&world.other, "k", "theirs");
    let replica = world.one.far().replica();
    world.one.far().fail_over(&replica);
    world.healed();
    wait(world.other.stack.watch());
    assert_eq!(world.value("k"), None, "it goes as it always did");
}

#[test]
fn a_store_without_conditions_is_told_to_delete() {
    let world = World::of(1, Facets::None);
    world.had(&["k"]);
    world.cut_off(|one| cannot_delete(one, "k"));
    set(&world.other, "k", "theirs");
    world.healed();
    assert_eq!(world.value("k"), None);
}

#[test]
fn a_store_that_takes_no_writes_any_more_lets_go_of_what_is_old() {
    let world = World::new();
    world.had(&["k"]);
    world.cut_off(|one| cannot_set(one, "k", "new"));
    let mut faults = world.one.far().faults.lock().expect("no panic");
    (faults.failing, faults.kind) = ("set_if".into(), Some(FailureKind::Capacity));
    drop(faults);
    wait(world.one.stack.watch());
    assert_eq!(world.other.value("k"), None);
}

#[test]
fn values_that_wait_have_a_bound() {
    let world = World::new();
    world.had(&["a", "b"]);
    world
        .one
        .far()
        .largest_value
        .store(32 << 20, Ordering::SeqCst);
    let large = |byte: u8| vec![byte; 9 << 20];
    world.cut_off(|one| {
        for (key, byte) in [("a", 1), ("b", 2)] {
            wait(one.stack.set(place(key), large(byte), meta(&[])));
        }
    });
    world.healed();
    assert!(
        world
            .other
            .found("a", &[])
            .is_some_and(|stored| stored.opened.payload[..] == large(1))
    );
    assert_eq!(world.value("b"), None, "owed as a deletion");
}

#[test]
fn a_value_whose_life_is_over_comes_no_more() {
    let world = World::new();
    wait(
        world
            .other
            .stack
            .set(place("k"), "old".into(), lasting(600 * SECOND, &[])),
    );
    world.pass(10 * SECOND);
    world.cut_off(|one| {
        wait(
            one.stack
                .set(place("k"), "new".into(), lasting(3 * SECOND, &[])),
        );
    });
    world.healed();
    assert_eq!(world.value("k"), None);
}

#[test]
fn what_nobody_ever_asked_the_store_for_has_no_stamps() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    set(&other, "k", "old");
    host.hand.advance(10 * SECOND);
    one.far().fail("*");
    assert!(!set(&one, "k", "new").is_stored());
    one.far().fail("");
    host.hand.advance(SECOND);
    wait(one.stack.watch());
    assert_eq!(other.value("k"), None, "it is deleted");
}

#[test]
fn debts_are_one_for_a_name() {
    let world = World::new();
    world.had(&["k"]);
    world.cut_off(|one| {
        // More than there is room for.
        for round in 0..1_100 {
            set(one, "k", &round.to_string());
        }
    });
    world.healed();
    assert_eq!(world.value("k").as_deref(), Some("1099"));
}

#[test]
fn what_was_there_before_goes_also_where_the_stores_clock_was_set_back() {
    let world = World::new();
    world.had(&["k", "read"]);
    world.cut_off(|one| cannot_delete(one, "k"));
    world.one.far().set_back(3600 * SECOND);
    world.healed();
    let names = world.one.far().names();
    assert!(!names.contains(&name("k").to_string()), "{names:?}");
    // Nobody knows how old the other is: it is none, and is made anew.
    assert_eq!(world.value("read"), None);
    world.one.fill("read", "new", &[]);
    assert_eq!(world.value("read").as_deref(), Some("new"));
    world.one.far().set_back(SECOND / 20);
    assert_eq!(world.value("read").as_deref(), Some("new"), "no matter");
}
