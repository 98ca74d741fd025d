//! From names to names of files, and rooms.

/// The longest name of a file that is spelt out; systems take 255 bytes, and an ending comes behind it.
const LONGEST: usize = 180;
/// How much of a longer name is spelt out for people.
const SPELT: usize = 120;

/// Rooms of a store: the sixteen hexadecimal digits.
pub(crate) const ROOMS: [&str; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
];

/// Where the file of a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    /// The room, by its number.
    pub(crate) room: usize,
    /// The file's name without its ending.
    pub(crate) stem: String,
}

impl FileName {
    /// The file of an entry or lease with this name.
    pub(crate) fn of(name: &str) -> Self {
        let digest = blake3::hash(name.as_bytes());
        let mut stem = String::with_capacity(name.len());
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b',' | b'=' | b'+' => {
                    stem.push(byte.into())
                }
                // Not at the beginning, where it hides a file or means a directory.
                b'.' if !stem.is_empty() => stem.push('.'),
                _ => stem.push_str(&format!("%{byte:02x}")),
            }
        }
        if stem.len() > LONGEST {
            stem.truncate(SPELT);
            stem.push('~');
            stem.push_str(&digest.to_hex()[..40]);
        }
        Self {
            room: usize::from(digest.as_bytes()[0] >> 4),
            stem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FileName;

    #[test]
    fn plain_names_are_spelt_out_and_others_escaped() {
        assert_eq!(FileName::of("shop:price:42").stem, "shop%3aprice%3a42");
        assert_eq!(FileName::of("../a").stem, "%2e.%2fa");
        assert_eq!(FileName::of("ä").stem, "%c3%a4");
        assert_eq!(FileName::of("%41").stem, "%2541");
        assert_eq!(FileName::of("").stem, "");
    }

    #[test]
    fn long_names_end_in_a_digest() {
        let [one, other] = ["1", "2"].map(|end| FileName::of(&("x".repeat(300) + end)).stem);
        assert_ne!(one, other);
        assert_eq!(one.len(), 161);
        assert_eq!(one[..121], other[..121]);
    }
}
