//! Letting go of what only start-up needed.

use nix::libc;
use std::fs;
use std::io;

/// Drop this process's mappings of the text of its program and libraries, and of the program's constants, and do `then` right
/// after: sleep, mostly. What is used again comes back from the page cache, 64 KiB around each fault; what only start-up needed
/// stays away. For a program that mostly waits that is the larger part of its memory.
///
/// # Errors
/// Those of reading /proc/self/maps and of madvise(2); `then` is done all the same.
pub fn let_go_of_text<T>(then: impl FnOnce() -> T) -> (io::Result<()>, T) {
    let ranges = match droppable_ranges() {
        Ok(ranges) => ranges,
        Err(error) => return (Err(error), then()),
    };
    // Found first and dropped last, so that the finding itself brings nothing back.
    for (start, end) in &ranges {
        // SAFETY: a private file mapping that was never writable has no page that differs from the file: each one comes back as
        // it was when it is touched, this code's own included. The linker puts all that is relocated behind the text.
        if unsafe { libc::madvise(*start as *mut libc::c_void, end.saturating_sub(*start), libc::MADV_DONTNEED) } < 0 {
            return (Err(io::Error::last_os_error()), then());
        }
    }
    (Ok(()), then())
}

/// Give back what the allocator keeps for later (malloc_trim(3)); it does so by itself only at the top of its heap.
pub fn trim_heap() {
    // SAFETY: it takes no pointer, and locks the allocator as malloc does.
    unsafe { libc::malloc_trim(0) };
}

fn droppable_ranges() -> io::Result<Vec<(usize, usize)>> {
    let program = fs::read_link("/proc/self/exe")?;
    let program = program.to_string_lossy().into_owned();
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter_map(|line| droppable(line, &program)).collect())
}

/// The range of a line of /proc/self/maps, if nothing is lost with its pages.
fn droppable(line: &str, program: &str) -> Option<(usize, usize)> {
    // What the kernel or an engine made has no path.
    let path = &line[line.find('/')?..];
    let mut fields = line.split_ascii_whitespace();
    let (range, mode, offset) = (fields.next()?, fields.next()?, fields.next()?);
    // The text, and the constants before it. The constants behind it were written to by the relocation, and would be lost.
    let constants = mode == "r--p" && path == program && offset.trim_start_matches('0').is_empty();
    if mode != "r-xp" && !constants {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::droppable;

    #[test]
    fn only_what_comes_back_as_it_was_is_dropped() {
        let of = |line: &str| droppable(line, "/usr/lib/sysmaster/init");
        assert_eq!(of("1000-2000 r-xp 00056000 fe:00 34 /usr/lib/sysmaster/init"), Some((0x1000, 0x2000)));
        assert_eq!(of("1000-2000 r--p 00000000 fe:00 34 /usr/lib/sysmaster/init"), Some((0x1000, 0x2000)));
        assert_eq!(of("1000-2000 r-xp 00010000 fe:00 34 /lib/libc.so.6"), Some((0x1000, 0x2000)));
        assert_eq!(of("1000-2000 r--p 00183000 fe:00 34 /usr/lib/sysmaster/init"), None, "relocated");
        assert_eq!(of("1000-2000 r--p 00000000 fe:00 34 /lib/libc.so.6"), None, "constants of a library");
        assert_eq!(of("1000-2000 rw-p 00000000 fe:00 34 /usr/lib/sysmaster/init"), None, "data");
        assert_eq!(of("1000-2000 rwxp 00000000 00:00 0 "), None, "an engine's code");
        assert_eq!(of("1000-2000 r-xp 00000000 00:00 0                          [vdso]"), None);
        assert_eq!(of("garbage"), None);
    }
}
