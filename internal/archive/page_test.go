package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"warroom/internal/incident"
)

// long is an incident with many events of known kinds and texts.
func long(t *testing.T, n int) (*Session, []incident.Event) {
	t.Helper()
	session := create(t, store(t, Options{}))
	for at := 0; at < n; {
		var batch []incident.Event
		for ; at < n && len(batch) < 500; at++ {
			switch at % 5 {
			case 0:
				batch = append(batch, note(fmt.Sprintf("note %d", at)))
			case 1:
				batch = append(batch, incident.New("ops-2", incident.Decided{Text: fmt.Sprintf("Decision %d", at), Reason: "Ünique"}))
			default:
				batch = append(batch, incident.New("", incident.ReadingChanged{Component: "vault", Name: "Vault", Word: fmt.Sprint(at)}))
			}
		}
		record(t, session, batch...)
	}
	var all []incident.Event
	if err := session.Events(func(e incident.Event) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) != n+2 {
		t.Fatalf("%d events were read, want %d", len(all), n+2)
	}
	return session, all
}

// expected is a page as a walk over all events makes it.
func expected(all []incident.Event, s *Session, q incident.Query) incident.Page {
	page := incident.Page{Total: len(all)}
	var hits []incident.Event
	for _, e := range all {
		if (len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) && (q.Text == "" || holds(&e, s.rb, strings.ToLower(q.Text))) {
			hits = append(hits, e)
		}
	}
	limit := min(max(q.Limit, 1), 1000)
	from, to := 0, len(hits)
	switch {
	case q.After > 0:
		for from < len(hits) && hits[from].Seq <= q.After {
			from++
		}
		to = min(len(hits), from+limit)
	case q.Before > 0:
		for to > 0 && hits[to-1].Seq >= q.Before {
			to--
		}
		fallthrough
	default:
		from = max(0, to-limit)
	}
	page.Events, page.Earlier, page.Later = hits[from:to], from > 0, to < len(hits)
	return page
}

func TestPages(t *testing.T) {
	session, all := long(t, 1300)
	last := uint64(len(all))
	kinds := [][]incident.Kind{nil, {incident.KindNote}, {incident.KindDecision, incident.KindDeclared}, {incident.KindClosed}}
	for _, limit := range []int{0, 1, 7, 600, 5000} {
		for _, kind := range kinds {
			for _, text := range []string{"", "note 1", "DECISION 12", "ünique", "nowhere"} {
				for _, at := range []uint64{0, 1, 2, 3, 100, 513, 514, last - 1, last, last + 1, last + 100} {
					for _, q := range []incident.Query{
						{Limit: limit, Kinds: kind, Text: text, Before: at}, {Limit: limit, Kinds: kind, Text: text, After: at},
					} {
						if text != "" && (limit == 0 || limit > 7 || at > 1 && at < 513) {
							continue // a search reads all: not every one again
						}
						got, err := session.Page(t.Context(), q)
						if err != nil {
							t.Fatal(err)
						}
						want := expected(all, session, q)
						if !slices.Equal(numbers(got), numbers(want)) || got.Earlier != want.Earlier || got.Later != want.Later || got.Total != want.Total {
							t.Fatalf("%+v: %v %t %t %d, want %v %t %t %d", q, numbers(got), got.Earlier, got.Later, got.Total,
								numbers(want), want.Earlier, want.Later, want.Total)
						}
					}
				}
			}
		}
	}
}

func numbers(p incident.Page) []uint64 {
	var out []uint64
	for _, e := range p.Events {
		out = append(out, e.Seq)
	}
	return out
}

// A search that nobody waits for any more ends, and is an error.
func TestASearchEndsWithItsContext(t *testing.T) {
	session, _ := long(t, 100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := session.Page(ctx, incident.Query{Limit: 10, Text: "nowhere"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What is folded live is what a reader folds.
func TestTheStateIsThatOfTheJournal(t *testing.T) {
	session, all := long(t, 300)
	var fold incident.Fold
	for _, e := range all {
		fold.Apply(e)
	}
	if got, want := fmt.Sprintf("%+v", session.Case().State), fmt.Sprintf("%+v", fold.State()); got != want {
		t.Errorf("live it is\n%s\nand read\n%s", got, want)
	}
}
