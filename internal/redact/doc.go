// Package redact is the second net under every output: it knows the secret
// values that this process has read and takes them out of text, in whatever
// encoding they are likely to be quoted.
//
// Its rules: it imports nothing of ours; it never prints, formats or returns a
// value it knows; scrubbing is safe from any goroutine and cheap enough to run
// over everything that leaves. It is a net, not the means by which secrets are
// kept: values live in estate.Secret and are not supposed to get here at all.
package redact
