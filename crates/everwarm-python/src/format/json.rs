//! Plain JSON: values that it has a type for, and no other.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use everwarm_codec::format::{Beyond, MAX_DEPTH};

use super::encode::too_large;
use super::raw;
use super::refused::{At, Of, Refused, Written, step};

/// What to do about what JSON has no type for.
const OTHER: &str = "return None, bool, int of 64 bits, finite float, str, and lists and dicts of these, or leave \
    `format=\"json\"` out";

/// Appends the text of `obj`.
pub(super) fn encode(obj: &Bound<'_, PyAny>, out: &mut Vec<u8>, limit: usize) -> Written {
    let start = out.len();
    let mut text = Text {
        out,
        end: start + limit,
        depth: 0,
    };
    let written = text.value(obj);
    let is_beyond = text.is_beyond();
    if written.is_err() || is_beyond {
        out.truncate(start);
    }
    written?;
    if is_beyond {
        return Err(too_large(obj, Beyond { limit }));
    }
    Ok(())
}

struct Text<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
    depth: usize,
}

impl Text<'_> {
    fn is_beyond(&self) -> bool {
        self.out.len() > self.end
    }

    fn value(&mut self, obj: &Bound<'_, PyAny>) -> Written {
        if let Ok(text) = obj.cast_exact::<PyString>() {
            return self.text(text);
        }
        if obj.is_none() {
            self.out.extend_from_slice(b"null");
        } else if let Ok(value) = obj.cast_exact::<PyBool>() {
            let text: &[u8] = if value.is_true() { b"true" } else { b"false" };
            self.out.extend_from_slice(text);
        } else if let Ok(value) = obj.cast_exact::<PyInt>() {
            let Ok(value) = value.extract::<i64>() else {
                return Err(Refused::new(obj, "it is beyond 64 bits", OTHER));
            };
            self.out.extend_from_slice(value.to_string().as_bytes());
        } else if let Ok(value) = obj.cast_exact::<PyFloat>() {
            if !value.value().is_finite() {
                return Err(Refused::new(obj, "JSON has finite numbers only", OTHER));
            }
            // The shortest digits that give back the same float; always with a point or an exponent.
            self.out
                .extend_from_slice(format!("{:?}", value.value()).as_bytes());
        } else {
            return self.compound(obj);
        }
        Ok(())
    }

    fn compound(&mut self, obj: &Bound<'_, PyAny>) -> Written {
        if self.depth == MAX_DEPTH {
            let why = format!("it is nested more than {MAX_DEPTH} levels deep, or contains itself");
            return Err(Refused::new(obj, why, OTHER));
        }
        if self.is_beyond() {
            return Ok(());
        }
        self.depth += 1;
        let written = if let Ok(dict) = obj.cast_exact::<PyDict>() {
            self.dict(dict)
        } else if let Ok(list) = obj.cast_exact::<PyList>() {
            self.list(list)
        } else {
            Err(Refused::new(
                obj,
                "JSON would give back another type",
                OTHER,
            ))
        };
        self.depth -= 1;
        written
    }

    fn list(&mut self, list: &Bound<'_, PyList>) -> Written {
        let count = list.len();
        self.out.push(b'[');
        for (at, item) in list.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.value(&item).at(|| format!("[{at}]"))?;
        }
        self.out.push(b']');
        if list.len() == count {
            Ok(())
        } else {
            Err(Refused::changed(list))
        }
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>) -> Written {
        self.out.push(b'{');
        for (at, (key, value)) in raw::pairs(dict).enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            let Ok(text) = key.cast_exact::<PyString>() else {
                let refused = Refused::new(&key, "keys of JSON are texts", OTHER);
                return Err(refused).at(|| "{key}".to_owned());
            };
            self.text(text).at(|| "{key}".to_owned())?;
            self.out.push(b':');
            self.value(&value).at(|| step(&key))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> Written {
        if self.is_beyond() {
            return Ok(());
        }
        let (utf8, surrogates) = raw::text(text).of(text)?;
        if surrogates {
            return Err(Refused::new(text, "it has lone surrogates", OTHER));
        }
        self.out.push(b'"');
        for &byte in &*utf8 {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                0..0x20 => self
                    .out
                    .extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
        Ok(())
    }
}
