//! Numbers for invalidations.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Bytes, Computed, Generations, Grant, Settled};

use super::LONG;
use super::keeping::joined;
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

pub(super) fn generations<'b>(bench: &'b Bench<'_>) -> Result<&'b dyn Generations, Broken> {
    let generations = bench.store.generations();
    generations.ok_or_else(|| Broken::new("the store offers no generations"))
}

pub(super) const fn tag(n: u8) -> Tag {
    Tag([n; 16])
}

/// A value on its way, without a lease.
pub(super) fn computed<'a>(
    name: &'a str,
    namespace: &'a str,
    stamps: &'a [Mark],
    tags: &'a [Tag],
) -> Computed<'a> {
    Computed {
        name,
        namespace,
        bytes: Bytes::from("computed"),
        ttl: None,
        token: None,
        stamps,
        tags,
    }
}

/// Whether stamps cover all markers of a reading.
pub(super) fn covers(stamps: &Reading, reading: &Reading) -> bool {
    valid(&stamps.shards, reading.markers.iter().copied())
}

pub(crate) fn a_beginning_gives_stamps_and_markers(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let tags = [tag(1), tag(2), tag(3)];
    let begun = wait(generations.begin(&space, &tags, None))?;
    ensure!(!begun.shards.is_empty(), "begin gives no stamp");
    ensure!(
        begun.markers.len() == 3,
        "begin gives {} markers for 3 tags",
        begun.markers.len()
    );
    ensure!(
        covers(&begun, &begun),
        "a computation that begins does not cover the markers it was given"
    );
    let read = wait(generations.read(&space, &tags))?;
    ensure!(
        read.markers == begun.markers,
        "the markers of a beginning are not those that are read"
    );
    ensure!(
        covers(&begun, &read),
        "nothing was invalidated, and a stamp does not cover the markers"
    );
    let again = wait(generations.begin(&space, &tags, None))?;
    ensure!(
        again.markers == begun.markers,
        "a second beginning wrote the markers again"
    );
    Ok(())
}

pub(crate) fn reading_makes_nothing(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let first = wait(generations.read(&space, &[tag(1)]))?;
    ensure!(
        first.markers == [None],
        "a tag that nobody named has the marker {:?}",
        first.markers
    );
    wait(generations.begin(&space, &[tag(2)], None))?;
    let second = wait(generations.read(&space, &[tag(1), tag(2)]))?;
    ensure!(second.markers[0].is_none(), "a read made a marker");
    ensure!(
        second.markers[1].is_some(),
        "markers are not in the order of the tags"
    );
    Ok(())
}

pub(crate) fn an_invalidation_overtakes_what_began_before(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let [space, name] = [bench.space(), bench.name("name")];
    let tags = [tag(1), tag(2)];
    let before = wait(generations.begin(&space, &tags, None))?;
    let told = wait(generations.invalidate(&space, &[tag(2)]))?;
    ensure!(
        told.markers.len() == 1,
        "invalidate gives {} markers for a tag",
        told.markers.len()
    );
    let read = wait(generations.read(&space, &tags))?;
    ensure!(
        read.markers[1] == told.markers[0],
        "invalidate gives another marker than is read"
    );
    ensure!(
        read.markers[0] == before.markers[0],
        "an invalidation changed another tag's marker"
    );
    ensure!(
        !covers(&before, &read),
        "an invalidation is covered by a stamp from before it"
    );
    let settled = wait(generations.settle(computed(&name, &space, &before.shards, &tags)))?;
    ensure!(
        settled == Settled::Overtaken,
        "a computation from before an invalidation was {settled:?}"
    );
    ensure!(!bench.has(&name)?, "an overtaken value was stored");
    let after = wait(generations.begin(&space, &tags, None))?;
    let settled = wait(generations.settle(computed(&name, &space, &after.shards, &tags)))?;
    ensure!(
        settled == Settled::Stored,
        "a computation from after an invalidation was {settled:?}"
    );
    ensure!(
        bench.bytes(&name)? == Some(Bytes::from("computed")),
        "a settled value is not found"
    );
    Ok(())
}

/// Three tags that nobody named yet, in the shard of the first one.
fn same_shard(generations: &dyn Generations, space: &str) -> Result<[Tag; 3], Broken> {
    let shard = |tag| {
        let shards = wait(generations.read(space, &[tag]))?.shards;
        Ok::<_, Broken>(shards.first().map(|mark| mark.shard))
    };
    let first = shard(tag(1))?;
    let mut found = Vec::new();
    for n in 100..=255 {
        if shard(tag(n))? == first {
            found.push(tag(n));
        }
    }
    found.truncate(3);
    let found = found.try_into();
    found.map_err(|_| Broken::new("hardly any two tags are in the same shard"))
}

pub(crate) fn an_unknown_tag_gets_the_present_number(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let [first, second] = ["first", "second"].map(|text| bench.name(text));
    let stamps = wait(generations.begin(&space, &[tag(1)], None))?;
    let [known, lost, other] = same_shard(generations, &space)?;
    // Its tag is known from the result alone; nothing came between.
    let settled =
        wait(generations.settle(computed(&first, &space, &stamps.shards, &[tag(1), known])))?;
    ensure!(
        settled == Settled::Stored,
        "with a tag from its result, a value was {settled:?}"
    );
    let read = wait(generations.read(&space, &[tag(1), known]))?;
    ensure!(
        covers(&stamps, &read),
        "a settled value is not valid by the markers that settle left"
    );
    // What was invalidated between may have been this tag, whose marker is lost.
    wait(generations.invalidate(&space, &[other]))?;
    let settled =
        wait(generations.settle(computed(&second, &space, &stamps.shards, &[tag(1), lost])))?;
    ensure!(
        settled == Settled::Overtaken,
        "a tag without a marker got the stamp's number and not the present one: the value was {settled:?}"
    );
    Ok(())
}

pub(crate) fn a_marker_only_grows(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let tags = [tag(1)];
    let mut last = wait(generations.begin(&space, &tags, None))?.markers[0];
    for round in 0..20 {
        let told = wait(generations.invalidate(&space, &tags))?.markers[0];
        let is_larger = match (last, told) {
            (Some(last), Some(told)) => told.epoch == last.epoch && told.number > last.number,
            _ => false,
        };
        ensure!(
            is_larger,
            "invalidation {round} left {told:?} after {last:?}"
        );
        let begun = wait(generations.begin(&space, &tags, None))?.markers[0];
        ensure!(
            begun == told,
            "a beginning wrote a marker that was there again"
        );
        last = told;
    }
    Ok(())
}

pub(crate) fn a_lost_lease_is_told(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let [name, free] = ["name", "free"].map(|text| bench.name(text));
    let stamps = wait(generations.begin(&space, &[tag(1)], None))?;
    let settle = |name, token, ttl| {
        let with = computed(name, &space, &stamps.shards, &[]);
        wait(generations.settle(Computed {
            token,
            ttl,
            tags: &[tag(1)],
            ..with
        }))
    };
    ensure!(
        settle(&free, None, None)? == Settled::Stored,
        "without a lease nothing was stored"
    );
    let Some(leases) = bench.store.leases() else {
        return Ok(());
    };
    ensure!(
        settle(&name, Some(5), None)? == Settled::Lost,
        "a lease that was never taken covered a value"
    );
    ensure!(!bench.has(&name)?, "a value whose lease is lost was stored");
    ensure!(
        wait(leases.lease(&name, 5, LONG))? == Grant::Granted,
        "a free lease was not given"
    );
    ensure!(
        settle(&name, Some(6), None)? == Settled::Lost,
        "another one's lease covered a value"
    );
    ensure!(
        settle(&name, Some(5), Some(LONG))? == Settled::Stored,
        "the holder's value was not stored"
    );
    ensure!(
        !wait(leases.renew(&name, 5, LONG))?,
        "a lease is there after its value was settled"
    );
    let left = bench.found(&name)?.and_then(|found| found.remaining);
    ensure!(left.is_some(), "a settled value lost its ttl");
    Ok(())
}

/// Whether a reading that came with entries says what is read of the tags alone. The shards of the entries may come, too, once for
/// each step in which some were read.
fn has_all_of(reading: &Reading, read: &Reading) -> bool {
    reading.markers == read.markers && read.shards.iter().all(|mark| reading.shards.contains(mark))
}

pub(crate) fn an_entry_comes_with_its_markers(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let [name, absent] = ["name", "absent"].map(|text| bench.name(text));
    let tags = [tag(1), tag(2)];
    let stamps = wait(generations.begin(&space, &tags[..1], None))?;
    wait(generations.settle(computed(&name, &space, &stamps.shards, &tags[..1])))?;
    let (found, reading) = wait(generations.get_with(&name, &space, &tags))?;
    ensure!(
        found.map(|found| found.bytes) == Some(Bytes::from("computed")),
        "get_with finds no entry"
    );
    ensure!(
        has_all_of(&reading, &wait(generations.read(&space, &tags))?),
        "get_with and read disagree"
    );
    let (found, reading) = wait(generations.get_with(&absent, &space, &tags[..1]))?;
    ensure!(found.is_none(), "get_with finds what is not there");
    ensure!(
        reading.markers.len() == 1,
        "without an entry get_with gives no markers"
    );
    Ok(())
}

pub(crate) fn namespaces_are_apart(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let [one, other] = ["one", "other"].map(|text| bench.name(text));
    let stamps = wait(generations.begin(&one, &[tag(1)], None))?;
    wait(generations.invalidate(&other, &[tag(1)]))?;
    let read = wait(generations.read(&one, &[tag(1)]))?;
    ensure!(
        covers(&stamps, &read),
        "an invalidation in one namespace reached another"
    );
    Ok(())
}

pub(crate) fn a_marker_outlives_its_entries(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let keep = bench.short();
    wait(generations.begin(&space, &[tag(1)], None))?;
    wait(generations.begin(&space, &[tag(2)], Some(LONG)))?;
    wait(generations.begin(&space, &[tag(2)], Some(keep)))?;
    wait(generations.begin(&space, &[tag(3)], Some(keep)))?;
    wait(generations.begin(&space, &[tag(3)], Some(LONG)))?;
    wait(generations.invalidate(&space, &[tag(3)]))?;
    bench.outlive(keep);
    wait(bench.store.sweep())?;
    let read = wait(generations.read(&space, &[tag(1), tag(2), tag(3)]))?;
    for (n, marker) in read.markers.iter().enumerate() {
        ensure!(
            marker.is_some(),
            "the marker of tag {} is gone before the longest time it was to be kept",
            n + 1
        );
    }
    Ok(())
}

pub(crate) fn settling_and_invalidating_are_one_step_each(bench: &Bench<'_>) -> Kept {
    let [settling, invalidating] = bench.pair();
    let space = bench.space();
    let lacks = || Broken::new("a handle offers no generations");
    for round in 0..150_u32 {
        let name = bench.name(&format!("n{round}"));
        let generations = settling.generations().ok_or_else(lacks)?;
        let stamps = wait(generations.begin(&space, &[tag(1)], None))?;
        let start = Barrier::new(2);
        let (settled, seen) = thread::scope(|scope| {
            let settles = scope.spawn(|| {
                start.wait();
                Ok(wait(generations.settle(computed(
                    &name,
                    &space,
                    &stamps.shards,
                    &[tag(1)],
                )))?)
            });
            let invalidates = scope.spawn(|| {
                start.wait();
                // Somewhat later in each round, so that some fall into the midst of it.
                (0..round % 50).for_each(|_| std::hint::spin_loop());
                let generations = invalidating.generations().ok_or_else(lacks)?;
                wait(generations.invalidate(&space, &[tag(1)]))?;
                Ok(wait(invalidating.get(&name))?.is_some())
            });
            (joined(settles), joined(invalidates))
        });
        let (settled, seen) = (settled?, seen?);
        // Where the name and the tag lie in several shards, it may be stored after it was looked for, and is not valid then.
        let is_late = stamps.shards.len() > 1 && settled == Settled::Stored && !seen;
        ensure!(
            is_late || seen == (settled == Settled::Stored),
            "a value was {settled:?}, and found after an invalidation at the same time: {seen}"
        );
    }
    Ok(())
}

pub(crate) fn of_many_values_each_is_settled_as_if_alone(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let names = ["first", "old", "unheld", "last"].map(|text| bench.name(text));
    let tags = [[tag(1)], [tag(2)]];
    let before = wait(generations.begin(&space, &[tag(1), tag(2)], None))?;
    wait(generations.invalidate(&space, &tags[1]))?;
    let mut all: Vec<_> = names
        .iter()
        .map(|name| computed(name, &space, &before.shards, &tags[0]))
        .collect();
    all[1].tags = &tags[1];
    let mut expected = vec![Settled::Stored; 4];
    expected[1] = Settled::Overtaken;
    if let Some(leases) = bench.store.leases() {
        wait(leases.lease(&names[0], 5, LONG))?;
        (all[0].token, all[2].token) = (Some(5), Some(6));
        expected[2] = Settled::Lost;
    }
    let settled = wait(generations.settle_many(&all))?;
    ensure!(
        settled == expected,
        "of many values they were {settled:?}, and not {expected:?}"
    );
    for (name, settled) in names.iter().zip(settled) {
        ensure!(
            bench.has(name)? == (settled == Settled::Stored),
            "of many values one was {settled:?}, which its name does not show"
        );
    }
    Ok(())
}

pub(crate) fn of_many_entries_each_comes_as_if_alone(bench: &Bench<'_>) -> Kept {
    let generations = generations(bench)?;
    let space = bench.space();
    let [first, absent, last] = ["first", "absent", "last"].map(|text| bench.name(text));
    let tags = [tag(1), tag(2)];
    wait(generations.begin(&space, &tags[..1], None))?;
    bench.put(&first, "one", Some(LONG))?;
    bench.put(&last, "two", None)?;
    let names = [&last, &absent, &first, &last].map(String::as_str);
    let (found, reading) = wait(generations.get_many_with(&names, &space, &tags))?;
    ensure!(
        found.len() == names.len(),
        "of {} names {} came back",
        names.len(),
        found.len()
    );
    for (name, found) in names.into_iter().zip(found) {
        let alone = wait(generations.get_with(name, &space, &tags))?.0;
        let is_same = match (&found, &alone) {
            (Some(found), Some(alone)) => {
                (&found.bytes, found.version) == (&alone.bytes, alone.version)
                    && found.remaining.is_some() == alone.remaining.is_some()
            }
            (found, alone) => found.is_none() && alone.is_none(),
        };
        ensure!(
            is_same,
            "among many {name} is {found:?}, and alone it is {alone:?}"
        );
    }
    let read = wait(generations.read(&space, &tags))?;
    let (none, with_none) = wait(generations.get_many_with(&[], &space, &tags))?;
    for reading in [reading, with_none] {
        ensure!(
            has_all_of(&reading, &read),
            "many entries come with {reading:?}, and {read:?} is what is read"
        );
    }
    ensure!(none.is_empty(), "of no names {} came back", none.len());
    Ok(())
}

pub(crate) fn many_entries_come_with_what_was_acknowledged(bench: &Bench<'_>) -> Kept {
    let [reading, writing] = bench.pair();
    let [space, name, other] = [bench.space(), bench.name("name"), bench.name("other")];
    let lacks = || Broken::new("a handle offers no generations");
    let marked = reading.generations().ok_or_else(lacks)?;
    let marking = writing.generations().ok_or_else(lacks)?;
    let tags = [tag(1)];
    let (acknowledged, reads) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let written = (0..200).try_for_each(|round| {
                let told = wait(marking.invalidate(&space, &tags))?;
                let number = told.markers[0].map_or(0, |marker| marker.number);
                acknowledged.store(number, Ordering::Release);
                wait(writing.set(&name, number.to_string().into(), None))?;
                // Most of them race; after some it stands still for a whole read.
                let seen = reads.load(Ordering::Relaxed).saturating_add(2);
                while round % 8 == 0 && reads.load(Ordering::Relaxed) < seen {
                    thread::yield_now();
                }
                Ok::<_, Broken>(())
            });
            acknowledged.store(u64::MAX, Ordering::Release);
            written
        });
        let mut kept = Ok(());
        while kept.is_ok() {
            let before = acknowledged.load(Ordering::Acquire);
            if before == u64::MAX {
                break;
            }
            kept = none_is_missing(marked, [&other, &name], (&space, &tags), before);
            reads.fetch_add(1, Ordering::Relaxed);
        }
        reads.store(u64::MAX, Ordering::Relaxed);
        joined(writer).and(kept)
    })
}

/// Finds the marker at no smaller number than was acknowledged before.
fn none_is_missing(
    generations: &dyn Generations,
    names: [&str; 2],
    (space, tags): (&str, &[Tag]),
    before: u64,
) -> Kept {
    let (_, reading) = wait(generations.get_many_with(&names, space, tags))?;
    let marker = reading.markers[0].map_or(0, |marker| marker.number);
    ensure!(
        before <= marker,
        "entries came with a marker at {marker}, and {before} had been acknowledged"
    );
    Ok(())
}
