#!/bin/bash
# Sends the file with the name in the query, or the names of all files.
#
#   wspipe --port=8080 --http --binary --param='name:/(\w[\w.-]*)?/=' ./examples/bash/download.sh DIR
#   curl 'http://localhost:8080/?name=photo.jpg'

cd "$1" || exit
test -n "$PARAM_name" || exec ls
exec cat "./$PARAM_name"
