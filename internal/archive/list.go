package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"warroom/internal/incident"
	"warroom/internal/journal"
)

// List names all incidents, the newest first. One that cannot be read is listed
// with what is wrong with it.
func (s *Store) List(ctx context.Context) ([]incident.Listed, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	listed := make([]incident.Listed, 0, len(ids))
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list incidents: %w", err)
		}
		listed = append(listed, s.listing(id))
	}
	return listed, nil
}

// listing is the line of one incident.
func (s *Store) listing(id string) incident.Listed {
	line := incident.Listed{ID: id}
	folder, err := s.Folder(id)
	if err != nil {
		line.Trouble = err.Error()
		return line
	}
	line.Writer = writerOf(folder)
	if err := summarize(folder, &line); err != nil {
		line.Trouble = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return line
}

// telling are the kinds of event that a list shows something of. Only these are
// decoded: a list of many incidents is to come at once.
var telling = []incident.Kind{incident.KindDeclared, incident.KindSeverity, incident.KindRecovered, incident.KindClosed, incident.KindReopened, incident.KindCorrected}

// summarize reads what a list shows of a journal.
func summarize(folder string, line *incident.Listed) error {
	reader, err := journal.Read(folder)
	if errors.Is(err, journal.ErrNone) {
		return fmt.Errorf("it has no journal: its declaration was never recorded, and nothing of it is lost; the folder %s can be removed", folder)
	}
	if err != nil {
		return err
	}
	var fold incident.Fold
	var last journal.Record
	err = reader.Each(func(r journal.Record) error {
		if r.Bad != "" {
			return nil
		}
		if tells(r.Payload) {
			fold.Apply(decoded(r))
		}
		last.Seq, last.Payload = r.Seq, append(last.Payload[:0], r.Payload...)
		return nil
	})
	if err != nil {
		return err
	}
	state := fold.State()
	line.Summary, line.Severity, line.Drill = state.Declared.Summary, string(state.Severity), state.Declared.Drill
	line.Environment = state.Declared.Environment
	line.Started, line.Recovered, line.Closed = state.Declared.Started, state.Recovered, state.Closed
	if last.Seq > 0 {
		line.LastAt = decoded(last).At
	}
	switch faults := reader.Faults(); {
	case len(faults) > 0:
		return errors.New(damageOf(line.ID, faults))
	case !state.IsDeclared():
		return errors.New("its journal holds no declaration")
	}
	return nil
}

// tells reports whether a payload is of a kind that a list shows, or may be.
func tells(payload []byte) bool {
	const key = `"kind":"`
	at := bytes.Index(payload[:min(len(payload), 64)], []byte(key))
	if at < 0 {
		return true // written in another way than here: decode it
	}
	word, _, _ := bytes.Cut(payload[at+len(key):], []byte{'"'})
	for _, kind := range telling {
		if string(word) == string(kind) {
			return true
		}
	}
	return false
}
