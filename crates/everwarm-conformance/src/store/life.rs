//! A store says what it is, answers pings, is opened twice, and ends.

use everwarm_core::store::{Answer, Bytes, Failure, FailureKind};

use super::offered;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::{abandon, wait};

pub(crate) fn it_says_what_it_is(bench: &Bench<'_>) -> Kept {
    let info = bench.store.info();
    ensure!(!info.kind.is_empty(), "a store has no kind");
    ensure!(
        info.kind
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c)),
        "the kind {:?} cannot be the scheme of a URL",
        info.kind
    );
    wait(bench.store.ping())?;
    if info.embedded {
        let answers = [
            bench.store.get("name").now().is_ok(),
            bench.store.set("name", Bytes::new(), None).now().is_ok(),
            bench.store.delete("name").now().is_ok(),
        ];
        ensure!(
            answers == [true; 3],
            "an embedded store does not answer at once"
        );
    }
    Ok(())
}

pub(crate) fn it_offers_the_same_facets_always(bench: &Bench<'_>) -> Kept {
    let facets = offered(&*bench.store);
    ensure!(
        facets == offered(&*bench.store),
        "asked twice, a store offers other facets"
    );
    if let Some(other) = bench.another() {
        ensure!(
            facets == offered(&*other),
            "a second handle offers other facets"
        );
    }
    if let Some(expected) = bench.offers() {
        for (facet, is_offered) in facets {
            let is_expected = expected.iter().any(|name| name == facet);
            ensure!(
                is_offered || !is_expected,
                "{facet} is not offered, and should be"
            );
            ensure!(
                !is_offered || is_expected,
                "{facet} is offered, and was not named"
            );
        }
    }
    Ok(())
}

pub(crate) fn a_second_handle_sees_what_the_first_did(bench: &Bench<'_>) -> Kept {
    let Some(other) = bench.another() else {
        return Ok(());
    };
    let [set, deleted, cleared] = ["set", "deleted", "x:cleared"].map(|text| bench.name(text));
    for name in [&set, &deleted, &cleared] {
        bench.put(name, name, None)?;
        let found = wait(other.get(name))?.map(|found| found.bytes);
        ensure!(
            found == Some(Bytes::copy_from_slice(name.as_bytes())),
            "a second handle does not see a set"
        );
    }
    ensure!(
        wait(other.delete(&deleted))?,
        "a second handle deletes nothing"
    );
    wait(other.clear(&bench.name("x:")))?;
    wait(other.set(&set, Bytes::from("other"), None))?;
    ensure!(
        !bench.has(&deleted)?,
        "what a second handle deleted is found"
    );
    ensure!(
        !bench.has(&cleared)?,
        "what a second handle cleared is found"
    );
    ensure!(
        bench.bytes(&set)? == Some(Bytes::from("other")),
        "what a second handle set is not found"
    );
    Ok(())
}

pub(crate) fn an_abandoned_verb_leaves_no_trace(bench: &Bench<'_>) -> Kept {
    let store = &bench.store;
    for n in 0..40 {
        bench.put(&bench.name(&format!("n{n}")), n.to_string(), None)?;
    }
    for n in 0..200 {
        let name = bench.name(&format!("n{}", n % 40));
        match n % 5 {
            0 => drop(store.get(&name)),
            1 => abandon(store.get(&name)),
            2 => abandon(store.get_many(&[&name, &bench.name("n0")])),
            3 => abandon(store.set(&bench.name("elsewhere"), Bytes::from("x"), None)),
            _ => abandon(store.delete(&bench.name("nowhere"))),
        }
        let next = (n * 7 + 3) % 40;
        let found = bench.bytes(&bench.name(&format!("n{next}")))?;
        ensure!(
            found == Some(Bytes::from(next.to_string())),
            "after a verb was abandoned, another got an answer that is not its own"
        );
    }
    Ok(())
}

/// What was refused, or a promise broken: the verb must have failed as closed.
fn closed<T>(verb: &str, answer: Answer<'_, T>) -> Kept {
    match wait(answer) {
        Err(Failure {
            kind: FailureKind::Closed,
            ..
        }) => Ok(()),
        Err(failure) => Err(Broken::new(format!(
            "{verb} of a closed store fails as {}, and not as closed",
            failure.kind.name()
        ))),
        Ok(_) => Err(Broken::new(format!(
            "{verb} works after the store was closed"
        ))),
    }
}

pub(crate) fn a_closed_store_refuses(bench: &Bench<'_>) -> Kept {
    let name = bench.name("name");
    bench.put(&name, "value", None)?;
    let other = bench.another();
    let store = &bench.store;
    wait(store.close())?;
    wait(store.close())?;
    closed("get", store.get(&name))?;
    closed("set", store.set(&name, Bytes::from("late"), None))?;
    closed("delete", store.delete(&name))?;
    closed("get_many", store.get_many(&[&name]))?;
    closed("delete_many", store.delete_many(&[&name]))?;
    closed("clear", store.clear(&name))?;
    closed("ping", store.ping())?;
    if let Some(scan) = store.scan() {
        closed("page", scan.page("", None, 1))?;
    }
    if let Some(counters) = store.counters() {
        closed("incr", counters.incr(&name, 1, 0, None))?;
    }
    if let Some(leases) = store.leases() {
        closed("lease", leases.lease(&name, 1, super::LONG))?;
    }
    if let Some(other) = other {
        let found = wait(other.get(&name))?.map(|found| found.bytes);
        ensure!(
            found == Some(Bytes::from("value")),
            "one handle was closed, and another lost its value"
        );
    }
    Ok(())
}
