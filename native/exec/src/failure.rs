//! One failed step, as init will hear of it.

use std::io;
use sysmaster_link::{ExecStep, StatusReport};

/// A step that could not be carried out.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub step: ExecStep,
    /// errno, 0 where the reason is not the kernel's.
    pub errno: i32,
    /// What it was about: a path, a user, a limit.
    pub detail: String,
}

impl Failure {
    /// A failure with an errno of one's own choosing.
    pub fn new(step: ExecStep, errno: rustix::io::Errno, detail: impl Into<String>) -> Self {
        Self { step, errno: errno.raw_os_error(), detail: detail.into() }
    }

    /// What goes down the status pipe.
    pub fn report(&self) -> StatusReport {
        StatusReport { step: self.step as u16, errno: self.errno, detail: self.detail.clone() }
    }
}

/// Gives a system error its step and subject.
pub trait At<T> {
    /// `detail` says what the call was about.
    fn at(self, step: ExecStep, detail: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: ExecStep, detail: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            match error.raw_os_error() {
                Some(errno) => Failure { step, errno, detail: detail.into() },
                // An error of std's own making (a NUL byte in a path, say) has words and no number.
                None => Failure { step, errno: 0, detail: format!("{}: {error}", detail.into()) },
            }
        })
    }
}
