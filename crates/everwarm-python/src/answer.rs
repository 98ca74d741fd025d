//! The value of a call, and how it was had.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::judge::Freshness;
use everwarm_core::using::Plan;

use crate::object::Object;

/// How a call got its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Hit,
    Stale,
    Miss,
    Follower,
    Refreshed,
    Bypass,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Follower => "follower",
            Self::Refreshed => "refreshed",
            Self::Bypass => "bypass",
        }
    }

    /// The status of a call that was served.
    pub(crate) fn served(freshness: Freshness) -> Self {
        match freshness {
            Freshness::Fresh => Self::Hit,
            Freshness::Stale => Self::Stale,
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
    /// What the stores told of it, if they had it.
    pub(crate) told: Option<Box<Told>>,
}

impl Answer {
    /// One of which stores told nothing.
    pub(crate) fn new(value: Object, status: Status) -> Self {
        Self {
            value,
            status,
            told: None,
        }
    }
}

/// What is known of a value that stores had.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) tier: Arc<str>,
    pub(crate) age: Duration,
    /// How long it is fresh yet; None: without end.
    pub(crate) left: Option<Duration>,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) version: u64,
}
