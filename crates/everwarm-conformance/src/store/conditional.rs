//! Writes that depend on what is there.

use std::collections::HashSet;
use std::thread;

use everwarm_core::store::{Bytes, Condition, Conditional};

use super::LONG;
use super::keeping::joined;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

fn conditional<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Conditional, Broken> {
    let conditional = bench.store.conditional();
    conditional.ok_or_else(|| Broken::new("the store offers no conditional writes"))
}

fn version(bench: &Bench<'_>, name: &str) -> Result<u64, Broken> {
    let found = bench.found(name)?;
    found
        .map(|found| found.version)
        .ok_or_else(|| Broken::new("what was set is not found"))
}

pub(crate) fn absent_and_present_are_told_apart(bench: &Bench<'_>) -> Kept {
    let conditional = conditional(bench)?;
    let name = bench.name("name");
    let set = |bytes: &'static str, condition| {
        wait(conditional.set_if(&name, Bytes::from(bytes), None, condition))
    };
    ensure!(
        set("a", Condition::Present)?.is_none(),
        "nothing was there, and Present held"
    );
    ensure!(
        !bench.has(&name)?,
        "a condition that did not hold set something"
    );
    ensure!(
        set("b", Condition::Absent)?.is_some(),
        "nothing was there, and Absent did not hold"
    );
    ensure!(
        set("c", Condition::Absent)?.is_none(),
        "something was there, and Absent held"
    );
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("b")),
        "a condition that did not hold changed the value"
    );
    ensure!(
        set("d", Condition::Present)?.is_some(),
        "something was there, and Present did not hold"
    );
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("d")),
        "a condition held, and the value is another"
    );
    wait(bench.store.delete(&name))?;
    ensure!(
        set("e", Condition::Absent)?.is_some(),
        "after a delete, Absent did not hold"
    );
    Ok(())
}

pub(crate) fn a_version_is_of_one_write(bench: &Bench<'_>) -> Kept {
    let conditional = conditional(bench)?;
    let name = bench.name("name");
    let mut seen = HashSet::new();
    for round in 0..5 {
        bench.put(&name, "same", None)?;
        let of_set = version(bench, &name)?;
        let set =
            wait(conditional.set_if(&name, Bytes::from("same"), None, Condition::Version(of_set)))?;
        let Some(of_set_if) = set else {
            return Err(Broken::new(
                "the version that get shows is not the one that set_if asks for",
            ));
        };
        ensure!(
            version(bench, &name)? == of_set_if,
            "set_if and get disagree on the version"
        );
        ensure!(
            seen.insert(of_set) && seen.insert(of_set_if),
            "in round {round} a write has the version of an earlier one"
        );
        for stale in &seen {
            let set = conditional.set_if(
                &name,
                Bytes::from("stale"),
                None,
                Condition::Version(*stale),
            );
            ensure!(
                *stale == of_set_if || wait(set)?.is_none(),
                "a set held with the version of an earlier write"
            );
        }
        match round {
            0 | 3 => drop(wait(bench.store.delete(&name))?),
            1 => drop(wait(bench.store.clear(&name))?),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn a_condition_that_does_not_hold_changes_nothing(bench: &Bench<'_>) -> Kept {
    let conditional = conditional(bench)?;
    let name = bench.name("name");
    bench.put(&name, "value", Some(LONG))?;
    let before = version(bench, &name)?;
    for condition in [Condition::Absent, Condition::Version(before ^ (1 << 40))] {
        let set = wait(conditional.set_if(&name, Bytes::from("other"), None, condition))?;
        ensure!(set.is_none(), "{condition:?} held");
    }
    let deleted = wait(conditional.delete_if(&name, before ^ (1 << 40)))?;
    ensure!(!deleted, "delete_if deleted what another write had set");
    let found = bench.found(&name)?;
    let is_same = found.is_some_and(|found| {
        found.bytes == "value" && found.version == before && found.remaining.is_some()
    });
    ensure!(
        is_same,
        "a condition did not hold, and bytes, version or ttl changed"
    );
    Ok(())
}

pub(crate) fn it_sets_its_own_ttl(bench: &Bench<'_>) -> Kept {
    let conditional = conditional(bench)?;
    let [ending, endless] = ["ending", "endless"].map(|text| bench.name(text));
    let ttl = bench.short();
    bench.put(&ending, "value", None)?;
    bench.put(&endless, "value", Some(ttl))?;
    for (name, ttl) in [(&ending, Some(ttl)), (&endless, None)] {
        wait(conditional.set_if(name, Bytes::from("next"), ttl, Condition::Present))?;
    }
    bench.outlive(ttl);
    ensure!(
        !bench.has(&ending)?,
        "the ttl of a conditional set does not count"
    );
    ensure!(
        bench.has(&endless)?,
        "a conditional set left the ttl of what it replaced"
    );
    let set = wait(conditional.set_if(&ending, Bytes::from("x"), None, Condition::Present))?;
    ensure!(set.is_none(), "what has expired counts as present");
    let set = wait(conditional.set_if(&ending, Bytes::from("x"), None, Condition::Absent))?;
    ensure!(set.is_some(), "what has expired does not count as absent");
    Ok(())
}

pub(crate) fn it_deletes_what_one_write_set(bench: &Bench<'_>) -> Kept {
    let conditional = conditional(bench)?;
    let name = bench.name("name");
    bench.put(&name, "first", None)?;
    let first = version(bench, &name)?;
    bench.put(&name, "second", None)?;
    ensure!(
        !wait(conditional.delete_if(&name, first))?,
        "delete_if deleted a later write"
    );
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("second")),
        "delete_if changed a later write"
    );
    let second = version(bench, &name)?;
    ensure!(
        wait(conditional.delete_if(&name, second))?,
        "delete_if does not know the write that is there"
    );
    ensure!(
        !bench.has(&name)?,
        "delete_if said true, and the value is found"
    );
    ensure!(
        !wait(conditional.delete_if(&name, second))?,
        "delete_if said true of nothing"
    );
    Ok(())
}

pub(crate) fn of_many_at_once_one_wins(bench: &Bench<'_>) -> Kept {
    const THREADS: usize = 4;
    const ROUNDS: usize = 25;
    let stores = bench.pair();
    let names: Vec<String> = (0..ROUNDS)
        .map(|round| bench.name(&format!("n{round}")))
        .collect();
    let counter = bench.name("counter");
    bench.put(&counter, "0", None)?;
    let wins = thread::scope(|scope| {
        let (names, counter) = (&names, counter.as_str());
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let store = &stores[n % 2];
                scope.spawn(move || {
                    let conditional = store.conditional();
                    let conditional =
                        conditional.ok_or_else(|| Broken::new("a handle lacks the facet"))?;
                    let mut wins = 0;
                    for name in names {
                        let bytes = Bytes::from(n.to_string());
                        let set = wait(conditional.set_if(name, bytes, None, Condition::Absent))?;
                        wins += usize::from(set.is_some());
                        add_one(&**store, counter)?;
                    }
                    Ok(wins)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(joined)
            .sum::<Result<usize, Broken>>()
    })?;
    ensure!(
        wins == ROUNDS,
        "of 4 threads, {wins} found a name absent, and there are {ROUNDS} names"
    );
    let text = bench.bytes(&counter)?;
    let expected = (THREADS * ROUNDS).to_string();
    ensure!(
        text == Some(Bytes::from(expected.clone())),
        "by compare and set {expected} was counted, and {text:?} is left"
    );
    Ok(())
}

/// Counts a text up by compare and set.
fn add_one(store: &dyn everwarm_core::store::Store, name: &str) -> Kept {
    let conditional = store.conditional();
    let conditional = conditional.ok_or_else(|| Broken::new("a handle lacks the facet"))?;
    loop {
        let found = wait(store.get(name))?.ok_or_else(|| Broken::new("a counter is gone"))?;
        let number: u64 = std::str::from_utf8(&found.bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Broken::new("a counter is no number"))?;
        let next = Bytes::from((number + 1).to_string());
        let condition = Condition::Version(found.version);
        if wait(conditional.set_if(name, next, None, condition))?.is_some() {
            return Ok(());
        }
    }
}
