package runbook

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// promises lists what a runbook that was accepted breaks of what the types say of
// it: written from their doc comments, without the validator.
func promises(r *Runbook, sensors []string) (broken []string) {
	fail := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	oneLine := func(what, s string, limit int, required bool) {
		for _, c := range s {
			if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == '\u2028' || c == '\u2029' {
				fail("%s: %q holds %U", what, s, c)
			}
		}
		if ansi.StringWidth(s) > limit || s != "" && ansi.StringWidth(s) == 0 || s != strings.TrimSpace(s) || required && s == "" {
			fail("%s: %q", what, s)
		}
	}
	ids := map[string]bool{}
	id := func(s string) {
		if s == "" || ids[s] || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
			fail("the id %q is empty, twice or no word", s)
		}
		ids[s] = true
	}
	sense := func(s string) {
		if s != "" && sensors != nil && !slices.Contains(sensors, s) {
			fail("the sensor %q", s)
		}
	}
	var last time.Duration
	budget := func(what string, from, to time.Duration) {
		if from < last || to <= from {
			fail("%s: %v to %v after %v", what, from, to, last)
		}
		last = to
	}

	if r.Version != 1 || len(r.Digest) != 64 || len(r.Source) == 0 || len(r.Flow) == 0 || len(r.Checklist) == 0 {
		fail("version, digest, source or a part is missing")
	}
	oneLine("name", r.Name, 60, true)
	var severities []Severity
	for _, c := range r.Updates {
		severities = append(severities, c.Severity)
		if c.First < time.Minute || c.Every < time.Minute || c.Scoped < 0 || c.Relax < 0 {
			fail("%v", c)
		}
	}
	slices.Sort(severities)
	if !slices.Equal(severities, Severities[:]) {
		fail("severities %v", severities)
	}

	for _, p := range r.Flow {
		id(p.ID)
		oneLine("title", p.Title, 40, true)
		oneLine("leave", p.Leave, 80, false)
		budget(p.ID, p.From, p.To)
		node := map[string]*Node{}
		for i := range p.Nodes {
			node[p.Nodes[i].ID] = &p.Nodes[i]
		}
		main := 0
		for _, n := range p.Nodes {
			id(n.ID)
			oneLine("title", n.Title, 26, true)
			oneLine("text", n.Text, 60, false)
			oneLine("group", n.Group, 26, false)
			sense(n.Sense)
			if n.Beside == "" {
				main++
			} else if other := node[n.Beside]; other == nil || other.Beside != "" || n.Group != "" || other.Group != "" {
				fail("%s is beside %q", n.ID, n.Beside)
			}
			if (n.Group == "") != (p.Nodes[0].Group == "") {
				fail("%s: a matrix is mixed with a line", p.ID)
			}
			if n.Leads != "" {
				if other := node[n.Leads]; other == nil || other.Group == n.Group || n.Group == "" {
					fail("%s leads to %q", n.ID, n.Leads)
				}
			}
			if len(n.Lines) > 0 && n.Group == "" {
				fail("%s has lines outside of a matrix", n.ID)
			}
			for _, l := range n.Lines {
				id(l.ID)
				oneLine("line", l.Text, 40, true)
				sense(l.Sense)
			}
		}
		if main == 0 {
			fail("%s has no node of its own", p.ID)
		}
	}

	last = 0
	for _, p := range r.Checklist {
		id(p.ID)
		oneLine("title", p.Title, 40, true)
		oneLine("leave", p.Leave, 80, false)
		oneLine("complete", p.Complete, 40, true)
		budget(p.ID, p.From, p.To)
		if p.Mode != ReadDo && p.Mode != DoConfirm {
			fail("mode %q", p.Mode)
		}
		if n := len(p.Items); n == 0 || n > 9 {
			fail("%s has %d items", p.ID, n)
		}
		for i, item := range p.Items {
			id(item.ID)
			oneLine("item", item.Text, 60, true)
			oneLine("expect", item.Expect, 40, item.Killer)
			sense(item.Sense)
			if item.Killer && i > 0 && !p.Items[i-1].Killer {
				fail("the killer %s is not among the first", item.ID)
			}
			if item.Due < 0 || item.Due > 0 && !p.Owned {
				fail("%s is due after %v", item.ID, item.Due)
			}
			for _, word := range item.Forward {
				if word != "expired" && word != "stuck" && word != "compromised" {
					fail("%s is brought forward by %q", item.ID, word)
				}
			}
		}
		id(p.CompleteID())
	}
	for _, l := range r.Lessons {
		id(l.ID)
		oneLine("lesson", l.Title, 60, true)
		oneLine("summary", l.Summary, 160, false)
		for _, s := range l.Sense {
			sense(s)
		}
		for _, m := range l.Prevent {
			oneLine("measure", m, 100, true)
		}
		if len(l.Prevent) == 0 {
			fail("%s prevents nothing", l.ID)
		}
	}
	return broken
}
