//! Many calls of one function that differ in one argument: what memory has for them, and then its stores, in one step.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use everwarm_engine::stack::Fetched;
use parking_lot::Mutex;
use pyo3::exceptions::PyIndexError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::arguments::{Arguments, Spread};
use crate::call;
use crate::function::Function;
use crate::home::Home;
use crate::object::Object;
use crate::ring::{Ring, seconds};
use crate::shared::{self, Ours, Step};
use crate::signature::Unkeyed;
use crate::turn::{Asking, Turn};

/// The values that memory has, each in its place, and the places of the others: together where they are of one entry.
type Looked<'py> = (Bound<'py, PyList>, Vec<Vec<usize>>);

/// Looks for the calls that have one of some ids in a place of the arguments. Where `reads` is false they are told apart only.
/// None if the arguments do not fit the function.
#[pyfunction]
pub(crate) fn look<'py>(
    function: &Bound<'py, PyAny>,
    of: (Bound<'py, PyList>, usize),
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
    reads: bool,
) -> PyResult<Option<Looked<'py>>> {
    let (py, (ids, at)) = (function.py(), of);
    let native = call::function(function)?;
    let spread = Spread::new(arguments, keywords)?;
    if at >= spread.count() {
        return Err(PyIndexError::new_err("there is no argument in that place"));
    }
    let ids: Vec<_> = ids.iter().collect();
    let home = native.home(py)?;
    let reads = reads && !native.keeps_nothing() && !home.is_disabled(py)?;
    let (mut values, mut missing) = (Vec::with_capacity(ids.len()), Vec::<Vec<usize>>::new());
    let mut groups: HashMap<Vec<u8>, usize> = HashMap::new();
    let nothing = Object::from(py.None().into_bound(py));
    let mut fits = true;
    spread.with_each(at, &ids, |place, call| {
        let found = match reads.then(|| native.hit(call)).flatten() {
            Some(value) => Looking::Found(value),
            None => look_further(native, &home, call, reads)?,
        };
        let group = match found {
            Looking::Found(value) => {
                values.push(value);
                return Ok(());
            }
            Looking::Missing(Some(key)) => *groups.entry(key).or_insert(missing.len()),
            Looking::Missing(None) => missing.len(),
            Looking::Misfit => {
                fits = false;
                return Ok(());
            }
        };
        values.push(nothing.clone());
        match missing.get_mut(group) {
            Some(places) => places.push(place),
            None => missing.push(vec![place]),
        }
        Ok(())
    })?;
    if !fits {
        return Ok(None);
    }
    let values = values.into_iter().map(|value| value.into_bound(py));
    Ok(Some((
        PyList::new(py, values.collect::<Vec<_>>())?,
        missing,
    )))
}

/// What a look at one call comes to.
enum Looking {
    Found(Object),
    /// The bytes of its key, if it has one.
    Missing(Option<Vec<u8>>),
    /// The arguments are none of the function's.
    Misfit,
}

/// As a hit, for calls of any shape; what is no tenant's has no key.
fn look_further(
    native: &Function,
    home: &Home,
    call: &Arguments<'_, '_>,
    reads: bool,
) -> PyResult<Looking> {
    let keyed = match native.keyed(home, call) {
        Ok(keyed) => keyed,
        Err(Unkeyed::Misfit) => return Ok(Looking::Misfit),
        Err(Unkeyed::Nobody) => return Ok(Looking::Missing(None)),
        Err(Unkeyed::Refused(error)) => return Err(error),
    };
    let hit = reads
        .then(|| home.engine.hit(&home.scope, keyed.hash, &keyed.key))
        .flatten();
    let own = hit.and_then(|value| native.try_copied(call.py(), home, &value));
    Ok(match own {
        Some(own) => Looking::Found(own),
        None => Looking::Missing(Some(keyed.key.arguments().to_vec())),
    })
}

/// What stores are asked for many turns at once. Dropping it hands their leads over.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Fetch(Mutex<Option<Fetching>>);

struct Fetching {
    asked: Vec<(Py<Turn>, Asking)>,
    answers: Ours<Answers>,
}

type Answers = Pin<Box<dyn Future<Output = Vec<Option<Fetched>>> + Send>>;

#[pymethods]
impl Fetch {
    /// Of those of the turns that are leads whose stores are to be asked.
    #[new]
    fn new(turns: Vec<Bound<'_, Turn>>) -> Self {
        let asking = |turn: Bound<'_, Turn>| {
            let asking = turn.get().take_asking()?;
            Some((turn.unbind(), asking))
        };
        let asked: Vec<_> = turns.into_iter().filter_map(asking).collect();
        let remotes = || {
            let all = asked
                .iter()
                .map(|(_, (flight, _))| flight.remote.as_deref());
            all.collect::<Option<Vec<_>>>()
        };
        let Some((first, remotes)) = remotes().and_then(|all| Some((*all.first()?, all))) else {
            return Self(Mutex::new(None));
        };
        let wanted = remotes.iter().map(|remote| remote.wanted()).collect();
        let answers: Answers = Box::pin(first.stack().fetch_many(wanted));
        Self(Mutex::new(Some(Fetching {
            asked,
            answers: Ours::new(answers),
        })))
    }

    /// Asks: None once the turns have their answers. Else `ring` will be woken, or it is to be asked again after so many seconds. What
    /// others compute is left to its turn.
    fn ask(&self, py: Python<'_>, ring: &Bound<'_, Ring>) -> PyResult<Option<f64>> {
        let taken = self.0.lock().take();
        let Some(mut fetching) = taken else {
            return Ok(None);
        };
        let stepped = shared::step_calmly(py, fetching.answers.get(), Some(ring.get()));
        let answers = match stepped {
            Step::Again(left) => {
                *self.0.lock() = Some(fetching);
                return Ok(Some(seconds(left)));
            }
            Step::Done(answers) => answers,
        };
        for ((turn, (flight, asking)), answer) in fetching.asked.into_iter().zip(answers) {
            if let Some(remote) = &flight.remote {
                shared::check_tampering(py, remote.name())?;
            }
            match answer {
                Some(answer) => turn.get().answered(py, flight, answer)?,
                None => turn.get().ask_alone((flight, asking)),
            }
        }
        Ok(None)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let fetching = self.0.lock();
        for (turn, (flight, _)) in fetching.iter().flat_map(|fetching| &fetching.asked) {
            visit.call(turn)?;
            flight.keyed.visit(&visit)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.give_up();
    }

    /// Hands the leads over.
    fn give_up(&self) {
        let taken = self.0.lock().take();
        drop(taken);
    }
}
