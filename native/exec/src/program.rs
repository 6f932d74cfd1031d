//! Finding the program and becoming it.

use crate::environment::Environment;
use crate::failure::{At, Failure};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::ffi::CString;
use std::path::Path;
use sysmaster_link::{ExecSpec, ExecStep};

/// Where a bare name is looked for, unless ExecSearchPath= says otherwise (`systemd-path search-binaries-default` on Debian).
const SEARCH_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The file to execute, as it is seen from here: after the change of root, before that of user.
pub fn find(spec: &ExecSpec) -> Result<String, Failure> {
    let path = &spec.path;
    if path.contains('/') {
        return match check(path) {
            Ok(()) => Ok(path.clone()),
            Err(errno) => Err(Failure::new(ExecStep::Exec, errno, path)),
        };
    }
    let chosen = spec.exec_search_path.iter().map(String::as_str);
    let directories: Vec<&str> = if spec.exec_search_path.is_empty() { SEARCH_PATH.to_vec() } else { chosen.collect() };
    let mut why = Errno::NOENT;
    for directory in directories.into_iter().filter(|directory| directory.starts_with('/')) {
        let candidate = format!("{}/{path}", directory.trim_end_matches('/'));
        match check(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(Errno::ACCESS) => {}
            Err(errno) => why = errno,
        }
    }
    Err(Failure::new(ExecStep::Exec, why, path))
}

fn check(path: &str) -> Result<(), Errno> {
    access(path, Access::EXEC_OK)?;
    if Path::new(path).is_dir() { Err(Errno::ISDIR) } else { Ok(()) }
}

/// Become the program. Returns only the failure.
pub fn execute(path: &str, argv: &[String], environment: &Environment) -> Failure {
    let strings = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|text| CString::new(text).at(ExecStep::Exec, path)).collect()
    };
    let prepared = || -> Result<(CString, Vec<CString>, Vec<CString>), Failure> {
        let program = CString::new(path).at(ExecStep::Exec, path)?;
        let argv: Result<Vec<CString>, Failure> = strings(&mut argv.iter().cloned());
        let environment: Result<Vec<CString>, Failure> = strings(&mut environment.assignments());
        Ok((program, argv?, environment?))
    };
    match prepared() {
        Ok((program, argv, environment)) => {
            match Err::<(), _>(sysmaster_sys::exec_calls::execve(&program, &argv, &environment))
                .at(ExecStep::Exec, path)
            {
                Err(failure) => failure,
                Ok(()) => Failure::new(ExecStep::Exec, Errno::NOSYS, path),
            }
        }
        Err(failure) => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, search: &[&str]) -> Result<String, Failure> {
        let exec_search_path = search.iter().map(ToString::to_string).collect();
        find(&ExecSpec { path: path.into(), exec_search_path, ..ExecSpec::default() })
    }

    #[test]
    fn a_bare_name_is_found_on_the_fixed_path() {
        assert!(at("sh", &[]).unwrap().ends_with("/sh"));
    }

    #[test]
    fn a_search_path_of_the_unit_replaces_the_fixed_one() {
        assert_eq!(at("sh", &["relative", "/nowhere"]), Err(Failure::new(ExecStep::Exec, Errno::NOENT, "sh")));
        assert_eq!(at("sh", &["/nowhere", "/bin/"]).as_deref(), Ok("/bin/sh"));
    }

    #[test]
    fn what_cannot_be_executed_says_why() {
        assert_eq!(at("/nowhere/x", &[]).unwrap_err().errno, Errno::NOENT.raw_os_error());
        assert_eq!(at("/etc/passwd", &[]).unwrap_err().errno, Errno::ACCESS.raw_os_error());
        assert_eq!(at("/etc", &[]).unwrap_err().errno, Errno::ISDIR.raw_os_error());
    }
}
