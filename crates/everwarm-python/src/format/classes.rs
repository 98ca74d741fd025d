//! The classes that may be rebuilt, found by themselves and by their names.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::class::Class;

/// Classes by themselves and by their names.
#[derive(Default)]
pub(super) struct Classes {
    by_address: HashMap<usize, Arc<Class>, RandomState>,
    by_name: HashMap<String, Arc<Class>, RandomState>,
}

impl Classes {
    /// Adds a class; gives back the one that has its name already, if that is another.
    pub(super) fn add(&mut self, class: Class, address: usize) -> Result<(), Arc<Class>> {
        if let Some(first) = self.by_name.get(class.name())
            && first.class().as_ptr() as usize != address
        {
            return Err(Arc::clone(first));
        }
        let class = Arc::new(class);
        self.by_name
            .insert(class.name().to_owned(), Arc::clone(&class));
        self.by_address.insert(address, class);
        Ok(())
    }

    /// The class itself.
    pub(super) fn find(&self, address: usize) -> Option<&Arc<Class>> {
        self.by_address.get(&address)
    }

    /// The class of a name.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Class>> {
        self.by_name.get(name)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Class>> {
        self.by_name.values()
    }
}
