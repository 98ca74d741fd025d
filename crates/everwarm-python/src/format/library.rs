//! Types of the standard library and of array libraries: which writer is whose.
//!
//! No module is imported to find a type: whoever has an instance has imported it.

use everwarm_codec::format::Extension;
use hashbrown::HashMap;
use parking_lot::RwLock;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::keys::classes::{derives, imported};
use crate::keys::exact;
use crate::keys::known::is_genuine;
use crate::lasting::intern;
use crate::modules;

use super::encode::Encoder;
use super::made::{PYDANTIC, TZOFFSET, TZUTC};
use super::refused::{At, CHOOSE, Of, Refused, Written};
use super::tail;

/// Writes an instance of a type.
pub(super) type Write = for<'py> fn(&mut Encoder<'_, 'py>, &Bound<'py, PyAny>) -> Written;

/// Writers by the address of their type. The types are held, so that no address is used again; they are as many as there
/// are lines below.
static WRITERS: RwLock<Option<Writers>> = RwLock::new(None);

type Writers = HashMap<usize, (Py<PyType>, Write), foldhash::fast::RandomState>;

/// What writes the instances of a type, if the specification knows it.
pub(super) fn writer_of(class: &Bound<'_, PyType>) -> PyResult<Option<Write>> {
    let address = class.as_type_ptr() as usize;
    let found = WRITERS
        .read()
        .as_ref()
        .and_then(|writers| writers.get(&address).map(|(_, write)| *write));
    if found.is_some() {
        return Ok(found);
    }
    let Some(write) = find(class)? else {
        return Ok(None);
    };
    let held = class.clone().unbind();
    let former = WRITERS
        .write()
        .get_or_insert_default()
        .insert(address, (held, write));
    drop(former);
    Ok(Some(write))
}

fn find(class: &Bound<'_, PyType>) -> PyResult<Option<Write>> {
    let (module, name) = (class.module()?, class.name()?);
    let (Ok(module), Ok(name)) = (module.to_str(), name.to_str()) else {
        return Ok(None);
    };
    let module = if module == "pathlib._local" {
        "pathlib"
    } else {
        module
    };
    if let Some(write) = of_library(module, name)
        && is_genuine(class, module, name)?
    {
        return Ok(Some(write));
    }
    if exact::static_name(class) == Some(c"numpy.ndarray") {
        return Ok(Some(|encoder, obj| {
            tail::array(encoder, obj, Extension::Array)
        }));
    }
    if derives(class, "numpy", "generic")? && exact::static_name(class).is_some() {
        return Ok(Some(|encoder, obj| {
            tail::array(encoder, obj, Extension::Scalar)
        }));
    }
    if let Some(write) = of_zones(class, module, name)? {
        return Ok(Some(write));
    }
    of_frames(class, module, name)
}

/// The writer of a library's own zones of one offset.
fn of_zones(class: &Bound<'_, PyType>, module: &str, name: &str) -> PyResult<Option<Write>> {
    let (place, write): (_, Write) = match (module.split('.').next(), name) {
        (Some("pydantic_core"), "TzInfo") => ("pydantic_core", |encoder, obj| {
            library_zone(encoder, obj, PYDANTIC)
        }),
        (Some("dateutil"), "tzutc") => ("dateutil.tz", |encoder, obj| {
            library_zone(encoder, obj, TZUTC)
        }),
        (Some("dateutil"), "tzoffset") => ("dateutil.tz", |encoder, obj| {
            library_zone(encoder, obj, TZOFFSET)
        }),
        _ => return Ok(None),
    };
    let genuine = imported(class.py(), place, name)?.is_some_and(|found| found.is(class));
    Ok(genuine.then_some(write))
}

/// The writer of a type of pandas, polars or pyarrow.
fn of_frames(class: &Bound<'_, PyType>, module: &str, name: &str) -> PyResult<Option<Write>> {
    let Some(root) = module.split('.').next() else {
        return Ok(None);
    };
    let write: Write = match (root, name) {
        ("pandas", "DataFrame") => |encoder, obj| tail::frame(encoder, obj, Extension::PandasFrame),
        ("pandas", "Series") => |encoder, obj| tail::frame(encoder, obj, Extension::PandasSeries),
        ("polars", "DataFrame") => |encoder, obj| tail::frame(encoder, obj, Extension::PolarsFrame),
        ("polars", "Series") => |encoder, obj| tail::frame(encoder, obj, Extension::PolarsSeries),
        ("pandas", "Timestamp" | "Timedelta") => pandas_scalar,
        // Each of the two marks is known by its one instance.
        ("pandas", "NaTType" | "NAType") => {
            let mark = &name[..name.len() - "Type".len()];
            let found = imported(class.py(), root, mark)?;
            let genuine = found.is_some_and(|found| found.get_type().is(class));
            return Ok(genuine.then_some(pandas_scalar as Write));
        }
        ("pyarrow", "Table") => |encoder, obj| tail::frame(encoder, obj, Extension::ArrowTable),
        _ => return Ok(None),
    };
    let genuine = imported(class.py(), root, name)?.is_some_and(|found| found.is(class));
    Ok(genuine.then_some(write))
}

fn of_library(module: &str, name: &str) -> Option<Write> {
    let write: Write = match (module, name) {
        ("datetime", "date") => date,
        ("datetime", "time") => |encoder, obj| encoder.attributes(obj, Extension::Time, TIME),
        ("datetime", "datetime") => datetime,
        ("datetime", "timedelta") => |encoder, obj| {
            encoder.attributes(
                obj,
                Extension::TimeDelta,
                &["days", "seconds", "microseconds"],
            )
        },
        ("datetime", "timezone") => offset,
        ("zoneinfo", "ZoneInfo") => zone,
        ("builtins", "memoryview") => |encoder, obj| tail::buffer(encoder, obj, Extension::View),
        ("array", "array") => |encoder, obj| tail::buffer(encoder, obj, Extension::Numbers),
        ("decimal", "Decimal") => |encoder, obj| {
            let text = obj.str().of(obj)?;
            let text = text.to_str().of(obj)?;
            encoder.writer.raw(Extension::Decimal, text.as_bytes());
            Ok(())
        },
        ("fractions", "Fraction") => |encoder, obj| {
            encoder.attributes(obj, Extension::Fraction, &["numerator", "denominator"])
        },
        ("uuid", "UUID") => uuid,
        ("pathlib", "PosixPath" | "WindowsPath" | "PurePosixPath" | "PureWindowsPath") => {
            |encoder, obj| named_text(encoder, obj, Extension::Path)
        }
        (
            "ipaddress",
            "IPv4Address" | "IPv6Address" | "IPv4Network" | "IPv6Network" | "IPv4Interface"
            | "IPv6Interface",
        ) => |encoder, obj| named_text(encoder, obj, Extension::Ip),
        ("collections", "OrderedDict") => ordered_dict,
        ("collections", "defaultdict") => default_dict,
        ("collections", "Counter") => |encoder, obj| {
            nothing_beside(obj)?;
            let opened = encoder.writer.open(Extension::Counter);
            encoder.dict(obj.cast::<PyDict>().map_err(PyErr::from).of(obj)?)?;
            encoder.writer.close(opened);
            Ok(())
        },
        ("collections", "deque") => deque,
        _ => return None,
    };
    Some(write)
}

const TIME: &[&str] = &["hour", "minute", "second", "microsecond", "fold", "tzinfo"];
const DATETIME: &[&str] = &[
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

fn date<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let Some(numbers) = exact::date_fields(obj) else {
        return Err(Refused::new(obj, "it is not the interpreter's own", CHOOSE));
    };
    let opened = encoder.writer.open(Extension::Date);
    encoder.writer.list(numbers.len());
    numbers
        .into_iter()
        .for_each(|number| encoder.writer.int(number));
    encoder.writer.close(opened);
    Ok(())
}

fn datetime<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let Some(numbers) = exact::datetime_fields(obj) else {
        return encoder.attributes(obj, Extension::DateTime, DATETIME);
    };
    let opened = encoder.writer.open(Extension::DateTime);
    encoder.writer.list(numbers.len() + 1);
    numbers
        .into_iter()
        .for_each(|number| encoder.writer.int(number));
    let zone = obj.getattr(intern!(encoder.py, "tzinfo")).of(obj)?;
    encoder.value(&zone).at(|| ".tzinfo".to_owned())?;
    encoder.writer.close(opened);
    Ok(())
}

/// The offset, and the name where one was given: what the constructor was called with.
fn offset<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let read = || -> PyResult<(i64, Bound<'py, PyTuple>)> {
        let given = obj.call_method0(intern!(obj.py(), "__getinitargs__"))?;
        let given = given.cast_into::<PyTuple>()?;
        Ok((micros_of(&given.get_item(0)?)?, given))
    };
    let (micros, given) = read().of(obj)?;
    let opened = encoder.writer.open(Extension::Offset);
    encoder.writer.list(given.len());
    encoder.writer.int(micros);
    for name in given.iter().skip(1) {
        encoder.value(&name)?;
    }
    encoder.writer.close(opened);
    Ok(())
}

fn micros_of(offset: &Bound<'_, PyAny>) -> PyResult<i64> {
    let part = |name: &str| offset.getattr(name)?.extract::<i64>();
    let seconds = part("days")? * 86_400 + part("seconds")?;
    Ok(seconds * 1_000_000 + part("microseconds")?)
}

/// The library's class by the name it has in the specification, the offset, and the name where one was given.
fn library_zone<'py>(
    encoder: &mut Encoder<'_, 'py>,
    obj: &Bound<'py, PyAny>,
    class: &'static str,
) -> Written {
    let py = encoder.py;
    let read = || -> PyResult<(i64, Option<Bound<'py, PyString>>, bool)> {
        let offset = obj.call_method1(intern!(py, "utcoffset"), (py.None(),))?;
        let micros = micros_of(&offset)?;
        let name = match class {
            TZOFFSET => obj
                .call_method1(intern!(py, "tzname"), (py.None(),))?
                .extract()?,
            _ => None,
        };
        // Not every release lets others make its zones.
        let back = super::made::library_zone(py, class, micros, name.as_ref())?;
        Ok((
            micros,
            name,
            back.is_some_and(|back| back.eq(obj).unwrap_or(false)),
        ))
    };
    let (micros, name, is_same) = read().of(obj)?;
    if !is_same {
        return Err(Refused::new(
            obj,
            "its library would give back another",
            CHOOSE,
        ));
    }
    let opened = encoder.writer.open(Extension::LibraryZone);
    encoder.writer.list(2 + usize::from(name.is_some()));
    encoder.writer.text(class.as_bytes());
    encoder.writer.int(micros);
    if let Some(name) = name {
        encoder.text(&name)?;
    }
    encoder.writer.close(opened);
    Ok(())
}

fn zone<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let key = obj.getattr(intern!(obj.py(), "key")).of(obj)?;
    if !key.is_exact_instance_of::<PyString>() {
        return Err(Refused::new(
            obj,
            "it was read from a file and has no name",
            CHOOSE,
        ));
    }
    encoder.single(Extension::Zone, &key)
}

/// Sixteen bytes, and one more where it is known whether it was made in a way that is safe between processes.
fn uuid<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let read = || -> PyResult<Vec<u8>> {
        let mut bytes: Vec<u8> = obj.getattr(intern!(obj.py(), "bytes"))?.extract()?;
        let safe = obj
            .getattr(intern!(obj.py(), "is_safe"))?
            .getattr("value")?;
        if !safe.is_none() {
            bytes.push(safe.extract::<i8>()?.cast_unsigned());
        }
        Ok(bytes)
    };
    encoder.writer.raw(Extension::Uuid, &read().of(obj)?);
    Ok(())
}

/// The name of the class and the text: what the class is made from.
fn named_text<'py>(
    encoder: &mut Encoder<'_, 'py>,
    obj: &Bound<'py, PyAny>,
    extension: Extension,
) -> Written {
    let name = obj.get_type().name().of(obj)?;
    let text = obj.str().of(obj)?;
    let opened = encoder.writer.open(extension);
    encoder.writer.list(2);
    encoder.text(&name)?;
    encoder.text(&text)?;
    encoder.writer.close(opened);
    Ok(())
}

fn ordered_dict<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    nothing_beside(obj)?;
    // Its order is its own, not that of the dict that it is as well.
    let items = obj.call_method0(intern!(obj.py(), "items")).of(obj)?;
    let pairs = encoder.elements(&items)?;
    let opened = encoder.writer.open(Extension::OrderedDict);
    encoder.writer.dict(pairs.len());
    for pair in &pairs {
        let (key, value) = pair
            .extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()
            .of(obj)?;
        encoder.value(&key).at(|| "{key}".to_owned())?;
        encoder.value(&value).at(|| super::refused::step(&key))?;
    }
    encoder.writer.close(opened);
    Ok(())
}

/// What a `defaultdict` may make what it lacks with.
pub(super) const FACTORIES: &[&str] = &[
    "bool",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "set",
    "str",
    "tuple",
];

fn default_dict<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    nothing_beside(obj)?;
    let factory = obj.getattr(intern!(obj.py(), "default_factory")).of(obj)?;
    let opened = encoder.writer.open(Extension::DefaultDict);
    encoder.writer.list(2);
    if factory.is_none() {
        encoder.writer.none();
    } else {
        let name = factory
            .cast::<PyType>()
            .ok()
            .and_then(|class| exact::static_name(class))
            .and_then(|name| name.to_str().ok())
            .filter(|name| FACTORIES.contains(name));
        let Some(name) = name else {
            let why = "its default factory is neither None nor a plain built-in type";
            return Err(Refused::new(obj, why, CHOOSE));
        };
        encoder.writer.text(name.as_bytes());
    }
    encoder.dict(obj.cast::<PyDict>().map_err(PyErr::from).of(obj)?)?;
    encoder.writer.close(opened);
    Ok(())
}

fn deque<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let items = encoder.elements(obj)?;
    let opened = encoder.writer.open(Extension::Deque);
    encoder.writer.list(2);
    let most = obj.getattr(intern!(obj.py(), "maxlen")).of(obj)?;
    encoder.value(&most)?;
    encoder.writer.list(items.len());
    for (at, item) in items.iter().enumerate() {
        encoder.value(item).at(|| format!("[{at}]"))?;
    }
    encoder.writer.close(opened);
    Ok(())
}

fn pandas_scalar<'py>(encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
    let said = modules::own(encoder.py, tail::FRAMES)
        .and_then(|module| module.call_method1(intern!(encoder.py, "said_of"), (obj,)));
    let said = said.map_err(|error| tail::refused(obj, error))?;
    encoder.single(Extension::PandasScalar, &said)
}

/// Refuses a container with attributes of its own, which have no place in its bytes.
fn nothing_beside(obj: &Bound<'_, PyAny>) -> Written {
    let own = obj.getattr_opt(intern!(obj.py(), "__dict__")).of(obj)?;
    match own {
        Some(own) if own.len().is_ok_and(|len| len > 0) => Err(Refused::new(
            obj,
            "it has attributes beside its content",
            CHOOSE,
        )),
        _ => Ok(()),
    }
}
