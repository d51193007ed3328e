#!/usr/bin/env bash
# Answers every name it reads with a greeting, until the client goes.
#
#   wspipe --port=8080 ./examples/bash/greeter.sh

while IFS= read -r name; do # IFS= and -r: take the line as it is
    echo "Hello, $name!"    # written at once, there is nothing to flush
done
