// Package archive keeps incidents on disk: a folder each, with its journal and a
// copy of the runbook it follows.
//
// Its rules: an event is told to nobody before it is durable, and what is told is
// what a reader of the journal will read, because the folded event is decoded from
// the bytes that were written. Every text is scrubbed of known secret values
// before it is journalled. One session writes an incident, the one that holds its
// lock; every other one follows it live and becomes a writer only by being opened
// again, by a person. Nothing here needs the estate, its configuration or a
// network. Folders are made 0700 and files 0600.
package archive
