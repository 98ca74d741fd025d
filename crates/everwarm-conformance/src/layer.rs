//! What every layer promises. That nothing of a store is lost behind it, the store's suite shows: wrap a store that keeps
//! the contract, and run it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};

use crate::later::later;
use crate::promise::{Kept, ensure};
use crate::wait::{abandon, wait};

/// An answer passes as it is: at once if it was there, later if it comes later.
pub fn an_answer_passes_as_it_is<L: Layer>(layer: &L) -> Kept {
    for verb in Verb::ALL {
        let answer = wait(layer.around(verb, 10, || Answer::done("answer".to_owned())));
        ensure!(
            answer.as_deref() == Ok("answer"),
            "{verb:?} answered, and the layer made {answer:?} of it"
        );
        let answer = wait(layer.around(verb, 10, || later(Duration::from_millis(2), Ok(7))));
        ensure!(
            answer == Ok(7),
            "{verb:?} answered later, and the layer made {answer:?} of it"
        );
    }
    Ok(())
}

/// A failure that lasts comes through with its kind and its words.
pub fn a_lasting_failure_passes<L: Layer>(layer: &L) -> Kept {
    for kind in FailureKind::ALL {
        for verb in Verb::ALL {
            let failure = Failure::new(kind, "what happened", "what to do");
            let answer: Result<(), _> =
                wait(layer.around(verb, 10, || Answer::failed(failure.clone())));
            ensure!(
                answer == Err(failure.clone()),
                "{verb:?} failed as {}, and the layer made {answer:?} of it",
                kind.name()
            );
        }
    }
    Ok(())
}

/// What is not the same when it is done twice, is not done twice.
pub fn a_change_is_made_once<L: Layer>(layer: &L) -> Kept {
    for kind in FailureKind::ALL {
        let attempts = AtomicUsize::new(0);
        let answer: Result<(), _> = wait(layer.around(Verb::Change, 10, || {
            attempts.fetch_add(1, Ordering::SeqCst);
            Answer::failed(Failure::new(kind, "what happened", "what to do"))
        }));
        let attempts = attempts.load(Ordering::SeqCst);
        ensure!(
            answer.is_err(),
            "a change failed, and the layer says that it did not"
        );
        ensure!(
            attempts <= 1,
            "a change that failed as {} was made {attempts} times",
            kind.name()
        );
    }
    Ok(())
}

/// What has succeeded is not done again.
pub fn a_success_ends_the_attempts<L: Layer>(layer: &L) -> Kept {
    for verb in Verb::ALL {
        let attempts = AtomicUsize::new(0);
        wait(layer.around(verb, 10, || {
            attempts.fetch_add(1, Ordering::SeqCst);
            Answer::done(())
        }))?;
        let attempts = attempts.load(Ordering::SeqCst);
        ensure!(
            attempts == 1,
            "{verb:?} succeeded at once, and was tried {attempts} times"
        );
    }
    Ok(())
}

/// An operation that is abandoned stands in nobody's way.
pub fn an_abandoned_operation_leaves_no_trace<L: Layer>(layer: &L) -> Kept {
    for round in 0..100 {
        abandon(layer.around(Verb::Read, 10, || later(Duration::from_secs(3), Ok(-1))));
        drop(layer.around(Verb::Write, 10, || later(Duration::from_secs(3), Ok(-1))));
        let answer = wait(layer.around(Verb::Read, 10, || Answer::done(round)));
        ensure!(
            answer == Ok(round),
            "after an abandoned operation the next one got {answer:?}"
        );
    }
    Ok(())
}
