//! The files of rooms, as everybody reads them: without a lock.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use everwarm_core::clock::Instant;
use everwarm_core::store::{Bytes, Failure};
use rustix::fs::{Dir, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, pread};

use crate::connect::is_own;
use crate::error::failed;
use crate::head::{Head, LONGEST_HEAD};
use crate::names::{FileName, ROOMS};

/// The largest file that is read: what claims to be larger is none of ours.
pub(crate) const LARGEST: usize = 1 << 30;

/// What a file of a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    Lease,
}

impl Kind {
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Value => ".value",
            Self::Lease => ".lease",
        }
    }
}

/// The whole of a file, if it is one of ours.
pub(crate) fn read(root: &OwnedFd, path: &str) -> Result<Option<Bytes>, Failure> {
    let Some((file, size)) = opened(root, path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    if size > LARGEST || bytes.try_reserve_exact(size + 1).is_err() {
        return Ok(None);
    }
    match File::from(file)
        .take(LARGEST as u64)
        .read_to_end(&mut bytes)
    {
        Ok(_) => Ok(Some(bytes.into())),
        Err(error) => Err(failed(
            "read a file",
            Errno::from_io_error(&error).unwrap_or(Errno::IO),
        )),
    }
}

/// The first line of a file, if it is one of ours: unchecked.
pub(crate) fn read_head(root: &OwnedFd, path: &str) -> Result<Option<Head>, Failure> {
    let Some((file, size)) = opened(root, path)? else {
        return Ok(None);
    };
    let mut bytes = vec![0; size.min(LONGEST_HEAD)];
    let read = pread(&file, &mut bytes[..], 0).map_err(|errno| failed("read a file", errno))?;
    Ok(Head::read(&bytes[..read]).map(|(head, _)| head))
}

fn opened(root: &OwnedFd, path: &str) -> Result<Option<(OwnedFd, usize)>, Failure> {
    // A FIFO is not waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match openat(root, path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(failed("open a file", errno)),
    };
    let stat = fstat(&file).map_err(|errno| failed("look at a file", errno))?;
    Ok(is_own(&stat).then_some((file, usize::try_from(stat.st_size).unwrap_or(0))))
}

/// The path of a file below the store's directory.
pub(crate) fn path(name: &FileName, kind: Kind) -> String {
    format!("{}/{}{}", ROOMS[name.room], name.stem, kind.ending())
}

/// What is under a name and counts now.
pub(crate) fn live(
    root: &OwnedFd,
    name: &str,
    kind: Kind,
    now: Instant,
) -> Result<Option<(Head, Bytes)>, Failure> {
    let file = read(root, &path(&FileName::of(name), kind))?;
    let entry = file.and_then(|file| Head::open(&file));
    Ok(entry.filter(|(head, _)| head.name == name && head.is_live(now)))
}

/// What a file says of itself, if it is under its own name.
pub(crate) fn head_of(root: &OwnedFd, room: usize, file: &str) -> Result<Option<Head>, Failure> {
    let head = read_head(root, &format!("{}/{file}", ROOMS[room]))?;
    Ok(head.filter(|head| {
        let own = FileName::of(&head.name);
        own.room == room
            && file
                .strip_prefix(own.stem.as_str())
                .is_some_and(|ending| kind_of(ending).is_some())
    }))
}

/// The names of the files in a room.
pub(crate) fn files(root: &OwnedFd, room: usize) -> Result<Vec<String>, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fault = |errno| failed("list a room", errno);
    let directory = match openat(root, ROOMS[room], flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(errno) => return Err(fault(errno)),
    };
    let mut files = Vec::new();
    for file in Dir::new(directory).map_err(fault)? {
        if let Ok(file) = file.map_err(fault)?.file_name().to_str() {
            files.push(file.to_owned());
        }
    }
    Ok(files)
}

/// What a file is, by its ending.
pub(crate) fn kind_of(file: &str) -> Option<Kind> {
    [Kind::Value, Kind::Lease]
        .into_iter()
        .find(|kind| file.ends_with(kind.ending()))
}
