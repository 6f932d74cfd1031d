//! How long it takes from asking for a process until its program runs: the helper against starting the program directly.
//!
//! `cargo bench -p sysmaster-exec`; SYSMASTER_EXEC names another helper, such as the static one that is installed.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use sysmaster_link::ExecSpec;

const ROUNDS: usize = 500;

fn main() {
    let helper = std::env::var("SYSMASTER_EXEC").unwrap_or_else(|_| env!("CARGO_BIN_EXE_sysmaster-exec").into());
    println!("{helper}, median and 95th percentile of {ROUNDS} rounds");
    let plain = common::program("/bin/true", &["true"]);
    report("start /bin/true directly", || {
        let start = Instant::now();
        // `spawn` returns when the program runs: the same end as that of the status pipe.
        let mut child = Command::new("/bin/true").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let took = start.elapsed();
        child.wait().unwrap();
        took
    });
    report("through the helper, nothing asked for", || through(&helper, &plain));
    let mut same_session = plain.clone();
    same_session.keep_session = true;
    report("the same without a session of its own", || through(&helper, &same_session));
    let mut user = plain.clone();
    user.user = "daemon".into();
    user.rlimits = vec![sysmaster_link::Rlimit { resource: "NOFILE".into(), soft: Some(1024), hard: Some(1024) }];
    user.capability_bounding_set = Some(vec!["CAP_CHOWN".into()]);
    user.no_new_privileges = true;
    if common::is_root() {
        report("with a user, a limit, a bounding set, no new privileges", || through(&helper, &user));
    }
}

fn through(helper: &str, spec: &ExecSpec) -> Duration {
    let bytes = postcard::to_allocvec(spec).unwrap();
    let null = File::options().write(true).open("/dev/null").unwrap();
    let mut command = Command::new(helper);
    let start = Instant::now();
    let (mut child, mut status) = common::start(&mut command, &bytes, &[std::os::fd::AsFd::as_fd(&null)]);
    let mut failure = Vec::new();
    status.read_to_end(&mut failure).unwrap();
    let took = start.elapsed();
    assert!(failure.is_empty(), "{failure:?}");
    child.wait().unwrap();
    took
}

fn report(what: &str, mut round: impl FnMut() -> Duration) {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    times.sort_unstable();
    println!("{:>8.3?} {:>8.3?}  {what}", times[ROUNDS / 2], times[ROUNDS * 95 / 100]);
}
