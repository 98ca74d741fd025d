//! What computations there may be, and what becomes of their values: I4, I5 and I6.

use std::time::Duration;

use everwarm_core::clock::Instant;

use super::Wrong;
use super::story::{Making, Moment, Story};
use crate::history::{Incident, Right};
use crate::node::LEASE;

/// How long after its holder's death a lease may stay untaken.
const TAKEN_OVER: Duration = Duration::from_secs(1);

pub(super) fn check(story: &Story<'_>) -> Vec<Wrong> {
    let mut computations: Vec<(&Making, Right, u64)> = story
        .makings
        .values()
        .filter_map(|making| {
            let (right, call) = making.computed?;
            Some((making, right, call))
        })
        .collect();
    computations.sort_by_key(|(making, ..)| making.began);
    let mut wrong = Vec::new();
    for (at, first) in computations.iter().enumerate() {
        let over = story.over(first.0);
        let overlapping = computations[at + 1..]
            .iter()
            .take_while(|(second, ..)| second.began < over);
        for second in overlapping.filter(|(second, ..)| second.key == first.0.key) {
            wrong.extend(two(story, first, second));
        }
    }
    wrong.extend(
        story
            .settled
            .iter()
            .filter_map(|settled| late(story, *settled)),
    );
    wrong.extend(story.ends.iter().flat_map(|(life, end)| {
        let held = computations.iter().filter(|(making, right, _)| {
            making.life == *life && *right == Right::Leased && story.over(making) == *end
        });
        held.filter_map(|(making, ..)| orphaned(story, making, *end))
    }));
    wrong
}

type Computed<'a> = (&'a Making, Right, u64);

/// Two computations of a key at once.
fn two(story: &Story<'_>, first: &Computed<'_>, second: &Computed<'_>) -> Option<Wrong> {
    let (one, other) = (first.0, second.0);
    // Which of the two had the seat first does not show in which computes first.
    let asked = |computed: &Computed<'_>| {
        let call = story.calls.get(&computed.2);
        call.map_or(computed.0.began, |call| call.began)
    };
    let since = asked(first).min(asked(second));
    let said = |invariant| Wrong {
        at: other.began.at,
        invariant,
        said: format!(
            "key {} is computed as {} by node {} and as {} by node {}",
            one.key, one.number, one.life.node, other.number, other.life.node
        ),
    };
    if one.life == other.life {
        let between = |at: Moment| since < at && at < other.began;
        let mut struck = story.struck.iter();
        let was_struck = struck
            .any(|(life, at, target)| *life == one.life && between(*at) && target.meets(one.key));
        return (!was_struck).then(|| said("I4"));
    }
    let leased = first.1 == Right::Leased && second.1 == Right::Leased;
    (leased && !may_have_ended(story, one, (since, other.began))).then(|| said("I5"))
}

/// Whether the lease of a computation may have ended before it.
fn may_have_ended(story: &Story<'_>, making: &Making, (from, to): (Moment, Moment)) -> bool {
    let written = story.undoings.values().any(|undoing| {
        // What the store did not take is repeated at any time.
        let returned = undoing.returned.filter(|(_, done)| *done);
        let is_over = returned.is_some_and(|(at, _)| at < from);
        // An invalidation overtakes what it meets, and a lease that is overtaken is given back.
        undoing.target.meets(making.key) && undoing.began < to && !is_over
    });
    // So does a change in place; one of which it is not known whether it was done may be done later.
    let changed = story.makings.values().any(|change| {
        let is_over = change.ended.is_some_and(|at| at < from);
        change.computed.is_none() && change.key == making.key && change.began < to && !is_over
    });
    // A number that is not the server's is followed by one that goes back, which passes for a failover: what is repeated then ends leases.
    let lost = |incident| {
        matches!(
            incident,
            Incident::Restart | Incident::Failover(_) | Incident::Forged { .. }
        )
    };
    let unreachable = |incident| match incident {
        Incident::LinkCut(node) | Incident::Isolated(node) => node == making.life.node,
        Incident::Slow => true,
        _ => false,
    };
    let before = from.at.before(Duration::from_secs(5));
    written
        || changed
        || story.was_disturbed((before, to.at), lost)
        || story.was_disturbed((from.at, to.at), unreachable)
}

/// A value that took the place of a newer one.
fn late(story: &Story<'_>, (at, number, before): (Moment, u64, Option<u64>)) -> Option<Wrong> {
    let making = story.makings.get(&number)?;
    let newer = story.makings.get(&before?)?;
    // A set by hand counts from some moment until its end, also where it came late.
    let latest = match story.undoings.contains_key(&number) {
        true => making.ended?,
        false => making.began,
    };
    (latest < newer.began).then(|| Wrong {
        at: at.at,
        invariant: "I6",
        said: format!(
            "of key {}, {number} took the place of {}, which began later",
            making.key, newer.number
        ),
    })
}

/// A key that nobody took over from a holder that died, though somebody waited.
fn orphaned(story: &Story<'_>, making: &Making, end: Moment) -> Option<Wrong> {
    let limit = end.at.after(LEASE + TAKEN_OVER);
    let lives_on = |life| story.ends.get(&life).is_none_or(|end| end.at > limit);
    let is_quiet = !story.was_disturbed((end.at.before(LEASE), limit), |incident| {
        !matches!(incident, Incident::Kill(_))
    });
    // Who computes the key itself, overtaken and without a lease by then, waits for nobody; nor do those who follow it.
    let computes = |life| {
        story.makings.values().any(|other| {
            other.key == making.key
                && other.life == life
                && other.began < end
                && end < story.over(other)
        })
    };
    let is_waiting = story.calls.values().any(|call| {
        call.key == making.key
            && call.began < end
            && lives_on(call.life)
            && !computes(call.life)
            && call.returned.is_none_or(|(at, ..)| at.at > limit)
    });
    let taken = story.makings.values().any(|other| {
        other.key == making.key
            && other.life != making.life
            && other.began > making.began
            && other.began.at <= limit
    });
    let is_told = story.weather.failing == 0 && limit < story.end && limit > Instant::ZERO;
    (is_quiet && is_waiting && !taken && is_told).then(|| Wrong {
        at: limit,
        invariant: "I5",
        said: format!(
            "nobody took over key {} from node {}",
            making.key, making.life.node
        ),
    })
}
