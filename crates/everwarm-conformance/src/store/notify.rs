//! What others changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::mark::Tag;
use everwarm_core::store::{Bytes, Entry, Message, Notify, Store};

use super::LONG;
use super::keeping::joined;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

/// Within which what one handle did is told to another.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

fn notify(store: &dyn Store) -> Result<&dyn Notify, Broken> {
    let notify = store.notify();
    notify.ok_or_else(|| Broken::new("the store offers no notify"))
}

/// Asks a handle for something of the namespace, and waits until it hears what others do there.
fn listening(bench: &Bench<'_>, store: &dyn Store) -> Kept {
    wait(store.get(&bench.name("asked")))?;
    let notify = notify(store)?;
    let begun = Instant::now();
    while notify.silence() == Duration::MAX {
        ensure!(
            begun.elapsed() < TOLD_WITHIN,
            "a handle hears nothing within {TOLD_WITHIN:?} of its first use"
        );
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Who changes something, and who hears of it.
type Two<'b> = (&'b dyn Store, Arc<dyn Store>);

/// Two handles, if there can be two, of which the second listens.
fn two<'b>(bench: &'b Bench<'_>) -> Result<Option<Two<'b>>, Broken> {
    let Some(second) = bench.another() else {
        return Ok(None);
    };
    listening(bench, &*second)?;
    Ok(Some((&*bench.store, second)))
}

/// Whether a message says that this name changed.
fn names(message: &Message, name: &str) -> bool {
    match message {
        Message::Key(key) => **key == *name,
        Message::Clear(prefix) => name.starts_with(&**prefix),
        Message::Tag { .. } | Message::Begins { .. } => false,
    }
}

/// Waits until a message that fits is told, or a gap.
fn told(
    notify: &dyn Notify,
    after: u64,
    what: &str,
    fits: impl Fn(&Message) -> bool,
) -> Result<u64, Broken> {
    let begun = Instant::now();
    let mut after = after;
    while begun.elapsed() < TOLD_WITHIN {
        if notify.change() != after {
            let told = wait(notify.messages(after))?;
            if told.gap || told.messages.iter().any(&fits) {
                return Ok(told.up_to);
            }
            after = told.up_to;
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(Broken::new(format!(
        "{what} was not told to another handle within {TOLD_WITHIN:?}"
    )))
}

pub(crate) fn every_change_by_hand_is_told(bench: &Bench<'_>) -> Kept {
    let Some((first, second)) = two(bench)? else {
        return Ok(());
    };
    let listens = notify(&*second)?;
    let mut at = listens.change();
    let [set, deleted, cleared] = ["set", "deleted", "p:cleared"].map(|text| bench.name(text));
    wait(first.set(&set, Bytes::from("value"), None))?;
    at = told(listens, at, "a set", |message| names(message, &set))?;
    wait(first.set(&deleted, Bytes::from("value"), None))?;
    at = told(listens, at, "a set", |message| names(message, &deleted))?;
    wait(first.delete(&deleted))?;
    at = told(listens, at, "a delete", |message| names(message, &deleted))?;
    wait(first.set(&cleared, Bytes::from("value"), None))?;
    at = told(listens, at, "a set", |message| names(message, &cleared))?;
    wait(first.clear(&bench.name("p:")))?;
    at = told(listens, at, "a clear", |message| names(message, &cleared))?;
    if let Some(counters) = first.counters() {
        wait(counters.incr(&bench.name("counter"), 1, 0, None))?;
        let name = bench.name("counter");
        told(listens, at, "a change of a counter", |message| {
            names(message, &name)
        })?;
    }
    Ok(())
}

pub(crate) fn an_invalidation_is_told(bench: &Bench<'_>) -> Kept {
    let Some((first, second)) = two(bench)? else {
        return Ok(());
    };
    let Some(generations) = first.generations() else {
        return Ok(());
    };
    let listens = notify(&*second)?;
    let at = listens.change();
    let space = bench.space();
    let marker = wait(generations.invalidate(&space, &[Tag([7; 16])]))?.markers[0];
    told(listens, at, "an invalidation", |message| match message {
        Message::Tag {
            namespace,
            tag,
            marker: told,
        } => **namespace == *space && *tag == Tag([7; 16]) && Some(*told) == marker,
        _ => false,
    })?;
    Ok(())
}

pub(crate) fn what_was_computed_is_not_told(bench: &Bench<'_>) -> Kept {
    let (Some((first, second)), Some(leases)) = (two(bench)?, bench.store.leases()) else {
        return Ok(());
    };
    let listens = notify(&*second)?;
    let [leased, last] = ["leased", "last"].map(|text| bench.name(text));
    let mut after = listens.change();
    wait(leases.lease(&leased, 1, LONG))?;
    wait(leases.set_leased(&leased, 1, Bytes::from("value"), None))?;
    wait(first.set(&last, Bytes::from("value"), None))?;
    let begun = Instant::now();
    while begun.elapsed() < TOLD_WITHIN {
        let told = wait(listens.messages(after))?;
        let is_told = told.messages.iter().any(|message| names(message, &leased));
        ensure!(
            !is_told,
            "a set under a lease is told, as if it were by hand"
        );
        if told.gap || told.messages.iter().any(|message| names(message, &last)) {
            return Ok(());
        }
        after = told.up_to;
        thread::sleep(Duration::from_millis(2));
    }
    Err(Broken::new("a set was not told to another handle"))
}

pub(crate) fn ones_own_changes_are_left_out(bench: &Bench<'_>) -> Kept {
    listening(bench, &*bench.store)?;
    let listens = notify(&*bench.store)?;
    let at = listens.change();
    let name = bench.name("name");
    bench.put(&name, "value", None)?;
    wait(bench.store.delete(&name))?;
    wait(bench.store.clear(&name))?;
    if let Some(generations) = bench.store.generations() {
        wait(generations.invalidate(&bench.space(), &[Tag([1; 16])]))?;
    }
    let told = wait(listens.messages(at))?;
    ensure!(!told.gap, "four changes were too many to remember");
    ensure!(
        told.messages.is_empty(),
        "a handle is told what it did itself: {:?}",
        told.messages
    );
    Ok(())
}

pub(crate) fn what_was_told_is_not_told_again(bench: &Bench<'_>) -> Kept {
    let Some((first, second)) = two(bench)? else {
        return Ok(());
    };
    let listens = notify(&*second)?;
    let name = bench.name("name");
    let mut at = listens.change();
    for _ in 0..3 {
        wait(first.set(&name, Bytes::from("value"), None))?;
        at = told(listens, at, "a set", |message| names(message, &name))?;
    }
    thread::sleep(Duration::from_millis(20));
    let told = wait(listens.messages(at))?;
    ensure!(
        told.messages.is_empty() && !told.gap,
        "asked again, {} messages are told twice",
        told.messages.len()
    );
    Ok(())
}

pub(crate) fn who_is_far_behind_is_told_of_a_gap(bench: &Bench<'_>) -> Kept {
    const CHANGES: usize = 20_000;
    const AT_ONCE: usize = 500;
    let Some((first, second)) = two(bench)? else {
        return Ok(());
    };
    let listens = notify(&*second)?;
    let at = listens.change();
    let all: Vec<String> = (0..AT_ONCE).map(|n| bench.name(&format!("n{n}"))).collect();
    let entries = all.iter().map(|name| Entry {
        name,
        bytes: Bytes::from("value"),
        ttl: None,
    });
    let entries: Vec<_> = entries.collect();
    for _ in 0..CHANGES / AT_ONCE {
        wait(first.set_many(&entries))?;
    }
    let last = bench.name("last");
    wait(first.set(&last, Bytes::from("value"), None))?;
    let begun = Instant::now();
    let (mut after, mut heard) = (at, 0);
    while begun.elapsed() < TOLD_WITHIN {
        let told = wait(listens.messages(after))?;
        if told.gap {
            return Ok(());
        }
        heard += told
            .messages
            .iter()
            .filter(|message| all.iter().any(|name| names(message, name)))
            .count();
        if told.messages.iter().any(|message| names(message, &last)) {
            break;
        }
        after = told.up_to;
        thread::sleep(Duration::from_millis(2));
    }
    ensure!(
        heard >= CHANGES,
        "of {CHANGES} changes {heard} were told, and no gap"
    );
    Ok(())
}

pub(crate) fn what_is_told_is_there(bench: &Bench<'_>) -> Kept {
    const SETS: u64 = 1_000;
    /// No store remembers fewer messages.
    const AHEAD: u64 = 64;
    let Some((first, second)) = two(bench)? else {
        return Ok(());
    };
    let listens = notify(&*second)?;
    let name = bench.name("name");
    let mut after = listens.change();
    let there = AtomicU64::new(0);
    let begun = Instant::now();
    let is_late = || begun.elapsed() > TOLD_WITHIN;
    thread::scope(|scope| {
        let sets = scope.spawn(|| {
            (1..=SETS).try_for_each(|n| {
                while n > there.load(Ordering::Relaxed) + AHEAD && !is_late() {
                    thread::yield_now();
                }
                let bytes = Bytes::copy_from_slice(&n.to_be_bytes());
                Ok(wait(first.set(&name, bytes, None))?)
            })
        });
        let mut heard = 0;
        while there.load(Ordering::Relaxed) < SETS && !is_late() {
            if listens.change() == after {
                thread::yield_now();
                continue;
            }
            let told = wait(listens.messages(after))?;
            after = told.up_to;
            let more = told.messages.iter().filter(|told| names(told, &name));
            heard += more.count() as u64;
            let found = wait(second.get(&name))?;
            let number = found.and_then(|found| (*found.bytes).try_into().ok());
            let number = number.map_or(0, u64::from_be_bytes);
            ensure!(
                number >= heard,
                "{heard} sets were told of, and what number {number} set was read after that"
            );
            there.store(number, Ordering::Relaxed);
        }
        joined(sets)
    })
}
