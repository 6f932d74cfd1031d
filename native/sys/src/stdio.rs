//! Descriptors 0 to 2 of a process the kernel started without a console.
//!
//! Rust's runtime opens /dev/null for those that are missing, and aborts where there is no /dev/null yet; an abort of process 1
//! is a panic of the kernel. So they are filled before the runtime begins, by a constructor, as the C library runs them.

use nix::libc;

/// Open something quiet for each of 0 to 2 that is not open: /dev/null, or an empty memfd.
extern "C" fn fill() {
    for number in 0..=2 {
        // SAFETY: F_GETFD on a number that is not open is EBADF and nothing else.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
            continue;
        }
        // SAFETY: a NUL-terminated path. The lowest free number is the one that is missing, as the lower ones are open.
        let opened = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        if opened < 0 {
            // SAFETY: a NUL-terminated name.
            unsafe { libc::memfd_create(c"null".as_ptr(), 0) };
        }
    }
}

#[used]
// SAFETY: the C library calls every pointer in this section once, before main and before any thread; `fill` needs nothing else.
#[unsafe(link_section = ".init_array")]
static FILL: extern "C" fn() = fill;

/// Have this module linked in: what nobody refers to, a linker may leave out.
pub fn ensure() {
    std::hint::black_box(FILL as *const ());
}
