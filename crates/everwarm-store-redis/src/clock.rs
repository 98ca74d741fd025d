//! The server's clock, as a connection knows it: it counts on from the server's last answer to `TIME`, for a while.
//!
//! Entries say when they end by the server's clock, so a read has to know what that shows; to ask with each read would make two commands
//! of one. What is counted begins where the question was sent: so it is never behind the server's clock, and ahead of it by what the answer
//! took at most. What is left of an entry may be said to be less by that, and never to be more. A connection leads to one server for as
//! long as it lasts, so that nothing is counted on from what another one said.

use std::time::Duration;

use everwarm_core::store::Failure;
use parking_lot::Mutex;

use crate::entry::micros;
use crate::error::{answered, unexpected};
use crate::packed::Packed;
use crate::value::Value;

/// How long an answer is counted on from: for so long it may go unnoticed that a server's clock was set.
const COUNTS_FOR: Duration = Duration::from_secs(1);
/// From when on the next who reads asks again, while the others count on.
const RENEWED_AFTER: Duration = Duration::from_millis(500);
/// How long an answer may have taken that is counted on from.
pub(crate) const QUICK: Duration = Duration::from_millis(10);
/// Of what was counted, the part by which the server's clock may be faster: that of a clock that is being slewed, twice.
const FASTER: u32 = 1000;

/// The clock of the server that a connection leads to.
#[derive(Default)]
pub(crate) struct Clock(Mutex<Option<Told>>);

/// What a server said of its clock.
#[derive(Clone, Copy)]
struct Told {
    micros: u64,
    /// When it was asked.
    asked: Duration,
    /// Whether somebody asks again.
    is_renewed: bool,
}

/// Since when the time is asked for, if it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asking(Option<Duration>);

impl Clock {
    /// Asks for the time behind what is read, if it is not known.
    pub(crate) fn ask(&self, packed: &mut Packed) -> Asking {
        let now = running();
        let is_asked = self.is_asked(now);
        if is_asked {
            packed.word("TIME");
        }
        Asking(is_asked.then_some(now))
    }

    /// What the server's clock shows by now, in milliseconds. If it was asked for, its answer is the last of the replies, and is taken out.
    ///
    /// # Errors
    /// What the server answered in its stead.
    pub(crate) fn moment(
        &self,
        Asking(asking): Asking,
        replies: &mut Vec<Value>,
    ) -> Result<u64, Failure> {
        let Some(asked) = asking else {
            let moment = self.moment_at(running());
            return moment.ok_or_else(|| unexpected("a look at the time"));
        };
        let micros = match replies.pop() {
            Some(Value::ServerError(error)) => return Err(answered(&error)),
            answer => micros(&answer.unwrap_or(Value::Nil))?,
        };
        self.told(micros, asked, running());
        Ok(micros / 1000)
    }

    fn is_asked(&self, now: Duration) -> bool {
        let mut told = self.0.lock();
        let Some(told) = &mut *told else {
            return true;
        };
        let age = now.saturating_sub(told.asked);
        let is_asked = age >= COUNTS_FOR || (age >= RENEWED_AFTER && !told.is_renewed);
        told.is_renewed |= is_asked;
        is_asked
    }

    fn told(&self, micros: u64, asked: Duration, now: Duration) {
        let mut told = self.0.lock();
        if now.saturating_sub(asked) <= QUICK {
            *told = Some(Told {
                micros,
                asked,
                is_renewed: false,
            });
        } else if let Some(told) = &mut *told {
            // The next is to try it.
            told.is_renewed = false;
        }
    }

    fn moment_at(&self, now: Duration) -> Option<u64> {
        let Told { micros, asked, .. } = (*self.0.lock())?;
        let gone = now.saturating_sub(asked);
        let gone = gone + gone / FASTER;
        Some(micros.saturating_add(gone.as_micros() as u64) / 1000)
    }
}

/// A clock that runs while the machine sleeps, too.
#[cfg(target_os = "linux")]
fn running() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    Duration::new(part(time.tv_sec), part(time.tv_nsec) as u32)
}

/// As far as there is none that runs while the machine sleeps, one that does not.
#[cfg(not(target_os = "linux"))]
fn running() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROS: u64 = 1_700_000_000_250_999;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(60_000 + millis)
    }

    fn told() -> Clock {
        let clock = Clock::default();
        assert!(clock.is_asked(at(0)), "nobody said anything");
        clock.told(MICROS, at(0), at(2));
        clock
    }

    #[test]
    fn an_answer_is_counted_on_from_when_it_was_asked_for() {
        let clock = told();
        assert!(!clock.is_asked(at(2)));
        let moments = [0, 2, 400].map(|now| clock.moment_at(at(now)));
        assert_eq!(
            moments,
            [
                Some(1_700_000_000_250),
                Some(1_700_000_000_253),
                Some(1_700_000_000_651)
            ]
        );
    }

    #[test]
    fn one_asks_again_in_time_and_everybody_once_it_is_late() {
        let clock = told();
        assert!(!clock.is_asked(at(499)));
        assert!(clock.is_asked(at(500)), "the first");
        assert!(!clock.is_asked(at(501)), "others count on");
        assert!(!clock.is_asked(at(999)));
        for late in [1000, 1001, 5000] {
            assert!(clock.is_asked(at(late)));
        }
        clock.told(MICROS, at(5000), at(5001));
        assert!(!clock.is_asked(at(5002)));
    }

    #[test]
    fn an_answer_that_took_long_is_not_counted_on_from() {
        let clock = Clock::default();
        clock.told(MICROS, at(0), at(11));
        assert!(clock.is_asked(at(12)));
        let clock = told();
        assert!(clock.is_asked(at(500)));
        clock.told(MICROS, at(500), at(520));
        assert!(clock.is_asked(at(521)), "the next tries");
        assert_eq!(clock.moment_at(at(400)), Some(1_700_000_000_651));
    }

    #[test]
    fn what_was_asked_for_is_taken_out_of_the_replies() {
        let clock = Clock::default();
        let mut packed = Packed::default();
        let asking = clock.ask(&mut packed);
        assert_eq!(
            (&packed.bytes[..], packed.count),
            (&b"*1\r\n$4\r\nTIME\r\n"[..], 1)
        );
        let time = Value::Array(vec![Value::bulk("1700000000"), Value::bulk("250999")]);
        let mut replies = vec![Value::Nil, time];
        let moment = clock.moment(asking, &mut replies);
        assert_eq!(moment, Ok(1_700_000_000_250));
        assert_eq!(replies, [Value::Nil]);
        assert!(clock.moment(asking, &mut vec![Value::Okay]).is_err());
    }
}
