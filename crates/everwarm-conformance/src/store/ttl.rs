//! Values end when their ttl does.

use std::time::{Duration, Instant};

use everwarm_core::store::Bytes;

use super::LONG;
use crate::harness::Bench;
use crate::promise::{Kept, ensure};
use crate::wait::wait;

pub(crate) fn after_its_ttl_a_value_is_not_found(bench: &Bench<'_>) -> Kept {
    let store = &bench.store;
    let [name, kept, deleted] = ["ending", "kept", "deleted"].map(|text| bench.name(text));
    let ttl = bench.short();
    bench.put(&name, "value", Some(ttl))?;
    bench.put(&deleted, "value", Some(ttl))?;
    bench.put(&kept, "value", None)?;
    bench.outlive(ttl);
    ensure!(
        !bench.has(&name)?,
        "a value is found after its ttl of {ttl:?}"
    );
    let many = wait(store.get_many(&[&name, &kept]))?;
    ensure!(many[0].is_none(), "get_many finds a value after its ttl");
    ensure!(
        many[1].is_some(),
        "a value without a ttl left when another one's ended"
    );
    ensure!(
        !wait(store.delete(&deleted))?,
        "delete says true of a value whose ttl has ended"
    );
    bench.put(&name, "again", None)?;
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("again")),
        "a name whose value has ended does not take another"
    );
    Ok(())
}

pub(crate) fn each_set_brings_its_own_ttl(bench: &Bench<'_>) -> Kept {
    let [longer, endless, shorter] = ["longer", "endless", "shorter"].map(|text| bench.name(text));
    let ttl = bench.short();
    for (name, first, second) in [
        (&longer, Some(ttl), Some(LONG)),
        (&endless, Some(ttl), None),
        (&shorter, None, Some(ttl)),
    ] {
        bench.put(name, "first", first)?;
        bench.put(name, "second", second)?;
    }
    bench.outlive(ttl);
    ensure!(bench.has(&longer)?, "a set left the ttl of the one before");
    ensure!(
        bench.has(&endless)?,
        "a set without a ttl left that of the one before"
    );
    ensure!(
        !bench.has(&shorter)?,
        "the ttl of a set that replaced an endless value did not count"
    );
    Ok(())
}

pub(crate) fn remaining_is_never_more_than_was_set(bench: &Bench<'_>) -> Kept {
    let [endless, ending] = ["endless", "ending"].map(|text| bench.name(text));
    bench.put(&endless, "value", None)?;
    let remaining = bench.found(&endless)?.and_then(|found| found.remaining);
    let longest = bench.store.limits().longest_ttl;
    ensure!(
        remaining.is_none() || (longest.is_some() && remaining <= longest),
        "a value without an end has {remaining:?} left"
    );
    for ttl in [Duration::from_secs(2), Duration::from_millis(5_750), LONG] {
        let begun = Instant::now();
        bench.put(&ending, "value", Some(ttl))?;
        let found = bench.found(&ending)?;
        let Some(left) = found.and_then(|found| found.remaining) else {
            ensure!(
                false,
                "a value with a ttl of {ttl:?} has none left, or is not found"
            );
            continue;
        };
        ensure!(left <= ttl, "of a ttl of {ttl:?}, {left:?} are left");
        let spent = if bench.is_real_time() {
            begun.elapsed()
        } else {
            Duration::ZERO
        };
        let least = ttl.saturating_sub(spent + bench.store.limits().ttl_precision);
        ensure!(
            left >= least,
            "of a ttl of {ttl:?}, only {left:?} are left at once"
        );
    }
    let spent = bench.short();
    bench.pass(spent);
    let left = bench.found(&ending)?.and_then(|found| found.remaining);
    ensure!(
        left.is_some_and(|left| left <= LONG - spent + bench.store.limits().ttl_precision),
        "after {spent:?} of {LONG:?}, {left:?} are left"
    );
    Ok(())
}

pub(crate) fn the_longest_ttl_cuts_longer_ones(bench: &Bench<'_>) -> Kept {
    let name = bench.name("name");
    let century = Duration::from_secs(100 * 366 * 86_400);
    bench.put(&name, "value", Some(century))?;
    let left = bench.found(&name)?.and_then(|found| found.remaining);
    let cut = bench
        .store
        .limits()
        .longest_ttl
        .unwrap_or(century)
        .min(century);
    ensure!(
        left.is_some(),
        "a value with a ttl of a century is not found, or has no end"
    );
    ensure!(
        left <= Some(cut),
        "{left:?} are left, where {cut:?} is the longest ttl"
    );
    Ok(())
}

pub(crate) fn a_sweep_takes_only_what_has_expired(bench: &Bench<'_>) -> Kept {
    let ttl = bench.short();
    for n in 0..30 {
        let (name, ttl) = match n % 3 {
            0 => ("ending", Some(ttl)),
            1 => ("long", Some(LONG)),
            _ => ("endless", None),
        };
        bench.put(&bench.name(&format!("{name}-{n}")), "value", ttl)?;
    }
    bench.outlive(ttl);
    let swept = wait(bench.store.sweep())?;
    ensure!(
        swept <= 10 || bench.is_real_time(),
        "10 values had expired, and {swept} were swept"
    );
    for n in (0..30).filter(|n| n % 3 != 0) {
        let name = if n % 3 == 1 { "long" } else { "endless" };
        ensure!(
            bench.has(&bench.name(&format!("{name}-{n}")))?,
            "a sweep took a value that has not expired"
        );
    }
    ensure!(
        !bench.has(&bench.name("ending-0"))?,
        "an expired value is found after a sweep"
    );
    Ok(())
}
