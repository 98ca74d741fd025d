//! The right to write, which one at a time has among all processes.
//!
//! A step takes microseconds, so whoever finds another one under way waits for a moment where it is. After that a thread that only waits
//! goes on so, and everybody else is given an answer that comes later: an event loop is not held up by a writer that was stopped.

use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Answer, Failure};

use super::error::{Step, busy};
use super::store::Sqlite;
use super::writing::{Writing, written};

/// How long a step blocks whoever asked for it, but for what it does itself.
const MOMENT: Duration = Duration::from_millis(1);
/// How long it blocks a thread that only waits, before that may look around.
const WHILE: Duration = Duration::from_millis(50);
const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// What is to be done in one step or several: what is known so far, a step that goes on from there, and what its outcome adds once it is
/// done, until that says something.
struct Errand<'a, S, W, D> {
    store: &'a Sqlite,
    state: S,
    step: W,
    done: D,
    waits_since: Option<Instant>,
}

impl Sqlite {
    /// Does `work` in one step.
    pub(crate) fn write<'a, T: Send + 'a>(
        &'a self,
        mut work: impl FnMut(&Writing<'_>) -> Step<T> + Send + 'a,
    ) -> Answer<'a, T> {
        self.write_in_steps((), move |(), writing| work(writing), |(), done| Some(done))
    }

    /// Does `step` time and again until `done` says something of it; others have their turns between them.
    pub(crate) fn write_in_steps<'a, S: Send + 'a, R, T: Send + 'a>(
        &'a self,
        state: S,
        step: impl FnMut(&S, &Writing<'_>) -> Step<R> + Send + 'a,
        done: impl FnMut(&mut S, R) -> Option<T> + Send + 'a,
    ) -> Answer<'a, T> {
        let mut errand = Errand {
            store: self,
            state,
            step,
            done,
            waits_since: None,
        };
        match errand.go_on() {
            Ok(Some(said)) => Answer::Now(Ok(said)),
            Err(failure) => Answer::Now(Err(failure)),
            Ok(None) => Answer::later(async move {
                loop {
                    everwarm_runtime::pause(LONGEST_PAUSE).await?;
                    if let Some(said) = errand.go_on()? {
                        return Ok(said);
                    }
                }
            }),
        }
    }
}

impl<S, W, D> Errand<'_, S, W, D> {
    /// Goes on for as long as the thread may be blocked; `None` if that was not long enough.
    fn go_on<R, T>(&mut self) -> Result<Option<T>, Failure>
    where
        W: FnMut(&S, &Writing<'_>) -> Step<R>,
        D: FnMut(&mut S, R) -> Option<T>,
    {
        let begun = Instant::now();
        let at_most = if everwarm_runtime::may_block() {
            WHILE
        } else {
            MOMENT
        };
        let mut pause = SHORTEST_PAUSE;
        loop {
            let (state, step) = (&self.state, &mut self.step);
            match written(self.store, &mut |writing| step(state, writing))? {
                Some(outcome) => {
                    self.waits_since = None;
                    if let Some(said) = (self.done)(&mut self.state, outcome) {
                        return Ok(Some(said));
                    }
                }
                None => {
                    let since = *self.waits_since.get_or_insert(begun);
                    if since.elapsed() >= self.store.first.config.busy_timeout {
                        return Err(busy());
                    }
                    thread::sleep(pause);
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
            }
            if begun.elapsed() >= at_most {
                return Ok(None);
            }
        }
    }
}
