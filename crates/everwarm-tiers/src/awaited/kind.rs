//! What stores can do, by the scheme of their URL: it is asked before they are open.

/// What is known of a store before it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) embedded: bool,
    pub(super) may_wait: bool,
    pub(super) scans: bool,
    pub(super) has_generations: bool,
    pub(super) suspends: bool,
    pub(super) notifies: bool,
}

impl Kind {
    /// The kind that URLs of a scheme name.
    pub(super) fn of(scheme: &str) -> Option<Self> {
        let all = |name| Self {
            name,
            embedded: false,
            may_wait: true,
            scans: true,
            has_generations: true,
            suspends: true,
            notifies: true,
        };
        let silent = |name| Self {
            notifies: false,
            ..all(name)
        };
        let embedded = |kind| Self {
            embedded: true,
            may_wait: false,
            ..kind
        };
        Some(match scheme {
            "disk" => embedded(all("disk")),
            "sqlite" => Self {
                may_wait: true,
                ..embedded(all("sqlite"))
            },
            "file" => Self {
                has_generations: false,
                suspends: false,
                ..embedded(silent("file"))
            },
            "memcached" => Self::plain(silent("memcached")),
            "memcacheds" => Self::plain(silent("memcacheds")),
            "dynamodb" => silent("dynamodb"),
            "mongodb" | "mongodb+srv" => silent("mongodb"),
            "s3" => silent("s3"),
            "gs" => silent("gs"),
            "az" => silent("az"),
            "http" => all("http"),
            "https" => all("https"),
            "mysql" | "mariadb" => all("mysql"),
            "postgres" | "postgresql" => all("postgres"),
            "redis" => all("redis"),
            "rediss" => all("rediss"),
            "redis+unix" => all("redis+unix"),
            "redis+sentinel" => all("redis+sentinel"),
            "redis+cluster" => all("redis+cluster"),
            _ => return None,
        })
    }

    /// One that knows neither its names nor numbers for invalidations.
    const fn plain(kind: Self) -> Self {
        Self {
            scans: false,
            has_generations: false,
            suspends: false,
            ..kind
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use everwarm_core::store::Store;

    #[test]
    fn every_scheme_has_a_kind() {
        for scheme in crate::schemes::all() {
            assert!(Kind::of(scheme).is_some(), "{scheme}");
        }
        assert_eq!(Kind::of("carrier-pigeon"), None);
    }

    /// What an open store says it can do.
    fn seen(store: &dyn Store) -> Kind {
        let info = store.info();
        assert!(store.counters().is_some() && store.conditional().is_some());
        assert!(store.leases().is_some() && store.touch().is_some());
        Kind {
            name: info.kind,
            embedded: info.embedded,
            may_wait: store.may_wait(),
            scans: store.scan().is_some(),
            has_generations: store.generations().is_some(),
            suspends: store.suspending().is_some(),
            notifies: store.notify().is_some(),
        }
    }

    #[test]
    fn a_kind_is_known_as_its_stores_are() {
        let place = std::env::temp_dir().join(format!("everwarm-kinds-{}", std::process::id()));
        let place = place.display();
        let urls = [
            format!("disk://{place}/disk"),
            format!("file://{place}/file"),
            format!("sqlite://{place}/file.db"),
            "memcached://127.0.0.1:1".to_owned(),
            "dynamodb://table?region=here&endpoint=http://127.0.0.1:1".to_owned(),
            "mongodb://127.0.0.1:1/database".to_owned(),
            "mysql://user@127.0.0.1:1/database".to_owned(),
            "mariadb://user@127.0.0.1:1/database".to_owned(),
            "postgres://user@127.0.0.1:1/database".to_owned(),
            "postgresql://user@127.0.0.1:1/database".to_owned(),
            "redis://127.0.0.1:1".to_owned(),
            "rediss://127.0.0.1:1".to_owned(),
            "redis+unix:///tmp/none".to_owned(),
            "redis+sentinel://127.0.0.1:1/service".to_owned(),
            "redis+cluster://127.0.0.1:1".to_owned(),
            "http://127.0.0.1:1".to_owned(),
            "https://127.0.0.1:1".to_owned(),
            "s3://bucket".to_owned(),
            "gs://bucket".to_owned(),
            "az://account/container".to_owned(),
        ];
        let mut compared = 0;
        for url in urls {
            // Some need credentials of this machine, or are left out of this build.
            let Ok(store) = crate::schemes::open(&url, |_| String::new()) else {
                continue;
            };
            let scheme = url.split_once(':').expect("a scheme").0;
            assert_eq!(Kind::of(scheme), Some(seen(&*store)), "{url}");
            compared += 1;
        }
        assert!(compared > 2 || !cfg!(all(feature = "disk", feature = "redis")));
        drop(std::fs::remove_dir_all(place.to_string()));
    }
}
