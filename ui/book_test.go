package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/ui/driver"
)

// shelf keeps incidents in memory, as a folder would: events are encoded and
// decoded, numbered and folded, and one console at a time writes.
type shelf struct {
	clock func() time.Time
	rb    *runbook.Runbook

	mu       sync.Mutex
	journals []*journal
	fails    error         // of Declare and Open
	records  error         // of Record
	written  bool          // Record writes, whatever it says
	blocked  chan struct{} // Record waits for it to be closed, where there is one
	under    int           // Records that are waiting
}

// journal is one incident.
type journal struct {
	id      string
	fold    incident.Fold
	events  []incident.Event
	writer  *handle
	changed chan struct{} // closed and replaced with every event
}

// handle is a book: a console's hold of a journal.
type handle struct {
	shelf *shelf
	j     *journal
	name  string
	seen  uint64
}

func newShelf(clock func() time.Time) *shelf {
	return &shelf{clock: clock, rb: runbook.Guide()}
}

// lent is the shelf as one console has it.
type lent struct {
	*shelf
	name string
}

func (s lent) List(context.Context) ([]incident.Listed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []incident.Listed
	for _, j := range s.journals {
		st := j.fold.State()
		l := incident.Listed{
			ID: j.id, Summary: st.Declared.Summary, Severity: string(st.Severity), Drill: st.Declared.Drill,
			Started: st.Declared.Started, Closed: st.Closed, LastAt: st.LastAt,
		}
		if j.writer != nil {
			l.Writer = j.writer.name
		}
		out = append(out, l)
	}
	return out, nil
}

func (s lent) Declare(ctx context.Context, e incident.Event) (Book, error) {
	s.mu.Lock()
	if s.fails != nil {
		s.mu.Unlock()
		return nil, s.fails
	}
	j := &journal{id: fmt.Sprintf("2026-03-14-%d", len(s.journals)+1), changed: make(chan struct{})}
	h := &handle{shelf: s.shelf, j: j, name: s.name}
	j.writer = h
	s.journals = append(s.journals, j)
	s.mu.Unlock()
	d := e.Data.(incident.Declared)
	d.ID = j.id
	e.Data = d
	return h, h.Record(ctx, e)
}

func (s lent) Open(_ context.Context, id string) (Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return nil, s.fails
	}
	for _, j := range s.journals {
		if j.id == id {
			h := &handle{shelf: s.shelf, j: j, name: s.name}
			if j.writer == nil {
				j.writer = h
			}
			return h, nil
		}
	}
	return nil, errors.New("no incident " + id)
}

func (h *handle) Case() *incident.Case {
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	return h.kase()
}

func (h *handle) kase() *incident.Case {
	k := &incident.Case{State: h.j.fold.State(), Writing: h.j.writer == h, Folder: "/var/lib/warroom/incidents/" + h.j.id, Head: fmt.Sprintf("%d:%064x", len(h.j.events), 0x3f9a)}
	if h.j.writer != nil && h.j.writer != h {
		k.Writer = h.j.writer.name
	}
	h.seen = k.State.Head
	return k
}

func (h *handle) Next(ctx context.Context) (*incident.Case, error) {
	for {
		h.shelf.mu.Lock()
		if uint64(len(h.j.events)) > h.seen {
			k := h.kase()
			h.shelf.mu.Unlock()
			return k, nil
		}
		changed := h.j.changed
		h.shelf.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h *handle) Record(ctx context.Context, events ...incident.Event) (bad error) {
	s := h.shelf
	s.mu.Lock()
	blocked, err, written := s.blocked, s.records, s.written
	if blocked != nil {
		s.under++
	}
	s.mu.Unlock()
	if blocked != nil {
		select {
		case <-blocked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil && !written {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func(then error) {
		if bad == nil {
			bad = then
		}
	}(err)
	if h.j.writer != h {
		return errors.New("another console writes")
	}
	for _, e := range events {
		e.At, e.Seq = s.clock(), uint64(len(h.j.events)+1)
		line, err := incident.Encode(e)
		if err != nil {
			return err
		}
		if e, err = incident.Decode(e.Seq, line); err != nil {
			return err
		}
		h.j.events = append(h.j.events, e)
		h.j.fold.Apply(e)
	}
	close(h.j.changed)
	h.j.changed = make(chan struct{})
	return nil
}

func (h *handle) Page(_ context.Context, q incident.Query) (incident.Page, error) {
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	p := incident.Page{Total: len(h.j.events)}
	for _, e := range h.j.events {
		if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind) || !strings.Contains(strings.ToLower(incident.Tell(&e, h.shelf.rb)), strings.ToLower(q.Text)) {
			continue
		}
		switch {
		case q.After != 0 && e.Seq <= q.After:
			p.Earlier = true
		case q.After != 0 && len(p.Events) == q.Limit, q.Before != 0 && e.Seq >= q.Before:
			p.Later = true
		default:
			p.Events = append(p.Events, e)
		}
	}
	if over := len(p.Events) - q.Limit; over > 0 {
		p.Events, p.Earlier = p.Events[over:], true
	}
	return p, nil
}

// Now is the time of the incident, which the wall clock of a console may leave.
func (h *handle) Now() time.Time { return h.shelf.clock() }

func (h *handle) Runbook() *runbook.Runbook { return h.shelf.rb }

func (h *handle) Close() error {
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	if h.j.writer == h {
		h.j.writer = nil
		close(h.j.changed)
		h.j.changed = make(chan struct{})
	}
	return nil
}

// events are those of the last incident that was declared.
func (s *shelf) events() []incident.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.journals) == 0 {
		return nil
	}
	return slices.Clone(s.journals[len(s.journals)-1].events)
}

// told are those events in words, without what nobody did.
func (s *shelf) told() []string {
	var out []string
	for _, e := range s.events() {
		if e.By != "" {
			out = append(out, incident.Tell(&e, s.rb))
		}
	}
	return out
}

func (s *shelf) set(change func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// senses answers the sensors of the guide: every one speaks for it on figures
// just read, until a test says otherwise.
type senses struct {
	mu    sync.Mutex
	given diagnosis.Findings
	read  time.Time // when the figures were read; zero: now
}

func (s *senses) set(name string, f diagnosis.Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given == nil {
		s.given = diagnosis.Findings{}
	}
	s.given[name] = f
}

func (s *senses) at(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = t
}

func finding(stance diagnosis.Stance, value string, at time.Time) diagnosis.Finding {
	return diagnosis.Finding{Stance: stance, Value: value, Facts: []diagnosis.Fact{{
		Component: "secrets-manager", Name: "Rotation status", Value: value, Status: estate.Fail,
		Source: "DescribeSecret at secretsmanager.eu-west-1.amazonaws.com", At: at,
	}}}
}

func (s *senses) sense(_ *estate.Readings, now time.Time) diagnosis.Findings {
	s.mu.Lock()
	defer s.mu.Unlock()
	read := s.read
	if read.IsZero() {
		read = now
	}
	out := diagnosis.Findings{}
	put := func(name string) {
		if name == "" {
			return
		}
		f := finding(diagnosis.For, "3 of 14 seen", read)
		if name == "credential.fate" {
			f.Value, f.Word = "past its time since 30h", "expired"
		}
		if given, ok := s.given[name]; ok {
			f = given
		}
		out[name] = f
	}
	rb := runbook.Guide()
	for i := range rb.Flow {
		for j := range rb.Flow[i].Nodes {
			n := &rb.Flow[i].Nodes[j]
			put(n.Sense)
			for k := range n.Lines {
				put(n.Lines[k].Sense)
			}
		}
	}
	for i := range rb.Checklist {
		for j := range rb.Checklist[i].Items {
			put(rb.Checklist[i].Items[j].Sense)
		}
	}
	return out
}

// room is everything around one console of the tests: estate, clock, incidents
// and evidence.
type room struct {
	w      *world
	clock  *testClock
	shelf  *shelf
	senses *senses
	sent   *outbox
	d      *driver.Terminal
	now    func() time.Time // of a bubble
}

func newRoom() *room {
	clock := &testClock{now: at}
	return &room{w: newWorld(), clock: clock, shelf: newShelf(clock.Now), senses: &senses{}, sent: &outbox{}}
}

func (r *room) options() Options {
	o := r.w.options()
	o.Clock = r.clock.Now
	o.Operator, o.Runbook, o.Casebook = "ic-1", r.shelf.rb, lent{r.shelf, "ic-1@bridge (process 4711)"}
	o.Sense, o.Sender = r.senses.sense, r.sent
	o.Terminal.Environ = []string{}
	return o
}

// open shows the console on a terminal.
func (r *room) open(t *testing.T, width, height int, change ...func(*Options)) *driver.Terminal {
	t.Helper()
	d := console(t, r.w, width, height, append([]func(*Options){func(o *Options) {
		th := o.Theme
		*o = r.options()
		o.Theme = th
	}}, change...)...)
	if r.d == nil {
		r.d = d
	}
	return d
}

// rest lets the clock go on, so that what was just drawn listens to keys.
func (r *room) rest() { r.clock.pass(2 * settle) }

// outbox takes what is sent.
type outbox struct {
	mu    sync.Mutex
	texts []string
	fails error
}

func (o *outbox) Places() []Place {
	return []Place{{Name: "bridge"}, {Name: "security-desk", Security: true}}
}

func (o *outbox) Send(_ context.Context, place, text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails != nil {
		return o.fails
	}
	o.texts = append(o.texts, place+": "+text)
	return nil
}

func (o *outbox) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.texts)
}
