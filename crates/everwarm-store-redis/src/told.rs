//! Messages on their way: who did it, its number, and what it was.
//!
//! `1 ORIGIN SHARD EPOCH NUMBER WHAT`: the first number is the version of this form, and WHAT is `K` and a name, `C` and a prefix, or
//! `T`, a tag in hexadecimal digits, a space and its namespace. `2 ORIGIN SHARD EPOCH NUMBER COUNT CODE WHAT` is authenticated:
//! COUNT is the sender's own, in hexadecimal digits, and CODE that of everything but epoch and number. What is in another form counts
//! as a message that was missed.

use everwarm_core::bus::mac::CODE;
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::Message;

use crate::keys::hexadecimal;
use crate::teller::code_in;

/// The version of the form that anybody can send.
pub(crate) const PLAIN: &str = "1";
/// The version of the form that only who has the key can send.
pub(crate) const AUTHENTICATED: &str = "2";

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told<'a> {
    /// Who sent it.
    pub(crate) origin: &'a str,
    /// The reading of its shard after it.
    pub(crate) mark: Mark,
    /// What it says.
    pub(crate) message: Message,
    /// The same as it was sent.
    pub(crate) what: &'a str,
    /// What shows who sent it.
    pub(crate) proof: Option<Proof>,
}

/// What shows that who has the key sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// How many messages the sender had sent, with this one.
    pub(crate) count: u64,
    /// The message's code.
    pub(crate) code: [u8; CODE],
}

impl<'a> Told<'a> {
    /// What came; `None` in a form that is not known.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(payload).ok()?.splitn(6, ' ');
        let mut next = || parts.next();
        let form = next()?;
        let origin = next()?;
        let mark = Mark {
            shard: next()?.parse().ok()?,
            epoch: next()?.parse().ok()?,
            number: next()?.parse().ok()?,
        };
        let what = next()?;
        let (proof, what) = match form {
            PLAIN => (None, what),
            AUTHENTICATED => {
                let (proof, what) = proof_in(what)?;
                (Some(proof), what)
            }
            _ => return None,
        };
        let message = match what.split_at_checked(1)? {
            ("K", name) => Message::Key(name.into()),
            ("C", prefix) => Message::Clear(prefix.into()),
            ("T", tag) => {
                let (tag, namespace) = tag.split_once(' ')?;
                Message::Tag {
                    namespace: namespace.into(),
                    tag: tag_in(tag)?,
                    marker: mark,
                }
            }
            _ => return None,
        };
        Some(Self {
            origin,
            mark,
            message,
            what,
            proof,
        })
    }
}

/// What stands before an authenticated message, and the message.
fn proof_in(text: &str) -> Option<(Proof, &str)> {
    let (count, rest) = text.split_once(' ')?;
    let (code, what) = rest.split_once(' ')?;
    let proof = Proof {
        count: u64::from_str_radix(count, 16).ok()?,
        code: code_in(code)?,
    };
    Some((proof, what))
}

/// What is told to nobody: the lease of a name that nobody has.
pub(crate) const WAKES_NOBODY: &str = "W1 ";

/// The name whose lease has ended, where that is what was sent. Such a message has no number: who misses it asks again anyway.
pub(crate) fn freed(payload: &[u8]) -> Option<&str> {
    std::str::from_utf8(payload).ok()?.strip_prefix("W1 ")
}

/// That a name was set by hand, or deleted.
pub(crate) fn of_key(name: &str) -> String {
    format!("K{name}")
}

/// That all names that begin so were cleared.
pub(crate) fn of_clear(prefix: &str) -> String {
    format!("C{prefix}")
}

/// That a tag was invalidated.
pub(crate) fn of_tag(namespace: &str, tag: &Tag) -> String {
    format!("T{} {namespace}", hexadecimal(tag))
}

fn tag_in(digits: &str) -> Option<Tag> {
    let number = u128::from_str_radix(digits, 16).ok()?;
    (digits.len() == 32).then(|| Tag(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Mark {
        Mark {
            shard: 3,
            epoch: u64::MAX,
            number,
        }
    }

    #[test]
    fn what_is_sent_is_read() {
        let tag = Tag(*b"\0 tag tag tag  \xff");
        let said = [
            (
                of_key("shop:f::a b\nc"),
                Message::Key("shop:f::a b\nc".into()),
            ),
            (of_clear(""), Message::Clear("".into())),
            (
                of_tag("my shop", &tag),
                Message::Tag {
                    namespace: "my shop".into(),
                    tag,
                    marker: mark(7),
                },
            ),
        ];
        for (what, message) in said {
            let told = |proof| Told {
                origin: "o",
                mark: mark(7),
                message: message.clone(),
                what: &what,
                proof,
            };
            let payload = format!("1 o 3 {} 7 {what}", u64::MAX);
            assert_eq!(
                Told::read(payload.as_bytes()),
                Some(told(None)),
                "{payload}"
            );
            let payload = format!("2 o 3 {} 7 a {:032x} {what}", u64::MAX, 5);
            let mut code = [0; CODE];
            code[CODE - 1] = 5;
            let proof = Some(Proof { count: 10, code });
            assert_eq!(
                Told::read(payload.as_bytes()),
                Some(told(proof)),
                "{payload}"
            );
        }
    }

    #[test]
    fn what_is_in_another_form_is_not() {
        for payload in [
            "",
            "2 o 3 1 7 Kname",
            "2 o 3 1 7 1 12 Kname",
            "3 o 3 1 7 Kname",
            "1 o 3 1 7",
            "1 o 3 1 7 Xname",
            "1 o 3 1 -7 Kname",
            "1 o 3 1 7 T12 a",
        ] {
            assert_eq!(Told::read(payload.as_bytes()), None, "{payload}");
        }
        assert_eq!(Told::read(b"1 o 3 1 7 K\xff"), None);
    }
}
