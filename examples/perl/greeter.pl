#!/usr/bin/env perl
# Answers every name it reads with a greeting, until the client goes.
#
#   wspipe --port=8080 ./examples/perl/greeter.pl

use strict;
use warnings;

$| = 1;    # flush after every print: to a pipe, Perl would keep it until it has 8 KB

while (my $name = <STDIN>) {
    chomp $name;
    print "Hello, $name!\n";
}
