package clients

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Iteration counts within which a server is sent the proof of a password. RFC
// 7677 wants at least 4096: a server that is none could ask for one, and find the
// password from the proof at leisure. The most bounds what a server makes us
// compute; PostgreSQL's default is 4096.
const (
	scramLeast = 4096
	scramMost  = 1_000_000
)

// authenticationLimit bounds one message of an authentication; honest ones have
// some hundred bytes.
const authenticationLimit = 8 << 10

// errScram ends a login before the proof is sent.
var errScram = errors.New("the SCRAM iteration count is out of bounds")

// scramGuard stands between the server and the driver until the login is decided,
// and keeps from the driver a challenge that must not be answered.
type scramGuard struct {
	io.Reader
	seen *exchange

	header  []byte // of the message that is being read, as far as it came
	body    []byte // of an authentication message, as far as it came
	left    int    // bytes of its body still to come
	passing bool   // the login is decided: nothing more is looked at
	err     error
}

// Read satisfies io.Reader. A challenge that must not be answered never comes
// whole to the driver.
func (g *scramGuard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.Reader.Read(p)
	if g.err = g.look(p[:n]); g.err != nil {
		return 0, g.err
	}
	return n, err
}

// look follows the messages in what came: a kind, the length of itself and the
// body, the body.
func (g *scramGuard) look(came []byte) error {
	for len(came) > 0 && !g.passing {
		if g.left == 0 {
			need := min(5-len(g.header), len(came))
			g.header, came = append(g.header, came[:need]...), came[need:]
			if len(g.header) < 5 {
				return nil
			}
			length := int64(binary.BigEndian.Uint32(g.header[1:])) - 4
			if length < 0 || length > postgresMessage {
				g.passing = true // the driver refuses it
				return nil
			}
			if g.left = int(length); g.left == 0 {
				g.header = g.header[:0]
				continue
			}
			if g.header[0] == 'R' && g.left > authenticationLimit {
				return errTooLarge
			}
		}
		n := min(g.left, len(came))
		if g.header[0] == 'R' {
			g.body = append(g.body, came[:n]...)
		}
		g.left, came = g.left-n, came[n:]
		if g.left > 0 {
			return nil
		}
		if g.header[0] == 'R' {
			if err := g.authentication(g.body); err != nil {
				return err
			}
		}
		g.header, g.body = g.header[:0], g.body[:0]
	}
	return nil
}

// The kinds of authentication message that are looked at.
const (
	authenticationOk           = 0
	authenticationSASLContinue = 11
)

func (g *scramGuard) authentication(body []byte) error {
	if len(body) < 4 {
		return nil // the driver refuses it
	}
	switch binary.BigEndian.Uint32(body) {
	case authenticationOk:
		g.passing = true
	case authenticationSASLContinue:
		n, ok := scramIterations(string(body[4:]))
		switch {
		case !ok: // the driver refuses it
		case n < scramLeast:
			g.seen.weak = fmt.Sprintf("the server asked for a proof of the password over %d iterations, which is easily cracked; at least %d are needed; it was not sent", n, scramLeast)
			return errScram
		case n > scramMost:
			g.seen.weak = fmt.Sprintf("the server asked for a proof of the password over %d iterations, more than %d; it was not made", n, scramMost)
			return errScram
		}
	}
	return nil
}

// scramIterations is the iteration count of a server's first message, which the
// driver reads in the same way.
func scramIterations(first string) (int, bool) {
	_, rest, _ := strings.Cut(first, ",") // the nonce
	_, rest, _ = strings.Cut(rest, ",")   // the salt
	count, found := strings.CutPrefix(rest, "i=")
	n, err := strconv.Atoi(count)
	return n, found && err == nil
}
