# Lines that the test reads off the console, in its order.
say() { echo "report: $*"; }
kind() { grep " $1 " /proc/self/mounts | while read -r _ _ kind _; do echo "$kind"; done; }
group() { read -r line < "/proc/$1/cgroup"; echo "${line#0::}"; }
core() { cat /sys/fs/cgroup/core.scope/cgroup.procs; }
first() { cat /sys/fs/cgroup/system.slice/first.service/cgroup.procs; }

say pid 1 is "$(readlink /proc/1/exe)"
for path in /proc /sys /dev /dev/pts /dev/shm /run /sys/fs/cgroup; do say "$path is $(kind $path)"; done
grep -q '^cgroup2 .*nsdelegate' /proc/self/mounts && say control groups are delegated by namespace
for name in fd stdin stdout stderr; do say "/dev/$name leads to $(readlink /dev/$name)"; done
say host name "$(hostname)"
grep -Eq '^[0-9a-f]{32}$' /etc/machine-id && say machine-id of 32 digits
ip addr show lo | grep -q ,UP && say loopback up
say datagram queue "$(cat /proc/sys/net/unix/max_dgram_qlen)"
core=$(core)
first=$(first)
say "init in $(group 1)"
say "core in $(group "$core")"
say "first.service in $(group "$first")"
for unit in multi-user.target second.service; do say "$unit $(sctl is-active $unit)"; done

kill -KILL "$core"
tries=0
next=
until [ "${next:-$core}" != "$core" ] || [ $tries -ge 50 ]; do sleep 0.1; tries=$((tries + 1)); next=$(core); done
[ "${next:-$core}" != "$core" ] && say core is another process after SIGKILL
[ "$(first)" = "$first" ] && say first.service is the same process
active=
until [ "$active" = active ] || [ $tries -ge 60 ]; do active=$(sctl is-active first.service 2>&1); tries=$((tries + 1)); done
say "first.service $active"
