//! The shape of a class: how its instances are written. Found once per class and version of the class.

use std::sync::Arc;

use everwarm_core::key::Writer;
use hashbrown::HashMap;
use parking_lot::RwLock;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::lasting::intern;

use super::classes::{Name, inherited, is_importable};
use super::model::{self, Record};
use super::refusal::{At, DECLARE, Encoded, Stop};
use super::walk;
use super::{exact, known, numpy, pandas, polars};

/// Writes an instance of a type that the specification knows.
pub(super) type Reader = fn(&Bound<'_, PyAny>, &mut Writer) -> Encoded;

/// How the instances of a class are written.
pub(super) enum Shape {
    /// By the key that they declare.
    Declared(Name),
    /// By their fields.
    Record(Record),
    /// By their name in the enumeration.
    Member(Name),
    /// By their number.
    Flags(Name),
    /// As the specification says.
    Known(Reader),
    /// Not at all: why, and what to do.
    Refused(String, &'static str),
}

impl Shape {
    /// The name that instances are written under.
    fn name(&self) -> Option<&Name> {
        match self {
            Self::Declared(name) | Self::Member(name) | Self::Flags(name) => Some(name),
            Self::Record(record) => Some(record.name()),
            Self::Known(_) | Self::Refused(..) => None,
        }
    }
}

/// Shapes by the address of their class, with the version of the class. A version belongs to one class only, so an
/// address that is used again, or a class that was changed, finds nothing.
static SHAPES: RwLock<Option<Shapes>> = RwLock::new(None);

type Shapes = HashMap<usize, (u32, Arc<Shape>), foldhash::fast::RandomState>;

/// Above this many classes all shapes are let go: programs that make classes without end stay bounded.
const MAX_SHAPES: usize = 4096;

/// Writes an instance of a class that is no exact built-in.
pub(super) fn encode(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    match &*shape_of(&obj.get_type())? {
        Shape::Known(reader) => reader(obj, writer),
        Shape::Record(record) => record.encode(obj, writer),
        Shape::Declared(name) => declared(obj, name, writer),
        Shape::Member(name) => {
            name.open(obj, writer, Writer::open_member)?;
            walk::encode(&obj.getattr(intern!(obj.py(), "_name_"))?, writer)?;
            writer.close();
            Ok(())
        }
        Shape::Flags(name) => {
            name.open(obj, writer, Writer::open_flags)?;
            walk::encode(&obj.getattr(intern!(obj.py(), "_value_"))?, writer)?;
            writer.close();
            Ok(())
        }
        Shape::Refused(why, hint) => Err(Stop::refuse(obj, why, hint)),
    }
}

fn declared(obj: &Bound<'_, PyAny>, name: &Name, writer: &mut Writer) -> Encoded {
    let key = obj.call_method0(intern!(obj.py(), "__cache_key__"))?;
    name.open(obj, writer, Writer::open_declared)?;
    walk::encode(&key, writer).at(|| ".__cache_key__()".to_owned())?;
    writer.close();
    Ok(())
}

fn shape_of(class: &Bound<'_, PyType>) -> Result<Arc<Shape>, Stop> {
    let address = class.as_type_ptr();
    let version = exact::version(address);
    let known = SHAPES
        .read()
        .as_ref()
        .and_then(|shapes| shapes.get(&(address as usize)).cloned());
    let former = match known {
        Some((known, shape)) if known == version && version != 0 => return Ok(shape),
        known => known.map(|(_, shape)| shape),
    };
    let shape = classify(class, former.as_deref().and_then(Shape::name))?;
    // Looking a class over gives it a version where it had none; whoever changed it meanwhile gave it another.
    let settled = exact::version(address);
    if settled == 0 || (version != 0 && version != settled) {
        return Ok(Arc::new(shape));
    }
    Ok(remember(address as usize, settled, Arc::new(shape)))
}

fn remember(address: usize, version: u32, shape: Arc<Shape>) -> Arc<Shape> {
    let mut replaced = None;
    let mut shapes = SHAPES.write();
    if shapes
        .as_ref()
        .is_none_or(|shapes| shapes.len() >= MAX_SHAPES)
    {
        replaced = shapes.replace(HashMap::default());
    }
    let mut former = None;
    let shape = match shapes.as_mut().and_then(|shapes| shapes.get(&address)) {
        // Another thread was first; its shape may hold a number that is in use.
        Some((known, first)) if *known == version => Arc::clone(first),
        _ => {
            former = shapes
                .as_mut()
                .and_then(|shapes| shapes.insert(address, (version, Arc::clone(&shape))));
            shape
        }
    };
    drop(shapes);
    drop((replaced, former));
    shape
}

fn classify(class: &Bound<'_, PyType>, former: Option<&Name>) -> Result<Shape, Stop> {
    if let Some(method) = inherited(class, "__cache_key__")? {
        if method.is_none() {
            return Ok(Shape::Refused(
                "its `__cache_key__` is None".to_owned(),
                DECLARE,
            ));
        }
        return Ok(Shape::Declared(Name::of(class, former)?));
    }
    if let Some(shape) = known::find(class)? {
        return Ok(shape);
    }
    if let Some(shape) = model::find(class, former)? {
        return Ok(shape);
    }
    for find in [numpy::find, pandas::find, polars::find] {
        if let Some(shape) = find(class)? {
            return Ok(shape);
        }
    }
    let why = match model::builtin_base(class)? {
        Some(base) => format!("it is a subclass of `{base}`, which says nothing of what it adds"),
        None => "its class does not say what it consists of".to_owned(),
    };
    Ok(Shape::Refused(why, DECLARE))
}

/// Whether an instance says what it is equal by. A class does by its name, if that leads to it.
pub(super) fn is_declared(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(class) = obj.cast::<PyType>() {
        return is_importable(class);
    }
    let class = obj.get_type();
    if exact::static_name(&class).is_some() {
        return Ok(true);
    }
    match shape_of(&class) {
        Ok(shape) => Ok(!matches!(&*shape, Shape::Refused(..))),
        Err(Stop::Refused(_)) => Ok(true),
        Err(Stop::Raised(error)) => Err(error),
    }
}
