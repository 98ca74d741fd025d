//! The value of a call, and how it was had.

use crate::object::Object;

/// How a call got its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Hit,
    Miss,
    Follower,
    Refreshed,
    Bypass,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Follower => "follower",
            Self::Refreshed => "refreshed",
            Self::Bypass => "bypass",
        }
    }
}

/// The value of a call and how it was had.
pub(crate) struct Answer {
    pub(crate) value: Object,
    pub(crate) status: Status,
}

/// Whether a call may be answered from the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Refresh,
}

impl Mode {
    /// The status of a call that computed.
    pub(crate) fn computed(self) -> Status {
        match self {
            Self::Read => Status::Miss,
            Self::Refresh => Status::Refreshed,
        }
    }
}
