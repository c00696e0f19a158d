package journal

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// namespace keeps a signature in a journal from being one of anything else.
const namespace = "warroom-journal"

// message is what is signed for the hash of a line: the blob of SSH's own format
// for signatures of data, which begins as no other thing that an SSH key signs.
func message(hash [32]byte) []byte {
	digest := sha512.Sum512(hash[:])
	return append([]byte("SSHSIG"), ssh.Marshal(struct {
		Namespace, Reserved, Algorithm string
		Digest                         []byte
	}{namespace, "", "sha512", digest[:]})...)
}

// sign signs the hash of a line and checks what came back, so that nothing is
// written that does not verify.
func sign(s Signer, key ssh.PublicKey, hash [32]byte) ([]byte, error) {
	blob, err := s.Sign(message(hash))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigning, err)
	}
	text := encodeSignature(blob)
	if err := verify(key, hash, text); err != nil {
		return nil, fmt.Errorf("%w: what it gave does not verify: %w", ErrSigning, err)
	}
	return text, nil
}

// verify checks the signature of a line.
func verify(key ssh.PublicKey, hash [32]byte, text []byte) error {
	blob, err := decodeSignature(text)
	if err != nil {
		return errors.New("its signature cannot be read")
	}
	var signature ssh.Signature
	if err := ssh.Unmarshal(blob, &signature); err != nil || len(signature.Rest) > 0 {
		return errors.New("its signature cannot be read")
	}
	if signature.Format == ssh.KeyAlgoRSA {
		return errors.New("its signature uses SHA-1")
	}
	if err := key.Verify(message(hash), &signature); err != nil {
		return errors.New("its signature does not verify against the key " + ssh.FingerprintSHA256(key))
	}
	return nil
}

// keyTypes are the types of keys that may sign. Those of a security key are not
// among them: they want a touch for every record.
var keyTypes = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}

// parseKey reads a line of authorized_keys and gives it back without comment and
// options.
func parseKey(text string) (ssh.PublicKey, string, error) {
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, "", fmt.Errorf("%.60q is not a line of authorized_keys: it is written as type, key in base64, comment", text)
	}
	for _, t := range keyTypes {
		if key.Type() == t {
			return key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
		}
	}
	return nil, "", fmt.Errorf("keys of type %s cannot sign a journal: use an Ed25519, ECDSA or RSA key", key.Type())
}
