package panes

import (
	"fmt"
	"strings"

	"warroom/internal/estate"
)

// Copy is the reading of one component as plain text, to be pasted into the
// channel of an incident: where it was read, when and whether in a drill; how
// the component stands and why; whom to page; where it is; every figure in a line with its
// age and source; and who is hit. It ends in a line end.
func Copy(f Frame, r *estate.Readings, id estate.ID) string {
	var b strings.Builder
	put := func(parts ...string) { b.WriteString(strings.TrimRight(strings.Join(parts, ""), " ") + "\n") }
	if r == nil {
		return "nothing is known of " + f.say(string(id)) + "\n"
	}
	t := r.Snapshot.Topology
	c, ok := t.Component(id)
	one, read := r.Of(id)
	if !ok || !read {
		return "nothing is known of " + f.say(string(id)) + "\n"
	}
	head := ""
	if t.Drill != "" {
		head = "[DRILL " + f.say(t.Drill) + "] "
	}
	if s := f.say(t.Environment); s != "" {
		head += s + f.dot()
	}
	head += f.say(c.Name) + ": " + f.copied(one.Status)
	if word := f.say(one.Word); word != "" && word != one.Status.String() {
		head += " " + word
	}
	put(head, f.dot(), f.Now.UTC().Format("2006-01-02 15:04 UTC"))
	if s := f.whom(&c); s != "" {
		put(s)
	}
	if s := f.say(c.Target); s != "" {
		put("target: ", s)
	}
	if s := f.reason(&one); s != "" {
		put("reason: ", s)
	}
	all := consumers(r, id)
	for _, u := range all {
		name, tail := f.consumer(u)
		label := "used by: "
		if u.hit(&one) {
			label = "hit: "
		}
		put(label, name, " ", f.copied(u.r.Status), tail[1].s)
	}
	if len(one.Facts) > 0 {
		put()
	}
	for i := range one.Facts {
		x := &one.Facts[i]
		value := f.say(x.Value)
		if value == "" {
			value = "?"
		}
		line := fmt.Sprintf("- %s: %s", f.say(x.Name), value)
		if known(x.Status) != estate.NA {
			line += " (" + f.copied(x.Status) + ")"
		}
		switch {
		case x.At.IsZero():
		case old(x):
			line += ", last good value, " + since(x.At, f.Now)
		default:
			line += ", read " + since(x.At, f.Now)
		}
		if s := f.say(x.Note); s != "" {
			label := ", why: "
			if x.Failed {
				label = ", now: "
			}
			line += label + s
		}
		if s := f.say(x.Source); s != "" {
			line += ", source: " + s
		}
		put(line)
	}
	for _, slot := range r.Snapshot.Slots(id) {
		if fail := slot.Last.Failure; fail != nil {
			doing := fail.Doing
			if doing == "" {
				doing = slot.Last.Source
			}
			line := "- not read: " + f.say(doing) + ": " + f.say(string(fail.Kind))
			if fail.Detail != "" {
				line += ": " + f.say(fail.Detail)
			}
			put(line)
		}
	}
	return b.String()
}

// copied is a status in a text: its word alone, because the signs of the screen
// are not everywhere.
func (f Frame) copied(s estate.Status) string { return known(s).String() }
