//! Messages on their way: who did it, its number, and what it was.
//!
//! `1 ORIGIN SHARD EPOCH NUMBER WHAT`: the first number is the version of this form, and WHAT is `K` and a name, `C` and a prefix, or
//! `T`, a tag in hexadecimal digits, a space and its namespace. What is in another form counts as a message that was missed.

use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::Message;

use crate::keys::hexadecimal;

/// The version of the form.
const VERSION: &str = "1";

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Who sent it.
    pub(crate) origin: Box<str>,
    /// The reading of its shard after it.
    pub(crate) mark: Mark,
    /// What it says.
    pub(crate) message: Message,
}

impl Told {
    /// What came; `None` in a form that is not known.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(payload).ok()?.splitn(6, ' ');
        let mut next = || parts.next();
        (next()? == VERSION).then_some(())?;
        let origin = next()?.into();
        let mark = Mark {
            shard: next()?.parse().ok()?,
            epoch: next()?.parse().ok()?,
            number: next()?.parse().ok()?,
        };
        let what = next()?;
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
        })
    }
}

/// The name whose lease has ended, where that is what was sent. Such a message has no number: who misses it asks again anyway.
pub(crate) fn freed(payload: &[u8]) -> Option<&str> {
    std::str::from_utf8(payload).ok()?.strip_prefix("W1 ")
}

/// What the messages of a shard begin with; the server adds the reading.
pub(crate) fn heading(origin: &str, shard: u16) -> String {
    format!("{VERSION} {origin} {shard}")
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
            let payload = format!("{} {} 7 {what}", heading("o", 3), u64::MAX);
            let told = Told {
                origin: "o".into(),
                mark: mark(7),
                message,
            };
            assert_eq!(Told::read(payload.as_bytes()), Some(told), "{payload}");
        }
    }

    #[test]
    fn what_is_in_another_form_is_not() {
        for payload in [
            "",
            "2 o 3 1 7 Kname",
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
