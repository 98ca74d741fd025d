//! Ttls of entries that are there.

use std::time::{Duration, Instant};

use everwarm_core::store::{Bytes, Touch};

use super::LONG;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

fn touch<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Touch, Broken> {
    let touch = bench.store.touch();
    touch.ok_or_else(|| Broken::new("the store offers no touch"))
}

pub(crate) fn it_sets_the_ttl_from_now_on(bench: &Bench<'_>) -> Kept {
    let [shorter, longer, endless] = ["shorter", "longer", "endless"].map(|text| bench.name(text));
    let mut ttl = bench.short();
    while !were_touched_in_time(bench, [&shorter, &longer, &endless], ttl)? {
        ttl *= 2;
        ensure!(
            ttl < LONG,
            "expire says again and again that an entry was not there"
        );
    }
    let left = bench.found(&longer)?.and_then(|found| found.remaining);
    ensure!(
        left.is_some_and(|left| left <= LONG),
        "after expire({LONG:?}), {left:?} are left"
    );
    bench.outlive(ttl);
    ensure!(
        !bench.has(&shorter)?,
        "a ttl that was given later does not count"
    );
    ensure!(
        bench.has(&longer)?,
        "a ttl that was lengthened ended as before"
    );
    let found = bench.found(&endless)?;
    ensure!(
        found.is_some_and(
            |found| found.remaining.is_none() || bench.store.limits().longest_ttl.is_some()
        ),
        "a ttl that was lifted ended as before, or is still there"
    );
    Ok(())
}

/// Puts entries and gives them other ttls; whether the store did so before they were over.
fn were_touched_in_time(
    bench: &Bench<'_>,
    [shorter, longer, endless]: [&str; 3],
    ttl: Duration,
) -> Result<bool, Broken> {
    let touch = touch(bench)?;
    let begun = Instant::now();
    bench.put(shorter, "value", None)?;
    bench.put(longer, "value", Some(ttl))?;
    bench.put(endless, "value", Some(ttl))?;
    for (name, given) in [(shorter, Some(ttl)), (longer, Some(LONG)), (endless, None)] {
        if !wait(touch.expire(name, given))? {
            ensure!(
                begun.elapsed() >= ttl,
                "expire said that an entry was not there"
            );
            return Ok(false);
        }
    }
    Ok(true)
}

pub(crate) fn bytes_and_version_stay(bench: &Bench<'_>) -> Kept {
    let touch = touch(bench)?;
    let name = bench.name("name");
    bench.put(&name, "value", None)?;
    let before = bench.found(&name)?.map(|found| found.version);
    wait(touch.expire(&name, Some(LONG)))?;
    let after = bench.found(&name)?;
    ensure!(
        after.as_ref().map(|found| &found.bytes) == Some(&Bytes::from("value")),
        "expire changed the bytes"
    );
    ensure!(
        after.map(|found| found.version) == before,
        "expire changed the version"
    );
    Ok(())
}

pub(crate) fn what_is_not_there_stays_away(bench: &Bench<'_>) -> Kept {
    let touch = touch(bench)?;
    let [absent, ended] = ["absent", "ended"].map(|text| bench.name(text));
    let ttl = bench.short();
    bench.put(&ended, "value", Some(ttl))?;
    bench.outlive(ttl);
    for name in [&absent, &ended] {
        ensure!(
            !wait(touch.expire(name, Some(LONG)))?,
            "expire said that something was there"
        );
        ensure!(
            !wait(touch.expire(name, None))?,
            "expire said that something was there"
        );
        ensure!(!bench.has(name)?, "expire brought back what was not there");
    }
    Ok(())
}
