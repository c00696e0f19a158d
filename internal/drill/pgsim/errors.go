package pgsim

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"
)

// failure is an error as PostgreSQL reports it.
type failure struct {
	severity, code, message, detail, hint string
	file, routine                         string
	position                              int32
}

// gone is a client that went away: nothing can be said to it.
var gone = &failure{}

func fatal(code, message string) *failure {
	return &failure{severity: "FATAL", code: code, message: message}
}

func problem(code, format string, args ...any) *failure {
	return &failure{severity: "ERROR", code: code, message: fmt.Sprintf(format, args...)}
}

// from adds where in PostgreSQL's source the error is raised: clients tell
// errors of one code apart by it, because it is not translated.
func (f *failure) from(file, routine string) *failure {
	f.file, f.routine = file, routine
	return f
}

func (f *failure) at(position int) *failure {
	f.position = int32(position)
	return f
}

func (f *failure) with(detail, hint string) *failure {
	f.detail, f.hint = detail, hint
	return f
}

func (f *failure) response() *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: f.severity, SeverityUnlocalized: f.severity, Code: f.code,
		Message: f.message, Detail: f.detail, Hint: f.hint, Position: f.position,
		File: f.file, Routine: f.routine,
	}
}

// notSimulated refuses what PostgreSQL would do and the drill does not.
func notSimulated(what string) *failure {
	return problem("0A000", "%s is not simulated by this drill server", what)
}
