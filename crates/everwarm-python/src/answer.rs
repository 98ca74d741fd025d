//! The value of a call, and how it was had.

use everwarm_core::using::Plan;

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

    /// The status of a call that computed.
    pub(crate) fn computed(plan: Plan) -> Self {
        match plan {
            Plan::Skip => Self::Bypass,
            Plan::Refresh => Self::Refreshed,
            Plan::Only(_) | Plan::Compute { .. } => Self::Miss,
        }
    }
}

/// The value of a call and how it was had.
pub(crate) struct Answer {
    pub(crate) value: Object,
    pub(crate) status: Status,
}
