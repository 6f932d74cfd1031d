//! Any bytes are a frame or are refused: decoded and put to the pure core in the mass, and a share of them sent to a real init
//! with descriptors. FUZZ_FRAMES says how many, FUZZ_SEED with which seed; a failure prints both.

mod support;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use support::Rig;
use sysmaster_init::inputs::understand;
use sysmaster_init::state::{Facts, Phase, Policy, State};
use sysmaster_init::step::{Action, step};
use sysmaster_link::{
    EffectId, FDS_MAX, FRAME_MAX, KillTarget, ProcessRef, Role, ShutdownKind, ToInit, decode, encode,
};

/// One in so many frames is sent to a real init.
const SHARE: u64 = 500;
/// What the real init must never be told, for it would do it: end, or become something else.
fn is_harmless(bytes: &[u8]) -> bool {
    !matches!(
        decode::<ToInit>(bytes),
        Ok(ToInit::Shutdown { .. }
            | ToInit::ReexecInit { .. }
            | ToInit::ReexecCore
            | ToInit::Kill { .. }
            | ToInit::Loading { .. })
    )
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn valid_frames() -> Vec<Vec<u8>> {
    let id = EffectId { epoch: 1, seq: u64::MAX, index: 3 };
    let names = |count: usize| (0..count).map(|number| format!("name{number}")).collect::<Vec<_>>();
    let group = KillTarget::Group { path: "a/b.slice".to_owned(), except: vec![ProcessRef::Child(1); 5] };
    let process = KillTarget::Process(ProcessRef::Watched(77, u64::MAX));
    let argument = "bootloader".to_owned();
    let frames = [
        ToInit::Spawn { id, tag: "web.service".to_owned(), fds: names(3) },
        ToInit::Kill { id, target: group, signal: 15 },
        ToInit::Kill { id, target: process, signal: -1 },
        ToInit::Watch { id, tag: "tag".to_owned(), pid: 1, start_time: 5 },
        ToInit::Accept { id, listener: "name0".to_owned(), name: "name1".to_owned() },
        ToInit::Ack { through: 300 },
        ToInit::StoreFd { id, names: names(2) },
        ToInit::DropFd { id, names: names(300) },
        ToInit::FetchFds { names: names(20) },
        ToInit::Beat,
        ToInit::Loading { for_ms: 5 },
        ToInit::Ready,
        ToInit::Shutdown { kind: ShutdownKind::Reboot, deadline_ms: 100, status: 2, argument, now: false },
        ToInit::ReexecCore,
        ToInit::ReexecInit { path: "/sbin/init".to_owned() },
    ];
    frames.iter().map(|frame| encode(frame).unwrap()).collect()
}

/// A valid frame changed in some places, cut, grown or joined to another; or just noise.
fn mutate(random: &mut Random, valid: &[Vec<u8>], bytes: &mut Vec<u8>) {
    bytes.clear();
    if random.below(8) == 0 {
        let length = random.below(200);
        bytes.extend((0..length).map(|_| random.next() as u8));
        if random.below(2) == 0 {
            bytes.splice(0..bytes.len().min(2), [1, 0]);
        }
        return;
    }
    bytes.extend_from_slice(&valid[random.below(valid.len())]);
    for _ in 0..random.below(4) {
        match random.below(6) {
            0 => bytes.truncate(random.below(bytes.len() + 1)),
            1 => {
                let other = &valid[random.below(valid.len())];
                let from = random.below(other.len());
                bytes.extend_from_slice(&other[from..]);
            }
            2 => {
                let at = random.below(bytes.len() + 1);
                bytes.insert(at, random.next() as u8);
            }
            // Lengths and numbers are varints: many sevens of bits.
            3 => {
                let at = random.below(bytes.len() + 1);
                let run = random.below(11);
                bytes.splice(at..at, std::iter::repeat_n(0xff, run));
            }
            _ if bytes.is_empty() => {}
            4 => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            _ => {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
        }
    }
}

fn a_state() -> State {
    let facts = Facts {
        role: Role::Subreaper,
        pid: 2,
        cgroup_root: String::new(),
        cgroup_base: String::new(),
        cgroup_home: None,
        can_set_uid: false,
        can_lower_oom: false,
    };
    let policy = Policy {
        watchdog_us: 1,
        start_us: 1,
        intensity: 1,
        period_us: 1,
        has_previous: false,
        has_core: true,
        store_max: 1000,
        children_max: 1000,
        grace_us: 1,
    };
    State::new(facts, policy)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn any_bytes_are_answered_and_never_fatal() {
    let (frames, seed) = (setting("FUZZ_FRAMES", 300_000), setting("FUZZ_SEED", 1));
    println!("FUZZ_FRAMES={frames} FUZZ_SEED={seed}");
    let (mut random, valid, mut bytes) = (Random(seed), valid_frames(), Vec::new());
    let mut state = a_state();
    let (mut understood, mut refused) = (0_u64, 0_u64);
    for number in 0..frames {
        mutate(&mut random, &valid, &mut bytes);
        // What is a frame is one in only one way that matters: it encodes to something that decodes to itself.
        if let Ok(frame) = decode::<ToInit>(&bytes) {
            understood += 1;
            assert_eq!(decode::<ToInit>(&encode(&frame).unwrap()), Ok(frame), "{bytes:?}");
        }
        let fds = random.below(4);
        let turn = step(&state, number, understand(&bytes, fds, false));
        refused += u64::from(turn.actions.iter().any(|action| matches!(action, Action::Answer(_))));
        turn.changes.into_iter().for_each(|change| state.apply(change));
        // Begin anew where the state would only refuse, or has grown for nothing.
        if !matches!(state.phase, Phase::Up) || state.children.len() + state.records.len() > 500 {
            state = a_state();
        }
    }
    println!("{frames} frames: {understood} understood, {refused} answered at once");
    assert!(understood > frames / 20 && understood < frames && refused > frames / 20);
}

#[test]
fn a_real_init_survives_a_share_of_them_and_closes_the_descriptors_of_the_refused() {
    let (frames, seed) = (setting("FUZZ_FRAMES", 300_000) / SHARE, setting("FUZZ_SEED", 1));
    println!("FUZZ_FRAMES={} FUZZ_SEED={seed}", frames * SHARE);
    let mut rig = Rig::start(&["CoreWatchdogSec=0"]);
    let (mut core, _) = rig.ready_core();
    let before = rig.count_fds(&mut core);
    let (mut random, valid, mut bytes) = (Random(seed), valid_frames(), Vec::new());
    let null = std::fs::File::open("/dev/null").unwrap();
    let (mut stored, mut kept) = (0_usize, Vec::<String>::new());
    for number in 0..frames {
        mutate(&mut random, &valid, &mut bytes);
        if random.below(500) == 0 {
            // Longer than a frame: the kernel cuts it, and says so.
            bytes.resize(FRAME_MAX + 1 + random.below(1000), 7);
        }
        if !is_harmless(&bytes) {
            continue;
        }
        let count = [0, 1, 2, FDS_MAX, random.below(FDS_MAX)][random.below(5)];
        if let Ok(ToInit::StoreFd { names, .. }) = decode::<ToInit>(&bytes)
            && names.len() == count
        {
            stored += 1;
            kept.extend(names);
        }
        let fds: Vec<BorrowedFd<'_>> = vec![null.as_fd(); count];
        core.send_bytes(&bytes, &fds);
        // Read along, lest init rightly stops reading.
        while core.read(Duration::ZERO).is_some() {}
        if number % 64 == 0 {
            core.settle();
            core.waiting.clear();
        }
    }
    core.settle();
    core.waiting.clear();
    // What was lawfully stored is dropped; then nothing is left of all the rest.
    for names in kept.chunks(100) {
        let id = EffectId { epoch: 9, seq: 1, index: u32::try_from(stored).unwrap() };
        stored += 1;
        core.send(&ToInit::DropFd { id, names: names.to_vec() }, &[]);
        core.settle();
        core.waiting.clear();
    }
    // The children that lawful spawns were are gone before long, and their status pipes with them.
    let until = Instant::now() + support::PATIENCE;
    while rig.count_fds(&mut core) != before && Instant::now() < until {
        core.waiting.clear();
    }
    assert_eq!(rig.count_fds(&mut core), before, "descriptors of refused frames stay open (seed {seed})");
    rig.end();
}
