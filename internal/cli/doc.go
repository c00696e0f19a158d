// Package cli is the command line, one file a command, and the wiring, nothing
// else.
//
// Its rules: what a command finds out is printed on standard output, what went
// wrong on standard error by the program's end. A command returns its errors; it
// never ends the program. The exit code travels with the error.
package cli
