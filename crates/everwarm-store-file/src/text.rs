//! Entries whose value is JSON, as files that people and their programs read: one object, in which the value stands as it is.
//!
//! A store is given envelopes, and where in one a value lies is said in `docs/reference/envelope.md`. Nothing depends on it but what the
//! file looks like: the bytes before the value and behind it stand beside it, and joined they are what was set, whatever it was.

use everwarm_core::store::Bytes;
use serde::de::IgnoredAny;

use crate::files::LARGEST;

/// What envelopes of the one version begin with.
const ENVELOPE: &[u8] = b"\xc1EW\x01";
/// Suites whose body is there to be read: a checksum, and a MAC.
const PLAIN: [u8; 2] = [0, 3];
/// Where the body begins in both.
const BODY: usize = 48;
/// How a body begins: the value is JSON, and not compressed.
const JSON: &[u8] = &[2, 0];
/// The fixed part of a body.
const FIXED: usize = 16;

const BEFORE: &[u8] = b"\"before\":\"";
const BEHIND: &[u8] = b"\",\"behind\":\"";
const VALUE: &[u8] = b"\",\"value\":";
const END: &[u8] = b"}\n";

/// An entry's bytes, before its value, the value, and behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts<'b> {
    before: &'b [u8],
    value: &'b [u8],
    behind: &'b [u8],
}

impl<'b> Parts<'b> {
    /// Those of an envelope whose value is JSON; `None` for anything else.
    pub(crate) fn of(bytes: &'b [u8]) -> Option<Self> {
        let suite = bytes.strip_prefix(ENVELOPE)?.first()?;
        if bytes.len() > LARGEST / 2 || !PLAIN.contains(suite) {
            return None;
        }
        let number = |at| {
            let number = bytes.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(number)).ok()
        };
        let end = BODY.checked_add(number(12)?)?;
        let (envelope, behind) = bytes.split_at_checked(end)?;
        let begin = end.checked_sub(number(BODY + 4)?)?;
        if begin < BODY + FIXED || !envelope[BODY..].starts_with(JSON) {
            return None;
        }
        let (before, value) = envelope.split_at(begin);
        let text = std::str::from_utf8(value).ok()?;
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        Some(Self {
            before,
            value,
            behind,
        })
    }

    /// Appends the rest of an object that was begun.
    pub(crate) fn write(&self, file: &mut Vec<u8>) {
        file.extend_from_slice(BEFORE);
        push_hex(file, self.before);
        file.extend_from_slice(BEHIND);
        push_hex(file, self.behind);
        file.extend_from_slice(VALUE);
        file.extend_from_slice(self.value);
        file.extend_from_slice(END);
    }

    /// How many bytes that takes.
    pub(crate) const fn length(&self) -> usize {
        let around = BEFORE.len() + BEHIND.len() + VALUE.len() + END.len();
        around + 2 * (self.before.len() + self.behind.len()) + self.value.len()
    }
}

/// The entry's bytes, from the rest of such an object.
pub(crate) fn joined(rest: &[u8]) -> Option<Bytes> {
    let (before, rest) = text(rest.strip_prefix(BEFORE)?)?;
    let (behind, rest) = text(rest.strip_prefix(BEHIND)?)?;
    let value = rest.strip_prefix(VALUE)?.strip_suffix(END)?;
    let mut bytes = Vec::with_capacity(before.len() / 2 + value.len() + behind.len() / 2);
    push_bytes(&mut bytes, before)?;
    bytes.extend_from_slice(value);
    push_bytes(&mut bytes, behind)?;
    Some(bytes.into())
}

/// What stands before the next quotation mark, and the rest from there on.
fn text(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.iter().position(|byte| *byte == b'"')?;
    Some(rest.split_at(end))
}

fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
    }
}

fn push_bytes(out: &mut Vec<u8>, hex: &[u8]) -> Option<()> {
    let (pairs, rest) = hex.as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    for [high, low] in pairs {
        out.push((digit(*high)? << 4 | digit(*low)?) as u8);
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of an envelope as counts here, around a value, in this suite, format and compression.
    fn envelope(value: &[u8], suite: u8, how: [u8; 2]) -> Vec<u8> {
        let mut body = vec![how[0], how[1], 0, 0];
        body.extend((value.len() as u32).to_le_bytes());
        body.extend([7; 8]);
        body.extend(value);
        let mut bytes = [ENVELOPE, &[suite, 0, 0, 0, 0, 0, 0, 0]].concat();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend([9; 32]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn what_is_written_is_joined_again() {
        let long = format!("[{}]", "[".repeat(5_000) + &"]".repeat(5_000));
        for value in [
            "{\"EUR\": 12}",
            "\"ä\\u00e4\"",
            "[1,\n 2]",
            "null",
            "}\n",
            &long,
        ] {
            for (suite, behind) in [(0, &b""[..]), (3, b"sixteen bytes..."), (0, b"\"}\n")] {
                let bytes = [&envelope(value.as_bytes(), suite, [2, 0]), behind].concat();
                let parts = Parts::of(&bytes);
                assert_eq!(parts.is_some(), value != "}\n", "{value}");
                let Some(parts) = parts else { continue };
                assert_eq!(parts.value, value.as_bytes());
                let mut rest = Vec::new();
                parts.write(&mut rest);
                assert_eq!(rest.len(), parts.length());
                assert_eq!(joined(&rest).as_deref(), Some(&bytes[..]));
            }
        }
    }

    #[test]
    fn what_is_no_json_for_all_to_see_stays_as_it_is() {
        let plain = envelope(b"[1]", 0, [2, 0]);
        assert!(Parts::of(&plain).is_some());
        for other in [
            envelope(b"[1]", 1, [2, 0]),
            envelope(b"[1]", 0, [1, 0]),
            envelope(b"[1]", 0, [2, 1]),
            envelope(b"[1", 0, [2, 0]),
            envelope(b"\xff", 0, [2, 0]),
            envelope(b"\"\xff\"", 0, [2, 0]),
            envelope(b"", 0, [2, 0]),
            envelope(b"1 2", 0, [2, 0]),
            [b"\xc1EW\x02", &plain[4..]].concat(),
            b"[1]".to_vec(),
        ] {
            assert_eq!(Parts::of(&other), None, "{other:?}");
        }
        (0..plain.len()).for_each(|end| assert_eq!(Parts::of(&plain[..end]), None));
        for at in [12, BODY + 4] {
            let mut lying = plain.clone();
            lying[at..at + 4].fill(0xff);
            assert_eq!(Parts::of(&lying), None);
        }
    }

    #[test]
    fn what_is_no_rest_of_an_object_is_none() {
        for rest in [
            "",
            "\"before\":\"c1\",\"behind\":\"\",\"value\":1",
            "\"before\":\"c\",\"behind\":\"\",\"value\":1}\n",
            "\"before\":\"+1\",\"behind\":\"\",\"value\":1}\n",
            "\"before\":\"c1\",\"value\":1}\n",
            "\"before\":\"c1",
        ] {
            assert_eq!(joined(rest.as_bytes()), None, "{rest}");
        }
    }
}
