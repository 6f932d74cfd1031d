//! Letting go of what only start-up needed.

use nix::libc;
use std::fs;
use std::io;

/// Drop this process's mappings of the text of its program and libraries, and of the program's constants. What is used again comes back from the page cache, page by page;
/// what only start-up needed stays away. For a program that mostly waits that is the larger part of its memory.
///
/// # Errors
/// Those of reading /proc/self/maps and of madvise(2).
pub fn let_go_of_text() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    let program = program.to_string_lossy().into_owned();
    for line in fs::read_to_string("/proc/self/maps")?.lines() {
        // What the kernel or an engine made has no path.
        let Some(path) = line.find('/').map(|start| &line[start..]) else { continue };
        let mut fields = line.split_ascii_whitespace();
        let (Some(range), Some(mode), Some(offset)) = (fields.next(), fields.next(), fields.next()) else { continue };
        // The text, and the constants before it. The constants behind it were written to by the relocation, and would be lost.
        let constants = mode == "r--p" && path == program && offset.trim_start_matches('0').is_empty();
        if mode != "r-xp" && !constants {
            continue;
        }
        let ends = range.split_once('-').and_then(|(start, end)| {
            Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
        });
        let Some((start, end)) = ends else { continue };
        // SAFETY: a private file mapping that was never writable has no page that differs from the file: each one comes back as
        // it was when it is touched, this code's own included. The linker puts all that is relocated behind the text.
        if unsafe { libc::madvise(start as *mut libc::c_void, end.saturating_sub(start), libc::MADV_DONTNEED) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
