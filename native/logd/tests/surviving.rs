//! Nothing is lost when the keeper ends, however it ends.

mod common;

use common::{Keeper, records, until};
use std::collections::HashMap;
use std::fs;
use std::io::{PipeReader, Write, pipe};
use std::process::Command;

const WRITERS: usize = 6;
const LINES: usize = 20_000;
const KILLS: usize = 25;

fn unit(writer: usize) -> String {
    format!("w{writer}.service")
}

/// The numbers of a writer in the order in which they are kept.
fn numbers(keeper: &Keeper, writer: usize) -> Vec<usize> {
    keeper.messages(&unit(writer)).iter().map(|message| message.split(' ').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn no_line_is_lost_and_order_is_kept_through_many_sudden_deaths() {
    let mut keeper = Keeper::start(&["--unit-max", "1000000000", "--total-max", "10000000000"]);
    // The test holds the read ends, as init does.
    let (reads, writes): (Vec<PipeReader>, Vec<_>) = (0..WRITERS).map(|_| pipe().unwrap()).unzip();
    let writers: Vec<_> = writes
        .into_iter()
        .enumerate()
        .map(|(writer, mut write)| {
            std::thread::spawn(move || {
                for number in 0..LINES {
                    // Lines of many lengths, some of them in two writes, so that deaths fall in the middle of things.
                    let padding = "x".repeat((number * 7 + writer) % 97);
                    write!(write, "line {number} ").unwrap();
                    writeln!(write, "{padding}").unwrap();
                }
            })
        })
        .collect();
    for round in 0..KILLS {
        for (writer, read) in reads.iter().enumerate() {
            keeper.read_pipe(&unit(writer), read);
        }
        let size = |keeper: &Keeper| {
            fs::metadata(keeper.path(&format!("logs/{}.log", unit(round % WRITERS)))).map_or(0, |found| found.len())
        };
        let before = size(&keeper);
        // Somewhere in the middle of its work, not at a time of day.
        until("the keeper writes", || {
            size(&keeper) > before || writers.iter().all(std::thread::JoinHandle::is_finished)
        });
        keeper.kill();
        keeper.launch();
    }
    for (writer, read) in reads.iter().enumerate() {
        keeper.read_pipe(&unit(writer), read);
    }
    for writer in writers {
        writer.join().unwrap();
    }
    keeper.sync();
    for writer in 0..WRITERS {
        let mut next = 0;
        for number in numbers(&keeper, writer) {
            // Either the next one, or a step back to what was written and not yet taken when the keeper died.
            assert!(number <= next, "writer {writer}: {number} comes where {next} is missing");
            next = number + 1;
        }
        assert_eq!(next, LINES, "writer {writer}");
        assert!(steps_back(&numbers(&keeper, writer)) <= KILLS, "at most one repetition a death");
    }
}

/// How often the numbers jump back.
fn steps_back(numbers: &[usize]) -> usize {
    numbers.windows(2).filter(|pair| pair[1] <= pair[0]).count()
}

#[test]
fn a_record_that_a_death_tore_is_repaired() {
    let mut keeper = Keeper::start(&[]);
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    write.write_all(b"one\n").unwrap();
    keeper.sync();
    keeper.kill();
    let file = keeper.path("logs/a.service.log");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
    keeper.launch();
    keeper.read_pipe("a.service", &read);
    write.write_all(b"two\n").unwrap();
    keeper.sync();
    assert_eq!(keeper.messages("a.service"), ["one", "two"]);
}

#[test]
fn asked_to_end_it_writes_down_everything_and_leaves_unfinished_lines_to_the_next() {
    let mut keeper = Keeper::start(&[]);
    let (reads, mut writes): (Vec<PipeReader>, Vec<_>) = (0..20).map(|_| pipe().unwrap()).unzip();
    for (number, (read, write)) in reads.iter().zip(&mut writes).enumerate() {
        keeper.read_pipe(&unit(number), read);
        for line in 0..500 {
            writeln!(write, "line {line}").unwrap();
        }
        write.write_all(b"line 5").unwrap();
    }
    assert_eq!(keeper.terminate(), Some(0));
    for number in 0..20 {
        let records = keeper.records(&unit(number));
        let cut = records.last().unwrap();
        assert_eq!((records.len(), cut["msg"].as_str(), cut["cut"].as_i64()), (501, Some("line 5"), Some(1)));
    }
    keeper.launch();
    for (number, (read, write)) in reads.iter().zip(&mut writes).enumerate() {
        keeper.read_pipe(&unit(number), read);
        writeln!(write, "00").unwrap();
    }
    keeper.sync();
    for number in 0..20 {
        assert_eq!(keeper.messages(&unit(number)).last().unwrap(), "line 500");
    }
}

#[test]
fn two_pipes_of_one_unit_share_its_file_without_mixing_lines() {
    let mut keeper = Keeper::start(&["--unit-max", "1000000000"]);
    let (out, err) = (pipe().unwrap(), pipe().unwrap());
    keeper.read_pipe("a.service", &out.0);
    keeper.read_pipe("a.service", &err.0);
    let writers: Vec<_> = [("out", out.1), ("err", err.1)]
        .into_iter()
        .map(|(name, mut write)| {
            std::thread::spawn(move || {
                for number in 0..5000 {
                    writeln!(write, "{name} {number}").unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    keeper.sync();
    let mut next: HashMap<String, usize> = HashMap::new();
    for message in keeper.messages("a.service") {
        let (name, number) = message.split_once(' ').unwrap();
        let expected = next.entry(name.to_owned()).or_default();
        assert_eq!(number.parse::<usize>().unwrap(), *expected, "{name}");
        *expected += 1;
    }
    assert_eq!((next["out"], next["err"]), (5000, 5000));
}

#[test]
fn a_full_disk_costs_records_which_are_counted_and_nothing_else() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: it takes root to mount a small file system");
        return;
    }
    let mut keeper = Keeper::prepare(&["--unit-max", "100000000", "--total-max", "100000000"]);
    fs::create_dir(keeper.path("logs")).unwrap();
    // In a mount namespace of its own, which ends with the keeper.
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=512k tmpfs \"$2\" && exec \"$0\" \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_sysmaster-logd")).arg(keeper.path("run")).arg(keeper.path("logs"));
    command.args(["--unit-max", "100000000", "--total-max", "100000000"]);
    keeper.launch_with(command);
    let inside = std::path::PathBuf::from(format!("/proc/{}/root{}", keeper.pid(), keeper.path("logs").display()));
    fs::write(inside.join("ballast"), vec![0; 300_000]).unwrap();
    let (read, mut write) = pipe().unwrap();
    keeper.read_pipe("a.service", &read);
    let mut line = 0;
    let mut write_lines = |keeper: &mut Keeper, count: usize| {
        for _ in 0..count {
            writeln!(write, "line {line} {}", "x".repeat(100)).unwrap();
            line += 1;
            if line % 100 == 0 {
                keeper.sync();
            }
        }
        keeper.sync();
    };
    write_lines(&mut keeper, 3000);
    let kept = records(&inside, "a.service").len();
    assert!(kept > 100 && kept < 3000, "{kept} lines fit, and each of them is whole");
    fs::remove_file(inside.join("ballast")).unwrap();
    write_lines(&mut keeper, 10);
    let all = records(&inside, "a.service");
    let notices: Vec<&str> = all
        .iter()
        .filter(|record| record["i"] == "sysmaster-logd")
        .map(|record| record["msg"].as_str().unwrap())
        .collect();
    let told: usize = notices.iter().map(|notice| notice.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    let lines = all.len() - notices.len();
    assert_eq!(lines + told, 3010, "{notices:?}");
    assert!(all.last().unwrap()["msg"].as_str().unwrap().starts_with("line 3009 "));
}
