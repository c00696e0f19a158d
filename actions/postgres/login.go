package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// heldBack is how long a login that the server refused is not repeated.
const heldBack = 5 * time.Minute

// Book remembers which logins were refused, so that they are not repeated. It is safe
// for concurrent use; the zero Book is empty.
type Book struct {
	mu      sync.Mutex
	refused map[loginKey]refusal
	Now     func() time.Time // time.Now when nil; set before use
}

type loginKey struct{ place, user, secret, version string }

type refusal struct {
	at  time.Time
	try clients.LoginTry
}

func (b *Book) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// Answer is what a login told.
type Answer struct {
	clients.LoginTry
	// Held is when the same login was refused, where it was not repeated now.
	Held time.Time
}

// Works reports whether the password let us in.
func (a Answer) Works() bool { return a.Err == nil && a.Login.Outcome == estate.LoginAccepted }

// Right reports whether the server says that the password is right, let in or not.
func (a Answer) Right() bool {
	return a.Err == nil && (a.Login.Outcome == estate.LoginAccepted || a.Login.Outcome == estate.LoginBarred)
}

// Wrong reports whether the server says that the password is wrong, which it also
// says where there is no such role, none has a password, or VALID UNTIL has passed.
func (a Answer) Wrong() bool { return a.Err == nil && a.Login.Outcome == estate.LoginWrong }

// Words is the answer for people.
func (a Answer) Words() string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case !a.Held.IsZero():
		return fmt.Sprintf("refused at %s, and not tried again before %s", a.Held.UTC().Format("15:04:05"), a.Held.Add(heldBack).UTC().Format("15:04:05"))
	}
	text := string(a.Login.Outcome)
	if a.Login.SQLState != "" {
		text += " (" + a.Login.SQLState + ")"
	}
	if a.Login.Outcome != estate.LoginAccepted && a.Login.Message != "" {
		text += ": " + a.Login.Message
	}
	return text
}

// Try logs in with a credential, once, unless the same was refused a short while ago.
func (b *Book) Try(ctx context.Context, systems actions.Systems, t Target, c Credential) Answer {
	key := loginKey{t.Place(), c.User, c.Secret, c.Version}
	b.mu.Lock()
	old, known := b.refused[key]
	b.mu.Unlock()
	if known && b.now().Sub(old.at) < heldBack {
		return Answer{LoginTry: old.try, Held: old.at}
	}
	a := Answer{LoginTry: t.client(systems.Read).Login(ctx, c.User, c.Password)}
	b.note(key, a)
	return a
}

// Open is Try that stays, to look. The session is nil unless the answer works.
func (b *Book) Open(ctx context.Context, systems actions.Systems, t Target, c Credential) (*clients.PostgresSession, Answer) {
	key := loginKey{t.Place(), c.User, c.Secret, c.Version}
	b.mu.Lock()
	old, known := b.refused[key]
	b.mu.Unlock()
	if known && b.now().Sub(old.at) < heldBack {
		return nil, Answer{LoginTry: old.try, Held: old.at}
	}
	s, try := t.client(systems.Read).Open(ctx, c.User, c.Password, systems.Config.Checks.Timeout)
	a := Answer{LoginTry: try}
	b.note(key, a)
	return s, a
}

// OpenToChange is Open for changes: it needs the permit of a running step.
func (b *Book) OpenToChange(ctx context.Context, systems actions.Systems, t Target, c Credential) (*clients.PostgresSession, Answer) {
	key := loginKey{t.Place(), c.User, c.Secret, c.Version}
	b.mu.Lock()
	old, known := b.refused[key]
	b.mu.Unlock()
	if known && b.now().Sub(old.at) < heldBack {
		return nil, Answer{LoginTry: old.try, Held: old.at}
	}
	s, try := t.client(systems.Act).OpenToChange(ctx, c.User, c.Password, systems.Config.Checks.Timeout)
	a := Answer{LoginTry: try}
	b.note(key, a)
	return s, a
}

func (b *Book) note(key loginKey, a Answer) {
	if !a.Wrong() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused == nil {
		b.refused = map[loginKey]refusal{}
	}
	b.refused[key] = refusal{at: b.now(), try: a.LoginTry}
}

// Refused is the failure that an answer is, where a login was needed.
func (a Answer) Refused(t Target, user string) error {
	if a.Err != nil {
		return a.Err
	}
	return &estate.Failure{
		Kind: estate.Refused, Doing: fmt.Sprintf("log in to %s at %s as %s", t.Name, t.Place(), Quote(user)), Detail: a.Words(),
		Next: "see which stored version works there: plan recover-pending",
	}
}

// Changed forgets what was refused to a user, because its password was set.
func (b *Book) Changed(user string) { b.forget(func(k loginKey) bool { return k.user == user }) }

// Replayed forgets what a server refused, because it knows more by now.
func (b *Book) Replayed(t Target) {
	b.forget(func(k loginKey) bool { return k.place == t.Place() })
}

func (b *Book) forget(which func(loginKey) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.refused {
		if which(k) {
			delete(b.refused, k)
		}
	}
}
