//! Types of the standard library, by content.
//!
//! None of their modules is ever imported for this: whoever has an instance has imported it.

use everwarm_core::key::{Writer, tag::known};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::lasting::intern;

use super::classes::imported;
use super::exact;
use super::refusal::{At, CHOOSE, Encoded, Of, Stop};
use super::shape::{Reader, Shape};
use super::walk::{dict_content, elements, encode, fields, single, values};

/// The shape of a type of the standard library.
pub(super) fn find(class: &Bound<'_, PyType>) -> Result<Option<Shape>, Stop> {
    let (module, name) = (class.module()?, class.name()?);
    let (Ok(module), Ok(name)) = (module.to_str(), name.to_str()) else {
        return Ok(None);
    };
    let module = if module == "pathlib._local" {
        "pathlib"
    } else {
        module
    };
    match reader(module, name) {
        Some(reader) if is_genuine(class, module, name)? => Ok(Some(Shape::Known(reader))),
        _ => Ok(None),
    }
}

fn reader(module: &str, name: &str) -> Option<Reader> {
    Some(match (module, name) {
        ("datetime", "date") => date,
        ("datetime", "time") => time,
        ("datetime", "datetime") => datetime,
        ("datetime", "timedelta") => |obj, writer| {
            fields(
                obj,
                known::TIMEDELTA,
                &["days", "seconds", "microseconds"],
                writer,
            )
        },
        ("datetime", "timezone") => timezone,
        ("zoneinfo", "ZoneInfo") => zoneinfo,
        ("decimal", "Decimal") => decimal,
        ("fractions", "Fraction") => {
            |obj, writer| fields(obj, known::FRACTION, &["numerator", "denominator"], writer)
        }
        ("uuid", "UUID") => |obj, writer| {
            single(
                obj,
                known::UUID,
                &obj.getattr(intern!(obj.py(), "bytes"))?,
                writer,
            )
        },
        ("pathlib", "PosixPath" | "WindowsPath" | "PurePosixPath" | "PureWindowsPath") => {
            |obj, writer| named_text(obj, known::PATH, writer)
        }
        (
            "ipaddress",
            "IPv4Address" | "IPv6Address" | "IPv4Network" | "IPv6Network" | "IPv4Interface"
            | "IPv6Interface",
        ) => |obj, writer| named_text(obj, known::IP, writer),
        ("re", "Pattern") => {
            |obj, writer| fields(obj, known::PATTERN, &["pattern", "flags"], writer)
        }
        ("array", "array") => array,
        ("collections", "OrderedDict") => ordered_dict,
        ("collections", "deque") => deque,
        ("collections", "defaultdict") => default_dict,
        ("collections", "Counter") => |obj, writer| as_dict(obj, known::COUNTER, writer),
        ("collections", "ChainMap") => |obj, writer| {
            single(
                obj,
                known::CHAIN_MAP,
                &obj.getattr(intern!(obj.py(), "maps"))?,
                writer,
            )
        },
        ("builtins", "mappingproxy") => mapping_proxy,
        ("types", "SimpleNamespace") => |obj, writer| {
            single(
                obj,
                known::NAMESPACE,
                &obj.getattr(intern!(obj.py(), "__dict__"))?,
                writer,
            )
        },
        _ => return None,
    })
}

/// Whether a class is the one that the library calls so. A compiled-in type is, by its full name; tools that put
/// another class in its place, to freeze time for instance, do not change what the real one is.
pub(crate) fn is_genuine(class: &Bound<'_, PyType>, module: &str, name: &str) -> PyResult<bool> {
    if let Some(full) = exact::static_name(class).and_then(|full| full.to_str().ok()) {
        return Ok(full == name
            || full
                .strip_suffix(name)
                .and_then(|rest| rest.strip_suffix('.'))
                == Some(module));
    }
    Ok(imported(class.py(), module, name)?.is_some_and(|found| found.is(class)))
}

fn time(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    fields(
        obj,
        known::TIME,
        &["hour", "minute", "second", "microsecond", "fold", "tzinfo"],
        writer,
    )
}

fn date(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let Some(numbers) = exact::date_fields(obj) else {
        return fields(obj, known::DATE, &["year", "month", "day"], writer);
    };
    writer.open_known(known::DATE).of(obj)?;
    writer.open_tuple(numbers.len()).of(obj)?;
    numbers.into_iter().for_each(|number| writer.int(number));
    writer.close();
    writer.close();
    Ok(())
}

fn datetime(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let Some(numbers) = exact::datetime_fields(obj) else {
        let names = [
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "microsecond",
            "fold",
            "tzinfo",
        ];
        return fields(obj, known::DATETIME, &names, writer);
    };
    writer.open_known(known::DATETIME).of(obj)?;
    writer.open_tuple(numbers.len() + 1).of(obj)?;
    numbers.into_iter().for_each(|number| writer.int(number));
    encode(&obj.getattr(intern!(obj.py(), "tzinfo"))?, writer).at(|| ".tzinfo".to_owned())?;
    writer.close();
    writer.close();
    Ok(())
}

/// The offset, and the name where one was given: what the constructor was called with.
fn timezone(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    let given = obj.call_method0(intern!(py, "__getinitargs__"))?;
    let given = given.cast::<PyTuple>().map_err(PyErr::from)?;
    let offset = given.get_item(0)?;
    let part = |name: &str| offset.getattr(name)?.extract::<i64>();
    let micros = (part("days")? * 86_400 + part("seconds")?) * 1_000_000 + part("microseconds")?;
    writer.open_known(known::TIMEZONE).of(obj)?;
    writer.open_tuple(given.len()).of(obj)?;
    writer.int(micros);
    for name in given.iter().skip(1) {
        encode(&name, writer)?;
    }
    writer.close();
    writer.close();
    Ok(())
}

fn zoneinfo(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let key = obj.getattr(intern!(obj.py(), "key"))?;
    if !key.is_exact_instance_of::<PyString>() {
        return Err(Stop::refuse(
            obj,
            "it was read from a file and has no name",
            CHOOSE,
        ));
    }
    single(obj, known::ZONEINFO, &key, writer)
}

fn decimal(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let (sign, digits, exponent): (Bound<'_, PyAny>, Vec<u8>, Bound<'_, PyAny>) =
        obj.call_method0(intern!(obj.py(), "as_tuple"))?.extract()?;
    let digits: String = digits
        .into_iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    values(
        obj,
        known::DECIMAL,
        &[sign, PyString::new(obj.py(), &digits).into_any(), exponent],
        writer,
    )
}

/// The name of the class and the text: what the class is made from.
fn named_text(obj: &Bound<'_, PyAny>, number: u8, writer: &mut Writer) -> Encoded {
    values(
        obj,
        number,
        &[obj.get_type().name()?.into_any(), obj.str()?.into_any()],
        writer,
    )
}

fn array(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let content = [
        obj.getattr(intern!(obj.py(), "typecode"))?,
        obj.call_method0(intern!(obj.py(), "tobytes"))?,
    ];
    values(obj, known::ARRAY, &content, writer)
}

fn ordered_dict(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let pairs = elements(&obj.call_method0(intern!(obj.py(), "items"))?)?;
    writer.open_known(known::ORDERED_DICT).of(obj)?;
    writer.open_tuple(pairs.len()).of(obj)?;
    for pair in &pairs {
        encode(pair, writer).at(|| "{item}".to_owned())?;
    }
    if obj.len()? != pairs.len() {
        return Err(Stop::changed(obj));
    }
    writer.close();
    writer.close();
    Ok(())
}

fn deque(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let items = elements(obj)?;
    writer.open_known(known::DEQUE).of(obj)?;
    writer.open_tuple(2).of(obj)?;
    encode(&obj.getattr(intern!(obj.py(), "maxlen"))?, writer)?;
    writer.open_list(items.len()).of(obj)?;
    for (at, item) in items.iter().enumerate() {
        encode(item, writer).at(|| format!("[{at}]"))?;
    }
    if obj.len()? != items.len() {
        return Err(Stop::changed(obj));
    }
    writer.close();
    writer.close();
    writer.close();
    Ok(())
}

fn default_dict(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    writer.open_known(known::DEFAULT_DICT).of(obj)?;
    writer.open_tuple(2).of(obj)?;
    let factory = obj.getattr(intern!(obj.py(), "default_factory"))?;
    encode(&factory, writer).at(|| ".default_factory".to_owned())?;
    dict_content(obj.cast::<PyDict>().map_err(PyErr::from)?, writer)?;
    writer.close();
    writer.close();
    Ok(())
}

/// A subclass of dict that keeps nothing beside its pairs.
fn as_dict(obj: &Bound<'_, PyAny>, number: u8, writer: &mut Writer) -> Encoded {
    writer.open_known(number).of(obj)?;
    dict_content(obj.cast::<PyDict>().map_err(PyErr::from)?, writer)?;
    writer.close();
    Ok(())
}

fn mapping_proxy(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let copy = obj.call_method0(intern!(obj.py(), "copy"))?;
    match copy.cast_exact::<PyDict>() {
        Ok(dict) => single(obj, known::MAPPING_PROXY, dict, writer),
        Err(_) => Err(Stop::refuse(
            obj,
            "it shows something other than a dict",
            CHOOSE,
        )),
    }
}
