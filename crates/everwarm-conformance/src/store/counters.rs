//! Numbers that are changed in one step.

use std::thread;

use everwarm_core::store::{Bytes, Counters};

use super::LONG;
use super::keeping::joined;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

fn counters<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Counters, Broken> {
    let counters = bench.store.counters();
    counters.ok_or_else(|| Broken::new("the store offers no counters"))
}

pub(crate) fn its_text_is_its_number(bench: &Bench<'_>) -> Kept {
    let counters = counters(bench)?;
    let name = bench.name("name");
    for (by, expected) in [
        (7, "7"),
        (-10, "-3"),
        (3, "0"),
        (i64::MAX, "9223372036854775807"),
    ] {
        let number = wait(counters.incr(&name, by, 0, None))?;
        ensure!(
            number.to_string() == expected,
            "after a change by {by} it is {number}, not {expected}"
        );
        let text = bench.bytes(&name)?;
        ensure!(
            text == Some(Bytes::from(expected)),
            "get gives {text:?}, and the counter is {expected}"
        );
    }
    Ok(())
}

pub(crate) fn a_new_one_begins_at_initial(bench: &Bench<'_>) -> Kept {
    let counters = counters(bench)?;
    let name = bench.name("name");
    let first = wait(counters.incr(&name, 5, 100, None))?;
    ensure!(
        first == 105,
        "a counter that begins at 100 is {first} after a change by 5"
    );
    let second = wait(counters.incr(&name, 5, 100, None))?;
    ensure!(
        second == 110,
        "the initial number counted although the counter was there: {second}"
    );
    wait(bench.store.delete(&name))?;
    let third = wait(counters.incr(&name, -1, -9, None))?;
    ensure!(
        third == -10,
        "a deleted counter does not begin anew: {third}"
    );
    Ok(())
}

pub(crate) fn its_ttl_counts_when_it_begins(bench: &Bench<'_>) -> Kept {
    let counters = counters(bench)?;
    let [ending, endless] = ["ending", "endless"].map(|text| bench.name(text));
    let ttl = bench.short();
    wait(counters.incr(&ending, 1, 0, Some(ttl)))?;
    wait(counters.incr(&ending, 1, 0, Some(LONG)))?;
    wait(counters.incr(&endless, 1, 0, None))?;
    wait(counters.incr(&endless, 1, 0, Some(ttl)))?;
    bench.outlive(ttl);
    ensure!(
        !bench.has(&ending)?,
        "a change lengthened the ttl of a counter"
    );
    ensure!(
        bench.has(&endless)?,
        "a change gave a counter a ttl that has none"
    );
    let number = wait(counters.incr(&ending, 1, 40, None))?;
    ensure!(
        number == 41,
        "a counter that has expired does not begin anew: {number}"
    );
    Ok(())
}

pub(crate) fn no_change_is_lost(bench: &Bench<'_>) -> Kept {
    const THREADS: i64 = 4;
    const CHANGES: i64 = 60;
    let name = bench.name("name");
    let name = name.as_str();
    let stores = bench.pair();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let store = &stores[n as usize % 2];
                scope.spawn(move || {
                    let counters = store.counters();
                    let counters =
                        counters.ok_or_else(|| Broken::new("a handle offers no counters"))?;
                    for _ in 0..CHANGES {
                        wait(counters.incr(name, n + 1, 0, None))?;
                        thread::yield_now();
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().map(joined).fold(Ok(()), Result::and)
    })?;
    let expected = CHANGES * (1..=THREADS).sum::<i64>();
    let number = wait(counters(bench)?.incr(name, 0, 0, None))?;
    ensure!(
        number == expected,
        "of changes that add up to {expected}, {number} are left"
    );
    Ok(())
}

pub(crate) fn what_leaves_64_bits_is_refused(bench: &Bench<'_>) -> Kept {
    let counters = counters(bench)?;
    for (name, edge, by) in [("high", i64::MAX, 1), ("low", i64::MIN, -1)] {
        let name = bench.name(name);
        wait(counters.incr(&name, edge, 0, None))?;
        let beyond = wait(counters.incr(&name, by, 0, None));
        ensure!(beyond.is_err(), "{edge} changed by {by} became {beyond:?}");
        let text = bench.bytes(&name)?;
        ensure!(
            text == Some(Bytes::from(edge.to_string())),
            "a refused change left {text:?}"
        );
    }
    let new = bench.name("new");
    let beyond = wait(counters.incr(&new, 1, i64::MAX, None));
    ensure!(
        beyond.is_err() && !bench.has(&new)?,
        "a counter began beyond 64 bits: {beyond:?}"
    );
    Ok(())
}

pub(crate) fn what_is_no_number_stays_what_it_is(bench: &Bench<'_>) -> Kept {
    let counters = counters(bench)?;
    for text in ["text", "", "1.5", "99999999999999999999", "1 ", "٣"] {
        let name = bench.name(text);
        bench.put(&name, text, None)?;
        let number = wait(counters.incr(&name, 1, 0, None));
        let left = bench.bytes(&name)?;
        let expected = match &number {
            Ok(number) => number.to_string(),
            Err(_) => text.to_owned(),
        };
        ensure!(
            left == Some(Bytes::from(expected)),
            "{text:?} was counted up, which gave {number:?}, and left {left:?}"
        );
    }
    Ok(())
}
