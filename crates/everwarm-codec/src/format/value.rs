//! A value of any type as a tree: what the wire says, without the language that said it.

use super::extension::{Content, Extension};
use super::reader::{MAX_LEVELS, Malformed, Reader, Token};
use super::writer::{Beyond, Writer};

/// A value. Equality is that of the bytes: floats by their bits, the pairs of dicts and the elements of sets in their order.
#[derive(Clone, Debug)]
pub enum Value {
    /// None.
    None,
    /// A truth value.
    Bool(bool),
    /// An int of 64 bits, with or without a sign. What is beyond is written as the bytes of [`Extension::Int`].
    Int(i128),
    /// A float.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A dict, in its order.
    Dict(Vec<(Value, Value)>),
    /// An extension that is its bytes.
    Raw(Extension, Vec<u8>),
    /// An extension that is one value.
    One(Extension, Box<Value>),
    /// An extension that is bytes, with the value that describes them.
    Tail(Extension, Box<Value>, Vec<u8>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Int(one), Self::Int(two)) => one == two,
            (Self::Float(one), Self::Float(two)) => one.to_bits() == two.to_bits(),
            (Self::Text(one), Self::Text(two)) => one == two,
            (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::List(one), Self::List(two)) => one == two,
            (Self::Dict(one), Self::Dict(two)) => one == two,
            (Self::Raw(kind, one), Self::Raw(other, two)) => kind == other && one == two,
            (Self::One(kind, one), Self::One(other, two)) => kind == other && one == two,
            (Self::Tail(kind, of, one), Self::Tail(other, by, two)) => {
                kind == other && of == by && one == two
            }
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// The value that these bytes are.
    ///
    /// ```
    /// use everwarm_codec::format::{Extension, Value};
    ///
    /// let pair = Value::One(Extension::Tuple, Box::new(Value::List(vec![Value::Int(1), Value::Bool(true)])));
    /// let mut bytes = Vec::new();
    /// pair.write(&mut bytes, 1024)?;
    /// assert_eq!(Value::read(&bytes)?, pair);
    /// assert!(Value::read(&bytes[1..]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they are none.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let value = Self::next(&mut reader, 0)?;
        reader.finish()?;
        Ok(value)
    }

    fn next(reader: &mut Reader<'_>, level: usize) -> Result<Self, Malformed> {
        if level > MAX_LEVELS {
            return Err(Malformed::Deep);
        }
        Ok(match reader.token()? {
            Token::None => Self::None,
            Token::Bool(value) => Self::Bool(value),
            Token::Int(value) => Self::Int(value.into()),
            Token::Uint(value) => Self::Int(value.into()),
            Token::Float(value) => Self::Float(value),
            Token::Text(text) => Self::Text(
                std::str::from_utf8(text)
                    .map_err(|_| Malformed::Text)?
                    .to_owned(),
            ),
            Token::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Token::List(count) => {
                let mut elements = Vec::new();
                for _ in 0..count {
                    elements.push(Self::next(reader, level + 1)?);
                }
                Self::List(elements)
            }
            Token::Dict(count) => {
                let mut pairs = Vec::new();
                for _ in 0..count {
                    let key = Self::next(reader, level + 1)?;
                    pairs.push((key, Self::next(reader, level + 1)?));
                }
                Self::Dict(pairs)
            }
            Token::Extension(extension, bytes) => Self::extension(extension, bytes, level)?,
        })
    }

    fn extension(extension: Extension, bytes: &[u8], level: usize) -> Result<Self, Malformed> {
        if extension.content() == Content::Raw {
            return if extension.takes(bytes) {
                Ok(Self::Raw(extension, bytes.to_vec()))
            } else {
                Err(Malformed::Content(extension))
            };
        }
        let mut reader = Reader::new(bytes);
        let value = Self::next(&mut reader, level + 1)?;
        if !extension.fits(&value) {
            return Err(Malformed::Content(extension));
        }
        if extension.content() == Content::Tail {
            return Ok(Self::Tail(
                extension,
                Box::new(value),
                reader.tail()?.to_vec(),
            ));
        }
        reader.finish()?;
        Ok(Self::One(extension, Box::new(value)))
    }

    /// Appends the bytes of this value.
    ///
    /// # Errors
    /// If they are more than `limit`; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>, limit: usize) -> Result<(), Beyond> {
        let mut writer = Writer::new(out, limit);
        self.write_to(&mut writer);
        writer.finish()
    }

    fn write_to(&self, writer: &mut Writer<'_>) {
        match self {
            Self::None => writer.none(),
            Self::Bool(value) => writer.bool(*value),
            Self::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => writer.int(value),
                (_, Ok(value)) => writer.uint(value),
                _ => writer.big_int(&value.to_le_bytes()),
            },
            Self::Float(value) => writer.float(*value),
            Self::Text(text) => writer.text(text.as_bytes()),
            Self::Bytes(bytes) => writer.bytes(bytes),
            Self::List(elements) => {
                writer.list(elements.len());
                elements.iter().for_each(|element| element.write_to(writer));
            }
            Self::Dict(pairs) => {
                writer.dict(pairs.len());
                for (key, value) in pairs {
                    key.write_to(writer);
                    value.write_to(writer);
                }
            }
            Self::Raw(extension, bytes) => writer.raw(*extension, bytes),
            Self::One(extension, value) => {
                let opened = writer.open(*extension);
                value.write_to(writer);
                writer.close(opened);
            }
            Self::Tail(extension, value, bytes) => {
                let opened = writer.open(*extension);
                value.write_to(writer);
                writer.tail(bytes);
                writer.close(opened);
            }
        }
    }
}
