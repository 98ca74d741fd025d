//! The directory of a store: its files are opened only if nobody else can have put them there or can change them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use everwarm_core::store::{Failure, FailureKind};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::refused_at;

/// Where the files of this layout lie: another layout has another name, so that neither meets the other's files.
const LAYOUT: &str = "v1";

const PRIVATE: Mode = Mode::from_raw_mode(0o600);
const OTHERS_MAY_WRITE: u32 = 0o022;

/// An open directory, and its path for messages.
#[derive(Debug)]
pub(crate) struct Directory {
    opened: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens `path`, making it and what lies above it if need be, and the room of this layout in it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above).map_err(|error| refused_at(above, &error))?;
        }
        let outer = Self::at(None, path, path)?;
        Self::at(Some(&outer), Path::new(LAYOUT), &path.join(LAYOUT))
    }

    fn at(above: Option<&Self>, name: &Path, path: &Path) -> Result<Self, Failure> {
        let failed = |error: Errno| refused_at(path, &error.into());
        let base = above.map_or(rustix::fs::CWD, |above| {
            rustix::fd::AsFd::as_fd(&above.opened)
        });
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(base, name, flags, Mode::empty());
        let opened = match open() {
            Err(Errno::NOENT) => {
                match rustix::fs::mkdirat(base, name, Mode::from_raw_mode(0o700)) {
                    Ok(()) | Err(Errno::EXIST) => open(),
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        let opened = opened.map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => {
                unsafe_place(path, "it is no directory of its own but a link or a file")
            }
            other => failed(other),
        })?;
        let stat = rustix::fs::fstat(&opened).map_err(failed)?;
        owned(path, &stat)?;
        if stat.st_mode & OTHERS_MAY_WRITE != 0 {
            return Err(unsafe_place(path, "others than its owner may write to it"));
        }
        Ok(Self {
            opened,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file that is there, to be written too if that is wanted; `None` if it is not there.
    pub(crate) fn there(&self, name: &str, is_written: bool) -> Result<Option<File>, Failure> {
        let flags = if is_written {
            OFlags::RDWR
        } else {
            OFlags::RDONLY
        };
        match self.file(name, flags) {
            Err(Refused::System(Errno::NOENT)) => Ok(None),
            other => self.told(name, other).map(Some),
        }
    }

    /// A file to be read and written, made if it is not there.
    pub(crate) fn write(&self, name: &str) -> Result<File, Failure> {
        self.told(name, self.file(name, OFlags::RDWR | OFlags::CREATE))
    }

    /// As [`write`](Self::write) if that may be done here, else to be read alone; whether it may be written.
    pub(crate) fn write_or_read(&self, name: &str) -> Result<(File, bool), Failure> {
        match self.file(name, OFlags::RDWR | OFlags::CREATE) {
            Err(Refused::System(Errno::ROFS | Errno::ACCESS)) => {
                let file = self.file(name, OFlags::RDONLY);
                self.told(name, file).map(|file| (file, false))
            }
            other => self.told(name, other).map(|file| (file, true)),
        }
    }

    /// A file that was not there.
    pub(crate) fn create(&self, name: &str) -> Result<File, Failure> {
        self.told(
            name,
            self.file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL),
        )
    }

    /// Gives a file another name.
    pub(crate) fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.opened, name, &self.opened, to)?)
    }

    /// Takes a file away, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        // What cannot be removed is found again by the next sweep.
        let _ = rustix::fs::unlinkat(&self.opened, name, AtFlags::empty());
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.opened)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The date at which a file was last written to, in seconds since 1970.
    pub(crate) fn written(&self, name: &str) -> Option<i64> {
        let stat = rustix::fs::statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.ok().map(|stat| stat.st_mtime)
    }

    /// The bytes that its file system has left, and its permissions.
    pub(crate) fn place(&self) -> io::Result<(u64, u32)> {
        let system = rustix::fs::fstatvfs(&self.opened)?;
        let stat = rustix::fs::fstat(&self.opened)?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        Ok((free, stat.st_mode & 0o777))
    }

    /// Makes what files there are survive a loss of power.
    pub(crate) fn harden(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.opened)?)
    }

    fn file(&self, name: &str, flags: OFlags) -> Result<File, Refused> {
        // A FIFO would make its opener wait, were it not for NONBLOCK.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(&self.opened, name, flags, PRIVATE)?;
        let stat = rustix::fs::fstat(&opened)?;
        let path = || self.path.join(name);
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Refused::Told(unsafe_place(
                &path(),
                "it is no regular file",
            )));
        }
        if stat.st_nlink > 1 {
            return Err(Refused::Told(unsafe_place(
                &path(),
                "it has another name elsewhere",
            )));
        }
        owned(&path(), &stat).map_err(Refused::Told)?;
        if stat.st_mode & 0o077 != 0 {
            return Err(Refused::Told(unsafe_place(
                &path(),
                "others than its owner may open it",
            )));
        }
        // Who reads is asked of the index: the system need not date each read in the file.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fcntl_setfl(&opened, OFlags::NOATIME | OFlags::NONBLOCK);
        Ok(File::from(opened))
    }

    fn told<T>(&self, name: &str, opened: Result<T, Refused>) -> Result<T, Failure> {
        opened.map_err(|refused| match refused {
            Refused::Told(failure) => failure,
            Refused::System(Errno::LOOP) => {
                unsafe_place(&self.path.join(name), "it is a symbolic link")
            }
            Refused::System(Errno::NXIO) => {
                unsafe_place(&self.path.join(name), "it is no regular file")
            }
            Refused::System(error) => refused_at(&self.path.join(name), &error.into()),
        })
    }
}

/// Why a file was not opened.
enum Refused {
    System(Errno),
    Told(Failure),
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

fn owned(path: &Path, stat: &Stat) -> Result<(), Failure> {
    if stat.st_uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Authentication,
        format!("{} belongs to another user", path.display()),
        "name a directory of this user's own: \"disk:///dir\"",
    ))
}

fn unsafe_place(path: &Path, why: &str) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("{} is not used: {why}", path.display()),
        "name a directory that this user alone may write to: \"disk:///dir\"",
    )
}
