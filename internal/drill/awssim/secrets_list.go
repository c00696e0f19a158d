package awssim

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

type secretFilter struct {
	Key    string
	Values []string
}

type listInput struct {
	IncludePlannedDeletion bool
	MaxResults             *int
	NextToken              string
	Filters                []secretFilter
	SortOrder, SortBy      string
}

func listSecrets(c *call, in *listInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	secs, next, err := s.pageOfSecrets(*in)
	if err != nil {
		return nil, err
	}
	out := struct {
		SecretList []description `aws:",keep"`
		NextToken  string
	}{NextToken: next}
	for _, sec := range secs {
		d := s.describe(sec)
		if m := sec.stages(); len(m) > 0 {
			d.SecretVersionsToStages = m
		}
		d.ReplicationStatus = nil // not among the fields of a list
		out.SecretList = append(out.SecretList, d)
	}
	return out, nil
}

// pageOfSecrets selects, orders and cuts; the caller holds s.mu. The token is
// the place of the last secret listed, so that what is added or removed
// between pages does not shift the rest.
func (s *Sim) pageOfSecrets(in listInput) (secs []*secret, next string, err *apiError) {
	limit := 100
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > 100 {
		return nil, "", constraint("maxResults", "Member must have value between 1 and 100")
	}
	if len(in.Filters) > 10 {
		return nil, "", constraint("filters", "Member must have length less than or equal to 10")
	}
	for _, f := range in.Filters {
		if !slices.Contains([]string{"description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"}, f.Key) {
			return nil, "", constraint("filters.1.member.key", "Member must satisfy enum value set: [all, name, tag-key, description, tag-value, primary-region, owning-service]")
		}
		if len(f.Values) == 0 || len(f.Values) > 10 {
			return nil, "", invalidParameter("Invalid filter values for key: %s", f.Key)
		}
	}
	key, err := placeOf(in.SortBy)
	if err != nil {
		return nil, "", err
	}
	after, resumed, ok := readPlaceOf(in.NextToken)
	if !ok {
		return nil, "", errf("InvalidNextTokenException", "The NextToken value is invalid.")
	}
	sign := 1
	switch in.SortOrder {
	case "", "desc":
		if in.SortBy == "" || in.SortOrder == "desc" {
			sign = -1 // newest first
		}
	case "asc":
	default:
		return nil, "", constraint("sortOrder", "Member must satisfy enum value set: [asc, desc]")
	}
	all := s.inOrder(in.SortBy, key)
	at := 0 // of the walk, from the end it begins at
	if resumed {
		var there bool
		at, there = slices.BinarySearchFunc(all, after, func(x *secret, p place) int { return place{key(x), x.Name}.compare(p) })
		switch {
		case sign < 0:
			at = len(all) - at
		case there:
			at++
		}
	}
	now := s.now()
	for ; at < len(all); at++ {
		sec := all[at]
		if sign < 0 {
			sec = all[len(all)-1-at]
		}
		if !sec.Deleted.IsZero() && (!in.IncludePlannedDeletion || !now.Before(sec.gone())) || !s.selected(sec, in.Filters) {
			continue
		}
		if len(secs) == limit {
			last := secs[limit-1]
			return secs, place{key(last), last.Name}.token(), nil
		}
		secs = append(secs, sec)
	}
	return secs, "", nil
}

// inOrder is every secret in ascending order. Orders by what never changes are
// kept until a secret comes or goes; the caller changes nothing of them.
func (s *Sim) inOrder(by string, key func(*secret) int64) []*secret {
	kept := by == "" || by == "created-date" || by == "name"
	if all := s.orders[by]; kept && all != nil {
		return all
	}
	all := make([]*secret, 0, len(s.secrets))
	for _, sec := range s.secrets {
		all = append(all, sec)
	}
	slices.SortFunc(all, func(a, b *secret) int { return place{key(a), a.Name}.compare(place{key(b), b.Name}) })
	if kept {
		s.orders[by] = all
	}
	return all
}

// place is where a secret stands in a list: by its field, then by its name.
type place struct {
	at   int64 // milliseconds; 0 in a list by name
	name string
}

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.name, b.name))
}

// token writes a place as a page token.
func (a place) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte("secrets:" + strconv.FormatInt(a.at, 10) + ":" + a.name))
}

func readPlaceOf(token string) (a place, resumed, ok bool) {
	if token == "" {
		return a, false, true
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	text, ok := strings.CutPrefix(string(b), "secrets:")
	at, name, cut := strings.Cut(text, ":")
	if err != nil || !ok || !cut {
		return a, false, false
	}
	a.name = name
	a.at, err = strconv.ParseInt(at, 10, 64)
	return a, true, err == nil
}

// placeOf gives the field by which a list is sorted. Times before 1970 count as
// one.
func placeOf(by string) (func(*secret) int64, *apiError) {
	ms := func(t time.Time) int64 { return max(0, t.UnixMilli()) }
	switch by {
	case "", "created-date":
		return func(x *secret) int64 { return ms(x.Created) }, nil
	case "last-changed-date":
		return func(x *secret) int64 { return ms(x.LastChanged) }, nil
	case "last-accessed-date":
		return func(x *secret) int64 { return ms(x.LastAccessed) }, nil
	case "name":
		return func(*secret) int64 { return 0 }, nil
	}
	return nil, constraint("sortBy", "Member must satisfy enum value set: [created-date, last-accessed-date, last-changed-date, name]")
}

// selected applies every filter; a filter's values are alternatives. Values
// match as prefixes, and ! in front negates.
func (s *Sim) selected(sec *secret, filters []secretFilter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(f.Values, func(v string) bool {
			want, negated := strings.CutPrefix(v, "!")
			return s.hasPrefix(sec, f.Key, want) != negated
		}) {
			return false
		}
	}
	return true
}

func (s *Sim) hasPrefix(sec *secret, key, want string) bool {
	fold := func(text string) bool { return strings.HasPrefix(strings.ToLower(text), strings.ToLower(want)) }
	switch key {
	case "name":
		return strings.HasPrefix(sec.Name, want)
	case "description":
		return fold(sec.Description)
	case "owning-service":
		return strings.HasPrefix(sec.OwningService, want)
	case "primary-region":
		return len(sec.Replicas) > 0 && strings.HasPrefix(s.region, want)
	case "tag-key", "tag-value":
		for k, v := range sec.Tags {
			if key == "tag-key" {
				v = k
			}
			if strings.HasPrefix(v, want) {
				return true
			}
		}
		return false
	}
	// "all" looks for words in every text, whatever the case.
	if fold(sec.Name) || fold(sec.Description) || strings.Contains(strings.ToLower(sec.Name), "/"+strings.ToLower(want)) {
		return true
	}
	for k, v := range sec.Tags {
		if fold(k) || fold(v) {
			return true
		}
	}
	return false
}
