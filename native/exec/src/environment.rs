//! The environment of a service, and what the helper itself knows to put there (systemd.exec(5), "Environment Variables
//! Set or Propagated by the Service Manager").

use crate::directories;
use crate::terminal;
use crate::users::Identity;
use sysmaster_link::ExecSpec;

/// Names and values in the order in which they were first set; the last value of a name counts.
#[derive(Clone, Debug, Default)]
pub struct Environment(Vec<(String, String)>);

/// Letters, digits and underscores, not a digit first: what a shell takes for a name.
pub fn is_valid_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Environment {
    /// Everything together: what the helper knows, what core said, what the files say, less UnsetEnvironment=.
    pub fn assemble(spec: &ExecSpec, identity: &Identity, files: Vec<(String, String)>) -> Self {
        let mut environment = Self::default();
        environment.add_own(spec, identity);
        for assignment in &spec.environment {
            if let Some((name, value)) = assignment.split_once('=')
                && is_valid_name(name)
                && !value.contains('\0')
            {
                environment.set(name, value);
            }
        }
        for (name, value) in files {
            environment.set(&name, &value);
        }
        if environment.get("WATCHDOG_USEC").is_some_and(|usec| usec != "0") && environment.get("WATCHDOG_PID").is_none()
        {
            environment.set("WATCHDOG_PID", &std::process::id().to_string());
        }
        environment.unset(&spec.unset_environment);
        environment
    }

    fn add_own(&mut self, spec: &ExecSpec, identity: &Identity) {
        let pid = std::process::id().to_string();
        if !spec.listen_fds.is_empty() {
            let names: Vec<&str> = (0..spec.listen_fds.len())
                .map(|index| spec.listen_names.get(index).map_or("unknown", String::as_str))
                .collect();
            self.set("LISTEN_PID", &pid);
            self.set("LISTEN_FDS", &names.len().to_string());
            self.set("LISTEN_FDNAMES", &names.join(":"));
        }
        if let Some(home) = &identity.home {
            self.set("HOME", &simplified(home));
        }
        if let Some(name) = &identity.name {
            self.set("LOGNAME", name);
            self.set("USER", name);
        }
        if let Some(shell) = &identity.shell {
            self.set("SHELL", &simplified(shell));
        }
        if let Some(path) = terminal::path(spec) {
            self.set("TERM", terminal::term(path));
        }
        for directories in &spec.directories {
            if !directories.paths.is_empty() {
                self.set(directories::variable(directories.kind), &directories::joined(directories));
            }
        }
        self.set("SYSTEMD_EXEC_PID", &pid);
    }

    /// Set a variable; one that is there keeps its place.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(existing, _)| existing == name) {
            Some((_, existing)) => value.clone_into(existing),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(existing, _)| existing == name).map(|(_, value)| value.as_str())
    }

    /// Take out `NAME` whatever its value, and `NAME=value` where it is that.
    fn unset(&mut self, patterns: &[String]) {
        self.0.retain(|(name, value)| {
            !patterns.iter().any(|pattern| match pattern.split_once('=') {
                Some((unwanted, only)) => unwanted == name && only == value,
                None => pattern == name,
            })
        });
    }

    /// `NAME=value`, as execve(2) wants them.
    pub fn assignments(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}"))
    }
}

/// A path without doubled slashes, `.` in between, or a slash at its end.
fn simplified(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(environment: &[&str]) -> ExecSpec {
        ExecSpec { environment: environment.iter().map(ToString::to_string).collect(), ..ExecSpec::default() }
    }

    #[test]
    fn later_assignments_win_and_files_come_last() {
        let files = vec![("B".to_owned(), "file".to_owned())];
        let environment = Environment::assemble(&spec(&["A=1", "B=2", "A=3"]), &Identity::default(), files);
        assert_eq!((environment.get("A"), environment.get("B")), (Some("3"), Some("file")));
    }

    #[test]
    fn names_that_no_shell_would_take_are_left_out() {
        let environment =
            Environment::assemble(&spec(&["1A=x", "=x", "A B=x", "A", "_a=x"]), &Identity::default(), vec![]);
        let all: Vec<String> = environment.assignments().filter(|one| !one.starts_with("SYSTEMD_EXEC_PID=")).collect();
        assert_eq!(all, ["_a=x"]);
    }

    #[test]
    fn a_variable_is_unset_by_name_or_by_name_and_value() {
        let mut spec = spec(&["A=1", "B=2", "C=3"]);
        spec.unset_environment = vec!["A".into(), "B=2".into(), "C=4".into()];
        let environment = Environment::assemble(&spec, &Identity::default(), vec![]);
        assert_eq!((environment.get("A"), environment.get("B"), environment.get("C")), (None, None, Some("3")));
    }

    #[test]
    fn the_watchdog_has_a_pid_only_where_it_is_on() {
        let on = Environment::assemble(&spec(&["WATCHDOG_USEC=5"]), &Identity::default(), vec![]);
        assert_eq!(on.get("WATCHDOG_PID"), Some(std::process::id().to_string().as_str()));
        let off = Environment::assemble(&spec(&[]), &Identity::default(), vec![]);
        assert_eq!(off.get("WATCHDOG_PID"), None);
    }

    #[test]
    fn listening_descriptors_without_a_name_are_called_unknown() {
        let spec = ExecSpec { listen_fds: vec![0, 1], listen_names: vec!["web".into()], ..ExecSpec::default() };
        let environment = Environment::assemble(&spec, &Identity::default(), vec![]);
        assert_eq!(environment.get("LISTEN_FDS"), Some("2"));
        assert_eq!(environment.get("LISTEN_FDNAMES"), Some("web:unknown"));
    }

    #[test]
    fn the_unit_may_say_otherwise_than_the_user_database() {
        let identity = Identity { home: Some("/home//a/".into()), name: Some("a".into()), ..Identity::default() };
        let environment = Environment::assemble(&spec(&["USER=b"]), &identity, vec![]);
        assert_eq!((environment.get("HOME"), environment.get("USER")), (Some("/home/a"), Some("b")));
    }
}
