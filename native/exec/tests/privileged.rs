//! What only root can ask for: other users, capabilities, control groups, a change of root.
//! An ordinary user sees these tests pass without having tried anything, and says so.

mod common;

use common::{is_root, program, run, run_with, shell, start, write_executable};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use sysmaster_link::{DirectoryKind, ExecStep, ManagedDirectories, ManagedDirectory, Stdio, TtyAcquire};

macro_rules! root_only {
    () => {
        if !is_root() {
            eprintln!("skipped: it takes root to become someone else");
            return;
        }
    };
}

fn status_line(output: &str, name: &str) -> String {
    output.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap_or("").trim().to_owned()
}

#[test]
fn a_user_is_taken_on_with_group_groups_and_environment() {
    root_only!();
    let mut spec = shell("id -u; id -g; id -G; echo $USER $LOGNAME $HOME; env | grep -c ^SHELL=");
    spec.user = "daemon".into();
    assert_eq!(run(&spec).output, "1\n1\n1\ndaemon daemon /usr/sbin\n0\n");
    spec.group = "adm".into();
    spec.supplementary_groups = vec!["tty".into(), "6".into()];
    assert_eq!(run(&spec).output, "1\n4\n4 5 6\ndaemon daemon /usr/sbin\n0\n");
}

#[test]
fn all_four_ids_change_and_no_capability_is_left() {
    root_only!();
    let mut spec = program("/bin/cat", &["cat", "/proc/self/status"]);
    spec.user = "nobody".into();
    let output = run(&spec).output;
    assert_eq!(status_line(&output, "Uid"), "65534\t65534\t65534\t65534");
    assert_eq!(status_line(&output, "Gid"), "65534\t65534\t65534\t65534");
    assert_eq!(status_line(&output, "CapEff"), "0000000000000000");
    assert_eq!(status_line(&output, "CapPrm"), "0000000000000000");
}

#[test]
fn a_group_alone_leaves_the_user_and_its_groups() {
    root_only!();
    let mut spec = shell("id -u; id -g");
    spec.group = "daemon".into();
    assert_eq!(run(&spec).output, "0\n1\n");
}

#[test]
fn with_kept_credentials_the_user_is_only_in_the_environment_and_owns_the_directories() {
    root_only!();
    let root = tempfile::tempdir().unwrap();
    let mut spec = shell("id -u; echo $USER");
    spec.user = "daemon".into();
    spec.keep_credentials = true;
    spec.directories = vec![managed(DirectoryKind::Runtime, root.path(), &["x"], 0o755)];
    assert_eq!(run(&spec).output, "0\ndaemon\n");
    assert_eq!(fs::metadata(root.path().join("x")).unwrap().uid(), 1);
}

#[test]
fn the_home_directory_is_that_of_the_user_or_of_root() {
    root_only!();
    let mut spec = shell("pwd; echo $HOME");
    spec.working_directory = "~".into();
    assert_eq!(run(&spec).output, "/root\n/root\n");
    spec.user = "daemon".into();
    assert_eq!(run(&spec).output, "/usr/sbin\n/usr/sbin\n");
}

#[test]
fn the_working_directory_is_entered_as_the_user() {
    root_only!();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut spec = shell("pwd");
    spec.working_directory = directory.path().display().to_string();
    spec.user = "daemon".into();
    let outcome = run(&spec);
    assert_eq!((outcome.step(), outcome.code), (Some(ExecStep::Chdir), 200));
}

#[test]
fn the_bounding_set_limits_what_root_can_do() {
    root_only!();
    let mut spec = program("/bin/cat", &["cat", "/proc/self/status"]);
    spec.capability_bounding_set = Some(vec!["CAP_CHOWN".into(), "CAP_KILL".into()]);
    let output = run(&spec).output;
    for set in ["CapBnd", "CapEff", "CapPrm"] {
        assert_eq!(status_line(&output, set), "0000000000000021", "{set}");
    }
    spec.capability_bounding_set = Some(vec![]);
    assert_eq!(status_line(&run(&spec).output, "CapBnd"), "0000000000000000");
}

#[test]
fn ambient_capabilities_survive_the_change_of_user() {
    root_only!();
    let mut spec = program("/bin/cat", &["cat", "/proc/self/status"]);
    spec.ambient_capabilities = vec!["CAP_NET_BIND_SERVICE".into()];
    spec.user = "daemon".into();
    spec.no_new_privileges = true;
    let output = run(&spec).output;
    for set in ["CapAmb", "CapEff", "CapPrm", "CapInh"] {
        assert_eq!(status_line(&output, set), "0000000000000400", "{set}");
    }
    assert_eq!(status_line(&output, "Uid"), "1\t1\t1\t1");
    assert_eq!(status_line(&output, "NoNewPrivs"), "1");
}

fn managed(kind: DirectoryKind, root: &Path, paths: &[&str], mode: u32) -> ManagedDirectories {
    let paths = paths.iter().map(|path| ManagedDirectory { path: (*path).into(), symlinks: vec![] }).collect();
    ManagedDirectories { kind, paths, mode, root: root.display().to_string() }
}

#[test]
fn directories_belong_to_the_user_and_are_announced() {
    root_only!();
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut spec = shell("echo $RUNTIME_DIRECTORY $STATE_DIRECTORY; touch $STATE_DIRECTORY/made");
    spec.user = "daemon".into();
    spec.directories = vec![
        managed(DirectoryKind::Runtime, root.path(), &["r/a", "r/b"], 0o750),
        managed(DirectoryKind::State, root.path(), &["s"], 0o700),
    ];
    let outcome = run(&spec);
    let path = root.path().display();
    assert_eq!(outcome.output, format!("{path}/r/a:{path}/r/b {path}/s\n"));
    let owner = |name: &str| {
        fs::metadata(root.path().join(name)).map(|found| (found.uid(), found.gid(), found.mode() & 0o7777)).unwrap()
    };
    assert_eq!((owner("r"), owner("r/a"), owner("s")), ((0, 0, 0o755), (1, 1, 0o750), (1, 1, 0o700)));
    assert_eq!(owner("s/made").0, 1);
}

#[test]
fn a_tree_changes_hands_only_if_its_top_does_not_belong_to_the_user() {
    root_only!();
    let root = tempfile::tempdir().unwrap();
    let tree = root.path().join("s");
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    fs::write(tree.join("deep/er/file"), "").unwrap();
    fs::write(tree.join("setuid"), "").unwrap();
    fs::set_permissions(tree.join("setuid"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::write(root.path().join("outside"), "").unwrap();
    std::os::unix::fs::symlink("../outside", tree.join("link")).unwrap();
    let mut spec = shell(":");
    spec.user = "daemon".into();
    spec.directories = vec![managed(DirectoryKind::State, root.path(), &["s"], 0o755)];
    assert_eq!(run(&spec).report, None);
    let uid = |name: &str| fs::symlink_metadata(root.path().join(name)).unwrap().uid();
    assert_eq!(["s", "s/deep", "s/deep/er/file", "s/setuid", "s/link", "outside"].map(uid), [1, 1, 1, 1, 1, 0]);
    assert_eq!(fs::metadata(tree.join("setuid")).unwrap().mode() & 0o7777, 0o4711);
    // Now the top is right: what an administrator changed below it stays.
    chown(tree.join("deep"), Some(2), Some(2)).unwrap();
    assert_eq!(run(&spec).report, None);
    assert_eq!(uid("s/deep"), 2);
}

#[test]
fn a_change_of_root_comes_before_the_program_is_looked_for() {
    root_only!();
    let root = tempfile::tempdir().unwrap();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    // Any shell will do, with the libraries it loads, if it does.
    let program_path = busybox.unwrap_or("/bin/sh");
    for file in libraries(program_path).into_iter().chain([PathBuf::from(program_path)]) {
        let target = root.path().join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        write_executable(&target, &fs::read(&file).unwrap(), 0o755);
    }
    fs::write(root.path().join("mark"), "inside\n").unwrap();
    let mut spec = program(program_path, &["sh", "-c", "read x < /mark; echo $x; pwd"]);
    spec.root_directory = root.path().display().to_string();
    let outcome = run(&spec);
    assert_eq!((outcome.report, outcome.output.as_str()), (None, "inside\n/\n"));
    spec.path = "/bin/ls".into();
    assert_eq!(run(&spec).step(), Some(ExecStep::Exec), "there is no ls inside");
}

fn libraries(program: &str) -> Vec<PathBuf> {
    let output = std::process::Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// Removes its groups, innermost first, when the test is over.
struct Groups(Vec<PathBuf>);

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            let _ = fs::remove_dir(group);
        }
    }
}

/// The v2 hierarchy, and one of v1 where there is one.
fn hierarchies() -> Vec<PathBuf> {
    let v2 = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
    let v2 = v2.into_iter().find(|path| path.join("cgroup.subtree_control").exists());
    let v1 = Some(PathBuf::from("/sys/fs/cgroup/pids")).filter(|path| path.join("tasks").exists());
    v2.into_iter().chain(v1).collect()
}

#[test]
fn control_groups_are_made_and_entered_in_every_hierarchy() {
    root_only!();
    let name = format!("exec-test-{}", std::process::id());
    let hierarchies = hierarchies();
    assert!(!hierarchies.is_empty(), "no control groups here");
    let _groups =
        Groups(hierarchies.iter().flat_map(|path| [path.join(&name).join("a.service"), path.join(&name)]).collect());
    let mut spec = program("/bin/cat", &["cat", "/proc/self/cgroup"]);
    spec.cgroups = hierarchies.iter().map(|path| path.join(&name).join("a.service").display().to_string()).collect();
    spec.user = "daemon".into();
    spec.delegate = true;
    let outcome = run(&spec);
    let entered = outcome.output.lines().filter(|line| line.ends_with(&format!("/{name}/a.service"))).count();
    assert_eq!((outcome.report, entered), (None, hierarchies.len()));
    let first = hierarchies[0].join(&name);
    assert_eq!(fs::metadata(first.join("a.service/cgroup.procs")).unwrap().uid(), 1, "delegated");
    assert_eq!(fs::metadata(first.join("cgroup.procs")).unwrap().uid(), 0, "only the innermost");
}

/// A pseudo-terminal: its controlling side, and the path of the other.
fn pseudo_terminal() -> (fs::File, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (fs::File::from(master), path)
}

#[test]
fn a_terminal_becomes_the_controlling_one_and_belongs_to_the_user() {
    root_only!();
    let (_master, path) = pseudo_terminal();
    let mut spec = shell("tty; cut -d' ' -f7 /proc/self/stat; echo $TERM; stat -c '%U %a' $(tty)");
    spec.stdin = Stdio::Tty { path: path.clone(), acquire: TtyAcquire::Fail };
    spec.tty_reset = true;
    spec.user = "daemon".into();
    let outcome = run(&spec);
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!((outcome.report, lines[0], lines[2], lines[3]), (None, path.as_str(), "vt220", "daemon 620"));
    assert_ne!(lines[1], "0", "a controlling terminal");
}

#[test]
fn a_terminal_only_written_to_does_not_become_the_controlling_one() {
    root_only!();
    let (mut master, path) = pseudo_terminal();
    let mut spec = shell("cut -d' ' -f7 /proc/self/stat >&2; echo hello");
    spec.stdout = Stdio::Tty { path, acquire: TtyAcquire::None };
    assert_eq!(run(&spec).output, "0\n");
    let mut text = [0; 7];
    master.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello\r\n");
}

#[test]
fn a_terminal_with_an_owner_is_refused_waited_for_or_taken() {
    root_only!();
    let (_master, path) = pseudo_terminal();
    let tty = |acquire| Stdio::Tty { path: path.clone(), acquire };
    // The owner holds the terminal until its pipe closes.
    let own = |acquire| {
        let (hold, mut release) = std::io::pipe().unwrap();
        let (mut output, write_end) = std::io::pipe().unwrap();
        let mut spec = shell("echo mine; read x <&3");
        spec.stdin = tty(acquire);
        spec.listen_fds = vec![1];
        let bytes = postcard::to_allocvec(&spec).unwrap();
        let (child, _) = start(&mut common::helper(), &bytes, &[write_end.as_fd(), hold.as_fd()]);
        drop((write_end, hold));
        let mut first = [0; 5];
        output.read_exact(&mut first).unwrap();
        release.write_all(b"").unwrap();
        (child, release)
    };
    let (mut owner, release) = own(TtyAcquire::Fail);

    let mut spec = shell("echo got it");
    spec.stdin = tty(TtyAcquire::Fail);
    let refused = run(&spec);
    assert_eq!((refused.step(), refused.code), (Some(ExecStep::Stdin), 208));

    // Waiting: nothing comes before the owner has gone.
    spec.stdin = tty(TtyAcquire::Wait);
    let (mut output, write_end) = std::io::pipe().unwrap();
    let bytes = postcard::to_allocvec(&spec).unwrap();
    let (mut waiting, mut status) = start(&mut common::helper(), &bytes, &[write_end.as_fd()]);
    drop(write_end);
    wait_until_asleep_in_poll(waiting.id());
    drop(release);
    owner.wait().unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    let mut report = Vec::new();
    status.read_to_end(&mut report).unwrap();
    assert_eq!((text.as_str(), report.as_slice()), ("got it\n", &[][..]));
    waiting.wait().unwrap();

    let (mut owner, release) = own(TtyAcquire::Fail);
    spec.stdin = tty(TtyAcquire::Force);
    let taken = run(&spec);
    assert_eq!((taken.report, taken.output.as_str()), (None, "got it\n"));
    drop(release);
    owner.wait().unwrap();
}

/// The helper waits for the terminal in poll(2), with an inotify descriptor open.
fn wait_until_asleep_in_poll(pid: u32) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let waits = || {
        let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let watches =
            links.filter_map(|link| fs::read_link(link.path()).ok()).any(|to| to.ends_with("anon_inode:inotify"));
        watches && fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") S "))
    };
    while !waits() {
        assert!(std::time::Instant::now() < deadline, "the helper never waited");
        std::thread::yield_now();
    }
}

#[test]
fn a_user_from_a_name_service_is_found_through_the_helper() {
    root_only!();
    let directory = tempfile::tempdir().unwrap();
    let helper = directory.path().join("getent");
    let script = "#!/bin/sh\ncase $1:$2 in passwd:eve) echo eve:x:5000:5001::/home/eve:/bin/sh;; initgroups:eve) echo eve 5001 77;; *) exit 2;; esac\n";
    write_executable(&helper, script.as_bytes(), 0o755);
    let mut spec = shell("id -u; id -G; ls /proc/self/fd | wc -l");
    spec.user = "eve".into();
    spec.listen_fds = vec![0];
    assert_eq!(run_with(&spec, &[]).step(), Some(ExecStep::User));
    spec.name_service_helper = helper.display().to_string();
    let outcome = run_with(&spec, &[]);
    assert_eq!((outcome.report, outcome.output.as_str()), (None, "5000\n5001 77\n5\n"));
}
