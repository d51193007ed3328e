#!/usr/bin/env perl
# Counts to 10, or as far as the argument says, one number a second.
#
#   wspipe --port=8080 ./examples/perl/count.pl
#   wspipe --port=8080 ./examples/perl/count.pl 3

use strict;
use warnings;

$| = 1;    # flush after every print: to a pipe, Perl would keep it until it has 8 KB

my $last = shift // 10;

for my $n (1 .. $last) {
    print "$n\n";
    sleep 1;
}
