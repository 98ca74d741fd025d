//! Texts in paths and queries, percent-encoded (RFC 3986): any text is one segment, and no server or proxy takes it for several.

use std::fmt::Write;

/// A text with everything but letters, digits, `-`, `_` and `~` encoded; the point, too: `..` would be another path.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Nothing fails that is written to a text.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The text that was encoded.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_segment_and_comes_back() {
        let every: String = (0..=0x7f_u8).map(char::from).collect();
        for text in ["", ".", "..", "a/b", "%41", "a?b#c", "ä\u{10ffff}", &every] {
            let segment = encoded(text);
            assert!(
                !segment.contains(['/', '?', '#', '.', ' ', '&', '=']),
                "{segment}"
            );
            assert!(segment.is_ascii());
            assert_eq!(decoded(&segment).as_deref(), Some(text));
        }
        for text in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
