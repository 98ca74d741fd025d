//! What is not as it should be with servers, by what they say of themselves.

use everwarm_core::health::{Fact, Remark, Report};

use crate::info::Info;
use crate::refused::Refused;

/// The oldest server that has all that the store asks for.
const OLDEST: (u64, u64) = (6, 2);
/// Policies that let go of what is least used. The others keep what nobody needs, or let go of leases first.
const SUITED: [&str; 6] = [
    "allkeys-lfu",
    "allkeys-lru",
    "allkeys-lrm",
    "volatile-lfu",
    "volatile-lru",
    "volatile-lrm",
];
/// Of the memory that a server may take, the part from which on it counts as full, in hundredths.
const FULL: u64 = 99;

/// What one server said.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    /// Where it listens.
    pub(crate) place: String,
    /// `INFO`, if it gave that.
    pub(crate) info: Option<Info>,
    /// What `CLUSTER INFO` calls the cluster's state, where it is one.
    pub(crate) cluster: Option<String>,
    /// Whether one server alone was meant.
    pub(crate) is_single: bool,
    /// How it is set up, if that was asked for.
    pub(crate) settings: Option<Settings>,
    /// What it refuses of all that the store does, as far as that was tried.
    pub(crate) refused: Option<Refused>,
}

/// What is asked for the sake of settings alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `save`, if it was told.
    pub(crate) save: Option<String>,
    /// `appendonly`, if it was told.
    pub(crate) appendonly: Option<String>,
    /// The runs that a connection from before and one made for this are to; empty where nothing was said.
    pub(crate) runs: Vec<Box<str>>,
}

/// One thing about one server.
struct Finding {
    about: &'static str,
    what: String,
    hint: &'static str,
    is_trouble: bool,
}

fn setting(about: &'static str, what: impl Into<String>, hint: &'static str) -> Finding {
    Finding {
        about,
        what: what.into(),
        hint,
        is_trouble: false,
    }
}

fn trouble(about: &'static str, what: impl Into<String>, hint: &'static str) -> Finding {
    Finding {
        is_trouble: true,
        ..setting(about, what, hint)
    }
}

/// What all servers together say. What several have in common is said once, with where they are.
pub(crate) fn report(looked: &[Looked]) -> Report {
    let mut grouped: Vec<(Finding, Vec<&str>)> = Vec::new();
    for server in looked {
        for finding in server.findings() {
            let same = grouped
                .iter_mut()
                .find(|(other, _)| other.about == finding.about && other.what == finding.what);
            match same {
                Some((_, places)) => places.push(&server.place),
                None => grouped.push((finding, vec![&server.place])),
            }
        }
    }
    // What does not work comes first.
    grouped.sort_by_key(|(finding, _)| !finding.is_trouble);
    let remarks = grouped.into_iter().map(|(finding, places)| Remark {
        about: finding.about,
        message: format!("{} {}", places.join(", "), finding.what),
        hint: finding.hint.to_owned(),
        is_trouble: finding.is_trouble,
    });
    Report {
        facts: facts(looked),
        remarks: remarks.collect(),
    }
}

fn facts(looked: &[Looked]) -> Vec<(&'static str, Fact)> {
    let infos = || looked.iter().filter_map(|server| server.info.as_ref());
    let sum = |name: &str| {
        let numbers = infos().filter_map(|info| info.number(name));
        numbers.reduce(u64::saturating_add).map(Fact::Count)
    };
    // Of texts that differ, all are told.
    let texts = |of: &dyn Fn(&Info) -> Option<String>| {
        let mut texts: Vec<String> = infos().filter_map(of).collect();
        texts.sort();
        texts.dedup();
        (!texts.is_empty()).then(|| Fact::Text(texts.join(", ")))
    };
    let policy = |info: &Info| info.text("maxmemory_policy").map(str::to_owned);
    let told = [
        ("servers", Some(Fact::Count(looked.len() as u64))),
        ("version", texts(&Info::version)),
        ("used_bytes", sum("used_memory")),
        ("max_bytes", sum("maxmemory")),
        ("eviction", texts(&policy)),
        ("replicas", sum("connected_slaves")),
        ("clients", sum("connected_clients")),
    ];
    told.into_iter()
        .filter_map(|(name, fact)| fact.map(|fact| (name, fact)))
        .collect()
}

impl Looked {
    fn findings(&self) -> Vec<Finding> {
        let mut found = self.findings_of_info();
        let explains = |finding: &Finding| finding.is_trouble;
        let is_explained = found.iter().any(explains);
        found.extend(self.refusal(is_explained));
        found
    }

    fn findings_of_info(&self) -> Vec<Finding> {
        let Some(info) = &self.info else {
            return vec![setting(
                "info",
                "does not tell how it is: INFO is refused",
                "allow the user `+info`",
            )];
        };
        let mut found = vec![
            self.role(info),
            self.cluster_state(),
            full(info),
            snapshot(info),
        ];
        if let Some(settings) = &self.settings {
            found.extend([
                self.kind(info),
                version(info),
                bound(info),
                eviction(info),
                replicas(info),
                settings.persistence(),
                settings.identity(info),
            ]);
        }
        found.into_iter().flatten().collect()
    }

    /// What is refused, unless that is for a reason that is told already.
    fn refusal(&self, is_explained: bool) -> Option<Finding> {
        let Refused {
            command,
            is_forbidden,
        } = self.refused.as_ref()?;
        if *is_forbidden {
            return Some(trouble(
                "access",
                format!("does not let this user do all that is needed: {command} is refused"),
                "give the user what docs/guide/redis.md lists: `~ew{*`, `&ew*`, `+@write`, `+@scripting` and the others",
            ));
        }
        (!is_explained).then(|| {
            trouble(
                "writes",
                format!("takes no writes by now: {command} is refused"),
                "it should pass; if not, look at its log",
            )
        })
    }

    fn role(&self, info: &Info) -> Option<Finding> {
        (info.text("role") == Some("slave")).then(|| {
            trouble(
                "role",
                "is a replica, which takes no writes",
                "name the master, or the sentinels or the cluster, which know it",
            )
        })
    }

    fn cluster_state(&self) -> Option<Finding> {
        let state = self.cluster.as_deref()?;
        (state != "ok").then(|| {
            trouble(
                "cluster",
                "says that its cluster is not whole: some names cannot be read or written",
                "look which master is down without a replica: CLUSTER NODES",
            )
        })
    }

    fn kind(&self, info: &Info) -> Option<Finding> {
        (self.is_single && info.number("cluster_enabled") == Some(1)).then(|| {
            setting(
                "cluster",
                "is one server of a cluster, and is asked as if it were alone",
                "write redis+cluster:// for its URL",
            )
        })
    }
}

fn full(info: &Info) -> Option<Finding> {
    let (used, most) = (info.number("used_memory")?, info.number("maxmemory")?);
    let is_full = most > 0 && used / 100 >= most / 100 * FULL / 100;
    (is_full && info.text("maxmemory_policy") == Some("noeviction")).then(|| {
        trouble(
            "memory",
            "is full and lets go of nothing: nothing more is stored",
            "set maxmemory-policy to allkeys-lfu, or give it more memory",
        )
    })
}

fn snapshot(info: &Info) -> Option<Finding> {
    (info.text("rdb_last_bgsave_status") == Some("err")).then(|| {
        trouble(
            "snapshot",
            "could not write its last snapshot, and then refuses writes",
            "look at its log and its disk; or set stop-writes-on-bgsave-error to no",
        )
    })
}

fn version(info: &Info) -> Option<Finding> {
    let version = info.text("redis_version")?;
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    let told = (numbers.next()?, numbers.next().unwrap_or(0));
    (told < OLDEST).then(|| {
        setting(
            "version",
            format!("is of version {version}, which lacks commands that the store needs"),
            "use version 6.2 or later, or any Valkey",
        )
    })
}

fn bound(info: &Info) -> Option<Finding> {
    (info.number("maxmemory") == Some(0)).then(|| {
        setting(
            "maxmemory",
            "has no bound on its memory: it takes all that there is, and is ended then",
            "set maxmemory to what the machine can spare, such as `maxmemory 2gb`",
        )
    })
}

fn eviction(info: &Info) -> Option<Finding> {
    let policy = info.text("maxmemory_policy")?;
    let why = match policy {
        "noeviction" => {
            "takes nothing more once it is full (maxmemory-policy noeviction)".to_owned()
        }
        _ if SUITED.contains(&policy) => return None,
        "volatile-ttl" => {
            "lets go of leases and short-lived values first (maxmemory-policy volatile-ttl)"
                .to_owned()
        }
        _ => {
            format!("lets go of what is in use as soon as of the rest (maxmemory-policy {policy})")
        }
    };
    Some(setting(
        "eviction",
        why,
        "set maxmemory-policy to allkeys-lfu; to volatile-lfu where others keep what has no ttl",
    ))
}

fn replicas(info: &Info) -> Option<Finding> {
    (info.text("role") == Some("master") && info.number("connected_slaves") == Some(0)).then(|| {
        setting(
            "replicas",
            "has no replica: if it is lost, nobody takes over and all is computed anew",
            "give it a replica, with Sentinel or as a cluster; or accept that",
        )
    })
}

impl Settings {
    fn persistence(&self) -> Option<Finding> {
        let (Some(save), Some(appendonly)) = (&self.save, &self.appendonly) else {
            return Some(setting(
                "config",
                "does not tell its settings: CONFIG GET is refused",
                "allow the user `+config|get`; where the service is managed, look in its console",
            ));
        };
        (!save.is_empty() && appendonly != "yes").then(|| {
            setting(
                "persistence",
                "begins with its last snapshot after a crash: what was invalidated since, but for the last minute, is found \
                 again",
                "set `save \"\"`, so that it begins empty, or `appendonly yes`",
            )
        })
    }

    fn identity(&self, info: &Info) -> Option<Finding> {
        let hint = "let the cache reach the servers themselves, by Sentinel or as a cluster";
        let Some(run) = info.text("run_id").filter(|run| !run.is_empty()) else {
            return Some(setting(
                "identity",
                "does not tell which server it is (INFO has no run_id), so that failovers cannot be seen",
                hint,
            ));
        };
        let differs = self.runs.iter().any(|other| &**other != run);
        differs.then(|| {
            setting(
                "identity",
                "is not the same server on each connection: a proxy stands between, and failovers cannot be seen",
                hint,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    const GOOD: &str = "redis_version:7.2.4\r\nrun_id:a\r\nrole:master\r\nconnected_slaves:1\r\n\
        used_memory:1000\r\nmaxmemory:100000\r\nmaxmemory_policy:allkeys-lfu\r\nrdb_last_bgsave_status:ok\r\n";

    fn looked(changed: &[(&str, &str)]) -> Looked {
        let mut text = GOOD.to_owned();
        for (name, value) in changed {
            text.push_str(&format!("{name}:{value}\r\n"));
        }
        Looked {
            place: "host:6379".to_owned(),
            info: Info::read(&Value::bulk(text)),
            cluster: None,
            is_single: true,
            settings: Some(Settings {
                save: Some(String::new()),
                appendonly: Some("no".to_owned()),
                runs: vec!["a".into()],
            }),
            refused: None,
        }
    }

    fn abouts(server: Looked) -> Vec<&'static str> {
        let remarks = report(&[server]).remarks;
        remarks.into_iter().map(|remark| remark.about).collect()
    }

    #[test]
    fn each_setting_that_differs_is_told_and_nothing_else() {
        assert_eq!(abouts(looked(&[])), [""; 0]);
        for (name, value, about) in [
            ("role", "slave", "role"),
            ("maxmemory", "0", "maxmemory"),
            ("maxmemory_policy", "noeviction", "eviction"),
            ("maxmemory_policy", "volatile-ttl", "eviction"),
            ("maxmemory_policy", "allkeys-random", "eviction"),
            ("connected_slaves", "0", "replicas"),
            ("redis_version", "6.0.16", "version"),
            ("run_id", "", "identity"),
            ("run_id", "b", "identity"),
            ("cluster_enabled", "1", "cluster"),
            ("rdb_last_bgsave_status", "err", "snapshot"),
        ] {
            assert_eq!(abouts(looked(&[(name, value)])), [about], "{name}: {value}");
        }
        for policy in ["allkeys-lru", "volatile-lfu", "volatile-lru"] {
            assert!(abouts(looked(&[("maxmemory_policy", policy)])).is_empty());
        }
    }

    #[test]
    fn what_does_not_work_comes_first_and_is_told_without_settings() {
        let full = &[("used_memory", "99500"), ("maxmemory_policy", "noeviction")];
        assert_eq!(abouts(looked(full)), ["memory", "eviction"]);
        let basic = Looked {
            settings: None,
            ..looked(full)
        };
        let told = report(&[basic]).remarks;
        assert!(told[0].is_trouble && told.len() == 1);
        let broken = Looked {
            cluster: Some("fail".to_owned()),
            ..looked(&[])
        };
        assert_eq!(abouts(broken), ["cluster"]);
    }

    #[test]
    fn snapshots_alone_bring_back_what_was_invalidated() {
        let with = |save: Option<&str>, appendonly: &str| {
            let mut server = looked(&[]);
            server.settings = Some(Settings {
                save: save.map(str::to_owned),
                appendonly: Some(appendonly.to_owned()),
                runs: Vec::new(),
            });
            abouts(server)
        };
        assert_eq!(with(Some("3600 1"), "no"), ["persistence"]);
        assert!(with(Some("3600 1"), "yes").is_empty());
        assert!(with(Some(""), "no").is_empty());
        assert_eq!(with(None, "yes"), ["config"]);
    }

    #[test]
    fn what_servers_have_in_common_is_told_once() {
        let mut other = looked(&[("maxmemory", "0")]);
        other.place = "other:6379".to_owned();
        let told = report(&[looked(&[("maxmemory", "0")]), other]);
        assert_eq!(told.remarks.len(), 1);
        assert!(
            told.remarks[0]
                .message
                .starts_with("host:6379, other:6379 has no bound")
        );
        assert!(told.facts.contains(&("used_bytes", Fact::Count(2000))));
        assert!(
            told.facts
                .contains(&("version", Fact::Text("redis 7.2.4".to_owned())))
        );
    }

    #[test]
    fn what_is_refused_is_told_unless_its_reason_is() {
        let refusing = |is_forbidden, changed| Looked {
            refused: Some(Refused {
                command: "SET".to_owned(),
                is_forbidden,
            }),
            ..looked(changed)
        };
        assert_eq!(abouts(refusing(true, &[])), ["access"]);
        assert_eq!(abouts(refusing(false, &[])), ["writes"]);
        let replica = &[("role", "slave")];
        assert_eq!(abouts(refusing(false, replica)), ["role"]);
        assert_eq!(abouts(refusing(true, replica)), ["role", "access"]);
        let told = report(&[refusing(true, &[])]).remarks;
        assert!(told[0].is_trouble && told[0].message.contains("SET is refused"));
        let silent = Looked {
            info: None,
            ..refusing(true, &[])
        };
        assert_eq!(abouts(silent), ["access", "info"]);
    }

    #[test]
    fn who_refuses_info_is_told_how_to_allow_it() {
        let silent = Looked {
            info: None,
            ..looked(&[])
        };
        assert_eq!(abouts(silent), ["info"]);
    }
}
