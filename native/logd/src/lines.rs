//! Where lines end. No input or output here.

/// A longer line is cut (LineMax= of journald.conf(5), the same default).
pub const LINE_MAX: usize = 48 * 1024;

/// What to do with the unfinished line at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Leave it for later.
    Hold,
    /// Nothing more will come: it is a line.
    Finish,
    /// Take it now, and more may come.
    Cut,
}

/// One line, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes, without the line break.
    pub bytes: &'a [u8],
    /// More of the same line follows.
    pub cut: bool,
    /// Everything up to here has been taken, counted from the start of the input.
    pub end: usize,
}

/// The lines of `input`, in order.
pub fn split(input: &[u8], tail: Tail) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let line = next(input, start, tail)?;
        start = line.end;
        Some(line)
    })
}

fn next(input: &[u8], start: usize, tail: Tail) -> Option<Line<'_>> {
    let rest = input.get(start..).filter(|rest| !rest.is_empty())?;
    let window = &rest[..rest.len().min(LINE_MAX + 1)];
    if let Some(length) = window.iter().position(|byte| *byte == b'\n') {
        return Some(Line { bytes: &rest[..length], cut: false, end: start + length + 1 });
    }
    if rest.len() > LINE_MAX {
        let length = cut_point(&rest[..LINE_MAX]);
        return Some(Line { bytes: &rest[..length], cut: true, end: start + length });
    }
    match tail {
        Tail::Hold => None,
        Tail::Finish => Some(Line { bytes: rest, cut: false, end: input.len() }),
        Tail::Cut => {
            let length = cut_point(rest);
            // Half a character, after what was just cut off before it, waits for its other half.
            let half = start > 0 && !input[..start].ends_with(b"\n") && begins_character(rest);
            (!half).then_some(Line { bytes: &rest[..length], cut: true, end: start + length })
        }
    }
}

/// Not in the middle of a UTF-8 character, if it can be helped: both halves would be invalid.
fn cut_point(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    let begin = (from..bytes.len()).rev().find(|at| bytes[*at] & 0xC0 != 0x80);
    begin.filter(|begin| *begin > 0 && begins_character(&bytes[*begin..])).unwrap_or(bytes.len())
}

/// Whether this is the beginning of a UTF-8 character that wants more bytes than there are.
fn begins_character(bytes: &[u8]) -> bool {
    let wanted = match bytes.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 1,
    };
    bytes.len() < wanted
}

/// The priority that a line names with `<N>` in front (sd-daemon(3)), and the line without it.
pub fn level(line: &[u8]) -> (Option<u8>, &[u8]) {
    match line {
        [b'<', digit @ b'0'..=b'7', b'>', rest @ ..] => (Some(digit - b'0'), rest),
        _ => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], tail: Tail) -> Vec<(&[u8], bool, usize)> {
        split(input, tail).map(|line| (line.bytes, line.cut, line.end)).collect()
    }

    #[test]
    fn lines_end_at_line_breaks_and_the_rest_waits() {
        assert_eq!(all(b"a\n\nbc\nd", Tail::Hold), [(&b"a"[..], false, 2), (b"", false, 3), (b"bc", false, 6)]);
        assert_eq!(all(b"d", Tail::Finish), [(&b"d"[..], false, 1)]);
        assert_eq!(all(b"d", Tail::Cut), [(&b"d"[..], true, 1)]);
        assert_eq!(all(b"", Tail::Finish), []);
    }

    #[test]
    fn a_line_of_the_greatest_length_is_whole_and_a_longer_one_is_cut() {
        let longest = [vec![b'x'; LINE_MAX], vec![b'\n']].concat();
        assert_eq!(all(&longest, Tail::Hold), [(&longest[..LINE_MAX], false, LINE_MAX + 1)]);
        let longer = vec![b'x'; 2 * LINE_MAX + 1];
        let lengths: Vec<_> = split(&longer, Tail::Hold).map(|line| (line.bytes.len(), line.cut)).collect();
        assert_eq!(lengths, [(LINE_MAX, true), (LINE_MAX, true)]);
        assert_eq!(all(&longer[..LINE_MAX], Tail::Hold), []);
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let mut text = "x".repeat(LINE_MAX - 1);
        text.push('é');
        text.push('y');
        let line = split(text.as_bytes(), Tail::Hold).next().unwrap();
        assert_eq!((line.bytes.len(), line.cut), (LINE_MAX - 1, true));
        assert_eq!(all("a😀".as_bytes().split_at(3).0, Tail::Cut), [(&b"a"[..], true, 1)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_anywhere_and_always_make_progress() {
        for input in [&b"\xf0"[..], b"\x80\x80\x80\x80", b"\xff\xff", b"a\xc3\xa9", b"\xf0\x9f\x98"] {
            assert!(split(input, Tail::Cut).next().is_some_and(|line| line.end > 0), "{input:?}");
            let taken: usize = split(input, Tail::Finish).map(|line| line.bytes.len()).sum();
            assert_eq!(taken, input.len(), "{input:?}");
        }
    }

    #[test]
    fn a_level_is_one_digit_in_angle_brackets() {
        assert_eq!(level(b"<3>x"), (Some(3), &b"x"[..]));
        for other in [&b"<8>x"[..], b"<12>x", b"<>x", b"<3x", b"3>x", b""] {
            assert_eq!(level(other), (None, other));
        }
    }
}
