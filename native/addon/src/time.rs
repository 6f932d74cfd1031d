//! Clocks and timers.

use crate::error::{About, Result, thrown};
use crate::raw::borrow;
use napi_derive::napi;
use nix::errno::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use std::os::fd::IntoRawFd;

/// A clock in milliseconds, with its fraction: `monotonic`, `realtime` or `boottime`.
#[napi]
pub fn clock_ms(clock: String) -> Result<f64> {
    let id = match clock.as_str() {
        "monotonic" => ClockId::Monotonic,
        "realtime" => ClockId::Realtime,
        "boottime" => ClockId::Boottime,
        _ => return Err(thrown(Errno::EINVAL, clock)),
    };
    let now = clock_gettime(id);
    Ok(now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6)
}

/// A timer descriptor on `monotonic` or `realtime`.
#[napi]
pub fn timer_create(clock: String) -> Result<i32> {
    let id = match clock.as_str() {
        "monotonic" => TimerfdClockId::Monotonic,
        "realtime" => TimerfdClockId::Realtime,
        _ => return Err(thrown(Errno::EINVAL, clock)),
    };
    let timer = timerfd_create(id, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK).about("timerfd_create")?;
    Ok(timer.into_raw_fd())
}

/// Set a timer to an absolute time in milliseconds; none disarms it. With `cancel_on_set` a change of CLOCK_REALTIME makes it
/// readable as well.
#[napi]
pub fn timer_set(timer: i32, at_ms: Option<f64>, cancel_on_set: bool) -> Result<()> {
    let value = match at_ms {
        // All zero would disarm it: a time in the distant past is one nanosecond after the clock's beginning.
        Some(ms) if ms.is_nan() || ms <= 0.0 => Timespec { tv_sec: 0, tv_nsec: 1 },
        Some(ms) => {
            let ms = ms.min(9e15);
            let seconds = (ms / 1e3).floor();
            let nanoseconds = ((ms - seconds * 1e3) * 1e6).floor().clamp(0.0, 999_999_999.0);
            let never_zero = if seconds == 0.0 { nanoseconds.max(1.0) } else { nanoseconds };
            Timespec { tv_sec: seconds as i64, tv_nsec: never_zero as i64 }
        }
        None => Timespec { tv_sec: 0, tv_nsec: 0 },
    };
    let mut flags = TimerfdTimerFlags::ABSTIME;
    if cancel_on_set {
        flags |= TimerfdTimerFlags::CANCEL_ON_SET;
    }
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    let fd = borrow(timer).about("timer")?;
    match timerfd_settime(fd, flags, &once) {
        // A change of the clock that nobody has read yet; the timer is set all the same (timerfd_create(2)).
        Ok(_) | Err(rustix::io::Errno::CANCELED) => Ok(()),
        Err(errno) => Err(errno).about("timerfd_settime"),
    }
}

/// What a timer has to say: `expired`, `cancelled` (the clock was set) or `waiting`.
#[napi]
pub fn timer_read(timer: i32) -> Result<&'static str> {
    let fd = borrow(timer).about("timer")?;
    match rustix::io::read(fd, &mut [0u8; 8]) {
        Ok(_) => Ok("expired"),
        Err(rustix::io::Errno::CANCELED) => Ok("cancelled"),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok("waiting"),
        Err(errno) => Err(errno).about("timer"),
    }
}
