//! Damage: whatever is done to the files, no process goes down and no wrong value is read.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use everwarm_core::mark::Tag;
use everwarm_core::store::{Bytes, FailureKind, Generations, Leases, Notify, Scan, Store, Touch};
use everwarm_store_disk::{Config, Disk};
use support::{Chance, again, get, more_in_ci, now, open, part, proof, proven, set};

const NAMES: u64 = 60;

fn narrow(path: &Path) -> Config {
    Config {
        max_bytes: 4 << 20,
        ..Config::new(path)
    }
}

fn fill(path: &Path) {
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

fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(path.join("v1"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Does everything with what is there: nothing but whole values of the right name may come of it.
fn use_all(disk: &Disk) {
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

/// Damages copies of a store, one place at a time, and uses each.
#[test]
fn part_that_uses_damaged_stores() {
    let Some(told) = part("part_that_uses_damaged_stores") else {
        return;
    };
    let sound = PathBuf::from(told("SOUND"));
    let scratch = PathBuf::from(told("SCRATCH"));
    let mut chance = Chance(told("SEED").parse().unwrap());
    let sound_files: Vec<(PathBuf, Vec<u8>)> = files(&sound)
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    for round in 0..told("ROUNDS").parse().unwrap() {
        let _ = std::fs::remove_dir_all(&scratch);
        std::fs::create_dir_all(scratch.join("v1")).unwrap();
        restrict(&scratch);
        // Small files are damaged as often as large ones.
        let (damaged, is_live) = (round % sound_files.len(), chance.below(2) == 0);
        let write = |path: &Path, bytes: &[u8]| {
            let copy = scratch.join("v1").join(path.file_name().unwrap());
            std::fs::write(&copy, bytes).unwrap();
            restrict(&copy);
        };
        for (path, bytes) in &sound_files {
            write(path, bytes);
        }
        let disk = is_live.then(|| Disk::open(narrow(&scratch)).unwrap());
        let (path, bytes) = &sound_files[damaged];
        write(path, &damage(bytes, &mut chance));
        let disk = match disk {
            Some(disk) => Ok(disk),
            None => Disk::open(narrow(&scratch)),
        };
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
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn damage(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1) as u64;
    let at = chance.below(used) as usize;
    let page = at / 4096 * 4096;
    let end = (page + 4096).min(bytes.len());
    match chance.below(5) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => bytes[at] = chance.below(256) as u8,
        2 => bytes[page..end].fill(0),
        3 => bytes[page..end]
            .iter_mut()
            .for_each(|byte| *byte = chance.below(256) as u8),
        _ => bytes.truncate(if chance.below(2) == 0 { page } else { at }),
    }
    bytes
}

#[test]
fn damaged_files_take_no_process_down_and_give_no_wrong_value() {
    let directory = tempfile::tempdir().unwrap();
    let sound = directory.path().join("sound");
    fill(&sound);
    let told = [
        ("SOUND", sound.display().to_string()),
        (
            "SCRATCH",
            directory.path().join("scratch").display().to_string(),
        ),
        ("ROUNDS", more_in_ci(300, 4096).to_string()),
        ("SEED", "7".to_owned()),
    ];
    let status = again("part_that_uses_damaged_stores", &told)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn after_damage_all_processes_begin_anew_together() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    set(&one, "name", &[7; 1000]);
    set(&one, "another", b"value");
    let before = other.notify().unwrap().change();
    let log = files(directory.path())
        .into_iter()
        .find(|path| path.to_string_lossy().contains("log."))
        .unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes
        .windows(100)
        .position(|window| window == [7; 100])
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    assert_eq!(
        now(one.get("name")).unwrap_err().kind,
        FailureKind::Corruption
    );
    assert_eq!(get(&one, "name"), None);
    assert_eq!(one.doubts().len(), 1);
    assert_eq!(get(&other, "another"), None);
    assert_ne!(other.notify().unwrap().change(), before);
    assert!(now(other.notify().unwrap().messages(before)).unwrap().gap);
    set(&other, "name", b"again");
    assert_eq!(get(&one, "name").unwrap(), "again");
}

#[test]
fn a_large_value_that_was_whole_is_checked_again_after_a_change() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    set(&disk, "large", &[7; 100_000]);
    let file = files(directory.path())
        .into_iter()
        .find(|path| path.to_string_lossy().contains("large."))
        .unwrap();
    // The system's times are coarse; what was just written is checked at each read.
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(get(&disk, "large").unwrap(), vec![7; 100_000]);
    assert_eq!(get(&disk, "large").unwrap(), vec![7; 100_000]);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[50_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(
        now(disk.get("large")).unwrap_err().kind,
        FailureKind::Corruption
    );
    assert_eq!(get(&disk, "large"), None);
}
