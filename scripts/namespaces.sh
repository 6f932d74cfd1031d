#!/bin/bash
# Run a program as PID 1 of fresh pid, mount, uts, ipc, net and control-group namespaces. The caller gives it a session of its own.
#
#   namespaces.sh STATE ROOT PROGRAM [ARGS…]
#
# STATE  a directory of the caller: STATE/run becomes /run (so that the caller can reach sockets there); STATE/group says
#        which control group was made; with a ROOT, STATE/upper and STATE/work hold what the system writes
# ROOT   a root file system, used read-only under an overlay; `-`: the machine's own, read-only but for /run, /tmp, /var/tmp
# Environment: SYSMASTER_LIB, bound at /usr/lib/sysmaster in a ROOT, at its own path otherwise; NS_HOSTNAME; NS_BINDS,
# `from:to` words to bind read-only besides.
#
# Without root a user namespace is added: one uid, and no control groups. As root the program dies with the process that started
# this script, even if that is killed; in a user namespace the kernel forgets that wish.
set -eu
state=$1 root=$2
shift 2
mkdir -p "$state/run" "$state/tmp"
user=()
if [ "$(id -u)" -ne 0 ]; then
  user=(--user --map-root-user)
  : >"$state/group"
else
  base=/sys/fs/cgroup/unified
  [ -f "$base/cgroup.procs" ] || base=/sys/fs/cgroup
  if [ -f "$base/cgroup.procs" ]; then
    group="$base/sysmaster-$(basename "$state")"
    if mkdir -p "$group" 2>/dev/null && echo $$ 2>/dev/null >"$group/cgroup.procs"; then echo "$group" >"$state/group"; else : >"$state/group"; fi
  fi
fi
export NS_STATE=$state NS_ROOT=$root
# shellcheck disable=SC2016 # the text is for the inner shell
exec setpriv --pdeathsig KILL unshare "${user[@]}" --fork --kill-child=KILL --pid --mount --uts --ipc --net --cgroup --propagation private bash -eu -c '
  new=$NS_STATE/root; mkdir -p "$new"
  if [ "$NS_ROOT" = - ]; then
    mount --rbind / "$new"; mount -o remount,bind,ro "$new"
    mount -t tmpfs -o mode=1777 tmp "$new/tmp"; mount --bind "$NS_STATE/tmp" "$new/var/tmp"
    # A project below /tmp or /var/tmp has just been hidden: its programs are needed all the same.
    if [ -n "${SYSMASTER_LIB:-}" ] && [ ! -e "$new$SYSMASTER_LIB" ]; then mkdir -p "$new$SYSMASTER_LIB"; mount --bind "$SYSMASTER_LIB" "$new$SYSMASTER_LIB"; fi
  else
    mkdir -p "$NS_STATE/upper" "$NS_STATE/work"
    mount -t overlay -o "lowerdir=$NS_ROOT,upperdir=$NS_STATE/upper,workdir=$NS_STATE/work" overlay "$new"
    mount -t tmpfs -o mode=1777 tmp "$new/tmp"
    if [ -n "${SYSMASTER_LIB:-}" ]; then mkdir -p "$new/usr/lib/sysmaster"; mount --bind "$SYSMASTER_LIB" "$new/usr/lib/sysmaster"; mount -o remount,bind,ro "$new/usr/lib/sysmaster"; fi
  fi
  mount --bind "$NS_STATE/run" "$new/run"; mkdir -p "$new/run/lock"
  for pair in ${NS_BINDS:-}; do
    from=${pair%%:*}; to=$new${pair#*:}
    [ -d "$from" ] && mkdir -p "$to" || { mkdir -p "${to%/*}"; touch "$to"; }
    mount --bind "$from" "$to"
  done
  mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
  # Kernel settings are shared with the machine but for those of the network namespace: set the one that matters, close the rest.
  echo 512 2>/dev/null >"$new/proc/sys/net/unix/max_dgram_qlen" || true
  mount --bind "$new/proc/sys" "$new/proc/sys"; mount -o remount,ro,bind "$new/proc/sys"
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$new/sys" 2>/dev/null || mount --rbind -o ro /sys "$new/sys"
  if [ -s "$NS_STATE/group" ]; then
    mount -t tmpfs -o mode=755 cgroup "$new/sys/fs/cgroup" 2>/dev/null || true
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$new/sys/fs/cgroup"
  fi
  mount -t tmpfs -o mode=755 dev "$new/dev"
  for n in null zero full random urandom tty; do touch "$new/dev/$n"; mount --bind "/dev/$n" "$new/dev/$n"; done
  mkdir -p "$new/dev/pts" "$new/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$new/dev/pts" 2>/dev/null || mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$new/dev/pts"
  mount -t tmpfs -o mode=1777 shm "$new/dev/shm"
  ln -s pts/ptmx "$new/dev/ptmx"; ln -s /proc/self/fd "$new/dev/fd"
  ln -s /proc/self/fd/0 "$new/dev/stdin"; ln -s /proc/self/fd/1 "$new/dev/stdout"; ln -s /proc/self/fd/2 "$new/dev/stderr"
  cd "$new"; mkdir -p run/.old; pivot_root . run/.old; cd /; umount -l /run/.old; rmdir /run/.old
  hostname "${NS_HOSTNAME:-sysmaster}"
  exec env -i container=sysmaster PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" LANG=C.UTF-8 "$@" </dev/null
' namespaces "$@"
