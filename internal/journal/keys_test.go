package journal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func TestMadeKeySigns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "ic-1")
	made, err := MakeKey(path, "ic-1@console \n second line")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	if !strings.HasSuffix(made.Public(), " ic-1@console second line") {
		t.Errorf("its public key is %q", made.Public())
	}
	loaded, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, made, loaded)
	if _, err := MakeKey(path, ""); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over a key that exists: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}

// same says that two signers are of one key, and that the second signs.
func same(t *testing.T, a, b Signer) {
	t.Helper()
	public, text, err := parseKey(a.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, other, err := parseKey(b.Public()); err != nil || other != text {
		t.Fatalf("the keys differ: %s, %s, %v", text, other, err)
	}
	hash := [32]byte{1, 2, 3}
	sig, err := sign(b, public, hash)
	if err != nil {
		t.Fatal(err)
	}
	hash[0]++
	if verify(public, hash, sig) == nil {
		t.Error("the signature is one of another hash too")
	}
}

// written is a private key as a file of OpenSSH's.
func written(t *testing.T, private any, passphrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryKindOfKeySigns(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, private := range map[string]any{"rsa": rsaKey, "ecdsa": ecKey} {
		t.Run(name, func(t *testing.T) {
			k, err := LoadKey(written(t, private, ""))
			if err != nil {
				t.Fatal(err)
			}
			same(t, k, k)
			dir := filepath.Join(t.TempDir(), "j")
			w, err := Create(dir, Options{Signer: k})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			fill(t, w, 3)
			whole(t, dir)
		})
		t.Run(name+" in an agent", func(t *testing.T) {
			keyring := agent.NewKeyring()
			if err := keyring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
				t.Fatal(err)
			}
			serveAgent(t, keyring)
			key, err := ssh.NewSignerFromKey(private)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "key.pub")
			if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(key.PublicKey()), 0o644); err != nil {
				t.Fatal(err)
			}
			k, err := LoadKey(path)
			if err != nil {
				t.Fatal(err)
			}
			same(t, k, k)
			if err := keyring.RemoveAll(); err != nil {
				t.Fatal(err)
			}
			if _, err := k.Sign([]byte("x")); err == nil {
				t.Error("an agent without the key signed")
			}
			if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "ssh-add") {
				t.Errorf("an agent without the key: %v", err)
			}
		})
	}
	t.Run("with a passphrase", func(t *testing.T) {
		path := written(t, ecKey, "a passphrase that must not show")
		if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "ssh-agent") || strings.Contains(err.Error(), "must not show") {
			t.Errorf("a key with a passphrase: %v", err)
		}
	})
}

// serveAgent has an agent at SSH_AUTH_SOCK until the test ends.
func serveAgent(t *testing.T, keyring agent.Agent) {
	t.Helper()
	folder, err := os.MkdirTemp("", "agent") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	l, err := net.Listen("unix", filepath.Join(folder, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keyring, conn); conn.Close() }()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", l.Addr().String())
}

func TestKeysThatAreNone(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	public := key(t).Public()
	for what, test := range map[string]struct{ path, want string }{
		"missing":         {filepath.Join(folder, "gone"), "no such file"},
		"a folder":        {folder, "no file with a key"},
		"text":            {write("text", "hello"), "neither a private key nor a public one"},
		"broken":          {write("broken", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"), "no private key"},
		"no agent":        {write("key.pub", public), "no agent"},
		"two public keys": {write("two.pub", public+"\n"+public+"\n"), "not a line"},
		"a security key": {write("sk.pub", "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABHNzaDo="),
			"cannot sign a journal"},
	} {
		if _, err := LoadKey(test.path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(folder, "nobody"))
	if _, err := LoadKey(filepath.Join(folder, "key.pub")); err == nil || !strings.Contains(err.Error(), "ssh-agent") {
		t.Errorf("an agent that is gone: %v", err)
	}
}

// failing is a key that fails or signs wrongly from a number of signatures on.
type failing struct {
	Signer
	left  int
	wrong bool
}

func (f *failing) Sign(data []byte) ([]byte, error) {
	if f.left--; f.left >= 0 {
		return f.Signer.Sign(data)
	}
	if f.wrong {
		return f.Signer.Sign(append(data, 'x'))
	}
	return nil, errors.New("the agent went away")
}

func TestAKeyThatStopsSigning(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		k := &failing{Signer: key(t), left: 3, wrong: wrong}
		dir := filepath.Join(t.TempDir(), "j")
		w, err := Create(dir, Options{Signer: k})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		fill(t, w, 2)
		if _, err := w.Append(payload(3), payload(4)); !errors.Is(err, ErrSigning) || errors.Is(err, ErrUnknown) {
			t.Errorf("wrong %v: %v", wrong, err)
		}
		if w.Trouble() == "" {
			t.Error("there is no trouble")
		}
		holds(t, all(t, dir), 2)
		k.left = 10
		fill(t, w, 4)
		if w.Trouble() != "" {
			t.Errorf("trouble is left: %s", w.Trouble())
		}
		holds(t, all(t, dir), 4)
		whole(t, dir)
	}
}

// A signature in a journal is one of the journal's only: SSH's own format for
// signed data with our namespace.
func TestSignaturesAreForJournalsOnly(t *testing.T) {
	got := message([32]byte{})
	want := "SSHSIG\x00\x00\x00\x0fwarroom-journal\x00\x00\x00\x00\x00\x00\x00\x06sha512\x00\x00\x00\x40"
	if !strings.HasPrefix(string(got), want) || len(got) != len(want)+64 {
		t.Errorf("what is signed begins %q", got[:min(len(got), len(want))])
	}
	a, b := key(t), key(t)
	pa, _, err := parseKey(a.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign(b, pa, [32]byte{}); !errors.Is(err, ErrSigning) {
		t.Errorf("signed by another key: %v", err)
	}
	raw, err := a.Sign(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if verify(pa, [32]byte{}, encodeSignature(raw)) == nil {
		t.Error("a signature of the bare hash was taken")
	}
}

// One signature has one text: nothing can be put into it or changed in it that
// reading would pass over.
func TestSignaturesHaveOneText(t *testing.T) {
	k := key(t)
	public, _, err := parseKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	hash := [32]byte{7}
	text, err := sign(k, public, hash)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := decodeSignature(text)
	if err != nil {
		t.Fatal(err)
	}
	end := len(text) - 2 // before the one =, with two bits that decode to nothing
	if text[end+1] != '=' || text[end] == '=' {
		t.Fatalf("the signature ends in %q", text[end:])
	}
	spare := slices.Clone(text)
	spare[end]++
	for what, other := range map[string][]byte{
		"spare bits":       spare,
		"a line end":       slices.Insert(slices.Clone(text), 5, '\r'),
		"bytes behind it":  encodeSignature(append(slices.Clone(blob), 0)),
		"half of it":       text[:40],
		"the URL alphabet": bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("+"), []byte("-")), []byte("/"), []byte("_")),
	} {
		if err := verify(public, hash, other); err == nil && !bytes.Equal(other, text) {
			t.Errorf("%s: %q verifies as %q does", what, other, text)
		}
	}
}

// OpenSSH's own tool verifies a record: what docs/journal.md says can be done
// without warroom.
func TestSSHKeygenVerifiesRecords(t *testing.T) {
	tool, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	dir, w, o := begun(t)
	fill(t, w, 1)
	raw, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLine(bytes.Split(raw, []byte{'\n'})[1])
	if err != nil {
		t.Fatal(err)
	}
	public, _, err := parseKey(o.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := decodeSignature(l.sig)
	if err != nil {
		t.Fatal(err)
	}
	blob := append([]byte("SSHSIG"), ssh.Marshal(struct {
		Version                        uint32
		Key                            []byte
		Namespace, Reserved, Algorithm string
		Signature                      []byte
	}{1, public.Marshal(), namespace, "", "sha512", signature})...)
	folder := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	armored := file("sig", pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: blob}))
	allowed := file("allowed", []byte("ic-1 namespaces=\""+namespace+"\" "+o.Signer.Public()+"\n"))
	check := func(hash [32]byte) ([]byte, error) {
		c := exec.CommandContext(t.Context(), tool, "-Y", "verify", "-f", allowed, "-I", "ic-1", "-n", namespace, "-s", armored)
		c.Stdin = bytes.NewReader(hash[:])
		return c.CombinedOutput()
	}
	if out, err := check(l.hash); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	l.hash[0]++
	if out, err := check(l.hash); err == nil {
		t.Errorf("another hash verifies: %s", out)
	}
}
