//! What stands in front of the bytes of an entry, in the same object: when it ends, which write it is, and who may compute it.
//!
//! An object is replaced whole, so that an entry and its lease are changed in one step. The head is asked for alone where the bytes do not
//! matter. Numbers are big-endian; moments are microseconds since 1970 by the service's clock.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// The first bytes of every object with an entry; the last of them is the version of this form.
const MAGIC: [u8; 7] = *b"ewentry";
const FORM: u8 = 1;
/// Bytes of a head.
pub(crate) const LENGTH: usize = 64;
/// In the place of a moment: never.
pub(crate) const NEVER: u64 = u64::MAX;

/// The moment `span` after `now`.
pub(crate) fn after(now: u64, span: Option<Duration>) -> u64 {
    span.map_or(NEVER, |span| {
        now.saturating_add(u64::try_from(span.as_micros()).unwrap_or(NEVER))
    })
}

/// Who may compute the value of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) token: u64,
    pub(crate) until: u64,
}

/// The value of a name, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// The number of the write.
    pub(crate) version: u64,
    pub(crate) until: u64,
    /// What was set: no more is ever left.
    pub(crate) span: u64,
}

impl Value {
    /// Of a write at this moment.
    pub(crate) fn new(version: u64, now: u64, ttl: Option<Duration>) -> Self {
        let until = after(now, ttl);
        Self {
            version,
            until,
            span: after(0, ttl),
        }
    }

    /// What is left of its ttl.
    pub(crate) fn remaining(&self, now: u64) -> Option<Duration> {
        let left = self.until.saturating_sub(now).min(self.span);
        (self.until != NEVER).then(|| Duration::from_micros(left))
    }
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its value; `None`: it has none, and a lease at most.
    pub(crate) value: Option<Value>,
    pub(crate) lease: Option<Lease>,
}

impl Head {
    /// The same without what is over.
    pub(crate) fn at(self, now: u64) -> Self {
        Self {
            value: self.value.filter(|value| value.until > now),
            lease: self.lease.filter(|lease| lease.until > now),
        }
    }

    /// Whether there is nothing any more.
    pub(crate) const fn is_over(&self) -> bool {
        self.value.is_none() && self.lease.is_none()
    }

    /// Whether this token has the lease.
    pub(crate) fn is_held_by(&self, token: u64) -> bool {
        self.lease.is_some_and(|lease| lease.token == token)
    }

    /// Its bytes. `chance` makes each write another one, by which services know it.
    pub(crate) fn written(&self, chance: u64) -> Bytes {
        let mut bytes = BytesMut::with_capacity(LENGTH);
        bytes.put_slice(&MAGIC);
        bytes.put_u8(FORM);
        let value = self.value;
        bytes.put_u64(value.map_or(0, |value| value.version));
        bytes.put_u64(value.map_or(0, |value| value.until));
        bytes.put_u64(value.map_or(0, |value| value.span));
        bytes.put_u64(self.lease.map_or(0, |lease| lease.token));
        bytes.put_u64(self.lease.map_or(0, |lease| lease.until));
        bytes.put_u64(chance);
        bytes.put_u64(check(&bytes));
        bytes.freeze()
    }

    /// The head that these bytes begin with; `None` if it is none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..LENGTH)?;
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
            u64::from_be_bytes(number)
        };
        if bytes[..7] != MAGIC || bytes[7] != FORM || number(7) != check(&bytes[..56]) {
            return None;
        }
        let value = Value {
            version: number(1),
            until: number(2),
            span: number(3),
        };
        let lease = Lease {
            token: number(4),
            until: number(5),
        };
        Some(Self {
            value: (value.version != 0).then_some(value),
            lease: (lease.token != 0).then_some(lease),
        })
    }
}

fn check(bytes: &[u8]) -> u64 {
    let mut check = [0; 8];
    check.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_be_bytes(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        value: Some(Value {
            version: 7,
            until: 2_000_000,
            span: 1_000_000,
        }),
        lease: Some(Lease {
            token: 5,
            until: 3_000_000,
        }),
    };

    #[test]
    fn what_was_written_is_read_and_what_was_changed_is_not() {
        let none = Head::default();
        for head in [
            HEAD,
            none,
            Head {
                lease: None,
                ..HEAD
            },
            Head {
                value: None,
                ..HEAD
            },
        ] {
            let bytes = head.written(9);
            assert_eq!(bytes.len(), LENGTH);
            assert_eq!(Head::read(&bytes), Some(head));
            assert_ne!(head.written(10), bytes);
            for at in 0..LENGTH {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1;
                assert_eq!(Head::read(&damaged), None, "byte {at}");
            }
            assert_eq!(Head::read(&bytes[..LENGTH - 1]), None);
        }
    }

    #[test]
    fn what_is_over_is_not_there() {
        assert_eq!(HEAD.at(1_999_999), HEAD);
        assert_eq!(
            HEAD.at(2_000_000),
            Head {
                value: None,
                ..HEAD
            }
        );
        assert!(HEAD.at(3_000_000).is_over());
    }

    #[test]
    fn no_more_is_left_than_was_set_also_by_a_clock_that_is_behind() {
        let left = |now| HEAD.value.and_then(|value| value.remaining(now));
        assert_eq!(left(1_500_000), Some(Duration::from_millis(500)));
        assert_eq!(left(0), Some(Duration::from_secs(1)));
        let endless = Value::new(1, 5, None);
        assert_eq!(endless.remaining(u64::MAX - 1), None);
    }
}
