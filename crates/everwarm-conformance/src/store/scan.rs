//! The names.

use everwarm_core::store::Scan;

use super::names::ODD;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

fn scan<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Scan, Broken> {
    let scan = bench.store.scan();
    scan.ok_or_else(|| Broken::new("the store offers no scan"))
}

/// All names of a prefix, page by page.
pub(crate) fn all(scan: &dyn Scan, prefix: &str, limit: usize) -> Result<Vec<String>, Broken> {
    let mut names = Vec::new();
    let mut after = None;
    for _ in 0..100_000 {
        let page = wait(scan.page(prefix, after.as_deref(), limit))?;
        names.extend(page.names);
        after = page.next;
        if after.is_none() {
            return Ok(names);
        }
    }
    Err(Broken::new("a scan does not come to an end"))
}

pub(crate) fn a_name_is_in_one_page(bench: &Bench<'_>) -> Kept {
    let scan = scan(bench)?;
    let mut expected: Vec<String> = (0..57).map(|n| bench.name(&format!("p:{n}"))).collect();
    for name in &expected {
        bench.put(name, "value", None)?;
    }
    expected.sort();
    for limit in [1, 2, 10, 57, 1_000] {
        let mut names = all(scan, &bench.name("p:"), limit)?;
        names.sort();
        let total = names.len();
        names.dedup();
        ensure!(
            names.len() == total,
            "in pages of {limit}, a name is in two of them"
        );
        ensure!(
            names == expected,
            "in pages of {limit}, {} of 57 names were found",
            names.len()
        );
    }
    Ok(())
}

pub(crate) fn names_come_back_as_they_were(bench: &Bench<'_>) -> Kept {
    let scan = scan(bench)?;
    let mut expected: Vec<String> = ODD.iter().map(|text| bench.name(text)).collect();
    for length in [100, 180, 250, 500] {
        let name = bench.name(&"x".repeat(length));
        if name.len() <= bench.store.limits().longest_name {
            expected.push(name);
        }
    }
    for name in &expected {
        bench.put(name, "value", None)?;
    }
    expected.sort();
    let mut names = all(scan, &bench.name(""), 7)?;
    names.sort();
    for name in &expected {
        ensure!(
            names.contains(name),
            "the name {name:?} is not among those of a scan"
        );
    }
    ensure!(
        names == expected,
        "a scan gave {} names, and there are {}",
        names.len(),
        expected.len()
    );
    Ok(())
}

pub(crate) fn only_names_of_the_prefix_are_given(bench: &Bench<'_>) -> Kept {
    let scan = scan(bench)?;
    for text in ["p%", "pa", "p_", "p*", "P%", "p%1", "p", "pä", "pã"] {
        bench.put(&bench.name(text), "value", None)?;
    }
    for (prefix, expected) in [
        ("p%", vec!["p%", "p%1"]),
        ("p_", vec!["p_"]),
        ("p*", vec!["p*"]),
        ("pä", vec!["pä"]),
        ("x", vec![]),
    ] {
        let mut names = all(scan, &bench.name(prefix), 10)?;
        names.sort();
        let expected: Vec<String> = expected.into_iter().map(|text| bench.name(text)).collect();
        ensure!(names == expected, "a scan of {prefix:?} gave {names:?}");
    }
    Ok(())
}

pub(crate) fn what_stays_is_found_while_others_change(bench: &Bench<'_>) -> Kept {
    let scan = scan(bench)?;
    let prefix = bench.name("p:");
    let name = |n: usize| format!("{prefix}{n:04}");
    for n in 0..60 {
        bench.put(&name(n), "value", None)?;
    }
    let mut names = Vec::new();
    let mut after = None;
    for round in 0.. {
        let page = wait(scan.page(&prefix, after.as_deref(), 5))?;
        names.extend(page.names);
        after = page.next;
        if after.is_none() || round > 10_000 {
            break;
        }
        // Every third one leaves, others come, wherever the scan stands.
        if round < 20 {
            wait(bench.store.delete(&name((59 - round * 3) % 60)))?;
            bench.put(&name(1_000 + round), "value", None)?;
            bench.put(&name(round * 3), "changed", None)?;
        }
    }
    names.sort();
    let total = names.len();
    names.dedup();
    ensure!(
        names.len() == total,
        "while others changed, a name was given twice"
    );
    for n in (0..60).filter(|n| n % 3 != 2) {
        ensure!(
            names.contains(&name(n)),
            "a name that was there all the time was not given"
        );
    }
    Ok(())
}

pub(crate) fn expired_names_are_not_given(bench: &Bench<'_>) -> Kept {
    let scan = scan(bench)?;
    let ttl = bench.short();
    bench.put(&bench.name("ending"), "value", Some(ttl))?;
    bench.put(&bench.name("endless"), "value", None)?;
    bench.outlive(ttl);
    let names = all(scan, &bench.name(""), 10)?;
    ensure!(
        names == [bench.name("endless")],
        "a scan gives {names:?}, of which one has expired"
    );
    Ok(())
}
