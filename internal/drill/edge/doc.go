// Package edge is the HTTP and TLS side of the drill: an issuer of JWTs, the API
// gateway that validates them, a load balancer that serves a certificate from
// disk, an external API that knows its keys and its rate limit, and the health
// endpoints of applications.
//
// Its rules: each of them decides for itself, from its own state and the clock,
// and answers as the real thing does, so that a repaired credential is let in and
// a wrong one is not; no answer echoes a credential; nothing is logged.
package edge

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"time"
)

// NewServer makes a server for one listener: silent, and bounded in what a slow
// client may cost.
func NewServer(h http.Handler, config *tls.Config) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
}

// reply writes a JSON answer.
func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client has gone away
}
