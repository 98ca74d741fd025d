//! Indexed parameters: by which of its arguments the entries of a function can be let go.
//!
//! An entry carries a tag of its own for each choice of them, so that whichever are named later, one tag is all that has to
//! be invalidated. A tag is made of the parameters' names and of the canonical bytes of their values, which are those of keys.

use std::fmt::Write as _;
use std::sync::Arc;

use everwarm_core::error::Error;
use everwarm_core::key::{Digest, Header, Limit, Writer};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::arguments::Arguments;
use crate::home::Home;
use crate::parameter::is_instance_name;
use crate::shared::OWN;
use crate::signature::{Signature, Unkeyed};
use crate::terms::KeySource;
use crate::{call, errors, keys, texts};

/// How many parameters may be indexed: an entry carries fifteen tags then.
const MOST: usize = 4;
/// So many bytes of a digest are in a tag.
const NAMED: usize = 16;

/// What a policy says of the index.
#[derive(Debug, Default)]
pub(crate) enum Indexed {
    /// There is none.
    #[default]
    Nothing,
    /// All parameters but the instance of a method.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

/// The indexed parameters of a function, by name.
#[derive(Debug)]
pub(crate) struct Index(Box<[Place]>);

/// One of them: its name, and where it stands.
#[derive(Debug)]
struct Place {
    name: String,
    at: usize,
}

impl Indexed {
    pub(crate) fn new(given: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(given) = given else {
            return Ok(Self::Nothing);
        };
        let wrong = |_| {
            let message = format!(
                "index= takes the names of parameters, or True for all, not {}",
                texts::class(given).unwrap_or_default()
            );
            errors::config(given.py(), &message, HINT)
        };
        if let Ok(flag) = given.cast::<PyBool>() {
            return match flag.is_true() {
                true => Ok(Self::All),
                false => Err(wrong(pyo3::exceptions::PyTypeError::new_err(""))),
            };
        }
        if given.is_instance_of::<PyString>() {
            let message = "index= takes a list of names, not one text";
            return Err(errors::config(given.py(), message, HINT));
        }
        let names = given.try_iter().map_err(wrong)?;
        let names = names.map(|name| name?.extract::<String>());
        let names: Vec<String> = names.collect::<PyResult<_>>().map_err(wrong)?;
        Ok(match names.is_empty() {
            true => Self::Nothing,
            false => Self::Named(names),
        })
    }
}

const HINT: &str = "write `index=(\"user_id\",)`, or leave it out";

impl Index {
    /// The index of a function, if its policy wants one.
    ///
    /// # Errors
    /// `ConfigError` for names that are no parameters, or no part of the key, and for too many of them.
    pub(crate) fn new(
        py: Python<'_>,
        indexed: &Indexed,
        (signature, key): (&Signature, &KeySource),
    ) -> PyResult<Option<Self>> {
        let names = match indexed {
            Indexed::Nothing => return Ok(None),
            Indexed::All => signature.all_but_the_instance(py),
            Indexed::Named(names) => names.clone(),
        };
        if !matches!(key, KeySource::Arguments) {
            return Err(errors::config(
                py,
                "index= names arguments, and key= tells calls apart by something else",
                "give the entries tags, such as `tags=[\"user:{user.id}\"]`, and invalidate those",
            ));
        }
        let keyed = signature.keyed_names(py);
        let mut places = Vec::new();
        for name in names {
            let at = signature.position(py, &name);
            let Some(at) = at.filter(|_| keyed.contains(&name)) else {
                let message =
                    format!("index= names `{name}`, which is no parameter that is part of the key");
                let hint = format!("these are: {}", keyed.join(", "));
                return Err(errors::config(py, &message, &hint));
            };
            places.push(Place { name, at });
        }
        places.sort_by(|one, other| one.name.cmp(&other.name));
        places.dedup_by(|one, other| one.at == other.at);
        if places.len() > MOST {
            let message = format!(
                "index= takes at most {MOST} parameters, and {} are named: an entry carries a tag for each choice of them",
                places.len()
            );
            let hint = "name those that entries are let go by; for others give the entries tags";
            return Err(errors::config(py, &message, hint));
        }
        Ok((!places.is_empty()).then(|| Self(places.into())))
    }

    /// The tags of a call: one for each choice of the indexed parameters.
    pub(crate) fn of_call(
        &self,
        home: &Home,
        signature: &Signature,
        call: &Arguments<'_, '_>,
    ) -> Result<Vec<Arc<str>>, Unkeyed> {
        let mut values = Vec::with_capacity(self.0.len());
        for place in &self.0 {
            let mut bytes = Writer::new();
            signature.write_one(place.at, call, &mut bytes)?;
            values.push((place.name.as_str(), bytes.as_bytes().to_vec()));
        }
        let called = home.called();
        let choices = 1..1_usize << values.len();
        let tags = choices.map(|choice| {
            let chosen = values.iter().enumerate();
            let chosen = chosen.filter(|(at, _)| choice >> at & 1 == 1);
            tag(
                &called,
                chosen.map(|(_, (name, bytes))| (*name, &bytes[..])),
            )
        });
        let tags: Result<_, Limit> = tags.collect();
        tags.map_err(|limit| Unkeyed::Refused(keys::beyond(call.py(), limit)))
    }

    /// The tag of all calls with these values, of some of the indexed parameters.
    fn of_values(
        &self,
        home: &Home,
        signature: &Signature,
        values: &Bound<'_, PyDict>,
    ) -> PyResult<Arc<str>> {
        let py = values.py();
        self.check(values)?;
        let mut chosen = Vec::new();
        for place in &self.0 {
            if let Some(value) = values.get_item(&place.name)? {
                let mut bytes = Writer::new();
                signature.write_value(place.at, value, &mut bytes)?;
                chosen.push((place.name.as_str(), bytes.as_bytes().to_vec()));
            }
        }
        let chosen = chosen.iter().map(|(name, bytes)| (*name, &bytes[..]));
        tag(&home.called(), chosen).map_err(|limit| keys::beyond(py, limit))
    }

    fn check(&self, values: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = values.py();
        let known: Vec<&str> = self.0.iter().map(|place| place.name.as_str()).collect();
        for name in values.keys() {
            let name = name.extract::<String>()?;
            if !known.contains(&name.as_str()) {
                return Err(errors::raise(py, &Error::unknown_option(&name, &known)));
            }
        }
        if values.is_empty() {
            let hint = format!(
                "name some of: {}; `clear()` lets all entries go",
                known.join(", ")
            );
            return Err(errors::config(
                py,
                "invalidate_where was given no argument",
                &hint,
            ));
        }
        Ok(())
    }
}

impl Signature {
    /// The names of the parameters that are part of the key, without the instance of a method.
    fn all_but_the_instance(&self, py: Python<'_>) -> Vec<String> {
        let skipped = usize::from(self.names(py).next().is_some_and(is_instance_name));
        let own: Vec<String> = self.names(py).take(skipped).map(texts::of).collect();
        let keyed = self.keyed_names(py).into_iter();
        keyed.filter(|name| !own.contains(name)).collect()
    }
}

/// The tag of one choice.
fn tag<'a>(
    called: &str,
    chosen: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Arc<str>, Limit> {
    let (mut names, mut bytes) = (Vec::new(), Vec::new());
    for (name, value) in chosen {
        names.push(name);
        bytes.extend_from_slice(value);
    }
    let header = Header {
        function: called,
        version: "",
        parameters: &names,
    };
    let mut tag = format!("{OWN}index ");
    for byte in &Digest::new(&header, &bytes)?.as_bytes()[..NAMED] {
        write!(tag, "{byte:02x}").expect("a text takes what is written to it");
    }
    Ok(tag.into())
}

/// Lets all entries of a function go whose calls had these values; of a bound method, also its instance counts, if it is indexed.
#[pyfunction]
#[pyo3(signature = (function, values, instance=None))]
pub(crate) fn invalidate_where(
    function: &Bound<'_, PyAny>,
    values: &Bound<'_, PyDict>,
    instance: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = function.py();
    let native = call::function(function)?;
    let Some(index) = native.index() else {
        return Err(errors::config(
            py,
            &format!("{} has no index", native.title(py)),
            "decorate it with `index=(\"user_id\",)`, or with `index=True` for all parameters",
        ));
    };
    let first = index.0.iter().find(|place| place.at == 0);
    if let (Some(instance), Some(first)) = (instance, first) {
        values.set_item(&first.name, instance)?;
    }
    let home = native.home(py)?;
    let tag = index.of_values(&home, native.signature(), values)?;
    let tenant = home.tenant(py)?;
    home.invalidate(py, &home.naming.meant(tenant.as_ref(), vec![tag]))
}
