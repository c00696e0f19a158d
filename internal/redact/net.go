package redact

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// Mask stands where a known value was.
const Mask = "[redacted]"

// Least is the length in bytes below which a value is not registered: shorter
// ones would tear holes into unrelated text.
const Least = 8

// passes bounds how often a text is gone over. A second pass is needed only where
// a mask and what stands beside it spell another value.
const passes = 8

// Net holds known secret values. The zero Net knows none and is ready for use.
// A Net must not be copied.
type Net struct {
	// Behind a pointer, because fmt prints the unexported fields of an enclosing
	// struct without asking them, but a nested pointer as an address only.
	state atomic.Pointer[state]
	mu    sync.Mutex // one writer
}

// state is immutable once published.
type state struct {
	values map[string]struct{}
	forms  map[string]struct{}
	// What finds the forms in a text is made when the first text comes: values come
	// by the hundred, and each of them makes a new state.
	finder func() *finder
}

// finder finds forms in texts.
type finder struct {
	replacer   *strings.Replacer
	beginnings map[string][]string // forms by their first bytes
	longest    int                 // length of the longest form
}

func newFinder(forms map[string]struct{}) *finder {
	f := &finder{replacer: replacer(forms), beginnings: byBeginning(forms)}
	for form := range forms {
		f.longest = max(f.longest, len(form))
	}
	return f
}

// Register makes values known, each with its encodings. A value shorter than
// Least is left out, as is one that the mask itself spells. Registering a value
// again costs a lookup.
func (n *Net) Register(values ...string) {
	if n == nil {
		return
	}
	if old := n.state.Load(); old != nil && old.has(values) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	next := &state{values: map[string]struct{}{}, forms: map[string]struct{}{}}
	if old := n.state.Load(); old != nil {
		next.values, next.forms = maps.Clone(old.values), maps.Clone(old.forms)
	}
	for _, v := range values {
		if !fit(v) {
			continue
		}
		next.values[v] = struct{}{}
		for _, f := range Forms(v) {
			next.forms[f] = struct{}{}
		}
	}
	next.finder = sync.OnceValue(func() *finder { return newFinder(next.forms) })
	n.state.Store(next)
}

func (s *state) has(values []string) bool {
	for _, v := range values {
		if _, ok := s.values[v]; !ok && fit(v) {
			return false
		}
	}
	return true
}

// fit reports whether a value or form can be looked for.
func fit(v string) bool { return len(v) >= Least && !strings.Contains(Mask, v) }

// replacer looks for the longest forms first, so that a value is not left half
// standing because a part of it is known as well.
func replacer(forms map[string]struct{}) *strings.Replacer {
	list := byLength(forms)
	pairs := make([]string, 0, 2*len(list))
	for _, f := range list {
		pairs = append(pairs, f, Mask)
	}
	return strings.NewReplacer(pairs...)
}

// Scrub returns text with every known value, in any of its Forms, replaced by
// Mask, and with it what begins a value and was cut short by an ellipsis.
func (n *Net) Scrub(text string) string {
	if n == nil {
		return text
	}
	s := n.state.Load()
	if s == nil || len(s.forms) == 0 || len(text) < Least {
		return text
	}
	f := s.finder()
	for range passes {
		next := f.replacer.Replace(text)
		if next == text {
			return f.scrubCut(text)
		}
		text = next
	}
	// Values chosen so that masks keep spelling them: give nothing of it away.
	return Mask
}

// Len is how many values are known.
func (n *Net) Len() int {
	if n == nil {
		return 0
	}
	if s := n.state.Load(); s != nil {
		return len(s.values)
	}
	return 0
}

// Format keeps what is known out of every fmt verb.
func (n *Net) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText keeps what is known out of encoders.
func (n *Net) MarshalText() ([]byte, error) { return []byte(Mask), nil }
