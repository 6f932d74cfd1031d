#!/usr/bin/perl
# garbage.pl PID COUNT SEED: speaks on core's own link to init, as a core that has lost its mind would.
#
# It takes the link (descriptor 0 of process PID, pidfd_getfd(2)) and sends COUNT messages of which none is a frame that may be
# carried out: noise, other versions, frames cut off or with something behind them, descriptors that are missing or too many,
# messages longer than any frame. It says how many it has sent.
use strict;
use warnings;

my ($pid, $count, $seed) = @ARGV;
srand($seed);
my ($SYS_sendmsg, $SYS_pidfd_open, $SYS_pidfd_getfd) = $^V && `uname -m` =~ /aarch64/ ? (211, 434, 438) : (46, 434, 438);
my $process = syscall($SYS_pidfd_open, $pid + 0, 0);
die "pidfd_open: $!" if $process < 0;
my $link = syscall($SYS_pidfd_getfd, $process, 0, 0);
die "pidfd_getfd: $!" if $link < 0;
open(my $null, '<', '/dev/null') or die "/dev/null: $!";

sub noise { join '', map { chr int rand 256 } 1 .. $_[0] }

# Unknown verbs, whose numbers are above all that there are; a beat is the one with number 8.
sub known { my ($verb) = @_; "\x01\x00" . chr($verb) }

my @kinds = (
  sub { ("\xff" . noise(int rand 2000), 0) },
  sub { (known(15 + int rand 200) . noise(int rand 64), 0) },
  sub { (known(0) . noise(int rand 3), 0) },              # a spawn, cut off
  sub { (known(8) . noise(1 + int rand 64), 0) },         # a beat with something behind it
  sub { (known(8), 1 + int rand 253) },                   # a beat with descriptors
  sub { (known(5) . "\x01" . ("\xff" x 9) . "\x01\x01\x02\x01a\x01b", int rand 2) },    # two descriptors to store, and one or none
  sub { (known(4) . "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 0) },    # the acknowledgement of what has not been
  sub { (noise(64) x (1025 + int rand 900), int rand 4) },
  sub { ('', 1) },
);

my $sent = 0;
while ($sent < $count) {
  my ($bytes, $fds) = $kinds[int rand @kinds]->();
  my $vector = pack('P Q', $bytes, length $bytes);
  my $rights = pack('Q l l l' . $fds, 16 + 4 * $fds, 1, 1, (fileno $null) x $fds);
  $rights .= "\0" x (-length($rights) % 8);
  my $message = $fds > 0
    ? pack('Q Q P Q P Q Q', 0, 0, $vector, 1, $rights, 16 + 4 * $fds, 0)
    : pack('Q Q P Q Q Q Q', 0, 0, $vector, 1, 0, 0, 0);
  # MSG_NOSIGNAL; it waits for room, as init takes one after the other.
  last if syscall($SYS_sendmsg, $link, $message, 0x4000) < 0 && $!{EPIPE};
  $sent++;
}
print "$sent\n";
