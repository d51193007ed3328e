// Package vt follows what a program's output does to the terminal that shows it:
// the modes in effect and the sequence that the output ends inside of, as xterm's
// ctlseqs describes them.
package vt
