# Fork, write the pid of the daemon, and let go: the main process is known by its PID file alone.
setsid /bin/sh -c 'exec sleep infinity' </dev/null >/dev/null 2>&1 &
echo $! >/run/forker.pid.new
mv /run/forker.pid.new /run/forker.pid
