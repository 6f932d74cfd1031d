#!/usr/bin/perl
# clause.pl NAME MODE: services of recovery.test.ts. What they do is a line in /run/done; /run/go-NAME tells them to go on.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($name, $mode) = @ARGV;
$0 = "clause $name";

sub note {
  my ($what) = @_;
  open(my $out, '>>', '/run/done') or die "/run/done: $!";
  syswrite($out, "$name $what\n");
  close($out);
}

sub report {
  my ($text) = @_;
  my $to = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET}) or die "$ENV{NOTIFY_SOCKET}: $!";
  $to->send($text) or die "$text: $!";
}

sub may_go_on { select(undef, undef, undef, 0.02) until -e "/run/go-$name" }

$SIG{USR1} = sub { note('USR1') };
note('main');
if ($mode eq 'sleep') {
  sleep 1000 while 1;
} elsif ($mode eq 'stay') {
  # Not even SIGTERM ends it.
  $SIG{TERM} = 'IGNORE';
  note('ready');
  sleep 1000 while 1;
} elsif ($mode eq 'ping') {
  # Until it may go on, which is to say nothing more.
  report('READY=1');
  until (-e "/run/go-$name") {
    report('WATCHDOG=1');
    select(undef, undef, undef, 0.1);
  }
  note('silent');
  sleep 1000 while 1;
} elsif ($mode eq 'word') {
  # Whoever is the main process from then on says so.
  may_go_on();
  my $child = fork // die "fork: $!";
  sleep 1000 while !$child;
  report("READY=1\nSTATUS=said to nobody\nMAINPID=$child");
  note("child $child");
  sleep 1000 while 1;
} else {
  die "$mode: not a mode";
}
