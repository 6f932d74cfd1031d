//! The syntax of environment files (systemd.exec(5), EnvironmentFile=), and reading them.
//!
//! Line by line `NAME=value`. `#` and `;` begin a comment, which a backslash at its end carries on. An unquoted value ends
//! with the line, loses blanks around it, and `\` takes the next character as it is, or the line break away. In single quotes
//! everything stands for itself; in double quotes `\` does so before `"`, `\`, `` ` ``, `$` and joins lines. What follows a
//! closing quote belongs to the value. A line without `=` is skipped, as is a name that no shell would take (`export A`).

use crate::failure::{At, Failure};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use sysmaster_link::{ExecStep, OptionalPath};

/// A longer file is a mistake, or a device.
const FILE_MAX: u64 = 16 * 1024 * 1024;
/// A pattern that matches more files than this is a mistake.
const MATCHES_MAX: usize = 4096;

/// The assignments of all these files, in order, as (name, value); names are valid, and may repeat.
pub fn read_all(files: &[OptionalPath]) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for OptionalPath { path, optional } in files {
        match matches(path) {
            Ok(paths) => {
                for path in paths {
                    match read(&path) {
                        Ok(assignments) => all.extend(assignments),
                        Err(_) if *optional => {}
                        Err(error) => return Err(error).at(ExecStep::Environment, path),
                    }
                }
            }
            Err(_) if *optional => {}
            Err(error) => return Err(error).at(ExecStep::Environment, path),
        }
    }
    Ok(all)
}

/// The files a pattern names, in order; at least one, or ENOENT.
fn matches(pattern: &str) -> io::Result<Vec<String>> {
    if !pattern.starts_with('/') {
        return Err(Errno::INVAL.into());
    }
    if !pattern.contains(['*', '?', '[']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let options =
        glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    let paths = glob::glob_with(pattern, options).map_err(|_| Errno::INVAL)?;
    let mut found: Vec<String> = paths
        .filter_map(Result::ok)
        .filter_map(|path| path.into_os_string().into_string().ok())
        .take(MATCHES_MAX)
        .collect();
    found.sort_unstable();
    if found.is_empty() { Err(Errno::NOENT.into()) } else { Ok(found) }
}

fn read(path: &str) -> io::Result<Vec<(String, String)>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(Errno::TOOBIG.into());
    }
    parse(&bytes)
}

/// All assignments with a valid name. Fails with EBADMSG on a NUL byte, with EINVAL on a name or value that is not UTF-8.
pub fn parse(bytes: &[u8]) -> io::Result<Vec<(String, String)>> {
    if bytes.contains(&0) {
        return Err(Errno::BADMSG.into());
    }
    let mut rest = Reader { bytes, at: 0 };
    let mut all = Vec::new();
    while let Some(byte) = rest.next() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'#' | b';' => rest.skip_comment(),
            first => {
                let Some(name) = rest.name(first) else { continue };
                let value = rest.value();
                let name = String::from_utf8(name).map_err(|_| Errno::INVAL)?;
                let value = String::from_utf8(value).map_err(|_| Errno::INVAL)?;
                if crate::environment::is_valid_name(&name) {
                    all.push((name, value));
                }
            }
        }
    }
    Ok(all)
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_comment(&mut self) {
        while let Some(byte) = self.next() {
            if byte == b'\\' {
                let _joined = self.next();
            } else if is_line_end(byte) {
                return;
            }
        }
    }

    /// The name up to `=`, without blanks at its end; none if the line has no `=`.
    fn name(&mut self, first: u8) -> Option<Vec<u8>> {
        let mut name = vec![first];
        loop {
            match self.next()? {
                b'=' => break,
                byte if is_line_end(byte) => return None,
                byte => name.push(byte),
            }
        }
        name.truncate(name.trim_ascii_end().len());
        Some(name)
    }

    /// The value, up to and with the end of its line.
    fn value(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'\'' => self.single_quoted(&mut value),
                b'"' => self.double_quoted(&mut value),
                byte if is_line_end(byte) => break,
                byte if is_blank(byte) => {}
                _ => {
                    // From the first bare character on, quotes are nothing special.
                    self.at -= 1;
                    self.bare(&mut value);
                    break;
                }
            }
        }
        value
    }

    fn single_quoted(&mut self, value: &mut Vec<u8>) {
        while let Some(byte) = self.next() {
            if byte == b'\'' {
                return;
            }
            value.push(byte);
        }
    }

    fn double_quoted(&mut self, value: &mut Vec<u8>) {
        while let Some(byte) = self.next() {
            match byte {
                b'"' => return,
                b'\\' => match self.next() {
                    Some(b'\n') | None => {}
                    Some(escaped @ (b'"' | b'\\' | b'`' | b'$')) => value.push(escaped),
                    Some(other) => value.extend([b'\\', other]),
                },
                byte => value.push(byte),
            }
        }
    }

    /// The rest of the line; blanks at its end go, unless a backslash protects them.
    fn bare(&mut self, value: &mut Vec<u8>) {
        let mut keep = value.len();
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => {
                    match self.next() {
                        Some(byte) if is_line_end(byte) => {}
                        Some(byte) => value.push(byte),
                        None => {}
                    }
                    keep = value.len();
                }
                byte if is_line_end(byte) => break,
                byte => {
                    value.push(byte);
                    if !is_blank(byte) {
                        keep = value.len();
                    }
                }
            }
        }
        value.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap()
    }

    fn value(text: &str) -> String {
        let mut all = one(text);
        assert_eq!(all.len(), 1, "{text:?}: {all:?}");
        all.pop().unwrap().1
    }

    #[test]
    fn a_bare_value_loses_blanks_around_it_and_keeps_those_inside() {
        assert_eq!(value("A=  b  c \t\n"), "b  c");
        assert_eq!(value(" A \t=b"), "b");
        assert_eq!(value("A="), "");
        assert_eq!(value("A=b\r\n"), "b");
    }

    #[test]
    fn quotes_count_only_before_the_first_bare_character() {
        assert_eq!(value("A='b c'\"d\""), "b cd");
        assert_eq!(value("A='b' c"), "bc");
        assert_eq!(value("A=b'c'"), "b'c'");
        assert_eq!(value("A=b \"c\" "), "b \"c\"");
    }

    #[test]
    fn single_quotes_keep_everything_and_span_lines() {
        assert_eq!(value("A='b\\n\n# no comment\n$c'"), "b\\n\n# no comment\n$c");
    }

    #[test]
    fn in_double_quotes_a_backslash_escapes_what_a_shell_would_expand() {
        assert_eq!(value(r#"A="\"\\\`\$\n\t""#), "\"\\`$\\n\\t");
        assert_eq!(value("A=\"b\\\nc\nd\""), "bc\nd");
    }

    #[test]
    fn a_backslash_in_a_bare_value_takes_the_next_character_as_it_is() {
        assert_eq!(value(r"A=\b\'\\c"), r"b'\c");
        assert_eq!(value("A=b\\\nc"), "bc");
        assert_eq!(value("A=\\\n  b"), "  b");
        assert_eq!(value("A=b\\ \n"), "b ");
    }

    #[test]
    fn comments_go_and_a_backslash_carries_them_on() {
        assert_eq!(one("#A=1\n;B=2\n  # C=3\\\nD=4\nE=5#6"), [("E".to_owned(), "5#6".to_owned())]);
    }

    #[test]
    fn lines_that_assign_nothing_are_skipped() {
        assert_eq!(one("export A=1\nnothing\n1A=2\nA-B=3\n=4\nC=5"), [("C".to_owned(), "5".to_owned())]);
    }

    #[test]
    fn a_name_may_come_twice_and_the_caller_decides() {
        assert_eq!(one("A=1\nA=2").len(), 2);
    }

    #[test]
    fn bytes_that_are_no_text_make_the_file_invalid() {
        assert!(parse(b"A=\xff").is_err());
        assert!(parse(b"A=b\0").is_err());
        assert!(parse(b"# \xff\nA=b").is_ok());
    }

    #[test]
    fn an_open_quote_ends_with_the_file() {
        assert_eq!(value("A='b "), "b ");
        assert_eq!(value("A=\"b \\"), "b ");
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn every_file_means_what_it_means_to_systemd() {
        // What systemd 252 answered; tests/oracle/generate.py asked.
        for line in include_str!("../tests/oracle/environment-files.tsv").lines() {
            let (file, answer) = line.split_once('\t').unwrap();
            let ours = parse(&bytes(file)).map(|all| {
                let mut merged = crate::environment::Environment::default();
                all.iter().for_each(|(name, value)| merged.set(name, value));
                let mut assignments: Vec<String> = merged.assignments().collect();
                assignments.sort_unstable();
                assignments
            });
            let mut theirs: Vec<String> = Vec::new();
            if answer != "error" {
                theirs = answer
                    .split(',')
                    .map(|one| String::from_utf8(bytes(one)).unwrap())
                    .filter(|one| !one.is_empty())
                    .collect();
                theirs.sort_unstable();
            }
            let shown = String::from_utf8_lossy(&bytes(file)).into_owned();
            assert_eq!(ours.is_err(), answer == "error", "{shown:?}");
            assert_eq!(ours.unwrap_or_default(), theirs, "{shown:?}");
        }
    }
}
