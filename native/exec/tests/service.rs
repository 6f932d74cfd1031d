//! What a service finds when it runs.

mod common;

use common::{program, run, run_with, shell};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use sysmaster_link::{OptionalPath, Stdio};

fn environment(output: &str) -> BTreeMap<&str, &str> {
    output.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn the_program_runs_with_its_arguments_and_nothing_is_reported() {
    let outcome = run(&program("/bin/echo", &["echo", "a", "b  c"]));
    assert_eq!((outcome.report, outcome.output.as_str(), outcome.code), (None, "a b  c\n", 0));
}

#[test]
fn a_name_without_a_slash_is_looked_for() {
    assert_eq!(run(&program("echo", &["echo", "x"])).output, "x\n");
}

#[test]
fn argv0_may_differ_from_the_program() {
    assert_eq!(run(&program("/bin/sh", &["other", "-c", "echo $0"])).output, "other\n");
}

#[test]
fn the_environment_holds_what_was_given_and_nothing_else() {
    let mut spec = program("/usr/bin/env", &["env"]);
    spec.environment.push("A=1".into());
    let outcome = run(&spec);
    let pid = outcome.pid.to_string();
    let expected = [("A", "1"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("SYSTEMD_EXEC_PID", pid.as_str())];
    assert_eq!(environment(&outcome.output), BTreeMap::from(expected));
}

#[test]
fn environment_files_override_and_unset_comes_last() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.env"), "A='from file'\nB=2\n").unwrap();
    fs::write(directory.path().join("b.env"), "B=3\nC=4\n").unwrap();
    let mut spec = program("/usr/bin/env", &["env"]);
    spec.environment.push("A=1".into());
    let pattern = directory.path().join("*.env").display().to_string();
    spec.environment_files = vec![
        OptionalPath { path: pattern, optional: false },
        OptionalPath { path: "/nowhere/x".into(), optional: true },
    ];
    spec.unset_environment = vec!["C".into(), "PATH".into()];
    let outcome = run(&spec);
    let all = environment(&outcome.output);
    assert_eq!(
        (all.get("A"), all.get("B"), all.get("C"), all.get("PATH")),
        (Some(&"from file"), Some(&"3"), None, None)
    );
}

#[test]
fn variables_in_the_command_line_are_expanded_unless_told_not_to() {
    let mut spec = program("/usr/bin/printf", &["printf", "[%s]", "$LIST", "${LIST}", "$$LIST", "$NONE"]);
    spec.environment.push("LIST=a b".into());
    assert_eq!(run(&spec).output, "[$LIST][${LIST}][$$LIST][$NONE]");
    spec.expand = true;
    assert_eq!(run(&spec).output, "[a][b][a b][$LIST]");
}

#[test]
fn a_service_leads_a_session_of_its_own_unless_told_to_stay() {
    let mut spec = shell("cut -d' ' -f6 /proc/self/stat; echo $$");
    let outcome = run(&spec);
    assert_eq!(outcome.output, format!("{0}\n{0}\n", outcome.pid));
    spec.keep_session = true;
    let outcome = run(&spec);
    let own = nix::unistd::getsid(None).unwrap();
    assert_eq!(outcome.output, format!("{own}\n{}\n", outcome.pid));
}

#[test]
fn descriptors_are_three_and_no_more() {
    let outcome = run(&program("/bin/ls", &["ls", "/proc/self/fd"]));
    assert_eq!(outcome.output, "0\n1\n2\n3\n", "3 is the directory that ls reads");
}

#[test]
fn standard_input_is_empty_by_default_and_output_may_go_nowhere() {
    let mut spec = shell("cat; readlink /proc/self/fd/0; readlink /proc/self/fd/2");
    spec.stderr = Stdio::Null;
    assert_eq!(run(&spec).output, "/dev/null\n/dev/null\n");
}

#[test]
fn output_goes_to_files_appended_or_truncated() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, append, truncate| Stdio::File {
        path: directory.path().join(name).display().to_string(),
        append,
        truncate,
    };
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    for (name, append, truncate, expected) in [
        ("append", true, false, "longer before\nnew\n"),
        ("truncate", false, true, "new\n"),
        ("plain", false, false, "new\ner before\n"),
    ] {
        fs::write(directory.path().join(name), "longer before\n").unwrap();
        let mut spec = shell("echo new");
        spec.stdout = file(name, append, truncate);
        assert_eq!(run(&spec).code, 0);
        assert_eq!(text(name), expected);
    }
    let mut spec = shell("echo out; echo err >&2; echo out");
    spec.stdout = file("both", false, false);
    spec.stderr = file("both", false, false);
    run(&spec);
    assert_eq!(text("both"), "out\nerr\nout\n");
}

#[test]
fn a_new_output_file_respects_the_umask_of_the_unit() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let mut spec = shell("umask");
    spec.umask = Some(0o027);
    spec.stderr = Stdio::File { path: path.display().to_string(), append: true, truncate: false };
    assert_eq!(run(&spec).output, "0027\n");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(run(&shell("umask")).output, "0022\n");
}

#[test]
fn input_is_read_from_a_file_and_a_file_for_both_is_opened_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").display().to_string();
    fs::write(&path, "one\ntwo\n").unwrap();
    let file = Stdio::File { path: path.clone(), append: false, truncate: false };
    let mut spec = shell("cat");
    spec.stdin = file.clone();
    assert_eq!(run(&spec).output, "one\ntwo\n");
    let mut spec = shell("read line; echo ONE");
    spec.stdin = file.clone();
    spec.stdout = file;
    assert_eq!(run(&spec).code, 0);
    // A shared position: what is written follows what was read.
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\nONE\n");
}

#[test]
fn output_to_the_path_of_a_socket_connects_to_it() {
    use std::io::Read;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut spec = shell("echo hello");
    spec.stdout = Stdio::File { path: path.display().to_string(), append: false, truncate: false };
    assert_eq!(run(&spec).code, 0);
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello\n");
}

#[test]
fn listening_descriptors_start_at_three_and_are_announced() {
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<fs::File> = ["one", "two", "three"]
        .iter()
        .map(|name| {
            let path = directory.path().join(name);
            fs::write(&path, name).unwrap();
            fs::File::open(path).unwrap()
        })
        .collect();
    let fds: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let mut spec = shell(
        "cat <&3; cat <&4; cat <&5; echo; echo $LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID; ls /proc/self/fd | wc -l",
    );
    // Another order than they were passed in, and one of them standard input as well.
    spec.listen_fds = vec![3, 1, 2];
    spec.listen_names = vec!["a".into(), "b".into(), "c".into()];
    let outcome = run_with(&spec, &fds);
    assert_eq!(outcome.report, None);
    assert_eq!(outcome.output, format!("threeonetwo\n3 a:b:c {}\n7\n", outcome.pid));
}

#[test]
fn more_descriptors_than_one_message_holds_arrive_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<fs::File> = (0..300_u32)
        .map(|number| {
            let path = directory.path().join(number.to_string());
            fs::write(&path, format!("{number}\n")).unwrap();
            fs::File::open(path).unwrap()
        })
        .collect();
    let fds: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let mut spec = program("/bin/bash", &["bash", "-c", "for n in 3 255 256 302; do cat <&$n; done"]);
    spec.listen_fds = (1..=300).collect();
    let outcome = run_with(&spec, &fds);
    assert_eq!((outcome.report, outcome.output.as_str()), (None, "0\n252\n253\n299\n"));
}

#[test]
fn nonblocking_is_set_or_cleared_on_sockets_and_left_alone_on_stored_descriptors() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let sockets: Vec<_> = (0..3).map(|_| std::os::unix::net::UnixDatagram::unbound().unwrap()).collect();
    let is_nonblocking = |index: usize| fcntl_getfl(&sockets[index]).unwrap().contains(OFlags::NONBLOCK);
    fcntl_setfl(&sockets[0], OFlags::NONBLOCK).unwrap();
    fcntl_setfl(&sockets[2], OFlags::NONBLOCK).unwrap();
    let mut spec = shell(":");
    spec.listen_fds = vec![1, 2, 3];
    spec.stored_fds = 1;
    let fds: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    assert_eq!(run_with(&spec, &fds).report, None);
    assert_eq!([0, 1, 2].map(is_nonblocking), [false, false, true]);
    spec.non_blocking = true;
    assert_eq!(run_with(&spec, &fds).report, None);
    assert_eq!([0, 1, 2].map(is_nonblocking), [true, true, true]);
}

#[test]
fn signals_are_default_and_unblocked_but_for_sigpipe() {
    let mut spec = program("/bin/grep", &["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]);
    assert_eq!(run(&spec).output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n");
    spec.ignore_sigpipe = false;
    assert_eq!(run(&spec).output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[test]
fn the_working_directory_is_the_root_unless_set() {
    let mut spec = shell("pwd");
    assert_eq!(run(&spec).output, "/\n");
    spec.working_directory = "/usr".into();
    assert_eq!(run(&spec).output, "/usr\n");
    spec.working_directory = "/nowhere".into();
    spec.working_directory_optional = true;
    assert_eq!(run(&spec).output, "/\n");
}

#[test]
fn limits_nice_oom_score_affinity_and_priorities_are_set() {
    let mut spec = shell(
        "ulimit -Sn; ulimit -Hn; nice; cat /proc/self/oom_score_adj; ionice; chrt -p $$ | head -1; grep Cpus_allowed_list /proc/self/status",
    );
    let limit = |resource: &str, soft, hard| sysmaster_link::Rlimit {
        resource: resource.into(),
        soft: Some(soft),
        hard: Some(hard),
    };
    spec.rlimits = vec![limit("NOFILE", 100, 200), limit("CORE", 0, 0)];
    spec.nice = Some(7);
    spec.oom_score_adjust = Some(321);
    spec.io_scheduling_class = "best-effort".into();
    spec.io_scheduling_priority = 6;
    spec.cpu_scheduling_policy = "batch".into();
    spec.cpu_affinity = vec![0];
    let outcome = run(&spec);
    let pid = outcome.pid;
    assert_eq!(
        outcome.output,
        format!(
            "100\n200\n7\n321\nbest-effort: prio 6\npid {pid}'s current scheduling policy: SCHED_BATCH\nCpus_allowed_list:\t0\n"
        )
    );
}

#[test]
fn a_limit_above_what_is_permitted_is_brought_down_and_is_no_failure() {
    // Lowering the hard limit first makes the second one unreachable without CAP_SYS_RESOURCE, and reachable with it.
    let mut spec = shell("ulimit -Hn");
    let limit = |value| sysmaster_link::Rlimit { resource: "NOFILE".into(), soft: Some(value), hard: Some(value) };
    spec.rlimits = vec![limit(500), limit(600)];
    let outcome = run(&spec);
    assert!(outcome.report.is_none() && ["500\n", "600\n"].contains(&outcome.output.as_str()), "{outcome:?}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_personality_changes_what_uname_says() {
    let mut spec = program("/bin/uname", &["uname", "-m"]);
    spec.personality = "x86".into();
    assert_eq!(run(&spec).output, "i686\n");
    spec.personality = "x86-64".into();
    assert_eq!(run(&spec).output, "x86_64\n");
}

#[test]
fn no_new_privileges_is_set_when_asked_for() {
    let mut spec = program("/bin/grep", &["grep", "NoNewPrivs", "/proc/self/status"]);
    assert_eq!(run(&spec).output, "NoNewPrivs:\t0\n");
    spec.no_new_privileges = true;
    assert_eq!(run(&spec).output, "NoNewPrivs:\t1\n");
}

#[test]
fn what_a_parent_leaks_goes_no_further() {
    // A descriptor without close-on-exec at a number that a socket is to have.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    fs::write(&path, "passed").unwrap();
    let file = fs::File::open(path).unwrap();
    let mut spec = shell("cat <&3; echo; ls /proc/self/fd");
    spec.listen_fds = vec![1];
    let leaking = format!("exec 3</etc/passwd 9</etc/passwd; exec {}", env!("CARGO_BIN_EXE_sysmaster-exec"));
    let (mut output, write_end) = std::io::pipe().unwrap();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", &leaking]);
    let bytes = postcard::to_allocvec(&spec).unwrap();
    let (mut child, mut status) = common::start(&mut command, &bytes, &[write_end.as_fd(), file.as_fd()]);
    drop(write_end);
    let mut report = Vec::new();
    std::io::Read::read_to_end(&mut status, &mut report).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut output, &mut text).unwrap();
    assert!(child.wait().unwrap().success() && report.is_empty());
    assert_eq!(text, "passed\n0\n1\n2\n3\n4\n", "3 is passed, 4 is the directory that ls reads");
}
