//! Why a store did not do what it was asked.

use std::fmt;

/// What sort of failure it is, which says what may be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// It may work when it is tried again.
    Transient,
    /// It will not work, however often it is tried.
    Permanent,
    /// A time limit ended; whether it was done is not known.
    Timeout,
    /// The store refused who asked.
    Authentication,
    /// There is no room, or the value is too large.
    Capacity,
    /// The store cannot do this.
    Capability,
    /// What is stored is damaged.
    Corruption,
    /// The store was closed.
    Closed,
}

impl FailureKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Transient,
        Self::Permanent,
        Self::Timeout,
        Self::Authentication,
        Self::Capacity,
        Self::Capability,
        Self::Corruption,
        Self::Closed,
    ];

    /// The name users see, and counters carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Timeout => "timeout",
            Self::Authentication => "authentication",
            Self::Capacity => "capacity",
            Self::Capability => "capability",
            Self::Corruption => "corruption",
            Self::Closed => "closed",
        }
    }
}

/// A failure of a store: what happened to what, and what to do. No value and no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What sort of failure it is.
    pub kind: FailureKind,
    message: String,
    hint: String,
    is_unasked: bool,
}

impl Failure {
    /// A failure of `kind`: the message says what happened to what, the hint what to do.
    pub fn new(kind: FailureKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: hint.into(),
            is_unasked: false,
        }
    }

    /// The same, of what the store was not even asked: it is sure that nothing of it was done, nor will be. Where that is not said it
    /// is not known.
    #[must_use]
    pub fn unasked(self) -> Self {
        Self {
            is_unasked: true,
            ..self
        }
    }

    /// The same, of a whole of which other parts may have been done.
    #[must_use]
    pub fn in_part(self) -> Self {
        Self {
            is_unasked: false,
            ..self
        }
    }

    /// Whether the store was not even asked.
    #[must_use]
    pub const fn is_unasked(&self) -> bool {
        self.is_unasked
    }

    /// What happened, to what.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\nhint: {}", self.message, self.hint)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_it_was_asked_is_not_known_unless_it_is_said() {
        let failure = Failure::new(FailureKind::Transient, "what", "what to do");
        assert!(!failure.is_unasked());
        let unasked = failure.unasked();
        assert!(unasked.is_unasked() && !unasked.in_part().is_unasked());
    }
}
