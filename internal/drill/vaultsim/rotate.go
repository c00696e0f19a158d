package vaultsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// password draws a password as Vault's default policy does: twenty characters with
// a hyphen. The caller holds the lock.
func (c *Cluster) password() string {
	s := c.text("password "+c.next(), 19)
	return s[:10] + "-" + s[10:]
}

// change has the database take a password, without the lock held meanwhile. What
// was read before it may be different after it.
func (c *Cluster) change(database, user, password string) error {
	f := c.rotate
	c.mu.Unlock()
	defer c.mu.Lock()
	if f == nil {
		return fmt.Errorf("the database cannot be reached")
	}
	return f(database, user, password)
}

// turn waits for the one rotation that may run. The caller holds the lock, and does
// so again when it has its turn; it calls what it gets at the end.
func (c *Cluster) turn() (done func()) {
	c.mu.Unlock()
	c.rotates.Lock()
	c.mu.Lock()
	return c.rotates.Unlock
}

func (s *store) static(mount, name string) *staticRole {
	if m := s.mounts[mount]; m != nil && m.db != nil {
		return m.db.static[name]
	}
	return nil
}

// rotateStatic gives a static role a new password: first in the database, then
// here. A password that may have got there is kept and tried again.
func (c *Cluster) rotateStatic(mount, name string) error {
	r := c.store.static(mount, name)
	if r == nil {
		return nil
	}
	password := r.pending
	if password == "" {
		password = c.password()
	}
	err := c.change(r.Database, r.User, password)
	now := c.now()
	c.commit(func(s *store) {
		at := s.static(mount, name)
		if at == nil {
			return // deleted meanwhile
		}
		next := *at
		if err != nil {
			next.pending = password
		} else {
			next.Password, next.Last, next.pending = password, now, ""
		}
		s.mounts[mount].db.static[name] = &next
	})
	return err
}

func (q *request) rotateRole(mount, name string) reply {
	defer q.home.turn()()
	if q.home.store.static(mount, name) == nil {
		return badRequest("no static role found for role name")
	}
	if err := q.home.rotateStatic(mount, name); err != nil {
		return refused(http.StatusInternalServerError, "unable to finish rotating credentials; retries will continue in the background but it is also safe to retry manually: error setting credentials: "+nested(err))
	}
	return noContent
}

func (q *request) rotateRoot(mount, name string) reply {
	c := q.home
	defer c.turn()()
	m := c.store.mounts[mount]
	if m == nil || m.db == nil || m.db.configs[name] == nil {
		return refused(http.StatusInternalServerError, fmt.Sprintf("failed to find entry for connection with name: %q", name))
	}
	d := *m.db.configs[name]
	if d.Username == "" {
		return badRequest("unable to rotate root credentials: no username in configuration")
	}
	d.Password = c.password()
	if err := c.change(name, d.Username, d.Password); err != nil {
		return refused(http.StatusInternalServerError, "failed to update user: "+nested(err))
	}
	c.commit(func(s *store) {
		if m := s.mounts[mount]; m != nil && m.db != nil {
			m.db.configs[name] = &d
		}
	})
	return noContent
}

// nested is an error as Vault lists it within another.
func nested(err error) string {
	return "1 error occurred:\n\t* " + strings.TrimSpace(err.Error()) + "\n\n"
}

// Tick rotates the static roles whose time has come, as Vault's own queue does
// every few seconds: one that fails stays due and is tried again by the next Tick.
// It does nothing on a secondary and without an active node.
func (c *Cluster) Tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.init == nil || c.o.Primary != nil || c.active() == nil {
		return
	}
	type one struct{ mount, name string }
	var ready []one
	now := c.now()
	for path, m := range c.store.mounts {
		if m.db == nil {
			continue
		}
		for name, r := range m.db.static {
			at := r.due()
			late := r.plan != nil && r.Window > 0 && now.After(at.Add(r.Window)) && r.pending == ""
			if !at.IsZero() && !now.Before(at) && !late {
				ready = append(ready, one{path, name})
			}
		}
	}
	if len(ready) == 0 {
		return
	}
	defer c.turn()()
	for _, r := range ready {
		if at := c.store.static(r.mount, r.name); at != nil && !c.now().Before(at.due()) {
			_ = c.rotateStatic(r.mount, r.name) // stays due
		}
	}
}

// Every is how often Tick is meant to be called.
const Every = 5 * time.Second
