//! How a store under test is opened, and what it is given for that.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use everwarm_core::store::{Bytes, Found, Store};

use crate::clock::ManualClock;
use crate::promise::Broken;
use crate::wait::wait;

type Open = Box<dyn Fn(&Fixture) -> Result<Arc<dyn Store>, Broken> + Send + Sync>;

/// What tells a suite how to open the store it holds to the contract.
///
/// The closure is called once for each handle: two calls with the same fixture must give two handles on the same place, as
/// two processes would have them. Say [`alone`](Self::alone) of a store that cannot.
pub struct Harness {
    open: Open,
    alone: bool,
    offers: Option<Vec<String>>,
}

impl Harness {
    /// Stores as `open` makes them.
    pub fn new<S: Store + 'static>(open: impl Fn(&Fixture) -> S + Send + Sync + 'static) -> Self {
        Self::over(move |fixture| Ok(Arc::new(open(fixture))))
    }

    /// As [`new`](Self::new), for stores of a type that is not known, and for those that may not open.
    pub fn over(
        open: impl Fn(&Fixture) -> Result<Arc<dyn Store>, Broken> + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
            alone: false,
            offers: None,
        }
    }

    /// Says that each handle is a place of its own: what needs two handles on one is left out.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Says which facets the store must offer, and that it offers no others.
    #[must_use]
    pub fn offering(mut self, facets: &[&str]) -> Self {
        self.offers = Some(facets.iter().map(|&facet| facet.to_owned()).collect());
        self
    }

    /// The facets that the store must offer, if that was said.
    #[must_use]
    pub fn offers(&self) -> Option<&[String]> {
        self.offers.as_deref()
    }

    /// A store in a place of its own.
    ///
    /// # Errors
    /// If it does not open.
    pub fn bench(&self) -> Result<Bench<'_>, Broken> {
        let fixture = Fixture::default();
        let store = (self.open)(&fixture)?;
        Ok(Bench {
            harness: self,
            fixture,
            store,
        })
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Harness")
            .field("alone", &self.alone)
            .field("offers", &self.offers)
            .finish_non_exhaustive()
    }
}

/// What a store is opened with: a directory, a clock, and whatever its handles share. Clones are the same.
#[derive(Clone, Default)]
pub struct Fixture(Arc<Place>);

struct Place {
    prefix: String,
    directory: Mutex<Option<PathBuf>>,
    clock: Arc<ManualClock>,
    is_driven: AtomicBool,
    shared: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            prefix: unique(),
            directory: Mutex::default(),
            clock: Arc::default(),
            is_driven: AtomicBool::new(false),
            shared: Mutex::default(),
        }
    }
}

impl Fixture {
    /// An empty directory, which is deleted after the check.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        let mut directory = locked(&self.0.directory);
        directory.get_or_insert_with(new_directory).clone()
    }

    /// A clock for the store to read. A store that takes it need not be waited for: the suite advances it instead.
    #[must_use]
    pub fn clock(&self) -> Arc<ManualClock> {
        self.0.is_driven.store(true, Ordering::Relaxed);
        Arc::clone(&self.0.clock)
    }

    /// What the handles on one place share within a process: made by the first, found by the others.
    ///
    /// # Panics
    /// If it is asked for as another type than before.
    pub fn once<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = locked(&self.0.shared);
        let shared = shared.get_or_insert_with(|| Arc::new(make()));
        Arc::clone(shared)
            .downcast()
            .expect("one fixture shares values of one type")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = &*locked(&self.directory) {
            // What cannot be deleted lies in the system's temporary directory.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fixture")
            .field("directory", &self.0.directory)
            .finish_non_exhaustive()
    }
}

/// A text that no other fixture has, of this process or another.
fn unique() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("conformance-{}-{number}", std::process::id())
}

fn new_directory() -> PathBuf {
    loop {
        let path = std::env::temp_dir().join(format!("everwarm-{}", unique()));
        match std::fs::create_dir(&path) {
            Ok(()) => return path,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{} cannot be made: {error}", path.display()),
        }
    }
}

/// One store in a place of its own, for one check.
pub struct Bench<'h> {
    harness: &'h Harness,
    fixture: Fixture,
    /// The store under test.
    pub store: Arc<dyn Store>,
}

impl Bench<'_> {
    /// A second handle on the same place, if the store can be opened twice.
    ///
    /// # Panics
    /// If it does not open.
    #[must_use]
    pub fn another(&self) -> Option<Arc<dyn Store>> {
        let open = || (self.harness.open)(&self.fixture);
        (!self.harness.alone).then(|| open().expect("a second handle on the place of the first"))
    }

    /// Two handles on the same place: the same one twice if there is no second.
    #[must_use]
    pub fn pair(&self) -> [Arc<dyn Store>; 2] {
        let second = self.another().unwrap_or_else(|| self.store.clone());
        [self.store.clone(), second]
    }

    /// The facets that the store must offer, if that was said.
    #[must_use]
    pub fn offers(&self) -> Option<&[String]> {
        self.harness.offers()
    }

    /// A name that no other check uses, if the store is a server that all of them share.
    #[must_use]
    pub fn name(&self, text: &str) -> String {
        format!("{}:{text}", self.fixture.0.prefix)
    }

    /// The namespace that those names are in.
    #[must_use]
    pub fn space(&self) -> String {
        self.fixture.0.prefix.clone()
    }

    /// Whether time passes by itself.
    #[must_use]
    pub fn is_real_time(&self) -> bool {
        !self.fixture.0.is_driven.load(Ordering::Relaxed)
    }

    /// Lets time pass, by the clock that the store took, or in fact.
    pub fn pass(&self, span: Duration) {
        if self.is_real_time() {
            thread::sleep(span);
        } else {
            self.fixture.0.clock.advance(span);
        }
    }

    /// Lets a ttl end, and what the store's precision may add to it.
    pub fn outlive(&self, ttl: Duration) {
        self.pass(ttl + self.store.limits().ttl_precision + Duration::from_millis(1));
    }

    /// A ttl that may be waited for.
    #[must_use]
    pub fn short(&self) -> Duration {
        Duration::from_millis(300).max(2 * self.store.limits().ttl_precision)
    }

    /// Sets, and waits for it.
    ///
    /// # Errors
    /// The store's failure.
    pub fn put(
        &self,
        name: &str,
        bytes: impl AsRef<[u8]>,
        ttl: Option<Duration>,
    ) -> Result<(), Broken> {
        let bytes = Bytes::copy_from_slice(bytes.as_ref());
        Ok(wait(self.store.set(name, bytes, ttl))?)
    }

    /// What is under a name.
    ///
    /// # Errors
    /// The store's failure.
    pub fn found(&self, name: &str) -> Result<Option<Found>, Broken> {
        Ok(wait(self.store.get(name))?)
    }

    /// The bytes under a name.
    ///
    /// # Errors
    /// The store's failure.
    pub fn bytes(&self, name: &str) -> Result<Option<Bytes>, Broken> {
        Ok(self.found(name)?.map(|found| found.bytes))
    }

    /// Whether something is under a name.
    ///
    /// # Errors
    /// The store's failure.
    pub fn has(&self, name: &str) -> Result<bool, Broken> {
        Ok(self.found(name)?.is_some())
    }
}

impl fmt::Debug for Bench<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bench")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
