//! The reader of canonical encodings: strict, so that what it accepts is exactly what the writer makes.

use std::fmt;

use super::{Class, MAX_DEPTH, MAX_INLINE_CONTENT, MAX_KEY, Value, tag};

/// Bytes that are no canonical encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where reading stopped.
    pub at: usize,
    /// What is wrong there.
    pub why: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "byte {}: {}", self.at, self.why)
    }
}

impl std::error::Error for Malformed {}

/// The one value that `bytes` are the encoding of.
///
/// ```
/// use everwarm_core::key::{decode, Writer};
///
/// let mut writer = Writer::new();
/// writer.open_tuple(2)?;
/// writer.int(-5);
/// writer.str("sku");
/// writer.close();
/// assert_eq!(decode(writer.as_bytes())?.to_string(), r#"(-5, "sku")"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Malformed`] for all other bytes.
pub fn decode(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.outer()?;
    if reader.at < bytes.len() {
        reader.fail("bytes after the value")
    } else {
        Ok(value)
    }
}

/// The values that `bytes` are the encodings of, one after another: the arguments of a call.
///
/// # Errors
///
/// [`Malformed`] for all other bytes.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Value>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    if bytes.first() == Some(&tag::KEY_DIGEST) {
        return decode(bytes).map(|digest| vec![digest]);
    }
    let mut values = Vec::new();
    while reader.at < bytes.len() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, why: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, why })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        match self.bytes[self.at..].get(..count) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => self.fail("ends too early"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return match usize::try_from(value) {
                    Ok(value) if byte > 0 || shift == 0 => Ok(value),
                    _ => self.fail("a length that is not minimal"),
                };
            }
        }
        self.fail("a length beyond 63 bits")
    }

    /// A length that the tag could not have carried.
    fn long(&mut self, short: usize, why: &'static str) -> Result<usize, Malformed> {
        let len = self.varint()?;
        if len <= short {
            self.fail(why)
        } else {
            Ok(len)
        }
    }

    fn outer(&mut self) -> Result<Value, Malformed> {
        if self.bytes.first() == Some(&tag::KEY_DIGEST) {
            self.at = 1;
            return self.digest(tag::KEY_DIGEST, MAX_KEY);
        }
        self.value(0)
    }

    fn digest(&mut self, tag: u8, above: usize) -> Result<Value, Malformed> {
        let len = self.long(above, "a digest of what is short enough")?;
        Ok(Value::Digest(tag, len, self.array()?))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        let tag = self.byte()?;
        Ok(match tag {
            tag::NONE => Value::None,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::ELLIPSIS => Value::Ellipsis,
            tag::FLOAT => Value::Float(self.float()?),
            tag::COMPLEX => Value::Complex(self.float()?, self.float()?),
            tag::INT..=tag::INT_LONG => self.int(false, tag - tag::INT)?,
            tag::NEGATIVE..=tag::NEGATIVE_LONG => self.int(true, tag - tag::NEGATIVE)?,
            tag::STR..tag::STR_LONG => Value::Str(self.text((tag - tag::STR).into())?),
            tag::STR_LONG => {
                let len = self.content(tag::STR_SHORT)?;
                Value::Str(self.text(len)?)
            }
            tag::BYTES..tag::BYTES_LONG => {
                Value::Bytes(self.take((tag - tag::BYTES).into())?.to_vec())
            }
            tag::BYTES_LONG => {
                let len = self.content(tag::BYTES_SHORT)?;
                Value::Bytes(self.take(len)?.to_vec())
            }
            tag::BYTEARRAY => {
                let len = self.varint()?;
                if len > MAX_INLINE_CONTENT {
                    return self.fail("content that must be a digest");
                }
                Value::ByteArray(self.take(len)?.to_vec())
            }
            tag::STR_DIGEST | tag::BYTES_DIGEST | tag::BYTEARRAY_DIGEST => {
                self.digest(tag, MAX_INLINE_CONTENT)?
            }
            tag::CLASS => Value::Class(self.class()?),
            tag::DEFAULT => Value::Default(self.name()?),
            _ if depth >= MAX_DEPTH => return self.fail("nested too deep"),
            _ => self.container(tag, depth + 1)?,
        })
    }

    fn container(&mut self, tag: u8, depth: usize) -> Result<Value, Malformed> {
        Ok(match tag {
            tag::TUPLE..tag::TUPLE_LONG => {
                Value::Tuple(self.values((tag - tag::TUPLE).into(), depth)?)
            }
            tag::TUPLE_LONG => {
                let count = self.long(tag::SEQUENCE_SHORT, "a count that the tag carries")?;
                Value::Tuple(self.values(count, depth)?)
            }
            tag::LIST..tag::LIST_LONG => Value::List(self.values((tag - tag::LIST).into(), depth)?),
            tag::LIST_LONG => {
                let count = self.long(tag::SEQUENCE_SHORT, "a count that the tag carries")?;
                Value::List(self.values(count, depth)?)
            }
            tag::SET => Value::Set(self.parts(|reader| reader.value(depth))?),
            tag::FROZENSET => Value::FrozenSet(self.parts(|reader| reader.value(depth))?),
            tag::DICT => {
                Value::Dict(self.parts(|reader| Ok((reader.value(depth)?, reader.value(depth)?)))?)
            }
            tag::KNOWN => Value::Known(self.byte()?, self.value(depth)?.into()),
            tag::RECORD => {
                let class = self.class()?;
                let count = self.varint()?;
                let fields = (0..count).map(|_| Ok((self.name()?, self.value(depth)?)));
                Value::Record(class, fields.collect::<Result<_, _>>()?)
            }
            tag::DECLARED => Value::Declared(self.class()?, self.value(depth)?.into()),
            tag::MEMBER => Value::Member(self.class()?, self.value(depth)?.into()),
            tag::FLAGS => Value::Flags(self.class()?, self.value(depth)?.into()),
            _ => return self.fail("no such tag"),
        })
    }

    fn values(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, Malformed> {
        (0..count).map(|_| self.value(depth)).collect()
    }

    fn parts<T>(
        &mut self,
        mut part: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.varint()?;
        let mut parts = Vec::new();
        let mut last: &[u8] = &[];
        for _ in 0..count {
            let from = self.at;
            parts.push(part(self)?);
            if self.bytes[from..self.at] < *last {
                return self.fail("parts out of order");
            }
            last = &self.bytes[from..self.at];
        }
        Ok(parts)
    }

    fn float(&mut self) -> Result<u64, Malformed> {
        let bits = u64::from_be_bytes(self.array()?);
        if f64::from_bits(bits).is_nan() && bits != f64::NAN.to_bits() {
            return self.fail("another NaN");
        }
        Ok(bits)
    }

    fn int(&mut self, negative: bool, short: u8) -> Result<Value, Malformed> {
        let count = if short > 8 {
            self.long(8, "a count that the tag carries")?
        } else {
            short.into()
        };
        let magnitude = self.take(count)?.to_vec();
        if magnitude.last() == Some(&0) || (negative && count == 0) {
            return self.fail("an integer that is not minimal");
        }
        Ok(Value::Int {
            negative,
            magnitude,
        })
    }

    fn content(&mut self, short: usize) -> Result<usize, Malformed> {
        let len = self.long(short, "a length that the tag carries")?;
        if len > MAX_INLINE_CONTENT {
            self.fail("content that must be a digest")
        } else {
            Ok(len)
        }
    }

    /// Generalized UTF-8: as UTF-8, but surrogates are code points like others.
    fn text(&mut self, len: usize) -> Result<Vec<u8>, Malformed> {
        let text = self.take(len)?;
        let mut rest = text;
        while let Err(error) = std::str::from_utf8(rest) {
            match &rest[error.valid_up_to()..] {
                [0xED, 0xA0..=0xBF, 0x80..=0xBF, after @ ..] => rest = after,
                _ => return self.fail("a text that is no generalized UTF-8"),
            }
        }
        Ok(text.to_vec())
    }

    fn name(&mut self) -> Result<String, Malformed> {
        match self.value(MAX_DEPTH)? {
            Value::Str(text) => {
                String::from_utf8(text).or_else(|_| self.fail("a name with surrogates"))
            }
            _ => self.fail("a name that is no text"),
        }
    }

    fn class(&mut self) -> Result<Class, Malformed> {
        match self.value(MAX_DEPTH)? {
            Value::Int {
                negative: false,
                magnitude,
            } if magnitude.len() <= 8 => {
                let mut number = [0; 8];
                number[..magnitude.len()].copy_from_slice(&magnitude);
                Ok(Class::Numbered(u64::from_le_bytes(number), self.name()?))
            }
            Value::Str(module) => match String::from_utf8(module) {
                Ok(module) => Ok(Class::Named(module, self.name()?)),
                Err(_) => self.fail("a module with surrogates"),
            },
            _ => self.fail("a class without a name"),
        }
    }
}
