//! How a tier is: what was seen of it, and what that means for calls.

use std::time::Duration;

use crate::breaker;
use crate::store::Failure;

/// How closely stores are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Whether they answer.
    Ping,
    /// What they say of themselves, too.
    Basic,
    /// How they are set up, too.
    Full,
}

impl Depth {
    /// All of them, each more than those before.
    pub const ALL: [Self; 3] = [Self::Ping, Self::Basic, Self::Full];

    /// The name users say.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Basic => "basic",
            Self::Full => "full",
        }
    }
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, but not as it should.
    Degraded,
    /// It does nothing.
    Down,
}

impl State {
    /// The name users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// Something that a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A number.
    Count(u64),
    /// A text.
    Text(String),
}

impl From<u64> for Fact {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What it is about, as a dashboard may know it: `eviction`.
    pub about: &'static str,
    /// What is so, and what follows from it.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether something does not work for it; else it is a matter of settings.
    pub is_trouble: bool,
}

impl Remark {
    /// A setting that is not as it is recommended.
    pub fn setting(
        about: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            about,
            message: message.into(),
            hint: hint.into(),
            is_trouble: false,
        }
    }

    /// Something that does not work.
    pub fn trouble(
        about: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            is_trouble: true,
            ..Self::setting(about, message, hint)
        }
    }
}

/// What a store says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is so, by name.
    pub facts: Vec<(&'static str, Fact)>,
    /// What is not as it should be.
    pub remarks: Vec<Remark>,
}

/// What was seen of a tier.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// How long it took to answer, or why it did not.
    pub answered: Result<Duration, &'a Failure>,
    /// From when on that is slow.
    pub slow_from: Duration,
    /// What its breaker does with calls, if it has one.
    pub breaker: Option<breaker::State>,
    /// What it said of itself.
    pub remarks: &'a [Remark],
}

/// What it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How the tier is.
    pub state: State,
    /// What that means for calls.
    pub means: String,
    /// What to do, where something is to be done.
    pub hint: Option<String>,
}

/// What was seen of a tier means this: the worst of it counts, and settings do not.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::health::{Seen, State, judge};
///
/// let seen = Seen {
///     answered: Ok(Duration::from_millis(30)),
///     slow_from: Duration::from_millis(25),
///     breaker: None,
///     remarks: &[],
/// };
/// assert_eq!(judge(&seen).state, State::Degraded);
/// ```
#[must_use]
pub fn judge(seen: &Seen<'_>) -> Verdict {
    let took = match seen.answered {
        Ok(took) => took,
        Err(failure) => {
            return Verdict {
                state: State::Down,
                means: format!(
                    "{}; it is left out, and calls compute what no other tier has",
                    failure.message()
                ),
                hint: Some(failure.hint().to_owned()),
            };
        }
    };
    let degraded = |means: String, hint: String| Verdict {
        state: State::Degraded,
        means,
        hint: Some(hint),
    };
    if let Some(trouble) = seen.remarks.iter().find(|remark| remark.is_trouble) {
        return degraded(trouble.message.clone(), trouble.hint.clone());
    }
    match seen.breaker {
        Some(breaker::State::Open | breaker::State::HalfOpen) => degraded(
            "it answers, but failed or was slow too often lately, so that it is left alone for some seconds"
                .to_owned(),
            "wait for it to be tried again; if that recurs, see whether it is overloaded".to_owned(),
        ),
        _ if took >= seen.slow_from => degraded(
            format!("it took {} ms to answer, which slows calls down", took.as_millis()),
            "look at the server's load and at the network".to_owned(),
        ),
        _ => Verdict {
            state: State::Ok,
            means: "it answers".to_owned(),
            hint: None,
        },
    }
}

/// What a store in files needs of its place, as the system tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that its files take.
    pub used: u64,
    /// Bytes that they may take.
    pub most: u64,
    /// Bytes that the file system has left for this user.
    pub free: u64,
    /// The least that it has to have left for a write.
    pub least: u64,
    /// Permissions of the directory.
    pub mode: u32,
}

impl Room {
    /// What is not as it should be; with settings, if `is_full`.
    #[must_use]
    pub fn remarks(&self, is_full: bool) -> Vec<Remark> {
        let growth = self.most.saturating_sub(self.used);
        let space = if self.free < self.least {
            Some(Remark::trouble(
                "space",
                format!(
                    "its file system has {} bytes left, too few for what is to be written",
                    self.free
                ),
                "make room on it, or name a directory elsewhere",
            ))
        } else if is_full && self.free < growth {
            Some(Remark::setting(
                "space",
                format!(
                    "its file system has {} bytes left, and it may grow by {growth}",
                    self.free
                ),
                "lower max_bytes, or make room on the file system",
            ))
        } else {
            None
        };
        let is_open = is_full && self.mode & 0o077 != 0;
        let mode = is_open.then(|| {
            Remark::setting(
                "mode",
                format!(
                    "others may look into its directory, whose mode is {:03o}",
                    self.mode
                ),
                "take the permission from them: `chmod 700` the directory",
            )
        });
        space.into_iter().chain(mode).collect()
    }

    /// What is so.
    #[must_use]
    pub fn facts(&self) -> [(&'static str, Fact); 4] {
        [
            ("used_bytes", self.used.into()),
            ("max_bytes", self.most.into()),
            ("free_bytes", self.free.into()),
            ("mode", format!("{:03o}", self.mode).into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FailureKind;

    const QUICK: Duration = Duration::from_millis(1);

    fn seen<'a>(remarks: &'a [Remark]) -> Seen<'a> {
        Seen {
            answered: Ok(QUICK),
            slow_from: Duration::from_millis(25),
            breaker: Some(breaker::State::Closed),
            remarks,
        }
    }

    #[test]
    fn the_worst_counts_and_settings_do_not() {
        let settings = [Remark::setting("eviction", "a", "b")];
        assert_eq!(judge(&seen(&settings)).state, State::Ok);
        assert_eq!(judge(&seen(&settings)).hint, None);

        let both = [
            settings[0].clone(),
            Remark::trouble("space", "it is full", "make room"),
        ];
        let verdict = judge(&seen(&both));
        assert_eq!(verdict.state, State::Degraded);
        assert_eq!(verdict.means, "it is full");
        assert_eq!(verdict.hint.as_deref(), Some("make room"));

        let failure = Failure::new(FailureKind::Timeout, "no answer", "look");
        let down = judge(&Seen {
            answered: Err(&failure),
            ..seen(&both)
        });
        assert_eq!(down.state, State::Down);
        assert!(down.means.starts_with("no answer;"));
        assert_eq!(down.hint.as_deref(), Some("look"));
    }

    #[test]
    fn what_is_left_alone_or_slow_is_degraded() {
        for breaker in [breaker::State::Open, breaker::State::HalfOpen] {
            let open = Seen {
                breaker: Some(breaker),
                ..seen(&[])
            };
            assert_eq!(judge(&open).state, State::Degraded);
        }
        let slow = Seen {
            answered: Ok(Duration::from_millis(25)),
            ..seen(&[])
        };
        assert_eq!(judge(&slow).state, State::Degraded);
        assert_eq!(judge(&seen(&[])).state, State::Ok);
    }

    #[test]
    fn a_place_needs_room_and_is_private() {
        let room = Room {
            used: 40,
            most: 100,
            free: 60,
            least: 10,
            mode: 0o700,
        };
        let about = |room: Room, is_full| {
            let remarks = room.remarks(is_full);
            let told = remarks
                .iter()
                .map(|remark| (remark.about, remark.is_trouble));
            told.collect::<Vec<_>>()
        };
        assert_eq!(about(room, true), []);
        assert_eq!(about(Room { free: 59, ..room }, true), [("space", false)]);
        assert_eq!(about(Room { free: 59, ..room }, false), []);
        assert_eq!(about(Room { free: 9, ..room }, false), [("space", true)]);
        assert_eq!(
            about(
                Room {
                    mode: 0o750,
                    ..room
                },
                true
            ),
            [("mode", false)]
        );
        assert_eq!(
            about(
                Room {
                    mode: 0o750,
                    ..room
                },
                false
            ),
            []
        );
    }

    #[test]
    fn depths_and_states_grow() {
        assert!(Depth::ALL.is_sorted());
        assert_eq!(Depth::ALL.map(Depth::name), ["ping", "basic", "full"]);
        assert!(State::Ok < State::Degraded && State::Degraded < State::Down);
    }
}
