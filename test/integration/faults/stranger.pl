#!/usr/bin/perl
# stranger.pl MODE: those that a signal must never reach by mistake, and those whose numbers they take over.
#
#   nursery   has short-lived children all the time; whatever signal one of them gets, or ends by, is noted in /run/hits
#   short     ends by itself after a moment
#   daemon F  the same, as a daemon with its number in the file F
#   rewind F  has the kernel give out the lowest free numbers again and again (F: /proc/sys/kernel/ns_last_pid)
use strict;
use warnings;

my ($mode, $file) = @ARGV;

sub note {
  my ($to, $line) = @_;
  open(my $out, '>>', $to) or die "$to: $!";
  syswrite($out, "$line\n");
  close($out);
}
sub rest { select(undef, undef, undef, $_[0] + rand($_[1])) }

if ($mode eq 'nursery') {
  my %theirs;
  while (1) {
    if (keys %theirs < 12) {
      my $child = fork // die "fork: $!";
      if (!$child) {
        for my $name (grep { !/^(KILL|STOP|CHLD|CLD|NUM\d+|__.*|ZERO)$/ } keys %SIG) {
          $SIG{$name} = sub { note('/run/hits', "$$ got $name") };
        }
        rest(0.005, 0.03);
        exit 0;
      }
      $theirs{$child} = 1;
      note('/run/numbers', "s $child");
    }
    my $gone = waitpid(-1, keys %theirs < 12 ? 1 : 0);
    if ($gone > 0) {
      delete $theirs{$gone};
      note('/run/hits', "$gone ended by " . ($? & 127)) if $? & 127;
    } else {
      rest(0.001, 0);
    }
  }
} elsif ($mode eq 'short') {
  note('/run/numbers', "u $$");
  rest(0.005, 0.1);
} elsif ($mode eq 'daemon') {
  pipe(my $ready, my $told) or die "pipe: $!";
  my $child = fork // die "fork: $!";
  if ($child) {
    close($told);
    sysread($ready, my $byte, 1) or die 'the daemon has not begun';
    exit 0;
  }
  close($ready);
  note('/run/numbers', "u $$");
  open(my $out, '>', $file) or die "$file: $!";
  syswrite($out, "$$\n");
  close($out);
  syswrite($told, '.');
  close($told);
  rest(0.005, 0.1);
} elsif ($mode eq 'rewind') {
  while (1) {
    open(my $out, '>', $file) or die "$file: $!";
    syswrite($out, '300') or die "$file: $!";
    close($out);
    rest(0.001, 0.002);
  }
} else {
  die "$mode: not a mode";
}
