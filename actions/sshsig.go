package actions

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A signature as ssh-keygen -Y sign writes it: PROTOCOL.sshsig of OpenSSH.
const (
	sigBegin = "-----BEGIN SSH SIGNATURE-----"
	sigEnd   = "-----END SSH SIGNATURE-----"
	sigMagic = "SSHSIG"

	maxSignature = 16 << 10 // bytes of its armor: the longest RSA one has about 4 KiB
	leastRSA     = 2048     // bits
)

// signKeys are the types of keys that may sign. Those of a certificate are not among
// them: who signs is who the file of signers names.
var signKeys = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA,
}

// sshSignature is a signature that was taken out of its armor.
type sshSignature struct {
	key       ssh.PublicKey
	namespace string
	reserved  string
	hash      string
	signature ssh.Signature
}

// parseSignature reads an armored signature. Blank lines and blanks around it are
// left out, because it may have been pasted.
func parseSignature(armored string) (*sshSignature, error) {
	if len(armored) > maxSignature {
		return nil, fmt.Errorf("it has %d bytes, at most %d", len(armored), maxSignature)
	}
	var body strings.Builder
	state := 0 // before, within, after
	for line := range strings.Lines(armored) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case state == 0 && line == sigBegin:
			state = 1
		case state == 1 && line == sigEnd:
			state = 2
		case state == 1:
			body.WriteString(line)
		default:
			return nil, fmt.Errorf("it must begin with %s and end with %s, and nothing else be there", sigBegin, sigEnd)
		}
	}
	if state != 2 {
		return nil, fmt.Errorf("it must begin with %s and end with %s", sigBegin, sigEnd)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(body.String())
	if err != nil {
		return nil, errors.New("it is no base64")
	}
	rest, ok := bytes.CutPrefix(raw, []byte(sigMagic))
	if !ok {
		return nil, errors.New("it is no SSH signature")
	}
	var w struct {
		Version                       uint32
		Key                           []byte
		Namespace, Reserved, HashName string
		Signature                     []byte
	}
	if err := ssh.Unmarshal(rest, &w); err != nil {
		return nil, errors.New("it is cut off, or no SSH signature")
	}
	if w.Version != 1 {
		return nil, fmt.Errorf("it is of version %d; version 1 is known", w.Version)
	}
	s := &sshSignature{namespace: w.Namespace, reserved: w.Reserved, hash: w.HashName}
	if s.key, err = ssh.ParsePublicKey(w.Key); err != nil {
		return nil, errors.New("its key cannot be read")
	}
	if err := ssh.Unmarshal(w.Signature, &s.signature); err != nil {
		return nil, errors.New("what it holds is no signature")
	}
	return s, nil
}

// verify checks the signature of a text in a namespace.
func (s *sshSignature) verify(text, namespace string) error {
	if s.namespace != namespace {
		return fmt.Errorf("it was made for %.40q and not for %q: ssh-keygen -Y sign -n %s", s.namespace, namespace, namespace)
	}
	if s.reserved != "" {
		return errors.New("it uses a part of the format that is reserved")
	}
	if err := mayKeySign(s.key); err != nil {
		return err
	}
	switch format := s.signature.Format; {
	case format == ssh.KeyAlgoRSA:
		return errors.New("it uses SHA-1, which can be forged: sign with a newer ssh-keygen")
	case s.key.Type() == ssh.KeyAlgoRSA && format != ssh.KeyAlgoRSASHA256 && format != ssh.KeyAlgoRSASHA512,
		s.key.Type() != ssh.KeyAlgoRSA && format != s.key.Type():
		return errors.New("it is of another kind than its key")
	}
	security := s.key.Type() == ssh.KeyAlgoSKED25519 || s.key.Type() == ssh.KeyAlgoSKECDSA256
	switch rest := s.signature.Rest; {
	case security && (len(rest) != 5 || rest[0]&1 == 0):
		return errors.New("the security key was not touched for it")
	case !security && len(rest) > 0:
		return errors.New("something is behind it")
	}
	var digest []byte
	switch s.hash {
	case "sha512":
		sum := sha512.Sum512([]byte(text))
		digest = sum[:]
	case "sha256":
		sum := sha256.Sum256([]byte(text))
		digest = sum[:]
	default:
		return fmt.Errorf("it uses the hash %.20q; sha512 and sha256 are known", s.hash)
	}
	signed := append([]byte(sigMagic), ssh.Marshal(struct {
		Namespace, Reserved, HashName string
		Digest                        []byte
	}{s.namespace, s.reserved, s.hash, digest})...)
	if err := s.key.Verify(signed, &s.signature); err != nil {
		return errors.New("it is not of exactly this statement: what was signed is another plan, or was altered on its way")
	}
	return nil
}

// mayKeySign says why a key may not sign.
func mayKeySign(key ssh.PublicKey) error {
	if !slices.Contains(signKeys, key.Type()) {
		return fmt.Errorf("keys of type %.40s cannot sign a plan: use an Ed25519, ECDSA or RSA key", key.Type())
	}
	if key.Type() == ssh.KeyAlgoRSA {
		if c, ok := key.(ssh.CryptoPublicKey); !ok || rsaBits(c.CryptoPublicKey()) < leastRSA {
			return fmt.Errorf("its RSA key has fewer than %d bits", leastRSA)
		}
	}
	return nil
}
