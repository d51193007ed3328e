#!/usr/bin/env php
<?php
// Answers each name that it reads with a greeting, until the client disconnects.
//
//   wspipe --port=8080 ./examples/php/greeter.php

while (($line = fgets(STDIN)) !== false) {
    $name = preg_replace('/\n\z/', '', $line);
    echo "Hello, $name!\n"; // the php command writes to a pipe at once, there is nothing to flush
}
