//! What was set is found, whole, until it is deleted or cleared.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use everwarm_core::store::{Bytes, Entry, Store};

use super::LONG;
use crate::harness::Bench;
use crate::numbers::Numbers;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

/// Lengths at which stores change their ways.
const LENGTHS: [usize; 9] = [0, 1, 15, 255, 4_096, 65_535, 65_536, 100_001, 1 << 20];

pub(crate) fn what_was_set_is_found(bench: &Bench<'_>) -> Kept {
    let mut numbers = Numbers::from_seed(1);
    for length in LENGTHS {
        // Some stores hear by their first answer how much they take.
        if length as u64 > bench.store.limits().largest_value {
            continue;
        }
        let bytes = numbers.bytes(length);
        for (name, ttl) in [("kept", None), ("ending", Some(LONG))] {
            let name = bench.name(&format!("{name}-{length}"));
            bench.put(&name, &bytes, ttl)?;
            let found = bench.found(&name)?;
            ensure!(found.is_some(), "{length} bytes were set and not found");
            ensure!(
                found.is_some_and(|found| found.bytes == bytes),
                "{length} bytes were set, and others found"
            );
        }
    }
    let every: Vec<u8> = (0..=255).collect();
    bench.put(&bench.name("every"), &every, None)?;
    let found = bench.bytes(&bench.name("every"))?;
    ensure!(
        found == Some(every.into()),
        "not every byte came back as it was"
    );
    Ok(())
}

pub(crate) fn what_was_set_stays(bench: &Bench<'_>) -> Kept {
    let names: Vec<String> = (0..50).map(|n| bench.name(&format!("n{n}"))).collect();
    for (n, name) in names.iter().enumerate() {
        bench.put(name, n.to_string(), (n % 2 == 0).then_some(LONG))?;
    }
    ensure!(
        wait(bench.store.delete(&names[7]))?,
        "an entry was deleted, and delete said false"
    );
    bench.put(&names[9], "other", None)?;
    bench.pass(bench.short());
    for (n, name) in names.iter().enumerate() {
        let expected = match n {
            7 => None,
            9 => Some(Bytes::from("other")),
            _ => Some(Bytes::from(n.to_string())),
        };
        let found = bench.bytes(name)?;
        ensure!(
            found == expected,
            "entry {n} of 50 changed when others were deleted and set, or left by itself"
        );
    }
    Ok(())
}

pub(crate) fn a_set_replaces_whole(bench: &Bench<'_>) -> Kept {
    let name = bench.name("name");
    let mut numbers = Numbers::from_seed(2);
    for length in [3_000, 10, 0, 70_000, 69_999, 5] {
        if length as u64 > bench.store.limits().largest_value {
            continue;
        }
        let bytes = numbers.bytes(length);
        bench.put(&name, &bytes, None)?;
        ensure!(
            bench.bytes(&name)? == Some(bytes.into()),
            "{length} bytes did not replace what was there before"
        );
    }
    Ok(())
}

/// Bytes that tell whether they are whole: all alike, as many as the first says.
fn whole(writer: u8) -> Bytes {
    vec![writer; 1_000 + usize::from(writer) * 3_001].into()
}

pub(crate) fn no_reader_sees_parts_of_two_values(bench: &Bench<'_>) -> Kept {
    let name = bench.name("torn");
    let name = name.as_str();
    bench.put(name, whole(0), None)?;
    let [first, second] = bench.pair();
    let is_over = AtomicBool::new(false);
    let is_over = &is_over;
    thread::scope(|scope| {
        let writers: Vec<_> = (1..=3_u8)
            .map(|writer| {
                let store = if writer == 2 { &second } else { &first };
                scope.spawn(move || write_whole(&**store, name, writer))
            })
            .collect();
        let readers =
            [&first, &second].map(|store| scope.spawn(move || read_whole(&**store, name, is_over)));
        let mut kept = Ok(());
        for writer in writers {
            kept = kept.and(joined(writer));
        }
        is_over.store(true, Ordering::Relaxed);
        for reader in readers {
            kept = kept.and(joined(reader));
        }
        kept
    })
}

fn write_whole(store: &dyn Store, name: &str, writer: u8) -> Kept {
    for _ in 0..60 {
        wait(store.set(name, whole(writer), None))?;
        thread::yield_now();
    }
    Ok(())
}

fn read_whole(store: &dyn Store, name: &str, is_over: &AtomicBool) -> Kept {
    loop {
        let last = is_over.load(Ordering::Relaxed);
        let found = wait(store.get(name))?;
        let bytes = found.map(|found| found.bytes).unwrap_or_default();
        ensure!(
            !bytes.is_empty(),
            "while a value was replaced, there was none"
        );
        ensure!(
            bytes == whole(bytes[0]),
            "a reader saw {} bytes of a value of {}, or of two of them",
            bytes.len(),
            whole(bytes[0]).len()
        );
        if last {
            return Ok(());
        }
        thread::yield_now();
    }
}

/// What a thread of a check found.
pub(crate) fn joined<T>(
    thread: thread::ScopedJoinHandle<'_, Result<T, Broken>>,
) -> Result<T, Broken> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Broken::new("a verb panicked in one of several threads")))
}

pub(crate) fn deleting_what_is_not_there_says_false(bench: &Bench<'_>) -> Kept {
    let name = bench.name("name");
    ensure!(
        !wait(bench.store.delete(&name))?,
        "nothing was there, and delete said true"
    );
    bench.put(&name, "value", None)?;
    ensure!(
        wait(bench.store.delete(&name))?,
        "something was there, and delete said false"
    );
    ensure!(!bench.has(&name)?, "what was deleted is found");
    ensure!(!wait(bench.store.delete(&name))?, "delete said true twice");
    Ok(())
}

pub(crate) fn bulk_verbs_do_what_single_ones_do(bench: &Bench<'_>) -> Kept {
    let store = &bench.store;
    let names: Vec<String> = (0..20).map(|n| bench.name(&format!("n{n}"))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let entries: Vec<Entry<'_>> = (0..15)
        .map(|n| Entry {
            name: names[n],
            bytes: format!("value {n}").into(),
            ttl: (n % 3 == 0).then_some(LONG),
        })
        .collect();
    wait(store.set_many(&entries))?;
    for entry in &entries {
        let found = bench.found(entry.name)?;
        ensure!(found.is_some(), "set_many lost an entry");
        let found = found.unwrap_or_else(|| unreachable!());
        ensure!(found.bytes == entry.bytes, "set_many set other bytes");
        let has_end = entry.ttl.is_some() || store.limits().longest_ttl.is_some();
        ensure!(
            found.remaining.is_some() == has_end,
            "set_many mixed up which entries have an end"
        );
    }
    let mut asked: Vec<&str> = names.iter().rev().copied().collect();
    asked.push(names[3]);
    let many = wait(store.get_many(&asked))?;
    ensure!(
        many.len() == asked.len(),
        "get_many gave {} of {} answers",
        many.len(),
        asked.len()
    );
    for (name, found) in asked.iter().zip(many) {
        ensure!(
            found.map(|found| found.bytes) == bench.bytes(name)?,
            "get_many and get disagree, or the answers are not in the order of the names"
        );
    }
    let gone = wait(store.delete_many(&names[10..]))?;
    ensure!(
        gone == 5,
        "delete_many deleted 5 of 10 names, and said {gone}"
    );
    for (n, name) in names.iter().enumerate() {
        ensure!(
            bench.has(name)? == (n < 10),
            "delete_many took others than it was told"
        );
    }
    let none: (usize, u64) = (
        wait(store.get_many(&[]))?.len(),
        wait(store.delete_many(&[]))?,
    );
    wait(store.set_many(&[]))?;
    ensure!(none == (0, 0), "bulk verbs without names gave something");
    Ok(())
}
