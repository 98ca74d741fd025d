//! Directories and files that are refused, and what happens where nothing can be written.

mod support;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_core::mark::Tag;
use everwarm_core::store::{Bytes, Durability, Entry, Failure, FailureKind, Store};
use everwarm_store_disk::{Config, Disk};
use support::{get, now, open, set};

fn refused(path: &Path) -> Failure {
    let failure = Disk::open(Config::new(path)).expect_err("it is refused");
    assert!(failure.to_string().contains("\nhint: "), "{failure}");
    failure
}

#[test]
fn directory_and_files_are_the_users_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/on the way");
    let disk = open(&path);
    set(&disk, "large", &[1; 100_000]);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for file in fs::read_dir(path.join("v1")).unwrap() {
        assert_eq!(
            file.unwrap().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn directories_that_others_can_change_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().join("real");
    fs::create_dir(&real).unwrap();
    let link = directory.path().join("link");
    symlink(&real, &link).unwrap();
    assert_eq!(refused(&link).kind, FailureKind::Permanent);
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    assert_eq!(refused(&file).kind, FailureKind::Permanent);
    for mode in [0o777, 0o770, 0o1777] {
        fs::set_permissions(&real, Permissions::from_mode(mode)).unwrap();
        assert_eq!(refused(&real).kind, FailureKind::Permanent, "{mode:o}");
    }
    fs::set_permissions(&real, Permissions::from_mode(0o755)).unwrap();
    open(&real);
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    // Only root can give a directory away.
    if chown(&foreign, Some(12_345), None).is_ok() {
        assert_eq!(refused(&foreign).kind, FailureKind::Authentication);
    }
    let store = directory.path().join("store");
    open(&store);
    if chown(store.join("v1/head"), Some(12_345), None).is_ok() {
        assert_eq!(refused(&store).kind, FailureKind::Authentication);
    }
}

#[test]
fn files_that_others_put_there_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, b"precious").unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
    type Make<'a> = &'a dyn Fn(&Path);
    let make: [(&str, Make<'_>); 4] = [
        ("link", &|head| symlink(&elsewhere, head).unwrap()),
        ("hard link", &|head| {
            fs::hard_link(&elsewhere, head).unwrap()
        }),
        ("fifo", &|head| {
            assert!(Command::new("mkfifo").arg(head).status().unwrap().success())
        }),
        ("open to all", &|head| {
            fs::write(head, b"").unwrap();
            fs::set_permissions(head, Permissions::from_mode(0o644)).unwrap();
        }),
    ];
    for (what, make) in make {
        let store = directory.path().join(what);
        fs::create_dir_all(store.join("v1")).unwrap();
        make(&store.join("v1/head"));
        assert_eq!(refused(&store).kind, FailureKind::Permanent, "{what}");
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
}

#[test]
fn files_of_others_and_other_layouts_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let head = directory.path().join("v1/head");
    drop(open(directory.path()));
    let ours = fs::read(&head).unwrap();
    let mut other = ours.clone();
    other[7] = 9;
    for (bytes, kind) in [
        (other, FailureKind::Capability),
        (vec![b'x'; 200], FailureKind::Permanent),
    ] {
        fs::write(&head, &bytes).unwrap();
        assert_eq!(refused(directory.path()).kind, kind);
        assert_eq!(fs::read(&head).unwrap(), bytes);
    }
    // Of our own, damaged: it begins anew and says so.
    let mut damaged = ours;
    damaged[40] ^= 1;
    fs::write(&head, &damaged).unwrap();
    assert_eq!(open(directory.path()).doubts().len(), 1);
}

/// A small file system of its own, where that is allowed.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(&path)
            .output();
        let is_mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        if !is_mounted {
            // The test runner keeps what `eprintln!` writes to itself.
            let _ = std::io::stderr().write_all(
                b"LEFT OUT: a test of a full disk, since this user may not mount a file system\n",
            );
        }
        is_mounted.then_some(Self(path))
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_sets_and_goes_on_reading() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path().join("small"), "3m") else {
        return;
    };
    let disk = open(&small.0.join("store"));
    let mut refusals = 0;
    for at in 0..3_000 {
        match now(disk.set(
            &at.to_string(),
            Bytes::from(vec![at as u8; if at % 10 == 0 { 70_000 } else { 2_000 }]),
            None,
        )) {
            Ok(()) => {}
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0);
    let there = (0..3_000).filter_map(|at| Some((at, get(&disk, &at.to_string())?)));
    let there: Vec<_> = there
        .inspect(|(at, bytes)| assert!(bytes.iter().all(|byte| *byte == *at as u8)))
        .collect();
    assert!(there.len() > 100);
    assert!(disk.doubts().is_empty());
    // What must not fail does not: a delete, and all that tells others.
    let before = disk.notify().unwrap().change();
    let (name, _) = there.last().unwrap();
    now(disk.delete(&name.to_string())).unwrap();
    assert_eq!(get(&disk, &name.to_string()), None);
    now(disk
        .generations()
        .unwrap()
        .invalidate("shop", &[Tag([1; 16])]))
    .unwrap();
    now(disk.clear("2")).unwrap();
    assert_ne!(disk.notify().unwrap().change(), before);
    // Once there is room again, so is the store.
    small.remount("size=8m");
    set(&disk, "after", &[1; 5_000]);
    assert_eq!(get(&disk, "after").unwrap().len(), 5_000);
}

/// A disk that one segment of the log has filled; what is there, and how many were set.
fn filled(small: &Small, ttl: Option<Duration>) -> (Disk, usize) {
    let disk = Disk::open(Config {
        max_bytes: 1 << 30,
        ..Config::new(small.0.join("store"))
    })
    .unwrap();
    let mut at = 0;
    let refused = loop {
        match now(disk.set(&at.to_string(), Bytes::from(vec![1; 20_000]), ttl)) {
            Ok(()) => at += 1,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.kind, FailureKind::Capacity, "{refused}");
    (disk, at)
}

fn takes_as_many_again(disk: &Disk, many: usize) {
    for at in 0..many / 4 * 3 {
        set(disk, &format!("again {at}"), &[2; 20_000]);
    }
    assert_eq!(get(disk, "again 0").unwrap(), vec![2; 20_000]);
    assert!(disk.doubts().is_empty());
}

#[test]
fn a_disk_that_a_store_has_filled_is_its_own_again_by_clearing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path().join("small"), "6m") else {
        return;
    };
    let (disk, many) = filled(&small, None);
    // Another one has its files open, and follows.
    let other = open(&small.0.join("store"));
    assert!(get(&other, "0").is_some());
    for prefix in ["", "again"] {
        now(disk.clear(prefix)).unwrap();
        assert_eq!(get(&other, "0"), None);
        takes_as_many_again(&disk, many);
        assert!(get(&other, "again 1").is_some());
        while now(disk.set("again", Bytes::from(vec![1; 20_000]), None)).is_ok() {}
    }
    drop((disk, other));
    let disk = open(&small.0.join("store"));
    now(disk.clear("")).unwrap();
    takes_as_many_again(&disk, many);
}

#[test]
fn a_disk_that_a_store_has_filled_is_its_own_again_by_sweeping() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path().join("small"), "6m") else {
        return;
    };
    let (disk, many) = filled(&small, Some(Duration::from_secs(2)));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(now(disk.sweep()).unwrap(), many as u64);
    takes_as_many_again(&disk, many);
}

/// A deletion must not fail: what it has to give up for that is the only segment.
#[test]
fn a_disk_that_a_store_has_filled_is_its_own_again_by_deleting() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path().join("small"), "6m") else {
        return;
    };
    let (disk, many) = filled(&small, None);
    for at in 0..many {
        now(disk.delete(&at.to_string())).unwrap();
    }
    now(disk.sweep()).unwrap();
    takes_as_many_again(&disk, many);
}

/// What was begun on a full disk lies beyond the log, where others write something else.
#[test]
fn nothing_is_left_of_what_a_full_disk_refused() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path().join("small"), "3m") else {
        return;
    };
    let config = Config {
        max_bytes: 8 << 20,
        ..Config::new(small.0.join("store"))
    };
    let (one, other) = (
        Disk::open(config.clone()).unwrap(),
        Disk::open(config).unwrap(),
    );
    set(&one, "before", b"value");
    let names: Vec<_> = (0..60).map(|at| format!("name {at}")).collect();
    let many = |byte| {
        let entry = |name| Entry {
            name,
            bytes: Bytes::from(vec![byte; 10_000]),
            ttl: None,
        };
        names.iter().map(|name| entry(name)).collect::<Vec<_>>()
    };
    let ballast = small.0.join("ballast");
    std::fs::write(&ballast, vec![0; 2_200 << 10]).unwrap();
    let refused = now(one.set_many(&many(1))).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Capacity, "{refused}");
    std::fs::remove_file(ballast).unwrap();
    now(other.sweep()).unwrap();
    assert_eq!(get(&one, "name 0"), None);
    now(other.set_many(&many(2))).unwrap();
    for name in &names {
        assert!(get(&one, name).unwrap() == vec![2; 10_000], "{name}");
    }
    assert_eq!(get(&one, "before").unwrap(), "value");
    assert!(one.doubts().is_empty() && other.doubts().is_empty());
}

#[test]
fn a_read_only_file_system_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path().join("small"), "8m") else {
        return;
    };
    let path = small.0.join("store");
    drop({
        let disk = open(&path);
        set(&disk, "name", b"value");
        disk
    });
    small.remount("ro");
    let disk = open(&path);
    assert_eq!(get(&disk, "name").unwrap(), "value");
    assert_eq!(get(&disk, "absent"), None);
    let refused = now(disk.set("name", Bytes::from("other"), None)).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Permanent);
    assert_eq!(
        now(disk.delete("name")).unwrap_err().kind,
        FailureKind::Permanent
    );
    assert_eq!(
        now(disk.scan().unwrap().page("", None, 10)).unwrap().names,
        ["name"]
    );
    now(disk.close()).unwrap();
    assert_eq!(
        self::refused(&small.0.join("nothing")).kind,
        FailureKind::Permanent
    );
    small.remount("rw");
}

#[test]
fn urls_say_where_and_how() {
    let config =
        Config::from_url("disk:///var/a%20b?max_bytes=8MiB&max_entries=7&durability=power")
            .unwrap();
    let expected = Config {
        max_bytes: 8 << 20,
        max_entries: 7,
        durability: Durability::Power,
        ..Config::new("/var/a b")
    };
    assert_eq!(config, expected);
    assert!(
        Config::from_url("disk:")
            .unwrap()
            .directory
            .ends_with("everwarm")
    );
    assert!(everwarm_store_disk::check("disk:///var/cache").is_ok());
}

#[test]
fn urls_that_cannot_be_meant_are_refused() {
    let unknown = Config::from_url("disk:///a?max_entires=5").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownOption);
    assert!(unknown.hint().contains("max_entries"));
    for url in [
        "file:///a",
        "disk:a",
        "disk://host/a",
        "disk:///a%2",
        "disk:///a%00",
        "disk:///a?max_bytes=1MiB",
        "disk:///a?max_bytes=lots",
        "disk:///a?max_entries=0",
        "disk:///a?max_entries=-1",
        "disk:///a?durability=none",
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(!error.hint().is_empty());
        assert!(everwarm_store_disk::open(url).is_err());
    }
}
