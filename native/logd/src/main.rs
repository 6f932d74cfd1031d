//! Keeps what services write, per unit and bounded.
//!
//! ```text
//! sysmaster-logd RUNDIR LOGDIR [--dev-log PATH [--forward PATH]] [--unit-max BYTES] [--total-max BYTES]
//! ```
//!
//! Core hands it the read ends of the services' pipes over RUNDIR/logs.sock (`protocol`), or over the socket that is passed as
//! descriptor 3 (sd_listen_fds(3)). Each pipe is looked at, written to LOGDIR/UNIT.log and only then taken (`stream`), so that the
//! death of this program loses nothing; core passes all pipes again to the next one. The files are JSON Lines (`record`), rotated
//! and bounded (`store`). With `--dev-log` it also is the system's syslog socket (`devlog`). It is one thread around epoll (`server`).
#![forbid(unsafe_code)]

mod clock;
mod devlog;
mod lines;
mod protocol;
mod record;
mod server;
mod store;
mod stream;
mod syslog;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str =
    "usage: sysmaster-logd RUNDIR LOGDIR [--dev-log PATH [--forward PATH]] [--unit-max BYTES] [--total-max BYTES]";
/// Where rsyslog and its like listen when there is a journal.
const FORWARD_DEFAULT: &str = "/run/systemd/journal/syslog";
/// EXIT_INVALIDARGUMENT of the LSB.
const INVALID_ARGUMENT: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("sysmaster-logd: {why}; {USAGE}");
            return ExitCode::from(INVALID_ARGUMENT);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble { what, error }) => {
            eprintln!("sysmaster-logd: {what}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What could not be set up, and why.
struct Trouble {
    what: String,
    error: io::Error,
}

fn during<T>(what: impl Into<String>, result: io::Result<T>) -> Result<T, Trouble> {
    result.map_err(|error| Trouble { what: what.into(), error })
}

fn serve(options: &Options) -> Result<(), Trouble> {
    let logs = &options.log_directory;
    let store = during(logs.display().to_string(), store::Store::open(logs, options.unit_max, options.total_max))?;
    let listener = match passed_socket() {
        Some(socket) => during("passed socket", socket)?,
        None => {
            let path = options.run_directory.join("logs.sock");
            during(path.display().to_string(), server::listen_at(&path))?
        }
    };
    let dev_log = match &options.dev_log {
        // Another program may be the system's syslog (journald's socket, say): the services' own output is kept all the same.
        Some(path) => during(path.display().to_string(), devlog::DevLog::open(path, Some(options.forward.as_path())))
            .inspect_err(|fault| eprintln!("sysmaster-logd: {}: {}; going on without it", fault.what, fault.error))
            .ok(),
        None => None,
    };
    let mut server = during("event loop", server::Server::new(listener, dev_log, store))?;
    during("NOTIFY_SOCKET", notify("READY=1"))?;
    during("event loop", server.run())
}

/// The socket at descriptor 3, if the environment says that it is meant for this process (sd_listen_fds(3)).
fn passed_socket() -> Option<io::Result<OwnedFd>> {
    let meant = std::env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string())
        && std::env::var("LISTEN_FDS").is_ok_and(|count| count == "1");
    // A duplicate by way of our own pidfd: to take descriptor 3 as it is would need an unsafe promise that it is nobody else's.
    let take = || Ok(pidfd_getfd(pidfd_open(getpid(), PidfdFlags::empty())?, 3, PidfdGetfdFlags::empty())?);
    meant.then(take)
}

/// Tell the service manager (sd_notify(3)); nothing where there is none.
fn notify(state: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else { return Ok(()) };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(path.as_bytes())?,
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, state.as_bytes(), SendFlags::NOSIGNAL, &address)?;
    Ok(())
}

/// The command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    run_directory: PathBuf,
    log_directory: PathBuf,
    dev_log: Option<PathBuf>,
    forward: PathBuf,
    unit_max: Option<u64>,
    total_max: Option<u64>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut directories = Vec::new();
        let (mut dev_log, mut forward, mut unit_max, mut total_max) = (None, None, None, None);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            if !name.starts_with("--") {
                directories.push(PathBuf::from(argument));
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let bytes = || {
                value
                    .to_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| format!("{name}: not a number of bytes"))
            };
            match name.as_str() {
                "--dev-log" => dev_log = Some(PathBuf::from(value)),
                "--forward" => forward = Some(PathBuf::from(value)),
                "--unit-max" => unit_max = Some(bytes()?),
                "--total-max" => total_max = Some(bytes()?),
                _ => return Err(format!("{name} is not an option")),
            }
        }
        let [run_directory, log_directory] =
            <[PathBuf; 2]>::try_from(directories).map_err(|_| "two directories are needed")?;
        let forward = forward.unwrap_or_else(|| FORWARD_DEFAULT.into());
        Ok(Self { run_directory, log_directory, dev_log, forward, unit_max, total_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn two_directories_are_enough() {
        let options = parse("/run/x /var/log/x").unwrap();
        assert_eq!((options.run_directory, options.log_directory), ("/run/x".into(), "/var/log/x".into()));
        assert_eq!((options.dev_log, options.forward, options.unit_max), (None, FORWARD_DEFAULT.into(), None));
    }

    #[test]
    fn options_may_stand_anywhere_and_need_values() {
        let options = parse("--dev-log /dev/log a --unit-max 10 b --total-max 20 --forward /x").unwrap();
        assert_eq!((options.unit_max, options.total_max, options.forward), (Some(10), Some(20), "/x".into()));
        for bad in ["", "a", "a b c", "a b --unit-max", "a b --unit-max x", "a b --what x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
