package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Signer signs for the operator.
type Signer interface {
	// Public is the public key as a line of authorized_keys.
	Public() string
	// Sign gives the signature of data in SSH's wire format. It need not be safe for
	// concurrent use.
	Sign(data []byte) ([]byte, error)
}

// keySigner signs with a key in memory.
type keySigner struct {
	key    ssh.Signer
	public string
}

func (k *keySigner) Public() string { return k.public }

func (k *keySigner) Sign(data []byte) ([]byte, error) {
	var (
		signature *ssh.Signature
		err       error
	)
	if with, ok := k.key.(ssh.AlgorithmSigner); ok && k.key.PublicKey().Type() == ssh.KeyAlgoRSA {
		signature, err = with.SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSASHA512) // never SHA-1
	} else {
		signature, err = k.key.Sign(rand.Reader, data)
	}
	if err != nil {
		return nil, err
	}
	return ssh.Marshal(signature), nil
}

// NewKey makes an Ed25519 key that exists in memory only: what it signed can be
// told apart from other keys later, but by nobody who did not note it.
func NewKey() (Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return signerOf(private, "")
}

func signerOf(private any, comment string) (Signer, error) {
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, fmt.Errorf("this kind of key cannot sign: %w", err)
	}
	_, public, err := parseKey(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	if err != nil {
		return nil, err
	}
	return &keySigner{key: key, public: strings.TrimSpace(public + " " + comment)}, nil
}

// mostKey is how long a key's file may be.
const mostKey = 64 << 10

// LoadKey reads an OpenSSH private key without a passphrase (Ed25519, ECDSA or
// RSA). From a file that holds a public key it takes the key, and has the agent at
// SSH_AUTH_SOCK sign. A file that others can read is refused, as ssh does.
func LoadKey(path string) (Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > mostKey {
		return nil, fmt.Errorf("reading the operator's key: %s is no file with a key: name one that ssh-keygen made", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's key: %w", err)
	}
	if block, _ := pem.Decode(content); block == nil {
		return agentKey(path, string(content))
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the operator's key %s can be read by others (mode %04o): run chmod 600 on it, or name another", path, info.Mode().Perm())
	}
	private, err := ssh.ParseRawPrivateKey(content)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("the operator's key %s has a passphrase, and warroom asks for none: add it to ssh-agent and name %s.pub, or name a key without one", path, path)
	}
	if err != nil {
		// The error of parsing tells where, not what: nothing of the key is in it.
		return nil, fmt.Errorf("reading the operator's key %s: it is no private key in OpenSSH's or PEM format: %w", path, err)
	}
	signer, err := signerOf(private, "")
	if err != nil {
		return nil, fmt.Errorf("the operator's key %s: %w", path, err)
	}
	return signer, nil
}

// MakeKey makes an Ed25519 key in a new file of OpenSSH's format that only its
// owner can read, and is durable when it returns. The folder is made when it is
// missing. A file that exists is left alone and is an error.
func MakeKey(path, comment string) (Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	comment = strings.Join(strings.Fields(comment), " ")
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	signer, err := signerOf(private, comment)
	if err != nil {
		return nil, err
	}
	if err := writeKey(path, pem.EncodeToMemory(block)); err != nil {
		return nil, fmt.Errorf("writing a new key: %w", err)
	}
	return signer, nil
}

func writeKey(path string, content []byte) error {
	folder := filepath.Dir(path)
	if err := MakeFolders(folder, SyncFolder); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: use it, or name another file", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // half a key would stand in the way of the next
	}
	return SyncFolder(folder)
}
