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
	ID     estate.ID     `json:"id"`
	Plane  estate.Plane  `json:"plane"`
	Name   string        `json:"name"`
	Status estate.Status `json:"status"`
	Word   string        `json:"word"`
	Reason string        `json:"reason,omitempty"`
	Facts  []fact        `json:"facts"`
	Source string        `json:"source"`
	Age    *float64      `json:"age"`  // seconds since the newest read; null when nothing was read
	Took   float64       `json:"took"` // seconds of the longest read
	Error  *string       `json:"error"`
}

type fact struct {
	Name   string        `json:"name"`
	Value  string        `json:"value"`
	Status estate.Status `json:"status"`
	Note   string        `json:"note,omitempty"`
	Source string        `json:"source,omitempty"`
	Stale  bool          `json:"stale,omitempty"`
}

// Clean returns the readings with every text of theirs passed through scrub, so
// that no encoding of the document can hide a value from it.
func Clean(r *estate.Readings, scrub func(string) string) *estate.Readings {
	out := *r
	out.All = slices.Clone(r.All)
	for i := range out.All {
		one := &out.All[i]
		one.Word, one.Reason = scrub(one.Word), scrub(one.Reason)
		one.Facts = slices.Clone(one.Facts)
		for j := range one.Facts {
			f := &one.Facts[j]
			f.Name, f.Value, f.Note, f.Source, f.Formula = scrub(f.Name), scrub(f.Value), scrub(f.Note), scrub(f.Source), scrub(f.Formula)
		}
	}
	return &out
}

// Summary is the worst status of all components, by which warroom check ends.
func Summary(r *estate.Readings) estate.Status {
	worst := estate.NA
	for _, one := range r.All {
		worst = estate.Worst(worst, one.Status)
	}
	return worst
}

// CheckJSON writes the document warroom.check/v1.
func CheckJSON(out io.Writer, r *estate.Readings) error {
	t := r.Snapshot.Topology
	doc := check{
		Schema: CheckSchema, Environment: t.Environment, Drill: t.Drill, TakenAt: r.At.UTC(),
		Status: Summary(r), Summary: map[string]int{}, Components: []component{},
	}
	for status, n := range r.Count() {
		doc.Summary[estate.Status(status).Code()] = n
	}
	for i, c := range t.Components {
		one := r.All[i]
		out := component{
			ID: c.ID, Plane: c.Plane, Name: c.Name, Status: one.Status, Word: one.Word, Reason: one.Reason,
			Facts: []fact{}, Took: one.Took.Seconds(),
		}
		if !one.At.IsZero() {
			age := r.At.Sub(one.At).Seconds()
			out.Age = &age
		}
		var sources []string
		for _, f := range one.Facts {
			out.Facts = append(out.Facts, fact{Name: f.Name, Value: f.Value, Status: f.Status, Note: f.Note, Source: f.Source, Stale: f.Stale})
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

// firstFailure words the worst failed read of a component, or is nil.
func firstFailure(s *estate.Snapshot, id estate.ID) *string {
	var worst *estate.Failure
	for _, slot := range s.Slots(id) {
		if f := slot.Last.Failure; f != nil && (worst == nil || f.Kind.Status() > worst.Kind.Status()) {
			worst = f
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

var glyphs = map[estate.Status]string{estate.OK: "✓", estate.Warn: "!", estate.Unknown: "?", estate.Fail: "✗", estate.NA: "–"}

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
			fmt.Fprintf(&b, "  %s %d %s", glyphs[s], counts[s], s)
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
		fmt.Fprintf(&b, "\n%s PLANE  %s %s\n", strings.ToUpper(p.String()), glyphs[r.Status(p)], r.Status(p))
		for i, c := range t.Components {
			if c.Plane != p {
				continue
			}
			one := r.All[i]
			fmt.Fprintf(&b, "%s %-7s  %-*s  %-*s  %s\n", glyphs[one.Status], one.Status, wide, c.Name, word, one.Word, figures(one))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// figures are a component's headline figures in one line, or why it has none.
func figures(r estate.Reading) string {
	var parts []string
	for _, f := range r.Headlines() {
		s := f.Name + ": " + f.Value
		if f.Stale {
			s += " (stale)"
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 || r.Status == estate.Unknown {
		parts = append(parts, r.Reason)
	}
	return strings.Join(parts, "; ")
}
