// Package decode reads strict YAML into Go structs and says exactly what is
// wrong with it, where, and what was expected.
//
// Its rules:
//
//   - Every mistake of a file is reported, not only the first, each with line,
//     column and path. A syntax error is the exception: nothing after it can be
//     trusted.
//   - Unknown and repeated keys, wrong types, empty values and more than one
//     document are mistakes.
//   - Nothing a file holds can make it panic, recurse without end or expand
//     aliases without bound.
//   - A problem quotes what was found only where a number, a word or a duration
//     was expected, so that a secret written in the wrong place stays there.
//   - It is a leaf: it opens no file and knows no configuration.
//
// The struct's tags are the schema:
//
//	yaml:"key"          the key; ",inline" lifts a struct's keys into its parent; "-" leaves it out
//	req:"true"          must be there, and a text or list must not be empty
//	enum:"a,b"          the allowed words or numbers
//	default:"x"         the value when the key is absent; what is written, even 0 or "", is kept
//	min:"1" max:"9"     bounds of numbers and durations
//	kind:"true"         exactly one of the fields so marked must be there
//	inherit:"true"      on an inlined struct: its defaults are not applied, absent means inherited
//	multiline:"true"    a text that may hold line breaks and tabs
//	path:"true"         a file name; for the caller
//	doc:"..."           one line for problems, schema and reference
package decode
