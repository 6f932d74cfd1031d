#!/usr/bin/perl
# worker.pl NAME MODE: what the services of the tests run.
#
# It takes NAME's lock, notes its start in /run/started, and if somebody else has the lock, says so in /run/twice.
use strict;
use warnings;
use Fcntl qw(:flock);
use IO::Socket::UNIX;

my ($name, $mode) = @ARGV;
$0 = "worker $name";

sub note {
  my ($file, $line) = @_;
  open(my $out, '>>', $file) or die "$file: $!";
  syswrite($out, "$line\n");
  close($out);
}

# A daemon's parent ends once the one that stays has its lock and has written its PID file.
my $told;
if ($mode eq 'fork') {
  pipe(my $ready, $told) or die "pipe: $!";
  my $child = fork // die "fork: $!";
  if ($child) {
    close($told);
    sysread($ready, my $byte, 1) or die "the daemon $name has not begun";
    exit 0;
  }
  close($ready);
}

open(my $lock, '>>', "/run/locks/$name") or die "/run/locks/$name: $!";
note('/run/twice', "$name $$") unless flock($lock, LOCK_EX | LOCK_NB);
note('/run/started', "$name $$");

if ($mode eq 'sleep') {
  sleep 1000 while 1;
} elsif ($mode eq 'fork') {
  note("/run/$name.pid", $$);
  syswrite($told, '.');
  close($told);
  sleep 1000 while 1;
} elsif ($mode eq 'notify') {
  my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET}) or die "$ENV{NOTIFY_SOCKET}: $!";
  $socket->send('READY=1') or die "READY: $!";
  while (1) {
    select(undef, undef, undef, 0.25);
    $socket->send('WATCHDOG=1') or die "WATCHDOG: $!";
  }
} elsif ($mode eq 'answer' || $mode eq 'shift') {
  die "LISTEN_FDS=$ENV{LISTEN_FDS}" unless $ENV{LISTEN_FDS} eq '1';
  my $listener = IO::Socket::UNIX->new_from_fd(3, 'r+') or die "descriptor 3: $!";
  my $left = $mode eq 'shift' ? 3 : -1;
  while ($left-- && (my $client = $listener->accept)) {
    syswrite($client, "$$\n");
    close($client);
  }
} elsif ($mode eq 'crash') {
  select(undef, undef, undef, 0.5 + rand(2));
  exit 1;
} elsif ($mode ne 'once') {
  die "$mode: not a mode";
}
