//! An estimate of the memory that a value takes, with all that it holds, each object once.
//!
//! What a container holds is met in a row, `ATOMS` objects at most and of each container `FEW` in any case; what holds no other object
//! is counted there and then. Of the others, containers and instances, no more than `MOST` are looked into, and no more than
//! `MOST_OF_ONE` of what one container holds: those that are far longer than the mean each for itself, the rest by a sample, which stands
//! for all. It runs with no lock held.

use std::collections::{HashMap, VecDeque};

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyCFunction, PyDict, PyFloat, PyFrozenSet, PyFunction, PyInt,
    PyList, PyModule, PySet, PyString, PyTuple, PyType,
};

use crate::lasting::Lasting;
use crate::lasting::intern;
use crate::object::holders;
use crate::{calling, keys, modules, unheard};

/// How many containers and instances of one value are looked into.
const MOST: usize = 10_000;
/// How many containers and instances that one container holds are looked into.
const MOST_OF_ONE: usize = 1_000;
/// How many objects that containers hold are met.
const ATOMS: usize = 50_000;
/// How many of what one container holds are met, however many were met before.
const FEW: usize = 100;
/// How many times as long as the mean a container is that is looked into in any case.
const LONG: f64 = 8.0;
/// How many objects are left at most where the end of a chain was not reached.
const NARROW: f64 = 16.0;
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

/// The objects of one value.
pub(crate) struct Survey<'py> {
    getsizeof: Option<Bound<'py, PyAny>>,
    /// What an ASCII text and bytes take besides what they are of, and what a float and a small int take.
    heads: [f64; 4],
    /// Objects to be looked into, with how many of their kind each stands for.
    pending: VecDeque<(Bound<'py, PyAny>, f64)>,
    /// Those seen that may be met again, by address, with what was counted of each for others of its kind.
    seen: HashMap<usize, f64, foldhash::fast::RandomState>,
    /// Keeps what has been seen where it is.
    kept: Vec<Bound<'py, PyAny>>,
    /// Of the classes that were met: their library and their slots, by address.
    classes: HashMap<usize, (Option<Says>, Vec<Bound<'py, PyAny>>)>,
    looked: usize,
    met: usize,
    /// For how many the objects that were looked into stand.
    counted: f64,
    bytes: f64,
    /// Objects that were left out.
    left_out: f64,
}

impl<'py> Survey<'py> {
    /// The bytes of a value.
    pub(crate) fn of(value: &Bound<'py, PyAny>) -> f64 {
        let getsizeof = getsizeof(value.py()).ok();
        let mut survey = Self {
            heads: [0.0; 4],
            pending: VecDeque::new(),
            seen: HashMap::default(),
            kept: Vec::new(),
            classes: HashMap::new(),
            looked: 0,
            met: 0,
            counted: 0.0,
            bytes: 0.0,
            left_out: 0.0,
            getsizeof,
        };
        survey.heads = survey.heads(value.py());
        if is_atom(value) {
            return survey.size_of(value);
        }
        survey.see(value.clone(), 1.0);
        survey.look_on()
    }

    fn heads(&self, py: Python<'py>) -> [f64; 4] {
        let asked = |object: Bound<'py, PyAny>| self.asked(&object);
        [
            asked(PyString::new(py, "").into_any()),
            asked(PyBytes::new(py, b"").into_any()),
            asked(PyFloat::new(py, 1.0).into_any()),
            asked(PyInt::new(py, 1).into_any()),
        ]
    }

    /// Looks at as much as it may; all bytes.
    fn look_on(mut self) -> f64 {
        let mut first = 0.0;
        while self.looked < MOST
            && let Some((object, share)) = self.pending.pop_front()
        {
            self.look(&object, share);
            if self.looked == 1 {
                first = self.bytes;
            }
        }
        // What was not looked into is as heavy as the mean of the rest, but for the value itself.
        let unseen: f64 = self.pending.iter().map(|(_, share)| share).sum();
        let unseen = unseen + self.left_out;
        let mean = match self.looked {
            0 | 1 => self.bytes / self.counted.max(1.0),
            _ => (self.bytes - first) / (self.counted - 1.0).max(1.0),
        };
        let bytes = self.bytes + unseen * mean;
        // Few are left where one held the next: nobody knows how many follow, so as many as came.
        let is_chain = self.looked >= MOST && unseen > 0.0 && unseen <= NARROW;
        bytes * if is_chain { 2.0 } else { 1.0 }
    }

    /// Files a container or an instance that stands for `share` of its kind, or counts what holds nothing else, unless it was seen.
    fn see(&mut self, object: Bound<'py, PyAny>, share: f64) {
        if is_shared(&object) || self.was_seen(&object, 0.0) {
            return;
        }
        if is_atom(&object) {
            self.bytes += share * self.size_of(&object);
        } else {
            self.pending.push_back((object, share));
        }
    }

    /// Whether an object was seen before. It then is one, and what was counted of it for `others` is taken back.
    fn was_seen(&mut self, object: &Bound<'py, PyAny>, others: f64) -> bool {
        let mut known = true;
        let counted = self
            .seen
            .entry(object.as_ptr() as usize)
            .or_insert_with(|| {
                known = false;
                others
            });
        if known {
            self.bytes -= std::mem::take(counted);
        }
        known
    }

    /// Counts and files what a container holds of which these are `some` of `len`, chosen so that each stands for as many.
    fn see_all(&mut self, some: Vec<Bound<'py, PyAny>>, len: usize, share: f64) {
        let whole = share;
        let share = share * len as f64 / some.len().max(1) as f64;
        self.met += some.len();
        let mut nested = Vec::new();
        for object in some {
            match is_atom(&object) {
                true if object.is_exact_instance_of::<PyBool>() => continue,
                true => {}
                false if is_plain(&object) || !is_shared(&object) => {
                    nested.push(object);
                    continue;
                }
                false => continue,
            }
            let size = self.size_of(&object);
            // Nothing else holds what only its container and this row hold.
            if holders(&object) <= 2 || !self.was_seen(&object, (share - whole) * size) {
                self.bytes += share * size;
            }
        }
        self.file(nested, share);
    }

    /// Files containers and instances that one container holds: if they are too many, the longest of them and some of the others.
    fn file(&mut self, mut nested: Vec<Bound<'py, PyAny>>, share: f64) {
        let room = MOST.saturating_sub(self.looked + self.pending.len());
        let most = MOST_OF_ONE.min(room);
        if nested.len() <= most {
            nested
                .into_iter()
                .for_each(|object| self.see(object, share));
            return;
        }
        if most == 0 {
            self.left_out += share * nested.len() as f64;
            return;
        }
        let lengths: Vec<usize> = nested.iter().map(length).collect();
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        let mut long: Vec<usize> = (0..nested.len())
            .filter(|at| lengths[*at] as f64 > LONG * mean)
            .collect();
        long.sort_unstable_by_key(|at| std::cmp::Reverse(lengths[*at]));
        long.truncate(most / 2);
        long.sort_unstable();
        for at in long.iter().rev() {
            let object = nested.swap_remove(*at);
            self.see(object, share);
        }
        let (others, some) = (nested.len(), most - long.len());
        let share = share * others as f64 / some as f64;
        for at in spread(others, some) {
            self.see(nested[at].clone(), share);
        }
    }

    fn look(&mut self, object: &Bound<'py, PyAny>, share: f64) {
        self.looked += 1;
        self.counted += share;
        if !is_plain(object) {
            return self.look_at_instance(object, share);
        }
        self.bytes += share * self.asked(object);
        self.look_into(object, share);
        self.kept.push(object.clone());
    }

    /// The bytes of an object that holds no other.
    fn size_of(&self, object: &Bound<'py, PyAny>) -> f64 {
        let [text, bytes, float, int] = self.heads;
        if let Some(len) = keys::ascii_len(object.as_borrowed()) {
            return text + len as f64;
        }
        if let Ok(data) = object.cast_exact::<PyBytes>() {
            return bytes + data.as_bytes().len() as f64;
        }
        if object.is_exact_instance_of::<PyFloat>() {
            return float;
        }
        match object.cast_exact::<PyInt>().map(|number| number.extract()) {
            Ok(Ok(number)) if (1..1_i64 << 30).contains(&number) => int,
            _ => self.asked(object),
        }
    }

    /// The bytes of the object alone, as it says itself.
    fn asked(&self, object: &Bound<'py, PyAny>) -> f64 {
        self.getsizeof
            .as_ref()
            .and_then(|getsizeof| {
                let size = calling::call(getsizeof, [object.as_borrowed()]);
                unheard::or_none(object.py(), size)?.extract().ok()
            })
            .unwrap_or(UNKNOWN)
    }

    /// Counts and files what a container holds; one of a class of its own is read as what it is made from.
    fn look_into(&mut self, object: &Bound<'py, PyAny>, share: f64) {
        let room = ATOMS.saturating_sub(self.met).max(FEW);
        // Copies of rows, since what follows may run code that changes the container.
        if let Ok(list) = object.cast::<PyList>() {
            let some = spread(list.len(), room).filter_map(|at| list.get_item(at).ok());
            self.see_all(some.collect(), list.len(), share);
        } else if let Ok(tuple) = object.cast::<PyTuple>() {
            let some = spread(tuple.len(), room).filter_map(|at| tuple.get_item(at).ok());
            self.see_all(some.collect(), tuple.len(), share);
        } else if let Ok(dict) = object.cast::<PyDict>() {
            let some = dict.iter().take(room / 2);
            let row = some.flat_map(|(key, value)| [key, value]).collect();
            self.see_all(row, dict.len() * 2, share);
        } else if let Ok(set) = object.cast::<PySet>() {
            self.see_all(set.iter().take(room).collect(), set.len(), share);
        } else if let Ok(set) = object.cast::<PyFrozenSet>() {
            self.see_all(set.iter().take(room).collect(), set.len(), share);
        }
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
        self.bytes += share * self.asked(object);
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

/// Places of at most `most` among `len`: one in each of as many parts, somewhere in it, so that what repeats is not met at the same
/// place each time.
fn spread(len: usize, most: usize) -> impl Iterator<Item = usize> {
    let some = len.min(most);
    (0..some).map(move |part| {
        let (from, to) = (part * len / some, (part + 1) * len / some);
        // The golden ratio leads to places that follow no period.
        let turn = (part as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        from + turn as usize % (to - from)
    })
}

/// How much a container holds, as far as it can be told at sight.
fn length(object: &Bound<'_, PyAny>) -> usize {
    match is_plain(object) {
        true => object.len().unwrap_or(0),
        false => 0,
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
