//! Stored names: what a key is called beyond this process.
//!
//! A stored name is `namespace:function:schema:digest`, at most 243 bytes of printable ASCII, so that every
//! store takes it as it is and a person can read what it belongs to.

use std::fmt;

use super::{Limit, Writer};

/// The longest stored name.
pub const MAX_NAME: usize = MAX_NAMESPACE + MAX_FUNCTION + MAX_SCHEMA + 2 * NAMED + 3;
const MAX_NAMESPACE: usize = 64;
const MAX_FUNCTION: usize = 96;
const MAX_SCHEMA: usize = 40;
/// Bytes of a digest that enter a name.
const NAMED: usize = 20;
/// Headers and arguments of so many bytes are hashed in one go: a hasher that takes them in turn has a state of two KiB.
const SHORT: usize = 256;
/// Hexadecimal digits that stand for what was cut from a part.
const CUT: usize = 32;

/// What a key means, beside its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The function's full name, or the name it declares.
    pub function: &'a str,
    /// The version it declares; empty if none.
    pub version: &'a str,
    /// Its parameters, in order.
    pub parameters: &'a [&'a str],
}

/// The digest of a header and the canonical arguments: 256 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `arguments`, a sealed encoding without its scope, under `header`.
    ///
    /// # Errors
    ///
    /// [`Limit::Size`] if the header alone is beyond what a key may be.
    pub fn new(header: &Header<'_>, arguments: &[u8]) -> Result<Self, Limit> {
        Ok(Self::of(&encoded(header)?, arguments))
    }

    /// The digest of a header as it is encoded, and arguments.
    fn of(header: &[u8], arguments: &[u8]) -> Self {
        let mut room = [0; SHORT];
        let hash = match room.get_mut(..header.len() + arguments.len()) {
            Some(joined) => {
                let (head, tail) = joined.split_at_mut(header.len());
                head.copy_from_slice(header);
                tail.copy_from_slice(arguments);
                blake3::hash(joined)
            }
            None => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(header);
                hasher.update(arguments);
                hasher.finalize()
            }
        };
        Self(hash.into())
    }

    /// All 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A header in its canonical bytes.
fn encoded(header: &Header<'_>) -> Result<Vec<u8>, Limit> {
    let mut writer = Writer::new();
    writer.open_tuple(3)?;
    writer.str(header.function);
    writer.str(header.version);
    writer.open_tuple(header.parameters.len())?;
    for name in header.parameters {
        writer.str(name);
    }
    writer.close();
    writer.close();
    Ok(writer.seal()?.as_bytes().to_vec())
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = String::with_capacity(2 * self.0.len());
        push_hex(&mut digits, &self.0);
        out.write_str(&digits)
    }
}

/// The stored name of a digest.
///
/// Letters, digits, `_`, `.` and `-` stand for themselves, every other byte as `%` and two hexadecimal digits. A part
/// that is then too long keeps its beginning and ends in `~` and 128 bits of the BLAKE3 of the whole part.
///
/// ```
/// use everwarm_core::key::{Digest, Header, stored_name};
///
/// let header = Header { function: "shop.price", version: "", parameters: &["sku"] };
/// let name = stored_name("eu/shop", header.function, "", &Digest::new(&header, b"\x43sku")?);
/// assert_eq!(name, "eu%2Fshop:shop.price::2b614232519498479020ec286ccfbefcaf559def");
/// # Ok::<(), everwarm_core::key::Limit>(())
/// ```
#[must_use]
pub fn stored_name(namespace: &str, function: &str, schema: &str, digest: &Digest) -> String {
    let mut name = prefix(&[namespace, function, schema]);
    push_hex(&mut name, &digest.0[..NAMED]);
    name
}

/// What the stored names of a namespace, of a function in it, or of one schema of that begin with.
///
/// ```
/// use everwarm_core::key::prefix;
///
/// assert_eq!(prefix(&["eu/shop"]), "eu%2Fshop:");
/// assert_eq!(prefix(&["eu/shop", "shop.price"]), "eu%2Fshop:shop.price:");
/// ```
///
/// # Panics
/// With more than three parts.
#[must_use]
pub fn prefix(parts: &[&str]) -> String {
    let bounds = [MAX_NAMESPACE, MAX_FUNCTION, MAX_SCHEMA];
    assert!(parts.len() <= bounds.len(), "a name has no more parts");
    let mut name = String::with_capacity(MAX_NAME);
    for (part, bound) in parts.iter().zip(bounds) {
        push_part(&mut name, part, bound);
        name.push(':');
    }
    name
}

/// The function that a stored name in `namespace` says, if it says it whole: long ones are cut.
///
/// ```
/// use everwarm_core::key::{Digest, Header, function_of, stored_name};
///
/// let header = Header { function: "<shop>.price", version: "", parameters: &["sku"] };
/// let name = stored_name("eu/shop", header.function, "", &Digest::new(&header, b"\x43sku")?);
/// assert_eq!(function_of("eu/shop", &name).as_deref(), Some("<shop>.price"));
/// assert_eq!(function_of("eu", &name), None);
/// # Ok::<(), everwarm_core::key::Limit>(())
/// ```
#[must_use]
pub fn function_of(namespace: &str, name: &str) -> Option<String> {
    let (part, _) = name.strip_prefix(&prefix(&[namespace]))?.split_once(':')?;
    let (mut bytes, mut rest) = (Vec::with_capacity(part.len()), part.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'~' => return None,
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// What the stored names of one function have in common, made once.
#[derive(Clone)]
pub struct Heading {
    prefix: String,
    header: Box<[u8]>,
}

impl Heading {
    /// The heading of a function in a namespace, with this schema.
    ///
    /// # Errors
    ///
    /// [`Limit::Size`] if the header alone is beyond what a key may be.
    pub fn new(namespace: &str, header: &Header<'_>, schema: &str) -> Result<Self, Limit> {
        Ok(Self {
            prefix: prefix(&[namespace, header.function, schema]),
            header: encoded(header)?.into(),
        })
    }

    /// The stored name of a call with these canonical arguments, and the digest that is in it.
    ///
    /// ```
    /// use everwarm_core::key::{Digest, Header, Heading, stored_name};
    ///
    /// let header = Header { function: "shop.price", version: "2", parameters: &["sku"] };
    /// let (name, digest) = Heading::new("eu", &header, "2")?.name(b"\x43sku");
    /// assert_eq!(digest, Digest::new(&header, b"\x43sku")?);
    /// assert_eq!(name, stored_name("eu", "shop.price", "2", &digest));
    /// # Ok::<(), everwarm_core::key::Limit>(())
    /// ```
    #[must_use]
    pub fn name(&self, arguments: &[u8]) -> (String, Digest) {
        let digest = Digest::of(&self.header, arguments);
        let mut name = String::with_capacity(self.prefix.len() + 2 * NAMED);
        name.push_str(&self.prefix);
        push_hex(&mut name, &digest.0[..NAMED]);
        (name, digest)
    }
}

impl fmt::Debug for Heading {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Heading").field(&self.prefix).finish()
    }
}

fn push_part(name: &mut String, part: &str, bound: usize) {
    let start = name.len();
    // The last place at which a cut leaves room for the digest and splits no escape.
    let mut cut = start;
    for byte in part.bytes() {
        if name.len() - start <= bound - 1 - CUT {
            cut = name.len();
        }
        if name.len() - start > bound {
            break;
        }
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => name.push(byte.into()),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() - start > bound {
        name.truncate(cut);
        name.push('~');
        push_hex(name, &blake3::hash(part.as_bytes()).as_bytes()[..CUT / 2]);
    }
}

/// Appends the hexadecimal digits of at most 32 bytes.
fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (at, byte) in bytes.iter().enumerate() {
        digits[2 * at] = DIGITS[usize::from(byte >> 4)];
        digits[2 * at + 1] = DIGITS[usize::from(byte & 15)];
    }
    text.push_str(str::from_utf8(&digits[..2 * bytes.len()]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header<'_> = Header {
        function: "m.f",
        version: "",
        parameters: &["a", "b"],
    };

    fn named(namespace: &str, function: &str, schema: &str) -> String {
        stored_name(
            namespace,
            function,
            schema,
            &Digest::new(&HEADER, b"").unwrap(),
        )
    }

    #[test]
    fn a_name_is_bounded_printable_and_has_four_parts() {
        let parts = [
            "",
            "shop",
            "a:b",
            "a b\n",
            "é\u{1f600}",
            "<locals>",
            &"x".repeat(72),
            &"x".repeat(1000),
            &"%".repeat(80),
        ];
        for namespace in parts {
            for function in parts {
                let name = named(namespace, function, function);
                assert!(name.len() <= MAX_NAME, "{} bytes: {name}", name.len());
                assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
                assert_eq!(name.matches(':').count(), 3, "{name}");
            }
        }
    }

    #[test]
    fn different_parts_never_share_a_name() {
        let long = "x".repeat(100);
        let parts = [
            "",
            "a",
            "a:",
            ":a",
            "a%3A",
            "a~",
            "A",
            &long,
            &format!("{long}y"),
            &"x".repeat(73),
            &"x".repeat(72),
        ];
        let names: std::collections::HashSet<_> = parts
            .iter()
            .flat_map(|a| parts.map(|b| named(a, b, "")))
            .collect();
        assert_eq!(names.len(), parts.len() * parts.len());
    }

    #[test]
    fn a_name_says_its_function_unless_it_was_cut() {
        for function in ["", "m.f", "a:b", "a b\n", "é\u{1f600}", "<locals>", "50%"] {
            let name = named("shop", function, "1");
            assert_eq!(function_of("shop", &name).as_deref(), Some(function));
        }
        assert_eq!(
            function_of("shop", &named("shop", &"x".repeat(97), "")),
            None
        );
        for strange in ["shop:", "shop:%", "shop:%4:", "shop:%zz:", "other:f:"] {
            assert_eq!(function_of("shop", strange), None, "{strange}");
        }
    }

    #[test]
    fn every_part_of_the_header_counts() {
        let digest = |header: Header<'_>, arguments: &[u8]| {
            *Digest::new(&header, arguments).unwrap().as_bytes()
        };
        let base = digest(HEADER, b"\x11\x05");
        assert_ne!(base, digest(HEADER, b"\x11\x06"));
        assert_ne!(
            base,
            digest(
                Header {
                    function: "m.g",
                    ..HEADER
                },
                b"\x11\x05"
            )
        );
        assert_ne!(
            base,
            digest(
                Header {
                    version: "2",
                    ..HEADER
                },
                b"\x11\x05"
            )
        );
        assert_ne!(
            base,
            digest(
                Header {
                    parameters: &["a"],
                    ..HEADER
                },
                b"\x11\x05"
            )
        );
        assert_ne!(
            base,
            digest(
                Header {
                    parameters: &["ab", ""],
                    ..HEADER
                },
                b"\x11\x05"
            )
        );
    }
}
