package clients

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestScramGuardPassesOnWhatItNeedNotJudge(t *testing.T) {
	packet := func(kind byte, body string) string {
		n := len(body) + 4
		return string([]byte{kind, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + body
	}
	const ok, challenge = "\x00\x00\x00\x00", "\x00\x00\x00\x0br=n,s=s,i="
	for _, x := range []struct {
		name, came string
		err        error
	}{
		{"a login", packet('N', "notice") + packet('R', challenge+"4096") + packet('R', ok) + packet('Z', "I"), nil},
		{"at the most", packet('R', challenge+"1000000"), nil},
		{"no number, which the driver refuses", packet('R', challenge+"x"), nil},
		{"an empty message", packet('1', "") + packet('R', challenge+"4096"), nil},
		{"a short one", packet('R', "\x00"), nil},
		{"no length", "R\x00\x00\x00\x00" + packet('R', challenge+"1"), nil},
		{"what looks like one after the login", packet('R', ok) + packet('R', challenge+"1"), nil},
		{"within a notice", packet('N', packet('R', challenge+"1")), nil},
		{"after an empty message", packet('1', "") + packet('R', challenge+"1"), errScram},
		{"cheap", packet('R', challenge+"1"), errScram},
		{"huge", packet('R', challenge+strings.Repeat("1", authenticationLimit)), errTooLarge},
	} {
		for how, r := range map[string]io.Reader{"at once": strings.NewReader(x.came), "by bytes": iotest.OneByteReader(strings.NewReader(x.came))} {
			got, err := io.ReadAll(&scramGuard{Reader: r, seen: &exchange{}})
			if !errors.Is(err, x.err) || x.err == nil && string(got) != x.came {
				t.Errorf("%s, %s: %q, %v", x.name, how, got, err)
			}
			if x.err != nil && bytes.Equal(got, []byte(x.came)) {
				t.Errorf("%s, %s: the driver got all of it", x.name, how)
			}
		}
	}
}

func FuzzScramGuard(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x16\x00\x00\x00\x0br=n,s=s,i=4096"))
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"))
	f.Fuzz(func(t *testing.T, came []byte) {
		got, err := io.ReadAll(&scramGuard{Reader: bytes.NewReader(came), seen: &exchange{}})
		if !bytes.HasPrefix(came, got) || err == nil && len(got) != len(came) {
			t.Errorf("%q became %q, %v", came, got, err)
		}
		slow, errSlow := io.ReadAll(&scramGuard{Reader: iotest.OneByteReader(bytes.NewReader(came)), seen: &exchange{}})
		if (err == nil) != (errSlow == nil) || !bytes.HasPrefix(came, slow) {
			t.Errorf("byte by byte: %v, at once: %v", errSlow, err)
		}
	})
}
