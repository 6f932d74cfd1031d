//! What arrives at /dev/log (syslog(3), RFC 3164), and whose it is. No input or output but /proc.

use std::fs;

/// Facility `user` and priority `notice`: what a datagram without a number means.
const DEFAULT_PRIORITY: u32 = 13;

/// A datagram taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// 0..=7.
    pub priority: u8,
    /// 0..=23 by the standard; the field has room for 127.
    pub facility: u8,
    /// What the sender calls itself; empty if it does not say.
    pub identifier: &'a str,
    /// The text.
    pub message: &'a [u8],
}

/// Total: what cannot be understood is text.
pub fn parse(datagram: &[u8]) -> Datagram<'_> {
    let (number, rest) = priority(datagram);
    let rest = after_time(rest).trim_ascii_start();
    let (identifier, message) = identifier(rest);
    let end =
        message.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | 0)).map_or(0, |last| last + 1);
    Datagram { priority: (number & 7) as u8, facility: (number >> 3) as u8, identifier, message: &message[..end] }
}

/// `<N>`, at most 1023.
fn priority(datagram: &[u8]) -> (u32, &[u8]) {
    let number = || {
        let rest = datagram.strip_prefix(b"<")?;
        let digits = rest.iter().take(4).position(|byte| *byte == b'>')?;
        let text = std::str::from_utf8(&rest[..digits]).ok()?;
        let number: u32 =
            if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok()? } else { return None };
        (number < 1024).then_some((number, &rest[digits + 1..]))
    };
    number().unwrap_or((DEFAULT_PRIORITY, datagram))
}

/// What follows `Mmm dd hh:mm:ss `, or everything if it does not begin so.
fn after_time(text: &[u8]) -> &[u8] {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let shaped = |time: &[u8]| {
        let shape = b" nn nn:nn:nn ".iter().zip(&time[3..]);
        MONTHS.iter().any(|month| time.starts_with(*month))
            && shape.enumerate().all(|(at, (wanted, byte))| match wanted {
                b'n' => byte.is_ascii_digit() || (at == 1 && *byte == b' '),
                other => byte == other,
            })
    };
    match text.split_at_checked(16) {
        Some((time, rest)) if shaped(time) => rest,
        _ => text,
    }
}

/// `identifier: ` or `identifier[pid]: `.
fn identifier(text: &[u8]) -> (&str, &[u8]) {
    let word_end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let Some(name) = text[..word_end].strip_suffix(b":") else { return ("", text) };
    let rest = &text[word_end..];
    let bracket = name.strip_suffix(b"]").and_then(|inner| inner.iter().rposition(|byte| *byte == b'['));
    let name = bracket.map_or(name, |open| &name[..open]);
    match std::str::from_utf8(name) {
        Ok(name) if !name.is_empty() => (name, rest.strip_prefix(b" ").unwrap_or(rest)),
        _ => ("", text),
    }
}

/// The unit a process belongs to, by its v2 control group; none if it is gone, or in no unit's group.
pub fn unit_of(pid: i32) -> Option<String> {
    unit_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// The innermost group that is named after a unit with processes (cgroups(7), /proc/PID/cgroup).
fn unit_in(groups: &str) -> Option<String> {
    const SUFFIXES: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let is_unit = |part: &&str| SUFFIXES.iter().any(|suffix| part.len() > suffix.len() && part.ends_with(suffix));
    path.split('/').rev().find(is_unit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(datagram: &str) -> (u8, u8, &str, &str) {
        let parsed = parse(datagram.as_bytes());
        (parsed.priority, parsed.facility, parsed.identifier, std::str::from_utf8(parsed.message).unwrap())
    }

    #[test]
    fn what_syslog_3_sends_is_taken_apart() {
        assert_eq!(parts("<30>Nov 22 03:04:05 sshd[812]: Server listening\n"), (6, 3, "sshd", "Server listening"));
        assert_eq!(parts("<85>Nov  2 03:04:05 su: ok\0"), (5, 10, "su", "ok"));
    }

    #[test]
    fn what_is_missing_has_a_default() {
        assert_eq!(parts("hello there"), (5, 1, "", "hello there"));
        assert_eq!(parts("<11>oops: it: broke"), (3, 1, "oops", "it: broke"));
        assert_eq!(parts("<11>"), (3, 1, "", ""));
        assert_eq!(parts(""), (5, 1, "", ""));
    }

    #[test]
    fn what_only_looks_like_a_number_or_a_time_is_text() {
        assert_eq!(parts("<1024>x"), (5, 1, "", "<1024>x"));
        assert_eq!(parts("<+1>x"), (5, 1, "", "<+1>x"));
        assert_eq!(parts("<30>Nov 22 03:04 x: y"), (6, 3, "", "Nov 22 03:04 x: y"));
        assert_eq!(parts("<30>: y"), (6, 3, "", ": y"));
    }

    #[test]
    fn lines_within_a_datagram_stay() {
        assert_eq!(parts("<30>a: b\n c\n"), (6, 3, "a", "b\n c"));
    }

    #[test]
    fn a_process_belongs_to_the_innermost_group_named_after_a_unit() {
        let unit = |path: &str| unit_in(&format!("4:memory:/other.service\n0::{path}\n"));
        assert_eq!(unit("/system.slice/nginx.service").as_deref(), Some("nginx.service"));
        assert_eq!(unit("/system.slice/nginx.service/workers/1").as_deref(), Some("nginx.service"));
        assert_eq!(unit("/user.slice/user@1.service/app.slice/a.scope").as_deref(), Some("a.scope"));
        assert_eq!(unit("/x/gone.service (deleted)").as_deref(), Some("gone.service"));
        assert_eq!(unit("/system.slice"), None);
        assert_eq!(unit("/.service"), None);
        assert_eq!(unit_in("4:memory:/other.service\n"), None);
    }
}
