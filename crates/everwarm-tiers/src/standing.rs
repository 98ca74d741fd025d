//! Whose a computed value is, once stores were asked to take it.

use everwarm_engine::stack::Written;

/// Whose a computed value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everybody's: memory may keep it.
    Kept,
    /// Theirs who wait for it: memory does not keep it.
    Shared,
    /// Its own caller's: it was overtaken elsewhere, and who waits for it may have come after that.
    Overtaken,
}

impl Standing {
    /// That of a value which was not overtaken, where there is memory in front of the stores or not.
    #[must_use]
    pub const fn valid(has_memory: bool) -> Self {
        match has_memory {
            true => Self::Kept,
            false => Self::Shared,
        }
    }

    /// That of a value of which this became, in stores that are silent about what others change or not.
    #[must_use]
    pub const fn of(written: &Written, is_silent: bool, has_memory: bool) -> Self {
        match written {
            Written::Overtaken => Self::Overtaken,
            // Whoever wrote or deleted the entry meanwhile tells memory so, if the store tells anything.
            Written::Lost if is_silent => Self::Overtaken,
            _ => Self::valid(has_memory),
        }
    }
}
