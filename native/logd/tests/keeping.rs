//! What is kept of what services write.

mod common;

use common::{Keeper, say, until};
use std::fs;
use std::io::{Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn lines_become_records_of_their_unit() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("web.service", &read);
    write.write_all(b"one\n\n<3>two\n<9>three\nfour").unwrap();
    keeper.sync();
    let records = keeper.records("web.service");
    let kept: Vec<_> =
        records.iter().map(|record| (record["p"].as_i64().unwrap(), record["msg"].as_str().unwrap())).collect();
    assert_eq!(kept, [(6, "one"), (3, "two"), (6, "<9>three")], "an empty line says nothing, an unfinished one waits");
    let first = &records[0];
    assert_eq!(
        (first["u"].as_str(), first["i"].as_str(), first["inv"].as_str()),
        (Some("web.service"), Some("test"), Some("0a"))
    );
    assert!(first["t"].as_u64() > Some(1_600_000_000_000_000) && first["m"].as_u64() > Some(0));
}

#[test]
fn the_files_are_for_root_and_its_group_only() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    write.write_all(b"x\n").unwrap();
    keeper.sync();
    let mode = |name: &str| fs::metadata(keeper.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("logs"), mode("logs/a.service.log"), mode("run/logs.sock")), (0o750, 0o640, 0o600));
}

#[test]
fn an_unfinished_line_ends_with_its_writer_or_when_asked_for() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    drop(read);
    write.write_all(b"be").unwrap();
    keeper.sync();
    assert!(keeper.messages("a.service").is_empty());
    write.write_all(b"gun\nasked").unwrap();
    keeper.sync_unit(Some("a.service"));
    assert_eq!(keeper.messages("a.service"), ["begun", "asked"]);
    write.write_all(b"last").unwrap();
    drop(write);
    keeper.sync();
    assert_eq!(keeper.messages("a.service"), ["begun", "asked", "last"]);
}

#[test]
fn a_pipe_whose_writer_is_gone_is_let_go_of() {
    let mut keeper = Keeper::start(&[]);
    keeper.sync();
    let open = || fs::read_dir(format!("/proc/{}/fd", keeper.pid())).unwrap().count();
    let before = open();
    for _ in 0..20 {
        let (read, mut write) = pipe().unwrap();
        keeper.read_pipe("a.service", &read);
        write.write_all(b"x\n").unwrap();
    }
    // Twenty pipes have come and gone; what stays is the file.
    until("the pipes are closed", || open() <= before + 1);
    keeper.sync();
    assert_eq!(keeper.messages("a.service").len(), 20);
}

#[test]
fn the_same_pipe_again_is_read_once_and_has_a_new_origin_from_then_on() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    keeper.read_pipe("a.service", &read);
    write.write_all(b"old 1\nold 2").unwrap();
    keeper.say("{\"unit\":\"b.service\",\"invocation\":\"0b\"}", Some(read.as_fd()));
    keeper.sync();
    write.write_all(b"new\n").unwrap();
    keeper.sync();
    assert_eq!(keeper.messages("a.service"), ["old 1", "old 2"]);
    assert_eq!(keeper.messages("b.service"), ["new"]);
    assert_eq!(keeper.records("b.service")[0]["inv"], "0b");
}

#[test]
fn a_forgotten_unit_is_read_to_its_end() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    write.write_all(b"one\ntwo").unwrap();
    keeper.say("{\"forget\":\"a.service\"}", None);
    keeper.sync();
    assert_eq!(keeper.messages("a.service"), ["one", "two"]);
    write.write_all(b"after\n").unwrap();
    keeper.sync();
    assert_eq!(keeper.messages("a.service").len(), 2, "nobody reads it any more");
}

#[test]
fn long_lines_are_cut_and_nothing_of_them_is_lost() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    let text: String = (0..40_000).map(|number| format!("{number:05}")).collect();
    let line = format!("{text}\nnext\n");
    let writer = std::thread::spawn(move || write.write_all(line.as_bytes()).map(|()| write).unwrap());
    let _write = writer.join().unwrap();
    keeper.sync();
    let records = keeper.records("a.service");
    let (next, pieces) = records.split_last().unwrap();
    let joined: String = pieces.iter().map(|piece| piece["msg"].as_str().unwrap()).collect();
    assert!(joined == text && next["msg"] == "next");
    assert_eq!(
        pieces.iter().filter(|piece| piece["cut"] == 1).count(),
        4,
        "200,000 bytes are four times 48 KiB and a rest"
    );
}

#[test]
fn a_pipe_that_an_unfinished_line_fills_does_not_stop_its_writer() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    keeper.sync();
    // The smallest pipe there is, after the keeper has made it larger: far below the longest line.
    rustix::pipe::fcntl_setpipe_size(&read, 4096).unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..30_000 {
            write.write_all(b"x").unwrap();
        }
        write.write_all(b"\n").unwrap();
        write
    });
    let _write = writer.join().unwrap();
    keeper.sync();
    assert_eq!(keeper.messages("a.service").concat().len(), 30_000);
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    write.write_all(b"\xff\xfe\0\n\x01ok\r\n").unwrap();
    keeper.sync();
    let records = keeper.records("a.service");
    assert_eq!((records[0]["b64"].as_str(), records[0].get("msg")), (Some("//4A"), None));
    assert_eq!(records[1]["msg"], "\u{1}ok\r");
}

#[test]
fn files_are_rotated_and_bounded_together() {
    let mut keeper = Keeper::start(&["--unit-max", "20000", "--total-max", "200000"]);
    for unit in 0..8 {
        let (read, mut write) = pipe().unwrap();
        keeper.read_pipe(&format!("u{unit}.service"), &read);
        for line in 0..600 {
            writeln!(write, "line {line}").unwrap();
            if line % 50 == 0 {
                keeper.sync();
            }
        }
        keeper.sync();
    }
    let size = |name: &str| fs::metadata(keeper.path("logs").join(name)).map_or(0, |found| found.len());
    let total: u64 =
        fs::read_dir(keeper.path("logs")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(total <= 200_000, "{total}");
    assert!(size("u7.service.log") <= 20_000 && size("u7.service.log.1") <= 20_000 && size("u7.service.log.1") > 0);
    assert_eq!(size("u0.service.log.1"), 0, "the oldest rotated file goes first");
    assert_eq!(keeper.messages("u7.service").last().unwrap(), "line 599");
}

#[test]
fn a_turn_of_empty_or_tiny_lines_is_bounded_and_complete() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    write.write_all(&b"\n".repeat(65_536)).unwrap();
    write.write_all(&b"x\n".repeat(60_000)).unwrap();
    keeper.sync();
    let kept = keeper.messages("a.service").len();
    // Rotated more than once: 60,000 records are 6 MB, and two files of 4 MiB hold the last of them.
    assert!((40_000..=60_000).contains(&kept), "{kept}");
    assert!(fs::metadata(keeper.path("logs/a.service.log")).unwrap().len() <= 4 << 20);
}

#[test]
fn a_chatty_service_does_not_keep_the_others_waiting() {
    let mut keeper = Keeper::start(&[]);
    let (chatty, mut flood) = pipe().unwrap();
    keeper.read_pipe("chatty.service", &chatty);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let flooding = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            flood.write_all(&b"blah blah blah\n".repeat(1000)).unwrap();
        }
    });
    let (quiet, mut write) = pipe().unwrap();
    keeper.read_pipe("quiet.service", &quiet);
    for number in 0..20 {
        writeln!(write, "{number}").unwrap();
        until("the quiet service's line is kept", || keeper.messages("quiet.service").len() == number + 1);
    }
    // Nor does it keep a sync waiting, which ends with what was there when it began.
    keeper.sync();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    flooding.join().unwrap();
}

#[test]
fn what_is_no_message_is_answered_and_harms_nobody() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    let file = fs::File::open("/etc/passwd").unwrap();
    for message in ["garbage", "{}", "{\"unit\":\"../x\"}", "{\"unit\":\"b.service\"}", &"x".repeat(60_000)] {
        keeper.say(message, None);
        assert!(keeper.answer()["error"].is_string(), "{message}");
    }
    keeper.say("{\"unit\":\"b.service\"}", Some(file.as_fd()));
    assert!(keeper.answer()["error"].as_str().unwrap().contains("cannot read this descriptor"));
    let other = keeper.connect();
    say(&other, "{\"unit\":\"b.service\"}", &[read.as_fd(), file.as_fd()]);
    drop(other);
    write.write_all(b"still here\n").unwrap();
    keeper.sync();
    assert_eq!(keeper.messages("a.service"), ["still here"]);
    assert!(!keeper.path("logs/b.service.log").exists());
}

#[test]
fn descriptors_of_refused_messages_are_closed() {
    let mut keeper = Keeper::start(&[]);
    keeper.sync();
    let open = |keeper: &Keeper| fs::read_dir(format!("/proc/{}/fd", keeper.pid())).unwrap().count();
    let before = open(&keeper);
    let (read, _write) = pipe().unwrap();
    for _ in 0..50 {
        keeper.say("{\"sync\":-1}", Some(read.as_fd()));
        keeper.answer();
    }
    keeper.sync();
    assert_eq!(open(&keeper), before);
}

#[test]
fn only_so_many_connections_are_served_and_the_oldest_goes_on() {
    let mut keeper = Keeper::start(&[]);
    let others: Vec<_> = (0..40).map(|_| keeper.connect()).collect();
    keeper.sync();
    drop(others);
    let again = keeper.connect();
    say(&again, "{\"sync\":1}", &[]);
    keeper.sync();
}

#[test]
fn a_client_that_never_reads_its_answers_does_not_stop_the_keeper() {
    let mut keeper = Keeper::start(&[]);
    let deaf = keeper.connect();
    rustix::net::sockopt::set_socket_recv_buffer_size(&deaf, 2048).unwrap();
    for number in 0..3000 {
        say(&deaf, &format!("{{\"sync\":{number}}}"), &[]);
    }
    keeper.sync();
    assert!(keeper.messages("sysmaster-logd").iter().any(|message| message.contains("nobody reads them")));
}

#[test]
fn the_socket_may_be_passed_as_descriptor_3() {
    let mut keeper = Keeper::prepare(&[]);
    let path = keeper.path("run/logs.sock");
    let script = "import os, socket, sys\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen(5)\n\
        os.dup2(s.fileno(), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.set_inheritable(3, True)\n\
        os.execv(sys.argv[2], sys.argv[2:])\n";
    let mut command = Command::new("/usr/bin/python3");
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: no python3 to pass a socket with");
        return;
    }
    command
        .args(["-c", script])
        .arg(&path)
        .arg(env!("CARGO_BIN_EXE_sysmaster-logd"))
        .arg(keeper.path("run"))
        .arg(keeper.path("logs"));
    keeper.launch_with(command);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    write.write_all(b"x\n").unwrap();
    keeper.sync();
    assert_eq!(keeper.messages("a.service"), ["x"]);
}

#[test]
fn a_start_that_cannot_work_says_why() {
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&mut Command::new(env!("CARGO_BIN_EXE_sysmaster-logd")));
    assert!(code == Some(2) && text.contains("two directories are needed"), "{text}");
    let keeper = Keeper::prepare(&[]);
    fs::write(keeper.path("logs"), "").unwrap();
    let (code, text) = run(keeper.command().process_group(0));
    assert!(code == Some(1) && text.contains("logs: "), "{text}");
}
