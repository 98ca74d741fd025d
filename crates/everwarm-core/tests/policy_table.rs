//! Policies that cannot be meant: each is refused with its field's name and what to write instead.

use std::time::Duration;

use everwarm_core::duration::LONGEST;
use everwarm_core::error::ErrorKind;
use everwarm_core::policy::{Negative, Policy, RefreshAhead};

const MINUTE: Duration = Duration::from_secs(60);

fn base() -> Policy {
    Policy {
        ttl: Some(MINUTE),
        ..Policy::default()
    }
}

fn refused(policy: Policy, what: &str, hint: &str) {
    let error = policy.validate().expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(
        error.message().contains(what),
        "{what:?} is not in: {error}"
    );
    assert!(error.hint().contains(hint), "{hint:?} is not in: {error}");
}

#[test]
fn what_can_be_meant_is_accepted() {
    let full = Policy {
        jitter: 0.1,
        refresh_ahead: Some(RefreshAhead::XFetch { beta: 1.0 }),
        stale_while_revalidate: Some(MINUTE),
        stale_if_error: Some(LONGEST),
        negative: Some(Negative {
            ttl: MINUTE,
            growth: 2.0,
            max_ttl: 10 * MINUTE,
        }),
        soft_limit: Some(Duration::from_millis(100)),
        hard_limit: Some(Duration::from_secs(2)),
        ..base()
    };
    for policy in [
        Policy::default(),
        base(),
        full,
        Policy {
            jitter: 0.5,
            ..Policy::default()
        },
    ] {
        assert_eq!(policy.validate(), Ok(()));
    }
    assert_eq!(
        Negative::constant(MINUTE),
        Negative {
            ttl: MINUTE,
            growth: 1.0,
            max_ttl: MINUTE
        }
    );
}

#[test]
fn each_duration_is_checked() {
    for bad in [
        Duration::ZERO,
        LONGEST + Duration::from_nanos(1),
        Duration::MAX,
    ] {
        let hint = if bad.is_zero() {
            "write seconds"
        } else {
            "None"
        };
        refused(
            Policy {
                ttl: Some(bad),
                ..base()
            },
            "ttl: ",
            hint,
        );
        refused(
            Policy {
                stale_while_revalidate: Some(bad),
                ..base()
            },
            "stale_while_revalidate: ",
            hint,
        );
        refused(
            Policy {
                stale_if_error: Some(bad),
                ..base()
            },
            "stale_if_error: ",
            hint,
        );
        refused(
            Policy {
                error_backoff: bad,
                ..base()
            },
            "error_backoff: ",
            hint,
        );
        refused(
            Policy {
                negative: Some(Negative::constant(bad)),
                ..base()
            },
            "negative_ttl: ",
            hint,
        );
        refused(
            Policy {
                soft_limit: Some(bad),
                ..base()
            },
            "soft_timeout: ",
            hint,
        );
        refused(
            Policy {
                hard_limit: Some(bad),
                ..base()
            },
            "hard_timeout: ",
            hint,
        );
    }
}

#[test]
fn each_number_is_checked() {
    for bad in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
        refused(
            Policy {
                jitter: bad,
                ..base()
            },
            "jitter=",
            "jitter=0.1",
        );
    }
    for bad in [0.0, -0.1, 1.0, f64::NAN, f64::INFINITY] {
        let refresh_ahead = Some(RefreshAhead::Fraction(bad));
        refused(
            Policy {
                refresh_ahead,
                ..base()
            },
            "refresh_ahead=",
            "refresh_ahead=0.8",
        );
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refresh_ahead = Some(RefreshAhead::XFetch { beta: bad });
        refused(
            Policy {
                refresh_ahead,
                ..base()
            },
            "beta=",
            "a beta above 0",
        );
    }
    for growth in [0.5, f64::NAN, f64::INFINITY] {
        let negative = Some(Negative {
            growth,
            ..Negative::constant(MINUTE)
        });
        refused(Policy { negative, ..base() }, "negative_growth=", "write 1");
    }
}

#[test]
fn what_does_nothing_beside_the_others_is_refused() {
    let none = Policy::default();
    let ahead = Some(RefreshAhead::Fraction(0.8));
    refused(
        Policy {
            refresh_ahead: ahead,
            ..none
        },
        "refresh_ahead does nothing",
        "add ttl=",
    );
    refused(
        Policy {
            stale_while_revalidate: Some(MINUTE),
            ..none
        },
        "stale_while_revalidate does",
        "add ttl=",
    );
    refused(
        Policy {
            stale_if_error: Some(MINUTE),
            ..none
        },
        "stale_if_error does nothing",
        "add ttl=",
    );
    let negative = Some(Negative {
        ttl: 2 * MINUTE,
        growth: 2.0,
        max_ttl: MINUTE,
    });
    refused(
        Policy { negative, ..base() },
        "negative_max_ttl is shorter",
        "at least as long",
    );
    refused(
        Policy {
            soft_limit: Some(MINUTE),
            ..base()
        },
        "soft_timeout does nothing",
        "stale_if_error",
    );
    let limits = Policy {
        soft_limit: Some(MINUTE),
        hard_limit: Some(MINUTE),
        ..base()
    };
    refused(
        Policy {
            stale_if_error: Some(MINUTE),
            ..limits
        },
        "soft_timeout does nothing",
        "shorter than",
    );
}
