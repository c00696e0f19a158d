package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"
)

// Kind is what became of a text that was not taken.
type Kind string

// The kinds.
const (
	Misconfigured Kind = "not sent"      // nothing left this machine
	Unreachable   Kind = "not delivered" // no connection came about
	Refused       Kind = "refused"       // the place said no
	Limited       Kind = "later"         // the place said not now
	Unclear       Kind = "unclear"       // it may or may not have arrived
)

// Error says why a text was not taken. It holds nothing of the place's URL.
type Error struct {
	Place  string // its name
	Kind   Kind
	Detail string
	Next   string        // what to do; empty when there is nothing to say
	Wait   time.Duration // how long the place asks to wait; 0 when it does not say
}

// Error is one line.
func (e *Error) Error() string {
	parts := []string{"sending to " + e.Place + ": " + string(e.Kind) + ": " + e.Detail}
	if e.Next != "" {
		parts = append(parts, e.Next)
	}
	return strings.Join(parts, "; ")
}

// unsent says what an error of the client means. The client's own words name the
// URL, and those of a resolver the host, so none of them are repeated.
func unsent(ctx context.Context, err error) (kind Kind, detail, next string) {
	var dns *net.DNSError
	var dial *net.OpError
	var wrong *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		return Unreachable, "the name of its host cannot be resolved", "check DNS and the proxy, or send it by hand"
	case errors.As(err, &wrong), errors.As(err, &unknown), errors.As(err, &header):
		return Unreachable, "its server shows no certificate that this machine trusts", "do not send by hand through the same network before that is explained"
	case errors.As(err, &dial) && dial.Op == "dial":
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			detail = "its server refuses the connection"
		case errors.Is(err, context.DeadlineExceeded), dial.Timeout():
			detail = "its server does not answer"
		default:
			detail = "no connection to its server"
		}
		return Unreachable, detail, "check the network and the proxy, or send it by hand"
	case errors.Is(ctx.Err(), context.Canceled):
		return Unclear, "stopped while it was being sent: it may have arrived", "look there before sending again"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return Unclear, "no answer within " + timeout.String() + ": it may have arrived", "look there before sending again"
	}
	return Unclear, "the connection broke: it may have arrived", "look there before sending again"
}

func isTimeout(err error) bool {
	var timed interface{ Timeout() bool }
	return errors.As(err, &timed) && timed.Timeout()
}
