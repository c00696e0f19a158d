package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"warroom/checks"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
	"warroom/ui"
)

// looks are the flags of everything that opens the console, and how it begins.
type looks struct {
	theme string
	share bool
	desk  desk

	alert     time.Time   // when the alert was raised; zero when that is not known
	resume    string      // id of the incident to begin with; empty for none
	checklist bool        // begin on the checklist
	terminal  ui.Terminal // the process's own, but in tests
	notices   io.Writer   // for what is said once the console has ended; nil is standard error
}

func (l *looks) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.theme, "theme", "", "one of "+strings.Join(theme.Names(), ", ")+" (default: by the terminal's background)")
	cmd.Flags().BoolVar(&l.share, "share", false, "begin in share mode: hosts, account ids and ARNs are masked")
	l.desk.flags(cmd)
}

// options are what every console begins with. Without a terminal there are none:
// that is found out before anything is opened, because an incident notes who opens it.
func (l *looks) options() (ui.Options, error) {
	if l.terminal.Out == nil && !ui.HasTerminal() {
		if l.checklist {
			return ui.Options{}, usage(errors.New("the checklist needs a terminal that can place text and there is none; `warroom checklist --plain` prints what is due without one"))
		}
		return ui.Options{}, usage(ui.ErrNoTerminal)
	}
	o := ui.Options{Share: l.share, NoColor: os.Getenv("NO_COLOR") != "", Terminal: l.terminal, Alert: l.alert, Checklist: l.checklist}
	if l.theme == "" {
		return o, nil
	}
	chosen, err := theme.Choose(l.theme, o.NoColor)
	o.Theme = chosen
	return o, usage(err)
}

// observer is everything that observes one estate.
type observer struct {
	set       *clients.Set
	board     *checks.Board
	scheduler *checks.Scheduler
	reads     int // in one round
}

// observe prepares the checks of an estate. Nothing is connected to. seen, where
// there is one, hears of every read; run, where there is one, starts goroutines.
func observe(cfg *config.Config, run func(context.Context, string, func()), seen func()) *observer {
	set := clients.New(cfg)
	probes, watchers := checks.Probes(cfg, set), checks.Watchers(cfg, set)
	expected := checks.Expectations(probes, watchers...)
	board := checks.NewBoard(estate.NewSnapshot(cfg.Topology(), expected))
	post := board.Post
	if seen != nil {
		post = func(o estate.Observation) { board.Post(o); seen() }
	}
	return &observer{
		set: set, board: board, reads: len(expected),
		scheduler: checks.NewScheduler(probes, checks.Options{Concurrency: cfg.Checks.Concurrency, Post: post, Go: run, Watchers: watchers}),
	}
}

const (
	// firstRound is after how long every check of a large and far estate was made
	// once. What that needed, and the rest of the time does not, is given back.
	firstRound = 15 * time.Second
	// rareAgain is how often pages of the program that something rare had touched
	// are given back.
	rareAgain = 10 * time.Second
)

// giveBack gives back memory after the first round of reads, and from then on what
// is seldom needed, until ctx ends.
func giveBack(ctx context.Context) {
	timer := time.NewTimer(firstRound)
	defer timer.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if first {
			// From now on little is derived and much is held: garbage may be a smaller
			// part of it.
			debug.SetGCPercent(10)
		}
		debug.FreeOSMemory()
		forgetPages(first)
		timer.Reset(rareAgain)
	}
}

// openConsole shows the console on an estate until it is left. start, where
// there is one, runs after the first frame and before the checks; by end it may
// end the console later.
func openConsole(ctx context.Context, cfg *config.Config, look looks, start func(ctx context.Context, end func(error)) error) error {
	options, err := look.options()
	if err != nil {
		return err
	}
	look.desk = look.desk.with(cfg)
	procedure, err := look.desk.procedure()
	if err != nil {
		return err
	}
	// Until the first frame stands nothing is worth a collection.
	debug.SetGCPercent(400)
	o := observe(cfg, ui.Go, nil)
	defer o.set.Close()
	options.Snapshot, options.Feed, options.Checker = o.board.Snapshot(), o.board, o.scheduler
	options.Scrub, options.Sense = o.set.Net().Scrub, diagnosis.Sense
	books := look.desk.casebook(procedure, cfg.Environment, cfg.Drill, options.Scrub)
	defer books.end(look.said())
	late := newLateEngine(func() *engine {
		return newEngine(cfg, o.set, look.desk, func() *estate.Readings { return estate.Derive(o.board.Snapshot(), time.Now()) }, ui.Go)
	})
	defer late.end() // before the incident is left: what it stops is recorded there
	books.engine, options.Recovery = late, late
	scrub := options.Scrub
	options.Scrub = func(text string) string { return late.scrub(scrub(text)) }
	if err := books.begin(ctx, &options, look); err != nil {
		return failed(err)
	}
	options.Start = func(ctx context.Context) error {
		// A console holds little that lives long and makes garbage with every batch:
		// collecting sooner keeps it small beside the other tools of a bad night.
		debug.SetGCPercent(25)
		forgetPages(false)
		settling, settled := context.WithCancel(ctx)
		defer settled()
		ui.Go(settling, "giving back memory", func() { giveBack(settling) })
		ctx, end := context.WithCancelCause(ctx)
		defer end(nil)
		if start != nil {
			if err := start(ctx, end); err != nil {
				return err
			}
		}
		o.scheduler.Run(ctx)
		return context.Cause(ctx)
	}
	books.watch(&options)
	return runConsole(ctx, options)
}

// openDesk shows the console on an incident alone: no estate, no configuration and
// no network is needed.
func openDesk(ctx context.Context, look looks, declared incident.Declared) error {
	options, err := look.options()
	if err != nil {
		return err
	}
	look.desk = look.desk.with(nil)
	procedure, err := look.desk.procedure()
	if err != nil { // this incident has its own
		notice(look.said(), "a new incident would follow the embedded runbook: %v", err)
		procedure = runbook.Guide()
	}
	options.Snapshot = estate.NewSnapshot((&estate.Topology{Environment: declared.Environment, Drill: declared.Drill}).Index(), nil)
	books := look.desk.casebook(procedure, declared.Environment, declared.Drill, nil)
	defer books.end(look.said())
	if err := books.begin(ctx, &options, look); err != nil {
		return failed(err)
	}
	books.watch(&options)
	return runConsole(ctx, options)
}

// said is where to say something once the console has ended.
func (l *looks) said() io.Writer {
	if l.notices != nil {
		return l.notices
	}
	return os.Stderr
}

// runConsole shows a console until it is left.
func runConsole(ctx context.Context, options ui.Options) error {
	err := ui.Run(ctx, options)
	if errors.Is(err, ui.ErrNoTerminal) {
		return usage(err)
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("the console was ended from outside: %w", context.Cause(ctx))
	}
	return failed(err)
}
