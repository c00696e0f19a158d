package awssim

import (
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
	after := ""
	if in.NextToken != "" {
		b, e := base64.RawURLEncoding.DecodeString(in.NextToken)
		text, ok := strings.CutPrefix(string(b), "secrets:")
		if e != nil || !ok {
			return nil, "", errf("InvalidNextTokenException", "The NextToken value is invalid.")
		}
		after = text
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
	type placed struct {
		key string
		*secret
	}
	var found []placed
	for name := range s.secrets {
		sec := s.findSecret(name)
		if sec == nil || !sec.Deleted.IsZero() && !in.IncludePlannedDeletion {
			continue
		}
		k := key(sec)
		if after != "" && sign*strings.Compare(k, after) <= 0 {
			continue
		}
		if s.selected(sec, in.Filters) {
			found = append(found, placed{k, sec})
		}
	}
	slices.SortFunc(found, func(a, b placed) int { return sign * strings.Compare(a.key, b.key) })
	if len(found) > limit {
		found = found[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte("secrets:" + found[limit-1].key))
	}
	for _, f := range found {
		secs = append(secs, f.secret)
	}
	return secs, next, nil
}

// placeOf gives the key by which a list is sorted: text that orders as the
// field does, made unique by the name.
func placeOf(by string) (func(*secret) string, *apiError) {
	switch by {
	case "", "created-date":
		return func(x *secret) string { return placeOfTime(x.Created, x.Name) }, nil
	case "last-changed-date":
		return func(x *secret) string { return placeOfTime(x.LastChanged, x.Name) }, nil
	case "last-accessed-date":
		return func(x *secret) string { return placeOfTime(x.LastAccessed, x.Name) }, nil
	case "name":
		return func(x *secret) string { return x.Name }, nil
	}
	return nil, constraint("sortBy", "Member must satisfy enum value set: [created-date, last-accessed-date, last-changed-date, name]")
}

// placeOfTime orders as the time does; times before 1970 count as one.
func placeOfTime(t time.Time, name string) string {
	digits := strconv.FormatInt(max(0, t.UnixMilli()), 10)
	return strings.Repeat("0", max(0, 16-len(digits))) + digits + " " + name
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
