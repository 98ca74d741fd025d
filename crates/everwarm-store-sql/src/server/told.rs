//! Messages on their way: who did it, and what it was.
//!
//! `1 ORIGIN WHAT`: the number is the version of this form, and WHAT is `K` and a name, `C` and a prefix, or `T`, a tag, a space and
//! its namespace, all in hexadecimal digits, behind which the database puts the tag's marker: its epoch and its number.
//! `2 ORIGIN COUNT CODE WHAT` is authenticated: COUNT is the sender's own, and CODE that of everything but the marker. `W1` and a
//! name wakes those who wait for its lease. What is in another form counts as a message that was missed.

use everwarm_core::bus::mac::CODE;
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::Message;

/// The version of the form that anybody can send.
pub(crate) const PLAIN: &str = "1";
/// The version of the form that only who has the key can send.
pub(crate) const AUTHENTICATED: &str = "2";

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told<'a> {
    /// Who sent it.
    pub(crate) origin: &'a str,
    /// What it says.
    pub(crate) message: Message,
    /// The same as it was sent, without the marker.
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
    pub(crate) fn read(payload: &'a str) -> Option<Self> {
        let (form, rest) = payload.split_once(' ')?;
        let (origin, rest) = rest.split_once(' ')?;
        let (proof, rest) = match form {
            PLAIN => (None, rest),
            AUTHENTICATED => {
                let (count, rest) = rest.split_once(' ')?;
                let (code, rest) = rest.split_once(' ')?;
                let proof = Proof {
                    count: u64::from_str_radix(count, 16).ok()?,
                    code: bytes(code)?.try_into().ok()?,
                };
                (Some(proof), rest)
            }
            _ => return None,
        };
        let (message, what) = match rest.split_at_checked(1)? {
            ("K", name) => (Message::Key(text(name)?.into()), rest),
            ("C", prefix) => (Message::Clear(text(prefix)?.into()), rest),
            ("T", _) => of_marker(rest)?,
            _ => return None,
        };
        Some(Self {
            origin,
            message,
            what,
            proof,
        })
    }
}

/// What was told of a tag, and the part of it that the sender knew.
fn of_marker(rest: &str) -> Option<(Message, &str)> {
    let (rest, number) = rest.rsplit_once(' ')?;
    let (what, epoch) = rest.rsplit_once(' ')?;
    let (tag, namespace) = what.strip_prefix('T')?.split_once(' ')?;
    let marker = Mark {
        shard: 0,
        epoch: epoch.parse::<i64>().ok()? as u64,
        number: number.parse().ok()?,
    };
    let message = Message::Tag {
        namespace: text(namespace)?.into(),
        tag: Tag(bytes(tag)?.try_into().ok()?),
        marker,
    };
    Some((message, what))
}

/// The name whose lease has ended, where that is what was sent. Who misses it asks again anyway.
pub(crate) fn freed(payload: &str) -> Option<String> {
    text(payload.strip_prefix("W1 ")?)
}

/// That the lease of a name has ended.
pub(crate) fn of_freed(name: &str) -> String {
    format!("W1 {}", digits(name.as_bytes()))
}

/// That a name was set by hand, or deleted.
pub(crate) fn of_key(name: &str) -> String {
    format!("K{}", digits(name.as_bytes()))
}

/// That all names that begin so were cleared.
pub(crate) fn of_clear(prefix: &str) -> String {
    format!("C{}", digits(prefix.as_bytes()))
}

/// That a tag was invalidated.
pub(crate) fn of_tag(namespace: &str, tag: &Tag) -> String {
    format!("T{} {}", digits(&tag.0), digits(namespace.as_bytes()))
}

/// Bytes in hexadecimal digits, which every encoding of a database has.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    let each = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    each.collect()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    });
    pairs.collect()
}

fn text(digits: &str) -> Option<String> {
    String::from_utf8(bytes(digits)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_read() {
        let tag = Tag(*b"\0 tag tag tag  \xff");
        let marker = Mark {
            shard: 0,
            epoch: 9,
            number: 7,
        };
        let key = Message::Key("shop:f::a b\n\0ä".into());
        let tagged = Message::Tag {
            namespace: "my shop".into(),
            tag,
            marker,
        };
        let said = [
            (of_key("shop:f::a b\n\0ä"), "", key),
            (of_clear(""), "", Message::Clear("".into())),
            (of_tag("my shop", &tag), " 9 7", tagged),
        ];
        for (what, behind, message) in said {
            let told = |proof| Told {
                origin: "o",
                message: message.clone(),
                what: &what,
                proof,
            };
            let payload = format!("1 o {what}{behind}");
            assert_eq!(Told::read(&payload), Some(told(None)), "{payload}");
            let mut code = [0; CODE];
            code[CODE - 1] = 5;
            let payload = format!("2 o a {} {what}{behind}", digits(&code));
            let proof = Some(Proof { count: 10, code });
            assert_eq!(Told::read(&payload), Some(told(proof)), "{payload}");
        }
        assert_eq!(freed(&of_freed("a b")).as_deref(), Some("a b"));
        assert_eq!(freed("1 o K61"), None);
    }

    #[test]
    fn what_is_in_another_form_is_not() {
        for payload in [
            "",
            "1 o",
            "1 o ",
            "2 o K61",
            "2 o 1 12 K61",
            "3 o K61",
            "1 o X61",
            "1 o K6",
            "1 o Kff",
            "1 o T12 61 9 7",
            "1 o T00000000000000000000000000000000 61",
            "1 o T00000000000000000000000000000000 61 9 -7",
        ] {
            assert_eq!(Told::read(payload), None, "{payload}");
        }
    }
}
