//! The right to compute.

use std::thread;
use std::time::Duration;

use everwarm_core::store::{Bytes, Condition, Entry, Grant, Leased, Leases};

use super::LONG;
use super::keeping::joined;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

fn leases<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Leases, Broken> {
    let leases = bench.store.leases();
    leases.ok_or_else(|| Broken::new("the store offers no leases"))
}

/// Takes a lease that must be free.
fn taken(leases: &dyn Leases, name: &str, token: u64, ttl: Duration) -> Kept {
    let grant = wait(leases.lease(name, token, ttl))?;
    ensure!(
        grant == Grant::Granted,
        "a free lease was not given: {grant:?}"
    );
    Ok(())
}

/// Whether the holder of this token still holds.
fn holds(leases: &dyn Leases, name: &str, token: u64) -> Result<bool, Broken> {
    Ok(wait(leases.renew(name, token, LONG))?)
}

pub(crate) fn it_has_one_holder(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let [name, other] = ["name", "other"].map(|text| bench.name(text));
    taken(leases, &name, 1, LONG)?;
    match wait(leases.lease(&name, 2, LONG))? {
        Grant::Granted => ensure!(false, "a lease has two holders"),
        Grant::Held(left) => {
            ensure!(
                left <= LONG && !left.is_zero(),
                "of a lease of {LONG:?}, {left:?} are left"
            );
        }
    }
    taken(leases, &other, 2, LONG)?;
    taken(leases, &name, 1, LONG)?;
    ensure!(
        !wait(leases.renew(&name, 2, LONG))?,
        "a lease was renewed by who does not hold it"
    );
    ensure!(
        !wait(leases.release(&name, 2))?,
        "a lease was released by who does not hold it"
    );
    ensure!(
        holds(leases, &name, 1)?,
        "the holder lost a lease that nobody ended"
    );
    if let Some(second) = bench.another() {
        let grant = match second.leases() {
            Some(leases) => wait(leases.lease(&name, 3, LONG))?,
            None => return Err(Broken::new("a second handle offers no leases")),
        };
        ensure!(
            grant != Grant::Granted,
            "a second handle gives a lease that is held"
        );
    }
    Ok(())
}

pub(crate) fn it_ends_by_itself(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let [name, renewed] = ["name", "renewed"].map(|text| bench.name(text));
    let ttl = bench.short();
    taken(leases, &name, 1, ttl)?;
    taken(leases, &renewed, 1, ttl)?;
    ensure!(
        wait(leases.renew(&renewed, 1, LONG))?,
        "a lease could not be renewed"
    );
    bench.outlive(ttl);
    let late = wait(leases.set_leased(&name, 1, Bytes::from("late"), None))?;
    ensure!(
        !late && !bench.has(&name)?,
        "a value was set under a lease that had ended"
    );
    ensure!(
        !wait(leases.renew(&name, 1, LONG))?,
        "a lease was renewed after its end"
    );
    ensure!(
        !wait(leases.release(&name, 1))?,
        "a lease was released after its end"
    );
    taken(leases, &name, 2, LONG)?;
    let late = wait(leases.set_leased(&name, 1, Bytes::from("late"), None))?;
    ensure!(
        !late,
        "a former holder set a value while another holds the lease"
    );
    let grant = wait(leases.lease(&renewed, 2, LONG))?;
    ensure!(
        grant != Grant::Granted,
        "a lease ended although it had been renewed"
    );
    Ok(())
}

pub(crate) fn who_asks_again_renews(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let name = bench.name("name");
    let ttl = bench.short();
    taken(leases, &name, 1, ttl)?;
    taken(leases, &name, 1, LONG)?;
    bench.outlive(ttl);
    ensure!(
        holds(leases, &name, 1)?,
        "asking again with the same token did not renew the lease"
    );
    Ok(())
}

pub(crate) fn it_is_given_back(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let name = bench.name("name");
    ensure!(
        !wait(leases.release(&name, 1))?,
        "a lease that was never taken was released"
    );
    taken(leases, &name, 1, LONG)?;
    ensure!(
        wait(leases.release(&name, 1))?,
        "the holder could not release its lease"
    );
    let late = wait(leases.set_leased(&name, 1, Bytes::from("late"), None))?;
    ensure!(!late, "a value was set under a lease that was given back");
    taken(leases, &name, 2, LONG)
}

pub(crate) fn a_set_under_it_ends_it(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let name = bench.name("name");
    let ttl = bench.short();
    taken(leases, &name, 1, LONG)?;
    let set = |bytes: &'static str, ttl| wait(leases.set_leased(&name, 1, Bytes::from(bytes), ttl));
    ensure!(set("first", Some(ttl))?, "the holder could not set");
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("first")),
        "what was set under a lease is not found"
    );
    ensure!(!set("second", None)?, "a lease covered two sets");
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("first")),
        "a refused set changed the value"
    );
    taken(leases, &name, 2, LONG)?;
    bench.outlive(ttl);
    ensure!(
        !bench.has(&name)?,
        "the ttl of a set under a lease does not count"
    );
    Ok(())
}

/// A write, by its name; whether it can be done here.
type Write = (&'static str, fn(&Bench<'_>, &str) -> Result<bool, Broken>);

const WRITES: [Write; 8] = [
    ("set", |bench, name| {
        bench.put(name, "written", None).map(|()| true)
    }),
    ("delete of nothing", |bench, name| {
        Ok(wait(bench.store.delete(name)).map(|_| true)?)
    }),
    ("delete of something", |bench, name| {
        Ok(bench.store.leases().is_some() && wait(bench.store.delete(name)).map(|_| true)?)
    }),
    ("set_many", |bench, name| {
        let bytes = Bytes::from("written");
        Ok(wait(bench.store.set_many(&[Entry {
            name,
            bytes,
            ttl: None,
        }]))
        .map(|()| true)?)
    }),
    ("delete_many", |bench, name| {
        Ok(wait(bench.store.delete_many(&[name])).map(|_| true)?)
    }),
    ("incr", |bench, name| match bench.store.counters() {
        Some(counters) => Ok(wait(counters.incr(name, 1, 0, None)).map(|_| true)?),
        None => Ok(false),
    }),
    ("set_if", |bench, name| match bench.store.conditional() {
        Some(conditional) => {
            let set = conditional.set_if(name, Bytes::from("written"), None, Condition::Absent);
            Ok(wait(set)?.is_some())
        }
        None => Ok(false),
    }),
    ("delete_if", |bench, name| {
        match (bench.store.conditional(), bench.found(name)?) {
            (Some(conditional), Some(found)) => {
                Ok(wait(conditional.delete_if(name, found.version))?)
            }
            _ => Ok(false),
        }
    }),
];

pub(crate) fn every_other_write_ends_it(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    for (n, (what, write)) in WRITES.into_iter().enumerate() {
        let name = bench.name(&format!("n{n}"));
        if matches!(what, "delete of something" | "delete_many" | "delete_if") {
            bench.put(&name, "before", None)?;
        }
        taken(leases, &name, 1, LONG)?;
        if !write(bench, &name)? {
            continue;
        }
        let after = bench.bytes(&name)?;
        let late = wait(leases.set_leased(&name, 1, Bytes::from("late"), None))?;
        ensure!(
            !late,
            "{what} left the lease: a value that was computed before it was set after it"
        );
        ensure!(
            bench.bytes(&name)? == after,
            "a set was refused, and left its bytes"
        );
        ensure!(
            !wait(leases.renew(&name, 1, LONG))?,
            "{what} left a lease that can be renewed"
        );
        taken(leases, &name, 2, LONG)?;
    }
    Ok(())
}

pub(crate) fn reads_and_vain_writes_leave_it(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let name = bench.name("name");
    bench.put(&name, "value", None)?;
    taken(leases, &name, 1, LONG)?;
    bench.has(&name)?;
    wait(bench.store.get_many(&[&name]))?;
    wait(bench.store.sweep())?;
    if let Some(touch) = bench.store.touch() {
        wait(touch.expire(&name, Some(LONG)))?;
    }
    if let Some(conditional) = bench.store.conditional() {
        wait(conditional.set_if(&name, Bytes::from("x"), None, Condition::Absent))?;
        let other = bench
            .found(&name)?
            .map_or(1, |found| found.version ^ (1 << 40));
        wait(conditional.delete_if(&name, other))?;
    }
    bench.put(&bench.name("name2"), "neighbour", None)?;
    wait(bench.store.delete(&bench.name("nam")))?;
    ensure!(
        holds(leases, &name, 1)?,
        "a lease ended without a write of its name"
    );
    Ok(())
}

pub(crate) fn clear_ends_those_it_clears(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let [inside, empty, outside] = ["p:1", "p:2", "q:1"].map(|text| bench.name(text));
    for name in [&inside, &outside] {
        bench.put(name, "value", None)?;
    }
    for name in [&inside, &empty, &outside] {
        taken(leases, name, 1, LONG)?;
    }
    wait(bench.store.clear(&bench.name("p:")))?;
    for name in [&inside, &empty] {
        let late = wait(leases.set_leased(name, 1, Bytes::from("late"), None))?;
        ensure!(
            !late && !bench.has(name)?,
            "a value that was computed before a clear was set after it"
        );
    }
    ensure!(
        holds(leases, &outside, 1)?,
        "clear ended the lease of a name with another prefix"
    );
    Ok(())
}

pub(crate) fn it_is_no_entry(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let name = bench.name("name");
    taken(leases, &name, 1, LONG)?;
    ensure!(!bench.has(&name)?, "a lease is found as a value");
    if let Some(scan) = bench.store.scan() {
        ensure!(
            super::scan::all(scan, &name, 10)?.is_empty(),
            "a lease is found by a scan"
        );
    }
    ensure!(
        holds(leases, &name, 1)?,
        "a look at a leased name ended the lease"
    );
    ensure!(
        !wait(bench.store.delete(&name))?,
        "delete said true of a lease"
    );
    Ok(())
}

pub(crate) fn of_many_at_once_one_holds(bench: &Bench<'_>) -> Kept {
    const THREADS: u64 = 4;
    const ROUNDS: usize = 40;
    let stores = bench.pair();
    let names: Vec<String> = (0..ROUNDS)
        .map(|round| bench.name(&format!("n{round}")))
        .collect();
    let granted = thread::scope(|scope| {
        let names = &names;
        let threads: Vec<_> = (1..=THREADS)
            .map(|token| {
                let store = &stores[token as usize % 2];
                scope.spawn(move || {
                    let leases = store.leases();
                    let leases = leases.ok_or_else(|| Broken::new("a handle offers no leases"))?;
                    let mut granted = 0;
                    for name in names {
                        let grant = wait(leases.lease(name, token, LONG))?;
                        granted += usize::from(grant == Grant::Granted);
                        thread::yield_now();
                    }
                    Ok(granted)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(joined)
            .sum::<Result<usize, Broken>>()
    })?;
    ensure!(
        granted == ROUNDS,
        "of 4 threads, {granted} hold a lease, and there are {ROUNDS} leases"
    );
    Ok(())
}

pub(crate) fn of_many_leases_each_is_as_if_alone(bench: &Bench<'_>) -> Kept {
    let leases = leases(bench)?;
    let names = ["first", "held", "last"].map(|text| bench.name(text));
    taken(leases, &names[1], 9, LONG)?;
    let wanted: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(1..).collect();
    let grants = wait(leases.lease_many(&wanted, LONG))?;
    let granted: Vec<_> = grants.iter().map(|one| *one == Grant::Granted).collect();
    ensure!(
        granted == [true, false, true],
        "of many leases, of which the second is held, {grants:?} were given"
    );
    ensure!(
        holds(leases, &names[1], 9)?,
        "who asked for many took another one's lease"
    );
    let entries: Vec<_> = wanted
        .iter()
        .map(|&(name, token)| Leased {
            name,
            token,
            bytes: Bytes::from("many"),
            ttl: Some(LONG),
        })
        .collect();
    let set = wait(leases.set_leased_many(&entries))?;
    ensure!(
        set == [true, false, true],
        "of many sets, of which the second has no lease, {set:?} were done"
    );
    for (name, set) in names.iter().zip(set) {
        let found = bench.bytes(name)?;
        ensure!(
            found.is_some() == set,
            "what many sets say is not what is found"
        );
    }
    ensure!(
        !holds(leases, &names[0], 1)?,
        "a lease is there after many were set under theirs"
    );
    Ok(())
}
