//! Files read ahead of whoever is about to ask for most of them, in some order of its own.

use napi_derive::napi;
use rustix::fs::{FileType, Mode, OFlags};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Stack of the reading thread.
const STACK_BYTES: usize = 128 * 1024;
/// Larger files are not read ahead.
const BYTES_MAX: usize = 64 * 1024;
/// All of them together; what comes behind is not read ahead.
const TOGETHER_MAX: usize = 16 * 1024 * 1024;

struct Texts {
    /// Each once it was looked at; none: it is not one to be read ahead.
    texts: Vec<OnceLock<Option<String>>>,
    over: AtomicBool,
}

/// One thread that reads a list of files in order. A file that it does not have (yet) is for the owner to read.
#[napi]
pub struct ReadAhead(Arc<Texts>);

#[napi]
impl ReadAhead {
    /// Begin to read. Where there can be no further thread, nothing is.
    #[napi(constructor)]
    pub fn new(paths: Vec<String>) -> Self {
        let texts = paths.iter().map(|_| OnceLock::new()).collect();
        let all = Arc::new(Texts { texts, over: AtomicBool::new(false) });
        let own = Arc::clone(&all);
        let _ = std::thread::Builder::new().name("read-ahead".to_string()).stack_size(STACK_BYTES).spawn(move || {
            let mut bytes = 0;
            for (path, place) in paths.iter().zip(&own.texts) {
                if own.over.load(Ordering::Relaxed) || bytes > TOGETHER_MAX {
                    break;
                }
                bytes += place.get_or_init(|| text(path)).as_ref().map_or(0, String::len);
            }
        });
        Self(all)
    }

    /// The file at this place of the list; none: it was not read, or is no small plain file of UTF-8.
    #[napi]
    pub fn text(&self, at: u32) -> Option<&str> {
        self.0.texts.get(at as usize)?.get()?.as_deref()
    }

    /// Read no more.
    #[napi]
    pub fn end(&self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

fn text(path: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let found = rustix::fs::fstat(&file).ok()?;
    let size = usize::try_from(found.st_size).ok().filter(|size| *size <= BYTES_MAX)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return None;
    }
    // One byte more than it has: what fills that has grown meanwhile.
    let mut bytes = vec![0; size + 1];
    let length = rustix::io::read(&file, &mut bytes).ok().filter(|length| *length == size)?;
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}
