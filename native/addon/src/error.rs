//! Errors as JavaScript sees them: `code` is the errno by name.

use nix::errno::Errno;
use std::fmt::Display;

/// The `code` of a thrown error: an errno name such as `ENOENT`.
pub struct Code(String);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What every exported function answers.
pub type Result<T> = std::result::Result<T, napi::Error<Code>>;

/// An error to be thrown: this errno, about this.
pub fn thrown(errno: Errno, about: impl Display) -> napi::Error<Code> {
    napi::Error::new(Code(name(errno)), about.to_string())
}

/// An errno by its C name; the bare number where it has none.
pub fn name(errno: Errno) -> String {
    match errno {
        Errno::UnknownErrno => "EUNKNOWN".to_string(),
        // `Debug` of nix's Errno is the C name, and EAGAIN and EWOULDBLOCK are one on Linux.
        known => format!("{known:?}"),
    }
}

/// Attach what a system call was about.
pub trait About<T> {
    /// The same result, its error ready to be thrown.
    fn about(self, about: impl Display) -> Result<T>;
}

impl<T> About<T> for nix::Result<T> {
    fn about(self, about: impl Display) -> Result<T> {
        self.map_err(|errno| thrown(errno, about))
    }
}

impl<T> About<T> for rustix::io::Result<T> {
    fn about(self, about: impl Display) -> Result<T> {
        self.map_err(|errno| thrown(Errno::from_raw(errno.raw_os_error()), about))
    }
}

impl<T> About<T> for std::io::Result<T> {
    fn about(self, about: impl Display) -> Result<T> {
        self.map_err(|error| thrown(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw), about))
    }
}
