package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/ui"
)

// casebook gives the console the incidents that belong to what it shows: those of
// its environment, or the drills of its scenario.
type casebook struct {
	*keeper
	store       *archive.Store
	broken      error // why there is no store
	rb          *runbook.Runbook
	environment string
	drill       string
	engine      *lateEngine // records in the incident that is open for writing; nil where nothing can be acted on

	mu   sync.Mutex
	open []*archive.Session // every one that was opened, the newest last
	lost []string           // what was done and is not recorded
}

var _ ui.Book = (*archive.Session)(nil)

// casebook is the one of what a console shows. Without a place to keep incidents
// it says so when it is used: the console opens all the same.
func (d desk) casebook(rb *runbook.Runbook, environment, drill string, scrub func(string) string) *casebook {
	keep := newKeeper()
	store, err := d.store(scrub, keep)
	return &casebook{keeper: keep, store: store, broken: err, rb: rb, environment: environment, drill: drill}
}

// begin gives a console its incidents, and the one that it begins with.
func (c *casebook) begin(ctx context.Context, o *ui.Options, look looks) error {
	o.Casebook, o.Runbook, o.Operator = c, c.rb, look.desk.operator
	o.Sender = newSender(look.desk.webhooks, o.Scrub)
	for _, w := range look.desk.webhooks {
		if w.URLEnv != "" {
			o.Credentials = append(o.Credentials, w.URLEnv)
		}
	}
	o.Unrecorded = func(lines []string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lost = append(c.lost, lines...)
	}
	if look.resume == "" {
		return nil
	}
	book, err := c.Open(ctx, look.resume)
	if err != nil {
		return err
	}
	o.Book = book
	return nil
}

// List lists the incidents that belong here. One that is damaged and can be read
// is offered like the others: its Case says what is wrong once it is open.
func (c *casebook) List(ctx context.Context) ([]incident.Listed, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	listed, err := c.store.List(ctx)
	if err != nil {
		return nil, err
	}
	listed = slices.DeleteFunc(listed, func(l incident.Listed) bool { return !l.Started.IsZero() && !c.belongs(l.Environment, l.Drill) })
	for i := range listed {
		if !listed[i].Started.IsZero() {
			listed[i].Trouble = ""
		}
	}
	return listed, nil
}

// belongs reports whether an incident is one of what the console shows.
func (c *casebook) belongs(environment, drill string) bool {
	if c.drill != "" || drill != "" {
		return drill == c.drill
	}
	return environment == c.environment
}

// Declare begins an incident of what the console shows.
func (c *casebook) Declare(ctx context.Context, declared incident.Event) (ui.Book, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	if data, ok := declared.Data.(incident.Declared); ok {
		data.Environment, data.Drill = c.environment, c.drill
		declared.Data = data
	}
	return c.keep(c.store.Create(ctx, declared, c.rb))
}

// Open opens an incident.
func (c *casebook) Open(ctx context.Context, id string) (ui.Book, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	return c.keep(c.store.Open(ctx, id))
}

// keep remembers a session, so that it is closed and named at the end.
func (c *casebook) keep(s *archive.Session, err error) (ui.Book, error) {
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, s)
	if c.engine != nil && s.Case().Writing {
		if err := c.engine.lead(s, c.store); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// end leaves every incident, whatever ended the console, and prints what was done
// and is not recorded, and how to resume the one that is still open. Where nothing
// can be printed nothing that was recorded is lost.
func (c *casebook) end(out io.Writer) {
	c.leave()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.open {
		if err := s.Close(); err != nil {
			notice(out, "leaving incident %s: %v", s.ID(), err)
		}
	}
	for _, line := range c.lost {
		fmt.Fprintf(out, "warroom: %s\n", line)
	}
	if len(c.open) == 0 {
		return
	}
	last := c.open[len(c.open)-1]
	if state := last.Case().State; state != nil && state.IsDeclared() && state.Closed.IsZero() {
		fmt.Fprintf(out, "Incident %s is open. To resume it:\n\n    warroom incident resume %s\n", last.ID(), last.ID())
	}
}
