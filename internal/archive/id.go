package archive

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Latest names the newest incident wherever an id is asked for.
const Latest = "latest"

// validID is what names an incident's folder: the day of its declaration in UTC
// and a counter. Nothing else is ever joined to a path.
var validID = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}-[1-9][0-9]{0,5}$`)

// partOfID is what may begin one.
var partOfID = regexp.MustCompile(`^[0-9][0-9-]{0,16}$`)

// NotFound says that no incident, or more than one, has a name.
type NotFound struct {
	Name string   // what was asked for
	Root string   // where incidents are kept
	Near []string // ids that begin with it; empty when none does
	Any  bool     // whether there is any incident at all
}

// Error says what to do next as well.
func (e *NotFound) Error() string {
	switch {
	case len(e.Near) > 0:
		return fmt.Sprintf("%q could be %s: name more of it", e.Name, strings.Join(e.Near, ", "))
	case !e.Any:
		return fmt.Sprintf("there is no incident in %s: one is declared in the console with I", e.Root)
	}
	return fmt.Sprintf("there is no incident %q in %s: `warroom incident list` names them", e.Name, e.Root)
}

// Resolve is the id that a person means: the id itself, a beginning that only one
// has, or Latest. The error is a *NotFound when none or several have it.
func (s *Store) Resolve(ctx context.Context, name string) (string, error) {
	ids, err := s.ids()
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	missing := &NotFound{Name: name, Root: s.root, Any: len(ids) > 0}
	switch {
	case name == Latest && len(ids) > 0:
		return ids[0], nil
	case slices.Contains(ids, name):
		return name, nil
	case !partOfID.MatchString(name):
		return "", missing
	}
	for _, id := range ids {
		if strings.HasPrefix(id, name) {
			missing.Near = append(missing.Near, id)
		}
	}
	if len(missing.Near) == 1 {
		return missing.Near[0], nil
	}
	return "", missing
}

// ids are those of all folders, the newest first. No folder at all is none.
func (s *Store) ids() ([]string, error) {
	entries, err := os.ReadDir(s.root)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for incidents in %s: %w; they are kept under $XDG_STATE_HOME", s.root, err)
	}
	var ids []string
	for _, e := range entries {
		if validID.MatchString(e.Name()) && e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return compareIDs(b, a) })
	return ids, nil
}

// compareIDs orders by day, then by counter as a number.
func compareIDs(a, b string) int {
	dayA, countA := splitID(a)
	dayB, countB := splitID(b)
	return cmp.Or(cmp.Compare(dayA, dayB), cmp.Compare(countA, countB))
}

// splitID takes a valid id apart.
func splitID(id string) (day string, count int) {
	at := strings.LastIndexByte(id, '-')
	count, _ = strconv.Atoi(id[at+1:]) // at most six digits
	return id[:at], count
}
