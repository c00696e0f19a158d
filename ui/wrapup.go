package ui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warroom/internal/incident"
)

// mostLost bounds how much of what was not recorded is told, in runes of each.
const mostLost = 300

// wrapUp hands to the book what still waits to be recorded when the console has
// ended: a signal, or a session that was cut off, must lose nothing that someone
// typed. It takes at most limit, and says what is not recorded in words that can be
// recorded again.
func (m *Model) wrapUp(limit time.Duration) (lost []string) {
	defer m.giveUp()
	ctx, cancel := context.WithTimeout(m.lasting, limit)
	defer cancel()
	if m.opens != nil && m.opening == declaring {
		if err := m.finish(ctx, m.opens); err != nil {
			lost = append(lost, unsaid(declaring, "", err))
		}
	}
	if m.book == nil {
		return lost
	}
	put := func(b *batch) {
		hand := newHanded()
		book := m.book
		m.guard.start("recording on the way out", func() {
			hand.begin()
			hand.result <- book.Record(ctx, b.events...)
		})
		if err := m.finish(ctx, hand); err != nil {
			lost = append(lost, unsaid(b.what, m.words(b), err))
		}
	}
	queue := m.rec.queue
	if m.rec.busy && !m.rec.hand.begin() {
		if err := m.finish(ctx, m.rec.hand); err != nil {
			lost = append(lost, unsaid(queue[0].what, m.words(&queue[0]), err))
		}
		queue = queue[1:]
	}
	for i := range queue {
		if queue[i].post == nil { // what has not gone out does not go out any more
			put(&queue[i])
		}
	}
	if p := m.posting; p != nil {
		err := errNotSent
		if p.sending && !p.hand.begin() {
			if err = m.finish(ctx, p.hand); errors.Is(err, incident.ErrUnsure) {
				err = fmt.Errorf("%w: the console ended first", ErrUnclear)
			}
		}
		what, events, problem := m.outcome(p, err)
		if problem == nil {
			put(&batch{what: what, events: events})
		}
		if err != nil {
			lost = append(lost, what+": "+plain(err.Error()))
		}
	}
	if waiting := m.notices.changes; len(waiting) > 0 && m.writing() && !m.closed() {
		put(&batch{what: fmt.Sprintf("%d changes of status", len(waiting)), events: waiting, auto: true})
	}
	return lost
}

var errNotSent = errors.New("the console ended before it went out")

// finish waits for something that is under way, and a moment longer for it to see
// that it is not waited for any more.
func (m *Model) finish(ctx context.Context, h *handed) error {
	select {
	case err := <-h.result:
		return err
	case <-ctx.Done():
	}
	moment := time.NewTimer(100 * time.Millisecond)
	defer moment.Stop()
	select {
	case err := <-h.result:
		return err
	case <-moment.C:
		return fmt.Errorf("%w: the disk does not answer", incident.ErrUnsure)
	}
}

// words are what the events of a batch tell.
func (m *Model) words(b *batch) string {
	if b.auto {
		return ""
	}
	text := ""
	for i := range b.events {
		e := &b.events[i]
		if e.Kind == incident.KindAck {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += plain(m.opt.scrub(incident.Tell(e, m.runbook())))
	}
	if r := []rune(text); len(r) > mostLost {
		text = string(r[:mostLost-1]) + "…"
	}
	return text
}

// unsaid says that something is not recorded, or that this is not known.
func unsaid(what, words string, err error) string {
	how := "NOT RECORDED: "
	if errors.Is(err, incident.ErrUnsure) {
		how = "NOT KNOWN whether it was recorded, look in the timeline: "
	}
	text := how + what
	if words != "" {
		text += ": “" + words + "”"
	}
	return text + " (" + plain(err.Error()) + ")"
}
