//! Names as keys: 250 bytes without blanks and control characters, behind the number by which a namespace is cleared.
//!
//! An entry's key is eleven characters of that number, then `.` and the name as it is, or `#` and 256 bits of the name's BLAKE3 where it
//! is too long or has other bytes. Our own keys have a `/` among the first eleven characters, which no number has.

use everwarm_core::store::{Failure, FailureKind};

/// Bytes of a name.
pub(crate) const LONGEST: usize = 1024;
/// Bytes of a key.
const LONGEST_KEY: usize = 250;
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters of a number.
const NUMBER: usize = 11;

/// The key of the item that time is counted by.
pub(crate) const CLOCK: &[u8] = b"everwarm/clock";

/// The namespace of a name: all up to its first colon, and nothing where it has none.
pub(crate) fn space_of(name: &str) -> &str {
    name.find(':').map_or("", |at| &name[..=at])
}

/// The key of a name under a number.
pub(crate) fn key(number: u64, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(NUMBER + 1 + name.len());
    push_digits(&mut key, &number.to_be_bytes());
    push_text(&mut key, b'.', name);
    key
}

/// The key of the numbers of a namespace.
pub(crate) fn key_of_space(space: &str) -> Vec<u8> {
    let mut key = b"everwarm/".to_vec();
    push_text(&mut key, b'.', space);
    key
}

/// Refuses a name that is too long.
///
/// # Errors
/// `Capacity`.
pub(crate) fn check(name: &str) -> Result<(), Failure> {
    if name.len() <= LONGEST {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Capacity,
        format!("a name of {} bytes is too long for the store", name.len()),
        "use names of 1024 bytes at most",
    ))
}

fn push_text(key: &mut Vec<u8>, mark: u8, text: &str) {
    let fits = key.len() + 1 + text.len() <= LONGEST_KEY;
    if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        key.push(mark);
        key.extend_from_slice(text.as_bytes());
    } else {
        key.push(b'#');
        push_digits(key, blake3::hash(text.as_bytes()).as_bytes());
    }
}

/// Bytes as digits of six bits.
fn push_digits(key: &mut Vec<u8>, bytes: &[u8]) {
    for three in bytes.chunks(3) {
        let all = three
            .iter()
            .fold(0_u32, |all, &byte| all << 8 | u32::from(byte))
            << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            key.push(DIGITS[(all >> (18 - 6 * digit)) as usize & 63]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_a_server_takes() {
        let names = [
            "",
            "a b",
            "ns:f:1",
            "ä",
            "a\n",
            &"x".repeat(238),
            &"x".repeat(239),
        ];
        let mut keys: Vec<_> = names.iter().map(|name| key(u64::MAX, name)).collect();
        keys.extend(["", "ns:", "ä:", &"x".repeat(240), &"x".repeat(241)].map(key_of_space));
        keys.push(CLOCK.to_vec());
        for key in &keys {
            assert!(key.len() <= LONGEST_KEY && key.iter().all(u8::is_ascii_graphic));
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn a_key_says_what_it_belongs_to() {
        assert_eq!(key(0, "shop:price::2b61"), b"AAAAAAAAAAA.shop:price::2b61");
        assert_eq!(key(u64::MAX, "a b")[..12], *b"__________8#");
        assert_eq!(key_of_space("shop:"), b"everwarm/.shop:");
    }

    #[test]
    fn a_name_that_looks_like_the_key_of_another_has_its_own() {
        let long = "x".repeat(300);
        let digits = key(7, &long)[12..].to_vec();
        let digits = String::from_utf8(digits).unwrap();
        assert_ne!(key(7, &long), key(7, &digits));
    }

    #[test]
    fn a_namespace_ends_with_its_colon() {
        assert_eq!(
            ["a:b:c", ":b", "abc", ""].map(space_of),
            ["a:", ":", "", ""]
        );
    }
}
