#!/bin/bash
# Stores what is uploaded as the file with the name in the query, once all of it has arrived.
#
#   wspipe --port=8080 --http --binary --param='name:/\w[\w.-]*/' ./examples/bash/upload.sh DIR
#   curl -T photo.jpg 'http://localhost:8080/?name=photo.jpg'

trap 'rm -f "$1/.$UNIQUE_ID"' EXIT
cat > "$1/.$UNIQUE_ID"
test "$(wc -c < "$1/.$UNIQUE_ID")" -eq "$CONTENT_LENGTH" && mv "$1/.$UNIQUE_ID" "$1/$PARAM_name"
