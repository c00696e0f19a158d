package pgsim

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// transaction is BEGIN, COMMIT and ROLLBACK.
func (p *parser) transaction() (plan, *failure) {
	first, _ := p.next()
	if first.is("start") {
		if !p.accept("transaction") {
			return plan{}, p.stuck()
		}
	} else if !p.accept("work") {
		p.accept("transaction")
	}
	if first.is("begin") || first.is("start") {
		ro, f := p.modes()
		if f != nil {
			return plan{}, f
		}
		tag := strings.ToUpper(first.s)
		if first.is("start") {
			tag = "START TRANSACTION"
		}
		return command(tag, func(s *session) *failure {
			if s.tx != 'I' {
				s.warn("25001", "there is already a transaction in progress")
				return nil
			}
			s.tx, s.readOnly = 'T', ro
			return nil
		}), nil
	}
	if !p.done() {
		if p.accept("to") {
			return plan{}, notSimulated("ROLLBACK TO SAVEPOINT")
		}
		return plan{}, p.stuck()
	}
	commit := first.is("commit") || first.is("end")
	end := plan{ends: true}
	end.run = func(_ context.Context, s *session, _ []any) ([][]any, string, *failure) {
		if s.tx == 'I' {
			s.warn("25P01", "there is no transaction in progress")
		}
		done, tag := s.pending, "ROLLBACK"
		if commit && s.tx != 'E' {
			tag = "COMMIT"
			for _, f := range done {
				s.server.cluster.change(f)
			}
		}
		s.tx, s.pending, s.readOnly = 'I', nil, false
		return nil, tag, nil
	}
	return end, nil
}

// modes reads transaction modes and returns whether it is read only.
func (p *parser) modes() (readOnly bool, f *failure) {
	for !p.done() {
		switch {
		case p.accept("read", "only"):
			readOnly = true
		case p.accept("read", "write"):
			readOnly = false
		case p.accept("isolation", "level", "read", "committed"), p.accept("isolation", "level", "repeatable", "read"),
			p.accept("isolation", "level", "serializable"), p.accept("deferrable"), p.accept("not", "deferrable"), p.accept(","):
		default:
			return false, p.stuck()
		}
	}
	return readOnly, nil
}

// warn sends a notice.
func (s *session) warn(code, message string) {
	s.backend.Send(&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: code, Message: message})
}
