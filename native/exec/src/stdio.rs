//! Standard input, output and error (systemd.exec(5), "Logging and Standard Input/Output").

use crate::descriptors::{Passed, no_such, set_nonblocking};
use crate::failure::{At, Failure};
use crate::terminal;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stdin, stdout};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use sysmaster_link::{ExecSpec, ExecStep, Stdio, TtyAcquire};

/// Set up all three, in order: output may share what input opened.
pub fn set_up(spec: &ExecSpec, passed: &Passed) -> Result<(), Failure> {
    set_up_stdin(spec, passed)?;
    let step = ExecStep::Stdout;
    match output(&spec.stdout, spec, passed, step)? {
        Source::Opened(fd) => dup2_stdout(fd).at(step, "")?,
        Source::Passed(number) => dup2_stdout(passed_blocking(passed, number, step)?).at(step, "")?,
        Source::Stdin => dup2_stdout(stdin()).at(step, "")?,
    }
    let step = ExecStep::Stderr;
    // The same file opened twice would have two positions, and the one would write over the other.
    if spec.stderr == spec.stdout && !matches!(spec.stderr, Stdio::Fd(_)) {
        return dup2_stderr(stdout()).at(step, "");
    }
    match output(&spec.stderr, spec, passed, step)? {
        Source::Opened(fd) => dup2_stderr(fd).at(step, ""),
        Source::Passed(number) => dup2_stderr(passed_blocking(passed, number, step)?).at(step, ""),
        Source::Stdin => dup2_stderr(stdin()).at(step, ""),
    }
}

fn set_up_stdin(spec: &ExecSpec, passed: &Passed) -> Result<(), Failure> {
    let step = ExecStep::Stdin;
    match &spec.stdin {
        Stdio::Null => dup2_stdin(open_null(OFlags::RDONLY, step)?).at(step, ""),
        Stdio::Fd(number) => dup2_stdin(passed_blocking(passed, *number, step)?).at(step, ""),
        Stdio::File { path, .. } => {
            let both = [&spec.stdout, &spec.stderr].into_iter().any(|output| shares(&spec.stdin, output));
            let access = if both { OFlags::RDWR } else { OFlags::RDONLY };
            dup2_stdin(open_path(path, access, spec).at(step, path)?).at(step, path)
        }
        Stdio::Tty { path, acquire } => dup2_stdin(terminal::acquire(path, *acquire).at(step, path)?).at(step, path),
    }
}

/// Where an output stream comes from.
enum Source {
    Opened(OwnedFd),
    Passed(u32),
    Stdin,
}

fn output(stream: &Stdio, spec: &ExecSpec, passed: &Passed, step: ExecStep) -> Result<Source, Failure> {
    match stream {
        Stdio::Null => open_null(OFlags::WRONLY, step).map(Source::Opened),
        Stdio::Fd(number) => match passed.get(*number) {
            Some(_) => Ok(Source::Passed(*number)),
            None => Err(Failure { step, ..no_such(*number) }),
        },
        _ if shares(&spec.stdin, stream) => Ok(Source::Stdin),
        Stdio::File { path, append, truncate } => {
            let mut flags = OFlags::WRONLY;
            flags.set(OFlags::APPEND, *append);
            flags.set(OFlags::TRUNC, *truncate);
            Ok(Source::Opened(open_path(path, flags, spec).at(step, path)?))
        }
        Stdio::Tty { path, .. } => Ok(Source::Opened(terminal::open_for_output(path).at(step, path)?)),
    }
}

/// Whether an output stream is what standard input has open already: the plain file of the same path, or the terminal.
fn shares(input: &Stdio, output: &Stdio) -> bool {
    match (input, output) {
        (Stdio::File { path, .. }, Stdio::File { path: other, append: false, truncate: false }) => path == other,
        (Stdio::Tty { path, acquire }, Stdio::Tty { path: other, .. }) => path == other && *acquire != TtyAcquire::None,
        _ => false,
    }
}

/// A service expects its standard streams to block, whatever its parent needed of them.
fn passed_blocking(passed: &Passed, number: u32, step: ExecStep) -> Result<impl AsFd, Failure> {
    let fd = passed.get(number).ok_or_else(|| Failure { step, ..no_such(number) })?;
    set_nonblocking(fd, false).at(step, format!("passed descriptor {number}"))?;
    Ok(fd)
}

fn open_null(access: OFlags, step: ExecStep) -> Result<OwnedFd, Failure> {
    open("/dev/null", access | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).at(step, "/dev/null")
}

/// Open a file, made with mode 0666 less UMask= where it is for writing; or connect to the socket of that path.
fn open_path(path: &str, flags: OFlags, spec: &ExecSpec) -> io::Result<OwnedFd> {
    let writing = flags.intersects(OFlags::WRONLY | OFlags::RDWR);
    let create = if writing { OFlags::CREATE } else { OFlags::empty() };
    let mode = Mode::from_raw_mode(0o666 & !spec.umask.unwrap_or(crate::steps::UMASK_DEFAULT));
    match open(path, flags | create | OFlags::NOCTTY | OFlags::CLOEXEC, mode) {
        Err(Errno::NXIO) => connect(path, flags),
        result => Ok(result?),
    }
}

fn connect(path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let stream = match UnixStream::connect(path) {
        // No socket after all, but a FIFO without a reader or a device that is not there.
        Err(error) if matches!(error.raw_os_error(), Some(code) if code == Errno::NOTSOCK.raw_os_error() || code == Errno::INVAL.raw_os_error()) =>
        {
            return Err(Errno::NXIO.into());
        }
        result => result?,
    };
    if !flags.contains(OFlags::RDWR) {
        stream.shutdown(if flags.contains(OFlags::WRONLY) { Shutdown::Read } else { Shutdown::Write })?;
    }
    Ok(stream.into())
}
