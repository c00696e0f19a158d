package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Pooler is a pgbouncer of the configuration.
type Pooler struct{ config.Pooler }

// target is the pooler as a server with one of its databases.
func (p Pooler) target(database string) Target {
	return Target{Name: "pooler " + p.Name, Postgres: config.Postgres{Host: p.Host, Port: p.Port, Database: database, SSLMode: p.SSLMode, CACert: p.CACert}}
}

// Place is the pooler as host:port.
func (p Pooler) Place() string { return p.target("").Place() }

// Try logs in through the pooler. It goes to the server, unlike a login to its
// console.
func (p Pooler) Try(ctx context.Context, systems actions.Systems, book *Book, c Credential) Answer {
	return book.Try(ctx, systems, p.target(p.Database), c)
}

// Replayed forgets what was refused through the pooler.
func (p Pooler) Replayed(book *Book) { book.Replayed(p.target("")) }

// Reload has the pooler read its files again, and open its connections to the server
// anew as they come free, so that it forgets keys of an old password.
func (p Pooler) Reload(ctx context.Context, systems actions.Systems, admin Credential) error {
	t := p.target("pgbouncer")
	try, err := t.client(systems.Act).Console(ctx, admin.User, admin.Password, "have pooler "+p.Name+" take up the new password", "RELOAD", "RECONNECT")
	if err != nil {
		return err
	}
	if a := (Answer{LoginTry: try}); !a.Works() {
		return a.Refused(t, admin.User)
	}
	return nil
}

// HasLine reports whether the pooler's list of users holds what a password makes, as
// far as SetLine would have put it there.
func (p Pooler) HasLine(user, other string, password estate.Secret) (bool, error) {
	text, _, err := p.read()
	if err != nil {
		return false, err
	}
	return !listed(text, user, other) || strings.Contains(text, withLine(text, user, password.Reveal())), nil
}

// listed reports whether a user belongs into a list: it, or the other of two that
// alternate, has a line there.
func listed(text, user, other string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if name, _, ok := userLine(line); ok && (name == user || name == other) {
			return true
		}
	}
	return false
}

func (p Pooler) read() (string, os.FileInfo, error) {
	info, err := os.Stat(p.UserList)
	var text []byte
	if err == nil {
		text, err = os.ReadFile(p.UserList)
	}
	if err != nil {
		return "", nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "read the list of users of pooler " + p.Name, Detail: clients.Strip(err.Error(), clients.DetailLimit),
			Next: "correct userlist in warroom.yaml, or read it as a user who may",
		}
	}
	return string(text), info, nil
}

// SetLine replaces the user's line in the pooler's list of users, or adds it beside
// that of the other of two that alternate. A list that has neither is left alone: the
// pooler learns of the user by auth_query then, and pgbouncer 1.18 ends with a fatal
// error when a user whom it knows by a query turns up in its list.
//
// The file is replaced as a whole or not at all, with the mode and owner that it had.
// The password stands in it as pgbouncer needs it to log in with SCRAM.
func (p Pooler) SetLine(ctx context.Context, user, other string, password estate.Secret) error {
	call := clients.Call{System: "file", Name: "replace " + p.UserList, Changes: true}
	return clients.Around(ctx, call, func() error {
		text, info, err := p.read()
		if err != nil || !listed(text, user, other) {
			return err
		}
		if err := replaceFile(p.UserList, withLine(text, user, password.Reveal()), info); err != nil {
			return &estate.Failure{
				Kind: estate.Denied, Doing: "replace the list of users of pooler " + p.Name, Detail: clients.Strip(err.Error(), clients.DetailLimit),
				Next: "run as a user who may write in " + filepath.Dir(p.UserList) + "; the file is as it was",
			}
		}
		return nil
	})
}

// withLine is a list of users with one line replaced, or added at its end.
func withLine(text, user, password string) string {
	want := quoted(user) + " " + quoted(password)
	lines, found := strings.Split(strings.TrimSuffix(text, "\n"), "\n"), false
	if text == "" {
		lines = nil
	}
	for i, line := range lines {
		if name, _, ok := userLine(line); ok && name == user {
			lines[i], found = want, true
		}
	}
	if !found {
		lines = append(lines, want)
	}
	return strings.Join(lines, "\n") + "\n"
}

// quoted is a word of auth_file: a quote in it is written twice.
func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// userLine reads a line of auth_file: two quoted words.
func userLine(line string) (user, password string, ok bool) {
	user, rest, ok := quotedWord(strings.TrimLeft(line, " \t"))
	if !ok {
		return "", "", false
	}
	password, _, ok = quotedWord(strings.TrimLeft(rest, " \t"))
	return user, password, ok
}

func quotedWord(s string) (word, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '"':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		default:
			return b.String(), s[i+1:], true
		}
	}
	return "", "", false
}

// replaceFile writes a file beside the old one and puts it in its place.
func replaceFile(path, text string, like os.FileInfo) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".warroom-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(like.Mode().Perm()); err != nil {
		return err
	}
	if err := own(f, like); err != nil {
		return fmt.Errorf("keep its owner: %w", err)
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // it is in place; whether that is durable cannot be asked for here
	}
	_ = d.Sync() // folders cannot be synced everywhere
	_ = d.Close()
	return nil
}
