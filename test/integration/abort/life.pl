#!/usr/bin/perl
# life.pl NAME MODE: the services of the life that core is made to die in. Each of their doings is a line in /run/trace.
use strict;
use warnings;
use Fcntl qw(:flock);
use Socket;

my ($name, $mode) = @ARGV;
$0 = "life $name";

sub note {
  my ($what) = @_;
  open(my $out, '>>', '/run/trace') or die "/run/trace: $!";
  syswrite($out, "$name $what\n");
  close($out);
}

# A message to the notify socket, with a descriptor if there is one: perl has no sendmsg(2) of its own.
sub report {
  my ($text, $fd) = @_;
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  my $address = pack_sockaddr_un($ENV{NOTIFY_SOCKET});
  if (!defined $fd) {
    send($socket, $text, 0, $address) or die "$text: $!";
    return;
  }
  connect($socket, $address) or die "$ENV{NOTIFY_SOCKET}: $!";
  my $vector = pack('P Q', $text, length $text);
  my $rights = pack('Q l l l x4', 20, SOL_SOCKET, 1, $fd);
  my $message = pack('Q Q P Q P Q Q', 0, 0, $vector, 1, $rights, length $rights, 0);
  my $number = `uname -m` =~ /x86_64/ ? 46 : 211;
  syscall($number, fileno($socket), $message, 0) == length $text or die "$text: $!";
}

# Whoever has a lock runs; a second one is a fault.
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
note('TWICE') unless flock($lock, LOCK_EX | LOCK_NB);
$SIG{USR1} = sub { note('signalled') };

if ($mode eq 'fork') {
  note('start');
  open(my $out, '>', "/run/$name.pid") or die "/run/$name.pid: $!";
  syswrite($out, "$$\n");
  close($out);
  syswrite($told, '.');
  close($told);
  sleep 1000 while 1;
} elsif ($mode eq 'notify') {
  # What was stored by the one before.
  note(defined $ENV{LISTEN_FDS} ? "start with $ENV{LISTEN_FDS} $ENV{LISTEN_FDNAMES}" : 'start');
  open(my $kept, '<', '/dev/null') or die "/dev/null: $!";
  report("FDSTORE=1\nFDNAME=kept", fileno($kept)) unless defined $ENV{LISTEN_FDS};
  report("READY=1\nSTATUS=it runs");
  while (1) {
    select(undef, undef, undef, 0.1);
    report('WATCHDOG=1');
  }
} elsif ($mode eq 'answer') {
  note("start with $ENV{LISTEN_FDS}");
  open(my $listener, '+<&=', 3) or die "descriptor 3: $!";
  while (accept(my $client, $listener)) {
    note('asked');
    syswrite($client, "here\n");
    close($client);
  }
}
