package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// Issuer issues JWTs signed with ES256 and publishes its key as OpenID Connect
// discovery and JWKS.
type Issuer struct {
	url, kid string
	key      *ecdsa.PrivateKey
}

// Claims are what a token of the Issuer states.
type Claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

type tokenHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

// NewIssuer makes an issuer with a fresh key. url is where it is reached and what
// it calls itself.
func NewIssuer(url, kid string) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the signing key of issuer %s: %w", url, err)
	}
	return &Issuer{url: url, kid: kid, key: key}, nil
}

// Token signs a token for subject and audience.
func (i *Issuer) Token(subject, audience string, issued, expires time.Time) (string, error) {
	text := segment(tokenHeader{Algorithm: "ES256", Type: "JWT", KeyID: i.kid}) + "." +
		segment(Claims{Issuer: i.url, Subject: subject, Audience: audience, IssuedAt: issued.Unix(), Expires: expires.Unix()})
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token of issuer %s: %w", i.url, err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func segment(v any) string {
	raw, _ := json.Marshal(v) // structs of strings and numbers
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ServeHTTP answers discovery and JWKS.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, http.StatusOK, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/.well-known/jwks.json", "token_endpoint": i.url + "/oauth2/token",
			"id_token_signing_alg_values_supported": []string{"ES256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		})
	case "/.well-known/jwks.json":
		point, err := i.key.PublicKey.Bytes() // 4, X, Y
		if err != nil {
			reply(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
			return
		}
		encode := base64.RawURLEncoding.EncodeToString
		reply(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": i.kid, "x": encode(point[1:33]), "y": encode(point[33:]),
		}}})
	default:
		reply(w, http.StatusNotFound, map[string]string{"error": "not_found"})
	}
}

// Why a token is not good, in the words of error_description.
var (
	errMalformed = errors.New("the token is malformed")
	errAlgorithm = errors.New("the token's algorithm is not ES256")
	errKey       = errors.New("the token's signing key is not known")
	errSignature = errors.New("the token's signature is not valid")
	errIssuer    = errors.New("the token is of another issuer")
	errAudience  = errors.New("the token does not have a valid audience")
	errExpired   = errors.New("the token has expired")
)

// Valid reports whether a token is good for audience at now.
func (i *Issuer) Valid(token, audience string, now time.Time) bool {
	_, err := i.verify(token, audience, now)
	return err == nil
}

// verify reads a token and says why it is not good for audience at now.
func (i *Issuer) verify(token, audience string, now time.Time) (Claims, error) {
	var header tokenHeader
	var claims Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || !open(parts[0], &header) || !open(parts[1], &claims) {
		return claims, errMalformed
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return claims, errMalformed
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	switch {
	case header.Algorithm != "ES256":
		return claims, errAlgorithm
	case header.KeyID != i.kid:
		return claims, errKey
	case !ecdsa.Verify(&i.key.PublicKey, digest[:], r, s):
		return claims, errSignature
	case claims.Issuer != i.url:
		return claims, errIssuer
	case claims.Audience != audience:
		return claims, errAudience
	case now.Unix() >= claims.Expires:
		return claims, errExpired
	}
	return claims, nil
}

func open(part string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, into) == nil
}
