//! When userspace began: the moment at which this process became init.
//!
//! Core is told in its environment, for what it says of the boot (systemd-analyze(1), "time"), and init hands it on to itself
//! when it is executed anew.

use crate::turn::now_us;
use std::sync::OnceLock;

/// Variable of the environment: microseconds of CLOCK_MONOTONIC.
const NAME: &str = "SYSMASTER_USERSPACE_US";
static BEGAN: OnceLock<u64> = OnceLock::new();

/// Microseconds of CLOCK_MONOTONIC; the first call takes the time.
pub fn began_us() -> u64 {
    *BEGAN.get_or_init(|| began(std::env::var(NAME).ok().as_deref(), now_us()))
}

/// The same as a word of an environment.
#[must_use]
pub fn word() -> String {
    format!("{NAME}={}", began_us())
}

/// Is this a word of that variable?
#[must_use]
pub fn is_word(word: &[u8]) -> bool {
    word.strip_prefix(NAME.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

/// A time that has not come yet, or is none, is not what an earlier init has handed on.
fn began(handed_on: Option<&str>, now: u64) -> u64 {
    handed_on.and_then(|text| text.parse().ok()).filter(|&us| us <= now).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_init_handed_on_is_kept() {
        assert_eq!(began(Some("5"), 9), 5);
        assert_eq!(began(None, 9), 9);
    }

    #[test]
    fn a_time_to_come_and_words_that_are_no_time_are_not_believed() {
        assert_eq!(began(Some("10"), 9), 9);
        assert_eq!(began(Some("-1"), 9), 9);
        assert_eq!(began(Some("soon"), 9), 9);
    }

    #[test]
    fn its_own_word_is_known_and_others_are_not() {
        assert!(is_word(word().as_bytes()));
        assert!(!is_word(b"SYSMASTER_USERSPACE_USUAL=1"));
        assert!(!is_word(b"PATH=/bin"));
    }
}
