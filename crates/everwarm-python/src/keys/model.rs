//! Classes that declare their content: enumerations, named tuples, dataclasses, attrs, pydantic, msgspec.

use everwarm_core::key::Writer;
use pyo3::prelude::*;
use pyo3::types::{PyAnyMethods, PyDict, PyString, PyTuple, PyType};

use crate::lasting::intern;

use super::classes::{Name, derives, inherited, own};
use super::exact;
use super::refusal::{At, DECLARE, Encoded, Stop};
use super::shape::Shape;
use super::walk::{dict_content, encode};
use crate::texts;

/// The fields of a class, in order.
pub(super) struct Record {
    class: Name,
    fields: Vec<Field>,
    /// Attributes that hold further fields in a dict, where there are any.
    further: &'static [&'static str],
    /// Whether it is a named tuple: its fields are its elements, and an instance with more is refused.
    closed: bool,
}

struct Field {
    name: Py<PyString>,
    encoded: Box<[u8]>,
}

/// Where pydantic keeps what is no declared field.
const PYDANTIC: &[&str] = &["__pydantic_extra__", "__pydantic_private__"];

/// The shape of a class that declares its content.
pub(super) fn find(
    class: &Bound<'_, PyType>,
    former: Option<&Name>,
) -> Result<Option<Shape>, Stop> {
    let record = |names, further, closed| -> Result<Option<Shape>, Stop> {
        Ok(Some(Record::shape(
            Name::of(class, former)?,
            names,
            further,
            closed,
        )))
    };
    if derives(class, "enum", "Enum")? {
        let flags = derives(class, "enum", "Flag")?;
        let name = Name::of(class, former)?;
        return Ok(Some(if flags {
            Shape::Flags(name)
        } else {
            Shape::Member(name)
        }));
    }
    if let Some(names) = named_tuple_fields(class)? {
        return record(names, &[], true);
    }
    if derives(class, "msgspec", "Struct")? {
        if !class
            .getattr("__struct_config__")?
            .getattr("eq")?
            .is_truthy()?
        {
            return Ok(Some(compared_by_identity()));
        }
        return record(texts(&class.getattr("__struct_fields__")?)?, &[], false);
    }
    if let Some(base) = builtin_base(class)? {
        return Ok(own_fields(class)?.map(|_| {
            let why = format!("its fields say nothing of the `{base}` that it is as well");
            Shape::Refused(why, DECLARE)
        }));
    }
    if derives(class, "pydantic.main", "BaseModel")? {
        let Some(fields) = inherited(class, "__pydantic_fields__")? else {
            return Ok(None);
        };
        return record(texts(&fields)?, PYDANTIC, false);
    }
    match own_fields(class)? {
        Some(Some(names)) => record(names, &[], false),
        Some(None) => Ok(Some(compared_by_identity())),
        None => Ok(None),
    }
}

fn compared_by_identity() -> Shape {
    Shape::Refused(
        "its instances are compared by identity (eq=False)".to_owned(),
        DECLARE,
    )
}

/// The names of the fields that a dataclass or attrs class itself declares; no names where it has no equality.
#[allow(clippy::option_option)]
fn own_fields<'py>(
    class: &Bound<'py, PyType>,
) -> Result<Option<Option<Vec<Bound<'py, PyString>>>>, Stop> {
    let compared =
        |field: &Bound<'py, PyAny>, flag: &str| -> PyResult<Option<Bound<'py, PyString>>> {
            let name = field.getattr("name")?.cast_into::<PyString>()?;
            Ok(field.getattr(flag)?.is_truthy()?.then_some(name))
        };
    let mut names = Vec::new();
    if let Some(params) = own(class, "__dataclass_params__")? {
        if !params.getattr("eq")?.is_truthy()? {
            return Ok(Some(None));
        }
        let Some(fields) = inherited(class, "__dataclass_fields__")? else {
            return Ok(None);
        };
        for field in fields.call_method0("values")?.try_iter()? {
            let field = field?;
            // Class variables and init-only variables are listed too, and are no content.
            if field
                .getattr("_field_type")?
                .getattr("name")?
                .eq("_FIELD")?
            {
                names.extend(compared(&field, "compare")?);
            }
        }
        return Ok(Some(Some(names)));
    }
    if let Some(fields) = own(class, "__attrs_attrs__")? {
        if own(class, "__eq__")?.is_none() {
            return Ok(Some(None));
        }
        for field in fields.try_iter()? {
            names.extend(compared(&field?, "eq")?);
        }
        return Ok(Some(Some(names)));
    }
    Ok(None)
}

/// The fields of a named tuple: a class between whose bases and tuple there is nothing but named tuples.
pub(crate) fn named_tuple_fields<'py>(
    class: &Bound<'py, PyType>,
) -> PyResult<Option<Vec<Bound<'py, PyString>>>> {
    if !class.is_subclass_of::<PyTuple>()? {
        return Ok(None);
    }
    let Some(fields) = inherited(class, "_fields")? else {
        return Ok(None);
    };
    let static_bases = class.mro().iter().filter(|base| {
        base.cast::<PyType>()
            .is_ok_and(|base| exact::static_name(base).is_some())
    });
    if !fields.is_exact_instance_of::<PyTuple>() || static_bases.count() != 2 {
        return Ok(None);
    }
    texts(&fields).map(Some)
}

pub(crate) fn texts<'py>(names: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyString>>> {
    names
        .try_iter()?
        .map(|name| Ok(name?.cast_into::<PyString>()?))
        .collect()
}

/// The compiled-in type, other than object, that a class derives from.
pub(crate) fn builtin_base(class: &Bound<'_, PyType>) -> PyResult<Option<String>> {
    for base in class.mro().iter().skip(1) {
        let base = base.cast_into::<PyType>()?;
        if exact::static_name(&base)
            .is_some_and(|name| name != c"object" && name != c"typing.Generic")
        {
            return base.name().map(|name| Some(texts::of(&name)));
        }
    }
    Ok(None)
}

impl Record {
    fn shape(
        class: Name,
        names: Vec<Bound<'_, PyString>>,
        further: &'static [&'static str],
        closed: bool,
    ) -> Shape {
        let fields = names.into_iter().map(|name| {
            let mut writer = Writer::new();
            exact::try_exact_bound(&name, &mut writer);
            Field {
                encoded: writer.as_bytes().into(),
                name: name.unbind(),
            }
        });
        let fields = fields.collect();
        Shape::Record(Self {
            class,
            fields,
            further,
            closed,
        })
    }

    /// The name of the class.
    pub(super) fn name(&self) -> &Name {
        &self.class
    }

    /// Writes an instance by its fields.
    pub(super) fn encode(&self, obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
        let py = obj.py();
        if self.closed
            && obj
                .getattr_opt(intern!(py, "__dict__"))?
                .is_some_and(|own| own.len().is_ok_and(|len| len > 0))
        {
            return Err(Stop::refuse(
                obj,
                "it has attributes beside its fields",
                DECLARE,
            ));
        }
        // The elements of a tuple are read as such: what a class calls by the names of its fields may be another thing.
        let elements = if self.closed {
            obj.cast::<PyTuple>().ok()
        } else {
            None
        };
        if elements.is_some_and(|elements| elements.len() != self.fields.len()) {
            return Err(Stop::refuse(
                obj,
                "it has elements beside its fields",
                DECLARE,
            ));
        }
        let mut further = Vec::new();
        for &name in self.further {
            let more = obj.getattr(name)?;
            if let Ok(more) = more.cast_into_exact::<PyDict>()
                && !more.is_empty()
            {
                further.push((name, more));
            }
        }
        let count = self.fields.len() + further.len();
        self.class.open(obj, writer, |writer, class| {
            writer.open_record(class, count)
        })?;
        for (at, field) in self.fields.iter().enumerate() {
            writer.encoded(&field.encoded);
            let value = match elements {
                Some(elements) => elements.get_item(at)?,
                None => obj.getattr(field.name.bind(py))?,
            };
            encode(&value, writer).at(|| format!(".{}", texts::of(field.name.bind(py))))?;
        }
        for (name, more) in further {
            writer.str(name);
            dict_content(&more, writer).at(|| format!(".{name}"))?;
        }
        writer.close();
        Ok(())
    }
}
