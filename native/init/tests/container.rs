//! `sysmaster-init -- CMD`, and init as the first process of a pid namespace. All that kills everything happens in namespaces
//! that the test makes; without the right to make them it says so and shows the rest.

mod support;

use nix::libc::{SIGTERM, SIGUSR1};
use std::io::Read;
use std::process::{Command, Stdio};
use support::{Folder, Rig, id, lives, shell, wait_for};
use sysmaster_link::{ExecSpec, FromInit, Report, Role, ShutdownKind, ToInit};
use sysmaster_sys::signal::kill_child;

const INIT: &str = env!("CARGO_BIN_EXE_sysmaster-init");

/// A command in fresh pid, mount, network, UTS and IPC namespaces; none where that is forbidden.
fn unshare(program: &str) -> Option<Command> {
    let namespaces = ["--fork", "--kill-child", "--pid", "--mount", "--net", "--uts", "--ipc"];
    let user: &[&str] = if nix::unistd::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
    let make = || {
        let mut command = Command::new("unshare");
        command.args(user).args(namespaces);
        command
    };
    let allowed = make().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("no namespaces here: what needs them is not shown");
        return None;
    }
    let mut command = make();
    command.arg("--mount-proc").arg(program);
    Some(command)
}

/// A process that ends with the test, however that ends.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // An init that gets SIGKILL leaves its command behind; SIGTERM it passes on.
        let _ = kill_child(i32::try_from(self.0.id()).unwrap(), SIGTERM);
        if std::thread::panicking() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

#[test]
fn the_status_of_the_command_is_the_status_of_the_container() {
    for (script, status) in [("exit 0", 0), ("exit 41", 41), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let ended = Command::new(INIT).args(["--", "sh", "-c", script]).status().unwrap();
        assert_eq!(ended.code(), Some(status), "{script}");
    }
    let missing = Command::new(INIT).args(["--", "/no/such/command"]).stderr(Stdio::null()).status().unwrap();
    assert_eq!(missing.code(), Some(127));
    let not_a_program = Command::new(INIT).args(["--", "/etc/passwd"]).stderr(Stdio::null()).status().unwrap();
    assert_eq!(not_a_program.code(), Some(126));
    let nothing = Command::new(INIT).arg("--").stderr(Stdio::null()).status().unwrap();
    assert_eq!(nothing.code(), Some(1));
}

#[test]
fn words_after_the_double_dash_and_inherited_descriptors_reach_the_command_unchanged() {
    let script = "printf '%s|' \"$@\"; cat <&0";
    let mut child = Command::new(INIT)
        .args(["--", "sh", "-c", script, "sh", "--help", "a b", "", "--restore=7"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"input").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "--help|a b||--restore=7|input");
}

#[test]
fn signals_are_passed_on_and_the_command_starts_with_none_blocked() {
    let folder = Folder::new();
    let proof = folder.path("proof");
    let script = format!(
        "trap 'echo usr1 >> {0}' USR1; trap 'echo term >> {0}; exit 5' TERM; \
         while read -r name mask; do case $name in SigBlk:) echo $mask;; esac; done < /proc/$$/status > {0}; \
         while :; do sleep 0.01; done",
        proof.display()
    );
    let mut init = Ends(Command::new(INIT).args(["--", "sh", "-c", &script]).spawn().unwrap());
    let pid = i32::try_from(init.0.id()).unwrap();
    let text = || std::fs::read_to_string(&proof).unwrap_or_default();
    wait_for("the command", || text().contains('\n').then_some(()));
    assert!(text().trim().ends_with("0000000000000000"), "{}", text());
    kill_child(pid, SIGUSR1).unwrap();
    wait_for("the signal", || text().contains("usr1").then_some(()));
    kill_child(pid, SIGTERM).unwrap();
    assert_eq!(init.0.wait().unwrap().code(), Some(5));
    assert!(text().contains("term"));
}

#[test]
fn orphans_are_reaped_and_what_is_left_behind_is_ended_with_the_command() {
    let folder = Folder::new();
    let file = folder.path("pid");
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM; exec 2>/dev/null; echo $$ > {0}.new; mv {0}.new {0}; sleep 0.2; exec sleep 100000' &); \
         (true &); while [ ! -e {0} ]; do sleep 0.01; done; exit 3",
        file.display()
    );
    let ended = Command::new(INIT).args(["--", "sh", "-c", &script]).status().unwrap();
    assert_eq!(ended.code(), Some(3));
    let daemon: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    assert!(!lives(daemon), "the daemon lives on");
}

#[test]
fn as_process_1_of_a_namespace_the_command_mode_works_the_same() {
    let Some(mut command) = unshare(INIT) else { return };
    let script = "test $PPID = 1 && (setsid sleep 100000 &) ; exit 23";
    let ended = command.args(["--", "sh", "-c", script]).status().unwrap();
    assert_eq!(ended.code(), Some(23));
}

#[test]
fn on_a_terminal_ctrl_c_reaches_the_command_once_and_the_command_has_the_foreground() {
    let folder = Folder::new();
    let log = folder.path("log");
    let script = format!(
        "n=0; trap 'n=$((n+1)); echo int $n >> {0}' INT; trap 'exit 7' TERM; ps -o pgid=,tpgid= -p $$ > {0}; \
         while :; do sleep 0.01; done",
        log.display()
    );
    // util-linux's script(1) gives it a terminal of its own.
    let inner = format!("{INIT} -- sh -c \"$SCRIPT\"");
    let terminal = Command::new("script")
        .args(["-q", "-e", "-c", &inner, "/dev/null"])
        .env("SCRIPT", &script)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let mut terminal = Ends(terminal.unwrap());
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    wait_for("the command", || text().contains('\n').then_some(()));
    let first = text();
    let groups: Vec<&str> = first.split_whitespace().collect();
    assert_eq!(groups.first(), groups.last(), "it is not in the foreground: {first}");
    let mut stdin = terminal.0.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"\x03").unwrap();
    wait_for("the interrupt", || text().contains("int 1").then_some(()));
    std::io::Write::write_all(&mut stdin, b"\x03").unwrap();
    wait_for("the second interrupt", || text().contains("int 2").then_some(()));
    assert_eq!(text().lines().filter(|line| line.starts_with("int")).count(), 2);
    let pgid: i32 = groups[0].parse().unwrap();
    kill_child(pgid, SIGTERM).unwrap();
    assert_eq!(terminal.0.wait().unwrap().code(), Some(7));
}

#[test]
fn as_process_1_of_a_namespace_init_keeps_core_and_ends_everything_in_it() {
    let Some(command) = unshare(INIT) else { return };
    let mut stranger = Ends(Command::new("sleep").arg("1000").spawn().unwrap());
    let mut rig = Rig::start_as(command, &["FinalKillSec=0.2"]);
    let (mut core, hello) = rig.ready_core();
    let Some(FromInit::Hello { role, pid, cgroup_root, .. }) = hello.first else { panic!("no hello") };
    assert_eq!((role, pid), (Role::Container, 1));
    assert!(
        !cgroup_root.is_empty() || std::fs::metadata("/sys/fs/cgroup").is_err() || !nix::unistd::geteuid().is_root()
    );
    // It brought up the loopback of its fresh network, and raised the queue there.
    let proof = rig.folder.path("proof");
    let script = format!(
        "cat /sys/class/net/lo/flags /proc/sys/net/unix/max_dgram_qlen > {0}.new; mv {0}.new {0}",
        proof.display()
    );
    core.run(1, &script);
    let found = wait_for("the network", || std::fs::read_to_string(&proof).ok());
    let words: Vec<&str> = found.split_whitespace().collect();
    assert!(words.last().unwrap().parse::<u32>().unwrap() >= 512, "{found}");
    core.spawn(id(2), "stubborn", &[], &ExecSpec { ..shell("trap '' TERM; while :; do sleep 1; done") });
    core.record("execed", |what| matches!(what, Report::Execed { id: found, .. } if *found == id(2)).then_some(()));
    let argument = String::new();
    core.send(&ToInit::Shutdown { kind: ShutdownKind::Poweroff, deadline_ms: 0, status: 17, argument, now: true }, &[]);
    assert_eq!(rig.wait().code(), Some(17));
    assert!(stranger.0.try_wait().unwrap().is_none(), "a process outside the namespace was killed");
    assert!(cgroup_root.is_empty() || !std::path::Path::new(&cgroup_root).exists(), "{cgroup_root} is left behind");
}

#[test]
fn a_container_mounts_proc_only_in_a_mount_namespace_of_its_own() {
    if unshare("true").is_none() {
        return;
    }
    // A pid namespace without a /proc of its own, in the mount namespace of the test: the host's /proc must stay as it is.
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let user: &[&str] = if nix::unistd::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
    let output = Command::new("unshare")
        .args(user)
        .args(["--fork", "--kill-child", "--pid", INIT, "--", "sh", "-c", "readlink /proc/self; ls -d /proc/1"])
        .output()
        .unwrap();
    let mut said = String::new();
    output.stdout.as_slice().read_to_string(&mut said).unwrap();
    assert!(output.status.success(), "{output:?}");
    let own: i32 = said.lines().next().unwrap().parse().unwrap();
    assert!(own < 20, "its /proc is another namespace's: {said}");
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}
