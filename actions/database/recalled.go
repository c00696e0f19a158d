package database

import (
	"context"
	"errors"
	"slices"
	"strings"

	"warroom/actions"
	"warroom/actions/store"
)

// recalled holds the facts of an earlier run against what is stored and configured. A
// journal is a file that others may have written: a password is set for no role because
// it says so, and the emergency superuser is used under the same conditions as in a new
// plan.
func (s *survey) recalled(ctx context.Context, f *facts) error {
	names := []string{s.base.User}
	if f.base != s.state.Current {
		c, err := s.read(ctx, f.base)
		var empty *store.Empty
		switch {
		case err == nil:
			names = append(names, c.User)
		case !errors.As(err, &empty):
			return err
		}
	}
	if s.db.Strategy == "alternating" {
		for _, name := range slices.Clone(names) {
			if s.db.Clone != "" {
				names = append(names, s.db.Clone)
				continue
			}
			names = append(names, name+"_clone", strings.TrimSuffix(name, "_clone"))
		}
		// Of a clone that is current, the other one is known by an earlier version.
		for _, version := range []string{f.previous, s.state.Previous} {
			if version == "" {
				continue
			}
			if c, err := s.read(ctx, version); err == nil {
				names = append(names, c.User)
			}
		}
	}
	for _, role := range []string{f.user, f.old} {
		if !slices.Contains(names, role) {
			return &actions.Refusal{
				What: "taking up the earlier run on " + s.place.Name(), Why: "its journal is about the role " + role + ", which is neither that of the secret nor its clone",
				Next: "see who changed the journal or the secret since; abandon the run, and plan recover-pending " + s.place.Name(),
			}
		}
	}
	if f.by == byEmergency {
		if s.db.Emergency == "" {
			return &actions.Refusal{
				What: "taking up the earlier run on " + s.place.Name(), Why: "it used an emergency superuser, and warroom.yaml names none", Next: "name it in rotation.database.emergency, or abandon the run",
			}
		}
		kept, reason := s.warn, s.reason
		s.warn = nil
		s.breakGlass(f)
		if reason != "" {
			s.reason = reason
		}
		s.warn = warned(kept, s.warn[0])
	}
	return nil
}
