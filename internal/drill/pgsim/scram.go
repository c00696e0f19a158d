package pgsim

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
)

// iterations is scram_iterations, fixed in PostgreSQL 15.
const iterations = 4096

// Names of the SASL mechanisms.
const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
)

// NewVerifier is what PostgreSQL stores for a password:
// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey. The drill's passwords are
// ASCII, which SASLprep leaves as they are.
func NewVerifier(password string, salt []byte) string {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		// Only a key length or hash that FIPS mode forbids fails, and both are fixed.
		panic(err)
	}
	stored := sha256.Sum256(keyed(salted, "Client Key"))
	enc := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", mechanism, iterations, enc(salt), enc(stored[:]), enc(keyed(salted, "Server Key")))
}

func keyed(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// parseVerifier reads a verifier; anything else is an error, as an MD5 hash is
// for a server that requires SCRAM.
func parseVerifier(v string) (scram.StoredCredentials, error) {
	var c scram.StoredCredentials
	bad := errors.New("not a SCRAM-SHA-256 verifier")
	parts := strings.Split(v, "$")
	if len(parts) != 3 || parts[0] != mechanism {
		return c, bad
	}
	count, salt, ok := strings.Cut(parts[1], ":")
	stored, server, ok2 := strings.Cut(parts[2], ":")
	n, err := strconv.Atoi(count)
	if !ok || !ok2 || err != nil || n < 1 || n > 1_000_000 {
		return c, bad
	}
	rawSalt, err1 := base64.StdEncoding.DecodeString(salt)
	c.StoredKey, err = base64.StdEncoding.DecodeString(stored)
	var err2 error
	c.ServerKey, err2 = base64.StdEncoding.DecodeString(server)
	if err1 != nil || err != nil || err2 != nil || len(rawSalt) == 0 || len(c.StoredKey) != sha256.Size || len(c.ServerKey) != sha256.Size {
		return c, bad
	}
	c.KeyFactors = scram.KeyFactors{Salt: string(rawSalt), Iters: n}
	return c, nil
}

// password authenticates the client with SCRAM. Every reason to refuse gives the
// same answer at the same point, as PostgreSQL does so as not to tell which roles
// exist: the exchange runs to its end against made-up credentials.
func (s *session) password() *failure {
	refused := fatal("28P01", fmt.Sprintf("password authentication failed for user %q", s.user)).from("auth.c", "auth_failed")
	creds, usable := s.credentials()

	binding, err := s.binding()
	if err != nil {
		return fatal("XX000", err.Error())
	}
	mechanisms := []string{mechanism}
	if binding.IsSupported() {
		mechanisms = []string{mechanismPlus, mechanism}
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return creds, nil })
	if err != nil {
		return fatal("XX000", err.Error())
	}
	s.backend.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	first, f := receiveAuth[*pgproto3.SASLInitialResponse](s, pgproto3.AuthTypeSASL)
	if f != nil {
		return f
	}
	conversation := server.NewConversation()
	switch {
	case first.AuthMechanism == mechanismPlus && binding.IsSupported():
		conversation = server.NewConversationWithChannelBinding(binding)
	case first.AuthMechanism == mechanism:
		// The client may say that it could have bound the channel, which is a
		// downgrade only if we offered to: let the library judge that.
		if binding.IsSupported() {
			conversation = server.NewConversationWithChannelBinding(binding)
		}
	default:
		return fatal("08P01", "client selected an invalid SASL authentication mechanism")
	}
	challenge, err := conversation.Step(string(first.Data))
	if err != nil {
		return fatal("08P01", "malformed SCRAM message")
	}
	s.backend.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	second, f := receiveAuth[*pgproto3.SASLResponse](s, pgproto3.AuthTypeSASLContinue)
	if f != nil {
		return f
	}
	final, err := conversation.Step(string(second.Data))
	if err != nil || !conversation.Valid() || !usable {
		return refused
	}
	s.backend.Send(&pgproto3.AuthenticationSASLFinal{Data: []byte(final)})
	return nil
}

// receiveAuth flushes what was sent and waits for the client's part of the
// exchange.
func receiveAuth[M pgproto3.FrontendMessage](s *session, kind uint32) (M, *failure) {
	var none M
	if err := s.backend.SetAuthType(kind); err != nil {
		return none, fatal("XX000", err.Error())
	}
	if err := s.backend.Flush(); err != nil {
		return none, gone
	}
	m, err := s.backend.Receive()
	if err != nil {
		return none, gone
	}
	got, ok := m.(M)
	if !ok {
		return none, fatal("08P01", "expected SASL response, got another message type")
	}
	return got, nil
}

// credentials are the role's own, or made-up ones that no password fits with
// false: for roles that do not exist, have no verifier or are past VALID UNTIL.
func (s *session) credentials() (scram.StoredCredentials, bool) {
	if r, ok := s.server.role(s.user); ok {
		expired := !r.Infinite && !r.ValidUntil.IsZero() && r.ValidUntil.Before(s.server.now())
		if c, err := parseVerifier(r.Verifier); err == nil && !expired {
			return c, true
		}
	}
	// The same made-up salt for the same name each time, or its change would
	// tell that the role does not exist.
	seed := fmt.Sprintf("made up %d", s.server.cluster.opts.Seed)
	salt := keyed([]byte(seed), s.user)[:16]
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(salt), Iters: iterations},
		StoredKey:  keyed([]byte(seed), "stored"),
		ServerKey:  keyed([]byte(seed), "server"),
	}, false
}

// binding is the tls-server-end-point channel binding of this connection; not
// supported without TLS.
func (s *session) binding() (scram.ChannelBinding, error) {
	if !s.tls {
		return scram.ChannelBinding{}, nil
	}
	// The library hashes the first peer certificate, which for the server's side
	// has to be its own leaf.
	certificates := s.server.cluster.opts.TLS.Certificates
	if len(certificates) == 0 || len(certificates[0].Certificate) == 0 {
		return scram.ChannelBinding{}, nil
	}
	leaf, err := x509.ParseCertificate(certificates[0].Certificate[0])
	if err != nil {
		return scram.ChannelBinding{}, err
	}
	return scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
}
