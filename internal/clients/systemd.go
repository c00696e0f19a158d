package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"warroom/internal/estate"
)

// The buses on which a systemd manager listens.
const (
	SystemBus = "system"
	UserBus   = "user"
)

// Systemd is one systemd manager of this host. It is reached over D-Bus and kept
// connected; a connection that broke is made again at the next use.
type Systemd struct {
	set *Set
	bus string

	mu   sync.Mutex
	conn atomic.Pointer[systemd.Conn] // changed under mu; closed without, as nobody waits for a greeting at the end
}

// Systemd returns the manager on a bus: SystemBus or UserBus. It connects to
// nothing.
func (s *Set) Systemd(bus string) *Systemd {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.systemd == nil {
		s.systemd = map[string]*Systemd{}
	}
	one := s.systemd[bus]
	if one == nil {
		one = &Systemd{set: s, bus: bus}
		s.systemd[bus] = one
		s.closers = append(s.closers, one.close)
	}
	return one
}

// connect is the connection to the manager. Its errors are *estate.Failure: of kind
// NotSupported where this host has no such bus. It never leaves this package: with
// it, anything could be done to a unit.
func (s *Systemd) connect(ctx context.Context) (*systemd.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn := s.conn.Load(); conn != nil {
		if conn.Connected() {
			return conn, nil
		}
		conn.Close()
		s.conn.Store(nil)
	}
	doing := "connect to the systemd manager on the " + s.bus + " bus"
	var err error
	for _, door := range s.doors() {
		var conn *systemd.Conn
		conn, err = door.open(ctx)
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil, s.Failure(ctx.Err(), doing)
		}
		if err == nil {
			s.conn.Store(conn)
			return conn, nil
		}
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return nil, &estate.Failure{Kind: estate.NotSupported, Doing: doing, Detail: "no manager listens here", Next: "run warroom on the host of the unit, as a user who may see it"}
	}
	return nil, s.Failure(err, doing)
}

// close ends the connection that there is.
func (s *Systemd) close() {
	if conn := s.conn.Load(); conn != nil {
		conn.Close()
	}
}

// door is one way to a manager.
type door struct {
	address string
	private bool // the manager itself listens, and no bus is between
}

// doors are the ways to the manager, by the environment and by convention, in
// the order in which systemctl tries them. Nothing is started to have one.
func (s *Systemd) doors() []door {
	if s.bus != UserBus {
		bus := cmp.Or(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), "unix:path=/run/dbus/system_bus_socket")
		doors := []door{{address: bus}}
		if os.Geteuid() == 0 {
			doors = append([]door{{"unix:path=/run/systemd/private", true}}, doors...)
		}
		return doors
	}
	var doors []door
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir != "" {
		doors = append(doors, door{"unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "systemd", "private")), true})
	}
	if bus := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); bus != "" {
		return append(doors, door{address: bus})
	}
	if dir != "" {
		doors = append(doors, door{address: "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))})
	}
	return doors
}

// open connects to the manager. The library asks it for signals without a bound in
// time, which the end of ctx gives it: a manager that lets us in and says nothing
// must not hold up every later read.
func (d door) open(ctx context.Context) (*systemd.Conn, error) {
	var bounds []func() bool
	defer func() {
		for _, stop := range bounds {
			stop()
		}
	}()
	return systemd.NewConnection(func() (*dbus.Conn, error) {
		conn, err := d.dial(ctx)
		if err == nil {
			bounds = append(bounds, context.AfterFunc(ctx, func() { _ = conn.Close() }))
		}
		return conn, err
	})
}

// dial connects, proves who we are and greets. The connection outlives ctx, which
// bounds only this.
func (d door) dial(ctx context.Context) (*dbus.Conn, error) {
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, end)
	conn, err := dbus.Dial(d.address, dbus.WithContext(life))
	if err != nil {
		end()
		return nil, err
	}
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil && !d.private {
		err = conn.Hello()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		end()
		return nil, err
	}
	return conn, nil
}

// Text is Set.Text.
func (s *Systemd) Text(text string, limit int) string { return s.set.Text(text, limit) }

// Failure is Set.Failure for what a manager answers.
func (s *Systemd) Failure(err error, doing string) *estate.Failure {
	var said dbus.Error
	if !errors.As(err, &said) {
		if errors.Is(err, dbus.ErrClosed) || errors.Is(err, io.EOF) {
			return s.set.Failure(&estate.Failure{Kind: estate.Refused, Detail: "the bus closed the connection", Next: nextRefused}, doing)
		}
		return s.set.Failure(err, doing)
	}
	f := &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: fmt.Sprintf("%s: %s", said.Name, said.Error())}
	switch said.Name {
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "org.freedesktop.DBus.Error.AuthFailed":
		f.Kind, f.Next = estate.Denied, "run warroom as a user who may see the unit"
	case "org.freedesktop.systemd1.NoSuchUnit":
		f.Kind, f.Next = estate.Missing, "correct the name of the unit in warroom.yaml"
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus.Error.Spawn.ExecFailed", "org.freedesktop.DBus.Error.Spawn.ChildExited":
		f.Kind, f.Next = estate.NotSupported, "no systemd manager is on this bus"
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout", "org.freedesktop.DBus.Error.TimedOut":
		f.Kind, f.Next = estate.Silent, nextSilent
	case "org.freedesktop.DBus.Error.UnknownProperty", "org.freedesktop.DBus.Error.UnknownInterface", "org.freedesktop.DBus.Error.UnknownMethod":
		f.Kind = estate.NotSupported
	}
	return s.set.Failure(f, doing)
}
