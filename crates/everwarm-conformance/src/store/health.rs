//! What a store says of itself.

use everwarm_core::health::Report;
use everwarm_core::store::{FailureKind, Health};

use super::scan::all;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

fn health<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Health, Broken> {
    let health = bench.store.health();
    health.ok_or_else(|| Broken::new("the store says nothing of itself"))
}

/// What it says at a glance, and what when it is looked at closely.
fn reports(health: &dyn Health) -> Result<[Report; 2], Broken> {
    Ok([wait(health.report(false))?, wait(health.report(true))?])
}

pub(crate) fn each_fact_has_a_name_of_its_own(bench: &Bench<'_>) -> Kept {
    for report in reports(health(bench)?)? {
        let mut names: Vec<_> = report.facts.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        ensure!(
            names.windows(2).all(|two| two[0] != two[1]) && !names.contains(&""),
            "its facts have the names {names:?}"
        );
        for remark in &report.remarks {
            let says = [remark.about, &remark.message, &remark.hint];
            ensure!(
                says.iter().all(|text| !text.is_empty()),
                "a remark does not say what it is about, what is so, and what to do: {remark:?}"
            );
        }
    }
    Ok(())
}

pub(crate) fn a_close_look_leaves_nothing_out(bench: &Bench<'_>) -> Kept {
    let health = health(bench)?;
    let [glance, look] = reports(health)?;
    for (name, _) in &glance.facts {
        ensure!(
            look.facts.iter().any(|(other, _)| other == name),
            "{name} is known at a glance, and not to who looks closely"
        );
    }
    let knows = |report: &Report, about| report.remarks.iter().any(|remark| remark.about == about);
    for remark in &glance.remarks {
        // What was so may have passed meanwhile.
        ensure!(
            knows(&look, remark.about) || !knows(&wait(health.report(false))?, remark.about),
            "{} is remarked at a glance, and not to who looks closely",
            remark.about
        );
    }
    Ok(())
}

pub(crate) fn asking_changes_nothing(bench: &Bench<'_>) -> Kept {
    let health = health(bench)?;
    let name = bench.name("name");
    bench.put(&name, "value", None)?;
    // The names alone: where a page ends depends on what else the store is doing.
    let names = || {
        let names = bench.store.scan().map(|scan| all(scan, &name, 1_000));
        names.transpose()
    };
    // What is left of its life becomes less by itself.
    let there = || {
        let found = bench.found(&name)?;
        Ok::<_, Broken>(found.map(|found| (found.bytes, found.version)))
    };
    let before = (there()?, names()?);
    reports(health)?;
    let after = (there()?, names()?);
    ensure!(
        before == after,
        "a store that was asked how it is had {before:?}, and now has {after:?}"
    );
    Ok(())
}

pub(crate) fn a_closed_store_says_nothing(bench: &Bench<'_>) -> Kept {
    let health = health(bench)?;
    wait(bench.store.close())?;
    for is_full in [false, true] {
        let said = wait(health.report(is_full));
        let kind = said.as_ref().map_err(|failure| failure.kind);
        ensure!(
            kind.err() == Some(FailureKind::Closed),
            "a closed store says of itself {said:?}"
        );
    }
    Ok(())
}
