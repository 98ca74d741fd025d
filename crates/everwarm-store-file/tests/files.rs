//! What lies in the directory: readable, private, whole after any end, and a miss if it is not what was written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use everwarm_conformance::{Fixture, ManualClock, Numbers, wait};
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::store::{Bytes, Durability, FailureKind, Store};
use everwarm_store_file::{Config, FileStore};

fn store(fixture: &Fixture) -> FileStore {
    FileStore::connect(&Config::in_directory(fixture.directory())).expect("a store")
}

fn set(store: &FileStore, name: &str, bytes: impl Into<Bytes>) {
    wait(store.set(name, bytes.into(), None)).expect("a set");
}

fn get(store: &FileStore, name: &str) -> Option<Bytes> {
    wait(store.get(name))
        .expect("a get")
        .map(|found| found.bytes)
}

/// The files below a directory that end so.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let rooms = fs::read_dir(directory).expect("a directory").flatten();
    let files = rooms.flat_map(|room| fs::read_dir(room.path()).into_iter().flatten().flatten());
    let named = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
    files.map(|file| file.path()).filter(named).collect()
}

#[test]
fn a_value_of_text_is_readable_as_it_is() {
    let fixture = Fixture::default();
    set(&store(&fixture), "shop:price", "{\"EUR\":12}");
    let [file] = &files(&fixture.directory(), ".value")[..] else {
        panic!("one file")
    };
    assert!(file.ends_with("shop%3aprice.value"), "{}", file.display());
    let text = fs::read_to_string(file).expect("a text");
    let (head, value) = text.split_once('\n').expect("two parts");
    assert_eq!(value, "{\"EUR\":12}");
    let head: serde_json::Value = serde_json::from_str(head).expect("JSON");
    assert_eq!(head["name"], "shop:price");
    assert_eq!(head["expires"], serde_json::Value::Null);
}

#[test]
fn others_may_neither_read_nor_write() {
    let fixture = Fixture::default();
    let directory = fixture.directory().join("made");
    let store = FileStore::connect(&Config::in_directory(&directory)).expect("a store");
    set(&store, "name", "value");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in files(&directory, "") {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        assert_eq!(mode(file.parent().expect("a room")), 0o700);
    }
}

#[test]
fn directories_that_are_not_safe_are_refused() {
    let fixture = Fixture::default();
    let root = fixture.directory();
    let refused = |path: PathBuf| {
        let failure = FileStore::connect(&Config::in_directory(path)).expect_err("a refusal");
        assert_eq!(failure.kind, FailureKind::Permanent);
        failure.message().to_owned()
    };
    fs::create_dir(root.join("real")).expect("a directory");
    symlink(root.join("real"), root.join("link")).expect("a link");
    assert!(refused(root.join("link")).contains("symbolic link"));
    fs::write(root.join("file"), "").expect("a file");
    assert!(refused(root.join("file")).contains("no directory"));
    fs::create_dir(root.join("open")).expect("a directory");
    fs::set_permissions(root.join("open"), fs::Permissions::from_mode(0o777)).expect("a mode");
    assert!(refused(root.join("open")).contains("others may write"));
    fs::create_dir(root.join("rooms")).expect("a directory");
    symlink(root.join("real"), root.join("rooms/3")).expect("a link");
    assert!(refused(root.join("rooms")).contains("a room of it"));
    // Only the superuser can give a directory away.
    if std::os::unix::fs::chown(root.join("real"), Some(12_345), None).is_ok() {
        assert!(refused(root.join("real")).contains("another user"));
    }
}

#[test]
fn what_is_no_plain_file_of_ours_is_a_miss() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    set(&store, "name", "value");
    let [file] = &files(&fixture.directory(), ".value")[..] else {
        panic!("one file")
    };
    let elsewhere = fixture.directory().join("elsewhere");
    fs::hard_link(file, &elsewhere).expect("a second name");
    assert_eq!(get(&store, "name"), None, "a file with two names was read");
    fs::remove_file(file).expect("deleted");
    symlink(&elsewhere, file).expect("a link");
    assert_eq!(get(&store, "name"), None, "a symbolic link was followed");
    set(&store, "name", "second");
    assert_eq!(get(&store, "name"), Some(Bytes::from("second")));
    assert!(
        fs::read_to_string(&elsewhere)
            .expect("a text")
            .ends_with("\nvalue"),
        "a link was written through"
    );
    fs::remove_file(file).expect("deleted");
    let made = Command::new("mkfifo").arg(file).status().expect("mkfifo");
    assert!(made.success());
    assert_eq!(get(&store, "name"), None, "a pipe was read");
    set(&store, "name", "third");
    assert_eq!(get(&store, "name"), Some(Bytes::from("third")));
}

#[test]
fn any_damage_makes_a_miss() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    let other = "other".to_owned();
    set(&store, "name", "a value of some bytes\nin two lines");
    let [file] = &files(&fixture.directory(), ".value")[..] else {
        panic!("one file")
    };
    let whole = fs::read(file).expect("bytes");
    set(&store, &other, "other value");
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    for at in 0..whole.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            damaged.push(bytes);
        }
        damaged.push(whole[..at].to_vec());
        damaged.push([&whole[..at], &vec![0; whole.len() - at]].concat());
    }
    damaged.push([&whole[..], b"x"].concat());
    let mut numbers = Numbers::from_seed(5);
    damaged.extend((0..200).map(|length| numbers.bytes(length)));
    // The whole file of another name, too.
    for path in files(&fixture.directory(), "other.value") {
        damaged.push(fs::read(path).expect("bytes"));
    }
    for bytes in damaged {
        fs::write(file, &bytes).expect("written");
        assert_eq!(
            get(&store, "name"),
            None,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        let names = wait(store.scan().expect("scan").page("", None, 10)).expect("a page");
        assert!(names.names.contains(&other));
    }
    fs::write(file, &whole).expect("written");
    assert!(get(&store, "name").is_some());
}

#[test]
fn foreign_files_are_left_alone() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    set(&store, "name", "value");
    let foreign = [
        fixture.directory().join("notes.txt"),
        fixture.directory().join("0/notes.txt"),
    ];
    for file in &foreign {
        fs::write(file, "mine").expect("written");
    }
    assert_eq!(wait(store.clear("")), Ok(1));
    wait(store.sweep()).expect("a sweep");
    assert!(foreign.iter().all(|file| file.exists()));
}

#[test]
fn a_clock_that_is_set_back_makes_no_entry_live_longer() {
    let fixture = Fixture::default();
    let clock = Arc::new(ManualClock::default());
    let config = Config::in_directory(fixture.directory());
    let store = FileStore::with_clock(&config, Arc::clone(&clock) as _).expect("a store");
    wait(store.set("name", Bytes::from("value"), Some(Duration::from_secs(60)))).expect("a set");
    clock.set_back(Duration::from_millis(500));
    let left = wait(store.get("name"))
        .expect("a get")
        .expect("still there")
        .remaining;
    assert!(left <= Some(Duration::from_secs(60)), "{left:?}");
    clock.set_back(Duration::from_secs(86_400));
    assert_eq!(
        get(&store, "name"),
        None,
        "an entry from the future was found"
    );
    set(&store, "name", "again");
    assert_eq!(get(&store, "name"), Some(Bytes::from("again")));
}

#[test]
fn bounds_hold_and_the_oldest_leave() {
    let fixture = Fixture::default();
    let config = Config {
        max_entries: 100,
        max_bytes: 200_000,
        ..Config::in_directory(fixture.directory())
    };
    let store = FileStore::connect(&config).expect("a store");
    for n in 0..300 {
        set(&store, &format!("n{n}"), "x");
        assert!(files(&fixture.directory(), ".value").len() <= 100);
    }
    assert!(files(&fixture.directory(), ".value").len() >= 90);
    let found = |range: std::ops::Range<u32>| {
        range
            .filter(|n| get(&store, &format!("n{n}")).is_some())
            .count()
    };
    assert!(found(280..300) >= 18, "the youngest left");
    assert_eq!(found(0..100), 0, "the oldest stayed");
    for n in 0..40 {
        set(&store, &format!("large{n}"), vec![7; 20_000]);
        let sizes = files(&fixture.directory(), ".value");
        let sum: u64 = sizes
            .iter()
            .map(|file| fs::metadata(file).map_or(0, |file| file.len()))
            .sum();
        assert!(sum <= 200_000, "{sum}");
    }
    assert!(get(&store, "large39").is_some());
}

#[test]
fn a_full_medium_refuses_and_reads_go_on() {
    let fixture = Fixture::default();
    let place = fixture.directory().join("small");
    fs::create_dir(&place).expect("a directory");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
        .arg(&place)
        .output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        eprintln!("SKIPPED: a small file system needs the superuser");
        return;
    }
    let mut config = Config::in_directory(place.join("store"));
    config.durability = Durability::Power;
    let store = FileStore::connect(&config).expect("a store");
    set(&store, "first", vec![1; 10_000]);
    let refused =
        (0..40).find_map(|n| wait(store.set(&format!("n{n}"), vec![2; 10_000].into(), None)).err());
    let kept = get(&store, "first");
    let cleared = wait(store.clear("n"));
    let after = wait(store.set("after", vec![3; 10_000].into(), None));
    drop(store);
    let _ = Command::new("umount").arg(&place).status();
    assert_eq!(
        refused.map(|failure| failure.kind),
        Some(FailureKind::Capacity)
    );
    assert_eq!(kept, Some(vec![1; 10_000].into()));
    assert!(cleared.is_ok_and(|cleared| cleared > 0));
    assert_eq!(after, Ok(()));
}

#[test]
fn urls_are_read_and_what_they_cannot_mean_is_refused() {
    let config =
        Config::from_url("file:///var/cache/a%20b?max_bytes=2MB&max_entries=7&durability=power")
            .expect("a URL");
    let expected = Config {
        directory: "/var/cache/a b".into(),
        max_bytes: 2_000_000,
        max_entries: 7,
        durability: Durability::Power,
    };
    assert_eq!(config, expected);
    for (url, said) in [
        ("file://host/dir", "three slashes"),
        ("file:relative", "three slashes"),
        ("file:///d?max_byte=1", "max_bytes"),
        ("file:///d?max_bytes=many", "KiB MiB"),
        ("file:///d?max_entries=0", "nothing could be kept"),
        ("file:///d?max_entries=x", "max_entries=1000"),
        ("file:///d?durability=eternal", "durability=process"),
    ] {
        let error = Config::from_url(url).expect_err(url).to_string();
        assert!(
            error.contains(said) && error.contains("\nhint: "),
            "{url}: {error}"
        );
        let [checked, opened] = [
            everwarm_store_file::check(url)
                .err()
                .map(|error| error.to_string()),
            everwarm_store_file::open(url)
                .err()
                .map(|failure| failure.to_string()),
        ];
        assert_eq!(checked.as_deref(), Some(&*error));
        assert_eq!(opened.as_deref(), Some(&*error));
    }
}

/// A clock that stands a second after the golden files were written.
#[derive(Debug)]
struct Then;

impl Clock for Then {
    fn now(&self) -> Instant {
        Instant::from_nanos(1_763_800_001_000 * 1_000_000)
    }
}

#[test]
fn files_of_both_forms_are_read_listed_and_cleared_and_those_of_another_left_alone() {
    let fixture = Fixture::default();
    let config = Config::in_directory(fixture.directory());
    let store = FileStore::with_clock(&config, Arc::new(Then)).expect("a store");
    let golden: [(&str, &[u8], &[u8]); 2] = [
        (
            "shop:price",
            include_bytes!("golden/v1.value"),
            b"{\"EUR\": 12}",
        ),
        (
            "shop:prices",
            include_bytes!("golden/v2.value"),
            include_bytes!("golden/v2.envelope"),
        ),
    ];
    let places = golden.map(|(name, ..)| {
        set(&store, name, "another");
        let places = files(&fixture.directory(), &format!("%3a{}.value", &name[5..]));
        let [place] = &places[..] else {
            panic!("one file")
        };
        place.clone()
    });
    for ((name, file, bytes), place) in golden.iter().zip(&places) {
        fs::write(place, file).expect("written");
        assert_eq!(get(&store, name).as_deref(), Some(*bytes));
        let found = wait(store.get(name)).expect("a get").expect("it is there");
        assert_eq!(found.remaining, Some(Duration::from_secs(59)));
        // What is set again is written as it was.
        set(&store, name, Bytes::from_static(bytes));
        let again = fs::read(place).expect("bytes");
        assert_eq!(again[..22], file[..22], "{name}");
        assert_eq!(again.ends_with(b"}\n"), file.ends_with(b"}\n"));
    }
    let scan = store.scan().expect("a scan");
    let names = wait(scan.page("shop:", None, 10)).expect("a page").names;
    assert_eq!(names.len(), 2);
    let (place, file) = (&places[1], golden[1].1);
    let later = [b"{\"everwarm\":3", &file[13..]].concat();
    fs::write(place, &later).expect("written");
    assert_eq!(get(&store, golden[1].0), None);
    assert_eq!(wait(store.clear("shop:")).expect("a clear"), 1);
    wait(store.sweep()).expect("a sweep");
    assert_eq!(fs::read(place).expect("it is left alone"), later);
    set(&store, golden[1].0, "mine");
    assert_eq!(get(&store, golden[1].0).as_deref(), Some(&b"mine"[..]));
}
