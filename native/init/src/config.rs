//! What a person can set: the command line, and key=value files.
//!
//! `init.conf` beside the binary is read first, then /etc/sysmaster/init.conf, each key of which overrides; `--config` replaces
//! both. What is not understood is said, with file and line, and is never fatal.

use crate::say::LogTarget;
use std::path::{Path, PathBuf};

/// The words of `--help`.
pub const HELP: &str = "\
Usage: sysmaster-init [OPTION]…            keep core alive, as process 1 or as a subreaper
       sysmaster-init [OPTION]… -- CMD…    be a small init for one command, and exit with its status

  --config FILE       read FILE instead of init.conf beside the program and /etc/sysmaster/init.conf
  --core PROGRAM      the core to run (overrides Core=)
  --core-arg ARG      one more argument for it; may be repeated
  --set KEY=VALUE     as a line of the configuration file; may be repeated
  --version, --help   say so, and exit

Keys: Core= PreviousCore= CoreEnvironment= CoreWatchdogSec=10 CoreStartSec=60 CoreRestartIntensity=10
CoreRestartPeriodSec=60 Exec= CgroupRoot= RunDir=/run/sysmaster EmergencyShell= FinalKillSec=5
LogTarget=auto|console|kmsg|stderr|null
";

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Core and its arguments; empty: none.
    pub core: Vec<String>,
    /// What to fall back to; empty: nothing.
    pub previous_core: Vec<String>,
    /// NAME=value for core.
    pub core_environment: Vec<String>,
    /// Microseconds; 0: never hung.
    pub watchdog_us: u64,
    /// Microseconds until the first `ready`.
    pub start_us: u64,
    /// Failures tolerated in a period.
    pub intensity: u32,
    /// Microseconds.
    pub period_us: u64,
    /// The exec helper; none: `sysmaster-exec` or `exec` beside the binary.
    pub exec: Option<PathBuf>,
    /// The control group to use.
    pub cgroup_root: Option<String>,
    /// Where init keeps files.
    pub run_dir: String,
    /// The shell of an emergency; empty: sulogin, or sh.
    pub emergency_shell: Vec<String>,
    /// Microseconds between SIGTERM and SIGKILL at the end.
    pub grace_us: u64,
    /// Where messages go; none: by the role.
    pub log_target: Option<LogTarget>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            core: Vec::new(),
            previous_core: Vec::new(),
            core_environment: Vec::new(),
            watchdog_us: 10_000_000,
            start_us: 60_000_000,
            intensity: 10,
            period_us: 60_000_000,
            exec: None,
            cgroup_root: None,
            run_dir: "/run/sysmaster".to_owned(),
            emergency_shell: Vec::new(),
            grace_us: 5_000_000,
            log_target: None,
        }
    }
}

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--core` and `--core-arg`.
    pub core: Vec<String>,
    /// `--set`.
    pub set: Vec<String>,
    /// After `--`.
    pub command: Option<Vec<String>>,
    /// What to do instead of being an init.
    pub instead: Option<Instead>,
    /// `--restore`: the descriptor of the state, after a re-exec; after a fault also that of the state before it, and the journal's.
    pub restore: Vec<i32>,
    /// `--fault`: how many faults in a row led to this re-exec.
    pub fault: u32,
    /// What was not understood.
    pub complaints: Vec<String>,
}

/// What the program does instead of being an init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// `--version`.
    Version,
    /// `--help`.
    Help,
    /// `--check`: say by the exit status whether the state on descriptor 0 is understood.
    Check,
    /// `--unmount`: the last step on the file systems, for process 1 of a machine.
    Unmount,
    /// `--become CMD…`: take the terminal, then become the command.
    Become(Vec<String>),
}

/// Read the command line, without the program's name. Total: the kernel passes on words of its own command line.
#[must_use]
pub fn arguments(words: impl IntoIterator<Item = String>) -> Arguments {
    let mut arguments = Arguments::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (name, mut value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (word.clone(), None),
        };
        let mut value = || value.take().or_else(|| words.next());
        match name.as_str() {
            "--" => {
                arguments.command = Some(words.by_ref().collect());
            }
            "--version" => arguments.instead = Some(Instead::Version),
            "--help" | "-h" => arguments.instead = Some(Instead::Help),
            "--check" => arguments.instead = Some(Instead::Check),
            "--unmount" => arguments.instead = Some(Instead::Unmount),
            "--become" => {
                arguments.instead = Some(Instead::Become(words.by_ref().collect()));
            }
            "--config" => arguments.config = value().map(PathBuf::from),
            "--core" => arguments.core.splice(0..0, value()).for_each(drop),
            "--core-arg" => arguments.core.extend(value()),
            "--set" => arguments.set.extend(value()),
            "--restore" => {
                let numbers = value().unwrap_or_default();
                arguments.restore = numbers.split(',').filter_map(|number| number.parse().ok()).collect();
            }
            "--fault" => arguments.fault = value().and_then(|value| value.parse().ok()).unwrap_or(0),
            _ => arguments.complaints.push(format!("{word}: not an option; see --help")),
        }
    }
    arguments
}

impl Config {
    /// The configuration these arguments ask for, and what there is to complain about. `binary`: init's own program.
    #[must_use]
    pub fn load(arguments: &Arguments, binary: &Path) -> (Self, Vec<String>) {
        let mut config = Self::default();
        let mut complaints = Vec::new();
        let beside = binary.with_file_name("init.conf");
        let files = match &arguments.config {
            Some(file) => vec![file.clone()],
            None => vec![beside, PathBuf::from("/etc/sysmaster/init.conf")],
        };
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => complaints.extend(config.read(&file.display().to_string(), &text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && arguments.config.is_none() => {}
                Err(error) => complaints.push(format!("{}: cannot be read: {error}", file.display())),
            }
        }
        complaints.extend(config.read("--set", &arguments.set.join("\n")));
        if !arguments.core.is_empty() {
            config.core.clone_from(&arguments.core);
        }
        (config, complaints)
    }

    /// Take the lines of a file; what is not understood comes back as messages.
    pub fn read(&mut self, file: &str, text: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) || (line.starts_with('[') && line.ends_with(']')) {
                continue;
            }
            let said = match line.split_once('=') {
                Some((key, value)) => self.set(key.trim(), value.trim()),
                None => Err("not KEY=VALUE; the line is ignored".to_owned()),
            };
            if let Err(why) = said {
                complaints.push(format!("{file}:{}: {line}: {why}", number + 1));
            }
        }
        complaints
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "Core" => self.core = words(value)?,
            "PreviousCore" => self.previous_core = words(value)?,
            "CoreEnvironment" => self.core_environment.extend(words(value)?),
            "CoreWatchdogSec" => self.watchdog_us = seconds(value)?,
            "CoreStartSec" => self.start_us = seconds(value)?,
            "CoreRestartIntensity" => {
                self.intensity = value.parse().map_err(|_| "not a number; the old value stays".to_owned())?;
            }
            "CoreRestartPeriodSec" => self.period_us = seconds(value)?,
            "Exec" => self.exec = Some(PathBuf::from(value)),
            "CgroupRoot" => self.cgroup_root = Some(value.trim_end_matches('/').to_owned()),
            "RunDir" => self.run_dir = value.trim_end_matches('/').to_owned(),
            "EmergencyShell" => self.emergency_shell = words(value)?,
            "FinalKillSec" => self.grace_us = seconds(value)?,
            "LogTarget" => {
                self.log_target = match value {
                    "auto" => None,
                    "console" => Some(LogTarget::Console),
                    "kmsg" => Some(LogTarget::Kmsg),
                    "stderr" => Some(LogTarget::Stderr),
                    "null" => Some(LogTarget::Null),
                    _ => return Err("not a log target; use auto, console, kmsg, stderr or null".to_owned()),
                };
            }
            _ => return Err("not a key; see --help".to_owned()),
        }
        Ok(())
    }
}

/// Seconds, with a decimal point if need be, as microseconds; at most a year.
fn seconds(value: &str) -> Result<u64, String> {
    let number = value.strip_suffix('s').unwrap_or(value);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: String = part.chars().chain("000000".chars()).take(6).collect();
    match (whole.parse::<u64>(), digits.parse::<u64>()) {
        (Ok(whole), Ok(part)) if whole <= 31_536_000 => Ok(whole * 1_000_000 + part),
        _ => Err("not a number of seconds; the old value stays".to_owned()),
    }
}

/// Words apart by blanks; `"` keeps blanks together, and `\` in quotes keeps the next character.
fn words(value: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word.get_or_insert_default().extend(characters.next()),
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if quoted {
        return Err("a quote is not closed; the line is ignored".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_file_sets_keys_and_complains_of_the_rest_with_its_line() {
        let mut config = Config::default();
        let text = "# comment\n[Init]\nCore=/bin/node --flag \"a b\" \"c\\\"d\"\nCoreEnvironment=A=1 B=2\nNonsense=1\nwhat\n\
                    CoreWatchdogSec=2.5s\nCoreRestartIntensity=many\nLogTarget=moon\nRunDir=/run/x/\nCore=\"open";
        let complaints = config.read("f", text);
        assert_eq!(config.core, strings(&["/bin/node", "--flag", "a b", "c\"d"]));
        assert_eq!(config.core_environment, strings(&["A=1", "B=2"]));
        assert_eq!((config.watchdog_us, config.intensity, config.run_dir.as_str()), (2_500_000, 10, "/run/x"));
        let places: Vec<_> = complaints.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(places, ["f:5:", "f:6:", "f:8:", "f:9:", "f:11:"]);
    }

    #[test]
    fn the_command_line_is_read_to_the_double_dash() {
        let read =
            arguments(strings(&["--core-arg", "-x", "--core=/c", "--set", "RunDir=/r", "quiet", "--", "sh", "--help"]));
        assert_eq!(read.core, strings(&["/c", "-x"]));
        assert_eq!(read.set, strings(&["RunDir=/r"]));
        assert_eq!(read.command, Some(strings(&["sh", "--help"])));
        assert_eq!(read.instead, None);
        assert_eq!(read.complaints.len(), 1);
    }

    #[test]
    fn words_of_any_text_are_found_or_refused_without_a_panic() {
        for text in ["", "\"", "\\", "\"\\", " \" \" ", "a\"b c\"d", "\u{1F600} \"\u{1F600}"] {
            let _ = words(text);
        }
        assert_eq!(words("a\"b c\"d \"\""), Ok(strings(&["ab cd", ""])));
        assert_eq!(seconds("0.000001"), Ok(1));
        assert!(seconds("-1").is_err() && seconds("").is_err() && seconds("99999999999999").is_err());
    }
}
