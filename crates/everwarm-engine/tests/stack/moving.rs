//! The promises of caches on their way from an old store to a new one, whose processes are at neighbouring steps.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use everwarm_core::store::Condition;
use everwarm_core::using::{Bounds, Read};
use everwarm_engine::stack::{Change, Done, Fetched, Role, Stack, Written};

use crate::tiers::shelf::{Facets, Shelf, yields};
use crate::tiers::{Host, Ledger, NAMESPACE, SECOND, meta, place, tags, text, tier, wait};

/// Where a process is on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Before,
    Prepare,
    Move,
    Finish,
    After,
}

use Step::{After, Before, Finish, Move, Prepare};

/// Which may be at work at once.
const NEIGHBOURS: [(Step, Step); 4] = [
    (Before, Prepare),
    (Prepare, Move),
    (Move, Finish),
    (Finish, After),
];

/// Two stores that have nothing in common.
struct Two {
    old: Host,
    new: Host,
}

/// A process at a step.
struct Process {
    old: Arc<Shelf>,
    new: Arc<Shelf>,
    stack: Arc<Stack>,
}

impl Two {
    fn new() -> Self {
        let old = Host::new(1);
        let new = old.apart();
        Self { old, new }
    }

    fn at(&self, step: Step) -> Process {
        let (old, new) = (
            self.old.shelf(0, Facets::All),
            self.new.shelf(0, Facets::All),
        );
        let [ours, theirs] = match step {
            Before | Prepare => [&old, &new],
            Move | Finish | After => [&new, &old],
        };
        let role = match step {
            Before | After => None,
            Prepare => Some(Role::New),
            Move => Some(Role::Old { reads: true }),
            Finish => Some(Role::Old { reads: false }),
        };
        let (tiers, codec) = (vec![tier(ours.clone())], Arc::new(Ledger));
        let (namespace, options) = (NAMESPACE.into(), self.old.options());
        let stack = match role {
            None => Stack::new(tiers, codec, namespace, options),
            Some(role) => {
                let beside = (tier(theirs.clone()), role);
                Stack::moving(tiers, beside, (codec, namespace), options)
            }
        };
        Process {
            stack: stack.expect("tiers that fit"),
            old,
            new,
        }
    }
}

impl Process {
    fn value(&self, key: &str) -> Option<String> {
        let get = self.stack.get(place(key), tags(&[]), Read::Any);
        wait(get).map(|stored| text(&stored))
    }

    /// What a function gives that computes where nothing is found.
    fn call(&self, key: &str, computed: &str) -> String {
        match wait(self.stack.fetch(place(key), tags(&["t"]), Read::Any)) {
            Fetched::Found(stored) => text(&stored),
            Fetched::Lead(seat) => {
                let settle = self.stack.settle(seat, computed.into(), meta(&["t"]));
                assert_eq!(wait(settle), Written::Stored);
                computed.to_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, key: &str, value: &str) -> Written {
        wait(self.stack.set(place(key), value.into(), meta(&["t"])))
    }
}

/// What makes a value one that is not to be seen any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Delete,
    Invalidate,
    ClearFunction,
    Clear,
    Set,
    Refresh,
    Amend,
}

impl Act {
    const ALL: [Self; 7] = [
        Self::Delete,
        Self::Invalidate,
        Self::ClearFunction,
        Self::Clear,
        Self::Set,
        Self::Refresh,
        Self::Amend,
    ];

    fn begun(self, process: &Process) -> Pin<Box<dyn Future<Output = bool>>> {
        let stack = Arc::clone(&process.stack);
        let new = || (b"new".to_vec(), meta(&["t"]));
        match self {
            Self::Delete => Box::pin(async move { stack.delete(place("k")).await.1 == Done::Now }),
            Self::Invalidate => {
                Box::pin(async move { stack.invalidate(tags(&["t"])).await == Done::Now })
            }
            Self::ClearFunction => {
                Box::pin(async move { stack.clear_function("price".into()).await == Done::Now })
            }
            Self::Clear => Box::pin(async move { stack.clear().await == Done::Now }),
            Self::Set => Box::pin(async move {
                let (payload, meta) = new();
                stack.set(place("k"), payload, meta).await.is_stored()
            }),
            Self::Refresh => Box::pin(async move {
                let fetched = stack.fetch(place("k"), tags(&["t"]), Read::Nothing).await;
                let Fetched::Lead(seat) = fetched else {
                    panic!("it reads nothing");
                };
                let (payload, meta) = new();
                stack.settle(seat, payload, meta).await.is_stored()
            }),
            Self::Amend => Box::pin(async move {
                let change = move |_: Option<&_>| Change::Write(new().0, new().1, ());
                stack.amend(place("k"), change).await.is_ok()
            }),
        }
    }

    fn is_done(self, process: &Process) {
        assert!(wait(self.begun(process)), "{self:?}");
    }
}

#[test]
fn what_the_old_store_has_comes_along_with_its_age_and_its_tags() {
    let two = Two::new();
    assert_eq!(two.at(Before).call("k", "v"), "v");
    two.old.hand.advance(20 * SECOND);
    let moving = two.at(Move);
    let Fetched::Found(stored) = wait(moving.stack.fetch(place("k"), tags(&["t"]), Read::Any))
    else {
        panic!("it is there");
    };
    assert_eq!((text(&stored), stored.age), ("v".into(), 20 * SECOND));
    assert_eq!(stored.remaining, Some(40 * SECOND));
    moving.old.asked();
    assert_eq!(moving.call("k", "anew"), "v");
    assert_eq!(moving.old.asked(), [""; 0], "it was brought over");
    let after = two.at(After);
    assert_eq!(after.call("k", "anew"), "v");
    two.old.hand.advance(41 * SECOND);
    assert_eq!(after.call("k", "anew"), "anew");
}

#[test]
fn what_is_too_old_for_a_caller_stays_there() {
    let two = Two::new();
    two.at(Before).call("k", "old");
    two.old.hand.advance(20 * SECOND);
    let young = Read::Within(Bounds {
        age: Some(10 * SECOND),
        ..Bounds::default()
    });
    let fetched = wait(two.at(Move).stack.fetch(place("k"), tags(&["t"]), young));
    assert!(matches!(fetched, Fetched::Lead(_)), "{fetched:?}");
}

#[test]
fn what_is_only_read_comes_along_too() {
    let two = Two::new();
    for key in ["a", "b", "c"] {
        two.at(Before).set(key, key);
    }
    let moving = two.at(Move);
    assert_eq!(moving.value("a"), Some("a".into()));
    let keys = ["b", "none", "c"].map(place).to_vec();
    let many = wait(moving.stack.get_many(keys));
    let many: Vec<_> = many.iter().map(|it| it.as_ref().map(text)).collect();
    assert_eq!(many, [Some("b".into()), None, Some("c".into())]);
    let after = two.at(After);
    for key in ["a", "b", "c"] {
        assert_eq!(after.value(key), Some(key.into()), "{key}");
    }
    assert_eq!(moving.new.leased() + moving.old.leased(), 0);
}

#[test]
fn many_come_along_at_once() {
    let two = Two::new();
    for key in ["a", "b"] {
        two.at(Before).call(key, key);
    }
    let moving = two.at(Move);
    let wanted = ["a", "x", "b"].map(|key| (place(key), tags(&["t"])));
    let fetched = wait(moving.stack.fetch_many(wanted.to_vec()));
    let found: Vec<bool> = fetched
        .iter()
        .map(|it| matches!(it, Some(Fetched::Found(_))))
        .collect();
    assert_eq!(found, [true, false, true]);
    assert_eq!(
        moving
            .old
            .asked()
            .iter()
            .filter(|verb| verb.starts_with("get"))
            .count(),
        1,
        "one trip"
    );
    assert_eq!(two.at(After).value("b"), Some("b".into()));
}

#[test]
fn at_no_step_is_found_what_a_neighbour_let_go() {
    for act in Act::ALL {
        for (one, other) in NEIGHBOURS {
            for (changes, reads) in [(one, other), (other, one)] {
                let two = Two::new();
                let (changing, reading) = (two.at(changes), two.at(reads));
                // What each has it has from a time when all was the same.
                for process in [&changing, &reading] {
                    process.call("k", "old");
                }
                act.is_done(&changing);
                let seen = reading.call("k", "computed");
                assert_ne!(seen, "old", "{act:?} by {changes:?}, read by {reads:?}");
                assert_ne!(changing.call("k", "computed"), "old", "{act:?} {changes:?}");
            }
        }
    }
}

#[test]
fn what_is_set_is_found_by_the_neighbour_behind() {
    for (sets, reads) in [
        (Prepare, Before),
        (Before, Prepare),
        (Move, Prepare),
        (Prepare, Move),
        (Move, Finish),
        (Finish, After),
        (After, Finish),
    ] {
        let two = Two::new();
        assert!(two.at(sets).set("k", "v").is_stored());
        assert_eq!(
            two.at(reads).value("k"),
            Some("v".into()),
            "{sets:?} {reads:?}"
        );
    }
}

#[test]
fn one_store_decides_what_depends_on_what_is_there() {
    let two = Two::new();
    let (prepares, moves) = (two.at(Prepare), two.at(Move));
    for (number, process) in [&prepares, &moves, &prepares, &moves]
        .into_iter()
        .enumerate()
    {
        let count = |found: Option<&everwarm_engine::stack::Stored>| {
            let next =
                found.map_or(0, |stored| text(stored).parse::<usize>().expect("a number")) + 1;
            Change::Write(next.to_string().into_bytes(), meta(&[]), next)
        };
        let counted = wait(process.stack.amend(place("n"), count));
        assert_eq!(counted.expect("stores that answer"), number + 1);
        for process in [&prepares, &moves] {
            assert_eq!(process.value("n"), Some((number + 1).to_string()));
        }
    }
    let absent = moves
        .stack
        .set_if(place("n"), b"9".to_vec(), meta(&[]), Condition::Absent);
    assert_eq!(wait(absent), Ok(false));
    let exact = wait(moves.stack.get_exact(place("n"))).expect("it is there");
    let version = Condition::Version(exact.version.expect("of the store that decides"));
    let swapped = prepares
        .stack
        .set_if(place("n"), b"9".to_vec(), meta(&[]), version);
    assert_eq!(wait(swapped), Ok(true));
    assert_eq!(moves.value("n"), Some("9".into()));
}

#[test]
fn what_a_process_has_not_heard_of_yet_is_not_brought_over() {
    let two = Two::new();
    let (prepares, moves) = (two.at(Prepare), two.at(Move));
    for key in ["k", "l", "m"] {
        prepares.call(key, "old");
    }
    // It knows the tag's marker, and that this holds.
    assert_eq!(moves.value("m"), Some("old".into()));
    wait(moves.stack.watch());
    assert_eq!(wait(prepares.stack.invalidate(tags(&["t"]))), Done::Now);
    assert_eq!(moves.call("k", "computed"), "computed");
    let wanted = [(place("l"), tags(&[]))].to_vec();
    let many = wait(moves.stack.fetch_many(wanted));
    assert!(matches!(many[..], [Some(Fetched::Lead(_))]), "{many:?}");
}

#[test]
fn what_the_old_store_did_not_take_is_told_to_the_new_one_again() {
    let two = Two::new();
    two.at(Before).call("k", "old");
    let changing = two.at(Move);
    changing.old.fail("*");
    assert_eq!(wait(changing.stack.invalidate(tags(&["t"]))), Done::Pending);
    // Another process brings it over meanwhile: the old store has not been told.
    let other = two.at(Move);
    assert_eq!(other.call("k", "computed"), "old");
    assert_eq!(
        changing.call("k", "computed"),
        "old",
        "the new store has it"
    );
    changing.old.fail("");
    for _ in 0..5 {
        two.old.hand.advance(3 * SECOND);
        wait(changing.stack.watch());
    }
    for process in [&changing, &other, &two.at(Prepare), &two.at(After)] {
        assert_ne!(process.call("k", "computed"), "old");
    }
}

#[test]
fn who_walks_away_between_the_two_has_the_second_told_all_the_same() {
    for act in Act::ALL {
        for step in [Prepare, Move, Finish] {
            for polls in 0..40 {
                let two = Two::new();
                let changing = two.at(step);
                for reader in [Before, After] {
                    two.at(reader).call("k", "old");
                }
                for shelf in [&changing.old, &changing.new] {
                    shelf.faults.lock().expect("no panic").polls = 1;
                }
                let mut change = act.begun(&changing);
                let mut context = Context::from_waker(Waker::noop());
                let mut next = || change.as_mut().poll(&mut context).is_ready();
                let is_over = (0..polls).any(|_| next());
                drop(change);
                for _ in 0..5 {
                    two.old.hand.advance(3 * SECOND);
                    wait(changing.stack.watch());
                }
                let [old, new] = [Before, After].map(|step| two.at(step).value("k"));
                // What the old store has heard of the new one has heard of, too: nothing comes back from it.
                let has_heard = |seen: Option<String>| seen.as_deref() != Some("old");
                let told = format!("{act:?} {step:?} after {polls} polls: {old:?} {new:?}");
                let (old, new) = (has_heard(old), has_heard(new));
                // What is decided in the new store the old one hears of last, and may hear of for nothing.
                let may = act == Act::Amend && step == Finish;
                assert!(new || !old || may, "{told}");
                assert!(!is_over || old && new, "{told}");
            }
        }
    }
}

/// A read at a step, with a change by a neighbour that begins after so many polls and goes on for so many more before the read ends. What
/// is seen afterwards by whoever reads; `None` if the read ended before the change began.
fn plays(
    act: Act,
    (reads, changes): (Step, Step),
    (first, then): (usize, usize),
) -> Option<Vec<String>> {
    let two = Two::new();
    two.at(Before).call("k", "old");
    let (reading, changing) = (two.at(reads), two.at(changes));
    for shelf in [&reading.old, &reading.new, &changing.old, &changing.new] {
        shelf.faults.lock().expect("no panic").polls = 1;
    }
    let stack = &reading.stack;
    let is_changed = &AtomicBool::new(false);
    let mut read = pin!(async move {
        match stack.fetch(place("k"), tags(&["t"]), Read::Any).await {
            Fetched::Lead(seat) => {
                // The source is changed before caches hear of it.
                let computed = match is_changed.load(Ordering::SeqCst) {
                    true => "computed",
                    false => "old",
                };
                yields(1).await;
                stack.settle(seat, computed.into(), meta(&["t"])).await;
            }
            Fetched::Found(_) | Fetched::Older(..) | Fetched::Elsewhere => {}
        }
    });
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..first {
        if read.as_mut().poll(&mut context).is_ready() {
            return None;
        }
    }
    is_changed.store(true, Ordering::SeqCst);
    let mut change = act.begun(&changing);
    let mut is_over = false;
    for _ in 0..then {
        if change.as_mut().poll(&mut context).is_ready() {
            is_over = true;
            break;
        }
    }
    while read.as_mut().poll(&mut context) == Poll::Pending {}
    if !is_over {
        assert!(wait(change));
    }
    let readers = [reads, changes].map(|step| two.at(step).call("k", "computed"));
    Some(readers.to_vec())
}

#[test]
fn no_order_brings_back_what_is_gone() {
    for act in Act::ALL {
        for (one, other) in NEIGHBOURS {
            for steps in [(one, other), (other, one), (Move, Move)] {
                let mut all = 0;
                for first in 0.. {
                    let mut ends = 0;
                    for then in 0..40 {
                        let Some(seen) = plays(act, steps, (first, then)) else {
                            break;
                        };
                        let told = format!("{act:?} {steps:?} {first} {then}");
                        assert!(!seen.iter().any(|seen| seen == "old"), "{told}: {seen:?}");
                        (all, ends) = (all + 1, ends + 1);
                    }
                    if ends == 0 {
                        break;
                    }
                }
                assert!(all >= 40, "{act:?} {steps:?}: {all} orders");
            }
        }
    }
}
