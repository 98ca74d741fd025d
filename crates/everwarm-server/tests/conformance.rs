//! What keeps the contract here keeps it behind HTTP: the suites, through a client, a socket and a server.

mod support;

/// A store in memory, with every facet.
mod memory {
    use super::support::{client, memory, served};

    everwarm_conformance::store!(|fixture| {
        let server = fixture.once(|| served(memory(fixture.clock())));
        client(&server.url())
    }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
}

/// The embedded store: two servers over one directory, as two hosts would have them.
mod disk {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use everwarm_store_disk::{Config, Disk};

    use super::support::{client, served};

    everwarm_conformance::store!(|fixture| {
        let servers = fixture.once(|| {
            let url = format!("disk://{}", fixture.directory().display());
            let config = Config::from_url(&url).expect("a URL");
            let open = || Disk::open_by(config.clone(), fixture.clock()).expect("a place");
            let servers = [open(), open()].map(|store| served(Arc::new(store)));
            (servers, AtomicUsize::new(0))
        });
        let (servers, opened) = &*servers;
        client(&servers[opened.fetch_add(1, Ordering::Relaxed) % 2].url())
    }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
}

/// A store with fewer facets, and a client that was told so.
mod file {
    use std::sync::Arc;

    use everwarm_store_file::{Config, FileStore};

    use super::support::{client, served};

    everwarm_conformance::store!(|fixture| {
        let server = fixture.once(|| {
            let url = format!("file://{}", fixture.directory().display());
            let config = Config::from_url(&url).expect("a URL");
            let store = FileStore::with_clock(&config, fixture.clock()).expect("a place");
            served(Arc::new(store))
        });
        client(&format!("{}?facets=counters,conditional,leases,scan,touch", server.url()))
    }; counters, conditional, leases, scan, touch);
}
