//! Names: none is ever another, and a prefix takes its own.

use std::collections::BTreeSet;

use everwarm_core::store::{Bytes, FailureKind};

use crate::harness::Bench;
use crate::promise::{Kept, ensure};
use crate::wait::wait;

/// Texts that stores confuse: by case, by encoding, by normal form, as patterns, as paths, as SQL, as protocol.
pub(crate) const ODD: [&str; 40] = [
    "a",
    "A",
    "a ",
    " a",
    "a\t",
    "a\n",
    "a\r\n",
    "a\0",
    "a\0b",
    "\u{1}",
    "\u{7f}",
    "a/b",
    "a//b",
    "/a",
    "a/",
    "a\\b",
    "..",
    ".",
    "../a",
    "~",
    "%",
    "_",
    "%61",
    "a%",
    "*",
    "?",
    "[a]",
    "{a}",
    "'",
    "\"",
    "`",
    "$(a)",
    "ä",
    "a\u{308}",
    "Ä",
    "ß",
    "ss",
    "\u{10ffff}",
    "\u{feff}a",
    "NUL",
];

pub(crate) fn two_names_are_never_one_entry(bench: &Bench<'_>) -> Kept {
    for text in ODD {
        bench.put(&bench.name(text), text, None)?;
    }
    for text in ODD {
        let found = bench.bytes(&bench.name(text))?;
        ensure!(found.is_some(), "nothing is found under the name {text:?}");
        let found = found.unwrap_or_default();
        ensure!(
            found == text.as_bytes(),
            "under the name {text:?} is what was set as {:?}",
            String::from_utf8_lossy(&found)
        );
    }
    for (n, text) in ODD.iter().enumerate() {
        let name = bench.name(text);
        ensure!(
            wait(bench.store.delete(&name))?,
            "{text:?} was gone when others were deleted"
        );
        for other in &ODD[n + 1..] {
            ensure!(
                bench.has(&bench.name(other))?,
                "{other:?} left with {text:?}"
            );
        }
    }
    Ok(())
}

/// A name of exactly so many bytes.
fn of_length(bench: &Bench<'_>, length: usize, end: char) -> String {
    let mut name = bench.name("");
    let fill = length.saturating_sub(name.len() + 1);
    name.extend(std::iter::repeat_n('x', fill));
    name.push(end);
    name
}

pub(crate) fn long_names_are_told_apart(bench: &Bench<'_>) -> Kept {
    let longest = bench.store.limits().longest_name;
    ensure!(
        longest >= 200,
        "names of {longest} bytes are too short for those that Everwarm makes"
    );
    let lengths = BTreeSet::from([200, 255, 256, 257, 1_000, 4_096, 65_536, longest]);
    for length in lengths
        .into_iter()
        .filter(|&length| length <= longest.min(1 << 16))
    {
        let [one, other] = ['1', '2'].map(|end| of_length(bench, length, end));
        bench.put(&one, "one", None)?;
        ensure!(
            !bench.has(&other)?,
            "names of {length} bytes are told apart by their beginning alone"
        );
        bench.put(&other, "other", None)?;
        ensure!(
            bench.bytes(&one)? == Some(Bytes::from("one")),
            "a name of {length} bytes has the value of another"
        );
    }
    Ok(())
}

pub(crate) fn a_name_that_is_too_long_is_refused(bench: &Bench<'_>) -> Kept {
    let longest = bench.store.limits().longest_name;
    if longest > 1 << 24 {
        return Ok(());
    }
    let [near, far] = [longest, longest + 1].map(|length| of_length(bench, length, 'x'));
    bench.put(&near, "near", None)?;
    match wait(bench.store.set(&far, Bytes::from("far"), None)) {
        Ok(()) => ensure!(
            false,
            "a name of {} bytes was taken, where {longest} is the limit",
            far.len()
        ),
        Err(failure) => ensure!(
            is_refusal(failure.kind),
            "a name that is too long is refused as {}, which asks to try again",
            failure.kind.name()
        ),
    }
    ensure!(
        bench.bytes(&near)? == Some(Bytes::from("near")),
        "a name that is too long was taken for the one that it begins with"
    );
    if let Ok(found) = wait(bench.store.get(&far)) {
        ensure!(found.is_none(), "what was refused is found");
    }
    Ok(())
}

/// Kinds that say: not this, however often it is tried.
fn is_refusal(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Permanent | FailureKind::Capacity | FailureKind::Capability
    )
}

pub(crate) fn a_value_that_is_too_large_is_refused(bench: &Bench<'_>) -> Kept {
    let name = bench.name("name");
    // Some stores hear by an answer how much they take.
    bench.put(&name, "before", None)?;
    let largest = bench.store.limits().largest_value;
    let Some(length) = usize::try_from(largest)
        .ok()
        .filter(|&length| length < 1 << 26)
    else {
        return Ok(());
    };
    match wait(bench.store.set(&name, vec![7; length + 1].into(), None)) {
        Ok(()) => ensure!(
            false,
            "{} bytes were taken, where {largest} is the limit",
            length + 1
        ),
        Err(failure) => ensure!(
            failure.kind == FailureKind::Capacity,
            "a value that is too large is refused as {}, and not as capacity",
            failure.kind.name()
        ),
    }
    let found = bench.bytes(&name)?;
    ensure!(
        found.is_none() || found == Some(Bytes::from("before")),
        "a refused set left something else than what was there before"
    );
    bench.put(&name, "after", None)?;
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("after")),
        "a refused set stands in the way of others"
    );
    Ok(())
}

/// Ends of a prefix, and how each name goes on: what matches as a pattern must not match as a prefix.
const PREFIXES: [(&str, &[&str]); 8] = [
    ("p:", &["q:1", "p", "P:1", "p;", "p9"]),
    ("p%", &["pa", "p", "p_", "p1%"]),
    ("p_", &["pa", "p%", "pb_"]),
    ("p*", &["pa", "paa", "p"]),
    ("p?", &["pa", "pb"]),
    ("[p]", &["p", "pa", "[q]"]),
    ("p\\", &["p", "p/", "pa"]),
    ("pä", &["pa", "pã", "pÄ", "pa\u{308}"]),
];

pub(crate) fn clear_takes_its_prefix_and_no_other(bench: &Bench<'_>) -> Kept {
    for (round, (prefix, others)) in PREFIXES.iter().enumerate() {
        let name = |text: &str| bench.name(&format!("{round}:{text}"));
        let inside = ["", "1", "a/b", "%", "\u{10ffff}"].map(|end| name(&format!("{prefix}{end}")));
        for each in &inside {
            bench.put(each, "inside", None)?;
        }
        for other in *others {
            bench.put(&name(other), "outside", None)?;
        }
        let cleared = wait(bench.store.clear(&name(prefix)))?;
        ensure!(
            cleared <= inside.len() as u64,
            "5 entries were cleared, and clear said {cleared}"
        );
        for each in &inside {
            ensure!(
                !bench.has(each)?,
                "after clear({prefix:?}) a name that begins with it is found"
            );
        }
        for other in *others {
            ensure!(
                bench.has(&name(other))?,
                "clear({prefix:?}) took {other:?} as well"
            );
        }
        ensure!(
            wait(bench.store.clear(&name(prefix)))? == 0,
            "nothing was there, and clear said more"
        );
    }
    wait(bench.store.clear(&bench.name("")))?;
    for (round, (_, others)) in PREFIXES.iter().enumerate() {
        for other in *others {
            let name = bench.name(&format!("{round}:{other}"));
            ensure!(!bench.has(&name)?, "a clear of everything left {other:?}");
        }
    }
    Ok(())
}
