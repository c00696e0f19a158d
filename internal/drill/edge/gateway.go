package edge

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Gateway validates the JWT of every request, and answers those it lets in
// itself.
type Gateway struct {
	Realm    string
	Issuer   *Issuer
	Audience string
	Now      func() time.Time
}

// ServeHTTP answers 401 with WWW-Authenticate by RFC 6750, or 200.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(challenge string) {
		w.Header().Set("WWW-Authenticate", challenge)
		reply(w, http.StatusUnauthorized, map[string]string{"message": "Unauthorized"})
	}
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		refuse(fmt.Sprintf("Bearer realm=%q", g.Realm))
		return
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		refuse(fmt.Sprintf("Bearer realm=%q, error=%q, error_description=%q", g.Realm, "invalid_request", "the credentials are not a bearer token"))
		return
	}
	claims, err := g.Issuer.verify(strings.TrimSpace(token), g.Audience, g.Now())
	if err != nil {
		refuse(fmt.Sprintf("Bearer realm=%q, error=%q, error_description=%q", g.Realm, "invalid_token", err))
		return
	}
	reply(w, http.StatusOK, map[string]string{"message": "pong", "subject": claims.Subject})
}
