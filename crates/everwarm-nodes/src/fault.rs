//! What is done wrong on purpose, to show that the checker would find it.

/// A planted fault. All are in what the simulator wraps around the engine: stores, clocks, the bus and the glue of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Memory keeps what was computed although it was invalidated meanwhile.
    StoreAfterInvalidation,
    /// The store takes what a former leader brings late.
    LateSet,
    /// A marker that was lost counts as one that was never left.
    LostMarkerCounts,
    /// Validity compares the nodes' clocks, which are up to 15 minutes apart.
    WallClocks,
    /// What is promoted to memory gets its whole ttl again.
    PromotionRestartsTtl,
    /// Missed messages are not minded.
    GapIgnored,
    /// A node that starts takes its disk for good, whatever it missed while it was down.
    RestartTrustsDisk,
    /// A server that takes over goes on counting where its copy ends.
    FailoverWithoutJump,
    /// Nobody repeats what a failover lost.
    FailoverUnheard,
    /// What was read before anything was heard is taken for unchanged since.
    BeginningTrusted,
    /// A failover is known by messages alone, and not before who took over answers.
    FailoverHeardLate,
    /// Silence passes for calm.
    SilenceIsCalm,
    /// Whatever number a message has is taken for the server's.
    ForgeryBelieved,
    /// The store sets under a condition whether or not that holds.
    CarelessSet,
    /// Two nodes are given the same lease.
    SharedLease,
    /// Values are returned for other keys.
    MixedKeys,
    /// Every call of a node computes for itself.
    NoFlight,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::StoreAfterInvalidation,
        Self::LateSet,
        Self::LostMarkerCounts,
        Self::WallClocks,
        Self::PromotionRestartsTtl,
        Self::GapIgnored,
        Self::RestartTrustsDisk,
        Self::FailoverWithoutJump,
        Self::FailoverUnheard,
        Self::BeginningTrusted,
        Self::FailoverHeardLate,
        Self::SilenceIsCalm,
        Self::ForgeryBelieved,
        Self::CarelessSet,
        Self::SharedLease,
        Self::MixedKeys,
        Self::NoFlight,
    ];

    /// Whether it shows after a failover alone.
    pub(crate) const fn is_of_failovers(self) -> bool {
        matches!(
            self,
            Self::FailoverWithoutJump | Self::FailoverUnheard | Self::FailoverHeardLate
        )
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StoreAfterInvalidation => "store-after-invalidation",
            Self::LateSet => "late-set",
            Self::LostMarkerCounts => "lost-marker-counts",
            Self::WallClocks => "wall-clocks",
            Self::PromotionRestartsTtl => "promotion-restarts-ttl",
            Self::GapIgnored => "gap-ignored",
            Self::RestartTrustsDisk => "restart-trusts-disk",
            Self::FailoverWithoutJump => "failover-without-jump",
            Self::FailoverUnheard => "failover-unheard",
            Self::BeginningTrusted => "beginning-trusted",
            Self::FailoverHeardLate => "failover-heard-late",
            Self::SilenceIsCalm => "silence-is-calm",
            Self::ForgeryBelieved => "forgery-believed",
            Self::CarelessSet => "careless-set",
            Self::SharedLease => "shared-lease",
            Self::MixedKeys => "mixed-keys",
            Self::NoFlight => "no-flight",
        }
    }
}
