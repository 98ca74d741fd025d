//! Damage: whatever is done to the files, no process goes down and no wrong value is read.

mod damaged;
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use damaged::{files, fill, in_memory, narrow, restrict, use_opened};
use everwarm_conformance::{figure, ran};
use everwarm_core::store::{FailureKind, Store};
use everwarm_store_disk::Disk;
use support::{Chance, again, get, now, open, part, set};

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
        use_opened(disk);
    }
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
    let directory = in_memory();
    let sound = directory.path().join("sound");
    fill(&sound);
    let rounds = figure(300, 1000);
    let told = [
        ("SOUND", sound.display().to_string()),
        (
            "SCRATCH",
            directory.path().join("scratch").display().to_string(),
        ),
        ("ROUNDS", rounds.to_string()),
        ("SEED", "7".to_owned()),
    ];
    let status = again("part_that_uses_damaged_stores", &told)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    ran("X5", &format!("disk: {rounds} damaged pages"), 7);
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
