// Package vt interprets what a program writes to its terminal: the modes in effect, the
// queries that a terminal replies to, and the sequence that the output ends inside of. It
// follows xterm's ctlseqs.
package vt
