//! Classes whose instances are stored by their fields, and rebuilt without running what made them.

use everwarm_codec::format::{Extension, Malformed};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyTuple, PyType};

use crate::keys::classes::{derives, inherited, own};
use crate::keys::model::{builtin_base, named_tuple_fields, texts};
use crate::lasting::intern;

use super::decode::{Read, Stop};
use super::encode::Encoder;
use super::raw;
use super::refused::{At, CHOOSE, Of, Refused, Written};
use crate::texts;

/// A class that may be rebuilt.
pub(crate) struct Class {
    class: Py<PyType>,
    /// What the bytes call it.
    name: String,
    form: Form,
    fields: Vec<Field>,
}

struct Field {
    name: Py<PyString>,
    text: String,
}

/// What sort of class it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Member,
    Flags,
    NamedTuple,
    Struct,
    Model,
    /// A dataclass or a class of attrs.
    Fields,
}

/// Why instances of a class cannot be stored.
pub(super) type Unfit = String;

/// What pydantic keeps beside the fields, in slots of these names.
const FIELDS_SET: &str = "__pydantic_fields_set__";
const EXTRA: &str = "__pydantic_extra__";
const PRIVATE: &str = "__pydantic_private__";

/// The name that the bytes give a class: what it says itself, else module and qualified name.
pub(super) fn name_of(class: &Bound<'_, PyType>) -> PyResult<String> {
    let py = class.py();
    match own(class, "__cache_name__")? {
        Some(name) => name.extract(),
        None => {
            let module = class.getattr(intern!(py, "__module__"))?.str()?;
            let name = class.qualname()?;
            Ok(format!("{}:{}", texts::of(&module), texts::of(&name)))
        }
    }
}

impl Class {
    /// How instances of `class` are stored, or why they cannot be.
    pub(super) fn of(class: &Bound<'_, PyType>) -> PyResult<Result<Self, Unfit>> {
        let (form, names) = match Self::form_of(class)? {
            Ok(found) => found,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let text = name.to_str()?.to_owned();
            let name = name.unbind();
            fields.push(Field { name, text });
        }
        if form == Form::Fields
            && let Some(slot) = foreign_slot(class, &fields)?
        {
            return Ok(Err(format!("its slot `{slot}` is none of its fields")));
        }
        Ok(Ok(Self {
            class: class.clone().unbind(),
            name: name_of(class)?,
            form,
            fields,
        }))
    }

    #[allow(clippy::type_complexity)]
    fn form_of<'py>(
        class: &Bound<'py, PyType>,
    ) -> PyResult<Result<(Form, Vec<Bound<'py, PyString>>), Unfit>> {
        if derives(class, "enum", "Enum")? {
            let form = if derives(class, "enum", "Flag")? {
                Form::Flags
            } else {
                Form::Member
            };
            return Ok(Ok((form, Vec::new())));
        }
        if let Some(names) = named_tuple_fields(class)? {
            return Ok(Ok((Form::NamedTuple, names)));
        }
        if derives(class, "msgspec", "Struct")? {
            let names = texts(&class.getattr("__struct_fields__")?)?;
            return Ok(Ok((Form::Struct, names)));
        }
        if let Some(base) = builtin_base(class)? {
            return Ok(Err(format!(
                "it is a subclass of `{base}`, which says nothing of what it adds"
            )));
        }
        if derives(class, "pydantic.main", "BaseModel")?
            && let Some(fields) = inherited(class, "__pydantic_fields__")?
        {
            return Ok(Ok((Form::Model, texts(&fields)?)));
        }
        Ok(match declared_fields(class)? {
            Some(names) => Ok((Form::Fields, names)),
            None => Err("its class does not say what it consists of".to_owned()),
        })
    }

    /// What the bytes call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The class itself.
    pub(super) fn class(&self) -> &Py<PyType> {
        &self.class
    }

    /// Writes an instance.
    pub(super) fn write<'py>(
        &self,
        encoder: &mut Encoder<'_, 'py>,
        obj: &Bound<'py, PyAny>,
    ) -> Written {
        let py = obj.py();
        match self.form {
            Form::Member => {
                let name = obj.getattr(intern!(py, "_name_")).of(obj)?;
                let known = self.member(&name).of(obj)?;
                if !known.is_some_and(|known| known.is(obj)) {
                    return Err(Refused::new(obj, "its name does not lead to it", CHOOSE));
                }
                self.named(encoder, Extension::Member, &name)
            }
            Form::Flags => {
                let value = obj.getattr(intern!(py, "_value_")).of(obj)?;
                self.named(encoder, Extension::Flags, &value)
            }
            Form::NamedTuple => self.write_named_tuple(encoder, obj),
            Form::Model => self.write_model(encoder, obj),
            Form::Struct | Form::Fields => self.write_fields(encoder, obj),
        }
    }

    fn named<'py>(
        &self,
        encoder: &mut Encoder<'_, 'py>,
        extension: Extension,
        value: &Bound<'py, PyAny>,
    ) -> Written {
        let opened = encoder.writer.open(extension);
        encoder.writer.list(2);
        encoder.writer.text(self.name.as_bytes());
        encoder.value(value)?;
        encoder.writer.close(opened);
        Ok(())
    }

    fn member<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = name.py();
        let members = self.class.bind(py).getattr(intern!(py, "__members__"))?;
        if members.contains(name)? {
            members.get_item(name).map(Some)
        } else {
            Ok(None)
        }
    }

    fn write_named_tuple<'py>(
        &self,
        encoder: &mut Encoder<'_, 'py>,
        obj: &Bound<'py, PyAny>,
    ) -> Written {
        nothing_beside(obj, |_| false)?;
        let elements = obj.cast::<PyTuple>().map_err(PyErr::from).of(obj)?;
        if elements.len() != self.fields.len() {
            return Err(Refused::new(
                obj,
                "it has elements beside its fields",
                CHOOSE,
            ));
        }
        let opened = self.open(encoder, elements.len());
        for (field, value) in self.fields.iter().zip(elements.iter()) {
            field.write(encoder, &value)?;
        }
        encoder.writer.close(opened);
        Ok(())
    }

    fn write_fields<'py>(
        &self,
        encoder: &mut Encoder<'_, 'py>,
        obj: &Bound<'py, PyAny>,
    ) -> Written {
        let py = obj.py();
        nothing_beside(obj, |name| self.field(name).is_some())?;
        let opened = self.open(encoder, self.fields.len());
        for field in &self.fields {
            let value = obj.getattr(field.name.bind(py)).of(obj)?;
            field.write(encoder, &value)?;
        }
        encoder.writer.close(opened);
        Ok(())
    }

    fn write_model<'py>(&self, encoder: &mut Encoder<'_, 'py>, obj: &Bound<'py, PyAny>) -> Written {
        let py = obj.py();
        nothing_beside(obj, |name| self.field(name).is_some())?;
        let given = obj.getattr(FIELDS_SET).of(obj)?;
        let more = [EXTRA, PRIVATE].map(|name| (name, obj.getattr(name)));
        let opened = self.open(encoder, self.fields.len() + 1 + more.len());
        for field in &self.fields {
            let value = obj.getattr(field.name.bind(py)).of(obj)?;
            field.write(encoder, &value)?;
        }
        encoder.writer.text(FIELDS_SET.as_bytes());
        encoder.value(&given).at(|| format!(".{FIELDS_SET}"))?;
        for (name, value) in more {
            encoder.writer.text(name.as_bytes());
            encoder.value(&value.of(obj)?).at(|| format!(".{name}"))?;
        }
        encoder.writer.close(opened);
        Ok(())
    }

    fn open(&self, encoder: &mut Encoder<'_, '_>, count: usize) -> everwarm_codec::format::Opened {
        let opened = encoder.writer.open(Extension::Record);
        encoder.writer.list(2);
        encoder.writer.text(self.name.as_bytes());
        encoder.writer.dict(count);
        opened
    }

    fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.text == name)
    }

    /// The member that is called so.
    pub(super) fn read_member<'py>(&self, name: &Bound<'py, PyAny>) -> Read<'py> {
        if self.form != Form::Member {
            return Err(Malformed::Content(Extension::Member).into());
        }
        self.member(name)?
            .ok_or_else(|| Malformed::Content(Extension::Member).into())
    }

    /// The flags of this value.
    pub(super) fn read_flags<'py>(&self, value: &Bound<'py, PyAny>) -> Read<'py> {
        if self.form != Form::Flags {
            return Err(Malformed::Content(Extension::Flags).into());
        }
        Ok(self.class.bind(value.py()).call1((value,))?)
    }

    /// The instance of these fields; each is given by its name, in any order.
    pub(super) fn rebuild<'py>(
        &self,
        py: Python<'py>,
        given: Vec<(&[u8], Bound<'py, PyAny>)>,
    ) -> Read<'py> {
        let mut values: Vec<Option<Bound<'py, PyAny>>> = vec![None; self.fields.len()];
        let mut more = Vec::new();
        for (at, (name, value)) in given.into_iter().enumerate() {
            let place = match self.fields.get(at) {
                Some(field) if field.text.as_bytes() == name => Some(at),
                _ => std::str::from_utf8(name)
                    .ok()
                    .and_then(|name| self.field(name)),
            };
            match place {
                Some(place) if values[place].is_none() => values[place] = Some(value),
                None if self.form == Form::Model => more.push((name, value)),
                _ => return Err(Malformed::Content(Extension::Record).into()),
            }
        }
        let values: Option<Vec<_>> = values.into_iter().collect();
        let values = values.ok_or(Malformed::Content(Extension::Record))?;
        match self.form {
            Form::Member | Form::Flags => Err(Malformed::Content(Extension::Record).into()),
            Form::NamedTuple => {
                let elements = PyTuple::new(py, values)?;
                let made = py.get_type::<PyTuple>();
                Ok(made.call_method1(intern!(py, "__new__"), (self.class.bind(py), elements))?)
            }
            Form::Struct => self.rebuild_struct(py, &values),
            Form::Model => self.rebuild_model(py, values, more),
            Form::Fields => {
                let made = self.blank(py)?;
                for (field, value) in self.fields.iter().zip(&values) {
                    raw::set_attribute(&made, field.name.bind(py), value)?;
                }
                Ok(made)
            }
        }
    }

    /// An instance that nothing was done to.
    fn blank<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.get_type::<PyAny>()
            .call_method1(intern!(py, "__new__"), (self.class.bind(py),))
    }

    /// msgspec makes instances by a call alone; what its `__post_init__` changed is set back.
    fn rebuild_struct<'py>(&self, py: Python<'py>, values: &[Bound<'py, PyAny>]) -> Read<'py> {
        let given = PyDict::new(py);
        for (field, value) in self.fields.iter().zip(values) {
            given.set_item(field.name.bind(py), value)?;
        }
        let made = self.class.bind(py).call((), Some(&given))?;
        for (field, value) in self.fields.iter().zip(values) {
            if !made.getattr(field.name.bind(py))?.is(value) {
                let set = crate::modules::own(py, "msgspec.structs")?.getattr("force_setattr")?;
                set.call1((&made, field.name.bind(py), value))?;
            }
        }
        Ok(made)
    }

    fn rebuild_model<'py>(
        &self,
        py: Python<'py>,
        values: Vec<Bound<'py, PyAny>>,
        more: Vec<(&[u8], Bound<'py, PyAny>)>,
    ) -> Read<'py> {
        let wrong = || Stop::from(Malformed::Content(Extension::Record));
        let made = self.blank(py)?;
        let own = PyDict::new(py);
        for (field, value) in self.fields.iter().zip(values) {
            own.set_item(field.name.bind(py), value)?;
        }
        raw::set_attribute(&made, intern!(py, "__dict__"), &own)?;
        let [given, extra, private] = <[_; 3]>::try_from(more).map_err(|_| wrong())?;
        for ((name, value), expected) in [given, extra, private]
            .into_iter()
            .zip([FIELDS_SET, EXTRA, PRIVATE])
        {
            let fits = if expected == FIELDS_SET {
                value.is_exact_instance_of::<PySet>()
            } else {
                value.is_none() || value.is_exact_instance_of::<PyDict>()
            };
            if name != expected.as_bytes() || !fits {
                return Err(wrong());
            }
            raw::set_attribute(&made, &PyString::intern(py, expected), &value)?;
        }
        Ok(made)
    }
}

impl Field {
    fn write<'py>(&self, encoder: &mut Encoder<'_, 'py>, value: &Bound<'py, PyAny>) -> Written {
        encoder.writer.text(self.text.as_bytes());
        encoder.value(value).at(|| format!(".{}", self.text))
    }
}

/// The names of all fields that a dataclass or attrs class itself declares.
fn declared_fields<'py>(class: &Bound<'py, PyType>) -> PyResult<Option<Vec<Bound<'py, PyString>>>> {
    let mut names = Vec::new();
    if own(class, "__dataclass_params__")?.is_some() {
        let Some(fields) = inherited(class, "__dataclass_fields__")? else {
            return Ok(None);
        };
        for field in fields.call_method0("values")?.try_iter()? {
            let field = field?;
            // Class variables and init-only variables are listed too, and are no content.
            let kind = field.getattr("_field_type")?.getattr("name")?;
            if kind.eq("_FIELD")? {
                names.push(field.getattr("name")?.cast_into::<PyString>()?);
            }
        }
    } else if let Some(fields) = own(class, "__attrs_attrs__")? {
        for field in fields.try_iter()? {
            names.push(field?.getattr("name")?.cast_into::<PyString>()?);
        }
    } else {
        return Ok(None);
    }
    Ok(Some(names))
}

/// A slot of a class, or of a base, that is none of its fields.
fn foreign_slot(class: &Bound<'_, PyType>, fields: &[Field]) -> PyResult<Option<String>> {
    for base in class.mro().iter() {
        let Some(slots) = own(base.cast::<PyType>()?, "__slots__")? else {
            continue;
        };
        let names: Vec<String> = match slots.extract::<String>() {
            Ok(single) => vec![single],
            Err(_) => slots
                .try_iter()?
                .map(|name| name?.extract())
                .collect::<PyResult<_>>()?,
        };
        let foreign = names.into_iter().find(|name| {
            name != "__weakref__"
                && name != "__dict__"
                && fields.iter().all(|field| field.text != *name)
        });
        if foreign.is_some() {
            return Ok(foreign);
        }
    }
    Ok(None)
}

/// What `typing` notes on instances that are made through `Box[int](…)`: no content, and no part of any comparison.
const MADE_THROUGH: &str = "__orig_class__";

/// Refuses an instance with attributes that are no fields, but for values of properties that are computed once.
fn nothing_beside(obj: &Bound<'_, PyAny>, is_field: impl Fn(&str) -> bool) -> Written {
    let py = obj.py();
    let Some(attributes) = obj.getattr_opt(intern!(py, "__dict__")).of(obj)? else {
        return Ok(());
    };
    let Ok(attributes) = attributes.cast_exact::<PyDict>() else {
        return Ok(());
    };
    for (name, _) in raw::pairs(attributes) {
        let known = name
            .extract::<&str>()
            .is_ok_and(|name| is_field(name) || name == MADE_THROUGH);
        if !known && !is_computed_once(obj, &name).of(obj)? {
            return Err(Refused::new(
                obj,
                "it has attributes beside its fields",
                CHOOSE,
            ));
        }
    }
    Ok(())
}

fn is_computed_once(obj: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(name) = name.extract::<&str>() else {
        return Ok(false);
    };
    match inherited(&obj.get_type(), name)? {
        Some(property) => derives(&property.get_type(), "functools", "cached_property"),
        None => Ok(false),
    }
}
