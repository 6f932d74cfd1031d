//! Users and groups: passwd(5) and group(5), and whoever else knows through a helper program.
//!
//! The static C library cannot load name services, so a name that is not in the files is asked of a dynamically linked
//! program that speaks as getent(1) does: `passwd KEY`, `group KEY`, `initgroups NAME`.

use crate::failure::{At, Failure};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use sysmaster_link::{ExecSpec, ExecStep};

/// A longer file or answer is a mistake.
const DATABASE_MAX: u64 = 64 * 1024 * 1024;
const ANSWER_MAX: u64 = 256 * 1024;
/// NGROUPS_MAX of Linux.
const GROUPS_MAX: usize = 65_536;
const NOBODY: u32 = 65_534;
/// getent's exit code for a key that nobody knows.
const NOT_FOUND: i32 = 2;

/// Who the service will be. Empty where the spec names nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// USER and LOGNAME.
    pub name: Option<String>,
    /// To be taken on.
    pub uid: Option<u32>,
    /// To be taken on: Group=, or else the user's own.
    pub gid: Option<u32>,
    /// All supplementary groups; none: they stay as they are.
    pub groups: Option<Vec<u32>>,
    /// HOME, and `~` as a working directory.
    pub home: Option<String>,
    /// SHELL, where it is one.
    pub shell: Option<String>,
}

/// One line of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
    shell: String,
}

/// One line of group(5).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Where names come from.
struct Database<'a> {
    passwd: &'a Path,
    group: &'a Path,
    helper: &'a str,
}

/// Find out who the spec means.
pub fn find(spec: &ExecSpec) -> Result<Identity, Failure> {
    Database { passwd: Path::new("/etc/passwd"), group: Path::new("/etc/group"), helper: &spec.name_service_helper }
        .find(spec)
}

impl Database<'_> {
    fn find(&self, spec: &ExecSpec) -> Result<Identity, Failure> {
        let mut identity = Identity::default();
        if !spec.user.is_empty() {
            self.find_user(&spec.user, &mut identity)?;
        } else if spec.working_directory == "~" {
            // Not switched to, but at home there.
            let uid = rustix::process::getuid().as_raw();
            let mut own = Identity::default();
            self.find_user(&uid.to_string(), &mut own)?;
            identity.home = own.home;
        }
        if !spec.group.is_empty() {
            identity.gid = Some(self.find_gid(&spec.group)?);
        }
        identity.groups = self.find_groups(spec, &identity)?;
        Ok(identity)
    }

    fn find_user(&self, key: &str, identity: &mut Identity) -> Result<(), Failure> {
        let user = match key {
            // Known without asking: a boot must not wait for a name service to start a root process.
            "root" | "0" => {
                User { name: "root".into(), uid: 0, gid: 0, home: "/root".into(), shell: root_shell().into() }
            }
            "nobody" | "65534" => {
                User { name: "nobody".into(), uid: NOBODY, gid: NOBODY, home: String::new(), shell: String::new() }
            }
            _ => {
                self.user(key).at(ExecStep::User, key)?.ok_or_else(|| Failure::new(ExecStep::User, Errno::SRCH, key))?
            }
        };
        identity.name = Some(user.name);
        identity.uid = Some(user.uid);
        identity.gid = Some(user.gid);
        identity.home = Some(user.home).filter(|home| home.starts_with('/') && !home.trim_matches('/').is_empty());
        identity.shell = Some(user.shell).filter(|shell| shell.starts_with('/') && !refuses_logins(shell));
        Ok(())
    }

    fn find_gid(&self, key: &str) -> Result<u32, Failure> {
        match key {
            "root" | "0" => Ok(0),
            "nogroup" | "65534" => Ok(NOBODY),
            _ => match self.group(key).at(ExecStep::Group, key)? {
                Some(group) => Ok(group.gid),
                None => Err(Failure::new(ExecStep::Group, Errno::SRCH, key)),
            },
        }
    }

    /// The user's groups and SupplementaryGroups=. The groups of a member of group 0 are not looked up, as in systemd.
    fn find_groups(&self, spec: &ExecSpec, identity: &Identity) -> Result<Option<Vec<u32>>, Failure> {
        let mut groups = Vec::new();
        let mut known = false;
        if let (Some(name), Some(gid)) = (&identity.name, identity.gid)
            && gid != 0
        {
            known = true;
            groups.push(gid);
            groups.extend(self.memberships(name).at(ExecStep::Group, name)?.into_iter().filter(|other| *other != gid));
        }
        for key in &spec.supplementary_groups {
            known = true;
            let gid = self.find_gid(key)?;
            if !groups.contains(&gid) {
                groups.push(gid);
            }
        }
        if groups.len() > GROUPS_MAX {
            return Err(Failure::new(ExecStep::Group, Errno::TOOBIG, "supplementary groups"));
        }
        Ok(known.then_some(groups))
    }

    fn user(&self, key: &str) -> io::Result<Option<User>> {
        let number = parse_id(key);
        let wanted = |user: &User| number.map_or(user.name == key, |uid| user.uid == uid);
        let text = read_database(self.passwd)?;
        match text.lines().filter_map(parse_user).find(wanted) {
            Some(user) => Ok(Some(user)),
            None => Ok(self.ask("passwd", key)?.as_deref().and_then(|text| text.lines().find_map(parse_user))),
        }
    }

    fn group(&self, key: &str) -> io::Result<Option<Group>> {
        let number = parse_id(key);
        let wanted = |group: &Group| number.map_or(group.name == key, |gid| group.gid == gid);
        let text = read_database(self.group)?;
        match text.lines().filter_map(parse_group).find(wanted) {
            Some(group) => Ok(Some(group)),
            None => Ok(self.ask("group", key)?.as_deref().and_then(|text| text.lines().find_map(parse_group))),
        }
    }

    /// Every group that has the user as a member. A name service is asked only about users that come from one.
    fn memberships(&self, name: &str) -> io::Result<Vec<u32>> {
        let text = read_database(self.group)?;
        let member = |group: &Group| group.members.iter().any(|member| member == name);
        let mut gids: Vec<u32> = text.lines().filter_map(parse_group).filter(member).map(|group| group.gid).collect();
        let local = read_database(self.passwd)?.lines().filter_map(parse_user).any(|user| user.name == name);
        if !local && let Some(answer) = self.ask("initgroups", name)? {
            gids.extend(answer.split_whitespace().skip(1).filter_map(parse_id));
        }
        gids.sort_unstable();
        gids.dedup();
        Ok(gids)
    }

    /// What the helper program answers; none if there is no helper, or it knows no such key.
    fn ask(&self, database: &str, key: &str) -> io::Result<Option<String>> {
        if self.helper.is_empty() || key.starts_with('-') {
            return Ok(None);
        }
        let mut child = Command::new(self.helper)
            .args([database, key])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut answer = String::new();
        let read = match child.stdout.take() {
            Some(output) => output.take(ANSWER_MAX).read_to_string(&mut answer),
            None => Ok(0),
        };
        let status = child.wait()?;
        read?;
        match status.code() {
            Some(0) => Ok(Some(answer)),
            Some(NOT_FOUND) => Ok(None),
            _ => Err(io::Error::other(format!("{} {database}: {status}", self.helper))),
        }
    }
}

/// The text of a database; empty if there is none, as in the smallest containers.
fn read_database(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(DATABASE_MAX).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A uid or gid as systemd reads one: decimal, no leading zero, and not one of the two numbers that mean "none".
fn parse_id(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number: u32 = if plain { text.parse().ok()? } else { return None };
    if number == u32::MAX || number == 0xFFFF { None } else { Some(number) }
}

fn parse_user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (parse_id(fields.next()?)?, parse_id(fields.next()?)?);
    let _gecos = fields.next()?;
    let (home, shell) = (fields.next()?, fields.next().unwrap_or(""));
    if name.is_empty() || name.starts_with(['#', '+', '-']) {
        return None;
    }
    Some(User { name: name.into(), uid, gid, home: home.into(), shell: shell.trim_end().into() })
}

fn parse_group(line: &str) -> Option<Group> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let gid = parse_id(fields.next()?)?;
    let members =
        fields.next().unwrap_or("").trim_end().split(',').filter(|member| !member.is_empty()).map(str::to_owned);
    if name.is_empty() || name.starts_with(['#', '+', '-']) {
        return None;
    }
    Some(Group { name: name.into(), gid, members: members.collect() })
}

fn root_shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

/// Shells that only turn people away.
fn refuses_logins(shell: &str) -> bool {
    let name = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"].into_iter().find_map(|prefix| shell.strip_prefix(prefix));
    matches!(name, Some("nologin" | "false" | "true"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        # a comment:x:1:1:::\n\
        +nis:x:5:5:::\n\
        broken line\n\
        web:x:990:991:Web:/srv/www:/usr/sbin/nologin\n\
        ann:x:1000:1000:Ann,,,:/home/ann:/bin/zsh\n\
        twin:x:1000:1001::/:/bin/false\n\
        odd:x:4294967295:1::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,ann\nwww:x:991:\nann:x:1000:\nssl:x:115:web,ann\n";

    fn files() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let (passwd, group) = (directory.path().join("passwd"), directory.path().join("group"));
        std::fs::write(&passwd, PASSWD).unwrap();
        std::fs::write(&group, GROUP).unwrap();
        (directory, passwd, group)
    }

    fn find(user: &str, group: &str, more: &[&str]) -> Result<Identity, Failure> {
        let (_directory, passwd, groups) = files();
        let supplementary_groups = more.iter().map(ToString::to_string).collect();
        let spec = ExecSpec { user: user.into(), group: group.into(), supplementary_groups, ..ExecSpec::default() };
        Database { passwd: &passwd, group: &groups, helper: "" }.find(&spec)
    }

    #[test]
    fn a_user_brings_group_memberships_home_and_shell() {
        let ann = find("ann", "", &[]).unwrap();
        assert_eq!((ann.uid, ann.gid, ann.groups), (Some(1000), Some(1000), Some(vec![1000, 4, 115])));
        assert_eq!((ann.home.as_deref(), ann.shell.as_deref()), (Some("/home/ann"), Some("/bin/zsh")));
    }

    #[test]
    fn a_number_finds_the_first_user_of_that_number_and_takes_its_name() {
        assert_eq!(find("1000", "", &[]).unwrap().name.as_deref(), Some("ann"));
        assert_eq!(find("twin", "", &[]).unwrap().name.as_deref(), Some("twin"));
    }

    #[test]
    fn homes_and_shells_that_say_nothing_are_left_out() {
        let web = find("web", "", &[]).unwrap();
        assert_eq!((web.home.as_deref(), web.shell), (Some("/srv/www"), None));
        let twin = find("twin", "", &[]).unwrap();
        assert_eq!((twin.home, twin.shell), (None, None));
    }

    #[test]
    fn a_group_replaces_the_users_own_and_more_groups_are_added() {
        let web = find("web", "adm", &["ssl", "1000", "adm"]).unwrap();
        assert_eq!((web.gid, web.groups), (Some(4), Some(vec![4, 115, 1000])));
    }

    #[test]
    fn without_a_user_only_the_named_groups_change() {
        assert_eq!(find("", "", &[]).unwrap(), Identity::default());
        let group = find("", "adm", &[]).unwrap();
        assert_eq!((group.uid, group.gid, group.groups), (None, Some(4), None));
        assert_eq!(find("", "", &["adm"]).unwrap().groups, Some(vec![4]));
    }

    #[test]
    fn root_and_nobody_need_no_file() {
        let root = find("0", "", &[]).unwrap();
        assert_eq!((root.name.as_deref(), root.uid, root.home.as_deref()), (Some("root"), Some(0), Some("/root")));
        assert_eq!(root.groups, None);
        let nobody = find("nobody", "", &[]).unwrap();
        assert_eq!((nobody.uid, nobody.home, nobody.shell), (Some(65_534), None, None));
    }

    #[test]
    fn unknown_names_and_numbers_fail_with_their_own_step() {
        for user in ["nobody-here", "4711", "01000", "odd", "+nis"] {
            assert_eq!(find(user, "", &[]), Err(Failure::new(ExecStep::User, Errno::SRCH, user)), "{user}");
        }
        assert_eq!(find("", "none", &[]).unwrap_err().step, ExecStep::Group);
        assert_eq!(find("", "", &["4711"]).unwrap_err().step, ExecStep::Group);
    }

    /// The helper is written by another process: while this one has it open for writing, executing it may be ETXTBSY.
    fn with_helper(script: &str, user: &str) -> Result<Identity, Failure> {
        let (directory, passwd, group) = files();
        let helper = directory.path().join("helper");
        let write = ["-c", "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", script];
        assert!(Command::new("/bin/sh").args(write).arg(&helper).status().unwrap().success());
        let spec = ExecSpec { user: user.into(), ..ExecSpec::default() };
        Database { passwd: &passwd, group: &group, helper: helper.to_str().unwrap() }.find(&spec)
    }

    #[test]
    fn a_user_that_the_files_lack_is_asked_of_the_helper() {
        let script = "case $1:$2 in passwd:eve) echo eve:x:5000:5000::/home/eve:/bin/sh;; \
            initgroups:eve) echo eve 5000 4 77;; *) exit 2;; esac";
        let eve = with_helper(script, "eve").unwrap();
        assert_eq!((eve.uid, eve.groups), (Some(5000), Some(vec![5000, 4, 77])));
        assert_eq!(with_helper(script, "adam").unwrap_err().errno, Errno::SRCH.raw_os_error());
    }

    #[test]
    fn a_helper_that_breaks_is_a_failure_and_not_a_missing_user() {
        let failure = with_helper("exit 1", "eve").unwrap_err();
        assert_eq!((failure.step, failure.errno), (ExecStep::User, 0));
    }
}
