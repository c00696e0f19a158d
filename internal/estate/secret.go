package estate

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every formatter prints in place of a Secret.
const Redacted = "[redacted]"

// Secret holds a secret value so that nothing prints it by accident. The value
// sits behind a function because fmt prints the unexported fields of an
// enclosing struct without asking them; a function it can only print as an
// address. The zero Secret is empty.
type Secret struct {
	reveal func() string
}

// NewSecret wraps value.
func NewSecret(value string) Secret {
	return Secret{reveal: func() string { return value }}
}

// Reveal returns the value. It is for the one call that hands the value to the
// system it belongs to, and for nothing that prints, logs or stores.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Format satisfies every fmt verb with the same word.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// String satisfies fmt.Stringer.
func (s Secret) String() string { return Redacted }

// GoString satisfies fmt.GoStringer.
func (s Secret) GoString() string { return Redacted }

// MarshalText keeps the value out of JSON, YAML and text encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue keeps the value out of structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }
