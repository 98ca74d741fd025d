//! What a value weighs: what the cache's own weigher says of it, else an estimate of the memory that it takes.
//!
//! The estimate follows containers and instances into what they hold, each object once, and looks at no more than
//! `MOST` objects: of what holds more it looks at a part, which then stands for all. It runs with no lock held.

use std::collections::{HashMap, HashSet, VecDeque};

use everwarm_engine::Scope;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyCFunction, PyDict, PyFloat, PyFrozenSet, PyFunction, PyInt,
    PyList, PyModule, PySet, PyString, PyTuple, PyType,
};

use crate::lasting::Lasting;
use crate::lasting::intern;
use crate::{calling, modules, report, unheard};

/// How many objects of one value are looked at.
const MOST: usize = 10_000;
/// How many objects that one container holds are looked at.
const MOST_OF_ONE: usize = 1_000;
/// What an object counts that cannot say its size.
const UNKNOWN: f64 = 64.0;
/// Libraries whose objects say how many bytes their data takes, and how they say it.
const LIBRARIES: [(&str, Says); 4] = [
    ("numpy", Says::Bytes),
    ("pyarrow", Says::Bytes),
    ("pandas", Says::Usage),
    ("polars", Says::Estimate),
];

/// How an object of a library says how many bytes its data takes.
#[derive(Clone, Copy)]
enum Says {
    /// An attribute `nbytes`.
    Bytes,
    /// `memory_usage`, of one column or of each.
    Usage,
    /// `estimated_size`.
    Estimate,
}

static GETSIZEOF: Lasting<Py<PyAny>> = Lasting::new();

/// How the values of a cache are weighed.
pub(crate) struct Weigher {
    own: Option<Py<PyAny>>,
}

impl Weigher {
    pub(crate) fn new(own: Option<Py<PyAny>>) -> Self {
        Self { own }
    }

    /// What `value` weighs. If the cache's own weigher fails, that is counted in `scope`, and the estimate counts.
    pub(crate) fn weigh(&self, value: &Bound<'_, PyAny>, scope: &Scope) -> u64 {
        let Some(own) = &self.own else {
            return estimate(value);
        };
        let py = value.py();
        match calling::call(own.bind(py), [value.as_borrowed()]).and_then(|said| said.extract()) {
            Ok(weight) => weight,
            Err(error) => {
                scope.count_error();
                report::report_so(
                    py,
                    "weigher=",
                    &error,
                    "so an estimate of its size was taken",
                );
                estimate(value)
            }
        }
    }

    /// Shows the callable to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.own)
    }
}

/// The bytes that a value takes, with all that it holds.
#[pyfunction]
pub(crate) fn estimate(value: &Bound<'_, PyAny>) -> u64 {
    let mut survey = Survey::new(value);
    survey.see(value.clone(), 1.0);
    while survey.looked < MOST
        && let Some((object, share)) = survey.pending.pop_front()
    {
        survey.look(&object, share);
    }
    // A float as an integer stays within its range.
    survey.total() as u64
}

/// The objects of one value.
struct Survey<'py> {
    getsizeof: Option<Bound<'py, PyAny>>,
    /// Objects to be looked at, with how many of their kind each stands for.
    pending: VecDeque<(Bound<'py, PyAny>, f64)>,
    /// Those seen, by address.
    seen: HashSet<usize>,
    /// Keeps what has been seen where it is.
    kept: Vec<Bound<'py, PyAny>>,
    /// Of the classes that were met: their library and their slots, by address.
    classes: HashMap<usize, (Option<Says>, Vec<Bound<'py, PyAny>>)>,
    looked: usize,
    /// For how many the objects that were looked at stand, and their bytes.
    counted: f64,
    bytes: f64,
    /// Objects that were left out.
    left_out: f64,
}

impl<'py> Survey<'py> {
    fn new(value: &Bound<'py, PyAny>) -> Self {
        Self {
            getsizeof: getsizeof(value.py()).ok(),
            pending: VecDeque::new(),
            seen: HashSet::new(),
            kept: Vec::new(),
            classes: HashMap::new(),
            looked: 0,
            counted: 0.0,
            bytes: 0.0,
            left_out: 0.0,
        }
    }

    /// All bytes; those of what was not looked at are taken to be as many as those of the rest.
    fn total(&self) -> f64 {
        let pending: f64 = self.pending.iter().map(|(_, share)| share).sum();
        let unseen = pending + self.left_out;
        self.bytes + unseen * self.bytes / self.counted.max(1.0)
    }

    /// Files an object that stands for `share` of its kind, unless it was seen.
    fn see(&mut self, object: Bound<'py, PyAny>, share: f64) {
        if self.seen.insert(object.as_ptr() as usize) {
            self.pending.push_back((object, share));
        }
    }

    /// Files what a container of `len` objects holds, or the first of them for all.
    fn see_all(
        &mut self,
        objects: impl Iterator<Item = Bound<'py, PyAny>>,
        len: usize,
        share: f64,
    ) {
        let room = MOST.saturating_sub(self.looked + self.pending.len());
        let some = len.min(MOST_OF_ONE).min(room);
        if some == 0 {
            self.left_out += share * len as f64;
            return;
        }
        let share = share * len as f64 / some as f64;
        for object in objects.take(some) {
            self.see(object, share);
        }
    }

    fn look(&mut self, object: &Bound<'py, PyAny>, share: f64) {
        self.looked += 1;
        self.counted += share;
        if is_shared(object) {
            return;
        }
        let is_atom = is_atom(object);
        if !is_atom && !is_plain(object) {
            return self.look_at_instance(object, share);
        }
        self.bytes += share * self.size_of(object);
        if !is_atom {
            self.look_into(object, share);
            self.kept.push(object.clone());
        }
    }

    /// The bytes of the object alone.
    fn size_of(&self, object: &Bound<'py, PyAny>) -> f64 {
        self.getsizeof
            .as_ref()
            .and_then(|getsizeof| {
                let size = calling::call(getsizeof, [object.as_borrowed()]);
                unheard::or_none(object.py(), size)?.extract().ok()
            })
            .unwrap_or(UNKNOWN)
    }

    /// Files what a container holds; one of a class of its own is read as what it is made from.
    fn look_into(&mut self, object: &Bound<'py, PyAny>, share: f64) {
        if let Ok(list) = object.cast::<PyList>() {
            let step = list.len().div_ceil(MOST_OF_ONE).max(1);
            self.see_all(list.iter().step_by(step), list.len(), share);
        } else if let Ok(tuple) = object.cast::<PyTuple>() {
            let step = tuple.len().div_ceil(MOST_OF_ONE).max(1);
            self.see_all(tuple.iter().step_by(step), tuple.len(), share);
        } else if let Ok(dict) = object.cast::<PyDict>() {
            self.look_into_dict(dict, share);
        } else if let Ok(set) = object.cast::<PySet>() {
            self.see_all(set.iter(), set.len(), share);
        } else if let Ok(set) = object.cast::<PyFrozenSet>() {
            self.see_all(set.iter(), set.len(), share);
        }
    }

    fn look_into_dict(&mut self, dict: &Bound<'py, PyDict>, share: f64) {
        // As one row of keys and values; a copy of the first, since what follows may run code that changes the dict.
        let some: Vec<_> = dict.iter().take(MOST_OF_ONE / 2).collect();
        let row = some.into_iter().flat_map(|(key, value)| [key, value]);
        self.see_all(row, dict.len() * 2, share);
    }

    /// Counts an instance of any other class, and files what it holds.
    fn look_at_instance(&mut self, object: &Bound<'py, PyAny>, share: f64) {
        let (py, class) = (object.py(), object.get_type());
        self.kept.push(object.clone());
        let (says, slots) = self.class(&class);
        if let Some(data) = says.and_then(|says| data_of(object, says)) {
            self.bytes += share * (data + UNKNOWN);
            return;
        }
        self.bytes += share * self.size_of(object);
        self.look_into(object, share);
        if let Ok(Some(held)) = object.getattr_opt(intern!(py, "__dict__")) {
            self.see(held, share);
        }
        for slot in slots {
            if let Ok(held) = slot.call_method1(intern!(py, "__get__"), (object, &class)) {
                self.see(held, share);
            }
        }
    }

    /// The library and the slots of a class, found once.
    fn class(&mut self, class: &Bound<'py, PyType>) -> (Option<Says>, Vec<Bound<'py, PyAny>>) {
        let address = class.as_ptr() as usize;
        if let Some(known) = self.classes.get(&address) {
            return known.clone();
        }
        let found = (library_of(class), slots_of(class).unwrap_or_default());
        self.classes.insert(address, found.clone());
        self.kept.push(class.clone().into_any());
        found
    }
}

/// An exact built-in container.
fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    object.is_exact_instance_of::<PyList>()
        || object.is_exact_instance_of::<PyDict>()
        || object.is_exact_instance_of::<PyTuple>()
        || object.is_exact_instance_of::<PySet>()
        || object.is_exact_instance_of::<PyFrozenSet>()
}

/// What holds no other object.
fn is_atom(object: &Bound<'_, PyAny>) -> bool {
    object.is_exact_instance_of::<PyString>()
        || object.is_exact_instance_of::<PyInt>()
        || object.is_exact_instance_of::<PyBytes>()
        || object.is_exact_instance_of::<PyFloat>()
        || object.is_exact_instance_of::<PyBool>()
        || object.is_exact_instance_of::<PyByteArray>()
}

/// What the process has whether or not a value holds it.
fn is_shared(object: &Bound<'_, PyAny>) -> bool {
    object.is_none()
        || object.is_instance_of::<PyBool>()
        || object.is_instance_of::<PyType>()
        || object.is_instance_of::<PyModule>()
        || object.is_instance_of::<PyFunction>()
        || object.is_instance_of::<PyCFunction>()
}

/// The descriptors of a class's slots, those of its bases among them.
fn slots_of<'py>(class: &Bound<'py, PyType>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let py = class.py();
    let mut slots = Vec::new();
    for base in class.mro().iter() {
        let namespace = base.getattr(intern!(py, "__dict__"))?;
        if !namespace.contains(intern!(py, "__slots__"))? {
            continue;
        }
        for member in namespace.call_method0(intern!(py, "values"))?.try_iter()? {
            let member = member?;
            if member.get_type().name()? == "member_descriptor" {
                slots.push(member);
            }
        }
    }
    Ok(slots)
}

fn getsizeof(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let found = GETSIZEOF.get_or_try_init(py, || {
        Ok::<_, PyErr>(modules::own(py, "sys")?.getattr("getsizeof")?.unbind())
    })?;
    Ok(found.bind(py).clone())
}

/// The library that a class is of, if it is one whose objects know their data.
fn library_of(class: &Bound<'_, PyType>) -> Option<Says> {
    let module = class.module().ok()?;
    let module = module.to_str().ok()?;
    let root = module.split('.').next()?;
    let (_, says) = LIBRARIES.iter().find(|(name, _)| *name == root)?;
    Some(*says)
}

fn data_of(object: &Bound<'_, PyAny>, says: Says) -> Option<f64> {
    let py = object.py();
    let said =
        match says {
            Says::Bytes => object.getattr(intern!(py, "nbytes")),
            Says::Estimate => object.call_method0(intern!(py, "estimated_size")),
            Says::Usage => object
                .call_method0(intern!(py, "memory_usage"))
                .and_then(|usage| match usage.getattr(intern!(py, "sum")) {
                    Ok(sum) => sum.call0(),
                    Err(_) => Ok(usage),
                }),
        };
    unheard::or_none(py, said)?.extract().ok()
}
