//! One of the rooms of a store: its files, and the lock under which they change.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Bytes, Failure};
use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, flock, fstat, fsync, openat, renameat, statat, unlinkat,
};
use rustix::io::{Errno, pread, pwrite};

use crate::connect::{is_own, make_room};
use crate::error::{failed, locked};
use crate::files::{Kind, files, head_of, kind_of, live, path};
use crate::head::Head;
use crate::names::{FileName, ROOMS};
use crate::tally::Tally;

/// How long a lock is waited for; it is held for the length of a few operations on files.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// The longest pause between two looks at a lock.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Permissions of files: this user's alone.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A file of a room, as a listing shows it.
pub(crate) struct Listed {
    /// Its name with the ending.
    pub(crate) file: String,
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    /// When it was written, in nanoseconds by the file system's clock.
    pub(crate) written: i128,
}

/// The tally of a room, without its lock.
pub(crate) fn tally(root: &OwnedFd, room: usize) -> Tally {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut text = [0; Tally::LENGTH];
    let read = openat(root, lock_path(room), flags, Mode::empty())
        .and_then(|lock| pread(&lock, &mut text[..], 0));
    let tally = read.ok().and_then(|_| Tally::read(&text));
    tally.map_or(Tally::default(), |(tally, _)| tally)
}

fn lock_path(room: usize) -> String {
    format!("{}/.lock", ROOMS[room])
}

/// A room that nobody else changes while this lives.
pub(crate) struct Room<'s> {
    root: &'s OwnedFd,
    room: usize,
    lock: OwnedFd,
    pub(crate) tally: Tally,
    is_changed: bool,
}

impl<'s> Room<'s> {
    /// Locks a room. The lock is a description of its own each time: so threads exclude each other as processes do, and a
    /// child of a fork does not share it.
    pub(crate) fn locked(root: &'s OwnedFd, room: usize) -> Result<Self, Failure> {
        let lock = open_lock(root, room)?;
        wait_for(&lock)?;
        let mut text = [0; Tally::LENGTH];
        let read = pread(&lock, &mut text[..], 0).map_err(|errno| failed("read a tally", errno))?;
        let told = Tally::read(&text[..read]);
        let mut locked = Self {
            root,
            room,
            lock,
            tally: told.map_or(Tally::default(), |(tally, _)| tally),
            is_changed: false,
        };
        if !told.is_some_and(|(_, is_final)| is_final) {
            locked.recount()?;
        }
        Ok(locked)
    }

    /// Says that the room is about to change: who ends in the midst leaves a tally that is not final.
    fn changes(&mut self) -> Result<(), Failure> {
        if !self.is_changed {
            pwrite(&self.lock, b"!", 0).map_err(|errno| failed("write a tally", errno))?;
            self.is_changed = true;
        }
        Ok(())
    }

    /// What is in a file, if it is of this name and counts now.
    pub(crate) fn live(
        &self,
        name: &str,
        kind: Kind,
        now: everwarm_core::clock::Instant,
    ) -> Result<Option<(Head, Bytes)>, Failure> {
        live(self.root, name, kind, now)
    }

    /// Puts a file in place of what is under this name, in one step.
    pub(crate) fn put(
        &mut self,
        name: &str,
        kind: Kind,
        file: &[u8],
        is_synced: bool,
    ) -> Result<(), Failure> {
        self.changes()?;
        let target = path(&FileName::of(name), kind);
        let before = self.size(&target);
        let written = self.written(file, is_synced)?;
        let renamed = renameat(self.root, &written, self.root, &target);
        if let Err(errno) = renamed {
            let _ = unlinkat(self.root, &written, AtFlags::empty());
            return Err(failed("put a file in its place", errno));
        }
        if is_synced {
            self.sync()?;
        }
        if kind == Kind::Value {
            self.tally.entries += u64::from(before.is_none());
            self.tally.bytes =
                (self.tally.bytes + file.len() as u64).saturating_sub(before.unwrap_or(0));
        }
        Ok(())
    }

    fn size(&self, path: &str) -> Option<u64> {
        let stat = statat(self.root, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        u64::try_from(stat.st_size).ok()
    }

    /// Writes a file under a name that no entry has.
    fn written(&self, file: &[u8], is_synced: bool) -> Result<String, Failure> {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let path = format!("{}/.new-{}-{number}", ROOMS[self.room], std::process::id());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let new = openat(self.root, &path, flags, PRIVATE)
            .map_err(|errno| failed("make a file", errno))?;
        let written =
            write_all(&new, file).and_then(|()| if is_synced { fsync(&new) } else { Ok(()) });
        if let Err(errno) = written {
            let _ = unlinkat(self.root, &path, AtFlags::empty());
            return Err(failed("write a file", errno));
        }
        Ok(path)
    }

    /// Has what was renamed survive the loss of power.
    fn sync(&self) -> Result<(), Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(self.root, ROOMS[self.room], flags, Mode::empty())
            .and_then(fsync)
            .map_err(|errno| failed("write a room to the medium", errno))
    }

    /// Deletes the file of this name; whether there was one.
    pub(crate) fn remove(&mut self, name: &str, kind: Kind) -> Result<bool, Failure> {
        let target = path(&FileName::of(name), kind);
        match (kind, self.size(&target)) {
            (_, None) => Ok(false),
            (Kind::Value, Some(bytes)) => {
                self.changes()?;
                self.unlinked(&target, bytes)
            }
            (Kind::Lease, Some(_)) => unlink(self.root, &target),
        }
    }

    /// Deletes a file of a listing.
    pub(crate) fn remove_listed(&mut self, listed: &Listed) -> Result<bool, Failure> {
        let target = format!("{}/{}", ROOMS[self.room], listed.file);
        match listed.kind {
            Kind::Value => {
                self.changes()?;
                self.unlinked(&target, listed.bytes)
            }
            Kind::Lease => unlink(self.root, &target),
        }
    }

    fn unlinked(&mut self, target: &str, bytes: u64) -> Result<bool, Failure> {
        let was = unlink(self.root, target)?;
        if was {
            self.tally.entries = self.tally.entries.saturating_sub(1);
            self.tally.bytes = self.tally.bytes.saturating_sub(bytes);
        }
        Ok(was)
    }

    /// The files of the room. What a process left half written goes.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, Failure> {
        let mut listed = Vec::new();
        for file in files(self.root, self.room)? {
            if file.starts_with(".new-") {
                unlink(self.root, &format!("{}/{file}", ROOMS[self.room]))?;
                continue;
            }
            let Some(kind) = kind_of(&file) else { continue };
            let stat = statat(
                self.root,
                format!("{}/{file}", ROOMS[self.room]),
                AtFlags::SYMLINK_NOFOLLOW,
            );
            let Ok(stat) = stat else { continue };
            if is_own(&stat) {
                listed.push(Listed {
                    file,
                    kind,
                    bytes: u64::try_from(stat.st_size).unwrap_or(0),
                    written: i128::from(stat.st_mtime) * 1_000_000_000
                        + i128::from(stat.st_mtime_nsec),
                });
            }
        }
        Ok(listed)
    }

    /// What a file of a listing says of itself, if it is under its own name.
    pub(crate) fn head(&self, listed: &Listed) -> Result<Option<Head>, Failure> {
        head_of(self.root, self.room, &listed.file)
    }

    /// Counts what is there.
    pub(crate) fn recount(&mut self) -> Result<(), Failure> {
        let listed = self.list()?;
        let values = listed.iter().filter(|listed| listed.kind == Kind::Value);
        self.tally = values.fold(Tally::default(), |sum, listed| Tally {
            entries: sum.entries + 1,
            bytes: sum.bytes + listed.bytes,
        });
        self.is_changed = true;
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.is_changed {
            // What cannot be written is counted anew by the next who locks.
            let _ = pwrite(&self.lock, self.tally.text().as_bytes(), 0);
        }
        // Said, and not left to the descriptor's end: a child of a fork may have it too.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

fn unlink(root: &OwnedFd, path: &str) -> Result<bool, Failure> {
    match unlinkat(root, path, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(failed("delete a file", errno)),
    }
}

fn open_lock(root: &OwnedFd, room: usize) -> Result<OwnedFd, Failure> {
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = || openat(root, lock_path(room), flags, PRIVATE);
    let lock = match open() {
        Err(Errno::NOENT) => {
            // Somebody deleted the room: it is as if it had been cleared.
            make_room(root, ROOMS[room])?;
            open()
        }
        lock => lock,
    };
    let lock = lock.map_err(|errno| failed("open the lock of a room", errno))?;
    let stat = fstat(&lock).map_err(|errno| failed("look at the lock of a room", errno))?;
    if !is_own(&stat) {
        return Err(crate::error::refused(
            "the lock of a room is not a file of its own",
            "delete it, or name another directory",
        ));
    }
    Ok(lock)
}

fn wait_for(lock: &OwnedFd) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut pause = Duration::from_micros(20);
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < LONGEST_WAIT => {
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(Errno::WOULDBLOCK) => return Err(locked()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed("lock a room", errno)),
        }
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(Errno::NOSPC),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
