package cli

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/ui/driver"
)

// play is someone at the terminal of a drill that runs in a process of its own.
// Only keys go in, and only what the screen shows says when the next one is due.
type play struct {
	*driver.Terminal
	t     *testing.T
	state string // XDG_STATE_HOME
	size  driver.Size
	cmd   *exec.Cmd
}

// open starts the console on the drill.
func (p *play) open() {
	p.t.Helper()
	p.cmd = p.command("drill")
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm-256color")
	p.Terminal = driver.Start(p.t, p.size.Width, p.size.Height, driver.Process(p.cmd))
}

// command is the program with the player's state folder.
func (p *play) command(args ...string) *exec.Cmd {
	cmd := program(p.t, p.t.TempDir(), args...)
	cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+p.state, "USER=ic-1")
	return cmd
}

// store reads what was recorded.
func (p *play) store() *archive.Store {
	return archive.New(filepath.Join(p.state, "warroom", "incidents"), archive.Options{Operator: "reader"})
}

// patiently does something when the footer offers it, and once a while again, until
// the screen is as it should be: the console refuses what comes too soon after
// something has changed, and the footer offers it again when it does not.
func (p *play) patiently(what, offer string, do func(screen string), ok func(screen string) bool) string {
	p.t.Helper()
	last := time.Now()
	tries := 0
	return p.WaitFor(what, func(s string) bool {
		if ok(s) {
			return true
		}
		offered := offer != "" && strings.Contains(s, offer)
		if offered && (tries == 0 || time.Since(last) > 500*time.Millisecond) || time.Since(last) > 1200*time.Millisecond {
			do(s)
			last = time.Now()
			tries++
		}
		return false
	})
}

// cursor is what is chosen, in a form or in the view behind it.
var cursor = regexp.MustCompile(`▸ ?(\[ )?\w+`)

// focus moves through a form until a field or a button is chosen. The fields are a
// ring and tab changes nothing, so one tab too many does no harm.
func (p *play) focus(name string) {
	p.t.Helper()
	mark := regexp.MustCompile(`▸ ?` + regexp.QuoteMeta(name))
	last, from := time.Now(), ""
	p.WaitFor("the cursor on "+name, func(s string) bool {
		if mark.MatchString(s) {
			return true
		}
		if at := strings.Join(cursor.FindAllString(s, -1), "\n"); at != from && strings.Contains(s, "tab next") || time.Since(last) > 1200*time.Millisecond {
			p.Press("tab")
			last, from = time.Now(), at
		}
		return false
	})
}

// fill types into the fields of the form that is open, and presses a button of it.
// The fields are pairs of a label and a text.
func (p *play) fill(title, button string, fields ...string) {
	p.t.Helper()
	p.WaitText("═ "+title, "[ "+button+" ]")
	for i := 0; i+1 < len(fields); i += 2 {
		p.focus(fields[i])
		p.Type(fields[i+1])
		p.WaitText(fields[i+1])
	}
	p.focus("[ " + button + " ]") // which the form took: it listens
	p.Press("enter")
	// On a machine that is busy with other things a tab that was repeated can have
	// moved on before the enter came.
	on, last := regexp.MustCompile(`▸ ?`+regexp.QuoteMeta("[ "+button+" ]")), time.Now()
	p.WaitFor("the form "+title+" to go", func(s string) bool {
		if !strings.Contains(s, "═ "+title) {
			return true
		}
		if time.Since(last) > 3*time.Second {
			key := "tab"
			if on.MatchString(s) {
				key = "enter"
			}
			p.Press(key)
			last = time.Now()
		}
		return false
	})
}

// answer presses a button of the dialog that is open: the one to the right of the
// chosen one.
func (p *play) answer(title, button string) {
	p.t.Helper()
	p.WaitText("═ " + title)
	p.patiently("the button "+button, "", func(string) { p.Press("right") }, func(s string) bool { return strings.Contains(s, "▸[ "+button+" ]") })
	p.Press("enter")
	p.WaitGone("═ " + title)
}

// choose does something by its name in the palette.
func (p *play) choose(name string) {
	p.t.Helper()
	p.Press(":")
	p.WaitText("Go to or do")
	p.Type(strings.ToLower(name))
	p.WaitText("▸ " + name)
	p.Press("enter")
	p.WaitGone("Go to or do")
}

// show shows a view by its key.
func (p *play) show(key, holds string) {
	p.t.Helper()
	p.Press(key)
	p.patiently("the view of "+key, "", func(string) { p.Press(key) }, func(s string) bool { return strings.Contains(s, holds) })
}

var (
	stepNow = regexp.MustCompile(`► \d+/\d+ `)
	busy    = regexp.MustCompile(`checking .* answered|recording: `)
	saw     = regexp.MustCompile(`(?s)═ ([^═]+: done) ═.*What you saw`)
	number  = regexp.MustCompile(`\d[\d,]*`)
)

// step takes the current step of the flow, in the view that is shown, and returns
// false when there is none.
func (p *play) step() bool {
	p.t.Helper()
	s := p.WaitFor("a step", func(s string) bool { return stepNow.MatchString(s) || through(s) })
	now := stepNow.FindString(s)
	if through(s) {
		return false
	}
	p.patiently("the step after "+now, "n next step", func(s string) {
		switch form := saw.FindStringSubmatch(s); {
		case form != nil: // nothing reads it: a person says what it is
			p.fill(form[1], "Done", "What you saw", " as told")
		case strings.Contains(s, "not told yet"): // the evidence does not tell the verdict
			p.patiently("the verdict", "choose", func(string) { p.Press("right") }, func(s string) bool { return strings.Contains(s, "[expired]") })
			p.fill("Security impact", "Record")
		case !busy.MatchString(s):
			p.Press("n")
		}
	}, func(s string) bool { return through(s) || stepNow.MatchString(s) && stepNow.FindString(s) != now })
	return true
}

// through reports whether the flow is.
func through(s string) bool {
	return strings.Contains(s, "the flow is through") || strings.Contains(s, "flow and checklist are through")
}

// current is the text of the item in the box of the checklist; empty when there is
// none.
func (p *play) current(s string) string {
	_, box, found := strings.Cut(s, "► CURRENT")
	if !found {
		return ""
	}
	rows := strings.SplitN(box, "\n", 3)
	if len(rows) < 3 {
		return ""
	}
	for _, phase := range runbook.Guide().Checklist {
		for _, item := range phase.Items {
			if strings.Contains(rows[1], item.Text) {
				return item.Text
			}
		}
		if strings.Contains(rows[1], phase.Complete) {
			return phase.Complete
		}
	}
	return ""
}

// item works on the current item of the checklist, which is shown: it is skipped
// or does not apply where aside says so by its text, and ticked otherwise. It
// returns false when there is none left.
func (p *play) item(aside map[string]string) bool {
	p.t.Helper()
	s := p.WaitFor("an item", func(s string) bool {
		return !busy.MatchString(s) && (p.current(s) != "" || strings.Contains(s, "flow and checklist are through"))
	})
	item := p.current(s)
	if item == "" {
		return false
	}
	moved := func(s string) bool {
		return strings.Contains(s, "flow and checklist are through") || p.current(s) != "" && p.current(s) != item
	}
	if key := aside[item]; key != "" {
		title, button := "Skip: "+item, "Skip"
		if key == "N" {
			title, button = "Not applicable: "+item, "Not applicable"
		}
		p.patiently(title, "space tick", func(string) { p.Press(key) }, func(s string) bool { return strings.Contains(s, "═ "+title[:12]) })
		p.fill(title[:12], button, "Reason", reasonFor(item))
		p.WaitFor("the item after "+item, moved)
		return true
	}
	form := ""
	p.patiently("an answer to the tick of "+item, "space tick", func(s string) {
		if !busy.MatchString(s) {
			p.Press("space")
		}
	}, func(s string) bool {
		for _, title := range []string{"═ Tick: ", "═ Override: "} {
			if strings.Contains(s, title) {
				form = strings.TrimPrefix(title, "═ ")
				return true
			}
		}
		return moved(s)
	})
	if form != "" {
		s := p.WaitText("═ "+form, "▸")
		var fields []string
		if strings.Contains(s, "Observed value") {
			fields = append(fields, "Observed value", p.observed(s))
		}
		button := "Tick"
		if form == "Override: " {
			button = "Override"
			fields = append(fields, "Reason", reasonFor(item))
		}
		if len(fields) == 0 {
			fields = append(fields, "Note or link", noteFor(item))
		}
		if strings.Contains(s, "Confirmed by") {
			fields = append(fields, "Confirmed by", "ops-2")
		}
		p.fill(form, button, fields...)
		p.WaitFor("the item after "+item, moved)
	}
	return true
}

// observed is the value that a killer item asks for: the first number of what the
// form says of its evidence.
func (p *play) observed(s string) string {
	p.t.Helper()
	_, said, found := strings.Cut(s, " it: ")
	if value := number.FindString(said); found && value != "" {
		return value
	}
	p.t.Fatalf("no value to type on\n%s", s)
	return ""
}

// reasonFor and noteFor are what is typed for an item: short, and no other's.
func reasonFor(item string) string {
	return "why " + strings.ToLower(strings.Fields(item)[0]) + " waits"
}
func noteFor(item string) string { return "saw " + strings.ToLower(strings.Fields(item)[0]) }

// id is the id of the only incident.
func (p *play) id() string {
	p.t.Helper()
	listed, err := p.store().List(p.t.Context())
	if err != nil || len(listed) != 1 {
		p.t.Fatalf("there are %d incidents, %v", len(listed), err)
	}
	return listed[0].ID
}

// journal is everything that was recorded.
func (p *play) journal() []incident.Event {
	p.t.Helper()
	return events(p.t, p.store(), p.id())
}

// said runs a command and returns what it prints. It must succeed.
func (p *play) said(args ...string) string {
	p.t.Helper()
	var stderr strings.Builder
	cmd := p.command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("%v: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}
