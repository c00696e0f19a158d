package actions

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"warroom/internal/plan"
)

// signed is a signature as ssh-keygen writes it. change alters it before it is put
// into its armor.
func signed(t testing.TB, key any, text, namespace string, change func(*sigParts)) string {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parts := sigParts{magic: sigMagic, version: 1, key: s.PublicKey().Marshal(), namespace: namespace, hash: "sha512", format: ssh.KeyAlgoRSASHA512}
	if change != nil {
		change(&parts)
	}
	sum := sha512.Sum512([]byte(text))
	message := append([]byte(sigMagic), ssh.Marshal(struct {
		Namespace, Reserved, Hash string
		Digest                    []byte
	}{parts.namespace, parts.reserved, parts.hash, sum[:]})...)
	var made *ssh.Signature
	if as, ok := s.(ssh.AlgorithmSigner); ok && s.PublicKey().Type() == ssh.KeyAlgoRSA {
		made, err = as.SignWithAlgorithm(rand.Reader, message, parts.format)
	} else {
		made, err = s.Sign(rand.Reader, message)
	}
	if err != nil {
		t.Fatal(err)
	}
	made.Rest = parts.rest
	blob := append([]byte(parts.magic), ssh.Marshal(struct {
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{parts.version, parts.key, parts.namespace, parts.reserved, parts.hash, ssh.Marshal(made)})...)
	return armor(blob)
}

type sigParts struct {
	magic                             string
	version                           uint32
	key, rest                         []byte
	namespace, reserved, hash, format string
}

func armor(blob []byte) string {
	var out strings.Builder
	out.WriteString(sigBegin + "\n")
	text := base64.StdEncoding.EncodeToString(blob)
	for line := range slices.Chunk([]byte(text), 70) {
		out.Write(line)
		out.WriteByte('\n')
	}
	out.WriteString(sigEnd + "\n")
	return out.String()
}

func public(t testing.TB, key any) string {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signers writes an allowed_signers file.
func signersFile(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "allowed_signers")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func somePlan() *plan.Plan {
	return &plan.Plan{ID: "5f", Procedure: "rotate", Target: "thing", Mode: plan.Forward, Environment: "test", Expires: t0.Add(time.Minute), Second: true, Steps: []plan.Step{{ID: "a", Change: true}}}
}

func TestASignatureCountsOnlyFromAnotherWhoMay(t *testing.T) {
	key, other := newKey(t), newKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no short RSA keys: ", err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, name := public(t, key), plan.SignatureNamespace
	text := somePlan().Statement()
	good := signed(t, key, text, name, nil)
	for _, test := range []struct {
		name, lines, sig, want string // want is of the refusal; empty: it counts
	}{
		{"another person", "ops-2@example.com " + pub, good, ""},
		{"pasted with blanks", "ops-2 " + pub, "\n  " + strings.ReplaceAll(good, "\n", "  \r\n") + "\n", ""},
		{"after other lines", "# who may\n\nops-3 " + public(t, other) + "\nops-2 " + pub + " comment here", good, ""},
		{"RSA", "ops-2 " + public(t, rsaKey), signed(t, rsaKey, text, name, nil), ""},
		{"ECDSA", "ops-2 " + public(t, curve), signed(t, curve, text, name, nil), ""},
		{"RSA with SHA-1", "ops-2 " + public(t, rsaKey), signed(t, rsaKey, text, name, func(p *sigParts) { p.format = ssh.KeyAlgoRSA }), "SHA-1"},
		{"a short RSA key", "ops-2 " + public(t, weak), signed(t, weak, text, name, nil), "fewer than 2048 bits"},
		{"allowed for it", `ops-2 namespaces="git,warroom-*" ` + pub, good, ""},
		{"allowed for other things", `ops-2 namespaces="git,file" ` + pub, good, "does not allow its key for warroom-plan"},
		{"taken back for it", `ops-2 namespaces="*,!warroom-plan" ` + pub, good, "does not allow its key for warroom-plan"},
		{"valid", `ops-2 valid-after="20261122Z",valid-before="20261124000000Z" ` + pub, good, ""},
		{"not yet valid", `ops-2 valid-after="20261124Z" ` + pub, good, "allows its key from 2026-11-24 00:00Z on"},
		{"no longer valid", `ops-2 valid-before="202611230100Z" ` + pub, good, "allowed its key until 2026-11-23 01:00Z"},
		{"an authority", "ops-2 cert-authority " + pub, good, "authority for certificates"},
		{"quoted principals", `"ops-2,ops-4" ` + pub, good, ""},
		{"the operator", "ic-1 " + pub, good, "ic-1 is who acts here"},
		{"the operator with a domain", "IC-1@example.com " + pub, good, "who acts here"},
		{"the operator among others", "ops-2,ic-1 " + pub, good, "who acts here"},
		{"the operator in a pattern", "*@example.com,i?-1 " + pub, good, "who acts here"},
		{"the operator's key under another name as well", "ops-2 " + pub + "\nic-1 " + pub, good, "who acts here"},
		{"nobody", "ops-3 " + public(t, other), good, "of nobody who may sign"},
		{"an empty file", "", good, "of nobody who may sign"},
		{"another plan", "ops-2 " + pub, signed(t, key, strings.Replace(text, "thing", "other", 1), name, nil), "not of exactly this statement"},
		{"for something else", "ops-2 " + pub, signed(t, key, text, "file", nil), `made for "file"`},
		{"none", "ops-2 " + pub, " \n", "another operator must sign this plan"},
		{"no signature", "ops-2 " + pub, "yes, go", "must begin with"},
		{"cut off", "ops-2 " + pub, good[:len(good)/2], "must begin with"},
		{"with something behind", "ops-2 " + pub, good + "x", "nothing else be there"},
		{"no base64", "ops-2 " + pub, sigBegin + "\n!!!!\n" + sigEnd, "no base64"},
		{"too long", "ops-2 " + pub, good + strings.Repeat("\n", maxSignature), "at most"},
		{"another magic", "ops-2 " + pub, signed(t, key, text, name, func(p *sigParts) { p.magic = "SSHSIX" }), "no SSH signature"},
		{"another version", "ops-2 " + pub, signed(t, key, text, name, func(p *sigParts) { p.version = 2 }), "version 2"},
		{"another hash", "ops-2 " + pub, signed(t, key, text, name, func(p *sigParts) { p.hash = "md5" }), "hash"},
		{"the reserved part", "ops-2 " + pub, signed(t, key, text, name, func(p *sigParts) { p.reserved = "x" }), "reserved"},
		{"something behind the signature", "ops-2 " + pub, signed(t, key, text, name, func(p *sigParts) { p.rest = []byte("xxxxx") }), "something is behind it"},
		{"another's key in it", "ops-2 " + public(t, other), signed(t, key, text, name, func(p *sigParts) {
			s, _ := ssh.NewSignerFromKey(other)
			p.key = s.PublicKey().Marshal()
		}), "not of exactly this statement"},
		{"a line that cannot be read", "ops-2 " + pub + "\nops-3 nonsense", good, "cannot be used: line 2"},
		{"an option that is unknown", `ops-2 touch-required ` + pub, good, "unknown"},
		{"an option twice", `ops-2 namespaces="a",namespaces="b" ` + pub, good, "twice"},
		{"an option without its end", `ops-2 namespaces="a ` + pub, good, "no closing quotation mark"},
		{"an option that is no time", `ops-2 valid-after="soon" ` + pub, good, "no time"},
		{"an end before the beginning", `ops-2 valid-after="20261122",valid-before="20261121" ` + pub, good, "before it begins"},
		{"a comma and nothing", `ops-2 namespaces="*", ` + pub, good, "comma"},
		{"no principal", `, ` + pub, good, "principal is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := New(Options{Operator: "ic-1", Signers: signersFile(t, test.lines)})
			who, print, err := e.second(somePlan(), test.sig, t0)
			if test.want == "" {
				if err != nil || who == "" || !strings.HasPrefix(print, "SHA256:") {
					t.Fatalf("%q %q %v", who, print, err)
				}
				return
			}
			var no *Refusal
			if !errors.As(err, &no) || !strings.Contains(err.Error(), test.want) || no.Next == "" || who != "" {
				t.Fatalf("%q, %v, want a refusal with %q", who, err, test.want)
			}
		})
	}
}

func TestASignatureNeedsAFileOfSigners(t *testing.T) {
	key := newKey(t)
	good := signed(t, key, somePlan().Statement(), plan.SignatureNamespace, nil)
	path := signersFile(t, "ops-2 "+public(t, key))
	own, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	open := signersFile(t, "ops-2 "+public(t, key))
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"none":                  {},
		"one that is not there": {Signers: filepath.Join(t.TempDir(), "gone")},
		"a folder":              {Signers: t.TempDir()},
		"anybody may write it":  {Signers: open},
		"the journal's own key": {Signers: path, OwnKeys: []string{ssh.FingerprintSHA256(own.PublicKey())}},
	} {
		o.Operator = "ic-1"
		if who, _, err := New(o).second(somePlan(), good, t0); err == nil || who != "" {
			t.Errorf("%s: %q", name, who)
		}
	}
	if who, _, err := New(Options{Operator: "ic-1", Signers: path}).second(somePlan(), good, t0); err != nil || who != "ops-2" {
		t.Errorf("%q, %v", who, err)
	}
}

func TestWhatSSHKeygenSignsVerifies(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("there is no ssh-keygen: ", err)
	}
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			folder := t.TempDir()
			key, file := filepath.Join(folder, "key"), filepath.Join(folder, "plan.txt")
			p := somePlan()
			if err := os.WriteFile(file, []byte(p.Statement()), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"-q", "-t", kind, "-N", "", "-C", "ops-2", "-f", key}, {"-q", "-Y", "sign", "-f", key, "-n", plan.SignatureNamespace, file}} {
				if out, err := exec.CommandContext(t.Context(), keygen, args...).CombinedOutput(); err != nil {
					t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
				}
			}
			pub, err := os.ReadFile(key + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			sig, err := os.ReadFile(file + ".sig")
			if err != nil {
				t.Fatal(err)
			}
			path := signersFile(t, fmt.Sprintf(`ops-2@example.com namespaces="%s" %s`, plan.SignatureNamespace, strings.TrimSpace(string(pub))))
			// What we take for valid, ssh-keygen does too.
			check := exec.CommandContext(t.Context(), keygen, "-Y", "verify", "-f", path, "-I", "ops-2@example.com", "-n", plan.SignatureNamespace, "-s", file+".sig")
			check.Stdin = strings.NewReader(p.Statement())
			if out, err := check.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			e := New(Options{Operator: "ic-1", Signers: path})
			if who, _, err := e.second(p, string(sig), t0); err != nil || who != "ops-2@example.com" {
				t.Fatalf("%q, %v", who, err)
			}
			p.Target += "x"
			if _, _, err := e.second(p, string(sig), t0); err == nil {
				t.Fatal("it counts for another plan")
			}
		})
	}
}

func FuzzParseSignature(f *testing.F) {
	good := signed(f, newKey(f), somePlan().Statement(), plan.SignatureNamespace, nil)
	for _, s := range []string{good, good[:40], sigBegin + "\n" + sigEnd, sigBegin + "\nU1NIU0lH\n" + sigEnd, ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSignature(text)
		if err != nil {
			return
		}
		if strings.TrimSpace(text) != "" && s.verify("no plan that anybody signed: "+text, plan.SignatureNamespace) == nil {
			t.Fatal("it verifies for what nobody signed")
		}
	})
}

func FuzzParseSigners(f *testing.F) {
	pub := public(f, newKey(f))
	for _, s := range []string{"ops-2 " + pub, `a,b namespaces="x\"y",valid-after="20200101" ` + pub, `"a b" cert-authority ` + pub, "# x", "a " + strings.Repeat("b,", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseSigners([]byte(text))
		if err != nil {
			return
		}
		for i := range all {
			s := &all[i]
			if s.key == nil || len(s.principals) == 0 || slices.Contains(s.principals, "") {
				t.Fatalf("%+v", s)
			}
			_ = s.allows(plan.SignatureNamespace, t0)
			for _, p := range s.principals {
				_ = samePerson(p, "ic-1")
			}
		}
	})
}

func TestPatternsOfOpenSSH(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"*", "a/b[c]", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"[a]", "a", false}, {"[a]", "[a]", true}, {`\*`, `\x`, true}, {"*@x", "a@x", true}, {"a/*", "a/b/c", true},
	} {
		if got := wild(test.pattern, test.text); got != test.want {
			t.Errorf("%q matches %q: %v", test.pattern, test.text, got)
		}
	}
}
