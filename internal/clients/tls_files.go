package clients

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"warroom/internal/estate"
)

// pemLimit bounds a PEM file: system CA bundles are some 250 KiB.
const pemLimit = 4 << 20

// namesLimit bounds how many names of a certificate are kept.
const namesLimit = 100

// ReadCertificate reads the first certificate of a PEM file: the leaf, by the
// order that every server expects. Its error says in words what is wrong.
func ReadCertificate(path string) (*estate.Certificate, error) {
	cert, err := readLeaf(path)
	if err != nil {
		return nil, err
	}
	described := describe(cert)
	return &described, nil
}

// KeyMatches reports whether the private key in the PEM file keyPath belongs to
// the certificate in the PEM file certPath. No error quotes the key.
func KeyMatches(certPath, keyPath string) (bool, error) {
	cert, err := readLeaf(certPath)
	if err != nil {
		return false, err
	}
	key, err := readKey(keyPath)
	if err != nil {
		return false, err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey), nil
}

func readLeaf(path string) (*x509.Certificate, error) {
	data, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	other := ""
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s holds a damaged certificate", path)
		}
		return cert, nil
	}
	if other != "" {
		return nil, fmt.Errorf("%s holds %s but no certificate", path, article(Strip(other, 40)))
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return nil, fmt.Errorf("%s is DER; convert it to PEM", path)
	}
	return nil, fmt.Errorf("%s holds no PEM certificate", path)
}

func readKey(path string) (crypto.Signer, error) {
	data, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, fmt.Errorf("%s is encrypted, so it cannot be compared", path)
		}
		var key any
		var err error
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s holds a private key that cannot be parsed", path)
		}
		return signer, nil
	}
	return nil, fmt.Errorf("%s holds no PEM private key", path)
}

// readPEM reads a file that should be PEM, in words when it cannot.
func readPEM(path string) ([]byte, error) {
	// Asked first, because opening a named pipe would wait for its writer.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s may not be read by this user", path)
	case err != nil:
		return nil, fmt.Errorf("open the PEM file: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, pemLimit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the PEM file: %w", err)
	case len(data) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	case len(data) > pemLimit:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, pemLimit>>20)
	}
	return data, nil
}

// readRoots reads a CA file, on top of the system's CAs where system is set.
func readRoots(path string, system bool) (*x509.CertPool, error) {
	data, err := readPEM(path)
	roots := x509.NewCertPool()
	if system {
		if known, err := x509.SystemCertPool(); err == nil {
			roots = known // a copy; without one, the file has to do
		}
	}
	if err == nil && !roots.AppendCertsFromPEM(data) {
		err = fmt.Errorf("%s holds no PEM certificate", path)
	}
	if err != nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "read the CA file", Detail: Strip(err.Error(), 200), Next: "correct ca_cert in warroom.yaml"}
	}
	return roots, nil
}

// sameFile reports whether a file is the one that was read, unchanged.
func sameFile(before, now os.FileInfo) bool {
	return before != nil && os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}

// describe keeps of a certificate what is shown and compared.
func describe(c *x509.Certificate) estate.Certificate {
	sum, key := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	out := estate.Certificate{
		Subject: Strip(c.Subject.String(), 200), Issuer: Strip(c.Issuer.String(), 200),
		Serial: fmt.Sprintf("%x", c.SerialNumber), SHA256: hex.EncodeToString(sum[:]), KeySHA256: hex.EncodeToString(key[:]),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
	for _, name := range c.DNSNames {
		out.Names = append(out.Names, Strip(name, 253))
	}
	for _, ip := range c.IPAddresses {
		out.Names = append(out.Names, ip.String())
	}
	out.Names = out.Names[:min(len(out.Names), namesLimit)]
	return out
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("AEIOU", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
