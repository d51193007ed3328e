#!/usr/bin/env php
<?php
// Counts to 10, or to its argument, one number per second.
//
//   wspipe --port=8080 ./examples/php/count.php
//   wspipe --port=8080 ./examples/php/count.php 3

$last = (int) ($argv[1] ?? 10);

for ($n = 1; $n <= $last; $n++) {
    echo "$n\n"; // the php command writes to a pipe at once, there is nothing to flush
    sleep(1);
}
