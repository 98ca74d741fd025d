//! Classes: what they are called, and whether that name is theirs alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::key::{Limit, Writer};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyMappingProxy, PyString, PyType, PyWeakrefMethods, PyWeakrefReference};

use crate::lasting::intern;
use crate::modules;

use super::exact;
use super::refusal::{Encoded, NAME, Of, Stop};

/// The encoded name of a class.
pub(super) struct Name {
    bytes: Box<[u8]>,
    /// The class itself, held weakly, where the name means something in this process only.
    bound: Option<Py<PyWeakrefReference>>,
}

/// The classes that were given their names first. A name is given once in a process, also where its class is gone:
/// keys of its instances may outlive it, and a class that takes its place, reloaded or defined again, is another.
static NAMED: Mutex<BTreeMap<Box<[u8]>, Py<PyWeakrefReference>>> = Mutex::new(BTreeMap::new());

impl Name {
    /// The name of `class`: module and qualified name where these lead to it and led to no other class before, else
    /// a number that no other class of this process has. `former` is the name it may have had before it was changed.
    pub(super) fn of(class: &Bound<'_, PyType>, former: Option<&Self>) -> PyResult<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let py = class.py();
        let is_this = |held: &Py<PyWeakrefReference>| {
            held.bind(py).upgrade().is_some_and(|held| held.is(class))
        };
        if let Some(Self {
            bytes,
            bound: Some(held),
        }) = former
            && is_this(held)
        {
            return Ok(Self {
                bytes: bytes.clone(),
                bound: Some(held.clone_ref(py)),
            });
        }
        let held = PyWeakrefReference::new(class)?.unbind();
        let qualname = class.qualname()?;
        let mut writer = Writer::new();
        if is_importable(class)? {
            exact::try_exact_bound(&class.getattr(intern!(py, "__module__"))?, &mut writer);
            exact::try_exact_bound(qualname.as_any(), &mut writer);
            let bytes: Box<[u8]> = writer.as_bytes().into();
            let first = NAMED
                .lock()
                .entry(bytes.clone())
                .or_insert_with(|| held.clone_ref(py))
                .clone_ref(py);
            if is_this(&first) {
                return Ok(Self { bytes, bound: None });
            }
            writer.clear();
        }
        writer.uint(NUMBERS.fetch_add(1, Ordering::Relaxed));
        exact::try_exact_bound(qualname.as_any(), &mut writer);
        Ok(Self {
            bytes: writer.as_bytes().into(),
            bound: Some(held),
        })
    }

    /// Opens content of this class, of the form that `open` opens.
    pub(super) fn open(
        &self,
        obj: &Bound<'_, PyAny>,
        writer: &mut Writer,
        open: impl FnOnce(&mut Writer, &[u8]) -> Result<(), Limit>,
    ) -> Encoded {
        if self.bound.is_some() {
            writer.bind_to_process();
        }
        open(writer, &self.bytes).of(obj)
    }
}

/// Whether a class is what its module has under its name.
pub(crate) fn is_importable(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let module = class.getattr(intern!(py, "__module__"))?;
    let Ok(module) = module.cast_exact::<PyString>() else {
        return Ok(false);
    };
    let qualname = class.qualname()?;
    // A name with surrogates leads nowhere.
    let (Ok(module), Ok(qualname)) = (module.to_str(), qualname.to_str()) else {
        return Ok(false);
    };
    let Some(mut place) = imported(py, module, qualname.split('.').next().unwrap_or_default())?
    else {
        return Ok(false);
    };
    for name in qualname.split('.').skip(1) {
        let Ok(outer) = place.cast::<PyType>() else {
            return Ok(false);
        };
        let Some(inner) = own(outer, name)? else {
            return Ok(false);
        };
        place = inner;
    }
    Ok(place.is(class))
}

/// What the module `module` has under `name`, if someone imported it. Runs no module's `__getattr__`.
pub(crate) fn imported<'py>(
    py: Python<'py>,
    module: &str,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(module) = modules::loaded(&PyString::new(py, module))? else {
        return Ok(None);
    };
    let Ok(module) = module.cast::<PyModule>() else {
        return Ok(None);
    };
    module.dict().get_item(name)
}

/// What a class itself, not a base, has under `name`.
pub(crate) fn own<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let names = class.getattr(intern!(class.py(), "__dict__"))?;
    let names = names.cast::<PyMappingProxy>()?;
    if names.contains(name)? {
        names.get_item(name).map(Some)
    } else {
        Ok(None)
    }
}

/// What a class has under `name`, of its own or from a base, as its method resolution order finds it.
pub(crate) fn inherited<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    for base in class.mro().iter() {
        if let Some(found) = own(base.cast::<PyType>()?, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether `class` derives from what `module` has under `name`.
pub(crate) fn derives(class: &Bound<'_, PyType>, module: &str, name: &str) -> PyResult<bool> {
    match imported(class.py(), module, name)? {
        Some(base) => Ok(class.mro().iter().any(|class| class.is(&base))),
        None => Ok(false),
    }
}

/// Writes a class as a value.
pub(super) fn encode_class(class: &Bound<'_, PyType>, writer: &mut Writer) -> Encoded {
    let name = Name::of(class, None)?;
    if name.bound.is_some() {
        return Err(Stop::refuse(
            class,
            "its name does not lead to it, or led to another class before",
            NAME,
        ));
    }
    writer.class(&name.bytes);
    Ok(())
}
