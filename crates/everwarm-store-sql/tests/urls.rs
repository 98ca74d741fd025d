//! What URLs say, and what cannot be meant.

use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_core::store::{Durability, Store};
use everwarm_store_sql::{Address, Config, Credentials, Postgres, Tls, check, ddl, open};

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn a_url_says_where() {
    let servers = [
        ("postgresql:///shop", vec![tcp("localhost", 5432)]),
        ("postgres://:7000/shop", vec![tcp("localhost", 7000)]),
        ("postgresql://[::1]:7000/shop", vec![tcp("::1", 7000)]),
        ("postgresql://a,b:1/shop", vec![tcp("a", 5432), tcp("b", 1)]),
        (
            "postgresql:///shop?host=/run/postgresql",
            vec![Address::Unix {
                path: "/run/postgresql".into(),
                port: 5432,
            }],
        ),
        ("mysql:///shop", vec![tcp("localhost", 3306)]),
        ("mariadb://a,b:1/shop", vec![tcp("a", 3306), tcp("b", 1)]),
        (
            "mysql:///shop?socket=/run/mysqld/mysqld.sock",
            vec![Address::Unix {
                path: "/run/mysqld/mysqld.sock".into(),
                port: 3306,
            }],
        ),
    ];
    for (url, servers) in servers {
        let config = config(url);
        assert_eq!(config.servers, servers, "{url}");
        assert_eq!(config.database, "shop", "{url}");
    }
    assert_eq!(config("postgresql://h/my%20shop").database, "my shop");
}

#[test]
fn options_say_how() {
    let config = config(
        "postgresql://h/d?table=t&schema=s&make_tables=false&unlogged=1&connections=7&connect_timeout=3\
         &sweep_every=never&timeout=80ms&ca=/ca.pem&cert=/c.pem&key=/k.pem",
    );
    assert_eq!(
        (config.table.as_str(), config.schema.as_deref()),
        ("t", Some("s"))
    );
    assert_eq!((config.make_tables, config.unlogged), (false, true));
    assert_eq!(config.connections, 7);
    assert_eq!(config.connect_timeout, Duration::from_secs(3));
    assert_eq!(
        (config.timeout, config.sweep_every),
        (Some(Duration::from_millis(80)), None)
    );
    let tls = Tls {
        ca: Some(PathBuf::from("/ca.pem")),
        identity: Some(("/c.pem".into(), "/k.pem".into())),
    };
    assert_eq!(config.tls, Some(tls));
}

#[test]
fn beyond_this_machine_connections_are_encrypted() {
    for (url, is_encrypted) in [
        ("postgresql://localhost/d", false),
        ("postgresql://127.0.0.1/d", false),
        ("postgresql://[::1]/d", false),
        ("postgresql:///d?host=/run", false),
        ("postgresql://db.internal/d", true),
        ("postgresql://localhost,db.internal/d", true),
        ("postgresql://db.internal/d?tls=false", false),
        ("postgresql://db.internal/d?sslmode=disable", false),
        ("postgresql://localhost/d?tls=true", true),
        ("postgresql://localhost/d?sslmode=require", true),
        ("postgresql://localhost/d?sslmode=verify-full", true),
        ("postgresql://localhost/d?sslrootcert=/ca.pem", true),
        ("mysql://localhost/d", false),
        ("mysql:///d?socket=/run/s", false),
        ("mysql://db.internal/d", true),
        ("mysql://db.internal/d?ssl-mode=DISABLED", false),
        ("mysql://localhost/d?ssl-mode=VERIFY_IDENTITY", true),
        ("mysql://localhost/d?ssl-ca=/ca.pem", true),
    ] {
        assert_eq!(config(url).tls.is_some(), is_encrypted, "{url}");
    }
}

#[test]
fn who_asks_is_said_in_the_url_and_never_repeated() {
    let config = config("postgresql://ann%40home:p%3Fa%20ss@h/d?tls=false");
    let expected = Credentials {
        user: "ann@home".to_owned(),
        password: Some("p?a ss".to_owned()),
    };
    assert_eq!(config.credentials, Some(expected));
    let store = Postgres::open(config.clone()).unwrap();
    let shown = [
        format!("{config:?}"),
        config.to_string(),
        format!("{store:?}"),
        store.info().place,
    ];
    assert!(shown.iter().all(|text| !text.contains("p?a")), "{shown:?}");
    assert_eq!(store.info().place, "h:5432/d/everwarm");
    assert_eq!(store.info().kind, "postgres");
    let without = self::config("postgresql://ann@h/d").credentials.unwrap();
    assert_eq!((without.user.as_str(), without.password), ("ann", None));
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for url in [
        "postgresql",
        "oracle://h/d",
        "mysql://h",
        "mysql:///d?socket=run",
        "mysql://h/d?socket=/run",
        "mysql://h/d?ssl-mode=PREFERRED",
        "postgresql://h",
        "postgresql://h/",
        "postgresql://h:0/d",
        "postgresql://h:x/d",
        "postgresql://[::1/d",
        "postgresql://a b/d",
        "postgresql://:secret@h/d",
        "postgresql://u:secret%zz@h/d",
        "postgresql://u:secret?a@h/d",
        "postgresql://h/d?table=",
        "postgresql://h/d?table=0123456789012345678901234567890123456789012345678",
        "postgresql://h/d?connections=0",
        "postgresql://h/d?connect_timeout=soon",
        "postgresql://h/d?sweep_every=0s",
        "postgresql://h/d?unlogged=perhaps",
        "postgresql://h/d?sslmode=prefer",
        "postgresql://h/d?cert=/c.pem",
        "postgresql://h/d?tls=false&ca=/ca.pem",
        "postgresql:///d?host=/run&tls=true",
        "postgresql://h/d?host=/run",
        "postgresql:///d?host=run",
    ] {
        let error = check(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(
            !error.hint().is_empty() && !error.to_string().contains("secret"),
            "{error}"
        );
        assert!(open(url).is_err());
    }
    let error = check("postgresql://h/d?tabel=t").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOption);
    assert!(error.hint().contains("table"), "{error}");
    for url in [
        "mysql://h/d?schema=s",
        "mysql://h/d?unlogged=true",
        "postgresql://h/d?socket=/s",
    ] {
        let error = check(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::UnknownOption, "{url}");
    }
}

#[test]
fn tables_have_the_users_names_quoted() {
    let plain = ddl("postgresql://h/d").unwrap();
    assert!(plain.contains("CREATE TABLE IF NOT EXISTS \"everwarm\" ("));
    assert!(plain.contains("\"everwarm_markers\"") && !plain.contains('%'));
    let named = "postgresql://h/d?schema=My%20%22App%22&table=50%25%20off&unlogged=true";
    let written = ddl(named).unwrap();
    assert!(
        written.contains("CREATE UNLOGGED TABLE IF NOT EXISTS \"My \"\"App\"\"\".\"50% off\" (")
    );
    assert!(written.contains("\"My \"\"App\"\"\".\"50% off_settle_1\"("));
    let survives = |url| open(url).unwrap().info().durability;
    let written = ddl("mysql://h/d?table=50%25%20`off`").unwrap();
    assert!(written.contains("CREATE TABLE IF NOT EXISTS `50% ``off``` ("));
    assert!(written.contains("`50% ``off``_messages`"));
    assert_eq!(survives("mysql://h/d?tls=false"), Durability::Power);
    assert_eq!(survives("postgresql://h/d?tls=false"), Durability::Power);
    assert_eq!(
        survives("postgresql://h/d?tls=false&unlogged=true"),
        Durability::Process
    );
}
