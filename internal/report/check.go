package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// CheckSchema names the JSON document that CheckJSON writes.
const CheckSchema = "warroom.check/v1"

// check is the JSON document.
type check struct {
	Schema      string         `json:"schema"`
	Environment string         `json:"environment"`
	Drill       string         `json:"drill,omitempty"`
	TakenAt     time.Time      `json:"taken_at"`
	Status      estate.Status  `json:"status"`
	Summary     map[string]int `json:"summary"`
	Components  []component    `json:"components"`
}

type component struct {
	ID      estate.ID     `json:"id"`
	Plane   estate.Plane  `json:"plane"`
	Name    string        `json:"name"`
	Status  estate.Status `json:"status"`
	Word    string        `json:"word"`
	Reason  string        `json:"reason,omitempty"`
	Owner   string        `json:"owner,omitempty"`
	Contact string        `json:"contact,omitempty"`
	Facts   []fact        `json:"facts"`
	Source  string        `json:"source"`
	Age     *float64      `json:"age"`   // seconds since the oldest headline figure was read; null when none was
	Tried   *float64      `json:"tried"` // seconds since the newest attempt; null when there was none
	Took    float64       `json:"took"`  // seconds of the longest read
	Error   *string       `json:"error"`
}

type fact struct {
	Name   string        `json:"name"`
	Value  string        `json:"value"`
	Status estate.Status `json:"status"`
	Note   string        `json:"note,omitempty"`
	Source string        `json:"source,omitempty"`
	ReadAt *time.Time    `json:"read_at"` // null when it was never read
	Stale  bool          `json:"stale,omitempty"`
	Failed bool          `json:"failed,omitempty"`
}

// CheckJSON writes the document warroom.check/v1.
func CheckJSON(out io.Writer, r *estate.Readings) error {
	t := r.Snapshot.Topology
	doc := check{
		Schema: CheckSchema, Environment: t.Environment, Drill: t.Drill, TakenAt: r.At.UTC(),
		Status: r.Summary(), Summary: map[string]int{}, Components: []component{},
	}
	for status, n := range r.Count() {
		doc.Summary[estate.Status(status).Code()] = n
	}
	for i, c := range t.Components {
		one := r.All[i]
		out := component{
			ID: c.ID, Plane: c.Plane, Name: c.Name, Status: one.Status, Word: one.Word, Reason: one.Reason,
			Owner: c.Owner, Contact: c.Contact, Facts: []fact{}, Took: one.Took.Seconds(),
		}
		out.Age, out.Tried = since(r.At, one.At), since(r.At, one.Tried)
		var sources []string
		for _, f := range one.Facts {
			line := fact{Name: f.Name, Value: f.Value, Status: f.Status, Note: f.Note, Source: f.Source, Stale: f.Stale, Failed: f.Failed}
			if !f.At.IsZero() {
				at := f.At.UTC()
				line.ReadAt = &at
			}
			out.Facts = append(out.Facts, line)
			if f.Source != "" && (len(sources) == 0 || sources[len(sources)-1] != f.Source) {
				sources = append(sources, f.Source)
			}
		}
		if len(sources) > 0 {
			out.Source = sources[0]
		}
		out.Error = firstFailure(r.Snapshot, c.ID)
		doc.Components = append(doc.Components, out)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

// since is how many seconds before now t was; nil when it never was.
func since(now, t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	s := now.Sub(t).Seconds()
	return &s
}

// firstFailure words the worst failed read of a component, or is nil.
func firstFailure(s *estate.Snapshot, id estate.ID) *string {
	var worst *estate.Failure
	weigh := func(f *estate.Failure) {
		if f != nil && (worst == nil || f.Kind.Status() > worst.Kind.Status()) {
			worst = f
		}
	}
	for _, slot := range s.Slots(id) {
		weigh(slot.Last.Failure)
		if e, ok := slot.Last.Data.(estate.Endpoint); ok {
			for _, one := range e.Addresses {
				weigh(one.Failure)
			}
		}
	}
	if worst == nil {
		return nil
	}
	text := worst.Error()
	return &text
}

// CheckCSV writes a line a fact, under a line of headings.
func CheckCSV(out io.Writer, r *estate.Readings) error {
	w := csv.NewWriter(out)
	write := func(row []string) {
		for i := range row {
			row[i] = inert(row[i])
		}
		_ = w.Write(row) // w keeps its first error for Error
	}
	write([]string{"plane", "component", "component_status", "word", "fact", "value", "status", "note", "source", "read_at"})
	for i, c := range r.Snapshot.Topology.Components {
		one := r.All[i]
		head := []string{c.Plane.String(), string(c.ID), one.Status.Code(), one.Word}
		if len(one.Facts) == 0 {
			write(append(head, "", "", "", one.Reason, "", ""))
		}
		for _, f := range one.Facts {
			at := ""
			if !f.At.IsZero() {
				at = f.At.UTC().Format(time.RFC3339)
			}
			write(append(head[:4:4], f.Name, f.Value, f.Status.Code(), f.Note, f.Source, at))
		}
	}
	w.Flush()
	return w.Error()
}

// inert keeps a spreadsheet from taking remote text for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// glyph is the sign of a status, as on the screen.
func glyph(s estate.Status) string {
	g := theme.Unicode()
	switch s {
	case estate.OK:
		return g.OK
	case estate.Warn:
		return g.Warn
	case estate.Fail:
		return g.Fail
	case estate.NA:
		return g.NA
	}
	return g.Unknown
}

// CheckPlain writes a summary line and a block a plane, a line a component.
func CheckPlain(out io.Writer, r *estate.Readings) error {
	t := r.Snapshot.Topology
	var b strings.Builder
	if t.Drill != "" {
		fmt.Fprintf(&b, "DRILL %s  ", t.Drill)
	}
	fmt.Fprintf(&b, "%s  %s ", t.Environment, r.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	counts := r.Count()
	for _, s := range []estate.Status{estate.Fail, estate.Unknown, estate.Warn, estate.OK, estate.NA} {
		if counts[s] > 0 {
			fmt.Fprintf(&b, "  %s %s %d", glyph(s), s, counts[s])
		}
	}
	b.WriteByte('\n')
	wide, word := 0, 0
	for i, c := range t.Components {
		wide, word = max(wide, len([]rune(c.Name))), max(word, len([]rune(r.All[i].Word)))
	}
	for _, p := range estate.Planes {
		if !slices.ContainsFunc(t.Components, func(c estate.Component) bool { return c.Plane == p }) {
			continue
		}
		fmt.Fprintf(&b, "\n%s PLANE  %s %s\n", strings.ToUpper(p.String()), glyph(r.Status(p)), r.Status(p))
		for i, c := range t.Components {
			if c.Plane != p {
				continue
			}
			one := r.All[i]
			fmt.Fprintf(&b, "%s %-7s  %-*s  %-*s  %s\n", glyph(one.Status), one.Status, wide, c.Name, word, one.Word, figures(one))
			if more := trouble(c, one, r.At); more != "" {
				fmt.Fprintf(&b, "%11s%s\n", "", more)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// trouble says of a component that is not well why, as of when, and whom to ask.
func trouble(c estate.Component, r estate.Reading, now time.Time) string {
	if r.Status <= estate.OK || len(r.Facts) == 0 {
		return ""
	}
	parts := []string{r.Reason}
	if !r.At.IsZero() {
		parts = append(parts, "read "+estate.Ago(now, r.At))
	}
	if who := strings.Trim(c.Owner+", "+c.Contact, ", "); who != "" {
		parts = append(parts, who)
	}
	return strings.Join(parts, " | ")
}

// figures are a component's headline figures in one line, or why it has none.
func figures(r estate.Reading) string {
	var parts []string
	for _, f := range r.Headlines() {
		s := f.Name + ": " + f.Value
		switch {
		case f.Stale:
			s += " (stale)"
		case f.Failed:
			s += " (last good)"
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		parts = append(parts, r.Reason)
	}
	return strings.Join(parts, "; ")
}
