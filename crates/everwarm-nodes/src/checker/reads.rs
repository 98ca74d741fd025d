//! What reads may return: I1, I7 and I8; and that they return.

use std::time::Duration;

use everwarm_core::clock::Instant;

use super::Wrong;
use super::story::{Call, Making, Moment, Story, Undoing};
use crate::history::{From, Incident, Value};
use crate::node::WAIT;

/// How long others may serve what was invalidated while messages flow.
const FLOWING: Duration = Duration::from_millis(500);
/// How long they may after a silent break: two seconds, and until the next look; one that waits for the store ends then.
const BROKEN: Duration = Duration::from_millis(2_000 + 150);
/// How long after a failover others may serve what it lost, beside: until whoever issued it has met the new server and repeated it. By
/// that one it is never served.
const REPEATED: Duration = Duration::from_millis(1_500);
/// As long, where the store is hard to reach.
const REPEATED_LATE: Duration = Duration::from_secs(6);
/// How much later than its computation's end a value may come to the store, where its ttl begins.
const WRITTEN: Duration = Duration::from_millis(1_500);
/// How long a call may take beside its waits.
const HANGS: Duration = Duration::from_secs(8);

pub(super) fn check(story: &Story<'_>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for call in story.calls.values() {
        let Some((returned, value, from)) = call.returned else {
            wrong.extend(hangs(story, call));
            continue;
        };
        let Some(making) = story.makings.get(&value.computation) else {
            wrong.push(said(returned, "I1", "a value that nothing made".to_owned()));
            continue;
        };
        wrong.extend(mixed(call, returned, value));
        wrong.extend(old(story, call, (returned, from), making));
        wrong.extend(undone(story, call, (returned, from), making));
    }
    wrong
}

fn said(at: Moment, invariant: &'static str, said: String) -> Wrong {
    let at = at.at;
    Wrong {
        at,
        invariant,
        said,
    }
}

fn hangs(story: &Story<'_>, call: &Call) -> Option<Wrong> {
    let lives = !story.ends.contains_key(&call.life);
    let waited = story.end.since(call.began.at);
    (lives && waited > WAIT + HANGS).then(|| {
        let what = format!("a call for key {} does not return", call.key);
        said(call.began, "I14", what)
    })
}

fn mixed(call: &Call, returned: Moment, value: Value) -> Option<Wrong> {
    (value.key != call.key).then(|| {
        let what = format!("key {} was given the value of key {}", call.key, value.key);
        said(returned, "I1", what)
    })
}

fn old(
    story: &Story<'_>,
    call: &Call,
    (returned, from): (Moment, From),
    making: &Making,
) -> Option<Wrong> {
    let stored = matches!(from, From::Memory | From::Tier(_));
    let made = making.ended?.at;
    let age = call.began.at.since(made);
    (stored && age > story.weather.ttl + WRITTEN).then(|| {
        let what = format!(
            "key {} from {from:?} of node {}: value {} is {age:?} old, and its ttl {:?}",
            call.key, call.life.node, making.number, story.weather.ttl
        );
        said(returned, "I7", what)
    })
}

/// A value that was made before something that had to be seen.
fn undone(
    story: &Story<'_>,
    call: &Call,
    (returned, from): (Moment, From),
    making: &Making,
) -> Option<Wrong> {
    let mut undoings = story.undoings.values();
    let undoing = undoings.find(|undoing| {
        undoing.target.meets(call.key)
            && is_before(making, undoing)
            && has_to_see(story, call, undoing)
    })?;
    let own = undoing.life == call.life;
    let what = format!(
        "key {} from {from:?} of node {}: value {} was made before {:?} of {:.4}, which {}",
        call.key,
        call.life.node,
        making.number,
        undoing.target,
        undoing.began.at.as_nanos() as f64 / 1e9,
        if own {
            "had returned there"
        } else {
            "had to be known there"
        },
    );
    Some(said(returned, "I8", what))
}

/// Whether a value was made before: a computation reads its source at its beginning, a set counts from some moment until its end.
fn is_before(making: &Making, undoing: &Undoing) -> bool {
    let latest = match making.computed {
        Some(_) => Some(making.began),
        None => making.ended,
    };
    latest.is_some_and(|latest| latest < undoing.began)
}

/// Whether a call has to see what was undone.
fn has_to_see(story: &Story<'_>, call: &Call, undoing: &Undoing) -> bool {
    let Some((returned, done)) = undoing.returned else {
        return false;
    };
    let bound = if story.weather.is_calm() {
        FLOWING
    } else {
        BROKEN
    };
    if undoing.life == call.life {
        return returned < call.began;
    }
    if let Some(failover) = lost_at(story, undoing) {
        let repeated = repeated(story, failover);
        let dies = story.ends.get(&undoing.life);
        let is_repeated = dies.is_none_or(|end| end.at > repeated);
        return done && is_repeated && call.began.at > repeated.after(bound);
    }
    done && call.began.at > returned.at.after(bound)
}

/// When everybody who lives has repeated what a failover lost.
fn repeated(story: &Story<'_>, failover: Instant) -> Instant {
    let around = (failover, failover.after(REPEATED));
    let unreachable = |incident| {
        matches!(
            incident,
            Incident::LinkCut(_) | Incident::Isolated(_) | Incident::Slow
        )
    };
    let is_late = story.weather.failing > 0 || story.was_disturbed(around, unreachable);
    failover.after(if is_late { REPEATED_LATE } else { REPEATED })
}

/// When a failover was that may have lost it.
fn lost_at(story: &Story<'_>, undoing: &Undoing) -> Option<Instant> {
    // What the store did not take at once it took later, which may have been lost, too.
    let (returned, done) = undoing.returned?;
    let failovers = story.disturbed.iter().filter_map(|(at, _, incident)| {
        let Incident::Failover(since) = incident else {
            return None;
        };
        (undoing.began.at <= at.at && (!done || returned.at >= *since)).then_some(at.at)
    });
    failovers.max()
}
