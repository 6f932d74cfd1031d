//! The two times of a record.

use rustix::time::{ClockId, clock_gettime};

/// One moment, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since 1970.
    pub realtime_us: u64,
    /// CLOCK_MONOTONIC.
    pub monotonic_us: u64,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { realtime_us: microseconds(ClockId::Realtime), monotonic_us: microseconds(ClockId::Monotonic) }
    }
}

fn microseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1000)
}
