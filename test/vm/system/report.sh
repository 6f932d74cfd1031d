# Lines that the test reads off the console.
grep -q init /proc/1/cmdline && echo "report: pid 1 is init"
line="report: mounts"
for path in /proc /sys /dev /dev/pts /dev/shm /run /sys/fs/cgroup; do grep -q " $path " /proc/self/mounts && line="$line $path"; done
echo "$line"
for unit in multi-user.target hello.service; do echo "report: $unit $(sctl is-active $unit)"; done
ip addr show lo | grep -q UP && echo "report: loopback up"
sctl list-units --all
