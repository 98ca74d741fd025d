//! Which files are taken, and what becomes of the store when something happens to them.

use std::fs::{self, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use everwarm_conformance::{Fixture, wait};
use everwarm_core::store::{Bytes, Durability, Failure, FailureKind, Store};
use everwarm_store_sql::sqlite;
use rusqlite::Connection;

use crate::support::{Config, Sqlite, config, now, put, store, text};

fn path(fixture: &Fixture) -> PathBuf {
    fixture.directory().join("cache.db")
}

fn refused(fixture: &Fixture) -> Failure {
    let failure = Sqlite::open(config(fixture)).err();
    let failure = failure.expect("such a file is refused");
    assert!(!failure.hint().is_empty());
    failure
}

#[test]
fn urls_say_what_they_mean() {
    let config = Config::from_url("sqlite:///a%20b/c.db?synchronous=full&busy_timeout=2s").unwrap();
    assert_eq!(config.path.to_str(), Some("/a b/c.db"));
    assert_eq!(config.busy_timeout.as_secs(), 2);
    assert_eq!(config.synchronous.durability(), Durability::Power);
    let config = Config::from_url("sqlite://./c.db").unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(config.path, here.join("c.db"));
    for url in [
        "sqlite:",
        "sqlite://",
        "sqlite://c.db",
        "sqlite:///dir/",
        "sqlite://:memory:",
        "sqlite:///c.db?synchronous=perhaps",
        "sqlite:///c.db?tabel=x",
        "sqlite:///c.db?table=",
        "sqlite:///c.db?table=sqlite_x",
        "sqlite:///c.db?max_bytes=5",
        "sqlite:///c.db?busy_timeout=2h",
        "sqlite:///c%ff.db",
        "mysql://c.db",
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert!(!error.hint().is_empty(), "{url}");
        assert!(sqlite::check(url).is_err());
    }
    assert!(
        sqlite::ddl("sqlite:///c.db?table=pages")
            .unwrap()
            .contains("\"pages_leases\"")
    );
}

#[test]
fn it_says_what_it_is() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    let info = store.info();
    assert_eq!((info.kind, info.embedded), ("sqlite", true));
    assert_eq!(info.durability, Durability::Process);
    let mode = path(&fixture).metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    let fixture = Fixture::default();
    let bytes = b"dear diary, ".repeat(1_000);
    fs::write(path(&fixture), &bytes).unwrap();
    assert_eq!(refused(&fixture).kind, FailureKind::Permanent);
    assert_eq!(fs::read(path(&fixture)).unwrap(), bytes);
}

#[test]
fn what_belongs_to_another_program_is_left_as_it_is() {
    let fixture = Fixture::default();
    let theirs = Connection::open(path(&fixture)).unwrap();
    theirs.execute_batch("CREATE TABLE users (name)").unwrap();
    assert_eq!(refused(&fixture).kind, FailureKind::Permanent);
    let tables = theirs.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
    assert_eq!(tables, Ok(1_i64));
}

#[test]
fn what_another_version_wrote_is_left_as_it_is() {
    let fixture = Fixture::default();
    put(&store(&fixture), "name", "x");
    let other = Connection::open(path(&fixture)).unwrap();
    other.execute_batch("PRAGMA user_version = 7").unwrap();
    let failure = refused(&fixture);
    assert_eq!(failure.kind, FailureKind::Capability);
    assert!(failure.message().contains("layout 7"));
}

#[test]
fn what_others_may_have_put_there_is_refused() {
    let fixture = Fixture::default();
    let elsewhere = fixture.directory().join("elsewhere.db");
    fs::write(&elsewhere, b"").unwrap();
    symlink(&elsewhere, path(&fixture)).unwrap();
    assert_eq!(refused(&fixture).kind, FailureKind::Authentication);
    fs::remove_file(path(&fixture)).unwrap();
    fs::write(path(&fixture), b"").unwrap();
    fs::set_permissions(path(&fixture), Permissions::from_mode(0o666)).unwrap();
    assert_eq!(refused(&fixture).kind, FailureKind::Authentication);
    fs::set_permissions(path(&fixture), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(fixture.directory(), Permissions::from_mode(0o777)).unwrap();
    assert_eq!(refused(&fixture).kind, FailureKind::Authentication);
    fs::set_permissions(fixture.directory(), Permissions::from_mode(0o700)).unwrap();
    store(&fixture);
}

#[test]
fn a_file_that_is_deleted_is_made_anew() {
    let fixture = Fixture::default();
    let (first, second) = (store(&fixture), store(&fixture));
    put(&first, "name", "x");
    let heard = second.notify().unwrap().change();
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{end}", path(&fixture).display())).unwrap();
    }
    assert_eq!(text(&first, "name"), None);
    put(&first, "name", "y");
    assert_eq!(text(&second, "name").as_deref(), Some("y"));
    let told = now(second.notify().unwrap().messages(heard)).unwrap();
    assert!(
        told.gap,
        "whoever heard of the old file takes all as changed"
    );
}

#[test]
fn many_that_make_a_new_file_at_once_have_it_in_common() {
    const MAKERS: usize = 4;
    for _ in 0..60 {
        let fixture = Fixture::default();
        let all_ready = Barrier::new(MAKERS);
        thread::scope(|scope| {
            let made = |number: usize| {
                let (all_ready, fixture) = (&all_ready, &fixture);
                scope.spawn(move || {
                    all_ready.wait();
                    let store = Sqlite::open(config(fixture))?;
                    now(store.set(&number.to_string(), Bytes::from("x"), None))
                })
            };
            let makers: Vec<_> = (0..MAKERS).map(made).collect();
            for maker in makers {
                maker.join().unwrap().expect("nobody is in its way");
            }
        });
        let store = store(&fixture);
        assert!((0..MAKERS).all(|number| text(&store, &number.to_string()).is_some()));
    }
}

#[test]
fn damage_is_told_and_survived() {
    let fixture = Fixture::default();
    let first = store(&fixture);
    for number in 0..2_000 {
        put(&first, &format!("n{number}"), &"value".repeat(20));
    }
    wait(first.close()).unwrap();
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(path(&fixture))
        .unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    assert!(pages > 40);
    // The first pages say that it is a database at all.
    for page in (16..pages).step_by(3) {
        let mut head = [0; 100];
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.read_exact(&mut head).unwrap();
        head.iter_mut().for_each(|byte| *byte ^= 0x5a);
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&head).unwrap();
    }
    drop(file);
    let second = store(&fixture);
    let mut corrupt = 0;
    for number in 0..2_000 {
        match now(second.get(&format!("n{number}"))) {
            Ok(Some(found)) => assert_eq!(found.bytes, "value".repeat(20)),
            Ok(None) => {}
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Corruption);
                corrupt += 1;
            }
        }
    }
    assert!(corrupt > 0, "no read met damage");
    let report = wait(second.health().unwrap().report(true)).unwrap();
    assert!(report.remarks.iter().any(|remark| remark.about == "damage"));
}

#[test]
fn after_another_start_of_the_machine_it_begins_anew_unless_it_was_closed() {
    for (is_closed, synchronous) in [(false, "normal"), (true, "normal"), (false, "full")] {
        let fixture = Fixture::default();
        let url = format!(
            "sqlite://{}?synchronous={synchronous}",
            path(&fixture).display()
        );
        let open = || Sqlite::open(Config::from_url(&url).unwrap()).unwrap();
        let before = open();
        put(&before, "name", "x");
        now(before.generations().unwrap().begin("space", &[], None)).unwrap();
        if is_closed {
            wait(before.close()).unwrap();
        }
        drop(before);
        let other = Connection::open(path(&fixture)).unwrap();
        let state = "UPDATE everwarm_state SET boot = boot + 1";
        assert_eq!(other.execute(state, []), Ok(1));
        drop(other);
        let after = open();
        let is_kept = is_closed || synchronous == "full";
        assert_eq!(text(&after, "name").is_some(), is_kept, "{url} {is_closed}");
        assert_eq!(after.doubts().is_empty(), is_kept);
        // What is written after it was closed is not on the medium for that.
        put(&after, "name", "y");
        let other = Connection::open(path(&fixture)).unwrap();
        let is_hard = other.query_row("SELECT is_hard FROM everwarm_state", [], |row| row.get(0));
        assert_eq!(is_hard, Ok(synchronous == "full"));
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_refused() {
    let fixture = Fixture::default();
    let config = Config::new("/proc/everwarm/cache.db");
    assert!(Sqlite::open(config).is_err());
    let file = fixture.directory().join("file");
    fs::write(&file, b"").unwrap();
    assert!(Sqlite::open(Config::new(file.join("cache.db"))).is_err());
}

#[test]
fn two_tables_in_one_file_are_two_stores() {
    let fixture = Fixture::default();
    let first = store(&fixture);
    let other = Config {
        table: "other".to_owned(),
        ..config(&fixture)
    };
    let other = Sqlite::open(other).unwrap();
    put(&first, "name", "x");
    assert_eq!(text(&other, "name"), None);
    now(other.set("name", Bytes::from("y"), None)).unwrap();
    assert_eq!(text(&first, "name").as_deref(), Some("x"));
}
