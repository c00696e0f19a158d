package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Forms of a rotation that got stuck: a version is pending, and …
const (
	formA = "a" // the database takes it
	formB = "b" // the database takes the current one
	formC = "c" // it holds no value
	formD = "d" // the database takes neither; an earlier one, or a superuser, gets in
)

// tried is a credential with what the primary said to it.
type tried struct {
	postgres.Credential
	postgres.Answer
	done bool
	err  error // it could not be read
}

// words is what came of it.
func (t *tried) words() string {
	switch {
	case t.err != nil:
		return t.err.Error()
	case !t.done:
		return "not tried"
	}
	return t.Words()
}

// survey is what a plan rests on.
type survey struct {
	*estateOf
	state  store.State
	base   tried
	before tried // AWSPREVIOUS
	admin  tried
	emerg  tried
	role   postgres.Role
	known  bool // the role was read
	live   []plan.Observed
	warn   []plan.Warning
	reason string
}

// look begins a survey with what the store says.
func (e *estateOf) look(ctx context.Context) (*survey, error) {
	s := &survey{estateOf: e}
	var err error
	if s.state, err = e.place.Look(ctx); err != nil {
		return nil, err
	}
	if s.base.Credential, err = e.read(ctx, s.state.Current); err != nil {
		return nil, err
	}
	return s, nil
}

// try tries one credential at the primary, once, and keeps what came of it.
func (s *survey) try(ctx context.Context, t *tried, label string) bool {
	if t.done {
		return t.Works()
	}
	if t.err == nil {
		t.Answer, t.done = s.book.Try(ctx, s.systems, s.primary, t.Credential), true
	}
	s.live = append(s.live, plan.Observed{Name: s.primary.Name + " to " + label, Value: s.systems.Read.Text(t.words(), 200), Live: true})
	return t.done && t.Works()
}

// tryBase and its like try each only where it is needed: a login that fails counts.
func (s *survey) tryBase(ctx context.Context) bool {
	return s.try(ctx, &s.base, "AWSCURRENT (version "+store.Short(s.state.Current)+")")
}

func (s *survey) tryPrevious(ctx context.Context) bool {
	if s.state.Previous == "" {
		return false
	}
	s.before.Credential, s.before.err = s.read(ctx, s.state.Previous)
	if s.before.err == nil && s.before.User != s.base.User {
		return false // of two that alternate it is the other's
	}
	return s.try(ctx, &s.before, "AWSPREVIOUS (version "+store.Short(s.state.Previous)+")")
}

func (s *survey) tryAdmin(ctx context.Context) bool {
	if s.db.Admin == "" {
		return false
	}
	if !s.admin.done {
		s.admin.Credential, s.admin.err = s.other(ctx, s.db.Admin)
	}
	return s.try(ctx, &s.admin, "the administrator of "+s.db.Admin)
}

func (s *survey) tryEmergency(ctx context.Context) bool {
	if s.db.Emergency == "" {
		return false
	}
	if !s.emerg.done {
		s.emerg.Credential, s.emerg.err = s.other(ctx, s.db.Emergency)
	}
	return s.try(ctx, &s.emerg, "the emergency superuser of "+s.db.Emergency)
}

// working are the credentials that the primary took.
func (s *survey) working() []postgres.Credential {
	var out []postgres.Credential
	for _, t := range []*tried{&s.base, &s.before, &s.admin, &s.emerg} {
		if t.done && t.err == nil && t.Works() {
			out = append(out, t.Credential)
		}
	}
	return out
}

// who decides by whom the password is set, the mildest way first.
func (s *survey) who(ctx context.Context, f *facts) error {
	if f.same() {
		switch {
		case s.tryBase(ctx):
			f.by = bySelf + s.state.Current
		case s.base.Right():
			return s.barred()
		case s.base.Err != nil:
			return s.base.Err // the primary did not answer: nothing is known of any password
		case s.tryPrevious(ctx):
			f.by = bySelf + s.state.Previous
		}
		f.shut = f.by != bySelf+s.state.Current
	} else if s.db.Admin == "" && s.db.Emergency == "" {
		return &actions.Refusal{What: "alternating users for " + s.place.Name(), Why: "no administrator is configured who may make and change them", Next: "set rotation.database.admin"}
	}
	switch {
	case f.by != "":
	case s.tryAdmin(ctx):
		f.by = byAdmin
	case s.tryEmergency(ctx):
		f.by = byEmergency
		s.breakGlass(f)
	default:
		return s.nothingWorks()
	}
	s.readRole(ctx, f.user)
	return s.validUntil(ctx, f)
}

// barred is a password that is right for a role that is not let in.
func (s *survey) barred() error {
	return &actions.Refusal{
		What: "rotating the password of " + s.place.Name(), Why: "the current password is right, and the primary lets the role in no more: " + s.base.Words(),
		Next: "a new password does not help: give the role back what it lacks (LOGIN, CONNECT, free connection slots)",
	}
}

// breakGlass names the use of the superuser.
func (s *survey) breakGlass(f *facts) {
	why := "no stored password of " + f.old + " is let in by the primary"
	if !f.same() {
		why = "no administrator gets in"
	}
	s.reason = "the emergency superuser of " + s.db.Emergency + " is used"
	s.warn = append(s.warn, plan.Warning{
		ID: "emergency", Accept: true,
		Text: "Break-glass: the password is set by the emergency superuser of " + s.db.Emergency + ", because " + why + ". Rotate that one too when this is over.",
	})
}

// nothingWorks is the end of what can be done from here.
func (s *survey) nothingWorks() error {
	said := []string{"AWSCURRENT: " + s.base.words()}
	for label, t := range map[string]*tried{"AWSPREVIOUS": &s.before} {
		if t.done || t.err != nil {
			said = append(said, label+": "+t.words())
		}
	}
	if s.db.Admin != "" {
		said = append(said, "administrator: "+s.admin.words())
	}
	next := "name the stored secret of a superuser as rotation.database.emergency; or set the password by hand: on the server as postgres over its Unix socket, or for RDS by ModifyDBInstance with a new master password; then plan again"
	if s.db.Emergency != "" {
		said = append(said, "emergency superuser: "+s.emerg.words())
		next = "set the password by hand: on the server as postgres over its Unix socket, or for RDS by ModifyDBInstance with a new master password; then plan again"
	}
	return &actions.Refusal{
		What: "setting a password of " + s.place.Name() + " at " + s.primary.Place(), Next: next,
		Why: "nothing that is stored gets in (" + strings.Join(said, "; ") + ")",
	}
}

// readRole reads the role by whoever gets in; without anybody it stays unknown.
func (s *survey) readRole(ctx context.Context, name string) {
	session, err := postgres.Watch(ctx, s.systems, s.book, s.primary, s.other, s.working()...)
	if err != nil {
		return
	}
	defer session.Close()
	if role, err := postgres.RoleOf(ctx, session, name); err == nil {
		s.role, s.known = role, true
		value := "does not exist"
		if role.Exists {
			value = role.Ends()
		}
		s.live = append(s.live, plan.Observed{Name: "role " + name, Value: value, Live: true})
	}
	if who, err := postgres.Holder(ctx, session, name); err == nil && who != "" {
		s.warn = append(s.warn, plan.Warning{ID: "locked", Text: "The lock of role " + name + " is held by " + who + " now. A run fails at its first step while it is."})
	}
}

// validUntil decides on the end of the new password.
func (s *survey) validUntil(ctx context.Context, f *facts) error {
	now := time.Now()
	var length time.Duration
	switch {
	case s.db.ValidFor > 0:
		length = s.db.ValidFor
	case !s.known || s.role.ValidUntil.IsZero():
		return nil // it has no end, and gets none
	default:
		v, err := s.place.Read(ctx, s.state.Current)
		if err != nil {
			return err
		}
		if length = s.role.ValidUntil.Sub(v.Created); length < time.Hour {
			length = time.Duration(s.state.Schedule.Days) * 24 * time.Hour
		}
		if length < time.Hour {
			length = 24 * time.Hour
			s.warn = append(s.warn, plan.Warning{ID: "valid-until-length", Text: "How long a password of " + f.user + " is to be valid is not known: it gets 24 hours. Set valid_for."})
		}
	}
	if s.known && !s.role.ValidUntil.IsZero() {
		f.wasUntil = s.role.ValidUntil.UTC().Format(time.RFC3339)
	}
	if strings.HasPrefix(f.by, bySelf) {
		if !s.tryAdmin(ctx) {
			text := f.user + " may change its password, and not its VALID UNTIL, which stays as it is"
			if f.wasUntil != "" {
				text += ": " + f.wasUntil
			}
			s.warn = append(s.warn, plan.Warning{ID: "valid-until", Text: text + ". Configure an administrator who may (rotation.database.admin)."})
			return nil
		}
		f.by = byAdmin
	}
	f.until = now.Add(length).UTC().Truncate(time.Second).Format(time.RFC3339)
	return nil
}

// replicas looks whether they replay.
func (s *survey) lookAtReplicas(ctx context.Context, f *facts) {
	for _, t := range s.estateOf.replicas {
		session, err := postgres.Watch(ctx, s.systems, s.book, t, s.other, s.working()...)
		if err != nil {
			s.live = append(s.live, plan.Observed{Name: "replay on " + t.Name, Value: "could not be read", Live: true})
			s.warn = append(s.warn, plan.Warning{ID: "replica:" + string(t.ID), Text: "Whether " + t.Name + " replays could not be read: " + s.systems.Read.Text(err.Error(), 200)})
			continue
		}
		replay, err := postgres.ReplayOf(ctx, session, t)
		session.Close()
		value := "goes on"
		var failure *estate.Failure
		switch {
		case errors.As(err, &failure) && failure.Kind == estate.NotSupported:
			value = "is not told by this server"
		case err != nil:
			value = "could not be read: " + s.systems.Read.Text(err.Error(), 200)
		case !replay.InRecovery:
			value = "it is no replica"
			s.warn = append(s.warn, plan.Warning{ID: "replica:" + string(t.ID), Text: t.Name + " at " + t.Place() + " is not in recovery: it is no replica of this primary, and the run fails there."})
		case replay.Paused:
			value = "paused"
			f.paused = append(f.paused, string(t.ID))
			s.warn = append(s.warn, plan.Warning{
				ID: "paused:" + string(t.ID), Accept: true,
				Text: fmt.Sprintf("Replay on %s is paused. It goes on to take the password that it knows and refuses the new one, until somebody runs SELECT pg_wal_replay_resume() there. Resume it first; or accept that it is left behind.", t.Name),
			})
		}
		s.live = append(s.live, plan.Observed{Name: "replay on " + t.Name, Value: value, Live: true})
	}
}

// lookAtCopies notes what the copies hold, so that they can be put back.
func (s *survey) lookAtCopies(ctx context.Context, f *facts) error {
	for i, c := range s.copied {
		held, err := c.Look(ctx)
		var no *actions.Refusal
		if err != nil && (ctx.Err() != nil || errors.As(err, &no)) {
			return err
		}
		f.held = append(f.held, held)
		if err != nil {
			// Who rotates in an emergency is not kept from it by a region or a cluster that
			// is down.
			f.out = append(f.out, i)
			s.live = append(s.live, plan.Observed{Name: c.Name(), Value: "could not be looked at", Live: true})
			s.warn = append(s.warn, plan.Warning{ID: "copy-left:" + c.Name(), Accept: true, Text: fmt.Sprintf("%s cannot be looked at and is left as it is: who reads it there gets the earlier password, which no longer works. Plan again once it answers, or update it by hand afterwards. (%s)",
				c.Name(), s.systems.Read.Text(err.Error(), 300))})
			continue
		}
		if text := store.Caution(c); text != "" {
			s.warn = append(s.warn, plan.Warning{ID: "interval:" + c.Name(), Text: text})
		}
		same, err := c.Same(ctx, s.fields(s.base.Credential))
		if err != nil {
			return err
		}
		value := "as the primary store"
		if !same {
			value = "differs from the primary store"
			s.warn = append(s.warn, plan.Warning{ID: "copy-differs:" + c.Name(), Text: c.Name() + " holds another user or password than AWSCURRENT. It gets the new ones like the others."})
		}
		s.live = append(s.live, plan.Observed{Name: c.Name(), Value: value, Live: true})
	}
	return nil
}

// other user of the two that alternate.
func (s *survey) alternate(ctx context.Context) (string, error) {
	if s.primary.User != "" {
		return "", &actions.Refusal{
			What: "alternating users for " + s.place.Name(), Why: "component " + string(s.primary.ID) + " always logs in as " + s.primary.User,
			Next: "leave out its user, so that it follows the secret",
		}
	}
	user, clone := s.base.User, s.db.Clone
	switch {
	case clone == "" && strings.HasSuffix(user, "_clone"):
		return strings.TrimSuffix(user, "_clone"), nil
	case clone == "":
		return user + "_clone", nil
	case user != clone:
		return clone, nil
	}
	if s.state.Previous != "" {
		if c, err := s.read(ctx, s.state.Previous); err == nil && c.User != clone {
			return c.User, nil
		}
	}
	return "", &actions.Refusal{What: "alternating users for " + s.place.Name(), Why: clone + " is current, and no earlier version names the other user", Next: "use a clone whose name is the user's with _clone at its end"}
}
