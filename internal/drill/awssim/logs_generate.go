package awssim

import (
	"slices"
	"time"
)

// LogLine is a line of a generated stream.
type LogLine struct {
	At      time.Time
	Message string
}

// generator is a stream whose lines are made when they are read.
type generator struct {
	stream string
	since  time.Time
	lines  func(minute time.Time) []LogLine
}

// GenerateLog adds a stream to a group whose lines follow from time alone: lines
// gives those of one minute, in order, and is called for its start, in UTC.
// There are none before since, nor any that have not happened yet. The function
// must not call back into the Sim.
func (s *Sim) GenerateLog(group, stream string, since time.Time, lines func(minute time.Time) []LogLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.group(group)
	since = since.UTC().Truncate(time.Minute)
	g.streams[stream] = &logStream{name: stream, created: since, first: since, generated: true}
	g.generators = slices.DeleteFunc(g.generators, func(x generator) bool { return x.stream == stream })
	g.generators = append(g.generators, generator{stream, since, lines})
}

// generatedNumber is above the numbers of lines that were added.
const generatedNumber = 1 << 62

// between are the group's events of a time span, both ends included, in order;
// the caller holds s.mu and changes nothing of them.
func (g *logGroup) between(from, to, now time.Time) []logEvent {
	lo, _ := slices.BinarySearchFunc(g.events, from, func(e logEvent, t time.Time) int { return e.at.Compare(t) })
	hi, _ := slices.BinarySearchFunc(g.events, to, func(e logEvent, t time.Time) int {
		if e.at.After(t) {
			return 1
		}
		return -1
	})
	kept := g.events[lo:max(lo, hi)]
	if len(g.generators) == 0 {
		return kept
	}
	out := slices.Clone(kept)
	if now.Before(to) {
		to = now
	}
	for n, one := range g.generators {
		start := from.UTC().Truncate(time.Minute)
		if start.Before(one.since) {
			start = one.since
		}
		for minute := start; !minute.After(to); minute = minute.Add(time.Minute) {
			for i, l := range one.lines(minute) {
				if at := l.At.Truncate(time.Millisecond); !at.Before(from) && !at.After(to) {
					number := generatedNumber + uint64(minute.Unix()/60)<<24 + uint64(n)<<16 + uint64(i)
					out = append(out, logEvent{number, one.stream, at, l.Message})
				}
			}
		}
	}
	slices.SortFunc(out, logEvent.compare)
	return out
}
