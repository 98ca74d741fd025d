//! The protocol of generations, leases and messages, step by step: all interleavings of two processes over one far tier, each with
//! a nearer tier and memory of its own, are gone through. After an invalidation or deletion returned in a process, and in the
//! other after it took in the message, nothing older may be served from any tier. A unit of
//! work suspends the tag before it commits; its process may end before it has told anybody, and then the same holds once the time
//! of the suspension is up. Planted faults show that the search would see it.

use std::collections::HashSet;
use std::hash::BuildHasher;

use crate::interleaved::Kind::{Delete, Invalidate, Unit};
use crate::interleaved::{Cast, Fault, Step, World};

/// Goes through all worlds; how many there are, or the way to a wrong one. Of a world that was seen only a hash is kept: of millions
/// hardly two have the same.
fn explore(cast: &Cast, fault: Fault) -> Result<usize, String> {
    let loads = (0..cast.loads.len()).map(Step::Load);
    let undoings = (0..cast.undoings.len()).map(Step::Undo);
    let questions = (0..cast.questions.len()).map(Step::Ask);
    let processes = (0..2).flat_map(|process| [Step::Hear(process), Step::LoseInbox(process)]);
    let losses = [Step::LoseMarker, Step::LoseShard, Step::Over];
    let crashes = (0..cast.undoings.len()).map(Step::Crash);
    let actors = loads.chain(undoings).chain(questions);
    let steps: Vec<Step> = actors
        .chain(processes)
        .chain(losses)
        .chain(crashes)
        .collect();
    let hasher = foldhash::quality::FixedState::default();
    let mut seen = HashSet::with_hasher(hasher.clone());
    // The way to here: each world with the number of the step that is tried next.
    let mut way = vec![(World::new(cast), 0)];
    while let Some((world, next)) = way.last_mut() {
        let Some(step) = steps.get(*next) else {
            way.pop();
            continue;
        };
        *next += 1;
        let Some(world) = world.after(*step, cast, fault) else {
            continue;
        };
        if !seen.insert(hasher.hash_one(&world)) {
            continue;
        }
        if let Some(wrong) = world.wrong() {
            let taken = way
                .iter()
                .map(|(_, next)| format!("{:?}\n", steps[next - 1]));
            return Err(format!("{}=> {wrong}", taken.collect::<String>()));
        }
        way.push((world, 0));
    }
    Ok(seen.len())
}

/// The casts that are gone through: small enough for all their interleavings, and each fault needs one of them.
const CASTS: [Cast; 11] = [
    Cast {
        loads: &[0, 1],
        undoings: &[(0, Delete)],
        questions: &[],
        losses: [0, 0, 0],
        crashes: 0,
    },
    Cast {
        loads: &[0, 1],
        undoings: &[(0, Invalidate)],
        questions: &[],
        losses: [1, 0, 0],
        crashes: 0,
    },
    Cast {
        loads: &[1],
        undoings: &[(0, Invalidate)],
        questions: &[1],
        losses: [1, 1, 0],
        crashes: 0,
    },
    Cast {
        loads: &[0],
        undoings: &[(0, Invalidate), (1, Invalidate)],
        questions: &[0],
        losses: [0, 0, 0],
        crashes: 0,
    },
    Cast {
        loads: &[1],
        undoings: &[(0, Delete), (1, Invalidate)],
        questions: &[],
        losses: [0, 0, 1],
        crashes: 0,
    },
    Cast {
        loads: &[0, 0],
        undoings: &[(1, Delete)],
        questions: &[],
        losses: [0, 0, 1],
        crashes: 0,
    },
    Cast {
        loads: &[0, 1],
        undoings: &[(0, Invalidate)],
        questions: &[1],
        losses: [0, 1, 0],
        crashes: 0,
    },
    Cast {
        loads: &[0, 1],
        undoings: &[(0, Unit)],
        questions: &[],
        losses: [0, 0, 0],
        crashes: 0,
    },
    Cast {
        loads: &[1],
        undoings: &[(0, Unit)],
        questions: &[1],
        losses: [0, 0, 0],
        crashes: 1,
    },
    Cast {
        loads: &[1],
        undoings: &[(0, Unit), (1, Invalidate)],
        questions: &[],
        losses: [0, 0, 0],
        crashes: 1,
    },
    Cast {
        loads: &[1],
        undoings: &[(0, Unit), (1, Unit)],
        questions: &[],
        losses: [0, 0, 0],
        crashes: 0,
    },
];

fn finds(fault: Fault) {
    let of_units = |cast: &&Cast| cast.undoings.iter().any(|(_, kind)| *kind == Unit);
    let mut casts = CASTS
        .iter()
        .filter(|cast| of_units(cast) == fault.is_of_units());
    let found = casts.any(|cast| explore(cast, fault).is_err());
    assert!(found, "{fault:?} was not found");
}

#[test]
fn no_interleaving_serves_what_had_to_be_gone() {
    for cast in &CASTS {
        match explore(cast, Fault::None) {
            Ok(worlds) => assert!(worlds > 1_000, "{cast:?}: {worlds}"),
            Err(way) => panic!("{cast:?}\n{way}"),
        }
    }
}

#[test]
fn a_reply_from_before_the_first_epoch_is_found() {
    finds(Fault::FirstEpochKept);
}

#[test]
fn a_marker_rewritten_with_the_stamp_is_found() {
    finds(Fault::MarkerFromStamp);
}

#[test]
fn a_marker_without_the_larger_number_winning_is_found() {
    finds(Fault::SmallerNumber);
}

#[test]
fn a_promotion_across_a_message_is_found() {
    finds(Fault::PromotionAcrossMessage);
}

#[test]
fn an_own_table_marked_before_the_store_is_found() {
    finds(Fault::OwnTableFirst);
}

#[test]
fn a_near_tier_before_the_far_one_is_found() {
    finds(Fault::NearFirst);
}

#[test]
fn a_late_set_after_a_deletion_is_found() {
    finds(Fault::LateSet);
}

#[test]
fn a_value_stored_under_a_suspended_tag_is_found() {
    finds(Fault::SettleIgnoresSuspension);
}

#[test]
fn a_tag_resumed_without_an_invalidation_is_found() {
    finds(Fault::QuietResume);
}

#[test]
fn a_suspension_that_a_process_does_not_take_in_is_found() {
    finds(Fault::NearForgetsSuspension);
}
