package pgsim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// prepared is a statement that was parsed, portal one whose arguments are bound.
type prepared struct {
	plan  plan
	empty bool
}

type portal struct {
	prepared
	args    []any
	formats []int16
}

// maxPrepared bounds what a client may leave prepared.
const maxPrepared = 1000

// run serves statements until the client leaves.
func (s *session) run() {
	types := pgtype.NewMap()
	skipping := false // after an error of the extended protocol, to the next Sync
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(idleLimit))
		m, err := s.backend.Receive()
		if err != nil {
			var long *pgproto3.ExceededMaxBodyLenErr
			if errors.As(err, &long) {
				s.refuse(fatal("54000", "message is too long for this drill server"))
			}
			return
		}
		_ = s.conn.SetDeadline(time.Now().Add(idleLimit))
		var f *failure
		switch m := m.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query:
			skipping = false
			s.simple(m.String, types)
			s.ready()
		case *pgproto3.Sync:
			skipping = false
			s.ready()
		case *pgproto3.Flush:
		case *pgproto3.Parse, *pgproto3.Bind, *pgproto3.Describe, *pgproto3.Execute, *pgproto3.Close:
			if skipping {
				continue
			}
			if f = s.extended(m, types); f != nil {
				skipping = true
			}
			if _, ok := m.(*pgproto3.Execute); !ok && f == nil {
				continue // answered with what follows
			}
		default:
			s.refuse(fatal("08P01", fmt.Sprintf("invalid frontend message type %T", m)))
			return
		}
		if f != nil {
			s.fail(f)
		}
		if s.backend.Flush() != nil {
			return
		}
	}
}

func (s *session) ready() { s.backend.Send(&pgproto3.ReadyForQuery{TxStatus: s.tx}) }

// fail reports an error and breaks the transaction.
func (s *session) fail(f *failure) {
	if s.tx == 'T' {
		s.tx = 'E'
	}
	s.pending = nil
	s.backend.Send(f.response())
}

// simple runs every statement of one Query message.
func (s *session) simple(sql string, types *pgtype.Map) {
	statements, f := lex(sql)
	if f != nil {
		s.fail(f)
		return
	}
	if len(statements) == 0 {
		s.backend.Send(&pgproto3.EmptyQueryResponse{})
		return
	}
	for _, one := range statements {
		p, f := s.compile(one)
		if f == nil && len(p.params) > 0 {
			f = problem("42P02", "there is no parameter $1")
		}
		if f == nil {
			f = s.execute(p, nil, nil, true, sql, types)
		}
		if f != nil {
			s.fail(f)
			return
		}
	}
}

// extended handles one message of the extended protocol.
func (s *session) extended(m pgproto3.FrontendMessage, types *pgtype.Map) *failure {
	switch m := m.(type) {
	case *pgproto3.Parse:
		return s.parse(m)
	case *pgproto3.Bind:
		return s.bind(m, types)
	case *pgproto3.Describe:
		return s.describe(m)
	case *pgproto3.Execute:
		p, ok := s.portals[m.Portal]
		if !ok {
			return problem("34000", "portal %q does not exist", m.Portal)
		}
		if p.empty {
			s.backend.Send(&pgproto3.EmptyQueryResponse{})
			return nil
		}
		return s.execute(p.plan, p.args, p.formats, false, "", types)
	case *pgproto3.Close:
		if m.ObjectType == 'S' {
			delete(s.statements, m.Name)
		} else {
			delete(s.portals, m.Name)
		}
		s.backend.Send(&pgproto3.CloseComplete{})
	}
	return nil
}

func (s *session) parse(m *pgproto3.Parse) *failure {
	statements, f := lex(m.Query)
	if f != nil {
		return f
	}
	if len(statements) > 1 {
		return problem("42601", "cannot insert multiple commands into a prepared statement")
	}
	if _, dup := s.statements[m.Name]; dup && m.Name != "" {
		return problem("42P05", "prepared statement %q already exists", m.Name)
	}
	if len(s.statements) >= maxPrepared {
		return problem("53000", "too many prepared statements for this drill server")
	}
	p := &prepared{empty: true}
	if len(statements) == 1 {
		p.empty = false
		if p.plan, f = s.compile(statements[0]); f != nil {
			return f
		}
	}
	s.statements[m.Name] = p
	s.backend.Send(&pgproto3.ParseComplete{})
	return nil
}

func (s *session) bind(m *pgproto3.Bind, types *pgtype.Map) *failure {
	p, ok := s.statements[m.PreparedStatement]
	if !ok {
		return problem("26000", "prepared statement %q does not exist", m.PreparedStatement)
	}
	if len(m.Parameters) != len(p.plan.params) {
		return problem("08P01", "bind message supplies %d parameters, but prepared statement %q requires %d", len(m.Parameters), m.PreparedStatement, len(p.plan.params))
	}
	if len(s.portals) >= maxPrepared {
		return problem("53000", "too many portals for this drill server")
	}
	args := make([]any, len(m.Parameters))
	for i, raw := range m.Parameters {
		if raw == nil {
			continue
		}
		value, err := decodeArgument(types, p.plan.params[i], formatOf(m.ParameterFormatCodes, i), raw)
		if err != nil {
			return problem("22P02", "invalid input for parameter $%d", i+1)
		}
		args[i] = value
	}
	s.portals[m.DestinationPortal] = &portal{prepared: *p, args: args, formats: append([]int16(nil), m.ResultFormatCodes...)}
	s.backend.Send(&pgproto3.BindComplete{})
	return nil
}

func (s *session) describe(m *pgproto3.Describe) *failure {
	if m.ObjectType == 'P' {
		p, ok := s.portals[m.Name]
		if !ok {
			return problem("34000", "portal %q does not exist", m.Name)
		}
		s.rowDescription(p.plan.fields, p.formats)
		return nil
	}
	p, ok := s.statements[m.Name]
	if !ok {
		return problem("26000", "prepared statement %q does not exist", m.Name)
	}
	s.backend.Send(&pgproto3.ParameterDescription{ParameterOIDs: p.plan.params})
	s.rowDescription(p.plan.fields, nil)
	return nil
}

func (s *session) rowDescription(fields []field, formats []int16) {
	if len(fields) == 0 {
		s.backend.Send(&pgproto3.NoData{})
		return
	}
	out := make([]pgproto3.FieldDescription, len(fields))
	for i, f := range fields {
		out[i] = pgproto3.FieldDescription{Name: []byte(f.name), DataTypeOID: f.oid, DataTypeSize: -1, TypeModifier: -1, Format: formatOf(formats, i)}
	}
	s.backend.Send(&pgproto3.RowDescription{Fields: out})
}

func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return pgtype.TextFormatCode
}

// execute runs a statement and sends its result.
func (s *session) execute(p plan, args []any, formats []int16, describe bool, sql string, types *pgtype.Map) *failure {
	if s.tx == 'E' && !p.ends {
		return problem("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	ctx, cancel := context.WithCancel(s.server.ctx)
	if limit := s.statementTimeout(); limit > 0 {
		cancel()
		ctx, cancel = context.WithTimeoutCause(s.server.ctx, limit, errStatementTimeout)
	}
	s.interrupting.Lock()
	s.cancelRun = cancel
	s.interrupting.Unlock()
	s.server.update(s.pid, func(b *Session) { b.State, b.Query = "active", bounded(sql) })
	rows, tag, f := p.run(ctx, s, args)
	s.interrupting.Lock()
	s.cancelRun = nil
	s.interrupting.Unlock()
	cancel()
	state := map[byte]string{'I': "idle", 'T': "idle in transaction", 'E': "idle in transaction (aborted)"}[s.tx]
	s.server.update(s.pid, func(b *Session) { b.State, b.Application = state, s.application() })
	if f != nil {
		return f
	}
	if describe && len(p.fields) > 0 {
		s.rowDescription(p.fields, formats)
	}
	for _, row := range rows {
		values := make([][]byte, len(row))
		for i, v := range row {
			raw, err := encodeValue(types, p.fields[i].oid, formatOf(formats, i), v)
			if err != nil {
				return problem("XX000", "cannot encode column %q", p.fields[i].name)
			}
			values[i] = raw
		}
		s.backend.Send(&pgproto3.DataRow{Values: values})
	}
	if tag == "" {
		tag = "SELECT " + strconv.Itoa(len(rows))
	}
	s.backend.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}

var errStatementTimeout = errors.New("statement timeout")

func (s *session) statementTimeout() time.Duration {
	value, _ := s.setting("statement_timeout")
	d, _ := parseMilliseconds(value)
	return d
}
