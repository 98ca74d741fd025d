//! A directory becomes a store: made if need be, and refused unless it is this user's alone to write to.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, fstat, mkdirat, openat, statat};
use rustix::io::Errno;

use crate::config::Config;
use crate::error::{failed, refused};
use crate::names::ROOMS;
use crate::store::FileStore;

/// The store that a URL names: `file:///dir`.
///
/// # Errors
/// If the URL cannot be meant, or the directory is refused.
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(FileStore::connect(&config)?))
}

/// Whether a URL can be meant; the directory is not looked at.
///
/// # Errors
/// If it cannot.
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(drop)
}

/// What is opened as a directory, and not through a symbolic link.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Permissions of directories: this user's alone.
pub(crate) const PRIVATE: Mode = Mode::RWXU;

/// The directory of a store, with its rooms.
pub(crate) fn directory(config: &Config) -> Result<OwnedFd, Failure> {
    if let Some(parent) = config.directory.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|error| failed("make its directory", errno(&error)))?;
    }
    match fs::mkdir(&config.directory, PRIVATE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed("make its directory", errno)),
    }
    let root =
        fs::open(&config.directory, DIRECTORY, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => refused(
                "it is a symbolic link, or no directory",
                "name the directory itself",
            ),
            errno => failed("open its directory", errno),
        })?;
    check_owned(&root)?;
    for room in ROOMS {
        make_room(&root, room)?;
        let room = openat(&root, room, DIRECTORY, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => refused(
                "a room of it is a symbolic link, or no directory",
                "delete what is in the way, or name another directory",
            ),
            errno => failed("open a room", errno),
        })?;
        check_owned(&room)?;
    }
    Ok(root)
}

/// Makes a room, if it is not there.
pub(crate) fn make_room(root: &OwnedFd, room: &str) -> Result<(), Failure> {
    match mkdirat(root, room, PRIVATE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        // Where nothing can be made, what is there may still be read.
        Err(_) if statat(root, room, AtFlags::SYMLINK_NOFOLLOW).is_ok() => Ok(()),
        Err(errno) => Err(failed("make a room", errno)),
    }
}

/// Refuses what others own or may write to.
fn check_owned(directory: &OwnedFd) -> Result<(), Failure> {
    let stat = fstat(directory.as_fd()).map_err(|errno| failed("look at its directory", errno))?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(refused(
            "it belongs to another user",
            "name a directory of the user that the process runs as",
        ));
    }
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return Err(refused(
            "others may write to it",
            "take the permission from them: `chmod go-w` the directory",
        ));
    }
    Ok(())
}

/// Whether a file is one that this store may have written: a plain one, this user's, under no second name.
pub(crate) fn is_own(stat: &fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == rustix::process::geteuid().as_raw()
        && stat.st_nlink <= 1
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
