//! Whether stores can stand where they are to stand, and do what is needed of them.

use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::MAX_NAME;

use super::{Options, Tier, Write};

/// What a policy or a verb needs of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Tags, for which the last tier has to offer generations; or leases, so that clearing the namespace, which stands in for an
    /// invalidation, keeps out what is being computed.
    Tags,
    /// Changes in place, for which the last tier has to be conditional.
    Changes,
    /// The names, for which the last tier has to offer a scan.
    Scan,
}

pub(super) fn options(options: &Options) -> Result<(), Error> {
    let spans = [
        ("lease_ttl", options.lease_ttl),
        ("longest", options.longest),
    ];
    for (name, span) in spans {
        if span.is_zero() {
            return Err(Error::config(
                format!("{name} is 0"),
                format!("give {name} a duration above 0"),
            ));
        }
    }
    Ok(())
}

pub(super) fn tiers(tiers: &[Tier]) -> Result<(), Error> {
    let Some((last, nearer)) = tiers.split_last() else {
        return Err(Error::config(
            "a stack without a store",
            "name one store at least",
        ));
    };
    if last.write == Write::Around {
        return Err(Error::config(
            format!("the last tier, {:?}, is never written", last.label),
            "write-around is for tiers that others stand behind",
        ));
    }
    for tier in tiers {
        if tier.ttl.is_some_and(|ttl| ttl < Duration::from_millis(1)) {
            return Err(Error::config(
                format!("the ttl of the tier {:?} is 0", tier.label),
                "give it a ttl of a millisecond or more, or none",
            ));
        }
        if tier.store.limits().longest_name < MAX_NAME {
            return Err(unsupported(
                format!(
                    "the store {:?} does not take names of {MAX_NAME} bytes",
                    tier.label
                ),
                "use another store",
            ));
        }
    }
    for tier in nearer {
        if tier.store.leases().is_none() {
            return Err(unsupported(
                format!(
                    "the store {:?} stands in front of another and has no leases",
                    tier.label
                ),
                "only leases keep out what was read before it was deleted: let it be the last tier, or use another store",
            ));
        }
    }
    Ok(())
}

pub(super) fn need(tier: &Tier, need: Need) -> Result<(), Error> {
    let (there, what) = match need {
        Need::Tags => {
            let there = tier.store.generations().is_some() || tier.store.leases().is_some();
            (there, "tags: it has neither generations nor leases")
        }
        Need::Changes => (
            tier.store.conditional().is_some(),
            "changes of entries in place",
        ),
        Need::Scan => (tier.store.scan().is_some(), "a scan of its names"),
    };
    if there {
        return Ok(());
    }
    Err(unsupported(
        format!("the store {:?} does not offer {what}", tier.label),
        "use another store as the last tier, or do without",
    ))
}

fn unsupported(message: String, hint: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message, hint)
}
