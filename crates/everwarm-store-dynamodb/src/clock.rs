//! The time by which entries and leases end: this machine's, held to what the server's answers are dated.
//!
//! DynamoDB has no time that a condition could compare with, so that who asks says what time it is. An answer is dated to the second:
//! at some moment between the question and the answer the server's clock stood within that second. Where this machine's clock cannot
//! have stood there, what it says is moved, by as little as will do. So all who ask the same server differ by two seconds at most,
//! however wrong their own clocks are; where those are right nothing is moved.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// Milliseconds since 1970.
pub(crate) type Millis = i64;

/// This process's view of the time.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// What is added to this machine's clock.
    correction: AtomicI64,
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> Millis {
        machine() + self.correction.load(Ordering::Relaxed)
    }

    /// Hears the date of an answer to a question that was sent at `sent`, by the machine's clock.
    pub(crate) fn heard(&self, date: &str, sent: Millis) {
        if let Ok(date) = httpdate::parse_http_date(date) {
            self.held(millis(date), sent, machine());
        }
    }

    fn held(&self, date: Millis, sent: Millis, received: Millis) {
        // This machine's clock went back meanwhile, or the answer is no witness.
        if received < sent {
            return;
        }
        let (least, most) = (date - received, date + 1_000 - sent);
        let before = self.correction.load(Ordering::Relaxed);
        let after = before.clamp(least, most);
        if before != after {
            self.correction.store(after, Ordering::Relaxed);
        }
    }
}

/// What this machine's clock says.
pub(crate) fn machine() -> Millis {
    millis(SystemTime::now())
}

fn millis(time: SystemTime) -> Millis {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, span_millis)
}

/// A span in milliseconds, at least one.
pub(crate) fn span_millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis())
        .unwrap_or(Millis::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_may_be_right_is_left_alone() {
        let clock = Clock::default();
        for (sent, received) in [(5_000, 5_010), (5_980, 6_005), (4_990, 5_002)] {
            clock.held(5_000, sent, received);
            assert_eq!(clock.correction.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_moved_as_little_as_will_do() {
        let clock = Clock::default();
        clock.held(60_000, 5_000, 5_020);
        assert_eq!(clock.correction.load(Ordering::Relaxed), 54_980);
        // A later answer within the same second agrees, and moves nothing.
        clock.held(60_000, 5_100, 5_120);
        assert_eq!(clock.correction.load(Ordering::Relaxed), 54_980);
        // The machine's clock was set right.
        clock.held(61_000, 61_200, 61_210);
        assert_eq!(clock.correction.load(Ordering::Relaxed), 800);
    }

    #[test]
    fn an_answer_that_came_before_its_question_says_nothing() {
        let clock = Clock::default();
        clock.held(60_000, 5_000, 4_000);
        clock.heard("yesterday", 5_000);
        assert_eq!(clock.correction.load(Ordering::Relaxed), 0);
    }
}
