//! Stores that were damaged, and everything that is done with one.
#![allow(dead_code, unreachable_pub)] // Each test file uses some of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use everwarm_core::mark::Tag;
use everwarm_core::store::{
    Bytes, Failure, FailureKind, Generations, Leases, Notify, Scan, Store, Touch,
};
use everwarm_store_disk::{Config, Disk};

use super::support::{get, now, proof, proven, set};

pub const NAMES: u64 = 60;

pub fn narrow(path: &Path) -> Config {
    Config {
        max_bytes: 4 << 20,
        ..Config::new(path)
    }
}

pub fn fill(path: &Path) {
    let disk = Disk::open(narrow(path)).unwrap();
    for at in 0..NAMES {
        let name = format!("name {at}");
        set(
            &disk,
            &name,
            &proof(
                &name,
                1,
                1,
                if at % 20 == 0 {
                    70_000
                } else {
                    20 + at as usize * 40
                },
            ),
        );
    }
    for at in 0..NAMES {
        let name = format!("name {at}");
        if at % 3 == 0 {
            set(&disk, &name, &proof(&name, 1, 2, 300));
        }
    }
    now(disk.begin("shop", &[Tag([1; 16])], None)).unwrap();
    now(disk.invalidate("shop", &[Tag([1; 16])])).unwrap();
    now(disk.lease("leased", 7, Duration::from_secs(3600))).unwrap();
}

pub fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(path.join("v1"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Does everything with what is there: nothing but whole values of the right name may come of it.
pub fn use_all(disk: &Disk) {
    let read_all = || {
        for at in 0..NAMES {
            let name = format!("name {at}");
            match now(disk.get(&name)) {
                Ok(Some(found)) => {
                    let (_, sequence) =
                        proven(&name, &found.bytes).expect("a value is whole and of its name");
                    assert!(at % 3 != 0 || sequence == 2, "{name} is the one before");
                }
                Ok(None) => {}
                Err(failure) => assert_eq!(failure.kind, FailureKind::Corruption, "{failure}"),
            }
        }
    };
    read_all();
    let kinds = [
        now(disk.page("", None, 1000)).err(),
        now(disk.read("shop", &[Tag([1; 16])])).err(),
        now(disk
            .notify()
            .unwrap()
            .messages(disk.change().wrapping_sub(1)))
        .err(),
        now(disk.lease("leased", 8, Duration::from_secs(1))).err(),
        now(disk.expire("name 1", None)).err(),
        now(disk.sweep()).err(),
        now(disk.delete("name 2")).err(),
        now(disk.clear("name 3")).err(),
    ];
    for failure in kinds.into_iter().flatten() {
        assert_eq!(failure.kind, FailureKind::Corruption, "{failure}");
    }
    read_all();
    // From the first damage that is met, all begins anew; a few verbs later it works as ever.
    for attempt in 0.. {
        match now(disk.set("after", Bytes::from("value"), None)) {
            Ok(()) => break,
            Err(failure) => assert!(
                attempt < 3 && failure.kind == FailureKind::Corruption,
                "{failure}"
            ),
        }
    }
    assert_eq!(get(disk, "after").unwrap(), "value");
}

/// Uses what was opened, or accepts why it was not.
pub fn use_opened(disk: Result<Disk, Failure>) {
    match disk {
        Ok(disk) => use_all(&disk),
        // A head may come to look like somebody else's.
        Err(failure) => assert!(
            matches!(
                failure.kind,
                FailureKind::Permanent | FailureKind::Capability | FailureKind::Corruption
            ),
            "{failure}"
        ),
    }
}

pub fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A directory in memory, where the machine has such a place: thousands of stores are made in it, and none has to last.
pub fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// A sound store, whose files are copied and changed.
pub struct Sound {
    files: Vec<(PathBuf, Vec<u8>)>,
    scratch: PathBuf,
}

impl Sound {
    pub fn new(directory: &Path) -> Self {
        let sound = directory.join("sound");
        fill(&sound);
        Self::of(directory, &sound)
    }

    /// One whose entries fill a page.
    pub fn of_few(directory: &Path) -> Self {
        let sound = directory.join("sound");
        let disk = Disk::open(narrow(&sound)).unwrap();
        for at in 0..9 {
            let name = format!("name {at}");
            set(&disk, &name, &proof(&name, 1, 2, 300));
        }
        drop(disk);
        Self::of(directory, &sound)
    }

    fn of(directory: &Path, sound: &Path) -> Self {
        let read = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        };
        Self {
            files: files(sound).into_iter().map(read).collect(),
            scratch: directory.join("scratch"),
        }
    }

    /// The bytes of each file.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|(_, bytes)| bytes.as_slice())
    }

    /// Uses a copy in which one file has these bytes.
    pub fn use_with(&self, number: usize, bytes: &[u8]) {
        use_opened(self.opened_with(number, bytes));
    }

    /// Whether all entries of such a copy are there.
    pub fn is_whole_with(&self, number: usize, bytes: &[u8]) -> bool {
        let is_there = |disk: &Disk, at| {
            let found = now(disk.get(&format!("name {at}")));
            matches!(found, Ok(Some(_)))
        };
        self.opened_with(number, bytes)
            .is_ok_and(|disk| (0..NAMES).all(|at| is_there(&disk, at)))
    }

    fn opened_with(&self, number: usize, bytes: &[u8]) -> Result<Disk, Failure> {
        let _ = std::fs::remove_dir_all(&self.scratch);
        let inner = self.scratch.join("v1");
        std::fs::create_dir_all(&inner).unwrap();
        restrict(&self.scratch);
        for (at, (path, sound)) in self.files.iter().enumerate() {
            let copy = inner.join(path.file_name().unwrap());
            std::fs::write(&copy, if at == number { bytes } else { sound }).unwrap();
            restrict(&copy);
        }
        Disk::open(narrow(&self.scratch))
    }
}
