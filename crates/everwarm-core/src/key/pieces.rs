//! The pieces of a key: one for each argument, to say in which two keys differ.

use super::decode::decode_all;
use super::{Class, Value, tag};

/// Bytes of an identity: its tag and an address.
const IDENTITY: usize = 9;

/// The arguments of one key, apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// An instance that is keyed by its address.
    Identity(Vec<u8>),
    Value(Value),
}

impl Pieces {
    /// The pieces of an encoding of arguments; nothing for what is none, or is no more than a digest.
    ///
    /// ```
    /// use everwarm_core::key::{Pieces, Writer};
    ///
    /// let encoded = |text: &str| {
    ///     let mut writer = Writer::new();
    ///     writer.int(5);
    ///     writer.str(text);
    ///     Pieces::of(writer.as_bytes()).unwrap()
    /// };
    /// assert_eq!(encoded("a").differing(&encoded("b")), Some(vec![1]));
    /// assert_eq!(encoded("a").type_name(0).as_deref(), Some("int"));
    /// ```
    #[must_use]
    pub fn of(arguments: &[u8]) -> Option<Self> {
        if arguments.first() == Some(&tag::KEY_DIGEST) {
            return None;
        }
        let (identity, rest) = match arguments.split_at_checked(IDENTITY) {
            Some(parts) if arguments[0] == tag::IDENTITY => parts,
            _ => (&[][..], arguments),
        };
        let mut pieces = Vec::new();
        if !identity.is_empty() {
            pieces.push(Piece::Identity(identity.to_vec()));
        }
        pieces.extend(decode_all(rest).ok()?.into_iter().map(Piece::Value));
        Some(Self(pieces))
    }

    /// The places in which two keys differ; nothing if they have not the same number of pieces.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Option<Vec<usize>> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let places = 0..self.0.len();
        Some(places.filter(|at| self.0[*at] != other.0[*at]).collect())
    }

    /// The name of the type of the piece at a place, where the encoding says it.
    #[must_use]
    pub fn type_name(&self, at: usize) -> Option<String> {
        let Piece::Value(value) = self.0.get(at)? else {
            return None;
        };
        let name = match value {
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Ellipsis => "ellipsis",
            Value::Int { .. } => "int",
            Value::Float(_) => "float",
            Value::Complex(..) => "complex",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::ByteArray(_) => "bytearray",
            Value::Digest(tag::STR_DIGEST, ..) => "str",
            Value::Digest(tag::BYTES_DIGEST, ..) => "bytes",
            Value::Digest(tag::BYTEARRAY_DIGEST, ..) => "bytearray",
            Value::Tuple(_) => "tuple",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::FrozenSet(_) => "frozenset",
            Value::Dict(_) => "dict",
            Value::Class(_) => "type",
            Value::Record(class, _)
            | Value::Declared(class, _)
            | Value::Member(class, _)
            | Value::Flags(class, _) => {
                let (Class::Named(_, name) | Class::Numbered(_, name)) = class;
                name
            }
            Value::Digest(..) | Value::Known(..) | Value::Default(_) => return None,
        };
        Some(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;

    fn pieces(write: impl FnOnce(&mut Writer)) -> Pieces {
        let mut writer = Writer::new();
        write(&mut writer);
        Pieces::of(writer.as_bytes()).expect("an encoding")
    }

    #[test]
    fn instances_by_address_are_a_piece() {
        let one = pieces(|writer| {
            writer.identity(0xFEED_BEEF_0000);
            writer.int(1);
        });
        let other = pieces(|writer| {
            writer.identity(0xFEED_BEEF_0040);
            writer.str("1");
        });
        assert_eq!(one.differing(&other), Some(vec![0, 1]));
        assert_eq!(one.type_name(0), None);
        assert_eq!(
            (one.type_name(1), other.type_name(1)),
            (Some("int".into()), Some("str".into()))
        );
    }

    #[test]
    fn keys_of_other_lengths_are_not_compared() {
        assert_eq!(pieces(|_| {}).differing(&pieces(Writer::none)), None);
        assert_eq!(Pieces::of(&[tag::KEY_DIGEST]), None);
        assert_eq!(Pieces::of(&[0xFF]), None);
    }
}
