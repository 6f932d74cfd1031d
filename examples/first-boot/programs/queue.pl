# A service of Type=notify with a watchdog: the protocol of sd_notify(3), by hand.
use strict;
use warnings;
use Socket;

sub notify {
    my ($text) = @_;
    my $path = $ENV{NOTIFY_SOCKET} or return;
    $path =~ s/^@/\0/;
    socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
    send($socket, $text, 0, pack_sockaddr_un($path)) or die "notify: $!";
}

$| = 1;
my $stop = 0;
$SIG{TERM} = sub { $stop = 1 };
$SIG{HUP} = sub { notify("RELOADING=1"); print "configuration read again\n"; notify("READY=1") };
print "queue: opening\n";
select(undef, undef, undef, 0.1);
notify("READY=1\nSTATUS=Waiting for work");
my $interval = ($ENV{WATCHDOG_USEC} || 20_000_000) / 2_000_000;
until ($stop) {
    select(undef, undef, undef, $interval);
    notify("WATCHDOG=1");
}
notify("STOPPING=1\nSTATUS=Closing");
